"""A run on disk: its state, its history, and every setting that a resumed run must share."""

import importlib.metadata
import os
import platform
from collections.abc import Mapping
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
from remanence.training.checks import is_whole, shown
from remanence.training.descriptions import plain_array

KIND = "TrainingCheckpoint"


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
    tensors = {name: plain_array(leaf) for name, leaf in _named(state)}
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
    # Runs from before there were pieces had one.
    held = {"pieces": 1, **held}
    for name in [*ours, *(name for name in held if name not in ours)]:
        if name not in ours or name not in held or ours[name] != held[name]:
            raise RemanenceError(
                f"{path}: {name} is {_said(ours, name)} here and {_said(held, name)} in the "
                "checkpoint; use the same settings or another path"
            )
    return tensors, spec["progress"]


def read_count(path: str | os.PathLike, progress: Mapping[str, Any], name: str, most: int) -> int:
    """The whole number `name` of a checkpoint's progress.

    Raises `ModelFileError` unless it is one from 0 to `most`.
    """
    value: Any = progress.get(name)
    if not is_whole(value) or not 0 <= value <= most:
        have = shown(value) if name in progress else "missing"
        raise damaged(path, f"{name} is {have} where the run has 0 to {most}")
    return value


def damaged(path: str | os.PathLike, what: str) -> ModelFileError:
    """The error for a checkpoint whose progress contradicts itself."""
    return ModelFileError(
        f"{path}: its progress is damaged, {what}; delete the file and train again"
    )


def restore_state(
    path: str | os.PathLike, template: PyTree[Any], tensors: Mapping[str, np.ndarray]
) -> PyTree[Any]:
    """`template` with the arrays of the checkpoint in place of its own.

    Raises `ModelFileError` if an array is missing or has another shape or type.
    """
    leaves = []
    for name, leaf in _named(template):
        expected = plain_array(leaf)
        found = tensors.get(name)
        if found is None or (found.shape, found.dtype) != (expected.shape, expected.dtype):
            have = "missing" if found is None else f"{found.dtype}{list(found.shape)}"
            raise ModelFileError(
                f"{path}: {name} is {have} where the run has "
                f"{expected.dtype}{list(expected.shape)}; delete the file and train again"
            )
        leaves.append(_like(leaf, found))
    return jax.tree.unflatten(jax.tree.structure(template), leaves)


def _said(settings: Mapping[str, Any], name: str) -> str:
    return repr(settings[name]) if name in settings else "absent"


def _named(state: PyTree[Any]) -> list[tuple[str, Any]]:
    return [(keystr(path).lstrip("."), leaf) for path, leaf in tree_flatten_with_path(state)[0]]


def _like(leaf: Any, values: np.ndarray) -> Any:
    if isinstance(leaf, np.ndarray):
        return values
    if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.asarray(values), impl=jax.random.key_impl(leaf))
    return jnp.asarray(values)
