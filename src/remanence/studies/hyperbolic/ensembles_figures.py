"""Figures of the part on ensembles: losses by memory, and by learning rate."""

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
from remanence.report.drawing import legend_above, log_axis
from remanence.studies.hyperbolic.ensembles_batches import Grid
from remanence.studies.hyperbolic.ensembles_settings import (
    BETTER,
    FAILED,
    FIXED,
    EnsembleSettings,
)
from remanence.studies.hyperbolic.ensembles_students import (
    DENSE,
    EXP,
    HYPERBOLIC,
    LRU,
    PLAIN,
    S4D,
    S5,
    STABLE,
    TANH,
)
from remanence.studies.hyperbolic.ensembles_training import Cell, Trained

_INK = "#22262c"
_LOOKS = {
    LRU: (MEASURED, "v"),
    EXP: (VALIDATION, "^"),
    TANH: (LIMIT, "s"),
    STABLE: (TRAINING, "D"),
    S4D: (TEST, "<"),
    S5: ("#7b4fa3", ">"),
    PLAIN: (FAINT, "P"),
    DENSE: (_INK, "X"),
    HYPERBOLIC: (MODEL, "o"),
}
_HIGHEST = 3.0
"""Losses above are drawn here: they are diverged runs, or as good as."""


def memory_figure(
    s: EnsembleSettings, trained: Sequence[Trained], extra: Sequence[Grid]
) -> NamedFigure:
    """Final losses at the best rates, against ν₀, from both starts."""
    dense = [one for one in extra if one.name == DENSE]
    with house_style():
        figure = new_figure(0.8 + 3.0 * len(s.starts))
        axes = figure.subplots(len(s.starts), 1, sharex=True, squeeze=False)[:, 0]
        for ax, start in zip(axes, s.starts, strict=True):
            _by_level(ax, s, trained, start, dense)
            ax.set_title(f"Students start {_from(start)}")
            ax.set_ylabel("final loss / output power")
        axes[-1].set_xticks(range(len(s.levels)), [f"ν₀ = {level:g}" for level in s.levels])
        axes[-1].set_xlabel("least magnitude of the teacher's eigenvalues")
        legend_above(figure, list(axes))
        freeze_layout(figure)
    also = (
        f" The dense recurrence: {dense[0].at_best.size} teachers, one cell."
        if dense
        else " The dense recurrence is trained in the full preset."
    )
    return NamedFigure(
        "ensembles-memory",
        figure,
        f"Exact expected loss after {s.steps:,} steps over the power of the teacher's output (1: "
        "a student that puts out nothing), every competitor at its best pair of learning rates. "
        f"Bars: quartiles over {s.teachers} random teachers of ten states; large marks: medians; "
        f"dots: teachers, those above {_HIGHEST:g} or diverged drawn at {_HIGHEST:g}. Short "
        f"dashes: 1/{BETTER:g} of the best competitor, which the claim asks for; dotted: failure "
        f"above.{also}",
    )


def _by_level(
    ax: Axes, s: EnsembleSettings, trained: Sequence[Trained], start: str, dense: Sequence[Grid]
) -> None:
    count, seen = len(trained) + bool(dense), [1.0]
    for i, level in enumerate(s.levels):
        rows = [(one.name, one.tuned((level, start), s.teachers)) for one in trained]
        rivals = [float(np.median(row)) for name, row in rows if name != HYPERBOLIC]
        rows += [(one.name, one.at_best) for one in dense if one.cell == (level, start)]
        for j, (name, losses) in enumerate(rows):
            x = i + 0.84 * ((j + 0.5) / count - 0.5)
            _marks(ax, x, losses, name)
            seen.append(float(losses.min()))
        ax.hlines(
            min(rivals) / BETTER,
            i - 0.42,
            i + 0.42,
            color=THEORY,
            linestyle="--",
            linewidth=1.2,
            label="criterion",
        )
    ax.axhline(FAILED, color=_INK, linestyle=":", linewidth=1, label="failed above")
    log_axis(ax.yaxis, (min(seen) / 3, 2 * _HIGHEST))
    ax.grid(visible=False, axis="x")
    ax.set_xlim(-0.5, len(s.levels) - 0.5)


def _marks(ax: Axes, x: float, losses: np.ndarray, name: str) -> None:
    colour, marker = _LOOKS[name]
    # Quantiles of infinities are not numbers.
    losses = np.minimum(losses, _HIGHEST)
    low, middle, high = np.quantile(losses, [0.25, 0.5, 0.75])
    ax.vlines(x, low, high, color=colour, linewidth=6, alpha=0.3)
    ax.plot(np.full(losses.size, x), losses, ".", color=colour, markersize=4, alpha=0.6)
    ax.plot([x], [middle], marker, color=colour, markersize=7, linestyle="", label=name)


