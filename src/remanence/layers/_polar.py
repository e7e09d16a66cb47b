"""Eigenvalues by magnitude and phase."""

from typing import Any, Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from remanence.errors import RemanenceError, nearest_name
from remanence.layers._eigenvalue_map import AbstractMagnitudeMap, namespace
from remanence.layers._parametrisation import (
    AbstractEigenvalues,
    as_complex,
    as_parameter,
    cast,
    complex_ones,
    from_polar,
    half_turn,
    invert,
    traced,
)
from remanence.layers.contract import RECURRENT
from remanence.layers.eigenvalues import magnitude_map as magnitude_map_called

PhaseMap = Literal["identity", "exponential"]
_PHASE_MAPS: tuple[PhaseMap, ...] = get_args(PhaseMap)


class Polar(AbstractEigenvalues):
    """`λ = ν e^{iθ}`, `ν` by any magnitude map and `θ = w` or `θ = e^w`.

    The LRU is `magnitude_map="double exponential", phase_map="exponential"`; the exponential
    phase map can neither change the sign of `θ` nor reach 0.

    Source: Orvieto et al. (ICML 2023); Zucchet & Orvieto (NeurIPS 2024), section 3.2.
    """

    magnitude_map: AbstractMagnitudeMap = eqx.field(static=True)
    phase_map: PhaseMap = eqx.field(static=True)
    magnitude_parameter: Float[Array, "*modes"] = eqx.field(metadata=RECURRENT)
    phase_parameter: Float[Array, "*modes"] = eqx.field(metadata=RECURRENT)

    def __init__(
        self,
        magnitude_parameter: Any,
        phase_parameter: Any,
        magnitude_map: str | AbstractMagnitudeMap = "double exponential",
        phase_map: str = "identity",
    ):
        self.magnitude_parameter = as_parameter(magnitude_parameter)
        self.phase_parameter = as_parameter(phase_parameter)
        self.magnitude_map = magnitude_map_called(magnitude_map)
        if phase_map not in _PHASE_MAPS:
            raise RemanenceError(
                f"Polar: phase_map {phase_map!r} is none of {', '.join(_PHASE_MAPS)}"
                f"{nearest_name(phase_map, _PHASE_MAPS)}"
            )
        self.phase_map = phase_map

    @classmethod
    def from_eigenvalues(
        cls,
        eigenvalues: Any,
        *,
        magnitude_map: str | AbstractMagnitudeMap = "double exponential",
        phase_map: str = "identity",
        dtype: Any = None,
    ) -> "Polar":
        """The parameters that give these eigenvalues.

        `θ` is in `(−π, π]` for the identity, in `(0, 2π)` for the exponential.

        Raises:
            RemanenceError: for a magnitude that the map does not reach, and for a positive real
                eigenvalue with the exponential phase map.
        """
        values = as_complex(eigenvalues)
        xp = namespace(values)
        chosen = magnitude_map_called(magnitude_map)
        magnitude = cast(invert(chosen, xp.abs(values), "magnitude"), dtype)
        phase = xp.angle(values)
        if phase_map == "exponential":
            if not traced(phase) and np.any(phase == 0):
                raise RemanenceError(
                    "Polar: phase_map 'exponential' cannot reach the phase 0 of a positive real "
                    "eigenvalue; use 'identity'"
                )
            phase = xp.log(xp.where(phase < 0, phase + 2 * np.pi, phase))
        return cls(magnitude, cast(phase, dtype), chosen, phase_map)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.magnitude_parameter.shape

    @property
    def is_complex(self) -> bool:
        return True

    def _angle(self) -> Float[Array, "*modes"]:
        w = self.phase_parameter
        return jnp.exp(w) if self.phase_map == "exponential" else w

    def __call__(self) -> Inexact[Array, "*modes"]:
        return from_polar(self.magnitude_map.forward(self.magnitude_parameter), self._angle())

    def log_magnitude(self) -> Float[Array, "*modes"]:
        return self.magnitude_map.log_magnitude(self.magnitude_parameter)

    def phase(self) -> Float[Array, "*modes"]:
        return self._angle() + half_turn(self.magnitude_map.forward(self.magnitude_parameter))

    def input_factor(self) -> Inexact[Array, "*modes"]:
        return complex_ones(self.magnitude_parameter)


