"""Who learns long memory: dense, block-diagonal and diagonal linear recurrences."""

import numpy as np

from remanence.report import AbstractProgress, NamedFigure
from remanence.studies.contract import Finding, Part
from remanence.studies.sensitivity.architectures_claims import architecture_claims, protocol
from remanence.studies.sensitivity.architectures_figures import (
    ablation_figure,
    pattern_figure,
    sweep_figure,
)
from remanence.studies.sensitivity.architectures_measures import (
    Architectures,
    measure_architectures,
)
from remanence.studies.sensitivity.architectures_settings import (
    FULL,
    QUICK,
    ArchitectureSettings,
)
from remanence.studies.sensitivity.runs import HORIZON, Grid
from remanence.studies.tables import columns


def run_architectures(settings: ArchitectureSettings, progress: AbstractProgress) -> Finding:
    """Train every architecture on the published teacher and on others (S7)."""
    found = measure_architectures(settings, progress.update)
    how = protocol(settings)
    return Finding(
        title="Who learns long memory",
        text=(
            "A linear system of order 10, its eigenvalues on a ring ν₀ ≤ |λ| < 1, is imitated "
            f"from {HORIZON} steps of white noise by students of 64 states; loss ½ mean (y − "
            "y*)². The published experiment used one teacher for all its seeds: we run it as it "
            "was, and beside it other teachers of the same recipe. Nothing is simulated: students "
            "are trained on their impulse responses, with the exact loss of minibatch or "
            "expectation."
        ),
        claims=architecture_claims(settings, found),
        figures=(
            NamedFigure(
                "loss-against-memory",
                sweep_figure(settings, found),
                "Final loss against the teacher's memory. Lines: "
                f"{how}; bands from the least to the largest start (exploded ones, losses of "
                "1000 and more, are counted instead), crosses: read off figure 3A. "
                "Dashed: the exact cost of lacking the teacher's two real modes.",
            ),
            NamedFigure(
                "architectures",
                ablation_figure(settings, found),
                f"Left: the published teacher at ν₀ = {settings.levels[-1]:g}, a dot per start "
                "and their median; crosses: read off figure 3B. Right: other teachers of the "
                f"recipe, a dot per teacher ({settings.teachers}) and their median.",
            ),
            NamedFigure(
                "missing-modes",
                pattern_figure(found),
                "Error of the dense students' impulse responses on the published teacher, at the "
                "best rate (lines, one per start), and the response of the teacher's two real "
                "modes (dashed), every other lag: the modes alternate in sign.",
            ),
        ),
        tables=_tables(settings, found),
    )


def _tables(
    settings: ArchitectureSettings, found: Architectures
) -> dict[str, dict[str, np.ndarray]]:
    swept = [
        (name, level, grid)
        for name, grids in found.sweep.items()
        for level, grid in zip(settings.levels, grids, strict=True)
    ]
    hardest = settings.levels[-1]
    rest = [
        (name, hardest, grid) for name, grid in found.ablation.items() if name not in found.sweep
    ]
    return {
        "published_teacher": _grid_table([*swept, *rest]),
        "other_teachers": _grid_table(
            [(name, hardest, grid) for name, grid in found.ensemble.items()]
        ),
    }


def _grid_table(grids: list[tuple[str, float, Grid]]) -> dict[str, np.ndarray]:
    rows = [(name, level, *row) for name, level, grid in grids for row in grid.rows()]
    names = ("student", "least_magnitude", "stage", "learning_rate", "start", "loss")
    return columns(names, rows)


ARCHITECTURES = Part(
    "architectures", run_architectures, {"quick": QUICK, "full": FULL}, weight=30.0
)
