"""Figures of the part on deep stacks."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from remanence.report import LIMIT, MODEL, THEORY, TRAINING, freeze_layout, house_style, new_figure
from remanence.report.drawing import legend_above, log_axis
from remanence.studies.hyperbolic.stacks_measures import Measured, Runs
from remanence.studies.hyperbolic.stacks_settings import (
    HYPERBOLIC,
    LRU,
    S5,
    CaseSettings,
    StackSettings,
)
from remanence.studies.hyperbolic.stacks_tasks import chance, make_task

COLOURS = {LRU: LIMIT, S5: TRAINING, HYPERBOLIC: MODEL}
_COLUMNS = 3


def rates_figure(s: StackSettings, found: Measured) -> Figure:
    """Final error against the rate of the eigenvalues."""
    with house_style():
        figure, axes = _panels(s)
        for ax, case in zip(axes, s.cases, strict=True):
            floor = _floor(s, case, found)
            for student, tuned in found[case.name].items():
                rates, medians = tuned.search.medians()
                shown = np.clip(np.where(np.isfinite(medians), medians, np.nan), floor, None)
                ax.plot(rates, shown, "o-", color=COLOURS[student], markersize=4, label=student)
                best = int(np.argmin(medians))
                ax.plot(rates[best], shown[best], "o", color=COLOURS[student], markersize=8)
            low = min(float(one.search.rates.min()) for one in found[case.name].values())
            high = max(float(one.search.rates.max()) for one in found[case.name].values())
            log_axis(ax.xaxis, (low / 1.5, high * 1.5))
            _finish(ax, case, floor)
            ax.set_xlabel("rate of the eigenvalues")
        legend_above(figure, axes)
        return freeze_layout(figure)


def curves_figure(s: StackSettings, found: Measured) -> Figure:
    """Held-out error against the step, each at its best rate."""
    with house_style():
        figure, axes = _panels(s)
        for ax, case in zip(axes, s.cases, strict=True):
            floor = _floor(s, case, found)
            for student, tuned in found[case.name].items():
                _curves(ax, tuned.final, COLOURS[student], student, floor)
            ax.set_xlim(0, case.steps)
            _finish(ax, case, floor)
            ax.set_xlabel("step of training")
        legend_above(figure, axes)
        return freeze_layout(figure)


def _curves(ax: Axes, runs: Runs, colour: str, label: str, floor: float) -> None:
    errors = np.clip(np.where(np.isfinite(runs.errors), runs.errors, np.nan), floor, None)
    for one in errors:
        ax.plot(runs.at, one, color=colour, linewidth=0.8, alpha=0.35)
    ax.plot(runs.at, np.median(errors, axis=0), color=colour, linewidth=2, label=label)


def _panels(s: StackSettings) -> tuple[Figure, Sequence[Axes]]:
    columns = min(_COLUMNS, len(s.cases))
    rows = math.ceil(len(s.cases) / columns)
    figure = new_figure(0.6 + 2.7 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    axes = list(grid.flat)
    for ax in axes[len(s.cases) :]:
        ax.remove()
    return figure, axes[: len(s.cases)]


def _finish(ax: Axes, case: CaseSettings, floor: float) -> None:
    task = make_task(case)
    top = chance(task)
    ax.axhline(top, color=THEORY, linestyle="--", linewidth=1, label="best constant")
    log_axis(ax.yaxis, (floor / 1.5, 2 * top))
    ax.set_title(case.name.replace(", long start", ",\nlong start"))
    ax.set_ylabel("unexplained share" if task.kind == "regression" else "share of wrong answers")


def _floor(s: StackSettings, case: CaseSettings, found: Measured) -> float:
    """The least error that is drawn; zeros, and all below a tenth of a wrong answer, lie there."""
    if make_task(case).kind == "classification":
        return 0.1 / s.tests
    every = np.concatenate(
        [
            runs.errors.ravel()
            for one in found[case.name].values()
            for runs in (one.search, one.final)
        ]
    )
    return float(np.min(every[every > 0])) / 2
