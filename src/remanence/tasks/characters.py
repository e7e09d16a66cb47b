"""Predict the next character of a text."""

import string

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray, UInt8, UInt16

from remanence.errors import RemanenceError
from remanence.tasks._sequences import Split, one_hot, require_length, require_split, scored_steps
from remanence.tasks.contract import AbstractTask, Example, Kind

ALPHABET = string.printable[:95] + "\n"
"""The 95 printable ASCII characters and the line break."""


class CharacterText(AbstractTask):
    """The next character of a text, at every step: `y_t = x_{t+1}`.

    Characters are numbered as in `alphabet`; every other character is the one class `unknown`,
    the last. Inputs are unit vectors, `outputs = len(alphabet) + 1`. The first nine tenths of the
    text, by position, are for training, the last tenth for the test; a sequence is a window of
    `length + 1` characters that starts anywhere in its part, uniformly. The loss is in nats per
    character; chance is `log(outputs)`.

    Args:
        text: what to read; if not given, the help texts on the Python language that come with
            Python, about half a million characters of English prose (they differ a little
            between Python's versions, so give a text where numbers must be comparable).
        alphabet: the characters that are told apart, each once.

    Raises:
        RemanenceError: if a character is repeated in `alphabet`, the text is too short to split,
            or this Python has no help texts; in `sample`, if a part is too short for `length`.

        >>> CharacterText("to be or not to be, that is the question").outputs
        97
    """

    codes: UInt8[Array, " characters"] | UInt16[Array, " characters"]
    alphabet: str = eqx.field(static=True)
    boundary: int = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    outputs: int = eqx.field(static=True)
    kind: Kind = eqx.field(static=True)

    def __init__(self, text: str | None = None, *, alphabet: str = ALPHABET):
        if not alphabet or len(set(alphabet)) != len(alphabet):
            raise RemanenceError("CharacterText: alphabet needs characters, each of them once")
        text = _python_prose() if text is None else text
        self.boundary = len(text) * 9 // 10
        if len(text) - self.boundary < 2:
            raise RemanenceError(
                f"CharacterText: the text has {len(text)} characters, too few to set a tenth "
                "aside: give at least 11"
            )
        self.alphabet = alphabet
        self.codes = jnp.asarray(_encode(text, alphabet))
        self.inputs = self.outputs = len(alphabet) + 1
        self.kind = "classification"

    @property
    def unknown(self) -> int:
        """The class of every character that is not in the alphabet."""
        return len(self.alphabet)

    def sample(self, key: PRNGKeyArray, length: int, *, split: Split = "train") -> Example:
        require_split("CharacterText", split)
        require_length("CharacterText", length, 1, "one step is one character")
        total = self.codes.shape[0]
        first, last = (0, self.boundary) if split == "train" else (self.boundary, total)
        if length >= last - first:
            raise RemanenceError(
                f"CharacterText: the {split} part has {last - first} characters, too few for "
                f"length {length} and the character after it: give a longer text"
            )
        start = jax.random.randint(key, (), first, last - length)
        window = jax.lax.dynamic_slice(self.codes, (start,), (length + 1,))
        window = window.astype(start.dtype)
        return Example(
            one_hot(window[:-1], self.inputs), window[1:], scored_steps(length, "every")
        )


def _encode(text: str, alphabet: str) -> np.ndarray:
    """The number of every character in the alphabet, the alphabet's size where it has none."""
    letters, points = _points(alphabet), _points(text)
    order = np.argsort(letters)
    found = np.minimum(np.searchsorted(letters, points, sorter=order), len(letters) - 1)
    codes = np.where(letters[order][found] == points, order[found], len(letters))
    if len(letters) > np.iinfo(np.uint16).max:
        raise RemanenceError(f"CharacterText: an alphabet of {len(letters)} is too large")
    return codes.astype(np.uint8 if len(letters) <= np.iinfo(np.uint8).max else np.uint16)


def _points(text: str) -> np.ndarray:
    # Lone surrogates are characters too, and unknown ones at worst.
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def _python_prose() -> str:
    """The help texts on the Python language, from Python's own library."""
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise RemanenceError(
            "CharacterText: this Python comes without its help texts (pydoc_data): give a text"
        ) from None
    return "\n".join(topics.values())
