"""The geometry that the loss gives to eigenvalues: metric, curvature, and the exact landscape.

A normalised state `g = γ h`, `γ = √(1 − ν²)`, moves with its eigenvalue `λ = ν e^{iθ}`. The
second moments of its derivatives are a metric on the unit disc,

    G_ij = Re E[conj(∂_i g) ∂_j g],

which is the Hessian at the optimum of the teacher-student loss `½ E|g − g*|²`. For white input

    G = diag(1/(1 − ν²)², ν²(1 + ν²)/(1 − ν²)²)    in (ν, θ),

whose curvature is not zero: no coordinates make `G` the identity on an open set.

Source: derived. Landscapes of this kind: Zucchet & Orvieto (NeurIPS 2024), figures 1 and 6.
"""

from typing import Literal, get_args

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Inexact

from remanence.errors import RemanenceError, nearest_name
from remanence.theory._arrays import promote, rotation
from remanence.theory.autocorrelations import AbstractInput, WhiteInput
from remanence.theory.sensitivities import magnitude_sensitivity, phase_sensitivity

Metric = Literal["normalised", "free output phase", "none"]


def metric(
    magnitude: ArrayLike, phase: ArrayLike, input: AbstractInput | None = None
) -> Float[Array, "... 2 2"]:
    """`G` in the coordinates `(ν, θ)`, `γ = √(1 − ν²)` differentiated, for any input.

        G_νν = Q/(1 − ν²)²,    G_θθ = ν²(1 − ν²) S(λ, λ̄),    G_νθ = Im[λ F'(λ)] ν/(1 − ν²).

    Only correlated inputs couple magnitude and phase, and only off the real axis.

    Args:
        magnitude: `ν` in `[0, 1)`, any shape.
        phase: `θ` in radians, a scalar or of the shape of `magnitude`.
        input: the autocorrelation of the input; white of unit variance if not given.
    """
    magnitude, phase = promote(magnitude, phase)
    source = WhiteInput() if input is None else input
    phase = jnp.broadcast_to(phase, magnitude.shape)
    turn = rotation(phase)
    eigenvalue = magnitude.astype(turn.dtype) * turn
    weighted = jnp.imag(eigenvalue * source.slope(eigenvalue))
    crossed = magnitude * weighted / ((1 - magnitude) * (1 + magnitude))
    return _symmetric(
        magnitude_sensitivity(magnitude, source, phase=phase),
        crossed,
        phase_sensitivity(magnitude, source, phase=phase),
    )


def coupled_phase_scale(magnitude: ArrayLike) -> Float[Array, "..."]:
    """`f(ν) = (1 − ν²)/(ν √(1 + ν²))`: `θ = w f(ν)` has unit sensitivity to `w` at fixed `ν`."""
    (magnitude,) = promote(magnitude)
    gap = (1 - magnitude) * (1 + magnitude)
    return gap / (magnitude * jnp.sqrt(1 + magnitude**2))


def coupled_metric(magnitude: ArrayLike, coordinate: ArrayLike) -> Float[Array, "... 2 2"]:
    """`G` in `(artanh ν, w)` with the coupled phase `θ = w f(ν)`, white input.

        G = [[1 + w²c², −wc], [−wc, 1]],    c = 2ν + (1 − ν²)(1/ν + ν/(1 + ν²)) → 2.

    `det G = 1`: the explosion has moved to the magnitude, which now drags the phase along, by
    `w ≈ θ/(√2 ε)`. Off-diagonal signs follow `∂θ/∂ν = w f'(ν) < 0`.

    Args:
        magnitude: `ν` in `(0, 1)`, any shape.
        coordinate: `w = θ / f(ν)`, of the same shape or a scalar.
    """
    magnitude, w = promote(magnitude, coordinate)
    gap = (1 - magnitude) * (1 + magnitude)
    c = 2 * magnitude + gap * (1 / magnitude + magnitude / (1 + magnitude**2))
    drag = w * c
    return _symmetric(1 + drag**2, -drag, jnp.ones_like(drag))


