"""Figures of states: how many are used, and how slow they are."""

import numpy as np
from jaxtyping import Complex, Real
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from remanence.report.drawing import (
    edge_labels,
    extent,
    finite,
    legend_above,
    log_axis,
    plain,
    positive,
    say_if_empty,
    step_axis,
    title_above,
)
from remanence.report.style import (
    FAINT,
    INK,
    LIMIT,
    MEASURED,
    MODEL,
    THEORY,
    freeze_layout,
    house_style,
    new_figure,
)

_DEEPEST = 1e-13
"""Hankel singular values below this share of the largest are rounding noise."""
_FARTHEST = 1.5
"""Eigenvalues beyond this radius are drawn at it."""


def hankel_figure(
    steps: Real[np.ndarray, " steps"] | None,
    values_by_step: Real[np.ndarray, "steps states"] | None,
    final_values: Real[np.ndarray, " final"],
    *,
    order: int,
    chosen_step: float | int | None = None,
    step_label: str = "training step",
    value_label: str = "Hankel singular value",
) -> Figure:
    """Hankel singular values during training (left, log–log) and of the chosen model (right).

    `values_by_step` is descending along its last axis; the first `order` values, those the
    reduced model keeps, are coloured; `chosen_step` marks where the chosen model stood.
    Step 0 has its place at the left of the log axis. Without
    `steps` only the final values are drawn. The unit is output per input.
    """
    with house_style():
        figure = new_figure(3.9)
        during = steps is not None and values_by_step is not None and len(steps) > 0
        grid = figure.subplots(1, 2 if during else 1, squeeze=False, sharey=True)
        final = positive(final_values)
        staircase = positive(values_by_step) if values_by_step is not None and during else final
        span = extent(np.concatenate([staircase.ravel(), final]))
        if span is not None:
            span = max(span[0], span[1] * _DEEPEST) / 2, span[1] * 2
        right: Axes = grid[0, -1]
        log_axis(right.yaxis, span)
        if steps is not None and during:
            left: Axes = grid[0, 0]
            marker = "o" if len(steps) == 1 else None
            for index in range(staircase.shape[1] - 1, -1, -1):
                kept = index < order
                left.plot(
                    steps,
                    staircase[:, index],
                    color=MODEL if kept else FAINT,
                    linewidth=1.6 if kept else 0.8,
                    marker=marker,
                )
            step_axis(left, steps)
            left.set(xlabel=plain(step_label), ylabel=plain(value_label))
            rows = 1
            if chosen_step is not None:
                left.axvline(chosen_step, color=THEORY, linewidth=1.1, linestyle=":")
                rows = edge_labels(left, [(chosen_step, "chosen", THEORY)])
            title_above(left, "While training", rows=rows)
        else:
            right.set_ylabel(plain(value_label))
        floor = right.get_ylim()[0]
        index = np.arange(1, len(final) + 1)
        for part, colour, label in (
            (index <= order, MODEL, f"kept: {min(order, len(final))}"),
            (index > order, FAINT, f"truncated: {max(len(final) - order, 0)}"),
        ):
            seen = part & np.isfinite(final) & (final > floor)
            right.vlines(index[seen], floor, final[seen], color=colour, linewidth=1.4)
            right.plot(index[seen], final[seen], "o", color=colour, markersize=4.5, label=label)
        right.set_xlim(0.2, max(len(final), order + 1) + 0.8)
        right.xaxis.set_major_locator(MaxNLocator(integer=True))
        right.set_xlabel("index of the singular value")
        right.axvline(order + 0.5, color=THEORY, linewidth=1.1, linestyle="--")
        rows = edge_labels(right, [(order + 0.5, f"order {order}", THEORY)])
        title_above(right, "Before the cut", rows=rows)
        legend_above(figure, right)
        say_if_empty(right, final)
        return freeze_layout(figure)


