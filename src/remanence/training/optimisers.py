"""Optimisers for recurrent models: gentle where a small step changes the memory a lot."""

import functools
from collections.abc import Callable, Hashable
from typing import Any, cast

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, PyTree

from remanence.errors import RemanenceError
from remanence.layers.contract import HYPERBOLIC
from remanence.training.checks import is_transform, require_number, shown
from remanence.training.hyperbolic import (
    HyperbolicAdamState,
    HyperbolicSGDState,
    LearningRate,
    gradient_norm,
    hyperbolic_adam,
)
from remanence.training.roles import parameter_roles

ROLES = ("recurrent", "hyperbolic", "other")


def adamw_by_role(
    learning_rate: LearningRate,
    *,
    recurrent_factor: float | int = 0.25,
    hyperbolic_factor: float | int = 30.0,
    weight_decay: float | int = 0.01,
    clip: float | int | None = None,
    first_decay: float = 0.9,
    second_decay: float = 0.999,
) -> optax.GradientTransformation:
    """AdamW whose recurrent parameters learn more slowly and do not decay.

    Parameters of the role "recurrent" are those that set the memory: eigenvalues and their
    normalisation, recurrent matrices, time steps, decay rates and the biases of gates. They
    follow Adam with the rate `recurrent_factor · learning_rate`; all others follow AdamW
    (Loshchilov & Hutter 2019) with `learning_rate` and `weight_decay`. `learning_rate` may be an
    Optax schedule. `clip` bounds the norm of the whole gradient (`gradient_norm`) before it is
    divided among the roles.

    Eigenvalues as points of the disc (`layers.HyperbolicEigenvalues`, the role "hyperbolic")
    follow `hyperbolic_adam` with the rate `hyperbolic_factor · learning_rate`, a distance in the
    disc: long steps do no harm there, because the disc grows with the memory. In deep stacks
    0.1 beside 3e-3 for the rest was within a factor 2.1 of the best rate on every task tried
    (remanence study hyperbolic-training, HY8); 0.03 to 0.3 is the useful range.

    The output's sensitivity to the recurrent parameters grows with memory, and weight decay
    would pull them away from where the memory has to be. Source: the practice of LRU
    (Orvieto et al. 2023) and S4 (Gu et al. 2022), factors of 0.25 to 0.5.

    Raises:
        RemanenceError: if a number is not finite or out of range (rate, factor and weight decay
            from 0, decays from 0 to below 1, clip above 0), or (at `init`) for a role it does
            not know.

        train(model, task, optimiser=adamw_by_role(1e-3), …)
    """
    owner = "adamw_by_role"
    # A rate that is an array may be traced, without a value to look at.
    if not callable(learning_rate) and not isinstance(learning_rate, jax.Array):
        require_number(owner, "learning_rate", learning_rate, least=0)
    require_number(owner, "recurrent_factor", recurrent_factor, least=0)
    require_number(owner, "hyperbolic_factor", hyperbolic_factor, least=0)
    require_number(owner, "weight_decay", weight_decay, least=0)
    for name, decay in (("first_decay", first_decay), ("second_decay", second_decay)):
        if require_number(owner, name, decay, least=0) >= 1:
            raise RemanenceError(f"{owner}: {name} must be below 1, got {decay}")
    if clip is not None:
        require_number(owner, "clip", clip, above=0, otherwise="; None clips nothing")
    slower = _scaled(learning_rate, recurrent_factor)
    transforms: dict[Hashable, optax.GradientTransformation] = {
        "recurrent": optax.adam(slower, b1=first_decay, b2=second_decay),
        "hyperbolic": hyperbolic_adam(
            _scaled(learning_rate, hyperbolic_factor),
            first_decay=first_decay,
            second_decay=second_decay,
        ),
        "other": optax.adamw(
            learning_rate, b1=first_decay, b2=second_decay, weight_decay=weight_decay
        ),
    }
    whole = optax.partition(transforms, _known_roles)
    return whole if clip is None else optax.chain(_clipped(float(clip)), whole)


RatedOptimiser = optax.GradientTransformation | Callable[[Any], optax.GradientTransformation]
"""A transform of the rate one, or a function that makes one of a (traced) rate."""


