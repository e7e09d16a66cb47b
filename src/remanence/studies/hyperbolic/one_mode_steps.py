"""Hyperbolic Adam with one of its parts exchanged at a time."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from remanence.theory.disc import exponential_map, hyperbolic_gradient, parallel_transport
from remanence.training.hyperbolic import adam_direction

Move = Callable[[Array, Array], Array]
"""New points from points and tangents in the orthonormal frame, both (2, *modes)."""

NEAREST = 1e-9
"""The least 1 − |λ| that clipping leaves."""


class FramedAdamState(NamedTuple):
    """Moments in the orthonormal frame; `second` is summed over coordinates if shared."""

    taken: Int[Array, ""]
    first: Float[Array, "2 *modes"]
    second: Float[Array, "rows *modes"]


def framed_adam(
    rate: Float[Array, ""], *, move: Move = exponential_map, shared: bool = True
) -> optax.GradientTransformation:
    """Adam on the hyperbolic gradient of the one array of points in a tree.

    With the exponential map and the shared second moment it is `training.hyperbolic_adam`.

    Args:
        rate: a hyperbolic distance.
        move: how a step is taken.
        shared: one second moment for each mode; else one for each coordinate of the polar frame,
            in which the first moment then stays too. Were it turned by the transport, it would be
            divided by the size of gradients in another direction.
    """

    def init(params: PyTree[Any]) -> FramedAdamState:
        (points,) = jax.tree.leaves(params)
        rows = points[:1] if shared else points
        zero = jnp.zeros((), jnp.int32)
        return FramedAdamState(zero, jnp.zeros_like(points), jnp.zeros_like(rows))

    def update(
        updates: PyTree[Any], state: FramedAdamState, params: PyTree[Any] | None = None
    ) -> tuple[PyTree[Any], FramedAdamState]:
        (points,), structure = jax.tree.flatten(params)
        slope = hyperbolic_gradient(points, jax.tree.leaves(updates)[0])
        count = state.taken + 1
        direction, first, second = adam_direction(slope, state.first, state.second, count)
        tangent = -rate * direction
        moved = move(points, tangent)
        if shared:
            first = parallel_transport(points, tangent, first)
        made = FramedAdamState(count, first, second)
        return jax.tree.unflatten(structure, [moved - points]), made

    return optax.GradientTransformation(init, update)  # pyright: ignore[reportArgumentType]


def polar_addition(points: Float[Array, "2 *modes"], tangent: Float[Array, "2 *modes"]) -> Array:
    """`R + u` and `θ + v / sinh R`; through 0 to the opposite side."""
    radius = points[0] + tangent[0]
    angle = points[1] + tangent[1] / jnp.sinh(points[0])
    across = radius < 0
    return jnp.stack([jnp.abs(radius), jnp.where(across, angle + jnp.pi, angle)])


def plane_addition(points: Float[Array, "2 *modes"], tangent: Float[Array, "2 *modes"]) -> Array:
    """`λ + ½ (1 − |λ|²)(u + iv)` in the plane, clipped to `1 − |λ| ≥ NEAREST`.

    Through `1 − |λ'|² = s (1 − tanh(R/2) u − ¼ s (u² + v²))`, `s = sech²(R/2)`, which keeps its
    digits; a clipped point keeps its angle.
    """
    u, v = tangent
    a, s = jnp.tanh(points[0] / 2), jnp.cosh(points[0] / 2) ** -2
    x, y = a + s * u / 2, s * v / 2
    size = jnp.hypot(x, y)
    gap = s * (1 - a * u - s * (u**2 + v**2) / 4)
    inside = gap > 2 * NEAREST
    gap = jnp.where(inside, gap, 2 * NEAREST)
    size = jnp.where(inside, size, jnp.sqrt(1 - gap))
    return jnp.stack([2 * jnp.arcsinh(size / jnp.sqrt(gap)), points[1] + jnp.arctan2(y, x)])
