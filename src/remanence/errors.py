"""What can go wrong, said in one line: what, where, what to do."""

import difflib
from collections.abc import Iterable


class RemanenceError(Exception):
    """A mistake in what the user gave: a file, a column, a setting. The command line exits 2."""


class DataError(RemanenceError):
    """The recorded data cannot be used as they are."""


class ModelFileError(RemanenceError):
    """A model file is damaged, unknown or from another version."""


class NumericalError(RemanenceError):
    """A computation failed numerically: divergence, instability. The command line exits 3."""


def nearest_name(name: str, known: Iterable[str]) -> str:
    """`"; did you mean 'x'?"` for the known name closest to `name`, or an empty string."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {matches[0]!r}?" if matches else ""
