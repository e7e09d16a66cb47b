"""The figure of the gated part."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from remanence.report import LIMIT, MODEL, freeze_layout, house_style, new_figure
from remanence.report.drawing import log_axis
from remanence.studies.drawing import seeds_and_median
from remanence.studies.low_dimensional.gated_students import Errors, Settings


def extrapolation_figure(settings: Settings, errors: Errors) -> Figure:
    """Errors of both starts at the training and the test length, against training length."""
    lengths = np.array(settings.lengths, float)
    with house_style():
        figure = new_figure(4.2)
        ax = figure.subplots()
        for index, scale in enumerate((settings.small_scale, settings.large_scale)):
            colour = (MODEL, LIMIT)[index]
            # Side by side, so that the points of one start do not hide those of the other.
            places = lengths * (0.985, 1.015)[index]
            kinds = (
                (errors.long, "o", "-", colour, f"length {settings.test_length}"),
                (errors.short, "s", "--", "white", "training length"),
            )
            for values, marker, line, face, where in kinds:
                seeds_and_median(
                    ax,
                    places,
                    values[:, index],
                    colour,
                    f"s = {scale:g}, at {where}",
                    marker=marker,
                    size=6,
                    dot=marker,
                    dot_size=4,
                    alpha=0.3,
                    linestyle=line,
                    markerfacecolor=face,
                )
        ax.axhline(1.0, color="#9aa1ab", linewidth=0.8)
        everything = np.concatenate([errors.long.ravel(), errors.short.ravel(), [1.0]])
        log_axis(ax.yaxis, (everything.min() / 1.5, everything.max() * 1.5))
        log_axis(ax.xaxis, (lengths.min() / 1.2, lengths.max() * 1.2))
        ax.set_xlabel("training length k (steps)")
        ax.set_ylabel("mean squared error / variance")
        ax.set_xticks(lengths, [f"{k:g}" for k in settings.lengths])
        ax.xaxis.set_minor_locator(NullLocator())
        figure.legend(loc="outside upper left", ncols=2)
        return freeze_layout(figure)
