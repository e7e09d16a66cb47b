"""Training one mode on one mode: every target, rate and schedule of a student in one program.

Target `e_μ` with `e_μ(j) = √(1 − |μ|²) μ^j`, white input, infinite horizon, complex outputs. The
student `c γ λ^j` learns the readout `c` together with λ, by Adam.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float

from remanence.studies.hyperbolic.one_mode_settings import (
    ARRIVED,
    RATE,
    READOUT_RATE,
    OneModeSettings,
)
from remanence.studies.hyperbolic.one_mode_students import EPSILON, HYPERBOLIC, Mode, Student
from remanence.theory.disc import hyperbolic_distance, points_from_memory

_LEGS = 10

BEYOND = "hyperbolic Adam beyond the claims"


class Lanes(eqx.Module):
    """What tells one run from another, (lanes,) each."""

    rate: Float[Array, " lanes"]
    readout_rate: Float[Array, " lanes"]
    decay: Float[Array, " lanes"]
    radius: Float[Array, " lanes"]
    angle: Float[Array, " lanes"]


@dataclasses.dataclass(frozen=True)
class Runs:
    """Steps of one student until it arrived, infinite where it did not.

    - `steps` (memories, grid, targets).
    - `rates`, `readout_rates`, `decayed` (grid,).
    """

    student: str
    memories: tuple[float, ...]
    rates: Float[np.ndarray, " grid"]
    readout_rates: Float[np.ndarray, " grid"]
    decayed: Bool[np.ndarray, " grid"]
    steps: Float[np.ndarray, "memories grid targets"]

    @property
    def medians(self) -> Float[np.ndarray, "memories grid"]:
        """Over targets; infinite where half of them or more fail."""
        ordered = np.sort(self.steps, axis=2)
        count = ordered.shape[2]
        # Not np.median, for which the mean of two infinities is not a number.
        return (ordered[:, :, (count - 1) // 2] + ordered[:, :, count // 2]) / 2

    @property
    def failures(self) -> Float[np.ndarray, "memories grid"]:
        """The share of targets that were not learnt."""
        return np.mean(np.isinf(self.steps), axis=2)

    def best(self, memory: int) -> int:
        """The point of the grid with the least median; among equals, with fewest failures."""
        return int(np.lexsort((self.failures[memory], self.medians[memory]))[0])

    def at_best(self) -> Float[np.ndarray, "memories targets"]:
        """The steps at the best point for each memory."""
        rows = range(len(self.memories))
        return np.stack([self.steps[i, self.best(i)] for i in rows])

    def fixed(self, rate: float = RATE) -> Float[np.ndarray, "memories targets"]:
        """The steps at one rate, the readout at `READOUT_RATE`, without decay."""
        return self.steps[:, self._point(rate)]

    def _point(self, rate: float) -> int:
        chosen = (self.rates == rate) & (self.readout_rates == READOUT_RATE) & ~self.decayed
        (point,) = np.flatnonzero(chosen)
        return int(point)

    def at_edge(self, memory: int) -> bool:
        """Whether the best rate of targets that were learnt is the first or last of the grid."""
        point = self.best(memory)
        learnt = self.failures[memory, point] < 1
        return bool(learnt and self.rates[point] in (self.rates.min(), self.rates.max()))


def targets(s: OneModeSettings) -> Float[np.ndarray, "2 memories targets"]:
    """`R` and `θ` of every target: the same angles at every memory."""
    angles = np.random.default_rng(s.seed).uniform(0, np.pi, s.targets)
    gap, angle = np.meshgrid(1 / np.array(s.memories), angles, indexing="ij")
    return np.asarray(points_from_memory(gap, angle))


def start_distances(s: OneModeSettings) -> Float[np.ndarray, "memories targets"]:
    """The hyperbolic distance from the start to every target."""
    points = targets(s)
    gap, angle = (np.full(points[0].shape, x) for x in (s.start, s.start_angle))
    return np.asarray(jax.jit(hyperbolic_distance)(points_from_memory(gap, angle), points))


def train(
    s: OneModeSettings,
    student: Student,
    memories: tuple[float, ...],
    heard: Callable[[float], None],
    *,
    readouts: tuple[float, ...] | None = None,
) -> Runs:
    """All runs of one student, one memory after the other so that easy ones end early."""
    hyperbolic = student.grid != "competitor_rates"
    rates = getattr(s, student.grid)
    if readouts is None:
        readouts = (READOUT_RATE,) if hyperbolic else s.readout_rates
    decays = (0.0, 1.0) if s.decayed and not hyperbolic else (0.0,)
    grid = np.array(np.meshgrid(rates, readouts, decays, indexing="ij")).reshape(3, -1)
    points = targets(s)
    steps = []
    for i, memory in enumerate(memories):
        row = points[:, s.memories.index(memory)]
        lanes = Lanes(
            *(jnp.asarray(np.repeat(column, s.targets)) for column in grid),
            *(jnp.asarray(np.tile(column, grid.shape[1])) for column in row),
        )

        def done(share: float, i: int = i) -> None:
            heard((i + share) / len(memories))

        found = _arrivals(s, student, lanes, done)
        steps.append(found.reshape(grid.shape[1], s.targets))
    return Runs(student.name, memories, grid[0], grid[1], grid[2] > 0, np.stack(steps))


def beyond(s: OneModeSettings, heard: Callable[[float], None]) -> Runs:
    """Hyperbolic Adam at its one rate, at memories beyond the claims, by the readout's rate."""
    far = dataclasses.replace(s, memories=s.far_memories, rates=(RATE,))
    found = train(far, HYPERBOLIC, far.memories, heard, readouts=s.far_readout_rates)
    return dataclasses.replace(found, student=BEYOND)


