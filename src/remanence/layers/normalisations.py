"""Input normalisations `γ(λ)`: how much of the input each mode takes."""

from abc import abstractmethod
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from remanence.errors import RemanenceError
from remanence.layers.contract import RECURRENT
from remanence.layers.parametrisations import AbstractEigenvalues


class AbstractNormalisation(eqx.Module):
    """`γ`, real and positive, of the shape of `λ`, in `h_t = λ ⊙ h_{t-1} + γ ⊙ (B x_t)`.

    Every formula starts from `log |λ|` as the parametrisation gives it, and is accurate to
    rounding in float32 at `1 − |λ| = 1e-6`, where `√(1 − |λ|²)` written out is 0.7 % off.
    """

    @abstractmethod
    def __call__(self, eigenvalues: AbstractEigenvalues) -> Float[Array, "*modes"]:
        """`γ` at these eigenvalues."""


class NoNormalisation(AbstractNormalisation):
    """`γ = 1`: `E|h|² = 1 / (1 − |λ|²)` for white input of unit variance."""

    def __call__(self, eigenvalues: AbstractEigenvalues) -> Float[Array, "*modes"]:
        return jnp.ones_like(eigenvalues.log_magnitude())


class SquareRoot(AbstractNormalisation):
    """`γ = √(1 − |λ|²)`: `E|h|² = 1` for white input of unit variance.

    Args:
        differentiated: whether gradients of the eigenvalue parameters pass through `γ`.

    `γ` is 0, with gradient 0, on and outside the unit circle.
    """

    differentiated: bool = eqx.field(static=True, default=True)

    def __call__(self, eigenvalues: AbstractEigenvalues) -> Float[Array, "*modes"]:
        log_magnitude = _optionally_frozen(eigenvalues.log_magnitude(), self.differentiated)
        return safe_square_root(-jnp.expm1(2 * log_magnitude))


class LearnedSquareRoot(AbstractNormalisation):
    """`γ = e^{log_gamma}`, free after it starts as `√(1 − |λ|²)` (LRU)."""

    log_gamma: Float[Array, "*modes"] = eqx.field(metadata=RECURRENT)

    @classmethod
    def from_eigenvalues(cls, eigenvalues: AbstractEigenvalues) -> "LearnedSquareRoot":
        """Started at `√(1 − |λ|²)`.

        Raises:
            RemanenceError: if an eigenvalue is on or outside the unit circle.
        """
        log_gamma = jnp.log(-jnp.expm1(2 * eigenvalues.log_magnitude())) / 2
        if not isinstance(log_gamma, jax.core.Tracer) and not np.isfinite(log_gamma).all():
            raise RemanenceError(
                "LearnedSquareRoot: an eigenvalue is on or outside the unit circle, where "
                "√(1 − |λ|²) is not positive; start inside it"
            )
        return cls(log_gamma)

    def __call__(self, eigenvalues: AbstractEigenvalues) -> Float[Array, "*modes"]:
        return jnp.exp(self.log_gamma)


class OneMinus(AbstractNormalisation):
    """`γ = 1 − |λ|`: unit gain for a constant input when `λ` is real and positive."""

    def __call__(self, eigenvalues: AbstractEigenvalues) -> Float[Array, "*modes"]:
        return -jnp.expm1(eigenvalues.log_magnitude())


