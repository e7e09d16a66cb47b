"""The specification's table: students of one and eight modes on minibatches without noise.

Both competitors start from the same function and see the same sequences: eigenvalues by
hyperbolic Adam, or in the LRU's map (`|λ| = exp(−e^ν)`, `arg λ = e^θ`) by Adam. Both have
`γ = √(1 − |λ|²)`, differentiated, outputs `2 Re(c γ h)`, and Adam at the same rate on c.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float

from remanence.layers.arrays import SplitComplex
from remanence.layers.lru import DiagonalRNN
from remanence.layers.normalisations import SquareRoot
from remanence.layers.parametrisations import HyperbolicEigenvalues, Polar
from remanence.studies.hyperbolic.minibatches_settings import MinibatchSettings
from remanence.theory.losses import horizon_weights, kernel_loss
from remanence.training.hyperbolic import hyperbolic_adam

HYPERBOLIC, LRU = "hyperbolic Adam", "LRU map + Adam"
COMPETITORS = (HYPERBOLIC, LRU)

PUBLISHED: Mapping[tuple[float, int], tuple[tuple[float, ...], tuple[float, ...]]] = {
    (100.0, 1): ((8e-29, 1e-26), (0.28, 3e-28, 4e-23)),
    (100.0, 8): ((1.5e-6, 4.9e-7), (0.095, 4.5e-5, 6.9e-7)),
    (1000.0, 1): ((6e-25, 1e-25), (0.76, 1e-16, 0.87)),
    (1000.0, 8): ((2.5e-7, 1.6e-7), (0.66, 7.5e-7, 0.32)),
    (10_000.0, 1): ((2e-16, 6e-15), (0.91, 0.51, 0.91)),
    (10_000.0, 8): ((1e-17, 3e-15), (0.90, 0.41, 0.75)),
}
"""The prototypes' losses by memory and modes, at the rates `PUBLISHED_RATES`."""

PUBLISHED_RATES = ((0.06, 0.2), (1e-3, 1e-2, 0.1))
"""Of hyperbolic Adam, in distances of curvature −1, and of the LRU map."""

_ANGLE, _LEG = 0.5, 25


@dataclasses.dataclass(frozen=True)
class Cell:
    """One target, student and competitor: the losses at its rates over the target's power.

    One row for each stream of minibatches; infinite where training ended in no number.
    """

    memory: float
    modes: int
    competitor: str
    rates: tuple[float, ...]
    losses: Float[np.ndarray, "runs rates"]

    @property
    def medians(self) -> Float[np.ndarray, " rates"]:
        """Over the streams, at each rate."""
        # Of the middle ones: a mean of two would make one that diverged infinite.
        return np.quantile(self.losses, 0.5, axis=0, method="lower")

    @property
    def best(self) -> int:
        """The rate with the least median."""
        return int(np.argmin(self.medians))

    @property
    def at_best(self) -> Float[np.ndarray, " runs"]:
        """The losses there."""
        return self.losses[:, self.best]


def train_cell(
    s: MinibatchSettings,
    case: tuple[float, int, int, int],
    modes: int,
    competitor: str,
    heard: Callable[[float], None],
) -> Cell:
    """Every rate of one competitor on one target, side by side on the same minibatches.

    On one stream of them after the other; competitors see the same ones.
    """
    memory, horizon, batch, steps = case
    rates = s.hyperbolic_rates if competitor == HYPERBOLIC else s.lru_rates
    start = student(modes, competitor)
    parameters, rest = eqx.partition(start, _trained(start))
    target = kernel_of(
        np.array([(1 - 1 / memory) * np.exp(1j * _ANGLE)]), np.ones(1, complex), horizon
    )
    members = jax.tree.map(lambda leaf: jnp.stack([leaf] * len(rates)), parameters)
    problem = (jnp.asarray(target), jnp.asarray(rates), jnp.asarray(s.readout_rate))
    losses = []
    for run in range(s.runs):
        key = jax.random.fold_in(jax.random.key(s.seed + run), round(memory))
        fit = (members, _first(members, competitor))
        for first in range(0, steps, _LEG):
            stop = min(first + _LEG, steps)
            counts = jnp.asarray([first, stop, steps])
            fit = _leg(problem, rest, fit, key, counts, competitor=competitor, batch=batch)
            jax.block_until_ready(fit)
            heard((run + stop / steps) / s.runs)
        losses.append(np.asarray(_expected(fit[0], rest, problem[0])))
    power = float(np.sum(np.asarray(horizon_weights(horizon)) * target**2))
    relative = np.nan_to_num(np.stack(losses) / power, nan=np.inf)
    return Cell(memory, modes, competitor, rates, relative)


