"""Training linear layers on their exact loss: kernels instead of sequences.

A linear student against a linear teacher errs by the input filtered with the difference `ΔK` of
their impulse responses. The expected loss is a closed form of `ΔK`, and the loss of a minibatch
is a quadratic form of it (`theory.lag_moments`) that every student shares: neither holds a state
or runs a sequence.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from remanence.errors import NumericalError, RemanenceError
from remanence.layers.contract import HYPERBOLIC, AbstractLinearLayer, AbstractRecurrentLayer
from remanence.systems import DiagonalStateSpace
from remanence.tasks.inputs import AbstractProcess, White
from remanence.theory.modes import Modes
from remanence.training._exact_steps import (
    LONGEST_LEG,
    Batches,
    ExactProblem,
    advance,
    settle,
    start,
)
from remanence.training._infinite_horizon import stacked_targets
from remanence.training.checks import (
    require_keys,
    require_number,
    require_real_array,
    require_whole,
    require_word,
    shown,
)
from remanence.training.descent import record_steps
from remanence.training.members import as_rates, check_members
from remanence.training.minibatches import member_of
from remanence.training.optimisers import (
    RatedOptimiser,
    adamw_by_role,
    require_rated_optimiser,
)
from remanence.training.roles import check_real, parameter_roles


@dataclasses.dataclass(frozen=True)
class ExactTraining:
    """Trained students, stacked, and what they went through.

    - `models`: with a leading axis of members on every array.
    - `learning_rates` (members,).
    - `steps` (records,): recorded steps, 0 and the last among them.
    - `losses` (members, records): the exact expected loss there.
    - `training_losses` (members, steps): what was descended, before each step: the loss of the
      minibatch, or the expected loss again.
    - `optimiser_states`: the optimiser's state at the end, stacked.
    - `diverged_at` (members,): the step whose loss was not finite, or -1. Such a member keeps its
      last parameters of finite loss.
    """

    models: AbstractLinearLayer
    learning_rates: Float[np.ndarray, " members"]
    steps: Int[np.ndarray, " records"]
    losses: Float[np.ndarray, "members records"]
    training_losses: Float[np.ndarray, "members steps"]
    optimiser_states: Any
    diverged_at: Int[np.ndarray, " members"]

    @property
    def final_losses(self) -> Float[np.ndarray, " members"]:
        """The exact expected loss at the end; infinite for members that diverged."""
        return np.where(self.diverged_at < 0, self.losses[:, -1], np.inf)

    def member(self, index: int) -> AbstractRecurrentLayer:
        """One trained student."""
        return member_of(self.models, index)

    def raise_if_diverged(self) -> None:
        """Raise `NumericalError` naming the first member that diverged, its rate and its step."""
        failed = np.flatnonzero(self.diverged_at >= 0)
        if failed.size:
            first = failed[np.argmin(self.diverged_at[failed])]
            raise NumericalError(
                f"exact training diverged at step {self.diverged_at[first]} in member {first}, "
                f"learning rate {self.learning_rates[first]:g} ({failed.size} of "
                f"{self.diverged_at.size} members); use a smaller learning rate"
            )


def train_exact(
    models: AbstractRecurrentLayer,
    targets: Any,
    *,
    learning_rates: Sequence[float | int] | Float[np.ndarray, " members"],
    steps: int,
    batch: int | None = None,
    process: AbstractProcess | None = None,
    key: PRNGKeyArray | None = None,
    optimiser: RatedOptimiser | None = None,
    decay_steps: float | int | None = None,
    factor: float | int = 0.5,
    records_per_decade: int = 6,
    members_by: str = "map",
    on_progress: Callable[[float], None] | None = None,
) -> ExactTraining:
    """Train a stack of linear students to imitate impulse responses, without running a sequence.

        L_T = factor · (1/T) Σ_{t=1…T} E‖y_t − y*_t‖² = factor · Σ_{n<T} (1 − n/T) ‖ΔK_n‖²

    from zero states for white input of variance 1; `theory.kernel_loss` for others.

    Args:
        models: students with a leading axis of members (`stack_models`), any linear layer.
        targets: the teacher's impulse response up to the training length T,
            `teacher.impulse_response(T)`, `(T, outputs, inputs)` for all members, or with a
            leading axis for each. Or the teacher itself, one for all or stacked, if it and the
            students are diagonal (`DiagonalStateSpace`, `theory.Modes`, an LRU): then sequences
            are endless, `factor · E‖y − y*‖²` is a closed form, and a step costs the same
            whatever the memory. A layer is held to the digits of its parameters, a system to
            those of its `λ`: `1 − |λ|` is known to 1e-16, in float32 to 1e-7.
        learning_rates: one for each member, given to `optimiser`.
        steps: of the optimiser.
        batch: sequences in a minibatch, fresh in every step and the same for all members. The
            closed expected loss is descended if not given. Not with endless sequences.
        process: where the inputs come from, and so their autocorrelation in the expected loss;
            white of variance 1 if not given, and for endless sequences. Channels are independent.
        key: for the minibatches.
        optimiser: a function of the rate such as `adamw_by_role`, called in the compiled program
            with a traced scalar, or a transform of the rate one, whose updates are multiplied by
            the rate (not for points of the disc). Adam if not given; for points of the disc
            `hyperbolic_adam` with 30 times the rate, as `adamw_by_role` has it.
        decay_steps: the rates fall to zero by this step, as half a cosine; `steps` if not given,
            `math.inf` for rates that stay.
        factor: of every loss.
        records_per_decade: how densely in log-steps the expected loss is recorded.
        members_by: "map" runs members one after another, "vmap" side by side.
        on_progress: hears the share that is done; what it raises ends the run.

    Raises:
        RemanenceError: for shapes that do not fit, settings out of range, or complex parameters.

    How fast: benchmarks/exact_training.py, with its numbers in docs/sensitivity.md.

    Source: derived: `y − y* = ΔK * x` for every input. The task is Zucchet & Orvieto (2024),
    section 4.1.

        models = stack_models(lambda key: LRU(1, 64, key=key), jax.random.split(key, 2))
        targets = teacher.impulse_response(300)
        train_exact(models, targets, learning_rates=[1e-3, 1e-2], steps=10_000)
    """
    owner = "train_exact"
    if not isinstance(models, AbstractLinearLayer):
        raise RemanenceError(
            f"{owner}: {type(models).__name__} is no linear layer: it has no impulse response; "
            "use train_members"
        )
    rates = as_rates(owner, learning_rates)
    check_members(owner, models, rates.shape)
    check_real(models)
    require_word(owner, "members_by", members_by, ("map", "vmap"))
    steps = require_whole(owner, "steps", steps)
    process = White() if process is None else process
    if not isinstance(process, AbstractProcess):
        raise RemanenceError(
            f"{owner}: process is {shown(process)}; give one of remanence.tasks, as White()"
        )
    batches = None
    if batch is not None:
        size = require_whole(owner, "batch", batch)
        batches = Batches(require_keys(owner, "key", key), process, size)
    optimiser = _adam_for(models) if optimiser is None else optimiser
    require_rated_optimiser(owner, optimiser, models)
    endless = isinstance(targets, Modes | DiagonalStateSpace | AbstractRecurrentLayer)
    if endless and (batches is not None or type(process) is not White):
        raise RemanenceError(
            f"{owner}: targets are a system, for endless sequences of white inputs; leave out "
            "batch and process, or give its impulse response up to a horizon"
        )
    fitting_targets = stacked_targets if endless else _targets
    problem = ExactProblem.of(
        models,
        fitting_targets(owner, models, targets, rates.size),
        rates=rates,
        process=process,
        batches=batches,
        optimiser=optimiser,
        decay_steps=_decay(owner, steps if decay_steps is None else decay_steps),
        factor=require_number(owner, "factor", factor, above=0),
        members_by=members_by,
    )
    schedule = record_steps(steps, require_whole(owner, "records_per_decade", records_per_decade))
    fit = start(problem, models)
    fit, first_losses = settle(problem, fit, 0)
    losses = [first_losses]
    descended = []
    for begin, record in itertools.pairwise(schedule.tolist()):
        for first in range(begin, record, LONGEST_LEG):
            stop = min(first + LONGEST_LEG, record)
            fit, values = advance(problem, jnp.asarray(first), jnp.asarray(stop), fit)
            descended.append(np.asarray(values)[:, : stop - first])
            if on_progress is not None:
                on_progress(stop / steps)
        fit, recorded = settle(problem, fit, record)
        losses.append(recorded)
    return ExactTraining(
        models=problem.model(fit.parameters),
        learning_rates=rates,
        steps=schedule,
        losses=np.stack(losses, axis=1),
        training_losses=np.concatenate(descended, axis=1),
        optimiser_states=fit.optimiser,
        diverged_at=np.asarray(fit.diverged_at),
    )


@functools.cache
def _adam() -> optax.GradientTransformation:
    """Always the same object: a second run compiles nothing."""
    return optax.adam(1.0)


def _adam_for(models: AbstractLinearLayer) -> RatedOptimiser:
    hyperbolic = HYPERBOLIC["role"] in jax.tree.leaves(parameter_roles(models))
    return _adam_by_role if hyperbolic else _adam()


def _adam_by_role(rate: Any) -> optax.GradientTransformation:
    return adamw_by_role(rate, recurrent_factor=1, weight_decay=0)


def _decay(owner: str, steps: float | int) -> float:
    if steps == math.inf:
        return math.inf
    return require_number(owner, "decay_steps", steps, above=0, otherwise="; math.inf for none")


def _targets(
    owner: str, models: AbstractLinearLayer, targets: Any, members: int
) -> Float[Array, "members horizon outputs inputs"]:
    response = require_real_array(owner, "targets", targets)
    one = eqx.filter_eval_shape(member_of, models, 0)
    if response.ndim not in (3, 4) or response.shape[-2:] != (
        one.outputs,
        one.inputs,
    ):
        raise RemanenceError(
            f"{owner}: targets have shape {response.shape}, expected (horizon, {one.outputs}, "
            f"{one.inputs}) for the outputs and inputs of {type(models).__name__}, or one for "
            "each member"
        )
    if response.ndim == 4 and response.shape[0] != members:
        raise RemanenceError(
            f"{owner}: there are targets for {response.shape[0]} members, and {members} models"
        )
    if not response.shape[-3]:
        raise RemanenceError(f"{owner}: the targets have no lags")
    shape = response.shape if response.ndim == 4 else (members, *response.shape)
    return jnp.asarray(np.broadcast_to(response, shape))
