"""Rank, spectrum and conditioning of Hessians at a perfect fit, over many teachers."""

import dataclasses
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from remanence.report import AbstractProgress
from remanence.studies.sensitivity.hessians_settings import HessianSettings
from remanence.studies.sensitivity.hessians_teachers import (
    DENSE,
    DIAGONAL,
    STUDENTS,
    Teacher,
    conditioning_teacher,
)
from remanence.systems import StateSpace
from remanence.theory import (
    Modes,
    dense_hessian,
    diagonal_hessian,
    horizon_weights,
    jacobi_preconditioned,
    kernel_hessian,
    kernel_jacobian,
)

RANK = 9
"""2N + 1 for a single-input single-output system of order N = 4 with a direct term."""
RANK_SHARE = 1e-8
"""Singular values of the scaled Jacobian above this share of the largest count.

The eigenvalues of the preconditioned Hessian are their squares: 1e-16 of the largest.
"""
_TOP = 4


@dataclasses.dataclass(frozen=True)
class Conditioning:
    """Measures of `H = 2 · ½ Jᵀ W J`, `(teachers,)` each, of one parametrisation.

    - `rank`: of the preconditioned Hessian; scaling coordinates does not change a rank.
    - `kept`, `dropped`: the 9th and the 10th singular value there, as shares of the first.
    - `spectrum`, `scaled_spectrum`: the 9 largest eigenvalues of `H` and of `Δ^{-1/2} H Δ^{-1/2}`,
      descending.
    - `participation`: of the four leading eigenvectors of `H`, their mean.
    - `off_diagonal`: `‖H − diag H‖ / ‖H‖`, Frobenius norms.
    """

    rank: Int[np.ndarray, " teachers"]
    kept: Float[np.ndarray, " teachers"]
    dropped: Float[np.ndarray, " teachers"]
    spectrum: Float[np.ndarray, "teachers 9"]
    scaled_spectrum: Float[np.ndarray, "teachers 9"]
    participation: Float[np.ndarray, " teachers"]
    off_diagonal: Float[np.ndarray, " teachers"]

    @property
    def largest(self) -> Float[np.ndarray, " teachers"]:
        """λ_max of `H`."""
        return self.spectrum[:, 0]

    @property
    def condition(self) -> Float[np.ndarray, " teachers"]:
        """λ_1 / λ_9 of `H`."""
        return self.spectrum[:, 0] / self.spectrum[:, -1]

    @property
    def scaled_condition(self) -> Float[np.ndarray, " teachers"]:
        """λ_1 / λ_9 after Jacobi preconditioning."""
        return self.scaled_spectrum[:, 0] / self.scaled_spectrum[:, -1]


@partial(jax.jit, static_argnames="horizon")
def scaled_jacobians(
    dense: StateSpace, modes: Modes, *, horizon: int
) -> dict[str, Float[Array, "horizon parameters"]]:
    """`√w_n ∂k_n/∂w` of every student at the teacher, `w_n = 1 − n/T`; its Gram matrix is `H`."""
    root = jnp.sqrt(horizon_weights(horizon))
    found = {}
    for student in STUDENTS:

        def kernel(w: Array, student=student) -> Array:
            return student.kernel(w, dense, modes, horizon)

        J = kernel_jacobian(kernel, student.coordinates(dense, modes))
        found[student.name] = root[:, None] * J[:, 0, 0, :]
    return found


def measure(jacobian: Float[np.ndarray, "horizon parameters"]) -> dict[str, Any]:
    """The measures of `Conditioning` for one teacher.

    They come from singular values of the Jacobian: squares of which are the eigenvalues of `H`,
    with twice the digits that the eigenvalues of the formed matrix would have.
    """
    _, singular, right = np.linalg.svd(jacobian, full_matrices=False)
    norms = np.linalg.norm(jacobian, axis=0)
    scaled = np.linalg.svd(jacobian / norms, compute_uv=False)
    H = jacobian.T @ jacobian
    off = H - np.diag(np.diag(H))
    return {
        "rank": np.sum(scaled > RANK_SHARE * scaled[0]),
        "kept": scaled[RANK - 1] / scaled[0],
        "dropped": scaled[RANK] / scaled[0],
        "spectrum": singular[:RANK] ** 2,
        "scaled_spectrum": scaled[:RANK] ** 2,
        "participation": np.mean(1 / np.sum(right[:_TOP] ** 4, axis=1)),
        "off_diagonal": np.linalg.norm(off) / np.linalg.norm(H),
    }