def student(modes: int, competitor: str) -> DiagonalRNN:
    """The student at the start: the specification's eigenvalues, c = 0.05."""
    angles = np.array([1.2]) if modes == 1 else np.linspace(0.2, 3, modes)
    values = (0.95 if modes == 1 else 0.9) * np.exp(1j * angles)
    if competitor == HYPERBOLIC:
        eigenvalues = HyperbolicEigenvalues.from_eigenvalues(values)
    else:
        eigenvalues = Polar.from_eigenvalues(
            values, magnitude_map="double exponential", phase_map="exponential"
        )
    layer = DiagonalRNN(
        eigenvalues, 1, normalisation=SquareRoot(), direct=False, key=jax.random.key(0)
    )
    # The layer reads Re(C h): C = 2c.
    parts = (np.ones((modes, 1), complex), np.full((1, modes), 0.1 + 0j))
    B, C = (SplitComplex.of(jnp.asarray(part)) for part in parts)
    return eqx.tree_at(lambda one: (one.B, one.C), layer, (B, C))


def kernel_of(eigenvalues: np.ndarray, readouts: np.ndarray, horizon: int) -> np.ndarray:
    """`2 Re Σ c √(1 − |λ|²) λ^n` for n < T."""
    gap = 1 - np.abs(eigenvalues)
    scale = readouts * np.sqrt(gap * (2 - gap))
    return 2 * (eigenvalues[None, :] ** np.arange(horizon)[:, None] @ scale).real


def _trained(layer: DiagonalRNN) -> Any:
    """True for the eigenvalues and C, False for B."""
    nothing = jax.tree.map(lambda _: False, layer)
    return eqx.tree_at(
        lambda one: (one.eigenvalues, one.C),
        nothing,
        (jax.tree.map(lambda _: True, layer.eigenvalues), jax.tree.map(lambda _: True, layer.C)),
    )


def _optimisers(competitor: str, rate: Any, readout_rate: Any) -> tuple[Any, Any]:
    mover = hyperbolic_adam(rate) if competitor == HYPERBOLIC else optax.adam(rate, eps=1e-20)
    return mover, optax.adam(2 * readout_rate, eps=1e-20)


def _first(members: Any, competitor: str) -> Any:
    mover, reader = _optimisers(competitor, 1.0, 1.0)
    return jax.vmap(lambda one: (mover.init(one.eigenvalues), reader.init(one.C)))(members)


@functools.partial(jax.jit, static_argnames=("competitor", "batch"))
def _leg(
    problem: tuple,
    rest: Any,
    fit: tuple,
    key: jax.Array,
    counts: jax.Array,
    *,
    competitor: str,
    batch: int,
) -> tuple:
    target, rates, readout_rate = problem
    horizon = target.size
    first, stop, steps = counts

    def loss(parameters: Any, seen: jax.Array) -> jax.Array:
        response = eqx.combine(parameters, rest).impulse_response(horizon)[:, 0, 0]
        across = jnp.fft.rfft(response - target, 2 * horizon)
        errors = jnp.fft.irfft(seen * across[None, :], 2 * horizon)[:, :horizon]
        return jnp.mean(errors**2)

    def step(count: jax.Array, fit: tuple) -> tuple:
        xs = jax.random.normal(jax.random.fold_in(key, count), (batch, horizon))
        # Transformed once for all members.
        seen = jnp.fft.rfft(xs, 2 * horizon)
        decay = (1 + jnp.cos(jnp.pi * count.astype(float) / steps.astype(float))) / 2

        def member(one: tuple) -> tuple:
            parameters, (mover_state, reader_state), rate = one
            slopes = jax.grad(loss)(parameters, seen)
            mover, reader = _optimisers(competitor, rate * decay, readout_rate * decay)
            # Optax mixes whole and real numbers in its bias corrections.
            with jax.numpy_dtype_promotion("standard"):
                turned, mover_state = mover.update(
                    slopes.eigenvalues, mover_state, parameters.eigenvalues
                )
                read, reader_state = reader.update(slopes.C, reader_state)
            moved = eqx.tree_at(
                lambda p: (p.eigenvalues, p.C),
                parameters,
                (
                    optax.apply_updates(parameters.eigenvalues, turned),
                    optax.apply_updates(parameters.C, read),
                ),
            )
            return moved, (mover_state, reader_state)

        return jax.lax.map(member, (*fit, rates))

    return jax.lax.fori_loop(first, stop, step, fit)


@jax.jit
def _expected(members: Any, rest: Any, target: jax.Array) -> jax.Array:
    weights = horizon_weights(target.size)

    def one(parameters: Any) -> jax.Array:
        response = eqx.combine(parameters, rest).impulse_response(target.size)
        return kernel_loss(response - target[:, None, None], weights, factor=1)

    return jax.lax.map(one, members)
