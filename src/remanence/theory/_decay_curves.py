"""Laws of decay as least-squares fits of log M, with intervals for their parameters."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy.optimize import least_squares, minimize_scalar
from scipy.special import stdtrit

from remanence.theory._grids import time_array

_ROUNDING = 1e-12
LEAST_EFFECTIVE = 6.0


@dataclasses.dataclass(frozen=True)
class DecayCurve:
    """One law fitted to `log M(t)` by least squares.

        exponential              A e^{−βt}                  amplitude, rate
        polynomial exponential   A t^k e^{−βt}, k ≥ 0       amplitude, power, rate
        two exponentials         A e^{−βt} + A' e^{−β't}    amplitude, rate (of the slower),
                                                            faster amplitude, faster rate
        power law                A (1 + t/τ)^{−p}           amplitude, exponent, scale

    - `parameters`, `intervals`: values by name, and their confidence intervals.
    - `rms`: of the residual of `log M`.
    - `aic`: Akaike's criterion, `n_eff log rms² + 2 (parameters + 1)`.
    """

    law: str
    parameters: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    rms: float
    aic: float

    def __call__(self, times: Any) -> Float64[np.ndarray, "..."]:
        """The fitted M at `times`."""
        t, own = time_array("DecayCurve", times), self.parameters
        if self.law == "power law":
            return np.asarray(own["amplitude"] * (1 + t / own["scale"]) ** -own["exponent"])
        growth = t ** own.get("power", 0.0)
        value = own["amplitude"] * growth * np.exp(-own["rate"] * t)
        if self.law == "two exponentials":
            value = value + own["faster amplitude"] * np.exp(-own["faster rate"] * t)
        return np.asarray(value)


@dataclasses.dataclass(frozen=True)
class RawFit:
    """A law before its statistics: parameters, Jacobian and residuals of `log M`."""

    law: str
    names: tuple[str, ...]
    estimate: np.ndarray
    jacobian: np.ndarray
    residuals: np.ndarray

    @property
    def rms(self) -> float:
        """Of the residuals, no smaller than rounding makes them."""
        return max(float(np.sqrt(np.mean(self.residuals**2))), _ROUNDING)


def exponential_fit(t: np.ndarray, log_values: np.ndarray) -> RawFit:
    """`log A − βt`."""
    return _linear("exponential", ("log amplitude", "rate"), [np.ones_like(t), -t], log_values)


def polynomial_fit(t: np.ndarray, log_values: np.ndarray) -> RawFit | None:
    """`log A + k log t − βt`; None where k would be negative, which is no such law."""
    names = ("log amplitude", "power", "rate")
    found = _linear("polynomial exponential", names, [np.ones_like(t), np.log(t), -t], log_values)
    return found if found.estimate[1] >= 0 else None


def two_exponentials_fit(t: np.ndarray, log_values: np.ndarray) -> RawFit | None:
    """`log(A e^{−βt} + A' e^{−β't})`, A and A' positive.

    Started from two straight lines, one before and one after each of a few times. None unless the
    slower one falls by a factor e where it is the larger: else it is a floor, and no mode.
    """
    fall = (log_values[0] - log_values) / (log_values[0] - log_values[-1])
    best = None
    for share in (0.2, 0.4, 0.6, 0.8):
        late = fall > share
        if late.sum() < 4 or (~late).sum() < 4:
            continue
        lines = [exponential_fit(t[part], log_values[part]).estimate for part in (late, ~late)]
        found = least_squares(
            lambda p: _log_sum(p, t)[0] - log_values,
            np.concatenate(lines),
            jac=lambda p: _log_sum(p, t)[1],  # pyright: ignore[reportArgumentType]
            method="lm",
            max_nfev=60,
        )
        if best is None or found.cost < best.cost:
            best = found
    if best is None or not np.isfinite(best.x).all():
        return None
    order = [0, 1, 2, 3] if best.x[1] < best.x[3] else [2, 3, 0, 1]
    estimate = best.x[order]
    fitted, jacobian = _log_sum(estimate, t)
    late = t[jacobian[:, 0] > 0.5]
    if late.size < 2 or estimate[1] * (late[-1] - late[0]) < 1:
        return None
    names = ("log amplitude", "rate", "log faster amplitude", "faster rate")
    return RawFit("two exponentials", names, estimate, jacobian, log_values - fitted)


def _log_sum(p: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`log(e^{p₀ − p₁t} + e^{p₂ − p₃t})` and its Jacobian."""
    one, two = p[0] - p[1] * t, p[2] - p[3] * t
    value = np.logaddexp(one, two)
    first, second = np.exp(one - value), np.exp(two - value)
    return value, np.column_stack([first, -t * first, second, -t * second])


