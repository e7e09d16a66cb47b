"""The settings of a training run, checked once, and told apart by a checkpoint."""

import dataclasses
import json
from typing import Any, Literal

import jax
import numpy as np
from jaxtyping import Array, Float, Int, Key

from remanence.errors import RemanenceError
from remanence.layers.contract import AbstractRecurrentLayer
from remanence.tasks.contract import AbstractTask
from remanence.training.checks import (
    is_whole,
    require_lengths,
    require_method,
    require_number,
    require_whole,
    require_word,
    shown,
)
from remanence.training.descent import record_steps
from remanence.training.descriptions import described
from remanence.training.minibatches import MembersBy
from remanence.training.optimisers import RatedOptimiser

RECORDS_PER_DECADE = 6

EvaluateEvery = int | Literal["log", "end"]


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to train; `fitting.train` says what each means."""

    steps: int
    batch: int
    lengths: tuple[int, ...]
    pieces: int
    clip: float | None
    method: str
    evaluate_every: EvaluateEvery
    test_sequences: int
    test_length: int
    members_by: MembersBy

    @property
    def schedule(self) -> Int[np.ndarray, " records"]:
        """The steps at which the held-out sequences are scored, 0 and the last among them."""
        if self.evaluate_every == "log":
            return record_steps(self.steps, RECORDS_PER_DECADE)
        every = self.steps if self.evaluate_every == "end" else int(self.evaluate_every)
        return np.unique([*range(0, self.steps, every), self.steps])


def settings_of(
    owner: str,
    *,
    steps: Any,
    batch: Any,
    lengths: Any,
    pieces: Any,
    clip: Any,
    method: Any,
    evaluate_every: Any,
    test_sequences: Any,
    test_length: Any,
    members_by: Any = "map",
) -> Settings:
    """Checked settings; raises `RemanenceError` naming the one that is out of range."""
    chosen = require_lengths(owner, "lengths", lengths, "every length")
    if not isinstance(evaluate_every, str):
        if not is_whole(evaluate_every) or evaluate_every < 1:
            raise RemanenceError(
                f"{owner}: evaluate_every must be a whole number of at least 1, 'log' or 'end', "
                f"got {shown(evaluate_every)}"
            )
        evaluate_every = int(evaluate_every)
    else:
        require_word(owner, "evaluate_every", evaluate_every, ("log", "end"))
    pieces = require_whole(owner, "pieces", pieces)
    if pieces > 1 and len(chosen) > 1:
        raise RemanenceError(
            f"{owner}: sequences in {pieces} pieces need one length for all of them, got lengths "
            f"{shown(chosen)}"
        )
    require_word(owner, "members_by", members_by, ("map", "vmap"))
    require_method(owner, method)
    return Settings(
        steps=require_whole(owner, "steps", steps),
        batch=require_whole(owner, "batch", batch),
        lengths=chosen,
        pieces=pieces,
        clip=None
        if clip is None
        else require_number(owner, "clip", clip, above=0, otherwise="; None clips nothing"),
        method=method,
        evaluate_every=evaluate_every,  # pyright: ignore[reportArgumentType]
        test_sequences=require_whole(owner, "test_sequences", test_sequences),
        test_length=(
            pieces * max(chosen)
            if test_length is None
            else require_whole(owner, "test_length", test_length)
        ),
        members_by=members_by,
    )


def agreement(
    models: AbstractRecurrentLayer,
    task: AbstractTask,
    settings: Settings,
    *,
    keys: Key[Array, " members"],
    rates: Float[Array, " members"],
    optimiser: RatedOptimiser,
) -> dict[str, Any]:
    """Everything that decides the numbers of a run, as flat settings for its checkpoint."""
    return {
        **dataclasses.asdict(settings),
        "key": json.dumps(np.asarray(jax.random.key_data(keys)).tolist()),
        "learning_rates": np.asarray(rates).tolist(),
        **described("model", models),
        **described("task", task),
        **described("optimiser", optimiser),
    }
