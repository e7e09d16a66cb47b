"""What the derivations suggest and nobody has yet, against tuned competitors."""

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from remanence.report import AbstractProgress, PartialProgress
from remanence.studies.contract import Finding, Part
from remanence.studies.sensitivity.extensions_claims import (
    power_claim,
    recovery_claim,
    sensitivity_claim,
)
from remanence.studies.sensitivity.extensions_figures import (
    identity_figure,
    recovery_figure,
    training_figure,
)
from remanence.studies.sensitivity.extensions_measures import (
    measure_powers,
    measure_sensitivities,
)
from remanence.studies.sensitivity.extensions_recovery import (
    ADAM,
    DESCENT,
    MAPS,
    Recovery,
    recover,
)
from remanence.studies.sensitivity.extensions_settings import FULL, QUICK, ExtensionSettings
from remanence.studies.sensitivity.extensions_training import (
    COMPETITORS,
    ENSEMBLES,
    Training,
    together,
    train_competitor,
)
from remanence.studies.sensitivity.extensions_training_claims import (
    normalisation_training_claim,
    reparametrisation_training_claim,
)
from remanence.studies.threads import in_threads


@dataclasses.dataclass(frozen=True)
class _Job:
    what: str
    weight: float
    run: Callable[[Callable[[float], None]], Any]


def run_extensions(settings: ExtensionSettings, progress: AbstractProgress) -> Finding:
    """Measure X1a, X1b (normalisation by the spectrum) and X2a to X2c (the ρ-aware map)."""
    runs = [
        _Job(
            f"training {one.name}",
            4.0,
            lambda heard, one=one: train_competitor(settings, one, heard),
        )
        for one in COMPETITORS
    ]
    cases = [(optimiser, name) for optimiser in (DESCENT, ADAM) for name in MAPS]
    recoveries = [
        _Job(
            f"recovering one eigenvalue, {name}, {optimiser}",
            1.0,
            lambda heard, case=(name, optimiser): recover(settings, *case, heard),
        )
        for optimiser, name in cases
    ]
    identities = [
        _Job("E|γh|²", 1.5, lambda heard: measure_powers(settings)),
        _Job("E|∂(γh)/∂w|²", 2.0, lambda heard: measure_sensitivities(settings)),
    ]
    jobs = [*runs, *identities, *recoveries]
    inner = PartialProgress(progress, start=0.0, stop=0.95)
    results = in_threads(
        lambda job, heard: job.run(heard),
        jobs,
        weights=[job.weight for job in jobs],
        workers=min(2, os.cpu_count() or 1),
        on_progress=lambda share, job: inner.update(share, job.what),
    )
    training = together(results[: len(runs)])
    powers, sensitivities = results[len(runs) : len(runs) + 2]
    recovered = dict(zip(cases, results[-len(cases) :], strict=True))
    progress.update(0.95, "drawing")
    return Finding(
        title="Extensions: the input's spectrum in γ, its correlation in the magnitude map",
        text=(
            "Two remedies follow from the closed forms. Dividing γ² = 1 − ν² by the input's "
            "spectrum at the angle of the mode gives every state unit power whatever the input. "
            "Integrating the sensitivity under correlated inputs gives a magnitude map of unit "
            "sensitivity at every memory. Both are held against what they are to replace. "
            f"Teachers have {settings.pairs} modes with memories 1/(1 − |λ|) of "
            f"{settings.teacher_memories[0]:g} to {settings.teacher_memories[1]:g} steps, "
            "uniformly random phases or positive real eigenvalues; students have "
            f"{settings.modes} modes and start, every competitor from the same function, with "
            f"memories of {settings.start_memories[0]:g} to {settings.start_memories[1]:g}. Adam "
            f"with cosine decay descends the exact expected loss over {settings.horizon} steps, "
            "in float64 so that rounding has no part in it, where published students are "
            "float32; phases are parameters as they are. A further competitor is one entry of a "
            "table."
        ),
        claims=(
            power_claim(settings, powers),
            normalisation_training_claim(settings, training),
            sensitivity_claim(settings, sensitivities),
            recovery_claim(settings, recovered),
            reparametrisation_training_claim(settings, training, recovered),
        ),
        figures=(
            identity_figure(settings, powers, sensitivities),
            recovery_figure(settings, recovered),
            training_figure(settings, training),
        ),
        tables={
            "extension_sensitivities": _sensitivity_table(settings, sensitivities),
            "extension_recovery": _recovery_table(settings, recovered),
            "extension_training": _training_table(settings, training),
        },
    )


def _sensitivity_table(
    s: ExtensionSettings, found: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    positive = [rho for rho in s.correlations if rho > 0]
    rho, gap = (x.ravel() for x in np.meshgrid(positive, s.gaps, indexing="ij"))
    return {"correlation": rho, "gap": gap} | {name: x.ravel() for name, x in found.items()}


def _recovery_table(
    s: ExtensionSettings, found: Mapping[tuple[str, str], Recovery]
) -> dict[str, np.ndarray]:
    columns: dict[str, list[np.ndarray]] = {}
    for (optimiser, name), one in found.items():
        rate, rho, memory = np.meshgrid(one.rates, s.correlations, s.memories, indexing="ij")
        row = {
            "optimiser": np.full(rate.size, optimiser),
            "map": np.full(rate.size, name),
            "rate": rate.ravel(),
            "correlation": rho.ravel(),
            "memory": memory.ravel(),
            "steps": one.steps.ravel(),
        }
        for column, values in row.items():
            columns.setdefault(column, []).append(values)
    return {column: np.concatenate(values) for column, values in columns.items()}


def _training_table(s: ExtensionSettings, training: Training) -> dict[str, np.ndarray]:
    shape = (len(ENSEMBLES), s.teachers, len(s.rates))
    ensemble, teacher, rate = (index.ravel() for index in np.indices(shape))
    keys = list(training.losses)
    each = ensemble.size
    return {
        "competitor": np.repeat([name for name, _ in keys], each),
        "correlation": np.repeat([rho for _, rho in keys], each),
        "ensemble": np.tile(np.array(ENSEMBLES)[ensemble], len(keys)),
        "teacher": np.tile(teacher, len(keys)),
        "rate": np.tile(np.array(s.rates)[rate], len(keys)),
        "loss": np.concatenate([training.losses[key].ravel() for key in keys]),
    }


EXTENSIONS = Part("extensions", run_extensions, {"quick": QUICK, "full": FULL}, weight=22.0)
