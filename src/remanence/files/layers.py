"""Model files of recurrent layers and stacks: structure as JSON, arrays as named tensors."""

import dataclasses
import math
import os
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from remanence.errors import ModelFileError, RemanenceError, nearest_name
from remanence.files._fitting import misfit_of_fields, misfit_of_running
from remanence.files.layer_classes import class_name, classes_with, known_classes
from remanence.files.models import read_tensors, write_tensors
from remanence.layers.contract import AbstractRecurrentLayer

KIND = "Layer"
DEEPEST = 64
"""Levels of nesting; deeper than any model, shallower than Python's own limit."""


def save_model(path: str | os.PathLike, model: AbstractRecurrentLayer, **options: Any) -> None:
    """Save a recurrent layer or a stack of them as one safetensors file.

    Every array is a tensor named by its place ("layers.0.map.magnitude"); classes, sizes and
    other static values are JSON in the metadata. `options` (anything JSON can hold: how it was
    trained, units) are kept: `read_tensors(path)[2]["options"]` gives them back. An object that
    sits in two places is saved twice and comes back as two; NumPy scalars come back as Python's.

    Raises:
        RemanenceError: if the file cannot be written, if the model holds what no file can (a
            function, a random key), or if it would not pass what `load_model` checks.

        save_model("model.safetensors", layer, step=0.1, step_unit="h")
        layer = load_model("model.safetensors")
    """
    if not isinstance(model, AbstractRecurrentLayer):
        raise RemanenceError(
            f"{path}: cannot save a {type(model).__name__}, which is no recurrent layer; "
            "save_system saves systems, write_tensors any arrays"
        )
    writer = _Writer(f"{path}: cannot save this {type(model).__name__}")
    spec = writer.node(model, "")
    if reason := misfit_of_running(model):
        raise RemanenceError(f"{writer.prefix}: {reason}")
    write_tensors(path, KIND, writer.tensors, {"model": spec, "options": options})


def load_model(
    path: str | os.PathLike, *, known: Iterable[type] = (), dtype: Any = None
) -> AbstractRecurrentLayer:
    """The recurrent layer that `save_model` wrote; nothing in the file is run.

    Only classes of `remanence.layers` are made (`known_classes`), and those given as `known`:
    pass your own classes there. Arrays come back bit for bit. `dtype` ("float32" or "float64")
    converts the floating arrays, and the complex ones to match.

    Raises:
        ModelFileError: as `read_tensors`; for an unknown class or field, tensors that do not
            fit the class or each other (a few steps are traced, none computed), and float64
            tensors where JAX has no float64 and no `dtype` is given.
        RemanenceError: for a `dtype` that is no floating type or that JAX does not have.
    """
    kind, tensors, spec = read_tensors(path)
    if kind != KIND:
        raise ModelFileError(
            f"{path}: holds a {_quoted(kind)}, which is no recurrent layer; "
            "load_system loads systems, read_tensors any file"
        )
    reader = _Reader(path, tensors, classes_with(known), _floating(dtype))
    model = reader.node(spec.get("model"), "", 0)
    if unused := sorted(set(tensors) - reader.used):
        reader.fail(f"tensor {_quoted(unused[0])} belongs to no part of the model")
    if not isinstance(model, AbstractRecurrentLayer):
        reader.fail("what it holds is no recurrent layer")
    if reason := misfit_of_running(model):
        reader.fail(f"holds no working {type(model).__name__}: {reason}")
    return model


