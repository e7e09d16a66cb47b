"""HY3: steps of descent on −log E by memory, and the ways that optimisers go through the disc."""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from remanence.layers.normalisations import SquareRoot
from remanence.studies.hyperbolic.identities_measures import pair_loss
from remanence.studies.hyperbolic.identities_settings import ARRIVED, IdentitySettings
from remanence.studies.hyperbolic.identities_teachers import moved
from remanence.studies.hyperbolic.one_mode_measures import Runs, start_distances, targets, train
from remanence.studies.hyperbolic.one_mode_settings import OneModeSettings
from remanence.studies.hyperbolic.one_mode_students import (
    ABLATIONS,
    COMPETITORS,
    EPSILON,
    LOG_DESCENT,
    LRU,
    Mode,
    joint_loss,
)
from remanence.theory.disc import (
    disc_eigenvalues,
    exponential_map,
    hyperbolic_gradient,
    logarithm_map,
    points_from_memory,
)
from remanence.theory.explained_share import geodesic_steps

START, START_ANGLE = 0.01, np.pi / 4
"""1 − |λ| and arg λ of every start of HY3."""


@dataclasses.dataclass(frozen=True)
class Descent:
    """Steps until `1 − E < ARRIVED` from one start, (memories, angles) after the rates.

    `distances` to the targets; `predicted` by `d ← d − η tanh(d/2)`; `reduced`: steps of one-pole
    IRKA with exact data.
    """

    rates: tuple[float, ...]
    memories: tuple[float, ...]
    distances: Float[np.ndarray, "memories angles"]
    steps: Float[np.ndarray, "rates memories angles"]
    predicted: Float[np.ndarray, "rates memories angles"]
    reduced: Float[np.ndarray, "memories angles"]

    @property
    def slopes(self) -> Float[np.ndarray, "rates angles"]:
        """Least squares slopes of steps against log 1/ε, times η."""
        x = np.log(self.memories)
        x = x - x.mean()
        slopes = np.einsum("m,rma->ra", x, self.steps) / (x @ x)
        return slopes * np.array(self.rates)[:, None]


def measure_descent(s: IdentitySettings, heard: Callable[[float], None]) -> Descent:
    """HY3, by `training.hyperbolic_sgd`."""
    chosen = OneModeSettings(
        memories=s.step_memories,
        targets=s.angles,
        start=START,
        start_angle=float(START_ANGLE),
        budget=3_000,
        descent_rates=s.rates,
        seed=s.seed,
    )
    (student,) = (one for one in ABLATIONS if one.name == LOG_DESCENT)
    found: Runs = train(chosen, student, chosen.memories, heard)
    distances = start_distances(chosen)
    predicted = [
        [[geodesic_steps(float(d), rate, ARRIVED) for d in row] for row in distances]
        for rate in s.rates
    ]
    goals = targets(chosen)
    reduced = np.array([[_reductions(goal) for goal in row.T] for row in goals.swapaxes(0, 1)])
    return Descent(
        rates=s.rates,
        memories=s.step_memories,
        distances=distances,
        steps=np.swapaxes(found.steps, 0, 1),
        predicted=np.array(predicted, float),
        reduced=reduced.astype(float),
    )


_loss = jax.jit(pair_loss)


@jax.jit
def _reduction(point: Array, target: Array) -> Array:
    """`λ' = (λ + s)/(1 + λ̄s)`: along the geodesic of s by the length 2 artanh|s|."""
    ascent = -hyperbolic_gradient(point, jax.grad(pair_loss)(point, target))
    length = jnp.hypot(ascent[0], ascent[1])
    # tanh(d/2) rounds to 1 at long distances; the largest number below is as good.
    inside = jnp.minimum(length, 1 - jnp.finfo(length.dtype).eps / 2)
    return exponential_map(point, ascent * (2 * jnp.arctanh(inside) / length))


def _reductions(target: Float[np.ndarray, "2"]) -> int:
    point, steps = points_from_memory(START, START_ANGLE), 0
    goal = jnp.asarray(target)
    while -np.expm1(-float(_loss(point, goal))) > ARRIVED and steps < 20:
        point, steps = _reduction(point, goal), steps + 1
    return steps


@dataclasses.dataclass(frozen=True)
class Paths:
    """Ways from one start to one target: points `(2, places)`.

    `descent`: every step of descent on −log E; `adam`: every step of Adam under the LRU map, the
    readout learnt.
    """

    memory: float
    geodesic: Float[np.ndarray, "2 places"]
    descent: Float[np.ndarray, "2 steps"]
    adam: Float[np.ndarray, "2 steps2"]


PATH_RATE, ADAM_RATE, TARGET_ANGLE = 0.5, 0.01, 2.0
"""Of the drawn paths: of descent; of Adam, its best on short memories; arg μ."""


def measure_paths(s: IdentitySettings) -> list[Paths]:
    """From a tenth of each target's memory at π/4 to the angle 2."""
    out = []
    for memory in s.path_memories:
        start = points_from_memory(10 / memory, START_ANGLE)
        target = points_from_memory(1 / memory, TARGET_ANGLE)
        whole = np.asarray(_logarithm(start, target))
        along = whole[:, None] * np.linspace(0, 1, 200)
        steps = geodesic_steps(float(np.hypot(*whole)), PATH_RATE, ARRIVED)
        out.append(
            Paths(
                memory,
                np.asarray(moved(np.tile(np.asarray(start)[:, None], 200), along)),
                _descended(start, target, steps + 1),
                np.asarray(_adam_path(_lru(start), target, s.path_steps)).T,
            )
        )
    return out


_logarithm = jax.jit(logarithm_map)


def _descended(start: Array, target: Array, count: int) -> np.ndarray:
    points = [start]
    for _ in range(count):
        points.append(_descent_step(points[-1], target))
    return np.stack(points, axis=1)


@jax.jit
def _descent_step(point: Array, target: Array) -> Array:
    slope = hyperbolic_gradient(point, jax.grad(pair_loss)(point, target))
    return exponential_map(point, -PATH_RATE * slope)


def _lru(start: Array) -> Mode:
    (student,) = (one for one in COMPETITORS if one.name == LRU)
    poles = student.start(np.asarray(disc_eigenvalues(start)))
    return Mode(poles, SquareRoot(), jnp.asarray([0.1, 0.0]))


def _begin(adam: optax.GradientTransformation, mode: Any) -> tuple[Any, Any]:
    return mode, adam.init(mode)


@eqx.filter_jit
def _adam_path(mode: Mode, target: Array, count: int) -> Array:
    """`(R, θ)` of every step of Adam; `count` is static."""
    adam = optax.adam(ADAM_RATE, eps=EPSILON)

    def step(carry: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], Array]:
        mode, state = carry
        gradient = jax.grad(joint_loss, has_aux=True)(mode, (target[0], target[1]))[0]
        moves, state = adam.update(gradient, state)
        poles = mode.eigenvalues
        # R ↦ −log tanh(R/2) is its own inverse.
        radius = 2 * jnp.arctanh(jnp.exp(poles.log_magnitude()))
        return (optax.apply_updates(mode, moves), state), jnp.stack([radius, poles.phase()])

    with jax.numpy_dtype_promotion("standard"):
        return jax.lax.scan(step, _begin(adam, mode), None, length=count)[1]
