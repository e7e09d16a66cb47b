"""Eigenvalues as points of the hyperbolic disc."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from remanence.errors import RemanenceError
from remanence.layers._eigenvalue_map import AnyArray, namespace
from remanence.layers._parametrisation import (
    AbstractEigenvalues,
    as_parameter,
    as_values,
    cast,
    complex_ones,
    from_polar,
    half_turn,
    traced,
)
from remanence.layers.contract import HYPERBOLIC


class HyperbolicEigenvalues(AbstractEigenvalues):
    """`λ = tanh(R/2) e^{iθ}`: geodesic polar coordinates of the disc of curvature −1.

    `R ≥ 0` is the hyperbolic distance of `λ` from 0 in the metric

        ds² = 4 |dλ|² / (1 − |λ|²)² = dR² + sinh²R dθ²,

    so that `1 − |λ|² = sech²(R/2)`: every factor e of memory is one more unit of `R`, and
    `1 − |λ| = 1e-12` is `R ≈ 28.3`. Float32 holds any `R`; the phase's own rounding is what
    limits it to memories of about 1e6 steps. Real modes have a signed `R` alone.

    No map keeps `R` and `θ` equally sensitive. They are moved along geodesics instead, by
    `training.hyperbolic_adam`, which the role "hyperbolic" asks for and `adamw_by_role` brings.
    An optimiser that would take them for plain numbers, such as `optax.adam(1e-3)`, is refused by
    `train` and its like; other loops have to see to it themselves.

    Args:
        points: (2, *modes), rows `R` and `θ` in radians, or (1, *modes) for real modes.

    Raises:
        RemanenceError: if `points` has neither one nor two coordinates.

    Source: derived: with `γ = √(1 − |λ|²)` the unexplained share of one mode by another is
    `tanh²(d/2)`, `d` their distance in this metric.

        >>> HyperbolicEigenvalues.from_eigenvalues([0.5]).points      # 2 artanh ½ = log 3
        Array([[1.0986123]], dtype=float32)
    """

    points: Float[Array, "coordinates *modes"] = eqx.field(metadata=HYPERBOLIC)

    def __init__(self, points: Any):
        points = as_parameter(points)
        if not points.ndim or points.shape[0] not in (1, 2):
            raise RemanenceError(
                f"HyperbolicEigenvalues: points have shape {points.shape}, expected (2, *modes) "
                "for complex modes or (1, *modes) for real ones"
            )
        self.points = points

    @classmethod
    def from_eigenvalues(cls, eigenvalues: Any, *, dtype: Any = None) -> "HyperbolicEigenvalues":
        """The points of these eigenvalues, real ones for real eigenvalues.

        Raises:
            RemanenceError: for an eigenvalue on or outside the unit circle.
        """
        values = as_values(eigenvalues)
        xp = namespace(values)
        magnitude = xp.abs(values)
        # 1 − |λ|² from the parts: |λ| has lost the digits of its distance to 1.
        re, im = xp.abs(xp.real(values)), xp.abs(xp.imag(values))
        larger, smaller = xp.maximum(re, im), xp.minimum(re, im)
        gap = (1 - larger) * (1 + larger) - smaller**2
        _require_inside(magnitude, gap > 0)
        radius = 2 * xp.arcsinh(magnitude / xp.sqrt(gap))
        if values.dtype.kind == "c":
            return cls(cast(xp.stack([radius, xp.angle(values)]), dtype))
        return cls(cast((xp.sign(values) * radius)[None], dtype))

    @classmethod
    def from_polar(
        cls, log_magnitude: Any, phase: Any, *, real: bool = False, dtype: Any = None
    ) -> "HyperbolicEigenvalues":
        """The points at `log |λ|` and `arg λ`, which hold more digits than `λ` near `|λ| = 1`.

        `real` modes have phases 0 and π.

        Raises:
            RemanenceError: for an eigenvalue on or outside the unit circle.
        """
        log_magnitude, phase = as_values(log_magnitude), as_values(phase)
        xp = namespace(log_magnitude)
        _require_inside(xp.exp(log_magnitude), log_magnitude < 0)
        # log |λ| = log tanh(R/2), and R ↦ −log tanh(R/2) is its own inverse.
        radius = cast(-log_tanh_half(jnp.asarray(-log_magnitude)), dtype)
        if real:
            sign = jnp.where(jnp.cos(jnp.asarray(phase)) < 0, -1.0, 1.0)
            return cls((sign.astype(radius.dtype) * radius)[None])
        turns = namespace(phase).ceil(phase / (2 * np.pi) - 0.5)
        return cls(jnp.stack([radius, cast(phase - 2 * np.pi * turns, dtype)]))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.points.shape[1:]

    @property
    def is_complex(self) -> bool:
        return self.points.shape[0] == 2

    def __call__(self) -> Inexact[Array, "*modes"]:
        radius = self.points[0]
        distance = jnp.abs(radius)
        near = distance < 1
        # tanh itself far out has a gradient of the rounding of 1 − tanh²; the exponential of its
        # logarithm near 0 has none.
        far = jnp.exp(log_tanh_half(jnp.where(near, 1.0, distance)))
        signed = jnp.where(radius < 0, -far, far)
        magnitude = jnp.where(near, jnp.tanh(jnp.where(near, radius, 0.0) / 2), signed)
        return from_polar(magnitude, self.points[1]) if self.is_complex else magnitude

    def log_magnitude(self) -> Float[Array, "*modes"]:
        return log_tanh_half(jnp.abs(self.points[0]))

    def phase(self) -> Float[Array, "*modes"]:
        turn = half_turn(self.points[0])
        return self.points[1] + turn if self.is_complex else turn

    def input_factor(self) -> Inexact[Array, "*modes"]:
        ones = jnp.ones_like(self.points[0])
        return complex_ones(ones) if self.is_complex else ones


def log_tanh_half(distance: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`log tanh(x/2)` for `x ≥ 0`, to rounding at every x as are its derivatives.

    -inf, of gradient 0, at `x = 0`. Its negative is its own inverse.
    """
    near, zero = distance < 1, distance == 0
    small = jnp.where(near & ~zero, distance, 1.0)
    large = jnp.where(near, 1.0, distance)
    values = jnp.where(near, jnp.log(jnp.tanh(small / 2)), -2 * jnp.arctanh(jnp.exp(-large)))
    return jnp.where(zero, -jnp.inf, values)


def _require_inside(magnitude: AnyArray, inside: AnyArray) -> None:
    if not traced(inside) and not np.all(inside):
        worst = np.asarray(magnitude)[~np.asarray(inside)].flat[0]
        raise RemanenceError(
            f"HyperbolicEigenvalues: an eigenvalue of magnitude {worst:g} is on or outside the "
            "unit circle, infinitely far away in the hyperbolic disc; move it inside"
        )
