"""Figures of the part on length extension."""

from collections.abc import Sequence

import numpy as np

from remanence.report import (
    FAINT,
    LIMIT,
    MEASURED,
    MODEL,
    PAGE_WIDTH,
    THEORY,
    VALIDATION,
    NamedFigure,
    freeze_layout,
    house_style,
    new_figure,
)
from remanence.report.drawing import decimal, legend_above, log_axis
from remanence.studies.curse_of_memory.length_extension_settings import (
    SHORT_TOY,
    TOY_RIDGE,
    ExtensionSettings,
)
from remanence.studies.curse_of_memory.length_extension_toy import LONGEST, Toy
from remanence.studies.curse_of_memory.length_extension_training import (
    CARRIED,
    CUT,
    ISOLATED,
    WAYS,
    Extension,
)
from remanence.studies.drawing import seeds_and_median

_TOLD = (0.0, 1e-14, 1e-10, 1e-8, 1e-6, 1e-4)
_LOOKS = {ISOLATED: (LIMIT, "s"), CUT: (VALIDATION, "^"), CARRIED: (MODEL, "o")}


def toy_figure(s: ExtensionSettings, toy: Toy) -> NamedFigure:
    """Error by length, and error far out against error at the training length, by ridge."""
    with house_style():
        figure = new_figure(3.9)
        left, right = figure.subplots(1, 2)
        for errors, colour, marker, label in (
            (toy.exact, MEASURED, "D", f"from zero at {s.length}, exact minimiser"),
            (toy.short, LIMIT, "s", f"from zero at {s.length}, ridge {TOY_RIDGE:g} of the trace"),
        ):
            left.plot(
                list(errors), list(errors.values()), color=colour, marker=marker, label=label
            )
        left.plot(
            list(SHORT_TOY),
            list(SHORT_TOY.values()),
            "x",
            color=THEORY,
            markersize=9,
            label="pre-registered",
        )
        left.axhline(toy.stationary, color=MODEL, linewidth=1.8, label="states carried")
        log_axis(left.xaxis, (s.length / 1.4, LONGEST * 1.4))
        log_axis(left.yaxis, (1e-13, 1e9))
        left.axvline(s.length, color=FAINT, linewidth=1.0)
        left.set(xlabel="length of the sequence, steps", ylabel="mean squared error")
        left.set_title("One fit, longer sequences")
        right.plot(toy.at_training, toy.at_longest, "o-", color=LIMIT, markersize=5)
        for share, x, y in zip(toy.ridges, toy.at_training, toy.at_longest, strict=True):
            if share in _TOLD:
                right.annotate(
                    decimal(share),
                    (x, y),
                    xytext=(6, 4),
                    textcoords="offset points",
                    fontsize=8,
                )
        right.axhline(toy.stationary, color=MODEL, linewidth=1.8)
        log_axis(right.xaxis, (toy.at_training.min() / 2, toy.at_training.max() * 20))
        log_axis(right.yaxis, (1e-3, 1e9))
        right.set(xlabel=f"error at {s.length} steps", ylabel=f"error at {LONGEST:,} steps")
        right.set_title("What the ridge decides")
        legend_above(figure, left)
        freeze_layout(figure)
    return NamedFigure(
        "length-extension-toy",
        figure,
        f"Closed forms for the kernel (1 + {s.scale:g}k)^−{s.exponent:g} and {s.modes} modes with "
        f"rates {s.slowest:g} to {s.fastest:g}. Left: the expected error of zero-state sequences "
        f"by their length, after least squares at {s.length} steps. Right: the same fit under "
        "ridges of growing share of the trace (some numbered): what the training error cannot see "
        "decides ten decades of error beyond it. Line: the fit that carries states.",
    )


def networks_figure(s: ExtensionSettings, found: Sequence[Extension]) -> NamedFigure:
    """Unexplained share against length, every way, a panel for each network."""
    with house_style():
        figure = new_figure(3.9, width=PAGE_WIDTH if len(found) > 1 else 0.65 * PAGE_WIDTH)
        axes = figure.subplots(1, len(found), sharey=True, squeeze=False)[0]
        for ax, one in zip(axes, found, strict=True):
            for way in WAYS:
                colour, marker = _LOOKS[way]
                seeds_and_median(
                    ax,
                    one.lengths,
                    one.shares[WAYS.index(way)].T,
                    colour,
                    way,
                    marker=marker,
                    alpha=0.5,
                )
            ax.axvline(s.length, color=FAINT, linewidth=1.0)
            log_axis(ax.xaxis, (one.lengths[0] / 1.4, one.lengths[-1] * 1.4))
            ax.set_xlabel("length of the sequence, steps")
            ax.set_title(f"{one.network}, trained at {s.length} steps")
        every = np.concatenate([one.shares.ravel() for one in found])
        log_axis(axes[0].yaxis, (float(every.min()) / 2, float(every.max()) * 2))
        axes[0].set_ylabel("unexplained share")
        legend_above(figure, axes[0])
        freeze_layout(figure)
    return NamedFigure(
        "length-extension",
        figure,
        f"Networks trained at {s.length} steps (grey line) on the kernel of the toy under white "
        "input, scored from zero states on longer sequences, in their last quarter: "
        f"{s.seeds} seeds (dots) and medians. Training from zero states explains its own length "
        "better and everything beyond it worse than carrying states does.",
    )
