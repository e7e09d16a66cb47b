"""Multiple-input state-space layers in discretised coordinates: S5 and the S4-like cell."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from remanence.errors import RemanenceError
from remanence.layers.arrays import (
    SplitComplex,
    complex_normal,
    initial_feedthrough,
    normal,
    real_dtype,
    require_sizes,
)
from remanence.layers.contract import RECURRENT
from remanence.layers.hippo import legs_normal_plus_low_rank
from remanence.layers.modal import AbstractModalLayer, ring
from remanence.layers.normalisations import AbstractNormalisation, NoNormalisation
from remanence.layers.parametrisations import AbstractEigenvalues, Discretised


class S5(AbstractModalLayer):
    """The simplified state-space layer: one diagonal system with many inputs and outputs.

        h_t = λ ⊙ h_{t-1} + β ⊙ (B x_t),   y_t = 2 Re(C h_t) + D x_t

    with `λ`, `β` the discretisation (zero-order hold: `λ = e^{Δa}`, `β = (e^{Δa} − 1)/a`) of
    continuous rates `a`, one step `Δ` for each mode. The rates start as the eigenvalues of the
    normal part of the HiPPO-LegS matrix, in `blocks` equal copies, and `B`, `C` in its
    eigenbasis.

    Args:
        inputs, state, outputs: sizes; `state` is the whole real state, twice the number of modes.
        blocks: how many copies of a smaller HiPPO matrix start the rates.
        step_min, step_max: the steps start log-uniform between them.
        rule: the discretisation, "zoh" or "bilinear".
        rate_map: the map of the real part of the rates; "direct" as published.

    Source: Smith, Warrington & Linderman, ICLR 2023 (arXiv 2208.04933), and its public code.
    """

    eigenvalues: AbstractEigenvalues = eqx.field(metadata=RECURRENT)
    normalisation: AbstractNormalisation = eqx.field(metadata=RECURRENT)
    B: SplitComplex
    C: SplitComplex
    D: Float[Array, "..."] | None
    output_weight: float = eqx.field(static=True)

    def __init__(
        self,
        inputs: int,
        state: int,
        outputs: int | None = None,
        *,
        blocks: int = 1,
        step_min: float | int = 1e-3,
        step_max: float | int = 1e-1,
        rule: str = "zoh",
        rate_map: str = "direct",
        key: PRNGKeyArray,
        dtype: Any = None,
    ):
        outputs = inputs if outputs is None else outputs
        require_sizes("S5", inputs=inputs, state=state, outputs=outputs, blocks=blocks)
        if state % (2 * blocks):
            raise RemanenceError(
                f"S5: a state of {state} does not hold {blocks} blocks of conjugate pairs; "
                f"give a multiple of {2 * blocks}"
            )
        real = real_dtype(dtype)
        for_step, for_B, for_C, for_D = jax.random.split(key, 4)
        rates, basis = _legs_pairs(state // blocks)
        log_step = log_uniform_steps(for_step, (state // 2,), step_min, step_max, real)
        self.eigenvalues = Discretised.from_rates(
            np.tile(rates, blocks), log_step, rate_map=rate_map, rule=rule, dtype=real
        )
        self.normalisation = NoNormalisation()
        # B and C are drawn for the real state and seen from the eigenbasis: V⁻¹ B and C V.
        size = state // blocks
        drawn = normal(for_B, (blocks, size, inputs), 1 / inputs, real)
        read = normal(for_C, (outputs, blocks, size), 1 / state, real)
        left, right = (SplitComplex.of(m, real) for m in (basis.conj().T, basis))
        self.B = SplitComplex(
            *(_stacked(jnp.einsum("ps,bsn->bpn", part, drawn)) for part in (left.real, left.imag))
        )
        self.C = SplitComplex(
            *(
                jnp.einsum("obs,sp->obp", read, part).reshape(outputs, -1)
                for part in (right.real, right.imag)
            )
        )
        self.D = initial_feedthrough(for_D, outputs, inputs, real)
        self.output_weight = 2.0


class S4Like(AbstractModalLayer):
    """The S4-like cell of the sensitivity study: rates times a trained step, raw coordinates.

        λ = exp(Δ a),   h_t = λ ⊙ h_{t-1} + Δ ⊙ (B x_t),   y_t = Re(C h_t) + D x_t,
        Δ = softplus(δ),   a trained by its real and imaginary part

    Args:
        inputs, state, outputs: sizes; `state` counts complex modes.
        shared: one step for all modes, or one for each.
        r_min, r_max, max_phase: eigenvalues start uniform on this ring. With steps of their own
            modes start at `Re a = −1`, `Δ = −log|λ|`; a shared step starts at the median of that.

    Source: Zucchet & Orvieto, NeurIPS 2024, appendix on S4 (from its public code).
    """

    eigenvalues: AbstractEigenvalues = eqx.field(metadata=RECURRENT)
    normalisation: AbstractNormalisation = eqx.field(metadata=RECURRENT)
    B: SplitComplex
    C: SplitComplex
    D: Float[Array, "..."] | None
    output_weight: float = eqx.field(static=True)

    def __init__(
        self,
        inputs: int,
        state: int,
        outputs: int | None = None,
        *,
        shared: bool = False,
        r_min: float | int = 0.0,
        r_max: float | int = 1.0,
        max_phase: float | int = 2 * math.pi,
        key: PRNGKeyArray,
        dtype: Any = None,
    ):
        outputs = inputs if outputs is None else outputs
        require_sizes("S4Like", inputs=inputs, state=state, outputs=outputs)
        real = real_dtype(dtype)
        for_ring, for_B, for_C, for_D = jax.random.split(key, 4)
        log_magnitude, phase = ring(for_ring, (state,), r_min, r_max, max_phase, real)
        step = jnp.median(-log_magnitude, keepdims=True) if shared else -log_magnitude
        self.eigenvalues = Discretised(
            log_magnitude / step,
            phase / step,
            step + jnp.log(-jnp.expm1(-step)),
            "direct",
            "exponential euler",
            "softplus",
        )
        self.normalisation = NoNormalisation()
        self.B = complex_normal(for_B, (state, inputs), 1 / (2 * inputs), real)
        self.C = complex_normal(for_C, (outputs, state), 1 / state, real)
        self.D = initial_feedthrough(for_D, outputs, inputs, real)
        self.output_weight = 1.0


def log_uniform_steps(
    key: PRNGKeyArray,
    shape: tuple[int, ...],
    step_min: float | int,
    step_max: float | int,
    dtype: np.dtype,
) -> Float[Array, "..."]:
    """`log Δ`, uniform between `log step_min` and `log step_max`."""
    if not 0 < step_min <= step_max < math.inf:
        raise RemanenceError(
            f"steps need 0 < step_min <= step_max, both finite, got {step_min:g} and {step_max:g}"
        )
    return jax.random.uniform(key, shape, dtype, math.log(step_min), math.log(step_max))


def _legs_pairs(size: int) -> tuple[np.ndarray, np.ndarray]:
    """One of each conjugate pair of the normal part of LegS, with its eigenvectors."""
    normal_part = legs_normal_plus_low_rank(size)
    # Ascending by imaginary part, in conjugate pairs: the second half is the upper one.
    upper = np.arange(size) >= size // 2
    return normal_part.eigenvalues[upper], normal_part.eigenvectors[:, upper]


def _stacked(blocks: Float[Array, "blocks modes inputs"]) -> Float[Array, "all inputs"]:
    return blocks.reshape(-1, blocks.shape[2])