def eigenvalue_figure(
    eigenvalues: Complex[np.ndarray, " reduced"] | Real[np.ndarray, " reduced"],
    *,
    all_eigenvalues: Complex[np.ndarray, " states"] | Real[np.ndarray, " states"] | None = None,
    unit_label: str = "steps",
) -> Figure:
    """Eigenvalues in the complex plane with the unit circle, and enlarged near 1.

    `eigenvalues` are the chosen model's (dots), `all_eigenvalues` the full student's (rings);
    those on or outside the unit circle are red. Near 1, where memory is long, arcs of equal time
    constant `τ = −1/ln|λ|` are drawn; `unit_label` is the unit of one time step.
    """
    chosen = _complex(eigenvalues)
    rings = _complex(all_eigenvalues) if all_eigenvalues is not None else chosen[:0]
    near = np.concatenate([chosen, rings])
    near = near[np.abs(1 - near) < 0.3]
    with house_style():
        figure = new_figure(4.6)
        grid = figure.subplots(1, 2 if near.size else 1, squeeze=False)
        whole: Axes = grid[0, 0]
        angle = np.linspace(0, 2 * np.pi, 361)
        whole.plot(np.cos(angle), np.sin(angle), color=MEASURED, linewidth=1.0)
        reach = np.max(np.abs(np.concatenate([chosen, rings])), initial=1.0)
        reach = 1.08 * min(reach, _FARTHEST)
        whole.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
        title_above(whole, "Complex plane", rows=1)
        _draw_eigenvalues(whole, chosen, rings)
        if near.size:
            close: Axes = grid[0, 1]
            radius = max(1.25 * float(np.abs(1 - near).max()), 1e-3)
            right = max(1 + 0.25 * radius, float(np.real(near).max()) + 0.15 * radius)
            close.set(xlim=(1 - radius, right), ylim=(-radius, radius))
            close.set_box_aspect(1)
            _draw_time_constants(close, radius, unit_label)
            _draw_eigenvalues(close, chosen, rings)
        for ax in grid[0]:
            ax.set(xlabel="real part", ylabel="imaginary part")
        legend_above(figure, whole)
        return freeze_layout(figure)


def _complex(
    values: Complex[np.ndarray, " n"] | Real[np.ndarray, " n"],
) -> Complex[np.ndarray, " finite"]:
    values = np.asarray(values, dtype=np.complex128)
    return values[np.isfinite(finite(np.real(values)) + finite(np.imag(values)))]


def _draw_eigenvalues(
    ax: Axes, chosen: Complex[np.ndarray, " reduced"], rings: Complex[np.ndarray, " states"]
) -> None:
    empty = {"markerfacecolor": "none", "markersize": 6.5, "zorder": 3}
    full = {"markersize": 6.5, "zorder": 4, "markeredgecolor": "white", "markeredgewidth": 0.7}
    for values, colour, label, style in (
        (rings[np.abs(rings) < 1], "#8a919c", "full model", empty),
        (chosen[np.abs(chosen) < 1], MODEL, "reduced model", full),
        (rings[np.abs(rings) >= 1], LIMIT, "unstable, full model", empty),
        (chosen[np.abs(chosen) >= 1], LIMIT, "unstable, reduced model", full),
    ):
        if values.size:
            radius = np.abs(values)
            drawn = np.where(
                radius > _FARTHEST, values / np.maximum(radius, 1) * _FARTHEST, values
            )
            far = int((radius > _FARTHEST).sum())
            label = f"{label}: {values.size}" + (f" ({far} beyond {_FARTHEST:g})" if far else "")
            ax.plot(np.real(drawn), np.imag(drawn), "o", color=colour, label=label, **style)


def _draw_time_constants(ax: Axes, radius: float, unit: str) -> None:
    """Arcs |λ| = exp(−1/τ) for round τ, each with its τ above the axes."""
    left, right = ax.get_xlim()
    marks, last = [], left
    for constant in (m * 10.0**e for e in range(-1, 7) for m in (1, 2, 5)):
        magnitude = float(np.exp(-1 / constant))
        if magnitude < last + 0.13 * radius or magnitude > 1 - 0.06 * radius:
            continue
        imaginary = np.linspace(-radius, radius, 101)
        inside = np.abs(imaginary) < magnitude
        real = np.sqrt(magnitude**2 - imaginary[inside] ** 2)
        ax.plot(real, imaginary[inside], color=FAINT, linewidth=0.9, linestyle=":", zorder=1)
        if magnitude > radius:
            top = float(np.sqrt(magnitude**2 - radius**2))
            marks.append((max(top, left), f"{constant:g}", "#5b626c"))
        last = magnitude
    imaginary = np.linspace(-min(radius, 1.0), min(radius, 1.0), 201)
    ax.plot(np.sqrt(1 - imaginary**2), imaginary, color=MEASURED, linewidth=1.0)
    for x, text, colour in marks:
        ax.annotate(
            text,
            ((x - left) / (right - left), 1.0),
            xycoords="axes fraction",
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            fontsize=8.5,
            color=colour,
        )
    title = f"Near 1; dotted: time constant ({plain(unit, longest=12)})" if marks else "Near 1"
    ax.set_title(title, pad=18, color=INK)
