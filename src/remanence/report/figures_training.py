"""The figure of training: the loss, and how balanced the states are, step by step."""

import numpy as np
from jaxtyping import Float, Real
from matplotlib.figure import Figure

from remanence.report.drawing import (
    extent,
    finite,
    legend_above,
    log_axis,
    plain,
    positive,
    say_if_empty,
    step_axis,
)
from remanence.report.style import (
    MODEL,
    THEORY,
    freeze_layout,
    house_style,
    new_figure,
)


def trajectory_figure(
    steps: Real[np.ndarray, " steps"],
    losses: Real[np.ndarray, "seeds steps"],
    imbalance: Real[np.ndarray, "seeds steps"] | None = None,
    *,
    floor: float | int | None = None,
    step_label: str = "training step",
    loss_label: str = "training loss",
    imbalance_label: str = "imbalance of the Gramians",
) -> Figure:
    """Loss and balancedness against the training step: a line per seed, the median thicker.

    A seed that diverged (inf or NaN) counts as infinite in the median, so that the median stays
    honest. `floor`, in the unit of the loss, is the least loss that could be reached.
    """
    panels = [(losses, loss_label, "Loss")]
    if imbalance is not None:
        panels.append((imbalance, imbalance_label, "Balance"))
    with house_style():
        figure = new_figure(0.9 + 2.3 * len(panels))
        grid = figure.subplots(len(panels), 1, squeeze=False, sharex=True)
        for ax, (values, label, title) in zip(grid[:, 0], panels, strict=True):
            shown, middle = positive(values), positive(_median(values))
            marker = "." if len(steps) == 1 else None
            single = len(shown) == 1
            for seed in [] if single else shown:
                ax.plot(steps, seed, color=MODEL, alpha=0.4, linewidth=0.9, marker=marker)
            name = "one seed" if single else f"median of {len(shown)} seeds"
            ax.plot(steps, middle, color=MODEL, linewidth=2.4, marker=marker, label=name)
            bottom = positive(np.array([floor if ax is grid[0, 0] and floor else np.nan]))
            span = extent(np.concatenate([shown.ravel(), bottom]))
            log_axis(ax.yaxis, None if span is None else (span[0] / 1.3, span[1] * 1.3))
            if np.isfinite(bottom[0]):
                name = f"reachable: {floor:.3g}"
                ax.axhline(bottom[0], color=THEORY, linewidth=1.1, linestyle=":", label=name)
            ax.set_ylabel(plain(label))
            ax.set_title(title)
            say_if_empty(ax, shown)
        step_axis(grid[-1, 0], steps)
        grid[-1, 0].set_xlabel(plain(step_label))
        legend_above(figure, list(grid[:, 0]))
        return freeze_layout(figure)


def _median(values: Real[np.ndarray, "seeds steps"]) -> Float[np.ndarray, " steps"]:
    values = np.asarray(values, dtype=np.float64)
    if not len(values):
        return np.full(values.shape[1], np.nan)
    return finite(np.median(np.where(np.isfinite(values), values, np.inf), axis=0))
