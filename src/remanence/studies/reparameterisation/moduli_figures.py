"""Figures of the part on moduli: moduli, gradient scales, perturbed readouts."""

import numpy as np

from remanence.layers import rate_map
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
from remanence.studies.reparameterisation.moduli_claims import SMALL_B_RADIUS, Moduli
from remanence.studies.reparameterisation.moduli_measures import Modulus
from remanence.studies.reparameterisation.moduli_settings import (
    EXPONENT,
    READOUT_RADIUS,
    ModuliSettings,
)

LOOKS = {
    "direct": (LIMIT, "v"),
    "direct, unfair start": (MEASURED, "X"),
    "exponential": (TRAINING, "s"),
    "softplus": (VALIDATION, "^"),
    "sigmoid": (MEASURED, "P"),
    "inverse": (MEASURED, "P"),
    "best": (MODEL, "o"),
    "best (code)": (TEST, "D"),
    "mean-square best": (THEORY, "X"),
}
"""A colour and a marker for every map, the same in all figures of the study."""


def moduli_figure(s: ModuliSettings, found: Moduli) -> NamedFigure:
    """g(β) of the stable maps, and of the best map as b → 0."""
    radii = np.array(s.radii)
    with house_style():
        figure = new_figure(4.0)
        left, right = figure.subplots(1, 2, width_ratios=(1.4, 1.0))
        fine = np.geomspace(radii[0], radii[-1], 100)
        for name, modulus in found.moduli.items():
            colour, marker = LOOKS[name]
            f = rate_map(name)
            # Three maps share one modulus: rings of growing size leave all of them to be seen.
            size = {"exponential": 4.0, "softplus": 8.0, "sigmoid": 12.0}.get(name, 5.0)
            left.plot(
                radii,
                modulus.force,
                marker,
                color=colour,
                markersize=size,
                markerfacecolor=colour if size < 6 else "none",
                label=name,
            )
            left.plot(fine, [f.stability_modulus(b) for b in fine], color=colour, linewidth=1.0)
        log_axis(left.xaxis, (radii[0] / 1.3, 1.3 * radii[-1]))
        log_axis(left.yaxis, (radii[0] / 2, 150.0))
        left.set(xlabel="perturbation β of the parameter w", ylabel="modulus g(β), relative error")
        left.set_title("Points by brute force, lines in closed form")
        _small_b(right, s, found.small_b)
        legend_above(figure, left)
        freeze_layout(figure)
    return NamedFigure(
        "reparameterisation-moduli",
        figure,
        "Left: the largest relative change of a mode's impulse response in L¹ when w is perturbed "
        f"by up to β, over a grid of {s.points} parameters and {s.offsets} perturbations each "
        "(points), and its closed form (lines): e^β − 1 for exponential, softplus and sigmoid, "
        "which lie upon each other. The direct map has none, at any β. Right: that of "
        f"−1/(w² + b) at β = {SMALL_B_RADIUS:g} as b goes to 0, with its limit β²/b: with b = 0 "
        "the map is not stable.",
    )


def _small_b(ax, s: ModuliSettings, found: Modulus) -> None:
    b = np.array(s.small_b)
    fine = np.geomspace(b[-1], b[0], 80)
    law = [rate_map("best", b=one).stability_modulus(SMALL_B_RADIUS) for one in fine]
    ax.plot(b, found.force, "o", color=MODEL, markersize=5)
    ax.plot(fine, law, color=MODEL, linewidth=1.0)
    limit = SMALL_B_RADIUS**2 / fine
    ax.plot(fine[limit > 0.3], limit[limit > 0.3], "--", color=THEORY, linewidth=1.2)
    for place, name in ((0.5, "paper"), (0.1, "code")):
        ax.axvline(place, color=MEASURED, linewidth=0.8)
        ax.annotate(
            f"{name} ",
            (place, found.force.max()),
            rotation=90,
            ha="right",
            va="top",
            fontsize=8,
            color=MEASURED,
        )
    log_axis(ax.xaxis, (b[-1] / 2, 2 * b[0]))
    log_axis(ax.yaxis, (found.force.min() / 2, 3 * found.force.max()))
    ax.set(xlabel="b of the map −1/(w² + b)", ylabel=f"g({SMALL_B_RADIUS:g})")
    ax.set_title("No modulus with b = 0")


