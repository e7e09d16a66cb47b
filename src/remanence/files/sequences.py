"""Recorded sequences from the files that people have: CSV, Parquet, NPZ, MAT."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from remanence.errors import DataError
from remanence.files.columns import read_labels, read_numbers, read_times, sampling_step
from remanence.files.formats import read_table
from remanence.files.pieces import POLICIES, Piece, check_constant, treat_missing
from remanence.files.tables import Table


@dataclass(frozen=True)
class Recording:
    """Recorded sequences, ready to learn from; what was done to the data is in `notes`.

    `inputs[i]` is `(T_i, m)` and `outputs[i]` is `(T_i, p)`, float64 and finite, for the sequence
    `sequence_names[i]`. `step` is the sampling interval in `step_unit` (both None without a time
    column).
    """

    inputs: tuple[Float64[np.ndarray, "_ inputs"], ...]
    outputs: tuple[Float64[np.ndarray, "_ outputs"], ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    sequence_names: tuple[str, ...]
    step: float | None = None
    step_unit: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def lengths(self) -> tuple[int, ...]:
        """The number of rows `T_i` of each sequence."""
        return tuple(len(y) for y in self.outputs)


def read_sequences(
    paths: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    sequence_column: str | None = None,
    time_column: str | None = None,
    missing: str = "error",
) -> Recording:
    """Read one or more files of recorded sequences.

    Each file is a sequence, or several where `sequence_column` names them (rows of one name keep
    the file's order). `inputs` may be empty: forecasting. The time column holds numbers or ISO
    dates, strictly increasing in each sequence. Formats, by suffix: .csv, .tsv, .txt (comma,
    semicolon or tab; UTF-8), .parquet, .npz (never unpickled) and .mat (up to v7); a matrix
    `x` of shape `(T, c)` in the last two is the columns `x_0` … `x_{c-1}`.

    `missing` says what becomes of blanks, NaN and infinities in used columns: "error";
    "drop" cuts the row out and splits the sequence there, since joining the ends would make a
    jump in time that never happened; "interpolate" fills linearly, and with the nearest value
    at the ends.

    Raises `DataError`, in one line that names the place, for anything that cannot be used.

        recording = read_sequences("tanks.csv", inputs=["u"], outputs=["y"])
        recording.outputs[0].shape  # (1024, 1)
    """
    files = _check_paths([paths] if isinstance(paths, str | os.PathLike) else paths)
    inputs, outputs = _as_names(inputs), _as_names(outputs)
    _check_roles(inputs, outputs, sequence_column, time_column)
    if missing not in POLICIES:
        raise DataError(f"missing={missing!r} is unknown; choose one of {', '.join(POLICIES)}")

    names = inputs + outputs
    texts = tuple(c for c in (sequence_column, time_column) if c is not None)
    notes: list[str] = []
    pieces: list[Piece] = []
    for stem, path in zip(_stems(files), files, strict=True):
        table = read_table(path, names + texts, texts)
        numbers, read_notes = read_numbers(table, names)
        notes += [*table.notes, *read_notes]
        several = len(files) > 1
        pieces += _split(table, stem, several, numbers, names, sequence_column, time_column)

    for piece in pieces:
        if len(piece.rows) < 2:
            raise DataError(
                f"{piece.table.path}: sequence {piece.name!r} has {len(piece.rows)} row; "
                "a sequence needs at least 2"
            )
    step, unit, time_notes = _clock(pieces, time_column)
    pieces, missing_notes = treat_missing(pieces, names, missing)
    check_constant(pieces, names)
    m = len(inputs)
    return Recording(
        inputs=tuple(np.ascontiguousarray(p.values[:, :m]) for p in pieces),
        outputs=tuple(np.ascontiguousarray(p.values[:, m:]) for p in pieces),
        input_names=inputs,
        output_names=outputs,
        sequence_names=tuple(p.name for p in pieces),
        step=step,
        step_unit=unit,
        notes=(*notes, *time_notes, *missing_notes),
    )


def _as_names(names: Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _check_paths(paths: Sequence[str | os.PathLike]) -> list[Path]:
    files = [Path(path) for path in paths]
    if not files:
        raise DataError("no data file given; name at least one")
    seen: dict[Path, Path] = {}
    for file in files:
        resolved = file.resolve()
        if resolved in seen:
            raise DataError(f"{file}: given twice; name each file once")
        seen[resolved] = file
    return files


def _check_roles(
    inputs: tuple[str, ...], outputs: tuple[str, ...], sequence: str | None, time: str | None
) -> None:
    if not outputs:
        raise DataError("no output column given; name at least one")
    role: dict[str, str] = {}
    for kind, names in (
        ("input", inputs),
        ("output", outputs),
        ("the sequence column", () if sequence is None else (sequence,)),
        ("the time column", () if time is None else (time,)),
    ):
        for name in names:
            if name in role:
                both = f"{role[name]} and {kind}" if role[name] != kind else f"{kind} twice"
                raise DataError(f"column {name!r} is named as {both}; give it one role")
            role[name] = kind


def _stems(files: Sequence[Path]) -> list[str]:
    """The shortest names that tell the files apart."""
    for short in (lambda f: f.stem, lambda f: f.name):
        stems = [short(file) for file in files]
        if len(set(stems)) == len(stems):
            return stems
    return [str(file) for file in files]


def _split(
    table: Table,
    stem: str,
    several: bool,
    numbers: dict[str, np.ndarray],
    names: Sequence[str],
    sequence_column: str | None,
    time_name: str | None,
) -> Iterator[Piece]:
    """The table's sequences, in order of first appearance."""
    times = None if time_name is None else read_times(table, time_name)
    values = np.stack([numbers[name] for name in names], axis=1)
    groups: dict[str, list[int]] = {}
    if sequence_column is None:
        groups[stem] = list(range(table.rows))
    else:
        for row, label in enumerate(read_labels(table, sequence_column)):
            groups.setdefault(f"{stem}:{label}" if several else label, []).append(row)
    for name, members in groups.items():
        rows = np.array(members, dtype=np.int64)
        own = None if times is None else replace(times, values=times.values[rows])
        if own is not None:
            _check_increasing(table, str(time_name), rows, own.values)
        yield Piece(name, table, rows, values[rows], own)


def _check_increasing(table: Table, name: str, rows: np.ndarray, times: np.ndarray) -> None:
    back = np.flatnonzero(~(np.diff(times) > 0))
    if back.size:
        before, here = int(rows[back[0]]), int(rows[back[0] + 1])
        cells = table.columns[name]
        raise DataError(
            f"{table.path}: time column {name!r} does not increase at {table.place(here)}: "
            f"{cells[here]} after {cells[before]}; sort the rows, or name the column that tells "
            "the sequences apart"
        )


def _clock(
    pieces: Sequence[Piece], time_name: str | None
) -> tuple[float | None, str | None, tuple[str, ...]]:
    times = [p.times for p in pieces if p.times is not None]
    if not times:
        return None, None, ()
    if len({t.dated for t in times}) > 1:
        raise DataError(
            f"time column {time_name!r} holds dates in some files and numbers in others; "
            "write it in one way"
        )
    names = [p.name for p in pieces]
    source = f"{pieces[0].table.path}: time column {time_name!r}"
    values = [t.values for t in times]
    return sampling_step(values, names, dated=times[0].dated, source=source)
