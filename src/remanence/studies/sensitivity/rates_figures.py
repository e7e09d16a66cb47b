"""Figures of learning rates, heads and angles."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from remanence.report import LIMIT, MODEL, THEORY, freeze_layout, house_style, new_figure
from remanence.report.drawing import legend_above, log_axis, positive
from remanence.studies.sensitivity.architectures_figures import COLOURS
from remanence.studies.sensitivity.rates_measures import Rates
from remanence.studies.sensitivity.rates_settings import (
    FULL,
    PROBE_CAP,
    PUBLISHED_ANGLES,
    PUBLISHED_HEADS,
    RateSettings,
)

_QUANTILES = (5, 25, 50, 75, 95)


def groups_figure(settings: RateSettings, found: Rates) -> Figure:
    """Both definitions for every group of parameters."""
    with house_style():
        figure = new_figure(4.4)
        ax = figure.subplots()
        labels, shown = [], []
        for place, group in enumerate(found.groups):
            for shift, values, face in ((-0.14, group.clean, None), (0.14, group.probe, "white")):
                kept = positive(values)
                if np.isnan(kept).all():
                    continue
                low, first, middle, third, high = np.nanpercentile(kept, _QUANTILES)
                colour = COLOURS[group.student]
                ax.plot([place + shift] * 2, [low, high], color=colour, linewidth=1)
                ax.plot([place + shift] * 2, [first, third], color=colour, linewidth=4)
                ax.plot(
                    [place + shift],
                    [middle],
                    "o",
                    color=colour,
                    markersize=6,
                    markerfacecolor=face,
                )
                shown += [low, high]
            lost = np.mean(group.probe <= 0)
            label = group.group if lost < 0.005 else f"{group.group}\n({lost:.0%} < 0)"
            labels.append(label)
        cap = PROBE_CAP * settings.constant_rate
        ax.axhline(cap, color=THEORY, linestyle="--", linewidth=1, label="cap of the probe")
        ax.plot([], [], "o", color="#22262c", label="η/(√v̂ + ε)")
        ax.plot([], [], "o", color="#22262c", markerfacecolor="white", label="probe of ones")
        for name in dict.fromkeys(group.student for group in found.groups):
            ax.plot([], [], color=COLOURS[name], linewidth=4, label=name)
        log_axis(ax.yaxis, (min(shown) / 2, max(max(shown), cap) * 2))
        ax.set_xticks(range(len(labels)), labels)
        ax.grid(visible=False, axis="x")
        ax.set_ylabel("effective learning rate (parameter units per unit gradient)", fontsize=8.5)
        legend_above(figure, ax)
        return freeze_layout(figure)


def heads_figure(settings: RateSettings, found: Rates) -> Figure:
    """Loss, and effective rate of A, against the number of heads."""
    heads = np.array(settings.heads)
    with house_style():
        figure = new_figure(3.6)
        left, right = figure.subplots(1, 2)
        losses = [found.heads[count].best_losses for count in settings.heads]
        rates = [found.head_rates[count] for count in settings.heads]
        published = np.array([(count, *values) for count, values in PUBLISHED_HEADS.items()])
        for ax, values, column, colour in (
            (left, losses, 1, LIMIT),
            (right, rates, 2, MODEL),
        ):
            _with_starts(ax, heads, values, colour, "ours")
            ax.plot(published[:, 0], published[:, column], "x", color="#22262c", label="published")
            everything = np.concatenate([*values, published[:, column]])
            log_axis(ax.yaxis, (np.nanmin(positive(everything)) / 2, np.max(everything) * 2))
            ax.set_xscale("log", base=2)
            ax.set_xticks(published[:, 0], [f"{count:g}" for count in published[:, 0]])
            ax.minorticks_off()
            ax.set_xlabel("heads (blocks of 64 states)")
        left.set_ylabel("final loss, ½ mean (y − y*)²")
        right.set_ylabel("effective learning rate of A")
        legend_above(figure, left)
        return freeze_layout(figure)


def angles_figure(settings: RateSettings, found: Rates) -> Figure:
    """Loss against the range of the teacher's angles."""
    phases = np.array(settings.phases)
    with house_style():
        figure = new_figure(3.6)
        ax = figure.subplots()
        everything = []
        for name, grids in found.angles.items():
            losses = [grid.best_losses for grid in grids]
            _with_starts(ax, phases, losses, COLOURS[name], name)
            ax.plot(
                FULL.phases,
                PUBLISHED_ANGLES[name],
                "x",
                color=COLOURS[name],
                label=f"{name}, published",
            )
            everything += [*losses, np.array(PUBLISHED_ANGLES[name])]
        values = positive(np.concatenate(everything))
        log_axis(ax.yaxis, (float(np.nanmin(values)) / 2, float(np.nanmax(values)) * 2))
        log_axis(ax.xaxis, (0.025, 4.0))
        ax.set_xlabel("largest angle of the teacher's eigenvalues, θ₀ (radians per step)")
        ax.set_ylabel("final loss, ½ mean (y − y*)²")
        legend_above(figure, ax)
        return freeze_layout(figure)


def _with_starts(
    ax: Axes, x: np.ndarray, values: list[np.ndarray], colour: str, label: str
) -> None:
    finite = [np.where(np.isfinite(one), one, np.nan) for one in values]
    ax.fill_between(
        x,
        [np.nanmin(one) for one in finite],
        [np.nanmax(one) for one in finite],
        color=colour,
        alpha=0.2,
        linewidth=0,
    )
    ax.plot(
        x, [np.nanmedian(one) for one in finite], "o-", color=colour, markersize=4, label=label
    )
