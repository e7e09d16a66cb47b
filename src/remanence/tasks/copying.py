"""Memorise symbols and reproduce them in order: the copy task and selective copying."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from remanence.tasks._sequences import (
    Split,
    one_hot,
    random_positions,
    require_length,
    require_whole,
    steps_from,
)
from remanence.tasks.contract import AbstractTask, Example, Kind


class Copy(AbstractTask):
    """Symbols, a wait, a marker, and then the same symbols in order.

        inputs   s_1 … s_n   blank × w   marker   blank × n        length = 2n + w + 1
        targets      –           –         –      s_1 … s_n

    Symbols are uniform over 0 … alphabet − 1; the blank is symbol `alphabet`, the marker
    `alphabet + 1`; all are unit vectors. Only the n answers are scored (elsewhere the target is
    0 with weight 0). Chance: accuracy `1 / alphabet`.

    What a longer sequence means is a choice:

    - `items=None`: more to remember. n = ⌊(length − 1) / 2⌋, w = 0 (1 where length is even).
    - `items=n`: the same n symbols, remembered longer. w = length − 2n − 1.

    Raises:
        RemanenceError: if a number is too small; in `sample`, if `length` is too short.

    Source: Hochreiter & Schmidhuber 1997; Arjovsky, Shah & Bengio 2016 (the layout, with
    `items=10`, `alphabet=8`; they score the blanks too).

        >>> Copy(alphabet=2).sample(jax.random.key(0), 5).weights.tolist()
        [0.0, 0.0, 0.0, 1.0, 1.0]
    """

    items: int | None = eqx.field(static=True)
    alphabet: int = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    outputs: int = eqx.field(static=True)
    kind: Kind = eqx.field(static=True)

    def __init__(self, items: int | None = None, *, alphabet: int = 8):
        if items is not None:
            require_whole("Copy", "items", items, 1)
        self.items = items
        self.alphabet = require_whole("Copy", "alphabet", alphabet, 2, "one symbol says nothing")
        self.inputs, self.outputs, self.kind = alphabet + 2, alphabet, "classification"

    def sample(self, key: PRNGKeyArray, length: int, *, split: Split = "train") -> Example:
        least = 3 if self.items is None else 2 * self.items + 1
        require_length("Copy", length, least, "the symbols, the marker and the symbols again")
        items = (length - 1) // 2 if self.items is None else self.items
        symbols = jax.random.randint(key, (items,), 0, self.alphabet)
        word = jnp.full((length,), self.alphabet, symbols.dtype)
        word = word.at[:items].set(symbols).at[length - items - 1].set(self.alphabet + 1)
        targets = jnp.zeros_like(word).at[length - items :].set(symbols)
        return Example(one_hot(word, self.inputs), targets, steps_from(length, length - items))


class SelectiveCopy(AbstractTask):
    """Symbols scattered among blanks, to be reproduced in order at the end.

        inputs   blank s_1 blank blank s_2 … s_n blank   marker × n
        targets                  –                       s_1 … s_n

    The n = `items` symbols stand at random places (every subset equally likely) of the first
    `length − items` steps. Symbols are uniform over 0 … alphabet − 1; the blank is symbol
    `alphabet`, the marker `alphabet + 1`; all are unit vectors. Only the answers are scored.
    Length moves the symbols apart; no fixed delay solves it, the input decides what is kept.
    Chance: accuracy `1 / alphabet`.

    Raises:
        RemanenceError: if a number is too small; in `sample`, if `length` is below `2 items`.

    Source: Jing et al. 2019; Gu & Dao 2023 (`items=16`, `alphabet=16`, length 4096).
    """

    items: int = eqx.field(static=True)
    alphabet: int = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    outputs: int = eqx.field(static=True)
    kind: Kind = eqx.field(static=True)

    def __init__(self, items: int = 16, *, alphabet: int = 16):
        owner = "SelectiveCopy"
        self.items = require_whole(owner, "items", items, 1)
        self.alphabet = require_whole(owner, "alphabet", alphabet, 2, "one symbol says nothing")
        self.inputs, self.outputs, self.kind = alphabet + 2, alphabet, "classification"

    def sample(self, key: PRNGKeyArray, length: int, *, split: Split = "train") -> Example:
        why = f"{self.items} symbols and as many answers"
        require_length("SelectiveCopy", length, 2 * self.items, why)
        body = length - self.items
        symbol_key, place_key = jax.random.split(key)
        symbols = jax.random.randint(symbol_key, (self.items,), 0, self.alphabet)
        places = random_positions(place_key, body, self.items)
        word = jnp.full((length,), self.alphabet, symbols.dtype)
        word = word.at[places].set(symbols).at[body:].set(self.alphabet + 1)
        targets = jnp.zeros_like(word).at[body:].set(symbols)
        return Example(one_hot(word, self.inputs), targets, steps_from(length, body))
