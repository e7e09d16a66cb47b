"""Errors of a model run over recorded sequences: by position, to any length."""

from collections.abc import Sequence

import numpy as np
import scipy.fft
from jaxtyping import Bool, Float, Int

from remanence.training import Parameters

# A share of unexplained variance beyond this is called an explosion.
EXPLODES = 1e6
# Both inputs and outputs are standardised: a response beyond this is an explosion under way.
_LARGEST_RESPONSE = 1e6
_NEGLIGIBLE = 1e-18
_CHUNK = 1 << 15
FEWEST_TARGETS = 30

Targets = Sequence[Bool[np.ndarray, " _time"]]


def long_response(
    parameters: Parameters, length: int
) -> Float[np.ndarray, "length outputs inputs"]:
    """The impulse response `C A^j B`, j < length, by doubling: O(length · state²).

    Values that overflow become infinite or NaN; nothing is raised.
    """
    A, B, C = (np.asarray(matrix, np.float64) for matrix in parameters)
    outputs = C.shape[0]
    with np.errstate(all="ignore"):
        rows = C
        power = A
        while rows.shape[0] < length * outputs:
            rows = np.concatenate([rows, rows @ power])
            power = power @ power
        return (rows[: length * outputs] @ B).reshape(length, outputs, B.shape[1])


def decayed_response(
    parameters: Parameters, length: int, *, at_least: int = 256
) -> Float[np.ndarray, "lags outputs inputs"]:
    """The impulse response up to `length` lags, cut where all that follows is below rounding.

    `at_least` lags are kept, if `length` allows.
    """
    lags = at_least
    while lags < length:
        response = long_response(parameters, lags)
        if not np.isfinite(response).all():
            break
        tail = np.abs(response[lags // 2 :]).max()
        # Two halvings of a decay this deep leave nothing that a sum in float64 would notice.
        if tail <= _NEGLIGIBLE * np.abs(response).max():
            return response
        lags *= 2
    return long_response(parameters, length)


def simulate(
    response: Float[np.ndarray, "_lags outputs inputs"], inputs: Float[np.ndarray, "time inputs"]
) -> Float[np.ndarray, "time outputs"]:
    """`y_t = Σ_j g_j x_{t−j}` with the state zero before the first input, by FFT.

    A response much shorter than the inputs is applied in overlapping chunks.
    """
    time = inputs.shape[0]
    lags = min(time, response.shape[0])
    chunk = max(16 * lags, _CHUNK)
    if time > 2 * chunk:
        pieces = []
        for start in range(0, time, chunk):
            history = min(start, lags - 1)
            stop = min(start + chunk, time)
            piece = simulate(response[:lags], inputs[start - history : stop])
            pieces.append(piece[history:])
        return np.concatenate(pieces)
    size = int(scipy.fft.next_fast_len(time + lags - 1, real=True))  # type: ignore[arg-type]
    spectrum = np.fft.rfft(inputs, n=size, axis=0)
    kernel = np.fft.rfft(response[:lags], n=size, axis=0)
    return np.fft.irfft(np.einsum("foi,fi->fo", kernel, spectrum), n=size, axis=0)[:time]


def unexplained_share(
    predictions: Sequence[Float[np.ndarray, "_time outputs"]],
    outputs: Sequence[Float[np.ndarray, "_time outputs"]],
    targets: Targets,
    *,
    variance: Float[np.ndarray, " outputs"] | None = None,
) -> float:
    """`1 − R²`: mean squared error over the variance of the targets, averaged over outputs.

    1 means no better than the targets' own mean. `variance` replaces the targets' own. NaN with
    fewer than 30 targets; infinite if a prediction is not finite or the share exceeds 1e6.
    """
    measured = gather(outputs, targets)
    predicted = gather(predictions, targets)
    if len(measured) < FEWEST_TARGETS:
        return float("nan")
    if not np.isfinite(predicted).all():
        return float("inf")
    scale = measured.var(axis=0) if variance is None else variance
    with np.errstate(over="ignore"):
        error = np.mean((measured - predicted) ** 2, axis=0)
    share = float(np.mean(error / np.maximum(scale, np.finfo(float).tiny)))
    return share if share <= EXPLODES else float("inf")


def gather(
    series: Sequence[Float[np.ndarray, "_time features"]], targets: Targets
) -> Float[np.ndarray, "_targets features"]:
    """The values of all sequences at the marked times, one after another."""
    return np.concatenate([values[mask] for values, mask in zip(series, targets, strict=True)])


def old_enough(targets: Targets, age: int) -> tuple[Bool[np.ndarray, " _time"], ...]:
    """The targets with at least `age` steps of history in their sequence, themselves included."""
    return tuple(mask & (np.arange(len(mask)) >= age - 1) for mask in targets)


def error_by_age(
    parameters: Parameters,
    inputs: Sequence[Float[np.ndarray, "_time inputs"]],
    outputs: Sequence[Float[np.ndarray, "_time outputs"]],
    targets: Targets,
    ages: Int[np.ndarray, " ages"],
    *,
    variance: Float[np.ndarray, " outputs"] | None = None,
) -> Float[np.ndarray, " ages"]:
    """Unexplained share when the simulation started `age` steps before each target, state zero.

    The output at age a is `Σ_{j<a} g_j x_{t−j}`: what a simulation with carried state gives at
    its a-th position. Only inputs are read from before the target, so the history may lie in any
    part of the data. The same targets are scored at every age: give ones old enough for all, or
    those that are younger count with the history they have.
    """
    response = decayed_response(parameters, int(ages.max()))
    shares = np.empty(len(ages))
    for index, age in enumerate(ages):
        kernel = response[:age]
        if not _bounded(kernel):
            shares[index:] = np.inf
            break
        predictions = [simulate(kernel, x) for x in inputs]
        shares[index] = unexplained_share(predictions, outputs, targets, variance=variance)
    return shares


def carried_error(
    parameters: Parameters,
    inputs: Sequence[Float[np.ndarray, "_time inputs"]],
    outputs: Sequence[Float[np.ndarray, "_time outputs"]],
    targets: Targets,
) -> float:
    """Unexplained share of one simulation of every whole sequence, scored on `targets`.

    The state is zero at the start of each sequence and carried to its end; infinite where the
    model explodes on the way.
    """
    response = decayed_response(parameters, max(len(x) for x in inputs))
    if not _bounded(response):
        return float("inf")
    return unexplained_share([simulate(response, x) for x in inputs], outputs, targets)


def _bounded(response: np.ndarray) -> bool:
    return bool(np.isfinite(response).all() and np.abs(response).max() <= _LARGEST_RESPONSE)
