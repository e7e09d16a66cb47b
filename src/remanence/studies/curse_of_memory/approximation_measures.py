"""Errors and spectra of the best exponential sums, and the span of HiPPO-LegS."""

import dataclasses
from collections.abc import Callable

import numpy as np
import scipy.linalg
import scipy.special
from jaxtyping import Float64

from remanence.layers.hippo import legs
from remanence.studies.curse_of_memory.approximation_settings import (
    FADING,
    HUMP,
    ApproximationSettings,
    fading,
    hump,
    law_name,
    power_law,
)
from remanence.theory.exponential_sums import (
    ExponentialSum,
    Kernel,
    UniformExponentialSum,
    free_exponential_sum,
    uniform_basis,
    uniform_exponential_sums,
)

BEST, UNIT, FREE, STABLE = "uniform, best β", "uniform, β = 1", "free", "free, stable"
CONFLUENT = "confluent, stable"
"""All rates at the bound: polynomials times `e^{−w_min t}`, the Laguerre functions."""


@dataclasses.dataclass(frozen=True)
class Ladder:
    """One kernel by one family of sums, over widths: relative error and slowest rate."""

    kernel: str
    family: str
    widths: tuple[int, ...]
    errors: Float64[np.ndarray, " widths"]
    slowest: Float64[np.ndarray, " widths"]
    used: tuple[int, ...]

    def slope(self, back: int = 0) -> float:
        """`−d log error / d log m` over the last doubling, or so many before it."""
        slopes = -np.diff(np.log(self.errors)) / np.diff(np.log(self.widths))
        return float(slopes[-1 - back])

    def root_slopes(self) -> Float64[np.ndarray, " steps"]:
        """`−d log error / d √m` between neighbouring widths."""
        return np.diff(-np.log(self.errors)) / np.diff(np.sqrt(self.widths))


@dataclasses.dataclass(frozen=True)
class Approximation:
    """Every ladder, and the largest deviations of the LegS identity and of its span."""

    ladders: tuple[Ladder, ...]
    legs_response: float
    legs_span: float

    def ladder(self, kernel: str, family: str) -> Ladder:
        """The one of that kernel and family."""
        (found,) = (one for one in self.ladders if (one.kernel, one.family) == (kernel, family))
        return found

    def having(self, family: str) -> tuple[Ladder, ...]:
        """All of a family."""
        return tuple(one for one in self.ladders if one.family == family)


def measure(s: ApproximationSettings, heard: Callable[[float, str], None]) -> Approximation:
    """Everything the claims need; `heard(share, what)` at every sum."""
    kernels: dict[str, Kernel] = {law_name(p): power_law(p) for p in s.powers}
    kernels |= {FADING: fading, HUMP: hump}
    free = [law_name(p) for p in s.free_powers] + [FADING, HUMP]
    ladders = []
    for place, (name, kernel) in enumerate(kernels.items()):
        heard(0.3 * place / len(kernels), f"uniform rates for {name}")
        for family, rate in ((BEST, None), (UNIT, 1.0)):
            sums = uniform_exponential_sums(kernel, s.widths, rate=rate)
            ladders.append(_ladder(name, family, s.widths, sums))
    jobs = [
        *((name, FREE, s.free_widths, None) for name in free),
        (law_name(s.powers[0]), STABLE, s.stable_widths, s.least_rate),
    ]
    for place, (name, family, widths, least) in enumerate(jobs):
        sums = []
        for done, width in enumerate(widths):
            heard(0.3 + 0.7 * (place + done / len(widths)) / len(jobs), f"{family} rates: {name}")
            sums.append(free_exponential_sum(kernels[name], width, min_rate=least))
        ladders.append(_ladder(name, family, widths, sums))
    confluent = laguerre_errors(s.powers[0], s.least_rate, s.stable_widths)
    least = np.full(confluent.size, s.least_rate)
    widths = s.stable_widths
    ladders.append(Ladder(law_name(s.powers[0]), CONFLUENT, widths, confluent, least, widths))
    return Approximation(tuple(ladders), *legs_deviations(s.legs_order, s.legs_time))


def _ladder(
    kernel: str,
    family: str,
    widths: tuple[int, ...],
    sums: tuple[UniformExponentialSum, ...] | list[ExponentialSum],
) -> Ladder:
    return Ladder(
        kernel,
        family,
        widths,
        np.array([one.relative_error for one in sums]),
        np.array([-one.spectral_abscissa for one in sums]),
        tuple(one.rates.size for one in sums),
    )


def laguerre_errors(
    exponent: float, rate: float, widths: tuple[int, ...]
) -> Float64[np.ndarray, " widths"]:
    """Relative errors of `(1 + t)^{−p}` by `√(2w) e^{−wt} L_n(2wt)`, n < width.

    Coordinates by Gauss–Legendre on panels that double, up to where the functions have ended.
    """
    n = np.arange(max(widths))
    x, weight = np.polynomial.legendre.leggauss(60)
    edges = np.append(0.0, np.geomspace(1e-3, (4 * max(widths) + 40) / rate, 40))
    half = np.diff(edges)[:, None] / 2
    t = (edges[:-1, None] + half * (x + 1)).ravel()
    basis = np.sqrt(2 * rate) * np.exp(-rate * t)[:, None]
    basis = basis * scipy.special.eval_laguerre(n, 2 * rate * t[:, None])
    coordinates = ((half * weight).ravel() * power_law(exponent)(t)) @ basis
    left = 1 - np.cumsum(coordinates**2) * (2 * exponent - 1)
    return np.sqrt(left[np.array(widths) - 1])


def legs_deviations(order: int, horizon: float) -> tuple[float, float]:
    """LegS against its closed form, and what of it lies outside the span of uniform rates.

    Largest `|(e^{tA} B)_n − √(2n+1) e^{−t} P_n(2e^{−t} − 1)| / √(2n+1)` on 41 times up to the
    horizon, and the largest residual of it by the basis of the rates 1 … N, coordinates by
    Gauss–Legendre in `s = e^{−t}` (exact: `∫ · dt = ∫ · ds/s` of polynomials with a factor s²).
    """
    A, B = legs(order)
    times = np.linspace(0, horizon, 41)
    responses = np.stack([scipy.linalg.expm(t * A) @ B for t in times])
    n = np.arange(order)
    root = np.sqrt(2.0 * n + 1)

    def closed(s: np.ndarray) -> np.ndarray:
        return root * s[:, None] * scipy.special.eval_legendre(n, 2 * s[:, None] - 1)

    against = np.abs(responses - closed(np.exp(-times))) / root
    x, weight = np.polynomial.legendre.leggauss(order + 1)
    s = (x + 1) / 2
    basis = uniform_basis(-np.log(s), order)
    coordinates = basis.T @ ((weight / (2 * s))[:, None] * closed(s))
    outside = np.abs(uniform_basis(times, order) @ coordinates - responses) / root
    return float(against.max()), float(outside.max())
