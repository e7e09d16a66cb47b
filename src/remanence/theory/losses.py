"""Exact expected losses between linear systems: no sampling, no sequences.

The error of a linear student is the input filtered by the difference of the impulse responses,
`y − y* = Σ_n ΔK_n x_{t−n}`, so that every squared loss is a quadratic form of `ΔK`.
`E[x_t x_{t+Δ}ᵀ] = R(Δ) I`: inputs are correlated in time, not across channels.

Every loss here is `factor · E‖y − y*‖²`, summed over outputs. The factor is ½ if not given, which
is the normalisation of the curse-of-memory literature; elsewhere in this library, where the
population loss is `Σ_j ‖g_j − ĝ_j‖²`, it is 1.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from remanence.errors import RemanenceError
from remanence.recurrence import causal_convolution, depthwise_convolution
from remanence.systems import DiagonalStateSpace, StateSpace
from remanence.theory.autocorrelations import AbstractInput, WhiteInput
from remanence.theory.modes import AnyArray, Modes, error_modes, modes_of
from remanence.theory.moments import state_moment

LinearSystem = StateSpace | DiagonalStateSpace | Modes

# 2^36 steps: enough for any spectral radius below 1 − 1e-9.
_DOUBLINGS = 36


def mode_sum_loss(
    student: DiagonalStateSpace | Modes,
    teacher: DiagonalStateSpace | Modes,
    *,
    input: AbstractInput | None = None,
    factor: float | int = 0.5,
) -> Float[Array, ""]:
    """`factor · E‖y − y*‖²` at infinite horizon, as a double sum over modes.

        L = factor · { Σ_{p,q} ⟨R_p, R_q⟩ K(λ_p, λ_q)
                       + 2 ⟨ΔD, Σ_p (R(0) + F(λ_p)) R_p⟩ + R(0) ‖ΔD‖² }

    over the modes of the student, of the teacher with a minus sign, and the conjugates of all
    of them; `R_p = w_p c_p b_pᵀ / 2` and `K(a, b) = Σ_{n,m} a^n b^m R(n−m)`, which is
    `1 / (1 − a b)` for white input, and `F(a) = Σ_{n≥1} R(n) a^n`.

    Args:
        student, teacher: complex-diagonal systems with |λ| < 1 and equal inputs and outputs;
            not checked, because they may be traced.
        input: the autocorrelation of every channel; white of variance 1 if not given.
        factor: see the module.

    Near a perfect fit the double sum cancels: its error is about 1e-16 of `E‖y*‖²/(1 − |λ|)`,
    where that of `kernel_loss` is relative to the loss itself.

    Raises:
        RemanenceError: if the systems differ in inputs or outputs.

    Source: derived: geometric sums of `½ Σ_{n,m} ⟨ΔK_n, ΔK_m⟩ R(n−m)`.

        >>> one, none = (Modes([0.5], [[1.0]], [[c]]) for c in (1.0, 0.0))
        >>> round(float(mode_sum_loss(one, none)), 6)       # ½ / (1 − 0.25)
        0.666667
    """
    error = error_modes(modes_of(student), modes_of(teacher))
    a, half, B = error.eigenvalues, error.weighted_output() / 2, error.B
    input = WhiteInput() if input is None else input
    plain = (half.T @ half) * (B @ B.T) * state_moment(*pairs(a, a), input)
    mixed = (half.T @ half.conj()) * (B @ B.conj().T) * state_moment(*pairs(a, a.conj()), input)
    seen = input.power().astype(a.dtype) + input.transform(a)
    direct = 2 * jnp.real((half * seen[None, :]) @ B) * 2
    energy = 2 * jnp.real(jnp.sum(plain + mixed))
    power = input.power().astype(error.D.dtype)
    return factor * (energy + jnp.sum(error.D * (power * error.D + direct)))


def gramian_loss(
    student: LinearSystem,
    teacher: LinearSystem,
    *,
    factor: float | int = 0.5,
) -> Float[Array, ""]:
    """`factor · E‖y − y*‖²` at infinite horizon for dense systems: `mode_sum_loss` without modes.

        L = factor · { tr(C P Cᵀ) + 2 ⟨D, C B⟩ + ‖D‖² },        P = A P Aᵀ + B Bᵀ

    of the difference system, white input of variance 1. `P` comes from doubling,
    `P ← P + A P Aᵀ, A ← A²`, O(order³), with no eigenvectors, so that it can be differentiated
    at defective matrices and near them. `kernel_loss` takes other inputs.

    Args:
        student, teacher: any systems, spectral radii below 1 (not checked).
        factor: see the module.

    Raises:
        RemanenceError: if the systems differ in inputs or outputs.

    Source: derived; the doubling is Smith (1968).
    """
    first, second = (_dense(system) for system in (student, teacher))
    _require_equal(first.D.shape, second.D.shape)
    order = first.order
    A = jnp.zeros((order + second.order,) * 2, jnp.asarray(first.A).dtype)
    A = A.at[:order, :order].set(first.A).at[order:, order:].set(second.A)
    B = jnp.concatenate([jnp.asarray(first.B), jnp.asarray(second.B)])
    C = jnp.concatenate([jnp.asarray(first.C), -jnp.asarray(second.C)], axis=1)
    D = jnp.asarray(first.D) - jnp.asarray(second.D)

    def double(carry: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        power, P = carry
        return (power @ power, P + power @ P @ power.T), None

    P = jax.lax.scan(double, (A, B @ B.T), length=_DOUBLINGS)[0][1]
    return factor * (jnp.sum((C @ P) * C) + jnp.sum(D * (D + 2 * C @ B)))


def kernel_loss(
    difference: Float[AnyArray, "length outputs inputs"],
    weights: Float[AnyArray, "..."] | None = None,
    *,
    autocorrelation: Float[AnyArray, " lags"] | None = None,
    factor: float | int = 0.5,
) -> Float[Array, ""]:
    """The expected loss of a difference of impulse responses, for any autocorrelation.

        L = factor · Σ_{n,m} ⟨ΔK_n, ΔK_m⟩ R(n−m) w_{max(n,m)}

    which for white input is `factor · Σ_n w_n ‖ΔK_n‖²`.

    Args:
        difference: `ΔK`, `(length, outputs, inputs)`.
        weights: `w_n`, `(length,)`: the share of the scored outputs that have seen lag n. Ones if
            not given: only the output after the last of `length` inputs is scored, from a zero
            state; with a kernel that has died out by then this is the infinite horizon. With
            `horizon_weights(length)` every output is scored, and the mean over time is taken.
        autocorrelation: `R(0), R(1), …`; lags beyond it are zero. White input of variance 1 if
            not given.
        factor: see the module.

    O(length log length): the sum over `m < n` is a causal convolution with `R`.

    Raises:
        RemanenceError: if there are not as many weights as lags in the kernel.

    Source: derived: `E‖Σ_n ΔK_n x_{t−n}‖²` written out; the terms with max(n, m) = n enter at
    the time when lag n does.
    """
    K = jnp.asarray(difference)
    length = K.shape[0]
    if weights is not None and weights.shape != (length,):
        raise RemanenceError(
            f"kernel_loss: weights have shape {weights.shape}, expected ({length},), one per lag"
        )
    filtered = K if autocorrelation is None else correlate(K, autocorrelation)
    terms = jnp.sum(K * filtered, axis=(1, 2))
    return factor * jnp.sum(terms if weights is None else terms * jnp.asarray(weights, K.dtype))


def horizon_weights(horizon: int) -> Float[Array, " horizon"]:
    """`1 − n/T` for n < T: the share of the times 1 … T whose output has seen lag n, `h_0 = 0`."""
    return 1 - jnp.arange(horizon) / horizon


def finite_horizon_loss(
    student: LinearSystem,
    teacher: LinearSystem,
    horizon: int,
    *,
    autocorrelation: Float[AnyArray, " lags"] | None = None,
    factor: float | int = 0.5,
) -> Float[Array, ""]:
    """`factor · (1/T) Σ_{t=1…T} E‖y_t − y*_t‖²` from zero states: the loss of training length T.

        L_T = factor · Σ_{n<T} (1 − n/T) ‖ΔK_n‖²        (white input)

    `horizon` is T, static; the rest as in `kernel_loss`. Accurate relative to the loss itself.

    Raises:
        RemanenceError: if the systems differ in inputs or outputs.
    """
    _require_equal(student.D.shape, teacher.D.shape)
    first, second = (system.impulse_response(horizon) for system in (student, teacher))
    dtype = jnp.promote_types(first.dtype, second.dtype)
    weights = horizon_weights(horizon).astype(dtype)
    error = first.astype(dtype) - second.astype(dtype)
    return kernel_loss(error, weights, autocorrelation=autocorrelation, factor=factor)


def minibatch_loss(
    difference: Float[AnyArray, "length outputs inputs"],
    xs: Float[AnyArray, "batch time inputs"],
    *,
    factor: float | int = 0.5,
) -> Float[Array, ""]:
    """`factor ·` the mean over sequences and times of `‖(ΔK * x)_t‖²`, from zero states.

    Exactly the loss of running both systems on `xs`, for one convolution: lags of `difference`
    beyond the sequence are not used, missing ones count as zero.

    Raises:
        RemanenceError: if the inputs do not fit.
    """
    errors = jax.vmap(causal_convolution, in_axes=(None, 0))(difference, jnp.asarray(xs))
    return factor * jnp.mean(jnp.sum(errors**2, axis=2))


def correlate(
    kernel: Float[AnyArray, "length *rest"], autocorrelation: Float[AnyArray, " lags"]
) -> Float[Array, "length *rest"]:
    """`R(0) K_n + 2 Σ_{m<n} R(n−m) K_m`: its product with `K_n` sums to the quadratic form."""
    flat = jnp.asarray(kernel).reshape(kernel.shape[0], -1)
    R = jnp.asarray(autocorrelation, flat.dtype)
    R = jnp.where(jnp.arange(R.shape[0]) == 0, R, 2 * R)
    filters = jnp.broadcast_to(R[:, None], (R.shape[0], flat.shape[1]))
    return depthwise_convolution(filters, flat).reshape(kernel.shape)


def pairs(
    a: Complex[Array, " rows"], b: Complex[Array, " columns"]
) -> tuple[Complex[Array, "rows columns"], Complex[Array, "rows columns"]]:
    """`a` down and `b` across, in full: what the moments of every pair are asked for."""
    down, across = jnp.broadcast_arrays(a[:, None], b[None, :])
    return down, across


def _dense(system: LinearSystem) -> StateSpace:
    if not isinstance(system, Modes):
        return system.to_dense()
    # The real form of a pair reads out 2 Re(C h).
    C = system.weighted_output() / 2
    paired = (True,) * len(system.weights)
    return DiagonalStateSpace(system.eigenvalues, system.B, C, system.D, paired=paired).to_dense()


def _require_equal(first: tuple[int, ...], second: tuple[int, ...]) -> None:
    if first != second:
        raise RemanenceError(
            f"student and teacher have (outputs, inputs) {first} and {second}: they must agree"
        )
