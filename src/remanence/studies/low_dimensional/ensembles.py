"""Ensembles of students trained by gradient descent, and what each student became."""

import dataclasses
import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Real

from remanence.studies.threads import in_threads
from remanence.systems import StateSpace, effective_rank, hankel_matrix, hankel_singular_values
from remanence.training import (
    AbstractImpulseResponseLoss,
    AbstractStepRule,
    Parameters,
    Trajectory,
    descend,
    near_zero_ensemble,
    squared_norm,
)

# The scales of start that the parts compare.
NEAR_ZERO = 1e-2
STANDARD = 1.0

# Lengths are padded to multiples of this, so that one compiled program serves several of them.
_PADDING = 8
_WORKERS = 2


class FirstLagsLoss(AbstractImpulseResponseLoss):
    """`WhiteLoss` over the first k lags of a window: `Σ_j m_j ‖g_j − ĝ_j‖²`, m_j = 1 for j < k.

    The lags from k on cost time and count for nothing; k is data, not shape, so that students of
    different training lengths share one compiled program.

    - `target`: ĝ, shape (window, outputs, inputs).
    - `counted`: m, shape (window,), 1.0 or 0.0.
    """

    target: Float[Array, "window outputs inputs"]
    counted: Float[Array, " window"]

    @property
    def length(self) -> int:
        """The window, training length and padding together."""
        return self.target.shape[0]

    def value_and_cotangent(self, response):
        # where, not a product: a lag that does not count may have overflowed.
        residual = jnp.where(self.counted[:, None, None] > 0, response - self.target, 0.0)
        return jnp.vdot(residual, residual), 2.0 * residual


@dataclasses.dataclass(frozen=True)
class Job:
    """One ensemble to train: `seeds` students of one teacher from one kind of start.

    - `teacher`: the system whose impulse response is to be learned.
    - `length`: training length k; the loss is `L_k`.
    - `scale`: σ of the start, entries N(0, σ²/dimension).
    - `steps`, `tolerance`: the end of training, whichever comes first.
    - `seed`: of the first student; student i starts from `seed + i`.
    """

    teacher: StateSpace
    length: int
    scale: float
    dimension: int
    rule: AbstractStepRule
    steps: int
    seeds: int
    tolerance: float = 1e-12
    seed: int = 0
    records_per_decade: int = 4


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """What the students of a `Job` became, one number a seed.

    - `loss`: `L_k` at the end; `steps`: when each stopped.
    - `extrapolation`: `extrapolation_error` over the lags k ≤ j < 5k + 20.
    - `spectral_radius`: of A; from 1 on the student is unstable.
    - `rank`: effective rank of the infinite Hankel matrix where `stable`, else of the k × k Hankel
      matrix of the first 2k − 1 lags (an unstable student's infinite one does not exist).
    - `imbalance`: ‖B − Cᵀ‖ / ‖B + Cᵀ‖.
    - `norm`: N = ‖A‖² + ‖B‖² + ‖C‖².
    """

    job: Job
    trajectory: Trajectory
    loss: Float[np.ndarray, " seeds"]
    steps: np.ndarray
    extrapolation: Float[np.ndarray, " seeds"]
    spectral_radius: Float[np.ndarray, " seeds"]
    rank: Float[np.ndarray, " seeds"]
    imbalance: Float[np.ndarray, " seeds"]
    norm: Float[np.ndarray, " seeds"]

    @property
    def stable(self) -> np.ndarray:
        """Which students are stable, shape (seeds,)."""
        return self.spectral_radius < 1

    def student(self, seed: int, record: int = -1) -> StateSpace:
        """One student, by default at the end of training."""
        return StateSpace(*self.trajectory.student(seed, record))


