"""What the tasks share: checks of their settings, scored steps, random positions, subkeys."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from remanence.errors import RemanenceError, nearest_name
from remanence.tasks.contract import Example, Split

Scored = Literal["last", "every"]
"""Which outputs count: the last one, or every one that is defined."""


def require_whole(owner: str, name: str, value: Any, least: int, why: str = "") -> int:
    """`value` as an int; `RemanenceError` unless it is a whole number, at least `least`."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:
        reason = f": {why}" if why else ""
        raise RemanenceError(
            f"{owner}: {name} must be a whole number, at least {least}{reason}; got {value!r}"
        )
    return int(value)


def require_choice(owner: str, name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise `RemanenceError` unless `value` is one of the names in `choices`."""
    if value not in choices:
        raise RemanenceError(
            f"{owner}: {name} must be one of {', '.join(choices)}; got {value!r}"
            f"{nearest_name(str(value), choices)}"
        )


def require_scored(owner: str, scored: Any) -> None:
    """Raise `RemanenceError` unless `scored` is "last" or "every"."""
    require_choice(owner, "scored", scored, ("last", "every"))


def require_split(owner: str, split: Any) -> None:
    """Raise `RemanenceError` unless `split` is "train" or "test"."""
    require_choice(owner, "split", split, ("train", "test"))


def require_length(owner: str, length: Any, least: int, why: str) -> int:
    """Raise `RemanenceError` unless `length` is a whole number of at least `least` steps."""
    return require_whole(owner, "length", length, least, why)


def scored_steps(length: int, scored: Scored, first: int = 0) -> Float[Array, " time"]:
    """Ones at the scored steps: the last one, or every one from `first` on; zeros elsewhere."""
    return steps_from(length, length - 1 if scored == "last" else first)


def steps_from(length: int, first: int) -> Float[Array, " time"]:
    """Zeros before step `first` (counted from 0), ones from there on."""
    return jnp.asarray(np.arange(length) >= first, default_float())


def scored_example(
    inputs: Float[Array, "time inputs"],
    targets: Float[Array, "time outputs"] | Int[Array, " time"],
    weights: Float[Array, " time"],
) -> Example:
    """The example with its targets 0 where they are not scored: nothing to leak or to plot."""
    kept = (weights > 0).reshape((-1,) + (1,) * (targets.ndim - 1))
    return Example(inputs, targets * kept.astype(targets.dtype), weights)


def one_hot(symbols: Int[Array, " time"], classes: int) -> Float[Array, "time classes"]:
    """One unit vector per symbol, in JAX's default float."""
    return jax.nn.one_hot(symbols, classes, dtype=default_float())


def random_positions(key: PRNGKeyArray, total: int, count: int) -> Int[Array, " count"]:
    """`count` distinct positions out of 0 … total − 1, ascending; every subset equally likely."""
    return jnp.sort(jax.random.choice(key, total, (count,), replace=False))


def default_float() -> jnp.dtype:
    """JAX's default float: float32, or float64 where that is enabled."""
    return jnp.zeros(()).dtype


__all__ = [
    "Scored",
    "Split",
    "default_float",
    "one_hot",
    "random_positions",
    "require_choice",
    "require_length",
    "require_scored",
    "require_split",
    "require_whole",
    "scored_example",
    "scored_steps",
    "steps_from",
]
