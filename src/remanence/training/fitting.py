"""Minibatch training of any recurrent layer on any task, resumable to the same bits."""

import dataclasses
import os
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, Int, PRNGKeyArray

from remanence.errors import NumericalError
from remanence.layers.contract import AbstractRecurrentLayer
from remanence.tasks.contract import AbstractTask
from remanence.training.checks import (
    require_keys,
    require_model_and_task,
    require_number,
    require_optimiser,
)
from remanence.training.loop import run
from remanence.training.minibatches import member_of
from remanence.training.optimisers import default_optimiser, require_geodesics
from remanence.training.settings import settings_of


@dataclasses.dataclass(frozen=True)
class Training:
    """A trained model and what it went through.

    - `model`: as after the last step; after a divergence as it was at the last step whose loss
      and gradient were finite.
    - `training_losses` (steps,): the loss of the fresh batch that step i (from 0) descended,
      before its update; NaN where there was no step.
    - `gradient_norms` (steps,): the norm of the whole gradient there, before clipping; points of
      the disc in its own metric (`gradient_norm`).
    - `evaluated_at` (records,): after how many steps the held-out sequences were scored.
    - `test_losses`, `test_errors` (records,): their mean loss; their unexplained share 1 − R²,
      or the share of scored steps wrong.
    - `diverged_at`: the step whose loss or gradient was not finite, or -1.
    """

    model: AbstractRecurrentLayer
    training_losses: Float[np.ndarray, " steps"]
    gradient_norms: Float[np.ndarray, " steps"]
    evaluated_at: Int[np.ndarray, " records"]
    test_losses: Float[np.ndarray, " records"]
    test_errors: Float[np.ndarray, " records"]
    diverged_at: int

    def raise_if_diverged(self) -> None:
        """Raise `NumericalError` naming the step that diverged."""
        if self.diverged_at >= 0:
            raise NumericalError(
                f"training diverged at step {self.diverged_at}: the loss or its gradient is no "
                "longer finite; use a smaller learning rate or clip the gradient"
            )


def train(
    model: AbstractRecurrentLayer,
    task: AbstractTask,
    *,
    steps: int,
    batch: int,
    lengths: int | np.integer | Sequence[int | np.integer],
    optimiser: optax.GradientTransformation | None = None,
    key: PRNGKeyArray,
    pieces: int = 1,
    clip: float | int | None = None,
    method: str = "auto",
    evaluate_every: int | str = "log",
    test_sequences: int = 64,
    test_length: int | None = None,
    checkpoint: str | os.PathLike | None = None,
    checkpoint_seconds: float | int = 60,
    on_progress: Callable[[float], None] | None = None,
) -> Training:
    """Minimise the mean `sequence_loss` of fresh batches: `θ ← θ + optimiser(clip(∇L))`.

    Every step draws `batch` new sequences of one length, with several `lengths` one of them at
    random for each step; every length is a branch of the one compiled program, so that compile
    time grows with their number. All that is random comes from `key` and the number of the step.
    The steps run inside compiled legs of about half a second.

    - `optimiser`: any Optax transform, schedules included; `adamw_by_role(1e-3)` if not given.
      Points of the disc (`HyperbolicEigenvalues`) need one that knows them: it or `by_role`.
    - `pieces`: every sequence has `pieces` times the length and is learned in as many steps, one
      for each piece; the state after a piece, its gradient stopped, is the state before the next
      (truncated backpropagation through time). 1: every step starts from the initial state. Each
      piece descends its own loss, its weights over their own sum: what is scored only at the end
      teaches nothing about earlier pieces, which still take a step of momentum and weight decay.
      The whole sequences are held, in the checkpoint too; side by side (`members_by="vmap"`)
      members draw them anew for every piece.
    - `clip`: the largest norm of the whole gradient; longer ones are scaled down to it.
    - `method`: the layer's engine. A layer whose call accepts `key` gets one, for dropout, in
      training but not in evaluation.
    - `evaluate_every`: steps between evaluations, "log" for even spacing in the logarithm of the
      step, or "end" for the first and the last only. Evaluated are always the same
      `test_sequences` sequences of `test_length` (that of the longest whole sequence trained on)
      of the split "test", from the initial state.
    - `checkpoint`: a file that the run is saved to at the start, every `checkpoint_seconds`, at
      the end and when it is interrupted. If it is there already the run goes on from it, and
      ends with the same bits as one that was never interrupted (with the same versions on the
      same machine); a finished one is returned at once. The code of tasks, layers and functions
      of your own counts among the settings. A run that cannot start leaves no file.
    - `on_progress`: hears the share that is done, every leg; an `AbstractProgress.update` will
      do. What it raises ends the run.

    A loss or gradient that is not finite ends the run without raising: see `Training` and
    `Training.raise_if_diverged`.

    Raises:
        RemanenceError: for settings out of range, several lengths with `pieces`, sizes of model
            and task that do not fit, complex parameters, a plain optimiser of points of the disc,
            or a checkpoint of a run with other settings (naming the first that differs).

        trained = train(model, task, steps=1000, batch=32, lengths=100, key=jax.random.key(0))
    """
    require_model_and_task("train", model, task)
    settings = settings_of(
        "train",
        steps=steps,
        batch=batch,
        lengths=lengths,
        pieces=pieces,
        clip=clip,
        method=method,
        evaluate_every=evaluate_every,
        test_sequences=test_sequences,
        test_length=test_length,
    )
    optimiser = default_optimiser(1e-3) if optimiser is None else optimiser
    require_optimiser("train", optimiser)
    require_geodesics("train", optimiser, model)
    alone = jax.tree.map(lambda leaf: leaf[None] if eqx.is_array(leaf) else leaf, model)
    models, history = run(
        alone,
        task,
        settings,
        keys=require_keys("train", "key", key)[None],
        rates=jnp.ones(1),
        optimiser=optimiser,
        checkpoint=checkpoint,
        checkpoint_seconds=require_number(
            "train", "checkpoint_seconds", checkpoint_seconds, least=0
        ),
        on_progress=on_progress,
    )
    return Training(
        model=member_of(models, 0),
        training_losses=history.training_losses[0],
        gradient_norms=history.gradient_norms[0],
        evaluated_at=history.evaluated_at,
        test_losses=history.test_losses[0],
        test_errors=history.test_errors[0],
        diverged_at=int(history.diverged_at[0]),
    )
