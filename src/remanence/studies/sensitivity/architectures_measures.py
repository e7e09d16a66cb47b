"""What the architecture comparison trains, and what is measured on the students."""

import dataclasses
from collections.abc import Callable, Iterator

import jax
import numpy as np
from jaxtyping import Float

from remanence.studies.sensitivity.architectures_settings import (
    ENSEMBLE,
    FEW_RATES,
    SWEPT,
    ArchitectureSettings,
)
from remanence.studies.sensitivity.runs import (
    HORIZON,
    Grid,
    Job,
    response,
    run_jobs,
    search_and_train,
)
from remanence.studies.sensitivity.students import STUDENTS
from remanence.studies.sensitivity.teachers import (
    loss_of_response,
    missing_response,
    modal_residues,
    published_teacher,
    ring_teacher,
)
from remanence.systems import StateSpace


@dataclasses.dataclass(frozen=True)
class Pattern:
    """What the dense students lack on the published teacher, and what its real modes are.

    - `eigenvalues` (modes,), `missing` (lags,): the teacher's real modes and their response.
    - `errors` (starts, lags): the teacher's response minus that of each dense student.
    - `cost`: the exact loss of lacking just these modes.
    - `shares` (starts,): how much of an error's energy is left when `missing` is taken off it.
    """

    eigenvalues: Float[np.ndarray, " modes"]
    missing: Float[np.ndarray, " lags"]
    errors: Float[np.ndarray, "starts lags"]
    cost: float

    @property
    def shares(self) -> Float[np.ndarray, " starts"]:
        """`L(error − missing) / L(error)`."""
        left = [loss_of_response(error - self.missing) for error in self.errors]
        return np.array(left) / [loss_of_response(error) for error in self.errors]


@dataclasses.dataclass(frozen=True)
class Architectures:
    """Every grid of the comparison, by student (and by level in the sweep)."""

    sweep: dict[str, list[Grid]]
    ablation: dict[str, Grid]
    ensemble: dict[str, Grid]
    pattern: Pattern


def measure_architectures(
    settings: ArchitectureSettings, on_progress: Callable[[float, str], None]
) -> Architectures:
    """Train everything, two jobs at a time."""
    jobs: dict[tuple[str, float], Job] = {}
    for level in settings.levels:
        for name in STUDENTS if level == settings.levels[-1] else SWEPT:
            jobs[name, level] = _job(settings, name, level, (published_teacher(level),))
    published = dict(
        zip(
            jobs,
            search_and_train(
                list(jobs.values()),
                starts=settings.starts,
                batch=settings.batch,
                on_progress=lambda share, what: on_progress(0.8 * share, what),
            ),
            strict=True,
        )
    )
    others = tuple(other_teachers(settings))
    ensemble = [
        dataclasses.replace(
            _job(settings, name, settings.levels[-1], others),
            starts=len(others),
            steps=settings.ensemble_steps,
            seed=settings.seed + 1,
        )
        for name in ENSEMBLE
    ]
    met = run_jobs(ensemble, lambda share, what: on_progress(0.8 + 0.2 * share, what))
    hardest = settings.levels[-1]
    ablation = {name: published[name, hardest] for name in STUDENTS}
    return Architectures(
        sweep={name: [published[name, level] for level in settings.levels] for name in SWEPT},
        ablation=ablation,
        ensemble=dict(zip(ENSEMBLE, met, strict=True)),
        pattern=missing_pattern(ablation["dense RNN"]),
    )


def other_teachers(settings: ArchitectureSettings) -> Iterator[StateSpace]:
    """Systems of the published recipe from keys of our own."""
    for index in range(settings.teachers):
        key = jax.random.fold_in(jax.random.key(settings.seed + 1000), index)
        yield ring_teacher(key, settings.levels[-1])


def missing_pattern(grid: Grid) -> Pattern:
    """The errors of the dense students at their best rate, beside the teacher's real modes."""
    teacher = grid.job.teachers[0]
    eigenvalues, weights = modal_residues(teacher)
    real = np.abs(np.imag(eigenvalues)) < 1e-9
    missing = missing_response(eigenvalues[real], weights[real], HORIZON)
    target = response(teacher)[:, 0, 0]
    errors = []
    for start in range(grid.job.starts):
        errors.append(target - response(grid.trained(start)[0])[:, 0, 0])
    return Pattern(
        np.real(eigenvalues[real]), missing, np.stack(errors), loss_of_response(missing)
    )


def _job(
    settings: ArchitectureSettings, name: str, level: float, teachers: tuple[StateSpace, ...]
) -> Job:
    student = STUDENTS[name]
    rates = student.rates if settings.every_rate else FEW_RATES[name]
    starts, steps = settings.search_starts, settings.steps
    return Job(student, teachers, level, rates, starts, steps, seed=settings.seed)
