"""Magnitude maps that make the sensitivity to the parameter constant, whatever the memory.

Each solves `ν'(w)² · E|∂h/∂ν|² = 1` for one kind of input and of normalisation `γ`:

    white input,    γ = √(1 − ν²) differentiated    ν' = 1 − ν²                    "tanh"
    white input,    γ = √(1 − ν²) held fixed        ν' = (1 − ν²) / √(1 + ν²)      "frozen tanh"
    R(D) = ρ^|D|,   γ = √(1 − ν²) differentiated    `_correlated_magnitude`        "correlated"
    constant input, no γ                            ν' = (1 − ν)²                  "constant-input"
    constant input, γ = √(1 − ν²) differentiated    ν' = (1 − ν)^{3/2} (1 + ν)^{1/2}

The last is `ν = 1 − 2/(1 + w²)`, the map "best" at `a = b = ½`. White input without `γ` has
`ν' = (1 − ν²)^{3/2} / (1 + ν²)^{1/2}`, an elliptic integral, whose tail `1 − ν ≈ 1/w²` "best" at
`a = 1` shares.

Source: Zucchet & Orvieto (NeurIPS 2024), section 3.2, for the equation and "tanh"; the other
solutions are derived.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from remanence.layers._eigenvalue_map import (
    AbstractMagnitudeMap,
    AnyArray,
    exponential_modulus,
    log_absolute,
    namespace,
)


@dataclass(frozen=True)
class ConstantInputMagnitude(AbstractMagnitudeMap):
    """`ν = 1 − 1/(1 + w)`, `w > −½`: unit sensitivity for a constant input and no `γ`.

    `ν ≥ 0` for `w ≥ 0`. Not stable: a step below `w = −½` leaves the unit circle.
    """

    domain: ClassVar[tuple[float, float]] = (-0.5, math.inf)

    def forward(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return w / (1 + w)

    def inverse(self, value: Float[AnyArray, "*shape"]) -> Float[AnyArray, "*shape"]:
        return value / (1 - value)

    def derivative(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return 1 / (1 + w) ** 2

    def complement(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return 1 / (1 + w)

    def log_magnitude(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return log_absolute(w / (1 + w), 1 / (1 + w), (1 + 2 * w) / (1 + w))

    def stability_modulus(self, beta: float | int) -> float:
        return math.inf if beta > 0 else 0.0


@dataclass(frozen=True)
class FrozenTanhMagnitude(AbstractMagnitudeMap):
    """`ν = tanh(u)` with `du/dw = 1/√(1 + ν²)`: unit sensitivity when `γ` is held fixed.

    That is white input and `γ = √(1 − ν²)` learned freely or without gradient. `inverse` is
    closed,

        w = √2 artanh(√2 ν / √(1 + ν²)) − arsinh(ν),

    and `forward` solves it by Newton's method, whose slope lies between 1 and √2. Modulus
    `e^{√2 β} − 1`, approached as `w → ∞`.
    """

    domain: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    def forward(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jnp.tanh(_rapidity(w))

    def inverse(self, value: Float[AnyArray, "*shape"]) -> Float[AnyArray, "*shape"]:
        return _primitive(namespace(value).arctanh(value))

    def derivative(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        u = _rapidity(w)
        slope = 4 * jax.nn.sigmoid(2 * u) * jax.nn.sigmoid(-2 * u)
        return slope / jnp.sqrt(1 + jnp.tanh(u) ** 2)

    def complement(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return 2 * jax.nn.sigmoid(-2 * _rapidity(w))

    def log_magnitude(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        u = _rapidity(w)
        return log_absolute(jnp.tanh(u), 2 * jax.nn.sigmoid(-2 * u), 2 * jax.nn.sigmoid(2 * u))

    def stability_modulus(self, beta: float | int) -> float:
        return exponential_modulus(math.sqrt(2) * beta)


def _primitive(u: AnyArray) -> AnyArray:
    """`∫_0^u √(1 + tanh² s) ds`.

    `artanh x = log(1 + x) − ½ log(1 − x²)` with `1 − x² = sech² u / (1 + tanh² u)`, so that
    nothing cancels for large `u`.
    """
    xp = namespace(u)
    size = xp.abs(u)
    t = xp.tanh(size)
    log_cosh = size + xp.log1p(xp.expm1(-2 * size) / 2)
    x = math.sqrt(2) * t / xp.sqrt(1 + t**2)
    artanh = xp.log1p(x) + log_cosh + xp.log1p(t**2) / 2
    return xp.sign(u) * (math.sqrt(2) * artanh - xp.arcsinh(t))


@jax.custom_jvp
def _rapidity(w: Array) -> Array:
    """The `u` with `_primitive(u) = w`.

    The primitive of `|u|` is convex with slopes between 1 and √2, so that Newton's method started
    above the root, at `|w|`, comes down to it; five steps reach float64's rounding everywhere.
    """
    u = w
    for _ in range(5):
        u = u - (_primitive(u) - w) / jnp.sqrt(1 + jnp.tanh(u) ** 2)
    return u


@_rapidity.defjvp
def _rapidity_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    u = _rapidity(*primals)
    return u, tangents[0] / jnp.sqrt(1 + jnp.tanh(u) ** 2)
