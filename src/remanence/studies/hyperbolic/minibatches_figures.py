"""Figures of the minibatch part: signal and noise, and the limit that they set."""

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
from remanence.report.drawing import legend_above, log_axis
from remanence.studies.hyperbolic.minibatches_claims import gathered
from remanence.studies.hyperbolic.minibatches_measures import Journey, Variances
from remanence.studies.hyperbolic.minibatches_reach import Students
from remanence.studies.hyperbolic.minibatches_settings import (
    ARRIVED,
    CLEAR,
    DROWNED,
    MinibatchSettings,
    radius_of,
)
from remanence.studies.hyperbolic.minibatches_theory import (
    AVERAGED,
    Situations,
    largest_distance,
    stationary_signal_to_noise,
)

_NOISE_COLOURS = (MODEL, TRAINING, VALIDATION, LIMIT)
_LEAST_LOSS = 1e-30


def signal_figure(
    s: MinibatchSettings, variances: Variances, journeys: Sequence[Journey]
) -> NamedFigure:
    """Measured against predicted variances; S against distance."""
    longest = max(journeys, key=lambda one: _length(one.students))
    with house_style():
        figure = new_figure(4.1)
        left, right = figure.subplots(1, 2)
        pairs = (
            (variances.overlap_predicted, variances.overlap, "overlap", MODEL, "o"),
            (variances.gradient_predicted, variances.gradient, "gradient", LIMIT, "s"),
        )
        every = np.concatenate([np.concatenate(pair[:2]) for pair in pairs])
        ends = (every.min() / 2, 2 * every.max())
        left.plot(ends, ends, color=THEORY, linestyle="--", linewidth=1, label="theory")
        for predicted, measured, name, colour, marker in pairs:
            left.plot(predicted, measured, marker, color=colour, label=name)
        log_axis(left.xaxis, ends)
        log_axis(left.yaxis, ends)
        left.set_xlabel("predicted variance of one sequence")
        left.set_ylabel("measured variance")
        left.set_title(f"Variance over minibatches (T = {s.sampled_horizon})")
        _signals(right, s, longest)
        legend_above(figure, [left, right])
        freeze_layout(figure)
    students = longest.students
    return NamedFigure(
        "minibatch-signal",
        figure,
        f"Left: variance of the overlap's estimate and of the hyperbolic gradient over "
        f"{s.repeats:,} minibatches in {variances.overlap.size} situations, against the exact sum "
        "over pairs of times. Right: signal over noise of the gradient at the start of training "
        f"(memory {students.memory:g}, T = {students.horizon}, B = {students.batch}, white "
        f"input), times the {AVERAGED:g} gradients that Adam averages. Dots: exact, one a "
        "target; lines: closed form for long sequences, at an angle of π/2 in the middle of the "
        "way; ticks on the line of 1: d_max = log(2 a B T/σ²). Without output noise S does not "
        "fall with distance. Dots lie above the lines where a sequence is about a memory long.",
    )


def _length(students: Students) -> tuple[float, float]:
    """Memories in a sequence, and then the memory."""
    return students.horizon / students.memory, students.memory


def _signals(ax: Axes, s: MinibatchSettings, journey: Journey) -> None:
    students = journey.students
    at = students.situations
    white = (at.correlation == 0) & (students.rates == s.rates[0])
    samples = students.batch * students.horizon
    target = float(radius_of(students.memory))
    # Targets on the other side of π/2, as far from it as the student.
    turn = np.geomspace(1e-3, 1.2, 80)
    shown = []
    for noise, colour in zip(s.noises, _NOISE_COLOURS, strict=False):
        here = white & (at.noise == noise)
        label = f"σ² = {noise:g}"
        ax.plot(at.distance[here], journey.averaged[here], "o", color=colour, markersize=4.5)
        line = Situations(
            np.full(turn.size, s.start_radius),
            np.pi / 2 + turn,
            np.full(turn.size, target),
            np.pi / 2 - turn,
            np.full(turn.size, noise),
            np.zeros(turn.size),
        )
        S = AVERAGED * stationary_signal_to_noise(line, samples)
        ax.plot(line.distance, S, color=colour, linewidth=1.3, label=label)
        if noise:
            ax.plot([largest_distance(samples, noise)], [1], "|", color=colour, markersize=12)
        shown += [S, journey.averaged[here]]
    every = np.concatenate(shown)
    ax.axhline(1, color=THEORY, linestyle=":", linewidth=1)
    log_axis(ax.yaxis, (every.min() / 2, 2 * every.max()))
    ax.set_xlabel("hyperbolic distance to the target")
    ax.set_ylabel(f"signal over noise, {AVERAGED:g} S")
    ax.set_title("Signal over noise against distance")


def limit_figure(s: MinibatchSettings, journeys: Sequence[Journey]) -> NamedFigure:
    """Share of students that arrive against what was predicted."""
    averaged, reach, arrived = gathered(journeys)
    rho = np.concatenate([one.students.situations.correlation for one in journeys])
    rate = np.concatenate([one.students.rates for one in journeys])
    with house_style():
        figure = new_figure(4.1)
        axes = figure.subplots(1, 2, sharey=True)
        panels = (
            (averaged, f"predicted signal over noise, {AVERAGED:g} S", "Signal over noise"),
            (reach, "predicted path over way", "Drift"),
        )
        for ax, (values, label, title) in zip(axes, panels, strict=True):
            edges = np.geomspace(values.min() / 1.01, values.max() * 1.01, 13)
            for one, colour in zip(s.rates, (MODEL, TRAINING), strict=False):
                for colouring, style in zip(s.correlations, ("-", "--"), strict=False):
                    part = (rate == one) & (rho == colouring)
                    _shares(
                        ax,
                        edges,
                        values[part],
                        arrived[part],
                        color=colour,
                        linestyle=style,
                        label=f"η = {one:g}, ρ = {colouring:g}",
                    )
            _shares(
                ax, edges, values, arrived, color=MEASURED, linewidth=2.4, label="all students"
            )
            for bound in (DROWNED, CLEAR):
                ax.axvline(bound, color=THEORY, linestyle=":", linewidth=1)
            log_axis(ax.xaxis, (edges[0], edges[-1]))
            ax.set_xlabel(label)
            ax.set_title(title)
            ax.set_ylim(-0.03, 1.03)
        axes[0].set_ylabel("share of students that arrive")
        legend_above(figure, axes[0])
        freeze_layout(figure)
    return NamedFigure(
        "minibatch-limit",
        figure,
        f"Share of {arrived.size:,} one-mode students that end within a distance {ARRIVED:g} of "
        f"their targets after {s.steps:,} steps of hyperbolic Adam, in bins of what was predicted "
        "at their start: signal over noise of the gradients that Adam averages (left), path of "
        "its drift over the way (right). Dotted: the thresholds of the claims. Memories, batches, "
        "lengths, noises and distances all differ; the right-hand prediction joins them.",
    )


def _shares(
    ax: Axes, edges: np.ndarray, values: np.ndarray, arrived: np.ndarray, **style: object
) -> None:
    places = np.digitize(values, edges) - 1
    x, y = [], []
    for place in range(edges.size - 1):
        here = places == place
        if here.sum() >= 3:
            x.append(float(np.exp(np.mean(np.log(values[here])))))
            y.append(float(np.mean(arrived[here])))
    ax.plot(x, y, marker="o", markersize=3.5, **style)  # pyright: ignore[reportArgumentType]
