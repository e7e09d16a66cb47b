"""Memory kernels `ρ(t)` of linear functionals, as callables, with their norms in closed form.

A linear, causal, time-homogeneous functional with decaying memory is `H_t(x) = ∫_0^∞ ρ(s) x_{t−s}
ds`; its norm is `∫ |ρ|`. These are the targets that the curse of memory is measured on. Any
function of an array of times can stand where a kernel is asked for.
"""

import abc
import dataclasses
import math
from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy.special import airy, gamma, gammaln, log_ndtr, ndtr, xlogy

from remanence.errors import NumericalError, RemanenceError
from remanence.theory._grids import panels, real_array, real_number, shown, time_array

_AIRY_END = 24.0
"""Ai(24) is 2e-35 of its largest value."""

_MOST_ZEROS = 1_000_000
_SPREAD = np.array([0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 39.0])
"""In widths of a Gaussian, which is 0 in float64 from 39 on."""


class AbstractKernel(abc.ABC):
    """A real function of time t ≥ 0: `kernel(t)` takes and gives an array of any shape.

    Kernels evaluate with NumPy in float64. `RemanenceError` for times below 0, NaN or complex.
    `break_points()`, where there is one, says where quadrature must look: between them and octaves
    of time the kernel is smooth.
    """

    @abc.abstractmethod
    def __call__(self, t: Any) -> Float64[np.ndarray, "..."]:
        """`ρ(t)`."""


@dataclasses.dataclass(frozen=True)
class ExponentialKernel(AbstractKernel):
    """`ρ(t) = t^k e^{−βt}` with rate β > 0 and power k ≥ 0 (0 if not given).

    >>> float(ExponentialKernel(2.0).l1_norm())
    0.5
    """

    rate: float | int
    power: float | int = 0

    def __post_init__(self) -> None:
        real_number("ExponentialKernel", "rate", self.rate, above=0)
        real_number("ExponentialKernel", "power", self.power, least=0)

    def __call__(self, t: Any) -> Float64[np.ndarray, "..."]:
        t = time_array("ExponentialKernel", t)
        power, rate = float(self.power), float(self.rate)
        with np.errstate(all="ignore"):
            plain = t**power * np.exp(-rate * t)
            # Where a factor leaves the range of float64 the product need not.
            by_logs = np.exp(xlogy(power, t) - rate * t)
            return np.where(np.isfinite(plain) & (plain > 0), plain, by_logs)

    def break_points(self) -> Float64[np.ndarray, " points"]:
        """Octaves around `k/β` and `1/β`."""
        octaves, rate = 2.0 ** np.arange(-8, 9), float(self.rate)
        with np.errstate(over="ignore"):
            peak, width = self.power / rate, math.sqrt(self.power + 1) / rate
            return np.concatenate(
                [width * octaves, peak + width * octaves, peak - width * octaves]
            )

    def l1_norm(self) -> float:
        """`Γ(k + 1)/β^{k+1}`; `NumericalError` if that is beyond float64."""
        return float(_gamma_ratio(self.power, self.rate))

    def l2_norm(self) -> float:
        """`√(Γ(2k + 1)/(2β)^{2k+1})`; `NumericalError` if that is beyond float64."""
        return float(_gamma_ratio(2.0 * self.power, 2.0 * self.rate, root=2))

    def laplace(self, s: Any) -> Float64[np.ndarray, "..."]:
        """`∫ ρ(t) e^{−st} dt = Γ(k + 1)/(s + β)^{k+1}`, s > −β."""
        s = _frequencies("ExponentialKernel", s, above=-float(self.rate))
        return _gamma_ratio(self.power, s + self.rate)


def _gamma_ratio(power: float | int, rates: Any, *, root: int = 1) -> Float64[np.ndarray, "..."]:
    """`(Γ(k + 1)/β^{k+1})^{1/root}`, by logarithms where a factor leaves the range of float64."""
    k, rates = float(power) + 1, np.asarray(rates, np.float64)
    with np.errstate(all="ignore"):
        plain = (gamma(k) / rates**k) ** (1 / root)
        by_logs = np.exp((gammaln(k) - k * np.log(rates)) / root)
        value = np.where(np.isfinite(plain) & (plain > 0), plain, by_logs)
    if not np.isfinite(value).all():
        raise NumericalError(
            f"ExponentialKernel: Γ(k + 1)/β^(k + 1) for power {power:g} is beyond float64; take a "
            "smaller power or a larger rate"
        )
    return value


