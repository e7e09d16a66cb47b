"""The optimiser of every competitor: one rate for eigenvalues, one for the rest, both falling."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, PyTree

from remanence.layers.eigenvalues import DirectRate
from remanence.layers.modal import AbstractModalLayer
from remanence.layers.parametrisations import Discretised, ReIm
from remanence.training.hyperbolic import hyperbolic_adam
from remanence.training.roles import parameter_roles

_EPSILON = 1e-20
"""Adam's ε of every competitor: 1e-8 would stop those whose gradients fade with memory."""

_NEAREST = 1e-7
"""How near to the unit circle a parametrisation without a bound may come."""

Pair = tuple[float, float]
"""Rates of eigenvalues with γ, and of B, C and D."""


def scheduled(pairs: Sequence[Pair], steps: int) -> Callable[[Any], optax.GradientTransformation]:
    """The optimiser of the `index`-th pair of rates, both falling to zero as half a cosine.

    Adam for B, C and D at the second rate; for eigenvalues and γ at the first, hyperbolic Adam
    where they are points of the disc.
    """
    table = np.array(pairs)

    def make(index: Any) -> optax.GradientTransformation:
        rates = jnp.asarray(table)[jnp.asarray(index).astype(int)]

        def falling(which: int) -> Callable[[Any], Array]:
            def rate(count: Any) -> Array:
                share = jnp.minimum(jnp.asarray(count) / steps, 1.0)
                return rates[which] * (1 + jnp.cos(jnp.pi * share)) / 2

            return rate

        moved: dict[Hashable, optax.GradientTransformation] = {
            "recurrent": optax.adam(falling(0), eps=_EPSILON),
            "hyperbolic": hyperbolic_adam(falling(0), epsilon=_EPSILON),
            "other": optax.adam(falling(1), eps=_EPSILON),
        }
        return optax.chain(optax.partition(moved, parameter_roles), inside_the_circle())

    return make


def inside_the_circle() -> optax.GradientTransformation:
    """Steps of parametrisations without a bound end inside: `|λ| ≤ 1 − 1e-7`, phases kept.

    Outside the closed loss is no sum of squares any more. Others pass unchanged.
    """

    def clipped(updates: PyTree[Any], params: PyTree[Any] | None) -> PyTree[Any]:
        assert params is not None
        if not isinstance(params, AbstractModalLayer):
            return updates
        at, step = params.eigenvalues, updates.eigenvalues
        if isinstance(at, ReIm):
            re, im = at.re + step.re, at.im + step.im
            shrink = jnp.minimum(1.0, (1 - _NEAREST) / jnp.maximum(jnp.hypot(re, im), 0.1))
            return eqx.tree_at(
                lambda one: (one.eigenvalues.re, one.eigenvalues.im),
                updates,
                (re * shrink - at.re, im * shrink - at.im),
            )
        if isinstance(at, Discretised) and isinstance(at.rate_map, DirectRate):
            length = jnp.exp(at.step_parameter + step.step_parameter)
            rate = jnp.minimum(at.rate_parameter + step.rate_parameter, -_NEAREST / length)
            return eqx.tree_at(
                lambda one: one.eigenvalues.rate_parameter, updates, rate - at.rate_parameter
            )
        return updates

    return optax.stateless(clipped)
