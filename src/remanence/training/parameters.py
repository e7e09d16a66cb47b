"""The overparameterised linear RNN as gradient descent sees it: three matrices and a start."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

Matrix = Float[Array, "*seeds _rows _columns"] | Float[np.ndarray, "*seeds _rows _columns"]


class Parameters(NamedTuple):
    """A linear RNN `h_t = A h_{t-1} + B x_t`, `y_t = C h_t`, or its gradient.

    Shapes: `A` (state, state), `B` (state, inputs), `C` (outputs, state); an ensemble carries a
    leading axis of seeds on each.
    """

    A: Matrix
    B: Matrix
    C: Matrix


def near_zero_parameters(
    state: int,
    inputs: int,
    outputs: int,
    *,
    scale: float,
    key: Key[Array, ""],
) -> Parameters:
    """Independent Gaussian entries N(0, scale² / state), float64.

    `scale` is then close to the spectral radius of A at the start: near-zero is 1e-2 and below,
    standard is 1. Source: specification of low-dimensional state spaces, 1.5.
    """
    keys = jax.random.split(key, 3)
    shapes = ((state, state), (state, inputs), (outputs, state))
    deviation = scale / np.sqrt(state)
    A, B, C = (
        deviation * jax.random.normal(key, shape, jnp.float64)
        for key, shape in zip(keys, shapes, strict=True)
    )
    return Parameters(A, B, C)


def near_zero_ensemble(
    state: int,
    inputs: int,
    outputs: int,
    *,
    scale: float,
    seed: int,
    seeds: int,
) -> Parameters:
    """`seeds` independent starts; member i is what `seed + i` gives alone."""
    members = [
        near_zero_parameters(state, inputs, outputs, scale=scale, key=jax.random.key(seed + i))
        for i in range(seeds)
    ]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)


def balancedness(parameters: Parameters) -> np.ndarray:
    """The conserved quantity `M = A Aᵀ − Aᵀ A + B Bᵀ − Cᵀ C` of gradient flow, (…, state, state).

    M is constant under gradient flow on any loss of the impulse response alone, and M = 0 exactly
    when (A, B, C) has the least norm ‖A‖² + ‖B‖² + ‖C‖² among its similarity orbit. Source:
    derived from invariance under A → TAT⁻¹, B → TB, C → CT⁻¹ (specification, I3-I5; Kempf-Ness).
    """
    A, B, C = (np.asarray(matrix, np.float64) for matrix in parameters)
    At, Bt, Ct = (np.swapaxes(matrix, -1, -2) for matrix in (A, B, C))
    return A @ At - At @ A + B @ Bt - Ct @ C


def squared_norm(parameters: Parameters) -> np.ndarray:
    """‖A‖² + ‖B‖² + ‖C‖² in the Frobenius norm, one number a seed."""
    return np.asarray(sum(np.sum(np.asarray(leaf) ** 2, axis=(-2, -1)) for leaf in parameters))
