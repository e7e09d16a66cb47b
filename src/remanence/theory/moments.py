"""Second moments of the states of `h_t = λ h_{t−1} + x_t`, and of their sensitivity to `λ`.

For any stationary input with autocorrelation `R` and an infinite past,

    K(a, b) = Σ_{n,m≥0} a^n b^m R(n − m) = Q(a, b) / (1 − ab),
    S(a, b) = ∂_a ∂_b K = (1 + ab)/(1 − ab)³ Q(a, b) + [Z(a) + Z(b)]/(1 − ab)²,

with `Q` and `Z` of `theory.autocorrelations`. Two neurons have `E[h_i h_j] = K(λ_i, λ_j)` and
`E[h_i h̄_j] = K(λ_i, λ̄_j)`, their sensitivities `∂h/∂λ` the same with `S`. The weight of the
input, `h = b · h₁`, has `E|∂h/∂b|² = E|h₁|²`, so that the eigenvalue's sensitivity exceeds it by
`(1 − |λ|)^{−2}`. The gradient `∂L/∂x_t` passed back through the recurrence is the same filter run
backwards: its moments are `K` with the autocorrelation of the instantaneous errors.

Source: derived; for real `λ`, Zucchet & Orvieto (NeurIPS 2024), equations (5) and (6).
"""

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Inexact

from remanence.theory._arrays import one_minus_product, promote
from remanence.theory.autocorrelations import AbstractInput


def state_moment(a: ArrayLike, b: ArrayLike, input: AbstractInput) -> Inexact[Array, "..."]:
    """`K(a, b) = Q(a, b) / (1 − ab)`, elementwise; `|a|, |b| < 1`, real or complex.

    >>> state_moment(0.5, 0.5, WhiteInput()).item()
    1.3333333333333333
    """
    a, b = promote(a, b)
    return input.pair(a, b) / one_minus_product(a, b)


def sensitivity_moment(a: ArrayLike, b: ArrayLike, input: AbstractInput) -> Inexact[Array, "..."]:
    """`S(a, b) = ∂_a ∂_b K(a, b)`, elementwise; `|a|, |b| < 1`, real or complex."""
    a, b = promote(a, b)
    return input.sensitivity(a, b)


def cross_moment(a: ArrayLike, b: ArrayLike, input: AbstractInput) -> Inexact[Array, "..."]:
    """`∂_a K(a, b) = b Q(a, b)/(1 − ab)² + F'(a)/(1 − ab)`, elementwise.

    At `(λ, λ̄)` it is `E[∂h/∂λ · h̄]`, the covariance of a state with its own sensitivity.
    """
    a, b = promote(a, b)
    gap = one_minus_product(a, b)
    return b * input.pair(a, b) / gap**2 + input.slope(a) / gap


def mean_square_state(eigenvalue: ArrayLike, input: AbstractInput) -> Float[Array, "..."]:
    """`E|h|² = K(λ, λ̄)`.

    Args:
        eigenvalue: `λ`, real or complex, any shape.
        input: the autocorrelation of the input.
    """
    (eigenvalue,) = promote(eigenvalue)
    return jnp.real(state_moment(eigenvalue, jnp.conj(eigenvalue), input))


def mean_square_sensitivity(eigenvalue: ArrayLike, input: AbstractInput) -> Float[Array, "..."]:
    """`E|∂h/∂λ|² = S(λ, λ̄)`.

    With `λ = ν e^{iθ}` this is also `E|∂h/∂ν|²`, and `ν²` times it is `E|∂h/∂θ|²`; the two
    derivatives are uncorrelated, `Re E[conj(∂h/∂ν) ∂h/∂θ] = 0`, whatever the input.
    """
    (eigenvalue,) = promote(eigenvalue)
    return jnp.real(sensitivity_moment(eigenvalue, jnp.conj(eigenvalue), input))


def asymptotic_state(
    gap: ArrayLike, input: AbstractInput, *, phase: ArrayLike = 0.0
) -> Float[Array, "..."]:
    """`E|h|² → P(θ) / (2ε)` as `ε = 1 − |λ| → 0`: a long memory samples the spectrum at its angle.

    Args:
        gap: `ε`.
        input: one with a finite spectrum at `θ`. For a constant input the laws at `θ = 0` are
            `E h² = ε^{−2}` and `E(∂h/∂λ)² = ε^{−4}`, exactly, and this returns infinity.
        phase: `θ` in radians.

    Source: derived: `K = Q/(1 − |λ|²)` and `Q(λ, λ̄) → P(θ)`.
    """
    gap, phase = promote(gap, phase)
    return input.spectrum(phase) / (2 * gap)


def asymptotic_sensitivity(
    gap: ArrayLike, input: AbstractInput, *, phase: ArrayLike = 0.0
) -> Float[Array, "..."]:
    """`E|∂h/∂λ|² → P(θ) / (4ε³)` as `ε = 1 − |λ| → 0`; arguments as for `asymptotic_state`."""
    gap, phase = promote(gap, phase)
    return input.spectrum(phase) / (4 * gap**3)
