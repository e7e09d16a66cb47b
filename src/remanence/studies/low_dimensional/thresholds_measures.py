"""What the thresholds part measures: errors at the first untrained lag, counterexamples."""

import dataclasses

import numpy as np
from jaxtyping import Float

from remanence.studies.low_dimensional.ensembles import teacher_response
from remanence.studies.low_dimensional.least_squares import AbstractModel, fit
from remanence.studies.tables import columns
from remanence.systems.counterexamples import jacobi_counterexample, shortest_counterexample
from remanence.systems.generators import spread_teacher

CONVERGED = 1e-24
_STOP = 1e-25
FAR, BALANCED_NEAR, FREE_NEAR = 1e-3, 1e-10, 1e-9


@dataclasses.dataclass(frozen=True)
class ThresholdSettings:
    """Which teachers and students, how many starts, how long the sequences.

    - `teachers`: dimensions d̂ of the teachers of balanced students.
    - `lengths_before`, `lengths_after`: training lengths from threshold − before to threshold +
      after, and at least 1; `None` after means up to 4 d̂.
    - `states`: dimensions d of the free students of the two-dimensional teacher.
    - `runs`, `seed`: starts at seed, seed + 1, …
    - `steps`: the most Levenberg–Marquardt steps of a run.
    - `excesses`: the errors c asked of the explicit counterexamples.
    """

    teachers: tuple[int, ...] = (2, 3, 4)
    states: tuple[int, ...] = (2, 3, 4, 6)
    lengths_before: int = 3
    lengths_after: int | None = 0
    runs: int = 30
    steps: int = 2000
    seed: int = 0
    excesses: tuple[float, ...] = (0.01, 1.0)


QUICK = ThresholdSettings()
FULL = ThresholdSettings(lengths_before=8, lengths_after=None, runs=60, steps=8000)


@dataclasses.dataclass(frozen=True)
class Curve:
    """Error at the first untrained lag against training length, for one teacher and student.

    `errors[i, r] = g_k − ĝ_k` at k = lengths[i] of run r and `losses[i, r]` its training loss
    L_k; `threshold` is the least k at which theory leaves no zero-loss student but the teacher.
    """

    label: str
    threshold: int
    lengths: np.ndarray
    errors: np.ndarray
    losses: np.ndarray

    def at(self, length: int) -> Float[np.ndarray, " converged"]:
        """The signed errors of the runs that converged (L < 1e-24) at this length."""
        row = int(np.flatnonzero(self.lengths == length)[0])
        return self.errors[row, self.losses[row] < CONVERGED]


def teacher_moments(order: int, length: int) -> Float[np.ndarray, " length"]:
    """Impulse response of the balanced teacher `spread_teacher(order)`."""
    return teacher_response(spread_teacher(order).system, length)


def measure(
    model: AbstractModel,
    target: Float[np.ndarray, " lags"],
    *,
    label: str,
    threshold: int,
    last: int,
    settings: ThresholdSettings,
) -> Curve:
    """Fit `model` from the same starts at every training length around `threshold`."""
    after = settings.lengths_after
    stop = last if after is None else min(last, threshold + after)
    lengths = np.arange(max(1, threshold - settings.lengths_before), stop + 1)
    starts = model.starts(seed=settings.seed, runs=settings.runs)
    errors, losses = [], []
    for length in lengths:
        k = int(length)
        found = fit(model, target[:k], starts, tolerance=_STOP, steps=settings.steps)
        errors.append(model.response(found.unknowns, k + 1)[:, k] - target[k])
        losses.append(found.losses)
    return Curve(label, threshold, lengths, np.stack(errors), np.stack(losses))


def counterexamples(settings: ThresholdSettings) -> dict[str, np.ndarray]:
    """Build both families of students that fit k steps exactly and miss the next by c.

    One row each: family (0 Jacobi, 1 shortest), teacher order, student order, the student order
    theory gives, k, c, the largest error in training, and the error at lag k.
    """
    rows = []
    for order in settings.teachers:
        target = teacher_moments(order, 4 * order + 2)
        for excess in settings.excesses:
            k = 2 * order
            rows.append(
                _example(
                    0,
                    jacobi_counterexample(target[:k], order=order, excess=excess),
                    target,
                    (order, order + 1, k, excess),
                )
            )
            for k in range(2 * order, 3 * order + 2):
                rows.append(
                    _example(
                        1,
                        shortest_counterexample(target[:k], excess=excess),
                        target,
                        (order, k + 1 - order, k, excess),
                    )
                )
    names = ("family", "teacher", "student", "theory", "k", "excess", "training", "error")
    return columns(names, rows)


def _example(family, system, target, about):
    order, theory, k, excess = about
    errors = teacher_response(system, k + 1) - target[: k + 1]
    training = float(np.max(np.abs(errors[:k])))
    return family, order, system.order, theory, k, excess, training, float(errors[k])
