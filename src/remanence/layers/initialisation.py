"""How the nonlinear recurrent layers start: their matrices, and the biases of their gates."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from remanence.errors import RemanenceError, nearest_name
from remanence.layers.arrays import normal

STARTS = ("orthogonal", "identity", "uniform")


def recurrent_matrix(
    key: PRNGKeyArray,
    size: int,
    dtype: np.dtype,
    *,
    start: str = "orthogonal",
    gain: float | int = 1.0,
) -> Float[Array, "size size"]:
    """A recurrent matrix to start from.

    Args:
        start: "orthogonal", Haar-distributed times `gain`; "identity", times `gain`; "uniform",
            independent entries in `±gain/√size` (`torch.nn` with `gain=1`; its spectral radius
            is near `gain/√3`, so that memory fades in a few steps).

    Raises:
        RemanenceError: for another `start`.

    Source: Saxe et al. 2014 (orthogonal), Le, Jaitly & Hinton 2015 (identity with ReLU); both
    recalled, not re-read.
    """
    if start not in STARTS:
        raise RemanenceError(
            f"recurrent matrix: start {start!r} is none of {', '.join(STARTS)}"
            f"{nearest_name(start, STARTS)}"
        )
    if start == "identity":
        return gain * jnp.eye(size, dtype=dtype)
    if start == "orthogonal":
        return gain * jax.random.orthogonal(key, size, dtype=dtype)
    bound = float(gain / np.sqrt(size))
    return jax.random.uniform(key, (size, size), dtype, minval=-bound, maxval=bound)


def gate_matrices(
    key: PRNGKeyArray, gates: int, inputs: int, state: int, dtype: np.dtype
) -> tuple[list[Array], list[Array]]:
    """For each gate an input matrix of entries N(0, 1/inputs), and an orthogonal recurrent one."""
    for_inputs, for_state = jax.random.split(key)
    return (
        [
            normal(k, (state, inputs), 1 / inputs, dtype)
            for k in jax.random.split(for_inputs, gates)
        ],
        [recurrent_matrix(k, state, dtype) for k in jax.random.split(for_state, gates)],
    )


def chrono_bias(
    key: PRNGKeyArray, size: int, times: tuple[float | int, float | int], dtype: np.dtype
) -> Float[Array, " size"]:
    """Biases of a gate that keeps the state, so that forget times are spread over a range.

        b = log(T − 1),   T ~ U(T_min, T_max)

    A gate that holds `σ(b)` forgets by `σ(b)` in every step, within `T = 1/(1 − σ(b)) = 1 + e^b`
    steps. `(2, T_max)` is the published `b = log U(1, T_max − 1)`.

    Raises:
        RemanenceError: unless `1 < T_min ≤ T_max`, both finite.

    Source: Tallec & Ollivier, ICLR 2018 (arXiv 1804.11188), section 2; the formula recalled.
    """
    try:
        shortest, longest = (float(time) for time in times)
    except (TypeError, ValueError):
        raise RemanenceError(
            f"chrono is {times!r}; give the shortest and the longest forget time, as (2, 100)"
        ) from None
    if not (1.0 < shortest <= longest < np.inf):
        raise RemanenceError(
            f"chrono is ({shortest:g}, {longest:g}); forget times need "
            "1 < T_min <= T_max, counted in steps"
        )
    return jnp.log(
        jax.random.uniform(key, (size,), dtype, minval=shortest - 1.0, maxval=longest - 1.0)
    )
