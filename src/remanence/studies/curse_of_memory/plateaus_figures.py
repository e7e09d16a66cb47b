"""Figures of plateaus: escape times, flows, gradients, and descent on Airy functions."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from remanence.report import (
    FAINT,
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
from remanence.studies.curse_of_memory.plateaus_descent import SHOWN, Descents
from remanence.studies.curse_of_memory.plateaus_measures import Flows, gradient_law
from remanence.studies.curse_of_memory.plateaus_settings import (
    REACHED,
    SPLIT,
    STARTS,
    PlateauSettings,
)
from remanence.studies.drawing import seeds_and_median

_COLOURS = (MODEL, TRAINING, VALIDATION, LIMIT)
_LADDER = ("#22262c", TEST, MODEL, TRAINING, VALIDATION, LIMIT, "#cc79a7")
_DASHED = {"color": THEORY, "linestyle": "--", "linewidth": 1.1}


def escape_figure(s: PlateauSettings, flows: Flows) -> Figure:
    """log τ against 1/ω with fits, and the slopes of theory."""
    with house_style():
        figure = new_figure(4.0)
        left, right = figure.subplots(1, 2)
        for (name, found), colour in zip(flows.escapes.items(), _COLOURS, strict=True):
            left.plot(found.memories, found.times, "o", color=colour, markersize=4)
            x, _ = found.fitted
            slope, intercept = found.line()
            left.plot(x, np.exp(intercept + slope * x), color=colour, linewidth=1.2)
            middle = (found.memories[1:] + found.memories[:-1]) / 2
            right.plot(
                middle, found.local_slopes(), "o-", color=colour, markersize=3.5, label=name
            )
            limit = 2 * min(STARTS[name][1])
            end = found.memories[-1]
            right.plot([end - 3, end], [limit, limit], color=colour, linestyle="--", linewidth=1.1)
            x = found.memories[-4:]
            left.plot(x, found.times[-1] * np.exp(limit * (x - end)), **_DASHED)
        left.plot([], [], **_DASHED, label="theory: ∝ e^(2 min w(0)/ω)")
        left.plot([], [], color="#22262c", linewidth=1.2, label="fit, 1/ω ≥ 6")
        times = np.concatenate([one.times for one in flows.escapes.values()])
        span = positive(np.where(np.isfinite(times), times, np.nan))
        log_axis(left.yaxis, (float(np.nanmin(span)) / 2, float(np.nanmax(span)) * 3))
        for ax in (left, right):
            ax.set_xlabel("memory of the target 1/ω (time)")
        left.set_ylabel("flow time τ on the plateau")
        right.set_ylabel("d log τ / d(1/ω)")
        left.set_title("Time on the plateau")
        right.set_title("Local slopes, and 2 min w(0) (dashed)")
        legend_above(figure, [right, left])
        return freeze_layout(figure)


def flow_figure(s: PlateauSettings, flows: Flows) -> Figure:
    """The loss along whole flows, and the gradient where they start."""
    with house_style():
        figure = new_figure(3.7)
        left, right = figure.subplots(1, 2)
        for (memory, found), colour in zip(flows.shown.items(), _COLOURS, strict=False):
            time = positive(found.times)
            left.plot(time, found.losses, color=colour, label=f"1/ω = {memory}")
            escaped = flows.escapes[SPLIT].times[s.memories.index(memory)]
            left.axvline(escaped, color=colour, linestyle=":", linewidth=1.0)
        left.axhline(flows.predicted, **_DASHED, label="theory")
        last = max(float(found.times[-1]) for found in flows.shown.values())
        log_axis(left.xaxis, (1e-2, last))
        left.set_xlabel("flow time τ")
        left.set_ylabel("loss J (units of ρ² · time)")
        left.set_title("The loss stands at c₀²σ√π")
        memories = np.array(s.gradient_memories, float)
        right.plot(memories, flows.exact_gradients, "o", color=MODEL, label="at ρ̂ = ρ̄")
        right.plot(memories, flows.gradients, "s", color=FAINT, label="split start", zorder=1)
        right.plot(memories, gradient_law(memories, s.width), **_DASHED)
        everything = np.concatenate([flows.exact_gradients, flows.gradients])
        log_axis(right.yaxis, (float(everything.min()) / 2, float(everything.max()) * 2))
        right.set_xlabel("memory of the target 1/ω (time)")
        right.set_ylabel("‖∇J‖ at the start")
        right.set_title("The gradient does not: ∝ e^(−1/ω)/ω")
        legend_above(figure, [left, right])
        return freeze_layout(figure)


def airy_figure(s: PlateauSettings, modal: Descents, dense: Descents) -> Figure:
    """Training curves, and steps against t₀."""
    with house_style():
        figure = new_figure(6.4)
        axes = figure.subplots(2, 2)
        for row, (found, name) in enumerate(
            ((modal, f"{s.modes} complex modes"), (dense, f"dense, {s.dense_states} states"))
        ):
            left, right = axes[row]
            for place, colour in zip(range(len(found.targets)), _LADDER, strict=False):
                middle = np.median(found.curves[:, place], axis=1)
                left.plot(np.arange(SHOWN), middle, color=colour, label=found.targets[place])
            _reached(left)
            left.set_xlim(0, SHOWN)
            log_axis(left.yaxis, (1e-4, 3.0))
            left.set_ylabel("relative loss J/‖ρ‖²")
            left.set_title(f"Plain descent: {name}")
            delays = np.array(s.delays, float)
            counted = np.where(np.isfinite(found.steps), found.steps, np.nan)
            seeds_and_median(right, delays, counted[1:], MODEL, "median over seeds", size=4.5)
            right.plot(delays, found.steps[1:].mean(axis=1), "x", color=LIMIT, label="mean")
            right.axhline(found.steps[0].mean(), color="#22262c", linewidth=1.0, linestyle=":")
            arrived = np.maximum(found.steps[np.isfinite(found.steps)], 1.0)
            span = arrived if arrived.size else np.array([1.0, s.budget])
            log_axis(right.yaxis, (float(span.min()) / 1.5, float(span.max()) * 1.5))
            right.set_ylabel(f"steps to a relative loss of {REACHED:g}")
            right.set_title("Steps against memory")
        axes[0, 1].plot([], [], color="#22262c", linestyle=":", label="mean, exponential")
        axes[1, 0].set_xlabel("steps")
        axes[1, 1].set_xlabel("memory t₀ of Ai(t − t₀) (time)")
        legend_above(figure, [axes[0, 0], axes[0, 1]])
        return freeze_layout(figure)


def _reached(ax: Axes) -> None:
    ax.axhline(REACHED, color=FAINT, linewidth=1.0)
