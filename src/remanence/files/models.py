"""Model files: tensors and a JSON spec in one safetensors file, loaded without running code."""

import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from remanence._version import __version__
from remanence.errors import ModelFileError, RemanenceError, nearest_name
from remanence.files.writing import to_json
from remanence.systems import DiagonalStateSpace, StateSpace

FORMAT = 1
KEY = "remanence"
"""The entry of the safetensors metadata that holds the JSON text."""


def write_tensors(
    path: str | os.PathLike, kind: str, tensors: Mapping[str, Any], spec: Mapping[str, Any]
) -> None:
    """Write named arrays (NumPy or JAX, any shape) and a JSON spec as one safetensors file.

    The metadata entry "remanence" is the JSON text of `{"kind", "format", "version", "shapes",
    "complex", "spec"}`. Safetensors has no complex128, so a complex tensor listed under
    "complex" is stored as `name.real` and `name.imag`. The file is written beside `path` and
    renamed, so an interrupted write leaves the earlier file as it was.

    Raises `RemanenceError` if the file cannot be written, `TypeError` for a tensor that holds
    no numbers.

        write_tensors("model.safetensors", "StateSpace", {"A": A, "B": B, "C": C}, {})
    """
    from safetensors.numpy import save

    arrays = {name: np.asarray(tensor) for name, tensor in tensors.items()}
    stored: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        if array.dtype.kind not in "biufc":
            raise TypeError(f"tensor {name!r} holds {array.dtype} values, not numbers")
        parts = {name: array}
        if array.dtype.kind == "c":
            parts = {f"{name}.real": np.real(array), f"{name}.imag": np.imag(array)}
        for part, values in parts.items():
            if part in stored:
                raise ValueError(f"two tensors would be stored under the name {part!r}")
            # safetensors writes the bytes of a strided view in the wrong order.
            stored[part] = np.array(values, dtype=values.dtype.newbyteorder("="), order="C")
    header = {
        "kind": kind,
        "format": FORMAT,
        "version": __version__,
        "shapes": {name: list(array.shape) for name, array in arrays.items()},
        "complex": [name for name, array in arrays.items() if array.dtype.kind == "c"],
        "spec": to_json(spec),
    }
    data = save(stored, metadata={KEY: json.dumps(header, allow_nan=False)})
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial-{secrets.token_hex(4)}")
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    except BaseException as error:
        with suppress(OSError):
            partial.unlink()
        if isinstance(error, OSError):
            raise RemanenceError(
                f"{path}: cannot be written ({error.strerror}); choose another place"
            ) from error
        raise


