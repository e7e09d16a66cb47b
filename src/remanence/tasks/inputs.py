"""Stationary input processes with closed-form autocorrelation: white, AR(1), long memory."""

import math
from abc import abstractmethod
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, PRNGKeyArray

from remanence.errors import NumericalError, RemanenceError
from remanence.recurrence import linear_recurrence
from remanence.tasks._sequences import require_whole


class AbstractProcess(eqx.Module):
    """A stationary, zero-mean Gaussian process with independent, identical channels.

    A sequence is a linear map of white noise, `x = M e`; its autocorrelation

        R(Δ) = E[x_t x_{t+Δ}]

    is known in closed form, and `M Mᵀ` is the Toeplitz matrix of `R` exactly.
    """

    @abstractmethod
    def autocorrelation(self, length: int) -> Float64[np.ndarray, " length"]:
        """`R(0) … R(length − 1)`, with NumPy in float64; `R(−Δ) = R(Δ)`."""

    @abstractmethod
    def noise_length(self, length: int) -> int:
        """How many white numbers each channel needs for `length` time steps."""

    @abstractmethod
    def colour(
        self, noise: Float[Array, "noise channels"], length: int
    ) -> Float[Array, "time channels"]:
        """The map `M`: white noise, `(noise_length(length), channels)`, to the process."""

    def sample(self, key: PRNGKeyArray, length: int, channels: int = 1) -> Float[Array, "time in"]:
        """One sequence, `(length, channels)`; works inside `jit` and `vmap`, `length` static.

        Raises:
            RemanenceError: if `length` or `channels` is below 1.
        """
        owner = type(self).__name__
        length = require_whole(owner, "length", length, 1)
        channels = require_whole(owner, "channels", channels, 1)
        noise = jax.random.normal(key, (self.noise_length(length), channels))
        return self.colour(noise, length)


class White(AbstractProcess):
    """Independent standard normal numbers: `x_t = e_t`, `R(Δ) = 1` at 0, else 0.

    >>> White().autocorrelation(3).tolist()
    [1.0, 0.0, 0.0]
    """

    def autocorrelation(self, length: int) -> Float64[np.ndarray, " length"]:
        return np.eye(1, length)[0]

    def noise_length(self, length: int) -> int:
        return length

    def colour(
        self, noise: Float[Array, "noise channels"], length: int
    ) -> Float[Array, "time channels"]:
        return noise


class Autoregressive(AbstractProcess):
    """The stationary AR(1) process with unit variance: `R(Δ) = ρ^|Δ|`.

        x_0 = e_0,        x_t = ρ x_{t-1} + √(1 − ρ²) e_t.

    Args:
        coefficient: ρ, from −1 to 1; at ±1 the sequence is one number, with ρ's sign pattern.

    Raises:
        RemanenceError: if ρ is outside [−1, 1].

    Source: Box & Jenkins, *Time Series Analysis*; ρ as in Zucchet & Orvieto 2024, §2.

        >>> Autoregressive(0.5).autocorrelation(3).tolist()
        [1.0, 0.5, 0.25]
    """

    coefficient: float = eqx.field(static=True)

    def __init__(self, coefficient: float | int):
        if not -1 <= coefficient <= 1:
            raise RemanenceError(
                f"Autoregressive: coefficient must lie in [−1, 1], got {coefficient}: "
                "beyond that no stationary process exists"
            )
        self.coefficient = float(coefficient)

    def autocorrelation(self, length: int) -> Float64[np.ndarray, " length"]:
        return self.coefficient ** np.arange(length, dtype=np.float64)

    def noise_length(self, length: int) -> int:
        return length

    def colour(
        self, noise: Float[Array, "noise channels"], length: int
    ) -> Float[Array, "time channels"]:
        rho = self.coefficient
        # (1 − ρ)(1 + ρ) keeps its digits near |ρ| = 1, 1 − ρ² does not.
        innovation = math.sqrt((1 - rho) * (1 + rho))
        factors = jnp.full(noise.shape[1:], rho, noise.dtype)
        rest = linear_recurrence(factors, innovation * noise[1:], noise[0])
        return jnp.concatenate([noise[:1], rest])


