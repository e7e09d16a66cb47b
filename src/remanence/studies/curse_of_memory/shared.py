"""What several parts of this study compute and tabulate alike."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np


def columns(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> dict[str, np.ndarray]:
    """A table from its rows: one array for each name."""
    by_column = zip(*rows, strict=True)
    return {name: np.array(one) for name, one in zip(names, by_column, strict=True)}


def median(values: np.ndarray) -> float:
    """Of a vector that may hold infinities; what is no number counts as infinite."""
    return float(np.median(np.where(np.isnan(values), np.inf, values)))


def rises(values: Sequence[float]) -> bool:
    """Whether all are finite and each exceeds the one before.

    An infinite one was not reached in the budget: that is no growth which was measured.
    """
    return bool(np.isfinite(values).all()) and all(b > a for a, b in itertools.pairwise(values))
