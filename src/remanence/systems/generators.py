"""Teachers: small systems with a known order, response and minimal norm, to be learned."""

from dataclasses import dataclass

import jax
import numpy as np
import scipy.linalg
from jaxtyping import Array, Float, Key

from remanence.errors import NumericalError, RemanenceError
from remanence.systems._arrays import AnyArray
from remanence.systems.state_space import StateSpace


@dataclass(frozen=True, eq=False)
class Teacher:
    """A system to be learned, and what is known about it."""

    system: StateSpace
    """The teacher; `D` is zero."""
    order: int
    """Its minimal order, the rank of its Hankel matrix."""
    minimal_norm: float
    """`min ‖A‖² + ‖B‖² + ‖C‖²` over all systems similar to it; see `minimal_norm`."""
    name: str
    """A short name for tables and figures."""


def balanced_teacher(
    eigenvalues: Float[AnyArray, " order"], weights: Float[AnyArray, " order"]
) -> Teacher:
    """`ĝ_j = Σ_i w_i λ_i^j` with `w > 0`: the moments of a positive measure.

    `A = diag(λ)`, `B = Cᵀ = √w`. Symmetric, so its own minimal-norm realisation:
    `Σ λ_i² + 2 Σ w_i`.

    Args:
        eigenvalues: `(order,)`, distinct; weights: `(order,)`, positive.

    Raises:
        RemanenceError: if shapes differ, an eigenvalue is repeated, or a weight is not positive.

    Source: Cohen-Karlik et al. 2023 (balanced teacher); the norm: Kempf & Ness 1979.

        >>> balanced_teacher(np.array([0.5]), np.array([4.0])).minimal_norm
        8.25
    """
    poles, masses = _modes(eigenvalues, weights)
    if np.any(masses <= 0):
        raise RemanenceError("a balanced teacher needs positive weights; see signed_teacher")
    root = np.sqrt(masses)
    system = StateSpace(np.diag(poles), root[:, None], root[None, :])
    norm = float(np.sum(poles**2) + 2 * np.sum(masses))
    return Teacher(system, len(poles), norm, f"balanced({len(poles)})")


def spread_teacher(order: int) -> Teacher:
    """The balanced teacher with `λ = linspace(.92, −.78)`, `w ∝ linspace(1.2, .8)`, `Σ w = 1`.

    Raises:
        RemanenceError: if `order` is below 1.

    Source: this project's standard teacher G(order).
    """
    _require_order(order)
    weights = np.linspace(1.2, 0.8, order)
    teacher = balanced_teacher(np.linspace(0.92, -0.78, order), weights / weights.sum())
    return Teacher(teacher.system, order, teacher.minimal_norm, f"spread({order})")


def signed_teacher(
    eigenvalues: Float[AnyArray, " order"], weights: Float[AnyArray, " order"]
) -> Teacher:
    """`ĝ_j = Σ_i w_i λ_i^j` with weights of either sign: `B = √|w|`, `C = sign(w) √|w|`.

    With a negative weight it is not similar to a balanced system.

    Raises:
        RemanenceError: if shapes differ, an eigenvalue is repeated, or a weight is zero.

    Source: derived.
    """
    poles, masses = _modes(eigenvalues, weights)
    if np.any(masses == 0):
        raise RemanenceError("a weight is zero: its mode is not part of the teacher")
    root = np.sqrt(np.abs(masses))
    system = StateSpace(np.diag(poles), root[:, None], (np.sign(masses) * root)[None, :])
    return Teacher(system, len(poles), minimal_norm(system), f"signed({len(poles)})")


