"""Random teachers of ten states: every competitor tuned, medians and failures (HY6)."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from remanence.report import AbstractProgress, PartialProgress
from remanence.studies.contract import Finding, Part
from remanence.studies.hyperbolic.ensembles_batches import Grid, train_dense, train_on_batches
from remanence.studies.hyperbolic.ensembles_claims import ensemble_claims
from remanence.studies.hyperbolic.ensembles_figures import (
    batches_figure,
    memory_figure,
    rates_figure,
)
from remanence.studies.hyperbolic.ensembles_settings import (
    FAILED,
    FULL,
    QUICK,
    RING,
    SHORT,
    SHORT_RADIUS,
    EnsembleSettings,
)
from remanence.studies.hyperbolic.ensembles_students import DENSE, competitors
from remanence.studies.hyperbolic.ensembles_training import Trained, cells_of, train_competitor
from remanence.studies.tables import columns
from remanence.studies.threads import in_threads

_WORKERS = 2


@dataclasses.dataclass(frozen=True)
class _Job:
    what: str
    weight: float
    run: Callable[[Callable[[float], None]], Any]


def run_ensembles(settings: EnsembleSettings, progress: AbstractProgress) -> Finding:
    """Measure HY6a (tuned losses), HY6b (one rate for all memories) and HY6c (failures)."""
    jobs = [
        _Job(one.name, 1.0, lambda heard, one=one: train_competitor(settings, one, heard))
        for one in competitors(settings)
    ]
    count, batches, dense = len(jobs), settings.batches, settings.dense
    if batches is not None:
        jobs.append(
            _Job("minibatches", 3.0, lambda heard: train_on_batches(settings, batches, heard))
        )
    if dense is not None:
        jobs.append(_Job("dense", 1.0, lambda heard: train_dense(settings, dense, heard)))
    inner = PartialProgress(progress, start=0.0, stop=0.97)
    results = in_threads(
        lambda job, heard: job.run(heard),
        jobs,
        weights=[job.weight for job in jobs],
        workers=_WORKERS,
        on_progress=lambda share, job: inner.update(share, f"training, {job.what}"),
    )
    progress.update(0.97, "drawing")
    trained: list[Trained] = results[:count]
    extra: list[Grid] = [grid for grids in results[count:] for grid in grids]
    on_batches = [grid for grid in extra if grid.name != DENSE]
    figures = [memory_figure(settings, trained, extra), rates_figure(settings, trained)]
    if batches is not None:
        figures.append(batches_figure(on_batches, batches.size))
    return Finding(
        title="Ensembles of teachers: every competitor tuned",
        text=_text(settings),
        claims=ensemble_claims(settings, trained, extra),
        figures=tuple(figures),
        tables=tables(settings, trained, extra),
    )


def _text(s: EnsembleSettings) -> str:
    return (
        "Teachers are random systems of ten states whose eigenvalues lie between ν₀ and the unit "
        "circle; their outputs are scaled to the power 1 for white input, so that amplitude is "
        f"no part of the task. Students have {s.modes} complex modes and every competitor starts "
        f"from the same function: eigenvalues {_starting(s)}. Adam (ε = 1e-20 for all, float64, "
        f"rates falling to zero as half a cosine over {s.steps:,} steps) descends the "
        "exact expected loss of endless sequences of white input, a closed form. Learning rates "
        "of eigenvalues with γ and of B, C, D are tuned separately, on the same readout grid for "
        "all. The S4D, S5 and StableSSM maps are e^{Δa} with zero-order hold, a step of its own "
        "for every mode and Re a = −½ at the start; the maps without a bound (re/im and S5) are "
        "clipped 1e-7 inside the circle. Teachers and students are the same at every ν₀ but for "
        "the rings."
    )


def _starting(s: EnsembleSettings) -> str:
    words = {
        RING: "on the teacher's ring",
        SHORT: f"all of magnitude {SHORT_RADIUS:g}, which no memory of the task is near",
    }
    return ", or ".join(words[start] for start in s.starts)


def tables(
    s: EnsembleSettings, trained: Sequence[Trained], extra: Sequence[Grid]
) -> dict[str, dict[str, np.ndarray]]:
    """Every run, the summary at the best rates, and what was trained outside the claims."""
    runs = [
        (one.name, run.level, run.start, run.teacher, run.rate, run.readout, loss)
        for one in trained
        for run, loss in one.losses.items()
    ]
    best = []
    for one in trained:
        for cell in cells_of(s):
            losses = one.tuned(cell, s.teachers)
            best.append((one.name, *cell, *one.best[cell], *_summary(losses)))
    found = {
        "ensemble_runs": columns(
            ("competitor", "least", "start", "teacher", "rate", "readout_rate", "loss"), runs
        ),
        "ensembles": columns(
            ("competitor", "least", "start", "rate", "readout_rate", *_SUMMARY), best
        ),
    }
    others = [
        (one.name, *one.cell, *pair, losses.size, *_summary(losses))
        for one in extra
        for pair, losses in one.losses.items()
    ]
    if others:
        names = ("student", "least", "start", "rate", "readout_rate", "teachers", *_SUMMARY)
        found["ensembles_outside"] = columns(names, others)
    return found


_SUMMARY = ("median", "lower_quartile", "upper_quartile", "failures")


def _summary(losses: np.ndarray) -> tuple[float, float, float, int]:
    # Quantiles of infinities are not numbers; 1e9 stands for diverged.
    low, middle, high = np.quantile(np.minimum(losses, 1e9), [0.25, 0.5, 0.75])
    return float(middle), float(low), float(high), int(np.sum(losses > FAILED))


ENSEMBLES = Part("ensembles", run_ensembles, {"quick": QUICK, "full": FULL}, weight=40.0)
"""HY6."""
