"""The figure of a record: what was measured and what the model simulates."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Real, Shaped
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, num2date
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from remanence.report.drawing import (
    extent,
    finite,
    legend_above,
    padded,
    plain,
    say_if_empty,
)
from remanence.report.style import (
    LIMIT,
    MEASURED,
    MODEL,
    TEST,
    TRAINING,
    VALIDATION,
    freeze_layout,
    house_style,
    new_figure,
)

_SPLIT_COLOURS = {"train": TRAINING, "validation": VALIDATION, "test": TEST}
_SPLIT_NAMES = {"train": "training", "validation": "validation", "test": "test"}
_MOST_OUTPUTS = 4
_BINS = 280
"""Bins across the page: about three pixels each, the finest that the eye still separates."""

Moment = float | int | np.datetime64
"""A point of the time axis: a number in the axis's unit, or a date."""


def simulation_figure(
    time: Shaped[np.ndarray, " time"],
    measured: Real[np.ndarray, "time outputs"],
    simulated: Real[np.ndarray, "time outputs"],
    *,
    names: Sequence[str],
    units: Sequence[str] | None = None,
    time_label: str = "time (steps)",
    split_spans: Sequence[tuple[Moment, Moment, str]] = (),
    zoom: tuple[Moment, Moment] | None = None,
) -> Figure:
    """Measured and simulated outputs over the whole record and, enlarged, over `zoom`.

    `time` is numbers or `datetime64`, ascending; `names` and `units` give one entry per output
    (`units` "" for a pure number); `time_label` carries the time's unit. `split_spans` are
    `(start, stop, "train" | "validation" | "test")` and are lightly shaded. A record too long to
    show point by point is drawn as the mean and the range in each of a few hundred bins. The
    axes follow the measured values: a simulation that runs away leaves them, and says so.
    The first four outputs are shown.
    """
    shown = min(_MOST_OUTPUTS, measured.shape[1])
    with house_style():
        stacked = shown <= 1 and zoom is not None
        columns = 1 if stacked or zoom is None else 2
        rows = 2 if stacked else max(1, shown)
        figure = new_figure(0.7 + 2.15 * rows)
        grid = figure.subplots(
            rows,
            columns,
            squeeze=False,
            sharex=False if stacked else "col",
            width_ratios=[1.0] if columns == 1 else [1.7, 1.0],
        )
        whole = [grid[0, 0]] if stacked else list(grid[:, 0])
        near = [] if zoom is None else [grid[1, 0]] if stacked else list(grid[:, 1])
        for output in range(shown):
            unit = plain(units[output]) if units is not None else ""
            label = plain(names[output], longest=26) + (f" ({unit})" if unit else "")
            pair = finite(measured[:, output]), np.asarray(simulated[:, output], float)
            _draw_record(whole[output], time, *pair, spans=split_spans)
            whole[output].set_ylabel(label)
            if zoom is not None:
                inside = (time >= zoom[0]) & (time <= zoom[1])
                cut = [values[inside] for values in pair]
                _draw_record(near[output], time[inside], *cut, spans=split_spans)
                near[output].set_xlim(zoom[0], zoom[1])  # type: ignore[arg-type]
                _name_days(near[output], zoom)
                if stacked:
                    near[output].set_ylabel(label)
        more = f", {shown} of {measured.shape[1]} outputs" if measured.shape[1] > shown else ""
        for panels, title in ((whole, "Whole record" + more), (near, "Close up")):
            if panels:
                panels[0].set_title(title)
                panels[-1].set_xlabel(plain(time_label))
        legend_above(figure, whole)
        return freeze_layout(figure)


def _draw_record(
    ax: Axes,
    time: Shaped[np.ndarray, " time"],
    measured: Float[np.ndarray, " time"],
    simulated: Float[np.ndarray, " time"],
    *,
    spans: Sequence[tuple[Moment, Moment, str]],
) -> None:
    for start, stop, split in spans:
        colour, label = _SPLIT_COLOURS.get(split, MEASURED), _SPLIT_NAMES.get(split, plain(split))
        ax.axvspan(start, stop, color=colour, alpha=0.10, linewidth=0, label=label, zorder=0.5)  # type: ignore[arg-type]
    span = extent(measured) or extent(simulated) or (0.0, 1.0)
    reach = extent(simulated) or span
    width = (span[1] - span[0]) or 1.0
    low = max(min(span[0], reach[0]), span[0] - 0.5 * width)
    high = min(max(span[1], reach[1]), span[1] + 0.5 * width)
    low, high = padded(low, high)
    ax.set_ylim(low, high)
    # np.clip sends ±inf just past the edge too; only NaN is left out.
    simulated = np.clip(simulated, low - width, high + width)
    if len(time):
        ax.set_xlim(time[0], time[-1]) if time[0] != time[-1] else None
    for values, colour, label in (
        (measured, MEASURED, "measured"),
        (simulated, MODEL, "simulated"),
    ):
        if len(time) > 3 * _BINS:
            centre, least, mean, most = _binned(time, values)
            ax.fill_between(centre, least, most, color=colour, alpha=0.22, linewidth=0)
            ax.plot(centre, mean, color=colour, linewidth=1.3, label=f"{label} (mean, range)")
        else:
            marker = "." if len(time) < 60 else None
            ax.plot(time, values, color=colour, linewidth=1.4, marker=marker, label=label)
    gone = np.flatnonzero((simulated < low) | (simulated > high))
    if gone.size:
        first = gone[0]
        up = simulated[first] > high
        ax.plot(
            time[first],
            high if up else low,
            marker="^" if up else "v",
            color=LIMIT,
            linestyle="none",
            clip_on=False,
            label="simulation leaves the axes",
            zorder=5,
        )
    say_if_empty(ax, measured, simulated)


def _name_days(ax: Axes, zoom: tuple[Moment, Moment]) -> None:
    """Whole dates on a close-up's axis; a bare "13" would leave the month to be guessed."""
    if isinstance(zoom[0], np.datetime64):
        short = abs(zoom[1] - zoom[0]) < np.timedelta64(4, "D")  # type: ignore[operator]

        def name(value: float, _: int) -> str:
            date = num2date(value)
            return f"{date.day} {date:%b}" + (f"\n{date:%H:%M}" if short else "")

        ax.xaxis.set_major_locator(AutoDateLocator(maxticks=8))
        ax.xaxis.set_major_formatter(FuncFormatter(name))


def _binned(
    time: Shaped[np.ndarray, " time"], values: Float[np.ndarray, " time"]
) -> tuple[Shaped[np.ndarray, " bins"], *tuple[Float[np.ndarray, " bins"], ...]]:
    """Middle time, minimum, mean and maximum of `values` in `_BINS` equal bins, NaN left out."""
    edges = np.linspace(0, len(time), _BINS + 1).astype(int)
    starts = edges[:-1]
    present = np.isfinite(values)
    count = np.add.reduceat(present.astype(float), starts)
    total = np.add.reduceat(np.where(present, values, 0.0), starts)
    mean = np.where(count > 0, total / np.maximum(count, 1.0), np.nan)
    least, most = (np.asarray(f.reduceat(values, starts)) for f in (np.fmin, np.fmax))
    return time[(edges[:-1] + edges[1:]) // 2], least, mean, most