def gaussian_curvature(
    magnitude: ArrayLike, *, normalisation: Metric = "normalised"
) -> Float[Array, "..."]:
    """The Gaussian curvature `κ(ν)` of the white-input metric on the unit disc.

        normalised           G as above                      −(3ν⁴ + 6ν² + 7)/(1 + ν²)²,  −7 … −4
        free output phase    dν²/(1−ν²)² + ν²dθ²/(1−ν²)²     −4: the Poincaré disc
        none                 (1+ν²)/(1−ν²)³ (dν² + ν²dθ²)    −2u³ − 6u,  u = (1−ν²)/(1+ν²),  −8 … 0

    A complex output weight that is trained along can take up a common phase of the state, and
    leaves the second; the third is without `γ`.

    Raises:
        RemanenceError: if the normalisation is unknown.

    Source: derived: `κ = −f''/f` for `ds² + f(s)² dθ²`; `κ = −Δ log E / (2E)` for the third.
    """
    (magnitude,) = promote(magnitude)
    square = magnitude**2
    if normalisation == "normalised":
        return -(3 * square**2 + 6 * square + 7) / (1 + square) ** 2
    if normalisation == "free output phase":
        return jnp.full_like(magnitude, -4.0)
    if normalisation == "none":
        u = (1 - magnitude) * (1 + magnitude) / (1 + square)
        return -2 * u**3 - 6 * u
    known = get_args(Metric)
    raise RemanenceError(
        f"normalisation {normalisation!r} is unknown{nearest_name(normalisation, known)}; "
        f"choose one of {', '.join(map(repr, known))}"
    )


def landscape(a: ArrayLike, b: ArrayLike) -> Float[Array, "..."]:
    """`½ E|g − g*|² = 1 − sech(a − b)` for `ν = tanh a`, a teacher `ν* = tanh b`, equal phases.

    White input of unit variance, `γ = √(1 − ν²)` differentiated. Translation invariant: the
    Hessian at the optimum is 1 for every memory, and nowhere more.

    Source: derived.
    """
    a, b = promote(a, b)
    # 1 − sech x = 2t²/(1 + t²) with t = tanh(x/2): no cancellation, no overflow.
    square = jnp.tanh((a - b) / 2) ** 2
    return 2 * square / (1 + square)


def overlap(eigenvalue: ArrayLike, teacher: ArrayLike) -> Inexact[Array, "..."]:
    """`o = E[g ḡ*] = √((1 − |λ|²)(1 − |μ|²)) / (1 − λ μ̄)`, white input; `|λ|, |μ| < 1`."""
    eigenvalue, teacher = promote(eigenvalue, teacher)
    root = jnp.sqrt(_gap(eigenvalue) * _gap(teacher))
    kernel = 1 - eigenvalue * jnp.conj(teacher)
    return root.astype(kernel.dtype) / kernel


def pseudo_hyperbolic_distance(eigenvalue: ArrayLike, teacher: ArrayLike) -> Float[Array, "..."]:
    """`d = |(λ − μ)/(1 − μ̄ λ)|`, `|λ|, |μ| < 1`, which has `1 − |o|² = d²`.

    `artanh d` is the distance in the metric of curvature −4.
    """
    eigenvalue, teacher = promote(eigenvalue, teacher)
    return jnp.abs(eigenvalue - teacher) / jnp.abs(1 - eigenvalue * jnp.conj(teacher))


def normalised_loss(eigenvalue: ArrayLike, teacher: ArrayLike) -> Float[Array, "..."]:
    """`½ E|g − g*|² = 1 − Re o` for white input of unit variance; `|λ|, |μ| < 1`.

    Computed as `d²/(1 + |o|) + |o|(1 − cos arg o)`, which keeps its digits near the optimum.
    """
    eigenvalue, teacher = promote(eigenvalue, teacher)
    difference = eigenvalue - teacher
    kernel = 1 - eigenvalue * jnp.conj(teacher)
    size = jnp.abs(kernel)
    modulus = jnp.sqrt(_gap(eigenvalue) * _gap(teacher)) / size
    # Im(1 − λμ̄) = −Im((λ − μ)μ̄), which does not cancel where λ ≈ μ.
    imaginary = jnp.imag(difference * jnp.conj(teacher))
    turned = imaginary**2 / (size * (size + jnp.real(kernel)))
    return _square(difference) / size**2 / (1 + modulus) + modulus * turned


