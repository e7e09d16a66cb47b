"""The Hessian of a fully connected linear RNN at a perfect fit, through its eigenbasis."""

from itertools import pairwise

import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from remanence.systems import StateSpace
from remanence.theory.modes import AnyArray


def dense_hessian(
    student: StateSpace, *, factor: float | int = 0.5
) -> Float[Array, "parameters parameters"]:
    """The Hessian of `factor · E‖y − y*‖²` in `(A, B, C, D)`, white input, infinite horizon.

    In the eigenbasis, `A = V diag(λ) V⁻¹`, `ĉ = C V`, `b̂ = V⁻¹ B`, the kernel answers
    `dÂ = V⁻¹ dA V`, `dB̂ = V⁻¹ dB` and `dĈ = dC V` by

        ∂K_n/∂Â_pq = ĉ_p b̂_qᵀ f_n(p, q),
        ∂K_n/∂B̂_pj = λ_p^n ĉ_p e_jᵀ,        ∂K_n/∂Ĉ_op = λ_p^n e_o b̂_pᵀ

    with `f_n(p, q) = (λ_p^n − λ_q^n)/(λ_p − λ_q)`, `n λ^{n−1}` if equal, whose sums need no case:

        Σ_n f_n(p,q) f_n(r,s) = (1 − λ_p λ_q λ_r λ_s)
                                / [(1 − λ_p λ_r)(1 − λ_p λ_s)(1 − λ_q λ_r)(1 − λ_q λ_s)],
        Σ_n f_n(p,q) λ_r^n    = λ_r / [(1 − λ_p λ_r)(1 − λ_q λ_r)].

    The Hessian is `Mᵀ Ĥ M` with the change of basis `M` and the plain transpose. Only p = q, or
    nearly, grows as (1 − |λ|)⁻³; `M` spreads those directions over all entries of `A`.

    Args:
        student: spectral radius below 1 and diagonalisable, neither checked. Near a defective
            `A` digits go with the condition number of `V` squared: use `kernel_hessian`.
        factor: of the loss.

    Returns:
        rows and columns in the order `(A, B, C, D)`, each row by row (`dense_coordinates`);
        `order² + order (inputs + outputs) + inputs outputs` of them. JAX finds eigenvectors of
        general matrices on a CPU only.

    Source: derived; the reading of it is Zucchet & Orvieto (2024, arXiv 2405.21064).
    """
    A, B, C = (jnp.asarray(matrix) for matrix in (student.A, student.B, student.C))
    order, inputs, outputs = student.order, student.inputs, student.outputs
    eigenvalues, V = jnp.linalg.eig(A)
    inverse = jnp.linalg.inv(V)
    c, b = C.astype(V.dtype) @ V, inverse @ B.astype(V.dtype)
    hat = _eigenbasis_hessian(eigenvalues, b, c)

    eye_in, eye_out = jnp.eye(inputs, dtype=V.dtype), jnp.eye(outputs, dtype=V.dtype)
    of_A, of_B, of_C, of_D = order**2, order * inputs, order * outputs, inputs * outputs
    # dÂ_pq = (V⁻¹)_pi dA_ij V_jq, dB̂_pk = (V⁻¹)_pi dB_ik, dĈ_oq = dC_oj V_jq.
    changes = [
        jnp.einsum("pi,jq->pqij", inverse, V).reshape(of_A, of_A),
        jnp.einsum("pi,kl->pkil", inverse, eye_in).reshape(of_B, of_B),
        jnp.einsum("op,jq->oqpj", eye_out, V).reshape(of_C, of_C),
        jnp.eye(of_D, dtype=V.dtype),
    ]
    starts = [0, of_A, of_A + of_B, of_A + of_B + of_C, of_A + of_B + of_C + of_D]
    spans = [slice(*ends) for ends in pairwise(starts)]
    blocks = [
        [
            jnp.real(left.T @ hat[rows, columns] @ right)
            for columns, right in zip(spans, changes, strict=True)
        ]
        for rows, left in zip(spans, changes, strict=True)
    ]
    return 2 * factor * jnp.block(blocks)


def dense_coordinates(system: StateSpace) -> Float[Array, " parameters"]:
    """`(A, B, C, D)` as one vector, row by row: the coordinates of `dense_hessian`."""
    return jnp.concatenate(
        [jnp.asarray(m).reshape(-1) for m in (system.A, system.B, system.C, system.D)]
    )


def from_dense_coordinates(
    coordinates: Float[AnyArray, " parameters"], like: StateSpace
) -> StateSpace:
    """The system with these `dense_coordinates` and the shapes of `like`."""
    matrices, start = [], 0
    for matrix in (like.A, like.B, like.C, like.D):
        matrices.append(coordinates[start : start + matrix.size].reshape(matrix.shape))
        start += matrix.size
    return StateSpace(*matrices)


def _eigenbasis_hessian(
    eigenvalues: Complex[Array, " order"],
    b: Complex[Array, "order inputs"],
    c: Complex[Array, "outputs order"],
) -> Complex[Array, "parameters parameters"]:
    """`Σ_n ⟨∂K_n, ∂K_n⟩` (no conjugates) in `(Â, B̂, Ĉ, D)`; symmetric."""
    (order, inputs), outputs = b.shape, c.shape[0]
    of_A, of_B, of_C, of_D = order**2, order * inputs, order * outputs, inputs * outputs
    K = 1 / (1 - eigenvalues[:, None] * eigenvalues[None, :])
    cc, bb = c.T @ c, b @ b.T
    twice = (eigenvalues[:, None] * eigenvalues[None, :]).reshape(-1)
    numerator = (1 - twice[:, None] * twice[None, :]).reshape((order,) * 4)
    sums = numerator * jnp.einsum("pr,ps,qr,qs->pqrs", K, K, K, K)
    once = jnp.einsum("r,pr,qr->pqr", eigenvalues, K, K)
    eye_in, eye_out = jnp.eye(inputs, dtype=b.dtype), jnp.eye(outputs, dtype=b.dtype)

    AA = jnp.einsum("pqrs,pr,qs->pqrs", sums, cc, bb).reshape(of_A, of_A)
    AB = jnp.einsum("pqr,pr,qj->pqrj", once, cc, b).reshape(of_A, of_B)
    AC = jnp.einsum("pqr,qr,op->pqor", once, bb, c).reshape(of_A, of_C)
    AD = jnp.zeros((of_A, of_D), b.dtype)
    BB = jnp.einsum("pr,pr,jk->pjrk", K, cc, eye_in).reshape(of_B, of_B)
    BC = jnp.einsum("pr,op,rj->pjor", K, c, b).reshape(of_B, of_C)
    BD = jnp.einsum("op,jk->pjok", c, eye_in).reshape(of_B, of_D)
    CC = jnp.einsum("pr,pr,ox->opxr", K, bb, eye_out).reshape(of_C, of_C)
    CD = jnp.einsum("pj,ox->opxj", b, eye_out).reshape(of_C, of_D)
    DD = jnp.eye(of_D, dtype=b.dtype)
    return jnp.block(
        [[AA, AB, AC, AD], [AB.T, BB, BC, BD], [AC.T, BC.T, CC, CD], [AD.T, BD.T, CD.T, DD]]
    )