class ScaledExponential(AbstractEigenvalues):
    """`ν = exp(−e^{w_ν})`, `λ = ν exp(i (1 − ν) w_θ)`, no gradient through the factor `1 − ν`.

    The phase moves in proportion to the distance from the unit circle, so that its sensitivity
    stays bounded, and the stopped gradient keeps the magnitude's own sensitivity as it was.

    Source: Zucchet & Orvieto (NeurIPS 2024), the option `scaled_exp` of the published code.
    """

    magnitude_parameter: Float[Array, "*modes"] = eqx.field(metadata=RECURRENT)
    phase_parameter: Float[Array, "*modes"] = eqx.field(metadata=RECURRENT)

    def __init__(self, magnitude_parameter: Any, phase_parameter: Any):
        self.magnitude_parameter = as_parameter(magnitude_parameter)
        self.phase_parameter = as_parameter(phase_parameter)

    @classmethod
    def from_eigenvalues(cls, eigenvalues: Any, *, dtype: Any = None) -> "ScaledExponential":
        """The parameters that give these eigenvalues; `θ` is in `(−π, π]`."""
        values = as_complex(eigenvalues)
        xp = namespace(values)
        double_exponential = magnitude_map_called("double exponential")
        w = cast(invert(double_exponential, xp.abs(values), "magnitude"), dtype)
        # Divided by the factor as it is stored, so that rounding `w` does not move the phase.
        unit = cls(w, jnp.ones_like(w)).phase()
        return cls(w, cast(xp.angle(values), dtype) / unit)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.magnitude_parameter.shape

    @property
    def is_complex(self) -> bool:
        return True

    def __call__(self) -> Inexact[Array, "*modes"]:
        return from_polar(jnp.exp(self.log_magnitude()), self.phase())

    def log_magnitude(self) -> Float[Array, "*modes"]:
        return -jnp.exp(self.magnitude_parameter)

    def phase(self) -> Float[Array, "*modes"]:
        return jax.lax.stop_gradient(-jnp.expm1(self.log_magnitude())) * self.phase_parameter

    def input_factor(self) -> Inexact[Array, "*modes"]:
        return complex_ones(self.magnitude_parameter)


class CoupledPhase(AbstractEigenvalues):
    """`θ = w_θ (1 − ν²) / (ν √(1 + ν²))`: unit sensitivity to `w_θ` at every `ν`.

    `ν` is any magnitude map of `w_ν`, `tanh` for unit sensitivity to it at fixed `θ`. The
    magnitude then drags the phase along (`∂θ/∂w_ν` grows as `θ / (1 − ν)`): no coordinates make
    both sensitivities constant, since the metric is curved. Singular at `ν = 0`.

    Source: Zucchet & Orvieto (NeurIPS 2024), section 3.2, white input and `γ = √(1 − ν²)`.
    """

    magnitude_map: AbstractMagnitudeMap = eqx.field(static=True)
    magnitude_parameter: Float[Array, "*modes"] = eqx.field(metadata=RECURRENT)
    phase_parameter: Float[Array, "*modes"] = eqx.field(metadata=RECURRENT)

    def __init__(
        self,
        magnitude_parameter: Any,
        phase_parameter: Any,
        magnitude_map: str | AbstractMagnitudeMap = "tanh",
    ):
        self.magnitude_parameter = as_parameter(magnitude_parameter)
        self.phase_parameter = as_parameter(phase_parameter)
        self.magnitude_map = magnitude_map_called(magnitude_map)

    @classmethod
    def from_eigenvalues(
        cls,
        eigenvalues: Any,
        *,
        magnitude_map: str | AbstractMagnitudeMap = "tanh",
        dtype: Any = None,
    ) -> "CoupledPhase":
        """The parameters that give these eigenvalues; `θ` is in `(−π, π]`.

        Raises:
            RemanenceError: for an eigenvalue 0 and for a magnitude that the map does not reach.
        """
        values = as_complex(eigenvalues)
        xp = namespace(values)
        if not traced(values) and np.any(values == 0):
            raise RemanenceError("CoupledPhase: an eigenvalue is 0, where the phase is singular")
        chosen = magnitude_map_called(magnitude_map)
        w = cast(invert(chosen, xp.abs(values), "magnitude"), dtype)
        # Divided by the factor as it is stored, so that rounding `w` does not move the phase.
        unit = cls(w, jnp.ones_like(w), chosen).phase()
        return cls(w, cast(xp.angle(values), dtype) / unit, chosen)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.magnitude_parameter.shape

    @property
    def is_complex(self) -> bool:
        return True

    def _angle(self) -> Float[Array, "*modes"]:
        magnitude = self.magnitude_map.forward(self.magnitude_parameter)
        complement = -jnp.expm1(2 * self.log_magnitude())
        return self.phase_parameter * complement / (magnitude * jnp.sqrt(1 + magnitude**2))

    def __call__(self) -> Inexact[Array, "*modes"]:
        return from_polar(self.magnitude_map.forward(self.magnitude_parameter), self._angle())

    def log_magnitude(self) -> Float[Array, "*modes"]:
        return self.magnitude_map.log_magnitude(self.magnitude_parameter)

    def phase(self) -> Float[Array, "*modes"]:
        return self._angle() + half_turn(self.magnitude_map.forward(self.magnitude_parameter))

    def input_factor(self) -> Inexact[Array, "*modes"]:
        return complex_ones(self.magnitude_parameter)
