"""Figures of length generalisation: error against sequence length, far beyond training."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Real
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from remanence.report.drawing import (
    decimal,
    edge_labels,
    extent,
    finite,
    legend_above,
    log_axis,
    plain,
    positive,
    say_if_empty,
    title_above,
)
from remanence.report.style import (
    FAINT,
    INK,
    LIMIT,
    MEASURED,
    MODEL,
    PAGE_WIDTH,
    TEST,
    THEORY,
    TRAINING,
    VALIDATION,
    freeze_layout,
    house_style,
    new_figure,
)

_COLOURS = (MODEL, VALIDATION, TRAINING, THEORY, TEST, MEASURED)
_MARKERS = ("o", "s", "D", "v", "P", "X", "p")
_MOST_PANELS = 3
_TRAINED = "#eef1f4"
_DODGE = 0.022
"""Share of the axis between one model's zeros and the next one's: half a marker."""


@dataclass(frozen=True, kw_only=True)
class LengthCurves:
    """One panel: the error of some models on sequences of growing length.

    - `lengths` (lengths,): in time steps, or the unit of the figure's `length_label`.
    - `errors`: for each model its error at each length, in the unit of `error_label`. NaN is "not
      measured" and left out; zero is drawn at a labelled floor; inf, and what is above
      `ceiling`, at the top edge.
    - `spread`: for a model how far its error spreads, `(lengths,)` for error ± spread, or
      `(2, lengths)` for the lower and the upper edge of the band.
    - `training_length`: the longest sequence seen in training; up to it the panel is shaded.
    - `chance`: the error of a model that learned nothing.
    - `scored`: how many answers each error is a share of, which says what zero means.
    """

    lengths: Real[np.ndarray, " lengths"]
    errors: Mapping[str, Real[np.ndarray, " lengths"]]
    training_length: float | int
    error_label: str = "error"
    title: str = ""
    chance: float | int | None = None
    chance_label: str = "chance"
    spread: Mapping[str, Real[np.ndarray, "..."]] = field(default_factory=dict)
    scored: int | None = None
    ceiling: float | int | None = None


def length_evaluation_figure(
    panels: LengthCurves | Sequence[LengthCurves],
    *,
    length_label: str = "sequence length (steps)",
    spread_label: str = "",
    stacked: bool = False,
) -> Figure:
    """Error against sequence length on two log axes, one line per model, one to three panels.

    A model keeps its colour and marker over the panels; panels with the same `error_label` have
    the same error axis. `spread_label` says in the legend what the bands are ("± 1 standard
    error over 5 seeds"). Panels stand side by side unless `stacked`.

    Raises `ValueError` for no panels or more than three.

        length_evaluation_figure(LengthCurves(lengths=n, errors={"GRU": e}, training_length=64))
    """
    panels = (panels,) if isinstance(panels, LengthCurves) else tuple(panels)
    if not 1 <= len(panels) <= _MOST_PANELS:
        raise ValueError(f"{len(panels)} panels; a figure has 1 to {_MOST_PANELS}")
    names = list(dict.fromkeys(name for panel in panels for name in panel.errors))
    looks = {name: _look(index) for index, name in enumerate(names)}
    rows, columns = (len(panels), 1) if stacked else (1, len(panels))
    with house_style():
        figure = new_figure(0.9 + rows * (3.0 if columns < _MOST_PANELS else 2.8))
        axes = list(figure.subplots(rows, columns, squeeze=False).flat)
        scales = [
            _scale([p for p in panels if p.error_label == one.error_label]) for one in panels
        ]
        before = ""
        leaves = any(map(_leaves, panels, scales))
        for ax, panel, scale in zip(axes, panels, scales, strict=True):
            _draw(ax, panel, scale, looks, width=PAGE_WIDTH / columns, leaves=leaves)
            if ax in axes[-columns:]:
                ax.set_xlabel(plain(length_label, longest=80 // columns))
            if stacked or panel.error_label != before:
                ax.set_ylabel(plain(panel.error_label, longest=50))
            before = panel.error_label
        if any(panel.spread for panel in panels) and spread_label:
            band = {"color": MEASURED, "alpha": 0.2, "linewidth": 0}
            axes[0].fill_between([], [], [], label=plain(spread_label), **band)
        legend_above(figure, axes)
        return freeze_layout(figure)


@dataclass(frozen=True)
class _Scale:
    """Where an error axis ends, and where below all that was measured errors of zero stand."""

    bottom: float
    top: float
    floor: float
    step: float
    """What raises one model's zeros above another's, so that none hides behind the other."""


def _scale(panels: Sequence[LengthCurves]) -> _Scale:
    """The error axis that panels of the same unit share."""
    shown = [np.array([np.nan])]
    for panel in panels:
        limit = np.inf if panel.ceiling is None else float(panel.ceiling)
        for name in panel.errors:
            parts = (np.asarray(panel.errors[name], np.float64), *_band(panel, name))
            shown += [np.where(part <= limit, part, np.nan) for part in parts]
    chances = [float(panel.chance) for panel in panels if panel.chance is not None]
    ceilings = [float(panel.ceiling) for panel in panels if panel.ceiling is not None]
    least, most = extent(positive(np.concatenate([*shown, np.array(chances)]))) or (0.1, 1.0)
    top = max([*(ceilings or [most * 1.35]), *(1.35 * chance for chance in chances)])
    low = min(least / 1.35, top / 2)
    rows = max(len(_with_zeros(panel)) for panel in panels)
    if rows == 0:
        return _Scale(low, top, low, 1.0)
    # Half of one wrong answer is below everything that could have been measured.
    low = min([low, *(0.5 / panel.scored for panel in panels if panel.scored)])
    step = (top / low) ** _DODGE
    floor = low / step ** (rows + 1)
    return _Scale(floor / step**1.5, top, floor, step)


def _with_zeros(panel: LengthCurves) -> list[str]:
    """The models that made no error at some length, the last of the legend first."""
    return [
        name
        for name in reversed(list(panel.errors))
        if np.any(np.asarray(panel.errors[name]) == 0)
    ]


def _draw(
    ax: Axes,
    panel: LengthCurves,
    scale: _Scale,
    looks: Mapping[str, dict[str, Any]],
    *,
    width: float,
    leaves: bool,
) -> None:
    lengths = positive(panel.lengths)
    span = extent(np.append(lengths, float(panel.training_length)))
    log_axis(ax.yaxis, (scale.bottom, scale.top))
    log_axis(ax.xaxis, None if span is None else (span[0] / 1.12, span[1] * 1.12))
    _tick_lengths(ax, lengths, width)
    ax.axvspan(ax.get_xlim()[0], float(panel.training_length), color=_TRAINED, zorder=0)
    ax.axvline(float(panel.training_length), color=INK, linewidth=1.0, linestyle=":", zorder=1)
    for name, errors in panel.errors.items():
        _draw_model(ax, panel, name, errors, scale, looks[name])
    _mark_levels(ax, panel, scale)
    mark = (float(panel.training_length), f"trained up to {panel.training_length:g}", INK)
    # Markers of what leaves the axis stand halfway above its edge.
    rows = edge_labels(ax, [mark], lift=5.0 * leaves)
    letters = min(60, int((width - 0.8) / 0.09))
    title_above(ax, plain(panel.title, longest=letters), rows=rows + leaves)
    say_if_empty(ax, *([*panel.errors.values()] or [np.array([np.nan])]))


def _draw_model(
    ax: Axes,
    panel: LengthCurves,
    name: str,
    errors: Real[np.ndarray, " lengths"],
    scale: _Scale,
    look: dict[str, Any],
) -> None:
    errors, lengths = np.asarray(errors, np.float64), np.asarray(panel.lengths, np.float64)
    colour = {"color": look["color"]}
    drawn = np.where(errors > scale.top, 1.5 * scale.top, errors)
    if (nothing := errors == 0).any():
        floor = scale.floor * scale.step ** _with_zeros(panel).index(name)
        drawn = np.where(nothing, floor, drawn)
        hollow = {"linestyle": "none", "markerfacecolor": "white", "marker": look["marker"]}
        ax.plot(lengths[nothing], drawn[nothing], markersize=5, zorder=5, **hollow, **colour)
    ax.plot(lengths, positive(drawn), label=plain(name), markersize=5, zorder=4, **look)
    if name in panel.spread:
        low, high = (finite(np.clip(edge, scale.bottom, scale.top)) for edge in _band(panel, name))
        ax.fill_between(lengths, low, high, alpha=0.16, linewidth=0, zorder=2, **colour)
    if (above := errors > scale.top).any():
        edge = np.full(int(above.sum()), scale.top)
        arrow = {"linestyle": "none", "marker": "^", "markersize": 8, "clip_on": False}
        ax.plot(lengths[above], edge, zorder=6, **arrow, **colour)


def _leaves(panel: LengthCurves, scale: _Scale) -> bool:
    return any(bool(np.any(np.asarray(e) > scale.top)) for e in panel.errors.values())


def _mark_levels(ax: Axes, panel: LengthCurves, scale: _Scale) -> None:
    """Lines for chance and for zero, named in the right margin where no curve can pass."""
    levels: list[tuple[float, str, str, str]] = []
    if _leaves(panel, scale):
        levels.append((scale.top, f"above\n{_rounded(scale.top)}", MEASURED, ""))
    if _with_zeros(panel):
        text = f"0 of {panel.scored}\nwrong" if panel.scored else "exactly\nzero"
        levels.append((scale.floor, text, MEASURED, "-"))
    if panel.chance is not None and panel.chance > 0:
        text = f"{plain(panel.chance_label, longest=16)}\n{_rounded(panel.chance)}"
        levels.append((float(panel.chance), text, LIMIT, "--"))
    taken: list[float] = []
    for value, text, colour, line in levels:
        if line:
            shade = FAINT if line == "-" else colour
            ax.axhline(value, color=shade, linewidth=1.1, linestyle=line, zorder=3)
        place = ax.transAxes.inverted().transform(ax.transData.transform((1.0, value)))[1]
        # Two rows of words are about a seventh of a panel high.
        for other in taken:
            if abs(place - other) < 0.13:
                place = other + (0.13 if place < 0.5 else -0.13)
        taken.append(place)
        ax.annotate(
            text,
            (1.0, place),
            xycoords="axes fraction",
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            linespacing=1.1,
            color=colour,
            annotation_clip=False,
        )


def _band(panel: LengthCurves, name: str) -> tuple[Float[np.ndarray, "..."], ...]:
    """Lower and upper edge of a model's band; where it has none, its error itself."""
    errors = np.asarray(panel.errors[name], np.float64)
    if name not in panel.spread:
        return errors, errors
    spread = np.asarray(panel.spread[name], np.float64)
    return (spread[0], spread[1]) if spread.ndim == 2 else (errors - spread, errors + spread)


def _tick_lengths(ax: Axes, lengths: Float[np.ndarray, " lengths"], width: float) -> None:
    """Ticks at every, every other, … measured length, as many as can stand beside each other."""
    left, right = np.log(ax.get_xlim())
    inch = (right - left) / max(width - 1.2, 1.0)
    known = np.unique(lengths[np.isfinite(lengths)])
    for every in range(1, len(known)):
        kept = known[::every]
        words = [f"{length:g}" for length in kept]
        room = np.array([0.07 * len(word) + 0.12 for word in words[1:]])
        if len(kept) > 1 and np.all(np.diff(np.log(kept)) > room * inch):
            ax.set_xticks(kept, words)
            ax.set_xticks([], minor=True)
            return


def _rounded(value: float | int) -> str:
    return decimal(float(f"{value:.2g}"))


def _look(index: int) -> dict[str, Any]:
    """A model's line: its own colour and marker, dashed once the colours are used up."""
    return {
        "color": _COLOURS[index % len(_COLOURS)],
        "marker": _MARKERS[index % len(_MARKERS)],
        "linestyle": "-" if index < len(_COLOURS) else "--",
    }
