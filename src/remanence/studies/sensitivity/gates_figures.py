"""Figures of the gates part: predicted and measured moments, worst cases, Jacobians."""

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from remanence.report import (
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
from remanence.studies.sensitivity.gates_frozen import Frozen, Gains, notebook_prediction
from remanence.studies.sensitivity.gates_measures import BOTH, LINEAR, WHOLE, Gated, Jacobian
from remanence.studies.sensitivity.gates_settings import OFF_DIAGONAL_SHARE, GateSettings
from remanence.studies.sensitivity.signals_measures import embeddings
from remanence.theory import (
    bias_of_forget_time,
    bias_sensitivity,
    frozen_gate_power,
    gate_worst_case_gain,
    lru_worst_case_gain,
)

_LOOKS = {
    (LINEAR, "constant"): (MODEL, "o", "constant gates"),
    (LINEAR, "input"): (TRAINING, "^", "gates see inputs"),
    (LINEAR, BOTH): (VALIDATION, "s", "gates see inputs and states"),
    (WHOLE, BOTH): (LIMIT, "D", "full GRU"),
}
_GAINS = (MODEL, VALIDATION, LIMIT, TEST)


def moment_figure(s: GateSettings, frozen: Frozen, cases: Sequence[Gated]) -> NamedFigure:
    """E h² and E(∂h/∂b)² against forget time: theory, Monte Carlo, GRUs."""
    times = np.geomspace(1.6, 1.5 * max(s.longest, *s.forget_times), 200)
    bias = np.asarray(bias_of_forget_time(times))
    with house_style():
        figure = new_figure(4.2)
        left, right = figure.subplots(1, 2)
        for ax, theory, measured, error in (
            (
                left,
                np.asarray(frozen_gate_power(expit(bias), embeddings())),
                frozen.power,
                frozen.power_error,
            ),
            (
                right,
                np.asarray(bias_sensitivity(bias, embeddings())),
                frozen.sensitivity,
                frozen.sensitivity_error,
            ),
        ):
            ax.plot(times, theory, color=THEORY, linestyle="--", label="theory, frozen gates")
            ax.errorbar(
                frozen.forget_times,
                measured,
                yerr=error,
                color=MEASURED,
                linestyle="",
                marker="x",
                markersize=8,
                markeredgewidth=2,
                zorder=5,
                label="frozen, Monte Carlo",
            )
        for case in cases:
            colour, marker, label = _LOOKS[case.candidate, case.regime]
            for ax, values in ((left, case.power), (right, case.sensitivity)):
                ax.plot(
                    case.forget_times,
                    values,
                    color=colour,
                    linestyle="",
                    marker=marker,
                    alpha=0.85,
                    label=label,
                )
        right.plot(
            times,
            notebook_prediction(bias),
            color=THEORY,
            linestyle=":",
            label="published notebook's formula",
        )
        left.set_title("Power of the state")
        left.set_ylabel("E h²")
        right.set_title("Sensitivity to the gate's bias")
        right.set_ylabel("E(∂h/∂b)²")
        for ax in (left, right):
            ax.set_xlabel("forget time T = 1 + e^b (steps)")
            log_axis(ax.xaxis, (times[0], times[-1]))
            log_axis(ax.yaxis, (ax.dataLim.y0 / 1.3, ax.dataLim.y1 * 1.3))
        legend_above(figure, [right, left])
        freeze_layout(figure)
    return NamedFigure(
        "gates-moments",
        figure,
        "Mean squares of a gated unit's state and of its derivative by the gate's bias. Dashed: "
        f"theory of frozen gates; crosses: Monte Carlo over {s.chains} chains of {s.steps} steps "
        f"({s.chains // 4} for all but the longest T), error bars are one standard error. Other "
        f"marks: GRUs of {s.state} units at step {s.length}, averaged over the units of "
        f"{s.batch * math.ceil(s.starts / s.batch)} GRUs in each of {s.bins} ranges of T; the "
        "first three with candidate n = W x, the full GRU with tanh and reset gate. Dotted: what "
        "the published notebook computes instead.",
    )


def worst_case_figure(g: Gains) -> NamedFigure:
    """Worst-case gains of a gate and of the LRU against 1/ε."""
    grid = np.geomspace(g.gaps.min(), g.gaps.max(), 200)
    with house_style():
        figure = new_figure(3.5)
        ax = figure.subplots()
        for values, theory, colour, marker, label in (
            (g.gate, gate_worst_case_gain(1 - grid), MODEL, "o", "gate, ∂h/∂b"),
            (g.lru, lru_worst_case_gain(1 - grid), VALIDATION, "s", "LRU, ∂(γh)/∂w"),
        ):
            ax.plot(
                1 / g.gaps,
                values,
                color=colour,
                linestyle="",
                marker=marker,
                label=label,
                zorder=4,
            )
            ax.plot(1 / grid, np.asarray(theory), color=THEORY, linestyle="--", zorder=3)
        ax.plot([], [], color=THEORY, linestyle="--", label="theory")
        ax.axhline(2 / math.e, color=MEASURED, linestyle=":", linewidth=1.2, label="2/e")
        ax.set_title("Largest sensitivity that an input of size 1 can cause")
        ax.set_xlabel("memory 1/ε (steps)")
        ax.set_ylabel("worst-case gain")
        log_axis(ax.xaxis, (1 / grid[-1] / 1.2, 1.2 / grid[0]))
        log_axis(ax.yaxis, (0.3, 2 * float(g.lru.max())))
        legend_above(figure, ax)
        freeze_layout(figure)
    return NamedFigure(
        "gates-worst-case",
        figure,
        "Worst-case gain of the parameter of the memory, reached by an explicit input of ±1 "
        "(marks), against the memory, ε = 1 − λ for the gate and 1 − ν for the LRU. A gate is "
        "controlled for every bounded input; the LRU only in mean square.",
    )


def jacobian_figure(s: GateSettings, jacobians: Sequence[Jacobian]) -> NamedFigure:
    """Diagonal and off-diagonal entries of ∂h_δ/∂h_0 against δ, a panel for each σ_h."""
    low, grid = 1e-5, np.geomspace(1.0, max(s.delays), 100)
    with house_style():
        figure = new_figure(3.7)
        axes = list(np.atleast_1d(figure.subplots(1, len(jacobians), sharey=True)))
        for ax, one in zip(axes, jacobians, strict=True):
            diagonal = np.abs(one.diagonal)
            edges = np.quantile(diagonal, [0.05, 0.95], axis=1)
            ax.fill_between(
                one.delays,
                *np.maximum(edges, low / 10),
                color=MODEL,
                alpha=0.2,
                linewidth=0.0,
                label="diagonal, 5 to 95 %",
            )
            # The bias is log of a number uniform up to the longest, so that this is the median λ.
            middle = (1 + s.jacobian_longest) / 2
            ax.plot(
                grid,
                (middle / (1 + middle)) ** grid,
                color=THEORY,
                linestyle="--",
                zorder=5,
                label="theory, frozen gates: λ^δ",
            )
            middle = np.median(diagonal, axis=1)
            ax.plot(one.delays, middle, color=MODEL, marker="o", label="diagonal, median")
            for values, marker, name in (
                (one.largest, "^", "largest"),
                (one.quantile, "s", f"{OFF_DIAGONAL_SHARE:.0%} below"),
                (one.median, "v", "median"),
            ):
                ax.plot(
                    one.delays,
                    np.where(values > 0, values, np.nan),
                    color=VALIDATION if name != "largest" else LIMIT,
                    marker=marker,
                    markersize=4.5,
                    label=f"off-diagonal, {name}",
                )
            log_axis(ax.xaxis, (one.delays[0] / 1.3, one.delays[-1] * 1.3))
            log_axis(ax.yaxis, (low, 3.0))
            ax.set_title(f"σ_h = {one.gain:g}")
            ax.set_xlabel("delay δ (steps)")
        axes[0].set_ylabel("|entry of ∂h_δ/∂h_0|")
        legend_above(figure, axes)
        freeze_layout(figure)
    return NamedFigure(
        "gates-jacobian",
        figure,
        f"Entries of ∂h_δ/∂h_0 of one GRU of {s.jacobian_state} units at initialisation, by the "
        "scale σ_h of its recurrent matrices (at 0 nothing is off the diagonal); h_0 = 0, gate "
        f"biases log U(1, {s.jacobian_longest:g}), one input sequence. Dashed: a frozen gate "
        "of the median bias. What falls below 10⁻⁵ is cut off.",
    )
