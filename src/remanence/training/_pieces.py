"""One step on one piece of longer sequences, the state carried from piece to piece."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from remanence.errors import RemanenceError
from remanence.layers.contract import AbstractRecurrentLayer
from remanence.tasks.contract import AbstractTask, Example
from remanence.training.evaluation import run_model
from remanence.training.scores import sequence_loss


class Carried(NamedTuple):
    """Whole sequences in the midst of their pieces, and the states after the last piece.

    - `examples`: each array (batch, pieces · length, …).
    - `states`: each array (batch, …), in the types of `initial_state()`.
    """

    examples: Example
    states: PyTree[Any]


def nothing_carried(
    model: AbstractRecurrentLayer, task: AbstractTask, *, batch: int, length: int
) -> Carried:
    """Zeros of the shapes of `batch` sequences of `length` time steps and their states.

    Raises:
        RemanenceError: for a model whose call returns another state than it begins with.
    """

    def one(key: PRNGKeyArray) -> tuple[Carried, PyTree[Any]]:
        example, state = task.sample(key, length, split="train"), model.initial_state()
        return Carried(example, state), run_model(model, example.inputs, state, method="auto")[1]

    shapes, after = jax.eval_shape(
        lambda: jax.vmap(one)(jax.random.split(jax.random.key(0), batch))
    )
    before = shapes.states
    if jax.tree.structure(before) != jax.tree.structure(after) or any(
        a.shape != b.shape for a, b in zip(*map(jax.tree.leaves, (before, after)), strict=True)
    ):
        raise RemanenceError(
            f"{type(model).__name__}: its state cannot be carried: a call returns "
            f"{_told(after)} where initial_state() is {_told(before)}"
        )
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)


def next_piece(
    with_parameters: Callable[[PyTree[Any]], AbstractRecurrentLayer],
    parameters: PyTree[Any],
    task: AbstractTask,
    carried: Carried,
    step: Int[Array, ""],
    data: PRNGKeyArray,
    dropout: PRNGKeyArray,
    *,
    pieces: int,
    length: int,
    method: str,
) -> tuple[Float[Array, ""], PyTree[Any], Carried]:
    """The mean loss of the piece that is due at `step`, its gradient, and what is carried on.

    Before their first piece sequences are drawn anew, of `pieces · length` time steps. It starts
    from the model's own initial state, which takes part in the gradient; every other piece from
    the carried one, which is a constant: truncated backpropagation through time.
    """
    number, place = jnp.divmod(step, pieces)
    batch = carried.examples.weights.shape[0]

    def fresh() -> Example:
        keys = jax.random.split(jax.random.fold_in(data, number), batch)
        return jax.vmap(lambda key: task.sample(key, pieces * length, split="train"))(keys)

    examples = lax.cond(place == 0, fresh, lambda: carried.examples)
    due = jax.tree.map(
        lambda leaf: lax.dynamic_slice_in_dim(leaf, place * length, length, axis=1), examples
    )

    def loss(parameters: PyTree[Any]) -> tuple[Float[Array, ""], PyTree[Any]]:
        model = with_parameters(parameters)

        def one(
            example: Example, state: PyTree[Any], key: PRNGKeyArray
        ) -> tuple[Float[Array, ""], PyTree[Any]]:
            before = jax.tree.map(
                lambda own, kept: jnp.where(place == 0, own, kept), model.initial_state(), state
            )
            outputs, after = run_model(model, example.inputs, before, method=method, key=key)
            return sequence_loss(outputs, example, task.kind), jax.tree.map(_like, after, state)

        keys = jax.random.split(jax.random.fold_in(dropout, step), batch)
        losses, states = jax.vmap(one)(due, carried.states, keys)
        return jnp.mean(losses), states

    (value, states), gradient = jax.value_and_grad(loss, has_aux=True)(parameters)
    return value, gradient, Carried(examples, states)


def _like(new: Any, kept: Array) -> Array:
    """`new` in the type of `kept`: a state in another would be another program at every piece."""
    new = jnp.asarray(new)
    return new if new.dtype == kept.dtype else new.astype(kept.dtype)


def _told(states: PyTree[Any]) -> str:
    """The shapes of one sequence's state."""
    shapes = [list(leaf.shape[1:]) for leaf in jax.tree.leaves(states)]
    return f"arrays of shapes {', '.join(map(str, shapes))}" if shapes else "none"
