"""The room for showing results: figures, one HTML page, and progress while one waits.

It knows drawing and HTML, and nothing of models: everything comes in as NumPy arrays and strings.
Figures are drawn in one house style (`style`), never through pyplot, so none is left behind.
`render` makes a page that needs no network; `save_figures` writes SVG and PNG beside it.
"""

from remanence.report.figures_evaluation import LengthCurves, length_evaluation_figure
from remanence.report.figures_lengths import extrapolation_figure, length_figure
from remanence.report.figures_records import simulation_figure
from remanence.report.figures_responses import impulse_response_figure
from remanence.report.figures_states import eigenvalue_figure, hankel_figure
from remanence.report.figures_training import trajectory_figure
from remanence.report.page import Cell, Notice, Page, Section, Table, format_cell, render
from remanence.report.progress import (
    AbstractProgress,
    ConsoleProgress,
    PartialProgress,
    SilentProgress,
)
from remanence.report.style import (
    FAINT,
    HOUSE_STYLE,
    LIMIT,
    MEASURED,
    MODEL,
    PAGE_WIDTH,
    TEST,
    THEORY,
    TRAINING,
    VALIDATION,
    freeze_layout,
    house_style,
    new_figure,
)
from remanence.report.svg import NamedFigure, inline_svg, save_figures

__all__ = [
    "FAINT",
    "HOUSE_STYLE",
    "LIMIT",
    "MEASURED",
    "MODEL",
    "PAGE_WIDTH",
    "TEST",
    "THEORY",
    "TRAINING",
    "VALIDATION",
    "AbstractProgress",
    "Cell",
    "ConsoleProgress",
    "LengthCurves",
    "NamedFigure",
    "Notice",
    "Page",
    "PartialProgress",
    "Section",
    "SilentProgress",
    "Table",
    "eigenvalue_figure",
    "extrapolation_figure",
    "format_cell",
    "freeze_layout",
    "hankel_figure",
    "house_style",
    "impulse_response_figure",
    "inline_svg",
    "length_evaluation_figure",
    "length_figure",
    "new_figure",
    "render",
    "save_figures",
    "simulation_figure",
    "trajectory_figure",
]
