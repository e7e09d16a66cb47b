"""Figures as files, and as SVG that many can share in one HTML page."""

import functools
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.dom import minidom

from matplotlib.figure import Figure

from remanence.errors import RemanenceError
from remanence.report.style import house_style

_PNG_DPI = 150
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
# Dates and program versions would make two equal figures differ.
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


@dataclass(frozen=True)
class NamedFigure:
    """A figure, the name of its files (letters, digits, `-`, `_`) and the caption in the page.

    Its SVG is drawn when it is first asked for, and stays as it then was.
    """

    name: str
    figure: Figure
    caption: str

    @functools.cached_property
    def svg(self) -> bytes:
        """The SVG file; the same figure gives the same bytes."""
        buffer = io.BytesIO()
        with house_style():
            self.figure.savefig(buffer, format="svg", metadata=_NO_METADATA)
        return buffer.getvalue()


def save_figures(figures: Iterable[NamedFigure], folder: Path) -> tuple[Path, ...]:
    """Write `name.svg` and `name.png` (150 dpi) of each figure into `folder`, made if missing.

    The same figure gives the same bytes. Raises `RemanenceError` on a name that is no plain file
    name, or given twice.
    """
    figures = tuple(figures)
    check_names(figures)
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for named in figures:
        vector, raster = folder / f"{named.name}.svg", folder / f"{named.name}.png"
        vector.write_bytes(named.svg)
        with house_style():
            named.figure.savefig(raster, dpi=_PNG_DPI, metadata={"Software": None})
        written += [vector, raster]
    return tuple(written)


def check_names(figures: Iterable[NamedFigure]) -> None:
    """Raise `RemanenceError` unless every name is a plain file name and given once."""
    seen: set[str] = set()
    for named in figures:
        if not _NAME.fullmatch(named.name):
            raise RemanenceError(
                f"figure name {named.name!r}: use letters, digits, '-' and '_' only"
            )
        # Some file systems hold "Error" and "error" to be the same file.
        if named.name.casefold() in seen:
            raise RemanenceError(f"figure name {named.name!r} is given twice: rename one")
        seen.add(named.name.casefold())


def inline_svg(named: NamedFigure) -> str:
    """An `<svg>` element to put into HTML: no XML prolog, ids prefixed by the figure's name.

    The caption becomes the drawing's `<desc>` and the name its `<title>`, for screen readers.
    """
    document = minidom.parseString(named.svg)
    root = document.documentElement
    assert root is not None
    prefix = f"{named.name}--"
    for element in [root, *root.getElementsByTagName("*")]:
        for name, value in list(element.attributes.items()):
            element.setAttribute(name, _prefixed(name, value, prefix))
    for unwanted in root.getElementsByTagName("metadata"):
        root.removeChild(unwanted)
    for name in ("width", "height"):
        root.removeAttribute(name)
    labels = []
    for tag, text in (("desc", named.caption), ("title", named.name.replace("-", " "))):
        element = document.createElement(tag)
        element.setAttribute("id", f"{prefix}{tag}")
        element.appendChild(document.createTextNode(_xml_text(text)))
        root.insertBefore(element, root.firstChild)
        labels.insert(0, f"{prefix}{tag}")
    root.setAttribute("role", "img")
    root.setAttribute("aria-labelledby", labels[0])
    root.setAttribute("aria-describedby", labels[1])
    return root.toxml()


def _prefixed(name: str, value: str, prefix: str) -> str:
    if name == "id":
        return prefix + value
    if name in ("href", "xlink:href") and value.startswith("#"):
        return f"#{prefix}{value[1:]}"
    return value.replace("url(#", f"url(#{prefix}")


def _xml_text(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
