"""Figures of the minimum-norm part: the staircase, the least norms, truncation."""

from collections.abc import Sequence

import numpy as np
from matplotlib.ticker import FixedLocator

from remanence.report import (
    LIMIT,
    MODEL,
    THEORY,
    TRAINING,
    VALIDATION,
    NamedFigure,
    freeze_layout,
    house_style,
    new_figure,
)
from remanence.report.drawing import legend_above, log_axis
from remanence.studies.drawing import seeds_and_median
from remanence.studies.low_dimensional.ensembles import NEAR_ZERO, STANDARD, Ensemble
from remanence.studies.low_dimensional.minimum_norm_measures import Truncation, hankel_history
from remanence.studies.low_dimensional.minimum_norm_settings import MinimumNormSettings
from remanence.systems import hankel_singular_values
from remanence.systems.generators import Teacher

_COLOURS = (MODEL, TRAINING, VALIDATION, LIMIT)


def stair_figure(
    s: MinimumNormSettings, ensemble: Ensemble, fits: Sequence[float], teacher: Teacher
) -> NamedFigure:
    """Loss and Hankel singular values in training."""
    steps, losses = ensemble.trajectory.steps, ensemble.trajectory.losses
    values = hankel_history(ensemble, s.order + 1)
    # Before any growth nothing happens for two decades; they are left out.
    first = 30.0
    with house_style():
        figure = new_figure(5.4)
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(1.4, 1))
        for row in losses:
            top.plot(steps, row, color=MODEL, alpha=0.35, linewidth=0.9)
        top.plot(steps, losses[0], color=MODEL, linewidth=2.2, label="training loss, one seed")
        for order, fit in enumerate(fits):
            top.axhline(fit, color=THEORY, linestyle="--", linewidth=1.1)
            top.annotate(
                f"best order {order}: {fit:.3g}",
                (1.0, fit),
                xycoords=("axes fraction", "data"),
                xytext=(0, 2),
                textcoords="offset points",
                ha="right",
                va="bottom",
                fontsize=9,
                color=THEORY,
            )
        top.plot([], [], color=THEORY, linestyle="--", linewidth=1.1, label="theory")
        log_axis(top.yaxis, (1e-9, 6 * losses[:, 0].max()))
        top.set_ylabel("loss")
        top.set_title("The loss rests at the best fit of each order")
        for index, colour in enumerate(_COLOURS[: s.order + 1]):
            name = f"σ{'₁₂₃₄'[index]}"
            bottom.plot(steps, values[:, index], color=colour, linewidth=2, label=name)
        for value in hankel_singular_values(teacher.system):
            bottom.axhline(value, color=THEORY, linestyle="--", linewidth=1.1)
        log_axis(bottom.yaxis, (1e-6, 5.0))
        log_axis(bottom.xaxis, (first, float(steps[-1])))
        bottom.set_ylabel("Hankel singular value")
        bottom.set_xlabel("training step")
        bottom.set_title("One dimension at a time (dashed: the teacher's values)")
        legend_above(figure, [top, bottom])
        freeze_layout(figure)
    return NamedFigure(
        "minimum-norm-staircase",
        figure,
        "Each step of the loss is one more Hankel singular value rising to its teacher's. Thick: "
        f"one seed; faint: all {s.seeds}. σ = {s.stair_scale:g}, k = {s.stair_length}, "
        f"d = {s.dimension}.",
    )


