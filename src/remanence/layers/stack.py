"""Recurrent layers one upon the other, between a linear encoder and a linear decoder."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, cast, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from remanence.errors import RemanenceError, nearest_name
from remanence.layers.arrays import require_sizes
from remanence.layers.blocks import run_layer
from remanence.layers.contract import (
    AbstractRecurrentLayer,
    State,
    as_inputs,
    as_state,
    check_method,
    floating_type,
)

Pooling = Literal["none", "mean"]
POOLINGS = get_args(Pooling)


class SequenceModel(AbstractRecurrentLayer):
    """Encoder, recurrent layers, pooling over the past, decoder; itself a recurrent layer.

        v_t = E x_t + e,   v ← layer_1(v), …, layer_n(v),   y_t = D p_t + d
        p_t = v_t                        pooling "none"
        p_t = (v_1 + … + v_t) / t        pooling "mean"

    There is an output at every step, and none depends on later inputs. The usual poolings of a
    sequence are read off the last output: "mean" gives the mean over the whole sequence, "none"
    gives last-step pooling.

    The state is the tuple of the layers' states; with pooling "mean" there follows the pair of
    the running sum `(width,)` and of the count of steps. Tokens come as one-hot inputs, for which
    the encoder is the embedding.

    Args:
        inputs, outputs: sizes.
        width: features between encoder and decoder; each layer's inputs and outputs.
        layers: the layers, or a function `(key) -> layer` that makes one; then give `depth`.
        depth: how many layers to make.
        pooling: "none" or "mean".

    The floating type is that of the layers.

    Raises:
        RemanenceError: for a layer whose inputs or outputs are not `width`, layers of different
            floating types, no layers, or an unknown pooling.

        >>> def block(key):
        ...     return ResidualBlock(LRU(16, 32, key=key), key=key)
        >>> model = SequenceModel(3, 1, width=16, layers=block, depth=4, key=jax.random.key(0))
        >>> ys, state = model(jnp.ones((10, 3)))
    """

    encoder: eqx.nn.Linear
    layers: tuple[AbstractRecurrentLayer, ...]
    decoder: eqx.nn.Linear
    pooling: Pooling = eqx.field(static=True)

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        width: int,
        layers: Sequence[AbstractRecurrentLayer] | Callable[[PRNGKeyArray], Any],
        depth: int | None = None,
        pooling: str = "none",
        key: PRNGKeyArray,
    ):
        require_sizes("SequenceModel", inputs=inputs, outputs=outputs, width=width)
        if pooling not in POOLINGS:
            hint = "; last-step pooling is 'none' with the last output scored"
            raise RemanenceError(
                f"SequenceModel: pooling {pooling!r} is none of {', '.join(POOLINGS)}"
                + (hint if pooling == "last" else nearest_name(pooling, POOLINGS))
            )
        for_encoder, for_layers, for_decoder = jax.random.split(key, 3)
        self.layers = _made(layers, depth, for_layers)
        dtype = _common_type(self.layers, width)
        self.encoder = eqx.nn.Linear(inputs, width, dtype=dtype, key=for_encoder)
        self.decoder = eqx.nn.Linear(width, outputs, dtype=dtype, key=for_decoder)
        self.pooling = cast(Pooling, pooling)

    @property
    def inputs(self) -> int:
        return self.encoder.weight.shape[1]

    @property
    def outputs(self) -> int:
        return self.decoder.weight.shape[0]

    @property
    def methods(self) -> tuple[str, ...]:
        """The engines that all layers have; with "auto" each layer chooses its own."""
        first, *rest = (layer.methods for layer in self.layers)
        return tuple(method for method in first if all(method in other for other in rest))

    def initial_state(self) -> State:
        states = tuple(layer.initial_state() for layer in self.layers)
        if self.pooling == "none":
            return states
        weight = self.decoder.weight
        return (*states, (jnp.zeros(weight.shape[1], weight.dtype), jnp.zeros((), weight.dtype)))

    def step(
        self, state: State, x: Float[Array, " inputs"]
    ) -> tuple[State, Float[Array, " outputs"]]:
        v = self.encoder(as_inputs(self, jnp.asarray(x)[None])[0])
        states = []
        for layer, own in zip(self.layers, as_state(self, state), strict=False):
            own, v = layer.step(own, v)
            states.append(own)
        if self.pooling == "mean":
            total, count = state[-1]
            states.append((total + v, count + 1.0))
            v = (total + v) / (count + 1.0)
        return tuple(states), self.decoder(v)

    def __call__(
        self,
        xs: Float[Array, "time inputs"],
        state: State | None = None,
        *,
        method: str = "auto",
        key: PRNGKeyArray | None = None,
    ) -> tuple[Float[Array, "time outputs"], State]:
        """A whole sequence; a `key` turns on the dropout of the layers that have any."""
        check_method(self, method)
        keys = (
            [None] * len(self.layers) if key is None else jax.random.split(key, len(self.layers))
        )
        vs = jax.vmap(self.encoder)(as_inputs(self, xs))
        before = as_state(self, state)
        finals = []
        for layer, own, layer_key in zip(self.layers, before, keys, strict=False):
            vs, final = run_layer(layer, vs, own, method=method, key=layer_key)
            finals.append(final)
        if self.pooling == "mean":
            sums, counts = _running(vs, *before[-1])
            vs = sums / counts[:, None]
            finals.append(_last((sums, counts), before[-1]))
        return jax.vmap(self.decoder)(vs), tuple(finals)

    def states(
        self, xs: Float[Array, "time inputs"], state: State | None = None, *, method: str = "auto"
    ) -> State:
        check_method(self, method)
        vs = jax.vmap(self.encoder)(as_inputs(self, xs))
        before = as_state(self, state)
        states = []
        for layer, own in zip(self.layers, before, strict=False):
            states.append(layer.states(vs, own, method=method))
            vs, _ = layer(vs, own, method=method)
        if self.pooling == "mean":
            states.append(_running(vs, *before[-1]))
        return tuple(states)


def _running(vs: Array, total: Array, count: Array) -> tuple[Array, Array]:
    """The sums of features and the counts of steps up to each step."""
    sums = total[None] + jnp.cumsum(vs, axis=0)
    return sums, count + jnp.arange(1, vs.shape[0] + 1).astype(count.dtype)


def _last(states: State, before: State) -> State:
    return jax.tree.map(lambda s, b: s[-1] if s.shape[0] else b, states, before)


def _made(layers: Any, depth: int | None, key: PRNGKeyArray) -> tuple[Any, ...]:
    if isinstance(layers, AbstractRecurrentLayer):
        raise RemanenceError(
            f"SequenceModel: layers is one {type(layers).__name__}; give a list of layers, or a "
            "function that makes one from a key and depth="
        )
    if callable(layers):
        if depth is None:
            raise RemanenceError("SequenceModel: layers is a function; say how many with depth=")
        require_sizes("SequenceModel", depth=depth)
        return tuple(layers(one) for one in jax.random.split(key, depth))
    if not isinstance(layers, Iterable):
        raise RemanenceError(
            f"SequenceModel: layers is {layers!r}; give a list of layers, or a function that "
            "makes one from a key and depth="
        )
    made = tuple(layers)
    if not made:
        raise RemanenceError("SequenceModel: layers is empty; give at least one layer")
    if depth not in (None, len(made)):
        raise RemanenceError(
            f"SequenceModel: depth is {depth} but {len(made)} layers are given; leave depth out"
        )
    return made


def _common_type(layers: tuple[Any, ...], width: int) -> Any:
    """The layers' floating type; raises if they do not fit `width` or each other."""
    for place, layer in enumerate(layers):
        name = f"SequenceModel: layer {place} ({type(layer).__name__})"
        if not isinstance(layer, AbstractRecurrentLayer):
            raise RemanenceError(f"{name} is no recurrent layer (AbstractRecurrentLayer)")
        if (layer.inputs, layer.outputs) != (width, width):
            raise RemanenceError(
                f"{name} has {layer.inputs} inputs and {layer.outputs} outputs, "
                f"expected the width, {width}, of both"
            )
        if floating_type(layer) != floating_type(layers[0]):
            raise RemanenceError(
                f"{name} is {floating_type(layer)} and layer 0 is {floating_type(layers[0])}; "
                "give all layers one dtype"
            )
    return floating_type(layers[0])