def rates_figure(s: EnsembleSettings, trained: Sequence[Trained]) -> NamedFigure:
    """Median losses against the learning rate of eigenvalues, in every cell."""
    with house_style():
        figure = new_figure(0.9 + 2.6 * len(s.starts))
        grid = figure.subplots(
            len(s.starts), len(s.levels), sharex=True, sharey=True, squeeze=False
        )
        medians, rates = [], []
        for row, start in zip(grid, s.starts, strict=True):
            for ax, level in zip(row, s.levels, strict=True):
                for one in trained:
                    x, y = _curve(s, one, (level, start))
                    colour, marker = _LOOKS[one.name]
                    front = one.name == HYPERBOLIC
                    ax.plot(
                        x,
                        y,
                        marker=marker,
                        color=colour,
                        markersize=5,
                        linewidth=2.2 if front else 1.2,
                        zorder=3 if front else 2,
                        label=one.name,
                    )
                    medians.append(y)
                    rates.append(x)
                ax.axvline(FIXED[0], color=MODEL, linestyle="--", linewidth=0.8)
                ax.set_title(f"ν₀ = {level:g}, {start}", fontsize=9)
        every, places = np.concatenate(medians), np.concatenate(rates)
        for ax in grid.flat:
            log_axis(ax.yaxis, (every.min() / 2, 2 * _HIGHEST))
            log_axis(ax.xaxis, (places.min() / 1.5, 1.5 * places.max()))
        for ax in grid[-1]:
            ax.set_xlabel("rate of the eigenvalues")
        for ax in grid[:, 0]:
            ax.set_ylabel("final loss / output power")
        legend_above(figure, grid[0, 0])
        freeze_layout(figure)
    return NamedFigure(
        "ensembles-rates",
        figure,
        "Final loss against the learning rate of eigenvalues and γ, at the best of "
        f"{len(s.readouts)} or more rates of B, C and D for each: medians over {s.searched} "
        f"teachers, those above {_HIGHEST:g} drawn there. Rates of hyperbolic Adam are distances "
        "in the disc, those of the others steps of their parameters: the width of a curve can be "
        f"compared, its place cannot. Dashed: {FIXED[0]:g}, chosen before the run.",
    )


def _curve(s: EnsembleSettings, one: Trained, cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    rates, reads = one.grids[cell]
    best = [min(one.median(cell, (rate, read), s.searched) for read in reads) for rate in rates]
    return np.array(rates), np.minimum(best, _HIGHEST)


def batches_figure(grids: Sequence[Grid], size: int) -> NamedFigure:
    """LRU and hyperbolic Adam on minibatches."""
    cells = list(dict.fromkeys(one.cell for one in grids))
    with house_style():
        figure = new_figure(3.2)
        axes = figure.subplots(1, len(cells), sharey=True, squeeze=False)[0]
        seen, places = [1.0], []
        for ax, cell in zip(axes, cells, strict=True):
            for one in grids:
                if one.cell != cell:
                    continue
                colour, marker = _LOOKS[one.name]
                x = np.array([rate for rate, _ in one.losses])
                losses = np.minimum(np.stack(list(one.losses.values())), _HIGHEST)
                ax.fill_between(
                    x,
                    *np.quantile(losses, [0.25, 0.75], axis=1),
                    color=colour,
                    alpha=0.2,
                    linewidth=0,
                )
                ax.plot(
                    x,
                    np.median(losses, axis=1),
                    marker=marker,
                    color=colour,
                    markersize=5,
                    label=one.name,
                )
                seen.append(float(losses.min()))
                places += x.tolist()
            ax.set_title(f"ν₀ = {cell[0]:g}, {cell[1]}", fontsize=9)
            ax.set_xlabel("rate of the eigenvalues")
        for ax in axes:
            log_axis(ax.yaxis, (min(seen) / 2, 2 * _HIGHEST))
            log_axis(ax.xaxis, (min(places) / 1.5, 1.5 * max(places)))
        axes[0].set_ylabel("final loss / loss of no output")
        legend_above(figure, axes[0])
        freeze_layout(figure)
    return NamedFigure(
        "ensembles-batches",
        figure,
        f"The same on minibatches of {size} fresh sequences, rate {FIXED[1]:g} for B, C and D: "
        "exact loss at the end, medians and quartiles over teachers.",
    )


def _from(start: str) -> str:
    return start if start.startswith("on") else f"at {start}"
