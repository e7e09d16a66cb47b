"""Figures of the descent part: training length, scale of the start, a delay."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
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
from remanence.studies.low_dimensional.descent_settings import (
    DELAY_NEAR_ZERO,
    DescentSettings,
    Grid,
    teacher_rank,
)
from remanence.studies.low_dimensional.ensembles import NEAR_ZERO, STANDARD, Ensemble

_FLOOR = 1e-9
"""The bottom of the figures' error axes."""


def length_figure(s: DescentSettings, ensembles: Sequence[Ensemble]) -> NamedFigure:
    """Error, loss and spectral radius against training length."""
    lengths = [e.job.length for e in ensembles]
    with house_style():
        figure = new_figure(4.9)
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(2.6, 1))
        _threshold(top, 2 * s.order, f"k = 2d̂ = {2 * s.order}")
        _threshold(bottom, 2 * s.order)
        seeds_and_median(
            top, lengths, [e.extrapolation for e in ensembles], MODEL, "extrapolation error"
        )
        seeds_and_median(
            top, lengths, [e.loss for e in ensembles], TRAINING, "training loss", marker="s"
        )
        low = min(1e-13, *(float(e.loss.min()) for e in ensembles))
        high = max(float(e.extrapolation.max()) for e in ensembles)
        log_axis(top.yaxis, (low / 3, 3 * high))
        top.set_ylabel("loss; error / max |ĝ|")
        top.set_title(f"Teacher of order {s.order}, students of {s.dimension} states")
        seeds_and_median(bottom, lengths, [e.spectral_radius for e in ensembles], VALIDATION)
        bottom.axhline(1.0, color=LIMIT, linestyle="--", linewidth=1.1, label="stability limit")
        bottom.set_ylabel("spectral radius")
        bottom.set_xlabel("training length k")
        bottom.xaxis.set_major_locator(FixedLocator(lengths))
        legend_above(figure, [top, bottom])
        freeze_layout(figure)
    return NamedFigure(
        "descent-length",
        figure,
        "Every student fits its training lags; from k = 2d̂ on it is right beyond them too. "
        f"Lines: medians over {s.seeds} seeds; faint: every seed. Error over the lags "
        f"k ≤ j < 5k + 20; start σ = {NEAR_ZERO:g}.",
    )


def scale_figure(s: DescentSettings, grid: Grid) -> NamedFigure:
    """Error, effective rank and imbalance against the scale of the start."""
    with house_style():
        figure = new_figure(3.7)
        left, middle, right = figure.subplots(1, 3)
        styles = ((MODEL, "o"), (TRAINING, "s"), (VALIDATION, "^"))
        for k, (colour, marker) in zip(s.scale_lengths, styles, strict=False):
            row = [grid[x, k] for x in s.scales]
            name = f"k = {k}"
            seeds_and_median(
                left, s.scales, [e.extrapolation for e in row], colour, name, marker=marker
            )
            seeds_and_median(middle, s.scales, [e.rank for e in row], colour, name, marker=marker)
            seeds_and_median(
                right, s.scales, [e.imbalance for e in row], colour, name, marker=marker
            )
        middle.axhline(
            teacher_rank(s), color=THEORY, linestyle="--", linewidth=1.2, label="theory"
        )
        middle.set_ylim(1, None)
        first = grid[s.scales[0], s.scale_lengths[0]]
        ray = np.array([s.scales[0], 1.0])
        anchor = float(np.median(first.imbalance))
        right.plot(ray, anchor * ray / ray[0], color=THEORY, linestyle="--", linewidth=1.2)
        right.text(0.03, 2.2 * anchor * 0.03 / ray[0], "∝ σ", color=THEORY, ha="right")
        errors = np.concatenate([e.extrapolation for e in grid.values()])
        log_axis(left.yaxis, (max(errors.min() / 3, _FLOOR), 3 * errors.max()))
        imbalances = np.concatenate([e.imbalance for e in grid.values()])
        log_axis(right.yaxis, (imbalances.min() / 2, 2.0))
        left.set_title("Extrapolation error")
        left.set_ylabel("error / max |ĝ|")
        middle.set_title("Effective Hankel rank")
        middle.set_ylabel("effective rank")
        right.set_title("Imbalance")
        right.set_ylabel("‖B − Cᵀ‖ / ‖B + Cᵀ‖")
        for ax in (left, middle, right):
            log_axis(ax.xaxis, (min(s.scales) / 1.6, 1.6 * max(s.scales)))
            ax.set_xlabel("scale σ of the start")
        legend_above(figure, [left, middle, right])
        freeze_layout(figure)
    return NamedFigure(
        "descent-scale",
        figure,
        "The larger the start, the less balanced the student, the more dimensions it uses and "
        f"the worse it extrapolates. Medians over {s.seeds} seeds ({s.standard_seeds} at σ = 1); "
        f"faint: every seed. Teacher G({s.order}), d = {s.dimension}; unstable students' rank is "
        "that of the k × k Hankel matrix.",
    )


