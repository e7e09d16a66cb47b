"""Inputs put together: sums of uncorrelated parts, means, and measured autocorrelations."""

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Inexact

from remanence.errors import RemanenceError
from remanence.theory._arrays import promote, rotation
from remanence.theory.autocorrelations import (
    AbstractInput,
    ExponentialInput,
    sensitivity_from_transform,
)


class SummedInput(AbstractInput):
    """The sum of uncorrelated inputs: `R(Δ) = Σ_i R_i(Δ)`.

    The embeddings of a text, for one, are close to `0.0431 · 0.99701^|Δ| + 0.332 · δ_Δ`.

    Raises:
        RemanenceError: if there are no parts.

        >>> embeddings = SummedInput([ExponentialInput(0.99701, 0.0431), WhiteInput(0.332)])
    """

    parts: tuple[AbstractInput, ...]

    def __init__(self, parts: Sequence[AbstractInput]):
        if not parts:
            raise RemanenceError("SummedInput has no parts: give at least one input")
        self.parts = tuple(parts)

    def power(self) -> Float[Array, ""]:
        return reduce(add, promote(*(part.power() for part in self.parts)))

    def transform(self, a: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
        return reduce(add, (part.transform(a) for part in self.parts))

    def slope(self, a: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
        return reduce(add, (part.slope(a) for part in self.parts))

    def pair(
        self, a: Inexact[Array, "*shape"], b: Inexact[Array, "*shape"]
    ) -> Inexact[Array, "*shape"]:
        return reduce(add, (part.pair(a, b) for part in self.parts))

    def sensitivity(
        self, a: Inexact[Array, "*shape"], b: Inexact[Array, "*shape"]
    ) -> Inexact[Array, "*shape"]:
        return reduce(add, (part.sensitivity(a, b) for part in self.parts))

    def spectrum(self, theta: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return reduce(add, (part.spectrum(theta) for part in self.parts))


class EmpiricalInput(AbstractInput):
    """A measured autocorrelation `R(0) … R(n)`, zero beyond lag `n`.

    Args:
        autocorrelation: `(n + 1,)`, real. It should be positive semi-definite, as the biased
            estimate is; this is not checked, and otherwise a "second moment" may be negative.

    Raises:
        RemanenceError: if it is not a real vector of at least one value.
    """

    autocorrelation: Float[Array, " lags"]

    def __init__(self, autocorrelation: Any):
        (values,) = promote(jnp.asarray(autocorrelation))
        if (
            values.ndim != 1
            or not values.size
            or jnp.issubdtype(values.dtype, jnp.complexfloating)
        ):
            raise RemanenceError(
                "EmpiricalInput: autocorrelation must be a real vector R(0), R(1), …, "
                f"got {values.dtype} of shape {values.shape}"
            )
        self.autocorrelation = values

    def power(self) -> Float[Array, ""]:
        return self.autocorrelation[0]

    def transform(self, a: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
        return _polynomial(self.autocorrelation.at[0].set(0.0), a)

    def slope(self, a: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
        lags = jnp.arange(1, self.autocorrelation.size).astype(self.autocorrelation.dtype)
        return _polynomial(lags * self.autocorrelation[1:], a)

    def pair(
        self, a: Inexact[Array, "*shape"], b: Inexact[Array, "*shape"]
    ) -> Inexact[Array, "*shape"]:
        return self.power().astype(a.dtype) + self.transform(a) + self.transform(b)

    def sensitivity(
        self, a: Inexact[Array, "*shape"], b: Inexact[Array, "*shape"]
    ) -> Inexact[Array, "*shape"]:
        return sensitivity_from_transform(self, a, b)

    def spectrum(self, theta: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        one_sided = self.transform(rotation(theta))
        return self.power().astype(theta.dtype) + 2 * jnp.real(one_sided)


def with_mean(input: AbstractInput, mean: ArrayLike) -> SummedInput:
    """`input` with a mean `μ` added: `R(Δ) + μ²`.

    A mean is a constant input: it adds `μ²/|1 − λ|²` to `E|h|²` and `μ²/|1 − λ|⁴` to
    `E|∂h/∂λ|²`.
    """
    return SummedInput([input, ExponentialInput(1.0, jnp.asarray(mean) ** 2)])


def _polynomial(coefficients: Array, a: Array) -> Array:
    """`Σ_j c_j a^j`, by Horner's rule; 0 if there are no coefficients."""
    if not coefficients.size:
        return jnp.zeros_like(a)
    return jnp.polyval(coefficients[::-1].astype(a.dtype), a, unroll=1)
