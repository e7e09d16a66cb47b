"""Figures of the part on memory functions: networks at their start, stacks beside their bounds."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from remanence.report import (
    LIMIT,
    MEASURED,
    MODEL,
    THEORY,
    TRAINING,
    VALIDATION,
    NamedFigure,
    freeze_layout,
    house_style,
    new_figure,
)
from remanence.report.drawing import legend_above, log_axis, positive
from remanence.studies.curse_of_memory.memory_functions_measures import (
    NETWORKS,
    PROBES,
    S4,
    TORCH,
    LinearProbes,
    NetworkMemories,
)
from remanence.studies.curse_of_memory.memory_functions_settings import MemorySettings
from remanence.studies.curse_of_memory.memory_functions_stacks import (
    StackMemory,
)

_COLOURS = {"RNN": LIMIT, "GRU": MODEL, "LSTM": TRAINING, S4: MEASURED}
_MARKS = {"heaviside": "o", "impulse": "x", "reversed": "+"}


def networks_figure(
    s: MemorySettings, probes: LinearProbes, found: Sequence[NetworkMemories]
) -> NamedFigure:
    """The linear identity; gated networks at their start; S4D, whose time runs further."""
    with house_style():
        figure = new_figure(3.9)
        left, middle, right = figure.subplots(1, 3)
        steps = np.arange(probes.kernel.size)
        shown = slice(0, 100, 4)
        left.plot(
            steps[:100],
            probes.kernel[:100],
            color=THEORY,
            linewidth=1.6,
            label="|ρ|₁ (left), fitted law (dashed)",
        )
        for probe in PROBES:
            left.plot(
                steps[shown],
                probes.probes[probe][shown],
                _MARKS[probe],
                color=MODEL,
                markersize=5,
                markerfacecolor="none",
                label=probe,
            )
        log_axis(left.yaxis, _range(probes.kernel[:100]))
        left.set_title("Linear: three inputs, one M")
        for one in found:
            if one.name in NETWORKS and one.start == TORCH:
                _starts(middle, one, 100)
        log_axis(middle.yaxis, (1e-14, 3.0))
        middle.set(xlim=(0, 100))
        middle.set_title(f"At the start {TORCH}")
        (s4,) = (one for one in found if one.name == S4)
        _starts(right, s4, s.long_length)
        log_axis(right.yaxis, (1e-8, 3.0))
        right.set(xlim=(0, s.long_length))
        right.set_title("S4D at its start")
        for ax in (left, middle, right):
            ax.set_xlabel("steps since the input changed")
        left.set_ylabel("memory function M")
        legend_above(figure, (left, middle, right))
        freeze_layout(figure)
    return NamedFigure(
        "memory-functions",
        figure,
        f"Memory functions. Left: an LRU, measured in three ways on its kernel (line). Middle and "
        f"right: {s.starts} random starts of each network (faint), their median start's fitted "
        "exponential dashed from where the fit begins: straight lines on a logarithmic axis. On "
        f"the right time runs to {s.long_length:,} steps.",
    )


def _starts(ax: Axes, found: NetworkMemories, length: int) -> None:
    colour = _COLOURS[found.name]
    steps = np.unique(np.linspace(0, length - 1, min(length, 600)).astype(int))
    steps = steps[steps < found.values.shape[1]]
    for row in found.values:
        ax.plot(steps, positive(row[steps]), color=colour, alpha=0.35, linewidth=0.8)
    middle = int(np.argsort(found.lengths)[len(found.fits) // 2])
    fit = found.fits[middle]
    if fit.exponential is not None:
        range_ = steps[(steps >= fit.first) & (steps <= fit.last)]
        ax.plot(range_, fit.exponential(range_), "--", color=THEORY, linewidth=1.3)
    ax.plot([], [], color=colour, label=found.name)


def stacks_figure(s: MemorySettings, stacks: Sequence[StackMemory]) -> NamedFigure:
    """Every depth's memory functions under the bound, one panel each."""
    with house_style():
        figure = new_figure(3.7)
        axes = figure.subplots(1, len(s.depths), sharey=True, squeeze=False)[0]
        steps = np.arange(s.stack_length)
        for ax, depth in zip(axes, s.depths, strict=True):
            for one in (one for one in stacks if one.depth == depth):
                safe = one.memory.values > one.memory.floor
                scaled = one.memory.values / one.bound[0]
                ax.plot(steps[safe], scaled[safe], color=MODEL, alpha=0.45, linewidth=0.9)
            bound = next(one.bound for one in stacks if one.depth == depth)
            ax.plot(steps, bound / bound[0], color=THEORY, linewidth=1.8)
            ax.plot(steps, np.exp(-s.slowest * steps), ":", color=VALIDATION, linewidth=1.4)
            ax.set_xlabel("steps k since the input changed")
            ax.set_title(f"{depth} layer{'s' if depth > 1 else ''}")
        axes[0].plot([], [], color=MODEL, label="random networks")
        axes[0].plot([], [], color=THEORY, label="bound C(k+ℓ−1, ℓ−1) exp(−β₀k)")
        axes[0].plot([], [], ":", color=VALIDATION, label="exp(−β₀k)")
        log_axis(axes[0].yaxis, (1e-14, 1e3))
        axes[0].set_ylabel("M / G")
        legend_above(figure, axes[0])
        freeze_layout(figure)
    return NamedFigure(
        "memory-of-stacks",
        figure,
        f"Memory functions of stacked state-space layers with tanh between them, "
        f"{s.stack_seeds} random networks of each depth, the slowest rate of every layer "
        f"β₀ = {s.slowest:g} a step, divided by their own gain G = |c| Π‖U_l‖. None passes its "
        "bound at any "
        "step; the deeper they are, the later exp(−β₀k) takes over from the power of k.",
    )


def _range(values: np.ndarray) -> tuple[float, float]:
    return float(values.min()) / 1.5, float(values.max()) * 1.5