def optimiser_at(optimiser: RatedOptimiser, rate: Array) -> optax.GradientTransformation:
    """The transform whose updates are taken as they are, at this rate.

    Of a transform of the rate one the updates are multiplied, which is the rate of every rule
    that adds them; a function is asked for its transform.
    """
    if not is_transform(optimiser):
        return cast(Callable[[Any], optax.GradientTransformation], optimiser)(rate)
    alone = cast(optax.GradientTransformation, optimiser)

    def update(updates: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        updates, state = alone.update(updates, state, params)
        return jax.tree.map(lambda one: one * rate.astype(one.dtype), updates), state

    return optax.GradientTransformation(alone.init, update)


def require_rated_optimiser(owner: str, optimiser: Any, models: PyTree[Any]) -> None:
    """Raise `RemanenceError` unless `optimiser` can be given rates and move all of `models`.

    `models` are stacked members.
    """
    if is_transform(optimiser):
        if HYPERBOLIC["role"] in jax.tree.leaves(parameter_roles(models)):
            raise RemanenceError(
                f"{owner}: {type(models).__name__} has points of the disc, whose steps cannot be "
                "multiplied by a rate; give a function of the rate such as adamw_by_role"
            )
        return
    made = None
    if callable(optimiser) and not isinstance(optimiser, type):
        made = optimiser(jnp.ones(()))
    if not is_transform(made):
        raise RemanenceError(
            f"{owner}: optimiser is {shown(optimiser)}; give an Optax transform of rate one such "
            "as optax.adam(1.0), or a function that makes one of a rate, such as adamw_by_role"
        )
    one = jax.tree.map(lambda leaf: leaf[0] if eqx.is_array(leaf) else leaf, models)
    require_geodesics(owner, cast(optax.GradientTransformation, made), one)


def require_geodesics(
    owner: str, optimiser: optax.GradientTransformation, model: PyTree[Any]
) -> None:
    """Raise `RemanenceError` if points of the disc would be moved as if they were plain numbers.

    Transforms cannot be asked what they do, but their states show it: those that know the points
    hold one of `hyperbolic_adam` or `hyperbolic_sgd`, or one for the role "hyperbolic" alone, as
    by `by_role` or `optax.partition`: what that does is the user's own choice, plain Adam too.
    """
    if HYPERBOLIC["role"] not in jax.tree.leaves(parameter_roles(model)):
        return

    def knows(part: Any) -> bool:
        if isinstance(part, HyperbolicAdamState | HyperbolicSGDState):
            return True
        return HYPERBOLIC["role"] in getattr(part, "inner_states", {})

    parameters = eqx.filter(model, eqx.is_inexact_array)
    # Optax mixes whole and real numbers.
    with jax.numpy_dtype_promotion("standard"):
        state = jax.eval_shape(optimiser.init, parameters)
    if not any(map(knows, jax.tree.leaves(state, is_leaf=knows))):
        raise RemanenceError(
            f"{owner}: {type(model).__name__} has points of the disc, which this optimiser takes "
            "for plain numbers; give adamw_by_role(rate), or by_role with a transform such as "
            "hyperbolic_adam(0.1) for the role 'hyperbolic'"
        )


@functools.cache
def default_optimiser(learning_rate: float) -> optax.GradientTransformation:
    """`adamw_by_role(learning_rate)`, always the same object: a second run compiles nothing."""
    return adamw_by_role(learning_rate)


def _clipped(longest: float) -> optax.GradientTransformation:
    def clip(updates: PyTree[Any], params: PyTree[Any] | None) -> PyTree[Any]:
        if params is None:
            raise RemanenceError("adamw_by_role: update needs the parameters; give them as third")
        norm = gradient_norm(updates, params)
        scale = jnp.where(norm > longest, longest / jnp.where(norm > 0, norm, 1.0), 1.0)
        return jax.tree.map(lambda update: update * scale.astype(update.dtype), updates)

    return optax.stateless(clip)


def _scaled(learning_rate: LearningRate, factor: float | int) -> LearningRate:
    if callable(learning_rate):
        schedule = learning_rate
        return lambda count: factor * schedule(count)
    return factor * learning_rate


def _known_roles(parameters: PyTree[Any]) -> PyTree[Any]:
    roles = parameter_roles(parameters)
    for role in sorted(set(jax.tree.leaves(roles))):
        if role not in ROLES:
            raise RemanenceError(
                f"adamw_by_role: the model has parameters of the role {role!r}, which it does "
                "not know; use by_role with a transform for each role"
            )
    return roles
