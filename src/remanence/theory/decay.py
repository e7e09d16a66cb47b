"""Exponential or power law? What a measured memory function says, and when it cannot say."""

import dataclasses
import math
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64

from remanence.errors import RemanenceError
from remanence.theory._decay_curves import (
    DecayCurve,
    curve_of,
    effective_points,
    exponential_fit,
    polynomial_fit,
    power_law_fit,
    two_exponentials_fit,
)
from remanence.theory._grids import real_array, real_number, rising_grid
from remanence.theory.memory_functions import MemoryFunction

DecayVerdict = Literal["exponential", "power law", "undecided"]

LEAST_DIFFERENCE = 10.0
"""A law is preferred when Akaike's criterion of the other is worse by more than this."""

LEAST_POINTS = 12
LEAST_DECADES = 1.0
LARGEST_RMS = 0.5
_ABOVE_FLOOR = 100.0
_MOST_POINTS = 400


@dataclasses.dataclass(frozen=True)
class DecayFit:
    """What the decay of a memory function looks like over the range that could be used.

    - `verdict`: "exponential", "power law" or "undecided"; `reason`: one line that says why.
    - `exponential`: `A e^{−βt}`, or with a power of t or a second, faster exponential where the
      criterion of that is better by more than 10; `power_law`. None where there are too few
      points.
    - `aic_difference`: Akaike's criterion of the power law minus that of the exponential;
      positive speaks for the exponential.
    - `first`, `last`: the times that the fit used; `decades`: by how many factors of ten the
      values fall between them.
    - `points` used, and how many independent ones they are worth (`effective_points`).
    - `reached_floor`: whether values at later times are within rounding noise.
    """

    verdict: DecayVerdict
    reason: str
    exponential: DecayCurve | None
    power_law: DecayCurve | None
    aic_difference: float
    first: float
    last: float
    decades: float
    points: int
    effective_points: float
    reached_floor: bool

    @property
    def best(self) -> DecayCurve | None:
        """The curve of the verdict; of "undecided" that with the smaller criterion."""
        return self.power_law if self.aic_difference < 0 else self.exponential


def fit_decay(
    values: Any,
    *,
    times: Any = None,
    floor: float | int | None = None,
    skip: float | int = 0.25,
    confidence: float | int = 0.95,
) -> DecayFit:
    """Fit exponential laws and a power law to a memory function, and say which one it is.

        M ≈ A e^{−βt},  A t^k e^{−βt}  or  A e^{−βt} + A' e^{−β't}
        against  M ≈ A (1 + t/τ)^{−p},        least squares in log M

    What is fitted is the upper envelope: the points above everything that comes later, so that
    the zeros of an oscillating response do not count. Left out are times from where the values
    stay within 100 times the `floor`, and the first share `skip` of the fall of `log M`, where
    faster modes still speak. τ is at most a fifth of the range: a longer one would be an
    exponential in disguise.

    The verdict is that of Akaike's criterion, if the difference exceeds 10, the better law is
    within a factor e^{0.5} (rms), and the values fall by at least a decade over twelve points;
    else "undecided". It holds over the range of the fit: a sum of many exponentials is a power
    law over the range that it imitates one, and no measurement sees beyond its end.

    Args:
        values: M, a `MemoryFunction` or an array `(time,)`; magnitudes are taken, so that the
            impulse response of one input and one output may be given.
        times: `(time,)`, ascending; steps from 0 if not given.
        floor: the noise of the values; that of the `MemoryFunction`, else 2e-16 of the largest.
        skip: from 0 to below 1.
        confidence: of the intervals. Residuals of a smooth curve are correlated; intervals and
            criterion count `n (1 − r)/(1 + r)` points, r the correlation of neighbours.

    Raises:
        RemanenceError: for NaN, complex numbers or shapes that do not fit.

    Source: derived; the criterion is Akaike's (1974).

        >>> fit_decay(0.9 ** np.arange(200.0)).verdict
        'exponential'
        >>> fit_decay((1 + 0.1 * np.arange(2000.0)) ** -1.1).verdict
        'power law'
    """
    owner = "fit_decay"
    if isinstance(values, MemoryFunction):
        times = values.times if times is None else times
        floor = values.floor if floor is None else floor
        values = values.values
    size = np.abs(real_array(owner, "values", values))
    if size.ndim != 1 or not size.size:
        raise RemanenceError(
            f"{owner}: values have shape {size.shape}, expected (time,); of an impulse response "
            "with several channels give np.abs(g).sum(axis=-1) of one output"
        )
    t = np.arange(size.size, dtype=np.float64)
    if times is not None:
        t = rising_grid(owner, times, size.size)
    noise = np.finfo(np.float64).eps * float(size.max())
    if floor is not None:
        noise = real_number(owner, "floor", floor, least=0)
    skip = real_number(owner, "skip", skip, least=0)
    confidence = real_number(owner, "confidence", confidence, above=0)
    if skip >= 1 or confidence >= 1:
        raise RemanenceError(f"{owner}: skip and confidence must be below 1")
    above = np.flatnonzero(size > _ABOVE_FLOOR * noise)
    stop = int(above[-1]) + 1 if above.size else 0
    chosen = _envelope(size[:stop])
    if chosen.size:
        chosen = _without_start(chosen, size, skip)
    # t^k and (1 + t/τ)^−p with τ → 0 have no logarithm at 0.
    chosen = _thinned(chosen[t[chosen] > 0])
    return _judged(t[chosen], size[chosen], confidence, reached_floor=stop < size.size)


