"""Whether the parts of a model fit their class and each other; nothing is computed."""

import types
import typing
from dataclasses import fields
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import AbstractArray, jaxtyped

from remanence.layers.contract import AbstractRecurrentLayer, floating_type

_STEPS = 3


def misfit_of_fields(made: Any) -> tuple[str, str] | None:
    """`(field, what is wrong)` for the first field that its class's annotation refuses, or None.

    The sizes that annotations name ("hidden inputs") must agree over all fields of one object.
    """
    try:
        hints = typing.get_type_hints(type(made))
    except Exception:  # An annotation that cannot be evaluated here says nothing.
        return None
    with jaxtyped("context"):
        for field in fields(made):
            value, hint = getattr(made, field.name), hints.get(field.name, Any)
            # The sizes met so far belong to this frame, so arrays are asked about here.
            fits = any(
                isinstance(_as_jax(value, one), one) if _is_array_hint(one) else _fits(value, one)
                for one in _options(hint)
            )
            if not fits:
                return field.name, f"is {_described(value)} where {_written(hint)} is expected"
    return None


def misfit_of_running(model: AbstractRecurrentLayer) -> str | None:
    """What is wrong with a step and a short sequence, traced with `jax.eval_shape`, or None."""
    try:
        for size in (model.inputs, model.outputs):
            if type(size) is not int or size < 0:
                return f"a number of inputs or outputs is {_described(size)}"
        state = jax.eval_shape(lambda: model.initial_state())
        x = jax.ShapeDtypeStruct((model.inputs,), floating_type(model))
        after, y = jax.eval_shape(lambda state, x: model.step(state, x), state, x)
        if jax.tree.structure(after) != jax.tree.structure(state):
            return "one step changes the structure of the state"
        for old, new in zip(jax.tree.leaves(state), jax.tree.leaves(after), strict=True):
            if (old.shape, old.dtype) != (new.shape, new.dtype):
                return f"one step makes a state {_described(new)} of one {_described(old)}"
        if y.shape != (model.outputs,):
            return f"one step gives {_described(y)} where {model.outputs} outputs are expected"
        xs = jax.ShapeDtypeStruct((_STEPS, *x.shape), x.dtype)
        ys, _ = jax.eval_shape(lambda xs: model(xs), xs)
        if ys.shape != (_STEPS, *y.shape):
            return f"{_STEPS} steps give {_described(ys)} where one gives {_described(y)}"
    except Exception as error:  # Whatever a class does with fields that are wrong.
        text = " ".join(str(error).split()) or "no reason given"
        return f"running it fails ({type(error).__name__}: {text[:140]})"
    return None


def _options(hint: Any) -> tuple[Any, ...]:
    united = typing.get_origin(hint) in (typing.Union, types.UnionType)
    return typing.get_args(hint) if united else (hint,)


def _is_array_hint(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, AbstractArray)


def _as_jax(value: Any, hint: Any) -> Any:
    # A layer may hold NumPy's arrays where its class speaks of JAX's.
    foreign = isinstance(value, np.ndarray) and hint.array_type is not np.ndarray
    return jnp.asarray(value) if foreign else value


def _fits(value: Any, hint: Any) -> bool:
    """False where `value` is surely not what `hint` says."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in inner)
    if origin is tuple and inner:
        return isinstance(value, tuple) and _fit_all(value, inner)
    if origin is not None:
        hint = origin
    if hint is None:
        return value is None
    if hint in (int, float):
        kinds = int if hint is int else int | float
        return isinstance(value, kinds) and not isinstance(value, bool)
    if _is_array_hint(hint):
        value = _as_jax(value, hint)
    elif hint is jax.Array and isinstance(value, np.ndarray):
        return True
    try:
        return isinstance(value, hint) if isinstance(hint, type) else True
    except Exception:  # What a class says of its instances may need more than one value.
        return True


def _fit_all(values: tuple[Any, ...], hints: tuple[Any, ...]) -> bool:
    if len(hints) == 2 and hints[1] is Ellipsis:
        return all(_fits(value, hints[0]) for value in values)
    expected = () if hints == ((),) else hints
    return len(values) == len(expected) and all(map(_fits, values, expected))


def _described(value: Any) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype}{list(value.shape)}"
    text = repr(value) if isinstance(value, bool | int | float | str | None) else ""
    return text if 0 < len(text) <= 60 else f"a {type(value).__name__}"


def _written(hint: Any) -> str:
    text = hint.__name__ if isinstance(hint, type) else str(hint)
    for package in ("typing.", "jaxlib._jax.", "jaxtyping."):
        text = text.replace(package, "")
    text = " ".join(text.split())
    return text if len(text) <= 80 else text[:79] + "…"
