"""One training length: an ensemble learned from near zero, and its best moment on validation."""

import dataclasses
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from remanence.errors import DataError
from remanence.identify.evaluate import (
    carried_error,
    error_by_age,
    long_response,
    old_enough,
)
from remanence.identify.preparation import Prepared
from remanence.identify.settings import FitSettings
from remanence.identify.whitening import Regression, regression
from remanence.identify.windows import WindowMoments, window_moments
from remanence.systems import hankel_matrix
from remanence.training import (
    AbstractStepRule,
    Adam,
    AdaptiveGradientDescent,
    GradientDescent,
    Parameters,
    Trajectory,
    balancedness,
    descend,
    near_zero_ensemble,
    squared_norm,
)

# Students of the last two decades of steps are held to validation: stopping early is allowed.
_DECADES_CONSIDERED = 2.0


@dataclasses.dataclass(frozen=True)
class LengthRun:
    """What gradient descent learned from windows of one length.

    Shares are `1 − R²`. `*_window` scores windows of the training length (state zero at their
    start), `*_carried` one simulation of every whole sequence with carried state.

    - `spectral_radius` (seeds,), `train_window` (seeds,), `validation_window` (seeds,),
      `validation_carried` (seeds,): students at the end of training.
    - `window_error` (seeds, records): mean squared error of the training windows over their power.
    - `imbalance` (seeds, records): ‖M‖ / (‖A‖² + ‖B‖² + ‖C‖²).
    - `hankel` (records, values): singular values of the finite Hankel matrix of the best seed.
    - `best_seed`, `best_record`, `best_share`: the student with the least `validation_carried`
      share among all seeds and the records of the last two decades of steps.
    """

    length: int
    optimizer: str
    windows: int
    regression: Regression
    trajectory: Trajectory
    spectral_radius: Float[np.ndarray, " seeds"]
    train_window: Float[np.ndarray, " seeds"]
    validation_window: Float[np.ndarray, " seeds"]
    validation_carried: Float[np.ndarray, " seeds"]
    window_error: Float[np.ndarray, "seeds records"]
    imbalance: Float[np.ndarray, "seeds records"]
    hankel: Float[np.ndarray, "records values"]
    best_seed: int
    best_record: int
    best_share: float

    @property
    def best(self) -> Parameters:
        """The student chosen on validation."""
        return self.trajectory.student(self.best_seed, self.best_record)

    @property
    def stopped_early(self) -> bool:
        """Whether validation preferred a student from before the end of training."""
        return self.best_record < len(self.trajectory.steps) - 1


def learn(
    data: Prepared,
    length: int,
    optimizer: str,
    settings: FitSettings,
    *,
    on_progress: Callable[[float], None] | None = None,
) -> LengthRun:
    """Train `settings.seeds` students on the windows of `length` steps that end in the train part.

    `optimizer` is one of `settings.optimizers`.

    Raises `DataError` if no window fits, `NumericalError` if a step size given by the user
    diverges.
    """
    moments = window_moments(data.inputs, data.outputs, data.parts["train"], length=length)
    if moments.count == 0:
        raise DataError(
            f"no training window of {length} steps fits: the longest sequence has "
            f"{data.longest} steps; use a shorter --length"
        )
    problem = regression(moments, whitening=settings.whitening)
    outputs, inputs = problem.estimate.shape[1:]
    initial = near_zero_ensemble(
        settings.state_dimension,
        inputs,
        outputs,
        scale=settings.initial_scale,
        seed=settings.seed,
        seeds=settings.seeds,
    )
    trajectory = descend(
        problem.loss,
        initial,
        step_rule(optimizer, settings.step_size),
        steps=settings.steps,
        on_progress=on_progress,
    )
    trajectory.raise_if_diverged()
    last = len(trajectory.steps) - 1
    final = [trajectory.student(s, last) for s in range(settings.seeds)]
    shares = _validation_shares(data, trajectory, on_progress)
    seed, record = np.unravel_index(
        np.argmin(np.where(np.isnan(shares), np.inf, shares)), shares.shape
    )
    if not np.isfinite(shares[seed, record]):
        record = last
    responses = [
        long_response(trajectory.student(int(seed), r), length)
        for r in range(len(trajectory.steps))
    ]
    return LengthRun(
        length=length,
        optimizer=optimizer,
        windows=moments.count,
        regression=problem,
        trajectory=trajectory,
        spectral_radius=np.abs(np.linalg.eigvals(trajectory.final.A)).max(axis=-1),
        train_window=_window_shares(data, "train", final, length),
        validation_window=_window_shares(data, "validation", final, length),
        validation_carried=shares[:, -1],
        window_error=_window_error_by_record(moments, trajectory),
        imbalance=np.linalg.norm(balancedness(trajectory.parameters), axis=(-2, -1))
        / squared_norm(trajectory.parameters),
        hankel=np.stack([finite_hankel_values(response) for response in responses]),
        best_seed=int(seed),
        best_record=int(record),
        best_share=float(shares[seed, record]),
    )


def step_rule(optimizer: str, step_size: float | None) -> AbstractStepRule:
    """The step rule of a named optimizer; see `FitSettings`."""
    if optimizer == "adam":
        return Adam() if step_size is None else Adam(step_size)
    return AdaptiveGradientDescent() if step_size is None else GradientDescent(step_size)


def finite_hankel_values(
    response: Float[np.ndarray, "length outputs inputs"],
) -> Float[np.ndarray, " values"]:
    """Singular values of the square-most Hankel matrix of a finite response; always defined."""
    return np.linalg.svd(hankel_matrix(response), compute_uv=False)


def _validation_shares(data: Prepared, trajectory: Trajectory, on_progress) -> np.ndarray:
    """Carried-state validation share by seed and record; NaN where not considered."""
    steps = trajectory.steps
    considered = np.flatnonzero(steps * 10**_DECADES_CONSIDERED >= steps[-1])
    seeds, records = trajectory.losses.shape
    shares = np.full((seeds, records), np.nan)
    for seed in range(seeds):
        for record in map(int, considered):
            if on_progress is not None:
                # Evaluating long recordings takes a while too: an interrupt must be heard.
                on_progress(1.0)
            student = trajectory.student(seed, record)
            shares[seed, record] = carried_error(
                student, data.inputs, data.outputs, data.parts["validation"]
            )
    return shares


def _window_shares(data: Prepared, part: str, students: list[Parameters], length: int):
    targets = old_enough(data.parts[part], length)
    return np.array(
        [
            error_by_age(student, data.inputs, data.outputs, targets, np.array([length]))[0]
            for student in students
        ]
    )


def _window_error_by_record(moments: WindowMoments, trajectory: Trajectory) -> np.ndarray:
    seeds, records = trajectory.losses.shape
    errors = np.empty((seeds, records))
    for seed in range(seeds):
        for record in range(records):
            student = trajectory.student(seed, record)
            mean_squared = moments.mean_squared_error(long_response(student, moments.length))
            errors[seed, record] = np.mean(mean_squared / moments.power)
    return errors
