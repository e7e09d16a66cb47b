"""Stretches of a recording, and what becomes of missing and of constant values in them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64, Int64

from remanence.errors import DataError
from remanence.files.columns import Times
from remanence.files.tables import Table

POLICIES = ("error", "drop", "interpolate")


@dataclass(frozen=True)
class Piece:
    """Rows of one table that follow each other in time; `rows` counts them in the table."""

    name: str
    table: Table
    rows: Int64[np.ndarray, " time"]
    values: Float64[np.ndarray, "time columns"]
    times: Times | None


def treat_missing(
    pieces: Sequence[Piece], names: Sequence[str], policy: str
) -> tuple[list[Piece], tuple[str, ...]]:
    """Apply a policy of `POLICIES` to NaN and infinite values: finite pieces, and notes.

    Raises `DataError` under "error" at the first missing value, and under the others where
    nothing is left to work with.
    """
    bad = [~np.isfinite(piece.values) for piece in pieces]
    if not any(b.any() for b in bad):
        return list(pieces), ()
    if policy == "error":
        raise _missing_error(pieces, bad, names)
    kept: list[Piece] = []
    notes: list[str] = []
    for piece, b in zip(pieces, bad, strict=True):
        if not b.any():
            kept.append(piece)
            continue
        treat = _drop if policy == "drop" else _interpolate
        parts, note = treat(piece, b, names)
        kept += parts
        notes.append(note)
    if not kept:
        raise DataError(
            f"{pieces[0].table.path}: no two neighbouring rows are complete, so nothing is left "
            "after dropping; pass --missing interpolate, or use fewer columns"
        )
    return kept, tuple(notes)


def _missing_error(
    pieces: Sequence[Piece], bad: Sequence[np.ndarray], names: Sequence[str]
) -> DataError:
    count = int(sum(b.sum() for b in bad))
    which = next(i for i, b in enumerate(bad) if b.any())
    row, column = (int(i) for i in np.argwhere(bad[which])[0])
    piece = pieces[which]
    place = piece.table.place(int(piece.rows[row]))
    value = piece.values[row, column]
    held = "blank or NaN" if np.isnan(value) else f"{value:+}"
    start = f"{count} values are missing or not finite, the first"
    start = start if count > 1 else "1 value is missing or not finite,"
    return DataError(
        f"{piece.table.path}: {start} in column {names[column]!r} at {place} ({held}); "
        "correct the file, or pass --missing drop or --missing interpolate"
    )


def _drop(piece: Piece, bad: np.ndarray, names: Sequence[str]) -> tuple[list[Piece], str]:
    whole = ~bad.any(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], whole.astype(np.int8), [0]])))
    runs = [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
    usable = [run for run in runs if run[1] - run[0] >= 2]
    parts = [
        Piece(
            piece.name if len(usable) == 1 else f"{piece.name}[{number}]",
            piece.table,
            piece.rows[start:stop],
            piece.values[start:stop],
            None if piece.times is None else _cut(piece.times, start, stop),
        )
        for number, (start, stop) in enumerate(usable, start=1)
    ]
    rows = int(bad.any(axis=1).sum())
    note = f"sequence {piece.name!r}: {rows} of {len(bad)} rows dropped for missing values"
    note += f", leaving {len(parts)} unbroken " + ("piece" if len(parts) == 1 else "pieces")
    if single := len(runs) - len(usable):
        note += f" ({single} of a single row left out)"
    return parts, note


def _cut(times: Times, start: int, stop: int) -> Times:
    return replace(times, values=times.values[start:stop])


def _interpolate(piece: Piece, bad: np.ndarray, names: Sequence[str]) -> tuple[list[Piece], str]:
    values = piece.values.copy()
    rows = np.arange(len(values), dtype=np.float64)
    for column in map(int, np.flatnonzero(bad.any(axis=0))):
        gaps = bad[:, column]
        if gaps.all():
            raise DataError(
                f"{piece.table.path}: column {names[column]!r} has no value at all in sequence "
                f"{piece.name!r}; choose another column or leave the sequence out"
            )
        values[gaps, column] = np.interp(rows[gaps], rows[~gaps], values[~gaps, column])
    note = (
        f"sequence {piece.name!r}: {int(bad.sum())} of {bad.size} values interpolated, "
        f"the longest gap {_longest_run(bad)} rows"
    )
    return [replace(piece, values=values)], note


def _longest_run(bad: np.ndarray) -> int:
    padded = np.pad(bad.astype(np.int8), ((1, 1), (0, 0)))
    changes = np.diff(padded, axis=0)
    return max(
        int(np.max(np.flatnonzero(c == -1) - np.flatnonzero(c == 1), initial=0)) for c in changes.T
    )


def check_constant(pieces: Sequence[Piece], names: Sequence[str]) -> None:
    """Raise `DataError` for a column whose values differ by no more than rounding."""
    for index, name in enumerate(names):
        low = min(float(piece.values[:, index].min()) for piece in pieces)
        high = max(float(piece.values[:, index].max()) for piece in pieces)
        # Halved so that the spread of the largest floats does not overflow.
        if high / 2 - low / 2 <= 4 * np.finfo(np.float64).eps * max(abs(low), abs(high)):
            raise DataError(
                f"{pieces[0].table.path}: column {name!r} is constant ({low:g}), so there is "
                "nothing to learn from it; choose another column"
            )
