"""Figures of the part on one mode: steps by memory, shares by rate, the ablation."""

from collections.abc import Mapping

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
from remanence.report.drawing import decimal, legend_above, log_axis
from remanence.studies.hyperbolic.one_mode_claims import median
from remanence.studies.hyperbolic.one_mode_measures import Runs, start_distances
from remanence.studies.hyperbolic.one_mode_settings import (
    ARRIVED,
    RATE,
    READOUT_RATE,
    OneModeSettings,
)
from remanence.studies.hyperbolic.one_mode_students import (
    ABLATIONS,
    COMPETITORS,
    DESCENT,
    HYPERBOLIC,
    LOG_DESCENT,
    PLANE,
)

_LOOKS = dict(
    zip(
        (one.name for one in COMPETITORS),
        (
            (LIMIT, "v"),
            (LIMIT, "1"),
            (VALIDATION, "^"),
            (TRAINING, "s"),
            (MEASURED, "D"),
            (TEST, "P"),
            (FAINT, "X"),
        ),
        strict=True,
    )
)


def steps_figure(s: OneModeSettings, runs: Mapping[str, Runs]) -> NamedFigure:
    """Median steps and failures against memory, everybody at the best."""
    x = np.array(s.memories)
    with house_style():
        figure = new_figure(4.4)
        left, right = figure.subplots(1, 2)
        steps = runs[HYPERBOLIC.name].fixed()
        _line(left, right, x, steps, MODEL, "o", f"hyperbolic Adam, rate {RATE:g}", width=2.2)
        for one in COMPETITORS:
            _line(left, right, x, runs[one.name].at_best(), *_LOOKS[one.name], one.name)
        way = np.median(start_distances(s), axis=1) / RATE
        left.plot(x, way, "--", color=THEORY, linewidth=1.2, label=f"d₀/η, η = {RATE:g}")
        left.axhline(s.budget, color=FAINT, linewidth=1.0)
        left.annotate(
            "budget", (x[0], s.budget), xytext=(0, 3), textcoords="offset points", fontsize=8
        )
        for ax in (left, right):
            log_axis(ax.xaxis, (x[0] / 1.6, 1.6 * x[-1]))
            ax.set_xlabel("memory of the target 1/(1 − |μ|), steps")
        log_axis(left.yaxis, (30.0, 2.0 * s.budget))
        left.set_ylabel(f"steps to an unexplained share of {ARRIVED:g}")
        left.set_title("Steps, where more than half arrive")
        right.set(ylim=(-3, 103), ylabel="targets not learnt, %")
        right.set_title("Failures")
        legend_above(figure, left)
        freeze_layout(figure)
    return NamedFigure(
        "one-mode-steps",
        figure,
        f"One mode learns one mode of growing memory, from {1 - s.start:g} e^{{iπ/4}}: median "
        f"and quartiles over {s.targets} targets with random angles. Hyperbolic Adam has one "
        "rate for all memories; every competitor has at each memory the best of its rates, "
        "readout rates and schedules. A line ends where half of the targets or more are not "
        f"learnt in {s.budget:,} steps. Dashed: the way to go at η a step.",
    )


def _line(
    left: Axes,
    right: Axes,
    x: np.ndarray,
    steps: np.ndarray,
    colour: str,
    marker: str,
    label: str,
    *,
    width: float = 1.4,
) -> None:
    middle = np.array([median(row) for row in steps])
    middle = np.where(np.isfinite(middle), middle, np.nan)
    ordered = np.sort(steps, axis=1)
    low, high = (ordered[:, round(q * (steps.shape[1] - 1))] for q in (0.25, 0.75))
    # Where a quarter fails the bar reaches beyond the page.
    low, high = np.where(np.isnan(middle), np.nan, [low, np.minimum(high, 1e9)])
    left.vlines(x, low, high, color=colour, linewidth=5, alpha=0.25)
    left.plot(x, middle, color=colour, marker=marker, markersize=6, linewidth=width, label=label)
    failed = 100 * np.isinf(steps).mean(axis=1)
    right.plot(x, failed, color=colour, marker=marker, markersize=6, linewidth=width)


