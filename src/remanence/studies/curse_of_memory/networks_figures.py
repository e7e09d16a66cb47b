"""Figures of the part on trained networks: curves, and how steps grow with memory."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from remanence.report import (
    FAINT,
    LIMIT,
    MEASURED,
    MODEL,
    TEST,
    THEORY,
    TRAINING,
    VALIDATION,
    NamedFigure,
    freeze_layout,
    house_style,
    new_figure,
)
from remanence.report.drawing import log_axis
from remanence.studies.curse_of_memory.networks_claims import fast_sum, of_family
from remanence.studies.curse_of_memory.networks_linear import (
    AIRY,
    BUMP,
    EXPONENTIALS,
    STRETCHED,
)
from remanence.studies.curse_of_memory.networks_lorenz import LINEAR_PART, lorenz_family
from remanence.studies.curse_of_memory.networks_measures import Curves, growth_rate
from remanence.studies.curse_of_memory.networks_settings import (
    ESCAPED,
    FLAT,
    STRETCH,
    NetworkSettings,
)

_SUMS = (TRAINING, VALIDATION)
_DELAYS = (TEST, MODEL, THEORY, LIMIT, MEASURED)
_FLOOR = 3e-4


def curves_figure(s: NetworkSettings, linear: list[Curves], tanh: list[Curves]) -> NamedFigure:
    """Training curves of the three experiments."""
    with house_style():
        figure = new_figure(4.9)
        axes = figure.subplots(1, 3, sharey=True)
        shown = (
            ("Linear RNN, gradient descent", _sums_and_airy(linear), s.linear.steps),
            ("tanh RNN, Adam", _sums_and_airy(tanh), s.tanh.steps),
            (
                f"tanh RNN, Adam: Lorenz, K = {s.tanh.modes[0]}",
                _lorenz(s, tanh),
                s.tanh.steps,
            ),
        )
        for ax, (title, curves, steps) in zip(axes, shown, strict=True):
            for one, colour, label in curves:
                _band(ax, one, colour, label)
            ax.axhline(ESCAPED, color=FAINT, linewidth=1.0, linestyle="--")
            log_axis(ax.xaxis, (1.0, float(steps)))
            log_axis(ax.yaxis, (_FLOOR, 3.0))
            ax.set_title(title)
            ax.set_xlabel("step + 1")
            ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=8)
        axes[0].set_ylabel("unexplained share")
        freeze_layout(figure)
    return NamedFigure(
        "network-curves",
        figure,
        f"Unexplained share during training: median of {s.linear.seeds} (left) and "
        f"{s.tanh.seeds} seeds with the span from least to greatest; dashed: learnt. Left: the "
        "exact expected loss of a dense linear RNN under plain gradient descent. Middle and "
        f"right: held-out sequences, second half of {s.tanh.length} steps of {s.tanh.step:g}. "
        f"Ai is Ai({STRETCH:g}(t − t₀)). Exponential sums fall at once, fast and slow ones "
        "alike, Airy functions later. Right: Lorenz systems; the linear part alone is the "
        "response from equal z_k.",
    )


def _sums_and_airy(curves: list[Curves]) -> list[tuple[Curves, str, str]]:
    sums = zip(of_family(curves, EXPONENTIALS), _SUMS, strict=True)
    family = of_family(curves, STRETCHED)
    return [
        *((one, colour, one.target) for one, colour in sums),
        *(
            (one, colour, f"Ai, t₀ = {one.memory:g}")
            for one, colour in zip(family, _DELAYS, strict=False)
        ),
    ]


def _lorenz(s: NetworkSettings, curves: list[Curves]) -> list[tuple[Curves, str, str]]:
    family = of_family(curves, lorenz_family(s.tanh.modes[0]))
    control = of_family(curves, LINEAR_PART)[0]
    return [
        *(
            (one, colour, f"κ = {one.memory:g}")
            for one, colour in zip(family, (TRAINING, MODEL, LIMIT, TEST), strict=False)
        ),
        (control, THEORY, f"κ = {control.memory:g}, linear"),
    ]


def _band(ax: Axes, one: Curves, colour: str, label: str) -> None:
    shares = np.where(np.isfinite(one.shares), one.shares, np.nan)
    every = np.unique(np.geomspace(1, one.at.size, 300).astype(int)) - 1
    x = one.at[every] + 1
    low, middle, high = np.quantile(shares[:, every], (0.0, 0.5, 1.0), axis=0)
    ax.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
    ax.plot(x, middle, color=colour, label=label)


def growth_figure(s: NetworkSettings, linear: list[Curves], tanh: list[Curves]) -> NamedFigure:
    """Steps to learn and longest plateau against the delay."""
    names = {
        AIRY: ("Ai(t − t₀)", MODEL, "o"),
        STRETCHED: (f"Ai({STRETCH:g}(t − t₀))", LIMIT, "s"),
        BUMP: ("Gaussian bump at t₀", TRAINING, "^"),
    }
    with house_style():
        figure = new_figure(4.3)
        left, right = figure.subplots(1, 2)
        for family, (label, colour, marker) in names.items():
            _points(left, of_family(linear, family), colour, marker, f"linear, {label}")
            _flat(right, of_family(linear, family), colour, marker, f"linear, {label}")
        label = names[STRETCHED][0]
        stretched = of_family(tanh, STRETCHED)
        _points(left, stretched, THEORY, "D", f"tanh, {label}")
        _flat(right, stretched, THEORY, "D", f"tanh, {label}")
        for curves, colour, name in ((linear, MODEL, "linear"), (tanh, THEORY, "tanh")):
            left.axhline(
                max(fast_sum(curves).escape, 1.0),
                color=colour,
                linewidth=1.0,
                linestyle=":",
                label=f"{name}, fast exponentials",
            )
        top = 2.0 * max(s.linear.steps, s.tanh.steps)
        for ax, what in (
            (left, f"steps to an unexplained share of {ESCAPED:g}"),
            (right, "longest plateau, steps"),
        ):
            log_axis(ax.yaxis, (0.8, top))
            ax.set_xlabel("delay t₀, units of time")
            ax.set_ylabel(what)
        left.set_title("Time to learn")
        right.set_title("Longest stretch of slow decline")
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3, fontsize=8.5)
        freeze_layout(figure)
    return NamedFigure(
        "network-growth",
        figure,
        f"Left: median steps until a target is learnt ({s.linear.seeds} seeds of the linear, "
        f"{s.tanh.seeds} of the tanh network; faint: every seed; a seed or median that does not "
        "arrive is left out); dashed: exponentials a e^(c t₀) fitted to the medians; dotted: the "
        "fast exponential sum. Right: the longest stretch before that over which the log of the "
        f"share moves by less than {FLAT:g}; what has none is drawn at the lower edge.",
    )


def _points(ax: Axes, family: list[Curves], colour: str, marker: str, label: str) -> None:
    x = [one.memory for one in family]
    _seeds(ax, family, [one.escapes for one in family], colour)
    middle = [one.escape if np.isfinite(one.escape) else np.nan for one in family]
    ax.plot(x, middle, linestyle="", marker=marker, color=colour, markersize=6, label=label)
    rate, offset = growth_rate(family)
    if np.isfinite(rate):
        line = np.linspace(x[0], x[-1], 50)
        ax.plot(line, np.exp(offset + rate * line), "--", color=colour, linewidth=1.1)


def _flat(ax: Axes, family: list[Curves], colour: str, marker: str, label: str) -> None:
    x = [one.memory for one in family]
    _seeds(ax, family, [one.plateaus for one in family], colour)
    middle = [max(one.plateau, 1.0) for one in family]
    ax.plot(x, middle, color=colour, marker=marker, markersize=6, linewidth=1.3, label=label)


def _seeds(ax: Axes, family: list[Curves], values: Sequence[np.ndarray], colour: str) -> None:
    for one, seeds in zip(family, values, strict=True):
        known = np.maximum(seeds[np.isfinite(seeds)], 1.0)
        ax.plot(
            np.full(known.size, one.memory),
            known,
            linestyle="",
            marker=".",
            color=colour,
            alpha=0.35,
            markersize=5,
            markeredgewidth=0.0,
        )
