"""Settings of training and evaluation, checked before anything runs; one line for each fault."""

import inspect
import math
import numbers
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from remanence.errors import RemanenceError, nearest_name
from remanence.layers.contract import AbstractRecurrentLayer
from remanence.tasks.contract import AbstractTask

_LONGEST_SHOWN = 60


def require_whole(owner: str, name: str, value: Any, least: int = 1) -> int:
    """`value` as an int; `RemanenceError` unless it is a whole number, at least `least`."""
    if not is_whole(value) or value < least:
        raise RemanenceError(
            f"{owner}: {name} must be a whole number of at least {least}, got {shown(value)}"
        )
    return int(value)


def require_lengths(owner: str, name: str, value: Any, each: str) -> tuple[int, ...]:
    """`value`, one whole number or several, as a tuple of ints from 1."""
    if is_whole(value):
        value = (value,)
    single = isinstance(value, str | np.ndarray | jax.Array) and np.ndim(value) == 0
    if single or not isinstance(value, Iterable):
        raise RemanenceError(
            f"{owner}: {name} must be a whole number of at least 1 or several of them, got "
            f"{shown(value)}"
        )
    chosen = tuple(require_whole(owner, each, item) for item in value)
    if not chosen:
        raise RemanenceError(f"{owner}: {name} is empty; give at least one")
    return chosen


def require_number(
    owner: str,
    name: str,
    value: Any,
    *,
    above: float | int = -math.inf,
    least: float | int = -math.inf,
    otherwise: str = "",
) -> float:
    """`value` as a float; `RemanenceError` unless it is a finite number in the range.

    `otherwise` ends the message with what else could be given.
    """
    real = isinstance(value, numbers.Real | np.number) and not isinstance(value, bool)
    number = float(value) if real else math.nan
    if not (math.isfinite(number) and number > above and number >= least):
        bounds = [f" above {above:g}"] * (above > -math.inf)
        bounds += [f" of at least {least:g}"] * (least > -math.inf)
        raise RemanenceError(
            f"{owner}: {name} must be a finite number{''.join(bounds)}, got {shown(value)}"
            f"{otherwise}"
        )
    return number


def require_word(owner: str, name: str, value: Any, known: tuple[str, ...]) -> None:
    """Raise `RemanenceError` unless `value` is one of the words in `known`."""
    if not isinstance(value, str) or value not in known:
        raise RemanenceError(
            f"{owner}: {name} {shown(value)} is none of {', '.join(known)}"
            f"{nearest_name(str(value), known)}"
        )


def require_method(owner: str, method: Any) -> None:
    """Raise `RemanenceError` unless `method` is a name; the layer knows which names there are."""
    if not isinstance(method, str):
        raise RemanenceError(
            f'{owner}: method must be "auto" or an engine among the model\'s `methods`, got '
            f"{shown(method)}"
        )


def require_model_and_task(owner: str, model: Any, task: Any) -> None:
    """Raise `RemanenceError` unless the two are a recurrent layer and a task."""
    for name, value, kind, such in (
        ("model", model, AbstractRecurrentLayer, "a layer or stack"),
        ("task", task, AbstractTask, "a task"),
    ):
        if not isinstance(value, kind):
            raise RemanenceError(
                f"{owner}: {name} is {shown(value)}; give {such}, an instance of {kind.__name__}"
            )


def is_transform(optimiser: Any) -> bool:
    """Whether `optimiser` has the two functions of an Optax transform."""
    return not isinstance(optimiser, type) and all(
        callable(getattr(optimiser, part, None)) for part in ("init", "update")
    )


def require_optimiser(owner: str, optimiser: Any) -> None:
    """Raise `RemanenceError` unless `optimiser` has the two functions of an Optax transform."""
    if not is_transform(optimiser):
        raise RemanenceError(
            f"{owner}: optimiser is {shown(optimiser)}; give an Optax transform such as "
            "optax.adam(1e-3)"
        )


def require_keys(owner: str, name: str, value: Any, ndim: int = 0) -> Key[Array, "..."]:
    """`value` with the type of a key; keys of the old kind, plain arrays, are given theirs."""
    if isinstance(value, jax.Array | np.ndarray):
        if jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
            if value.ndim == ndim:
                return jnp.asarray(value)
        elif value.dtype == np.uint32 and value.ndim == ndim + 1:
            return jax.random.wrap_key_data(jnp.asarray(value))
    example = "jax.random.key(0)"
    raise RemanenceError(
        f"{owner}: {name} is {shown(value)}; give "
        + (example if ndim == 0 else f"one key for each member: jax.random.split({example}, 8)")
    )


def require_real_array(owner: str, name: str, value: Any) -> np.ndarray:
    """`value` as an array of finite real numbers, of the floating type it has or of float64."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        array = np.asarray(None)
    kind = array.dtype.kind
    if kind not in "fiu" and not jnp.issubdtype(array.dtype, jnp.floating):
        raise RemanenceError(
            f"{owner}: {name} must be an array of real numbers, got {shown(value)}"
        )
    array = array.astype(np.float64) if kind in "iu" else array
    if not np.isfinite(array).all():
        place = tuple(int(index[0]) for index in np.nonzero(~np.isfinite(array)))
        raise RemanenceError(
            f"{owner}: {name} hold {array[place]} at {place}; expected finite ones"
        )
    return array


def is_whole(value: Any) -> bool:
    """Whether `value` is an integer of Python or NumPy, no truth value."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def shown(value: Any) -> str:
    """What was given, in a few words on one line."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if inspect.isroutine(value):
        return f"the function {getattr(value, '__qualname__', type(value).__name__)}"
    if isinstance(value, jax.Array | np.ndarray) and value.ndim > 0:
        return f"an array {value.dtype}{list(value.shape)}"
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
