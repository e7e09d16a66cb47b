"""Deep networks: does hyperbolic training carry over to stacks of residual blocks?"""

import dataclasses

import numpy as np

from remanence.report import AbstractProgress, NamedFigure
from remanence.studies.contract import Finding, Part
from remanence.studies.hyperbolic.stacks_claims import stack_claims
from remanence.studies.hyperbolic.stacks_figures import curves_figure, rates_figure
from remanence.studies.hyperbolic.stacks_measures import Measured, Tuned, measure_stacks
from remanence.studies.hyperbolic.stacks_settings import FULL, QUICK, StackSettings
from remanence.studies.hyperbolic.stacks_tasks import possible
from remanence.studies.tables import columns


def run_stacks(settings: StackSettings, progress: AbstractProgress) -> Finding:
    """Measure HY8."""
    s = dataclasses.replace(settings, cases=possible(settings.cases))
    left_out = "".join(
        f" Left out, because its data are not installed: {case.name}."
        for case in settings.cases
        if case not in s.cases
    )
    found = measure_stacks(s, progress.update)
    fresh = (
        f"median (thick) and every one of {len(s.seeds)} fresh seeds"
        if s.seeds
        else f"median (thick) and every one of the {len(s.searched)} searched seeds"
    )
    return Finding(
        title="Deep stacks",
        text=(
            f"Stacks of {s.depth} residual block{'s' if s.depth > 1 else ''}, {s.width} features "
            f"wide, with {s.modes} complex modes in each, written in the coordinates of an "
            "LRU, of S5 and of the disc: the same function at the start (S5 from a long start has "
            "its own), the same steps, the same optimiser for all that is no "
            "eigenvalue. Eigenvalues follow Adam, or hyperbolic Adam, at the rate that is best "
            "for them." + left_out
        ),
        claims=stack_claims(s, found),
        figures=(
            NamedFigure(
                "stack-rates",
                rates_figure(s, found),
                "Held-out error at the end against the rate of the eigenvalues (for hyperbolic "
                "training a distance in the disc); large dots: the best. Median of "
                f"{len(s.searched)} searched "
                f"seed{'s' if len(s.searched) > 1 else ''}; dashed: the best constant answer. "
                "Errors of zero are drawn at the lower edge.",
            ),
            NamedFigure(
                "stack-curves",
                curves_figure(s, found),
                f"Held-out error during training, each student at its best rate: {fresh}. "
                "Dashed: the best constant answer.",
            ),
        ),
        tables={"stacks": _table(found)},
    )


def _table(found: Measured) -> dict[str, np.ndarray]:
    rows = [
        (case, student, stage, rate, seed, error)
        for case, students in found.items()
        for student, tuned in students.items()
        for stage, rate, seed, error in _rows(tuned)
    ]
    return columns(("task", "student", "stage", "learning_rate", "seed", "error"), rows)


def _rows(tuned: Tuned) -> list[tuple[str, float, int, float]]:
    return [
        (stage, float(rate), int(seed), float(error))
        for stage, runs in (("search", tuned.search), ("tuned", tuned.final), ("one", tuned.fixed))
        for rate, seed, error in zip(runs.rates, runs.seeds, runs.final, strict=True)
    ]


STACKS = Part("deep stacks", run_stacks, {"quick": QUICK, "full": FULL}, weight=32.0)
"""The claims on deep networks."""
