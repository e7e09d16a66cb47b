"""Figures of the poisoning part: impulse responses, and errors beside the printed ones."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from remanence.report import LIMIT, MEASURED, MODEL, THEORY, freeze_layout, house_style, new_figure
from remanence.report.drawing import log_axis
from remanence.studies.low_dimensional.poisoning_flow import Results, response, teacher_response
from remanence.studies.low_dimensional.poisoning_settings import Configuration, Settings


def response_figure(pairs: list[tuple[Configuration, Results]], settings: Settings) -> Figure:
    """Impulse responses of the teacher and of every student."""
    lags = np.arange(1, settings.horizon)
    with house_style():
        figure = new_figure(3.7)
        panels = figure.subplots(1, len(pairs), squeeze=False, sharey=True)[0]
        for ax, (configuration, results) in zip(panels, pairs, strict=True):
            k = configuration.length
            wanted = teacher_response(configuration, settings.horizon)[1:]
            ax.plot(lags, wanted, color=MEASURED, linewidth=3, alpha=0.5, label="teacher")
            for row, (colour, name) in enumerate(((MODEL, "baseline"), (LIMIT, "poisoned"))):
                for seed, diagonal in enumerate(results.students[row]):
                    ax.plot(
                        lags,
                        response(diagonal, settings.horizon)[1:],
                        color=colour,
                        linewidth=1.0,
                        alpha=0.8,
                        label=f"{name} student" if seed == 0 else None,
                    )
            data = [("o", k - 1, MODEL, "baseline data"), ("D", 1, LIMIT, "added (poison)")]
            for marker, lag, colour, name in data:
                ax.plot(
                    lag,
                    1.0,
                    marker,
                    markersize=8,
                    markerfacecolor="none",
                    markeredgecolor=colour,
                    label=name,
                    zorder=5,
                )
            ax.axvline(k - 1, color=THEORY, linewidth=1.1, linestyle="--", label="lag k − 1")
            ax.set_title(f"d = {configuration.state}, k = {k}")
            ax.set_xlabel("lag j (steps)")
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        panels[0].set_ylim(bottom=0.0)
        panels[0].set_ylabel("impulse response")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=6, columnspacing=1.2)
        return freeze_layout(figure)


def error_figure(pairs: list[tuple[Configuration, Results]]) -> Figure:
    """Extrapolation errors, printed and measured, by seed."""
    with house_style():
        figure = new_figure(3.7)
        panels = figure.subplots(1, len(pairs), squeeze=False, sharey=True)[0]
        for ax, (configuration, results) in zip(panels, pairs, strict=True):
            printed = (configuration.baseline, configuration.poisoned)
            places = np.arange(len(configuration.seeds))
            for row, (colour, name) in enumerate(((MODEL, "baseline"), (LIMIT, "poisoned"))):
                ax.plot(
                    places,
                    printed[row],
                    "o",
                    markersize=10,
                    markerfacecolor="none",
                    markeredgecolor=colour,
                    label=f"{name}, printed",
                )
                ax.plot(
                    places,
                    results.accurate[row],
                    ".",
                    markersize=7,
                    color=colour,
                    label=f"{name}, measured",
                )
            ax.set_title(f"d = {configuration.state}, k = {configuration.length}")
            ax.set_xticks(places, list(map(str, configuration.seeds)))
            ax.set_xlim(-0.5, len(places) - 0.5)
            ax.set_xlabel("seed")
        shown = np.concatenate([(*c.baseline, *c.poisoned, *r.accurate.flat) for c, r in pairs])
        for ax in panels:
            log_axis(ax.yaxis, (shown.min() / 1.5, shown.max() * 1.5))
        panels[0].set_ylabel("extrapolation error")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=4)
        return freeze_layout(figure)
