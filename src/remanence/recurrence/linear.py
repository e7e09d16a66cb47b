"""The element-wise linear recurrence, one step after the other."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Inexact

from remanence.errors import RemanenceError


def linear_recurrence(
    a: Inexact[Array | np.ndarray, "..."],
    b: Inexact[Array | np.ndarray, "time *state"],
    h0: Inexact[Array | np.ndarray, "*state"] | None = None,
) -> Inexact[Array, "time *state"]:
    """Every state of `h_t = a_t ⊙ h_{t-1} + b_t`, along the leading axis.

    Args:
        a: the factors, real or complex: one state's shape if they are constant in time,
            `b`'s shape if they vary.
        b: what is added at each step, real or complex, time leading.
        h0: the state before the first step; zero if not given.

    Returns:
        `h_1 … h_T`, in the type that `a`, `b` and `h0` promote to; `h_0` is not among them.

    Raises:
        RemanenceError: if the shapes of `a`, `b` and `h0` do not fit together.

    Source: the definition. Sequential on purpose: on a CPU `lax.scan` with `unroll=1` is faster
    than a parallel prefix sum.

        >>> linear_recurrence(np.array([0.5]), np.ones((3, 1)))[:, 0].tolist()
        [1.0, 1.5, 1.75]
    """
    if b.ndim == 0:
        raise RemanenceError("linear_recurrence: b is a scalar; it needs time as its leading axis")
    state_shape = b.shape[1:]
    if a.shape not in (state_shape, b.shape):
        raise RemanenceError(
            f"linear_recurrence: a has shape {a.shape}, expected {state_shape} (constant in time) "
            f"or {b.shape} (one per step), to fit b"
        )
    if h0 is not None and h0.shape != state_shape:
        raise RemanenceError(
            f"linear_recurrence: h0 has shape {h0.shape}, expected {state_shape}, one state of b"
        )
    # Promoted once here, because a scan's carry must keep its type.
    given = [a.dtype, b.dtype] if h0 is None else [a.dtype, b.dtype, h0.dtype]
    dtype = jax.dtypes.canonicalize_dtype(np.result_type(*given))
    factors, terms = jnp.asarray(a, dtype), jnp.asarray(b, dtype)
    start = jnp.zeros(state_shape, dtype) if h0 is None else jnp.asarray(h0, dtype)

    if a.ndim == b.ndim:

        def varying(h: Array, step: tuple[Array, Array]) -> tuple[Array, Array]:
            h = step[0] * h + step[1]
            return h, h

        return jax.lax.scan(varying, start, (factors, terms))[1]

    def constant(h: Array, term: Array) -> tuple[Array, Array]:
        h = factors * h + term
        return h, h

    return jax.lax.scan(constant, start, terms)[1]
