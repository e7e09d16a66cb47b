"""Columns from named arrays: NumPy's NPZ and MATLAB's MAT files, never unpickled."""

import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from remanence.errors import DataError
from remanence.files.tables import Table, check_names, first_line

MAT_CLASSES = frozenset(
    {"double", "single", "logical", "char"}
    | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)
"""MATLAB's classes that are plain arrays; cells, structures and sparse matrices are not."""


def read_npz(path: Path, used: Sequence[str]) -> Table:
    """Columns of a NumPy archive; raises `DataError`, for pickled objects too."""
    if not zipfile.is_zipfile(path):
        raise DataError(
            f"{path}: is no NPZ archive (pickled objects are never loaded); save plain numeric "
            "arrays with numpy.savez"
        )
    try:
        # Opened here because NumPy leaves its own handle open on a damaged archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            shapes = {name: _npy_shape(archive, name) for name in archive.files}
            return _from_arrays(path, used, shapes, lambda name: archive[name])
    except DataError:
        raise
    # A damaged archive fails in ways of zipfile, zlib, ast and struct that nobody has listed.
    except Exception as error:
        if "pickle" in str(error).lower():
            raise DataError(
                f"{path}: holds pickled objects, which are never loaded; save plain numeric "
                "arrays with numpy.savez"
            ) from error
        raise _unreadable(path, "NPZ", error) from error


def _npy_shape(archive: Any, name: str) -> tuple[int, ...]:
    """The shape from an array's header: unused arrays, pickled ones too, are never loaded."""
    member = name if name in archive.zip.namelist() else f"{name}.npy"
    with archive.zip.open(member) as file:
        version = np.lib.format.read_magic(file)
        read_header = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        return read_header(file)[0]


def read_mat(path: Path, used: Sequence[str]) -> Table:
    """Columns of a MATLAB file up to v7; raises `DataError`, for v7.3 too."""
    import scipy.io

    try:
        # Closed here: SciPy leaves its own handle open on a damaged file.
        with path.open("rb") as file:
            held = scipy.io.whosmat(file)
            classes = {name: kind for name, _, kind in held}

            def load(name: str) -> Any:
                if classes[name] not in MAT_CLASSES:
                    raise DataError(
                        f"{path}: {name!r} is a MATLAB {classes[name]}; save its numbers as "
                        "arrays of their own"
                    )
                file.seek(0)
                return scipy.io.loadmat(file, variable_names=[name])[name]

            shapes = {name: tuple(s) if kind in MAT_CLASSES else () for name, s, kind in held}
            return _from_arrays(path, used, shapes, load)
    except DataError:
        raise
    except NotImplementedError as error:
        raise DataError(
            f"{path}: is a MATLAB v7.3 file; save it again with save(..., '-v7')"
        ) from error
    # As above: SciPy's reader of a damaged file raises whatever it stumbles over.
    except Exception as error:
        raise _unreadable(path, "MAT", error) from error


def _unreadable(path: Path, kind: str, error: BaseException) -> DataError:
    return DataError(
        f"{path}: cannot be read as {kind} ({first_line(error)}); write the file again"
    )


def _from_arrays(
    path: Path,
    used: Sequence[str],
    shapes: Mapping[str, tuple[int, ...]],
    load: Callable[[str], Any],
) -> Table:
    """Columns from named arrays: `(T,)`, `(T, 1)` and `(1, T)` are one, `(T, c)` are `c`."""
    origin: list[tuple[str, str, int | None]] = []
    for name, shape in shapes.items():
        if len(shape) == 2 and 1 not in shape:
            origin += [(f"{name}_{i}", name, i) for i in range(shape[1])]
        else:
            origin.append((name, name, None))
    check_names(path, used, [column for column, _, _ in origin], _split_hint(used, origin))
    where = {column: (name, index) for column, name, index in origin}
    loaded: dict[str, np.ndarray] = {}
    columns: dict[str, np.ndarray] = {}
    for column in used:
        name, index = where[column]
        if name not in loaded:
            loaded[name] = _plain(path, name, load(name))
        columns[column] = loaded[name] if index is None else loaded[name][:, index]
    lengths = {column: len(array) for column, array in columns.items()}
    first = next(iter(lengths), "")
    for column, length in lengths.items():
        if length != lengths[first]:
            raise DataError(
                f"{path}: {first!r} has {lengths[first]} rows and {column!r} has {length}; "
                "used columns must be equally long"
            )
    return Table(path, columns, lengths.get(first, 0))


def _split_hint(used: Iterable[str], origin: Sequence[tuple[str, str, int | None]]) -> str:
    split = {name for _, name, index in origin if index is not None}
    both = [name for name in used if name in split]
    return f"; {both[0]!r} is a matrix: name its columns" if both else ""


def _plain(path: Path, name: str, array: Any) -> np.ndarray:
    """A numeric, date or text array with time first; anything else is refused by name."""
    kinds = {"c": "complex numbers", "O": "objects", "V": "a structure", "S": "bytes"}
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: array {name!r} is a {type(array).__name__}, not a plain array")
    if array.dtype.kind not in "biufMU":
        held = kinds.get(array.dtype.kind, f"{array.dtype} values")
        raise DataError(f"{path}: array {name!r} holds {held}; save plain real numbers")
    if array.ndim == 2 and 1 in array.shape:
        array = array.reshape(-1)
    if array.ndim not in (1, 2):
        raise DataError(
            f"{path}: array {name!r} has shape {array.shape}; a column is (T,), a matrix (T, c)"
        )
    return array
