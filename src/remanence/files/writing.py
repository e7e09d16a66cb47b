"""What a run leaves behind: strict JSON, TOML and Parquet tables that other tools can read."""

import dataclasses
import enum
import json
import math
import os
import re
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np


def write_json(path: str | os.PathLike, data: Any) -> None:
    """Write `data` as strict JSON (RFC 8259), indented, UTF-8.

    NumPy and JAX scalars and arrays become numbers and lists, dataclasses objects, paths, dates
    and enum members text, complex numbers `{"real": …, "imag": …}`. JSON has no NaN and no
    infinity: NaN becomes null ("no number here"), an infinity the text "Infinity" or
    "-Infinity", so that a diverged value stays different from a missing one.

    Raises `TypeError` for anything else.

        write_json("result.json", {"loss": np.float64(0.5), "rate": float("nan")})
        # {"loss": 0.5, "rate": null}
    """
    text = json.dumps(to_json(data), indent=2, ensure_ascii=False, allow_nan=False)
    # A lone surrogate (an undecodable file name) has no UTF-8; its escape is still valid JSON.
    Path(path).write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def to_json(data: Any) -> Any:
    """`data` in the types of strict JSON, as `write_json` writes it."""
    if data is None or isinstance(data, bool):
        return data
    if isinstance(data, enum.Enum):
        return to_json(data.value)
    if isinstance(data, str):
        return str(data)
    if isinstance(data, int):
        return int(data)
    if isinstance(data, float):
        if math.isfinite(data):
            return float(data)
        return None if math.isnan(data) else ("Infinity" if data > 0 else "-Infinity")
    if isinstance(data, complex):
        return {"real": to_json(data.real), "imag": to_json(data.imag)}
    if isinstance(data, Mapping):
        return {_json_key(key): to_json(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [to_json(value) for value in data]
    if isinstance(data, os.PathLike):
        return os.fspath(data)
    if isinstance(data, date | datetime):
        return data.isoformat()
    if dataclasses.is_dataclass(data) and not isinstance(data, type):
        return {f.name: to_json(getattr(data, f.name)) for f in dataclasses.fields(data)}
    if hasattr(data, "__array__"):
        array = np.asarray(data)
        if array.dtype.kind in "biufcU":
            return to_json(array.tolist())
    raise TypeError(f"cannot write a {type(data).__name__} as JSON")


def _json_key(key: Any) -> str:
    if isinstance(key, enum.Enum):
        key = key.value
    if isinstance(key, str | int | np.integer):
        return str(key)
    raise TypeError(f"cannot use a {type(key).__name__} as a JSON key")


def write_table(
    path: str | os.PathLike, columns: Mapping[str, Any], metadata: Mapping[str, Any] | None = None
) -> None:
    """Write equally long one-dimensional columns as a Parquet table.

    A complex column is written as two, `name.real` and `name.imag`. `metadata` goes into the
    file's own metadata: text as it is, anything else as JSON.

    Raises `ValueError` for columns of different lengths or with more than one dimension.

        write_table("loss.parquet", {"step": np.arange(3), "loss": np.ones(3)}, {"seed": 0})
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays: dict[str, Any] = {}
    for name, column in columns.items():
        array = np.asarray(column)
        if array.ndim != 1:
            raise ValueError(f"column {name!r} has shape {array.shape}; a column is 1-D")
        if array.dtype.kind == "c":
            arrays[f"{name}.real"], arrays[f"{name}.imag"] = (
                np.real(array).copy(),
                np.imag(array).copy(),
            )
        elif array.dtype.kind in "UO":
            arrays[name] = pa.array(array.tolist())
        else:
            arrays[name] = array
    if len({len(a) for a in arrays.values()}) > 1:
        lengths = ", ".join(f"{name!r} {len(a)}" for name, a in arrays.items())
        raise ValueError(f"columns of different lengths: {lengths}")
    table = pa.table(arrays)
    if metadata:
        text = {
            key: value if isinstance(value, str) else json.dumps(to_json(value))
            for key, value in metadata.items()
        }
        table = table.replace_schema_metadata(text)
    pq.write_table(table, path)


def write_toml(path: str | os.PathLike, data: Mapping[str, Any]) -> None:
    """Write nested settings as TOML 1.0; `tomllib` reads back the same values.

    Values may be text, integers, floats, booleans, paths (written as text), lists, tuples and
    nested mappings. A key whose value is None is left out: TOML has no null, and an absent
    setting means its default.

    Raises `TypeError` for anything else, None inside a list included.

        write_toml("config.toml", {"seed": 0, "optimizer": {"name": "adam", "rate": 1e-3}})
    """
    Path(path).write_text(to_toml(data), encoding="utf-8", newline="\n")


def to_toml(data: Mapping[str, Any]) -> str:
    """The text that `write_toml` writes."""
    lines: list[str] = []
    _toml_table(lines, (), data)
    return "".join(f"{line}\n" for line in lines)


def _toml_table(lines: list[str], prefix: tuple[str, ...], table: Mapping[str, Any]) -> None:
    # Plain values first: after a [sub.table] heading they would belong to that table.
    inner = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    for key, value in table.items():
        if key not in inner and value is not None:
            lines.append(f"{_toml_key(key)} = {_toml_value(value)}")
    for key, value in inner.items():
        name = (*prefix, _toml_key(key))
        lines += [""] * bool(lines) + [f"[{'.'.join(name)}]"]
        _toml_table(lines, name, value)


def _toml_key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a TOML key is text, not a {type(key).__name__}")
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml_text(key)


def _toml_value(value: Any) -> str:
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return repr(float(value))
    if isinstance(value, str | os.PathLike):
        return _toml_text(os.fspath(value))
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml_value(item) for item in value)}]"
    if isinstance(value, Mapping):
        items = (f"{_toml_key(k)} = {_toml_value(v)}" for k, v in value.items() if v is not None)
        return "{" + ", ".join(items) + "}"
    raise TypeError(f"cannot write a {type(value).__name__} as TOML")


def _toml_text(text: str) -> str:
    # JSON's escapes are a subset of TOML's, but JSON leaves DEL as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
