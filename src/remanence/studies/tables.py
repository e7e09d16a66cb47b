"""Tables of what a study measured."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def columns(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> dict[str, np.ndarray]:
    """A table from its rows: one array for each name."""
    by_column = zip(*rows, strict=True)
    return {name: np.array(one) for name, one in zip(names, by_column, strict=True)}