def power_law_fit(t: np.ndarray, log_values: np.ndarray) -> RawFit:
    """`log A − p log(1 + t/τ)` with τ at most a fifth of the range.

    A longer τ bends nowhere in the range: it is an exponential under another name.
    """
    names = ("log amplitude", "exponent")

    def at(log_scale: float) -> RawFit:
        columns = [np.ones_like(t), -np.log1p(t / math.exp(log_scale))]
        return _linear("power law", names, columns, log_values)

    low, high = math.log(0.01 * t[0]), math.log((t[-1] - t[0]) / 5)
    grid = np.linspace(low, high, 48)
    best = int(np.argmin([at(one).rms for one in grid]))
    ends = (grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)])
    refined: Any = minimize_scalar(
        lambda one: at(float(one)).rms, bounds=ends, method="bounded", options={"xatol": 1e-9}
    )
    log_scale = float(np.clip(refined.x, low, high))
    if at(grid[best]).rms <= at(log_scale).rms:
        log_scale = float(grid[best])
    found, scale = at(log_scale), math.exp(log_scale)
    # At an end of its range τ is a choice, not an estimate: it has no interval of its own.
    inside = low + 1e-6 < log_scale < high - 1e-6
    slope = found.estimate[1] * (t / scale) / (1 + t / scale)
    jacobian = np.column_stack([found.jacobian, slope]) if inside else found.jacobian
    return RawFit(
        "power law",
        (*names, "log scale"),
        np.append(found.estimate, log_scale),
        jacobian,
        found.residuals,
    )


def effective_points(fit: RawFit) -> float:
    """`n (1 − r)/(1 + r)`, r the correlation of neighbouring residuals.

    What a law misses on a smooth curve is not noise: neighbours miss it together, and count less.
    """
    e = fit.residuals - fit.residuals.mean()
    power = float(e @ e)
    if fit.rms <= 1e3 * _ROUNDING or power == 0:
        return float(e.size)
    r = min(max(float(e[1:] @ e[:-1]) / power, 0.0), 0.999)
    return max(e.size * (1 - r) / (1 + r), LEAST_EFFECTIVE)


def curve_of(fit: RawFit, points: float, confidence: float) -> DecayCurve:
    """The law with its intervals and criterion, for `points` independent points."""
    count = fit.estimate.size
    freedom = max(points - count, 1.0)
    # rms² n/(n_eff − p): as if the n residuals were n_eff independent ones.
    spread = fit.rms**2 * fit.residuals.size / freedom
    covariance = np.linalg.pinv(fit.jacobian.T @ fit.jacobian) * spread
    errors = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    errors = np.append(errors, np.full(count - errors.size, np.inf))
    reach = float(stdtrit(freedom, (1 + confidence) / 2)) * errors
    parameters, intervals = {}, {}
    for name, value, width in zip(fit.names, fit.estimate.tolist(), reach.tolist(), strict=True):
        ends = (value - width, value + width)
        if name.startswith("log "):
            name, value = name[4:], _exp(value)
            ends = (_exp(ends[0]), _exp(ends[1]))
        parameters[name], intervals[name] = value, ends
    aic = points * math.log(fit.rms**2) + 2 * (count + 1)
    return DecayCurve(fit.law, parameters, intervals, fit.rms, aic)


def _linear(
    law: str, names: tuple[str, ...], columns: list[np.ndarray], log_values: np.ndarray
) -> RawFit:
    design = np.column_stack(columns)
    scales = np.linalg.norm(design, axis=0)
    estimate = np.linalg.lstsq(design / scales, log_values)[0] / scales
    return RawFit(law, names, estimate, design, log_values - design @ estimate)


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf
