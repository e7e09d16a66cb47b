"""What is measured of a training curve: when it escapes, and how long it stood still before."""

import dataclasses
import functools

import numpy as np
from jaxtyping import Float
from scipy.ndimage import maximum_filter1d, minimum_filter1d

from remanence.studies.curse_of_memory.networks_settings import ESCAPED, FLAT
from remanence.studies.curse_of_memory.shared import median

Curve = Float[np.ndarray, " records"]


def escape_index(shares: Curve, below: float = ESCAPED) -> int:
    """The first record below the threshold; the number of records if there is none."""
    found = np.flatnonzero(shares < below)
    return int(found[0]) if found.size else shares.size


def longest_flat(shares: Curve, moves: float = FLAT) -> int:
    """Intervals in the longest stretch of records whose logs differ by less than `moves`.

    A record that is not finite ends a stretch.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.log(shares)
    known = np.isfinite(logs)
    high, low = np.where(known, logs, np.inf), np.where(known, logs, -np.inf)
    # A flat stretch holds all shorter ones, so the longest is found by bisection.
    there, none = 0, logs.size
    while none - there > 1:
        middle = (there + none) // 2
        width = middle + 1
        whole = slice(width // 2, width // 2 + logs.size - middle)
        top, bottom = maximum_filter1d(high, width), minimum_filter1d(low, width)
        flat = bool(np.any((top - bottom)[whole] < moves))
        there, none = (middle, none) if flat else (there, middle)
    return there


@dataclasses.dataclass(frozen=True)
class Curves:
    """The unexplained share along training, of every seed on one target.

    - `target`, `family`, `memory`: its name, its kind, and t₀ or κ within the kind.
    - `at` (records,): after how many steps; `shares` (seeds, records).
    """

    target: str
    family: str
    memory: float
    at: np.ndarray
    shares: Float[np.ndarray, "seeds records"]

    def first_below(self, share: float) -> Float[np.ndarray, " seeds"]:
        """Steps to the first share below this; infinite where there is none."""
        at = np.append(self.at.astype(np.float64), np.inf)
        return np.array([at[escape_index(one, share)] for one in self.shares])

    @functools.cached_property
    def escapes(self) -> Float[np.ndarray, " seeds"]:
        """Steps until the target is learnt."""
        return self.first_below(ESCAPED)

    @functools.cached_property
    def plateaus(self) -> Float[np.ndarray, " seeds"]:
        """Steps in the longest flat stretch before the escape."""
        every = float(self.at[1] - self.at[0])
        return np.array([every * longest_flat(one[: escape_index(one)]) for one in self.shares])

    @property
    def diverged(self) -> int:
        """Seeds whose share was not finite, or above 100, at any time."""
        worst = np.where(np.isfinite(self.shares), self.shares, np.inf).max(axis=1)
        return int((worst > 100).sum())

    @property
    def escape(self) -> float:
        """Median over seeds; infinite where half or more never escape."""
        return median(self.escapes)

    @property
    def learnt(self) -> bool:
        """Whether the median seed escapes within the budget."""
        return bool(np.isfinite(self.escape))

    @property
    def plateau(self) -> float:
        """Median over seeds; before no escape a flat stretch is no plateau that ends."""
        return median(self.plateaus)

    @property
    def flat_anywhere(self) -> float:
        """Steps in the longest flat stretch of the whole curve, median over seeds."""
        every = float(self.at[1] - self.at[0])
        return median(np.array([every * longest_flat(one) for one in self.shares]))

    def smoothed(self, records: int) -> "Curves":
        """By the running median of an odd number of records, the ends repeated."""
        side = records // 2
        padded = np.pad(self.shares, ((0, 0), (side, side)), mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * side + 1, axis=1)
        return dataclasses.replace(self, shares=np.median(windows, axis=-1))

    @property
    def final(self) -> float:
        """The share at the end, median over seeds."""
        return median(self.shares[:, -1])


def growth_rate(curves: list[Curves]) -> tuple[float, float]:
    """`c` and `a` of the least-squares fit `log(steps) = a + c t₀` over medians that escape."""
    known = [one for one in curves if np.isfinite(one.escape)]
    if len(known) < 2:
        return float("nan"), float("nan")
    logs = np.log([one.escape for one in known])
    slope, offset = np.polyfit([one.memory for one in known], logs, 1)
    return float(slope), float(offset)
