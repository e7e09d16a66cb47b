"""Kernel regression: every map, start, learning rate and seed in one program.

`Σ_k (ρ̂_k − ρ_k)²`, ρ_k = (1 + 0.1 k)^−1.1 and ρ̂_k = Σ_i c_i e^{f(w_i) k}, by Adam on w and c. The
gradient is written out, the maps' derivatives being known in closed form.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float

from remanence.layers import rate_map
from remanence.studies.reparameterisation.learning_rates_settings import (
    POLE,
    LearningRateSettings,
)

FASTEST, SLOWEST = 0.9, 0.01
_CHUNK = 100


@dataclasses.dataclass(frozen=True)
class Student:
    """A map of the rates, and how it starts.

    - `normalised`: readouts are c = |λ| ĉ, and ĉ is trained.
    - `start`: every λ at the start, where not geometric from −0.01 to −0.9.
    - `poles`: w = 0 is an ordinary rate, where |g|/|w| is infinite for no reason.
    """

    name: str
    map: str
    normalised: bool = False
    start: float | None = None
    poles: bool = False


DIRECT, UNFAIR = "direct", "direct, unfair start"
STUDENTS = (
    Student(DIRECT, "direct"),
    Student(UNFAIR, "direct", start=0.5),
    Student("exponential", "exponential", poles=True),
    Student("softplus", "softplus", poles=True),
    Student("best", "best"),
    Student("best (code)", "best (code)"),
    Student("mean-square best", "mean-square best"),
    Student("exponential, normalised", "exponential", normalised=True, poles=True),
    Student("best, normalised", "best", normalised=True),
)


@dataclasses.dataclass(frozen=True)
class Sweep:
    """`losses` at the end, and the greatest |g|/|w| of a step, without poles and with them.

    All (students, rates, seeds); `power` is Σ ρ².
    """

    rates: tuple[float, ...]
    losses: Float[np.ndarray, "students rates seeds"]
    ratios: Float[np.ndarray, "students rates seeds"]
    all_ratios: Float[np.ndarray, "students rates seeds"]
    power: float

    def usable(self, name: str, share: float) -> float:
        """The largest rate at which every seed ends below `share` of the power; 0 if none."""
        worst = self.of(self.losses, name).max(axis=1)
        kept = [
            rate
            for rate, loss in zip(self.rates, worst, strict=True)
            if np.isfinite(loss) and loss < share * self.power
        ]
        return max(kept, default=0.0)

    def of(self, values: np.ndarray, name: str) -> Float[np.ndarray, "rates seeds"]:
        """One student's rows; NaN as infinite."""
        row = [student.name for student in STUDENTS].index(name)
        return np.where(np.isnan(values[row]), np.inf, values[row])


def kernel(length: int) -> Float[np.ndarray, " time"]:
    """(1 + 0.1 k)^−1.1."""
    return (1 + 0.1 * np.arange(length)) ** -1.1


def starts(s: LearningRateSettings) -> tuple[np.ndarray, np.ndarray]:
    """`w` and the trained readouts, (students, seeds, modes): everybody's the same function."""
    rates = -np.geomspace(SLOWEST, FASTEST, s.modes)
    readouts = np.stack(
        [np.random.default_rng([s.seed, i]).standard_normal(s.modes) for i in range(s.seeds)]
    )
    readouts = readouts / s.modes
    w, c = [], []
    for student in STUDENTS:
        given = rates if student.start is None else np.full(s.modes, student.start)
        found = np.asarray(rate_map(student.map).inverse(given))
        w.append(np.broadcast_to(found, readouts.shape))
        c.append(readouts / -rates if student.normalised else readouts)
    return np.stack(w), np.stack(c)


