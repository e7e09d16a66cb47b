"""Element-wise nonlinearities by name, so that a layer holds a name and no function."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from remanence.errors import RemanenceError, nearest_name

ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "hardtanh": lambda x: jnp.clip(x, -1.0, 1.0),
    "identity": lambda x: x,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "silu": jax.nn.silu,
    "sigmoid": jax.nn.sigmoid,
}
"""`gelu` is `x Φ(x)` with the exact normal distribution function, not its tanh approximation."""


def check_activation(name: str, where: str) -> str:
    """`name`, if there is such an activation.

    Raises:
        RemanenceError: if there is none, with the nearest name; `where` says whose it is.
    """
    if name not in ACTIVATIONS:
        raise RemanenceError(
            f"{where}: activation {name!r} is none of {', '.join(ACTIVATIONS)}"
            f"{nearest_name(name, ACTIVATIONS)}"
        )
    return name


def activate(name: str, x: Float[Array, "..."]) -> Float[Array, "..."]:
    """`φ(x)`, element by element, with the activation of that name.

    >>> activate("relu", jnp.array([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """
    return ACTIVATIONS[name](x)
