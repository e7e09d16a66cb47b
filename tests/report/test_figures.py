"""Figures from odd inputs: they are drawn, labelled, and leave nothing behind."""

import gc
import io
import weakref
from collections.abc import Callable
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from remanence.report import (
    eigenvalue_figure,
    extrapolation_figure,
    hankel_figure,
    house_style,
    impulse_response_figure,
    length_figure,
    simulation_figure,
    trajectory_figure,
)

RNG = np.random.default_rng(7)
NAN, INF = np.nan, np.inf


def simulation(length: int, outputs: int, **options) -> Figure:
    time = np.arange(length)
    measured = RNG.normal(size=(length, outputs))
    simulated = measured + 0.1
    options = {"time_label": "time (h)", "units": ["°C"] * outputs, **options}
    names = [f"output {i}" for i in range(outputs)]
    return simulation_figure(time, measured, simulated, names=names, **options)


def runaway() -> Figure:
    time = np.datetime64("2023-01-01T00") + np.arange(2000).astype("timedelta64[h]")
    measured = np.sin(np.arange(2000.0) / 20)[:, None]
    measured[100:300] = NAN
    simulated = measured.copy()
    simulated[900:1000], simulated[1000:1500], simulated[1500:] = 1e308, -INF, NAN
    return simulation_figure(
        time,
        measured,
        simulated,
        names=["cost $a$ \x00 of {}"],
        time_label="date",
        split_spans=[(time[0], time[1000], "train"), (time[1000], time[-1], "test")],
        zoom=(time[890], time[910]),
    )


