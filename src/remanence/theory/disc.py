"""The Poincaré disc of eigenvalues, in coordinates that keep their digits at any memory.

The metric is that of curvature −1, `ds² = 4|dλ|²/(1 − |λ|²)²`. A point is stored in geodesic
polar coordinates along a leading axis:

    (2, *modes)   R = 2 artanh|λ| ≥ 0 and θ in radians,  λ = tanh(R/2) e^{iθ},  dR² + sinh²R dθ²
    (1, *modes)   R with a sign, real modes              λ = tanh(R/2),         dR²

so that `1 − |λ|² = sech²(R/2)` never cancels: `1 − |λ| = 1e-12` is R = 28.3. What is left is the
rounding of θ, worth a distance of `θ · eps / (1 − |λ|)`.

Tangent vectors are given in the orthonormal frame `(∂_R, ∂_θ / sinh R)`, real ones in `∂_R`, with
the shape of their points. Nothing broadcasts: the modes of two arguments agree. Everything works
inside `jit`, `vmap` and `grad`; first derivatives are finite where points coincide and where
tangents vanish, R = 0 being singular as in all polar coordinates. NaN passes through.

Source: derived, from `1 − λμ̄`, `λ − μ` and `(λ + μ)/(1 + μ̄λ)` times `cosh(R₁/2) cosh(R₂/2)`.
"""

import jax
import jax.core
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Complex, Float, Inexact

from remanence.errors import RemanenceError
from remanence.theory._arrays import promote, refuse_outside, rotation
from remanence.theory._disc_arrays import (
    AnyArray,
    checked,
    compared,
    kernel,
    numbers,
    polar,
    require_equal_modes,
    require_finite,
    with_tangents,
)
from remanence.theory._disc_series import (
    angle_of,
    arcsinh_root,
    geodesic_ratio,
    half_geodesic,
    tanh_half,
)

Points = Float[AnyArray, "..."]
"""`(2, *modes)` or `(1, *modes)`; what does not fit is refused by name."""

Tangents = Float[AnyArray, "..."]
"""Of the shape of their points."""


def disc_points(eigenvalues: ArrayLike) -> Float[Array, "coordinates *modes"]:
    """The points of eigenvalues, to the rounding of `1 − |λ|` in them.

    Complex eigenvalues give `(2, *modes)`, real ones `(1, *modes)`. Where `1 − |λ|` is known
    better than `λ` can say it, `points_from_memory` keeps its digits.

    Raises:
        RemanenceError: if an eigenvalue is no number, or on the unit circle or outside.

        >>> disc_points(0.5).round(6).tolist()        # 2 artanh ½ = log 3
        [1.098612]
    """
    value = numbers("disc_points", "eigenvalues", eigenvalues)
    if not jnp.issubdtype(value.dtype, jnp.complexfloating):
        _refuse_unstable(jnp.abs(value))
        return 2 * jnp.arctanh(value)[None]
    x, y = jnp.real(value), jnp.imag(value)
    _refuse_unstable(jnp.hypot(x, y))
    gap = (1 - jnp.abs(x)) * (1 + jnp.abs(x)) - y**2
    zero = (x == 0) & (y == 0)
    size = jnp.hypot(jnp.where(zero, 1.0, x), y)
    radius = 2 * jnp.arcsinh(jnp.where(zero, 0.0, size) / jnp.sqrt(gap))
    return jnp.stack([radius, angle_of(y, x)])


def points_from_memory(
    gap: ArrayLike, phase: ArrayLike | None = None
) -> Float[Array, "coordinates *modes"]:
    """The points with `1 − |λ| = gap` and `arg λ = phase`, to full precision.

        R = log((2 − ε)/ε),        ε = 1 − |λ|

    Args:
        gap: `ε`, `0 < ε ≤ 1`: one over the memory in steps.
        phase: `θ` in radians, of the same shape; real positive modes if not given.

    Raises:
        RemanenceError: if the shapes differ, a gap is outside `(0, 1]` or a phase not finite.

        >>> points_from_memory(1e-12, 0.5).round(3).tolist()
        [28.324, 0.5]
    """
    epsilon = numbers("points_from_memory", "gap", gap, real=True)
    rest: tuple[Array, ...] = ()
    if phase is not None:
        angle = numbers("points_from_memory", "phase", phase, real=True)
        require_finite("points_from_memory", "phase", angle)
        epsilon, angle = promote(epsilon, angle)
        if epsilon.shape != angle.shape:
            raise RemanenceError(
                f"points_from_memory: gap has shape {epsilon.shape} and phase {angle.shape}; "
                "give one phase per gap"
            )
        rest = (angle,)
    tiny = float(jnp.finfo(epsilon.dtype).tiny)
    refuse_outside(epsilon, tiny, 1, "points_from_memory: gap = 1 − |λ| must lie in (0, 1]")
    return jnp.stack([jnp.log1p(2 * (1 - epsilon) / epsilon), *rest])


