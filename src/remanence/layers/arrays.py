"""Small pieces that every linear layer is made of."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact, PRNGKeyArray

from remanence.errors import RemanenceError


class SplitComplex(eqx.Module):
    """A trainable array held as real parts: `real + i·imag`, or `real` alone.

    Optimisers see real arrays only, so that no convention about complex gradients is needed.
    """

    real: Float[Array, "*shape"]
    imag: Float[Array, "*shape"] | None = None

    def __call__(self) -> Inexact[Array, "*shape"]:
        """The array itself."""
        return self.real if self.imag is None else jax.lax.complex(self.real, self.imag)

    @classmethod
    def of(cls, values: Any, dtype: Any = None) -> "SplitComplex":
        """Hold `values`, complex or real, in the real floating type `dtype`."""
        values = np.asarray(values) if not isinstance(values, jax.Array) else values
        dtype = real_dtype(dtype)
        if np.issubdtype(values.dtype, np.complexfloating):
            return cls(jnp.asarray(values.real, dtype), jnp.asarray(values.imag, dtype))
        return cls(jnp.asarray(values, dtype))


def real_dtype(dtype: Any = None) -> np.dtype:
    """`dtype` if given, else JAX's default float.

    Raises:
        RemanenceError: if it is neither float32 nor float64, or float64 while JAX has none.
    """
    if dtype is None:
        return jnp.zeros(()).dtype
    try:
        found = jnp.dtype(dtype)
    except TypeError:
        raise RemanenceError(f"dtype {dtype!r} is unknown; give float32 or float64") from None
    if not jnp.issubdtype(found, jnp.floating):
        raise RemanenceError(f"dtype {found} is not a real floating type; give float32 or float64")
    if found not in (np.float32, np.float64):
        raise RemanenceError(f"dtype {found} is too coarse for layers; give float32 or float64")
    if jax.dtypes.canonicalize_dtype(found) != found:
        raise RemanenceError(
            'dtype float64 needs jax.config.update("jax_enable_x64", True) at the start'
        )
    return found


def normal(
    key: PRNGKeyArray, shape: tuple[int, ...], variance: float | int, dtype: np.dtype
) -> Float[Array, "..."]:
    """Independent normal numbers of the given variance."""
    return jax.random.normal(key, shape, dtype) * float(np.sqrt(variance))


def complex_normal(
    key: PRNGKeyArray, shape: tuple[int, ...], variance: float | int, dtype: np.dtype
) -> SplitComplex:
    """Real and imaginary parts independent, each normal of the given variance."""
    real, imag = jax.random.split(key)
    return SplitComplex(normal(real, shape, variance, dtype), normal(imag, shape, variance, dtype))


def feedthrough(
    D: Float[Array, "..."] | None, xs: Float[Array, "time inputs"], outputs: int
) -> Float[Array, "time outputs"]:
    """`D x_t`: D is a matrix (outputs, inputs), one factor per channel, or None for nothing."""
    if D is None:
        return jnp.zeros((xs.shape[0], outputs), xs.dtype)
    return xs @ D.T if D.ndim == 2 else xs * D[None, :]


def feedthrough_matrix(
    D: Float[Array, "..."] | None, shape: tuple[int, int], dtype: np.dtype
) -> Float[Array, "outputs inputs"]:
    """The same D as a matrix."""
    if D is None:
        return jnp.zeros(shape, dtype)
    return D if D.ndim == 2 else jnp.diag(D)


def with_feedthrough(
    kernel: Float[Array, "length outputs inputs"], D: Float[Array, "..."] | None
) -> Float[Array, "length outputs inputs"]:
    """The impulse response: the kernel with D added at lag 0."""
    if D is None:
        return kernel
    _, outputs, inputs = kernel.shape
    return kernel.at[0].add(feedthrough_matrix(D, (outputs, inputs), kernel.dtype))


def initial_feedthrough(
    key: PRNGKeyArray, outputs: int, inputs: int, dtype: np.dtype
) -> Float[Array, "..."]:
    """N(0, 1) per channel where every output has its input; else a matrix N(0, 1/inputs)."""
    if outputs == inputs:
        return normal(key, (outputs,), 1.0, dtype)
    return normal(key, (outputs, inputs), 1.0 / inputs, dtype)


def require_sizes(layer: str, **sizes: int) -> None:
    """Raise `RemanenceError` naming the first size that is not a positive whole number."""
    for name, size in sizes.items():
        if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 1:
            raise RemanenceError(
                f"{layer}: {name} is {size!r}; it must be a whole number of at least 1"
            )
