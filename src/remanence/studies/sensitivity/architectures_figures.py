"""Figures of the architecture comparison."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from remanence.report import (
    FAINT,
    LIMIT,
    MEASURED,
    MODEL,
    TEST,
    THEORY,
    TRAINING,
    VALIDATION,
    freeze_layout,
    house_style,
    new_figure,
)
from remanence.report.drawing import legend_above, log_axis, positive
from remanence.studies.sensitivity.architectures_measures import Architectures
from remanence.studies.sensitivity.architectures_settings import (
    FULL,
    PUBLISHED_ABLATION,
    PUBLISHED_SWEEP,
    ArchitectureSettings,
)
from remanence.studies.sensitivity.runs import Grid

COLOURS = {
    "dense RNN": LIMIT,
    "32 blocks": VALIDATION,
    "64 blocks, 128 states": MEASURED,
    "complex diagonal": TRAINING,
    "complex diagonal, γ": TEST,
    "LRU": MODEL,
}
"""One colour for each student, in every figure of the study."""

_EXPLODED = 1e3
"""Losses from here on are counted, not drawn: the teacher's output has a power of order one."""


def sweep_figure(settings: ArchitectureSettings, found: Architectures) -> Figure:
    """Loss against memory, starts as bands, the published values beside them."""
    levels = np.array(settings.levels)
    with house_style():
        figure = new_figure(4.0)
        ax = figure.subplots()
        everything = []
        for name, grids in found.sweep.items():
            ends = np.stack([grid.best_losses for grid in grids])
            # One start that exploded would leave a decade of the axis to all the others.
            exploded = ~(ends < _EXPLODED)
            losses = np.where(exploded, np.nan, ends)
            memory = 1 / (1 - levels)
            for place in np.flatnonzero(exploded.any(axis=1)):
                ax.annotate(
                    f"{exploded[place].sum()} of {exploded.shape[1]} exploded ↑",
                    (memory[place], 0.97),
                    xycoords=("data", "axes fraction"),
                    ha="center",
                    va="top",
                    color=COLOURS[name],
                    fontsize=8.5,
                )
            ax.fill_between(
                memory,
                np.nanmin(losses, axis=1),
                np.nanmax(losses, axis=1),
                color=COLOURS[name],
                alpha=0.2,
                linewidth=0,
            )
            ax.plot(
                memory,
                _shown(np.median(ends, axis=1)),
                "o-",
                color=COLOURS[name],
                markersize=4,
                label=name,
            )
            ax.plot(
                1 / (1 - np.array(FULL.levels)),
                PUBLISHED_SWEEP[name],
                "x",
                color=COLOURS[name],
                label=f"{name}, published",
            )
            everything += [losses.ravel(), np.array(PUBLISHED_SWEEP[name])]
        ax.axhline(
            found.pattern.cost,
            color=THEORY,
            linestyle="--",
            linewidth=1,
            label=f"cost of lacking two real modes ({found.pattern.cost:.3f})",
        )
        log_axis(ax.yaxis, _limits(*everything, np.array([found.pattern.cost])))
        log_axis(ax.xaxis, (1.3, 130.0))
        ax.set_xlabel("least memory of the teacher, 1/(1 − ν₀) (steps)")
        ax.set_ylabel("final loss, ½ mean (y − y*)²")
        legend_above(figure, ax)
        return freeze_layout(figure)


def ablation_figure(settings: ArchitectureSettings, found: Architectures) -> Figure:
    """The published teacher beside others: a dot per start or teacher, and medians."""
    with house_style():
        figure = new_figure(4.2)
        left, right = figure.subplots(1, 2, sharey=True, width_ratios=(1.4, 1.0))
        limits = _limits(
            *(grid.best_losses for grid in found.ablation.values()),
            *(grid.best_losses for grid in found.ensemble.values()),
            np.array(list(PUBLISHED_ABLATION.values())),
        )
        _strips(left, found.ablation, PUBLISHED_ABLATION)
        _strips(right, found.ensemble, {})
        left.axhline(found.pattern.cost, color=THEORY, linestyle="--", linewidth=1, zorder=0)
        left.annotate(
            "two real modes missing",
            (1.0, found.pattern.cost),
            xycoords=("axes fraction", "data"),
            xytext=(-2, 3),
            textcoords="offset points",
            ha="right",
            color=THEORY,
            fontsize=8.5,
        )
        log_axis(left.yaxis, limits)
        left.set_title(f"published teacher, ν₀ = {settings.levels[-1]:g}")
        right.set_title(f"{settings.teachers} other teachers")
        left.set_ylabel("final loss, ½ mean (y − y*)²")
        return freeze_layout(figure)


def pattern_figure(found: Architectures) -> Figure:
    """What dense students lack, against lag."""
    pattern = found.pattern
    with house_style():
        figure = new_figure(3.2)
        ax = figure.subplots()
        even = np.arange(0, pattern.missing.size, 2)
        for index, error in enumerate(pattern.errors):
            ax.plot(
                even,
                error[even],
                color=COLOURS["dense RNN"],
                alpha=0.5,
                linewidth=1,
                label="teacher − dense student" if index == 0 else None,
            )
        ax.plot(
            even,
            pattern.missing[even],
            "--",
            color=THEORY,
            linewidth=1.4,
            label="response of the teacher's real modes",
        )
        ax.axhline(0, color=FAINT, linewidth=0.8)
        ax.set_xlim(0, even[-1])
        ax.set_xlabel("lag n (steps, even ones)")
        ax.set_ylabel("impulse response")
        legend_above(figure, ax)
        return freeze_layout(figure)


def _strips(ax: Axes, grids: Mapping[str, Grid], published: Mapping[str, float]) -> None:
    for place, (name, grid) in enumerate(grids.items()):
        losses = _shown(grid.best_losses)
        spread = np.linspace(-0.16, 0.16, losses.size) if losses.size > 1 else np.zeros(1)
        ax.plot(place + spread, losses, "o", color=COLOURS[name], markersize=3.5, alpha=0.55)
        ax.hlines(np.nanmedian(losses), place - 0.3, place + 0.3, color=COLOURS[name])
        if name in published:
            ax.plot([place + 0.34], [published[name]], "x", color="#22262c", markersize=5)
    ax.set_xticks(
        range(len(grids)), [name.replace(", ", ",\n").replace(" ", "\n", 1) for name in grids]
    )
    ax.set_xlim(-0.6, len(grids) - 0.4)
    ax.tick_params(axis="x", labelsize=8)
    ax.grid(visible=False, axis="x")


def _shown(losses: Float[np.ndarray, " starts"]) -> Float[np.ndarray, " starts"]:
    """Losses with NaN where a run diverged."""
    return np.where(np.isfinite(losses), losses, np.nan)


def _limits(*values: Float[np.ndarray, "..."]) -> tuple[float, float]:
    everything = positive(np.concatenate([np.ravel(one) for one in values]))
    return float(np.nanmin(everything)) / 2, float(np.nanmax(everything)) * 2