class SpectrumAware(AbstractNormalisation):
    """`γ² = (1 − |λ|²) / P(λ)` for inputs of autocorrelation `R(D) = E x_t x_{t+D}`.

        P = R(0) + 2 Σ_{D≥1} R(D) cos(θ D)            the spectral density at the mode's angle;
        P = R(0) + 2 Σ_{D≥1} R(D) |λ|^D cos(θ D)      with `smoothed`.

    Smoothed, `E|h|² = 1` exactly at every `λ`; the density itself is its limit as `|λ| → 1`, and
    depends on the angle alone.

    Args:
        autocorrelation: `R(0), R(1), …`, zero beyond; not trained.
        smoothed: which `P`.
        differentiated: whether gradients pass through `γ`.

    Raises:
        RemanenceError: if the spectral density is not positive everywhere on a fine grid.

    Source: derived: `E|h|² = P(λ) / (1 − |λ|²)`, a double sum over lags.
    """

    autocorrelation: tuple[float, ...] = eqx.field(static=True)
    smoothed: bool = eqx.field(static=True)
    differentiated: bool = eqx.field(static=True)

    def __init__(
        self,
        autocorrelation: Sequence[float] | np.ndarray,
        *,
        smoothed: bool = False,
        differentiated: bool = True,
    ):
        values = np.asarray(autocorrelation, np.float64)
        if values.ndim != 1 or not values.size or not np.isfinite(values).all():
            raise RemanenceError(
                "SpectrumAware: autocorrelation must be a sequence R(0), R(1), … of finite numbers"
            )
        grid = 2 ** int(np.ceil(np.log2(16 * values.size)))
        density = 2 * np.fft.rfft(values, grid).real - values[0]
        if not density.min() > 1e-12 * density.max():
            angle = 2 * np.pi * int(density.argmin()) / grid
            raise RemanenceError(
                f"SpectrumAware: the spectrum of this autocorrelation is {density.min():.3g} at "
                f"angle {angle:.3g}, not positive; taper the lags, or add to R(0)"
            )
        self.autocorrelation = tuple(values.tolist())
        self.smoothed = smoothed
        self.differentiated = differentiated

    def __call__(self, eigenvalues: AbstractEigenvalues) -> Float[Array, "*modes"]:
        log_magnitude = _optionally_frozen(eigenvalues.log_magnitude(), self.differentiated)
        phase = _optionally_frozen(eigenvalues.phase(), self.differentiated)
        values = jnp.asarray(self.autocorrelation, phase.dtype)
        lags = jnp.arange(1, len(self.autocorrelation)).astype(phase.dtype)
        lags = lags.reshape((1,) * phase.ndim + (-1,))
        waves = jnp.cos(phase[..., None] * lags)
        if self.smoothed:
            # A finite floor: λ = 0 has log -inf, and a gradient that must not become NaN.
            waves = waves * jnp.exp(jnp.maximum(log_magnitude, -1e4)[..., None] * lags)
        density = values[0] + 2 * (waves @ values[1:])
        return safe_square_root(-jnp.expm1(2 * log_magnitude) / density)


class ExponentialSpectrumAware(AbstractNormalisation):
    """`SpectrumAware` in closed form for `R(D) = ρ^|D|`.

        P = (1 − ρ²) / |1 − ρ e^{iθ}|²,     smoothed  P = (1 − ρ² |λ|²) / |1 − ρ λ|².

    Raises:
        RemanenceError: unless `0 ≤ correlation < 1`.
    """

    correlation: float = eqx.field(static=True)
    smoothed: bool = eqx.field(static=True)
    differentiated: bool = eqx.field(static=True)

    def __init__(
        self, correlation: float | int, *, smoothed: bool = False, differentiated: bool = True
    ):
        if not 0 <= correlation < 1:
            raise RemanenceError(
                f"ExponentialSpectrumAware: correlation = {correlation:g} is not in [0, 1); "
                "at 1 the input is constant and has no spectral density"
            )
        self.correlation = float(correlation)
        self.smoothed = smoothed
        self.differentiated = differentiated

    def __call__(self, eigenvalues: AbstractEigenvalues) -> Float[Array, "*modes"]:
        log_magnitude = _optionally_frozen(eigenvalues.log_magnitude(), self.differentiated)
        phase = _optionally_frozen(eigenvalues.phase(), self.differentiated)
        rho = self.correlation
        log_radius = log_magnitude if self.smoothed else jnp.zeros_like(log_magnitude)
        # 1 − ρ r and 1 − (ρ r)² as sums of terms of one sign: nothing cancels as both approach 1.
        gap = (1 - rho) - rho * jnp.expm1(log_radius)
        radius = rho * jnp.exp(log_radius)
        distance = gap**2 + 4 * radius * jnp.sin(phase / 2) ** 2
        return safe_square_root(-jnp.expm1(2 * log_magnitude) * distance / (gap * (1 + radius)))


def _optionally_frozen(value: Array, differentiated: bool) -> Array:
    return value if differentiated else jax.lax.stop_gradient(value)


def safe_square_root(square: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`√square`, and 0 with gradient 0 where `square ≤ 0`."""
    positive = square > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1.0)), 0.0)
