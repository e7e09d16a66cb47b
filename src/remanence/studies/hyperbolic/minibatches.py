"""Minibatches, output noise, coloured input: where hyperbolic training stops working (HY5)."""

import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from remanence.report import AbstractProgress, PartialProgress
from remanence.studies.contract import Finding, Part
from remanence.studies.hyperbolic.minibatches_claims import (
    drift_claim,
    noiseless_claim,
    signal_claim,
    variance_claim,
)
from remanence.studies.hyperbolic.minibatches_figures import limit_figure, signal_figure
from remanence.studies.hyperbolic.minibatches_learning_claims import error_claim, table_claim
from remanence.studies.hyperbolic.minibatches_learning_figures import error_figure, table_figure
from remanence.studies.hyperbolic.minibatches_measures import (
    Errors,
    Journey,
    measure_errors,
    measure_journey,
    measure_variances,
    noiseless_signals,
)
from remanence.studies.hyperbolic.minibatches_settings import FULL, QUICK, MinibatchSettings
from remanence.studies.hyperbolic.minibatches_table import COMPETITORS, Cell, train_cell
from remanence.studies.threads import in_threads


@dataclasses.dataclass(frozen=True)
class _Job:
    what: str
    weight: float
    run: Callable[[Callable[[float], None]], Any]


def run_minibatches(settings: MinibatchSettings, progress: AbstractProgress) -> Finding:
    """Measure HY5a to HY5f."""
    s = settings
    table = [
        _Job(
            f"{competitor}, memory {case[0]:g}, modes {modes}",
            # Samples, once for every rate.
            s.runs * case[1] * case[2] * case[3] / 4e6 + 1,
            lambda heard, given=(case, modes, competitor): train_cell(s, *given, heard),
        )
        for case in s.cases
        for modes in s.modes
        for competitor in COMPETITORS
    ]
    journeys = [
        _Job(
            f"memory {memory:g}, T = {horizon}, B = {batch}, {steps} steps",
            horizon * batch * steps / 3e6 + 1,
            lambda heard, journey=journey: measure_journey(s, journey, heard),
        )
        for journey, (memory, horizon, batch, steps) in enumerate(s.journeys)
    ]
    errors = [
        _Job(
            f"noise at the target, memory {memory:g}",
            horizon * batch * s.steps / 6e6 + 1,
            lambda heard, shape=shape: measure_errors(s, shape, heard),
        )
        for shape, (memory, horizon, batch) in enumerate(s.error_shapes)
    ]
    others = [
        _Job("variances over minibatches", 3.0, lambda heard: measure_variances(s, heard)),
        _Job("signal without noise", 1.0, lambda heard: noiseless_signals(s)),
    ]
    jobs = [*table, *journeys, *errors, *others]
    inner = PartialProgress(progress, start=0.0, stop=0.97)
    results = in_threads(
        lambda job, heard: job.run(heard),
        jobs,
        weights=[job.weight for job in jobs],
        workers=min(2, os.cpu_count() or 1),
        on_progress=lambda share, job: inner.update(share, job.what),
    )
    cells, rest = results[: len(table)], results[len(table) :]
    travelled, rest = rest[: len(journeys)], rest[len(journeys) :]
    ended, (variances, noiseless) = rest[: len(errors)], rest[len(errors) :]
    progress.update(0.97, "drawing")
    return Finding(
        title="Minibatches, output noise and coloured input",
        text=(
            "A minibatch estimates the overlap with a far target from correlated samples. Its "
            "variance is exact for Gaussian inputs, and says where training stops working: not "
            "at any distance as long as the target explains its output (what is far in angle is "
            "averaged away as fast as its overlap fades), but with output noise, whose part in "
            "the gradient does not fade. There hyperbolic Adam is a random walk with a drift of "
            "η√(S/(1 + S)) a step, S the signal over the noise of one minibatch: it arrives if "
            "the steps suffice. At the target, noise leaves an error that does not depend on "
            "memory."
        ),
        claims=(
            variance_claim(s, variances),
            signal_claim(s, travelled[: len(s.shapes)], travelled[len(s.shapes) :]),
            table_claim(s, cells),
            error_claim(s, ended),
            drift_claim(s, travelled),
            noiseless_claim(s, noiseless),
        ),
        figures=(
            signal_figure(s, variances, travelled),
            limit_figure(s, travelled),
            table_figure(s, cells),
            error_figure(s, ended),
        ),
        tables={
            "minibatch_students": _student_table(travelled),
            "minibatch_losses": _loss_table(cells),
            "minibatch_errors": _error_table(s, ended),
        },
    )


def _student_table(journeys: Sequence[Journey]) -> dict[str, np.ndarray]:
    columns: dict[str, list[np.ndarray]] = {}
    for one in journeys:
        students, at = one.students, one.students.situations
        count = at.noise.size
        row = {
            "memory": np.full(count, students.memory),
            "horizon": np.full(count, students.horizon),
            "batch": np.full(count, students.batch),
            "steps": np.full(count, students.steps),
            "noise": at.noise,
            "correlation": at.correlation,
            "rate": students.rates,
            "distance": at.distance,
            "signal_to_noise": one.averaged,
            "path_over_way": one.reach,
            "cosine_to_target": one.aligned,
            "final_distance": one.distances,
            "final_radius": one.radii,
            "target_radius": at.target_radius,
        }
        for name, values in row.items():
            columns.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in columns.items()}


def _loss_table(cells: Sequence[Cell]) -> dict[str, np.ndarray]:
    return {
        "competitor": np.concatenate([[one.competitor] * one.losses.size for one in cells]),
        "memory": np.concatenate([np.full(one.losses.size, one.memory) for one in cells]),
        "modes": np.concatenate([np.full(one.losses.size, one.modes) for one in cells]),
        "run": np.concatenate([np.indices(one.losses.shape)[0].ravel() for one in cells]),
        "rate": np.concatenate([np.tile(one.rates, len(one.losses)) for one in cells]),
        "loss": np.concatenate([one.losses.ravel() for one in cells]),
    }


def _error_table(s: MinibatchSettings, found: Sequence[Errors]) -> dict[str, np.ndarray]:
    each = len(s.error_noises)
    return {
        "memory": np.repeat([one.memory for one in found], each),
        "horizon": np.repeat([one.horizon for one in found], each),
        "batch": np.repeat([one.batch for one in found], each),
        "noise": np.tile(s.error_noises, len(found)),
        "measured": np.concatenate([one.measured for one in found]),
        "predicted": np.concatenate([one.predicted for one in found]),
        "closed_form": np.concatenate([one.law for one in found]),
        "cramer_rao": np.concatenate([one.bound for one in found]),
    }


MINIBATCHES = Part("minibatches", run_minibatches, {"quick": QUICK, "full": FULL}, weight=22.0)