def disc_eigenvalues(points: Points) -> Inexact[Array, "*modes"]:
    """`λ = tanh(R/2) e^{iθ}`: complex for two coordinates, real for one.

    Derivatives to relative precision too, at any memory.
    """
    points = checked(points)
    magnitude = tanh_half(points[0])
    if points.shape[0] == 1:
        return magnitude
    turn = rotation(points[1])
    return magnitude.astype(turn.dtype) * turn


def log_magnitude(points: Points) -> Float[Array, "*modes"]:
    """`log|λ| = −2 artanh(e^{−R})`, to relative precision: −2e-12 at a memory of 5e11."""
    radius = jnp.abs(checked(points)[0])
    # For short memories artanh would be taken next to 1.
    near = radius < 1
    far = -2 * jnp.arctanh(jnp.exp(-jnp.where(near, 1.0, radius)))
    return jnp.where(near, jnp.log(jnp.tanh(jnp.where(near, radius, 1.0) / 2)), far)


def squared_gap(points: Points) -> Float[Array, "*modes"]:
    """`1 − |λ|² = sech²(R/2)`, without cancellation."""
    return jnp.cosh(checked(points)[0] / 2) ** -2


def separation(points: Points, others: Points) -> Float[Array, "*modes"]:
    """`sinh²(d/2)`, smooth where points coincide; `d` is the hyperbolic distance.

        sinh²(d/2) = sinh²((R₁ − R₂)/2) + sinh R₁ sinh R₂ sin²((θ₁ − θ₂)/2)

    The points may have one coordinate and the others two. Raises `RemanenceError` if the modes
    differ, as all functions of two points here do.
    """
    first, second, difference = compared(points, others)
    across = jnp.sinh(first) * jnp.sinh(second) * jnp.sin(difference / 2) ** 2
    return jnp.sinh((first - second) / 2) ** 2 + across


def hyperbolic_distance(points: Points, others: Points) -> Float[Array, "*modes"]:
    """`d = 2 artanh|(λ − μ)/(1 − μ̄λ)|`: the length of the geodesic between them."""
    return 2 * arcsinh_root(separation(points, others))


def pseudo_distance(points: Points, others: Points) -> Float[Array, "*modes"]:
    """`ρ = |(λ − μ)/(1 − μ̄λ)| = tanh(d/2)`: `geometry.pseudo_hyperbolic_distance` of points."""
    return jnp.tanh(hyperbolic_distance(points, others) / 2)


def moebius(points: Points, by: Points) -> Float[Array, "coordinates *modes"]:
    """The isometry `λ → (λ + b)/(1 + b̄λ)`, which takes 0 to `b`.

    It carries the geodesics that leave 0 to those that leave `b`, and is computed as the
    exponential map there. `(2, *modes)` unless both have one coordinate.
    """
    points, by = checked(points), checked(by, "by")
    require_equal_modes(points, by)
    if points.shape[0] == by.shape[0] == 1:
        return points + by
    (radius, angle), centre = polar(points), jnp.stack(polar(by))
    turned = angle - centre[1]
    leaving = jnp.stack([radius * jnp.cos(turned), radius * jnp.sin(turned)])
    return exponential_map(centre, leaving)


def exponential_map(points: Points, tangents: Tangents) -> Float[Array, "coordinates *modes"]:
    """Where the geodesics that leave `points` along `tangents` are after their length.

    For a tangent `n (cos φ, sin φ)`, `σ = tanh(n/2) e^{iφ}` and `a = tanh(R/2)`,

        λ' = e^{iθ} (a + σ)/(1 + aσ),
        sinh(R'/2) = |sinh(R/2) cosh(n/2) + cosh(R/2) sinh(n/2) e^{iφ}|.

    Never leaves the disc. `θ'` is not reduced: it stays within π of θ.

    Raises:
        RemanenceError: if `tangents` has not the shape of `points`.
    """
    points, tangents = with_tangents(points, tangents)
    if points.shape[0] == 1:
        return points + tangents
    upper, lower, across = half_geodesic(points[0], tangents[0], tangents[1])
    radius = 2 * arcsinh_root(upper[0] ** 2 + upper[1] ** 2)
    # arg(a + σ) − arg(1 + aσ), whose sine is known without a difference.
    turn = angle_of(across, upper[0] * lower[0] + upper[1] * lower[1])
    return jnp.stack([radius, points[1] + turn])


