"""Errors against sequence length: nothing measured is left out without a word."""

import io
from collections.abc import Callable
from functools import cache
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from remanence.report.figures_evaluation import LengthCurves, length_evaluation_figure
from remanence.report.style import house_style

NAN, INF = np.nan, np.inf
LENGTHS = np.array([16, 32, 64, 128, 256, 512, 1024, 2048, 4096])
SHARE = "share of wrong answers"


def rising(scale: float) -> np.ndarray:
    return 0.5 / (1 + (scale / LENGTHS) ** 2)


def parity(**changes: Any) -> LengthCurves:
    models = {
        "GRU": np.where(LENGTHS <= 128, 0.0, rising(600)),
        "LSTM": np.where(LENGTHS <= 512, 0.0, rising(3000)),
        "LRU": rising(90),
    }
    whole = {
        "lengths": LENGTHS,
        "errors": models,
        "training_length": 64,
        "error_label": SHARE,
        "title": "parity",
        "chance": 0.5,
        "scored": 4096,
        "spread": {name: errors / 4 for name, errors in models.items()},
    }
    return LengthCurves(**{**whole, **changes})


def copying(**changes: Any) -> LengthCurves:
    whole = {
        "lengths": LENGTHS,
        "errors": {
            "LRU": np.array([1e-4, 1e-4, 1e-4, 1e-2, 1.0, 30.0, 1e4, INF, INF]),
            "teacher": np.where(LENGTHS == 128, NAN, 2e-4),
        },
        "training_length": 128,
        "error_label": "mean squared error (relative)",
        "title": "copying",
        "chance": 1,
        "chance_label": "mean",
        "ceiling": 10,
    }
    return LengthCurves(**{**whole, **changes})


def constant(value: float, lengths: int = 3) -> LengthCurves:
    errors = {"GRU": np.full(lengths, value)}
    return LengthCurves(lengths=LENGTHS[:lengths], errors=errors, training_length=64)


def crowd(models: int) -> LengthCurves:
    return parity(
        errors={f"model number {i}": rising(100.0 * 2**i) for i in range(models)}, spread={}
    )


FIGURES: dict[str, Callable[[], Figure]] = {
    "one": lambda: length_evaluation_figure(parity(), spread_label="± 1 standard error, 5 seeds"),
    "two": lambda: length_evaluation_figure([parity(), parity(title="flip-flop", chance=0.25)]),
    "three": lambda: length_evaluation_figure([parity(), parity(spread={}), copying()]),
    "stacked": lambda: length_evaluation_figure([parity(), copying()], stacked=True),
    "three stacked": lambda: length_evaluation_figure(
        [parity(), copying(), copying()], stacked=True
    ),
    "leaving": lambda: length_evaluation_figure(copying()),
    "all zero": lambda: length_evaluation_figure(constant(0.0)),
    "all NaN": lambda: length_evaluation_figure(constant(NAN)),
    "all inf": lambda: length_evaluation_figure(constant(INF)),
    "tiny": lambda: length_evaluation_figure(constant(1e-320)),
    "one length": lambda: length_evaluation_figure(constant(0.1, 1)),
    "no models": lambda: length_evaluation_figure(parity(errors={}, spread={})),
    "eight models": lambda: length_evaluation_figure([crowd(8), crowd(8)]),
    "a long title": lambda: length_evaluation_figure([parity(title="x" * 60)] * 3),
    "trained beyond": lambda: length_evaluation_figure(parity(training_length=10_000)),
    "a band given by its edges": lambda: length_evaluation_figure(
        parity(spread={"LRU": np.stack([rising(90) * 0, rising(90) * 2])})
    ),
    "odd lengths": lambda: length_evaluation_figure(
        LengthCurves(
            lengths=np.array([99_999, 100, 101, 102]),
            errors={"a $b$ \x00": np.array([0.1, 0.2, 0.3, 0.4])},
            training_length=100.5,
        )
    ),
}


@cache
def drawn(name: str) -> Figure:
    return FIGURES[name]()


def svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    with house_style():
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def lines(ax: Axes, colour: str, marker: str) -> list[Any]:
    return [one for one in ax.lines if one.get_color() == colour and one.get_marker() == marker]


