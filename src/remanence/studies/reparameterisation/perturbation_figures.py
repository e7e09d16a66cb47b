"""Figures of the part on perturbation errors."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes

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
from remanence.studies.reparameterisation.moduli_figures import LOOKS
from remanence.studies.reparameterisation.perturbation_networks import IMPLICIT, SOFTPLUS, VANILLA
from remanence.studies.reparameterisation.perturbation_runs import Runs, median_error
from remanence.studies.reparameterisation.perturbation_settings import (
    BLOWN_UP,
    PUBLISHED,
    RADII,
    SHOWN,
    SUM_RADII,
    PerturbationSettings,
)
from remanence.studies.reparameterisation.perturbation_sums import (
    EIGENVALUES,
    EVERYTHING,
    NORMALISED,
    POWER_LAW,
    TENSOR,
    Sums,
)
from remanence.studies.reparameterisation.perturbation_sums_claims import LOST, tolerated

_WIDTHS = ((TRAINING, "s"), (MODEL, "o"), (VALIDATION, "^"), (LIMIT, "v"), (THEORY, "D"))
_TOP = 1e14
_ZERO = 5e-4
"""Where β = 0 is drawn."""


def networks_figure(s: PerturbationSettings, runs: Runs) -> NamedFigure:
    """E_m(β) of the networks beside the published values."""
    x = np.array([_ZERO, *RADII[1:]])
    with house_style():
        figure = new_figure(4.2)
        axes = figure.subplots(1, 3, sharey=True)
        for ax, kind in zip(axes, (VANILLA, SOFTPLUS, IMPLICIT), strict=True):
            for (colour, marker), width in zip(_WIDTHS, s.widths, strict=False):
                errors = np.array([median_error(runs, kind, width, beta) for beta in RADII])
                _curve(ax, x, errors, color=colour, linewidth=1.6, label=f"width {width}")
                if kind in PUBLISHED:
                    shown = np.array([_ZERO, *SHOWN[1:]])
                    values = np.array(PUBLISHED[kind][width])
                    inside = values < _TOP
                    ax.plot(
                        shown[inside],
                        values[inside],
                        marker,
                        color=colour,
                        markersize=6,
                        markerfacecolor="none",
                        label=f"published, {width}",
                    )
            log_axis(ax.xaxis, (_ZERO / 1.4, 1.5))
            _zero_tick(ax)
            ax.set_xlabel("perturbation β")
            ax.set_title(kind)
        log_axis(axes[0].yaxis, (1e-7, _TOP))
        axes[0].set_ylabel("perturbation error E(β), expected loss")
        legend_above(figure, axes[0])
        freeze_layout(figure)
    return NamedFigure(
        "reparameterisation-perturbation",
        figure,
        "The published experiment: linear networks of growing width on (1 + 0.1 j)^−1.1, all "
        "parameters perturbed tensor by tensor, the recurrent diagonal one-sidedly. Lines: "
        f"medians over {s.seeds} seeds of the largest exact loss over {s.draws} draws per β and "
        "all smaller β. Marks: the values logged by the authors, one seed. Lines leave the page "
        "where the error exceeds 10¹⁴. Right: the same networks with an implicit step, which no "
        "positive W makes unstable.",
    )


def _curve(ax: Axes, x: np.ndarray, y: np.ndarray, **style) -> None:
    ax.plot(x, np.minimum(y, 1e3 * _TOP), **style)


def _zero_tick(ax: Axes) -> None:
    places = [_ZERO, 1e-3, 1e-2, 0.1, 1.0]
    ax.set_xticks(places, ["0", "10⁻³", "10⁻²", "0.1", "1"])


def euler_figure(runs: Runs) -> NamedFigure:
    """The error of each perturbed softplus network against its least eigenvalue."""
    with house_style():
        figure = new_figure(3.8, width=7.0)
        ax = figure.subplots()
        for kind, colour in ((SOFTPLUS, LIMIT), (IMPLICIT, MODEL)):
            found = [one for (name, _), some in runs.items() if name == kind for one in some]
            least = np.concatenate([one.least for one in found])
            drawn = np.concatenate([one.drawn for one in found])
            ax.plot(
                least,
                np.minimum(drawn, 1e30),
                ".",
                color=colour,
                markersize=3,
                alpha=0.5,
                markeredgewidth=0,
            )
            label = kind if kind == IMPLICIT else "softplus, explicit Euler step"
            ax.plot([], [], ".", color=colour, markersize=10, label=label)
        ax.axvline(-1.0, color=THEORY, linewidth=1.2, linestyle="--", label="unit circle, −1")
        ax.axhline(BLOWN_UP, color=MEASURED, linewidth=0.8)
        ax.annotate(
            "blown up above",
            (1.0, BLOWN_UP),
            xytext=(0, 3),
            textcoords="offset points",
            ha="right",
            fontsize=8,
        )
        log_axis(ax.yaxis, (1e-7, 1e30))
        ax.set(
            xlim=(-4.0, 1.1),
            xlabel="least eigenvalue of the perturbed step",
            ylabel="expected loss",
        )
        legend_above(figure, ax)
        freeze_layout(figure)
    return NamedFigure(
        "reparameterisation-euler",
        figure,
        "Every perturbed network of every width, seed and β. PᵀWP being positive semidefinite for "
        "W ≥ 0, no eigenvalue of 1 − PᵀWP can exceed 1, and a softplus network can only blow up "
        "through −1, where the explicit Euler step is too long. Losses beyond 10³⁰ lie on the "
        "upper edge, eigenvalues below −4 off the page.",
    )


def sums_figure(s: PerturbationSettings, found: Mapping[str, Sums]) -> NamedFigure:
    """The deterministic version: direct against a stable map, raw and normalised."""
    panels = (
        ("direct", EVERYTHING, POWER_LAW),
        ("exponential", EVERYTHING, POWER_LAW),
        ("exponential", NORMALISED, POWER_LAW),
        ("exponential", EIGENVALUES, POWER_LAW),
    )
    x = np.array([SUM_RADII[1] / 2, *SUM_RADII[1:]])
    with house_style():
        figure = new_figure(4.0)
        axes = figure.subplots(1, 4, sharey=True)
        for ax, (name, what, target) in zip(axes, panels, strict=True):
            sums = found[target]
            for (colour, marker), width, row, radius in zip(
                _WIDTHS, sums.widths, sums.errors[name, what, TENSOR], sums.radii, strict=False
            ):
                _curve(ax, x, row.errors, color=colour, linewidth=1.4, label=f"width {width}")
                if name == "direct":
                    ax.plot(
                        radius, 2e-4, marker, color=colour, markersize=6, clip_on=False, zorder=5
                    )
            ax.axhline(sums.norm, color=MEASURED, linewidth=0.8)
            log_axis(ax.xaxis, (x[0] / 1.3, 4.0))
            ax.set_xticks([x[0], 1e-3, 1e-2, 0.1, 1.0], ["0", "10⁻³", "10⁻²", "0.1", "1"])
            ax.set_xlabel("perturbation β")
            ax.set_title(f"{name}\n{what}")
        log_axis(axes[0].yaxis, (1e-4, 1e6))
        axes[0].set_ylabel("L¹ error at t = 1 … 100")
        legend_above(figure, axes[0])
        freeze_layout(figure)
    return NamedFigure(
        "reparameterisation-sums",
        figure,
        f"Exponential sums fitted to {POWER_LAW} by least squares, perturbed ({s.sum_draws} draws "
        "per β, running maximum; eigenvalues one-sidedly). Horizontal line: the norm of the "
        "target. Marks at the foot of the first panel: the stability radius min |λ| of each "
        "width, where the error over [0, ∞) becomes infinite. A stable map bounds what perturbed "
        "eigenvalues do, at all widths alike; perturbed raw readouts undo it, normalised ones do "
        "not.",
    )


def tolerated_figure(s: PerturbationSettings, found: Mapping[str, Sums]) -> NamedFigure:
    """The largest tolerated β against the width, every map and perturbed set."""
    sums = found[POWER_LAW]
    with house_style():
        figure = new_figure(3.6)
        axes = figure.subplots(1, 3, sharey=True)
        for ax, what in zip(axes, (EVERYTHING, NORMALISED, EIGENVALUES), strict=True):
            for name in ("direct", "exponential", "softplus", "best"):
                colour, marker = LOOKS[name]
                ax.plot(
                    sums.widths,
                    np.maximum(tolerated(sums, name, what), SUM_RADII[1] / 2),
                    marker=marker,
                    color=colour,
                    markersize=6,
                    label=name,
                )
            ax.plot(sums.widths, sums.radii, "--", color=TEST, label="min |λ|")
            ax.set_xticks(sums.widths)
            ax.set(xlabel="width of the fit")
            ax.set_title(what)
        log_axis(axes[0].yaxis, (SUM_RADII[1] / 2, 4.0))
        axes[0].set_ylabel("largest tolerated β")
        legend_above(figure, axes[0])
        freeze_layout(figure)
    return NamedFigure(
        "reparameterisation-tolerated",
        figure,
        f"The largest β of the grid at which fits of {POWER_LAW} keep an error of at most "
        f"{LOST:g} of the target's norm, by width, with raw readouts perturbed, normalised "
        "ones, or none. The grid has steps of 2. Dashed: the stability radius of the "
        "direct parametrisation.",
    )
