"""Figures of training lengths: how far each length's model extrapolates."""

from collections.abc import Mapping

import matplotlib
import numpy as np
from jaxtyping import Float, Real
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from remanence.report.drawing import (
    decimal,
    edge_labels,
    extent,
    legend_above,
    log_axis,
    plain,
    positive,
    say_if_empty,
    title_above,
)
from remanence.report.style import (
    INK,
    LIMIT,
    MEASURED,
    MODEL,
    THEORY,
    VALIDATION,
    freeze_layout,
    house_style,
    new_figure,
)

_MOST_TICKS = 8
"""More training lengths than this are not ticked one by one."""


def extrapolation_figure(
    ages: Real[np.ndarray, " ages"],
    error_by_length: Mapping[int, Real[np.ndarray, " ages"]],
    *,
    chosen: int | None,
    window_error: Mapping[int, float | int] | None = None,
    noise_floor: float | int | None = None,
    ceiling: float | int = 10.0,
    age_label: str = "age: steps since the simulation started",
    error_label: str = "relative error (1 = predicting the mean)",
) -> Figure:
    """Relative error against the age of the simulation, one line per training length.

    `ages` in time steps (or the unit of `age_label`; the lengths share it), errors relative to
    the spread of the measured output, so that predicting the mean scores 1. A dot on each line
    marks its own training length, a ring the error inside the training windows. A line that
    passes `ceiling` (or is inf) leaves through the top edge at an arrow; NaN is not drawn.
    """
    lengths = sorted(error_by_length)
    colours = matplotlib.colormaps["viridis"](np.linspace(0.88, 0.1, len(lengths)))
    with house_style():
        figure = new_figure(4.4)
        ax = figure.subplots()
        curves = {k: _below(error_by_length[k], ceiling) for k in lengths}
        levels = [1.0, noise_floor or 1.0, *(window_error or {}).values()]
        everything = np.concatenate([*curves.values(), np.asarray(levels, float)])
        low = (extent(positive(everything)) or (0.1, 1.0))[0] / 1.25
        log_axis(ax.yaxis, (min(low, ceiling / 2), float(ceiling)))
        log_axis(ax.xaxis, extent(positive(ages)))
        for length, colour in zip(lengths, colours, strict=True):
            main = length == chosen
            style = {
                "color": colour,
                "linewidth": 3.0 if main else 1.2,
                "zorder": 4 if main else 3,
            }
            label = f"{length} (chosen)" if main else f"{length}"
            marker = "o" if len(ages) == 1 else None
            ax.plot(ages, curves[length], label=label, marker=marker, **style)
            _mark_length(ax, ages, curves[length], length, colour)
            _mark_exit(ax, ages, error_by_length[length], float(ceiling), colour)
            seen = (window_error or {}).get(length)
            if seen is not None and 0 < seen < ceiling:
                ring = {"markerfacecolor": "white", "markeredgecolor": colour, "zorder": 6}
                ax.plot(length, seen, "D", markersize=4.5, **ring)
        ax.axhline(1.0, color=LIMIT, linewidth=1.1, linestyle="--")
        if noise_floor is not None and noise_floor > 0:
            ax.axhline(noise_floor, color=THEORY, linewidth=1.1, linestyle=":")
        ax.set_xlabel(plain(age_label, longest=80))
        ax.set_ylabel(plain(error_label, longest=60))
        _explain(figure, ax, lengths, noise_floor, window_error is not None, float(ceiling))
        say_if_empty(ax, *(curves.values() or [np.array([np.nan])]))
        return freeze_layout(figure)


