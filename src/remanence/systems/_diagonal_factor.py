"""The square root of a diagonal system's Gramian in closed form, every column to its own size."""

import numpy as np

from remanence.systems._compensated import one_minus_product, one_minus_square
from remanence.systems._graded import recompress


def diagonal_factor(eigenvalues: np.ndarray, B: np.ndarray, paired: np.ndarray) -> np.ndarray:
    """The real `(order, order)` factor of `Σ_j A^j B Bᵀ (Aᵀ)^j`, in the coordinates of `to_dense`.

    One input, distinct or repeated eigenvalues: `P_{ik} = b_i b̄_k / (1 − λ_i λ̄_k)` has a Cholesky
    factor in closed form. Take any pivot k, then

        L_{:,k} = w √(1 − |λ_k|²) / (1 − λ λ̄_k),      w ← w (λ − λ_k) / (1 − λ λ̄_k),

    starting from `w = b`: the orthonormal basis of Takenaka and Malmquist, one Blaschke factor a
    step. There is no subtraction except `λ_i − λ_k` (exact data, exact cancellation) and
    `1 − λ_i λ̄_k` (compensated), so every entry is accurate to a few roundings *of its own size*.
    Pivoting on the largest remaining entry puts the columns in falling size, as the SVD of
    `Loᵀ Lc` likes them. O(modes²).

    A pair takes two steps, with λ and λ̄. The two columns u, v then obtained are rotated into
    real ones by a unitary 2 × 2 matrix: with `J u` the column that conjugates all modes,

        J u = x u + y v,   x = (1 − |λ|²)/(1 − λ²),   y = (λ − λ̄)/(1 − λ²),   |x|² + |y|² = 1,

    and after turning u's phase so that x = |x| and v's so that y is real, with
    `cos = √((1 + |x|)/2)` and `sin = y / (2 cos)`, the columns
    `r₁ = cos u + sin v` and `r₂ = −i (sin u − cos v)` belong to real states. (`u + J u` and
    `u − J u`, normalised; written so that a λ close to the real axis costs no digits.) Only one
    row per pair is kept: its real and imaginary parts are the two rows of the real factor.

    Several inputs: the Gramian is a sum over inputs, so the factors stand side by side and are
    recompressed.

    Source: Cholesky of a Cauchy matrix: Gohberg, Kailath & Olshevsky (1995); Takenaka (1925),
    Malmquist (1926); the real rotation: derived above.
    """
    if B.shape[1] == 1:
        return _one_input(eigenvalues, B[:, 0], paired)
    order = len(paired) + int(paired.sum())
    blocks = [_one_input(eigenvalues, column, paired) for column in B.T]
    return recompress(np.hstack([np.zeros((order, 0)), *blocks]))


def _one_input(eigenvalues: np.ndarray, b: np.ndarray, paired: np.ndarray) -> np.ndarray:
    decay = one_minus_square(eigenvalues)
    root_decay = np.sqrt(decay)
    is_left = np.ones(len(paired), bool)
    weights = b.astype(np.complex128)
    columns = []
    for _ in paired:
        pivot = int(np.argmax(np.where(is_left, np.abs(weights) / root_decay, -1.0)))
        is_left[pivot] = False
        pole, scale = eigenvalues[pivot], root_decay[pivot]
        denominators = one_minus_product(eigenvalues, pole)
        first = weights * (scale / denominators)
        weights = weights * ((eigenvalues - pole) / denominators)
        if not paired[pivot]:
            columns.append(first)
            continue
        denominators = one_minus_product(eigenvalues, pole.conj())
        second = weights * (scale / denominators)
        weights = weights * ((eigenvalues - pole.conj()) / denominators)
        columns.extend(_real_columns(first, second, pole, decay[pivot]))
    states = np.array(columns).T.reshape(len(paired), len(columns))
    rows = [
        row
        for mode, pair in enumerate(paired)
        for row in ((states[mode].real, states[mode].imag) if pair else (states[mode].real,))
    ]
    return np.array(rows).reshape(len(rows), len(columns))


def _real_columns(
    u: np.ndarray, v: np.ndarray, pole: np.complex128, decay: np.float64
) -> tuple[np.ndarray, np.ndarray]:
    """The two columns of a pair, rotated so that they belong to real states."""
    denominator = complex(one_minus_product(pole, pole.conj()))
    x = decay / denominator
    # y's phase is taken without the factor Im λ, so that it exists for a pair on the real axis.
    direction = 2j / denominator
    y = pole.imag * abs(direction)
    half_turn = np.sqrt(x / abs(x))
    u = u * half_turn
    v = v * (direction / abs(direction) / half_turn)
    cosine = np.sqrt((1 + abs(x)) / 2)
    sine = y / (2 * cosine)
    return cosine * u + sine * v, -1j * (sine * u - cosine * v)
