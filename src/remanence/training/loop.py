"""The loop around the compiled legs: when to evaluate, when to save, when to say how far it is."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from remanence.errors import RemanenceError
from remanence.layers.contract import AbstractRecurrentLayer
from remanence.tasks.contract import AbstractTask
from remanence.training.checkpoints import (
    damaged,
    read_checkpoint,
    read_count,
    restore_state,
    save_checkpoint,
)
from remanence.training.evaluation import check_sizes
from remanence.training.minibatches import (
    LONGEST_LEG,
    Fit,
    Problem,
    advance,
    held_out_scores,
    member_of,
    start,
)
from remanence.training.optimisers import RatedOptimiser
from remanence.training.roles import check_real
from remanence.training.scores import error_share
from remanence.training.settings import Settings, agreement

_FIRST_LEG = 8
_LEG_SECONDS = 0.5


class History(NamedTuple):
    """What every member went through; `fitting.Training` says what each array means."""

    training_losses: Float[np.ndarray, "members steps"]
    gradient_norms: Float[np.ndarray, "members steps"]
    evaluated_at: Int[np.ndarray, " records"]
    test_losses: Float[np.ndarray, "members records"]
    test_errors: Float[np.ndarray, "members records"]
    diverged_at: Int[np.ndarray, " members"]


class _Place(NamedTuple):
    """A state and the step it belongs to, under one name so that no interrupt can part them."""

    fit: Fit
    step: int


def run(
    models: AbstractRecurrentLayer,
    task: AbstractTask,
    settings: Settings,
    *,
    keys: Key[Array, " members"],
    rates: Float[Array, " members"],
    optimiser: RatedOptimiser,
    checkpoint: str | os.PathLike | None,
    checkpoint_seconds: float | int,
    on_progress: Callable[[float], None] | None,
) -> tuple[AbstractRecurrentLayer, History]:
    """Train every member of `models` (leading axis of members); the members and their history.

    With `checkpoint`, a run that was broken off goes on where it was, to the same numbers.
    """
    # Of one member: a layer may read its sizes off the shapes of its arrays.
    check_sizes(member_of(models, 0), task)
    check_real(models)
    parameters, rest = eqx.partition(models, eqx.is_inexact_array)
    if not jax.tree.leaves(parameters):
        raise RemanenceError(f"{type(models).__name__}: has no parameters to train")
    problem = Problem(
        task=task,
        rest=rest,
        keys=keys,
        rates=rates,
        optimiser=optimiser,
        batch=settings.batch,
        lengths=settings.lengths,
        pieces=settings.pieces,
        clip=settings.clip,
        method=settings.method,
        test_sequences=settings.test_sequences,
        test_length=settings.test_length,
        members_by=settings.members_by,
    )
    place = _Place(start(problem, parameters), 0)
    history = _empty_history(rates.size, settings.steps, 0)
    schedule = settings.schedule
    agreed: Mapping[str, Any] = {}
    found = None
    if checkpoint is not None:
        agreed = agreement(models, task, settings, keys=keys, rates=rates, optimiser=optimiser)
        found = read_checkpoint(checkpoint, settings=agreed)
    if checkpoint is not None and found is not None:
        tensors, progress = found
        records = read_count(checkpoint, progress, "records", schedule.size)
        history = _empty_history(rates.size, settings.steps, records)
        fit, history = restore_state(checkpoint, (place.fit, history), tensors)
        place = _Place(fit, read_count(checkpoint, progress, "step", settings.steps))
        _check_progress(checkpoint, place, history, schedule)

    def save() -> None:
        if checkpoint is not None:
            progress = {"step": place.step, "records": history.evaluated_at.size}
            save_checkpoint(checkpoint, (place.fit, history), settings=agreed, progress=progress)

    def finished() -> bool:
        return history.evaluated_at.size == schedule.size or bool((history.diverged_at >= 0).all())

    if finished():
        return eqx.combine(place.fit.parameters, rest), history
    if checkpoint is not None and found is None:
        # A run that cannot start must leave no file, which would stand in the way of another.
        _trace(problem, place.fit)
        # A place that cannot be written to is heard of now, not after the first minutes.
        save()
    leg, compiled, saved_at = _FIRST_LEG, False, time.monotonic()
    try:
        while not finished():
            due = int(schedule[history.evaluated_at.size])
            if place.step == due:
                history = _with_scores(history, place, problem)
                continue
            stop, began = min(place.step + leg, due), time.monotonic()
            length = stop - place.step
            place = _leg(problem, place, stop, history)
            if compiled:
                # Short enough that progress shows and an interrupt is heard soon.
                fitting = int(length * _LEG_SECONDS / max(time.monotonic() - began, 1e-6))
                leg = max(1, min(fitting, 4 * leg, LONGEST_LEG))
            compiled = True
            if time.monotonic() - saved_at >= checkpoint_seconds:
                save()
                saved_at = time.monotonic()
            if on_progress is not None:
                on_progress(place.step / settings.steps)
    except BaseException:
        # Interrupted within a leg, the old state is consumed: the last saved one stands.
        if not any(leaf.is_deleted() for leaf in jax.tree.leaves(place.fit)):
            with suppress(RemanenceError):
                save()
        raise
    save()
    if on_progress is not None and place.step < settings.steps:
        on_progress(1.0)
    return eqx.combine(place.fit.parameters, rest), history


def _trace(problem: Problem, fit: Fit) -> None:
    """Raise what tracing a step or an evaluation raises; the programs are traced only once."""
    step = jnp.asarray(0)
    eqx.filter_eval_shape(held_out_scores, problem, fit.parameters)
    eqx.filter_eval_shape(advance, (problem, step, step), fit)


def _check_progress(
    path: str | os.PathLike,
    place: _Place,
    history: History,
    schedule: Int[np.ndarray, " records"],
) -> None:
    """Raise `ModelFileError` unless step, records and every member's own step agree."""
    records, reached = history.evaluated_at.size, np.asarray(place.fit.step)
    diverged = np.asarray(place.fit.diverged)
    if not np.array_equal(diverged, history.diverged_at >= 0):
        raise damaged(path, "its history and its members disagree on which diverged")
    if (reached[~diverged] != place.step).any() or (reached[diverged] > place.step).any():
        raise damaged(path, f"step is {place.step} where its members are at {reached.tolist()}")
    earliest = schedule[records - 1] if records else 0
    latest = schedule[min(records, schedule.size - 1)]
    if (
        not np.array_equal(history.evaluated_at, schedule[:records])
        or not earliest <= place.step <= latest
    ):
        raise damaged(path, f"records is {records}, which does not fit step {place.step}")


