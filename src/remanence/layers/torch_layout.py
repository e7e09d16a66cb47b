"""The stacked arrays in which PyTorch keeps its gates, cut apart and put together."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from remanence.errors import RemanenceError
from remanence.layers.arrays import real_dtype

Stacked = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""`weight_ih (gates·state, inputs)`, `weight_hh (gates·state, state)` and two biases."""


def unstack_gates(
    name: str,
    gates: int,
    weight_ih: Any,
    weight_hh: Any,
    bias_ih: Any,
    bias_hh: Any,
    dtype: Any = None,
) -> tuple[list[Array], list[Array], list[Array], list[Array]]:
    """One array per gate, in PyTorch's order; a bias given as None is zero.

    Raises:
        RemanenceError: if a shape does not fit, naming the array and the layer `name`.
    """
    W, U = np.asarray(weight_ih), np.asarray(weight_hh)
    if U.ndim != 2 or not U.size or U.shape[0] != gates * U.shape[1]:
        raise RemanenceError(
            f"{name}: weight_hh has shape {U.shape}, expected ({gates}·state, state)"
        )
    rows, state = U.shape
    if W.ndim != 2 or W.shape[0] != rows or not W.size:
        raise RemanenceError(f"{name}: weight_ih has shape {W.shape}, expected ({rows}, inputs)")
    biases = []
    for bias, what in ((bias_ih, "bias_ih"), (bias_hh, "bias_hh")):
        array = np.zeros(rows, W.dtype) if bias is None else np.asarray(bias)
        if array.shape != (rows,):
            raise RemanenceError(f"{name}: {what} has shape {array.shape}, expected ({rows},)")
        biases.append(array)
    # What JAX keeps of float64 when it has no float64.
    real = real_dtype(jax.dtypes.canonicalize_dtype(W.dtype) if dtype is None else dtype)

    def cut(array: np.ndarray) -> list[Array]:
        return [jnp.asarray(array[g * state : (g + 1) * state], real) for g in range(gates)]

    return cut(W), cut(U), cut(biases[0]), cut(biases[1])


def stack_gates(
    W: list[Float[Array, "state inputs"]],
    U: list[Float[Array, "state state"]],
    b: list[Float[Array, " state"]],
    c: list[Float[Array, " state"]],
) -> Stacked:
    """The four stacked arrays, with NumPy."""
    stacked = [np.concatenate([np.asarray(part) for part in parts]) for parts in (W, U, b, c)]
    return stacked[0], stacked[1], stacked[2], stacked[3]
