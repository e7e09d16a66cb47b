"""One step on one piece of longer sequences, the state carried from piece to piece."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray, PyTree

from remanence.layers.contract import AbstractRecurrentLayer
from remanence.tasks.contract import AbstractTask, Example
from remanence.training.evaluation import run_model
from remanence.training.scores import sequence_loss


class Carried(NamedTuple):
    """Whole sequences in the midst of their pieces, and the states after the last piece.

    A leading axis of sequences.
    """

    examples: Example
    states: PyTree[Any]


def nothing_carried(
    model: AbstractRecurrentLayer, task: AbstractTask, *, batch: int, length: int
) -> Carried:
    """Zeros of the shapes of `batch` sequences of `length` time steps and their states."""

    def one(key: PRNGKeyArray) -> Carried:
        return Carried(task.sample(key, length, split="train"), model.initial_state())

    shapes = jax.eval_shape(lambda: jax.vmap(one)(jax.random.split(jax.random.key(0), batch)))
    return jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)


def piece_loss(
    with_parameters: Callable[[PyTree[Any]], AbstractRecurrentLayer],
    parameters: PyTree[Any],
    task: AbstractTask,
    carried: Carried,
    place: Int[Array, ""],
    dropout: Key[Array, " batch"],
    *,
    length: int,
    method: str,
) -> tuple[tuple[Float[Array, ""], PyTree[Any]], PyTree[Any]]:
    """The mean loss of piece `place` and the states after it; the gradient of the loss.

    The first piece starts from the model's own initial state, which takes part in the gradient;
    every other from the carried one, which is a constant: truncated backpropagation through time.
    """
    pieces = jax.tree.map(
        lambda leaf: lax.dynamic_slice_in_dim(leaf, place * length, length, axis=1),
        carried.examples,
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
            return sequence_loss(outputs, example, task.kind), after

        losses, states = jax.vmap(one)(pieces, carried.states, dropout)
        return jnp.mean(losses), states

    return jax.value_and_grad(loss, has_aux=True)(parameters)


def drawn(
    task: AbstractTask,
    carried: Carried,
    place: Int[Array, ""],
    key: PRNGKeyArray,
    *,
    batch: int,
    length: int,
) -> Carried:
    """`carried`, with fresh sequences of `length` before their first piece.

    Members side by side (`vmap`) draw at every piece and keep the first draw.
    """

    def fresh() -> Example:
        keys = jax.random.split(key, batch)
        return jax.vmap(lambda one: task.sample(one, length, split="train"))(keys)

    return carried._replace(examples=lax.cond(place == 0, fresh, lambda: carried.examples))