def _judged(
    t: np.ndarray, size: np.ndarray, confidence: float, *, reached_floor: bool
) -> DecayFit:
    span = (float(t[0]), float(t[-1])) if t.size else (math.nan, math.nan)
    decades = math.log10(size[0] / size[-1]) if t.size else 0.0
    if t.size < LEAST_POINTS:
        return DecayFit(
            verdict="undecided",
            reason=f"only {t.size} points above noise and after the start; at least "
            f"{LEAST_POINTS} are needed",
            exponential=None,
            power_law=None,
            aic_difference=0.0,
            first=span[0],
            last=span[1],
            decades=decades,
            points=int(t.size),
            effective_points=float(t.size),
            reached_floor=reached_floor,
        )
    log_values = np.log(size)
    law = power_law_fit(t, log_values)
    plain, *others = (
        fit
        for fit in (
            exponential_fit(t, log_values),
            polynomial_fit(t, log_values),
            two_exponentials_fit(t, log_values) if decades > 0 else None,
        )
        if fit is not None
    )
    effective = effective_points(min((plain, *others, law), key=lambda fit: fit.rms))
    exponential = curve_of(plain, effective, confidence)
    for fit in others:
        curve = curve_of(fit, effective, confidence)
        if curve.aic < exponential.aic - LEAST_DIFFERENCE:
            exponential = curve
    power = curve_of(law, effective, confidence)
    difference = power.aic - exponential.aic
    preferred = exponential if difference > 0 else power
    verdict: DecayVerdict = "undecided"
    slope = preferred.parameters["rate" if preferred is exponential else "exponent"]
    if decades < LEAST_DECADES:
        reason = f"the values fall by {decades:.2g} decades only, less than {LEAST_DECADES:g}"
    elif slope <= 0:
        reason = "the better law does not decay"
    elif preferred.rms > LARGEST_RMS:
        reason = f"neither law describes the values: rms of log M {preferred.rms:.2g} at best"
    elif abs(difference) <= LEAST_DIFFERENCE:
        reason = (
            f"both laws describe the values: Akaike's criterion differs by {abs(difference):.1f}"
        )
    else:
        verdict = "exponential" if preferred is exponential else "power law"
        reason = (
            f"Akaike's criterion is {abs(difference):.0f} better over {decades:.1f} decades, "
            f"t = {span[0]:g} to {span[1]:g}"
        )
    return DecayFit(
        verdict=verdict,
        reason=reason,
        exponential=exponential,
        power_law=power,
        aic_difference=float(difference),
        first=span[0],
        last=span[1],
        decades=decades,
        points=int(t.size),
        effective_points=effective,
        reached_floor=reached_floor,
    )


def _envelope(size: Float64[np.ndarray, " time"]) -> np.ndarray:
    """Indices of values above all later ones; of oscillations only the peaks."""
    later = np.maximum.accumulate(size[::-1])[::-1]
    records = np.flatnonzero((size >= later) & (size > 0))
    if records.size < 0.9 * size.size and size.size > 2:
        # The flank after the last peak is no envelope: it may lead into a zero.
        peaks = 1 + np.flatnonzero((size[1:-1] >= size[:-2]) & (size[1:-1] > size[2:]))
        if peaks.size:
            records = records[records <= peaks[-1]]
    return records


def _without_start(chosen: np.ndarray, size: np.ndarray, skip: float) -> np.ndarray:
    log_values = np.log(size[chosen])
    limit = log_values[0] - skip * (log_values[0] - log_values[-1])
    return chosen[log_values <= limit]


def _thinned(chosen: np.ndarray) -> np.ndarray:
    """At most `_MOST_POINTS`, half of them even in the index and half in its logarithm."""
    if chosen.size <= _MOST_POINTS:
        return chosen
    even = np.linspace(0, chosen.size - 1, _MOST_POINTS // 2)
    early = np.geomspace(1, chosen.size, _MOST_POINTS // 2) - 1
    return chosen[np.unique(np.round(np.concatenate([even, early])).astype(int))]
