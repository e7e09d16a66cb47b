"""Figures of the geometry: ways through the disc, landscapes, steps by memory."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle

from remanence.report import (
    FAINT,
    LIMIT,
    MEASURED,
    MODEL,
    THEORY,
    TRAINING,
    NamedFigure,
    freeze_layout,
    house_style,
    new_figure,
)
from remanence.report.drawing import legend_above, log_axis
from remanence.studies.hyperbolic.identities_descent import (
    ADAM_RATE,
    PATH_RATE,
    Descent,
    Paths,
)
from remanence.studies.hyperbolic.identities_settings import ARRIVED, IdentitySettings
from remanence.studies.hyperbolic.identities_teachers import (
    Teacher,
    distances_from,
    plain_losses,
    random_teachers,
)

_EDGE = 7.0
"""Where the drawn landscapes end, in R: memories of 550 steps."""


def paths_figure(found: Sequence[Paths]) -> NamedFigure:
    """The disc with the geodesic, descent along it, and Adam under the LRU map."""
    with house_style():
        figure = new_figure(4.9)
        axes = figure.subplots(1, 2)
        for ax, one, flat in zip(axes, found, (True, False), strict=True):
            limit = 1.0 if flat else one.geodesic[0].max() + 1.5
            _disc(ax, limit, rim=flat)
            ax.plot(*_drawn(one.adam, flat), color=LIMIT, linewidth=0.7, alpha=0.8)
            ax.plot([], [], color=LIMIT, label=f"Adam under the LRU map, rate {ADAM_RATE:g}")
            ax.plot(*_drawn(one.geodesic, flat), color=THEORY, label="geodesic")
            ax.plot(
                *_drawn(one.descent, flat),
                "o",
                color=MODEL,
                markersize=4,
                label=f"descent on −log E, rate {PATH_RATE:g}",
            )
            ax.plot(*_drawn(one.geodesic[:, :1], flat), "s", color=MEASURED, label="start")
            ax.plot(
                *_drawn(one.geodesic[:, -1:], flat),
                "*",
                color=TRAINING,
                markersize=12,
                label="target",
            )
            ax.set_title(
                f"Target of memory {one.memory:g}: "
                + ("λ in the plane" if flat else "distance from the centre is R")
            )
        for radius in range(2, int(found[1].geodesic[0].max() + 1.5) + 1, 2):
            axes[1].add_patch(Circle((0, 0), radius, fill=False, color=FAINT, linewidth=0.6))
            axes[1].text(0, -radius, f"R = {radius}", fontsize=7.5, ha="center", va="center")
        legend_above(figure, list(axes))
        freeze_layout(figure)
    left = [float(distances_from(one.adam[:, -1], one.geodesic[:, -1:])[0]) for one in found]
    return NamedFigure(
        "disc-paths",
        figure,
        "From a tenth of the target's memory at another angle. Descent on −log E walks the "
        f"geodesic, at most η = {PATH_RATE:g} a step: inwards, where angles are cheap to change, "
        "and out again. Left: the disc of eigenvalues, where geodesics are circles; right: R, "
        "the hyperbolic distance from 0, drawn to scale along rays, so that a factor of ten of "
        f"memory is 2.3 everywhere. Red: {found[0].adam.shape[1]:,} steps of Adam under the LRU "
        "map with the readout learnt; they end at the hyperbolic distance "
        f"{left[0]:.1g} from the target on the left, {left[1]:.1f} on the right.",
    )


def _disc(ax: Axes, limit: float, *, rim: bool) -> None:
    ax.set_aspect("equal")
    ax.set(xlim=(-1.05 * limit, 1.05 * limit), ylim=(-1.05 * limit, 1.05 * limit))
    ax.grid(visible=False)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    if rim:
        ax.add_patch(Circle((0, 0), limit, fill=False, color=MEASURED, linewidth=0.8))


def _drawn(points: np.ndarray, flat: bool) -> tuple[np.ndarray, np.ndarray]:
    radius = np.tanh(points[0] / 2) if flat else points[0]
    return radius * np.cos(points[1]), radius * np.sin(points[1])


def landscape_figure(s: IdentitySettings) -> NamedFigure:
    """Both losses along a geodesic, and as maps for a target of several modes."""
    teacher = _shown(s)
    with house_style():
        figure = new_figure(3.6)
        line, plain, logarithm = figure.subplots(1, 3, width_ratios=(1.15, 1, 1))
        to_go = np.linspace(-20, 4, 600)
        share = np.tanh(to_go / 2) ** 2
        line.plot(to_go, share, color=LIMIT, label="1 − E")
        law = 2 * np.logaddexp(to_go / 2, -to_go / 2) - np.log(4)
        line.plot(to_go, law, color=MODEL, label="−log E")
        line.set(xlabel="position on the geodesic, target at 0", ylabel="loss", ylim=(-0.3, 8))
        line.set_title("One mode, any memory")
        line.legend(loc="upper left")
        radius = np.linspace(0, _EDGE, s.grid[0])
        angle = np.linspace(-np.pi, np.pi, s.grid[1])
        corners = np.stack(np.meshgrid(radius, angle, indexing="ij"))
        middles = (corners[:, 1:, 1:] + corners[:, :-1, :-1]) / 2
        values = plain_losses(teacher, middles)
        for ax, shown, name, colours in (
            (plain, -np.expm1(-values), "1 − E", "magma_r"),
            (logarithm, np.minimum(values, 10.0), "−log E, cut at 10", "viridis_r"),
        ):
            _disc(ax, _EDGE, rim=False)
            image = ax.pcolormesh(*_drawn(corners, False), shown, cmap=colours, rasterized=True)
            figure.colorbar(image, ax=ax, shrink=0.8)
            white = {"color": "white", "markeredgecolor": "black", "markeredgewidth": 0.6}
            ax.plot(*_drawn(teacher.points, False), "o", markersize=5, **white)
            seen = teacher.zeros[:, teacher.zeros[0] < _EDGE]
            ax.plot(*_drawn(seen, False), "X", markersize=7, **white)
            ax.set_title(f"{name}")
        freeze_layout(figure)
    return NamedFigure(
        "landscapes",
        figure,
        "Left: the two losses along the geodesic through the target, in hyperbolic length: the "
        "same curves for a memory of ten steps and of a million. 1 − E is flat but for a needle; "
        "−log E has slope 1 away from the target. Middle and right: the same two for a target of "
        f"{teacher.poles.size} modes (dots, memories 3 to 100) and one student mode at every "
        f"place, R to scale along rays, R < {_EDGE:g}. Crosses: zeros of G(λ̄), the only local "
        "maxima of −log E, which has a mean outward slope of tanh(r/2) less 2/sinh r for every "
        "zero on circles of radius r and is flat nowhere.",
    )


def _shown(s: IdentitySettings) -> Teacher:
    """A target with several modes and most zeros."""
    every = [one for one in random_teachers(s) if one.poles.size <= 6]
    return max(every, key=lambda one: np.count_nonzero(one.zeros[0] < _EDGE))


def steps_figure(s: IdentitySettings, found: Descent) -> NamedFigure:
    """Steps against memory, with `d₀/η` and a constant."""
    colours = (MODEL, TRAINING, MEASURED, LIMIT)
    with house_style():
        figure = new_figure(4.0)
        ax = figure.subplots()
        x = np.array(found.memories)
        for rate, steps, colour in zip(found.rates, found.steps, colours, strict=False):
            across = np.broadcast_to(x[:, None], steps.shape)
            ax.plot(across, steps, ".", color=colour, markersize=4, alpha=0.5)
            ax.plot([], [], "o", color=colour, label=f"descent on −log E, η = {rate:g}")
            # Where d is small each step shrinks it by 1 − η/2.
            way = found.distances.mean(axis=1) / rate
            rest = np.mean(steps.mean(axis=1) - way)
            ax.plot(x, way + rest, "--", color=THEORY, linewidth=1.1)
        ax.plot([], [], "--", color=THEORY, label="d₀/η + constant")
        across = np.broadcast_to(x[:, None], found.reduced.shape)
        ax.plot(across, found.reduced, "x", color=LIMIT, markersize=5)
        ax.plot([], [], "x", color=LIMIT, label="one-pole IRKA, exact data")
        top = 1.6 * float(found.steps.max())
        log_axis(ax.xaxis, (x[0] / 2, 2 * x[-1]))
        log_axis(ax.yaxis, (0.7, top))
        ax.set_xlabel("memory of the target 1/(1 − |μ|), steps")
        ax.set_ylabel(f"steps to 1 − E < {ARRIVED:g}")
        legend_above(figure, ax)
        freeze_layout(figure)
    return NamedFigure(
        "steps-by-memory",
        figure,
        "Steps of gradient descent along geodesics on −log E, from .99 e^{iπ/4} to one mode of "
        f"growing memory: dots, {s.angles} angles each. Dashed: the mean distance d₀ over the "
        "rate, and one constant for each rate, the steps of the last stretch. One-pole IRKA, "
        "which is given the target's transfer function and its derivative exactly, needs one "
        "step at any memory.",
    )