@dataclasses.dataclass(frozen=True)
class PowerLawKernel(AbstractKernel):
    """`ρ(t) = (1 + ct)^{−p}` with exponent p > 0 and scale c > 0 (1 if not given).

    (1 + t)^{−1.1} is the target of the inverse approximation theorem's experiments,
    (1 + 0.1t)^{−1.1} that of StableSSM's public code. The norms are infinite where the integral
    diverges: for p ≤ 1 the functional is not bounded.
    """

    exponent: float | int
    scale: float | int = 1.0

    def __post_init__(self) -> None:
        real_number("PowerLawKernel", "exponent", self.exponent, above=0)
        real_number("PowerLawKernel", "scale", self.scale, above=0)

    def __call__(self, t: Any) -> Float64[np.ndarray, "..."]:
        t = time_array("PowerLawKernel", t)
        return np.asarray(np.exp(-self.exponent * np.log1p(self.scale * t)))

    def break_points(self) -> Float64[np.ndarray, " points"]:
        """Octaves from `1/c` on."""
        return 2.0 ** np.arange(-4, 41) / self.scale

    def l1_norm(self) -> float:
        """`1/(c(p − 1))` for p > 1, else infinite."""
        return 1 / (self.scale * (self.exponent - 1)) if self.exponent > 1 else math.inf

    def l2_norm(self) -> float:
        """`1/√(c(2p − 1))` for p > 1/2, else infinite."""
        excess = 2 * self.exponent - 1
        return 1 / math.sqrt(self.scale * excess) if excess > 0 else math.inf

    def laplace(self, s: Any) -> Float64[np.ndarray, "..."]:
        """`∫ ρ(t) e^{−st} dt = e^{s/c} E_p(s/c)/c`, s > 0, or s = 0 for p > 1.

        `E_p` is the generalised exponential integral, here by quadrature in `log(1 + ct)` to
        rounding: SciPy has it for whole p only.
        """
        s = _frequencies("PowerLawKernel", s, above=None if self.exponent > 1 else 0.0)
        if (s < 0).any():
            raise RemanenceError(f"PowerLawKernel: s must be at least 0, got {s.min():g}")
        return np.array([self._transform(float(one)) for one in s.ravel()]).reshape(s.shape)

    def _transform(self, s: float) -> float:
        if s == 0:
            return self.l1_norm()
        x, q = s / self.scale, 1.0 - self.exponent
        # The integrand is exp(q v − x(e^v − 1)) in v = log(1 + ct); past `end` it is < 1e-20.
        ratio = (60 + max(q, 0) * 40) / x if x > 0 else math.inf
        if math.isinf(ratio):
            raise NumericalError(f"PowerLawKernel: s = {s:g} is too near 0 for float64")
        end = math.log1p(ratio)
        v, weights = panels(np.linspace(0.0, end, 3 + math.ceil(2 * end)))
        return float(np.sum(weights * np.exp(q * v - x * np.expm1(v)))) / self.scale


@dataclasses.dataclass(frozen=True)
class AiryKernel(AbstractKernel):
    """`ρ(t) = Ai(s (t − t₀))` with delay t₀ ≥ 0 and stretch s > 0 (1 if not given).

    It oscillates for t < t₀ and dies beyond, so that the delay is the length of its memory.
    """

    delay: float | int
    stretch: float | int = 1.0

    def __post_init__(self) -> None:
        real_number("AiryKernel", "delay", self.delay, least=0)
        real_number("AiryKernel", "stretch", self.stretch, above=0)

    def __call__(self, t: Any) -> Float64[np.ndarray, "..."]:
        t = time_array("AiryKernel", t)
        # SciPy has NaN for it far out, where it is 0.
        return np.asarray(airy(np.minimum(self.stretch * (t - self.delay), 1e3))[0])

    def break_points(self) -> Float64[np.ndarray, " points"]:
        """The zeros, and steps of the stretch beyond the delay."""
        return self.delay + self._edges() / self.stretch

    def l1_norm(self) -> float:
        """`∫ |Ai|`, half-wave by half-wave between the zeros, by quadrature to rounding."""
        u, weights = panels(self._edges())
        return float(np.sum(weights * np.abs(airy(u)[0]))) / self.stretch

    def l2_norm(self) -> float:
        """`√((u Ai(−u)² + Ai'(−u)²)/s)`, `u = s t₀`."""
        u = self.stretch * self.delay
        value, slope = airy(-u)[:2]
        return math.sqrt((u * value**2 + slope**2) / self.stretch)

    def _edges(self) -> Float64[np.ndarray, " edges"]:
        """Of half-waves and of the end, in units of the argument of Ai."""
        start = -float(self.stretch) * self.delay
        # The k-th zero is near −(3π(4k − 1)/8)^{2/3}; more of them than needed.
        if -start > (_MOST_ZEROS * 1.5 * math.pi) ** (2 / 3):
            raise NumericalError(
                f"AiryKernel: more than {_MOST_ZEROS:,} zeros before the delay; take a shorter one"
            )
        zeros = _airy_zeros(2 + math.ceil((-start) ** 1.5 * 2 / (3 * math.pi)))
        return np.concatenate([[start], zeros[zeros > start], np.arange(0.0, _AIRY_END + 1)])


