"""What several parts of this study compute alike."""

import itertools
from collections.abc import Sequence

import numpy as np


def median(values: np.ndarray) -> float:
    """Of a vector that may hold infinities; what is no number counts as infinite."""
    return float(np.median(np.where(np.isnan(values), np.inf, values)))


def rises(values: Sequence[float]) -> bool:
    """Whether all are finite and each exceeds the one before.

    An infinite one was not reached in the budget: that is no growth which was measured.
    """
    return bool(np.isfinite(values).all()) and all(b > a for a, b in itertools.pairwise(values))
