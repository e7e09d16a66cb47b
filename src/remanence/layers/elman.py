"""Nonlinear recurrences without gates: the Elman network and IndRNN."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from remanence.errors import RemanenceError
from remanence.layers.activations import activate, check_activation
from remanence.layers.arrays import normal, real_dtype, require_sizes
from remanence.layers.contract import RECURRENT, AbstractSteppedLayer
from remanence.layers.initialisation import recurrent_matrix


class ElmanRNN(AbstractSteppedLayer):
    """The Elman ("vanilla") recurrent network.

        h_t = φ(W x_t + U h_{t-1} + b),    y_t = h_t

    Args:
        inputs, state: sizes; the outputs are the state.
        activation: `φ`: tanh, relu, hardtanh, identity, gelu, silu or sigmoid.
        start, gain: how `U` starts (`recurrent_matrix`). Orthogonal with gain 1 keeps the norm
            of the state where `φ` is linear; identity with relu is the IRNN.

    `W` starts with entries N(0, 1/inputs), `b` at zero.

    Raises:
        RemanenceError: for an unknown activation or start, or a size below 1.

    Source: Elman 1990; the equation of `torch.nn.RNN`, whose two biases are one here.

        >>> ys, state = ElmanRNN(3, 8, key=jax.random.key(0))(jnp.ones((5, 3)))
        >>> ys.shape, state.shape
        ((5, 8), (8,))
    """

    W: Float[Array, "state inputs"]
    b: Float[Array, " state"]
    activation: str = eqx.field(static=True)
    U: Float[Array, "state state"] = eqx.field(metadata=RECURRENT)

    def __init__(
        self,
        inputs: int,
        state: int,
        *,
        activation: str = "tanh",
        start: str = "orthogonal",
        gain: float | int = 1.0,
        key: PRNGKeyArray,
        dtype: Any = None,
    ):
        require_sizes("ElmanRNN", inputs=inputs, state=state)
        real = real_dtype(dtype)
        for_W, for_U = jax.random.split(key)
        self.W = normal(for_W, (state, inputs), 1 / inputs, real)
        self.U = recurrent_matrix(for_U, state, real, start=start, gain=gain)
        self.b = jnp.zeros((state,), real)
        self.activation = check_activation(activation, "ElmanRNN")

    @property
    def inputs(self) -> int:
        return self.W.shape[1]

    @property
    def outputs(self) -> int:
        return self.W.shape[0]

    def initial_state(self) -> Float[Array, " state"]:
        return jnp.zeros_like(self.b)

    def drive(self, xs: Float[Array, "time inputs"]) -> Float[Array, "time state"]:
        return xs @ self.W.T + self.b[None]

    def advance(self, state: Float[Array, " state"], drive: PyTree[Array]) -> Array:
        return activate(self.activation, drive + self.U @ state)

    def readout(self, states: Array, xs: Array) -> Float[Array, "time state"]:
        return states


class IndRNN(AbstractSteppedLayer):
    """The independently recurrent network: each unit hears only its own past.

        h_t = φ(W x_t + u ⊙ h_{t-1} + b),    y_t = h_t

    Args:
        inputs, state: sizes; the outputs are the state.
        activation: `φ`, as for `ElmanRNN`; relu as published.
        memory: the longest span, in steps, that should be kept. `u` starts uniform on
            `[0, 2^{1/memory}]`, so that no unit grows by more than 2 within the span; on
            `[0, 1]` if not given.

    Nothing bounds `u` during training; the published method clips it to `|u| ≤ 2^{1/memory}`
    after each step.

    Raises:
        RemanenceError: for an unknown activation, or a size or memory below 1.

    Source: Li et al., CVPR 2018 (arXiv 1803.04831), section 4.1; the range recalled.
    """

    W: Float[Array, "state inputs"]
    b: Float[Array, " state"]
    activation: str = eqx.field(static=True)
    u: Float[Array, " state"] = eqx.field(metadata=RECURRENT)

    def __init__(
        self,
        inputs: int,
        state: int,
        *,
        activation: str = "relu",
        memory: float | int | None = None,
        key: PRNGKeyArray,
        dtype: Any = None,
    ):
        require_sizes("IndRNN", inputs=inputs, state=state)
        if memory is not None and not 1 <= memory < np.inf:
            raise RemanenceError(f"IndRNN: memory is {memory!r} steps; it must be at least 1")
        real = real_dtype(dtype)
        for_W, for_u = jax.random.split(key)
        largest = 1.0 if memory is None else float(2.0 ** (1.0 / memory))
        self.W = normal(for_W, (state, inputs), 1 / inputs, real)
        self.u = jax.random.uniform(for_u, (state,), real, maxval=largest)
        self.b = jnp.zeros((state,), real)
        self.activation = check_activation(activation, "IndRNN")

    @property
    def inputs(self) -> int:
        return self.W.shape[1]

    @property
    def outputs(self) -> int:
        return self.W.shape[0]

    def initial_state(self) -> Float[Array, " state"]:
        return jnp.zeros_like(self.b)

    def drive(self, xs: Float[Array, "time inputs"]) -> Float[Array, "time state"]:
        return xs @ self.W.T + self.b[None]

    def advance(self, state: Float[Array, " state"], drive: PyTree[Array]) -> Array:
        return activate(self.activation, drive + self.u * state)

    def readout(self, states: Array, xs: Array) -> Float[Array, "time state"]:
        return states
