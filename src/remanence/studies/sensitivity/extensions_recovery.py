"""One eigenvalue to recover: how many steps of an optimiser, by memory, correlation and map.

The teacher is `g* = √(1 − λ*²) h*` of one real λ*, the student the same with λ = ν(w), from a
memory `ratio` times shorter, and the loss exact:

    L = ½ E(g − g*)² = ½ [Q(λ, λ) + Q(λ*, λ*)] − √((1 − λ²)(1 − λ*²)) K(λ, λ*).

All cases of a map are one array: rates × correlations × memories.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from remanence.layers import correlated_rapidity
from remanence.studies.sensitivity.extensions_measures import (
    COMBINATIONS,
    theoretical_sensitivity,
)
from remanence.studies.sensitivity.extensions_settings import RECOVERED, ExtensionSettings
from remanence.theory import (
    ExponentialInput,
    correlated_coordinate,
    normalised_power,
    state_moment,
)

_LEG = 2_000

EXP, TANH, RHO_AWARE = "exp", "tanh", "ρ-aware"
MAPS = (EXP, TANH, RHO_AWARE)
DESCENT, ADAM = "gradient descent", "Adam"


@dataclasses.dataclass(frozen=True)
class Recovery:
    """Steps until the loss stays below `RECOVERED` of its start, infinite if it does not.

    - `steps` (rates, correlations, memories).
    - `best`: the index of the one rate whose slowest case is fastest; among rates with cases
      that never arrive, the one with the fewest of them, then the fastest median.
    """

    rates: np.ndarray
    steps: np.ndarray
    best: int

    @property
    def at_best(self) -> np.ndarray:
        """(correlations, memories) at the best rate."""
        return self.steps[self.best]

    @property
    def spread(self) -> float:
        """Slowest over fastest case at the best rate; infinite if one never arrives."""
        return float(self.at_best.max() / self.at_best.min())


def one_dimensional_loss(magnitude: jax.Array, teacher: jax.Array, rho: jax.Array) -> jax.Array:
    """`L`, three scalars; the arguments of `theory` are in float64 where x64 is on."""
    source = ExponentialInput(rho)
    powers = normalised_power(magnitude, source) + normalised_power(teacher, source)
    gammas = jnp.sqrt((1 - magnitude) * (1 + magnitude) * (1 - teacher) * (1 + teacher))
    return powers / 2 - gammas * state_moment(magnitude, teacher, source)


def magnitude_of(name: str, w: jax.Array, rho: jax.Array) -> jax.Array:
    """`ν(w)` of one of `MAPS`."""
    if name == EXP:
        return jnp.exp(-jnp.exp(w))
    return jnp.tanh(w if name == TANH else correlated_rapidity(w, rho))


def _start(name: str, magnitude: np.ndarray, rho: np.ndarray) -> np.ndarray:
    if name == EXP:
        return np.log(-np.log(magnitude))
    if name == TANH:
        return np.arctanh(magnitude)
    return np.asarray(correlated_coordinate(magnitude, rho))


def recover(
    s: ExtensionSettings, name: str, optimiser: str, heard: Callable[[float], None]
) -> Recovery:
    """Every case of one map and one optimiser, whose rate is constant."""
    adam = optimiser == ADAM
    rates = np.array(s.adam_rates if adam else s.descent_rates)
    rate, rho, memory = np.meshgrid(rates, s.correlations, s.memories, indexing="ij")
    shape = rate.shape
    start = _start(name, 1 - s.ratio / memory.ravel(), rho.ravel())
    given = tuple(jnp.asarray(x.ravel()) for x in (rate, rho, 1 - 1 / memory))

    def loss(w: jax.Array, rho: jax.Array, teacher: jax.Array) -> jax.Array:
        return one_dimensional_loss(magnitude_of(name, w, rho), teacher, rho)

    slopes = jax.vmap(jax.value_and_grad(loss))

    @jax.jit
    def leg(given: tuple, carry: tuple) -> tuple:
        rate, rho, teacher = given

        def step(_: jax.Array, carry: tuple) -> tuple:
            w, moments, count, bound, last = carry
            value, gradient = slopes(w, rho, teacher)
            bound = jnp.where(count == 0, RECOVERED * value, bound)
            # Not "value ≥ bound": a NaN has not arrived either.
            last = jnp.where(value < bound, last, count)
            count = count + 1
            change, moments = _rescaled(gradient, moments, count) if adam else (gradient, moments)
            return w - rate * change, moments, count, bound, last

        return jax.lax.fori_loop(0, _LEG, step, carry)

    w = jnp.asarray(start)
    zero = jnp.zeros((), int)
    still = jnp.zeros_like(w)
    carry = (w, (still, still), zero, still, jnp.zeros(w.shape, int))
    legs = -(-s.descent_steps // _LEG)
    for done in range(legs):
        carry = leg(given, carry)
        carry[0].block_until_ready()
        heard((done + 1) / legs)
    last = np.asarray(carry[4]).reshape(shape)
    steps = np.where(last >= legs * _LEG - 1, np.inf, last + 1.0)
    return Recovery(rates, steps, _best(steps))


def _rescaled(
    gradient: jax.Array, moments: tuple[jax.Array, jax.Array], count: jax.Array
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    """Adam's step of rate one with its usual constants, and its moments; `count` from 1."""
    mean = 0.9 * moments[0] + 0.1 * gradient
    square = 0.999 * moments[1] + 0.001 * gradient**2
    seen = count.astype(gradient.dtype)
    root = jnp.sqrt(square / (1 - 0.999**seen))
    return mean / (1 - 0.9**seen) / (root + 1e-8), (mean, square)


def quadratic_steps(s: ExtensionSettings, name: str, rate: float) -> np.ndarray:
    """Steps of gradient descent to `RECOVERED` on a parabola of the curvature at the optimum.

    The loss falls by `(1 − ηH)²` in each step, `H = E(∂g/∂w)²` at the teacher; (correlations,
    memories).
    """
    combination = next(one for one in COMBINATIONS if one.name == f"{name}, √(1−ν²)")
    gaps = 1 / np.array(s.memories)
    curvature = np.stack([theoretical_sensitivity(combination, gaps, r) for r in s.correlations])
    with np.errstate(divide="ignore"):
        shrink = np.maximum(np.abs(1 - rate * curvature), 1e-12)
        needed = np.log(RECOVERED) / (2 * np.log(shrink))
    return np.where(shrink < 1, np.maximum(np.ceil(needed), 1), np.inf)


def _best(steps: np.ndarray) -> int:
    flat = steps.reshape(steps.shape[0], -1)
    missing = np.isinf(flat).sum(axis=1)
    slowest, middle = flat.max(axis=1), np.median(flat, axis=1)
    return int(np.lexsort((middle, slowest, missing))[0])
