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


_FLAT = 1e-30
"""Of the gradient of the relative squared error by logarithms of rates: what moves nothing."""


class _Flat(Exception):
    """The solver cannot go on from here; the best rates so far are the answer."""


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
    """Least squares in `log w_1` and the gaps of `log w`, with Kaufman's Jacobian.

    Gaps alone are not bounded by the highest rate: where it binds, again by shares of the room.
    """
    found = _solve(sampled, _Gaps(start.size, lowest, highest), start, rounds)
    if found.max() <= highest:
        return found
    shares = _Shares(start.size, lowest, highest)
    crowded = np.minimum(found, highest * np.exp(-1.01 * APART * np.arange(start.size)[::-1]))
    tried = [_solve(sampled, shares, one, rounds) for one in (start, crowded)]
    return min(tried, key=lambda rates: float(np.linalg.norm(project(sampled, rates).residual)))


class _Gaps:
    """`x = (log w_1, log w_2/w_1, …)`."""

    def __init__(self, width: int, lowest: float, highest: float) -> None:
        self.low = np.append(np.log(lowest), np.full(width - 1, APART))
        self.high = np.append(np.log(highest), np.full(width - 1, np.log(highest / lowest)))

    def of_rates(self, rates: np.ndarray) -> np.ndarray:
        return np.diff(np.log(rates), prepend=0.0)

    def rates(self, x: np.ndarray) -> np.ndarray:
        return np.exp(np.minimum(np.cumsum(x), 700.0))

    def pulled_back(self, by_logs: np.ndarray, _: np.ndarray) -> np.ndarray:
        """Slopes by x from those by `log w`: a gap moves all rates above it."""
        return np.cumsum(by_logs[:, ::-1], axis=1)[:, ::-1]


class _Shares:
    """`x = (log w_1, f_2, …)`, each rate the share f of the room that the ones above it leave.

    log w_{i+1} = log w_i + APART + f_{i+1} (log highest − (m − i) APART − log w_i), i = 1 … m − 1.
    """

    def __init__(self, width: int, lowest: float, highest: float) -> None:
        top = np.log(highest)
        self._tops = top - APART * np.arange(width - 1, 0, -1)
        self.low = np.append(np.log(lowest), np.zeros(width - 1))
        self.high = np.append(self._tops[0], np.ones(width - 1))

    def of_rates(self, rates: np.ndarray) -> np.ndarray:
        logs = np.log(rates)
        room = np.maximum(self._tops - logs[:-1], 1e-12)
        return np.append(logs[0], (np.diff(logs) - APART) / room)

    def rates(self, x: np.ndarray) -> np.ndarray:
        logs = [float(x[0])]
        for top, share in zip(self._tops, x[1:], strict=True):
            logs.append(logs[-1] + APART + share * (top - logs[-1]))
        return np.exp(np.array(logs))

    def pulled_back(self, by_logs: np.ndarray, x: np.ndarray) -> np.ndarray:
        logs = np.log(self.rates(x))
        slopes, above = np.empty_like(by_logs), by_logs[:, -1]
        for i in range(x.size - 1, 0, -1):
            slopes[:, i] = above * (self._tops[i - 1] - logs[i - 1])
            above = by_logs[:, i - 1] + (1 - x[i]) * above
        slopes[:, 0] = above
        return slopes


def _solve(
    sampled: SampledKernel, chart: _Gaps | _Shares, start: np.ndarray, rounds: int
) -> np.ndarray:
    low, high, scale = chart.low, chart.high, np.sqrt(sampled.energy)
    best = [np.inf, start]

    # Rotated to the few rows that there are columns: the solver's own SVDs are of tall matrices.
    @functools.lru_cache(maxsize=2)
    def turned(key: bytes) -> tuple[np.ndarray, np.ndarray]:
        x = np.frombuffer(key)
        rates = chart.rates(x)
        if not np.isfinite(rates).all():
            raise _Flat
        found = project(sampled, rates)
        moved = found.basis * found.readouts * (0.5 - np.outer(sampled.times, rates))
        Q = found.orthonormal
        moved -= _combined(Q, _coordinates(Q, moved))
        slopes = -chart.pulled_back(moved, x)
        R = _tall_qr(np.column_stack([slopes, found.residual]))[1] / scale
        error = float(np.linalg.norm(R[:, -1]))
        if error < best[0]:
            best[:] = error, rates
        # The solver divides by the gradient. It is zero where no rate sees the kernel.
        if not np.abs(R[:, :-1].T @ R[:, -1]).max() > _FLAT:
            raise _Flat
        return R[:, -1], R[:, :-1]

    def residual(x: np.ndarray) -> np.ndarray:
        return turned(x.tobytes())[0]

    def jacobian(x: np.ndarray) -> np.ndarray:
        return turned(x.tobytes())[1]

    x = chart.of_rates(start)
    inside = np.clip(x, low + 1e-9 * (high - low), high - 1e-9 * (high - low))
    try:
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
    except (_Flat, np.linalg.LinAlgError):
        return best[1]
    return chart.rates(found.x)
