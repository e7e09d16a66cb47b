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


HYPERBOLIC = {"role": "hyperbolic"}
"""Metadata of a field that holds points of the hyperbolic disc: `HyperbolicEigenvalues.points`.

Such an array has the shape (coordinates, *modes) and moves along geodesics
(`training.hyperbolic_adam`), never by adding a multiple of its gradient. Below a field marked
`RECURRENT` it keeps this role.
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
    layer's own floating type, states to the types of `initial_state()`.

    The methods "sequential" and "associative" are causal exactly. "fft", and "auto" where it
    chooses the kernel, is causal to rounding relative to the largest input of the whole
    sequence: a late 1e8 or NaN reaches earlier outputs.

    `check_equivalence(layer)` holds a layer to all of this. Layers that stop a gradient on
    purpose (`ScaledExponential`, `SquareRoot(differentiated=False)`) break its laws of
    derivatives by design.
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

    @abstractmethod
    def impulse_response(self, length: int) -> Float[Array, "length outputs inputs"]:
        """`g_j = C A^j B`, `D` added to `g_0`: that of `system`, by the fastest route there is.

        Works inside `jit`, `vmap` and `grad`; `length` is static, at least 1 (`RemanenceError`).
        """


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
        state = as_state(self, state)
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

        return jax.lax.scan(body, as_state(self, state), self.drive(xs))


def as_inputs(layer: AbstractRecurrentLayer, xs: Any) -> Float[Array, "time inputs"]:
    """`xs` in the layer's floating type.

    Raises:
        RemanenceError: if `xs` is not a real array `(time, inputs)`.
    """
    name = type(layer).__name__
    xs = _as_array(xs, f"{name}: xs")
    if xs.ndim != 2 or xs.shape[1] != layer.inputs:
        raise RemanenceError(
            f"{name}: xs has shape {xs.shape}, expected (time, {layer.inputs}); "
            "for a batch use jax.vmap"
        )
    if jnp.issubdtype(xs.dtype, jnp.complexfloating):
        raise RemanenceError(f"{name}: xs is complex; inputs are real")
    return xs.astype(floating_type(layer))


def as_state(layer: AbstractRecurrentLayer, state: Any) -> State:
    """`state` in the layer's own types; `initial_state()` for None.

    Raises:
        RemanenceError: if it has not the structure and the shapes of `initial_state()`, or an
            entry is of a wider kind than there: complex where it is real, real where it counts.
    """
    if state is None:
        return layer.initial_state()
    name = type(layer).__name__
    own = jax.eval_shape(layer.initial_state)
    expected, structure = jax.tree_util.tree_flatten_with_path(own)
    leaves, given = jax.tree.flatten(state)
    if given != structure:
        parts = f", a tuple of {len(own)} parts" if isinstance(own, tuple) else ""
        raise RemanenceError(
            f"{name}: the state is {written(given)}, expected {written(structure)}{parts}, "
            "each * an array, as initial_state() gives it"
        )
    cast = []
    for leaf, (path, due) in zip(leaves, expected, strict=True):
        where = f"{name}: state{jax.tree_util.keystr(path)}"
        leaf = _as_array(leaf, where)
        if leaf.shape != due.shape:
            batched = leaf.shape[1:] == due.shape and leaf.ndim
            raise RemanenceError(
                f"{where} has shape {leaf.shape}, expected {due.shape}, as initial_state() "
                f"gives it{'; for a batch use jax.vmap' if batched else ''}"
            )
        if kind_of(leaf.dtype) > kind_of(due.dtype) or (
            not kind_of(due.dtype) and leaf.dtype != due.dtype
        ):
            raise RemanenceError(f"{where} is {leaf.dtype}, expected {due.dtype}")
        cast.append(leaf if leaf.dtype == due.dtype else leaf.astype(due.dtype))
    return jax.tree.unflatten(structure, cast)


def kind_of(dtype: Any) -> int:
    """1 for bool, 2 for whole numbers, 3 for real ones, 4 for complex; 0 for others, as keys."""
    kinds = (np.bool_, jnp.integer, jnp.floating, jnp.complexfloating)
    return next((n for n, kind in enumerate(kinds, 1) if jnp.issubdtype(dtype, kind)), 0)


def _as_array(value: Any, where: str) -> Array:
    try:
        return jnp.asarray(value)
    except (TypeError, ValueError):
        found = repr(value) if isinstance(value, str) else f"a {type(value).__name__}"
        raise RemanenceError(f"{where} is {found}, expected an array of numbers") from None


def written(structure: Any) -> str:
    """A tree's structure with * for each array: `(*, *)` for a pair."""
    return str(structure).removeprefix("PyTreeDef(").removesuffix(")")


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
