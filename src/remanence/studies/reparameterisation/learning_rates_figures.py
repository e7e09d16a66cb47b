"""Figures of the part on learning rates."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from remanence.report import (
    FAINT,
    MEASURED,
    NamedFigure,
    freeze_layout,
    house_style,
    new_figure,
)
from remanence.report.drawing import legend_above, log_axis
from remanence.studies.drawing import seeds_and_median
from remanence.studies.reparameterisation.learning_rates_digits import DigitSweep
from remanence.studies.reparameterisation.learning_rates_kernels import UNFAIR, Sweep
from remanence.studies.reparameterisation.learning_rates_settings import (
    CHANCE,
    LEARNT,
    PUBLISHED_DIGITS,
    RATIO_MOST,
    LearningRateSettings,
)
from remanence.studies.reparameterisation.moduli_figures import LOOKS

_TOP, _TOP_RATIO, _TOP_DIGITS = 1e3, 1e12, 300.0
_PUBLISHED_PLACE = {"direct, unfair start": 0, "softplus": 1, "exponential": 2, "best": 3}


def losses_figure(s: LearningRateSettings, found: Sweep) -> NamedFigure:
    """Final losses against the learning rate, raw and with the extensions."""
    left_names = ("direct", UNFAIR, "exponential", "softplus", "best")
    right_names = (
        "exponential",
        "best",
        "best (code)",
        "mean-square best",
        "exponential, normalised",
        "best, normalised",
    )
    with house_style():
        figure = new_figure(4.4)
        axes = figure.subplots(1, 2, sharey=True)
        for ax, names, title in (
            (axes[0], left_names, "Published maps"),
            (axes[1], right_names, "Other maps, normalised readouts"),
        ):
            for name in names:
                _losses(ax, found, name)
            ax.axhline(LEARNT * found.power, color=MEASURED, linewidth=0.8)
            ax.axhline(found.power, color=FAINT, linewidth=0.8)
            log_axis(ax.xaxis, (s.rates[0] / 1.5, 1.5 * s.rates[-1]))
            ax.set_xlabel("learning rate of Adam")
            ax.set_title(title)
        log_axis(axes[0].yaxis, (1e-6, _TOP))
        axes[0].set_ylabel("Σ (ρ̂ − ρ)² after training")
        for height, text in ((found.power, "the kernel's power"), (LEARNT * found.power, "1 %")):
            axes[0].annotate(
                text,
                (s.rates[0], height),
                xytext=(0, 2),
                textcoords="offset points",
                fontsize=8,
            )
        legend_above(figure, list(axes))
        freeze_layout(figure)
    return NamedFigure(
        "reparameterisation-rates",
        figure,
        f"Regression of (1 + 0.1 k)^−1.1, {s.length} steps long, by {s.modes} real modes after "
        f"{s.steps} steps of Adam: {s.seeds} seeds as faint points, their median as a line. What "
        f"ends above {_TOP:g} or in NaN is drawn on the upper edge. All start from the same "
        "stable function but for the unfair start, Re λ = +0.5. Open marks, dashed: readouts "
        "c = |λ| ĉ.",
    )


def _losses(ax: Axes, found: Sweep, name: str) -> None:
    map_name = name.removesuffix(", normalised")
    colour, marker = LOOKS[map_name]
    style: dict[str, Any] = (
        {"linestyle": "--", "markerfacecolor": "none"} if map_name != name else {}
    )
    values = on_page(found.of(found.losses, name), _TOP)
    seeds_and_median(
        ax, found.rates, values, colour, name, marker=marker, size=6.0, linewidth=1.4, **style
    )


def on_page(values: np.ndarray, top: float) -> np.ndarray:
    """`values`, with what exceeds `top`, and NaN, just below it."""
    return np.where(values <= top, values, 0.9 * top)


def ratios_figure(s: LearningRateSettings, found: Sweep) -> NamedFigure:
    """The largest |g|/|w| of a run against the learning rate."""
    with house_style():
        figure = new_figure(3.8, width=7.0)
        ax = figure.subplots()
        for name in ("direct", "exponential", "softplus", "mean-square best", "best"):
            colour, marker = LOOKS[name]
            values = on_page(found.of(found.ratios, name), _TOP_RATIO)
            seeds_and_median(
                ax, found.rates, values, colour, name, marker=marker, size=6.0, linewidth=1.4
            )
        ax.axhline(RATIO_MOST, color=MEASURED, linewidth=0.8)
        log_axis(ax.xaxis, (s.rates[0] / 1.5, 1.5 * s.rates[-1]))
        log_axis(ax.yaxis, (0.05, _TOP_RATIO))
        ax.set(xlabel="learning rate of Adam", ylabel="greatest |g|/|w| of all steps and weights")
        legend_above(figure, ax)
        freeze_layout(figure)
    return NamedFigure(
        "reparameterisation-ratios",
        figure,
        "The greatest ratio of a weight's gradient to the weight during training, by learning "
        f"rate; {s.seeds} seeds as faint points, their median as a line. Line: "
        f"{RATIO_MOST:g}. The artificial poles of exponential and softplus at w = 0 are left "
        "out; what exceeds 10¹² is drawn on the upper edge.",
    )


def digits_figure(s: LearningRateSettings, found: DigitSweep) -> NamedFigure:
    """Test losses on sequential MNIST beside the published ones."""
    with house_style():
        figure = new_figure(4.0)
        left, right = figure.subplots(1, 2, sharey=True)
        published = np.array(list(PUBLISHED_DIGITS))
        for name in found.students:
            colour, marker = LOOKS[name]
            ours = on_page(found.of(name), _TOP_DIGITS)
            left.plot(found.rates, ours, marker=marker, color=colour, markersize=6, label=name)
            if name in _PUBLISHED_PLACE:
                values = np.array(
                    [row[_PUBLISHED_PLACE[name]] for row in PUBLISHED_DIGITS.values()]
                )
                values = on_page(values, _TOP_DIGITS)
                right.plot(published, values, marker=marker, color=colour, markersize=6)
        for ax, title in ((left, "Here"), (right, "Published")):
            ax.axhline(CHANCE, color=FAINT, linewidth=0.8)
            log_axis(ax.xaxis, (published[0] / 1.5, 1.5 * published[-1]))
            ax.set_xlabel("learning rate of AdamW")
            ax.set_title(title)
        log_axis(left.yaxis, (0.01, _TOP_DIGITS))
        left.set_ylabel("test loss, nats")
        legend_above(figure, left)
        freeze_layout(figure)
    return NamedFigure(
        "reparameterisation-digits",
        figure,
        f"Sequential MNIST with one StableSSM layer. Here: {found.images} training images of "
        f"{s.digit_side}×{s.digit_side} pixels, {found.steps} steps, mean of {s.digit_seeds} "
        "run(s) per rate. Published: table 2, 60,000 images of 28×28, means of three runs; its "
        f"direct map has the unfair start. NaN, and what exceeds {_TOP_DIGITS:g}, is drawn on the "
        "upper edge; horizontal line: ln 10, chance.",
    )
