"""How every figure looks: one palette, one type size, one page width; nothing set globally."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib.style
from matplotlib.figure import Figure

# Okabe and Ito's palette, told apart under every common form of colour blindness.
MEASURED = "#4a4f57"
MODEL = "#0072b2"
THEORY = "#aa3377"
TRAINING = "#009e73"
VALIDATION = "#e69f00"
TEST = "#56b4e9"
LIMIT = "#d55e00"
FAINT = "#b4bac3"
INK = "#22262c"

PAGE_WIDTH = 9.0
"""Inches; a figure this wide fills a page of 900 pixels at 100 pixels to the inch."""

HOUSE_STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#8a919c",
    "axes.formatter.limits": (-4, 6),
    "axes.formatter.useoffset": False,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 9.5,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlecolor": INK,
    "date.converter": "concise",
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
    "figure.facecolor": "white",
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Geneva", "Helvetica", "Arial"],
    "font.size": 9.5,
    "grid.color": "#e6e9ed",
    "grid.linewidth": 0.7,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "lines.linewidth": 1.5,
    "lines.solid_capstyle": "round",
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "remanence",
    # A column called "cost $ a $" is a name, not a formula.
    "text.parse_math": False,
    "xtick.color": "#5b626c",
    "ytick.color": "#5b626c",
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "xtick.minor.size": 2,
    "ytick.minor.size": 2,
}
"""Matplotlib settings, on top of Matplotlib's own defaults (a user's matplotlibrc is not read)."""

# Matplotlib keeps its settings in one global table; the lock keeps two threads from mixing theirs.
_LOCK = threading.RLock()


@contextmanager
def house_style() -> Iterator[None]:
    """The house style within a `with` block; the caller's settings come back afterwards."""
    with _LOCK, matplotlib.style.context(["default", HOUSE_STYLE]), warnings.catch_warnings():
        # The reader's fonts draw the SVG's text, so a script that ours lacks is no fault.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def new_figure(height: float, *, width: float = PAGE_WIDTH) -> Figure:
    """An empty figure (sizes in inches) outside pyplot's registry; call within `house_style`."""
    return Figure(figsize=(width, height), layout="constrained")


def freeze_layout(figure: Figure) -> Figure:
    """Lay `figure` out once, so that each later drawing of it gives the same bytes."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure
