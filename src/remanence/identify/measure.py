"""What is known about a chosen model: read the test part once and say it in numbers."""

import dataclasses

import numpy as np
from jaxtyping import Float, Int

from remanence.errors import NumericalError
from remanence.identify.choose import matrices
from remanence.identify.evaluate import (
    carried_error,
    decayed_response,
    error_by_age,
    gather,
    long_response,
    old_enough,
    simulate,
    unexplained_share,
)
from remanence.identify.horizon import Memory, memory
from remanence.identify.learn import LengthRun
from remanence.identify.nonlinearity import curvature_share
from remanence.identify.preparation import PARTS, Prepared
from remanence.identify.settings import FitSettings
from remanence.systems import Certificate, StateSpace, extrapolation_certificate

# How much worse than on its own training length a model may be and still count as extrapolating.
EXTRAPOLATION_SLACK = 0.1
LARGEST_MULTIPLE = 64
# The farthest position scored is one that this share of the test targets, and this many of them
# (or half of fewer), reach.
_SHARE_OF_TARGETS = 0.2
_ENOUGH_TARGETS = 200
_AGES = 40


@dataclasses.dataclass(frozen=True)
class Extrapolation:
    """Test error against the position since the start of a simulation; shares are `1 − R²`.

    The same `targets` test targets are scored at every position: those with at least `reach`
    steps of history. Shares are relative to the variance of the whole test part.

    - `ages` (ages,), `shares` (ages,): of the model handed over.
    - `shares_by_length`: of each training length's students at the end of training, median over
      seeds, at the same ages.
    - `multiples`, `multiple_shares`: at 1×, 2×, 4×, … 64× the training length; NaN beyond reach.
    - `extends_to`: longest measured position up to which the error is never more than 10 % above
      that at the training length; None if the model fails at once, explains nothing at its
      training length, or nothing longer was measured.
    """

    reach: int
    targets: int
    ages: Int[np.ndarray, " ages"]
    shares: Float[np.ndarray, " ages"]
    shares_by_length: dict[int, Float[np.ndarray, " ages"]]
    multiples: Int[np.ndarray, " multiples"]
    multiple_shares: Float[np.ndarray, " multiples"]
    extends_to: int | None


@dataclasses.dataclass(frozen=True)
class FitResult:
    """Everything `fit` found out; shares are `1 − R²`.

    - `runs`: every training length with every optimizer; `run`: the chosen one.
    - `system`: the model handed over, on standardised inputs and outputs.
    - `offset` (outputs,): mean of its training residual, added to its outputs (standardised).
    - `response`: its impulse response, until it has decayed or the longest sequence ends.
    - `hankel`: Hankel singular values the order was read from (finite Hankel matrix if unstable).
    - `order_shares`: carried-state validation share for every order tried.
    - `carried`: share of one simulation of everything, by part; `windows`: of windows of the
      training length that start from state zero, by part.
    - `certificate`: whether the lags fitted determine all others, if the truth has the order that
      was found; what that rests on is listed in it.
    - `curvature`: share of the residual that squares and products explain (`curvature_share`).
    - `persistence`: test share of predicting the last value (forecasts only, else NaN).
    - `agreement`: median over pairs of seeds of the relative distance of impulse responses.
    """

    data: Prepared
    settings: FitSettings
    runs: tuple[LengthRun, ...]
    run: LengthRun
    system: StateSpace
    offset: Float[np.ndarray, " outputs"]
    response: Float[np.ndarray, "length outputs inputs"]
    spectral_radius: float
    memory: Memory
    hankel: Float[np.ndarray, " values"]
    order_shares: dict[int, float]
    carried: dict[str, float]
    windows: dict[str, float]
    extrapolation: Extrapolation
    certificate: Certificate
    curvature: float
    persistence: float
    agreement: float

    @property
    def stable(self) -> bool:
        """Whether every eigenvalue lies inside the unit circle."""
        return self.spectral_radius < 1

    def simulated(self, sequence: int) -> Float[np.ndarray, "time outputs"]:
        """One sequence simulated with carried state, in the units of the data."""
        standard = simulate(self.response, self.data.inputs[sequence]) + self.offset
        return self.data.output_mean + self.data.output_scale * standard

    def measured(self, sequence: int) -> Float[np.ndarray, "time outputs"]:
        """The recorded outputs of one sequence, in the units of the data."""
        return self.data.output_mean + self.data.output_scale * self.data.outputs[sequence]


def measure(
    data: Prepared,
    settings: FitSettings,
    runs: tuple[LengthRun, ...],
    run: LengthRun,
    system: StateSpace,
    hankel: Float[np.ndarray, " values"],
    order_shares: dict[int, float],
) -> FitResult:
    """All measurements of the model chosen from `run`."""
    model = matrices(system)
    radius = float(np.abs(np.linalg.eigvals(model.A)).max())
    response = decayed_response(model, data.longest, at_least=3 * run.length)
    if not np.isfinite(response).all():
        raise NumericalError(
            f"the model learned from windows of {run.length} steps explodes (spectral radius "
            f"{radius:.4g}): its response is not finite within the {data.longest} steps of the "
            "data; use a longer --length or --length auto"
        )
    predictions = [simulate(response, x) for x in data.inputs]
    residuals = [y - p for y, p in zip(data.outputs, predictions, strict=True)]
    offset = gather(residuals, data.parts["train"]).mean(axis=0)
    if radius >= 1 or not settings.remove_mean:
        offset = np.zeros_like(offset)
    # The offset is taken off the measured outputs: the same error, and the model stays linear.
    outputs = tuple(y - offset for y in data.outputs)
    return FitResult(
        data=data,
        settings=settings,
        runs=runs,
        run=run,
        system=system,
        offset=offset,
        response=response,
        spectral_radius=radius,
        memory=memory(system, response),
        hankel=hankel,
        order_shares=order_shares,
        carried={
            part: carried_error(model, data.inputs, outputs, data.parts[part]) for part in PARTS
        },
        windows={
            part: float(
                error_by_age(
                    model,
                    data.inputs,
                    outputs,
                    old_enough(data.parts[part], run.length),
                    np.array([run.length]),
                )[0]
            )
            for part in PARTS
        },
        extrapolation=_extrapolation(data, runs, run, model, outputs),
        # The truth's response is known only through noise: the exact theorem, its grounds named.
        certificate=extrapolation_certificate(
            system, length=run.length, target_order=system.order
        ),
        curvature=_curvature(data, predictions, outputs),
        persistence=_persistence(data),
        agreement=_agreement(run),
    )


def _extrapolation(data, runs, run, model, outputs) -> Extrapolation:
    test = data.parts["test"]
    total = data.count("test")
    multiples = np.array([2**i for i in range(int(np.log2(LARGEST_MULTIPLE)) + 1)])

    def enough(age: int) -> bool:
        kept = sum(int(mask.sum()) for mask in old_enough(test, age))
        return kept >= max(_SHARE_OF_TARGETS * total, min(_ENOUGH_TARGETS, total / 2))

    spread = np.geomspace(1, LARGEST_MULTIPLE, 200)
    candidates = np.unique(np.round(spread * run.length)).astype(int)
    reach = max((int(age) for age in candidates if enough(int(age))), default=run.length)
    targets = old_enough(test, reach)
    variance = gather(data.outputs, test).var(axis=0)
    measured = [int(m) * run.length for m in multiples if m * run.length <= reach]
    spaced = np.round(np.geomspace(1, reach, _AGES)).astype(int)
    ages = np.unique(np.concatenate([spaced, measured, [r.length for r in runs]]))
    ages = ages[ages <= reach]

    def curve(parameters, targets_of):
        return error_by_age(parameters, data.inputs, targets_of, targets, ages, variance=variance)

    shares = curve(model, outputs)
    at = dict(zip(ages.tolist(), shares.tolist(), strict=True))
    seeds = range(run.trajectory.losses.shape[0])
    return Extrapolation(
        reach=reach,
        targets=sum(int(mask.sum()) for mask in targets),
        ages=ages,
        shares=shares,
        shares_by_length={
            r.length: np.median(
                [curve(r.trajectory.student(s, -1), data.outputs) for s in seeds], axis=0
            )
            for r in runs
            if r.optimizer == run.optimizer
        },
        multiples=multiples,
        multiple_shares=np.array([at.get(int(m) * run.length, np.nan) for m in multiples]),
        extends_to=_extends_to(ages, shares, run.length),
    )


def _extends_to(ages, shares, length) -> int | None:
    later = ages > length
    if not later.any() or length not in ages:
        return None
    here = shares[ages == length][0]
    # A model no better than the mean has nothing to extrapolate; a NaN must not count as good.
    if not here < 1:
        return None
    failed = np.flatnonzero(~(shares[later] <= here * (1 + EXTRAPOLATION_SLACK)))
    if failed.size == 0:
        return int(ages[-1])
    return int(ages[later][failed[0] - 1]) if failed[0] else None


def _curvature(data: Prepared, predictions, outputs) -> float:
    simulated = np.concatenate(predictions)
    if not np.isfinite(simulated).all() or np.abs(simulated).max() > 1e3:
        return float("nan")
    return curvature_share(np.concatenate(data.inputs), simulated, np.concatenate(outputs))


def _persistence(data: Prepared) -> float:
    """A forecast's inputs are the outputs one step earlier: to predict them is persistence."""
    if not data.forecast:
        return float("nan")
    previous = [
        (data.input_mean + data.input_scale * x - data.output_mean) / data.output_scale
        for x in data.inputs
    ]
    return unexplained_share(previous, data.outputs, data.parts["test"])


def _agreement(run: LengthRun) -> float:
    """Median relative distance between the seeds' impulse responses over the training length."""
    seeds = range(run.trajectory.losses.shape[0])
    responses = [long_response(run.trajectory.student(s, -1), run.length) for s in seeds]
    distances = [
        float(np.linalg.norm(a - b) / max(np.linalg.norm(a), np.linalg.norm(b)))
        for i, a in enumerate(responses)
        for b in responses[i + 1 :]
    ]
    return float(np.median(distances)) if distances else float("nan")
