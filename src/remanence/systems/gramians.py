"""Gramians and their square roots: how much energy reaches a state, and how much leaves it.

With `y_t = C h_t` after `h_t = A h_{t-1} + B x_t` the Markov parameters are `C A^j B` from j = 0,

    P = Σ_{j≥0} A^j B Bᴴ (Aᴴ)^j,        Q = Σ_{j≥0} (Aᴴ)^j Cᴴ C A^j,

the solutions of `P = A P Aᴴ + B Bᴴ` and `Q = Aᴴ Q A + Cᴴ C`; `D` does not enter. A Gramian squares
the singular values it stands for, so half of their digits vanish when it is formed. Whatever
needs small ones starts from the factors `P = L Lᴴ`, found without forming `P`.
All of this is NumPy in float64 or complex128, whatever JAX's settings are.
"""

import numpy as np
from jaxtyping import Float, Inexact

from remanence.errors import NumericalError, RemanenceError
from remanence.systems._arrays import AnyArray
from remanence.systems._compensated import one_minus_square
from remanence.systems._diagonal_factor import diagonal_factor
from remanence.systems._graded import recompress
from remanence.systems.diagonal import DiagonalStateSpace
from remanence.systems.state_space import StateSpace

# 2^64 steps: more than any spectral radius below 1 in float64 can need.
_DOUBLINGS = 64


def controllability_gramian(
    system: StateSpace | DiagonalStateSpace,
) -> Float[np.ndarray, "order order"]:
    """`P = Σ_j A^j B Bᵀ (Aᵀ)^j`, the steady covariance of the state under white inputs.

    For a diagonal system the coordinates are those of `to_dense()`.

    Raises:
        NumericalError: if the system is unstable (spectral radius ≥ 1) or holds NaN.
    """
    return _squared(controllability_factor(system))


def observability_gramian(
    system: StateSpace | DiagonalStateSpace,
) -> Float[np.ndarray, "order order"]:
    """`Q = Σ_j (Aᵀ)^j Cᵀ C A^j`: `hᵀ Q h` is the energy of the output when `h` is let go.

    More precisely, of the outputs `C h, C A h, …`. For a diagonal system the coordinates are
    those of `to_dense()`.

    Raises:
        NumericalError: if the system is unstable (spectral radius ≥ 1) or holds NaN.
    """
    return _squared(observability_factor(system))


def controllability_factor(
    system: StateSpace | DiagonalStateSpace,
) -> Float[np.ndarray, "order order"]:
    """A square `L` with `P = L Lᵀ`, without forming `P`.

    Diagonal systems have it in closed form, with every column accurate to its own size (see
    `diagonal_factor`); dense systems by doubling (see `gramian_factor`).

    Raises:
        NumericalError: if the system is unstable (spectral radius ≥ 1) or holds NaN.
    """
    if isinstance(system, StateSpace):
        return _real(gramian_factor(system.A, system.B))
    eigenvalues, B, _ = _stable_modes(system)
    return diagonal_factor(eigenvalues, B, np.asarray(system.paired, bool))


def observability_factor(
    system: StateSpace | DiagonalStateSpace,
) -> Float[np.ndarray, "order order"]:
    """A square `L` with `Q = L Lᵀ`, without forming `Q`; see `controllability_factor`.

    Raises:
        NumericalError: if the system is unstable (spectral radius ≥ 1) or holds NaN.
    """
    if isinstance(system, StateSpace):
        return _real(gramian_factor(np.asarray(system.A).T, np.asarray(system.C).T))
    eigenvalues, _, C = _stable_modes(system)
    # In real coordinates the transposed block of λ is that of conj(λ), and the column
    # (2 Re c, −2 Im c) of C is the row of conj(2 c).
    return diagonal_factor(eigenvalues.conj(), C.conj().T, np.asarray(system.paired, bool))