def _airy_zeros(count: int) -> Float64[np.ndarray, " zeros"]:
    """Zeros of Ai, ascending, by Newton's method from their asymptotes."""
    k = np.arange(count, 0, -1, dtype=np.float64)
    z = -((3 * np.pi * (4 * k - 1) / 8) ** (2 / 3))
    for _ in range(8):
        value, slope = airy(z)[:2]
        z = z - value / slope
    return z


@dataclasses.dataclass(frozen=True)
class BumpKernel(AbstractKernel):
    """`ρ(t) = a exp(−(t − t₁)²/(2σ²))`: a Gaussian bump at t₁ ≥ 0 of width σ and height a.

    With `t₁ = 1/ω` the second part of the targets whose learning has plateaus of length
    `ω² e^{c/ω}`.
    """

    centre: float | int
    width: float | int = 0.5
    height: float | int = 1.0

    def __post_init__(self) -> None:
        real_number("BumpKernel", "centre", self.centre, least=0)
        real_number("BumpKernel", "width", self.width, above=0)
        real_number("BumpKernel", "height", self.height)

    def __call__(self, t: Any) -> Float64[np.ndarray, "..."]:
        t = time_array("BumpKernel", t)
        with np.errstate(over="ignore"):
            apart = (t - self.centre) / self.width
            return np.asarray(self.height * np.exp(-(apart**2) / 2))

    def break_points(self) -> Float64[np.ndarray, " points"]:
        """The centre, and some widths to both sides of it."""
        return self.centre + self.width * np.concatenate([-_SPREAD, _SPREAD])

    def l1_norm(self) -> float:
        """`|a| σ √(2π) Φ(t₁/σ)`."""
        tail = float(ndtr(self.centre / self.width))
        return abs(self.height) * self.width * math.sqrt(2 * math.pi) * tail

    def l2_norm(self) -> float:
        """`|a| √(σ √π Φ(√2 t₁/σ))`."""
        tail = float(ndtr(math.sqrt(2) * self.centre / self.width))
        return abs(self.height) * math.sqrt(self.width * math.sqrt(math.pi) * tail)

    def laplace(self, s: Any) -> Float64[np.ndarray, "..."]:
        """`a σ √(2π) e^{−s t₁ + s²σ²/2} Φ(t₁/σ − sσ)`, without overflow."""
        s = _frequencies("BumpKernel", s)
        a = s * self.width
        exponent = a * (a / 2 - self.centre / self.width)
        log_value = exponent + log_ndtr(self.centre / self.width - a)
        return np.asarray(self.height * self.width * math.sqrt(2 * math.pi) * np.exp(log_value))


@dataclasses.dataclass(frozen=True)
class ShiftKernel(AbstractKernel):
    """`ρ(t) = 1` for `start < t < stop` (9 and 11 if not given), else 0: a blurred delay."""

    start: float | int = 9.0
    stop: float | int = 11.0

    def __post_init__(self) -> None:
        real_number("ShiftKernel", "start", self.start, least=0)
        real_number("ShiftKernel", "stop", self.stop, above=self.start)

    def __call__(self, t: Any) -> Float64[np.ndarray, "..."]:
        t = time_array("ShiftKernel", t)
        return np.where((t > self.start) & (t < self.stop), 1.0, 0.0)

    def break_points(self) -> Float64[np.ndarray, " points"]:
        """Its two ends."""
        return np.array([self.start, self.stop], np.float64)

    def l1_norm(self) -> float:
        """`stop − start`."""
        return float(self.stop - self.start)

    def l2_norm(self) -> float:
        """`√(stop − start)`."""
        return math.sqrt(self.stop - self.start)

    def laplace(self, s: Any) -> Float64[np.ndarray, "..."]:
        """`(e^{−s start} − e^{−s stop})/s`; the width at s = 0."""
        s = _frequencies("ShiftKernel", s)
        width = self.stop - self.start
        safe = np.where(s == 0, 1.0, s)
        ratio = np.where(s == 0, width, -np.expm1(-safe * width) / safe)
        return np.asarray(np.exp(-s * self.start) * ratio)


