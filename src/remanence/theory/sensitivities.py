"""Sensitivity of normalised states to the magnitude and the phase of the eigenvalue.

The state is `g_t = γ h_t` with `h_t = λ h_{t−1} + x_t`, `λ = ν e^{iθ}`, and `γ` a function of `ν`:
1 ("none"), `√(1 − ν²)` ("square root") or `1 − ν` ("one minus"). `γ` is either differentiated with
the eigenvalue, or held fixed, as when it is a parameter of its own. For any autocorrelation of the
input, with `Q = Q(λ, λ̄)` and `K = E|h|²`,

    square root, differentiated    E|∂g/∂ν|² = Q / (1 − ν²)² = E|g|² / (1 − ν²)²
    one minus, differentiated      E|∂g/∂ν|² = 2 [K − Re(e^{iθ} F'(λ))] / (1 + ν)²
    any γ, held fixed              E|∂g/∂ν|² = γ² S(λ, λ̄)
    any γ                          E|∂g/∂θ|² = γ² ν² S(λ, λ̄).

In the first the terms with `F'` cancel exactly: with `ν = tanh w` the sensitivity to `w` *is* the
power of the normalised state.

A LRU that learns `γ` freely has it held fixed; where `γ` is recomputed from `λ` it is
differentiated. Figure 2 of Zucchet & Orvieto is of the first kind, figure 6 of the second.

Source: derived: `∂g/∂ν = γ' h + γ e^{iθ} ∂h/∂λ` and the moments of `theory.moments`. For real `λ`
and exponential autocorrelation, Zucchet & Orvieto (NeurIPS 2024), section 3.
"""

from typing import Literal, get_args

import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from remanence.errors import RemanenceError, nearest_name
from remanence.theory._arrays import promote, rotation
from remanence.theory.autocorrelations import AbstractInput
from remanence.theory.moments import mean_square_sensitivity, mean_square_state

Normalisation = Literal["none", "square root", "one minus"]


def require_normalisation(name: str) -> None:
    """Complains about an unknown normalisation."""
    known = get_args(Normalisation)
    if name not in known:
        raise RemanenceError(
            f"normalisation {name!r} is unknown{nearest_name(name, known)}; "
            f"choose one of {', '.join(map(repr, known))}"
        )


def squared_normalisation(
    magnitude: ArrayLike, normalisation: Normalisation = "square root"
) -> Float[Array, "..."]:
    """`γ²`: 1, `1 − ν²` or `(1 − ν)²`.

    Raises:
        RemanenceError: if the normalisation is unknown.
    """
    require_normalisation(normalisation)
    (magnitude,) = promote(magnitude)
    if normalisation == "none":
        return jnp.ones_like(magnitude)
    if normalisation == "square root":
        return (1 - magnitude) * (1 + magnitude)
    return (1 - magnitude) ** 2


def normalised_power(
    magnitude: ArrayLike,
    input: AbstractInput,
    *,
    phase: ArrayLike = 0.0,
    normalisation: Normalisation = "square root",
) -> Float[Array, "..."]:
    """`E|g|² = γ² E|h|²`.

    Args:
        magnitude: `ν` in `[0, 1)`, any shape.
        input: the autocorrelation of the input.
        phase: `θ` in radians, a scalar or of the shape of `magnitude`.
        normalisation: which `γ`.

    With `√(1 − ν²)` it is `Q(λ, λ̄)`: 1 for white input, `(1 + ρν)/(1 − ρν)` for exponential
    autocorrelation and `θ = 0`, which is bounded for `ρ < 1`, but not uniformly.

    Raises:
        RemanenceError: if the normalisation is unknown.
    """
    magnitude, phase = promote(magnitude, phase)
    if normalisation == "square root":
        eigenvalue = _eigenvalue(magnitude, phase)
        return jnp.real(input.pair(eigenvalue, jnp.conj(eigenvalue)))
    scale = squared_normalisation(magnitude, normalisation)
    return scale * mean_square_state(_eigenvalue(magnitude, phase), input)


def magnitude_sensitivity(
    magnitude: ArrayLike,
    input: AbstractInput,
    *,
    phase: ArrayLike = 0.0,
    normalisation: Normalisation = "square root",
    differentiated: bool = True,
) -> Float[Array, "..."]:
    """`E|∂g/∂ν|²`, by the formulas at the head of this module.

    Args:
        magnitude: `ν` in `[0, 1)`, any shape.
        input: the autocorrelation of the input.
        phase: `θ` in radians, a scalar or of the shape of `magnitude`.
        normalisation: which `γ`.
        differentiated: whether `γ` moves with `ν` or is held fixed.

    Under `ν = ν(w)` the sensitivity to `w` is `ν'(w)²` times this.

    Raises:
        RemanenceError: if the normalisation is unknown.

        >>> magnitude_sensitivity(0.5, WhiteInput()).item()  # 1 / (1 − ν²)²
        1.7777777777777777
    """
    require_normalisation(normalisation)
    magnitude, phase = promote(magnitude, phase)
    eigenvalue = _eigenvalue(magnitude, phase)
    if not differentiated or normalisation == "none":
        scale = squared_normalisation(magnitude, normalisation)
        return scale * mean_square_sensitivity(eigenvalue, input)
    if normalisation == "square root":
        power = jnp.real(input.pair(eigenvalue, jnp.conj(eigenvalue)))
        return power / squared_normalisation(magnitude) ** 2
    radial = jnp.real(rotation(phase) * input.slope(eigenvalue))
    return 2 * (mean_square_state(eigenvalue, input) - radial) / (1 + magnitude) ** 2


def phase_sensitivity(
    magnitude: ArrayLike,
    input: AbstractInput,
    *,
    phase: ArrayLike = 0.0,
    normalisation: Normalisation = "square root",
) -> Float[Array, "..."]:
    """`E|∂g/∂θ|² = γ² ν² S(λ, λ̄)`, of which `∂γ` is no part; arguments as above.

    For white input and `γ = √(1 − ν²)` it is `ν²(1 + ν²)/(1 − ν²)²`, which no map of the phase
    alone can control as `ν → 1`.

    Raises:
        RemanenceError: if the normalisation is unknown.
    """
    magnitude, phase = promote(magnitude, phase)
    scale = squared_normalisation(magnitude, normalisation) * magnitude**2
    return scale * mean_square_sensitivity(_eigenvalue(magnitude, phase), input)


def _eigenvalue(magnitude: Array, phase: Array) -> Array:
    turn = rotation(phase)
    return magnitude.astype(turn.dtype) * turn
