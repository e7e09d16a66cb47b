"""Pictures of Hessians: dense against diagonal, and as the range of phases shrinks."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.ticker import FuncFormatter, NullLocator

from remanence.report import (
    MEASURED,
    MODEL,
    THEORY,
    VALIDATION,
    NamedFigure,
    freeze_layout,
    house_style,
    new_figure,
)
from remanence.report.drawing import legend_above, log_axis
from remanence.studies.sensitivity.hessians_angles import AngleRange
from remanence.studies.sensitivity.hessians_angles_claims import EARLIER
from remanence.studies.sensitivity.hessians_settings import HessianSettings
from remanence.studies.sensitivity.hessians_teachers import DENSE, DIAGONAL, LRU, Student

_DOTS = 200
"""Draws that are shown; medians are of all."""
_RAW, _SCALED = LogNorm(1e-7, 1.0), LogNorm(1e-3, 1.0)
_COLOURS = "magma_r"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def hessian_pictures(
    s: HessianSettings,
    jacobians: Mapping[str, Float[np.ndarray, "horizon parameters"]],
    teacher: int,
) -> NamedFigure:
    """|H| of one teacher: three students, before and after Jacobi preconditioning."""
    with house_style():
        figure = new_figure(6.2)
        rows = figure.subplots(2, 3)
        labels = ("|H| / max |H|", "after Jacobi, |H_ij| / √(H_ii H_jj)")
        for column, student in enumerate((DENSE, DIAGONAL, LRU)):
            J = jacobians[student.name]
            H = np.abs(J.T @ J)
            scale = np.sqrt(np.diag(H))
            scaled = H / scale[:, None] / scale[None, :]
            for row, (values, norm) in enumerate(((H / H.max(), _RAW), (scaled, _SCALED))):
                ax = rows[row, column]
                image = _image(ax, values, norm)
                if column == 2:
                    _bar(ax, image, labels[row])
                _mark_groups(ax, student)
            rows[0, column].set_title(student.name[0].upper() + student.name[1:])
        freeze_layout(figure)
    return NamedFigure(
        "hessians-pictures",
        figure,
        f"The Hessian of one teacher (number {teacher}, the one whose dense condition after "
        "preconditioning is nearest to the median) in three parametrisations, on a log colour "
        "scale; thin lines part the groups of parameters. The recurrent parameters carry the "
        "large entries. In the dense student they are all tied to one another, before and "
        "after preconditioning; in the diagonal ones mainly each mode's to themselves and "
        "to their conjugates, which makes the chequered pattern. The colour scales end at "
        f"10⁻⁷ and 10⁻³; loss over {s.horizon} steps.",
    )


def _image(ax: Axes, values: np.ndarray, norm: LogNorm) -> Any:
    ax.grid(visible=False)
    for spine in ax.spines.values():
        spine.set_visible(True)
    # A log scale has no colour for zero: it gets the lowest one.
    floored = np.maximum(values, norm.vmin or 0.0)
    return ax.imshow(floored, norm=norm, cmap=_COLOURS, interpolation="nearest")


def _bar(beside: Axes, image: Any, label: str) -> None:
    assert beside.figure is not None
    ax = beside.inset_axes((1.06, 0.0, 0.06, 1.0))
    bar = beside.figure.colorbar(image, cax=ax, extend="min")
    bar.set_label(label)
    ax.grid(visible=False)
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _power_of_ten(value)))


def _power_of_ten(value: float) -> str:
    return "10" + str(round(np.log10(value))).translate(_SUPERSCRIPTS)


def _mark_groups(ax: Axes, student: Student) -> None:
    sizes = np.array([size for _, size in student.groups])
    ends = np.cumsum(sizes)
    for end in ends[:-1]:
        ax.axhline(end - 0.5, color=MEASURED, linewidth=0.5)
        ax.axvline(end - 0.5, color=MEASURED, linewidth=0.5)
    centres, names = ends - sizes / 2 - 0.5, [name for name, _ in student.groups]
    ax.set_yticks(centres, names)
    ax.set_xticks(centres, names, rotation=90)
    ax.tick_params(length=0, labelsize=8)


def angle_figure(s: HessianSettings, ranges: Sequence[AngleRange]) -> NamedFigure:
    """The λ-λ block at three ranges of phases, its sharpness and its share off the diagonal."""
    angles = [one.angle for one in ranges]
    earlier = sorted(EARLIER)
    with house_style():
        figure = new_figure(6.2)
        axes = figure.subplot_mosaic("aabbcc;dddeee", height_ratios=(1, 1))
        for key, one in zip("abc", _three(ranges), strict=True):
            image = _image(axes[key], one.picture / one.picture.max(), LogNorm(1e-5, 1.0))
            if key == "c":
                _bar(axes["c"], image, "|H| / max |H|")
            size = one.picture.shape[0]
            axes[key].set_title(_half_width(one.angle))
            axes[key].set_xticks([-0.5, size - 0.5], [_signed(one.angle, -1), _signed(one.angle)])
            axes[key].set_yticks([])
            axes[key].set_xlabel("modes, by phase")
        top, share = axes["d"], axes["e"]
        _draws(top, angles, [one.largest for one in ranges], MODEL, "λ_max of H")
        top.plot(
            angles,
            [np.median(one.alone) for one in ranges],
            color=THEORY,
            linestyle="--",
            linewidth=1.2,
            label="sharpest mode alone",
        )
        _draws(share, angles, [one.share for one in ranges], VALIDATION, "share off the diagonal")
        for ax, place in ((top, 0), (share, 1)):
            ax.plot(
                earlier,
                [EARLIER[angle][place] for angle in earlier],
                "x",
                color=MEASURED,
                markersize=8,
                markeredgewidth=1.6,
                label="earlier median (50 draws)",
                zorder=5,
            )
            log_axis(ax.xaxis, (min(angles) / 1.4, 1.4 * max(angles)))
            ax.set_xlabel("half-width of the phases, θ₀ / π")
        top.set_title("Sharpness")
        top.set_ylabel("λ_max")
        share.set_title("Off the diagonal")
        share.set_ylabel("‖H − diag H‖ / ‖H‖")
        both = np.concatenate([one.largest for one in ranges])
        log_axis(top.yaxis, (both.min() / 2, 2 * both.max()))
        shares = np.concatenate([one.share for one in ranges])
        log_axis(share.yaxis, (max(shares.min() / 2, 1e-4), 1.5))
        legend_above(figure, [top, share])
        freeze_layout(figure)
    return NamedFigure(
        "hessians-angles",
        figure,
        f"λ-λ block of the Hessian of a complex-diagonal RNN ({s.modes} modes, |λ| between "
        f"{s.inner:g} and {(1 + s.inner) / 2:g}, AR(1) inputs of correlation {s.correlation:g}, "
        "T = ∞). Above: one draw, its phases squeezed towards 0; modes in order of phase, real "
        "and imaginary part of each side by side; colours end at 10⁻⁵. Below: medians of "
        f"{s.angle_draws} draws, {min(s.angle_draws, _DOTS)} of them faintly; dashed, the median "
        "of the largest curvature that one mode has alone. Most of the sharpness at small angles "
        "is the power of these inputs there; crowding of the phases adds what is above the dashed "
        "line.",
    )


def _three(ranges: Sequence[AngleRange]) -> list[AngleRange]:
    """Those with earlier numbers, or else the narrowest, a middle and the widest."""
    shown = [one for one in ranges if one.angle in EARLIER]
    if len(shown) == 3:
        return shown
    ordered = sorted(ranges, key=lambda one: one.angle)
    return [ordered[0], ordered[len(ordered) // 2], ordered[-1]]


def _draws(
    ax: Axes, x: Sequence[float], values: Sequence[np.ndarray], colour: str, label: str
) -> None:
    for place, draws in zip(x, values, strict=True):
        seen = draws[:_DOTS]
        ax.plot(
            np.full(seen.size, place),
            seen,
            ".",
            color=colour,
            alpha=0.2,
            markersize=4.5,
            markeredgewidth=0,
        )
    ax.plot(x, [np.median(draws) for draws in values], "o-", color=colour, label=label)


def _half_width(angle: float) -> str:
    return "θ₀ = π" if angle == 1 else f"θ₀ = π/{1 / angle:.0f}"


def _signed(angle: float, sign: int = 1) -> str:
    return ("−" if sign < 0 else "") + _half_width(angle).removeprefix("θ₀ = ")
