"""The figure of the impulse response: what the past still does to the output."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Real
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from remanence.report.drawing import (
    edge_labels,
    extent,
    finite,
    legend_above,
    plain,
    say_if_empty,
    title_above,
)
from remanence.report.style import (
    LIMIT,
    MEASURED,
    MODEL,
    THEORY,
    freeze_layout,
    house_style,
    new_figure,
)

_MOST_RESPONSES = 6


def impulse_response_figure(
    lag: Real[np.ndarray, " lags"],
    response: Real[np.ndarray, "lags outputs inputs"],
    *,
    training_length: float | int,
    input_names: Sequence[str],
    output_names: Sequence[str],
    estimate: Real[np.ndarray, "known outputs inputs"] | None = None,
    lag_label: str = "lag (steps)",
    response_label: str = "impulse response",
    horizons: Sequence[float | int] | None = None,
) -> Figure:
    """Impulse response `g_j` against lag, one panel per (output, input).

    `estimate` holds the least-squares estimate for the first lags; its part beyond
    `training_length` is left out, as the training windows never saw it. `training_length` and
    `horizons` (for each input, the lag within which 95 % of its energy lies) are in the unit of
    `lag`. Of more than six responses the six with the most energy are shown; `response_label`
    names the unit.
    """
    clean = finite(response)
    outputs, inputs = clean.shape[1:]
    pairs = _strongest(clean)
    columns = inputs if inputs in (2, 3) and len(pairs) == outputs * inputs else 0
    columns = columns or {1: 1, 2: 2, 4: 2}.get(len(pairs), 3)
    rows = -(-len(pairs) // columns)
    with house_style():
        figure = new_figure(0.9 + (2.5 if rows == 1 else 2.05 * rows))
        grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
        panels: list[Axes] = list(grid.flat)
        for ax, (output, source) in zip(panels, pairs, strict=False):
            known = None if estimate is None else finite(estimate[:, output, source])
            horizon = None if horizons is None else horizons[source]
            _draw_response(ax, lag, clean[:, output, source], known, training_length, horizon)
            # The training length is the same in every panel: it is named above the first row.
            first = ax in panels[:columns]
            marks = [(training_length, f"trained to {training_length:g}", THEORY)] if first else []
            if horizon is not None:
                marks.append((horizon, f"95 % within {horizon:g}", LIMIT))
            label_rows = edge_labels(ax, marks) if marks else 0
            name = plain(input_names[source], longest=52 // columns)
            name += " → " + plain(output_names[output], longest=52 // columns)
            title_above(ax, name, rows=label_rows)
        for ax in panels[len(pairs) :]:
            ax.set_visible(False)
        for index, ax in enumerate(panels[: len(pairs)]):
            if index + columns >= len(pairs):
                ax.set_xlabel(plain(lag_label))
                ax.tick_params(labelbottom=True)
            if index % columns == 0:
                ax.set_ylabel(plain(response_label))
        legend_above(figure, panels)
        return freeze_layout(figure)


def _strongest(response: Float[np.ndarray, "lags outputs inputs"]) -> list[tuple[int, int]]:
    energy = np.nansum(response**2, axis=0)
    pairs = [(int(o), int(i)) for o, i in np.ndindex(*energy.shape)]
    # The sort is stable, so equal energies keep the order of the columns.
    kept = sorted(pairs, key=lambda pair: -energy[pair])[:_MOST_RESPONSES]
    return sorted(kept)


def _draw_response(
    ax: Axes,
    lag: Real[np.ndarray, " lags"],
    response: Float[np.ndarray, " lags"],
    estimate: Float[np.ndarray, " known"] | None,
    training_length: float | int,
    horizon: float | int | None,
) -> None:
    ax.axhline(0.0, color="#9aa1ab", linewidth=0.8, zorder=1)
    if estimate is not None:
        known = min(len(estimate), len(lag))
        keep = lag[:known] < training_length
        ax.plot(
            lag[:known][keep],
            estimate[:known][keep],
            ".",
            color=MEASURED,
            alpha=0.65,
            markersize=4,
            label="least-squares estimate",
        )
    marker = "o" if len(lag) == 1 else None
    ax.plot(lag, response, color=MODEL, marker=marker, label="model")
    ax.axvline(training_length, color=THEORY, linewidth=1.1, linestyle="--")
    if horizon is not None:
        ax.axvline(horizon, color=LIMIT, linewidth=1.1, linestyle=":")
    span = extent(finite(lag))
    if span is not None and span[0] < span[1]:
        ax.set_xlim(span[0] - 0.01 * (span[1] - span[0]), span[1])
    say_if_empty(ax, response)
