"""Maps of a parameter to a continuous-time rate `λ = f(w) < 0`."""

import math
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from remanence.layers._eigenvalue_map import (
    AbstractRateMap,
    AnyArray,
    exponential_modulus,
    namespace,
    quadratic_modulus,
    require_positive,
    softplus_inverse,
)

_WHY_POSITIVE = (
    ": with b = 0 the rate −1/(a w²) is unbounded at w = 0 and no perturbation of w, however "
    "small, keeps the relative error bounded; the published values are 0.5 and 0.1"
)


@dataclass(frozen=True)
class DirectRate(AbstractRateMap):
    """`λ = w`, stable only while `w < 0`; no perturbation is safe for all `w`."""

    domain: ClassVar[tuple[float, float]] = (-math.inf, 0.0)

    def forward(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return w

    def inverse(self, value: Float[AnyArray, "*shape"]) -> Float[AnyArray, "*shape"]:
        return value

    def derivative(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return jnp.ones_like(w)

    def stability_modulus(self, beta: float | int) -> float:
        return math.inf if beta > 0 else 0.0


@dataclass(frozen=True)
class ExponentialRate(AbstractRateMap):
    """`λ = −e^w` (S4, S4D). Modulus `e^β − 1`, the same at every `w`."""

    domain: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    def forward(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return -jnp.exp(w)

    def inverse(self, value: Float[AnyArray, "*shape"]) -> Float[AnyArray, "*shape"]:
        return namespace(value).log(-value)

    def derivative(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return -jnp.exp(w)

    def stability_modulus(self, beta: float | int) -> float:
        return exponential_modulus(beta)


@dataclass(frozen=True)
class SoftplusRate(AbstractRateMap):
    """`λ = −log(1 + e^w)`.

    Modulus `e^β − 1`, approached as `w → −∞`: the slope of `log |λ|` is `σ(w) / log(1 + e^w) < 1`.
    """

    domain: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    def forward(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return -jax.nn.softplus(w)

    def inverse(self, value: Float[AnyArray, "*shape"]) -> Float[AnyArray, "*shape"]:
        return softplus_inverse(-value)

    def derivative(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return -jax.nn.sigmoid(w)

    def stability_modulus(self, beta: float | int) -> float:
        return exponential_modulus(beta)


@dataclass(frozen=True)
class InverseRate(AbstractRateMap):
    """`λ = −1/w`, `w > 0`: the gradient scale `|f'|/f²` is 1, but `w` may cross 0 in training.

    `f(w)/f(w + δ) − 1 = δ/w` is unbounded as `w → 0`, so the map is not stable.
    """

    domain: ClassVar[tuple[float, float]] = (0.0, math.inf)

    def forward(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return -1 / w

    def inverse(self, value: Float[AnyArray, "*shape"]) -> Float[AnyArray, "*shape"]:
        return -1 / value

    def derivative(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return 1 / w**2

    def stability_modulus(self, beta: float | int) -> float:
        return math.inf if beta > 0 else 0.0


@dataclass(frozen=True)
class BestRate(AbstractRateMap):
    """`λ = −1/(a w² + b)`: the ratio of `|f'|/f²` to `|w|` is `2a` for every `w`.

    The default `a = 1, b = 0.5` is the paper's; its released code trains with `b = 0.1`.
    `inverse` takes the branch `w ≥ 0`, and has none below `−1/b`. Modulus: with `D = β √(a/b)`,
    `D (D + √(D² + 4)) / 2`.

    Raises:
        RemanenceError: unless `a > 0` and `b > 0`. The paper allows `b = 0`, where the modulus is
            infinite.

    Source: Wang & Li, StableSSM (ICML 2024), section 3.4; the modulus is derived.
    """

    a: float | int = 1.0
    b: float | int = 0.5

    def __post_init__(self):
        require_positive("best rate: a", self.a, "")
        require_positive("best rate: b", self.b, _WHY_POSITIVE)

    domain: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    def forward(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return -1 / (self.a * w**2 + self.b)

    def inverse(self, value: Float[AnyArray, "*shape"]) -> Float[AnyArray, "*shape"]:
        return namespace(value).sqrt((-1 / value - self.b) / self.a)

    def derivative(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return 2 * self.a * w / (self.a * w**2 + self.b) ** 2

    def stability_modulus(self, beta: float | int) -> float:
        return quadratic_modulus(beta, self.a, self.b)


@dataclass(frozen=True)
class MeanSquareBestRate(AbstractRateMap):
    """`λ = −1/(a w² + b)²`: the ratio of `|f'|/|f|^{3/2}` to `|w|` is `4a` for every `w`.

    The counterpart of `BestRate` for the mean squared loss under white input. `inverse` takes the
    branch `w ≥ 0`. Modulus `(1 + g)² − 1`, with `g` that of `BestRate`.

    Source: derived: the gradient of the loss scales as `|f'|/|f|^{3/2}`, and
    `d |f|^{−1/2} / dw = 2 a w` makes that scale proportional to `|w|`.
    """

    a: float | int = 1.0
    b: float | int = 0.5

    def __post_init__(self):
        require_positive("mean-square best rate: a", self.a, "")
        require_positive("mean-square best rate: b", self.b, _WHY_POSITIVE)

    domain: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    def forward(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return -1 / (self.a * w**2 + self.b) ** 2

    def inverse(self, value: Float[AnyArray, "*shape"]) -> Float[AnyArray, "*shape"]:
        xp = namespace(value)
        return xp.sqrt((1 / xp.sqrt(-value) - self.b) / self.a)

    def derivative(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return 4 * self.a * w / (self.a * w**2 + self.b) ** 3

    def stability_modulus(self, beta: float | int) -> float:
        modulus = quadratic_modulus(beta, self.a, self.b)
        return modulus * (2 + modulus)


@dataclass(frozen=True)
class SigmoidRate(AbstractRateMap):
    """`λ = −σ(w)`, never faster than 1.

    Modulus `e^β − 1`, approached as `w → −∞`: the slope of `log |λ|` is `1 − σ(w) < 1`.
    """

    domain: ClassVar[tuple[float, float]] = (-math.inf, math.inf)

    def forward(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return -jax.nn.sigmoid(w)

    def inverse(self, value: Float[AnyArray, "*shape"]) -> Float[AnyArray, "*shape"]:
        xp = namespace(value)
        return xp.log(-value) - xp.log1p(value)

    def derivative(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        return -jax.nn.sigmoid(w) * jax.nn.sigmoid(-w)

    def stability_modulus(self, beta: float | int) -> float:
        return exponential_modulus(beta)
