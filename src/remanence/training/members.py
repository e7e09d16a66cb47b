"""Many models at once: other seeds, other learning rates, one compiled program."""

import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key, PRNGKeyArray

from remanence.errors import NumericalError, RemanenceError, nearest_name
from remanence.layers.contract import AbstractRecurrentLayer
from remanence.tasks.contract import AbstractTask
from remanence.training.checks import (
    require_keys,
    require_model_and_task,
    require_number,
    shown,
)
from remanence.training.fitting import Training
from remanence.training.loop import run
from remanence.training.minibatches import member_of
from remanence.training.optimisers import (
    RatedOptimiser,
    adamw_by_role,
    require_rated_optimiser,
)
from remanence.training.settings import settings_of

Criterion = Literal["test_errors", "test_losses", "training_losses"]


@dataclasses.dataclass(frozen=True)
class MembersTraining:
    """Trained models, stacked, and what each went through; `Training` says what it all means.

    - `models`: with a leading axis of members on every array.
    - `learning_rates` (members,).
    - `training_losses`, `gradient_norms` (members, steps).
    - `evaluated_at` (records,), `test_losses`, `test_errors` (members, records).
    - `diverged_at` (members,): the step whose loss or gradient was not finite, or -1.
    """

    models: AbstractRecurrentLayer
    learning_rates: Float[np.ndarray, " members"]
    training_losses: Float[np.ndarray, "members steps"]
    gradient_norms: Float[np.ndarray, "members steps"]
    evaluated_at: Int[np.ndarray, " records"]
    test_losses: Float[np.ndarray, "members records"]
    test_errors: Float[np.ndarray, "members records"]
    diverged_at: Int[np.ndarray, " members"]

    def member(self, index: int) -> Training:
        """One member as if it had been trained alone."""
        return Training(
            model=member_of(self.models, index),
            training_losses=self.training_losses[index],
            gradient_norms=self.gradient_norms[index],
            evaluated_at=self.evaluated_at,
            test_losses=self.test_losses[index],
            test_errors=self.test_errors[index],
            diverged_at=int(self.diverged_at[index]),
        )

    def best(self, by: str = "test_losses", *, last: int = 1) -> int:
        """The member with the lowest mean of the `last` values of `by`, among those that live.

        `by` is "test_losses", "test_errors" or "training_losses"; for the last of these, which
        are noisy, take a longer mean. Its model is `result.member(result.best()).model`.

        Raises:
            NumericalError: if every member diverged.
            RemanenceError: for an unknown `by` or `last` below one.
        """
        known = ("test_losses", "test_errors", "training_losses")
        if by not in known:
            raise RemanenceError(
                f"best: {by!r} is none of {', '.join(known)}{nearest_name(by, known)}"
            )
        if last < 1:
            raise RemanenceError(f"best: last must be at least 1, got {last}")
        scores = getattr(self, by)[:, -last:].mean(axis=1)
        usable = (self.diverged_at < 0) & np.isfinite(scores)
        if not usable.any():
            raise NumericalError(
                f"all {usable.size} members diverged, the last at step "
                f"{self.diverged_at.max()}; use smaller learning rates or clip the gradient"
            )
        return int(np.argmin(np.where(usable, scores, np.inf)))

    def raise_if_diverged(self) -> None:
        """Raise `NumericalError` naming the first member that diverged, its rate and its step."""
        failed = np.flatnonzero(self.diverged_at >= 0)
        if failed.size:
            first = failed[np.argmin(self.diverged_at[failed])]
            raise NumericalError(
                f"training diverged at step {self.diverged_at[first]} in member {first}, "
                f"learning rate {self.learning_rates[first]:g} ({failed.size} of "
                f"{self.diverged_at.size} members): the loss or its gradient is no longer "
                "finite; use a smaller learning rate or clip the gradient"
            )


def stack_models(
    make: Callable[[PRNGKeyArray], AbstractRecurrentLayer], keys: Key[Array, " members"]
) -> AbstractRecurrentLayer:
    """`make(key)` for each of `keys` (members,), with a leading axis of members on every array.

    stack_models(lambda key: LRU(inputs=1, state=64, outputs=1, key=key), jax.random.split(key, 8))
    """
    return eqx.filter_vmap(make)(keys)


