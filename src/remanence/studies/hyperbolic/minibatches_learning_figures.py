"""Figures of the minibatch part: the specification's table, and the error that is left."""

from collections.abc import Sequence

import numpy as np

from remanence.report import (
    FAINT,
    LIMIT,
    MODEL,
    THEORY,
    NamedFigure,
    freeze_layout,
    house_style,
    new_figure,
)
from remanence.report.drawing import legend_above, log_axis
from remanence.studies.hyperbolic.minibatches_measures import Errors
from remanence.studies.hyperbolic.minibatches_settings import MinibatchSettings
from remanence.studies.hyperbolic.minibatches_table import (
    HYPERBOLIC,
    PUBLISHED,
    PUBLISHED_RATES,
    Cell,
)
from remanence.studies.wording import listed

_LEAST_LOSS = 1e-30


def table_figure(s: MinibatchSettings, cells: Sequence[Cell]) -> NamedFigure:
    """Final loss against the rate, beside the prototypes."""
    memories = [case[0] for case in s.cases]
    rows, columns = len(s.modes), len(memories)
    with house_style():
        figure = new_figure(1.2 + 2.7 * rows)
        axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for cell in cells:
            ax = axes[s.modes.index(cell.modes), memories.index(cell.memory)]
            ours = cell.competitor == HYPERBOLIC
            colour, marker = (MODEL, "o") if ours else (LIMIT, "v")
            losses = np.clip(cell.losses, _LEAST_LOSS, 1e3)
            middle = np.clip(cell.medians, _LEAST_LOSS, 1e3)
            ax.plot(cell.rates, middle, color=colour, marker=marker, label=cell.competitor)
            if s.runs > 1:
                ax.plot(cell.rates, losses.T, ".", color=colour, markersize=4)
            published = PUBLISHED.get((cell.memory, cell.modes))
            if published is not None:
                place = 0 if ours else 1
                ax.plot(
                    PUBLISHED_RATES[place],
                    published[place],
                    "x",
                    color=colour,
                    markersize=7,
                    label=f"{cell.competitor}, prototype",
                )
        grids = [rate for grid in (s.hyperbolic_rates, s.lru_rates) for rate in grid]
        for row, modes in enumerate(s.modes):
            for column, memory in enumerate(memories):
                ax = axes[row, column]
                ax.set_title(f"memory {memory:,.0f}, {modes} mode{'s' if modes > 1 else ''}")
                log_axis(ax.xaxis, (min(grids) / 1.5, 1.5 * max(grids)))
                log_axis(ax.yaxis, (_LEAST_LOSS / 3, 30.0))
                if row == rows - 1:
                    ax.set_xlabel("learning rate of the eigenvalues")
            axes[row, 0].set_ylabel("final loss / power")
        legend_above(figure, axes[0, 0])
        freeze_layout(figure)
    return NamedFigure(
        "minibatch-table",
        figure,
        "Exact loss at the end of training over the power of the target, a mode of phase 0.5, "
        "against the learning rate of the eigenvalues (a hyperbolic distance for hyperbolic Adam, "
        f"a step of ν and log θ for the LRU's map); {_streams(s)}, "
        f"T, B and steps {'; '.join(listed(case[1:]) for case in s.cases)}. Crosses: the "
        "prototypes, at their own numbers of steps. 1 is a student that puts out nothing; "
        "10⁻³⁰ is rounding.",
    )


def _streams(s: MinibatchSettings) -> str:
    if s.runs == 1:
        return "one stream of minibatches, the same for both"
    return f"{s.runs} streams of minibatches, the same for both (lines: medians)"


def error_figure(s: MinibatchSettings, found: Sequence[Errors]) -> NamedFigure:
    """Final error by memory and noise beside prediction and bound."""
    with house_style():
        figure = new_figure(3.6)
        ax = figure.subplots()
        names, shown, place = [], [], 0
        for one in found:
            for index, noise in enumerate(s.error_noises):
                first = place == 0
                marks = (
                    (one.measured, "o", MODEL, "measured"),
                    (one.predicted, "_", THEORY, "linearised Adam"),
                    (one.law, "+", FAINT, "closed form, T ≫ memory"),
                    (one.bound, "_", LIMIT, "Cramér–Rao, all samples"),
                )
                for values, marker, colour, label in marks:
                    ax.plot(
                        [place],
                        [values[index]],
                        marker,
                        color=colour,
                        markersize=6 if marker == "o" else 16,
                        markeredgewidth=2,
                        label=label if first else None,
                    )
                    shown.append(values[index])
                names.append(f"memory {one.memory:,.0f}\nT = {one.horizon:,}\nσ² = {noise:g}")
                place += 1
        ax.set_xticks(range(place), names)
        ax.set_xlim(-0.6, place - 0.4)
        ax.grid(visible=False, axis="x")
        log_axis(ax.yaxis, (min(shown) / 2, 2 * max(shown)))
        ax.set_ylabel("root mean square distance")
        legend_above(figure, ax)
        freeze_layout(figure)
    return NamedFigure(
        "minibatch-error",
        figure,
        "Hyperbolic distance of the eigenvalue from its target at the end of training with output "
        f"noise, started next to it: root mean square over {s.error_targets} targets, "
        f"{s.steps:,} steps of hyperbolic Adam, η = {s.rates[0]:g} falling as half a cosine. The "
        "bound, for all samples seen, does not grow with memory where sequences are many "
        "memories long.",
    )
