"""The settings of a training run, checked once, and told apart by a checkpoint."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, Literal

import jax
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Key

from remanence.errors import RemanenceError, nearest_name
from remanence.layers.contract import AbstractRecurrentLayer
from remanence.tasks.contract import AbstractTask
from remanence.training.checkpoints import described
from remanence.training.descent import record_steps
from remanence.training.minibatches import MembersBy

RECORDS_PER_DECADE = 6

EvaluateEvery = int | Literal["log", "end"]


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to train; `fitting.train` says what each means."""

    steps: int
    batch: int
    lengths: tuple[int, ...]
    clip: float | int | None
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
    *,
    steps: int,
    batch: int,
    lengths: int | Sequence[int],
    clip: float | int | None = None,
    method: str = "auto",
    evaluate_every: int | str = "log",
    test_sequences: int = 64,
    test_length: int | None = None,
    members_by: str = "map",
) -> Settings:
    """Checked settings; raises `RemanenceError` for numbers below one and unknown words."""
    chosen = (lengths,) if isinstance(lengths, int) else tuple(int(n) for n in lengths)
    if not chosen:
        raise RemanenceError("train: lengths is empty; give at least one length")
    test_length = max(chosen) if test_length is None else test_length
    for name, value in (
        ("steps", steps),
        ("batch", batch),
        ("every length", min(chosen)),
        ("test_sequences", test_sequences),
        ("test_length", test_length),
        ("evaluate_every", evaluate_every if isinstance(evaluate_every, int) else 1),
    ):
        if value < 1:
            raise RemanenceError(f"train: {name} must be at least 1, got {value}")
    if clip is not None and not clip > 0:
        raise RemanenceError(f"train: clip must be positive, got {clip}; None clips nothing")
    for name, word, known in (
        ("evaluate_every", evaluate_every, ("log", "end")),
        ("members_by", members_by, ("map", "vmap")),
    ):
        if isinstance(word, str) and word not in known:
            raise RemanenceError(
                f"train: {name} {word!r} is none of {', '.join(known)}{nearest_name(word, known)}"
            )
    return Settings(
        steps=steps,
        batch=batch,
        lengths=chosen,
        clip=clip,
        method=method,
        evaluate_every=evaluate_every,  # pyright: ignore[reportArgumentType]
        test_sequences=test_sequences,
        test_length=test_length,
        members_by=members_by,  # pyright: ignore[reportArgumentType]
    )


def agreement(
    models: AbstractRecurrentLayer,
    task: AbstractTask,
    settings: Settings,
    *,
    keys: Key[Array, " members"],
    rates: Float[Array, " members"],
    optimiser: optax.GradientTransformation,
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
