"""What a task is: where sequences come from, and which of their outputs are scored."""

from abc import abstractmethod
from typing import Literal, NamedTuple

import equinox as eqx
from jaxtyping import Array, Float, Int, PRNGKeyArray

Split = Literal["train", "test"]
Kind = Literal["regression", "classification"]


class Example(NamedTuple):
    """One sequence: inputs, what the outputs should be, and what counts.

    - `inputs` (time, inputs).
    - `targets`: (time, outputs) for regression; (time,) class numbers for classification.
    - `weights` (time,): how much each time step is scored; zero where it is not.
    """

    inputs: Float[Array, "time inputs"]
    targets: Float[Array, "time outputs"] | Int[Array, " time"]
    weights: Float[Array, " time"]


class AbstractTask(eqx.Module):
    """A source of sequences of any length.

    `inputs` and `outputs` are sizes of the vectors at each time step (`outputs` is the number of
    classes for classification); `kind` says what the loss is. Every random number comes from the
    key, so the same key is the same sequence.
    """

    inputs: eqx.AbstractVar[int]
    outputs: eqx.AbstractVar[int]
    kind: eqx.AbstractVar[Kind]

    @abstractmethod
    def sample(self, key: PRNGKeyArray, length: int, *, split: Split = "train") -> Example:
        """One sequence of `length` time steps; works inside `jit` and `vmap`.

        `length` is static. Synthetic tasks draw afresh in both splits (use other keys); tasks on
        recorded data draw from disjoint parts.

        Raises:
            RemanenceError: if the task has no sequence of that length, saying which it has.
        """
