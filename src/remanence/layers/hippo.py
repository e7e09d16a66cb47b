"""HiPPO matrices, and the initial spectra of diagonal state-space layers that come from them.

Continuous time, `dc/dt = A c + B x`. NumPy, float64.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Complex128, Float64

from remanence.errors import RemanenceError

Matrix = Float64[np.ndarray, "order order"]
Vector = Float64[np.ndarray, " order"]


def legs(order: int) -> tuple[Matrix, Vector]:
    """HiPPO-LegS: Legendre polynomials of the whole past, scaled to it.

        A_nk = −√(2n+1) √(2k+1) for n > k, −(n+1) for n = k, 0 for n < k;   B_n = √(2n+1).

    The eigenvalues of `A` are `−1, …, −N`, and `(e^{tA} B)_n = √(2n+1) e^{−t} P_n(2e^{−t} − 1)`.

    Source: Gu et al., HiPPO (NeurIPS 2020), theorem 2; the time-invariant form of S4.
    """
    n, root = _indices(order)
    A = -np.tril(np.outer(root, root), -1) - np.diag(n + 1.0)
    return A, root


def legt(order: int) -> tuple[Matrix, Vector]:
    """HiPPO-LegT: Legendre polynomials of a sliding window, here of length 2.

        A_nk = −½ √(2n+1) √(2k+1) · ((−1)^{n−k} if n < k else 1);   B_n = ½ √(2n+1).

    Reading the oldest point of the window, `Σ_n (−1)^n √(2n+1) c_n`, is the Padé approximant of
    order `[N−1/N]` of the delay `e^{−2s}`, so that `c` holds the window up to that rational
    approximation. `A` and `B` divided by `θ/2` make the window `θ` long.

    Source: Gu et al., HiPPO (NeurIPS 2020), theorem 1; Voelker et al., LMU (NeurIPS 2019).
    """
    n, root = _indices(order)
    later = n[None, :] > n[:, None]
    sign = np.where(later, (-1.0) ** (n[:, None] - n[None, :]), 1.0)
    return -np.outer(root, root) * sign / 2, root / 2


def lagt(order: int) -> tuple[Matrix, Vector]:
    """HiPPO-LagT: Laguerre polynomials under an exponential window.

        A_nk = −1 for n > k, −½ for n = k, 0 for n < k;   B_n = 1.

    `(e^{tA} B)_n = e^{−t/2} L_n(t)`, the orthonormal Laguerre functions.

    Source: Gu et al., HiPPO (NeurIPS 2020), appendix D.2; the impulse response is derived from
    `L_n' = −Σ_{k<n} L_k`.
    """
    _indices(order)
    return np.eye(order) / 2 - np.tril(np.ones((order, order))), np.ones(order)


class NormalPlusLowRank(NamedTuple):
    """`A = V diag(eigenvalues) V* − P Pᵀ` with unitary `V`, and `B = V B_modal`."""

    low_rank: Vector
    """`P`, (order,)."""
    eigenvalues: Complex128[np.ndarray, " order"]
    """`Λ`, of real part exactly −½, by ascending imaginary part."""
    eigenvectors: Complex128[np.ndarray, "order order"]
    """`V`, unitary, one eigenvector per column."""
    B_modal: Complex128[np.ndarray, " order"]
    """`V* B`."""


def legs_normal_plus_low_rank(order: int) -> NormalPlusLowRank:
    """HiPPO-LegS as a normal matrix minus one of rank one: `A = V Λ V* − P Pᵀ`, `P_n = √(n+½)`.

    `A + P Pᵀ + ½ I` is skew-symmetric, so `i` times it is Hermitian and its eigenvalues are found
    as real numbers: the real part of every `Λ_n` is −½ exactly.

    Source: Gu, Goel & Ré, S4 (ICLR 2022), theorem 1.
    """
    A, B = legs(order)
    P = np.sqrt(np.arange(order) + 0.5)
    skew = np.tril(A + np.outer(P, P), -1)
    frequencies, V = np.linalg.eigh(-1j * (skew - skew.T))
    return NormalPlusLowRank(P, -0.5 + 1j * frequencies, V, V.conj().T @ B)


def s4d_lin(pairs: int) -> Complex128[np.ndarray, " pairs"]:
    """S4D-Lin: `a_n = −½ + iπn`, one of each conjugate pair; the first is real.

    Source: Gu et al., On the Parameterization and Initialization of Diagonal State Space Models
    (NeurIPS 2022), section 4, as are the other `s4d_` spectra.
    """
    n, _ = _indices(pairs)
    return -0.5 + 1j * np.pi * n


def s4d_inv(pairs: int) -> Complex128[np.ndarray, " pairs"]:
    """S4D-Inv: `a_n = −½ + i (N/π) (N/(2n+1) − 1)` with `N` twice the number of pairs."""
    n, _ = _indices(pairs)
    order = 2 * pairs
    return -0.5 + 1j * (order / np.pi) * (order / (2 * n + 1) - 1)


def s4d_real(modes: int) -> Float64[np.ndarray, " modes"]:
    """S4D-Real: `a_n = −(n+1)`, the eigenvalues of HiPPO-LegS; real modes."""
    n, _ = _indices(modes)
    return -(n + 1.0)


def s4d_legs(pairs: int) -> Complex128[np.ndarray, " pairs"]:
    """S4D-LegS: the upper half of the spectrum of `legs_normal_plus_low_rank(2 · pairs)`."""
    _indices(pairs)
    return legs_normal_plus_low_rank(2 * pairs).eigenvalues[pairs:]


def _indices(order: int) -> tuple[np.ndarray, Vector]:
    if order < 1:
        raise RemanenceError(f"a spectrum or a HiPPO matrix of order {order}: give at least 1")
    n = np.arange(order)
    return n, np.sqrt(2.0 * n + 1)
