"""Figures of the landscapes part: what a memory does to the loss, and learning an angle."""

import itertools
from collections.abc import Sequence

import jax
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from remanence.report import (
    FAINT,
    LIMIT,
    MEASURED,
    MODEL,
    TEST,
    TRAINING,
    VALIDATION,
    freeze_layout,
    house_style,
    new_figure,
)
from remanence.report.drawing import legend_above, log_axis
from remanence.studies.sensitivity.landscapes_descent import (
    CANCELLING,
    COUPLED,
    EXPONENTIAL,
    POLAR,
    Descent,
)
from remanence.studies.sensitivity.landscapes_measures import Curvatures, summed_loss
from remanence.studies.sensitivity.landscapes_settings import LandscapeSettings
from remanence.studies.sensitivity.moments_figures import decades
from remanence.theory import (
    coupled_phase_scale,
    landscape,
    normalised_loss,
    teacher_student_loss,
)

_TEACHERS = ((0.64, MODEL), (0.16, TEST), (0.04, TRAINING), (0.01, VALIDATION))
"""1 − ν* and colour of the curves drawn."""

_PATHS = {POLAR: MODEL, EXPONENTIAL: TRAINING, COUPLED: LIMIT, CANCELLING: FAINT}
_SHOWN = 400
_POINTS = 401
_LEAST = 0.9
"""The least |λ| shown of a path."""

_loss_plain = jax.jit(teacher_student_loss)
_loss_normalised = jax.jit(normalised_loss)
_loss_tanh = jax.jit(landscape)


def landscape_figure(settings: LandscapeSettings, curvatures: Curvatures) -> Figure:
    """Losses in magnitude and in phase, as they are and reparametrised; curvatures."""
    with house_style():
        figure = new_figure(6.2)
        axes = figure.subplots(2, 3)
        for gap, colour in _TEACHERS:
            _magnitudes(axes[0], 1 - gap, colour)
            _phases(axes[1], 1 - gap, colour)
        _curvatures(axes[1, 2], curvatures)
        log_axis(axes[0, 0].xaxis, (1.1, 1e3))
        decades(axes[0, 0].yaxis, 1e-3, 1e3)
        labels = (
            (axes[0, 0], "Magnitude, as it is", "memory 1/(1 − ν) (steps)", "½ E|h − h*|²"),
            (
                axes[0, 1],
                "Normalised, ν = exp(−e^w)",
                "w (memory grows to the left)",
                "½ E|g − g*|²",
            ),
            (axes[0, 2], "Normalised, ν = tanh w", "w = artanh ν", "½ E|g − g*|²"),
            (axes[1, 0], "Phase, as it is", "(θ − θ*)/π", "loss · (1 − ν²)"),
            (axes[1, 1], "Normalised, coupled phase", "w − w*,  θ = w f(ν)", "½ E|g − g*|²"),
        )
        for ax, title, below, beside in labels:
            ax.set_title(title)
            ax.set_xlabel(below)
            ax.set_ylabel(beside)
        for ax in (axes[0, 1], axes[0, 2], axes[1, 0], axes[1, 1]):
            ax.set_ylim(bottom=-0.03)
        legend_above(figure, list(axes.flat))
        return freeze_layout(figure)


def _magnitudes(axes: Sequence[Axes] | np.ndarray, teacher: float, colour: str) -> None:
    plain, exponential, tanh = axes
    same = np.full(_POINTS, teacher)
    memory, few = np.geomspace(1.1, 1e3, _POINTS), np.geomspace(1.3, 600, 9)
    line = _loss_plain(1 - 1 / memory, same)
    plain.plot(memory, line, color=colour, label=f"ν* = {teacher:g}")
    _dots(plain, few, [summed_loss(1 - 1 / m, teacher, normalised=False) for m in few], colour)

    w, few = np.linspace(-9, 2, _POINTS), np.linspace(-7, 1, 9)
    exponential.plot(w, _loss_normalised(np.exp(-np.exp(w)), same), color=colour)
    students = np.exp(-np.exp(few))
    _dots(exponential, few, [summed_loss(x, teacher, normalised=True) for x in students], colour)

    w, few = np.linspace(0.01, 6, _POINTS), np.linspace(0.1, 4, 9)
    tanh.plot(w, _loss_tanh(w, np.arctanh(same)), color=colour)
    students = np.tanh(few)
    _dots(tanh, few, [summed_loss(x, teacher, normalised=True) for x in students], colour)


def _phases(axes: Sequence[Axes] | np.ndarray, nu: float, colour: str) -> None:
    plain, coupled = axes[:2]
    gap = (1 - nu) * (1 + nu)
    teachers = np.full(_POINTS, nu, np.complex128)
    # Denser towards the needle.
    turn, few = np.linspace(-1, 1, _POINTS) ** 3, np.linspace(-1, 1, 12) ** 3
    plain.plot(turn, gap * _loss_plain(_turned(nu, np.pi * turn), teachers), color=colour)
    students = _turned(nu, np.pi * few)
    dots = [gap * summed_loss(x, nu, normalised=False) for x in students]
    _dots(plain, few, dots, colour)

    w, few = np.linspace(-8, 8, _POINTS), np.linspace(-7.5, 7.5, 12)
    unit = float(coupled_phase_scale(nu))
    coupled.plot(w, _loss_normalised(_turned(nu, unit * w), teachers), color=colour)
    students = _turned(nu, unit * few)
    _dots(coupled, few, [summed_loss(x, nu, normalised=True) for x in students], colour)