def train_members(
    models: AbstractRecurrentLayer,
    task: AbstractTask,
    *,
    learning_rates: Sequence[float | int] | Float[np.ndarray, " rates"],
    steps: int,
    batch: int,
    lengths: int | np.integer | Sequence[int | np.integer],
    optimiser: RatedOptimiser | None = None,
    keys: Key[Array, " keys"],
    pieces: int = 1,
    clip: float | int | None = None,
    method: str = "auto",
    evaluate_every: int | str = "log",
    test_sequences: int = 64,
    test_length: int | None = None,
    members_by: str = "map",
    checkpoint: str | os.PathLike | None = None,
    checkpoint_seconds: float | int = 60,
    on_progress: Callable[[float], None] | None = None,
) -> MembersTraining:
    """`train` for every member of a stack of models, in one compiled program.

    Member i has the parameters `models[i]`, the randomness of `keys[i]` (give the same key to
    all for the same batches) and the rate `learning_rates[i]`. `optimiser` is a function of the
    rate, `adamw_by_role` if not given, which is called with a traced scalar in the compiled
    program; or a transform of the rate one, `optax.adam(1.0)`, whose updates are multiplied by
    the rate. Steps along geodesics cannot be: `HyperbolicEigenvalues` need the function. Alone,
    with `optimiser(rate)` or `optax.chain(optimiser, optax.scale(rate))`, a member gives the same
    numbers.

    `members_by="map"` runs members one after another (`lax.map`), so that the memory needed is
    that of one; "vmap" runs them side by side, for accelerators and many tiny models. Measured
    on a CPU (benchmarks/training.py) for an LRU by convolution, in model-steps per CPU-second:
    "map" 2,659 and "vmap" 3,228 with 8 members, 2,367 and 3,144 with 64. "vmap" loses where
    every state is held. All else is as in `train`; members that diverge stop there while the
    others go on.

    Raises:
        RemanenceError: as `train`, and if the numbers of models, rates and keys differ.

        models = stack_models(make, jax.random.split(key, 4))
        train_members(models, task, learning_rates=[1e-4, 3e-4, 1e-3, 3e-3], keys=…, …)
    """
    require_model_and_task("train_members", models, task)
    settings = settings_of(
        "train_members",
        steps=steps,
        batch=batch,
        lengths=lengths,
        pieces=pieces,
        clip=clip,
        method=method,
        evaluate_every=evaluate_every,
        test_sequences=test_sequences,
        test_length=test_length,
        members_by=members_by,
    )
    rates = as_rates("train_members", learning_rates)
    keys = require_keys("train_members", "keys", keys, ndim=1)
    optimiser = adamw_by_role if optimiser is None else optimiser
    check_members("train_members", models, rates.shape, keys.shape)
    require_rated_optimiser("train_members", optimiser, models)
    trained, history = run(
        models,
        task,
        settings,
        keys=keys,
        rates=jnp.asarray(rates),
        optimiser=optimiser,
        checkpoint=checkpoint,
        checkpoint_seconds=require_number(
            "train_members", "checkpoint_seconds", checkpoint_seconds, least=0
        ),
        on_progress=on_progress,
    )
    return MembersTraining(models=trained, learning_rates=rates, **history._asdict())


def as_rates(owner: str, given: Any) -> Float[np.ndarray, "..."]:
    """Learning rates as an array; `RemanenceError` unless all are finite numbers."""
    try:
        rates = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        rates = np.array(np.nan)
    if not np.isfinite(rates).all():
        raise RemanenceError(f"{owner}: learning_rates must be finite numbers, got {shown(given)}")
    return rates


def check_members(
    owner: str,
    models: AbstractRecurrentLayer,
    rates: tuple[int, ...],
    keys: tuple[int, ...] | None = None,
) -> None:
    """Raise `RemanenceError` unless `models` is a stack with as many members as rates and keys."""
    sizes = {leaf.shape[:1] for leaf in jax.tree.leaves(eqx.filter(models, eqx.is_array))}
    if len(sizes) != 1 or sizes == {()}:
        raise RemanenceError(
            f"{owner}: the arrays of {type(models).__name__} have no common leading axis "
            "of members; make them with stack_models"
        )
    (members,) = sizes.pop()
    if keys is None and rates != (members,):
        raise RemanenceError(
            f"{owner}: {members} models need as many learning rates, got shape {rates}"
        )
    if keys is not None and (rates != (members,) or keys != (members,)):
        raise RemanenceError(
            f"{owner}: {members} models need as many learning rates and keys, got shapes "
            f"{rates} and {keys}; for one key everywhere repeat it"
        )
