"""Trainable parameters of a vector of eigenvalues: what gradient descent sees of `λ`."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from remanence.errors import RemanenceError
from remanence.layers._discretised import Discretised
from remanence.layers._eigenvalue_map import AbstractMagnitudeMap, namespace
from remanence.layers._hyperbolic import HyperbolicEigenvalues
from remanence.layers._parametrisation import (
    AbstractEigenvalues,
    as_complex,
    as_parameter,
    as_values,
    cast,
    half_turn,
    invert,
)
from remanence.layers._polar import CoupledPhase, Polar, ScaledExponential
from remanence.layers.contract import RECURRENT
from remanence.layers.discretisations import angle, half_log
from remanence.layers.eigenvalues import magnitude_map as magnitude_map_called

__all__ = [
    "AbstractEigenvalues",
    "CoupledPhase",
    "Discretised",
    "HyperbolicEigenvalues",
    "Polar",
    "ReIm",
    "RealEigenvalues",
    "ScaledExponential",
]


class RealEigenvalues(AbstractEigenvalues):
    """`λ = f(w)`, real, by any magnitude map.

    >>> RealEigenvalues.from_eigenvalues([0.5], magnitude_map="sigmoid").parameter
    Array([0.], dtype=float32)
    """

    magnitude_map: AbstractMagnitudeMap = eqx.field(static=True)
    parameter: Float[Array, "*modes"] = eqx.field(metadata=RECURRENT)

    def __init__(
        self, parameter: Any, magnitude_map: str | AbstractMagnitudeMap = "double exponential"
    ):
        self.parameter = as_parameter(parameter)
        self.magnitude_map = magnitude_map_called(magnitude_map)

    @classmethod
    def from_eigenvalues(
        cls,
        eigenvalues: Any,
        *,
        magnitude_map: str | AbstractMagnitudeMap = "double exponential",
        dtype: Any = None,
    ) -> "RealEigenvalues":
        """The parameters that give these real eigenvalues.

        Raises:
            RemanenceError: for complex eigenvalues, and for those that the map does not reach.
        """
        values = as_values(eigenvalues)
        if values.dtype.kind == "c":
            raise RemanenceError("RealEigenvalues: the eigenvalues are complex; use Polar or ReIm")
        chosen = magnitude_map_called(magnitude_map)
        return cls(cast(invert(chosen, values, "eigenvalue"), dtype), chosen)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.parameter.shape

    @property
    def is_complex(self) -> bool:
        return False

    def __call__(self) -> Inexact[Array, "*modes"]:
        return self.magnitude_map.forward(self.parameter)

    def log_magnitude(self) -> Float[Array, "*modes"]:
        return self.magnitude_map.log_magnitude(self.parameter)

    def phase(self) -> Float[Array, "*modes"]:
        return half_turn(self())

    def input_factor(self) -> Inexact[Array, "*modes"]:
        return jnp.ones_like(self.parameter)


class ReIm(AbstractEigenvalues):
    """`λ = re + i im`, the entries themselves: nothing keeps `|λ|` below 1."""

    re: Float[Array, "*modes"] = eqx.field(metadata=RECURRENT)
    im: Float[Array, "*modes"] = eqx.field(metadata=RECURRENT)

    def __init__(self, re: Any, im: Any):
        self.re, self.im = as_parameter(re), as_parameter(im)

    @classmethod
    def from_eigenvalues(cls, eigenvalues: Any, *, dtype: Any = None) -> "ReIm":
        """The parameters that give these eigenvalues."""
        values = as_complex(eigenvalues)
        xp = namespace(values)
        return cls(cast(xp.real(values), dtype), cast(xp.imag(values), dtype))

    @property
    def shape(self) -> tuple[int, ...]:
        return self.re.shape

    @property
    def is_complex(self) -> bool:
        return True

    def __call__(self) -> Inexact[Array, "*modes"]:
        return jax.lax.complex(self.re, self.im)

    def log_magnitude(self) -> Float[Array, "*modes"]:
        """`½ log1p((m − 1)(m + 1) + s²)`, `m` and `s` the larger and the smaller of |re|, |im|."""
        re, im = jnp.abs(self.re), jnp.abs(self.im)
        larger, smaller = jnp.maximum(re, im), jnp.minimum(re, im)
        return half_log(re**2 + im**2, (larger - 1) * (larger + 1) + smaller**2)

    def phase(self) -> Float[Array, "*modes"]:
        return angle(self.re, self.im)

    def input_factor(self) -> Inexact[Array, "*modes"]:
        return jnp.ones_like(self())
