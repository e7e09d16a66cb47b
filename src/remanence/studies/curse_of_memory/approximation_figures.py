"""Figures of approximation: errors against width, and what the spectrum pays for them."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from remanence.report import (
    LIMIT,
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
from remanence.studies.curse_of_memory.approximation_claims import reach
from remanence.studies.curse_of_memory.approximation_measures import (
    BEST,
    CONFLUENT,
    FREE,
    STABLE,
    UNIT,
    Approximation,
    Ladder,
)
from remanence.studies.curse_of_memory.approximation_settings import (
    FADING,
    HUMP,
    HUMP_SLOPE,
    ApproximationSettings,
    law_name,
)

_COLOURS = (MODEL, TRAINING, VALIDATION, LIMIT)
_HUMP_COLOUR = "#22262c"
_FLOOR = 1e-13
_DASHED = {"color": THEORY, "linestyle": "--", "linewidth": 1.1}


def uniform_figure(s: ApproximationSettings, found: Approximation) -> Figure:
    """Uniform rates: the best β for each width, and β = 1."""
    with house_style():
        figure = new_figure(4.0)
        left, right = figure.subplots(1, 2)
        for ax, family in ((left, BEST), (right, UNIT)):
            for p, colour in zip(s.powers, _COLOURS, strict=False):
                ladder = found.ladder(law_name(p), family)
                _draw(ax, ladder, colour, ladder.kernel)
                widths = np.geomspace(2, ladder.widths[-1], 50)
                if family == BEST:
                    line = ladder.errors[-1] * (widths / widths[-1]) ** -(2 * p - 1)
                else:
                    last = reach(p, ladder.errors)[-1]
                    line = (last + 2 * np.log(widths / widths[-1])) ** -(p - 0.5)
                ax.plot(widths, line, **_DASHED)
            _draw(ax, found.ladder(HUMP, family), _HUMP_COLOUR, HUMP)
        hump = found.ladder(HUMP, UNIT)
        widths = np.array([2.0, hump.widths[-1]])
        right.plot(widths, hump.errors[-1] * (widths / widths[-1]) ** -HUMP_SLOPE, **_DASHED)
        left.plot([], [], **_DASHED, label="theory: see caption")
        _widths(left, s.widths)
        _widths(right, s.widths)
        log_axis(left.yaxis, (1e-8, 1.0))
        log_axis(right.yaxis, (1e-4, 1.0))
        left.set_title("The best β for each width")
        right.set_title("β = 1")
        left.set_ylabel("relative L² error ‖ρ − ρ̂‖/‖ρ‖")
        legend_above(figure, left)
        return freeze_layout(figure)


def spectrum_figure(s: ApproximationSettings, found: Approximation) -> Figure:
    """Error beside the slowest rate, for free, stable and uniform rates."""
    first, last = law_name(s.free_powers[0]), law_name(s.free_powers[-1])
    shown = [
        (found.ladder(first, FREE), MODEL, "o-", f"free: {first}"),
        (found.ladder(last, FREE), TEST, "o-", f"free: {last}"),
        (found.ladder(FADING, FREE), TRAINING, "D:", f"free: {FADING}"),
        (found.ladder(HUMP, FREE), _HUMP_COLOUR, "s-", f"free: {HUMP}"),
        (found.ladder(first, BEST), VALIDATION, "^-", f"uniform, best β: {first}"),
        (found.ladder(first, STABLE), LIMIT, "v-", f"free, w ≥ {s.least_rate:g}: {first}"),
        (found.ladder(first, CONFLUENT), LIMIT, "x:", f"all w at {s.least_rate:g}: {first}"),
    ]
    with house_style():
        figure = new_figure(4.3)
        left, right = figure.subplots(1, 2)
        for ladder, colour, form, label in shown:
            _draw(left, ladder, colour, label, form)
            right.plot(ladder.widths, ladder.slowest, form, color=colour, markersize=4)
        free, uniform = shown[0][0], shown[4][0]
        rate = free.root_slopes()[-1]
        widths = np.geomspace(1, free.widths[-1], 50)
        root = np.exp(-rate * (np.sqrt(widths) - np.sqrt(free.widths[-1])))
        left.plot(widths, free.errors[-1] * root, **_DASHED, label="e^(−c√m) and m^−2 (right)")
        widths = np.array([4.0, uniform.widths[-1]])
        right.plot(widths, uniform.slowest[-1] * (widths / widths[-1]) ** -2, **_DASHED)
        for ax in (left, right):
            _widths(ax, s.widths)
        log_axis(left.yaxis, (_FLOOR / 2, 2.0))
        slowest = np.concatenate([one[0].slowest for one in shown])
        log_axis(right.yaxis, (float(np.min(positive(slowest))) / 3, 5.0))
        left.set_ylabel("relative L² error ‖ρ − ρ̂‖/‖ρ‖")
        right.set_ylabel("slowest rate min w (1/time)")
        left.set_title("What is gained")
        right.set_title("How near to instability: −spectral abscissa")
        legend_above(figure, left)
        return freeze_layout(figure)


def _draw(ax: Axes, ladder: Ladder, colour: str, label: str, form: str = "o-") -> None:
    # What is exact is drawn at the floor, so that it is seen.
    shown = np.maximum(ladder.errors, _FLOOR)
    ax.plot(ladder.widths, shown, form, color=colour, markersize=4, label=label)


def _widths(ax: Axes, widths: tuple[int, ...]) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xticks(widths, [f"{width}" for width in widths])
    ax.minorticks_off()
    ax.set_xlabel("width m (number of exponentials)")
