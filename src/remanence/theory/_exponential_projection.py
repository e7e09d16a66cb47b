"""Least squares by exponentials on a sampled kernel: variable projection over their rates."""

import functools
from typing import NamedTuple

import numpy as np
import scipy.optimize
from jaxtyping import Float64

from remanence.theory._exponential_quadrature import SampledKernel

APART = 0.01
"""Rates of a free sum differ by one per cent at least, `log w_{i+1} − log w_i ≥ .01`."""

EXACT = 1e-11
"""A relative error that is taken for rounding: more rates would fit nothing but that."""
_ENDS = 9
_FIRST, _REFINED, _ROUNDS = 12, 2, 200


class Projection(NamedTuple):
    """Readouts of unit-energy exponentials, and what is left of `√weight · values`."""

    readouts: Float64[np.ndarray, " rates"]
    residual: Float64[np.ndarray, " nodes"]
    basis: Float64[np.ndarray, "nodes rates"]
    orthonormal: Float64[np.ndarray, "nodes rates"]


def project(sampled: SampledKernel, rates: Float64[np.ndarray, " rates"]) -> Projection:
    """The best `Σ c_i √(2w_i) e^{−w_i t}`, by QR: the Gram matrix squares the condition."""
    root = np.sqrt(sampled.weights)
    y = root * sampled.values
    basis = root[:, None] * np.sqrt(2 * rates) * np.exp(-np.outer(sampled.times, rates))
    Q, R = _tall_qr(basis)
    explained = _coordinates(Q, y[:, None])
    residual = y[:, None] - _combined(Q, explained)
    # Where the rest is small, what rounding left of the projection in it is removed as well.
    again = _coordinates(Q, residual)
    residual -= _combined(Q, again)
    readouts = np.linalg.lstsq(R, (explained + again)[:, 0], rcond=1e-15)[0]
    return Projection(readouts, residual[:, 0], basis, Q)


# Pieces of so many rows stay below the size from which BLAS uses threads: those cost a factor of
# 30 here on a busy machine.
_ROWS = 128


