"""Figures of the extensions part: identities, recovery of one eigenvalue, training."""

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from remanence.report import (
    FAINT,
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
from remanence.studies.sensitivity.extensions_measures import (
    COMBINATIONS,
    RHO_AWARE,
    Powers,
    root_power,
    theoretical_sensitivity,
)
from remanence.studies.sensitivity.extensions_recovery import (
    ADAM,
    DESCENT,
    MAPS,
    Recovery,
    quadratic_steps,
)
from remanence.studies.sensitivity.extensions_settings import RECOVERED, ExtensionSettings
from remanence.studies.sensitivity.extensions_training import (
    BOTH,
    COMPETITORS,
    ENSEMBLES,
    EXP,
    LRU,
    PLAIN,
    RHO,
    SPECTRUM,
    TANH,
    Training,
)
from remanence.studies.wording import listed
from remanence.theory import ExponentialInput

_LOOKS = {
    LRU: (MEASURED, "v"),
    EXP: (VALIDATION, "^"),
    TANH: (LIMIT, "s"),
    PLAIN: (FAINT, "P"),
    SPECTRUM: (TRAINING, "D"),
    RHO_AWARE: (MODEL, "o"),
    "tanh, spectrum-aware": (TRAINING, "s"),
    BOTH: (TEST, "X"),
}
_MAP_LOOKS = dict(zip(MAPS, (_LOOKS[EXP], _LOOKS[TANH], _LOOKS[RHO]), strict=True))
_DIVERGED = 1e6
_STYLES = (":", "--", "-.", "-")


def identity_figure(
    s: ExtensionSettings, powers: Powers, sensitivities: Mapping[str, np.ndarray]
) -> NamedFigure:
    """E|γh|² by normalisation, and E|∂(γh)/∂w|² by map, against memory."""
    gaps = np.array(s.gaps)
    fine = np.geomspace(gaps.max(), gaps.min(), 60)
    place = s.correlations.index(s.shown)
    source = ExponentialInput(s.shown)
    with house_style():
        figure = new_figure(4.1)
        left, right = figure.subplots(1, 2)
        magnitude, phase = (jnp.asarray(x) for x in np.meshgrid(1 - fine, s.angles, indexing="ij"))
        theory = np.asarray(root_power(magnitude, phase, source))
        left.plot(1 / fine, theory, color=THEORY, linestyle="--", linewidth=1.0)
        for index, angle in enumerate(s.angles):
            for values, colour, marker, size in (
                (powers.root, LIMIT, "s", 5.0),
                (powers.smoothed, TRAINING, "D", 5.0),
            ):
                left.plot(1 / gaps, values[place, :, index], marker, color=colour, markersize=size)
            name = "π" if np.isclose(angle, np.pi) else f"{angle:g}"
            left.annotate(
                f"θ = {name}",
                (1 / gaps[-1], powers.root[place, -1, index]),
                xytext=(-4, 5),
                textcoords="offset points",
                ha="right",
                fontsize=8.5,
                color=LIMIT,
            )
        left.axhline(1, color=THEORY, linestyle="--", linewidth=1.0)
        left.set_ylabel("power of the state E|γh|²")
        left.set_title(f"Power, by normalisation (ρ = {s.shown:g})")
        log_axis(left.yaxis, (powers.root[place].min() / 3, 4 * powers.root[place].max()))
        row = [rho for rho in s.correlations if rho > 0].index(s.shown)
        for one in COMBINATIONS:
            colour, marker = _LOOKS[one.name]
            line = theoretical_sensitivity(one, fine, s.shown)
            right.plot(1 / fine, line, color=THEORY, linestyle="--", linewidth=1.0, zorder=1)
            hollow = one.name == "tanh, spectrum-aware"
            right.plot(
                1 / gaps,
                sensitivities[one.name][row],
                marker,
                color=colour,
                markersize=8.0 if hollow else 5.0,
                markerfacecolor="none" if hollow else None,
                label=one.name,
            )
        right.plot([], [], color=THEORY, linestyle="--", linewidth=1.0, label="theory")
        right.set_ylabel("sensitivity E|∂(γh)/∂w|²")
        right.set_title(f"Sensitivity, by map and γ (θ = 0, ρ = {s.shown:g})")
        log_axis(right.yaxis, (1e-3, 1e3))
        for ax in (left, right):
            ax.set_xlabel("memory 1/(1 − ν), steps")
            log_axis(ax.xaxis, (1.5, 1.5 / gaps.min()))
        legend_above(figure, right)
        freeze_layout(figure)
    return NamedFigure(
        "extensions-identities",
        figure,
        f"Inputs with autocorrelation ρ^|D|, ρ = {s.shown:g}. Left: with γ² = 1 − ν² (squares) "
        "the state samples the spectrum at its angle θ; with the spectrum in γ (diamonds) its "
        "power is 1 at every memory and angle. Right: what a step of the magnitude's parameter "
        "does to a real state. Under tanh and exp it grows until the memory exceeds 1/(1 − ρ); "
        "the ρ-aware map holds it at 1; the spectrum-aware γ bounds it under any of the maps. "
        "Points: exact finite sums, no averaging; dashed: closed forms.",
    )


def recovery_figure(
    s: ExtensionSettings, recovered: Mapping[tuple[str, str], Recovery]
) -> NamedFigure:
    """Steps to recover one eigenvalue against its memory, by map and ρ."""
    with house_style():
        figure = new_figure(4.1)
        axes = figure.subplots(1, 2, sharey=True)
        finite = [one.at_best[np.isfinite(one.at_best)] for one in recovered.values()]
        top = float(np.concatenate(finite).max())
        for ax, optimiser in zip(axes, (DESCENT, ADAM), strict=True):
            for name in MAPS:
                one = recovered[optimiser, name]
                colour, marker = _MAP_LOOKS[name]
                for row, style in zip(one.at_best, _STYLES, strict=False):
                    ax.plot(
                        s.memories,
                        np.where(np.isfinite(row), row, np.nan),
                        color=colour,
                        marker=marker,
                        linestyle=style,
                        markersize=4.5,
                        linewidth=1.2,
                    )
                if optimiser == DESCENT:
                    predicted = quadratic_steps(s, name, one.rates[one.best])
                    for row in predicted:
                        ax.plot(s.memories, row, "_", color=THEORY, markersize=11, zorder=3)
            rates = ", ".join(
                f"{n} {recovered[optimiser, n].rates[recovered[optimiser, n].best]:g}"
                for n in MAPS
            )
            ax.set_title(f"{optimiser[0].upper()}{optimiser[1:]}\nrates: {rates}", fontsize=9.5)
            ax.set_xlabel("memory of the teacher 1/(1 − λ*), steps")
            log_axis(ax.xaxis, (s.memories[0] / 1.5, 1.5 * s.memories[-1]))
            log_axis(ax.yaxis, (0.7, 2 * top))
        axes[0].set_ylabel(f"optimiser steps to {RECOVERED:.0%} of the loss")
        # Proxies: a map is a colour, a correlation a line style.
        handles = [
            Line2D([], [], color=_MAP_LOOKS[n][0], marker=_MAP_LOOKS[n][1], label=n) for n in MAPS
        ]
        handles += [
            Line2D([], [], color=MEASURED, linestyle=style, label=f"ρ = {rho:g}")
            for rho, style in zip(s.correlations, _STYLES, strict=False)
        ]
        handles.append(
            Line2D([], [], color=THEORY, marker="_", linestyle="", markersize=11, label="theory")
        )
        figure.legend(handles=handles, loc="outside upper left", ncols=len(handles))
        freeze_layout(figure)
    return NamedFigure(
        "extensions-recovery",
        figure,
        "Steps until one real eigenvalue is recovered from a memory "
        f"{s.ratio:g} times shorter, on the exact loss under inputs of correlation ρ = "
        f"{listed(s.correlations, 'g')}. Each map and optimiser has one constant learning rate "
        "for all cases, the one whose slowest case is fastest. Theory: steps of "
        "gradient descent on a parabola of the curvature at the optimum, which is 1 under the "
        "ρ-aware map, so that the same few steps do everywhere (left). Adam "
        "(right) is blind to the scale of gradients: exp and tanh are even already, and the "
        "ρ-aware coordinate makes the way longer. Nothing is random.",
    )


def training_figure(s: ExtensionSettings, training: Training) -> NamedFigure:
    """Final loss by competitor and correlation, for both ensembles."""
    with house_style():
        figure = new_figure(0.5 + 2.9 * len(ENSEMBLES))
        axes = figure.subplots(len(ENSEMBLES), 1, sharex=True)
        for ax, ensemble in zip(axes, ENSEMBLES, strict=True):
            _losses(ax, s, training, ensemble)
        axes[-1].set_xticks(
            range(len(s.trained_correlations)), [f"ρ = {r:g}" for r in s.trained_correlations]
        )
        legend_above(figure, axes[0])
        freeze_layout(figure)
    return NamedFigure(
        "extensions-training",
        figure,
        f"Exact loss after {s.steps:,} steps of Adam over the power of the teacher's output; 1 is "
        "a student that puts out nothing. Each competitor at the learning rate of its best "
        f"median. Bars: quartiles over {s.teachers} teachers; large marks: medians; small: "
        "teachers. At ρ = 0 an extension is the competitor that it extends (exp or tanh with "
        "√(1−ν²)). A factor 2 at ρ = "
        f"{s.shown:g} is what the claims ask for.",
    )


def _losses(ax: Axes, s: ExtensionSettings, training: Training, ensemble: str) -> None:
    count = len(COMPETITORS)
    seen = []
    for i, rho in enumerate(s.trained_correlations):
        for j, one in enumerate(COMPETITORS):
            colour, marker = _LOOKS[one.name]
            _, losses = training.best(one.name, rho, ensemble)
            x = i + 0.8 * ((j + 0.5) / count - 0.5)
            # Quantiles of infinities are not numbers; those of diverged students are off the page.
            losses = np.minimum(losses, _DIVERGED)
            low, middle, high = np.quantile(losses, [0.25, 0.5, 0.75])
            ax.vlines(x, low, high, color=colour, linewidth=6, alpha=0.3)
            ax.plot(np.full(losses.size, x), losses, ".", color=colour, markersize=4, alpha=0.6)
            label = one.name if i == 0 else None
            ax.plot(x, middle, marker, color=colour, markersize=7, label=label)
            seen.append(losses[losses < _DIVERGED])
        established = [one.name for one in COMPETITORS if not one.extension]
        bar = min(training.median(name, rho, ensemble) for name in established) / 2
        if rho == s.shown:
            ax.hlines(
                bar,
                i - 0.42,
                i + 0.42,
                color=THEORY,
                linestyle="--",
                linewidth=1.2,
                label="half of the best established",
            )
    every = np.concatenate(seen)
    log_axis(ax.yaxis, (every.min() / 2, 2 * every.max()))
    ax.grid(visible=False, axis="x")
    ax.set_xlim(-0.5, len(s.trained_correlations) - 0.5)
    ax.set_title(f"Teachers: {ensemble}")
    ax.set_ylabel("loss / output power")
