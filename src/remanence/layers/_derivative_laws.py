"""The laws of `check_equivalence` on first and second derivatives."""

from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from remanence.layers._laws import difference


def laws_of_derivatives(
    layer: Any, xs: np.ndarray, methods: tuple[str, ...], rng: np.random.Generator
) -> Iterator[tuple[str, Callable[[], float]]]:
    """Gradient and Hessian-vector products of a smooth score.

    The plainest engine is held to central differences, the others to the plainest.
    """
    arrays, fixed_parts = eqx.partition(layer, eqx.is_inexact_array)
    start = jax.tree.map(jnp.asarray, layer.initial_state())
    # Counters and keys of a state have no derivatives.
    smooth, fixed_state = eqx.partition(start, eqx.is_inexact_array)
    rest = fixed_parts, fixed_state
    point = (arrays, jnp.asarray(xs), smooth)
    direction = jax.tree.map(lambda leaf: _direction(rng, leaf), point)

    def inner(tree: PyTree) -> Array:
        # Of a real score JAX's gradient is the conjugate of the steepest direction.
        parts = jax.tree.map(lambda g, d: jnp.sum((g * d).real), tree, direction)
        return jax.tree.reduce(jnp.add, parts)

    def derivatives(score: Callable) -> Callable:
        gradient = jax.grad(score)
        return lambda p: (gradient(p), jax.jvp(gradient, (p,), (direction,))[1])

    plainest, *others = methods or (None,)
    score = _score(rest, {} if plainest is None else {"method": plainest})
    # Central differences of fourth order: at this step their error is far below the tolerance.
    size, stencil = 2e-4, np.array([-2.0, -1.0, 1.0, 2.0])
    weights = np.array([1.0, -8.0, 8.0, -1.0]) / (12.0 * size)

    def near(multiple: Array) -> PyTree:
        moved = jax.tree.map(
            lambda p, d: p + (multiple * size).astype(p.dtype) * d, point, direction
        )
        return jax.value_and_grad(score)(moved)

    @jax.jit
    def everything() -> PyTree:
        gradient, forward = derivatives(score)(point)
        twice = jax.grad(lambda p: inner(jax.grad(score)(p)))(point)
        return gradient, forward, twice, inner(gradient), jax.lax.map(near, stencil)

    found: list[Any] = []

    def first() -> float:
        gradient, forward, twice, slope, around = everything()
        steep, curvature = jax.tree.map(
            lambda leaf: np.tensordot(weights, np.asarray(leaf), axes=1), around
        )
        found[:] = gradient, forward, twice, curvature
        return difference(slope, steep)

    yield "gradient", first
    if not found:
        return
    gradient, forward, twice, curvature = found
    yield "Hessian-vector product", lambda: difference(forward, curvature)
    yield "Hessian-vector product, reverse twice", lambda: difference(twice, curvature)
    for method in others:
        ways = jax.jit(derivatives(_score(rest, {"method": method})))
        yield (
            f"derivatives, method {method}",
            lambda ways=ways: difference(ways(point), (gradient, forward)),
        )


def _score(rest: tuple[PyTree, PyTree], options: dict[str, str]) -> Callable:
    """A smooth function of everything that a run puts out."""

    def score(point: PyTree) -> Float[Array, ""]:
        own, xs, state = point
        layer = eqx.combine(own, rest[0])
        outputs = layer(xs, eqx.combine(state, rest[1]), **options)
        # Unequal weights: no two outputs may cancel or be exchanged unnoticed.
        terms = [
            jnp.sum(
                jnp.sin(leaf.real + 0.5 * leaf.imag)
                * jnp.cos(jnp.arange(leaf.size, dtype=leaf.real.dtype)).reshape(leaf.shape)
            )
            for leaf in jax.tree.leaves(outputs)
            if eqx.is_inexact_array(leaf)
        ]
        return sum(terms[1:], terms[0])

    return score


def _direction(rng: np.random.Generator, leaf: Array) -> np.ndarray:
    drawn = rng.standard_normal(leaf.shape)
    if np.issubdtype(leaf.dtype, np.complexfloating):
        drawn = drawn + 1j * rng.standard_normal(leaf.shape)
    return np.asarray(drawn / max(float(np.linalg.norm(drawn)), 1.0), leaf.dtype)