def _leg(problem: Problem, place: _Place, stop: int, history: History) -> _Place:
    """Run to `stop` and write the steps into the history, in place: a repeat writes the same."""
    given = (problem, jnp.asarray(place.step), jnp.asarray(stop))
    fit, losses, norms = advance(given, place.fit)
    new = slice(place.step, stop)
    history.training_losses[:, new] = np.asarray(losses)[:, : stop - place.step]
    history.gradient_norms[:, new] = np.asarray(norms)[:, : stop - place.step]
    fresh = np.asarray(fit.diverged) & (history.diverged_at < 0)
    history.diverged_at[fresh] = np.asarray(fit.step)[fresh]
    return _Place(fit, stop)


def _with_scores(history: History, place: _Place, problem: Problem) -> History:
    """The history with one more record: the held-out sequences scored at this step."""
    losses, parts = held_out_scores(problem, place.fit.parameters)
    means = np.asarray(losses, np.float64).mean(axis=1)
    errors = [
        error_share(jax.tree.map(lambda leaf, i=i: leaf[i], parts), problem.task.kind)[0]
        for i in range(means.size)
    ]
    return history._replace(
        evaluated_at=np.append(history.evaluated_at, place.step),
        test_losses=np.concatenate([history.test_losses, means[:, None]], axis=1),
        test_errors=np.concatenate([history.test_errors, np.array(errors)[:, None]], axis=1),
    )


def _empty_history(members: int, steps: int, records: int) -> History:
    return History(
        training_losses=np.full((members, steps), np.nan),
        gradient_norms=np.full((members, steps), np.nan),
        evaluated_at=np.zeros(records, int),
        test_losses=np.zeros((members, records)),
        test_errors=np.zeros((members, records)),
        diverged_at=np.full(members, -1),
    )
