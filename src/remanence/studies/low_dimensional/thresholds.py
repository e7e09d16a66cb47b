"""How long must training sequences be? Exact thresholds, by second-order fits to zero loss.

A balanced student of any dimension is pinned down by 2 d̂ + 1 steps of a teacher with d̂ real
eigenvalues; a free student of dimension d only by d + d̂. Both are sharp.
"""

from collections.abc import Sequence

import numpy as np

from remanence.report import AbstractProgress, NamedFigure
from remanence.studies.contract import Finding, Part
from remanence.studies.low_dimensional.least_squares import AtomicMeasure, FreeStudent
from remanence.studies.low_dimensional.thresholds_claims import (
    balanced_claim,
    counterexample_claim,
    free_claim,
)
from remanence.studies.low_dimensional.thresholds_figures import threshold_figure
from remanence.studies.low_dimensional.thresholds_measures import (
    BALANCED_NEAR,
    FREE_NEAR,
    FULL,
    QUICK,
    Curve,
    ThresholdSettings,
    counterexamples,
    measure,
    teacher_moments,
)


def run_thresholds(settings: ThresholdSettings, progress: AbstractProgress) -> Finding:
    """Measure T3 (balanced threshold), T4 (explicit counterexamples) and T5 (free threshold)."""
    work = [*settings.teachers, *settings.states]
    done = iter(range(1, len(work) + 1))

    def finished(text: str) -> None:
        progress.update(next(done) / len(work), text)

    balanced = []
    for order in settings.teachers:
        target = teacher_moments(order, 4 * order + 2)
        balanced.append(
            measure(
                AtomicMeasure(3 * order + 2),
                target,
                label=f"d̂ = {order}",
                threshold=2 * order + 1,
                last=4 * order,
                settings=settings,
            )
        )
        finished(f"balanced students of a teacher with {order} states")
    free = []
    for state in settings.states:
        threshold = state + 2
        last = max(8, threshold + 1)
        free.append(
            measure(
                FreeStudent(state),
                teacher_moments(2, last + 1),
                label=f"d = {state}",
                threshold=threshold,
                last=last,
                settings=settings,
            )
        )
        finished(f"free students with {state} states")
    examples = counterexamples(settings)
    return Finding(
        title="How long must training sequences be?",
        text=(
            "Students are fitted to zero training loss by Levenberg–Marquardt from many random "
            "starts, and then asked for the first lag they were not trained on. Theory leaves "
            "them free to be wrong there below the threshold, and none from the threshold on, "
            "however many states they have. Runs count when their loss is below 1e-24, "
            "because the error follows the square root of the loss and a looser stop would blur "
            "the threshold. Balanced fits end at a double root, where surplus atoms fade or "
            "merge, and some of them are slower than the budget of steps allows."
        ),
        claims=(
            balanced_claim(balanced),
            counterexample_claim(examples),
            free_claim(free),
        ),
        figures=(
            NamedFigure(
                "balanced-threshold",
                threshold_figure(balanced, near=BALANCED_NEAR),
                "Balanced students (3 d̂ + 2 atoms) fitted to k steps: error |g_k − ĝ_k| at the "
                "next lag, a dot per converged run and their median; beside it the training loss "
                "of every run. Dashed: theory's threshold k = 2 d̂ + 1.",
            ),
            NamedFigure(
                "free-threshold",
                threshold_figure(free, near=FREE_NEAR),
                "Free students (A, B, C) of dimension d from standard starts, teacher with "
                "d̂ = 2: error at the next lag and training loss, as before. Dashed: theory's "
                "threshold k = d + d̂.",
            ),
        ),
        tables={
            "balanced_threshold": _curve_table(balanced),
            "free_threshold": _curve_table(free),
            "counterexamples": examples,
        },
    )


def _curve_table(curves: Sequence[Curve]) -> dict[str, np.ndarray]:
    """One row a run and length."""
    columns: dict[str, list[np.ndarray]] = {}
    for curve in curves:
        lengths, runs = curve.errors.shape
        rows = {
            "curve": np.repeat(curve.label, lengths * runs),
            "threshold": np.repeat(curve.threshold, lengths * runs),
            "k": np.repeat(curve.lengths, runs),
            "run": np.tile(np.arange(runs), lengths),
            "training_loss": curve.losses.ravel(),
            "error_at_k": curve.errors.ravel(),
        }
        for name, values in rows.items():
            columns.setdefault(name, []).append(values)
    return {name: np.concatenate(parts) for name, parts in columns.items()}


THRESHOLDS = Part("thresholds", run_thresholds, {"quick": QUICK, "full": FULL}, weight=8.0)
