"""The state contract: pass a state in, get it out, step with it, and every mode agrees."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from remanence.errors import RemanenceError, nearest_name
from remanence.systems import DiagonalStateSpace, StateSpace

State = PyTree[Any]
"""A layer's state: an array, or a tuple of them."""

RECURRENT = {"role": "recurrent"}
"""Metadata of a field whose parameters are recurrent: `eqx.field(metadata=RECURRENT)`.

Optimisers by role give them their own learning rate and no weight decay; a field without a role
has the role "other" (`training.parameter_roles`).
"""


class AbstractRecurrentLayer(eqx.Module):
    """A causal map of sequences with an explicit state.

        layer.initial_state() -> state
        layer.step(state, x) -> (state, y)                one time step
        layer(xs, state=None) -> (ys, state)              a sequence: (T, in) -> (T, out)
        layer.states(xs, state=None) -> states            every state, leading axis T

    `state` is the state before the first input, zero or learned if not given. Splitting a
    sequence anywhere and carrying the state gives the same outputs; `method` chooses an engine
    among `methods` and changes nothing but speed. Batches are `jax.vmap`. Inputs are cast to the
    layer's own floating type. `check_equivalence(layer)` holds a layer to all of this.
    """

    @property
    @abstractmethod
    def inputs(self) -> int:
        """The size of one input."""

    @property
    @abstractmethod
    def outputs(self) -> int:
        """The size of one output."""

    @property
    @abstractmethod
    def methods(self) -> tuple[str, ...]:
        """The engines that can run this layer over a sequence, the plainest first."""

    @abstractmethod
    def initial_state(self) -> State:
        """The state before the first input."""

    @abstractmethod
    def step(
        self, state: State, x: Float[Array, " inputs"]
    ) -> tuple[State, Float[Array, " outputs"]]:
        """One time step: the next state and the output."""

    @abstractmethod
    def __call__(
        self, xs: Float[Array, "time inputs"], state: State | None = None, *, method: str = "auto"
    ) -> tuple[Float[Array, "time outputs"], State]:
        """A whole sequence: every output, and the state after the last input."""

    @abstractmethod
    def states(
        self, xs: Float[Array, "time inputs"], state: State | None = None, *, method: str = "auto"
    ) -> State:
        """Every state of a sequence, one per input, with a leading axis of time."""


class AbstractLinearLayer(AbstractRecurrentLayer):
    """A layer that is a linear time-invariant system."""

    @abstractmethod
    def system(self) -> StateSpace | DiagonalStateSpace:
        """The same system, for everything that `remanence.systems` can say of it."""


class AbstractSteppedLayer(AbstractRecurrentLayer):
    """A layer that can only be run step after step, by `lax.scan`.

    A subclass gives three pieces: what the inputs contribute (`drive`, for the whole sequence at
    once, so that input projections are one matrix product), one step of the state (`advance`),
    and what is read from the states (`readout`, again for the whole sequence).
    """

    @property
    def methods(self) -> tuple[str, ...]:
        return ("sequential",)

    @abstractmethod
    def drive(self, xs: Float[Array, "time inputs"]) -> PyTree[Array]:
        """What each step needs of its input, leading axis time."""

    @abstractmethod
    def advance(self, state: State, drive: PyTree[Array]) -> State:
        """The next state."""

    @abstractmethod
    def readout(
        self, states: State, xs: Float[Array, "time inputs"]
    ) -> Float[Array, "time outputs"]:
        """The outputs, from the states after each input."""

    def step(
        self, state: State, x: Float[Array, " inputs"]
    ) -> tuple[State, Float[Array, " outputs"]]:
        xs = as_inputs(self, jnp.asarray(x)[None])
        state = self.advance(state, jax.tree.map(lambda leaf: leaf[0], self.drive(xs)))
        return state, self.readout(jax.tree.map(lambda leaf: leaf[None], state), xs)[0]

    def __call__(
        self, xs: Float[Array, "time inputs"], state: State | None = None, *, method: str = "auto"
    ) -> tuple[Float[Array, "time outputs"], State]:
        xs = as_inputs(self, xs)
        final, states = self._run(xs, state, method)
        return self.readout(states, xs), final

    def states(
        self, xs: Float[Array, "time inputs"], state: State | None = None, *, method: str = "auto"
    ) -> State:
        return self._run(as_inputs(self, xs), state, method)[1]

    def _run(self, xs: Array, state: State | None, method: str) -> tuple[State, State]:
        check_method(self, method)

        def body(state: State, drive: PyTree[Array]) -> tuple[State, State]:
            state = self.advance(state, drive)
            return state, state

        start = self.initial_state() if state is None else state
        return jax.lax.scan(body, start, self.drive(xs))


def as_inputs(layer: AbstractRecurrentLayer, xs: Any) -> Float[Array, "time inputs"]:
    """`xs` in the layer's floating type.

    Raises:
        RemanenceError: if `xs` is not `(time, inputs)`.
    """
    xs = jnp.asarray(xs)
    name = type(layer).__name__
    if xs.ndim != 2 or xs.shape[1] != layer.inputs:
        raise RemanenceError(
            f"{name}: xs has shape {xs.shape}, expected (time, {layer.inputs}); "
            "for a batch use jax.vmap"
        )
    if jnp.issubdtype(xs.dtype, jnp.complexfloating):
        raise RemanenceError(f"{name}: xs is complex; inputs are real")
    return xs.astype(floating_type(layer))


def floating_type(module: Any) -> jnp.dtype:
    """The real floating type of a module's parameters (float32 for complex64)."""
    for leaf in jax.tree.leaves(module):
        if isinstance(leaf, jax.Array | np.ndarray) and jnp.issubdtype(leaf.dtype, jnp.inexact):
            return jnp.finfo(leaf.dtype).dtype
    return jnp.zeros(()).dtype


def check_method(layer: AbstractRecurrentLayer, method: str) -> None:
    """Raise `RemanenceError` unless `method` is "auto" or one of `layer.methods`."""
    known = ("auto", *layer.methods)
    if method not in known:
        raise RemanenceError(
            f"{type(layer).__name__}: method {method!r} is none of {', '.join(known)}"
            f"{nearest_name(method, known)}"
        )
