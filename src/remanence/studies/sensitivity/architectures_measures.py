"""What the architecture comparison trains, and what is measured on the students."""

import dataclasses
from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Float

from remanence.studies.sensitivity.architectures_settings import (
    ENSEMBLE,
    FEW_RATES,
    SWEPT,
    ArchitectureSettings,
)
from remanence.studies.sensitivity.runs import HORIZON, Grid, Job, response, run_jobs
from remanence.studies.sensitivity.students import STUDENTS
from remanence.studies.sensitivity.teachers import (
    loss_of_response,
    missing_response,
    modal_residues,
    published_teacher,
    ring_teacher,
)


@dataclasses.dataclass(frozen=True)
class Pattern:
    """What the dense students lack on the published teacher, and what its real modes are.

    - `missing` (lags,): the response of the teacher's two real modes.
    - `errors` (starts, lags): the teacher's response minus that of each dense student.
    - `cost`: the exact loss of lacking just these modes.
    - `shares` (starts,): how much of an error's energy is left when `missing` is taken off it.
    """

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
    jobs: dict[tuple[str, str, float], Job] = {}
    for level in settings.levels:
        for name in STUDENTS if level == settings.levels[-1] else SWEPT:
            jobs["published", name, level] = _job(
                settings, name, level, (published_teacher(level),), settings.starts
            )
    others = tuple(other_teachers(settings))
    for name in ENSEMBLE:
        job = _job(settings, name, settings.levels[-1], others, len(others))
        jobs["ensemble", name, settings.levels[-1]] = dataclasses.replace(
            job, steps=settings.ensemble_steps, batch=None, seed=settings.seed + 1
        )
    grids = dict(zip(jobs, run_jobs(list(jobs.values()), on_progress), strict=True))
    hardest = settings.levels[-1]
    ablation = {name: grids["published", name, hardest] for name in STUDENTS}
    return Architectures(
        sweep={
            name: [grids["published", name, level] for level in settings.levels] for name in SWEPT
        },
        ablation=ablation,
        ensemble={name: grids["ensemble", name, hardest] for name in ENSEMBLE},
        pattern=missing_pattern(ablation["dense RNN"]),
    )


def other_teachers(settings: ArchitectureSettings):
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
    return Pattern(missing, np.stack(errors), loss_of_response(missing))


def _job(settings: ArchitectureSettings, name: str, level: float, teachers, starts: int) -> Job:
    student = STUDENTS[name]
    return Job(
        student,
        teachers,
        level,
        student.rates if settings.every_rate else FEW_RATES[name],
        starts,
        settings.steps,
        settings.batch,
        seed=settings.seed,
    )
