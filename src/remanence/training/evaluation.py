"""The error of a model at lengths it was not trained on, and how it was measured, in words."""

import dataclasses
import functools
import inspect
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray, PyTree

from remanence.errors import RemanenceError
from remanence.layers.contract import AbstractRecurrentLayer
from remanence.tasks.contract import AbstractTask, Split
from remanence.training.checks import (
    require_keys,
    require_lengths,
    require_method,
    require_model_and_task,
    require_whole,
    require_word,
)
from remanence.training.scores import ErrorParts, error_share, sequence_error, sequence_loss

FACTORS = (1, 2, 4, 8, 16, 32, 64)


@dataclasses.dataclass(frozen=True)
class LengthEvaluation:
    """The error at every length, with the protocol that was followed; `str` prints both.

    - `training_length`: what the lengths are compared with, in time steps.
    - `lengths` (lengths,): in time steps.
    - `errors` (lengths,): unexplained share 1 − R², or the share of scored steps wrong.
    - `standard_errors` (lengths,): of the errors, over sequences.
    - `losses` (lengths,): mean `sequence_loss`.
    - `protocol`: lengths, number of sequences, what is scored, averaging, start state, split.
    """

    training_length: int
    lengths: Int[np.ndarray, " lengths"]
    errors: Float[np.ndarray, " lengths"]
    standard_errors: Float[np.ndarray, " lengths"]
    losses: Float[np.ndarray, " lengths"]
    protocol: str

    def __str__(self) -> str:
        head = f"{'length':>8} {'× training':>10} {'error':>11} {'± s.e.':>10} {'loss':>11}"
        columns = (self.lengths, self.errors, self.standard_errors, self.losses)
        rows = [
            f"{length:8d} {length / self.training_length:10.4g} {error:11.4g} {spread:10.2g} "
            f"{loss:11.4g}"
            for length, error, spread, loss in zip(*columns, strict=True)
        ]
        return "\n".join([self.protocol, "", head, *rows])


