"""Which classes a model file may name: a table, made from what is installed."""

import dataclasses
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Mapping
from typing import Any

import equinox as eqx

import remanence.layers
from remanence.errors import RemanenceError
from remanence.systems import DiagonalStateSpace, StateSpace

BORROWED: Mapping[str, type] = {
    "equinox.nn.Dropout": eqx.nn.Dropout,
    "equinox.nn.Embedding": eqx.nn.Embedding,
    "equinox.nn.GRUCell": eqx.nn.GRUCell,
    "equinox.nn.GroupNorm": eqx.nn.GroupNorm,
    "equinox.nn.Identity": eqx.nn.Identity,
    "equinox.nn.LSTMCell": eqx.nn.LSTMCell,
    "equinox.nn.LayerNorm": eqx.nn.LayerNorm,
    "equinox.nn.Linear": eqx.nn.Linear,
    "equinox.nn.RMSNorm": eqx.nn.RMSNorm,
    "DiagonalStateSpace": DiagonalStateSpace,
    "StateSpace": StateSpace,
}
"""What a layer may be made of besides the classes of `remanence.layers`."""


@functools.cache
def known_classes() -> dict[str, type]:
    """Every class a model file may name: those of `remanence.layers` that can be made, by name.

    Dataclasses and Equinox modules that are defined there and not abstract, and a short list of
    others (`BORROWED`). Nothing is ever looked up by a name that comes from a file.
    """
    classes = dict(BORROWED)
    for found in pkgutil.walk_packages(remanence.layers.__path__, "remanence.layers."):
        module = importlib.import_module(found.name)
        for name, cls in vars(module).items():
            if getattr(cls, "__module__", None) != module.__name__ or not _can_be_made(cls):
                continue
            if name in classes:
                raise TypeError(f"two classes of layers are called {name}: a file tells no two")
            classes[name] = cls
    return classes


def classes_with(known: Iterable[type]) -> dict[str, type]:
    """`known_classes`, and a user's own.

    Raises `RemanenceError` for what cannot be made or has the name of another class.
    """
    classes = dict(known_classes())
    for cls in known:
        if not _can_be_made(cls):
            raise RemanenceError(f"known: {cls!r} is no dataclass or Equinox module to be made")
        if classes.setdefault(class_name(cls), cls) is not cls:
            raise RemanenceError(f"known: the name {class_name(cls)} is taken; rename the class")
    return classes


def class_name(cls: type) -> str:
    """What a model file calls `cls`; Equinox's classes carry their package's name."""
    for name, borrowed in BORROWED.items():
        if cls is borrowed:
            return name
    return cls.__name__


def _can_be_made(cls: Any) -> bool:
    if not isinstance(cls, type) or not dataclasses.is_dataclass(cls) or inspect.isabstract(cls):
        return False
    missing = ("__abstractvars__", "__abstractclassvars__")
    return not any(getattr(cls, names, ()) for names in missing)
