"""The real-gated linear recurrent unit (RG-LRU) of Griffin and RecurrentGemma."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from remanence.errors import RemanenceError
from remanence.layers.arrays import normal, real_dtype, require_sizes
from remanence.layers.contract import RECURRENT
from remanence.layers.time_varying import AbstractTimeVaryingLayer

_LARGEST_SLOPE = 1000.0
"""Bound on the derivative of the square root in the input normalisation."""


class RGLRU(AbstractTimeVaryingLayer):
    """A diagonal recurrence whose decay is gated by the input.

        r_t = σ(W_r x_t + c_r),   i_t = σ(W_i x_t + c_i),   log a_t = −8 r_t softplus(Λ),
        h_t = a_t ⊙ h_{t-1} + √(1 − a_t²) ⊙ (i_t ⊙ x_t),    y_t = h_t

    with `W_r`, `W_i` block-diagonal. `√(1 − a²)` is computed from `log a` by `expm1`; its
    derivative is bounded by 1000, so that a gate at `a = 1` gives no NaN.

    Args:
        inputs: the width; inputs, state and outputs are all of this size.
        blocks: how many blocks the gate matrices have; divides `inputs`.
        r_min, r_max: the ring of `exp(−softplus(Λ))` at the start.

    Source: De et al. 2024 (arXiv 2402.19427), section 2.4; initialisation and the bounded
    derivative as in the public recurrentgemma code.
    """

    gates_r: Float[Array, "blocks size size"]
    gates_i: Float[Array, "blocks size size"]
    bias_r: Float[Array, " width"] = eqx.field(metadata=RECURRENT)
    bias_i: Float[Array, " width"]
    decay: Float[Array, " width"] = eqx.field(metadata=RECURRENT)

    def __init__(
        self,
        inputs: int,
        *,
        blocks: int = 1,
        r_min: float | int = 0.9,
        r_max: float | int = 0.999,
        key: PRNGKeyArray,
        dtype: Any = None,
    ):
        require_sizes("RGLRU", inputs=inputs, blocks=blocks)
        if inputs % blocks:
            raise RemanenceError(
                f"RGLRU: a width of {inputs} cannot be cut into {blocks} equal blocks"
            )
        if not 0 < r_min < r_max < 1:
            raise RemanenceError(
                f"RGLRU: needs 0 < r_min < r_max < 1, got r_min = {r_min:g}, r_max = {r_max:g}"
            )
        size, real = inputs // blocks, real_dtype(dtype)
        for_r, for_i, for_decay = jax.random.split(key, 3)
        self.gates_r = normal(for_r, (blocks, size, size), 1 / size, real)
        self.gates_i = normal(for_i, (blocks, size, size), 1 / size, real)
        self.bias_r = jnp.zeros((inputs,), real)
        self.bias_i = jnp.zeros((inputs,), real)
        u = jax.random.uniform(for_decay, (inputs,), real)
        rate = -0.5 * jnp.log(u * (r_max**2 - r_min**2) + r_min**2)
        self.decay = rate + jnp.log(-jnp.expm1(-rate))

    @property
    def inputs(self) -> int:
        return self.decay.shape[0]

    @property
    def outputs(self) -> int:
        return self.decay.shape[0]

    def initial_state(self) -> Float[Array, " width"]:
        return jnp.zeros_like(self.decay)

    def terms(self, xs: Float[Array, "time width"]) -> tuple[Array, Array]:
        log_a = (
            -8.0 * self._gate(xs, self.gates_r, self.bias_r) * jax.nn.softplus(self.decay)[None]
        )
        scale = bounded_sqrt(-jnp.expm1(2.0 * log_a))
        return jnp.exp(log_a), scale * self._gate(xs, self.gates_i, self.bias_i) * xs

    def readout(self, states: Array, xs: Array) -> Float[Array, "time width"]:
        return states

    def _gate(self, xs: Array, weights: Array, bias: Array) -> Float[Array, "time width"]:
        blocks, size = weights.shape[:2]
        cut = xs.reshape(xs.shape[0], blocks, size)
        mixed = jnp.einsum("bij,tbj->tbi", weights, cut).reshape(xs.shape)
        return jax.nn.sigmoid(mixed + bias[None])


@jax.custom_jvp
def bounded_sqrt(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """`√x` with its derivative `1/(2√x)` cut off at 1000: no NaN where x = 0."""
    return jnp.sqrt(x)


@bounded_sqrt.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (tangent,) = primals, tangents
    # The least x whose slope is within the bound: below it the slope stays there.
    slope = 0.5 / jnp.sqrt(jnp.maximum(x, 0.25 / _LARGEST_SLOPE**2))
    return jnp.sqrt(x), slope * tangent