def length_figure(
    lengths: Real[np.ndarray, " lengths"],
    window_error: Real[np.ndarray, " lengths"],
    long_error: Real[np.ndarray, " lengths"],
    *,
    chosen: float | int | None,
    ceiling: float | int = 10.0,
    length_label: str = "training length (steps)",
    error_label: str = "relative error (1 = predicting the mean)",
) -> Figure:
    """Relative error against training length: inside the training windows, and on the record.

    A model whose error is inf or above `ceiling` has exploded: it is drawn at the top edge as a
    triangle. NaN means "not measured" and is not drawn.
    """
    with house_style():
        figure = new_figure(4.0)
        ax = figure.subplots()
        near, far = _below(window_error, ceiling), _below(long_error, ceiling)
        lowest = extent(np.concatenate([near, far, np.array([1.0])]))
        log_axis(ax.yaxis, (min((lowest or (0.1, 1.0))[0] / 1.3, ceiling / 2), float(ceiling)))
        span = extent(positive(lengths))
        log_axis(ax.xaxis, None if span is None else (span[0] / 1.15, span[1] * 1.15))
        if 0 < len(lengths) <= _MOST_TICKS:
            ax.set_xticks(lengths, [f"{length:g}" for length in lengths])
            ax.set_xticks([], minor=True)
        series = (
            (near, window_error, VALIDATION, "s", "in windows of the training length"),
            (far, long_error, MODEL, "o", "over the whole record"),
        )
        for values, raw, colour, marker, label in series:
            ax.plot(lengths, values, marker=marker, markersize=5, color=colour, label=label)
            exploded = lengths[np.asarray(raw, float) > ceiling]
            if exploded.size:
                top = np.full(exploded.shape, float(ceiling))
                ax.plot(exploded, top, "^", color=colour, markersize=8, clip_on=False, zorder=5)
        ax.axhline(1.0, color=LIMIT, linewidth=1.1, linestyle="--", label="predicting the mean")
        marks = []
        exploded = positive(lengths)[np.asarray(long_error, float) > ceiling]
        if (reach := extent(exploded)) is not None:
            words = "explodes" if reach[0] == reach[1] else "explode"
            marks.append((reach[0], f"{words}: error above {decimal(ceiling)}", MODEL))
        if chosen is not None:
            ax.axvline(chosen, color=THEORY, linewidth=1.1, linestyle=":")
            marks.append((chosen, f"chosen: {chosen:g}", THEORY))
        title_above(ax, "", rows=edge_labels(ax, marks, lift=5.0))
        ax.set_xlabel(plain(length_label))
        ax.set_ylabel(plain(error_label, longest=60))
        legend_above(figure, ax)
        say_if_empty(ax, near, far)
        return freeze_layout(figure)


def _below(errors: Real[np.ndarray, "..."], ceiling: float | int) -> Float[np.ndarray, "..."]:
    """Errors a log axis can show; those above the ceiling sit out of sight just beyond it."""
    errors = np.asarray(errors, dtype=np.float64)
    return positive(np.where(errors > ceiling, 1.5 * ceiling, errors))


def _mark_length(
    ax: Axes,
    ages: Real[np.ndarray, " ages"],
    curve: Float[np.ndarray, " ages"],
    length: int,
    colour: np.ndarray,
) -> None:
    usable = np.isfinite(curve) & (ages > 0)
    if not usable.any() or not ages[usable].min() <= length <= ages[usable].max():
        return
    error = np.exp(np.interp(length, ages[usable], np.log(curve[usable])))
    if error <= ax.get_ylim()[1]:
        ax.plot(length, error, "o", color=colour, markersize=6.5, zorder=5)


def _mark_exit(
    ax: Axes,
    ages: Real[np.ndarray, " ages"],
    errors: Real[np.ndarray, " ages"],
    ceiling: float,
    colour: np.ndarray,
) -> None:
    # NaN compares false, so a gap in a line is no way out.
    above = np.asarray(errors, float) > ceiling
    if above.any():
        ax.plot(
            ages[np.argmax(above)],
            ceiling,
            "^",
            color=colour,
            markersize=8,
            clip_on=False,
            zorder=6,
        )


def _explain(
    figure: Figure,
    ax: Axes,
    lengths: list[int],
    noise_floor: float | int | None,
    windows: bool,
    ceiling: float,
) -> None:
    """Two legends off the data: the lengths at the right, the signs above."""
    handles, names = ax.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles,
            names,
            loc="outside right center",
            title="trained on length",
            alignment="left",
            ncols=1 if len(lengths) <= 14 else 2,
        )
    signs: list[tuple[dict, str]] = [
        ({"color": LIMIT, "linestyle": "--", "linewidth": 1.1}, "predicting the mean"),
    ]
    if noise_floor is not None and noise_floor > 0:
        floor = {"color": THEORY, "linestyle": ":", "linewidth": 1.1}
        signs.append((floor, f"noise floor {noise_floor:.2g}"))
    dot = {"linestyle": "none", "color": INK}
    signs.append(({**dot, "marker": "o"}, "its own training length"))
    if windows:
        ring = {"marker": "D", "markersize": 4.5, "markerfacecolor": "white"}
        signs.append(({**dot, **ring, "color": MEASURED}, "error in training windows"))
    signs.append(({**dot, "marker": "^"}, f"leaves above {decimal(ceiling)}"))
    proxies = [Line2D([], [], **style) for style, _ in signs]
    figure.legend(
        proxies,
        [name for _, name in signs],
        loc="outside upper left",
        ncols=5,
        columnspacing=1.2,
        handletextpad=0.5,
        fontsize=8.5,
    )
