"""Look things up: recall of values by their keys, and by the nearest key."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from remanence.errors import RemanenceError
from remanence.tasks._sequences import (
    Scored,
    Split,
    default_float,
    one_hot,
    random_positions,
    require_length,
    require_scored,
    require_whole,
    scored_example,
    scored_steps,
)
from remanence.tasks.contract import AbstractTask, Example, Kind


class MultiQueryRecall(AbstractTask):
    """Keys with their values, and then each key again, asking for its value (MQAR).

        inputs   k_1 v_1 k_2 v_2 … k_n v_n   blank k_3 blank blank k_1 … k_2 blank
        targets              –                     v_3             v_1   v_2

    The n = `pairs` keys are distinct, in the first half of the vocabulary
    (0 … ⌊V/2⌋ − 1); values are uniform in the rest. After the `2n` steps of pairs every key is
    asked once, in random order, at random places (every subset equally likely) of the remaining
    `length − 2n` steps; the others hold a blank, symbol V. All are unit vectors. A target is the
    value's number among the values, `v − ⌊V/2⌋`, scored at the questions only.
    Chance: accuracy `1 / outputs`.

    Args:
        pairs: n, at least 1 and at most the number of keys.
        vocabulary: V, keys and values together, at least 4.

    Raises:
        RemanenceError: if there are fewer keys than pairs, or a number is too small; in
            `sample`, if `length` is below `3 pairs`.

    Source: Arora et al. 2024 (Zoology), who draw the gaps between questions from a power law;
    Beck et al. 2024 (xLSTM), appendix B.1.
    """

    pairs: int = eqx.field(static=True)
    vocabulary: int = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    outputs: int = eqx.field(static=True)
    kind: Kind = eqx.field(static=True)

    def __init__(self, pairs: int = 8, vocabulary: int = 64):
        owner = "MultiQueryRecall"
        self.pairs = require_whole(owner, "pairs", pairs, 1)
        self.vocabulary = require_whole(owner, "vocabulary", vocabulary, 4, "two keys, two values")
        if pairs > vocabulary // 2:
            raise RemanenceError(
                f"{owner}: {pairs} pairs need as many keys, a vocabulary of {vocabulary} has "
                f"{vocabulary // 2}: take a vocabulary of at least {2 * pairs}"
            )
        self.inputs, self.outputs = vocabulary + 1, vocabulary - vocabulary // 2
        self.kind = "classification"

    def sample(self, key: PRNGKeyArray, length: int, *, split: Split = "train") -> Example:
        n, first_value = self.pairs, self.vocabulary // 2
        require_length("MultiQueryRecall", length, 3 * n, f"{n} pairs and {n} questions")
        key_key, value_key, order_key, place_key = jax.random.split(key, 4)
        keys = jax.random.choice(key_key, first_value, (n,), replace=False)
        values = jax.random.randint(value_key, (n,), 0, self.outputs)
        order = jax.random.permutation(order_key, n)
        places = 2 * n + random_positions(place_key, length - 2 * n, n)
        word = jnp.full((length,), self.vocabulary, keys.dtype)
        word = word.at[: 2 * n : 2].set(keys).at[1 : 2 * n : 2].set(first_value + values)
        word = word.at[places].set(keys[order])
        targets = jnp.zeros((length,), values.dtype).at[places].set(values[order])
        weights = jnp.zeros((length,), default_float()).at[places].set(1.0)
        return Example(one_hot(word, self.inputs), targets, weights)


class NearestNeighbour(AbstractTask):
    """The number attached to the vector nearest to the first one, among those seen so far.

    Inputs are `(cos φ_t, sin φ_t, u_t)`, φ uniform on the circle, u uniform in [0, 1). The first
    vector is the one sought and carries no number (`u_0 = 0`); from the second step on

        y_t = u_s,  s = the step in 1 … t whose angle to φ_0 is least.

    A closer vector revises the answer: what was stored must be overwritten. The best constant
    answer, ½, has mean squared error 1/12.

    Args:
        scored: the "last" step, or "every" one from the second on.

    Raises:
        RemanenceError: if `scored` is unknown; in `sample`, if `length` is below 2.

    Source: Beck et al. 2024 (xLSTM), Figure 2 (lengths up to 64, the last step scored).
    """

    scored: Scored = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    outputs: int = eqx.field(static=True)
    kind: Kind = eqx.field(static=True)

    def __init__(self, *, scored: Scored = "last"):
        require_scored("NearestNeighbour", scored)
        self.scored = scored
        self.inputs, self.outputs, self.kind = 3, 1, "regression"

    def sample(self, key: PRNGKeyArray, length: int, *, split: Split = "train") -> Example:
        require_length("NearestNeighbour", length, 2, "a vector to seek, and one to find")
        angle_key, number_key = jax.random.split(key)
        # Measured from the sought angle, so that near ones keep their digits (a cosine would
        # not), and the distance of turned angles to 0 is their size.
        turn = jax.random.uniform(angle_key, (length,), minval=-np.pi, maxval=np.pi)
        turned = jnp.abs(turn[1:])
        angle = turn[0] + jnp.concatenate([jnp.zeros(1, turn.dtype), turn[1:]])
        numbers = jax.random.uniform(number_key, (length - 1,))
        # Held to what came before: a value computed twice may be rounded in two ways.
        before = jnp.concatenate([jnp.full(1, jnp.inf, turned.dtype), jax.lax.cummin(turned)[:-1]])
        record = turned < before
        step = jnp.arange(length - 1)
        nearest = jax.lax.cummax(jnp.where(record, step, jnp.zeros_like(step)))
        blank = jnp.zeros(1, numbers.dtype)
        xs = [jnp.cos(angle), jnp.sin(angle), jnp.concatenate([blank, numbers])]
        targets = jnp.concatenate([blank, numbers[nearest]])[:, None]
        weights = scored_steps(length, self.scored, first=1)
        return scored_example(jnp.stack(xs, axis=1), targets, weights)