def read_tensors(path: str | os.PathLike) -> tuple[str, dict[str, np.ndarray], dict[str, Any]]:
    """`(kind, tensors, spec)` of a file written by `write_tensors`; nothing in it is run.

    Raises `ModelFileError` if the file is no safetensors file, has no or damaged Remanence
    metadata, has another format number, or its tensors are not the ones the metadata lists.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not path.exists():
        raise ModelFileError(f"{path}: no such file; check the path")
    if path.is_dir():
        raise ModelFileError(f"{path}: is a folder; name the .safetensors file in it")
    try:
        with safe_open(path, framework="numpy") as file:
            header = _read_header(path, file.metadata() or {})
            held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, TypeError, ValueError, AttributeError) as error:
        reason = str(error).strip().partition("\n")[0][:120]
        raise ModelFileError(
            f"{path}: cannot be read as a safetensors file ({reason}); save the model again"
        ) from error
    return header["kind"], _assemble(path, header, held), header["spec"]


def _read_header(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    if KEY not in metadata:
        raise ModelFileError(
            f"{path}: is a safetensors file without Remanence metadata; "
            "only models saved by Remanence can be loaded"
        )
    damaged = ModelFileError(f"{path}: its Remanence metadata are damaged; save the model again")
    try:
        header = json.loads(metadata[KEY])
    except (ValueError, RecursionError) as error:
        raise damaged from error
    if not isinstance(header, dict):
        raise damaged
    if header.get("format") != FORMAT:
        raise ModelFileError(
            f"{path}: has format {header.get('format')!r}, written by Remanence "
            f"{header.get('version', '(unknown version)')}; this is Remanence {__version__}, "
            f"which reads format {FORMAT}: use the version that wrote it"
        )
    shapes, split = header.get("shapes"), header.get("complex", [])
    sound = (
        isinstance(header.get("kind"), str)
        and isinstance(header.get("spec"), dict)
        and isinstance(split, list)
        and isinstance(shapes, dict)
        and all(isinstance(s, list) and all(type(n) is int for n in s) for s in shapes.values())
        and all(isinstance(name, str) and name in shapes for name in split)
    )
    if not sound:
        raise damaged
    return {**header, "complex": split}


def _assemble(
    path: Path, header: Mapping[str, Any], held: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    tensors: dict[str, np.ndarray] = {}
    listed: set[str] = set()
    for name, shape in header["shapes"].items():
        split = name in header["complex"]
        parts = (f"{name}.real", f"{name}.imag") if split else (name,)
        for part in parts:
            if part not in held:
                raise ModelFileError(f"{path}: tensor {part!r} is missing; save the model again")
            if held[part].shape != tuple(shape):
                raise ModelFileError(
                    f"{path}: tensor {part!r} has shape {held[part].shape} where the metadata "
                    f"say {tuple(shape)}; save the model again"
                )
        listed.update(parts)
        tensors[name] = _join(held[parts[0]], held[parts[-1]]) if split else held[name]
    if extra := sorted(set(held) - listed):
        raise ModelFileError(
            f"{path}: tensor {extra[0]!r} is not listed in the metadata; save the model again"
        )
    return tensors


def _join(real: np.ndarray, imag: np.ndarray) -> np.ndarray:
    # Not real + 1j * imag: an infinite imaginary part would make the real one NaN.
    whole = np.empty(np.shape(real), np.result_type(real.dtype, imag.dtype, np.complex64))
    whole.real, whole.imag = real, imag
    return whole


class _Kind(NamedTuple):
    """How a system is stored: its class, its arrays, and what is no array and goes in the spec."""

    build: type[StateSpace] | type[DiagonalStateSpace]
    arrays: tuple[str, ...]
    static: tuple[str, ...] = ()


KINDS = {
    "StateSpace": _Kind(StateSpace, ("A", "B", "C", "D")),
    "DiagonalStateSpace": _Kind(DiagonalStateSpace, ("eigenvalues", "B", "C", "D"), ("paired",)),
}
"""Every kind of system that can be saved. Loading never looks further than this table."""


def save_system(
    path: str | os.PathLike, system: StateSpace | DiagonalStateSpace, **options: Any
) -> None:
    """Save a linear system; `options` (anything JSON can hold) are kept under "options".

    `read_tensors(path)[2]["options"]` gives them back. Raises as `write_tensors`, and
    `TypeError` for a system of no known kind.

        save_system("model.safetensors", system, step=0.1)
    """
    kind = type(system).__name__
    if kind not in KINDS or not isinstance(system, KINDS[kind].build):
        raise TypeError(f"cannot save a {kind}; known are {', '.join(KINDS)}")
    tensors = {name: getattr(system, name) for name in KINDS[kind].arrays}
    static = {name: getattr(system, name) for name in KINDS[kind].static}
    write_tensors(path, kind, tensors, {**static, "options": options})


def load_system(path: str | os.PathLike) -> StateSpace | DiagonalStateSpace:
    """The system that `save_system` wrote.

    Its arrays are NumPy's, which keep float64 and complex128 whatever JAX's settings are.

    Raises `ModelFileError` as `read_tensors` does, and for an unknown kind or arrays whose
    sizes do not fit together.
    """
    kind, tensors, spec = read_tensors(path)
    if kind not in KINDS:
        raise ModelFileError(
            f"{path}: holds a {kind!r}, which is no known kind of system"
            f"{nearest_name(kind, KINDS)} (known are {', '.join(KINDS)})"
        )
    build, arrays, static = KINDS[kind]
    for name in arrays:
        if name not in tensors:
            raise ModelFileError(f"{path}: tensor {name!r} is missing; save the model again")
    for name in tensors:
        if name not in arrays:
            raise ModelFileError(f"{path}: tensor {name!r} belongs to no {kind}")
    fields: dict[str, Any] = {**tensors}
    for name in static:
        fields[name] = spec.get(name)
        if not isinstance(fields[name], list) or not all(type(x) is bool for x in fields[name]):
            raise ModelFileError(
                f"{path}: its spec has no list of booleans {name!r}; save the model again"
            )
    try:
        return build(**fields)
    except (RemanenceError, TypeError) as error:
        reason = str(error).partition("\n")[0]
        raise ModelFileError(f"{path}: holds no valid {kind}: {reason}") from error
