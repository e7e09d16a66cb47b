"""The compiled part of training: several optimiser steps on fresh batches in one program.

Everything carries a leading axis of members; a single model is an ensemble of one. A member's
numbers come from its own key and step alone, so that neither its neighbours nor where the run is
divided into legs can change them.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Key, PRNGKeyArray, PyTree

from remanence.tasks.contract import AbstractTask
from remanence.training._pieces import Carried, next_piece, nothing_carried
from remanence.training.evaluation import model_outputs, sequence_scores
from remanence.training.hyperbolic import gradient_norm
from remanence.training.optimisers import RatedOptimiser, optimiser_at
from remanence.training.scores import ErrorParts, sequence_loss

LONGEST_LEG = 512

MembersBy = Literal["map", "vmap"]


class Problem(eqx.Module):
    """What stays the same through a run.

    - `rest`: the models without their parameters.
    - `keys`, `rates` (members,): where randomness starts; what `optimiser` is given.
    - `lengths`: of which each step draws one; `clip`: the largest norm of the gradient.
    - `pieces`: in how many steps a sequence is learned, `lengths[0]` time steps in each.
    """

    task: AbstractTask
    rest: PyTree[Any]
    keys: Key[Array, " members"]
    rates: Float[Array, " members"]
    optimiser: RatedOptimiser
    batch: int
    lengths: tuple[int, ...]
    pieces: int
    clip: float | int | None
    method: str
    test_sequences: int
    test_length: int
    members_by: MembersBy


class Fit(NamedTuple):
    """Where every member is; `previous` are the last parameters known to have a finite loss.

    `carried`: the sequences that are learned piece by piece; None where each step has its own.
    """

    parameters: PyTree[Any]
    previous: PyTree[Any]
    optimiser: PyTree[Any]
    step: Int[Array, "*members"]
    diverged: Bool[Array, "*members"]
    carried: Carried | None = None


def member_of(models: PyTree[Any], index: int) -> Any:
    """One model of a stack with a leading axis of members."""
    return jax.tree.map(lambda leaf: leaf[index] if eqx.is_array(leaf) else leaf, models)


def start(problem: Problem, parameters: PyTree[Any]) -> Fit:
    """The state before the first step, in buffers of its own: `advance` consumes them."""

    def initial(rate: Float[Array, ""], parameters: PyTree[Any]) -> PyTree[Any]:
        return optimiser_at(problem.optimiser, rate).init(parameters)

    optimiser = eqx.filter_jit(jax.vmap(initial))(problem.rates, parameters)
    members = problem.rates.shape
    carried = None
    if problem.pieces > 1:
        empty = nothing_carried(
            member_of(eqx.combine(parameters, problem.rest), 0),
            problem.task,
            batch=problem.batch,
            length=problem.pieces * problem.lengths[0],
        )
        carried = jax.tree.map(lambda leaf: jnp.zeros((*members, *leaf.shape), leaf.dtype), empty)
    fit = Fit(
        parameters,
        parameters,
        optimiser,
        jnp.zeros(members, int),
        jnp.zeros(members, bool),
        carried,
    )
    return jax.tree.map(jnp.array, fit)


@eqx.filter_jit(donate="all-except-first")
def advance(
    given: tuple[Problem, Int[Array, ""], Int[Array, ""]], fit: Fit
) -> tuple[Fit, Float[Array, "members leg"], Float[Array, "members leg"]]:
    """Run every member from step `begin` to `stop`, `given = (problem, begin, stop)`.

    Also returns the training losses and the gradient norms of those steps, the rest of the
    leg NaN. A member whose loss or gradient is not finite goes back to `previous` and stays.
    """
    problem, begin, stop = given

    def member(fit: Fit, rest: PyTree[Any], key: PRNGKeyArray, rate: Float[Array, ""]) -> Any:
        data, dropout, order, _ = jax.random.split(key, 4)

        def goes_on(carry: Any) -> Bool[Array, ""]:
            return (carry[0].step < stop) & ~carry[0].diverged

        def step(carry: Any) -> Any:
            fit, losses, norms = carry
            if fit.carried is None:
                keys = (jax.random.fold_in(stream, fit.step) for stream in (order, data, dropout))
                loss, gradient = _value_and_gradient(problem, rest, fit.parameters, *keys)
                carried = None
            else:
                loss, gradient, carried = next_piece(
                    lambda parameters: eqx.combine(parameters, rest),
                    fit.parameters,
                    problem.task,
                    fit.carried,
                    fit.step,
                    data,
                    dropout,
                    pieces=problem.pieces,
                    length=problem.lengths[0],
                    method=problem.method,
                )
            norm = gradient_norm(gradient, fit.parameters)
            moved, optimiser = _update(problem, fit, gradient, norm, rate)
            finite = jnp.isfinite(loss) & jnp.isfinite(norm)
            place = fit.step - begin
            return (
                Fit(
                    _choose(finite, moved, fit.previous),
                    _choose(finite, fit.parameters, fit.previous),
                    _choose(finite, optimiser, fit.optimiser),
                    fit.step + finite.astype(fit.step.dtype),
                    ~finite,
                    carried,
                ),
                losses.at[place].set(loss.astype(losses.dtype)),
                norms.at[place].set(norm.astype(norms.dtype)),
            )

        unseen = jnp.full(LONGEST_LEG, jnp.nan)
        return lax.while_loop(goes_on, step, (fit, unseen, unseen))

    return _over_members(problem, member, fit)


@eqx.filter_jit
def held_out_scores(
    problem: Problem, parameters: PyTree[Any]
) -> tuple[Float[Array, "members sequences"], ErrorParts]:
    """Losses and error parts of every member on its held-out sequences, always the same ones."""

    def member(
        parameters: PyTree[Any], rest: PyTree[Any], key: PRNGKeyArray, rate: Float[Array, ""]
    ) -> Any:
        keys = jax.random.split(jax.random.split(key, 4)[3], problem.test_sequences)
        return sequence_scores(
            eqx.combine(parameters, rest),
            problem.task,
            keys,
            length=problem.test_length,
            batch=problem.batch,
            split="test",
            method=problem.method,
        )

    return _over_members(problem, member, parameters)


def _over_members(problem: Problem, function: Callable[..., Any], tree: PyTree[Any]) -> Any:
    arrays, others = eqx.partition(problem.rest, eqx.is_array)

    def one(member: Any) -> Any:
        tree, arrays, key, rate = member
        return function(tree, eqx.combine(arrays, others), key, rate)

    members = (tree, arrays, problem.keys, problem.rates)
    if problem.rates.shape == (1,):
        return jax.tree.map(lambda x: x[None], one(jax.tree.map(lambda x: x[0], members)))
    return lax.map(one, members) if problem.members_by == "map" else jax.vmap(one)(members)


def _value_and_gradient(
    problem: Problem,
    rest: PyTree[Any],
    parameters: PyTree[Any],
    order: PRNGKeyArray,
    data: PRNGKeyArray,
    dropout: PRNGKeyArray,
) -> tuple[Float[Array, ""], PyTree[Any]]:
    """The mean loss of a fresh batch of one of the lengths, and its gradient."""
    data, dropout = (jax.random.split(key, problem.batch) for key in (data, dropout))

    def at_length(length: int) -> Callable[..., Any]:
        def loss(parameters: PyTree[Any]) -> Float[Array, ""]:
            model = eqx.combine(parameters, rest)

            def one(data: PRNGKeyArray, dropout: PRNGKeyArray) -> Float[Array, ""]:
                example = problem.task.sample(data, length, split="train")
                outputs = model_outputs(model, example.inputs, method=problem.method, key=dropout)
                return sequence_loss(outputs, example, problem.task.kind)

            return jnp.mean(jax.vmap(one)(data, dropout))

        return jax.value_and_grad(loss)

    branches = [at_length(length) for length in problem.lengths]
    if len(branches) == 1:
        return branches[0](parameters)
    index = jax.random.randint(order, (), 0, len(branches))
    return lax.switch(index, branches, parameters)


def _update(
    problem: Problem, fit: Fit, gradient: PyTree[Any], norm: Float[Array, ""], rate: Any
) -> tuple[PyTree[Any], PyTree[Any]]:
    if problem.clip is not None:
        scale = jnp.minimum(1.0, problem.clip / jnp.where(norm > 0, norm, 1.0))
        gradient = jax.tree.map(lambda g: g * scale.astype(g.dtype), gradient)
    # Optax raises floats to integer counts, which a caller's strict promotion would forbid.
    with jax.numpy_dtype_promotion("standard"):
        optimiser = optimiser_at(problem.optimiser, rate)
        updates, state = optimiser.update(gradient, fit.optimiser, fit.parameters)
    return optax.apply_updates(fit.parameters, updates), state


def _choose(condition: Bool[Array, ""], new: PyTree[Any], old: PyTree[Any]) -> PyTree[Any]:
    return jax.tree.map(lambda n, o: jnp.where(condition, n, o), new, old)
