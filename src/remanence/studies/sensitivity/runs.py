"""Grids of teacher-student runs: learning rates times starts, the best rate picked afterwards."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PyTree

from remanence.layers.contract import AbstractLinearLayer
from remanence.studies.sensitivity.students import DTYPE, Student
from remanence.studies.sensitivity.teachers import PHASE
from remanence.studies.threads import in_threads
from remanence.systems import StateSpace
from remanence.training import ExactTraining, train_exact

HORIZON = 300
WORKERS = 2

# Seconds per member and 1,000 steps, for the progress bar alone.
_SECONDS = {"map": 0.2, "vmap": 0.05}
_BATCH_SECONDS = 0.6


@dataclasses.dataclass(frozen=True)
class Job:
    """A student with each of `rates` from `starts` starts, on teachers of one ring.

    - `teachers`: one for all starts, or one for each.
    - `batch`: sequences in a minibatch, whose stream is that of the start; None descends the
      exact expected loss.
    - `optimiser`: with the rate one, Adam with a cosine decay if None.
    """

    student: Student
    teachers: tuple[StateSpace, ...]
    least: float
    rates: tuple[float, ...]
    starts: int
    steps: int
    batch: int | None = None
    phase: float = PHASE
    seed: int = 0
    optimiser: optax.GradientTransformation | None = None

    @property
    def seconds(self) -> float:
        """About how long it takes."""
        members = len(self.rates) * self.starts
        batches = self.starts * _BATCH_SECONDS if self.batch else 0.0
        return self.steps / 1000 * (members * _SECONDS[self.student.members_by] + batches)


@dataclasses.dataclass(frozen=True)
class Grid:
    """What a job found: the exact expected loss at the end, infinite where a run diverged."""

    job: Job
    losses: Float[np.ndarray, "rates starts"]
    trainings: tuple[ExactTraining, ...]

    @property
    def best(self) -> int:
        """The rate of the least median over starts."""
        return int(np.argmin(np.median(self.losses, axis=1)))

    @property
    def rate(self) -> float:
        """The best rate itself."""
        return self.job.rates[self.best]

    @property
    def best_losses(self) -> Float[np.ndarray, " starts"]:
        """Of every start, at the best rate."""
        return self.losses[self.best]

    @property
    def median(self) -> float:
        """Over starts, at the best rate."""
        return float(np.median(self.best_losses))

    def trained(self, start: int) -> tuple[PyTree[Any], PyTree[Any]]:
        """The student of one start at the best rate, and the state of its optimiser."""
        index = self.best * self.job.starts + start
        training, member = self.trainings[0], index
        if len(self.trainings) > 1:
            training, member = self.trainings[start], self.best
        return _one(training.models, member), _one(training.optimiser_states, member)


def run_jobs(jobs: Sequence[Job], on_progress: Callable[[float, str], None]) -> list[Grid]:
    """Every job, two at a time; `on_progress(share, what)`."""
    # Long ones first, so that no core waits for the last.
    order = sorted(range(len(jobs)), key=lambda index: -jobs[index].seconds)
    grids = in_threads(
        run_job,
        [jobs[index] for index in order],
        weights=[jobs[index].seconds for index in order],
        workers=WORKERS,
        on_progress=lambda share, job: on_progress(
            share, f"{job.student.name}, ν₀ = {job.least:g}"
        ),
    )
    return [grids[order.index(index)] for index in range(len(jobs))]


def run_job(job: Job, heard: Callable[[float], None]) -> Grid:
    """One job: all members in one call, or for minibatches one call for each start."""
    models = job.student.start(job.seed, job.starts, job.least, job.phase)
    responses = np.stack([response(teacher) for teacher in job.teachers])
    targets = np.broadcast_to(responses, (job.starts, *responses.shape[1:])).astype(DTYPE)
    rates = np.asarray(job.rates)
    if job.batch is None:
        members = [(rate, start) for rate in range(rates.size) for start in range(job.starts)]
        trained = _train(job, models, targets, rates, members, heard)
        losses = trained.final_losses.astype(np.float64).reshape(rates.size, job.starts)
        return Grid(job, losses, (trained,))
    runs = []
    for start in range(job.starts):
        members = [(rate, start) for rate in range(rates.size)]
        share = lambda value, start=start: heard((start + value) / job.starts)  # noqa: E731
        data = jax.random.fold_in(jax.random.key(job.seed), start)
        runs.append(_train(job, models, targets, rates, members, share, batch=job.batch, key=data))
    losses = np.stack([run.final_losses.astype(np.float64) for run in runs], axis=1)
    return Grid(job, losses, tuple(runs))


def response(system: StateSpace | AbstractLinearLayer) -> Float[np.ndarray, "lags 1 1"]:
    """The impulse response over the horizon."""
    return np.asarray(_response(system), np.float64)


@eqx.filter_jit
def _response(system: StateSpace | AbstractLinearLayer) -> Float[Array, "lags 1 1"]:
    return system.impulse_response(HORIZON)


def _train(
    job: Job,
    models: PyTree[Any],
    targets: Float[np.ndarray, "starts lags outputs inputs"],
    rates: Float[np.ndarray, " rates"],
    members: list[tuple[int, int]],
    heard: Callable[[float], None],
    **options: Any,
) -> ExactTraining:
    """The members, each a pair of a rate and a start."""
    chosen = np.array([start for _, start in members])
    return train_exact(
        jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[chosen]), models),
        targets[chosen],
        learning_rates=rates[[rate for rate, _ in members]],
        steps=job.steps,
        optimiser=job.optimiser,
        members_by=job.student.members_by,
        on_progress=heard,
        **options,
    )


def _one(tree: PyTree[Any], index: int) -> PyTree[Any]:
    # Through NumPy: indexing by JAX compiles a program for every shape.
    return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[index]), tree)