def sweep(s: LearningRateSettings, heard: Callable[[float], None]) -> Sweep:
    """Train everybody."""
    w, c = starts(s)
    shape = (len(STUDENTS), len(s.rates), s.seeds)
    lanes = len(s.rates) * s.seeds

    def spread(values: np.ndarray) -> Array:
        wide = np.broadcast_to(values[:, None], (*shape, s.modes))
        return jnp.asarray(wide.reshape(len(STUDENTS), lanes, s.modes))

    w, c = spread(w), spread(c)
    rate = jnp.asarray(np.repeat(s.rates, s.seeds)[None, :, None])
    state = optax.scale_by_adam().init((w, c))
    zero = jnp.zeros((len(STUDENTS), lanes))
    carry = (w, c, state, zero, zero)
    done, losses = 0, zero
    while done < s.steps:
        carry, losses = _run(carry, rate, s.length, min(_CHUNK, s.steps - done))
        done += _CHUNK
        jax.block_until_ready(losses)
        heard(min(1.0, done / s.steps))
    ratios, all_ratios = (np.asarray(x).reshape(shape) for x in carry[3:])
    power = float(np.sum(kernel(s.length) ** 2))
    return Sweep(s.rates, np.asarray(losses).reshape(shape), ratios, all_ratios, power)


def loss_and_gradients(
    w: Float[Array, "students lanes modes"], c: Float[Array, "students lanes modes"], length: int
) -> tuple[Float[Array, "students lanes"], Array, Array]:
    """The losses, and their gradients in w and in the trained readouts."""
    maps = [rate_map(student.map) for student in STUDENTS]
    normalised = _flags(lambda student: student.normalised)
    rates = jnp.stack([f.forward(one) for f, one in zip(maps, w, strict=True)])
    slopes = jnp.stack([f.derivative(one) for f, one in zip(maps, w, strict=True)])
    steps = jnp.arange(length).astype(w.dtype)
    readouts = jnp.where(normalised, -rates * c, c)
    powers = jnp.exp(rates[..., None] * steps[None, None, None])
    wrong = jnp.einsum("slm,slmt->slt", readouts, powers) - jnp.asarray(kernel(length))[None, None]
    by_readout = 2 * jnp.einsum("slmt,slt->slm", powers, wrong)
    by_rate = 2 * readouts * jnp.einsum("slmt,slt->slm", powers, wrong * steps[None, None])
    by_rate = jnp.where(normalised, by_rate - c * by_readout, by_rate)
    by_trained = jnp.where(normalised, -rates * by_readout, by_readout)
    return jnp.sum(wrong**2, axis=-1), by_rate * slopes, by_trained


def _flags(of: Callable[[Student], bool]) -> Bool[Array, "students 1 1"]:
    return jnp.asarray([of(student) for student in STUDENTS])[:, None, None]


@functools.partial(jax.jit, static_argnames=("length", "steps"))
def _run(carry: Any, rate: Array, length: int, steps: int) -> tuple[Any, Array]:
    adam = optax.scale_by_adam()
    poles = _flags(lambda student: student.poles)

    def one(carry: Any, _: Any) -> tuple[Any, None]:
        w, c, state, ratio, every = carry
        _, by_w, by_c = loss_and_gradients(w, c, length)
        over = jnp.abs(by_w) / jnp.abs(w)
        near = poles & (jnp.abs(w) < POLE)
        # Optax mixes whole and real numbers.
        with jax.numpy_dtype_promotion("standard"):
            moves, state = adam.update((by_w, by_c), state)
        move_w, move_c = cast(tuple[Array, Array], moves)
        # fmax: a lane that has diverged keeps what it had.
        ratio = jnp.fmax(ratio, jnp.max(jnp.where(near, 0.0, over), axis=-1))
        every = jnp.fmax(every, jnp.max(over, axis=-1))
        return (w - rate * move_w, c - rate * move_c, state, ratio, every), None

    carry, _ = jax.lax.scan(one, carry, None, length=steps)
    return carry, loss_and_gradients(carry[0], carry[1], length)[0]
