"""Add two marked numbers."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from remanence.tasks._sequences import Split, require_length, scored_steps
from remanence.tasks.contract import AbstractTask, Example, Kind


class Adding(AbstractTask):
    """The sum of the two marked numbers, asked for at the last step.

    Inputs are `(u_t, m_t)`: `u_t` uniform in [0, 1), and `m_t` 1 at two steps, 0 elsewhere. One
    mark is uniform over the first half of the sequence (the first ⌊length / 2⌋ steps), the other
    over the rest. Always answering 1 has mean squared error 1/6.

    Raises:
        RemanenceError: in `sample`, if `length` is below 2.

    Source: Hochreiter & Schmidhuber 1997; this form: Arjovsky, Shah & Bengio 2016.
    """

    CONSTANT_ERROR: ClassVar[float] = 1 / 6
    """The mean squared error of the best constant answer."""

    inputs: int = eqx.field(static=True)
    outputs: int = eqx.field(static=True)
    kind: Kind = eqx.field(static=True)

    def __init__(self):
        self.inputs, self.outputs, self.kind = 2, 1, "regression"

    def sample(self, key: PRNGKeyArray, length: int, *, split: Split = "train") -> Example:
        require_length("Adding", length, 2, "two numbers are added")
        half = length // 2
        number_key, first_key, second_key = jax.random.split(key, 3)
        numbers = jax.random.uniform(number_key, (length,))
        first = jax.random.randint(first_key, (), 0, half)
        second = jax.random.randint(second_key, (), half, length)
        marks = jnp.zeros_like(numbers).at[first].set(1.0).at[second].set(1.0)
        targets = jnp.zeros((length, 1), numbers.dtype).at[-1, 0].set(jnp.sum(numbers * marks))
        return Example(jnp.stack([numbers, marks], axis=1), targets, scored_steps(length, "last"))
