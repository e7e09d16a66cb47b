"""Diagonal recurrences whose factors depend on the input: RG-LRU and selective layers."""

from abc import abstractmethod

import jax.numpy as jnp
from jaxtyping import Array, Float

from remanence.layers.contract import (
    AbstractRecurrentLayer,
    State,
    as_inputs,
    as_state,
    check_method,
)
from remanence.recurrence import METHODS, linear_recurrence


class AbstractTimeVaryingLayer(AbstractRecurrentLayer):
    """`h_t = a_t ⊙ h_{t-1} + b_t` with `a_t`, `b_t` computed from `x_t` alone.

    Linear in the state, so every engine of `linear_recurrence` runs it; not linear in the input.
    """

    @abstractmethod
    def terms(self, xs: Float[Array, "time inputs"]) -> tuple[Array, Array]:
        """`(a, b)`, each with a leading axis of time."""

    @abstractmethod
    def readout(
        self, states: State, xs: Float[Array, "time inputs"]
    ) -> Float[Array, "time outputs"]:
        """The outputs, from the states after each input."""

    @property
    def methods(self) -> tuple[str, ...]:
        return METHODS

    def step(
        self, state: State, x: Float[Array, " inputs"]
    ) -> tuple[State, Float[Array, " outputs"]]:
        xs = as_inputs(self, jnp.asarray(x)[None])
        a, b = self.terms(xs)
        states = a * as_state(self, state)[None] + b
        return states[0], self.readout(states, xs)[0]

    def __call__(
        self, xs: Float[Array, "time inputs"], state: State | None = None, *, method: str = "auto"
    ) -> tuple[Float[Array, "time outputs"], State]:
        xs = as_inputs(self, xs)
        start = as_state(self, state)
        states = self._run(xs, start, method)
        return self.readout(states, xs), states[-1] if xs.shape[0] else start

    def states(
        self, xs: Float[Array, "time inputs"], state: State | None = None, *, method: str = "auto"
    ) -> State:
        return self._run(as_inputs(self, xs), as_state(self, state), method)

    def _run(self, xs: Array, state: State, method: str) -> State:
        check_method(self, method)
        a, b = self.terms(xs)
        return linear_recurrence(a, b, state, method=method)
