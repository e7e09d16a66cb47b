"""Optimisers for recurrent models: gentle where a small step changes the memory a lot."""

import functools
from collections.abc import Hashable
from typing import Any

import jax
import optax
from jaxtyping import PyTree

from remanence.errors import RemanenceError
from remanence.training.roles import parameter_roles

ROLES = ("recurrent", "other")


def adamw_by_role(
    learning_rate: float | optax.Schedule,
    *,
    recurrent_factor: float | int = 0.25,
    weight_decay: float | int = 0.01,
    clip: float | int | None = None,
    first_decay: float = 0.9,
    second_decay: float = 0.999,
) -> optax.GradientTransformation:
    """AdamW whose recurrent parameters learn more slowly and do not decay.

    Parameters of the role "recurrent" (eigenvalues and their normalisation) follow Adam with the
    rate `recurrent_factor · learning_rate`; all others follow AdamW (Loshchilov & Hutter 2019)
    with `learning_rate` and `weight_decay`. `learning_rate` may be an Optax schedule. `clip`
    bounds the norm of the whole gradient before it is divided among the roles.

    The output's sensitivity to the recurrent parameters grows with memory, and weight decay
    would pull the eigenvalues away from where they have to be. Source: the practice of LRU
    (Orvieto et al. 2023) and S4 (Gu et al. 2022), factors of 0.25 to 0.5.

    Raises:
        RemanenceError: if a factor is negative, or (at `init`) for a role it does not know.

        train(model, task, optimiser=adamw_by_role(1e-3), …)
    """
    for name, value in (
        ("recurrent_factor", recurrent_factor),
        ("weight_decay", weight_decay),
        ("clip", 0.0 if clip is None else clip),
    ):
        if not value >= 0:
            raise RemanenceError(f"adamw_by_role: {name} must not be negative, got {value}")
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


def _scaled(learning_rate: float | optax.Schedule, factor: float | int) -> float | optax.Schedule:
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
