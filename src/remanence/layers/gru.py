"""The gated recurrent unit, with PyTorch's equations."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from remanence.layers.arrays import real_dtype, require_sizes
from remanence.layers.contract import (
    RECURRENT,
    AbstractRecurrentLayer,
    State,
    as_inputs,
    as_state,
    check_method,
)
from remanence.layers.gru_states import Drive, Weights, gru_states, gru_step
from remanence.layers.initialisation import chrono_bias, gate_matrices
from remanence.layers.torch_layout import Stacked, stack_gates, unstack_gates


class GRU(AbstractRecurrentLayer):
    """The gated recurrent unit.

        r_t = σ(W_r x_t + U_r h_{t-1} + b_r),     z_t = σ(W_z x_t + U_z h_{t-1} + b_z),
        n_t = tanh(W_n x_t + b_n + r_t ⊙ (U_n h_{t-1} + c_n)),
        h_t = (1 − z_t) ⊙ n_t + z_t ⊙ h_{t-1},    y_t = h_t

    `z` keeps the state; in Cho et al. 2014's text and in some libraries its name stands for
    `1 − z`. The gates have arrays of their own, and all input products are taken before the
    scan: measured faster than one product whose result is cut in three. Derivatives are
    `gru_states`'s (`benchmarks/gru.py` has the times).

    Args:
        inputs, state: sizes; the outputs are the state.
        chrono: `(T_min, T_max)` in steps: `b_z = log(T − 1)` with forget times T uniform on the
            range (`chrono_bias`); zero if not given.

    Input matrices start with entries N(0, 1/inputs), recurrent ones orthogonal, other biases
    zero. The initial state is zero.

    Source: the equations of `torch.nn.GRU`, whose redundant second biases of `r` and `z` are
    added to the first. Chrono initialisation: Tallec & Ollivier 2018.

        >>> ys, state = GRU(3, 8, chrono=(2, 100), key=jax.random.key(0))(jnp.ones((5, 3)))
        >>> ys.shape, state.shape
        ((5, 8), (8,))
    """

    W_r: Float[Array, "state inputs"]
    W_z: Float[Array, "state inputs"]
    W_n: Float[Array, "state inputs"]
    b_r: Float[Array, " state"]
    b_z: Float[Array, " state"] = eqx.field(metadata=RECURRENT)
    b_n: Float[Array, " state"]
    c_n: Float[Array, " state"]
    U_r: Float[Array, "state state"] = eqx.field(metadata=RECURRENT)
    U_z: Float[Array, "state state"] = eqx.field(metadata=RECURRENT)
    U_n: Float[Array, "state state"] = eqx.field(metadata=RECURRENT)

    def __init__(
        self,
        inputs: int,
        state: int,
        *,
        chrono: tuple[float | int, float | int] | None = None,
        key: PRNGKeyArray,
        dtype: Any = None,
    ):
        require_sizes("GRU", inputs=inputs, state=state)
        real = real_dtype(dtype)
        for_matrices, for_bias = jax.random.split(key)
        W, U = gate_matrices(for_matrices, 3, inputs, state, real)
        self.W_r, self.W_z, self.W_n = W
        self.U_r, self.U_z, self.U_n = U
        # One array each: a shared one could not be donated to a jitted training step.
        self.b_r, self.b_n, self.c_n = (jnp.zeros((state,), real) for _ in range(3))
        if chrono is None:
            self.b_z = jnp.zeros((state,), real)
        else:
            self.b_z = chrono_bias(for_bias, state, chrono, real)

    @property
    def methods(self) -> tuple[str, ...]:
        return ("sequential",)

    @property
    def inputs(self) -> int:
        return self.W_r.shape[1]

    @property
    def outputs(self) -> int:
        return self.W_r.shape[0]

    def initial_state(self) -> Float[Array, " state"]:
        return jnp.zeros_like(self.b_r)

    def step(
        self, state: State, x: Float[Array, " inputs"]
    ) -> tuple[Float[Array, " state"], Float[Array, " state"]]:
        r, z, n = self._drive(as_inputs(self, jnp.asarray(x)[None]))
        state = gru_step(self._weights(), (r[0], z[0], n[0]), as_state(self, state))
        return state, state

    def __call__(
        self,
        xs: Float[Array, "time inputs"],
        state: State | None = None,
        *,
        method: str = "auto",
    ) -> tuple[Float[Array, "time state"], Float[Array, " state"]]:
        start = as_state(self, state)
        states = self._run(xs, start, method)
        return states, states[-1] if states.shape[0] else start

    def states(
        self,
        xs: Float[Array, "time inputs"],
        state: State | None = None,
        *,
        method: str = "auto",
    ) -> Float[Array, "time state"]:
        return self._run(xs, as_state(self, state), method)

    def _run(self, xs: Array, start: Array, method: str) -> Float[Array, "time state"]:
        check_method(self, method)
        return gru_states(self._weights(), self._drive(as_inputs(self, xs)), start)

    def _weights(self) -> Weights:
        return self.U_r, self.U_z, self.U_n, self.c_n

    def _drive(self, xs: Float[Array, "time inputs"]) -> Drive:
        return (
            xs @ self.W_r.T + self.b_r[None],
            xs @ self.W_z.T + self.b_z[None],
            xs @ self.W_n.T + self.b_n[None],
        )

    @classmethod
    def from_arrays(
        cls,
        weight_ih: Any,
        weight_hh: Any,
        bias_ih: Any = None,
        bias_hh: Any = None,
        *,
        dtype: Any = None,
    ) -> "GRU":
        """The GRU whose arrays are stacked as in `torch.nn.GRU`: gates r, z, n along rows.

        Args:
            weight_ih, weight_hh: `(3 state, inputs)` and `(3 state, state)`.
            bias_ih, bias_hh: `(3 state,)`; None is zero, as with `bias=False`.
            dtype: the floating type; that of `weight_ih` if not given.

        Raises:
            RemanenceError: if a shape does not fit.

            GRU.from_arrays(*torch.nn.GRU(3, 8).state_dict().values())
        """
        W, U, b, c = unstack_gates("GRU", 3, weight_ih, weight_hh, bias_ih, bias_hh, dtype)
        state, inputs = W[0].shape
        start = cls(inputs, state, key=jax.random.key(0), dtype=W[0].dtype)
        return eqx.tree_at(_arrays, start, (*W, *U, b[0] + c[0], b[1] + c[1], b[2], c[2]))

    def to_arrays(self) -> Stacked:
        """`weight_ih, weight_hh, bias_ih, bias_hh` as `torch.nn.GRU` stacks them, with NumPy.

        The second biases of `r` and `z` are zero: the layer has one bias where PyTorch has two.
        """
        zero = jnp.zeros_like(self.c_n)
        return stack_gates(
            [self.W_r, self.W_z, self.W_n],
            [self.U_r, self.U_z, self.U_n],
            [self.b_r, self.b_z, self.b_n],
            [zero, zero, self.c_n],
        )


def _arrays(gru: GRU) -> tuple[Any, ...]:
    recurrent_arrays = (gru.U_r, gru.U_z, gru.U_n)
    return (gru.W_r, gru.W_z, gru.W_n, *recurrent_arrays, gru.b_r, gru.b_z, gru.b_n, gru.c_n)