def scales_figure(s: ModuliSettings, found: Moduli) -> NamedFigure:
    """The gradient's scale against |λ|, and over the weight."""
    with house_style():
        figure = new_figure(4.0)
        left, right = figure.subplots(1, 2)
        for name, scale in found.scales.items():
            colour, marker = LOOKS[name]
            # Nothing is drawn at the poles themselves, where w = 0.
            size = np.abs(scale.parameters)
            pole = (size < 0.05) & (name in ("exponential", "softplus"))
            ratio = scale.differentiated / np.where(pole, np.nan, size)
            some = slice(None, None, max(1, scale.rates.size // 10))
            for ax, points, line in (
                (left, scale.differentiated, scale.integrated),
                (right, ratio, scale.integrated * ratio / scale.differentiated),
            ):
                ax.plot(scale.rates, line, color=colour, linewidth=1.1)
                ax.plot(
                    scale.rates[some], points[some], marker, color=colour, markersize=5, label=name
                )
        for ax in (left, right):
            log_axis(ax.xaxis, (s.least / 1.3, 1.3))
            ax.invert_xaxis()
            ax.set_xlabel("|λ|, rate of the mode (memory grows to the right)")
        log_axis(left.yaxis, (0.1, 2 / s.least**2))
        log_axis(right.yaxis, (s.least / 2, 2 / s.least**3))
        left.set(ylabel="|f′|/f²")
        left.set_title("Scale of the gradient")
        right.set(ylabel="|f′|/(f² |w|)")
        right.set_title("Scale of the gradient over the weight")
        legend_above(figure, left)
        freeze_layout(figure)
    return NamedFigure(
        "reparameterisation-gradients",
        figure,
        "How large the gradient of a worst-case loss can be in the parameter w of a mode of rate "
        "λ, up to a factor that no map enters. Points: f differentiated automatically; lines: "
        "|f′| times ∫ s e^{λs} ds by quadrature. Over the weight the best map is level at 2; the "
        "exponential map has an artificial pole at |λ| = 1 and softplus at ln 2, where w = 0.",
    )


def readouts_figure(s: ModuliSettings, found: Moduli) -> NamedFigure:
    """Raw against normalised readouts."""
    widths = np.array(s.widths)
    r = found.readouts
    with house_style():
        figure = new_figure(3.8, width=6.5)
        ax = figure.subplots()
        ax.plot(widths, r.raw_integral, "v", color=LIMIT, label="raw: by quadrature")
        ax.plot(widths, r.raw, color=LIMIT, linewidth=1.1, label="β Σ 1/|λ|")
        ax.plot(widths, r.normalised_integral, "o", color=MODEL, label="normalised: by quadrature")
        ax.plot(widths, r.normalised, color=MODEL, linewidth=1.1, label="β · modes")
        ax.axhline(1.0, color=MEASURED, linewidth=0.8)
        ax.annotate(
            "the kernel itself",
            (widths[-1], 1.0),
            xytext=(0, 3),
            textcoords="offset points",
            ha="right",
            fontsize=8,
        )
        log_axis(ax.xaxis, (widths[0] / 1.2, 1.2 * widths[-1]))
        log_axis(ax.yaxis, (r.normalised.min() / 3, 3 * r.raw.max()))
        ax.set_xticks(widths, [str(width) for width in widths])
        ax.set(
            xlabel="width m of the fit",
            ylabel=f"L¹ error added at β = {READOUT_RADIUS:g}, relative",
        )
        legend_above(figure, ax)
        freeze_layout(figure)
    return NamedFigure(
        "reparameterisation-readouts",
        figure,
        f"Exponential sums fitted to (1 + t)^−{EXPONENT:g} on [0, {s.horizon:g}], all readouts "
        f"moved by β = {READOUT_RADIUS:g} in one direction. Raw readouts add β/|λ| per mode, "
        "whatever map the eigenvalues come from; readouts normalised as c = |λ| ĉ add β. One fit "
        "per width; nothing random.",
    )