def evaluate_lengths(
    model: AbstractRecurrentLayer,
    task: AbstractTask,
    *,
    training_length: int,
    factors: Sequence[int] = FACTORS,
    lengths: Sequence[int] | None = None,
    sequences: int = 256,
    batch: int = 32,
    key: PRNGKeyArray,
    split: Split = "test",
    method: str = "auto",
) -> LengthEvaluation:
    """The error of `model` on fresh sequences of every length.

    The lengths are `training_length` times each of `factors`, or `lengths` themselves. At each
    length `sequences` sequences of exactly that length are drawn, from a key that depends on
    that length alone, and each is run from the model's own initial state. `batch` sequences of
    the training length are run at a time, fewer of longer ones, so that the memory needed stays
    that of one training batch until a single sequence exceeds it. Dropout is off.

    Raises:
        RemanenceError: for settings out of range or of another kind, sizes of model and task
            that do not fit, or a length that the task does not have.

        print(evaluate_lengths(model, task, training_length=100, key=key))
    """
    owner = "evaluate_lengths"
    require_model_and_task(owner, model, task)
    check_sizes(model, task)
    training_length = require_whole(owner, "training_length", training_length)
    sequences = require_whole(owner, "sequences", sequences)
    batch = require_whole(owner, "batch", batch)
    require_word(owner, "split", split, ("train", "test"))
    require_method(owner, method)
    key = require_keys(owner, "key", key)
    if lengths is None:
        every = require_lengths(owner, "factors", factors, "every factor")
        chosen = tuple(training_length * factor for factor in every)
    else:
        chosen = require_lengths(owner, "lengths", lengths, "every length")
    errors, spreads, losses = [], [], []
    for length in chosen:
        keys = jax.random.split(jax.random.fold_in(key, length), sequences)
        together = max(1, min(batch, batch * training_length // length))
        each, parts = _scores(model, task, keys, length, together, split, method)
        error, spread = error_share(parts, task.kind)
        errors.append(error)
        spreads.append(spread)
        losses.append(np.mean(np.asarray(each, np.float64)))
    return LengthEvaluation(
        training_length=training_length,
        lengths=np.asarray(chosen),
        errors=np.asarray(errors),
        standard_errors=np.asarray(spreads),
        losses=np.asarray(losses),
        protocol=_protocol(model, task, training_length, chosen, sequences, split),
    )


def sequence_scores(
    model: AbstractRecurrentLayer,
    task: AbstractTask,
    keys: Key[Array, " sequences"],
    *,
    length: int,
    batch: int,
    split: Split,
    method: str = "auto",
) -> tuple[Float[Array, " sequences"], ErrorParts]:
    """Loss and error parts of the sequences that `keys` stand for, `batch` at a time."""

    def one(key: PRNGKeyArray) -> tuple[Float[Array, ""], ErrorParts]:
        example = task.sample(key, length, split=split)
        outputs = model_outputs(model, example.inputs, method=method)
        return (
            sequence_loss(outputs, example, task.kind),
            sequence_error(outputs, example, task.kind),
        )

    return lax.map(one, keys, batch_size=batch)


def model_outputs(
    model: AbstractRecurrentLayer,
    xs: Float[Array, "time inputs"],
    *,
    method: str,
    key: PRNGKeyArray | None = None,
) -> Float[Array, "time outputs"]:
    """The outputs alone, from the model's own initial state; see `run_model`."""
    return run_model(model, xs, None, method=method, key=key)[0]


def run_model(
    model: AbstractRecurrentLayer,
    xs: Float[Array, "time inputs"],
    state: PyTree[Any] | None,
    *,
    method: str,
    key: PRNGKeyArray | None = None,
) -> tuple[Float[Array, "time outputs"], PyTree[Any]]:
    """`model(xs, state)`; `key` reaches a model whose call accepts one."""
    options: dict[str, Any] = {} if method == "auto" else {"method": method}
    if key is not None and _takes_key(type(model)):
        options["key"] = key
    return model(xs, **options) if state is None else model(xs, state, **options)


def check_sizes(model: AbstractRecurrentLayer, task: AbstractTask) -> None:
    """Raise `RemanenceError` unless inputs and outputs of model and task agree."""
    for side in ("inputs", "outputs"):
        ours, theirs = getattr(model, side), getattr(task, side)
        if ours != theirs:
            raise RemanenceError(
                f"{type(model).__name__} has {ours} {side} where {type(task).__name__} has "
                f"{theirs}; make the model with {side}={theirs}"
            )


@functools.cache
def _takes_key(model: type) -> bool:
    return "key" in inspect.signature(model.__call__).parameters


@eqx.filter_jit
def _scores(model, task, keys, length, batch, split, method):
    return sequence_scores(
        model, task, keys, length=length, batch=batch, split=split, method=method
    )


def _protocol(
    model: AbstractRecurrentLayer,
    task: AbstractTask,
    training_length: int,
    lengths: Sequence[int],
    sequences: int,
    split: Split,
) -> str:
    scored = "every time step by the weight that the task gives it"
    if task.kind == "regression":
        error = "unexplained share 1 - R2: squared residuals over squared deviations of targets"
        centre = "their mean over all sequences, one ratio of two sums over sequences and steps"
        loss = "squared residual summed over outputs, no 1/2"
    else:
        error = "share of the scored time steps whose class is wrong"
        centre = "one ratio of two sums over sequences and steps"
        loss = "cross-entropy in nats"
    joined = " from " if task.kind == "regression" else "; "
    return "\n".join(
        [
            f"{type(model).__name__} on {type(task).__name__}, training length {training_length}",
            f"lengths: {', '.join(map(str, lengths))} time steps, whole sequences of exactly that "
            "length",
            f"sequences: {sequences} fresh ones at each length, split {split!r}",
            f"scored: {scored}",
            f"error: {error}{joined}{centre}",
            "s.e.: one standard error over sequences, of a ratio of sums",
            f"loss: {loss}; mean over steps by weight, then over sequences",
            "start state: the model's own initial state before the first input of each sequence, "
            "nothing carried over",
        ]
    )
