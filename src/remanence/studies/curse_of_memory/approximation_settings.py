"""How much of the part on approximation each preset runs, and its criteria."""

import dataclasses
from collections.abc import Callable

import numpy as np


@dataclasses.dataclass(frozen=True)
class ApproximationSettings:
    """Kernels `(1 + t)^{−p}`, `0.9^t` and `t e^{−t}` by sums of exponentials.

    - `widths`: of uniform rates; `free_widths`, `free_powers`: of free ones.
    - `stable_widths`: of free rates with `w ≥ least_rate`, for the first power.
    - `legs_order`, `legs_time`: of the HiPPO-LegS identity.
    """

    powers: tuple[float, ...] = (1.1, 1.5, 2.0, 3.0)
    widths: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    free_powers: tuple[float, ...] = (1.1, 1.5, 2.0, 3.0)
    free_widths: tuple[int, ...] = (1, 2, 4, 8, 16, 24, 32)
    stable_widths: tuple[int, ...] = (1, 2, 4, 8, 16, 24, 32)
    least_rate: float = 0.1
    legs_order: int = 32
    legs_time: float = 10.0


FULL = ApproximationSettings()
QUICK = dataclasses.replace(
    FULL,
    free_powers=(1.1, 3.0),
    free_widths=(1, 2, 4, 8, 16),
    stable_widths=(1, 2, 4, 8, 16),
    legs_order=16,
)

FADING, HUMP = "0.9^t", "t exp(−t)"
FADING_RATE = -float(np.log(0.9))

SLOPES = {1.1: 1.1, 1.5: 1.8, 2.0: 2.5, 3.0: 3.8}
SLOPE_TOLERANCE = 0.25
HUMP_SLOPE, HUMP_TOLERANCE = 2.0, 0.15
EARLIER_WIDTHS: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
EARLIER_POWERS = {
    1.1: (0.284, 0.259, 0.141, 0.0708, 0.0349, 0.0162, 0.0076),
    1.5: (0.196, 0.172, 0.070, 0.025, 7.9e-3, 2.3e-3, 6.6e-4),
    2.0: (0.149, 0.115, 0.035, 8.5e-3, 1.7e-3, 2.8e-4, 5.0e-5),
    3.0: (0.096, 0.066, 0.013, 1.5e-3, 1.3e-4, 7.7e-6, 5.7e-7),
}
"""Relative errors of the earlier prototype, uniform rates with the best of its β."""
EARLIER_GEOMETRIC = {FADING: (4.5e-2, 4.7e-3, 3.5e-4, 2e-7), HUMP: (0.40, 0.024, 3e-3, 1e-6)}
"""The same, 1 … 8."""
EARLIER_FREE = {2: 0.12, 4: 0.035, 8: 5.8e-3, 16: 3e-4}
"""Of `(1 + t)^{−1.1}` by geometric progressions of rates."""
LOG_TOLERANCE = 0.1
RATE_FALL = 100.0
FADING_RATES = (0.05, 0.2)
STABLE_PRICE = 10.0
LEGS_TOLERANCE = 1e-12


def power_law(exponent: float) -> Callable[[np.ndarray], np.ndarray]:
    """`(1 + t)^{−p}`."""
    return lambda t: (1 + t) ** -exponent


def fading(t: np.ndarray) -> np.ndarray:
    """`0.9^t`."""
    return np.exp(-FADING_RATE * t)


def hump(t: np.ndarray) -> np.ndarray:
    """`t e^{−t}`."""
    return t * np.exp(-t)


def law_name(exponent: float) -> str:
    """How a power law is called."""
    return f"(1+t)^−{exponent:g}"
