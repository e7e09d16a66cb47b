"""The compiled part of exact training: optimiser steps on kernels, for every member at once."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from remanence.layers.contract import AbstractLinearLayer, floating_type
from remanence.tasks.inputs import AbstractProcess
from remanence.theory.lag_moments import lag_moments, moment_loss
from remanence.theory.losses import horizon_weights, kernel_loss, minibatch_loss
from remanence.training._infinite_horizon import PolarModes, endless_loss, polar_modes
from remanence.training.optimisers import RatedOptimiser, optimiser_at

LONGEST_LEG = 500

# Moments cost 2 B (T inputs)² flops a step for all members; convolutions about
# 100 B T inputs outputs log2(T) for each. Measured with one member on two CPU cores, batch 128:
# 0.5 ms against 1.1 ms at T = 300, equal near 1,000.
_MOST_MOMENTS = 1024


Targets = Float[Array, "members horizon outputs inputs"] | PolarModes


class Batches(eqx.Module):
    """Where minibatches come from: fresh ones in every step, the same for all members."""

    key: Key[Array, ""]
    process: AbstractProcess
    size: int = eqx.field(static=True)

    def draw(
        self, step: Int[Array, ""], horizon: int, inputs: int, dtype: np.dtype
    ) -> Float[Array, "batch horizon inputs"]:
        """The minibatch of one step."""
        shape = (self.size, self.process.noise_length(horizon), inputs)
        noise = jax.random.normal(jax.random.fold_in(self.key, step), shape, dtype)
        return jax.vmap(lambda one: self.process.colour(one, horizon))(noise)


class ExactProblem(eqx.Module):
    """What stays the same through a run; `exact.train_exact` says what each means.

    - `rest`: the models without their parameters.
    - `targets` (members, horizon, outputs, inputs), or systems for endless sequences; `rates`
      (members,).
    - `autocorrelation` (horizon,) of the expected loss, None for white inputs.
    - `decay_steps`: by when the rates have fallen to zero.
    - `batches`: None where the expected loss itself is descended.
    """

    rest: PyTree[Any]
    targets: Targets
    rates: Float[Array, " members"]
    autocorrelation: Float[Array, " horizon"] | None
    batches: Batches | None
    decay_steps: Float[Array, ""]
    optimiser: RatedOptimiser = eqx.field(static=True)
    factor: float = eqx.field(static=True)
    members_by: str = eqx.field(static=True)

    @classmethod
    def of(
        cls,
        models: AbstractLinearLayer,
        targets: Targets,
        *,
        rates: Float[np.ndarray, " members"],
        process: AbstractProcess,
        decay_steps: float,
        **others: Any,
    ) -> "ExactProblem":
        """The problem in the float type of the models."""
        dtype = floating_type(models)
        if isinstance(targets, PolarModes):
            white, lags = True, np.ones(1)
        else:
            lags = process.autocorrelation(targets.shape[1])
            white = lags[0] == 1 and not lags[1:].any()
        return cls(
            rest=eqx.filter(models, eqx.is_inexact_array, inverse=True),
            targets=jax.tree.map(lambda leaf: _as_precise(leaf, dtype), targets),
            rates=jnp.asarray(rates, dtype),
            decay_steps=jnp.asarray(decay_steps, dtype),
            autocorrelation=None if white else jnp.asarray(lags, dtype),
            **others,
        )

    def model(self, parameters: PyTree[Any]) -> AbstractLinearLayer:
        """The models with these parameters."""
        return eqx.combine(parameters, self.rest)

    def expected_loss(self, student: AbstractLinearLayer, target: Any) -> Array:
        """The exact loss of one member, every output up to the horizon scored."""
        if isinstance(target, PolarModes):
            return endless_loss(polar_modes(student), target, factor=self.factor)
        difference = _difference(student, target)
        weights = horizon_weights(difference.shape[0]).astype(difference.dtype)
        return kernel_loss(
            difference, weights, autocorrelation=self.autocorrelation, factor=self.factor
        )


class ExactFit(NamedTuple):
    """Where every member is; `previous` are the last parameters known to have a finite loss."""

    parameters: PyTree[Any]
    previous: PyTree[Any]
    optimiser: PyTree[Any]
    diverged_at: Int[Array, " members"]


def start(problem: ExactProblem, models: AbstractLinearLayer) -> ExactFit:
    """The state before the first step."""
    parameters = eqx.filter(models, eqx.is_inexact_array)
    optimiser = _initial(problem, parameters)
    return ExactFit(parameters, parameters, optimiser, jnp.full(problem.rates.shape, -1))


@eqx.filter_jit
def _initial(problem: ExactProblem, parameters: PyTree[Any]) -> PyTree[Any]:
    def initial(rate: Array, parameters: PyTree[Any]) -> PyTree[Any]:
        return optimiser_at(problem.optimiser, rate).init(parameters)

    return jax.vmap(initial)(problem.rates, parameters)


@eqx.filter_jit
def advance(
    problem: ExactProblem, begin: Int[Array, ""], stop: Int[Array, ""], fit: ExactFit
) -> tuple[ExactFit, Float[Array, "members leg"]]:
    """Every member from step `begin` to `stop`.

    Also returns the losses before each of those steps, the rest of the leg NaN.
    """

    def step(carry: tuple[ExactFit, Array, Array]) -> tuple[ExactFit, Array, Array]:
        fit, losses, count = carry
        loss_of = _loss_of_step(problem, count)
        # An endless decay is none: t / inf = 0.
        share = jnp.minimum(count.astype(problem.decay_steps.dtype) / problem.decay_steps, 1)
        rates = problem.rates * (1 + jnp.cos(jnp.pi * share)) / 2

        def member(one: tuple[ExactFit, PyTree[Any], Any, Array]) -> tuple[ExactFit, Array]:
            fit, rest, target, rate = one
            loss, gradient = jax.value_and_grad(
                lambda own: loss_of(eqx.combine(own, rest), target)
            )(fit.parameters)
            # Optax mixes whole and real numbers in its schedules and bias corrections.
            with jax.numpy_dtype_promotion("standard"):
                updates, optimiser = optimiser_at(problem.optimiser, rate).update(
                    gradient, fit.optimiser, fit.parameters
                )
            moved = optax.apply_updates(fit.parameters, updates)
            alive = jnp.isfinite(loss) & (fit.diverged_at < 0)
            return ExactFit(
                _choose(alive, moved, fit.previous),
                _choose(alive, fit.parameters, fit.previous),
                _choose(alive, optimiser, fit.optimiser),
                jnp.where(alive | (fit.diverged_at >= 0), fit.diverged_at, count),
            ), jnp.where(alive, loss, jnp.nan)

        members = (fit, problem.rest, problem.targets, rates)
        fit, values = _over_members(problem, member, members)
        return fit, losses.at[:, count - begin].set(values), count + 1

    unseen = jnp.full((problem.rates.size, LONGEST_LEG), jnp.nan, problem.rates.dtype)
    fit, losses, _ = lax.while_loop(lambda carry: carry[2] < stop, step, (fit, unseen, begin))
    return fit, losses


def settle(
    problem: ExactProblem, fit: ExactFit, step: int
) -> tuple[ExactFit, Float[np.ndarray, " members"]]:
    """The exact expected losses; a member whose loss is not finite goes back and stays there."""
    losses = _losses(problem, fit, fit.parameters)
    lost = ~np.isfinite(losses)
    if not lost.any():
        return fit, losses
    before = _losses(problem, fit, fit.previous)
    back = jnp.asarray(lost)

    def chosen(now: Array, previous: Array) -> Array:
        return jnp.where(back.reshape(back.shape + (1,) * (now.ndim - 1)), previous, now)

    parameters = jax.tree.map(chosen, fit.parameters, fit.previous)
    first = back & (fit.diverged_at < 0)
    diverged_at = jnp.where(first, jnp.full_like(fit.diverged_at, step), fit.diverged_at)
    moved = fit._replace(parameters=parameters, diverged_at=diverged_at)
    return moved, np.where(lost, before, losses)


def _losses(
    problem: ExactProblem, fit: ExactFit, parameters: PyTree[Any]
) -> Float[np.ndarray, " members"]:
    """The exact expected losses at these parameters."""
    if problem.batches is not None:
        return np.asarray(_losses_of(problem, parameters))
    # A step whose outcome is dropped sees them too, and is compiled already.
    living = fit._replace(parameters=parameters, diverged_at=jnp.full_like(fit.diverged_at, -1))
    _, losses = advance(problem, jnp.asarray(0), jnp.asarray(1), living)
    return np.asarray(losses)[:, 0]


@eqx.filter_jit
def _losses_of(problem: ExactProblem, parameters: PyTree[Any]) -> Float[Array, " members"]:
    def member(one: tuple[PyTree[Any], PyTree[Any], Any]) -> Array:
        own, rest, target = one
        return problem.expected_loss(eqx.combine(own, rest), target)

    return _over_members(problem, member, (parameters, problem.rest, problem.targets))


def _loss_of_step(problem: ExactProblem, step: Int[Array, ""]) -> Any:
    """The loss of a student and its target at this step, what all members share done once."""
    if problem.batches is None or isinstance(problem.targets, PolarModes):
        return problem.expected_loss
    horizon, _, inputs = problem.targets.shape[1:]
    xs = problem.batches.draw(step, horizon, inputs, problem.targets.dtype)
    factor = problem.factor
    if xs.shape[1] * xs.shape[2] > _MOST_MOMENTS:
        return lambda *pair: minibatch_loss(_difference(*pair), xs, factor=factor)
    moments = lag_moments(xs)
    return lambda *pair: moment_loss(_difference(*pair), moments, factor=factor)


def _difference(student: AbstractLinearLayer, target: Array) -> Array:
    return student.impulse_response(target.shape[0]) - target


def _as_precise(leaf: Array, dtype: np.dtype) -> Array:
    wide = jnp.issubdtype(leaf.dtype, jnp.complexfloating)
    return leaf.astype(np.result_type(dtype, np.complex64) if wide else dtype)


def _over_members(problem: ExactProblem, function: Any, members: Any) -> Any:
    if problem.members_by == "vmap":
        return jax.vmap(function)(members)
    return lax.map(function, members)


def _choose(condition: Bool[Array, ""], new: PyTree[Any], old: PyTree[Any]) -> PyTree[Any]:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)