def in_sight(place: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= place <= limits[1]


def words(ax: Axes) -> list[str]:
    return [text.get_text().replace("\n", " ") for text in ax.texts]


@pytest.mark.parametrize("name", FIGURES)
def test_drawn_labelled_and_well_formed(name: str):
    figure = drawn(name)
    assert ElementTree.fromstring(svg(figure)).tag.endswith("svg")
    assert any(ax.get_xlabel() for ax in figure.axes)
    assert figure.axes[0].get_ylabel()


@pytest.mark.parametrize("name", FIGURES)
def test_words_stay_on_the_page_and_apart(name: str):
    figure = drawn(name)
    with house_style():
        figure.draw_without_rendering()
        page = figure.bbox
        for legend in figure.legends:
            box = legend.get_window_extent()
            assert page.x0 <= box.x0 <= box.x1 <= page.x1
            assert all(box.y0 >= ax.get_window_extent().y1 for ax in figure.axes)
        for ax in figure.axes:
            shown = [*ax.texts, ax.xaxis.label, ax.yaxis.label, ax._left_title]
            shown += [
                tick
                for tick in ax.get_xticklabels()
                if in_sight(tick.get_position()[0], ax.get_xlim())
            ]
            shown += [
                tick
                for tick in ax.get_yticklabels()
                if in_sight(tick.get_position()[1], ax.get_ylim())
            ]
            boxes = {t: t.get_window_extent() for t in shown if t.get_text()}
            for text, box in boxes.items():
                assert page.x0 - 1 <= box.x0 <= box.x1 <= page.x1 + 1, text.get_text()
                assert page.y0 - 1 <= box.y0 <= box.y1 <= page.y1 + 1, text.get_text()
            for (one, a), (two, b) in combinations(boxes.items(), 2):
                apart = a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 + 1 or b.y1 <= a.y0 + 1
                assert apart, (one.get_text(), two.get_text())


def test_zeros_are_drawn_below_everything_measured_and_named():
    panel = parity()
    (ax,) = length_evaluation_figure(panel).axes
    low = ax.get_ylim()[0]
    least = min(e[e > 0].min() for e in panel.errors.values())
    rows = {}
    for name, colour, marker, zeros in (("GRU", "#0072b2", "o", 4), ("LSTM", "#e69f00", "s", 6)):
        (hollow,) = [x for x in lines(ax, colour, marker) if x.get_markerfacecolor() == "white"]
        assert list(hollow.get_xdata()) == list(LENGTHS[:zeros])
        (rows[name],) = set(hollow.get_ydata())
        assert low < rows[name] < least
        assert rows[name] < 1 / 4096
        (curve,) = [x for x in lines(ax, colour, marker) if x.get_label() == name]
        np.testing.assert_array_equal(curve.get_ydata()[zeros:], panel.errors[name][zeros:])
    assert rows["GRU"] != rows["LSTM"]
    assert "0 of 4096 wrong" in words(ax)
    (ax,) = length_evaluation_figure(parity(scored=None)).axes
    assert "exactly zero" in words(ax)
    (ax,) = length_evaluation_figure(crowd(2)).axes
    assert "0 of 4096 wrong" not in words(ax)


def test_what_leaves_the_axis_is_marked_at_its_edge():
    (ax,) = drawn("leaving").axes
    (arrows,) = [line for line in ax.lines if line.get_marker() == "^"]
    assert list(arrows.get_xdata()) == [512, 1024, 2048, 4096]
    assert set(arrows.get_ydata()) == {10.0}
    assert ax.get_ylim()[1] == 10
    assert "above 10" in words(ax)


def test_inf_alone_has_an_edge_too():
    (ax,) = drawn("all inf").axes
    (arrows,) = [line for line in ax.lines if line.get_marker() == "^"]
    assert len(arrows.get_xdata()) == 3


def test_training_length_and_chance():
    (ax,) = length_evaluation_figure(parity()).axes
    assert {"trained up to 64", "chance 0.5"} <= set(words(ax))
    (shade,) = ax.patches
    assert shade.get_extents().transformed(ax.transData.inverted()).x1 == pytest.approx(64)
    levels = [line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == "--"]
    assert levels == [0.5]


@pytest.mark.parametrize("ceiling", [None, 0.1])
def test_chance_is_always_in_sight(ceiling: float | None):
    (ax,) = length_evaluation_figure(parity(chance=0.97, ceiling=ceiling)).axes
    assert ax.get_ylim()[0] < 0.97 < ax.get_ylim()[1]


def test_bands_are_the_spread_given():
    (ax,) = length_evaluation_figure(parity(spread={"LRU": rising(90) / 4})).axes
    (band,) = ax.collections
    at = band.get_paths()[0].vertices
    for length, error in zip(LENGTHS, rising(90), strict=True):
        edges = at[at[:, 0] == length, 1]
        assert edges.min() == pytest.approx(0.75 * error)
        assert edges.max() == pytest.approx(1.25 * error)


def test_panels_of_one_unit_share_axis_colours_and_legend():
    first, second, third = drawn("three").axes
    assert first.get_ylim() == second.get_ylim()
    assert first.get_ylim() != third.get_ylim()
    assert second.get_ylabel() == ""
    assert third.get_ylabel() == "mean squared error (relative)"
    colours = [{x.get_label(): x.get_color() for x in ax.lines}["LRU"] for ax in (first, third)]
    assert colours[0] == colours[1]


def test_same_input_gives_the_same_bytes():
    drawing = svg(drawn("stacked"))
    assert drawing == svg(drawn("stacked"))
    assert drawing == svg(FIGURES["stacked"]())


def test_number_of_panels():
    for panels in ([], [parity()] * 4):
        with pytest.raises(ValueError, match="1 to 3"):
            length_evaluation_figure(panels)
