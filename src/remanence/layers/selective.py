"""A minimal selective state-space layer: step, input and output weights depend on the input."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from remanence.errors import RemanenceError
from remanence.layers.arrays import normal, real_dtype, require_sizes
from remanence.layers.contract import RECURRENT
from remanence.layers.time_varying import AbstractTimeVaryingLayer


class SelectiveSSM(AbstractTimeVaryingLayer):
    """A selective diagonal recurrence, one per channel, as at the core of Mamba.

        Δ_t = softplus(W_Δ x_t + c),   B_t = W_B x_t,   C_t = W_C x_t,
        h_t[c, n] = exp(−Δ_t[c] e^{α[c, n]}) h_{t-1}[c, n] + Δ_t[c] B_t[n] x_t[c],
        y_t[c] = Σ_n C_t[n] h_t[c, n] + D[c] x_t[c]

    The core only: no convolution in front and no gate behind. The state is (channels, modes).

    Args:
        inputs: the number of channels; inputs and outputs are of this size.
        state: the modes of each channel; their rates start at 1 … `state`.
        rank: the rank of `W_Δ`; ⌈inputs/16⌉ if not given.
        step_min, step_max: Δ at the start for a zero input is log-uniform between them.

    Source: Gu & Dao 2023 (arXiv 2312.00752), Algorithm 2 with their simplified discretisation
    `B̄ = Δ B`.
    """

    log_rate: Float[Array, "channels modes"] = eqx.field(metadata=RECURRENT)
    step_bias: Float[Array, " channels"] = eqx.field(metadata=RECURRENT)
    step_down: Float[Array, "rank channels"]
    step_up: Float[Array, "channels rank"]
    input_weights: Float[Array, "modes channels"]
    output_weights: Float[Array, "modes channels"]
    D: Float[Array, " channels"]

    def __init__(
        self,
        inputs: int,
        state: int = 16,
        *,
        rank: int | None = None,
        step_min: float | int = 1e-3,
        step_max: float | int = 1e-1,
        key: PRNGKeyArray,
        dtype: Any = None,
    ):
        rank = math.ceil(inputs / 16) if rank is None else rank
        require_sizes("SelectiveSSM", inputs=inputs, state=state, rank=rank)
        if not 0 < step_min <= step_max:
            raise RemanenceError(
                f"SelectiveSSM: needs 0 < step_min <= step_max, got {step_min:g} and {step_max:g}"
            )
        real = real_dtype(dtype)
        for_step, down, up, for_B, for_C = jax.random.split(key, 5)
        self.log_rate = jnp.broadcast_to(
            jnp.log(jnp.arange(1, state + 1, dtype=real))[None], (inputs, state)
        )
        low, high = math.log(step_min), math.log(step_max)
        step = jnp.exp(jax.random.uniform(for_step, (inputs,), real, low, high))
        self.step_bias = step + jnp.log(-jnp.expm1(-step))
        self.step_down = normal(down, (rank, inputs), 1 / inputs, real)
        self.step_up = normal(up, (inputs, rank), 1 / rank, real)
        self.input_weights = normal(for_B, (state, inputs), 1 / inputs, real)
        self.output_weights = normal(for_C, (state, inputs), 1 / inputs, real)
        self.D = jnp.ones((inputs,), real)

    @property
    def inputs(self) -> int:
        return self.D.shape[0]

    @property
    def outputs(self) -> int:
        return self.D.shape[0]

    def initial_state(self) -> Float[Array, "channels modes"]:
        return jnp.zeros_like(self.log_rate)

    def terms(self, xs: Float[Array, "time channels"]) -> tuple[Array, Array]:
        step = jax.nn.softplus(xs @ self.step_down.T @ self.step_up.T + self.step_bias[None])
        a = jnp.exp(-step[:, :, None] * jnp.exp(self.log_rate)[None])
        B = xs @ self.input_weights.T
        return a, (step * xs)[:, :, None] * B[:, None, :]

    def readout(
        self, states: Float[Array, "time channels modes"], xs: Float[Array, "time channels"]
    ) -> Float[Array, "time channels"]:
        C = xs @ self.output_weights.T
        return jnp.einsum("tcn,tn->tc", states, C) + xs * self.D[None]