def _turned(magnitude: float, angles: np.ndarray) -> np.ndarray:
    return magnitude * np.exp(1j * angles)


def _dots(ax: Axes, x: np.ndarray, y: list[float], colour: str) -> None:
    ax.plot(x, y, "o", color=colour, markersize=4)


def _curvatures(ax: Axes, curvatures: Curvatures) -> None:
    memory = 1 / curvatures.gaps
    fine = np.geomspace(memory.min(), memory.max(), 100)
    nu = 1 - 1 / fine
    gap = (1 - nu) * (1 + nu)
    series = (
        (curvatures.polar_phase, nu**2 * (1 + nu**2) / gap**2, "v", "θ", "right", (-9, 2)),
        (curvatures.polar_magnitude, 1 / gap**2, "s", "ν", "left", (6, -10)),
        (curvatures.peak_tanh, np.ones_like(nu), "o", "tanh w; coupled θ", "right", (0, 10)),
        (
            curvatures.at_exponential,
            (nu * np.log(nu) / gap) ** 2,
            "D",
            "exp(−e^w)",
            "right",
            (0, -12),
        ),
    )
    for dots, line, marker, name, side, away in series:
        ax.plot(fine, line, color=MEASURED, linewidth=1.1)
        ax.plot(memory, dots, marker, color=MEASURED, markersize=4.5)
        ax.annotate(
            name,
            (fine[-1], line[-1]),
            xytext=away,
            textcoords="offset points",
            ha=side,
            va="center",
            fontsize=8.5,
        )
    ax.plot(memory, curvatures.coupled_phase, "x", color=LIMIT, markersize=6)
    log_axis(ax.xaxis, (float(memory.min()) / 1.4, 2 * float(memory.max())))
    decades(ax.yaxis, 0.04, 3 * curvatures.polar_phase.max())
    ax.set_title("Curvature at the optimum")
    ax.set_xlabel("memory 1/(1 − ν*) (steps)")
    ax.set_ylabel("second derivative")


def angle_figure(settings: LandscapeSettings, runs: Sequence[Descent]) -> Figure:
    """The paths of λ in the disc, and the loss against steps."""
    with house_style():
        figure = new_figure(4.6)
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.15))
        turns = [_unrolled(left, run) for run in runs if run.name != CANCELLING]
        for run in runs:
            _loss(right, run)
        limits = float(np.min(turns)) - 0.08, float(np.max(turns)) + 0.08
        _contours(left, settings, limits)
        left.plot(
            settings.start[1],
            settings.start[0],
            "o",
            color=MEASURED,
            markersize=7,
            zorder=5,
            label="start",
        )
        goals = [settings.teacher[1] + 2 * k for k in (-1, 0, 1)]
        left.plot(
            goals,
            [settings.teacher[0]] * len(goals),
            "*",
            color=MEASURED,
            markersize=11,
            zorder=5,
            label="teacher",
        )
        left.set(xlim=limits, ylim=(_LEAST, 1.0))
        left.set_xlabel("angle arg λ / π")
        left.set_ylabel("magnitude |λ|")
        left.set_title("Path of λ, the rim of the disc unrolled")
        right.axhline(float(runs[0].loss[0]), color=MEASURED, linewidth=0.8, linestyle=":")
        log_axis(right.xaxis, (1.0, float(settings.steps)))
        decades(right.yaxis, 1e-13, 1e3)
        right.set_xlabel("step of Adam")
        right.set_ylabel("½ E|h − h*|²")
        right.set_title("Loss")
        legend_above(figure, [right, left])
        return freeze_layout(figure)


def log_spaced(length: int, points: int) -> np.ndarray:
    """About `points` indices from 0 to `length − 1`, dense at the beginning."""
    return np.unique(np.geomspace(1, length, points).round().astype(int)) - 1


def _unrolled(ax: Axes, run: Descent) -> np.ndarray:
    """Draw a path in (angle/π, magnitude); the angle, followed round the disc."""
    turn = np.unwrap(np.angle(run.eigenvalue)) / np.pi
    keep = log_spaced(len(turn), _SHOWN)
    ax.plot(turn[keep], np.abs(run.eigenvalue[keep]), color=_PATHS[run.name], linewidth=1.6)
    return turn


def _contours(ax: Axes, settings: LandscapeSettings, limits: tuple[float, float]) -> None:
    turn, nu = np.meshgrid(np.linspace(*limits, 250), np.linspace(_LEAST, 0.9985, 100))
    plane = _turned(1.0, np.pi * turn) * nu
    teacher = settings.teacher[0] * np.exp(1j * np.pi * settings.teacher[1])
    values = np.asarray(_loss_plain(plane, np.full(plane.shape, teacher)))
    levels = [5, 10, 20, 28, 30, 35, 50, 100, 200]
    ax.contour(turn, nu, values, levels, colors=FAINT, linewidths=0.7)


def _loss(ax: Axes, run: Descent) -> None:
    colour = _PATHS[run.name]
    edges = log_spaced(len(run.loss), 120)
    pieces = [run.loss[a:b] for a, b in itertools.pairwise(edges)]
    floor = 1e-14
    low = np.maximum([piece.min() for piece in pieces], floor)
    high = np.maximum([piece.max() for piece in pieces], floor)
    steps = edges[:-1] + 1
    ax.fill_between(steps, low, high, color=colour, alpha=0.25, linewidth=0)
    behind = 1 if run.name == CANCELLING else 2
    ax.plot(steps, high, color=colour, label=run.name, zorder=behind, linewidth=1.5)
