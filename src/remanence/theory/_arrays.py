"""Promotion said aloud: what the closed forms do to their arguments before they start."""

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array

from remanence.errors import RemanenceError


def promote(*values: ArrayLike) -> tuple[Array, ...]:
    """All of them as JAX arrays of their common inexact type; integers become floats."""
    arrays = [jnp.asarray(value) for value in values]
    dtypes = [
        array.dtype if jnp.issubdtype(array.dtype, jnp.inexact) else jnp.zeros(()).dtype
        for array in arrays
    ]
    dtype = jax.dtypes.canonicalize_dtype(np.result_type(*dtypes))
    return tuple(array.astype(dtype) for array in arrays)


def real_scalar(value: ArrayLike, owner: str, name: str) -> Array:
    """`value` as a real JAX scalar, checked to be one."""
    (array,) = promote(value)
    if array.ndim or jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise RemanenceError(f"{owner}: {name} must be one real number, got shape {array.shape}")
    return array


def refuse_outside(value: Array, low: float | int, high: float | int, message: str) -> None:
    """Complains unless `low ≤ value ≤ high`; a traced value is not looked at."""
    if not isinstance(value, jax.core.Tracer):
        inside = (np.asarray(value) >= low) & (np.asarray(value) <= high)
        if not np.all(inside):
            raise RemanenceError(f"{message}, got {np.asarray(value)}")


def one_minus_product(a: Array, b: Array) -> Array:
    """`1 − ab`, to rounding for real `a` and `b`, both near 1 or both near −1.

    `(1 − sa) + sa(1 − sb)` with `s` the sign of `a`: near `ab = 1` both differences are exact in
    floating point, and nothing cancels.
    """
    sign = jnp.where(jnp.real(a) < 0, -1.0, 1.0).astype(a.dtype)
    return (1 - sign * a) + sign * a * (1 - sign * b)


def rotation(angle: Array) -> Array:
    """`e^{iθ}`, complex of the precision of `θ`."""
    return jax.lax.complex(jnp.cos(angle), jnp.sin(angle))
