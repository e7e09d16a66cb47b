"""The figure of the identities part."""

import numpy as np
from matplotlib.figure import Figure

from remanence.report import MODEL, THEORY, VALIDATION, freeze_layout, house_style, new_figure
from remanence.report.drawing import extent, log_axis, positive
from remanence.studies.drawing import seeds_and_median
from remanence.studies.low_dimensional.identities_measures import Drift


def drift_figure(drift: Drift, time: float) -> Figure:
    """Drift of M and of its trace against the step size, with the slope-1 lines of theory."""
    eta = drift.step_sizes
    with house_style():
        figure = new_figure(3.6)
        ax = figure.subplots()
        for values, colour, marker, label in (
            (drift.balancedness, MODEL, "o", "‖M(t) − M(0)‖"),
            (drift.trace, VALIDATION, "s", "drift of ‖B‖² − ‖C‖²"),
        ):
            seeds_and_median(
                ax,
                eta,
                values,
                colour,
                label,
                marker=marker,
                size=6,
                dot=marker,
                dot_size=3.5,
                alpha=0.35,
            )
            theory = np.median(values[-1]) * eta / eta[-1]
            ax.plot(eta, theory, color=THEORY, linestyle="--", linewidth=1.2, zorder=3)
        ax.plot([], [], color=THEORY, linestyle="--", linewidth=1.2, label="theory: ∝ η")
        for axis, values in (
            (ax.xaxis, eta),
            (ax.yaxis, np.concatenate([drift.balancedness, drift.trace])),
        ):
            span = extent(positive(values))
            log_axis(axis, None if span is None else (span[0] / 1.3, span[1] * 1.3))
        ax.set_xlabel("step size η")
        ax.set_ylabel(f"drift by time η · steps = {time:g}")
        ax.set_title("Balancedness under gradient descent")
        handles, names = ax.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper left", ncols=len(names))
        return freeze_layout(figure)
