"""What the cells of a column mean: numbers, names of sequences, or points in time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from jaxtyping import Float64

from remanence.errors import DataError
from remanence.files.tables import Table

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "null", "none"})
"""Cells that mean "no value here", whatever their case."""

UNITS = (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0), ("s", 1.0))
NUMBER_UNIT = "steps of the time column"
IRREGULAR = 0.01
"""A time difference further than this fraction from the median is called irregular."""


def parse_numbers(
    cells: Sequence[str], *, decimal_comma: bool = False
) -> tuple[Float64[np.ndarray, " rows"], int | None]:
    """Cells as float64, missing ones as NaN, and the first row that is no number (or None).

    Python's `1_000` is not a number here: in a data file it is a slip.
    """
    if decimal_comma:
        cells = ["_" if "." in cell else cell.replace(",", ".") for cell in cells]
    if not any("_" in cell for cell in cells):
        try:
            return np.fromiter(map(float, cells), np.float64, len(cells)), None
        except ValueError:
            pass
    values = np.full(len(cells), np.nan)
    first_bad = None
    for row, cell in enumerate(cells):
        if cell.lower() in MISSING:
            continue
        try:
            values[row] = float(cell.replace("_", "?"))
        except ValueError:
            first_bad = row if first_bad is None else first_bad
    return values, first_bad


def read_numbers(
    table: Table, names: Iterable[str]
) -> tuple[dict[str, Float64[np.ndarray, " rows"]], tuple[str, ...]]:
    """The named columns as float64 with NaN for missing values, and notes.

    Decimal commas (`1,5`) are read when the delimiter is no comma and every used number of the
    file can be written so. Raises `DataError` that names the first cell that is not a number.
    """
    names = tuple(names)
    numbers: dict[str, np.ndarray] = {}
    bad: tuple[str, int] | None = None
    for name in names:
        cells = table.columns[name]
        if isinstance(cells, np.ndarray):
            numbers[name] = _as_float(table, name, cells)
            continue
        numbers[name], row = parse_numbers(cells)
        if bad is None and row is not None:
            bad = (name, row)
    if bad is None:
        return numbers, ()

    name, row = bad
    cell = str(table.columns[name][row])
    advice = "correct the cell, or choose a column of numbers"
    if _has_decimal_comma(cell):
        if table.delimiter != ",":
            again = {
                n: parse_numbers([str(c) for c in table.columns[n]], decimal_comma=True)
                for n in names
            }
            if all(failed is None for _, failed in again.values()):
                note = f"{table.path.name}: decimal commas read as points (such as {cell})"
                return {n: values for n, (values, _) in again.items()}, (note,)
        advice = "write every number with a decimal point and no other separator"
    shown = repr(cell if len(cell) <= 40 else cell[:40] + "…")
    raise DataError(
        f"{table.path}: column {name!r}, {table.place(row)} holds {shown}, "
        f"which is not a number; {advice}"
    )


def _has_decimal_comma(cell: str) -> bool:
    return parse_numbers([cell], decimal_comma=True)[1] is None


def _as_float(table: Table, name: str, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    held = "text" if array.dtype.kind == "U" else "dates"
    raise DataError(
        f"{table.path}: column {name!r} holds {held}, not numbers; choose a column of numbers"
    )


def read_labels(table: Table, name: str) -> list[str]:
    """The sequence that each row belongs to, as text. Raises `DataError` at a blank."""
    cells = table.columns[name]
    if isinstance(cells, np.ndarray):
        whole = cells.dtype.kind == "f" and bool(np.all(cells[np.isfinite(cells)] % 1 == 0))
        labels = [f"{v:.0f}" if whole else str(v).strip() for v in cells.tolist()]
    else:
        labels = cells
    for row, label in enumerate(labels):
        if label.lower() in MISSING:
            raise DataError(
                f"{table.path}: sequence column {name!r} is blank at {table.place(row)}; "
                "give every row the name of its sequence"
            )
    return labels


@dataclass(frozen=True)
class Times:
    """Points in time of a table's rows: in seconds if `dated`, else in the column's own steps."""

    values: Float64[np.ndarray, " rows"]
    dated: bool


def read_times(table: Table, name: str) -> Times:
    """ISO dates (with or without a time of day and an offset) or plain numbers.

    Raises `DataError` at the first blank, at text that is neither, and where dates with and
    without an offset are mixed.
    """
    cells = table.columns[name]
    if isinstance(cells, np.ndarray):
        if cells.dtype.kind == "M":
            micro = cells.astype("datetime64[us]")
            values = np.where(np.isnat(micro), np.nan, micro.astype(np.int64) / 1e6)
            times = Times(values, dated=True)
        elif cells.dtype.kind == "U":
            times = _parse_times(table, name, [str(cell).strip() for cell in cells])
        else:
            times = Times(cells.astype(np.float64), dated=False)
    else:
        times = _parse_times(table, name, cells)
    blank = np.flatnonzero(~np.isfinite(times.values))
    if blank.size:
        raise DataError(
            f"{table.path}: time column {name!r} is blank at {table.place(int(blank[0]))}; "
            "fill it in, or read the file without a time column"
        )
    return times


def _parse_times(table: Table, name: str, cells: Sequence[str]) -> Times:
    for decimal_comma in (False, True)[: 1 if table.delimiter == "," else 2]:
        numbers, bad = parse_numbers(cells, decimal_comma=decimal_comma)
        if bad is None:
            return Times(numbers, dated=False)
    seconds = np.full(len(cells), np.nan)
    # Differences of whole microseconds are exact; float timestamps are not.
    microsecond = timedelta(microseconds=1)
    aware = None
    for row, cell in enumerate(cells):
        if cell.lower() in MISSING:
            continue
        try:
            moment = datetime.fromisoformat(cell)
        except ValueError as error:
            raise DataError(
                f"{table.path}: time column {name!r}, {table.place(row)} holds {cell[:40]!r}, "
                "neither a number nor an ISO date; write dates as 2024-01-31T12:00:00"
            ) from error
        if aware is None:
            aware = moment.tzinfo is not None
        elif aware != (moment.tzinfo is not None):
            raise DataError(
                f"{table.path}: time column {name!r} mixes dates with and without an offset, "
                f"first at {table.place(row)}; write all of them in one way"
            )
        epoch = datetime(1970, 1, 1, tzinfo=UTC if aware else None)
        seconds[row] = ((moment - epoch) // microsecond) / 1e6
    return Times(seconds, dated=True)


def sampling_step(
    times: Sequence[Float64[np.ndarray, " _"]], names: Sequence[str], *, dated: bool, source: str
) -> tuple[float, str, tuple[str, ...]]:
    """The median time difference over all sequences, its unit, and a note where it is uneven.

    For dates the unit is the largest of d, h, min, s in which the step is a whole number
    (90 min, not 1.5 h), else seconds. Raises `DataError` if more than half of the differences
    are further than 1 % from the median: such data have no sampling interval. `source` says in
    its message where the times are from.
    """
    differences = [np.diff(t) for t in times]
    everything = np.concatenate(differences)
    median = float(np.median(everything))
    # A time stamp near 2**30 seconds resolves 1e-7 s; recorders round to a printed digit.
    rounding = 4 * float(np.spacing(max(float(np.max(np.abs(t))) for t in times)))
    uneven = [np.abs(d - median) > IRREGULAR * median + rounding for d in differences]
    count = int(sum(u.sum() for u in uneven))
    step, unit = _handy(median) if dated else (median, NUMBER_UNIT)
    if not count:
        return step, unit, ()
    sequence = next(i for i, u in enumerate(uneven) if u.any())
    row = int(np.argmax(uneven[sequence]))
    first, unit_shown = float(differences[sequence][row]), "s" if dated else ""
    where = f"in sequence {names[sequence]!r} between its rows {row + 1} and {row + 2}"
    if count > everything.size / 2:
        raise DataError(
            f"{source} is irregular: {count} of {everything.size} time differences are more "
            f"than 1 % from the median {median:g} {unit_shown}".rstrip()
            + f", the first {where}; resample to equal steps or leave out the time column"
        )
    note = (
        f"sampling is irregular at {count} of {everything.size} time differences, the first "
        f"{where} ({first:g} {unit_shown}".rstrip()
        + f" where the median is {median:g} {unit_shown}".rstrip()
        + "); rows are used as if equally spaced"
    )
    return step, unit, (note,)


def _handy(seconds: float) -> tuple[float, str]:
    for unit, length in UNITS:
        ratio = seconds / length
        if round(ratio) >= 1 and abs(ratio - round(ratio)) < 1e-6 * ratio:
            return float(round(ratio)), unit
    return round(seconds, 6), "s"