def norm_figure(
    s: MinimumNormSettings, teachers: Sequence[Teacher], norms: Sequence[Sequence[Ensemble]]
) -> NamedFigure:
    """Learned norms against the least, and their excess against the start."""
    near = s.norm_scales.index(NEAR_ZERO)
    styles = list(zip(_COLOURS, "os^D", strict=True))
    with house_style():
        figure = new_figure(3.9)
        left, right = figure.subplots(1, 2)
        pairs = list(zip(teachers, norms, strict=True))
        least = [t.minimal_norm for t in teachers]
        ends = np.array([min(least) - 0.2, max(least) + 0.2])
        left.plot(ends, ends, color=THEORY, linestyle="--", linewidth=1.2, label="theory")
        for teacher, row, (colour, marker) in zip(teachers, norms, styles, strict=False):
            learned = row[near].norm
            left.plot(
                np.full(learned.size, teacher.minimal_norm),
                learned,
                linestyle="",
                marker=marker,
                color=colour,
                markersize=8,
                alpha=0.75,
                label=teacher.name,
            )
            excess = [np.abs(e.norm / teacher.minimal_norm - 1) for e in row]
            seeds_and_median(right, s.norm_scales, excess, colour, marker=marker, alpha=0.3)
        right.axhline(0.01, color=LIMIT, linestyle=":", linewidth=1.3, label="criterion, 1 %")
        log_axis(right.xaxis, (min(s.norm_scales) / 1.6, 1.6 * max(s.norm_scales)))
        departures = [np.abs(e.norm / t.minimal_norm - 1) for t, r in pairs for e in r]
        log_axis(
            right.yaxis,
            (float(np.min(departures)) / 2, 2 * float(np.max(departures))),
        )
        left.set_title(f"After training from σ = {NEAR_ZERO:g}")
        left.set_xlabel("least norm of a similar system")
        left.set_ylabel("learned ‖A‖² + ‖B‖² + ‖C‖²")
        right.set_title("Excess over the least norm")
        right.set_xlabel("scale σ of the start")
        right.set_ylabel("N / N min − 1")
        legend_above(figure, [left, right])
        freeze_layout(figure)
    return NamedFigure(
        "minimum-norm-norms",
        figure,
        "From a start near zero the learned norm is the least one, and the excess vanishes with "
        f"the square of the start's scale. {s.seeds} seeds a point; d = {s.dimension}, "
        f"k = {s.norm_length}.",
    )


def bridge_figure(s: MinimumNormSettings, cuts: tuple[Truncation, Truncation]) -> NamedFigure:
    """Truncation errors and bounds against the states kept."""
    orders = np.arange(s.orders + 1)
    with house_style():
        figure = new_figure(4.2)
        ax = figure.subplots()
        for cut, scale, colour in zip(
            cuts, (NEAR_ZERO, STANDARD), (MODEL, VALIDATION), strict=True
        ):
            if not len(cut.bound):
                continue
            for row in cut.error:
                ax.plot(orders, row, "o", color=colour, alpha=0.2, markersize=4, mew=0)
            ax.plot(
                orders,
                np.nanmedian(cut.bound, axis=0),
                color=colour,
                linewidth=1.6,
                label=f"bound, σ = {scale:g}",
            )
            ax.plot(
                orders,
                np.nanmedian(cut.error, axis=0),
                "o",
                color=colour,
                markersize=6,
                label=f"error, σ = {scale:g}",
            )
        ax.axvline(s.order, color=THEORY, linestyle=":", linewidth=1.4, label="teacher's order")
        low = np.nanmin(np.concatenate([cut.error.ravel() for cut in cuts]))
        high = np.nanmax(np.concatenate([cut.bound.ravel() for cut in cuts]))
        log_axis(ax.yaxis, (max(low / 3, 1e-12), 3 * high))
        ax.xaxis.set_major_locator(FixedLocator(orders.tolist()))
        ax.set_xlabel("states kept")
        ax.set_ylabel("largest gain error / σ₁")
        ax.set_title(f"Balanced truncation of students with {s.dimension} states")
        legend_above(figure, ax)
        freeze_layout(figure)
    return NamedFigure(
        "minimum-norm-bridge",
        figure,
        "A student from near zero loses nothing when it is cut down to its teacher's order; one "
        f"from σ = 1 does. Medians over {len(cuts[0].bound)} and {len(cuts[1].bound)} stable "
        f"students; faint: every student. Lines: 2 Σ σ_i over the states cut away. "
        f"k = {s.bridge_length}. The axis is cut below 1e-12.",
    )
