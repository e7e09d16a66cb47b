"""The page: self-contained, escaped, repeatable."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from remanence.errors import RemanenceError
from remanence.report import (
    NamedFigure,
    Notice,
    Page,
    Section,
    Table,
    format_cell,
    inline_svg,
    length_figure,
    render,
    save_figures,
    trajectory_figure,
)

EVIL = "<script>alert('&')</script>"


def figures() -> tuple[NamedFigure, ...]:
    lengths, error = np.array([12, 24, 48]), np.array([3.0, 0.5, 0.2])
    first = length_figure(lengths, error, error, chosen=48, length_label="<i>&")
    second = trajectory_figure(np.arange(10), np.ones((2, 10)))
    third = trajectory_figure(np.arange(10), np.ones((2, 10)))
    return (
        NamedFigure("lengths", first, "Error & length."),
        NamedFigure("one", second, EVIL),
        NamedFigure("two", third, "The same drawing again."),
    )


def page() -> Page:
    table = Table(
        EVIL,
        ("name", "error", EVIL),
        ((EVIL, -1.5, None), ("b", float("nan"), float("inf"))),
        ("", ".2f", ""),
    )
    return Page(
        EVIL,
        headline=(EVIL, "second"),
        notices=(Notice("good", EVIL), Notice("warning", "w"), Notice("bad", "b")),
        sections=(
            Section(EVIL, EVIL + "\n\nNext.", figures(), (table,)),
            Section("Empty", tables=(Table("No rows", ("a",), ()),)),
        ),
        facts={EVIL: EVIL},
    )


class Elements(HTMLParser):
    """Collects ids, references, tags and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.references: set[str] = set()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            value = value or ""
            self.attributes.append((name, value))
            if name == "id":
                self.ids.append(value)
            if name in ("href", "xlink:href"):
                self.references.add(value.removeprefix("#"))
            self.references.update(re.findall(r"url\(#([^)]*)\)", value))
            if name.startswith("aria-") and name.endswith("by"):
                self.references.add(value)

    handle_startendtag = handle_starttag


def test_text_is_escaped():
    html = render(page())
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 10
    assert "script" not in Elements(html).tags


def test_self_contained():
    html = render(page())
    elements = Elements(html)
    for name, value in elements.attributes:
        assert "http" not in value or name.startswith("xmlns"), (name, value)
    without_namespaces = re.sub(r'xmlns(:\w+)?="[^"]*"', "", html)
    assert "http" not in without_namespaces
    assert not {"script", "link", "iframe", "img"} & set(elements.tags)
    assert "@import" not in html
    assert "<?xml" not in html
    assert html.lower().count("<!doctype") == 1


def test_ids_are_unique_and_references_resolve():
    elements = Elements(render(page()))
    assert len(elements.ids) == len(set(elements.ids))
    assert elements.references <= set(elements.ids)
    assert elements.tags.count("svg") == 3


def test_same_page_gives_the_same_text():
    shared = page()
    assert render(shared) == render(shared) == render(page())


def test_drawings_are_described():
    text = inline_svg(figures()[0])
    assert "<title" in text
    assert "Error &amp; length.</desc>" in text
    assert 'role="img"' in text


def test_minimal_page():
    assert "<title>Bare</title>" in render(Page("Bare"))


@pytest.mark.parametrize(
    ("value", "spec", "text"),
    [
        (None, "", "–"),
        (float("nan"), ".2f", "–"),
        (float("-inf"), ".2f", "−∞"),
        (-0.123456, "", "−0.1235"),
        (1234567, ",d", "1,234,567"),
        (True, "", "yes"),
        ("a-b", ".2f", "a-b"),
    ],
)
def test_fields(value, spec: str, text: str):
    assert format_cell(value, spec) == text


def test_saved_figures_are_the_same_bytes_twice(tmp_path: Path):
    first = save_figures(figures(), tmp_path / "a")
    second = save_figures(figures(), tmp_path / "b")
    assert [path.name for path in first[:2]] == ["lengths.svg", "lengths.png"]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert first[1].read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["", "../up", "a b", "a.svg", "/x", 'x"y'])
def test_names_that_are_no_file_names(name: str, tmp_path: Path):
    bad = NamedFigure(name, figures()[0].figure, "")
    with pytest.raises(RemanenceError, match="figure name"):
        save_figures([bad], tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_name_given_twice():
    one = figures()[0]
    with pytest.raises(RemanenceError, match="twice"):
        render(Page("p", sections=(Section("a", figures=(one,)), Section("b", figures=(one,)))))


def test_a_row_that_does_not_fit():
    table = Table("sizes", ("a", "b"), ((1,),))
    with pytest.raises(RemanenceError, match="sizes"):
        render(Page("p", sections=(Section("a", tables=(table,)),)))
