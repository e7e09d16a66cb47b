"""The element-wise linear recurrence: one step after the other, or as a parallel prefix sum."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Inexact

from remanence.errors import RemanenceError, nearest_name

METHODS = ("sequential", "associative")
"""The engines of `linear_recurrence`, the plainest first."""


def linear_recurrence(
    a: Inexact[Array | np.ndarray, "..."],
    b: Inexact[Array | np.ndarray, "time *state"],
    h0: Inexact[Array | np.ndarray, "*state"] | None = None,
    *,
    method: str = "auto",
    reverse: bool = False,
) -> Inexact[Array, "time *state"]:
    """Every state of `h_t = a_t ⊙ h_{t-1} + b_t`, along the leading axis.

    Args:
        a: the factors, real or complex: one state's shape if they are constant in time,
            `b`'s shape if they vary.
        b: what is added at each step, real or complex, time leading.
        h0: the state before the first step; zero if not given.
        method: "sequential" takes one step after the other (`lax.scan`), O(T) deep.
            "associative" is a parallel prefix sum by odd-even reduction, O(log T) deep, with
            about twice the arithmetic. "auto" is sequential on a CPU, where it is measured to be
            1.5 to 3 times faster (`benchmarks/recurrence.py`), and associative on other
            devices, on published experience with parallel scans, not on a measurement here.
        reverse: run backwards in time, `h_t = a_t ⊙ h_{t+1} + b_t`, with `h0` the state after
            the last step; the same as flipping `a` (if it varies), `b` and the result in time.

    Returns:
        `h_1 … h_T` (`h_T … h_1` at their own times if reversed), in the type that `a`, `b` and
        `h0` promote to; `h_0` is not among them. Both engines can be differentiated in every
        argument, in either mode and repeatedly.

    Raises:
        RemanenceError: if the shapes of `a`, `b` and `h0` do not fit together, or the method is
            not known.

    Source: the definition; the reduction is Blelloch, "Prefix sums and their applications"
    (1990), §1.4, for first-order recurrences.

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
    if method not in ("auto", *METHODS):
        raise RemanenceError(
            f"linear_recurrence: method {method!r} is none of auto, {', '.join(METHODS)}"
            f"{nearest_name(method, ('auto', *METHODS))}"
        )
    if method == "auto":
        method = "sequential" if jax.default_backend() == "cpu" else "associative"
    # Promoted once here, because a scan's carry must keep its type.
    given = [a.dtype, b.dtype] if h0 is None else [a.dtype, b.dtype, h0.dtype]
    dtype = jax.dtypes.canonicalize_dtype(np.result_type(*given))
    factors, terms = jnp.asarray(a, dtype), jnp.asarray(b, dtype)
    start = None if h0 is None else jnp.asarray(h0, dtype)

    if method == "sequential":
        return _sequential(factors, terms, start, reverse)
    if not reverse:
        return _associative(factors, terms, start)
    return jnp.flip(_associative(_flip(factors, terms), jnp.flip(terms, 0), start), 0)


def _sequential(a: Array, b: Array, h0: Array | None, reverse: bool) -> Array:
    """`unroll=1` and JAX's own derivatives: on a CPU longer bodies and written rules are slower.

    The reverse of the scan already reads each state once and writes each gradient once.
    """
    start = jnp.zeros_like(b, shape=b.shape[1:]) if h0 is None else h0

    if a.ndim == b.ndim:

        def varying(h: Array, step: tuple[Array, Array]) -> tuple[Array, Array]:
            h = step[0] * h + step[1]
            return h, h

        return jax.lax.scan(varying, start, (a, b), reverse=reverse)[1]

    def constant(h: Array, term: Array) -> tuple[Array, Array]:
        h = a * h + term
        return h, h

    return jax.lax.scan(constant, start, b, reverse=reverse)[1]


def _associative(a: Array, b: Array, h0: Array | None) -> Array:
    """The solution of `(I − a S) h = b`, S the shift by one step, as a linear solve.

    Derivatives then come from the implicit function theorem: each is one more solve, with the
    same or the transposed system, and only `h` is kept for it, where differentiating the prefix
    sum itself would keep every level of it.
    """
    if b.shape[0] == 0:
        return b
    if h0 is not None:
        first = a[0] if a.ndim == b.ndim else a
        b = jnp.concatenate([b[:1] + (first * h0)[None], b[1:]])

    def system(h: Array) -> Array:
        before = jnp.concatenate([jnp.zeros_like(h[:1]), h[:-1]])
        return h - (a if a.ndim == h.ndim else a[None]) * before

    def solve(_, b: Array) -> Array:
        return _prefix(a, b)

    def transposed_solve(_, b: Array) -> Array:
        # g_t = a_{t+1} g_{t+1} + b_t. The factor of its first step multiplies nothing.
        factors = jnp.roll(_flip(a, b), 1, 0) if a.ndim == b.ndim else a
        return jnp.flip(_prefix(factors, jnp.flip(b, 0)), 0)

    return jax.lax.custom_linear_solve(system, b, solve, transposed_solve)


def _prefix(a: Array, b: Array) -> Array:
    """Every state from zero, by odd-even reduction: two steps make one step of half as many.

    Constant factors stay one state large at every level: they are squared, not copied over time.
    """
    length = b.shape[0]
    if length < 2:
        return b
    if a.ndim == b.ndim:
        pairs, seconds, thirds = a[1::2] * a[:-1:2], a[1::2], a[2::2]
    else:
        pairs, seconds = a * a, a[None]
        thirds = seconds
    odd = _prefix(pairs, seconds * b[:-1:2] + b[1::2])
    even = jnp.concatenate([b[:1], thirds * odd[: (length - 1) // 2] + b[2::2]])
    if length % 2:
        odd = jnp.concatenate([odd, jnp.zeros_like(b[:1])])
    return jnp.stack([even, odd], 1).reshape(-1, *b.shape[1:])[:length]


def _flip(a: Array, b: Array) -> Array:
    """The factors of the time-reversed recurrence, before any shift."""
    return jnp.flip(a, 0) if a.ndim == b.ndim else a
