"""Decompositions that keep the small parts of graded matrices accurate."""

from typing import Any

import numpy as np
import scipy.linalg

from remanence.errors import NumericalError


def recompress(factor: np.ndarray) -> np.ndarray:
    """A square `L` with `L Lᴴ = F Fᴴ` for `F` of shape `(order, width)`.

    A QR decomposition of `Fᴴ` with its rows sorted by size and its columns pivoted is accurate
    row by row, not only in norm, so that small columns of `F` survive beside large ones.

    Source: Cox & Higham (1998), "Stability of Householder QR factorization for weighted least
    squares problems".
    """
    order, width = factor.shape
    if order == 0:
        return np.zeros((0, 0), factor.dtype)
    if width < order:
        factor = np.hstack([factor, np.zeros((order, order - width), factor.dtype)])
    by_size = np.argsort(-np.linalg.norm(factor, axis=0), kind="stable")
    decomposition: Any = scipy.linalg.qr(factor[:, by_size].conj().T, mode="r", pivoting=True)
    triangle, pivots = decomposition
    square = np.empty((order, order), factor.dtype)
    square[pivots] = triangle[:order].conj().T
    return square


def graded_svd(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(U, s, V)` with `M = U diag(s) Vᵀ` for a square real `M = D₁ X D₂`, whatever D₁ and D₂ are.

    The usual SVD is accurate to `eps s_1`. LAPACK's preconditioned one-sided Jacobi method is
    accurate to `eps κ(X) s_i` for every i: the diagonal scalings, which hold the 25 decades of a
    system with long memory and weak modes, cost nothing.

    Source: Drmač & Veselić (2008), "New fast and accurate Jacobi SVD algorithm"; LAPACK `dgejsv`.
    """
    size = matrix.shape[0]
    if size == 0 or not matrix.any():
        return np.eye(size), np.zeros(size), np.eye(size)
    (dgejsv,) = scipy.linalg.get_lapack_funcs(("gejsv",), dtype=np.float64)
    # joba 2: A = D1 X D2; jobr 0: keep tiny values; jobu 0, jobv 0: all vectors; no perturbation.
    values, U, V, work, _, info = dgejsv(
        np.asfortranarray(matrix), joba=2, jobu=0, jobv=0, jobr=0, jobt=0, jobp=0
    )
    if info != 0:
        raise NumericalError(f"the Jacobi SVD did not converge (dgejsv: info = {info})")
    return U[:, :size], values * (work[0] / work[1]), V
