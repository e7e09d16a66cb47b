"""Optimal reparametrisations of the magnitude: coordinates of constant, unit sensitivity.

`ν = ν(w)` is optimal for an input and a normalisation when `E|∂g/∂w|² = 1` at every `w`, that is

    dν/dw = (E|∂g/∂ν|²)^{−1/2},        w(ν) = ∫_0^ν (E|∂g/∂ν|²)^{1/2} dν.

Closed forms of `w(ν)`, here with `ν(0) = 0`; "exponential" has `R(Δ) = ρ^|Δ|`, `θ = 0`:

    white, √(1 − ν²) differentiated          artanh ν
    white, √(1 − ν²) held fixed              √2 artanh(√2 ν/√(1 + ν²)) − arsinh ν
    constant, no γ                           1/(1 − ν) − 1
    constant, √(1 − ν²) differentiated       √((1 + ν)/(1 − ν)) − 1
    exponential, √(1 − ν²) differentiated    `correlated_coordinate`
    white, no γ                              an elliptic integral, 1 − ν ≈ 1/w²
    anything else                            `optimal_reparametrisation`

The fourth, counted from `w = 1`, is `ν = 1 − 2/(1 + w²)`.

Source: Zucchet & Orvieto (NeurIPS 2024), section 3.2, for the equation and the first; the rest
derived.
"""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from remanence.theory._arrays import promote
from remanence.theory.autocorrelations import AbstractInput
from remanence.theory.sensitivities import (
    Normalisation,
    magnitude_sensitivity,
    require_normalisation,
)

# Quadrature is over u = artanh ν, in which every singularity of the integrand lies at |Im u| ≥ π/4
# (they are at |ν| ≥ 1): 16 Gauss nodes on panels of width ½ are exact to rounding.
_PANEL = 0.5
_FURTHEST = 16.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


def frozen_coordinate(magnitude: ArrayLike) -> Float[Array, "..."]:
    """`w(ν) = √2 artanh(√2 ν/√(1 + ν²)) − arsinh ν`: white input, `γ = √(1 − ν²)` held fixed."""
    (magnitude,) = promote(magnitude)
    square = magnitude**2
    x = math.sqrt(2) * jnp.abs(magnitude) / jnp.sqrt(1 + square)
    # 1 − x² = (1 − ν²)/(1 + ν²); artanh x = log(1 + x) − ½ log(1 − x²).
    gap = (1 - magnitude) * (1 + magnitude)
    artanh = jnp.log1p(x) - (jnp.log(gap) - jnp.log1p(square)) / 2
    return jnp.sign(magnitude) * math.sqrt(2) * artanh - jnp.arcsinh(magnitude)


def correlated_coordinate(magnitude: ArrayLike, correlation: ArrayLike) -> Float[Array, "..."]:
    """`w(ν)` for `R(Δ) = ρ^|Δ|`, `γ = √(1 − ν²)` differentiated, real `λ = ν`.

    With `k = √((1+ρ)/(1−ρ))` and `y = √((1+ρν)/(1−ρν))`, from `dw/dν = y/(1 − ν²)`,

        w = k [log((k+y)/(k+1)) + ½ log((1−ρν)/(1−ν))]
            − [log((ky+1)/(k+1)) + ½ log((1−ρν)/(1+ν))] / k.

    `artanh ν` at `ρ = 0`, and `√((1+ν)/(1−ν)) − 1` as `ρ → 1`. Below a memory of `1/(1 − ρ)` the
    input is a constant to the neuron and `w ∝ ε^{−1/2}`; above it, `w ≈ (k/2) log(1/ε)`.

    Args:
        magnitude: `ν` in `(−1, 1)`, any shape; a negative `ν` is `λ = ν`.
        correlation: `ρ` in `(−1, 1)`.

    Source: derived: substitute `y`, then partial fractions.
    """
    magnitude, rho = promote(magnitude, correlation)
    k = jnp.sqrt((1 + rho) / (1 - rho))
    y = jnp.sqrt((1 + rho * magnitude) / (1 - rho * magnitude))
    # y − 1 by way of y² − 1, and ratios as log1p, so that the terms keep their digits as k → ∞.
    excess = 2 * rho * magnitude / ((1 - rho * magnitude) * (y + 1))
    near = jnp.log1p((1 - rho) * magnitude / (1 - magnitude)) / 2
    far = jnp.log1p(-(1 + rho) * magnitude / (1 + magnitude)) / 2
    first = jnp.log1p(excess / (k + 1)) + near
    second = jnp.log1p(k * excess / (k + 1)) + far
    return k * first - second / k


