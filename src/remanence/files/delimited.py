"""Delimited text as recorders and spreadsheets write it: CSV, TSV, semicolons."""

import csv
import io
import re
from array import array
from collections.abc import Callable, Collection, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from remanence.errors import DataError

DELIMITERS = ("\t", ";", ",")
"""In order of trust: a comma may also be a decimal comma or part of a unit in a name."""

LARGE = 500_000
"""Characters from which on the faster parser is worth its import."""


class Cells(NamedTuple):
    """Columns of a text file: trimmed cells, or float64 arrays where that was sure to be right."""

    columns: Mapping[str, list[str] | np.ndarray]
    lines: Sequence[int]
    delimiter: str
    notes: tuple[str, ...]


def read_cells(
    path: Path,
    used: Sequence[str],
    texts: Collection[str],
    check: Callable[[Sequence[str]], None],
) -> Cells:
    """The `used` columns, with the line number of every row; those in `texts` stay text.

    `check` is called with the header's names before any row is read, and raises if a used name
    is not there. Lines that are wholly empty and columns without a name are ignored; a row that
    is longer only by empty cells is accepted; any other row of another width is an error.
    Raises `DataError`.
    """
    text = _decode(path)
    delimiter = _sniff(text)
    # A stray quote would otherwise swallow the rest of the file into one cell without a word.
    limit = csv.field_size_limit(100_000)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        header: list[str] = next((row for row in reader if any(map(str.strip, row))), [])
        names = [name.strip() for name in header]
        if not any(names):
            raise DataError(f"{path}: has no header; the first line must name the columns")
        check([name for name in names if name])
        notes = []
        if unnamed := names.count(""):
            columns = "1 column" if unnamed == 1 else f"{unnamed} columns"
            notes.append(f"{path.name}: {columns} without a name ignored")
        plain = None
        if len(text) >= LARGE:
            plain = _read_plain(text, reader.line_num, names, used, texts, delimiter)
        if plain is not None:
            return Cells(*plain, delimiter, tuple(notes))
        cells, lines, more = _read_rows(path, reader, names, used)
        return Cells(cells, lines, delimiter, (*notes, *more))
    except csv.Error as error:
        raise DataError(
            f"{path}: line {reader.line_num} cannot be split into cells ({error}); "
            "look for a quote that is not closed"
        ) from error
    finally:
        csv.field_size_limit(limit)


def _read_plain(
    text: str,
    header_lines: int,
    names: Sequence[str],
    used: Sequence[str],
    texts: Collection[str],
    delimiter: str,
) -> tuple[dict[str, list[str] | np.ndarray], Sequence[int]] | None:
    """Arrow's parser, some ten times as fast, for a file with nothing peculiar in it; else None.

    Any doubt (a quote, an empty line, an odd row, a cell that is no number) is left to
    `_read_rows`, which gives the same values and can name the place.
    """
    import pyarrow as pa
    import pyarrow.csv

    start = 0
    for _ in range(header_lines):
        start = text.find("\n", start) + 1
    body = text[start:]
    if not start or '"' in body or body.count("\r") != body.count("\r\n"):
        return None
    labels = [str(i) for i in range(len(names))]
    index = {name: labels[names.index(name)] for name in used}
    types = {index[n]: pa.string() if n in texts else pa.float64() for n in used}
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(body.encode()),
            read_options=pyarrow.csv.ReadOptions(column_names=labels),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter, quote_char=False, ignore_empty_lines=False
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                include_columns=list(dict.fromkeys(index.values())),
                column_types=types,
                null_values=["", "NA", "NaN", "nan"],
                strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid:
        return None
    numbers = [n for n in used if n not in texts]
    # Rows that are blank to the end of the file may not count as rows at all.
    if not table.num_rows or not any(table[index[n]][-1].is_valid for n in numbers):
        return None
    columns: dict[str, list[str] | np.ndarray] = {}
    for name in used:
        column = table[index[name]]
        columns[name] = (
            [cell.strip() for cell in column.to_pylist()] if name in texts else column.to_numpy()
        )
    return columns, range(header_lines + 1, header_lines + 1 + table.num_rows)


def _read_rows(
    path: Path, reader: Any, names: Sequence[str], used: Sequence[str]
) -> tuple[dict[str, list[str]], Sequence[int], list[str]]:
    width = len(names)
    needed = max(i for i, name in enumerate(names) if name) + 1
    pick = itemgetter(*[names.index(name) for name in used])
    rows: list = []
    lines = array("q")
    blank_at_end = empty_lines = empty_at_end = 0
    for row in reader:
        if not row:
            if width > 1:
                empty_at_end += 1
                continue
            row = [""]
        if len(row) != width and (len(row) < needed or any(map(str.strip, row[width:]))):
            raise DataError(
                f"{path}: line {reader.line_num} has {len(row)} cells where the header has "
                f"{needed}; make every row as wide as the header"
            )
        empty_lines, empty_at_end = empty_lines + empty_at_end, 0
        blank_at_end = 0 if any(row) else blank_at_end + 1
        rows.append(pick(row))
        lines.append(reader.line_num)
    if blank_at_end:
        del rows[-blank_at_end:]
        del lines[-blank_at_end:]
    if not rows:
        raise DataError(f"{path}: has a header but no rows; nothing to read")

    notes = []
    if empty_lines:
        notes.append(f"{path.name}: {empty_lines} empty lines between rows ignored")
    if blank_at_end:
        notes.append(f"{path.name}: {blank_at_end} blank rows at the end ignored")
    cells = [rows] if len(used) == 1 else zip(*rows, strict=True)
    columns = {
        name: list(map(str.strip, column)) for name, column in zip(used, cells, strict=True)
    }
    return columns, lines, notes


def _decode(path: Path) -> str:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}: line {line} is not UTF-8 text (byte 0x{data[error.start]:02x}); "
            "save the file as UTF-8"
        ) from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(
            f"{path}: line {line} holds a zero byte, so this is not UTF-8 text; "
            "save the file as UTF-8"
        )
    if not text.strip():
        raise DataError(f"{path}: is empty; nothing to read")
    return text


def _sniff(text: str) -> str:
    """The delimiter that the header has and that the next lines have equally often."""
    head = text.lstrip().split("\n", 20)[:20]
    bare = [re.sub(r'"[^"]*"', "", line) for line in head if line.strip()]
    present = [d for d in DELIMITERS if d in bare[0]]
    for delimiter in present:
        if all(line.count(delimiter) == bare[0].count(delimiter) for line in bare[1:]):
            return delimiter
    if present:
        return max(present, key=bare[0].count)
    decimal_commas = len(bare) > 1 and re.fullmatch(r"\s*[-+]?\d+,\d+\s*", bare[1])
    return ";" if decimal_commas else ","
