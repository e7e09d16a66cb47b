"""Figures of the moments part: growth with memory, plateaus, and the coupling over the disc."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from remanence.report import (
    LIMIT,
    MEASURED,
    MODEL,
    TEST,
    THEORY,
    TRAINING,
    VALIDATION,
    freeze_layout,
    house_style,
    new_figure,
)
from remanence.report.drawing import legend_above, log_axis
from remanence.studies.sensitivity.moments_comparisons import (
    Discs,
    anchor_of,
    coupling,
    normalised_forms,
    plain_forms,
)
from remanence.studies.sensitivity.moments_measures import (
    Simulated,
    WeightSensitivities,
    energies,
    printed_sensitivity,
)
from remanence.studies.sensitivity.moments_settings import (
    CORRELATIONS,
    MONTE_CARLO,
    MomentSettings,
)

_COLOURS = (MODEL, TEST, TRAINING, VALIDATION, LIMIT)
"""One for each of `CORRELATIONS`."""

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_POWERS = FuncFormatter(
    lambda value, _: "10" + str(round(math.log10(value))).translate(_SUPERSCRIPTS)
)
_SIZE = ("Blues", LogNorm(1e-2, 1e6))
_RATIO = ("RdBu_r", LogNorm(0.25, 4))


def decades(axis: Axis, low: float | int, high: float | int) -> None:
    """A log axis of several decades with its ticks as powers of ten."""
    log_axis(axis, (float(low), float(high)))
    axis.set_major_formatter(_POWERS)


def growth_figure(
    settings: MomentSettings, simulated: Simulated, ratios: Simulated, weights: WeightSensitivities
) -> Figure:
    """Sensitivity, state and Jacobian against memory; and simulation over theory."""
    with house_style():
        figure = new_figure(4.6)
        left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
        _growth(left, simulated, weights)
        _ratios(right, settings, ratios)
        legend_above(figure, [left, right])
        return freeze_layout(figure)


def _growth(ax: Axes, simulated: Simulated, weights: WeightSensitivities) -> None:
    memory = np.geomspace(2, 2e3, 60)
    for rho, colour in ((0.0, MODEL), (0.9, TEST), (1.0, LIMIT)):
        state, sensitivity = plain_forms(1 - 1 / memory, rho)
        ax.plot(memory, sensitivity, color=colour, label=f"ρ = {rho:g}")
        ax.plot(memory, state, color=colour, linestyle="--")
    real = np.imag(simulated.eigenvalues) == 0
    places = 1 / (1 - np.real(simulated.eigenvalues[real]))
    for rho, colour in ((0.0, MODEL), (0.9, TEST)):
        column = simulated.correlations == rho
        for mean, marker in ((simulated.sensitivity, "o"), (simulated.state, "s")):
            values = mean[real][:, column]
            ax.plot(places, values, marker, color=colour, markersize=5.5, markeredgecolor="white")
    ax.plot(1 / weights.gaps, weights.jacobian, "D", color=THEORY, markersize=4)
    ax.plot(memory, 1 - 1 / memory, color=THEORY, linewidth=1.2)
    handles = (
        ("o", "-", "sensitivity E|∂h/∂λ|²", MEASURED),
        ("s", "--", "state E|h|² = E|∂h/∂b|²", MEASURED),
        ("D", "-", "largest Jacobian < 1", THEORY),
    )
    for marker, line, label, colour in handles:
        ax.plot([], [], marker=marker, linestyle=line, color=colour, markersize=5, label=label)
    log_axis(ax.xaxis, (2.0, 2e3))
    decades(ax.yaxis, 0.2, 1e12)
    ax.set_xlabel("memory 1/(1 − λ) (steps)")
    ax.set_ylabel("second moment (unit input power)")
    ax.set_title("The curse of memory, real λ")


def _ratios(ax: Axes, settings: MomentSettings, ratios: Simulated) -> None:
    rows = len(settings.eigenvalues)
    ax.axhspan(1 - MONTE_CARLO, 1 + MONTE_CARLO, color="#eef0f3", zorder=0)
    ax.axhline(1.0, color=MEASURED, linewidth=1.1)
    places = np.arange(rows, dtype=float)
    columns = len(settings.correlations)
    for j, rho in enumerate(settings.correlations):
        known = {0.0: MODEL, 0.9: TEST}.get(rho, TRAINING)
        for k, (mean, error, marker) in enumerate(
            (
                (ratios.sensitivity, ratios.sensitivity_error, "o"),
                (ratios.state, ratios.state_error, "s"),
            )
        ):
            shift = (2 * j + k - columns + 0.5) * 0.75 / (2 * columns)
            ax.errorbar(
                places + shift,
                mean[:rows, j],
                yerr=2 * error[:rows, j],
                marker=marker,
                markersize=4.5,
                linestyle="",
                color=known,
                linewidth=1.2,
                label=f"ρ = {rho:g}" if k == 0 else None,
            )
    names = [f"{nu:g}" + (f"\nθ = {t:g}" if t else "") for nu, t in settings.eigenvalues]
    ax.set_xticks(places, names)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.grid(False, axis="x")
    ax.set_xlabel("eigenvalue λ: |λ|, angle θ (radians)")
    ax.set_ylabel("Monte Carlo / theory (± 2 s.e.)")
    spread = np.maximum(
        np.abs(ratios.sensitivity[:rows] - 1) + 2 * ratios.sensitivity_error[:rows],
        np.abs(ratios.state[:rows] - 1) + 2 * ratios.state_error[:rows],
    )
    width = max(1.4 * MONTE_CARLO, 1.1 * float(spread.max()))
    ax.set_ylim(1 - width, 1 + width)
    ax.set_title(f"Simulation over theory; band ± {MONTE_CARLO:.0%}")


def plateau_figure() -> Figure:
    """State and sensitivity without and with normalisation and reparametrisation."""
    lines = np.geomspace(2, 1e5, 80)
    points = np.geomspace(3, 3e4, 7)
    measured = np.array(
        [[energies(1 - 1 / m, rho, 1 / m) for m in points] for rho in CORRELATIONS]
    )
    nu = 1 - 1 / points
    normal = (1 - nu) * (1 + nu)
    moved = (nu * np.log(nu)) ** 2
    with house_style():
        figure = new_figure(6.6)
        axes = figure.subplots(2, 2, sharex=True)
        for rho, colour, sums in zip(CORRELATIONS, _COLOURS, measured, strict=True):
            state, sensitivity = plain_forms(1 - 1 / lines, rho)
            bounded, tamed = normalised_forms(1 - 1 / lines, rho)
            theory = (state, bounded, sensitivity, tamed)
            found = (sums[:, 0], normal * sums[:, 0], sums[:, 1], normal * moved * sums[:, 1])
            for ax, line, dots in zip(axes.flat, theory, found, strict=True):
                ax.plot(lines, line, color=colour, linewidth=1.4, label=f"ρ = {rho:g}")
                ax.plot(points, dots, "o", color=colour, markersize=4.5)
        titles = (
            ("State, as it is", "E|h|²", (0.5, 1e11)),
            ("State, normalised input", "E|γh|²", (0.5, 1e6)),
            ("Sensitivity, as it is", "E|∂h/∂λ|²", (0.5, 1e21)),
            ("Sensitivity, normalised and λ = exp(−e^w)", "E|γ ∂h/∂w|²", (0.1, 1e6)),
        )
        for ax, (title, label, limits) in zip(axes.flat, titles, strict=True):
            ax.set_title(title)
            ax.set_ylabel(label)
            decades(ax.xaxis, 2, 1e5)
            decades(ax.yaxis, *limits)
        for ax in axes[1]:
            ax.set_xlabel("memory 1/(1 − λ) (steps)")
        legend_above(figure, list(axes.flat))
        return freeze_layout(figure)


def disc_figure(settings: MomentSettings, discs: Discs) -> Figure:
    """|S(λ, λ₀, ρ)| over the disc, and the typed form over the derived one."""
    side = np.linspace(-1, 1, settings.pixels)
    plane = side[None, :] + 1j * side[:, None]
    inside = np.abs(plane) <= settings.anchor
    safe = np.where(inside, plane, 0)
    anchor = anchor_of(settings)
    with house_style():
        figure = new_figure(4.0)
        axes = figure.subplots(2, len(CORRELATIONS), sharex=True, sharey=True)
        images: list[tuple[AxesImage, AxesImage]] = []
        for column, rho in enumerate(CORRELATIONS):
            derived = coupling(safe, anchor, rho)
            typed = printed_sensitivity(safe, anchor, rho)
            size = np.where(inside, np.abs(derived), np.nan)
            ratio = np.where(inside, np.abs(typed / derived), np.nan)
            images.append(
                (_panel(axes[0, column], size, _SIZE), _panel(axes[1, column], ratio, _RATIO))
            )
            axes[0, column].set_title(f"ρ = {rho:g}")
            angle = math.pi * discs.angles[column]
            axes[0, column].plot(
                discs.magnitudes[column] * math.cos(angle),
                discs.magnitudes[column] * math.sin(angle),
                "o",
                markersize=9,
                markerfacecolor="none",
                markeredgecolor=LIMIT,
                markeredgewidth=1.6,
                clip_on=False,
                label="largest |S|",
            )
            for ax in axes[:, column]:
                ax.plot(anchor.real, anchor.imag, "x", color=MEASURED, label="λ₀", clip_on=False)
            axes[1, column].set_xlabel("Re λ")
        for ax in axes[:, 0]:
            ax.set_ylabel("Im λ")
        bars = [
            figure.colorbar(image, ax=row.tolist(), label=label, aspect=14, pad=0.02)
            for image, row, label in zip(
                images[0], axes, ("|S(λ, λ₀, ρ)|", "|typed / derived|"), strict=True
            )
        ]
        for bar in bars:
            bar.ax.yaxis.set_minor_locator(NullLocator())
        bars[0].ax.yaxis.set_major_formatter(_POWERS)
        bars[1].ax.yaxis.set_major_locator(FixedLocator([0.25, 0.5, 1, 2, 4]))
        bars[1].ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        legend_above(figure, axes[0, 0])
        return freeze_layout(figure)


def _panel(ax: Axes, values: np.ndarray, look: tuple[str, LogNorm]) -> AxesImage:
    image = ax.imshow(
        values,
        extent=(-1, 1, -1, 1),
        origin="lower",
        cmap=look[0],
        norm=look[1],
        interpolation="nearest",
    )
    ax.grid(False)
    ax.xaxis.set_major_locator(FixedLocator([-1, 0, 1]))
    ax.yaxis.set_major_locator(FixedLocator([-1, 0, 1]))
    return image
