"""Sensitivities of a diagonal recurrence to its parameters, carried forward in time (RTRL).

Neuron i only sees its own parameters, so that `∂h_t/∂λ` is one number per neuron and obeys the
recurrence of the state itself. Real-time recurrent learning is then exact at about twice the cost
of running forward, with memory that does not grow with time; its mean square is the curse of
memory.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact

from remanence.errors import RemanenceError

AnyArray = Array | np.ndarray


class SensitivityTraces(NamedTuple):
    """The states and their derivatives, at one time or with time as the leading axis."""

    states: Inexact[AnyArray, "*time modes"]
    """`h_t`."""
    eigenvalues: Inexact[AnyArray, "*time modes"]
    """`∂h_t/∂λ`."""
    gamma: Inexact[AnyArray, "*time modes"]
    """`∂h_t/∂γ`."""
    B: Inexact[AnyArray, "*time modes inputs"]
    """`∂h_{t,i}/∂B_ij`."""


class PolarGradients(NamedTuple):
    """`∂L/∂` of the parameters of `λ = exp(−e^ν + i e^θ)`, `γ = e^g` and `B = B_re + i B_im`."""

    log_decay: Float[Array, " modes"]
    log_phase: Float[Array, " modes"]
    log_gamma: Float[Array, " modes"]
    B_real: Float[Array, "modes inputs"]
    B_imaginary: Float[Array, "modes inputs"]


def eigenvalue_traces(
    eigenvalues: Inexact[AnyArray, "..."],
    terms: Inexact[AnyArray, "..."],
    states: Inexact[AnyArray, "..."] | None = None,
    traces: Inexact[AnyArray, "..."] | None = None,
    *,
    every_step: bool = True,
) -> tuple[Inexact[Array, "*time modes"], Inexact[Array, "*time modes"]]:
    """States and `e_t = ∂h_t/∂λ` of `h_t = λ ⊙ h_{t-1} + b_t`: the trace that memory makes large.

        e_t = λ ⊙ e_{t-1} + h_{t-1}

    Args:
        eigenvalues: `λ`, `(modes,)`, real or complex.
        terms: `b_t`, `(time, modes)`.
        states, traces: `h_0` and `e_0`, zero if not given; those of an earlier call go on where
            it ended.
        every_step: return `(time, modes)` arrays for t = 1 … T, or the last of each.

    For complex `λ` the derivative is the holomorphic one.

    Raises:
        RemanenceError: if the shapes do not fit.

    Source: derived: differentiate the recurrence. Zucchet et al. (2023), online learning of
    long-range dependencies, equation of the traces.

        >>> [v.tolist() for v in eigenvalue_traces(np.array([0.5]), np.ones((3, 1)))]
        [[[1.0], [1.5], [1.75]], [[0.0], [1.0], [2.0]]]
    """
    modes = _require_vector("eigenvalue_traces", eigenvalues)
    if terms.ndim != 2 or terms.shape[1] != modes:
        raise RemanenceError(
            f"eigenvalue_traces: terms have shape {terms.shape}, expected (time, {modes})"
        )
    starts = [np.zeros(modes, terms.dtype) if v is None else v for v in (states, traces)]
    for name, start in zip(("states", "traces"), starts, strict=True):
        _require_shape(f"eigenvalue_traces: {name}", start, (modes,))
    a, b, h, e = _promoted(eigenvalues, terms, *starts)

    def step(carry: tuple[Array, Array], term: Array) -> tuple[tuple[Array, Array], Any]:
        h, e = carry
        carry = (a * h + term, a * e + h)
        return carry, carry if every_step else None

    last, history = jax.lax.scan(step, (h, e), b)
    return history if every_step else last


def sensitivity_traces(
    eigenvalues: Inexact[AnyArray, "..."],
    B: Inexact[AnyArray, "..."],
    xs: Inexact[AnyArray, "..."],
    gamma: Inexact[AnyArray, "..."] | None = None,
    initial: SensitivityTraces | None = None,
    *,
    every_step: bool = True,
) -> SensitivityTraces:
    """States of `h_t = λ ⊙ h_{t-1} + γ ⊙ (B x_t)` with their derivatives in `λ`, `γ` and `B`.

        e^λ_t = λ e^λ_{t-1} + h_{t-1}      e^γ_t = λ e^γ_{t-1} + B x_t
        e^B_t = λ e^B_{t-1} + γ x_tᵀ       (one number per entry: row i moves neuron i only)

    Args:
        eigenvalues: `λ`, `(modes,)`, real or complex.
        B: `(modes, inputs)`.
        xs: `(time, inputs)`.
        gamma: `γ`, `(modes,)`; ones if not given.
        initial: states and traces before the first input. `initial_traces(h_0, inputs)` for a
            state that does not depend on the parameters; the last ones of an earlier call to go
            on where it ended. Zeros if not given.
        every_step: return every t = 1 … T, or the last only, in memory free of T.

    Derivatives are holomorphic: with `dl_t = Re(δ_t · dh_t)`, `∂L/∂Re λ = Σ_t Re(δ_t e^λ_t)` and
    `∂L/∂Im λ = −Σ_t Im(δ_t e^λ_t)`; here `y_t = Re(C h_t)` gives `δ_t = Cᵀ ∂l_t/∂y_t`. Exact for
    one layer. O(modes · inputs) per step; `eigenvalue_traces` is the part without `B` and `γ`.

    Raises:
        RemanenceError: if the shapes do not fit.

    Source: derived: differentiate the recurrence; as in Zucchet et al. (2023).
    """
    modes = _require_vector("sensitivity_traces", eigenvalues)
    if B.ndim != 2 or B.shape[0] != modes:
        raise RemanenceError(
            f"sensitivity_traces: B has shape {B.shape}, expected ({modes}, inputs)"
        )
    inputs = B.shape[1]
    given = np.ones(modes, B.dtype) if gamma is None else gamma
    _require_shape("sensitivity_traces: gamma", given, (modes,))
    if xs.ndim != 2 or xs.shape[1] != inputs:
        raise RemanenceError(
            f"sensitivity_traces: xs have shape {xs.shape}, expected (time, {inputs}) for B"
        )
    if initial is None:
        initial = initial_traces(np.zeros(modes, B.dtype), inputs)
    for name, start in initial._asdict().items():
        shape = (modes, inputs) if name == "B" else (modes,)
        _require_shape(f"sensitivity_traces: initial.{name}", start, shape)
    a, weights, inputs_, scale, *starts = _promoted(eigenvalues, B, xs, given, *initial)

    def step(carry: SensitivityTraces, x: Array) -> tuple[SensitivityTraces, Any]:
        driven = weights @ x
        carry = SensitivityTraces(
            a * carry.states + scale * driven,
            a * carry.eigenvalues + carry.states,
            a * carry.gamma + driven,
            a[:, None] * carry.B + scale[:, None] * x[None, :],
        )
        return carry, carry if every_step else None

    last, history = jax.lax.scan(step, SensitivityTraces(*starts), inputs_)
    return history if every_step else last


def initial_traces(state: Inexact[AnyArray, " modes"], inputs: int) -> SensitivityTraces:
    """A state that is given, and so does not depend on the parameters: traces zero."""
    zeros = np.zeros(state.shape, state.dtype)
    return SensitivityTraces(state, zeros, zeros, np.zeros((*state.shape, inputs), state.dtype))


def polar_gradients(
    traces: SensitivityTraces,
    deltas: Complex[AnyArray, "time modes"],
    log_decay: Float[AnyArray, " modes"],
    log_phase: Float[AnyArray, " modes"],
    gamma: Float[AnyArray, " modes"],
) -> PolarGradients:
    """The gradients of `λ = exp(−e^ν + i e^θ)`, `log γ` and `B` from traces and errors.

        ∂L/∂ν = Σ_t Re(δ_t e^λ_t · (−e^ν λ))        ∂L/∂θ = Σ_t Re(δ_t e^λ_t · i e^θ λ)
        ∂L/∂ log γ = γ Σ_t Re(δ_t e^γ_t)            ∂L/∂B_re = Σ_t Re(δ_t e^B_t)
                                                    ∂L/∂B_im = −Σ_t Im(δ_t e^B_t)

    Args:
        traces: of every step, time leading; those of one step with an axis of length 1 give the
            online contribution of that step.
        deltas: `δ_t`, with `dl_t = Re(δ_t · dh_t)` (no conjugate), direct influence on `l_t` only.
        log_decay, log_phase: `ν` and `θ`, where these letters stand for the logarithms of
            `−log |λ|` and of the phase.
        gamma: `γ`.

    Source: derived: the chain rule for a holomorphic `λ(ν, θ)`; as in Zucchet et al. (2023).
    """
    deltas, e, g, of_B = _promoted(deltas, traces.eigenvalues, traces.gamma, traces.B)
    decay, phase = jnp.exp(jnp.asarray(log_decay)), jnp.exp(jnp.asarray(log_phase))
    by_eigenvalue = jnp.sum(deltas * e, axis=0) * jnp.exp(jax.lax.complex(-decay, phase))
    by_B = jnp.sum(deltas[:, :, None] * of_B, axis=0)
    return PolarGradients(
        -decay * by_eigenvalue.real,
        -phase * by_eigenvalue.imag,
        jnp.asarray(gamma) * jnp.sum(jnp.real(deltas * g), axis=0),
        by_B.real,
        -by_B.imag,
    )


def _promoted(*arrays: AnyArray) -> tuple[Array, ...]:
    dtype = jax.dtypes.canonicalize_dtype(np.result_type(*(array.dtype for array in arrays)))
    return tuple(jnp.asarray(array, dtype) for array in arrays)


def _require_vector(where: str, eigenvalues: AnyArray) -> int:
    if eigenvalues.ndim != 1:
        raise RemanenceError(
            f"{where}: eigenvalues have shape {eigenvalues.shape}, expected (modes,)"
        )
    return eigenvalues.shape[0]


def _require_shape(what: str, array: AnyArray, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise RemanenceError(f"{what} has shape {array.shape}, expected {shape}")