@dataclasses.dataclass(frozen=True)
class TwoPartKernel(AbstractKernel):
    """`ρ(t) = e^{−βt} + exp(−(t − t₁)²/(2σ²))`, by default `e^{−t} + e^{−(t−9)²}`.

    A part that one exponential learns at once, and one that it does not see.
    """

    rate: float | int = 1.0
    centre: float | int = 9.0
    width: float | int = math.sqrt(0.5)

    def __post_init__(self) -> None:
        real_number("TwoPartKernel", "rate", self.rate, above=0)
        real_number("TwoPartKernel", "centre", self.centre, least=0)
        real_number("TwoPartKernel", "width", self.width, above=0)

    @property
    def parts(self) -> tuple[ExponentialKernel, BumpKernel]:
        """The exponential and the bump."""
        return ExponentialKernel(self.rate), BumpKernel(self.centre, self.width)

    def __call__(self, t: Any) -> Float64[np.ndarray, "..."]:
        t = time_array("TwoPartKernel", t)
        return np.asarray(self.parts[0](t) + self.parts[1](t))

    def break_points(self) -> Float64[np.ndarray, " points"]:
        """Those of both."""
        return np.concatenate([part.break_points() for part in self.parts])

    def l1_norm(self) -> float:
        """The sum of both: neither is ever negative."""
        return self.parts[0].l1_norm() + self.parts[1].l1_norm()

    def l2_norm(self) -> float:
        """With the cross term `2 ∫ e^{−βt} bump(t) dt`, a Laplace transform of the bump."""
        exponential, bump = self.parts
        cross = float(bump.laplace(self.rate))
        return math.sqrt(exponential.l2_norm() ** 2 + 2 * cross + bump.l2_norm() ** 2)

    def laplace(self, s: Any) -> Float64[np.ndarray, "..."]:
        """The sum of both, s > −β."""
        return np.asarray(self.parts[0].laplace(s) + self.parts[1].laplace(s))


@dataclasses.dataclass(frozen=True)
class SumKernel(AbstractKernel):
    """`ρ(t) = Σ_i w_i ρ_i(t)` of any kernels, or any functions of time; weights 1 if not given.

    >>> float(SumKernel((ExponentialKernel(1), ExponentialKernel(2)), (3.0, -1.0))(0.0))
    2.0
    """

    parts: tuple[Any, ...]
    weights: tuple[float | int, ...] | None = None

    def __post_init__(self) -> None:
        several = isinstance(self.parts, tuple | list) and len(self.parts) > 0
        if not several or not all(callable(part) for part in self.parts):
            raise RemanenceError("SumKernel: parts must be a tuple, one or more functions of time")
        if self.weights is None:
            return
        weights = real_array("SumKernel", "weights", self.weights)
        if weights.ndim != 1 or weights.size != len(self.parts):
            raise RemanenceError(
                f"SumKernel: {weights.size} weights for {len(self.parts)} parts; give one each"
            )

    def __call__(self, t: Any) -> Float64[np.ndarray, "..."]:
        t = time_array("SumKernel", t)
        total = np.zeros(t.shape)
        for weight, part in zip(self._weights(), self.parts, strict=True):
            value = real_array("SumKernel", f"the part {shown(part)}", part(t))
            if value.shape not in (t.shape, ()):
                raise RemanenceError(
                    f"SumKernel: a part answers times {t.shape} with shape {value.shape}"
                )
            total = total + weight * value
        return np.asarray(total)

    def laplace(self, s: Any) -> Float64[np.ndarray, "..."]:
        """`Σ_i w_i L_i(s)`; every part needs a transform of its own."""
        lacking = [part for part in self.parts if not hasattr(part, "laplace")]
        if lacking:
            raise RemanenceError(
                f"SumKernel: {type(lacking[0]).__name__} has no Laplace transform in closed form"
            )
        s = _frequencies("SumKernel", s)
        total = np.zeros(s.shape)
        for weight, part in zip(self._weights(), self.parts, strict=True):
            total = total + weight * part.laplace(s)
        return np.asarray(total)

    def _weights(self) -> tuple[float | int, ...]:
        return (1.0,) * len(self.parts) if self.weights is None else self.weights


def _frequencies(owner: str, s: Any, *, above: float | None = None) -> np.ndarray:
    s = real_array(owner, "s", s)
    if above is not None and (s <= above).any():
        raise RemanenceError(f"{owner}: the transform converges for s > {above:g} only")
    return s