def train(
    jobs: Sequence[Job],
    *,
    on_progress: Callable[[float], None] | None = None,
) -> list[Ensemble]:
    """Train every job, two at a time (XLA releases Python's lock), and measure the students.

    `on_progress` hears the share of the work that is done. Raises `NumericalError` if a student
    diverges.
    """

    def one(job: Job, heard: Callable[[float], None]) -> Ensemble:
        # JAX's settings belong to the thread.
        with jax.enable_x64(True):
            return _train(job, heard)

    return in_threads(
        one,
        jobs,
        weights=[job.seeds for job in jobs],
        workers=_WORKERS,
        on_progress=lambda share, _: on_progress(share) if on_progress is not None else None,
    )


def impulse_responses(parameters: Parameters, length: int) -> Float[np.ndarray, "seeds length"]:
    """`g_j = C A^j B` of every student of an ensemble with one input and one output."""
    A, B, C = (np.asarray(leaf, np.float64) for leaf in parameters)
    states, values = B, []
    for _ in range(length):
        values.append((C @ states)[:, 0, 0])
        states = A @ states
    return np.stack(values, axis=1)


def extrapolation_error(
    responses: Real[np.ndarray, "seeds horizon"],
    target: Real[np.ndarray, " horizon"],
    length: int,
) -> Float[np.ndarray, " seeds"]:
    """`max_{length ≤ j < horizon} |g_j − ĝ_j| / max_j |ĝ_j|`, one number a seed."""
    beyond = np.abs(responses - target[None, :])[:, length:]
    return beyond.max(axis=1) / np.abs(target).max()


def horizon(length: int) -> int:
    """The end of the lags on which a student trained on `length` is tested: 5k + 20."""
    return 5 * length + 20


def teacher_response(teacher: StateSpace, length: int) -> Float[np.ndarray, " length"]:
    """ĝ of a teacher with one input and one output."""
    matrices = (np.asarray(m, np.float64)[None] for m in (teacher.A, teacher.B, teacher.C))
    return impulse_responses(Parameters(*matrices), length)[0]


def _train(job: Job, on_progress: Callable[[float], None]) -> Ensemble:
    window = math.ceil(job.length / _PADDING) * _PADDING
    target = teacher_response(job.teacher, max(window, horizon(job.length)))
    loss = FirstLagsLoss(
        jnp.asarray(target[:window, None, None]),
        jnp.asarray((np.arange(window) < job.length).astype(np.float64)),
    )
    start = near_zero_ensemble(
        job.dimension, 1, 1, scale=job.scale, seed=job.seed, seeds=job.seeds
    )
    trajectory = descend(
        loss,
        start,
        job.rule,
        steps=job.steps,
        tolerance=job.tolerance,
        records_per_decade=job.records_per_decade,
        on_progress=on_progress,
    )
    trajectory.raise_if_diverged()
    return _measured(job, trajectory, target[: horizon(job.length)])


def _measured(job: Job, trajectory: Trajectory, target: np.ndarray) -> Ensemble:
    final = trajectory.final
    responses = impulse_responses(final, target.size)
    radii = np.abs(np.linalg.eigvals(np.asarray(final.A))).max(axis=1)
    B, Ct = np.asarray(final.B), np.swapaxes(np.asarray(final.C), -1, -2)

    def rank(seed: int) -> float:
        if radii[seed] < 1:
            return effective_rank(hankel_singular_values(StateSpace(*(m[seed] for m in final))))
        lags = responses[seed, : 2 * job.length - 1, None, None]
        return effective_rank(np.linalg.svd(hankel_matrix(lags), compute_uv=False))

    return Ensemble(
        job=job,
        trajectory=trajectory,
        loss=trajectory.losses[:, -1],
        steps=trajectory.stopped_at,
        extrapolation=extrapolation_error(responses, target, job.length),
        spectral_radius=radii,
        rank=np.array([rank(seed) for seed in range(job.seeds)]),
        imbalance=np.linalg.norm(B - Ct, axis=(1, 2)) / np.linalg.norm(B + Ct, axis=(1, 2)),
        norm=squared_norm(final),
    )