def rates_figure(s: OneModeSettings, runs: Mapping[str, Runs]) -> NamedFigure:
    """The share of targets learnt against the learning rate, at three memories."""
    with house_style():
        figure = new_figure(3.7)
        axes = figure.subplots(1, len(s.ablated_memories), sharey=True, squeeze=False)[0]
        for ax, memory in zip(axes, s.ablated_memories, strict=True):
            row = s.memories.index(memory)
            for one in COMPETITORS:
                _shares(ax, runs[one.name], row, *_LOOKS[one.name], 1.3)
            _shares(ax, runs[HYPERBOLIC.name], row, MODEL, "o", 2.2)
            every = (*s.competitor_rates, *s.rates)
            log_axis(ax.xaxis, (min(every) / 1.5, 1.5 * max(every)))
            ax.set(xlabel="learning rate of the eigenvalue", ylim=(-3, 103))
            ax.set_title(f"Memory {decimal(memory)}")
        axes[0].set_ylabel("targets learnt, %")
        legend_above(figure, axes[0])
        freeze_layout(figure)
    return NamedFigure(
        "one-mode-rates",
        figure,
        f"Share of {s.targets} targets learnt within {s.budget:,} steps at each rate, "
        "with the best readout rate and schedule of the grid. The rate of hyperbolic Adam is a "
        "distance, that of others a change of their parameter: what compares is the width of "
        "what works, and where it is as memory grows.",
    )


def _shares(ax: Axes, runs: Runs, row: int, colour: str, marker: str, width: float) -> None:
    rates = np.unique(runs.rates)
    learnt = [100 * (1 - runs.failures[row, runs.rates == rate].min()) for rate in rates]
    ax.plot(
        rates,
        learnt,
        color=colour,
        marker=marker,
        markersize=5,
        linewidth=width,
        label=runs.student,
    )


def ablation_figure(s: OneModeSettings, runs: Mapping[str, Runs]) -> NamedFigure:
    """Median steps of hyperbolic Adam less one part each, at three memories."""
    names = [HYPERBOLIC.name, *(one.name for one in ABLATIONS), PLANE]
    looks = ((TRAINING, "o"), (MODEL, "s"), (LIMIT, "D"))
    tuned = (DESCENT, LOG_DESCENT, PLANE)
    with house_style():
        figure = new_figure(5.4)
        ax = figure.subplots()
        beyond = 1.7 * s.budget
        for i, name in enumerate(names):
            found = runs[name]
            for k, (memory, (colour, marker)) in enumerate(
                zip(s.ablated_memories, looks, strict=False)
            ):
                row = found.memories.index(memory)
                steps = found.at_best()[row] if name in tuned else found.fixed()[row]
                ordered = np.sort(steps)
                ends = [ordered[round(q * (steps.size - 1))] for q in (0.25, 0.75)]
                place = -i + 0.25 * (1 - k)
                ax.hlines(place, *np.minimum(ends, beyond), color=colour, linewidth=5, alpha=0.25)
                middle = min(median(steps), beyond)
                label = f"memory {decimal(memory)}" if i == 0 else None
                ax.plot(middle, place, marker, color=colour, markersize=6, label=label)
                failed = int(np.isinf(steps).sum())
                if failed:
                    ax.annotate(
                        f"{failed} of {steps.size} fail",
                        (2.2 * s.budget, place),
                        fontsize=7.5,
                        va="center",
                        color=colour,
                    )
        ax.axvline(s.budget, color=FAINT, linewidth=1.0)
        log_axis(ax.xaxis, (4.0, 9.0 * s.budget))
        shown = [f"{name}, tuned" if name in tuned else name for name in names]
        ax.set_yticks([-float(i) for i in range(len(names))], shown)
        ax.grid(visible=False, axis="y")
        ax.set_xlabel(f"steps to an unexplained share of {ARRIVED:g}; line: the budget")
        legend_above(figure, ax)
        freeze_layout(figure)
    return NamedFigure(
        "one-mode-ablation",
        figure,
        f"Hyperbolic Adam at rate {RATE:g} and readout rate {READOUT_RATE:g}, complete and less "
        f"one part each: median and quartiles over {s.targets} targets; marks right of the line "
        "are medians of runs that do not arrive. The tuned ones, which have no common rate, are "
        "at the best of their grid for each memory.",
    )
