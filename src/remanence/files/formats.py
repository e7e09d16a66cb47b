"""Which reader a file gets, told by its suffix."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from remanence.errors import DataError
from remanence.files.arrays import read_mat, read_npz
from remanence.files.delimited import read_cells
from remanence.files.tables import Table, check_names, first_line


def read_table(path: Path, used: Sequence[str], texts: Collection[str] = ()) -> Table:
    """Read the columns `used` of one file; the format is told by the suffix.

    Those in `texts` stay as text where the file is text: names and dates are not numbers yet.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        known = ", ".join(READERS)
        raise DataError(f"{path}: unknown file type {path.suffix!r}; convert it to one of {known}")
    try:
        if path.is_dir():
            raise DataError(f"{path}: is a folder; name the files in it")
        if not path.exists():
            raise DataError(f"{path}: no such file; check the path")
        if path.stat().st_size == 0:
            raise DataError(f"{path}: is empty; nothing to read")
        return _read_text(path, used, texts) if reader is _read_text else reader(path, used)
    except OSError as error:
        reason = error.strerror or first_line(error)
        raise DataError(f"{path}: cannot be read ({reason}); check the file") from error


def _read_text(path: Path, used: Sequence[str], texts: Collection[str] = ()) -> Table:
    def check(known: Sequence[str]) -> None:
        hint = ""
        if known and all(_is_number(name) for name in known):
            hint = "; the first line holds numbers: put a line of column names before it"
        check_names(path, used, known, hint)

    columns, lines, delimiter, notes = read_cells(path, used, texts, check)
    return Table(path, columns, len(lines), lines, delimiter, notes)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_parquet(path: Path, used: Sequence[str]) -> Table:
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            check_names(path, used, file.schema_arrow.names)
            table = file.read(columns=list(used))
        columns = {name: _arrow_array(path, name, table.column(name)) for name in used}
    except DataError:
        raise
    # Beside Arrow's own errors a damaged file raises what its Python layer stumbles over.
    except Exception as error:
        raise DataError(
            f"{path}: cannot be read as Parquet ({first_line(error)}); write the file again"
        ) from error
    return Table(path, columns, table.num_rows)


def _arrow_array(path: Path, name: str, column: Any) -> np.ndarray:
    """Numbers as float64 (null is NaN), times as datetime64[us], anything else as text."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = kind.value_type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return column.cast(pa.timestamp("us"), safe=False).to_numpy()
    numeric = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_null)
    if any(test(kind) for test in numeric):
        return column.cast(pa.float64(), safe=False).to_numpy()
    if pa.types.is_boolean(kind):
        return column.cast(pa.int8()).cast(pa.float64()).to_numpy()
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return np.array(["" if cell is None else cell for cell in column.to_pylist()], dtype=str)
    raise DataError(
        f"{path}: column {name!r} holds {kind} values, which are neither numbers nor text; "
        "convert it or choose another column"
    )


READERS: dict[str, Callable[[Path, Sequence[str]], Table]] = {
    ".csv": _read_text,
    ".tsv": _read_text,
    ".txt": _read_text,
    ".parquet": _read_parquet,
    ".npz": read_npz,
    ".mat": read_mat,
}
