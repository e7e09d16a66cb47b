"""Which directions of a dense recurrent matrix feel the curse of memory."""

import dataclasses

import jax
import numpy as np
from jaxtyping import Bool, Complex, Float

from remanence.report import AbstractProgress
from remanence.studies.sensitivity.hessians_settings import HessianSettings
from remanence.studies.sensitivity.hessians_teachers import from_eigenbasis
from remanence.theory import dense_hessian

PHASES = (0.7, 2.0)
"""Phases of the eigenvalues in radians; a third one is ε from the first, a neighbour."""
ORDER = 6

_dense_hessian = jax.jit(dense_hessian)


@dataclasses.dataclass(frozen=True)
class Growth:
    """Curvatures of `L` as memory grows, in directions of `A`.

    - `shortfalls`: ε = 1 − |λ|.
    - `curvature[i, d, p, q]`: `dᴴ H d / |ĉ_p b̂_q|²` along `dA = V E_pq V⁻¹`, at `shortfalls[i]`
      in draw d.
    - `entries[i, d, j, k]`: `∂²L/∂A_jk²`.
    - `expected[i, p, q]`: `Σ_n |f_n(p, q)|²`, what `curvature` should be.
    - `same`, `near`: which `(p, q)` are equal, and which are neighbours (`|λ_p − λ_q| ≈ ε`).
    """

    shortfalls: Float[np.ndarray, " memories"]
    curvature: Float[np.ndarray, "memories draws order order"]
    entries: Float[np.ndarray, "memories draws order order"]
    expected: Float[np.ndarray, "memories order order"]
    same: Bool[np.ndarray, "order order"]
    near: Bool[np.ndarray, "order order"]

    @property
    def far(self) -> Bool[np.ndarray, "order order"]:
        """The other directions: |λ_p − λ_q| = O(1)."""
        return ~(self.same | self.near)

    def slopes(self, values: Float[np.ndarray, "memories ..."]) -> Float[np.ndarray, "..."]:
        """Least-squares slopes of log `values` against log ε."""
        x = np.log(self.shortfalls)
        x = x - np.mean(x)
        return np.tensordot(x, np.log(values), 1) / np.sum(x**2)


def measure_growth(settings: HessianSettings, progress: AbstractProgress) -> Growth:
    """Transform the Hessian of dense systems into their eigenbasis, at every memory."""
    curvature, entries, expected = [], [], []
    for i, shortfall in enumerate(settings.shortfalls):
        progress.update(i / len(settings.shortfalls), f"memory, 1 − |λ| = {shortfall:g}")
        eigenvalues = growth_eigenvalues(shortfall)
        expected.append(expected_curvature(eigenvalues))
        pairs = [
            _curvatures(eigenvalues, settings.seed, draw) for draw in range(settings.growth_draws)
        ]
        curvature.append([along for along, _ in pairs])
        entries.append([entry for _, entry in pairs])
    same = np.eye(ORDER, dtype=bool)
    pair = np.kron(np.eye(2, dtype=bool), np.array([[1, 1, 0], [1, 1, 0], [0, 0, 0]], bool))
    return Growth(
        np.array(settings.shortfalls),
        np.array(curvature),
        np.array(entries),
        np.array(expected),
        same,
        pair & ~same,
    )


def growth_eigenvalues(shortfall: float) -> np.ndarray:
    """Three eigenvalues of magnitude `1 − shortfall`, two of them neighbours, and conjugates."""
    half = (1 - shortfall) * np.exp(1j * np.array([PHASES[0], PHASES[0] + shortfall, PHASES[1]]))
    return np.concatenate([half, half.conj()])


def expected_curvature(eigenvalues: np.ndarray) -> Float[np.ndarray, "order order"]:
    """`Σ_n |f_n(p, q)|²`: `(1 + ν²)/(1 − ν²)³` for p = q, else by three geometric sums.

    Σ_n |(λ_p^n − λ_q^n)/(λ_p − λ_q)|²
        = [1/(1 − |λ_p|²) + 1/(1 − |λ_q|²) − 2 Re 1/(1 − λ_p λ̄_q)] / |λ_p − λ_q|²
    """
    p, q = eigenvalues[:, None], eigenvalues[None, :]
    power = 1 / (1 - np.abs(eigenvalues) ** 2)
    difference = np.abs(p - q) ** 2
    cross = 2 * (1 / (1 - p * q.conj())).real
    off = (power[:, None] + power[None, :] - cross) / np.where(difference == 0, 1, difference)
    return np.where(difference == 0, (1 + np.abs(p) ** 2) * power[:, None] ** 3, off)


def _unitary_basis(rng: np.random.Generator) -> Complex[np.ndarray, "order order"]:
    """`U = [U₀; Ū₀]` with orthonormal rows: a normal `A`, with eigenvectors on all axes.

    Rounding enters the curvatures as 1e-16 cond(V)⁴ of the largest: where cond(V) is not 1 it
    hides ε⁻¹ beside ε⁻³.
    """
    Q = np.linalg.qr(rng.normal(size=(ORDER, ORDER)))[0]
    half = (Q[0::2] + 1j * Q[1::2]) / np.sqrt(2)
    return np.concatenate([half, half.conj()])


def _curvatures(
    eigenvalues: np.ndarray, seed: int, draw: int
) -> tuple[Float[np.ndarray, "order order"], Float[np.ndarray, "order order"]]:
    rng = np.random.default_rng((seed, draw))
    basis = _unitary_basis(rng)
    B, C, D = rng.normal(size=(ORDER, 1)), rng.normal(size=(1, ORDER)), np.zeros((1, 1))
    teacher = from_eigenbasis(eigenvalues, basis, B, C, D)
    H = np.asarray(_dense_hessian(teacher.dense))[: ORDER**2, : ORDER**2]
    V = basis.conj().T
    directions = np.einsum("ip,qj->pqij", V, basis).reshape(ORDER**2, ORDER**2)
    along = np.einsum("di,ij,dj->d", directions.conj(), H, directions).real
    c, b = np.asarray(teacher.modes.C)[0], np.asarray(teacher.modes.B)[:, 0]
    unit = np.abs(c[:, None] * b[None, :]) ** 2
    return along.reshape(ORDER, ORDER) / unit, np.diag(H).reshape(ORDER, ORDER)