def delay_figure(s: DescentSettings, grid: Grid, norms: Sequence[Ensemble]) -> NamedFigure:
    """The delay: error, rank and spectral radius against length; norm against the start."""
    order = s.delay_order
    with house_style():
        figure = new_figure(6.0)
        (first, second), (third, fourth) = figure.subplots(2, 2)
        styles = ((DELAY_NEAR_ZERO, MODEL, "o"), (STANDARD, VALIDATION, "s"))
        for scale, colour, marker in styles:
            row = [grid[scale, k] for k in s.delay_lengths]
            name = f"start σ = {scale:g}"
            for ax, values in (
                (first, [e.extrapolation for e in row]),
                (second, [e.rank for e in row]),
                (third, [e.spectral_radius for e in row]),
            ):
                seeds_and_median(ax, s.delay_lengths, values, colour, name, marker=marker)
        for ax in (first, second, third):
            _threshold(ax, 2 * order, f"k = 2d̂ = {2 * order}")
            ax.set_xlabel("training length k")
            ax.xaxis.set_major_locator(FixedLocator(s.delay_lengths))
        second.axhline(order, color=THEORY, linestyle="--", linewidth=1.2, label="theory")
        third.axhline(1.0, color=LIMIT, linestyle="--", linewidth=1.1, label="stability limit")
        errors = np.concatenate([e.extrapolation for e in grid.values()])
        log_axis(first.yaxis, (max(errors.min() / 3, _FLOOR), min(3 * errors.max(), 1e6)))
        first.set_title("Extrapolation error")
        first.set_ylabel("error / max |ĝ|")
        second.set_title("Effective Hankel rank")
        second.set_ylabel("effective rank")
        third.set_title("Spectral radius")
        third.set_ylabel("spectral radius")
        scales = [e.job.scale for e in norms]
        seeds_and_median(
            fourth, scales, [e.norm for e in norms], TRAINING, "gradient descent", marker="^"
        )
        fourth.axhline(order + 1, color=THEORY, linestyle="--", linewidth=1.2)
        fourth.set_xlim(0, 1.08 * max(scales))
        fourth.set_title(f"Norm, and the least possible, d̂ + 1 = {order + 1}")
        fourth.set_ylabel("‖A‖² + ‖B‖² + ‖C‖²")
        fourth.set_xlabel("scale σ of the start")
        legend_above(figure, [first, second, third, fourth])
        freeze_layout(figure)
    return NamedFigure(
        "descent-delay",
        figure,
        f"A delay of {order} steps, outside the theorem, is found from k = 2d̂ on if the start is "
        f"near zero, in {order} dimensions and, as the start shrinks, with the least norm. "
        f"Medians over {s.seeds} seeds ({s.standard_seeds} at σ = 1); faint: every seed. "
        f"d = {s.delay_dimension}, Adam; last panel d = {s.norm_dimension}, k = {s.norm_length}. "
        "The error axis is cut to 1e-9 … 1e6.",
    )


def _threshold(ax: Axes, x: int, label: str | None = None) -> None:
    ax.axvline(x, color=THEORY, linestyle=":", linewidth=1.4)
    if label is not None:
        ax.plot([], [], color=THEORY, linestyle=":", linewidth=1.4, label=label)