def logarithm_map(points: Points, others: Points) -> Float[Array, "coordinates *modes"]:
    """The tangents at `points` whose exponential map is `others`; their lengths are distances.

        (d / sinh d) (sinh(R₂ − R₁) − 2 cosh R₁ sinh R₂ sin²(Δ/2), sinh R₂ sin Δ),  Δ = θ₂ − θ₁

    Raises:
        RemanenceError: if the shapes differ.
    """
    points, others = with_tangents(points, others, "others")
    if points.shape[0] == 1:
        return others - points
    turned = others[1] - points[1]
    back = 2 * jnp.cosh(points[0]) * jnp.sinh(others[0]) * jnp.sin(turned / 2) ** 2
    along = jnp.sinh(others[0] - points[0]) - back
    direction = jnp.stack([along, jnp.sinh(others[0]) * jnp.sin(turned)])
    return geodesic_ratio(separation(points, others))[None] * direction


def parallel_transport(
    points: Points, along: Tangents, tangents: Tangents
) -> Float[Array, "coordinates *modes"]:
    """`tangents` at `points`, carried along the geodesics of `exponential_map(points, along)`.

    In the polar frame a rotation by `−arg(1 + aσ) − arg(a + σ)`; the identity for real modes.

    Raises:
        RemanenceError: if the three shapes differ.
    """
    points, along = with_tangents(points, along, "along")
    points, tangents = with_tangents(points, tangents)
    if points.shape[0] == 1:
        return tangents
    upper, lower, _ = half_geodesic(points[0], along[0], along[1])
    angle = angle_of(upper[1], upper[0]) + angle_of(lower[1], lower[0])
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    u, v = tangents
    return jnp.stack([cosine * u + sine * v, cosine * v - sine * u])


def hyperbolic_gradient(points: Points, gradient: Tangents) -> Float[Array, "coordinates *modes"]:
    """`(∂f/∂R, ∂f/∂θ / sinh R)`: a gradient by coordinates in the orthonormal frame.

    Its second part is 0 where R = 0. Its length is `½ (1 − |λ|²)` times that of the gradient in
    the plane of `λ`.

    Raises:
        RemanenceError: if `gradient` has not the shape of `points`.
    """
    points, gradient = with_tangents(points, gradient, "gradient")
    if points.shape[0] == 1:
        return gradient
    circle = jnp.sinh(points[0])
    centre = circle == 0
    around = jnp.where(centre, 0.0, gradient[1] / jnp.where(centre, 1.0, circle))
    return jnp.stack([gradient[0], around])


def normalised_overlap(points: Points, others: Points) -> Complex[Array, "*modes"]:
    """`o = √((1 − |λ|²)(1 − |μ|²)) / (1 − λμ̄)`: `geometry.overlap` of points.

        1/o = cosh((R₁ − R₂)/2) + sinh(R₁/2) sinh(R₂/2) (2 sin²(Δ/2) − i sin Δ),   Δ = θ₁ − θ₂

    It is `Σ_j e_λ(j) conj(e_μ(j))` of the modes of unit energy `e_λ(j) = √(1 − |λ|²) λ^j`.
    """
    return 1 / kernel(*compared(points, others))


def blaschke_factor(points: Points, zeros: Points) -> Complex[Array, "*modes"]:
    """`e^{−iθ₂} (λ − μ)/(1 − μ̄λ)` for `λ` in `points`, `μ = |μ| e^{iθ₂}` in `zeros`.

    Modulus ρ, to relative precision where the two are close.
    """
    first, second, difference = compared(points, others=zeros)
    lever = jnp.sinh(first / 2) * jnp.cosh(second / 2)
    numerator = jax.lax.complex(
        jnp.sinh((first - second) / 2) - 2 * lever * jnp.sin(difference / 2) ** 2,
        lever * jnp.sin(difference),
    )
    return numerator / kernel(first, second, difference)


def overlap_matrix(
    points: Float[AnyArray, "coordinates rows"],
    others: Float[AnyArray, "coordinates2 columns"] | None = None,
) -> Complex[Array, "rows columns"]:
    """`o(λ_i, μ_k)` of every pair; of the points among themselves if no others are given.

    Raises:
        RemanenceError: if the points are not `(coordinates, modes)`.
    """
    return of_every_pair(normalised_overlap, points, points if others is None else others)


def of_every_pair(function, points: Points, others: Points) -> Array:
    """`function(points, others)` for every point down and every other across."""
    points, others = checked(points), checked(others, "others")
    if points.ndim != 2 or others.ndim != 2:
        raise RemanenceError(
            f"the disc: points have shapes {points.shape} and {others.shape}; a matrix of pairs "
            "needs (coordinates, modes)"
        )
    rows, columns = points.shape[1], others.shape[1]
    down = jnp.broadcast_to(points[:, :, None], (points.shape[0], rows, columns))
    return function(down, jnp.broadcast_to(others[:, None, :], (others.shape[0], rows, columns)))


def _refuse_unstable(magnitude: Array) -> None:
    if isinstance(magnitude, jax.core.Tracer) or bool(jnp.all(magnitude < 1)):
        return
    raise RemanenceError(
        f"disc_points: |λ| = {float(jnp.max(magnitude)):.17g} is not inside the unit circle; "
        "give stable eigenvalues, or 1 − |λ| itself to points_from_memory"
    )
