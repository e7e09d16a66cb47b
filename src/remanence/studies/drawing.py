"""What the figures of several parts share: seeds as faint points, their median as a line."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes


def seeds_and_median(
    ax: Axes,
    x: Sequence[float | int] | np.ndarray,
    values: Sequence[np.ndarray] | np.ndarray,
    colour: str,
    label: str | None = None,
    *,
    marker: str = "o",
    size: float | int = 5.0,
    dot: str = ".",
    dot_size: float | int = 5.0,
    alpha: float = 0.22,
    **style: Any,
) -> None:
    """Every seed of `values[i]` as a faint `dot` at `x[i]`, and the medians as a line.

    NaN is left out. `style` goes to the line; `markerfacecolor` to the dots too.
    """
    across = [np.full(np.size(seeds), place) for place, seeds in zip(x, values, strict=True)]
    ax.plot(
        np.concatenate(across),
        np.concatenate(list(values)),
        linestyle="",
        marker=dot,
        color=colour,
        alpha=alpha,
        markersize=dot_size,
        # A dot's edge would make it darker and larger; a hollow mark is nothing else.
        markeredgewidth=0.0 if dot == "." else None,
        markerfacecolor=style.get("markerfacecolor"),
    )
    middle = [np.nan if np.isnan(seeds).all() else float(np.nanmedian(seeds)) for seeds in values]
    ax.plot(x, middle, color=colour, marker=marker, markersize=size, label=label, **style)
