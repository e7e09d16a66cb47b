"""Systems that fit every lag they were shown and miss the next: why the theorems are sharp."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from remanence.errors import RemanenceError
from remanence.systems._arrays import AnyArray
from remanence.systems.state_space import StateSpace


def jacobi_counterexample(
    target_moments: Float[AnyArray, " length"], *, order: int, excess: float
) -> StateSpace:
    """A *balanced* system of order d̂ + 1 with `h_j = ĝ_j` for `j < 2d̂`, `h_{2d̂} = ĝ_{2d̂} + c`.

    The moment theorem needs 2d̂ + 1 lags; this is why 2d̂ are not enough. From the Hankel matrix
    `H = L Lᵀ` of the first 2d̂ moments, `J = L⁻¹ H⁺ L⁻ᵀ` is the teacher's Jacobi matrix
    (symmetric, tridiagonal, off-diagonals β_i) and `m_0 β_1² … β_{d̂−1}² = L²_{d̂d̂}`. One more
    row with `β_{d̂}² = c / L²_{d̂d̂}` adds to `m_0 (J^j)_{11}` the paths that reach the new site:
    none for `j < 2d̂`, exactly one, of weight `m_0 β_1² … β_{d̂}² = c`, for `j = 2d̂`. ∎

    Args:
        target_moments: at least 2·order Markov parameters of a balanced teacher.
        order: the teacher's order d̂.
        excess: c > 0. (No balanced system falls short at lag 2d̂: the Hankel matrix of its
            moments is positive semidefinite.)

    Returns:
        `A` symmetric, `B = Cᵀ`.

    Raises:
        RemanenceError: if there are too few moments, `excess` is not positive, or the moments are
            not those of a positive measure with at least `order` atoms.

    Source: sharpness of the moment theorem of Cohen-Karlik et al. 2023: derived above.
    """
    moments = _sequence(target_moments)
    if order < 1 or len(moments) < 2 * order:
        raise RemanenceError(f"order {order} needs at least {max(2 * order, 2)} moments and ≥ 1")
    if not (np.isfinite(excess) and excess > 0):
        raise RemanenceError(f"excess must be positive, got {excess}")
    index = np.arange(order)[:, None] + np.arange(order)[None, :]
    try:
        factor = np.linalg.cholesky(moments[index])
    except np.linalg.LinAlgError:
        raise RemanenceError(
            f"the moments are not those of a positive measure with {order} atoms or more"
        ) from None
    A = np.zeros((order + 1, order + 1))
    inner = np.linalg.solve(factor, np.linalg.solve(factor, moments[index + 1]).T)
    # Tridiagonal in exact arithmetic: what rounding leaves elsewhere is dropped.
    A[:order, :order] = np.triu(np.tril((inner + inner.T) / 2, 1), -1)
    A[order, order - 1] = A[order - 1, order] = np.sqrt(excess) / factor[-1, -1]
    B = np.sqrt(moments[0]) * np.eye(order + 1)[:, :1]
    return StateSpace(A, B, B.T)


@dataclass(frozen=True, eq=False)
class Recurrence:
    """`s_n = Σ_{i=1}^{L} c_i s_{n−i}` for every n ≥ L within the sequence it was found on."""

    coefficients: Float[np.ndarray, " complexity"]
    """`c_1 … c_L`."""

    @property
    def complexity(self) -> int:
        """L, the linear complexity: no shorter recurrence produces the sequence."""
        return len(self.coefficients)


def berlekamp_massey(
    sequence: Float[AnyArray, " length"], *, tolerance: float = 1e-9
) -> Recurrence:
    """The shortest linear recurrence that produces a sequence, over the real numbers.

    At each n the discrepancy `s_n − Σ c_i s_{n−i}` is formed; where it is not zero the recurrence
    is corrected by an earlier one, and its length L becomes `max(L, n + 1 − L)`.

    Args:
        sequence: `s_0 … s_{length−1}`.
        tolerance: a discrepancy is zero if it is at most this times `|s_n| + Σ |c_i s_{n−i}|`.
            Over floating-point numbers the answer depends on it; sequences that need many digits
            (close or weak modes) need the Hankel matrix's singular values instead.

    Raises:
        RemanenceError: if the sequence is not a vector of finite numbers.

    Source: Massey 1969.

        >>> berlekamp_massey(np.array([0.0, 1.0, 1.0, 2.0, 3.0, 5.0])).coefficients.tolist()
        [1.0, 1.0]
    """
    values = _sequence(sequence)
    current, previous = np.array([1.0]), np.array([1.0])
    length, shift, last = 0, 1, 1.0
    for n in range(len(values)):
        taps = current[: n + 1]
        terms = taps * values[n::-1][: len(taps)]
        discrepancy = float(np.sum(terms))
        if abs(discrepancy) <= tolerance * np.sum(np.abs(terms)):
            shift += 1
            continue
        correction = np.concatenate([np.zeros(shift), previous]) * (discrepancy / last)
        longer = np.zeros(max(len(current), len(correction)))
        longer[: len(current)] = current
        longer[: len(correction)] -= correction
        if 2 * length <= n:
            length, previous, last, shift = n + 1 - length, current, discrepancy, 1
        else:
            shift += 1
        current = longer
    coefficients = np.zeros(length)
    kept = -current[1 : length + 1]
    coefficients[: len(kept)] = kept
    return Recurrence(coefficients)


def shortest_counterexample(
    markov_parameters: Float[AnyArray, " length"], *, excess: float, tolerance: float = 1e-10
) -> StateSpace:
    """The smallest system with `h_j = ĝ_j` for `j < k` and `h_k = ĝ_k + c`, of order k + 1 − d̂.

    The order theorem needs k ≥ d + d̂ lags; this is why k = d + d̂ − 1 are not enough. A
    recurrence of length `L = k + 1 − d̂` through `ĝ_0 … ĝ_{k−1}, ĝ_k + c` has d̂ equations (at
    n = L … k) for L unknowns, whose matrix has full rank because the teacher is minimal and
    `L > d̂`; the least-norm solution is taken. A shorter one cannot exist (Massey 1969:
    complexities before and after a wrong digit sum to k + 1). Realised by the companion matrix,
    `B = (ĝ_0 … ĝ_{L−1})ᵀ`, `C = e₁ᵀ`.

    Args:
        markov_parameters: k of them, of a teacher of order d̂ with 2d̂ ≤ k; one input and output.
        excess: c, of either sign, not 0.
        tolerance: d̂ is the number of singular values of the Hankel matrix above this share of
            the largest.

    Raises:
        RemanenceError: if `excess` is zero or not finite, or k < 2d̂ (the Hankel matrix has
            full rank, so that the order is not determined).

    Source: derived above.
    """
    values = _sequence(markov_parameters)
    k = len(values)
    if k < 1 or not np.isfinite(excess) or excess == 0:
        raise RemanenceError(
            "a counterexample needs Markov parameters and an excess that is not 0"
        )
    window = np.lib.stride_tricks.sliding_window_view
    spectrum = np.linalg.svd(window(values, (k + 1) // 2), compute_uv=False)
    small = int(np.sum(spectrum > tolerance * spectrum[0]))
    # ĝ_k itself is what the recurrence of order d̂ ≤ k/2 says.
    if 2 * small > k:
        raise RemanenceError(f"{k} Markov parameters do not determine an order: give more of them")
    order = k + 1 - small
    truth = 0.0
    if small:
        taps = np.linalg.lstsq(window(values[:-1], small), values[small:], rcond=None)[0]
        truth = float(taps @ values[-small:])
    missed = np.append(values, truth + excess)
    A = np.eye(order, k=1)
    if small:
        rows = window(missed[:-1], order)
        A[-1] = np.linalg.lstsq(rows, missed[order:], rcond=None)[0]
    return StateSpace(A, missed[:order, None], np.eye(order)[:1])


def _sequence(values: AnyArray) -> np.ndarray:
    """A finite float64 vector."""
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise RemanenceError(f"expected a vector of finite numbers, got shape {array.shape}")
    return array
