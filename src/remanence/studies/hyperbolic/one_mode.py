"""One mode learns one mode: hyperbolic Adam, its parts, and Adam under published maps."""

import os
from collections.abc import Callable

import numpy as np

from remanence.report import AbstractProgress, PartialProgress
from remanence.studies.contract import Finding, Part
from remanence.studies.hyperbolic.one_mode_claims import AllRuns, one_mode_claims
from remanence.studies.hyperbolic.one_mode_figures import (
    ablation_figure,
    rates_figure,
    steps_figure,
)
from remanence.studies.hyperbolic.one_mode_measures import Runs, beyond, train
from remanence.studies.hyperbolic.one_mode_settings import FULL, QUICK, OneModeSettings
from remanence.studies.hyperbolic.one_mode_students import (
    ABLATIONS,
    COMPETITORS,
    HYPERBOLIC,
    Student,
)
from remanence.studies.threads import in_threads


def run_one_mode(settings: OneModeSettings, progress: AbstractProgress) -> Finding:
    """Measure HY4a to HY4c (against competitors) and HY7a to HY7d (ablation)."""
    s = settings
    students = (*COMPETITORS, HYPERBOLIC, *ABLATIONS)
    inner = PartialProgress(progress, start=0.0, stop=0.95)

    def work(student: Student, heard: Callable[[float], None]) -> Runs:
        memories = s.ablated_memories if student in ABLATIONS else s.memories
        return train(s, student, memories, heard)

    found = in_threads(
        work,
        students,
        weights=[3.0 if one in COMPETITORS else 1.0 for one in students],
        workers=min(2, os.cpu_count() or 1),
        on_progress=lambda share, student: inner.update(share, student.name),
    )
    far = beyond(s, lambda share: inner.update(1.0, "memories beyond the claims"))
    runs = {one.student: one for one in (*found, far)}
    progress.update(0.95, "drawing")
    return Finding(
        title="One mode: hyperbolic Adam, its parts, and tuned competitors",
        text=(
            "The smallest problem of long memory: a student c √(1 − |λ|²) λ^j learns λ and its "
            "complex readout c on the exact squared loss |c|² + 1 − 2 Re(c o(λ, μ)) of a target "
            "mode μ under white input, of infinite horizon. Everybody starts from the same "
            "function, has the same budget, and succeeds when the loss falls below a millionth "
            "of the target's power."
        ),
        claims=one_mode_claims(s, runs),
        figures=(steps_figure(s, runs), rates_figure(s, runs), ablation_figure(s, runs)),
        tables={"one_mode_steps": _table(runs)},
    )


def _table(runs: AllRuns) -> dict[str, np.ndarray]:
    columns: dict[str, list[np.ndarray]] = {}
    for name, found in runs.items():
        memory, point, target = (index.ravel() for index in np.indices(found.steps.shape))
        row = {
            "student": np.full(memory.size, name),
            "memory": np.array(found.memories)[memory],
            "rate": found.rates[point],
            "readout_rate": found.readout_rates[point],
            "decayed": found.decayed[point],
            "target": target,
            "steps": found.steps.ravel(),
        }
        for column, values in row.items():
            columns.setdefault(column, []).append(values)
    return {column: np.concatenate(values) for column, values in columns.items()}


ONE_MODE = Part("one mode", run_one_mode, {"quick": QUICK, "full": FULL}, weight=30.0)
"""The claims on one mode."""