def damped_rotation(magnitude: float, phase: float) -> Teacher:
    """`ĝ_j = ρ^j cos(jθ)`: order 2, complex poles `ρ e^{±iθ}`; minimal norm `2ρ² + 2`.

    `A = ρ` times a rotation, `B = Cᵀ = e₁`: `AAᵀ = AᵀA`, so M = 0 (see `minimal_norm`).

    Raises:
        RemanenceError: if `magnitude` is not positive, or `phase` is a multiple of π (order 1).

    Source: derived.
    """
    if not (np.isfinite(magnitude) and magnitude > 0):
        raise RemanenceError(f"magnitude must be positive, got {magnitude}")
    # sin(nπ) is a rounding away from 0, never exactly 0.
    if not abs(np.sin(phase)) > 1e-12:
        raise RemanenceError(f"a phase that is a multiple of π gives order 1, got {phase}")
    cosine, sine = magnitude * np.cos(phase), magnitude * np.sin(phase)
    unit = np.array([[1.0], [0.0]])
    system = StateSpace(np.array([[cosine, -sine], [sine, cosine]]), unit, unit.T)
    return Teacher(system, 2, float(2 * magnitude**2 + 2), f"rotation({magnitude:g}, {phase:g})")


def delay_teacher(order: int) -> Teacher:
    """`ĝ_j = 1` at `j = order − 1`, else 0: a down-shift; minimal norm `order + 1`.

    The canonical shift has M = 0 (see `minimal_norm`): `AAᵀ + BBᵀ = AᵀA + CᵀC = I`.

    Raises:
        RemanenceError: if `order` is below 1.

    Source: Cohen-Karlik et al. 2023 (unbalanced teacher); the norm: derived.
    """
    _require_order(order)
    unit = np.eye(order)
    system = StateSpace(np.eye(order, k=-1), unit[:, :1], unit[-1:])
    return Teacher(system, order, float(order + 1), f"delay({order})")


def memoryless_teacher(gain: float = 1.0) -> Teacher:
    """`ĝ_0 = gain`, all else 0: order 1, `A = 0`, `|B| = |C| = √|gain|`; norm `2 |gain|`.

    Raises:
        RemanenceError: if `gain` is zero or not finite.

    Source: Cohen-Karlik et al. 2022 (memoryless teacher).
    """
    if not (np.isfinite(gain) and gain != 0):
        raise RemanenceError(f"gain must be a number other than 0, got {gain}")
    root = float(np.sqrt(abs(gain)))
    system = StateSpace([[0.0]], [[root]], [[root if gain > 0 else -root]])
    return Teacher(system, 1, 2 * float(abs(gain)), f"memoryless({gain:g})")


def ring_teacher(order: int, *, inner: float, outer: float, key: Key[Array, ""]) -> Teacher:
    """A random dense system whose poles lie in the ring `inner ≤ |λ| ≤ outer`.

    `A = Q (Λ + N) Qᵀ`: Λ holds 2 × 2 blocks of conjugate pairs (and one real pole if the order is
    odd), magnitudes uniform in the ring, phases uniform; N is strictly block upper triangular
    with entries N(0, 1/(4 order)), which makes A non-normal but moves no pole; Q is a random
    orthogonal matrix. Entries of B and C are N(0, 1/order). Minimal with probability one.

    Raises:
        RemanenceError: if `order` is below 1 or not `0 ≤ inner ≤ outer`.

    Source: derived (real Schur form).
    """
    _require_order(order)
    if not (0 <= inner <= outer and np.isfinite(outer) and outer > 0):
        raise RemanenceError(f"a ring needs 0 ≤ inner ≤ outer and outer > 0: {inner}, {outer}")
    # NumPy from the key's bits: the same float64 numbers whatever JAX's precision is.
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)).ravel())
    A = np.triu(rng.standard_normal((order, order)), 1) / (2 * np.sqrt(order))
    for start in range(0, order - 1, 2):
        magnitude, phase = rng.uniform(inner, outer), rng.uniform(0, np.pi)
        cosine, sine = magnitude * np.cos(phase), magnitude * np.sin(phase)
        A[start : start + 2, start : start + 2] = [[cosine, -sine], [sine, cosine]]
    if order % 2:
        A[-1, -1] = rng.uniform(inner, outer) * rng.choice([-1.0, 1.0])
    Q = np.linalg.qr(rng.standard_normal((order, order)))[0]
    B, C = (rng.standard_normal(shape) / np.sqrt(order) for shape in ((order, 1), (1, order)))
    system = StateSpace(Q @ A @ Q.T, B, C)
    name = f"ring({order}, {inner:g}–{outer:g})"
    return Teacher(system, order, minimal_norm(system), name)


