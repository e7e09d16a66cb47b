"""Grids of teacher-student runs: learning rates times starts, the best rate picked afterwards."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
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
    - `batch`: sequences in a minibatch, the same for all starts; None descends the exact expected
      loss.
    - `decay_steps`: by when the rate has fallen to zero; `steps` if None, infinite if constant.
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
    decay_steps: float | int | None = None

    @property
    def seconds(self) -> float:
        """About how long it takes."""
        members = len(self.rates) * self.starts * _SECONDS[self.student.members_by]
        return self.steps / 1000 * (members + (_BATCH_SECONDS if self.batch else 0.0))


@dataclasses.dataclass(frozen=True)
class Grid:
    """What a job found.

    - `losses`: the exact expected loss at the end, infinite where a run diverged.
    - `training`: every member, rates first.
    - `search`: the grid in which the rate was searched, where that was another one.
    """

    job: Job
    losses: Float[np.ndarray, "rates starts"]
    training: ExactTraining | None
    search: "Grid | None" = None

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
        assert self.training is not None
        index = self.best * self.job.starts + start
        return _one(self.training.models, index), _one(self.training.optimiser_states, index)

    def rows(self) -> list[tuple[str, float, int, float]]:
        """`(stage, rate, start, loss)` of every run, those of the search included."""
        stage = "final" if self.search is not None else "grid"
        before = (
            [] if self.search is None else [("search", *row[1:]) for row in self.search.rows()]
        )
        return before + [
            (stage, rate, start, float(loss))
            for rate, losses in zip(self.job.rates, self.losses, strict=True)
            for start, loss in enumerate(losses)
        ]


def search_and_train(
    jobs: Sequence[Job],
    *,
    starts: int,
    batch: int | None,
    on_progress: Callable[[float, str], None],
) -> list[Grid]:
    """Search the rate of every job on the exact loss; then, on minibatches, train at the best.

    Without `batch` the search is all there is.
    """
    if batch is None:
        return run_jobs(jobs, on_progress)
    searched = run_jobs(jobs, lambda share, what: on_progress(0.5 * share, f"rates of {what}"))
    finals = [
        dataclasses.replace(grid.job, rates=(grid.rate,), starts=starts, batch=batch)
        for grid in searched
    ]
    trained = run_jobs(finals, lambda share, what: on_progress(0.5 + 0.5 * share, what))
    return [
        dataclasses.replace(grid, search=search)
        for grid, search in zip(trained, searched, strict=True)
    ]


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
    """One job, all members in one call."""
    models = job.student.start(job.seed, job.starts, job.least, job.phase)
    responses = np.stack([response(teacher) for teacher in job.teachers])
    targets = np.broadcast_to(responses, (job.starts, *responses.shape[1:])).astype(DTYPE)
    chosen = np.tile(np.arange(job.starts), len(job.rates))
    training = train_exact(
        jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[chosen]), models),
        targets[chosen],
        learning_rates=np.repeat(job.rates, job.starts),
        steps=job.steps,
        batch=job.batch,
        key=jax.random.key(job.seed),
        decay_steps=job.decay_steps,
        members_by=job.student.members_by,
        on_progress=heard,
    )
    losses = training.final_losses.astype(np.float64).reshape(len(job.rates), job.starts)
    return Grid(job, losses, training)


def response(system: StateSpace | AbstractLinearLayer) -> Float[np.ndarray, "lags 1 1"]:
    """The impulse response over the horizon."""
    return np.asarray(_response(system), np.float64)


@eqx.filter_jit
def _response(system: StateSpace | AbstractLinearLayer) -> Float[Array, "lags 1 1"]:
    return system.impulse_response(HORIZON)


def _one(tree: PyTree[Any], index: int) -> PyTree[Any]:
    # Through NumPy: indexing by JAX compiles a program for every shape.
    return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[index]), tree)
