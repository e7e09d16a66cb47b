"""What is measured of minibatches: variances, who arrives, and how near one ends."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from remanence.layers.parametrisations import HyperbolicEigenvalues
from remanence.recurrence import linear_recurrence
from remanence.studies.hyperbolic.minibatches_moments import (
    adam_error,
    cramer_rao,
    gradient_moments,
)
from remanence.studies.hyperbolic.minibatches_reach import (
    Students,
    neighbours,
    train,
    travellers,
)
from remanence.studies.hyperbolic.minibatches_settings import (
    ARRIVED,
    MinibatchSettings,
    radius_of,
)
from remanence.studies.hyperbolic.minibatches_theory import (
    AVERAGED,
    Situations,
    adam_error_law,
    cosine_path,
    drift,
)
from remanence.theory.disc import exponential_map, logarithm_map, squared_gap

_READOUT = 0.6 - 0.3j

_SITUATIONS = (
    # Memory and phase of the student, of the target, σ², ρ.
    (20.0, 1.2, 100.0, 0.5, 0.0, 0.0),
    (20.0, 1.2, 100.0, 0.5, 10.0, 0.0),
    (20.0, 1.2, 100.0, 0.5, 1.0, 0.9),
    (90.0, 0.51, 100.0, 0.5, 1.0, 0.0),
    (1000.0, 2.5, 10_000.0, 0.5, 0.0, 0.0),
    (20.0, 2.5, 10_000.0, 0.5, 0.0, 0.9),
)
_CHUNK = 500


@dataclasses.dataclass(frozen=True)
class Variances:
    """Measured and predicted variances over minibatches of one sequence, (situations,) each.

    Of the overlap (both parts together) and of the hyperbolic gradient (both components).
    """

    situations: Situations
    overlap: np.ndarray
    overlap_predicted: np.ndarray
    gradient: np.ndarray
    gradient_predicted: np.ndarray

    @property
    def ratios(self) -> np.ndarray:
        """Measured over predicted, the overlap's and then the gradient's."""
        pairs = (self.overlap / self.overlap_predicted, self.gradient / self.gradient_predicted)
        return np.concatenate(pairs)


def sampled_situations() -> Situations:
    """Near and far, with and without noise, white and coloured, long and short sequences."""
    memory, phase, target_memory, target_phase, noise, rho = np.array(_SITUATIONS).T
    return Situations(radius_of(memory), phase, radius_of(target_memory), target_phase, noise, rho)


def measure_variances(s: MinibatchSettings, heard: Callable[[float], None]) -> Variances:
    """Variances by sampling minibatches and differentiating their loss automatically."""
    at = sampled_situations()
    horizon = s.sampled_horizon
    moments = gradient_moments(at, horizon, np.full(at.radius.size, _READOUT))
    deviation = np.sqrt(at.noise * moments.output_power)
    columns = (at.radius, at.phase, at.target_radius, at.target_phase, deviation, at.correlation)
    members = tuple(map(jnp.asarray, columns))

    def loss(points: jax.Array, x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
        h = _states(points, x)
        output = 2 * jnp.real(jnp.asarray(_READOUT) * h)
        return jnp.mean((output - y) ** 2), jnp.mean(h * y.astype(h.dtype))

    def one(member: tuple, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        radius, phase, target_radius, target_phase, deviation, rho = member
        first, second = jax.random.normal(key, (2, horizon))
        started = jnp.where(jnp.arange(horizon) == 0, 1.0, jnp.sqrt((1 - rho) * (1 + rho)))
        x = linear_recurrence(rho[None], (started * first)[:, None])[:, 0]
        z = _states(jnp.stack([target_radius, target_phase]), x)
        points = jnp.stack([radius, phase])
        slope, overlap = jax.grad(loss, has_aux=True)(
            points, x, 2 * jnp.real(z) + deviation * second
        )
        frame = slope / jnp.stack([jnp.ones_like(radius), jnp.sinh(radius)])
        return jnp.stack([jnp.real(overlap), jnp.imag(overlap)]), frame

    @jax.jit
    def chunk(key: jax.Array) -> tuple[jax.Array, jax.Array]:
        keys = jax.random.split(key, _CHUNK)
        return jax.vmap(lambda key: jax.vmap(one, in_axes=(0, None))(members, key))(keys)

    key = jax.random.fold_in(jax.random.key(s.seed), 5)
    samples = []
    chunks = -(-s.repeats // _CHUNK)
    for index in range(chunks):
        samples.append([np.asarray(part) for part in chunk(jax.random.fold_in(key, index))])
        heard((index + 1) / chunks)
    overlap, gradient = (np.concatenate(part) for part in zip(*samples, strict=True))
    return Variances(
        at,
        overlap.var(axis=0, ddof=1).sum(axis=1),
        np.einsum("iic->c", moments.overlap_covariance),
        gradient.var(axis=0, ddof=1).sum(axis=1),
        np.einsum("iic->c", moments.gradient_covariance),
    )


def _states(points: jax.Array, x: jax.Array) -> jax.Array:
    """Every state of the normalised mode: (time,)."""
    eigenvalue = HyperbolicEigenvalues(points[:, None])()
    entry = jnp.sqrt(squared_gap(points)) * x
    return linear_recurrence(eigenvalue, entry[:, None].astype(eigenvalue.dtype))[:, 0]


@dataclasses.dataclass(frozen=True)
class Journey:
    """Students of one shape: what was predicted at the start, and where they are at the end.

    - `averaged`: S of the gradient times the number of gradients that Adam averages.
    - `reach`: path `Σ_t η_t √(S/(1 + S))` over the way to the target.
    - `aligned`: cosine of the angle between the mean step and the way to the target, in the
      middle of the way and with a small readout.
    - `distances`, `radii`: at the end.
    """

    students: Students
    averaged: np.ndarray
    reach: np.ndarray
    aligned: np.ndarray
    distances: np.ndarray
    radii: np.ndarray

    @property
    def arrived(self) -> np.ndarray:
        """Whether each is at its target."""
        return self.distances < ARRIVED


def measure_journey(s: MinibatchSettings, journey: int, heard: Callable[[float], None]) -> Journey:
    """Train the students of one of `s.journeys`."""
    students = travellers(s, journey)
    at = students.situations
    moments = gradient_moments(at, students.horizon)
    found = train(s, students, at.noise * moments.output_power, key=journey, heard=heard)
    signal = moments.signal_to_noise(students.batch)
    path = np.array([cosine_path(rate, students.steps) for rate in students.rates])
    return Journey(
        students,
        AVERAGED * signal,
        path * drift(signal) / at.distance,
        halfway_alignment(at, students.horizon),
        found.distances,
        found.radius,
    )


def halfway_alignment(at: Situations, horizon: int) -> np.ndarray:
    """Cosine between `−E g` and the geodesic to the target, half of the way along it."""
    half = np.asarray(logarithm_map(at.points, at.targets)) / 2
    radius, phase = np.asarray(exponential_map(at.points, half))
    there = dataclasses.replace(at, radius=radius, phase=phase)
    gradient = gradient_moments(there, horizon).gradient
    way = np.asarray(logarithm_map(there.points, there.targets))
    sizes = np.linalg.norm(way, axis=0) * np.linalg.norm(gradient, axis=0)
    return -np.sum(way * gradient, axis=0) / sizes


@dataclasses.dataclass(frozen=True)
class Errors:
    """Root mean square hyperbolic error at the end next to the target, by σ²: (noises,) each.

    - `measured`, over targets; `predicted` by the linearised steps, `law` in closed form.
    - `bound`: Cramér–Rao, from all samples seen.
    """

    memory: float
    horizon: int
    batch: int
    measured: np.ndarray
    predicted: np.ndarray
    law: np.ndarray
    bound: np.ndarray


def measure_errors(s: MinibatchSettings, shape: int, heard: Callable[[float], None]) -> Errors:
    """Train from next to the target, and compare where it ends."""
    students = neighbours(s, shape)
    at = students.situations
    there = dataclasses.replace(at, radius=at.target_radius)
    moments = gradient_moments(there, students.horizon, np.ones(at.noise.size, complex))
    found = train(
        s,
        students,
        at.noise * moments.output_power,
        key=100 + shape,
        heard=heard,
        kind=jnp.float64,
    )
    size, rate = students.horizon * students.batch, s.rates[0]
    predicted = adam_error(
        moments,
        at.noise,
        batch=students.batch,
        horizon=students.horizon,
        rate=rate,
        readout_rate=s.readout_rate,
        steps=s.steps,
    )
    bound = cramer_rao(moments, at.noise, size * s.steps)

    def pooled(squares: np.ndarray) -> np.ndarray:
        return np.sqrt(squares.reshape(len(s.error_noises), -1).mean(axis=1))

    return Errors(
        students.memory,
        students.horizon,
        students.batch,
        pooled(found.distances**2),
        pooled(predicted),
        np.sqrt([adam_error_law(noise, size, rate, s.steps) for noise in s.error_noises]),
        pooled(bound),
    )


def noiseless_signals(s: MinibatchSettings) -> tuple[np.ndarray, np.ndarray]:
    """Distances and S of the gradient for one sequence of a memory's length without noise.

    (memories, angles); students at the start memory and an angle of 1.
    """
    distances, signals = [], []
    angle = np.array(s.even_angles)
    for memory in s.even_memories:
        at = Situations(
            np.full(angle.size, s.start_radius),
            np.ones(angle.size),
            np.full(angle.size, float(radius_of(memory))),
            angle,
            np.zeros(angle.size),
            np.zeros(angle.size),
        )
        signals.append(gradient_moments(at, round(memory)).signal_to_noise(1))
        distances.append(at.distance)
    return np.array(distances), np.array(signals)
