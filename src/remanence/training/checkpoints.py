"""A run on disk: its state, its history, and every setting that a resumed run must share."""

import dataclasses
import hashlib
import importlib.metadata
import inspect
import os
import platform
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import keystr, tree_flatten_with_path
from jaxtyping import PyTree

from remanence.errors import ModelFileError, RemanenceError
from remanence.files import read_tensors, write_tensors
from remanence.files.writing import to_json

KIND = "TrainingCheckpoint"
LIBRARIES = frozenset({"jax", "jaxlib", "optax", "equinox", "remanence"})
"""Whose functions are told apart by name and closure alone, not by their byte code."""


def save_checkpoint(
    path: str | os.PathLike,
    state: PyTree[Any],
    *,
    settings: Mapping[str, Any],
    progress: Mapping[str, Any],
) -> None:
    """Write the arrays of `state` with the settings and how far the run is, or nothing at all.

    Raises `RemanenceError` as `write_tensors`.
    """
    tensors = {name: _plain(leaf) for name, leaf in _named(state)}
    versions = {name: importlib.metadata.version(name) for name in ("jax", "optax", "equinox")}
    spec = {
        "settings": settings,
        "progress": progress,
        "versions": {**versions, "python": platform.python_version()},
    }
    write_tensors(path, KIND, tensors, spec)


def read_checkpoint(
    path: str | os.PathLike, *, settings: Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], dict[str, Any]] | None:
    """The tensors and the progress saved at `path`, or None if there is no file.

    Raises:
        RemanenceError: naming the first setting that differs from `settings`.
        ModelFileError: if the file is damaged or no checkpoint.
    """
    if not Path(path).exists():
        return None
    kind, tensors, spec = read_tensors(path)
    if kind != KIND:
        raise ModelFileError(f"{path}: holds a {kind}, not a training checkpoint; choose another")
    held, ours = spec.get("settings"), to_json(settings)
    if not isinstance(held, dict) or not isinstance(spec.get("progress"), dict):
        raise ModelFileError(f"{path}: its settings are damaged; delete it and train again")
    for name in [*ours, *(name for name in held if name not in ours)]:
        if name not in ours or name not in held or ours[name] != held[name]:
            raise RemanenceError(
                f"{path}: {name} is {_said(ours, name)} here and {_said(held, name)} in the "
                "checkpoint; use the same settings or another path"
            )
    return tensors, spec["progress"]


def restore_state(
    path: str | os.PathLike, template: PyTree[Any], tensors: Mapping[str, np.ndarray]
) -> PyTree[Any]:
    """`template` with the arrays of the checkpoint in place of its own.

    Raises `ModelFileError` if an array is missing or has another shape or type.
    """
    leaves = []
    for name, leaf in _named(template):
        expected = _plain(leaf)
        found = tensors.get(name)
        if found is None or (found.shape, found.dtype) != (expected.shape, expected.dtype):
            have = "missing" if found is None else f"{found.dtype}{list(found.shape)}"
            raise ModelFileError(
                f"{path}: {name} is {have} where the run has "
                f"{expected.dtype}{list(expected.shape)}; delete the file and train again"
            )
        leaves.append(_like(leaf, found))
    return jax.tree.unflatten(jax.tree.structure(template), leaves)


def described(name: str, value: Any) -> dict[str, Any]:
    """`value` as flat settings that JSON can hold: what it is made of, under dotted names.

    Arrays are told by type, shape and a digest of their values; functions by their name and what
    they close over, so that two optimisers with other rates differ.

        described("task", task)  # {"task": "module.Task", "task.length": 20}
    """
    settings: dict[str, Any] = {}
    _describe(settings, name, value, ())
    return settings


def _describe(settings: dict[str, Any], name: str, value: Any, above: tuple[int, ...]) -> None:
    if value is None or isinstance(value, bool | int | float | complex | str):
        settings[name] = value
        return
    if id(value) in above:
        settings[name] = "itself"
        return
    above = (*above, id(value))
    inside: dict[str, Any] = {}
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        settings[name] = _array_text(value)
    elif isinstance(value, Mapping):
        settings[name] = "mapping"
        inside = {str(key): item for key, item in value.items()}
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        settings[name] = _type_name(type(value))
        inside = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    elif isinstance(value, tuple | list):
        settings[name] = f"{type(value).__name__} of {len(value)}"
        names = getattr(value, "_fields", range(len(value)))
        inside = {str(key): item for key, item in zip(names, value, strict=True)}
    elif callable(value):
        settings[name], inside = _function(value)
    else:
        settings[name] = _type_name(type(value))
    for part, item in inside.items():
        _describe(settings, f"{name}.{part}", item, above)


def _function(value: Callable[..., Any]) -> tuple[str, dict[str, Any]]:
    function = inspect.unwrap(value)
    if not isinstance(function, types.FunctionType):
        parts = {
            part: getattr(function, part)
            for part in ("func", "args", "keywords", "__func__", "__self__")
            if hasattr(function, part) and not isinstance(function, types.BuiltinFunctionType)
        }
        return _type_name(function if isinstance(function, type) else type(function)), parts
    inside: dict[str, Any] = {}
    for part, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            inside[part] = cell.cell_contents
        except ValueError:
            inside[part] = "empty"
    for part, defaults in (
        ("defaults", function.__defaults__),
        ("kwdefaults", function.__kwdefaults__),
    ):
        if defaults:
            inside[part] = defaults
    name = f"{function.__module__}.{function.__qualname__}"
    if function.__module__.partition(".")[0] not in LIBRARIES:
        name += f" #{_code_digest(function.__code__)}"
    return name, inside


def _code_digest(code: types.CodeType) -> str:
    # A nested code object's own repr holds its address, another in every process.
    constants = [
        _code_digest(constant) if isinstance(constant, types.CodeType) else repr(constant)
        for constant in code.co_consts
    ]
    return _digest(code.co_code, repr((constants, code.co_names)).encode())


def _array_text(value: Any) -> str:
    array = _plain(value)
    return f"{array.dtype}{list(array.shape)} #{_digest(np.ascontiguousarray(array).tobytes())}"


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]


def _type_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _said(settings: Mapping[str, Any], name: str) -> str:
    return repr(settings[name]) if name in settings else "absent"


def _named(state: PyTree[Any]) -> list[tuple[str, Any]]:
    return [(keystr(path).lstrip("."), leaf) for path, leaf in tree_flatten_with_path(state)[0]]


def _plain(leaf: Any) -> np.ndarray:
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf)


def _like(leaf: Any, values: np.ndarray) -> Any:
    if isinstance(leaf, np.ndarray):
        return values
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.asarray(values), impl=jax.random.key_impl(leaf))
    return jnp.asarray(values)