class _Writer:
    """Turns a model into JSON nodes, and gathers its tensors on the way."""

    def __init__(self, prefix: str):
        self.prefix = prefix
        self.tensors: dict[str, Any] = {}

    def fail(self, where: str, what: str) -> NoReturn:
        raise RemanenceError(f"{self.prefix}: {where or 'the model'} {what}")

    def node(self, value: Any, where: str) -> Any:
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, float) and not math.isfinite(value):
            return {"float": repr(float(value))}
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, complex):
            return {"complex": [self.node(x, where) for x in _parts(value)]}
        if isinstance(value, jax.Array | np.ndarray):
            return self._tensor(value, where)
        if isinstance(value, np.dtype):
            return {"dtype": value.name}
        if type(value) is tuple or type(value) is list:
            items = [self.node(v, _join(where, k)) for k, v in enumerate(value)]
            return {type(value).__name__: items}
        if type(value) is dict:
            if not all(isinstance(key, str) and "." not in key for key in value):
                self.fail(where, "is a dict with keys other than names; use names without dots")
            items = {k: self.node(v, _join(where, k)) for k, v in value.items()}
            return {"dict": items}
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._object(value, where)
        return self.fail(
            where,
            f"is a {type(value).__name__}, which a model file does not hold; "
            "keep a name or numbers in the layer instead",
        )

    def _tensor(self, array: Any, where: str) -> dict[str, str]:
        if not isinstance(array.dtype, np.dtype) or array.dtype.kind not in "biufc":
            self.fail(where, f"holds {array.dtype} values; convert them to float32 or integers")
        self.tensors[where] = array
        return {"jax" if isinstance(array, jax.Array) else "numpy": where}

    def _object(self, value: Any, where: str) -> dict[str, Any]:
        cls, fields = type(value), {}
        name = class_name(cls)
        if known_classes().get(name, cls) is not cls:
            self.fail(where, f"is a class {name} of your own, a name that is taken; rename it")
        for field in dataclasses.fields(value):
            if not hasattr(value, field.name):
                self.fail(_join(where, field.name), "was never set; set it in __init__")
            part = getattr(value, field.name)
            fields[field.name] = self.node(part, _join(where, field.name))
        if reason := misfit_of_fields(value):
            self.fail(_join(where, reason[0]), reason[1])
        return {"class": name, "fields": fields}