def gramian(
    A: Inexact[AnyArray, "order order"], B: Inexact[AnyArray, "states inputs"]
) -> Inexact[np.ndarray, "order order"]:
    """`P = Σ_j A^j B Bᴴ (Aᴴ)^j` for real or complex matrices.

    `Q` of `(A, C)` is `gramian(Aᴴ, Cᴴ)`.

    Raises:
        NumericalError: if the spectral radius of `A` is 1 or more, or NaN turns up.
    """
    return _squared(gramian_factor(A, B))


def gramian_factor(
    A: Inexact[AnyArray, "order order"], B: Inexact[AnyArray, "states inputs"]
) -> Inexact[np.ndarray, "order order"]:
    """A square `L` with `L Lᴴ = Σ_j A^j B Bᴴ (Aᴴ)^j`, real or complex.

    Square-root Smith doubling: the first 2^{i+1} terms have the factor `[L_i, A^{2^i} L_i]`,
    compressed back to `order` columns by a QR decomposition, until the next block no longer
    changes `L`. Errors are of the order of `eps ‖L‖ / (1 − ρ)`. Against 120-digit arithmetic (16
    states, ρ from 0.5 to 0.99999, skewed coordinates) the Hankel singular values from it are
    within 1e-11 of the largest; from `scipy.linalg.solve_discrete_lyapunov` and eigenvectors they
    are up to 60 times worse, and the smallest are lost.

    Raises:
        RemanenceError: if the shapes do not fit.
        NumericalError: if the spectral radius of `A` is 1 or more, or NaN turns up.

    Source: Smith (1968); square-root form as in Penzl (1999).
    """
    A, B = _float64(A), _float64(B)
    if A.ndim != 2 or A.shape[0] != A.shape[1] or B.ndim != 2 or B.shape[0] != A.shape[0]:
        raise RemanenceError(
            f"a Gramian needs A (order, order) and B (order, inputs), got {A.shape} and {B.shape}"
        )
    _require_finite(A, B)
    radius = float(np.max(np.abs(np.linalg.eigvals(A)), initial=0.0))
    _require_stable(radius, radius < 1)
    factor = recompress(B)
    power = A
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(_DOUBLINGS):
            block = power @ factor
            size, change = np.linalg.norm(factor), np.linalg.norm(block)
            if not (np.isfinite(size) and np.isfinite(change)):
                break
            if change <= np.finfo(float).eps / 16 * size:
                return factor
            factor = recompress(np.hstack([factor, block]))
            power = power @ power
    raise NumericalError(
        f"the Gramian's series did not converge (spectral radius {radius:.17g}): A is too close "
        "to instability, or too far from normal, for float64"
    )


def _float64(matrix: AnyArray) -> np.ndarray:
    array = np.asarray(matrix)
    is_complex = np.issubdtype(array.dtype, np.complexfloating)
    return array.astype(np.complex128 if is_complex else np.float64)


def _squared(factor: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        product = factor @ factor.conj().T
    if not np.isfinite(product).all():
        raise NumericalError("the Gramian is larger than float64 can hold; use its factor")
    return product


def _real(factor: np.ndarray) -> np.ndarray:
    return np.asarray(factor, np.float64)


def _stable_modes(system: DiagonalStateSpace) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    eigenvalues = np.asarray(system.eigenvalues, np.complex128)
    B, C = np.asarray(system.B, np.complex128), np.asarray(system.C, np.complex128)
    _require_finite(eigenvalues, B, C)
    # |λ| itself rounds to 1 before 1 − |λ|² rounds to 0.
    _require_stable(system.spectral_radius(), bool(np.all(one_minus_square(eigenvalues) > 0)))
    return eigenvalues, B, C * np.where(system.paired, 2.0, 1.0)[None, :]


def _require_finite(*arrays: np.ndarray) -> None:
    if not all(np.isfinite(array).all() for array in arrays):
        raise NumericalError("the system holds NaN or infinity, so it has no Gramians")


def _require_stable(radius: float, stable: bool) -> None:
    if not stable:
        raise NumericalError(
            f"the system is unstable (spectral radius {radius:.9g} ≥ 1), so its Gramians are "
            "infinite: use a stable system, or the SVD of a finite "
            "hankel_matrix(system.impulse_response(length))"
        )
