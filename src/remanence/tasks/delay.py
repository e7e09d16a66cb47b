"""Say again what was heard a fixed number of steps ago."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from remanence.errors import RemanenceError
from remanence.tasks._sequences import Split, one_hot, require_length, require_whole, steps_from
from remanence.tasks.contract import AbstractTask, Example, Kind


class Delay(AbstractTask):
    """`y_t = x_{t − steps}`, scored from the first step where it is defined.

    - Regression (`alphabet` not given): `x_t` is standard normal, `channels` of them.
    - Classification: `x_t` is one of `alphabet` symbols, uniform, as a unit vector.

    Before step `steps` the targets are 0 and the weights are 0. Chance: mean squared error 1, or
    accuracy `1 / alphabet`.

    Args:
        steps: the delay, from 0.
        channels: how many numbers at each time step (regression).
        alphabet: how many symbols (classification), at least 2.

    Raises:
        RemanenceError: if a number is too small, or `channels` is given with an alphabet; in
            `sample`, if `length` is not above `steps`.

    Source: Jaeger 2001 (short-term memory of echo-state networks).

        >>> Delay(2).sample(jax.random.key(0), 5).weights.tolist()
        [0.0, 0.0, 1.0, 1.0, 1.0]
    """

    steps: int = eqx.field(static=True)
    alphabet: int | None = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    outputs: int = eqx.field(static=True)
    kind: Kind = eqx.field(static=True)

    def __init__(self, steps: int = 10, *, channels: int = 1, alphabet: int | None = None):
        self.steps = require_whole("Delay", "steps", steps, 0)
        channels = require_whole("Delay", "channels", channels, 1)
        if alphabet is not None:
            require_whole("Delay", "alphabet", alphabet, 2, "one symbol says nothing")
            if channels != 1:
                raise RemanenceError(
                    "Delay: channels is for numbers; symbols have one channel: "
                    "leave out channels or alphabet"
                )
        self.alphabet = alphabet
        self.inputs = self.outputs = channels if alphabet is None else alphabet
        self.kind = "regression" if alphabet is None else "classification"

    def sample(self, key: PRNGKeyArray, length: int, *, split: Split = "train") -> Example:
        require_length("Delay", length, self.steps + 1, f"the delay is {self.steps} steps")
        weights = steps_from(length, self.steps)
        if self.alphabet is None:
            xs = jax.random.normal(key, (length, self.inputs))
            blank = jnp.zeros((self.steps, self.inputs), xs.dtype)
            return Example(xs, jnp.concatenate([blank, xs[: length - self.steps]]), weights)
        symbols = jax.random.randint(key, (length,), 0, self.alphabet)
        blank = jnp.zeros((self.steps,), symbols.dtype)
        targets = jnp.concatenate([blank, symbols[: length - self.steps]])
        return Example(one_hot(symbols, self.alphabet), targets, weights)