def minimal_norm(system: StateSpace) -> float:
    """`inf ‖T A T⁻¹‖² + ‖T B‖² + ‖C T⁻¹‖²` over invertible T (Frobenius norms).

    The norm that gradient descent from near-zero values ends at. Along `T = e^{tS}`, S symmetric,

        d/dt = 2 ⟨S, M⟩,   M = A Aᵀ − Aᵀ A + B Bᵀ − Cᵀ C,
        d²/dt² = 4 (‖S A − A S‖² + ‖S B‖² + ‖C S‖²) ≥ 0,

    (`X ↦ SX − XS` is self-adjoint, and `d²‖e^{tL}v‖² = 4‖Lv‖²` for self-adjoint L), so the
    problem is convex and M = 0 marks its minimum. A Newton step minimises
    `‖(SA − AS + A/2, SB + B/2, CS − C/2)‖²`: a least-squares problem, solved as one, no squaring.
    Until `‖2M‖ ≤ 1e-10` of the norm; the value's error is quadratic in that. O(order⁶) a step.

    The infimum is attained exactly if the system is minimal. `D` does not enter.

    Raises:
        NumericalError: if the matrices hold NaN or infinity, or Newton's method does not converge.

    Source: Kempf & Ness 1979; the Newton step: derived above.

        >>> round(minimal_norm(StateSpace([[0.5]], [[100.0]], [[0.01]])), 12)
        2.25
    """
    A, B, C = (np.asarray(m, np.float64) for m in (system.A, system.B, system.C))
    if not all(np.isfinite(m).all() for m in (A, B, C)):
        raise NumericalError("the system holds NaN or infinity, so it has no norm")
    order = system.order
    # An orthonormal basis of the symmetric matrices.
    basis = []
    for i in range(order):
        for k in range(i + 1):
            element = np.zeros((order, order))
            element[i, k] = element[k, i] = 1.0 if i == k else np.sqrt(0.5)
            basis.append(element)
    basis = np.array(basis).reshape(-1, order, order)
    norm = _norm(A, B, C)
    for _ in range(500):
        M = A @ A.T - A.T @ A + B @ B.T - C.T @ C
        if 2 * np.linalg.norm(M) <= 1e-10 * norm:
            return norm
        rows = (basis @ A - A @ basis, basis @ B, C @ basis)
        design = np.concatenate([r.reshape(len(basis), -1) for r in rows], axis=1).T
        wanted = -0.5 * np.concatenate([A.ravel(), B.ravel(), -C.ravel()])
        S = np.tensordot(np.linalg.lstsq(design, wanted, rcond=None)[0], basis, axes=1)
        S /= max(1.0, float(np.linalg.norm(S, 2)))
        while True:
            T, inverse = np.asarray(scipy.linalg.expm(S)), np.asarray(scipy.linalg.expm(-S))
            moved = (T @ A @ inverse, T @ B, C @ inverse)
            # Close to the minimum the decrease drowns in rounding: full steps are safe there.
            if _norm(*moved) < norm or np.linalg.norm(S) <= 1e-5:
                break
            S /= 2
        (A, B, C), norm = moved, _norm(*moved)
    raise NumericalError("the minimal norm did not converge in 500 Newton steps")


def _norm(*matrices: np.ndarray) -> float:
    return float(sum(np.sum(m**2) for m in matrices))


def _require_order(order: int) -> None:
    if order < 1:
        raise RemanenceError(f"the order of a teacher must be at least 1, got {order}")


def _modes(eigenvalues: AnyArray, weights: AnyArray) -> tuple[np.ndarray, np.ndarray]:
    """Both in float64, checked."""
    poles, masses = np.asarray(eigenvalues, np.float64), np.asarray(weights, np.float64)
    if poles.ndim != 1 or poles.shape != masses.shape or not poles.size:
        raise RemanenceError(
            "a teacher needs as many eigenvalues as weights, at least one of each: "
            f"got shapes {poles.shape} and {masses.shape}"
        )
    if not (np.isfinite(poles).all() and np.isfinite(masses).all()):
        raise RemanenceError("eigenvalues and weights must be finite")
    if len(np.unique(poles)) < len(poles):
        raise RemanenceError("an eigenvalue is repeated: merge its weights into one")
    return poles, masses
