"""Autocorrelations of stationary inputs, in the form in which linear recurrences see them.

A wide-sense stationary real input has `R(Δ) = E[x_t x_{t+Δ}]`. The moments of the states of a
linear recurrence, and of their derivatives, depend on `R` only through

    F(a) = Σ_{Δ≥1} R(Δ) a^Δ,    Z(a) = a F'(a),    Q(a, b) = R(0) + F(a) + F(b),

and everything is linear in `R`. A mean `μ` is the constant input `R(Δ) = μ²`.

Source: derived; for real eigenvalues, Zucchet & Orvieto (NeurIPS 2024), equations (5) and (6).
"""

from abc import abstractmethod

import equinox as eqx
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Inexact

from remanence.theory._arrays import one_minus_product, real_scalar, refuse_outside


class AbstractInput(eqx.Module):
    """A stationary real input, known by its autocorrelation `R(Δ) = R(−Δ)`.

    `a` and `b` are real or complex arrays of one shape and type, inside the unit circle.
    """

    @abstractmethod
    def power(self) -> Float[Array, ""]:
        """`R(0) = E[x²]`."""

    @abstractmethod
    def transform(self, a: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
        """`F(a) = Σ_{Δ≥1} R(Δ) a^Δ`."""

    @abstractmethod
    def slope(self, a: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
        """`F'(a) = Σ_{Δ≥1} Δ R(Δ) a^{Δ−1}`."""

    @abstractmethod
    def pair(
        self, a: Inexact[Array, "*shape"], b: Inexact[Array, "*shape"]
    ) -> Inexact[Array, "*shape"]:
        """`Q(a, b) = R(0) + F(a) + F(b)`."""

    @abstractmethod
    def sensitivity(
        self, a: Inexact[Array, "*shape"], b: Inexact[Array, "*shape"]
    ) -> Inexact[Array, "*shape"]:
        """`S(a, b) = ∂_a ∂_b [Q(a, b) / (1 − ab)]`."""

    @abstractmethod
    def spectrum(self, theta: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """`P(θ) = Σ_Δ R(Δ) e^{−iθΔ}`, over all integers `Δ`; `θ` in radians per step."""


class WhiteInput(AbstractInput):
    """`R(Δ) = variance · δ_Δ`: independent values.

    Raises:
        RemanenceError: if `variance` is negative or not a number.
    """

    variance: Float[Array, ""]

    def __init__(self, variance: ArrayLike = 1.0):
        self.variance = real_scalar(variance, "WhiteInput", "variance")
        refuse_outside(self.variance, 0, jnp.inf, "WhiteInput: variance must be at least 0")

    def power(self) -> Float[Array, ""]:
        return self.variance

    def transform(self, a: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
        return jnp.zeros_like(a)

    def slope(self, a: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
        return jnp.zeros_like(a)

    def pair(
        self, a: Inexact[Array, "*shape"], b: Inexact[Array, "*shape"]
    ) -> Inexact[Array, "*shape"]:
        return jnp.ones_like(a * b) * self.variance.astype(a.dtype)

    def sensitivity(
        self, a: Inexact[Array, "*shape"], b: Inexact[Array, "*shape"]
    ) -> Inexact[Array, "*shape"]:
        return sensitivity_from_transform(self, a, b)

    def spectrum(self, theta: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jnp.ones_like(theta) * self.variance.astype(theta.dtype)


class ExponentialInput(AbstractInput):
    """`R(Δ) = variance · ρ^|Δ|`, `−1 ≤ ρ ≤ 1`: an AR(1) process; a constant at `ρ = 1`.

    With `p = ab`,

        Q = (1 − ρ²p) / ((1 − ρa)(1 − ρb)),
        S = {(1 − ρ²)[(1 + p)(1 − ρp)² + 2ρp(1 − a)(1 − b)] + ρ²(1 − p)³}
            / [(1 − ρa)²(1 − ρb)²(1 − p)³],

    times the variance. For `ρ ≥ 0` and `b = ā`, or `a`, `b` in `[0, 1)`, no term of `S` is
    negative: nothing cancels, at any `ρ` and any memory. (For `ρ < 0` the same holds with
    `1 − |ρ|p` and `2|ρ|p(1 + a)(1 + b)` in the bracket.) At `ρ = ±1` the spectrum is a point mass:
    infinite at its angle, zero elsewhere.

    Args:
        correlation: `ρ`.
        variance: `R(0)`.

    Raises:
        RemanenceError: if `ρ` is outside `[−1, 1]` or the variance is negative.

    Source: derived (expand and regroup `∂_a ∂_b K`). The numerator printed in the notebook for
    figure 8 of Zucchet & Orvieto has `1 − ρ` where `1 − ρ²` belongs.

        >>> ExponentialInput(0.5).transform(jnp.asarray(0.5)).item()
        0.3333333333333333
    """

    correlation: Float[Array, ""]
    variance: Float[Array, ""]

    def __init__(self, correlation: ArrayLike, variance: ArrayLike = 1.0):
        self.correlation = real_scalar(correlation, "ExponentialInput", "correlation")
        self.variance = real_scalar(variance, "ExponentialInput", "variance")
        refuse_outside(
            self.correlation, -1, 1, "ExponentialInput: correlation must lie in [−1, 1]"
        )
        refuse_outside(self.variance, 0, jnp.inf, "ExponentialInput: variance must be at least 0")

    def power(self) -> Float[Array, ""]:
        return self.variance

    def transform(self, a: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
        rho, variance = (value.astype(a.dtype) for value in (self.correlation, self.variance))
        return variance * rho * a / one_minus_product(rho, a)

    def slope(self, a: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
        rho, variance = (value.astype(a.dtype) for value in (self.correlation, self.variance))
        return variance * rho / one_minus_product(rho, a) ** 2

    def pair(
        self, a: Inexact[Array, "*shape"], b: Inexact[Array, "*shape"]
    ) -> Inexact[Array, "*shape"]:
        rho, variance = (value.astype(a.dtype) for value in (self.correlation, self.variance))
        top = (1 - rho) * (1 + rho) + rho**2 * one_minus_product(a, b)
        return variance * top / (one_minus_product(rho, a) * one_minus_product(rho, b))

    def sensitivity(
        self, a: Inexact[Array, "*shape"], b: Inexact[Array, "*shape"]
    ) -> Inexact[Array, "*shape"]:
        negative = self.correlation < 0
        size = jnp.where(negative, -self.correlation, self.correlation).astype(a.dtype)
        sign = jnp.where(negative, -1.0, 1.0).astype(a.dtype)
        rho, variance = sign * size, self.variance.astype(a.dtype)
        product, gap = a * b, one_minus_product(a, b)
        both = (1 - sign * a) * (1 - sign * b)
        bracket = (1 + product) * ((1 - size) + size * gap) ** 2 + 2 * size * product * both
        top = (1 - rho) * (1 + rho) * bracket + rho**2 * gap**3
        ends = one_minus_product(rho, a) * one_minus_product(rho, b)
        return variance * top / (ends**2 * gap**3)

    def spectrum(self, theta: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        rho, variance = (value.astype(theta.dtype) for value in (self.correlation, self.variance))
        numerator = (1 - rho) * (1 + rho)
        # |1 − ρ e^{iθ}|², whose two terms cannot cancel for either sign of ρ.
        half = jnp.where(rho < 0, jnp.cos(theta / 2), jnp.sin(theta / 2))
        distance = (1 - jnp.abs(rho)) ** 2 + 4 * jnp.abs(rho) * half**2
        density = numerator / jnp.where(distance > 0, distance, 1)
        return variance * jnp.where(distance > 0, density, jnp.inf)


def sensitivity_from_transform(input: AbstractInput, a: Array, b: Array) -> Array:
    """`S = (1 + ab)/(1 − ab)³ Q + [Z(a) + Z(b)]/(1 − ab)²`, for any autocorrelation."""
    gap = one_minus_product(a, b)
    weighted = a * input.slope(a) + b * input.slope(b)
    return (1 + a * b) / gap**3 * input.pair(a, b) + weighted / gap**2
