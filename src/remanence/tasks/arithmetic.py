"""Arithmetic modulo m without brackets, multiplication before addition."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PRNGKeyArray

from remanence.tasks._sequences import Scored, require_scored, require_whole
from remanence.tasks.contract import Kind
from remanence.tasks.languages import AbstractFormalLanguage, Values


class ModularArithmetic(AbstractFormalLanguage):
    """The value modulo m of an expression such as `3 + 4 × 2 − 1`, × before + and −.

    Digits 0 … m − 1 and operators alternate, each uniform. Symbols: the digits, then `+` = m,
    `−` = m + 1, `×` = m + 2, and a blank, m + 3. An expression has an odd number of symbols; a
    word of even length starts with one blank. A prefix has a value where it ends in a digit, so
    the last step always has one, and `scored="every"` scores every other step.

    A finite automaton keeps the closed sum `s` and the running product `p` (sign included):

        +:  s ← s + p, p ← 1      −:  s ← s + p, p ← −1      digit d:  p ← p d,  value s + p.

    Chance is close to `1 / modulus`, not exact: products favour 0.

    Args:
        modulus: m, at least 2.

    Raises:
        RemanenceError: if `modulus` is below 2, or `scored` is neither "last" nor "every".

    Source: Delétang et al. 2023 (modular arithmetic, simple; m = 5).
    """

    modulus: int = eqx.field(static=True)
    scored: Scored = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    outputs: int = eqx.field(static=True)
    kind: Kind = eqx.field(static=True)

    def __init__(self, modulus: int = 5, *, scored: Scored = "last"):
        require_scored("ModularArithmetic", scored)
        self.modulus = require_whole("ModularArithmetic", "modulus", modulus, 2)
        self.scored = scored
        self.inputs, self.outputs, self.kind = modulus + 4, modulus, "classification"

    @property
    def shortest(self) -> int:
        return 1

    def word(self, key: PRNGKeyArray, length: int) -> Int[Array, " time"]:
        m, blanks = self.modulus, 1 - length % 2
        digit_key, operator_key = jax.random.split(key)
        digits = jax.random.randint(digit_key, (length,), 0, m)
        operators = jax.random.randint(operator_key, (length,), m, m + 3)
        step = jnp.arange(length) - blanks
        word = jnp.where(step % 2 == 0, digits, operators)
        return jnp.where(step < 0, jnp.full_like(word, m + 3), word)

    def values(self, word: Int[Array, " time"]) -> Values:
        m = self.modulus

        def read(state: tuple[Array, Array], symbol: Array) -> tuple[tuple[Array, Array], Array]:
            closed, product = state
            adds = (symbol == m) | (symbol == m + 1)
            sign = jnp.where(symbol == m, 1, m - 1).astype(symbol.dtype)
            closed = jnp.where(adds, (closed + product) % m, closed)
            multiplied = jnp.where(symbol < m, product * symbol % m, product)
            product = jnp.where(adds, sign, multiplied)
            return (closed, product), (closed + product) % m

        start = (jnp.zeros((), word.dtype), jnp.ones((), word.dtype))
        return jax.lax.scan(read, start, word)[1], word < m
