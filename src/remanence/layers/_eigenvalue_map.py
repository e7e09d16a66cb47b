"""What every scalar map of a parameter to an eigenvalue gives, and its shared arithmetic."""

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from remanence.errors import RemanenceError

AnyArray = Array | np.ndarray
"""A JAX array, or a NumPy array where nothing is differentiated."""


class AbstractEigenvalueMap(ABC):
    """A scalar map `w -> f(w)`, applied entry by entry.

    Maps are frozen and hashable, so that a layer can hold one as a static field. `inverse` takes
    NumPy arrays as well, and then works in NumPy's float64 whatever JAX's default type is.
    """

    domain: ClassVar[tuple[float, float]]
    """The interval of `w` inside which the eigenvalue is stable."""

    @abstractmethod
    def forward(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """`f(w)`."""

    @abstractmethod
    def inverse(self, value: Float[AnyArray, "*shape"]) -> Float[AnyArray, "*shape"]:
        """The `w` with `f(w) = value`; NaN or infinite where there is none."""

    @abstractmethod
    def derivative(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """`f'(w)`, in closed form."""

    @abstractmethod
    def gradient_scale(
        self, w: Float[Array, "*shape"], exponent: float | int
    ) -> Float[Array, "*shape"]:
        """How large the gradient of a loss in `w` can be, up to a factor independent of `f`."""

    @abstractmethod
    def stability_modulus(self, beta: float | int) -> float:
        """The largest relative error when `w` is perturbed by up to `beta`; inf if unbounded."""


class AbstractRateMap(AbstractEigenvalueMap):
    """A map to a continuous-time rate `λ = f(w) < 0`, as in `dh/dt = λ h + x`.

    Source: Wang & Li, StableSSM (ICML 2024), Definition 3.4 and Theorem 3.6. Closed forms of
    `stability_modulus`: derived, from `∫_0^∞ |e^{λ̃t} − e^{λt}| dt = |1/λ̃ − 1/λ|`.
    """

    def gradient_scale(
        self, w: Float[Array, "*shape"], exponent: float | int = 2
    ) -> Float[Array, "*shape"]:
        """`|f'(w)| / |f(w)|^exponent`.

        Exponent 2 is the scale of the gradient of a worst-case (sup-norm) loss, 3/2 that of the
        mean squared loss under white input: `‖∂_w e^{f(w)t}‖_2 = ½ |f'| / |f|^{3/2}`.
        """
        return jnp.abs(self.derivative(w)) / jnp.abs(self.forward(w)) ** exponent


class AbstractMagnitudeMap(AbstractEigenvalueMap):
    """A map to a discrete-time magnitude `ν = f(w)`, as in `h_t = ν h_{t-1} + x_t`.

    `0 < ν < 1`, or `−1 < ν < 1` where the map says so.

    `complement` and `log_magnitude` are exact near `ν = 1`: they are computed from `w` and not
    from `ν`, which has no digits left there. `stability_modulus(β)` is
    `sup |(1 − f(w)) / (1 − f(w + δ)) − 1|` over `w` in the domain and `|δ| ≤ β`, the relative
    change of the static gain; for `ν ≥ 0` that is the relative change of the impulse response,
    `Σ_k |ν̃^k − ν^k| = |1/(1−ν̃) − 1/(1−ν)|`. It is infinite where `w + δ` can leave the domain.

    Source: derived, as the discrete counterpart of Wang & Li, StableSSM, Definition 3.4.
    """

    @abstractmethod
    def complement(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """`1 − f(w)`, without cancellation."""

    @abstractmethod
    def log_magnitude(self, w: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
        """`log |f(w)|`, without cancellation near `|f(w)| = 1`; -inf, of gradient 0, at 0."""

    def gradient_scale(
        self, w: Float[Array, "*shape"], exponent: float | int = 2
    ) -> Float[Array, "*shape"]:
        """`|f'(w)| / (1 − f(w))^exponent`, the discrete form of the scale for rates."""
        return jnp.abs(self.derivative(w)) / self.complement(w) ** exponent


def log_absolute(
    value: Float[Array, "*shape"],
    complement: Float[Array, "*shape"],
    supplement: Float[Array, "*shape"],
) -> Float[Array, "*shape"]:
    """`log |f|` from `f`, `1 − f` and `1 + f`, each of them exact to rounding.

    At `f = 0` the value is -inf and the gradient 0, so that what depends on `f` through `f²` only
    has its own gradient there and not NaN.
    """
    high, low, zero = value > 0.5, value < -0.5, value == 0
    # Each branch is given a harmless argument where another one is taken: a gradient of 0 times
    # infinity would otherwise come through `where` as NaN.
    near_one = jnp.log1p(-jnp.where(high, complement, 0.5))
    near_minus_one = jnp.log1p(-jnp.where(low, supplement, 0.5))
    inside = jnp.log(jnp.abs(jnp.where(high | low | zero, 0.25, value)))
    out = jnp.where(high, near_one, jnp.where(low, near_minus_one, inside))
    return jnp.where(zero, -jnp.inf, out)


def namespace(array: Any) -> Any:
    """`jax.numpy` for a JAX array, `numpy` for anything else."""
    return jnp if isinstance(array, jax.Array) else np


def softplus_inverse(value: Any) -> Any:
    """The `w` with `log(1 + e^w) = value`."""
    xp = namespace(value)
    return value + xp.log(-xp.expm1(-value))


def require_positive(name: str, value: float | int, why: str) -> None:
    """Raise `RemanenceError` unless `value` is positive and finite."""
    if not (math.isfinite(value) and value > 0):
        raise RemanenceError(f"{name} = {value:g} must be positive{why}")


def quadratic_modulus(beta: float | int, a: float | int, b: float | int) -> float:
    """`sup |(a w̃² + b) / (a w² + b) − 1|` over all `w` and `|w̃ − w| ≤ β`.

    With `D = β √(a/b)` it is `D (D + √(D² + 4)) / 2`, taken at
    `w = √(b/a) (−D + √(D² + 4)) / 2`. Source: derived (a quadratic in `w` at the maximum).
    """
    scaled = beta * math.sqrt(a / b)
    return scaled * (scaled + math.hypot(scaled, 2.0)) / 2


def exponential_modulus(exponent: float | int) -> float:
    """`e^exponent − 1`, infinite rather than an error where it overflows."""
    try:
        return math.expm1(exponent)
    except OverflowError:
        return math.inf