def _arrivals(
    s: OneModeSettings, student: Student, lanes: Lanes, heard: Callable[[float], None]
) -> Float[np.ndarray, " lanes"]:
    count = lanes.rate.size
    eigenvalue = (1 - s.start) * np.exp(1j * s.start_angle)
    poles = student.start(np.full(count, eigenvalue))
    readout = jnp.asarray(np.tile([s.start_readout, 0.0], (count, 1)))
    mode = Mode(poles, student.normalisation(poles), readout)
    carry = _begin(student, mode)
    budget = jnp.asarray(s.budget)
    for leg in range(_LEGS):
        until = jnp.asarray(s.budget * (leg + 1) // _LEGS)
        carry = _advance(student, lanes, carry, until, budget)
        through = bool(jnp.all(carry[-1] >= 0))
        heard(1.0 if through else (leg + 1) / _LEGS)
        if through:
            break
    arrived = np.asarray(carry[-1], np.float64)
    return np.where(arrived < 0, np.inf, arrived)


def _begin(student: Student, mode: Mode) -> tuple[Any, ...]:
    one = jnp.ones(())
    poles, readout = jax.vmap(
        lambda m: (
            student.optimiser(one).init((m.eigenvalues, m.normalisation)),
            _readout_adam(one).init(m.readout),
        )
    )(mode)
    arrived = jnp.full(mode.readout.shape[0], -1)
    return jnp.asarray(0), mode, poles, readout, arrived


@eqx.filter_jit
def _advance(
    student: Student, lanes: Lanes, carry: tuple[Any, ...], until: Array, budget: Array
) -> tuple[Any, ...]:
    """On to step `until`, or to where every lane has arrived."""

    def one(lane: Lanes, progress: Array, mode: Mode, poles: Any, readout: Any) -> tuple:
        slope = jax.value_and_grad(student.loss, has_aux=True)
        (_, share), gradient = slope(mode, (lane.radius, lane.angle))
        # 1, or the cosine that falls from 1 to 0 over the budget.
        scale = 1 - lane.decay * jnp.sin(jnp.pi * progress / 2) ** 2
        held: Any = (mode.eigenvalues, mode.normalisation)
        moves, poles = student.optimiser(scale * lane.rate).update(
            (gradient.eigenvalues, gradient.normalisation), poles, held
        )
        held = _added(held, moves)
        change, readout = _readout_adam(scale * lane.readout_rate).update(
            gradient.readout, readout
        )
        moved = Mode(student.kept_inside(held[0]), held[1], mode.readout + jnp.asarray(change))
        return share, moved, poles, readout

    def step(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        count, mode, poles, readout, arrived = carry
        progress = count.astype(lanes.rate.dtype) / budget.astype(lanes.rate.dtype)
        share, *moved = jax.vmap(one, in_axes=(0, None, 0, 0, 0))(
            lanes, progress, mode, poles, readout
        )
        arrived = jnp.where((arrived < 0) & (share < ARRIVED), count, arrived)
        return count + 1, *moved, arrived

    def going(carry: tuple[Any, ...]) -> Array:
        return (carry[0] < until) & jnp.any(carry[-1] < 0)

    # Optax mixes whole and real numbers.
    with jax.numpy_dtype_promotion("standard"):
        return jax.lax.while_loop(going, step, carry)


def _added(parameters: Any, moves: Any) -> Any:
    return optax.apply_updates(parameters, moves)


def _readout_adam(rate: Any) -> optax.GradientTransformation:
    return optax.chain(optax.scale_by_adam(eps=EPSILON), optax.scale_by_learning_rate(rate))