def teacher_student_loss(
    eigenvalue: ArrayLike,
    teacher: ArrayLike,
    *,
    mean: ArrayLike = 0.0,
    variance: ArrayLike = 1.0,
) -> Float[Array, "..."]:
    """`½ E|h − h*|²` without normalisation, for white input with a mean `m`.

        ½ {m² |1/(1−λ) − 1/(1−μ)|² + σ² [1/(1−|λ|²) + 1/(1−|μ|²) − 2 Re 1/(1−λμ̄)]}

    Args:
        eigenvalue: the student's `λ`, real or complex.
        teacher: the teacher's `μ`.
        mean: `m` of the input.
        variance: `σ²` of the input.

    Flat in the phase away from the teacher's, at about `σ²/(1 − ν²)`, with a needle of width
    `1 − ν` there; infinite as `|λ| → 1`.

    Source: Zucchet & Orvieto (NeurIPS 2024), figure 1; computed in a form without cancellation:
    `h/√E|h|²` are unit vectors with overlap `o`.
    """
    eigenvalue, teacher = promote(eigenvalue, teacher)
    mean, variance = (
        value.astype(jnp.real(eigenvalue).dtype) for value in promote(mean, variance)
    )
    difference = eigenvalue - teacher
    constant = _square(difference / ((1 - eigenvalue) * (1 - teacher)))
    student_gap, teacher_gap = _gap(eigenvalue), _gap(teacher)
    root = jnp.sqrt(student_gap * teacher_gap)
    # γ*² − γ² = |λ|² − |μ|² = Re[(λ − μ) conj(λ + μ)].
    lengths = jnp.real(difference * jnp.conj(eigenvalue + teacher))
    stretched = lengths / (root * (jnp.sqrt(student_gap) + jnp.sqrt(teacher_gap)))
    fluctuating = stretched**2 + 2 * normalised_loss(eigenvalue, teacher) / root
    return (mean**2 * constant + variance * fluctuating) / 2


def teacher_student_hessian(
    magnitude: ArrayLike,
    phase: ArrayLike = 0.0,
    *,
    mean: ArrayLike = 0.0,
    variance: ArrayLike = 1.0,
) -> Float[Array, "... 2 2"]:
    """The Hessian of `teacher_student_loss` at its optimum, in `(ν, θ)`: `diag(S, ν²S)`.

    `S = σ²(1 + ν²)/(1 − ν²)³ + m²/|1 − λ|⁴ = E|∂h/∂λ|²`. It grows as `(1 − ν)^{−3}`.

    Source: derived: at the optimum the Hessian is `Re E[conj(∂_i h) ∂_j h]`.
    """
    magnitude, phase, mean, variance = promote(magnitude, phase, mean, variance)
    gap = (1 - magnitude) * (1 + magnitude)
    # |1 − λ|² = (1 − ν)² + 4ν sin²(θ/2).
    distance = (1 - magnitude) ** 2 + 4 * magnitude * jnp.sin(phase / 2) ** 2
    sensitivity = variance * (1 + magnitude**2) / gap**3 + mean**2 / distance**2
    return _symmetric(sensitivity, jnp.zeros_like(sensitivity), magnitude**2 * sensitivity)


def _symmetric(first: Array, crossed: Array, second: Array) -> Array:
    rows = jnp.stack([first, crossed], axis=-1), jnp.stack([crossed, second], axis=-1)
    return jnp.stack(rows, axis=-2)


def _square(value: Array) -> Array:
    return jnp.real(value) ** 2 + jnp.imag(value) ** 2


def _gap(value: Array) -> Array:
    """`1 − |λ|²`; for a real `λ` to the rounding of `1 − |λ|`."""
    if jnp.issubdtype(value.dtype, jnp.complexfloating):
        return (1 - jnp.real(value)) * (1 + jnp.real(value)) - jnp.imag(value) ** 2
    return (1 - value) * (1 + value)
