"""Maps of a parameter to a discrete-time magnitude `ν = f(w)`."""

import math
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from remanence.errors import RemanenceError
from remanence.layers._eigenvalue_map import (
    AbstractMagnitudeMap,
    AnyArray,
    exponential_modulus,
    log_absolute,
    namespace,
    quadratic_modulus,
    require_positive,
    softplus_inverse,
)


@dataclass(frozen=True)
class DirectMagnitude(AbstractMagnitudeMap):
    """`ν = w`, or with a `margin` `w` clipped to `[−1 + margin, 1 − margin]`.

    In float32 the parameter itself has a spacing of 6e-8 below 1: no formula can then resolve
    `1 − ν` better than to 6 % at 1e-6. Modulus: infinite, or `min(β, 2 − 2 margin) / margin`.
    """

    margin: float | int | None = None

    domain: ClassVar[tuple[float, float]] = (-1.0, 1.0)

    def __post_init__(self):
        if self.margin is not None and not 0 < self.margin < 1:
            raise RemanenceError(f"direct magnitude: margin = {self.margin:g} is not in (0, 1)")

    def forward(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return w if self.margin is None else jnp.clip(w, -1 + self.margin, 1 - self.margin)

    def inverse(self, value: Float[AnyArray, "*shape"]) -> Float[AnyArray, "*shape"]:
        if self.margin is None:
            return value
        xp = namespace(value)
        return xp.where(xp.abs(value) <= 1 - self.margin, value, math.nan)

    def derivative(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        if self.margin is None:
            return jnp.ones_like(w)
        return (jnp.abs(w) < 1 - self.margin).astype(w.dtype)

    def complement(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return 1 - self.forward(w)

    def log_magnitude(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        value = self.forward(w)
        return log_absolute(value, 1 - value, 1 + value)

    def stability_modulus(self, beta: float | int) -> float:
        if self.margin is None:
            return math.inf if beta > 0 else 0.0
        return min(beta, 2 - 2 * self.margin) / self.margin


@dataclass(frozen=True)
class SigmoidMagnitude(AbstractMagnitudeMap):
    """`ν = σ(w)`, as a constant gate of a GRU or an LSTM.

    Modulus `e^β − 1`, approached as `w → ∞`.
    """

    domain: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    def forward(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jax.nn.sigmoid(w)

    def inverse(self, value: Float[AnyArray, "*shape"]) -> Float[AnyArray, "*shape"]:
        xp = namespace(value)
        return xp.log(value) - xp.log1p(-value)

    def derivative(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jax.nn.sigmoid(w) * jax.nn.sigmoid(-w)

    def complement(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jax.nn.sigmoid(-w)

    def log_magnitude(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return -jax.nn.softplus(-w)

    def stability_modulus(self, beta: float | int) -> float:
        return exponential_modulus(beta)


@dataclass(frozen=True)
class TanhMagnitude(AbstractMagnitudeMap):
    """`ν = tanh(w)`: unit sensitivity `E|∂(γh)/∂w|² = 1` at every memory under white input.

    That is with the differentiated normalisation `γ = √(1 − ν²)`: the solution of
    `ν' = 1 − ν²`. Modulus `e^{2β} − 1`, approached as `w → ∞`.

    Source: Zucchet & Orvieto (NeurIPS 2024), section 3.2.
    """

    domain: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    def forward(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jnp.tanh(w)

    def inverse(self, value: Float[AnyArray, "*shape"]) -> Float[AnyArray, "*shape"]:
        return namespace(value).arctanh(value)

    def derivative(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return 4 * jax.nn.sigmoid(2 * w) * jax.nn.sigmoid(-2 * w)

    def complement(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return 2 * jax.nn.sigmoid(-2 * w)

    def log_magnitude(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return log_absolute(jnp.tanh(w), 2 * jax.nn.sigmoid(-2 * w), 2 * jax.nn.sigmoid(2 * w))

    def stability_modulus(self, beta: float | int) -> float:
        return exponential_modulus(2 * beta)


@dataclass(frozen=True)
class DoubleExponentialMagnitude(AbstractMagnitudeMap):
    """`ν = exp(−e^w)` (LRU).

    Modulus `e^β − 1`, approached as `w → −∞`: the slope of `log(1 − ν)` is `x/(e^x − 1) < 1` at
    `x = e^w`.

    Source: Orvieto et al., Resurrecting Recurrent Neural Networks (ICML 2023), section 3.3.
    """

    domain: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    def forward(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jnp.exp(-jnp.exp(w))

    def inverse(self, value: Float[AnyArray, "*shape"]) -> Float[AnyArray, "*shape"]:
        xp = namespace(value)
        return xp.log(-xp.log(value))

    def derivative(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return -jnp.exp(w - jnp.exp(w))

    def complement(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return -jnp.expm1(-jnp.exp(w))

    def log_magnitude(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return -jnp.exp(w)

    def stability_modulus(self, beta: float | int) -> float:
        return exponential_modulus(beta)


@dataclass(frozen=True)
class SoftplusExponentialMagnitude(AbstractMagnitudeMap):
    """`ν = exp(−c log(1 + e^w))` (Mamba and RG-LRU with a constant gate; RG-LRU has `c = 8`).

    Modulus `e^β − 1`, approached as `w → −∞`: the slope of `log(1 − ν)` in `y = e^w` is
    `c y / ((1 + y)^{c+1} − (1 + y)) ≤ 1` by Bernoulli's inequality, for every `c > 0`.

    Raises:
        RemanenceError: unless `c > 0`.
    """

    c: float | int = 1.0

    def __post_init__(self):
        require_positive("softplus exponential magnitude: c", self.c, "")

    domain: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    def forward(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jnp.exp(-self.c * jax.nn.softplus(w))

    def inverse(self, value: Float[AnyArray, "*shape"]) -> Float[AnyArray, "*shape"]:
        return softplus_inverse(-namespace(value).log(value) / self.c)

    def derivative(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return -self.c * jax.nn.sigmoid(w) * jnp.exp(-self.c * jax.nn.softplus(w))

    def complement(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return -jnp.expm1(-self.c * jax.nn.softplus(w))

    def log_magnitude(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return -self.c * jax.nn.softplus(w)

    def stability_modulus(self, beta: float | int) -> float:
        return exponential_modulus(beta)


@dataclass(frozen=True)
class InverseMagnitude(AbstractMagnitudeMap):
    """`ν = 1 − 1/w`, `w > ½`. Not stable: a step below `w = ½` leaves the unit circle."""

    domain: ClassVar[tuple[float, float]] = (0.5, math.inf)

    def forward(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return (w - 1) / w

    def inverse(self, value: Float[AnyArray, "*shape"]) -> Float[AnyArray, "*shape"]:
        return 1 / (1 - value)

    def derivative(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return 1 / w**2

    def complement(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return 1 / w

    def log_magnitude(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return log_absolute((w - 1) / w, 1 / w, (2 * w - 1) / w)

    def stability_modulus(self, beta: float | int) -> float:
        return math.inf if beta > 0 else 0.0


@dataclass(frozen=True)
class BestMagnitude(AbstractMagnitudeMap):
    """`ν = 1 − 1/(a w² + b)`: the ratio of `|f'|/(1 − f)²` to `|w|` is `2a` for every `w`.

    `inverse` takes the branch `w ≥ 0`. Modulus as for `BestRate`. At `a = b = ½` it is
    `1 − 2/(1 + w²)`, of unit sensitivity `E|∂(γh)/∂w|² = 1` for constant input and the
    differentiated `γ = √(1 − ν²)` (derived).

    Raises:
        RemanenceError: unless `a > 0` and `b ≥ ½`. The published `b = ½` reaches `ν = −1` at
            `w = 0`; any larger `b` stays inside the unit circle.

    Source: Wang & Li, StableSSM (ICML 2024), and its released code.
    """

    a: float | int = 1.0
    b: float | int = 0.5

    def __post_init__(self):
        require_positive("best magnitude: a", self.a, "")
        if not (math.isfinite(self.b) and self.b >= 0.5):
            raise RemanenceError(
                f"best magnitude: b = {self.b:g} must be at least 0.5: "
                "below it 1 − 1/b < −1 and the map is unstable at w = 0"
            )

    domain: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    def forward(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return (self.a * w**2 + (self.b - 1)) / (self.a * w**2 + self.b)

    def inverse(self, value: Float[AnyArray, "*shape"]) -> Float[AnyArray, "*shape"]:
        return namespace(value).sqrt((1 / (1 - value) - self.b) / self.a)

    def derivative(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return 2 * self.a * w / (self.a * w**2 + self.b) ** 2

    def complement(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return 1 / (self.a * w**2 + self.b)

    def log_magnitude(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        square = self.a * w**2
        quotient = square + self.b
        supplement = (2 * square + (2 * self.b - 1)) / quotient
        return log_absolute((square + (self.b - 1)) / quotient, 1 / quotient, supplement)

    def stability_modulus(self, beta: float | int) -> float:
        return quadratic_modulus(beta, self.a, self.b)
