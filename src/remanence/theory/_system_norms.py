"""`Σ_j |g_j|` of a stable linear system, with what the sum leaves out bounded."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from remanence.errors import NumericalError
from remanence.systems import DiagonalStateSpace, StateSpace

_BLOCK = 256
_MOST_LAGS = 2**27


class _Walk(NamedTuple):
    """A response in blocks of lags: `Re(responses @ state)`, then `state = advance(state)`."""

    responses: np.ndarray
    state: np.ndarray
    advance: Callable[[np.ndarray], np.ndarray]
    tail: Callable[[np.ndarray], float]
    """At least the sum of all absolute values from `state` on."""


def absolute_sum(
    system: StateSpace | DiagonalStateSpace, *, tolerance: float
) -> Float64[np.ndarray, "outputs inputs"]:
    """`Σ_j |g_j|` for each pair of channels, short by at most `tolerance` of their total.

    Infinite for a system that is not stable.

    Raises:
        NumericalError: if the memory is longer than 10⁸ steps.
    """
    D = np.asarray(system.D, np.float64)
    walk = _modal(system) if isinstance(system, DiagonalStateSpace) else _dense(system)
    if walk is None:
        return np.full(D.shape, math.inf)
    state, direct, total = walk.state, D, np.zeros(D.shape)
    for _ in range(_MOST_LAGS // _BLOCK):
        block = np.real(walk.responses @ state)
        block[0] += direct
        direct = np.zeros_like(D)
        total = total + np.abs(block).sum(axis=0)
        state = walk.advance(state)
        left = walk.tail(state)
        if left <= tolerance * float(total.sum()) or left == 0:
            return total
        if not math.isfinite(left):
            break
    raise NumericalError(
        f"the memory of the system is longer than {_MOST_LAGS:.0e} steps; take the impulse "
        "response on a range and its norm there"
    )


def _modal(system: DiagonalStateSpace) -> _Walk | None:
    """Blocks of a diagonal system; the tail is at most `Σ_i |C_i| |B_i| |λ_i|^J/(1 − |λ_i|)`."""
    weights = np.where(np.asarray(system.paired, bool), 2.0, 1.0)
    eigenvalues = np.asarray(system.eigenvalues, np.complex128)
    B, C = np.asarray(system.B, np.complex128), np.asarray(system.C) * weights
    # A mode that no input reaches or no output sees may do what it likes.
    seen = (np.abs(C).max(axis=0, initial=0.0) > 0) & (np.abs(B).max(axis=1, initial=0.0) > 0)
    eigenvalues, B, C = eigenvalues[seen], B[seen], C[:, seen]
    gaps = 1 - np.abs(eigenvalues)
    if (gaps <= 0).any():
        return None
    powers = eigenvalues ** np.arange(_BLOCK)[:, None]
    jump = (eigenvalues**_BLOCK)[:, None]
    return _Walk(
        responses=powers[:, None, :] * C,
        state=B,
        advance=lambda state: jump * state,
        tail=lambda state: float((np.abs(C) @ (np.abs(state) / gaps[:, None])).sum()),
    )


def _dense(system: StateSpace) -> _Walk | None:
    """Blocks of a dense system; with J = A^256 the tail is at most

    `√(entries) ‖A^j B‖_F Σ_{i<256} ‖C A^i‖_F Σ_n ‖J^n‖`, and
    `Σ_n ‖J^n‖ ≤ Π_{k<m} (1 + ‖J^{2^k}‖) / (1 − ‖J^{2^m}‖)`.
    """
    A, B, C = (np.asarray(m, np.float64) for m in (system.A, system.B, system.C))
    if A.size and system.spectral_radius() >= 1:
        return None
    rows, power = [], np.eye(A.shape[0])
    for _ in range(_BLOCK):
        rows.append(C @ power)
        power = power @ A
    responses, jump = np.stack(rows), power
    gain = math.sqrt(C.shape[0] * B.shape[1]) * float(np.linalg.norm(responses, axis=(1, 2)).sum())
    shrink = _norm(power)
    while shrink >= 0.5 and gain < 1e250:
        gain, power = gain * (1 + shrink), power @ power
        shrink = _norm(power)
    gain = gain / (1 - shrink) if shrink < 1 else math.inf
    return _Walk(
        responses=responses,
        state=B,
        advance=lambda state: jump @ state,
        tail=lambda state: gain * float(np.linalg.norm(state)),
    )


def _norm(matrix: np.ndarray) -> float:
    return float(np.linalg.norm(matrix, 2)) if matrix.size else 0.0
