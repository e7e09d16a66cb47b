"""What stands around a recurrent layer in a deep model: norms, dropout, a gated mixer, skips."""

import inspect
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from remanence.errors import RemanenceError, nearest_name
from remanence.layers.activations import activate, check_activation
from remanence.layers.contract import (
    AbstractRecurrentLayer,
    State,
    as_inputs,
    check_method,
    floating_type,
)

Norm = Literal["layer", "rms", "none"]
Mixer = Literal["glu", "none"]


class GLU(eqx.Module):
    """The gated linear unit, a mixer of features within each time step.

        y_t = (W_1 v_t + b_1) ⊙ σ(W_2 v_t + b_2)

    Source: Dauphin et al. 2017; as in the LRU block.
    """

    value: eqx.nn.Linear
    gate: eqx.nn.Linear

    def __init__(self, width: int, *, key: PRNGKeyArray, dtype: Any = None):
        for_value, for_gate = jax.random.split(key)
        self.value = eqx.nn.Linear(width, width, dtype=dtype, key=for_value)
        self.gate = eqx.nn.Linear(width, width, dtype=dtype, key=for_gate)

    def __call__(self, xs: Float[Array, "time width"]) -> Float[Array, "time width"]:
        return jax.vmap(self.value)(xs) * jax.nn.sigmoid(jax.vmap(self.gate)(xs))


class ResidualBlock(AbstractRecurrentLayer):
    """A recurrent layer with a norm, an activation, a mixer, dropout and a skip connection.

        y = x + dropout(mixer(dropout(φ(layer(norm(x))))))          with prenorm
        y = norm(x + dropout(mixer(dropout(φ(layer(x))))))          without

    Norm, activation and mixer act within each time step, so that the block is causal and its
    state is the layer's.

    Args:
        layer: any recurrent layer with as many outputs as inputs.
        norm: "layer" or "rms", both with learned scales, or "none".
        prenorm: whether the norm stands before the layer or after the skip connection.
        mixer: "glu" or "none".
        activation: `φ`, by name.
        dropout: the chance that a feature of a step is zeroed; the others are scaled up by
            `1/(1 − dropout)`. It acts only in calls that are given a `key`.

    Raises:
        RemanenceError: for an unknown option, a `dropout` outside [0, 1), or a layer whose
            outputs are not as many as its inputs.

    Source: the block of Orvieto et al. 2023 as its public implementations have it.

        >>> block = ResidualBlock(GRU(8, 8, key=key), dropout=0.1, key=key)
        >>> ys, state = block(xs, key=key)
    """

    layer: AbstractRecurrentLayer
    norm: eqx.nn.LayerNorm | eqx.nn.RMSNorm | None
    mixer: GLU | None
    prenorm: bool = eqx.field(static=True)
    activation: str = eqx.field(static=True)
    dropout: float = eqx.field(static=True)

    def __init__(
        self,
        layer: AbstractRecurrentLayer,
        *,
        norm: str = "layer",
        prenorm: bool = True,
        mixer: str = "glu",
        activation: str = "gelu",
        dropout: float | int = 0.0,
        key: PRNGKeyArray,
    ):
        _require_layer(layer, "ResidualBlock")
        if layer.inputs != layer.outputs:
            raise RemanenceError(
                f"ResidualBlock: the {type(layer).__name__} has {layer.inputs} inputs and "
                f"{layer.outputs} outputs; a skip connection needs as many of both"
            )
        _require_choice(norm, Norm, "norm")
        _require_choice(mixer, Mixer, "mixer")
        if not 0.0 <= dropout < 1.0:
            raise RemanenceError(f"ResidualBlock: dropout is {dropout!r}; it must be in [0, 1)")
        width, dtype = layer.inputs, floating_type(layer)
        self.layer = layer
        self.norm = None
        if norm != "none":
            kind = eqx.nn.LayerNorm if norm == "layer" else eqx.nn.RMSNorm
            self.norm = kind(width, dtype=dtype)
        self.mixer = GLU(width, key=key, dtype=dtype) if mixer == "glu" else None
        self.prenorm = prenorm
        self.activation = check_activation(activation, "ResidualBlock")
        self.dropout = float(dropout)

    @property
    def inputs(self) -> int:
        return self.layer.inputs

    @property
    def outputs(self) -> int:
        return self.layer.outputs

    @property
    def methods(self) -> tuple[str, ...]:
        return self.layer.methods

    def initial_state(self) -> State:
        return self.layer.initial_state()

    def step(
        self, state: State, x: Float[Array, " inputs"]
    ) -> tuple[State, Float[Array, " outputs"]]:
        xs = as_inputs(self, jnp.asarray(x)[None])
        state, v = self.layer.step(state, self._before(xs)[0])
        return state, self._after(xs, v[None], None)[0]

    def __call__(
        self,
        xs: Float[Array, "time inputs"],
        state: State | None = None,
        *,
        method: str = "auto",
        key: PRNGKeyArray | None = None,
    ) -> tuple[Float[Array, "time outputs"], State]:
        """A whole sequence; with a `key` there is dropout, also in the layer if it has any."""
        check_method(self, method)
        xs = as_inputs(self, xs)
        inner, own = (None, None) if key is None else jax.random.split(key)
        vs, state = run_layer(self.layer, self._before(xs), state, method=method, key=inner)
        return self._after(xs, vs, own), state

    def states(
        self, xs: Float[Array, "time inputs"], state: State | None = None, *, method: str = "auto"
    ) -> State:
        check_method(self, method)
        return self.layer.states(self._before(as_inputs(self, xs)), state, method=method)

    def _before(self, xs: Array) -> Float[Array, "time inputs"]:
        return self._normalised(xs) if self.prenorm else xs

    def _after(
        self, xs: Array, vs: Array, key: PRNGKeyArray | None
    ) -> Float[Array, "time outputs"]:
        first, second = (None, None) if key is None else jax.random.split(key)
        vs = drop(activate(self.activation, vs), self.dropout, key=first)
        if self.mixer is not None:
            # Without a mixer there is nothing between the two dropouts, and one is enough.
            vs = drop(self.mixer(vs), self.dropout, key=second)
        ys = xs + vs
        return ys if self.prenorm else self._normalised(ys)

    def _normalised(self, xs: Array) -> Float[Array, "time inputs"]:
        return xs if self.norm is None else jax.vmap(self.norm)(xs)


