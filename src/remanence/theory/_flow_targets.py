"""What the gradient flow needs of a target: its Laplace transform, the slope of it, its energy."""

import abc
import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.special
from jaxtyping import Float64

from remanence.errors import RemanenceError
from remanence.theory._exponential_quadrature import (
    Kernel,
    SampledKernel,
    sample_kernel,
)
from remanence.theory._grids import real_array, real_number, time_array
from remanence.theory.kernels import BumpKernel

Rates = Float64[np.ndarray, "*rates"]

_SERIES = 12.0
"""From where the asymptotic series of `1 − √π x erfcx(x)` has more digits than the difference."""

_ROOT = math.sqrt(2 * math.pi)


def _rates(owner: str, rates: Any) -> Rates:
    w = real_array(owner, "rates", rates)
    if (w < 0).any():
        raise RemanenceError(f"{owner}: rates must be at least 0, got {w.min():g}")
    return w


class AbstractFlowTarget(abc.ABC):
    """A target kernel ρ on [0, ∞)."""

    @abc.abstractmethod
    def transform(self, rates: Any) -> tuple[Rates, Rates]:
        """`L(w) = ∫ρ e^{−wt} dt` and `L'(w)`."""

    @property
    @abc.abstractmethod
    def energy(self) -> float:
        """`∫ρ² dt`."""

    @abc.abstractmethod
    def __call__(self, times: Any) -> Float64[np.ndarray, "*times"]:
        """`ρ(t)`."""


@dataclasses.dataclass(frozen=True)
class ExponentialTarget(AbstractFlowTarget):
    """`ρ(t) = Σ_j a*_j e^{−w*_j t}`: `L(w) = Σ_j a*_j / (w + w*_j)`.

    Example:
        >>> ExponentialTarget([1.0], [1.0]).energy
        0.5
    """

    coefficients: Sequence[float | int] | np.ndarray
    rates: Sequence[float | int] | np.ndarray

    def __post_init__(self) -> None:
        a = real_array("ExponentialTarget", "coefficients", self.coefficients)
        w = real_array("ExponentialTarget", "rates", self.rates)
        if a.ndim != 1 or a.shape != w.shape or not (w > 0).all():
            raise RemanenceError(
                "ExponentialTarget: give as many coefficients as rates, and positive rates"
            )
        object.__setattr__(self, "coefficients", a)
        object.__setattr__(self, "rates", w)

    def transform(self, rates: Any) -> tuple[Rates, Rates]:
        sums = _rates("ExponentialTarget", rates)[..., None] + np.asarray(self.rates)
        value, slope = (self.coefficients / sums).sum(-1), (self.coefficients / sums**2).sum(-1)
        return np.asarray(value), np.asarray(-slope)

    @property
    def energy(self) -> float:
        w = np.asarray(self.rates)
        return float(self.coefficients @ (self.coefficients / (w[:, None] + w)).sum(-1))

    def __call__(self, times: Any) -> Float64[np.ndarray, "*times"]:
        t = time_array("ExponentialTarget", times)
        return np.asarray(np.exp(-t[..., None] * self.rates) @ self.coefficients)


@dataclasses.dataclass(frozen=True)
class DelayedGaussian(AbstractFlowTarget):
    """`ρ(t) = c e^{−(t − D)²/(2σ²)}` on [0, ∞); D = 1/ω is the memory.

        L(w) = c σ √(2π) e^{−wD + w²σ²/2} Φ(D/σ − wσ),   ∫ρ² = c² σ √π Φ(√2 D/σ)

    and `L' = −(D − wσ²) L − c σ² e^{−D²/(2σ²)}`. Beyond `w = D/σ²` by `erfcx`, and `L'` far
    beyond by its asymptotic series, so that nothing overflows and nothing cancels.

    Source: derived (completing the square).

    Raises:
        RemanenceError: if the delay is below 0, the width not positive, or one no finite number.
    """

    delay: float | int
    width: float | int = 1.0
    height: float | int = 1.0
    _kernel: BumpKernel = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        owner = "DelayedGaussian"
        delay = real_number(owner, "delay", self.delay, least=0)
        width = real_number(owner, "width", self.width, above=0)
        height = real_number(owner, "height", self.height)
        if not math.isfinite(height * height * width):
            raise RemanenceError(
                f"{owner}: the energy of height {height:g} and width {width:g} overflows; scale "
                "the kernel"
            )
        object.__setattr__(self, "_kernel", BumpKernel(delay, width, height))

    def transform(self, rates: Any) -> tuple[Rates, Rates]:
        rates = _rates("DelayedGaussian", rates)
        D, s = float(self.delay), float(self.width)
        z = D / s - rates * s
        floor = math.exp(-(D / s) * (D / s) / 2)
        if z.size and z.min() > 0:
            # Φ is no tail, and neither form is needed but this.
            exponent = -rates * (D - rates * s**2 / 2)
            value = self.height * s * _ROOT * np.exp(exponent) * scipy.special.ndtr(z)
            return np.asarray(value), np.asarray(-s * z * value - self.height * s**2 * floor)
        near = z > 0
        exponent = np.where(near, -rates * (D - rates * s**2 / 2), 0.0)
        first = _ROOT * np.exp(exponent) * scipy.special.ndtr(np.where(near, z, 0.0))
        # e^{−wD + w²σ²/2} Φ(z) = ½ e^{−D²/2σ²} erfcx(−z/√2)
        x = np.where(near, 0.0, -z) / math.sqrt(2)
        second = _ROOT / 2 * floor * scipy.special.erfcx(x)
        value = self.height * s * np.where(near, first, second)
        slope = -s * z * value - self.height * s**2 * floor
        far = -self.height * s**2 * floor * _mills_gap(np.maximum(x, _SERIES))
        return value, np.where(x > _SERIES, far, slope)

    @property
    def energy(self) -> float:
        return self._kernel.l2_norm() ** 2

    def __call__(self, times: Any) -> Float64[np.ndarray, "*times"]:
        return self._kernel(times)