def measure_conditioning(
    settings: HessianSettings, progress: AbstractProgress
) -> dict[str, Conditioning]:
    """`Conditioning` of every student, by name, over `settings.teachers` teachers."""
    rows: dict[str, list[dict[str, Any]]] = {student.name: [] for student in STUDENTS}
    for index in range(settings.teachers):
        progress.update(index / settings.teachers, f"teacher {index + 1} of {settings.teachers}")
        for name, J in jacobians_of(conditioning_teacher(settings.seed, index), settings).items():
            rows[name].append(measure(J))
    return {
        name: Conditioning(**{key: np.stack([row[key] for row in found]) for key in found[0]})
        for name, found in rows.items()
    }


def jacobians_of(
    teacher: Teacher, settings: HessianSettings
) -> dict[str, Float[np.ndarray, "horizon parameters"]]:
    """`scaled_jacobians` as NumPy arrays."""
    found = scaled_jacobians(teacher.dense, teacher.modes, horizon=settings.horizon)
    return {name: np.asarray(J) for name, J in found.items()}


@dataclasses.dataclass(frozen=True)
class InfiniteHorizon:
    """The closed forms, T = ∞: conditions by student name, and how far sums are from them.

    - `condition`, `scaled_condition`: `(teachers,)`; NaN where rounding leaves no 9th eigenvalue.
    - `errors`: `‖H_sum − H‖ / ‖H‖` over the checked teachers, the largest of both students.
    """

    condition: dict[str, Float[np.ndarray, " teachers"]]
    scaled_condition: dict[str, Float[np.ndarray, " teachers"]]
    errors: Float[np.ndarray, " checked"]


@jax.jit
def _closed_forms(dense: StateSpace, modes: Modes) -> dict[str, tuple[Array, Array]]:
    hessians = {DENSE.name: dense_hessian(dense), DIAGONAL.name: diagonal_hessian(modes)}
    return {name: (H, jacobi_preconditioned(H)) for name, H in hessians.items()}


@partial(jax.jit, static_argnames="length")
def _long_sums(dense: StateSpace, modes: Modes, *, length: int) -> dict[str, Array]:
    found = {}
    for student in (DENSE, DIAGONAL):

        def kernel(w: Array, student=student) -> Array:
            return student.kernel(w, dense, modes, length)

        J = kernel_jacobian(kernel, student.coordinates(dense, modes))
        found[student.name] = kernel_hessian(J)
    return found


def measure_infinite_horizon(
    settings: HessianSettings, progress: AbstractProgress
) -> InfiniteHorizon:
    """Conditions of the closed forms, which are held against sums over many steps."""
    raw: dict[str, list[float]] = {DENSE.name: [], DIAGONAL.name: []}
    scaled: dict[str, list[float]] = {DENSE.name: [], DIAGONAL.name: []}
    errors = []
    for index in range(settings.teachers):
        progress.update(index / settings.teachers, "closed forms for an infinite horizon")
        teacher = conditioning_teacher(settings.seed, index)
        closed = _closed_forms(teacher.dense, teacher.modes)
        for name, (H, preconditioned) in closed.items():
            raw[name].append(_condition(np.asarray(H)))
            scaled[name].append(_condition(np.asarray(preconditioned)))
        if index < settings.checked:
            sums = _long_sums(teacher.dense, teacher.modes, length=settings.long_horizon)
            errors.append(
                max(
                    float(jnp.linalg.norm(H - sums[name]) / jnp.linalg.norm(H))
                    for name, (H, _) in closed.items()
                )
            )
    return InfiniteHorizon(
        {name: np.array(values) for name, values in raw.items()},
        {name: np.array(values) for name, values in scaled.items()},
        np.array(errors),
    )


def _condition(hessian: Float[np.ndarray, "size size"]) -> float:
    values = np.linalg.eigvalsh(hessian)[::-1]
    return float(values[0] / values[RANK - 1]) if values[RANK - 1] > 0 else float("nan")


def exceeds(first: Float[np.ndarray, " some"], second: Float[np.ndarray, " others"]) -> float:
    """The share of all pairs in which `first` is larger: ½ for equal distributions, 1 for apart.

    The Mann–Whitney statistic; ties count one half.
    """
    larger: Bool[np.ndarray, "some others"] = first[:, None] > second[None, :]
    equal = first[:, None] == second[None, :]
    return float(np.mean(larger) + np.mean(equal) / 2)


def ratio_interval(
    first: Float[np.ndarray, " teachers"],
    second: Float[np.ndarray, " teachers"],
    settings: HessianSettings,
) -> tuple[float, float]:
    """2.5 % and 97.5 % of the ratio of medians, teachers resampled with replacement."""
    rng = np.random.default_rng((settings.seed, settings.resamples))
    picks = rng.integers(first.size, size=(settings.resamples, first.size))
    ratios = np.median(first[picks], axis=1) / np.median(second[picks], axis=1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(high)
