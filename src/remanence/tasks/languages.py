"""Formal languages: words of symbols whose value a finite automaton can keep track of.

Train on short words, test on long ones: a model that found the automaton is right at every
length, one that fitted the training lengths falls to chance.
"""

from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PRNGKeyArray

from remanence.tasks._sequences import (
    Scored,
    Split,
    default_float,
    one_hot,
    require_length,
    require_scored,
    require_whole,
    scored_example,
    scored_steps,
)
from remanence.tasks.contract import AbstractTask, Example, Kind

LENGTH_RANGES: Mapping[Split, tuple[int, ...]] = MappingProxyType(
    {"train": tuple(range(3, 41)), "test": tuple(range(40, 257))}
)
"""The published lengths: 3–40 to train on, 40–256 to test on (40 is in both).

Source: Delétang et al. 2023; Beck et al. 2024 (xLSTM), appendix B.1.
"""

Values = tuple[Int[Array, " time"], Bool[Array, " time"]]
"""What each prefix is worth, and where it is worth anything."""


class AbstractFormalLanguage(AbstractTask):
    """Random words, and the value of every prefix.

    A language gives `word`, the symbols, and `values`, what each prefix is worth and where it is
    worth anything. The inputs are the symbols as unit vectors; the targets are the values, scored
    at the `scored` steps: the "last" one, where the whole word has been read, or "every" one
    where the prefix has a value; elsewhere target and weight are 0. No step is added for the
    question: the answer is due at the last symbol.
    """

    scored: eqx.AbstractVar[Scored]

    @property
    @abstractmethod
    def shortest(self) -> int:
        """The least number of symbols that a word can have."""

    @abstractmethod
    def word(self, key: PRNGKeyArray, length: int) -> Int[Array, " time"]:
        """A random word: symbols 0 … inputs − 1."""

    @abstractmethod
    def values(self, word: Int[Array, " time"]) -> Values:
        """The value of the prefix up to each step, 0 … outputs − 1, and where it has one."""

    def sample(self, key: PRNGKeyArray, length: int, *, split: Split = "train") -> Example:
        name = type(self).__name__
        require_length(name, length, self.shortest, "a word has at least that many symbols")
        word = self.word(key, length)
        values, defined = self.values(word)
        weights = defined.astype(default_float()) * scored_steps(length, self.scored)
        return scored_example(one_hot(word, self.inputs), values, weights)


class Parity(AbstractFormalLanguage):
    """Whether the ones so far are odd in number: `y_t = (x_1 + … + x_t) mod 2`, x uniform bits.

    Chance: exactly ½ at every step.

    Raises:
        RemanenceError: if `scored` is neither "last" nor "every".

    Source: Minsky & Papert 1969; as here Delétang et al. 2023.
    """

    scored: Scored = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    outputs: int = eqx.field(static=True)
    kind: Kind = eqx.field(static=True)

    def __init__(self, *, scored: Scored = "last"):
        require_scored("Parity", scored)
        self.scored = scored
        self.inputs, self.outputs, self.kind = 2, 2, "classification"

    @property
    def shortest(self) -> int:
        return 1

    def word(self, key: PRNGKeyArray, length: int) -> Int[Array, " time"]:
        return jax.random.randint(key, (length,), 0, 2)

    def values(self, word: Int[Array, " time"]) -> Values:
        return jnp.cumsum(word) % 2, jnp.ones(word.shape, bool)


class EvenPairs(AbstractFormalLanguage):
    """Whether the neighbouring pairs 01 and 10 are even in number (1) or odd (0), x uniform bits.

    Every such pair is a change, so the answer is 1 exactly where `x_t = x_1`: one bit of memory,
    held for the whole word. Chance: exactly ½ at every step but the first, where it is 1.

    Raises:
        RemanenceError: if `scored` is neither "last" nor "every"; in `sample`, below length 2.

    Source: Delétang et al. 2023.
    """

    scored: Scored = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    outputs: int = eqx.field(static=True)
    kind: Kind = eqx.field(static=True)

    def __init__(self, *, scored: Scored = "last"):
        require_scored("EvenPairs", scored)
        self.scored = scored
        self.inputs, self.outputs, self.kind = 2, 2, "classification"

    @property
    def shortest(self) -> int:
        return 2

    def word(self, key: PRNGKeyArray, length: int) -> Int[Array, " time"]:
        return jax.random.randint(key, (length,), 0, 2)

    def values(self, word: Int[Array, " time"]) -> Values:
        return (word == word[:1]).astype(word.dtype), jnp.ones(word.shape, bool)


class ModularSum(AbstractFormalLanguage):
    """The running sum of digits: `y_t = (x_1 + … + x_t) mod m`, x uniform over 0 … m − 1.

    Chance: exactly `1 / modulus` at every step.

    Args:
        modulus: m, at least 2; with 2 it is parity.

    Raises:
        RemanenceError: if `modulus` is below 2, or `scored` is neither "last" nor "every".

    Source: the cyclic group Z_m; as a test of state tracking: Liu et al. 2023.
    """

    modulus: int = eqx.field(static=True)
    scored: Scored = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    outputs: int = eqx.field(static=True)
    kind: Kind = eqx.field(static=True)

    def __init__(self, modulus: int = 5, *, scored: Scored = "last"):
        require_scored("ModularSum", scored)
        self.modulus = require_whole("ModularSum", "modulus", modulus, 2)
        self.scored = scored
        self.inputs, self.outputs, self.kind = modulus, modulus, "classification"

    @property
    def shortest(self) -> int:
        return 1

    def word(self, key: PRNGKeyArray, length: int) -> Int[Array, " time"]:
        return jax.random.randint(key, (length,), 0, self.modulus)

    def values(self, word: Int[Array, " time"]) -> Values:
        return jnp.cumsum(word) % self.modulus, jnp.ones(word.shape, bool)


class CycleNavigation(AbstractFormalLanguage):
    """Where on a ring of `size` places a walk from place 0 has come to.

    Symbols 0, 1, 2 are the moves −1, 0, +1, uniform; `y_t` is the sum of the moves modulo `size`.
    After t steps place k has probability

        p_t(k) = (1 / size) Σ_j ((1 + 2 cos(2πj / size)) / 3)^t cos(2πjk / size),

    which tends to `1 / size`, the chance level.

    Raises:
        RemanenceError: if `size` is below 2, or `scored` is neither "last" nor "every".

    Source: Delétang et al. 2023 (`size=5`).
    """

    size: int = eqx.field(static=True)
    scored: Scored = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    outputs: int = eqx.field(static=True)
    kind: Kind = eqx.field(static=True)

    def __init__(self, size: int = 5, *, scored: Scored = "last"):
        require_scored("CycleNavigation", scored)
        self.size = require_whole("CycleNavigation", "size", size, 2)
        self.scored = scored
        self.inputs, self.outputs, self.kind = 3, size, "classification"

    @property
    def shortest(self) -> int:
        return 1

    def word(self, key: PRNGKeyArray, length: int) -> Int[Array, " time"]:
        return jax.random.randint(key, (length,), 0, 3)

    def values(self, word: Int[Array, " time"]) -> Values:
        return jnp.cumsum(word - 1) % self.size, jnp.ones(word.shape, bool)
