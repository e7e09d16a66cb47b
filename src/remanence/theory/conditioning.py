"""How hard a quadratic is for an optimiser that scales each coordinate by itself.

Gradient descent feels the condition number of the Hessian. An optimiser with one step size per
parameter, as Adam, can undo the diagonal: it feels the condition number of the
Jacobi-preconditioned Hessian, and is helpless where eigenvectors are spread over many parameters.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from remanence.theory.modes import AnyArray

RANK_TOLERANCE = 1e-13
"""Eigenvalues below this share of the largest count as zero.

Measured on 60 random systems of order 4 with |λ| between 0.990 and 0.993, whose Hessians have 25
parameters and rank 9: exact zeros come out below 5e-16 of the largest from sums over kernels and
below 2e-14 from closed forms, the smallest true eigenvalue above 3e-13 in 59. Where eigenvalues
nearly coincide no tolerance can tell; give `rank` if theory knows it.
"""


def jacobi_preconditioned(
    hessian: Float[AnyArray, "size size"],
) -> Float[Array, "size size"]:
    """`Δ^{-1/2} H Δ^{-1/2}` with `Δ = diag(H)`: unit diagonal.

    A positive semi-definite matrix with a zero on the diagonal is zero along that row and column,
    and they stay zero. A negative diagonal entry gives NaN.

        >>> jacobi_preconditioned(jnp.array([[4.0, 1.0], [1.0, 1.0]])).tolist()
        [[1.0, 0.5], [0.5, 1.0]]
    """
    H = jnp.asarray(hessian)
    diagonal = jnp.diagonal(H)
    scale = jnp.where(diagonal == 0, jnp.zeros_like(diagonal), 1 / jnp.sqrt(diagonal))
    return scale[:, None] * H * scale[None, :]


def numerical_rank(
    hessian: Float[AnyArray, "size size"],
    *,
    tolerance: float | Float[AnyArray, ""] = RANK_TOLERANCE,
) -> Int[Array, ""]:
    """How many eigenvalues of a positive semi-definite matrix exceed `tolerance · λ_max`."""
    values = jnp.linalg.eigvalsh(jnp.asarray(hessian))
    return jnp.sum(values > tolerance * values[-1])


def condition_number(
    hessian: Float[AnyArray, "size size"],
    *,
    rank: int | Int[AnyArray, ""] | None = None,
    tolerance: float | Float[AnyArray, ""] = RANK_TOLERANCE,
) -> Float[Array, ""]:
    """`λ_1 / λ_r` on the numerical range of a positive semi-definite matrix.

    Args:
        hessian: symmetric; the upper triangle is not read.
        rank: `r` if it is known from theory (2N + 1 for an identifiable single-input
            single-output system of order N with direct term); else `numerical_rank`.
        tolerance: of the rank.

        >>> float(condition_number(jnp.diag(jnp.array([0.0, 2.0, 8.0]))))
        4.0
    """
    values = jnp.linalg.eigvalsh(jnp.asarray(hessian))[::-1]
    count = jnp.sum(values > tolerance * values[0]) if rank is None else jnp.asarray(rank)
    return values[0] / values[count - 1]


def participation_ratios(
    hessian: Float[AnyArray, "size size"], count: int
) -> Float[Array, " count"]:
    """`(Σ_i v_i²)² / Σ_i v_i⁴` of the `count` eigenvectors of largest eigenvalue, largest first.

    Over how many coordinates an eigenvector is spread: 1 along an axis, `size` when uniform.
    Within a repeated eigenvalue the eigenvectors, and so their ratios, are arbitrary.
    """
    vectors = jnp.linalg.eigh(jnp.asarray(hessian))[1][:, ::-1][:, :count]
    return jnp.sum(vectors**2, axis=0) ** 2 / jnp.sum(vectors**4, axis=0)


def off_diagonal_share(hessian: Float[AnyArray, "size size"]) -> Float[Array, ""]:
    """`‖H − diag(H)‖_F / ‖H‖_F`: 0 for a diagonal matrix, towards 1 for a full one."""
    H = jnp.asarray(hessian)
    off = H - jnp.diag(jnp.diagonal(H))
    return jnp.sqrt(jnp.sum(off**2) / jnp.sum(H**2))
