"""Small helpers the figures share: safe numbers, log axes, labels outside the data."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Real
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogLocator,
    NullFormatter,
    NullLocator,
)

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_ROW = 12.5
"""Points between two rows of labels above the axes."""


def plain(text: str, *, longest: int = 40) -> str:
    """`text` on one line, printable and not longer than a label can be."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def finite(values: Real[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """`values` as float64 with NaN, which Matplotlib leaves out, for what no axis can hold."""
    values = np.asarray(values, dtype=np.float64)
    # Beyond 1e150 the squares and ratios inside Matplotlib's transforms overflow.
    return np.where(np.abs(values) < 1e150, values, np.nan)


def positive(values: Real[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Like `finite`, with what a log axis cannot show (≤ 0) replaced by NaN as well."""
    values = finite(values)
    return np.where(values > 0, values, np.nan)


def extent(values: Real[np.ndarray, "..."]) -> tuple[float, float] | None:
    """Least and greatest finite value, or None where there is none."""
    values = finite(values)
    values = values[np.isfinite(values)]
    return (float(values.min()), float(values.max())) if values.size else None


def padded(low: float, high: float, *, share: float = 0.06) -> tuple[float, float]:
    """Limits a little wider than the data; never empty."""
    # A constant record still needs an axis; its own size says how wide.
    margin = share * (high - low) or 0.1 * abs(high) or 1.0
    return low - margin, high + margin


def decimal(value: float) -> str:
    """A short number as people write it: 0.01, 1, 20, 10⁻⁸, 3·10⁵."""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:g}"
    return _power(value)


def _power(value: float) -> str:
    mantissa, exponent = f"{value:.0e}".split("e")
    power = "10" + str(int(exponent)).translate(_SUPERSCRIPTS)
    return power if mantissa == "1" else f"{mantissa}·{power}"


def log_axis(axis: Axis, limits: tuple[float, float] | None) -> None:
    """Make `axis` logarithmic over `limits` (made wider where they are too close to read)."""
    low, high = limits if limits is not None else (0.1, 10.0)
    if high < 1.3 * low:
        low, high = low / 1.5, high * 1.5
    # Denormals and near-overflow values would put a tick beyond what a float can hold.
    low, high = max(low, 1e-300), min(high, 1e300)
    decades = math.log10(high / low)
    if axis is axis.axes.xaxis:
        axis.axes.set(xscale="log", xlim=(low, high))
    else:
        axis.axes.set(yscale="log", ylim=(low, high))
    if decades < 2:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    else:
        axis.set_major_locator(LogLocator(numticks=8))
    axis.set_minor_locator(LogLocator(subs="auto") if decades < 6 else NullLocator())
    # One style of number along an axis: 10⁻² beside 10⁻⁸, 0.01 beside 0.1.
    shown = _power if decades > 4.5 and low < 1e-3 else decimal
    axis.set_major_formatter(FuncFormatter(lambda value, _: shown(value)))
    axis.set_minor_formatter(NullFormatter())


def step_axis(ax: Axes, steps: Real[np.ndarray, " steps"]) -> None:
    """A log x-axis that still shows step 0, in a short linear stretch at the left."""
    span = extent(steps)
    if span is None or span[1] <= 0:
        return
    first = float(np.min(steps[np.isfinite(steps) & (steps > 0)]))
    if span[0] > 0:
        log_axis(ax.xaxis, (first, span[1]))
        return
    ax.set_xscale("symlog", linthresh=first, linscale=0.35)
    ax.set_xlim(0.0, span[1] * 1.05)
    low, high = math.ceil(math.log10(first)), math.floor(math.log10(span[1]))
    every = max(1, (high - low + 6) // 6)
    decades = [10.0**power for power in range(low, high + 1, every)]
    ax.xaxis.set_major_locator(FixedLocator([0.0, *decades]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: decimal(value)))


def edge_labels(
    ax: Axes, labels: Sequence[tuple[float | int, str, str]], *, lift: float = 0.0
) -> int:
    """Write `(x, text, colour)` above the axes, at x, in as many rows as keep them apart.

    Nothing inside the axes is covered; `lift` (points) clears markers on the top edge. Call once
    the x-limits stand. Returns the number of rows.
    """
    left, right = ax.get_xlim()
    to_axes = ax.transScale.transform
    start, stop = to_axes((left, 1.0))[0], to_axes((right, 1.0))[0]
    # A bold guess at a letter's width suffices: rows are cheap and overlaps are not.
    letter = 5.5 / (ax.get_position().width * ax.figure.get_figwidth() * 72)  # type: ignore[union-attr]
    taken: list[list[tuple[float, float]]] = []
    for x, text, colour in labels:
        if not left <= x <= right:
            continue
        place = (to_axes((x, 1.0))[0] - start) / (stop - start)
        width = letter * len(text)
        rightward = place + width <= 1.0 or place < 0.5
        ends = (place, place + width) if rightward else (place - width, place)
        row = 0
        while row < len(taken) and any(a < ends[1] and ends[0] < b for a, b in taken[row]):
            row += 1
        if row == len(taken):
            taken.append([])
        taken[row].append(ends)
        ax.annotate(
            text,
            (place, 1.0),
            xycoords="axes fraction",
            xytext=(0, 3 + lift + _ROW * row),
            textcoords="offset points",
            ha="left" if rightward else "right",
            va="bottom",
            fontsize=9,
            color=colour,
            annotation_clip=False,
        )
    return len(taken)


def title_above(ax: Axes, text: str, *, rows: int = 0) -> None:
    """A panel's title, above `rows` rows of edge labels."""
    ax.set_title(text, pad=6 + _ROW * rows)


def legend_above(figure: Figure, ax: Axes | Sequence[Axes]) -> None:
    """One legend for the whole figure, above all axes, where it cannot cover any data."""
    entries: dict[str, Artist] = {}
    for one in [ax] if isinstance(ax, Axes) else ax:
        handles, names = one.get_legend_handles_labels()
        for name, handle in zip(names, handles, strict=True):
            entries.setdefault(name, handle)
    if entries:
        # A swatch and its gaps take about seven letters; past a full row, wrap into two.
        letters = sum(len(name) + 7 for name in entries)
        fits = letters * 5.5 < figure.get_figwidth() * 72
        figure.legend(
            list(entries.values()),
            list(entries),
            loc="outside upper left",
            ncols=len(entries) if fits else -(-len(entries) // 2),
            columnspacing=1.6,
        )


def say_if_empty(ax: Axes, *arrays: Real[np.ndarray, "..."]) -> None:
    """Write "no finite values" where a panel would otherwise be silently blank."""
    if all(extent(values) is None for values in arrays):
        ax.text(0.5, 0.5, "no finite values", transform=ax.transAxes, ha="center", color="#5b626c")
