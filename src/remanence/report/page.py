"""One self-contained HTML page: what was found, how sure it is, and the figures behind it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import jinja2
from markupsafe import Markup

from remanence.errors import RemanenceError
from remanence.report.svg import NamedFigure, check_names, inline_svg

Cell = str | int | float | bool | None
"""What a table's field may hold; NumPy scalars are converted by the caller (`.item()`)."""

_LEVEL_WORDS = {"good": "Good", "warning": "Warning", "bad": "Problem"}


@dataclass(frozen=True)
class Notice:
    """A verdict or a warning, in one or two sentences."""

    level: Literal["good", "warning", "bad"]
    text: str


@dataclass(frozen=True)
class Table:
    """Rows of strings and numbers; `formats` gives a format per column (`".2f"`, default `".4g"`).

    Numbers are set right-aligned in tabular figures; None and NaN read "–".
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    formats: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """A heading, its text (a blank line ends a paragraph), its figures and its tables."""

    title: str
    text: str = ""
    figures: tuple[NamedFigure, ...] = ()
    tables: tuple[Table, ...] = ()


@dataclass(frozen=True)
class Page:
    """A report. The first line of `headline` is the answer; `facts` stand at the foot."""

    title: str
    headline: tuple[str, ...] = ()
    notices: tuple[Notice, ...] = ()
    sections: tuple[Section, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)


def render(page: Page) -> str:
    """`page` as one HTML text: styles and figures inside, no script, nothing fetched.

    Everything given is escaped. The same page gives the same text. Raises `RemanenceError` when
    two figures share a name, or a table's rows do not fit its columns.
    """
    check_names(figure for section in page.sections for figure in section.figures)
    for section in page.sections:
        for table in section.tables:
            _check_table(table)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("remanence.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["svg"] = lambda named: Markup(inline_svg(named))
    environment.filters["paragraphs"] = _paragraphs
    environment.filters["cells"] = _cells
    template = environment.get_template("report.html.j2")
    return template.render(page=page, level_words=_LEVEL_WORDS)


def format_cell(value: Cell, spec: str = "") -> str:
    """A table's field as text: `spec` for numbers, "–" for nothing, a true minus sign."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        return "–" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    text = format(value, spec or ("d" if isinstance(value, int) else ".4g"))
    return text.replace("-", "−")


def _cells(table: Table) -> list[list[tuple[str, bool]]]:
    """Every row's fields as `(text, is a number)`."""
    formats = table.formats or ("",) * len(table.columns)
    return [
        [
            (format_cell(value, spec), isinstance(value, int | float) or value is None)
            for value, spec in zip(row, formats, strict=True)
        ]
        for row in table.rows
    ]


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in text.split("\n\n") if part.strip()]


def _check_table(table: Table) -> None:
    width = len(table.columns)
    if any(len(row) != width for row in table.rows) or len(table.formats) not in (0, width):
        raise RemanenceError(
            f"table {table.caption!r}: every row and the formats need {width} entries"
        )
