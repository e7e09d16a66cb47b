"""What the systems' constructors and methods share: types, promotion and one-line complaints."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from remanence.errors import RemanenceError

AnyArray = Array | np.ndarray


def as_array(value: Any, name: str, ndim: int) -> AnyArray:
    """`value` as it is if it is an array, else as a NumPy array; it must have `ndim` axes."""
    array = value if isinstance(value, np.ndarray | jax.Array) else np.asarray(value)
    if array.ndim != ndim:
        wanted = {1: "a vector", 2: "a matrix"}[ndim]
        raise RemanenceError(f"{name} must be {wanted}, got an array of shape {array.shape}")
    if not np.issubdtype(array.dtype, np.inexact):
        if not np.issubdtype(array.dtype, np.integer):
            raise RemanenceError(f"{name} must hold numbers, got {array.dtype}")
        array = array.astype(np.float64 if isinstance(array, np.ndarray) else float)
    return array


def require_shape(array: AnyArray, name: str, shape: tuple[int, int], because: str) -> None:
    """One clear line when `array` has another shape than `shape`."""
    if array.shape != shape:
        raise RemanenceError(f"{name} has shape {array.shape}, expected {shape}: {because}")


def zeros_like_of(arrays: Sequence[AnyArray], shape: tuple[int, int]) -> AnyArray:
    """Real zeros where the other matrices live: JAX if any of them does, else NumPy."""
    if any(isinstance(array, jax.Array) for array in arrays):
        dtype = np.result_type(*(np.finfo(array.dtype).dtype for array in arrays))
        return jnp.zeros(shape, jax.dtypes.canonicalize_dtype(dtype))
    return np.zeros(shape)


def promote(*arrays: AnyArray) -> tuple[Array, ...]:
    """All of them as JAX arrays of their common type, said aloud for strict promotion."""
    dtype = jax.dtypes.canonicalize_dtype(np.result_type(*(array.dtype for array in arrays)))
    return tuple(jnp.asarray(array, dtype) for array in arrays)


def require_length(length: int) -> None:
    """A response needs at least one value."""
    if length < 1:
        raise RemanenceError(f"the length of an impulse response must be at least 1, got {length}")


def require_inputs(x: AnyArray, inputs: int) -> None:
    """`x` must be `(time, inputs)`."""
    if x.ndim != 2 or x.shape[1] != inputs:
        raise RemanenceError(
            f"x has shape {x.shape}, expected (time, {inputs}): the system has {inputs} input(s)"
        )
