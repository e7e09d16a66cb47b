"""Objects as flat settings: what a resumed run compares to know that it is the same run."""

import dataclasses
import dis
import functools
import hashlib
import os
import sys
import types
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

LIBRARIES = frozenset({"jax", "jaxlib", "optax", "equinox", "numpy", "remanence"})
"""Whose functions and classes are told apart by name and contents alone, not by their code."""

_WRAPPERS = LIBRARIES | {"functools", "contextlib", "jaxtyping", "beartype"}
_ABOUT_MAKING = frozenset(
    f"__{name}__"
    for name in (
        *("init", "new", "init_subclass", "eq", "lt", "le", "gt", "ge", "hash", "repr"),
        *("setattr", "delattr", "replace", "getstate", "setstate"),
    )
)
"""Methods that dataclasses write, or that act before there are attributes to describe."""


def described(name: str, value: Any) -> dict[str, Any]:
    """`value` as flat settings that JSON can hold: what it is made of, under dotted names.

    Arrays are told by type, shape and a digest of their values; other objects by their class and
    their attributes; functions by their name and what they close over, so that two optimisers
    with other rates differ. Functions and classes from outside `LIBRARIES` carry a digest of
    their code, that of the functions they call by name in their own module included; what they
    import from elsewhere is told by name.

        described("task", Delay(20))  # {"task": "remanence.tasks.delay.Delay", "task.steps": 20, …
    """
    settings: dict[str, Any] = {}
    _describe(settings, name, value, ())
    return settings


def plain_array(leaf: Any) -> np.ndarray:
    """`leaf` as a NumPy array; of keys, their data."""
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf)


def _describe(settings: dict[str, Any], name: str, value: Any, above: tuple[int, ...]) -> None:
    if value is None or isinstance(value, bool | int | float | complex | str):
        settings[name] = value
        return
    if id(value) in above:
        settings[name] = "itself"
        return
    settings[name], inside = _parts(value)
    for part, item in inside.items():
        _describe(settings, f"{name}.{part}", item, (*above, id(value)))


def _parts(value: Any) -> tuple[str, dict[str, Any]]:
    """What `value` is, in a word, and what is inside it."""
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        return _array_text(value), {}
    if isinstance(value, bytes):
        return f"bytes #{_digest(value)}", {}
    if isinstance(value, os.PathLike):
        return os.fsdecode(value), {}
    if isinstance(value, type | types.ModuleType):
        return _class_text(value) if isinstance(value, type) else value.__name__, {}
    if isinstance(value, Mapping):
        return "mapping", {str(key): item for key, item in value.items()}
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return _class_text(type(value)), fields
    if isinstance(value, tuple | list):
        names = getattr(value, "_fields", range(len(value)))
        inside = {str(key): item for key, item in zip(names, value, strict=True)}
        return f"{type(value).__name__} of {len(value)}", inside
    if isinstance(value, set | frozenset):
        # Their order is another in every process.
        inside = {str(place): item for place, item in enumerate(sorted(value, key=repr))}
        return f"{type(value).__name__} of {len(value)}", inside
    # A compiled or differentiable function of a library stands for the plain one.
    while hasattr(value, "__wrapped__") and _is_wrapper(value):
        value = value.__wrapped__
    if isinstance(value, types.FunctionType):
        return _function_parts(value)
    if isinstance(value, types.BuiltinFunctionType | np.ufunc):
        owner = getattr(value, "__self__", None)
        text = f"{getattr(value, '__module__', None)}.{value.__name__}"
        return text, {} if owner is None else {"__self__": owner}
    return _class_text(type(value)), _attributes(value)


def _attributes(value: Any) -> dict[str, Any]:
    kind = type(value)
    called = ("func", "args", "keywords") if isinstance(value, functools.partial) else ()
    bound = ("__func__", "__self__") if isinstance(value, types.MethodType) else ()
    inside = {part: getattr(value, part) for part in (*called, *bound)}
    home = _home(kind)
    # Their attributes hold caches, locks and addresses, another in every process.
    opaque = home in ("jax", "jaxlib") or home in sys.stdlib_module_names - {"types", "functools"}
    if opaque:
        return inside
    slots = [
        slot
        for base in kind.__mro__
        if _home(base) not in LIBRARIES | sys.stdlib_module_names
        for slot in _names(vars(base).get("__slots__", ()))
        if slot not in ("__dict__", "__weakref__") and hasattr(value, slot)
    ]
    inside |= {slot: getattr(value, slot) for slot in slots}
    for name, item in getattr(value, "__dict__", {}).items():
        # What a cached property has computed is there or not as the day went.
        if not isinstance(getattr(kind, name, None), functools.cached_property):
            inside[name] = item
    return inside