def impulse(outputs: int, inputs: int, lags: int = 50, fill: float | None = None) -> Figure:
    response = RNG.normal(size=(lags, outputs, inputs))
    if fill is not None:
        response[...] = fill
    return impulse_response_figure(
        np.arange(lags),
        response,
        estimate=response[: lags // 2],
        training_length=12,
        horizons=[30] * inputs,
        input_names=[f"input {i}" for i in range(inputs)],
        output_names=[f"output {o}" for o in range(outputs)],
        lag_label="lag (h)",
    )


def hankel(steps: int, states: int, *, order: int = 2, fill: float | None = None) -> Figure:
    values = np.sort(RNG.random((steps, states)))[:, ::-1]
    if fill is not None:
        values = np.full((steps, states), fill)
    return hankel_figure(np.arange(steps), values, np.geomspace(1, 1e-20, states), order=order)


def extrapolation(ages: int, **options) -> Figure:
    age = np.arange(1, ages + 1)
    errors = {12: np.exp(age / 10.0), 48: np.full(ages, 0.2), 96: np.full(ages, NAN)}
    errors[12][ages // 2 :] = INF
    errors[48][-1] = 0.0
    return extrapolation_figure(age, errors, chosen=48, age_label="age (h)", **options)


def trajectory(seeds: int, steps: int, fill: float | None = None, **options) -> Figure:
    losses = RNG.random((seeds, steps))
    if fill is not None:
        losses[:] = fill
    return trajectory_figure(np.arange(steps), losses, losses, **options)


FIGURES: dict[str, Callable[[], Figure]] = {
    "simulation: one output": lambda: simulation(200, 1, zoom=(10, 30)),
    "simulation: no zoom": lambda: simulation(200, 2),
    "simulation: six outputs, a long record": lambda: simulation(8760, 6, zoom=(10, 30)),
    "simulation: one point": lambda: simulation(1, 1, zoom=(0, 1)),
    "simulation: an empty zoom": lambda: simulation(20, 1, zoom=(30, 40)),
    "simulation: gaps and a runaway": runaway,
    "impulse: one": lambda: impulse(1, 1),
    "impulse: six": lambda: impulse(2, 3),
    "impulse: six outputs": lambda: impulse(6, 1),
    "impulse: twenty": lambda: impulse(4, 5),
    "impulse: one lag": lambda: impulse(1, 1, lags=1),
    "impulse: NaN": lambda: impulse(1, 2, fill=NAN),
    "impulse: zero": lambda: impulse(1, 1, fill=0.0),
    "impulse: overflow": lambda: impulse(1, 1, fill=1e308),
    "hankel: many": lambda: hankel(100, 64),
    "hankel: one step, one state": lambda: hankel(1, 1, order=1),
    "hankel: NaN": lambda: hankel(5, 3, fill=NAN),
    "hankel: zero": lambda: hankel(5, 3, fill=0.0),
    "hankel: order above the number of values": lambda: hankel(5, 3, order=9),
    "hankel: final values only": lambda: hankel_figure(None, None, np.array([1.0]), order=1),
    "extrapolation": lambda: extrapolation(300, window_error={12: 0.2, 48: INF}, noise_floor=0.1),
    "extrapolation: one age": lambda: extrapolation(1),
    "extrapolation: nothing": lambda: extrapolation_figure(np.arange(3.0), {}, chosen=None),
    "lengths: exploding": lambda: length_figure(
        np.array([12, 24, 48]),
        np.array([0.3, 0.2, NAN]),
        np.array([INF, 1e300, 0.2]),
        chosen=48,
        length_label="training length (h)",
    ),
    "lengths: one": lambda: length_figure(
        np.array([12]), np.array([NAN]), np.array([INF]), chosen=None
    ),
    "eigenvalues": lambda: eigenvalue_figure(
        np.array([0.99, 0.5j, -0.5j, 1e6]), all_eigenvalues=np.array([NAN, 1.01, complex(0, INF)])
    ),
    "eigenvalues: one at 1": lambda: eigenvalue_figure(np.array([1.0])),
    "eigenvalues: none slow": lambda: eigenvalue_figure(np.array([0.1])),
    "eigenvalues: none": lambda: eigenvalue_figure(np.array([NAN])),
    "trajectory": lambda: trajectory(5, 100, floor=0.01),
    "trajectory: one seed, one step": lambda: trajectory(1, 1),
    "trajectory: NaN": lambda: trajectory(3, 10, fill=NAN),
    "trajectory: inf": lambda: trajectory(3, 10, fill=INF),
    "trajectory: zero": lambda: trajectory(3, 10, fill=0.0),
    "trajectory: tiny": lambda: trajectory(3, 10, fill=1e-320),
    "trajectory: no imbalance": lambda: trajectory_figure(np.arange(3), np.ones((2, 3))),
}


def svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    with house_style():
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


@pytest.mark.parametrize("name", FIGURES)
def test_drawn_labelled_and_well_formed(name: str):
    figure = FIGURES[name]()
    drawing = svg(figure)
    assert ElementTree.fromstring(drawing).tag.endswith("svg")
    assert drawing == svg(figure), "drawing a figure twice must give the same bytes"
    panels = [ax for ax in figure.axes if ax.get_visible()]
    assert panels
    # A panel may share its neighbour's label, but the figure names both its axes.
    assert any(ax.get_xlabel() for ax in panels)
    assert any(ax.get_ylabel() for ax in panels)


@pytest.mark.parametrize("name", FIGURES)
def test_words_stay_on_the_page_and_legends_off_the_data(name: str):
    figure = FIGURES[name]()
    with house_style():
        figure.draw_without_rendering()
        page = figure.bbox
        for legend in figure.legends:
            box = legend.get_window_extent()
            assert page.x0 <= box.x0 <= box.x1 <= page.x1
            assert page.y0 <= box.y0 <= box.y1 <= page.y1 + 1
            for ax in figure.axes:
                data = ax.get_window_extent()
                overlap = min(box.x1, data.x1) - max(box.x0, data.x0)
                assert overlap <= 0 or box.y0 >= data.y1 or box.y1 <= data.y0
        for ax in figure.axes:
            for text in [*ax.texts, ax.xaxis.label, ax.yaxis.label, ax._left_title]:
                box = text.get_window_extent()
                assert page.x0 - 1 <= box.x0 <= box.x1 <= page.x1 + 1, text.get_text()


def test_same_input_gives_the_same_bytes():
    errors = {24: np.linspace(0.1, 20, 40), 48: np.full(40, 0.2)}
    first, second = (extrapolation_figure(np.arange(1, 41), errors, chosen=48) for _ in range(2))
    assert svg(first) == svg(second)


def test_text_is_text():
    assert b"training length (h)" in svg(FIGURES["lengths: exploding"]())


def test_names_are_not_formulas():
    assert b"cost $a$" in svg(runaway())


def test_no_figure_is_left_behind_and_no_setting_changes():
    before = dict(matplotlib.rcParams)
    figure = simulation(50, 1)
    svg(figure)
    assert dict(matplotlib.rcParams) == before
    gone = weakref.ref(figure)
    del figure
    gc.collect()
    assert gone() is None


def test_exploding_lengths_are_marked_at_the_top_edge():
    (ax,) = FIGURES["lengths: exploding"]().axes
    triangles = [line for line in ax.lines if line.get_marker() == "^"]
    assert [list(line.get_xdata()) for line in triangles] == [[12, 24]]
    assert any("explode" in text.get_text() for text in ax.texts)


def test_a_long_record_keeps_its_range():
    figure = simulation(8760, 1)
    (ax,) = figure.axes
    low, high = ax.get_ylim()
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() <= high
    assert band[:, 1].min() >= low
    assert len(band) < 1200
