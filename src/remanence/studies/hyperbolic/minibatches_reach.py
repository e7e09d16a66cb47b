"""One-mode students trained on minibatches with output noise and coloured inputs.

All students of one shape (T, B) run side by side, in float32 on their way to a target and in
float64 next to it, and see the same sequences. The
gradient is exact and is gathered while the sequence runs: `w` of `minibatches_theory` is carried
along with the state, so that nothing grows with T.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from remanence.studies.hyperbolic.minibatches_settings import MinibatchSettings, radius_of
from remanence.studies.hyperbolic.minibatches_theory import Situations
from remanence.theory.disc import hyperbolic_distance
from remanence.training.hyperbolic import hyperbolic_adam

_EDGE = 0.3
"""Phases of students and targets keep this far from the real axis, radians."""

_LEG = 50


@dataclasses.dataclass(frozen=True)
class Students:
    """What is trained side by side: one shape of the data, one place a student.

    `situations` are those of the start, `readouts` the complex c there, `rates` of λ.
    """

    memory: float
    horizon: int
    batch: int
    steps: int
    situations: Situations
    readouts: np.ndarray
    rates: np.ndarray


@dataclasses.dataclass(frozen=True)
class Trained:
    """Where they are: `radius`, `phase`, `readouts`, and the `distances` to their targets."""

    radius: np.ndarray
    phase: np.ndarray
    readouts: np.ndarray
    distances: np.ndarray


def travellers(s: MinibatchSettings, journey: int) -> Students:
    """Students far from their targets: every noise, correlation, rate and target."""
    memory, horizon, batch, steps = s.journeys[journey]
    grid = np.meshgrid(s.noises, s.correlations, s.rates, np.arange(s.targets), indexing="ij")
    noise, rho, rate, _ = (x.ravel() for x in grid)
    rng = np.random.default_rng([s.seed, 1, journey])
    phases = rng.uniform(_EDGE, np.pi - _EDGE, (2, noise.size // len(s.rates)))
    # Both rates have the same targets.
    together = phases.reshape(2, -1, 1, s.targets)
    start, target = np.repeat(together, len(s.rates), axis=2).reshape(2, -1)
    situations = Situations(
        radius=np.full(noise.size, s.start_radius),
        phase=start,
        target_radius=np.full(noise.size, radius_of(memory)),
        target_phase=target,
        noise=noise,
        correlation=rho,
    )
    readouts = np.full(noise.size, 0.05 + 0j)
    return Students(memory, horizon, batch, steps, situations, readouts, rate)


def neighbours(s: MinibatchSettings, shape: int) -> Students:
    """Students at a distance of their rate from their targets, which have c = 1."""
    memory, horizon, batch = s.error_shapes[shape]
    noise = np.repeat(np.array(s.error_noises), s.error_targets)
    rng = np.random.default_rng([s.seed, 2, shape])
    target = rng.uniform(_EDGE, np.pi - _EDGE, noise.size)
    radius = np.full(noise.size, float(radius_of(memory)))
    situations = Situations(
        radius=radius + s.rates[0],
        phase=target,
        target_radius=radius,
        target_phase=target,
        noise=noise,
        correlation=np.zeros(noise.size),
    )
    rates = np.full(noise.size, s.rates[0])
    readouts = np.ones(noise.size, complex)
    return Students(memory, horizon, batch, s.steps, situations, readouts, rates)


def train(
    s: MinibatchSettings,
    students: Students,
    noise_power: np.ndarray,
    *,
    key: int,
    heard: Callable[[float], None],
    kind: Any = jnp.float32,
) -> Trained:
    """Hyperbolic Adam on λ, Adam on c, rates falling to zero as half a cosine.

    `noise_power` is the variance of the output noise, `kind` the type of all numbers: float32
    resolves phases to about 1e-7, a distance of 1e-7 memories.
    """
    at = students.situations
    single = functools.partial(jnp.asarray, dtype=kind)
    target = tuple(map(single, (at.target_radius, at.target_phase)))
    fixed = (target, single(np.sqrt(noise_power)), single(at.correlation), single(students.rates))
    points = single(at.points)
    readouts = single(np.stack([np.real(students.readouts), np.imag(students.readouts)]))
    carry = (points, readouts, *_start(points, readouts))
    random = jax.random.fold_in(jax.random.key(s.seed), key)
    steps = students.steps
    for first in range(0, steps, _LEG):
        stop = min(first + _LEG, steps)
        leg = _leg(
            fixed,
            carry,
            random,
            jnp.asarray([first, stop, steps, students.horizon], jnp.int32),
            single(s.readout_rate),
            batch=students.batch,
        )
        carry = jax.block_until_ready(leg)
        heard(stop / steps)
    radius, phase = np.asarray(carry[0], np.float64)
    c = np.asarray(carry[1], np.float64)
    away = np.asarray(hyperbolic_distance(np.stack([radius, phase]), at.targets))
    return Trained(radius, phase, c[0] + 1j * c[1], np.where(np.isfinite(away), away, np.inf))


def _start(points: jax.Array, readouts: jax.Array) -> tuple:
    return hyperbolic_adam(1.0).init(points), _ADAM.init(readouts)


_ADAM = optax.scale_by_adam(eps=1e-20)


@functools.partial(jax.jit, static_argnames="batch")
def _leg(
    fixed: tuple,
    carry: tuple,
    key: jax.Array,
    counts: jax.Array,
    readout_rate: jax.Array,
    batch: int,
) -> tuple:
    target, deviation, rho, rates = fixed
    first, stop, steps, horizon = counts

    def step(count: jax.Array, carry: tuple) -> tuple:
        points, readouts, disc_state, adam_state = carry
        draws = jax.random.fold_in(key, count)
        turned: Any
        slopes = gradient(points, readouts, target, deviation, rho, draws, horizon, batch)
        share = count.astype(points.dtype) / steps.astype(points.dtype)
        decay = (1 + jnp.cos(jnp.pi * share)) / 2
        # Optax mixes whole and real numbers in its bias corrections.
        with jax.numpy_dtype_promotion("standard"):
            turned, adam_state = _ADAM.update(slopes[1], adam_state)
        # Steps are counted alike for all, so that one state serves all rates.
        moved, disc_state = _move(points, slopes[0], disc_state, rates * decay)
        return moved, readouts - readout_rate * decay * turned, disc_state, adam_state

    return jax.lax.fori_loop(first, stop, step, carry)


def _move(points: jax.Array, slope: jax.Array, state: Any, rates: jax.Array) -> tuple:
    """One step of `hyperbolic_adam` for every student at its own rate."""

    def one(point: jax.Array, slope: jax.Array, state: Any, rate: jax.Array) -> tuple:
        update: Any
        update, state = hyperbolic_adam(rate).update(slope, state, point)
        return point + update, state

    axes = type(state)(None, 1, 1)
    return jax.vmap(one, in_axes=(1, 1, axes, 0), out_axes=(1, axes))(points, slope, state, rates)


def gradient(
    points: jax.Array,
    readouts: jax.Array,
    target: tuple[jax.Array, jax.Array],
    deviation: jax.Array,
    rho: jax.Array,
    key: jax.Array,
    horizon: jax.Array,
    batch: int,
) -> tuple[jax.Array, jax.Array]:
    """The gradient of `mean (ŷ − y)²` by (R, θ) and by (Re c, Im c) on a fresh minibatch.

    Args:
        points, readouts: (2, students).
        target: R and θ of the targets; `deviation` of the output noise, `rho` of the inputs.
        horizon: T, traced; `batch` is B, static.
    """
    radius, phase = points
    kind = radius.dtype
    size, gamma = jnp.tanh(radius / 2), 1 / jnp.cosh(radius / 2)
    a, b = size * jnp.cos(phase), size * jnp.sin(phase)
    target_size, target_gamma = jnp.tanh(target[0] / 2), 1 / jnp.cosh(target[0] / 2)
    p, q = target_size * jnp.cos(target[1]), target_size * jnp.sin(target[1])
    fresh = jnp.sqrt((1 - rho) * (1 + rho))
    lanes = (radius.size, batch)
    coefficients = (a, b, gamma, gamma**2, p, q, target_gamma, rho, fresh, deviation, *readouts)
    wide = [jnp.broadcast_to(value[:, None], lanes) for value in coefficients]
    a, b, gamma, gap, p, q, target_gamma, rho, fresh, deviation, c, s = wide

    def at(t: jax.Array, carry: tuple) -> tuple:
        x, hr, hi, wr, wi, zr, zi, sums = carry
        draw = jax.random.normal(jax.random.fold_in(key, t), (2, 1, batch), kind)
        white, noise = jnp.broadcast_to(draw, (2, *lanes))
        # The process starts in its stationary state.
        x = jnp.where(t == 0, white, rho * x + fresh * white)
        driven = gamma * x
        wr, wi = (
            a * wr - b * wi + gap * hr - a * driven,
            a * wi + b * wr + gap * hi + b * driven,
        )
        hr, hi = a * hr - b * hi + driven, a * hi + b * hr
        zr, zi = p * zr - q * zi + target_gamma * x, p * zi + q * zr
        error = 2 * (c * hr - s * hi) - 2 * zr - deviation * noise
        terms = (error * hr, error * hi, error * wr, error * wi)
        sums = tuple(old + new for old, new in zip(sums, terms, strict=True))
        return x, hr, hi, wr, wi, zr, zi, sums

    nothing = jnp.zeros(lanes, kind)
    start = (*[nothing] * 7, (nothing,) * 4)
    sums = jax.lax.fori_loop(jnp.zeros_like(horizon), horizon, at, start)[-1]
    count = horizon.astype(kind) * batch
    hr, hi, wr, wi = (jnp.sum(one, axis=1) / count for one in sums)
    c, s = readouts
    # With e the error: E e · 2 Re(c δh), δh of minibatches_theory.
    along_r, along_i = (
        jnp.cos(phase) * wr - jnp.sin(phase) * wi,
        jnp.sin(phase) * wr + jnp.cos(phase) * wi,
    )
    u = c * along_r - s * along_i
    v = -(c * along_i + s * along_r) - size * (c * hi + s * hr)
    by_points = 2 * jnp.stack([u, v * jnp.sinh(radius)])
    return by_points, 4 * jnp.stack([hr, -hi])