def _function_parts(function: types.FunctionType) -> tuple[str, dict[str, Any]]:
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
    inside |= {name: item for name, item in vars(function).items() if name != "__wrapped__"}
    name = f"{function.__module__}.{function.__qualname__}"
    if _is_own(function.__module__):
        name += f" #{_function_digest(function, set())}"
    return name, inside


def _class_text(kind: type) -> str:
    """The name of a class, with a digest of its code where it is the user's."""
    seen: set[int] = set()
    codes = [
        f"{name}:{_attribute_digest(value, seen)}"
        for base in kind.__mro__
        if _is_own(base.__module__)
        for name, value in sorted(vars(base).items(), key=lambda item: item[0])
        if name not in _ABOUT_MAKING and name not in vars(base).get("__annotations__", {})
        if isinstance(value, types.FunctionType) or not name.startswith("__")
    ]
    text = f"{kind.__module__}.{kind.__qualname__}"
    return f"{text} #{_digest(repr(codes).encode())}" if codes else text


def _attribute_digest(value: Any, seen: set[int]) -> str:
    if isinstance(value, property):
        parts = (value.fget, value.fset)
        return " ".join(_attribute_digest(part, seen) for part in parts if part is not None)
    own = isinstance(value, types.FunctionType) and not _is_wrapper(value)
    for name in ("__func__", "func", "__wrapped__"):
        if not own and hasattr(value, name):
            return _attribute_digest(getattr(value, name), seen)
    if isinstance(value, types.FunctionType):
        return _function_digest(value, seen)
    return _constant(value) if _is_constant(value) else ""


def _function_digest(function: Any, seen: set[int]) -> str:
    """The code of a function, and what it names in its own module: functions and constants."""
    if not isinstance(function, types.FunctionType) or id(function) in seen:
        return ""
    seen.add(id(function))
    parts = [_code_digest(function.__code__, function.__doc__)]
    for name in sorted(_global_names(function.__code__)):
        item = function.__globals__.get(name)
        if isinstance(item, types.FunctionType) and _is_own(item.__module__):
            parts.append(f"{name}:{_function_digest(item, seen)}")
        elif _is_constant(item):
            parts.append(f"{name}:{_constant(item)}")
    return _digest(repr(parts).encode())


def _global_names(code: types.CodeType) -> set[str]:
    """The globals that the code reads and does not write, such as a counter of its calls."""
    nested = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    names: dict[str, set[str]] = {"LOAD_GLOBAL": set(), "STORE_GLOBAL": set()}
    for instruction in dis.get_instructions(code):
        if instruction.opname in names and not instruction.argval.startswith("__"):
            names[instruction.opname].add(instruction.argval)
    read = names["LOAD_GLOBAL"].union(*(_global_names(inner) for inner in nested))
    return read - names["STORE_GLOBAL"]


def _code_digest(code: types.CodeType, doc: str | None = None) -> str:
    # A nested code object's own repr holds its address, another in every process.
    constants = [
        _code_digest(constant) if isinstance(constant, types.CodeType) else _constant(constant)
        for constant in code.co_consts
        if doc is None or constant != doc
    ]
    return _digest(code.co_code, repr((constants, code.co_names)).encode())


def _constant(value: Any) -> str:
    if isinstance(value, frozenset):
        return f"frozenset({sorted(map(_constant, value))})"
    return f"({','.join(map(_constant, value))})" if isinstance(value, tuple) else repr(value)


def _is_constant(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_constant, value))
    return isinstance(value, bool | int | float | complex | str)


def _is_wrapper(value: Any) -> bool:
    if isinstance(value, types.FunctionType):
        homes = {str(value.__globals__.get("__name__")), str(value.__module__)}
        return any(home.partition(".")[0] in _WRAPPERS for home in homes)
    return _home(type(value)) in _WRAPPERS


def _is_own(module: str | None) -> bool:
    home = str(module).partition(".")[0]
    return home not in LIBRARIES | sys.stdlib_module_names


def _home(kind: type) -> str:
    return str(kind.__module__).partition(".")[0]


def _names(slots: Any) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _array_text(value: Any) -> str:
    array = plain_array(value)
    return f"{array.dtype}{list(array.shape)} #{_digest(np.ascontiguousarray(array).tobytes())}"


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]