class Arfima(AbstractProcess):
    """Fractionally integrated noise, ARFIMA(0, d, 0): `(1 − B)^d x_t = e_t`, B the lag.

        γ(0) = Γ(1 − 2d) / Γ(1 − d)²,        γ(k) = γ(k − 1) (k − 1 + d) / (k − d).

    `γ(k) ~ k^{2d−1}`: for d > 0 its sum diverges (long memory), for d < 0 it sums to zero.
    Generated exactly: the covariance is embedded in a circulant matrix of size `2 (T − 1)`, whose
    symmetric square root is two Fourier transforms away. Its eigenvalues are non-negative for
    every |d| < ½.

    Args:
        memory: d, strictly between −½ and ½.
        unit_variance: divide γ by γ(0), so that `R(0) = 1`; otherwise `e_t` has variance 1.

    Raises:
        RemanenceError: if `memory` is outside (−½, ½).

    Source: Hosking 1981 (γ); Davies & Harte 1987 (embedding); Craigmile 2003 (non-negativity).

        >>> Arfima(0.25).autocorrelation(2).round(6).tolist()
        [1.0, 0.333333]
    """

    memory: float = eqx.field(static=True)
    unit_variance: bool = eqx.field(static=True)

    def __init__(self, memory: float | int, *, unit_variance: bool = True):
        if not -0.5 < memory < 0.5:
            raise RemanenceError(
                f"Arfima: memory must lie strictly between −0.5 and 0.5, got {memory}: "
                "beyond that no stationary, invertible process exists"
            )
        self.memory = float(memory)
        self.unit_variance = unit_variance

    def autocorrelation(self, length: int) -> Float64[np.ndarray, " length"]:
        lag = np.arange(1, length, dtype=np.float64)
        ratios = np.cumprod((lag - 1 + self.memory) / (lag - self.memory))
        log_variance = math.lgamma(1 - 2 * self.memory) - 2 * math.lgamma(1 - self.memory)
        variance = 1.0 if self.unit_variance else math.exp(log_variance)
        return variance * np.concatenate([np.ones(1), ratios])[:length]

    def noise_length(self, length: int) -> int:
        return max(1, 2 * (length - 1))

    def colour(
        self, noise: Float[Array, "noise channels"], length: int
    ) -> Float[Array, "time channels"]:
        covariance = self.autocorrelation(length)
        if length == 1:
            return math.sqrt(covariance[0]) * noise
        # The circulant's first row goes up to lag T − 1 and back; its spectrum is real.
        power = np.fft.rfft(np.concatenate([covariance, covariance[-2:0:-1]])).real
        if power.min() < -1e-12 * power.max():
            raise NumericalError(
                f"Arfima: the circulant embedding for d = {self.memory} and length {length} has "
                f"a negative eigenvalue ({power.min():.3g})"
            )
        gain = np.sqrt(np.maximum(power, 0.0))
        spectrum = jnp.fft.rfft(noise, axis=0)
        coloured = spectrum * jnp.asarray(gain, spectrum.dtype)[:, None]
        return jnp.fft.irfft(coloured, noise.shape[0], axis=0)[:length]


class Superposition(AbstractProcess):
    """A sum of independent processes: `x = Σ √v_i x^(i)`, `R = Σ v_i R_i`.

    Args:
        processes: the parts.
        variances: what each part's autocorrelation is multiplied by, as many, not negative.

    Raises:
        RemanenceError: if there are no processes, not as many variances, or a negative one.

        >>> Superposition([White(), Autoregressive(0.5)], [1.0, 2.0]).autocorrelation(3).tolist()
        [3.0, 1.0, 0.5]
    """

    processes: tuple[AbstractProcess, ...]
    variances: tuple[float, ...] = eqx.field(static=True)

    def __init__(self, processes: Sequence[AbstractProcess], variances: Sequence[float | int]):
        if not processes or len(processes) != len(variances):
            raise RemanenceError(
                "Superposition: needs one variance per process and at least one process; "
                f"got {len(processes)} processes and {len(variances)} variances"
            )
        if not all(math.isfinite(v) and v >= 0 for v in variances):
            raise RemanenceError(
                f"Superposition: variances must be finite and not negative, got {list(variances)}"
            )
        self.processes = tuple(processes)
        self.variances = tuple(float(v) for v in variances)

    def autocorrelation(self, length: int) -> Float64[np.ndarray, " length"]:
        parts = [p.autocorrelation(length) for p in self.processes]
        return np.asarray(self.variances) @ np.stack(parts)

    def noise_length(self, length: int) -> int:
        return sum(process.noise_length(length) for process in self.processes)

    def colour(
        self, noise: Float[Array, "noise channels"], length: int
    ) -> Float[Array, "time channels"]:
        total = jnp.zeros((length, noise.shape[1]), noise.dtype)
        start = 0
        for process, variance in zip(self.processes, self.variances, strict=True):
            stop = start + process.noise_length(length)
            total = total + math.sqrt(variance) * process.colour(noise[start:stop], length)
            start = stop
        return total


def word_embeddings() -> Superposition:
    """What one feature of word embeddings of English text looks like to a linear recurrence.

        R(Δ) = 0.0431 · 0.99701^|Δ| + 0.332 · [Δ = 0]

    Source: Zucchet & Orvieto 2024, the fit to BERT's embeddings of Wikipedia (Figure 5).
    """
    return Superposition((Autoregressive(0.99701), White()), (0.0431, 0.332))
