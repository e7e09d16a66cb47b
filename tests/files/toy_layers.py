"""Layers that are not the library's own, holding a bit of everything a layer may hold."""

from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from jaxtyping import Array, Float

from remanence.errors import ModelFileError
from remanence.files.layers import load_model
from remanence.layers.contract import AbstractRecurrentLayer, AbstractSteppedLayer

ACTIVATIONS = {"tanh": jnp.tanh, "relu": jax.nn.relu}


class Damped(AbstractSteppedLayer):
    """h = σ(W h + U x + b), y = norm(V h) c, with a bit of everything a layer may hold."""

    W: Float[Array, "hidden hidden"]
    U: Float[Array, "hidden inputs"]
    bias: Float[Array, " hidden"] | None
    readout_map: eqx.nn.Linear
    norm: eqx.nn.LayerNorm
    modes: Array
    scale: float
    sizes: tuple[int, int] = eqx.field(static=True)
    activation: Literal["tanh", "relu"] = eqx.field(static=True)
    extras: Any = eqx.field(static=True)

    def __init__(self, *, seed: int = 0, bias: bool = True, extras: Any = (), dtype=jnp.float64):
        keys = jr.split(jr.key(seed), 4)
        self.W = jr.normal(keys[0], (4, 4), dtype) / 4
        self.U = jr.normal(keys[1], (4, 3), dtype)
        self.bias = jr.normal(keys[2], (4,), dtype) if bias else None
        self.readout_map = eqx.nn.Linear(4, 3, dtype=dtype, key=keys[3])
        self.norm = eqx.nn.LayerNorm(3, eps=1e-3, dtype=dtype)
        complex_type = np.result_type(dtype, np.complex64)
        self.modes = jr.normal(keys[2], (4,), complex_type)
        self.scale, self.extras, self.activation = 0.1, extras, "tanh"
        self.sizes = (3, 3)

    @property
    def inputs(self) -> int:
        return self.sizes[0]

    @property
    def outputs(self) -> int:
        return self.sizes[1]

    def initial_state(self) -> Array:
        return self.modes.real

    def drive(self, xs: Array) -> Array:
        return xs @ self.U.T

    def advance(self, state: Array, drive: Array) -> Array:
        total = state @ self.W + drive
        if self.bias is not None:
            total = total + self.bias
        return ACTIVATIONS[self.activation](total)

    def readout(self, states: Array, xs: Array) -> Array:
        return self.scale * jax.vmap(lambda h: self.norm(self.readout_map(h)))(states)


class Pile(AbstractRecurrentLayer):
    layers: tuple[AbstractRecurrentLayer, ...]
    dropout: eqx.nn.Dropout
    table: dict[str, Array | np.ndarray]

    @property
    def inputs(self) -> int:
        return self.layers[0].inputs

    @property
    def outputs(self) -> int:
        return self.layers[-1].outputs

    @property
    def methods(self) -> tuple[str, ...]:
        return ("sequential",)

    def initial_state(self):
        return tuple(layer.initial_state() for layer in self.layers)

    def step(self, state, x):
        states = []
        for layer, held in zip(self.layers, state, strict=True):
            new, x = layer.step(held, x)
            states.append(new)
        return tuple(states), x

    def __call__(self, xs, state=None, *, method="auto"):
        state = self.initial_state() if state is None else state
        state, ys = jax.lax.scan(lambda state, x: self.step(state, x), state, xs)
        return ys, state

    def states(self, xs, state=None, *, method="auto"):
        raise NotImplementedError


KNOWN = (Damped, Pile)


def pile() -> Pile:
    table = {"quantiles": np.array([0.1, 0.9], np.float32)}
    return Pile((Damped(), Damped(seed=1, bias=False)), eqx.nn.Dropout(0.2, True), table)


def refusal(path, **options) -> str:
    with pytest.raises(ModelFileError) as caught:
        load_model(path, **{"known": KNOWN, **options})
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) < len(str(path)) + 500
    return message
