"""Optimisers for recurrent models: gentle where a small step changes the memory a lot."""

import functools
from collections.abc import Hashable
from typing import Any

import jax
import optax
from jaxtyping import PyTree

from remanence.errors import RemanenceError
from remanence.training.checks import require_number
from remanence.training.roles import parameter_roles

ROLES = ("recurrent", "other")


def adamw_by_role(
    learning_rate: float | int | optax.Schedule,
    *,
    recurrent_factor: float | int = 0.25,
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
    Optax schedule. `clip` bounds the norm of the whole gradient before it is divided among the
    roles.

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
    require_number(owner, "weight_decay", weight_decay, least=0)
    for name, decay in (("first_decay", first_decay), ("second_decay", second_decay)):
        if require_number(owner, name, decay, least=0) >= 1:
            raise RemanenceError(f"{owner}: {name} must be below 1, got {decay}")
    if clip is not None:
        require_number(owner, "clip", clip, above=0, otherwise="; None clips nothing")
    slower = _scaled(learning_rate, recurrent_factor)
    transforms: dict[Hashable, optax.GradientTransformation] = {
        "recurrent": optax.adam(slower, b1=first_decay, b2=second_decay),
        "other": optax.adamw(
            learning_rate, b1=first_decay, b2=second_decay, weight_decay=weight_decay
        ),
    }
    whole = optax.partition(transforms, _known_roles)
    return whole if clip is None else optax.chain(optax.clip_by_global_norm(clip), whole)


@functools.cache
def default_optimiser(learning_rate: float) -> optax.GradientTransformation:
    """`adamw_by_role(learning_rate)`, always the same object: a second run compiles nothing."""
    return adamw_by_role(learning_rate)


def _scaled(
    learning_rate: float | int | optax.Schedule, factor: float | int
) -> float | int | optax.Schedule:
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
