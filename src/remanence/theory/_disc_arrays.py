"""What the functions of the disc do to their arguments before they start."""

from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from remanence.errors import RemanenceError
from remanence.theory._arrays import promote

AnyArray = Array | np.ndarray


def numbers(
    owner: str, name: str, value: Any, *, real: bool = False, otherwise: str = ""
) -> Array:
    """`value` as a JAX array of floating numbers; raises if it is none, or others than `real`.

    `otherwise` ends the complaint about complex ones with what to do.
    """
    try:
        # JAX takes some words for names of types.
        array = None if isinstance(value, str) else jnp.asarray(value)
    except (TypeError, ValueError):
        array = None
    if array is None or not jnp.issubdtype(array.dtype, jnp.number):
        text = " ".join(repr(value).split())
        text = text if len(text) <= 60 else text[:59] + "…"
        raise RemanenceError(f"{owner}: {name} must be an array of numbers, got {text}")
    (array,) = promote(array)
    if real and jnp.issubdtype(array.dtype, jnp.complexfloating):
        raise RemanenceError(f"{owner}: {name} must be real, got {array.dtype}{otherwise}")
    return array


def require_finite(owner: str, name: str, values: Array) -> None:
    """Raises if a value is infinite or NaN; traced values are not looked at."""
    if isinstance(values, jax.core.Tracer):
        return
    wrong = np.argwhere(~np.isfinite(np.asarray(values)))
    if len(wrong):
        place = tuple(wrong[0].tolist())
        raise RemanenceError(
            f"{owner}: {name} must be finite, got {np.asarray(values)[place]}"
            + (f" at {place}" if place else "")
        )


def checked(points: Any, name: str = "points") -> Array:
    """`points` as a JAX array with one or two coordinates along its leading axis."""
    hint = "; disc_points gives the points of complex eigenvalues"
    array = numbers("the disc", name, points, real=True, otherwise=hint)
    if not array.ndim or array.shape[0] not in (1, 2):
        raise RemanenceError(
            f"the disc: {name} have shape {array.shape}, expected (2, *modes) for R and θ, or "
            "(1, *modes) for real modes"
        )
    return array


def polar(points: Array) -> tuple[Array, Array]:
    """`R` and `θ`; a real mode keeps its sign in `R`."""
    return points[0], (points[1] if points.shape[0] == 2 else jnp.zeros_like(points[0]))


def compared(points: AnyArray, others: AnyArray) -> tuple[Array, Array, Array]:
    """`R₁`, `R₂` and `θ₁ − θ₂`."""
    points, others = promote(checked(points), checked(others, "others"))
    require_equal_modes(points, others)
    (first, angle), (second, other) = polar(points), polar(others)
    return first, second, angle - other


def kernel(first: Array, second: Array, difference: Array) -> Array:
    """`(1 − λμ̄) cosh(R₁/2) cosh(R₂/2)`."""
    product = jnp.sinh(first / 2) * jnp.sinh(second / 2)
    return jax.lax.complex(
        jnp.cosh((first - second) / 2) + 2 * product * jnp.sin(difference / 2) ** 2,
        -product * jnp.sin(difference),
    )


def with_tangents(
    points: AnyArray, tangents: AnyArray, name: str = "tangents"
) -> tuple[Array, Array]:
    points, tangents = promote(checked(points), checked(tangents, name))
    if points.shape != tangents.shape:
        raise RemanenceError(
            f"the disc: {name} have shape {tangents.shape}, expected {points.shape} as the points"
        )
    return points, tangents


def require_equal_modes(points: Array, others: Array) -> None:
    if points.shape[1:] != others.shape[1:]:
        raise RemanenceError(
            f"the disc: modes of shapes {points.shape[1:]} and {others.shape[1:]} do not pair up; "
            "nothing broadcasts here (overlap_matrix takes every pair)"
        )
