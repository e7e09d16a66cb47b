"""What every parametrisation of eigenvalues gives, and the arithmetic they share."""

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from remanence.errors import RemanenceError
from remanence.layers._eigenvalue_map import AbstractEigenvalueMap, AnyArray


class AbstractEigenvalues(eqx.Module):
    """A vector (or any array) of discrete-time eigenvalues `λ`, and the parameters behind it.

    All parameters are real arrays with the role "recurrent"; maps and rules are static. A layer
    uses `λ` and, with the input normalisation `γ`,

        h_t = λ ⊙ h_{t-1} + γ ⊙ β ⊙ (B x_t),      β = input_factor().
    """

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The shape of `λ`."""

    @property
    @abstractmethod
    def is_complex(self) -> bool:
        """Whether `λ` is complex; static."""

    @abstractmethod
    def __call__(self) -> Inexact[Array, "*modes"]:
        """`λ`."""

    @abstractmethod
    def log_magnitude(self) -> Float[Array, "*modes"]:
        """`log |λ|`, computed from the parameters without cancellation near `|λ| = 1`."""

    @abstractmethod
    def phase(self) -> Float[Array, "*modes"]:
        """`arg λ`, not wrapped to `(−π, π]`; 0 for positive and π for negative real `λ`."""

    @abstractmethod
    def input_factor(self) -> Inexact[Array, "*modes"]:
        """`β`: ones, except where `λ` is discretised from continuous time."""


def as_parameter(value: Any) -> Array:
    """`value` if it is a JAX array, else an array of JAX's default float."""
    return value if isinstance(value, jax.Array) else jnp.asarray(value, jnp.zeros(()).dtype)


def cast(values: Any, dtype: Any) -> Array:
    """`values` in a real floating type, JAX's default one if `dtype` is None."""
    return jnp.asarray(values, jnp.zeros(()).dtype if dtype is None else dtype)


def traced(values: Any) -> bool:
    """Inside a JAX transformation there are no values to look at."""
    return isinstance(values, jax.core.Tracer)


def as_values(values: Any) -> AnyArray:
    """NumPy, in float64 or complex128, so that a map is inverted exactly; a tracer as it is."""
    if traced(values):
        return values
    array = np.asarray(values)
    is_complex = np.issubdtype(array.dtype, np.complexfloating)
    return array.astype(np.complex128 if is_complex else np.float64)


def as_complex(values: Any) -> AnyArray:
    """As `as_values`, but complex."""
    array = as_values(values)
    return array if array.dtype.kind == "c" else array + 0j


def invert(chosen: AbstractEigenvalueMap, values: Any, what: str) -> AnyArray:
    """The parameters of a map that give `values`.

    Raises:
        RemanenceError: naming the first value that the map does not reach.
    """
    flat = values.reshape(-1)
    with np.errstate(all="ignore"):
        parameters = chosen.inverse(flat)
    if not traced(parameters):
        low, high = chosen.domain
        reached = np.isfinite(parameters) & (low <= parameters) & (parameters <= high)
        if not reached.all():
            raise RemanenceError(
                f"the {what} {np.asarray(flat)[~reached][0]:g} is outside the range of "
                f"{chosen}; choose another map"
            )
    return parameters.reshape(values.shape)


def half_turn(value: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`arg` of a real number: π where it is negative, else 0."""
    return jnp.where(value < 0, jnp.full_like(value, jnp.pi), jnp.zeros_like(value))


def from_polar(
    magnitude: Float[Array, "*shape"], phase: Float[Array, "*shape"]
) -> Inexact[Array, "*shape"]:
    """`magnitude · e^{i phase}`."""
    return jax.lax.complex(magnitude * jnp.cos(phase), magnitude * jnp.sin(phase))


def complex_ones(like: Float[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    """Complex ones of the shape and precision of a real array."""
    return jax.lax.complex(jnp.ones_like(like), jnp.zeros_like(like))