def _blocks(tall: np.ndarray) -> np.ndarray:
    """`(blocks, rows, columns)`, padded with rows of zeros."""
    count = -(-tall.shape[0] // _ROWS)
    padded = np.zeros((count * _ROWS, tall.shape[1]))
    padded[: tall.shape[0]] = tall
    return padded.reshape(count, _ROWS, -1)


def _coordinates(Q: np.ndarray, tall: np.ndarray) -> np.ndarray:
    """`Qᵀ tall`."""
    return (_blocks(Q).transpose(0, 2, 1) @ _blocks(tall)).sum(axis=0)


def _combined(Q: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
    """`Q coordinates`."""
    made = _blocks(Q) @ coordinates
    return made.reshape(-1, coordinates.shape[1])[: Q.shape[0]]


def _tall_qr(tall: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """QR by blocks of rows, then of their triangles."""
    if tall.shape[0] <= 2 * _ROWS or 2 * tall.shape[1] > _ROWS:
        return np.linalg.qr(tall)
    small, triangles = np.linalg.qr(_blocks(tall))
    inner, R = _tall_qr(triangles.reshape(-1, tall.shape[1]))
    Q = small @ inner.reshape(small.shape[0], -1, tall.shape[1])
    return Q.reshape(-1, tall.shape[1])[: tall.shape[0]], R


def free_rates(
    sampled: SampledKernel, width: int, lowest: float, highest: float
) -> Float64[np.ndarray, " width"]:
    """The best rates in `[lowest, highest]`, rising, from the best geometric progressions."""
    rates, error = _best(sampled, width, lowest, highest)
    exact = EXACT * np.sqrt(sampled.energy)
    if error > exact:
        return rates
    # What few rates explain to rounding tells many of them nothing.
    for fewer in range(1, width):
        found, left = _best(sampled, fewer, lowest, highest)
        if left <= exact:
            return found
    return rates


def _best(
    sampled: SampledKernel, width: int, lowest: float, highest: float
) -> tuple[np.ndarray, float]:
    def error(rates: np.ndarray) -> float:
        return float(np.linalg.norm(project(sampled, rates).residual))

    # A few steps from each, before it is said which are the best: errors of starts tell little.
    first = [
        _refine(sampled, start, lowest, highest, _FIRST)
        for start in _progressions(sampled, width, lowest, highest)
    ]
    kept = [first[i] for i in np.argsort([error(rates) for rates in first])[:_REFINED]]
    refined = [_refine(sampled, rates, lowest, highest, _ROUNDS) for rates in kept]
    errors = [error(rates) for rates in refined]
    best = int(np.argmin(errors))
    return refined[best], errors[best]


def _progressions(
    sampled: SampledKernel, width: int, lowest: float, highest: float
) -> list[np.ndarray]:
    """For each first rate the best last rate of a geometric progression.

    From the lowest rate also with gaps that grow: where it is a bound, best rates crowd there.
    """
    ends = np.geomspace(lowest, highest, _ENDS)
    if width == 1:
        return [np.array([end]) for end in ends]
    apart = 2 * APART * np.arange(width)
    starts = []
    for low, power in [(low, 1) for low in ends[:-1]] + [(lowest, 2), (lowest, 4)]:
        shape = np.linspace(0, 1, width) ** power
        ladders = [
            low * np.exp(apart + shape * (np.log(high / low) - apart[-1]))
            for high in ends
            if high > low * np.exp(apart[-1])
        ]
        errors = [float(np.linalg.norm(project(sampled, one).residual)) for one in ladders]
        if ladders:
            starts.append(ladders[int(np.argmin(errors))])
    return starts


def _refine(
    sampled: SampledKernel, start: np.ndarray, lowest: float, highest: float, rounds: int
) -> np.ndarray:
    """Least squares in `log w_1` and the gaps of `log w`, with Kaufman's Jacobian."""
    width = start.size
    low = np.append(np.log(lowest), np.full(width - 1, APART))
    high = np.append(np.log(highest), np.full(width - 1, np.log(highest / lowest)))
    scale = np.sqrt(sampled.energy)

    def rates_of(x: np.ndarray) -> np.ndarray:
        return np.exp(np.minimum(np.cumsum(x), 700.0))

    # Rotated to the few rows that there are columns: the solver's own SVDs are of tall matrices.
    @functools.lru_cache(maxsize=2)
    def turned(key: bytes) -> tuple[np.ndarray, np.ndarray]:
        rates = rates_of(np.frombuffer(key))
        found = project(sampled, rates)
        moved = found.basis * found.readouts * (0.5 - np.outer(sampled.times, rates))
        Q = found.orthonormal
        moved -= _combined(Q, _coordinates(Q, moved))
        # −∂r/∂log w_i, summed over the rates that a gap moves.
        slopes = -np.cumsum(moved[:, ::-1], axis=1)[:, ::-1]
        R = _tall_qr(np.column_stack([slopes, found.residual]))[1] / scale
        return R[:, -1], R[:, :-1]

    def residual(x: np.ndarray) -> np.ndarray:
        return turned(x.tobytes())[0]

    def jacobian(x: np.ndarray) -> np.ndarray:
        return turned(x.tobytes())[1]

    x = np.diff(np.log(start), prepend=0.0)
    inside = np.clip(x, low + 1e-9 * (high - low), high - 1e-9 * (high - low))
    found = scipy.optimize.least_squares(
        residual,
        inside,
        jacobian,  # pyright: ignore[reportArgumentType]
        bounds=(low, high),
        xtol=1e-10,
        ftol=1e-10,
        gtol=None,  # pyright: ignore[reportArgumentType]
        max_nfev=rounds,
    )
    return rates_of(found.x)