class OptimalMagnitude(eqx.Module):
    """`ν(w)` with unit sensitivity, for `w ≥ 0`; made by `optimal_reparametrisation`.

    Monotone from `ν(0) = 0` to 1. Accurate to about `1e-16 / (1 − ν)`, the precision with which
    `ν` itself is held, up to `1 − ν ≈ 1e-13`. Works inside `jit`, `vmap` and `grad`; `forward` has
    its first and second derivatives, in `w` and in the parameters of the input.
    """

    edges: Float[Array, " edges"]
    input: AbstractInput
    phase: Float[Array, ""]
    normalisation: Normalisation = eqx.field(static=True)
    differentiated: bool = eqx.field(static=True)

    def forward(self, w: ArrayLike) -> Float[Array, "..."]:
        """`ν(w)`, elementwise."""
        return jnp.tanh(self._rapidity(w))

    def complement(self, w: ArrayLike) -> Float[Array, "..."]:
        """`1 − ν(w)`, without cancellation."""
        return 2 * jax.nn.sigmoid(-2 * self._rapidity(w))

    def inverse(self, magnitude: ArrayLike) -> Float[Array, "..."]:
        """`w(ν) = ∫_0^ν (E|∂g/∂ν|²)^{1/2} dν`, elementwise."""
        (magnitude,) = promote(magnitude)
        u = jnp.arctanh(magnitude)
        last = self.edges.size - 2
        panel = jnp.clip(jnp.floor(jax.lax.stop_gradient(u) / _PANEL), 0, last).astype(int)
        return self._coordinate(u, panel)

    def derivative(self, w: ArrayLike) -> Float[Array, "..."]:
        """`dν/dw = (E|∂g/∂ν|²)^{−1/2}` at `ν(w)`, elementwise."""
        return 1 / jnp.sqrt(self._sensitivity(self.forward(w)))

    def _sensitivity(self, magnitude: Array) -> Array:
        return magnitude_sensitivity(
            magnitude,
            self.input,
            phase=self.phase.astype(magnitude.dtype),
            normalisation=self.normalisation,
            differentiated=self.differentiated,
        )

    def _density(self, u: Array) -> Array:
        """`dw/du`; `1 − ν²` from the rounded `ν`, as in the sensitivity, so that its error
        cancels."""
        magnitude = jnp.tanh(u)
        gap = (1 - magnitude) * (1 + magnitude)
        return gap * jnp.sqrt(self._sensitivity(magnitude))

    def _coordinate(self, u: Array, panel: Array) -> Array:
        start = panel.astype(u.dtype) * _PANEL
        half = (u - start) / 2
        nodes = (_NODES + 1).astype(u.dtype)
        points = start[..., None] + half[..., None] * nodes.reshape((1,) * u.ndim + (-1,))
        integral = half * (self._density(points) @ jnp.asarray(_WEIGHTS, u.dtype))
        return self.edges.astype(u.dtype)[panel] + integral

    def _rapidity(self, w: ArrayLike) -> Array:
        """`artanh ν(w)`, by Newton's method within the panel that holds it."""
        (w,) = promote(w)
        edges = self.edges.astype(w.dtype)
        last = edges.size - 2
        fixed_w, fixed = jax.lax.stop_gradient((w, self))
        panel = jnp.clip(jnp.searchsorted(edges, fixed_w, side="right") - 1, 0, last)
        low, high = jax.lax.stop_gradient((edges[panel], edges[panel + 1]))
        start = panel.astype(w.dtype) * _PANEL
        u = start + _PANEL * jnp.clip((fixed_w - low) / (high - low), 0, 1)

        for _ in range(4):
            step = (fixed._coordinate(u, panel) - fixed_w) / fixed._density(u)
            u = jnp.clip(u - step, start, start + _PANEL)
        # The steps above have no derivatives; the first of these restores the first, the second
        # the second and third.
        for _ in range(2):
            u = u - (self._coordinate(u, panel) - w) / self._density(u)
        return u


def optimal_reparametrisation(
    input: AbstractInput,
    *,
    normalisation: Normalisation = "square root",
    differentiated: bool = True,
    phase: ArrayLike = 0.0,
) -> OptimalMagnitude:
    """The magnitude map `ν(w)` with `E|∂g/∂w|² = 1`, for any autocorrelation of the input.

    Args:
        input: the autocorrelation; `E|∂g/∂ν|²` must be positive on `[0, 1)`.
        normalisation: which `γ`, as in `theory.sensitivities`.
        differentiated: whether `γ` moves with `ν` or is held fixed.
        phase: `θ` of the eigenvalue, fixed, in radians; 0 for a real positive one.

    Returns:
        A map with `forward`, `inverse`, `derivative` and `complement`.

    Raises:
        RemanenceError: if the normalisation is unknown.

        >>> round(optimal_reparametrisation(WhiteInput()).forward(1.0).item(), 12)  # tanh 1
        0.761594155956
    """
    require_normalisation(normalisation)
    (angle,) = promote(phase)
    panels = round(_FURTHEST / _PANEL)
    zeros = jnp.zeros(panels + 1, angle.dtype)
    unit = OptimalMagnitude(zeros, input, angle, normalisation, differentiated)
    index = jnp.arange(panels)
    pieces = unit._coordinate((index + 1).astype(angle.dtype) * _PANEL, index)
    edges = jnp.concatenate([zeros[:1], jnp.cumsum(pieces)])
    return OptimalMagnitude(edges, input, angle, normalisation, differentiated)
