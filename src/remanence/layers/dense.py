"""Linear recurrences with a dense or block-diagonal recurrence matrix."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from remanence.errors import RemanenceError
from remanence.layers.arrays import (
    feedthrough,
    feedthrough_matrix,
    initial_feedthrough,
    normal,
    real_dtype,
    require_sizes,
    with_feedthrough,
)
from remanence.layers.contract import RECURRENT, floating_type
from remanence.layers.time_invariant import AbstractTimeInvariantLayer
from remanence.recurrence import causal_convolution
from remanence.systems import StateSpace


class LinearRNN(AbstractTimeInvariantLayer):
    """A linear recurrence with a block-diagonal recurrence matrix; one block is the dense RNN.

        h_t[i] = A[i] h_{t-1}[i] + B[i] x_t,        y_t = Σ_i C[i] h_t[i] + D x_t

    The state is (blocks, size). Blocks of size 2 can hold any conjugate pair: as many heads as
    pairs is the real form of a complex diagonal recurrence.

    Args:
        inputs, state, outputs: sizes; `state` is the whole state, a multiple of `blocks`.
        blocks: how many independent blocks the recurrence matrix has.
        radius: the magnitude of every eigenvalue at the start: each block is `radius` times a
            random orthogonal matrix.

    Source: Zucchet & Orvieto, NeurIPS 2024, section 4 (dense and "block diagonal" students).

        >>> LinearRNN(1, 4, 1, key=jax.random.key(0)).system().order
        4
    """

    A: Float[Array, "blocks size size"] = eqx.field(metadata=RECURRENT)
    B: Float[Array, "blocks size inputs"]
    C: Float[Array, "outputs blocks size"]
    D: Float[Array, "..."] | None

    def __init__(
        self,
        inputs: int,
        state: int,
        outputs: int | None = None,
        *,
        blocks: int = 1,
        radius: float | int = 0.9,
        direct: bool = True,
        key: PRNGKeyArray,
        dtype: Any = None,
    ):
        outputs = inputs if outputs is None else outputs
        require_sizes("LinearRNN", inputs=inputs, state=state, outputs=outputs, blocks=blocks)
        if state % blocks:
            raise RemanenceError(
                f"LinearRNN: a state of {state} cannot be cut into {blocks} equal blocks"
            )
        if not 0 <= radius < math.inf:
            raise RemanenceError(
                f"LinearRNN: radius is {radius!r}; it must be finite and not negative"
            )
        size, real = state // blocks, real_dtype(dtype)
        for_A, for_B, for_C, for_D = jax.random.split(key, 4)
        # Not Gaussian: small Gaussian blocks often start outside the unit circle.
        self.A = radius * jax.random.orthogonal(for_A, size, (blocks,), real)
        self.B = normal(for_B, (blocks, size, inputs), 1 / inputs, real)
        self.C = normal(for_C, (outputs, blocks, size), 1 / state, real)
        self.D = initial_feedthrough(for_D, outputs, inputs, real) if direct else None

    @property
    def inputs(self) -> int:
        return self.B.shape[2]

    @property
    def outputs(self) -> int:
        return self.C.shape[0]

    @property
    def state_methods(self) -> tuple[str, ...]:
        return ("sequential",)

    def initial_state(self) -> Float[Array, "blocks size"]:
        return jnp.zeros(self.A.shape[:2], self.A.dtype)

    def run(self, xs: Array, state: Array, method: str) -> Float[Array, "time blocks size"]:
        def body(h: Array, term: Array) -> tuple[Array, Array]:
            h = jnp.einsum("bij,bj->bi", self.A, h) + term
            return h, h

        return jax.lax.scan(body, state, jnp.einsum("bin,tn->tbi", self.B, xs))[1]

    def read(self, states: Float[Array, "time blocks size"]) -> Float[Array, "time outputs"]:
        return jnp.einsum("obi,tbi->to", self.C, states)

    def direct(self, xs: Array) -> Float[Array, "time outputs"]:
        return feedthrough(self.D, xs, self.outputs)

    def convolve(self, xs: Array, method: str) -> Float[Array, "time outputs"]:
        return causal_convolution(self._kernel(xs.shape[0]), xs, method=method)

    def impulse_response(self, length: int) -> Float[Array, "length outputs inputs"]:
        require_sizes(f"{type(self).__name__}.impulse_response", length=length)
        return with_feedthrough(self._kernel(length), self.D)

    def echo(self, state: Array, length: int) -> Float[Array, "time outputs"]:
        return self.read(self._powers_times(state[:, :, None], length + 1)[1:, :, :, 0])

    def carry(self, xs: Array, state: Array | None) -> Float[Array, "blocks size"]:
        length = xs.shape[0]
        final = jnp.einsum("tbin,tn->bi", self._reached(length)[::-1], xs)
        if state is None:
            return final
        return final + self._powers_times(state[:, :, None], length + 1)[-1, :, :, 0]

    def prefers_kernel(self, length: int) -> bool:
        # A^j B is a scan without a batch. Measured on a CPU with a batch of 32
        # (benchmarks/engines.py): equal at 4 × the state for dense matrices of 64, at 1 × for 16.
        return self.inputs * self.outputs <= self.A.shape[0] * self.A.shape[1]

    def system(self) -> StateSpace:
        blocks, size = self.A.shape[:2]
        # Block (i, j) of the whole matrix is A[i] on the diagonal and zero elsewhere.
        whole = jnp.einsum("bij,bc->bicj", self.A, jnp.eye(blocks, dtype=self.A.dtype))
        return StateSpace(
            whole.reshape(blocks * size, blocks * size),
            self.B.reshape(blocks * size, self.inputs),
            self.C.reshape(self.outputs, blocks * size),
            feedthrough_matrix(self.D, (self.outputs, self.inputs), floating_type(self)),
        )

    def _kernel(self, length: int) -> Float[Array, "length outputs inputs"]:
        """`C A^j B` without `D`."""
        return jnp.einsum("obi,tbin->ton", self.C, self._reached(length))

    def _reached(self, length: int) -> Float[Array, "time blocks size inputs"]:
        return self._powers_times(self.B, length)

    def _powers_times(self, start: Array, length: int) -> Array:
        """`A^j start` for j = 0 … length − 1."""

        def body(v: Array, _: None) -> tuple[Array, Array]:
            return jnp.einsum("bij,bjn->bin", self.A, v), v

        return jax.lax.scan(body, start, length=length)[1]
