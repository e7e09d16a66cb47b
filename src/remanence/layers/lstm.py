"""Long short-term memory, with PyTorch's equations."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from remanence.layers.arrays import real_dtype, require_sizes
from remanence.layers.contract import RECURRENT, AbstractSteppedLayer
from remanence.layers.initialisation import chrono_bias, gate_matrices
from remanence.layers.torch_layout import Stacked, stack_gates, unstack_gates


class LSTM(AbstractSteppedLayer):
    """Long short-term memory.

        i_t = σ(W_i x_t + U_i h_{t-1} + b_i),     f_t = σ(W_f x_t + U_f h_{t-1} + b_f),
        g_t = tanh(W_g x_t + U_g h_{t-1} + b_g),  o_t = σ(W_o x_t + U_o h_{t-1} + b_o),
        c_t = f_t ⊙ c_{t-1} + i_t ⊙ g_t,          h_t = o_t ⊙ tanh(c_t),    y_t = h_t

    The state is the pair `(h, c)`. Gates have arrays of their own, and all input products are
    taken before the scan.

    Args:
        inputs, state: sizes; `h`, `c` and the outputs have the size `state`.
        chrono: `(T_min, T_max)` in steps: `b_f = log(T − 1)` with forget times T uniform on the
            range (`chrono_bias`), and `b_i = −b_f`. If not given `b_f = 1` and `b_i = 0`.

    Input matrices start with entries N(0, 1/inputs), recurrent ones orthogonal, other biases
    zero. The initial state is zero.

    Source: the equations of `torch.nn.LSTM`, whose two biases are one here. Chrono
    initialisation: Tallec & Ollivier 2018; `b_f = 1`: Jozefowicz et al. 2015 (recalled).

        >>> ys, (h, c) = LSTM(3, 8, key=jax.random.key(0))(jnp.ones((5, 3)))
        >>> ys.shape, h.shape, c.shape
        ((5, 8), (8,), (8,))
    """

    W_i: Float[Array, "state inputs"]
    W_f: Float[Array, "state inputs"]
    W_g: Float[Array, "state inputs"]
    W_o: Float[Array, "state inputs"]
    b_i: Float[Array, " state"] = eqx.field(metadata=RECURRENT)
    b_f: Float[Array, " state"] = eqx.field(metadata=RECURRENT)
    b_g: Float[Array, " state"]
    b_o: Float[Array, " state"]
    U_i: Float[Array, "state state"] = eqx.field(metadata=RECURRENT)
    U_f: Float[Array, "state state"] = eqx.field(metadata=RECURRENT)
    U_g: Float[Array, "state state"] = eqx.field(metadata=RECURRENT)
    U_o: Float[Array, "state state"] = eqx.field(metadata=RECURRENT)

    def __init__(
        self,
        inputs: int,
        state: int,
        *,
        chrono: tuple[float | int, float | int] | None = None,
        key: PRNGKeyArray,
        dtype: Any = None,
    ):
        require_sizes("LSTM", inputs=inputs, state=state)
        real = real_dtype(dtype)
        for_matrices, for_bias = jax.random.split(key)
        W, U = gate_matrices(for_matrices, 4, inputs, state, real)
        self.W_i, self.W_f, self.W_g, self.W_o = W
        self.U_i, self.U_f, self.U_g, self.U_o = U
        # One array each: a shared one could not be donated to a jitted training step.
        self.b_g, self.b_o = jnp.zeros((state,), real), jnp.zeros((state,), real)
        if chrono is None:
            self.b_i, self.b_f = jnp.zeros((state,), real), jnp.ones((state,), real)
        else:
            self.b_f = chrono_bias(for_bias, state, chrono, real)
            self.b_i = -self.b_f

    @property
    def inputs(self) -> int:
        return self.W_i.shape[1]

    @property
    def outputs(self) -> int:
        return self.W_i.shape[0]

    def initial_state(self) -> tuple[Float[Array, " state"], Float[Array, " state"]]:
        return jnp.zeros_like(self.b_f), jnp.zeros_like(self.b_f)

    def drive(self, xs: Float[Array, "time inputs"]) -> tuple[Array, Array, Array, Array]:
        return (
            xs @ self.W_i.T + self.b_i[None],
            xs @ self.W_f.T + self.b_f[None],
            xs @ self.W_g.T + self.b_g[None],
            xs @ self.W_o.T + self.b_o[None],
        )

    def advance(self, state: tuple[Array, Array], drive: PyTree[Array]) -> tuple[Array, Array]:
        h, c = state
        i = jax.nn.sigmoid(drive[0] + self.U_i @ h)
        f = jax.nn.sigmoid(drive[1] + self.U_f @ h)
        g = jnp.tanh(drive[2] + self.U_g @ h)
        o = jax.nn.sigmoid(drive[3] + self.U_o @ h)
        c = f * c + i * g
        return o * jnp.tanh(c), c

    def readout(self, states: tuple[Array, Array], xs: Array) -> Float[Array, "time state"]:
        return states[0]

    @classmethod
    def from_arrays(
        cls,
        weight_ih: Any,
        weight_hh: Any,
        bias_ih: Any = None,
        bias_hh: Any = None,
        *,
        dtype: Any = None,
    ) -> "LSTM":
        """The LSTM whose arrays are stacked as in `torch.nn.LSTM`: gates i, f, g, o along rows.

        Args:
            weight_ih, weight_hh: `(4 state, inputs)` and `(4 state, state)`.
            bias_ih, bias_hh: `(4 state,)`; None is zero, as with `bias=False`.
            dtype: the floating type; that of `weight_ih` if not given.

        Raises:
            RemanenceError: if a shape does not fit.

            LSTM.from_arrays(*torch.nn.LSTM(3, 8).state_dict().values())
        """
        W, U, b, c = unstack_gates("LSTM", 4, weight_ih, weight_hh, bias_ih, bias_hh, dtype)
        state, inputs = W[0].shape
        start = cls(inputs, state, key=jax.random.key(0), dtype=W[0].dtype)
        biases = [first + second for first, second in zip(b, c, strict=True)]
        return eqx.tree_at(_arrays, start, (*W, *U, *biases))

    def to_arrays(self) -> Stacked:
        """`weight_ih, weight_hh, bias_ih, bias_hh` as `torch.nn.LSTM` stacks them, with NumPy.

        `bias_hh` is zero: the layer has one bias where PyTorch has two.
        """
        zero = jnp.zeros_like(self.b_i)
        arrays = _arrays(self)
        return stack_gates(
            list(arrays[:4]), list(arrays[4:8]), list(arrays[8:]), [zero, zero, zero, zero]
        )


def _arrays(lstm: LSTM) -> tuple[Any, ...]:
    W = (lstm.W_i, lstm.W_f, lstm.W_g, lstm.W_o)
    U = (lstm.U_i, lstm.U_f, lstm.U_g, lstm.U_o)
    return (*W, *U, lstm.b_i, lstm.b_f, lstm.b_g, lstm.b_o)