def _mills_gap(x: Rates) -> Rates:
    """`1 − √π x erfcx(x) = 1/(2x²) − 3/(4x⁴) + 15/(8x⁶) − …` for large x."""
    term, total = np.ones_like(x), np.zeros_like(x)
    for k in range(1, 25):
        term = -term * (2 * k - 1) / (2 * x**2)
        total = total - term
    return total


class KernelTarget(AbstractFlowTarget):
    """Any square-integrable ρ: a function of an array of times, or values on a grid `times`.

    By quadrature as in `exponential_sums`, good for rates from 1e-3 to 1e3 times those of the
    kernel itself; `fastest` says of a rate that must be resolved as well.

    Raises:
        RemanenceError: if the kernel is not square-integrable, not real or not to be resolved, or
            `fastest` is no positive number.
    """

    _sampled: SampledKernel

    def __init__(self, kernel: Kernel, *, times: Any = None, fastest: float | None = None) -> None:
        if fastest is not None:
            fastest = real_number("KernelTarget", "fastest", fastest, above=0)
        self._kernel = kernel
        self._sampled = sample_kernel(kernel, times, owner="KernelTarget", rate=fastest)

    def transform(self, rates: Any) -> tuple[Rates, Rates]:
        t = self._sampled.times
        weighted = self._sampled.weights * self._sampled.values
        decays = np.exp(-_rates("KernelTarget", rates)[..., None] * t)
        return np.asarray(decays @ weighted), np.asarray(-(decays @ (weighted * t)))

    @property
    def energy(self) -> float:
        return self._sampled.energy

    def __call__(self, times: Any) -> Float64[np.ndarray, "*times"]:
        t = time_array("KernelTarget", times)
        if callable(self._kernel):
            values = real_array("KernelTarget", "the kernel's value", self._kernel(t.ravel()))
            return values.reshape(t.shape)
        return np.asarray(np.interp(t, self._sampled.times, self._sampled.values, right=0.0))


class PlateauTarget(AbstractFlowTarget):
    """`ρ_ω(t) = ρ̄(t) + ρ_0(t − 1/ω)`: an exponential sum, and a Gaussian seen only late.

    At `ρ̂ = ρ̄` the loss is `‖ρ_0‖²`, however late, and its gradient of order `e^{−w/ω}`.

    Source: Li, Han, E & Li (ICLR 2021), recalled; the Gaussian template is one of theirs.
    """

    def __init__(self, memory: ExponentialTarget, late: DelayedGaussian) -> None:
        for part, kind in ((memory, ExponentialTarget), (late, DelayedGaussian)):
            if not isinstance(part, kind):
                raise RemanenceError(
                    f"PlateauTarget: give an ExponentialTarget and a DelayedGaussian, got "
                    f"{type(part).__name__} for the {kind.__name__}"
                )
        self.memory, self.late = memory, late

    def transform(self, rates: Any) -> tuple[Rates, Rates]:
        early, late = self.memory.transform(rates), self.late.transform(rates)
        return np.asarray(early[0] + late[0]), np.asarray(early[1] + late[1])

    @property
    def energy(self) -> float:
        crossed = self.memory.coefficients @ self.late.transform(np.asarray(self.memory.rates))[0]
        return self.memory.energy + self.late.energy + 2 * float(crossed)

    def __call__(self, times: Any) -> Float64[np.ndarray, "*times"]:
        return np.asarray(self.memory(times) + self.late(times))
