"""The magnitude map of unit sensitivity under exponentially correlated input."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from remanence.errors import RemanenceError
from remanence.layers._eigenvalue_map import (
    AbstractMagnitudeMap,
    AnyArray,
    exponential_modulus,
    log_absolute,
    namespace,
)


@dataclass(frozen=True)
class CorrelatedMagnitude(AbstractMagnitudeMap):
    """`ν' = (1 − ν²) √((1 − ρν)/(1 + ρν))`: unit `E|∂(γh)/∂w|²` for input of `R(D) = ρ^|D|`.

    That is with the differentiated `γ = √(1 − ν²)` and a real `λ = ν`. With `ν = tanh u` the
    equation is `dw/du = √((1 + ρν)/(1 − ρν))`, whose closed solution
    (`theory.correlated_coordinate`) `forward` inverts by Newton's method. It is "tanh" at
    `ρ = 0`. With `k = √((1+ρ)/(1−ρ))`, memories below `1/(1 − ρ)` have
    `1 − ν ≈ 2/(1 + (1 + w)²)`, as for a constant input, and longer ones `1 − ν ∝ e^{−2w/k}`.

    Modulus: `e^{2β/k} − 1` for `ρ ≤ √2 − 1`, approached as `w → ∞`. Beyond, `log(1 − ν)` is
    steepest inside, at `ρν = (√(5 − 4ρ) − 1)/2`, and the worst step straddles that point.

    Args:
        correlation: `ρ`.

    Raises:
        RemanenceError: unless `0 ≤ ρ < 1`.

    Source: derived, from the equation of Zucchet & Orvieto (NeurIPS 2024), section 3.2.
    """

    correlation: float | int = 0.9

    domain: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    def __post_init__(self):
        if not 0 <= self.correlation < 1:
            raise RemanenceError(
                f"correlated magnitude: correlation = {self.correlation:g} is not in [0, 1); "
                "for a constant input use 'normalised constant-input'"
            )

    def _rapidity(self, w: Array) -> Array:
        return _rapidity(w, self._rest(w))

    def _rest(self, like: Any) -> Any:
        """`1 − ρ`, subtracted before it is rounded to the type of the parameter."""
        return namespace(like).asarray(1 - self.correlation, like.dtype)

    def forward(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jnp.tanh(self._rapidity(w))

    def inverse(self, value: Float[AnyArray, "*shape"]) -> Float[AnyArray, "*shape"]:
        return _primitive(namespace(value).arctanh(value), self._rest(value))

    def derivative(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        u = self._rapidity(w)
        slope = _slope(u, self._rest(w))
        return 4 * jax.nn.sigmoid(2 * u) * jax.nn.sigmoid(-2 * u) / slope

    def complement(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return 2 * jax.nn.sigmoid(-2 * self._rapidity(w))

    def log_magnitude(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        u = self._rapidity(w)
        return log_absolute(jnp.tanh(u), 2 * jax.nn.sigmoid(-2 * u), 2 * jax.nn.sigmoid(2 * u))

    def stability_modulus(self, beta: float | int) -> float:
        rho, rest = float(self.correlation), np.float64(1 - self.correlation)
        if rho <= math.sqrt(2) - 1:
            return exponential_modulus(2 * beta * math.sqrt((1 - rho) / (1 + rho)))

        def steepness(w: Any) -> Any:
            u = _solve(w, rest)
            return (1 + np.tanh(u)) / _slope(u, rest)

        steepest = _primitive(np.arctanh((math.sqrt(5 - 4 * rho) - 1) / (2 * rho)), rest)
        low, high = steepest - beta, steepest
        for _ in range(60):
            middle = (low + high) / 2
            if steepness(middle + beta) > steepness(middle):
                low = middle
            else:
                high = middle
        before, after = (np.logaddexp(0, 2 * _solve(w, rest)) for w in (low, low + beta))
        return exponential_modulus(float(after - before))


def correlated_rapidity(
    w: Float[Array, "*shape"], correlation: Float[Array, "..."]
) -> Float[Array, "*shape"]:
    """`artanh ν(w)` of `CorrelatedMagnitude`, for a traced `ρ` in `[0, 1)`, not differentiated."""
    return _rapidity(w, 1 - jax.lax.stop_gradient(correlation))


@jax.custom_jvp
def _rapidity(w: Array, rest: Array) -> Array:
    return _solve(w, rest)


@_rapidity.defjvp
def _rapidity_jvp(primals: tuple[Array, Array], tangents: Any) -> tuple[Array, Array]:
    u = _rapidity(*primals)
    return u, tangents[0] / _slope(u, primals[1])


def _gaps(u: Any, rest: Any) -> tuple[Any, Any]:
    """`1 − ρν` and `1 + ρν` at `ν = tanh u`, each a sum of positive terms."""
    xp = namespace(u)
    fall = xp.exp(-2 * xp.abs(u))
    small, large = 2 * fall / (1 + fall), 2 / (1 + fall)
    below, above = xp.where(u > 0, small, large), xp.where(u > 0, large, small)
    return rest + (1 - rest) * below, rest + (1 - rest) * above


def _slope(u: Any, rest: Any) -> Any:
    """`dw/du = √((1 + ρν)/(1 − ρν))`, which grows from `1/k` to `k`."""
    low, high = _gaps(u, rest)
    return namespace(u).sqrt(high / low)


def _primitive(u: Any, rest: Any) -> Any:
    """`w = ∫_0^u √((1 + ρ tanh s)/(1 − ρ tanh s)) ds`, as `theory.correlated_coordinate`.

    With `y` the integrand at `u`, `w = k [log((k+y)/(k+1)) + n] − [log((ky+1)/(k+1)) + f]/k`.
    """
    xp = namespace(u)
    k = xp.sqrt((2 - rest) / rest)
    low, high = _gaps(u, rest)
    y = xp.sqrt(high / low)
    excess = 2 * (1 - rest) * xp.tanh(u) / (low * (y + 1))
    # n = ½ log((1−ρν)/(1−ν)) and f = ½ log((1−ρν)/(1+ν)), of u: near 0 by their distance from 1,
    # elsewhere as sums of exponentials, which neither overflow nor cancel.
    inside = xp.abs(u) < 1
    v = xp.where(inside, u, 0)
    plus, minus = xp.log(1 - rest / 2), xp.log(rest / 2)
    near = xp.where(
        inside,
        xp.log1p(rest * xp.expm1(2 * v) / 2),
        xp.logaddexp(plus, minus + 2 * u),
    )
    far = xp.where(
        inside,
        xp.log1p((2 - rest) * xp.expm1(-2 * v) / 2),
        xp.logaddexp(minus, plus - 2 * u),
    )
    first = xp.log1p(excess / (k + 1)) + near / 2
    second = xp.log1p(k * excess / (k + 1)) + far / 2
    return k * first - second / k


def _solve(w: Any, rest: Any) -> Any:
    """The `u` with `_primitive(u) = w`.

    The primitive is convex, so that Newton's method, after one step from below, comes down to the
    root. It starts at the larger of two lower bounds for `w > 0`, from `y ≤ e^u` and `y ≤ k`; for
    `w < 0` the same bounds hold for `1/y`.
    """
    xp = namespace(w)
    k = xp.sqrt((2 - rest) / rest)
    size = xp.abs(w)
    rising = xp.maximum(xp.log1p(size), size / k)
    falling = xp.minimum(-xp.log1p(-xp.minimum(size, 1 - 1 / k)), k * size)
    u = xp.where(w > 0, rising, -falling)

    def step(_: Any, u: Any) -> Any:
        return u - (_primitive(u, rest) - w) / _slope(u, rest)

    # Four steps reach float64's rounding for every ρ and w; rolled up, they compile as one.
    if isinstance(u, jax.Array):
        return jax.lax.fori_loop(0, 4, step, u)
    for _ in range(4):
        u = step(None, u)
    return u
