"""The figure of the thresholds part."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from remanence.report import (
    LIMIT,
    MODEL,
    TRAINING,
    VALIDATION,
    freeze_layout,
    house_style,
    new_figure,
)
from remanence.report.drawing import log_axis
from remanence.studies.drawing import seeds_and_median
from remanence.studies.low_dimensional.thresholds_measures import CONVERGED, FAR, Curve

_LOOKS = ((MODEL, "o"), (VALIDATION, "s"), (TRAINING, "^"), (LIMIT, "D"))


def threshold_figure(curves: Sequence[Curve], *, near: float) -> Figure:
    """Error at the next lag, and training loss, against training length: a line a curve."""
    with house_style():
        figure = new_figure(3.6)
        left, right = figure.subplots(1, 2)
        for index, (curve, (colour, marker)) in enumerate(zip(curves, _LOOKS, strict=False)):
            settled = np.where(curve.losses < CONVERGED, np.abs(curve.errors), np.nan)
            shift = 0.08 * (index - (len(curves) - 1) / 2)
            _scatter(left, curve.lengths + shift, settled, colour, marker, curve.label, 1e-17)
            _scatter(
                right, curve.lengths + shift, curve.losses, colour, marker, curve.label, 1e-34
            )
            left.axvline(curve.threshold + shift, color=colour, linewidth=1.1, linestyle="--")
        left.axhline(FAR, color="#8a919c", linewidth=0.9, linestyle=":")
        left.axhline(near, color="#8a919c", linewidth=0.9, linestyle=":")
        right.axhline(CONVERGED, color="#8a919c", linewidth=0.9, linestyle=":")
        left.plot([], [], color="#8a919c", linewidth=1.1, linestyle="--", label="threshold")
        left.plot([], [], color="#8a919c", linewidth=0.9, linestyle=":", label="criterion")
        left.set_ylabel("error |g_k − ĝ_k| at the next lag")
        right.set_ylabel("training loss L_k")
        left.set_title("The first lag not trained on")
        right.set_title("The lags trained on")
        lengths = np.concatenate([curve.lengths for curve in curves])
        for ax in (left, right):
            low, high = ax.dataLim.y0, ax.dataLim.y1
            log_axis(ax.yaxis, (low / 3.0, high * 3.0))
            ax.set_xlabel("training length k (steps)")
            ax.set_xticks(np.arange(lengths.min(), lengths.max() + 1, 1 + np.ptp(lengths) // 12))
        handles, names = left.get_legend_handles_labels()
        figure.legend(handles, names, loc="outside upper left", ncols=len(names))
        return freeze_layout(figure)


def _scatter(
    ax: Axes,
    lengths: np.ndarray,
    values: np.ndarray,
    colour: str,
    marker: str,
    label: str,
    least: float,
) -> None:
    """Every run as a faint mark, their median as a line; smaller values drawn at `least`."""
    shown = np.maximum(values, least)
    seeds_and_median(
        ax, lengths, shown, colour, label, marker=marker, dot=marker, dot_size=3, alpha=0.3
    )
