"""How far an adaptive optimiser lets each parameter move: two definitions, side by side."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import PyTree

from remanence.errors import RemanenceError
from remanence.training.checks import require_number, require_optimiser, require_real_array


def effective_learning_rates(
    state: PyTree[Any],
    learning_rate: Any = 1.0,
    *,
    second_decay: float = 0.999,
    epsilon: float = 1e-8,
) -> PyTree[Any]:
    """`η / (√v̂ + ε)` for every parameter: what Adam multiplies its averaged gradient by.

        v̂ = v / (1 − β₂^t)

    Args:
        state: the optimiser's state, with an `optax.ScaleByAdamState` anywhere inside; that of
            one model, or stacked.
        learning_rate: `η`; for stacked states also one for each member.
        second_decay, epsilon: `β₂` and `ε`, those of the optimiser.

    Returns:
        a tree like the parameters. Infinite before the first step: no gradient has been seen.

    Raises:
        RemanenceError: if the state holds no second moments, or those of more than one Adam; if a
            number is out of range.

    Source: Kingma & Ba (2015). A parameter to which the outputs are sensitive has large
    gradients along the way, and so a small rate.
    """
    owner = "effective_learning_rates"
    rates = require_real_array(owner, "learning_rate", learning_rate)
    adam = _adam_state(owner, state)
    steps = jnp.asarray(adam.count)
    if rates.shape not in ((), steps.shape):
        raise RemanenceError(
            f"{owner}: learning_rate has shape {rates.shape}, expected one number or one for each "
            f"of the stacked states, {steps.shape}"
        )
    if not 0 < require_number(owner, "second_decay", second_decay, above=0) < 1:
        raise RemanenceError(f"{owner}: second_decay must be below 1, got {second_decay}")
    require_number(owner, "epsilon", epsilon, least=0)

    def one(second: jax.Array) -> jax.Array:
        # Stacked members each have their count: one axis more on the left.
        def wide(values: Any) -> jax.Array:
            values = jnp.asarray(values, second.dtype)
            return values.reshape(values.shape + (1,) * (second.ndim - values.ndim))

        count = wide(steps)
        correction = -jnp.expm1(count * math.log(second_decay))
        unbiased = second / jnp.where(count > 0, correction, 1)
        return jnp.where(count > 0, wide(rates) / (jnp.sqrt(unbiased) + epsilon), jnp.inf)

    return jax.tree.map(one, adam.nu)


def ones_probe(
    optimiser: optax.GradientTransformation, state: PyTree[Any], parameters: PyTree[Any]
) -> PyTree[Any]:
    """`−update` that the optimiser would make if the next gradient were 1 in every parameter.

    The definition behind the published figures of effective learning rates. It is not
    `effective_learning_rates`: the probe goes through both moments itself, so that it holds the
    momentum of past gradients, `(β₁ m + (1 − β₁)) / (√(β₂ v + (1 − β₂)) + ε)` times the rate.
    It can be negative, and after many steps (`m = v = 0`) it cannot exceed

        η (1 − β₁) / √(1 − β₂) = 3.162 η        (β₁ = 0.9, β₂ = 0.999).

    Args:
        optimiser: an Optax transform.
        state: its state; `parameters`: the tree it belongs to.

    Source: the code of Zucchet & Orvieto (NeurIPS 2024), figures 4 and 9; the cap is derived.
    """
    require_optimiser("ones_probe", optimiser)
    ones = jax.tree.map(jnp.ones_like, parameters)
    with jax.numpy_dtype_promotion("standard"):
        updates, _ = optimiser.update(ones, state, parameters)
    return jax.tree.map(jnp.negative, updates)


def _adam_state(owner: str, state: PyTree[Any]) -> optax.ScaleByAdamState:
    found = [
        leaf
        for leaf in jax.tree.leaves(state, is_leaf=lambda node: isinstance(node, _ADAM))
        if isinstance(leaf, _ADAM)
    ]
    if len(found) != 1:
        raise RemanenceError(
            f"{owner}: the state holds {len(found)} states of Adam, expected one; give the part "
            "that belongs to it"
        )
    return found[0]


_ADAM = optax.ScaleByAdamState
