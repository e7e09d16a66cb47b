"""Figures of the signals part: activations and gradients against memory."""

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

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
from remanence.studies.drawing import seeds_and_median
from remanence.studies.sensitivity.signals_claims import PUBLISHED
from remanence.studies.sensitivity.signals_measures import Signals, expected_first_layer
from remanence.studies.sensitivity.signals_settings import ARCHITECTURES, SignalSettings

_LAYERS = (MODEL, TEST, TRAINING, VALIDATION)
_MARKERS = ("o", "s", "^", "D")
_GROUPS = {
    "rest": (MEASURED, "o"),
    "λ": (LIMIT, "s"),
    "θ": (LIMIT, "D"),
    "ν": (MODEL, "^"),
    "γ": (TRAINING, "v"),
    "recurrent": (VALIDATION, "s"),
}


def activation_figure(s: SignalSettings, signals: Signals) -> NamedFigure:
    """Mean square of every layer's outputs against memory, one panel an architecture."""
    grid = np.geomspace(s.memories[0], s.memories[-1], 41)
    with house_style():
        figure = new_figure(5.9)
        axes = _panels(figure)
        for ax, architecture in zip(axes, ARCHITECTURES, strict=True):
            values = signals.activations[architecture]
            for layer, (colour, marker) in _layers(s.depth):
                rows = values[:, :, layer + 1]
                seeds_and_median(ax, s.memories, rows, colour, f"layer {layer}", marker=marker)
            expected = [expected_first_layer(architecture, memory) for memory in grid]
            ax.plot(
                grid,
                expected,
                color=THEORY,
                linestyle="--",
                linewidth=1.6,
                zorder=4,
                label="theory, layer 0 (GRU: upper estimate)",
            )
        rows = [signals.activations[name] for name in ARCHITECTURES]
        _dress(axes, s, rows, "mean square of outputs")
        legend_above(figure, axes)
        freeze_layout(figure)
    return NamedFigure(
        "signals-activations",
        figure,
        "Mean square of each layer's outputs (skip included; mean over features, steps and "
        f"{s.sequences} sequences) against the memory t; lines: medians over {s.seeds} networks, "
        "faint: each. Dashed: theory for layer 0, wide networks and an infinite past (the "
        f"sequences have {s.length} steps); the GRU's is for frozen gates with a linear "
        "candidate, an upper estimate of what the layer adds to its skip. "
        "The complex recurrence explodes over depth, the others "
        "do not. A row of panels shares its scale.",
    )


def gradient_figure(s: SignalSettings, signals: Signals) -> NamedFigure:
    """Mean squared gradients against memory by group of parameters."""
    with house_style():
        figure = new_figure(6.3)
        axes = _panels(figure)
        shown = []
        for ax, architecture in zip(axes, ARCHITECTURES, strict=True):
            for name, values in signals.gradients[architecture].items():
                colour, marker = _GROUPS[name]
                rows = values.reshape(len(s.memories), -1)
                seeds_and_median(ax, s.memories, rows, colour, name, marker=marker, alpha=0.3)
            for (owner, group, memory), (low, high) in PUBLISHED.items():
                if owner == architecture and group in _GROUPS and memory in s.memories:
                    # Beside the measured points, not on them.
                    place, colour = memory * 1.13, _GROUPS[group][0]
                    ax.plot([place, place], [low, high], color=colour, linewidth=4.0, alpha=0.45)
                    shown.append(np.array([low, high]))
        rows = [values for name in ARCHITECTURES for values in signals.gradients[name].values()]
        half = len(signals.gradients["complex"]) + len(signals.gradients["complex, LayerNorm"])
        _dress(axes, s, [_all(rows[:half]), _all(rows[half:])], "mean squared gradient")
        bar = Line2D([], [], color=MEASURED, linewidth=4.0, alpha=0.45, label="published range")
        axes[-1].add_line(bar)
        legend_above(figure, axes)
        freeze_layout(figure)
    return NamedFigure(
        "signals-gradients",
        figure,
        "Mean squared gradient of the published loss at initialisation, by group of parameters, "
        f"against the memory t. Lines: medians over {s.depth} layers and {s.seeds} networks; "
        "faint: each layer of each network; thick bars: the range over layers quoted from the "
        "paper (embeddings of text, where ours are Gaussian with their autocorrelation). λ: real "
        "and imaginary parts of the eigenvalues; ν, θ, γ: log(−log |λ|), log θ, log γ; "
        "recurrent: the GRU's recurrent matrices and gate bias; rest: everything else in a layer. "
        "A row of panels shares its scale.",
    )


def _panels(figure: Figure) -> list[Axes]:
    return list(np.ravel(figure.subplots(2, 2, sharex=True, sharey="row")))


def _layers(depth: int) -> Iterable[tuple[int, tuple[str, str]]]:
    looks = list(zip(_LAYERS, _MARKERS, strict=True))
    return ((layer, looks[layer % len(looks)]) for layer in range(depth))


def _all(rows: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([row.ravel() for row in rows])


def _dress(axes: list[Axes], s: SignalSettings, rows: list[np.ndarray], label: str) -> None:
    """Titles, labels and scales; `rows` are the values of each row of panels, or of each panel."""
    per_row = [rows[0], rows[1]] if len(rows) == 2 else [_all(rows[:2]), _all(rows[2:])]
    for index, (ax, architecture) in enumerate(zip(axes, ARCHITECTURES, strict=True)):
        values = per_row[index // 2]
        log_axis(ax.xaxis, (s.memories[0] / 1.3, s.memories[-1] * 1.4))
        log_axis(ax.yaxis, (float(values.min()) / 2, float(values.max()) * 2))
        ax.set_title(architecture[0].upper() + architecture[1:])
        if index % 2 == 0:
            ax.set_ylabel(label)
        if index >= 2:
            ax.set_xlabel("memory t (steps)")
