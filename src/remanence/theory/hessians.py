"""Hessians of the linear loss at a perfect fit, in closed form, and of any kernel by Gauss–Newton.

Where the student equals the teacher the residual vanishes, and with it every second derivative
of the impulse response: the Hessian is `2 · factor · Σ ⟨∂K, ∂K⟩`, exactly. Losses are those of
`remanence.theory.losses`, `factor` included.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from remanence.errors import RemanenceError
from remanence.systems import DiagonalStateSpace
from remanence.theory.autocorrelations import AbstractInput, WhiteInput
from remanence.theory.losses import correlate, pairs
from remanence.theory.modes import AnyArray, Modes, modes_of
from remanence.theory.moments import cross_moment, sensitivity_moment, state_moment


def diagonal_hessian(
    student: DiagonalStateSpace | Modes,
    *,
    input: AbstractInput | None = None,
    factor: float | int = 0.5,
) -> Float[Array, "parameters parameters"]:
    """The Hessian of `mode_sum_loss` where a complex-diagonal student equals its teacher.

    With `u_p` the holomorphic derivatives of the kernel, `n λ^{n−1} c bᵀ`, `λ^n c e_jᵀ` and
    `λ^n e_o bᵀ`, and the sums `T = Σ R(n−m) ⟨u_p,n, u_q,m⟩` and `U = Σ R(n−m) ⟨u_p,n, ū_q,m⟩`,

        H[Re, Re] = f w w Re(U + T)        H[Re, Im] = f w w Im(U − T)
        H[Im, Im] = f w w Re(U − T)        f = factor,

    and for `D` the terms with `E[x_t ∂h_t]`. The λ-λ block has
    `T = (CᵀC)(BBᵀ) S(λ_p, λ_q)`, `U = (CᵀC̄)(BBᴴ) S(λ_p, λ̄_q)` with `S = ∂_a ∂_b K`, of the order
    of `|1 − λ_p λ̄_q|⁻³`.

    Args:
        student: the system, |λ| < 1. For a `DiagonalStateSpace` with real modes, delete the
            rows and columns of their imaginary parts: those are not its parameters.
        input: the autocorrelation of every channel; white of variance 1 if not given.
        factor: of the loss.

    Returns:
        rows and columns in the order of `real_coordinates`; `parameter_groups` finds an array.

    Source: derived; the structure is Zucchet & Orvieto (2024, arXiv 2405.21064).
    """
    modes = modes_of(student)
    a, B, C = modes.eigenvalues, modes.B, modes.C
    input = WhiteInput() if input is None else input
    plain = _bilinear((a, B, C), (a, B, C), input)
    plain = jnp.triu(plain) + jnp.triu(plain, 1).T
    mixed = _bilinear((a, B, C), (a.conj(), B.conj(), C.conj()), input)
    mixed = jnp.triu(mixed) + jnp.triu(mixed, 1).conj().T

    weights = jnp.asarray(modes.weights, a.real.dtype)
    inputs, outputs = B.shape[1], C.shape[0]
    scale = jnp.concatenate([weights, jnp.repeat(weights, inputs), jnp.tile(weights, outputs)])
    both = factor * scale[:, None] * scale[None, :]
    crossing = both * jnp.imag(mixed - plain)
    square = jnp.block(
        [[both * jnp.real(mixed + plain), crossing], [crossing.T, both * jnp.real(mixed - plain)]]
    )
    direct = _direct(a, B, C, input)
    signed = [scale[:, None] * direct.real, -scale[:, None] * direct.imag]
    direct = 2 * factor * jnp.concatenate(signed)
    power = input.power().astype(square.dtype)
    corner = 2 * factor * power * jnp.eye(inputs * outputs, dtype=square.dtype)
    return jnp.block([[square, direct], [direct.T, corner]])


def kernel_hessian(
    jacobian: Float[AnyArray, "length outputs inputs parameters"],
    weights: Float[AnyArray, "..."] | None = None,
    *,
    autocorrelation: Float[AnyArray, " lags"] | None = None,
    factor: float | int = 0.5,
) -> Float[Array, "parameters parameters"]:
    """`2 · factor · Jᵀ W J`: the Hessian of `kernel_loss` at a perfect fit; else Gauss–Newton.

    Args:
        jacobian: `∂K_n/∂w`, in any parameters; `kernel_jacobian` makes one.
        weights, autocorrelation, factor: those of `kernel_loss`.

    Raises:
        RemanenceError: if there are not as many weights as lags in the Jacobian.
    """
    J = jnp.asarray(jacobian)
    length, parameters = J.shape[0], J.shape[-1]
    if weights is not None and weights.shape != (length,):
        raise RemanenceError(
            f"kernel_hessian: weights have shape {weights.shape}, expected ({length},)"
        )
    filtered = J if autocorrelation is None else correlate(J, autocorrelation)
    if weights is not None:
        filtered = filtered * jnp.asarray(weights, J.dtype)[:, None, None, None]
    product = J.reshape(-1, parameters).T @ filtered.reshape(-1, parameters)
    return factor * (product + product.T)


def kernel_jacobian(
    kernel: Callable[[Float[Array, " parameters"]], Float[Array, "length outputs inputs"]],
    parameters: Float[AnyArray, " parameters"],
) -> Float[Array, "length outputs inputs parameters"]:
    """`∂K_n/∂w` of any function from real parameters to an impulse response, forward mode.

    >>> J = kernel_jacobian(lambda w: (w[0] ** jnp.arange(3.0))[:, None, None], jnp.array([0.5]))
    >>> J[:, 0, 0, 0].tolist()
    [0.0, 1.0, 1.0]
    """
    return jax.jacfwd(kernel)(jnp.asarray(parameters))


def reparametrised_hessian(
    hessian: Float[AnyArray, "old old"], jacobian: Float[AnyArray, "old new"]
) -> Float[Array, "new new"]:
    """`Jᵀ H J` with `J = ∂old/∂new`: the Hessian at a perfect fit in other parameters.

    Away from a perfect fit the gradient adds `Σ_i (∂L/∂old_i) ∂²old_i/∂new²`.
    """
    J = jnp.asarray(jacobian)
    return J.T @ jnp.asarray(hessian) @ J


def _bilinear(
    first: tuple[Array, Array, Array],
    second: tuple[Array, Array, Array],
    input: AbstractInput,
) -> Complex[Array, "holomorphic holomorphic"]:
    """`Σ_{n,m} R(n−m) ⟨u_p,n, v_q,m⟩` over (λ, B, C), blocks on and above the diagonal."""
    (a, B, C), (other_a, other_B, other_C) = first, second
    modes, inputs, outputs = a.shape[0], B.shape[1], C.shape[0]
    pair = pairs(a, other_a)
    K, slope = state_moment(*pair, input), cross_moment(*pair, input)
    CC, BB = C.T @ other_C, B @ other_B.T
    of_B, of_C = modes * inputs, modes * outputs
    eye_in, eye_out = jnp.eye(inputs, dtype=a.dtype), jnp.eye(outputs, dtype=a.dtype)
    blocks = [
        [
            CC * BB * sensitivity_moment(*pair, input),
            jnp.einsum("ij,ik->ijk", slope * CC, B).reshape(modes, of_B),
            jnp.einsum("ij,oi->ioj", slope * BB, C).reshape(modes, of_C),
        ],
        [
            jnp.zeros((of_B, modes), a.dtype),
            jnp.einsum("ij,kl->ikjl", K * CC, eye_in).reshape(of_B, of_B),
            jnp.einsum("ij,oi,jk->ikoj", K, C, other_B).reshape(of_B, of_C),
        ],
        [
            jnp.zeros((of_C, modes), a.dtype),
            jnp.zeros((of_C, of_B), a.dtype),
            jnp.einsum("ij,op->oipj", K * BB, eye_out).reshape(of_C, of_C),
        ],
    ]
    return jnp.block(blocks)


def _direct(
    a: Complex[Array, " modes"],
    B: Complex[Array, "modes inputs"],
    C: Complex[Array, "outputs modes"],
    input: AbstractInput,
) -> Complex[Array, "holomorphic direct"]:
    """`Σ_n R(n) ⟨u_p,n, E⟩` for the entries `E` of `D`."""
    modes, inputs, outputs = a.shape[0], B.shape[1], C.shape[0]
    seen, slope = input.power().astype(a.dtype) + input.transform(a), input.slope(a)
    eye_in, eye_out = jnp.eye(inputs, dtype=a.dtype), jnp.eye(outputs, dtype=a.dtype)
    rows = [
        jnp.einsum("i,oi,ik->iok", slope, C, B).reshape(modes, -1),
        jnp.einsum("i,oi,kl->ikol", seen, C, eye_in).reshape(modes * inputs, -1),
        jnp.einsum("i,il,op->oipl", seen, B, eye_out).reshape(modes * outputs, -1),
    ]
    return jnp.concatenate(rows)