def drop(
    xs: Float[Array, "..."], rate: float | int, *, key: PRNGKeyArray | None
) -> Float[Array, "..."]:
    """Zero each entry with chance `rate` and divide the others by `1 − rate`; none without key."""
    if key is None or rate == 0:
        return xs
    kept = jax.random.bernoulli(key, 1.0 - rate, xs.shape)
    return jnp.where(kept, xs / (1.0 - rate), jnp.zeros_like(xs))


def run_layer(
    layer: AbstractRecurrentLayer,
    xs: Float[Array, "time inputs"],
    state: State | None = None,
    *,
    method: str = "auto",
    key: PRNGKeyArray | None = None,
) -> tuple[Float[Array, "time outputs"], State]:
    """`layer(xs, state, method=method)`, with the `key` if the layer's call takes one."""
    if key is not None and "key" in inspect.signature(type(layer).__call__).parameters:
        return layer(xs, state, method=method, key=key)  # pyright: ignore[reportCallIssue]
    return layer(xs, state, method=method)


def _require_layer(layer: Any, where: str) -> None:
    if not isinstance(layer, AbstractRecurrentLayer):
        raise RemanenceError(
            f"{where}: {type(layer).__name__} is no recurrent layer; give an "
            "AbstractRecurrentLayer, as GRU(…) or LRU(…)"
        )


def _require_choice(value: str, choices: Any, what: str) -> None:
    known = choices.__args__
    if value not in known:
        raise RemanenceError(
            f"ResidualBlock: {what} {value!r} is none of {', '.join(known)}"
            f"{nearest_name(value, known)}"
        )
