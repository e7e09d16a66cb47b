"""One recorded file as named columns, whatever its format.

Columns are still as the file holds them: text cells or arrays. Readers load the used ones only,
so what is in the others cannot fail.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from remanence.errors import DataError, nearest_name

LONGEST_LIST = 12
"""Longer lists of names than this are not shown in an error of one line."""


@dataclass(frozen=True)
class Table:
    """The used columns of one file: `list[str]` cells from text files, else 1-D arrays."""

    path: Path
    columns: Mapping[str, list[str] | np.ndarray]
    rows: int
    lines: Sequence[int] | None = None
    delimiter: str | None = None
    notes: tuple[str, ...] = ()

    def place(self, row: int) -> str:
        """Where row `row` (from 0) is, in words: rows are counted from 1 after the header."""
        line = "" if self.lines is None else f" (line {self.lines[row]})"
        return f"data row {row + 1}{line}"


def check_names(path: Path, used: Sequence[str], known: Sequence[str], hint: str = "") -> None:
    """Raise `DataError` unless each used name is there, exactly once."""
    for name in used:
        if name not in known:
            guess = nearest_name(name, known)
            listed = [repr(n) for n in dict.fromkeys(known)]
            columns = f"the columns are {', '.join(listed)}"
            if not listed:
                columns = "the file has no columns"
            elif len(listed) > LONGEST_LIST:
                columns = f"the {len(listed)} columns begin {', '.join(listed[:LONGEST_LIST])}"
            raise DataError(f"{path}: no column {name!r}{guess or ''} ({columns}){hint}")
        if (count := sum(n == name for n in known)) > 1:
            raise DataError(
                f"{path}: {count} columns are named {name!r}; rename them so that each used "
                "column has a name of its own"
            )


def first_line(error: BaseException) -> str:
    """The first line of another library's message, short enough to quote."""
    lines = str(error).strip().splitlines()
    return lines[0][:120] if lines else type(error).__name__
