"""Functions of the disc whose textbook forms lose digits, or their derivative, somewhere."""

import jax.numpy as jnp
from jaxtyping import Array

_TERMS = 9


def arcsinh_root(square: Array) -> Array:
    """`arcsinh √q` for `q ≥ 0`; its derivative, infinite at 0, is taken as 0 there."""
    positive = square > 0
    return jnp.where(positive, jnp.arcsinh(jnp.sqrt(jnp.where(positive, square, 1.0))), 0.0)


def tanh_half(radius: Array) -> Array:
    """`tanh(R/2)`, with its derivative `½ sech²(R/2)` to relative precision at every `R`.

    That of tanh itself has, far out, the rounding of `1 − tanh²`.
    """
    size = jnp.abs(radius)
    near = size < 1
    small = jnp.exp(-jnp.where(near, 1.0, size))
    far = (1 - small) / (1 + small)
    signed = jnp.where(radius < 0, -far, far)
    return jnp.where(near, jnp.tanh(jnp.where(near, radius, 0.0) / 2), signed)


def angle_of(y: Array, x: Array) -> Array:
    """`arg(x + iy)`, 0 with zero derivatives at the origin."""
    origin = (x == 0) & (y == 0)
    return jnp.arctan2(y, jnp.where(origin, 1.0, x))


def geodesic_ratio(square: Array) -> Array:
    """`d / sinh d` as a smooth function of `q = sinh²(d/2)`: `arcsinh(√q)/√(q(1 + q))`.

    Its series `Σ_k c_k (−q)^k` has `c_k = c_{k−1} 2k/(2k + 1)`.
    """
    near = square < 0.01
    small = jnp.where(near, square, 0.0)
    series = jnp.ones_like(small)
    for k in range(_TERMS, 0, -1):
        series = 1 - 2 * k / (2 * k + 1) * small * series
    large = jnp.where(near, 1.0, square)
    return jnp.where(near, series, jnp.arcsinh(jnp.sqrt(large)) / jnp.sqrt(large * (1 + large)))


def half_geodesic(
    radius: Array, u: Array, v: Array
) -> tuple[tuple[Array, Array], tuple[Array, Array], Array]:
    """`a + σ` and `1 + aσ` times `cosh(R/2) cosh(n/2)`, as real and imaginary parts.

    And the imaginary part of `(a + σ) conj(1 + aσ)` with the square of that factor. Here
    `a = tanh(R/2)` and `σ = tanh(n/2) e^{iφ}` for the tangent `(u, v) = n (cos φ, sin φ)`.
    """
    square = u**2 + v**2
    near = square < 1
    # Near 0 as functions of n², which are smooth; far away through R − n and 1 + cos φ, because
    # a step back over a long way would cancel.
    small = jnp.where(near, square, 0.0) / 4
    cosine, ratio = jnp.ones_like(small), jnp.ones_like(small)
    for k in range(_TERMS, 0, -1):
        cosine = 1 + small / (2 * k * (2 * k - 1)) * cosine
        ratio = 1 + small / (2 * k * (2 * k + 1)) * ratio
    length = jnp.sqrt(jnp.where(near, 1.0, square))
    cosine = jnp.where(near, cosine, jnp.cosh(length / 2))
    ratio = jnp.where(near, ratio / 2, jnp.sinh(length / 2) / length)
    backwards = u < 0
    opening = jnp.where(backwards, v**2 / jnp.where(backwards, length - u, 1.0), length + u)
    high, low = jnp.cosh(radius / 2), jnp.sinh(radius / 2)
    upper = jnp.where(
        near,
        low * cosine + high * ratio * u,
        jnp.sinh((radius - length) / 2) + high * ratio * opening,
    )
    lower = jnp.where(
        near,
        high * cosine + low * ratio * u,
        jnp.cosh((radius - length) / 2) + low * ratio * opening,
    )
    return (upper, high * ratio * v), (lower, low * ratio * v), cosine * ratio * v