class _Reader:
    """Makes a model from JSON nodes it does not trust."""

    def __init__(
        self,
        path: str | os.PathLike,
        tensors: Mapping[str, np.ndarray],
        classes: Mapping[str, type],
        dtype: np.dtype | None,
    ):
        self.path, self.tensors, self.classes, self.dtype = path, tensors, classes, dtype
        self.used: set[str] = set()

    def fail(self, what: str) -> NoReturn:
        raise ModelFileError(f"{self.path}: {what}")

    def damaged(self, where: str) -> NoReturn:
        self.fail(f"its spec is damaged at {_quoted(where or 'model')}; save the model again")

    def node(self, node: Any, where: str, depth: int) -> Any:
        if depth > DEEPEST:
            self.fail(f"its spec is nested more than {DEEPEST} levels deep; no model is")
        if node is None or isinstance(node, bool | int | float | str):
            return node
        if not isinstance(node, dict):
            self.damaged(where)
        if set(node) == {"class", "fields"}:
            return self._object(node["class"], node["fields"], where, depth)
        if len(node) != 1:
            self.damaged(where)
        ((tag, held),) = node.items()
        if tag in ("jax", "numpy") and isinstance(held, str):
            return self._tensor(held, where, as_jax=tag == "jax")
        if tag in ("tuple", "list") and isinstance(held, list):
            items = [self.node(v, _join(where, k), depth + 1) for k, v in enumerate(held)]
            return tuple(items) if tag == "tuple" else items
        if tag == "dict" and isinstance(held, dict):
            return {k: self.node(v, _join(where, k), depth + 1) for k, v in held.items()}
        if tag == "float" and held in ("nan", "inf", "-inf"):
            return float(held)
        if tag == "dtype" and isinstance(held, str):
            return self._dtype(held, where)
        if tag == "complex" and isinstance(held, list) and len(held) == 2:
            real, imag = (self.node(part, where, depth + 1) for part in held)
            if isinstance(real, float) and isinstance(imag, float):
                return complex(real, imag)
        return self.damaged(where)

    def _dtype(self, name: str, where: str) -> np.dtype:
        names = {np.dtype(kind).name for kind in "?bhiqBHIQefdFD"}
        return np.dtype(name) if name in names else self.damaged(where)

    def _tensor(self, name: str, where: str, *, as_jax: bool) -> Any:
        if name not in self.tensors:
            self.fail(
                f"{_quoted(where)} is a tensor {_quoted(name)}, which the file does not have; "
                "save the model again"
            )
        if name in self.used:
            self.fail(f"tensor {_quoted(name)} is used twice; save the model again")
        self.used.add(name)
        return self._converted(self.tensors[name], name) if as_jax else self.tensors[name]

    def _converted(self, array: np.ndarray, name: str) -> jax.Array:
        if self.dtype is not None and array.dtype.kind in "fc":
            real = np.result_type(self.dtype, np.complex64)
            array = array.astype(self.dtype if array.dtype.kind == "f" else real)
        held = jax.dtypes.canonicalize_dtype(array.dtype)
        if held != array.dtype:
            if array.dtype.kind in "fc":
                self.fail(
                    f"tensor {_quoted(name)} is {array.dtype}, which JAX would cut to {held}; "
                    'call jax.config.update("jax_enable_x64", True) first, '
                    'or load with dtype="float32"'
                )
            # What JAX does with integers, which is no loss where they are small.
            if not np.array_equal(array.astype(held), array):
                self.fail(f"tensor {_quoted(name)} has integers beyond {held}; enable JAX's x64")
            array = array.astype(held)
        return jnp.asarray(array)

    def _object(self, name: Any, nodes: Any, where: str, depth: int) -> Any:
        if not isinstance(name, str) or not isinstance(nodes, dict):
            self.damaged(where)
        if name not in self.classes:
            self.fail(
                f"holds a {_quoted(name)}, which is no known class"
                f"{_nearest(name, self.classes)} (pass classes of your own as known=)"
            )
        cls = self.classes[name]
        names = [field.name for field in dataclasses.fields(cls)]
        for field in nodes:
            if field not in names:
                self.fail(f"{name} has no field {_quoted(field)}{_nearest(field, names)}")
        made = object.__new__(cls)
        for field in names:
            if field not in nodes:
                self.fail(f"field {field!r} of a {name} is missing; save the model again")
            part = self.node(nodes[field], _join(where, field), depth + 1)
            object.__setattr__(made, field, part)
        if reason := misfit_of_fields(made):
            self.fail(f"{_quoted(_join(where, reason[0]))} of a {name} {reason[1]}")
        # Plain dataclasses check their numbers here; modules build themselves in `__init__`.
        if not issubclass(cls, eqx.Module) and hasattr(made, "__post_init__"):
            try:
                made.__post_init__()
            except RemanenceError as error:
                self.fail(f"{_quoted(where)}: {error}")
        return made


def _floating(dtype: Any) -> np.dtype | None:
    if dtype is None:
        return None
    try:
        chosen = np.dtype(dtype)
    except TypeError:
        chosen = np.dtype("bool")
    if chosen.name not in ("float32", "float64"):
        raise RemanenceError(f"dtype: {_quoted(dtype)} is neither float32 nor float64")
    if jax.dtypes.canonicalize_dtype(chosen) != chosen:
        raise RemanenceError(
            'dtype: float64 needs jax.config.update("jax_enable_x64", True) beforehand'
        )
    return chosen


def _join(where: str, part: str | int) -> str:
    return f"{where}.{part}" if where else str(part)


def _parts(value: complex) -> tuple[float, float]:
    return float(value.real), float(value.imag)


def _nearest(name: str, known: Iterable[str]) -> str:
    # Comparing takes time with the square of the length, and the name is the file's.
    return nearest_name(name[:80], known)


def _quoted(name: Any) -> str:
    text = repr(name)
    return text if len(text) <= 80 else text[:79] + "…"
