"""What the memory tools ask of times and arrays, and the quadrature behind their closed forms."""

import math
import numbers
from typing import Any

import numpy as np
from jaxtyping import Float64

from remanence.errors import RemanenceError

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)


def real_array(owner: str, name: str, value: Any) -> Float64[np.ndarray, "..."]:
    """`value` in float64; `RemanenceError` unless it holds finite real numbers."""
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        array = np.asarray(None)
    if array.dtype.kind == "c":
        raise RemanenceError(f"{owner}: {name} is complex; real numbers are needed")
    if array.dtype.kind not in "iuf" and array.dtype.name != "bfloat16":
        raise RemanenceError(f"{owner}: {name} is no array of numbers")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise RemanenceError(f"{owner}: {name} holds NaN or infinity")
    return array


def real_number(
    owner: str,
    name: str,
    value: Any,
    *,
    above: float | int = -math.inf,
    least: float | int = -math.inf,
) -> float:
    """`value` as a float; `RemanenceError` unless it is a finite number in the range."""
    real = isinstance(value, numbers.Real | np.number) and not isinstance(value, bool)
    try:
        number = float(value) if real and not np.iscomplexobj(value) else math.nan  # pyright: ignore[reportArgumentType]
    except OverflowError:
        number = math.inf
    if not (math.isfinite(number) and number > above and number >= least):
        bounds = [f" above {above:g}"] * (above > -math.inf)
        bounds += [f" of at least {least:g}"] * (least > -math.inf)
        raise RemanenceError(
            f"{owner}: {name} must be a finite number{''.join(bounds)}, got {shown(value)}"
        )
    return number


def whole_number(owner: str, name: str, value: Any, least: int) -> int:
    """`value` as an int; `RemanenceError` unless it is whole, at least `least` and below 2⁶³."""
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not least <= int(value) < 2**63:  # pyright: ignore[reportArgumentType]
        raise RemanenceError(
            f"{owner}: {name} must be a whole number of at least {least}, got {shown(value)}"
        )
    return int(value)


def require_flag(owner: str, name: str, value: Any) -> None:
    """Raise `RemanenceError` unless `value` is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise RemanenceError(f"{owner}: {name} must be True or False, got {shown(value)}")


def shown(value: Any) -> str:
    """`value` as an error message quotes it: on one line, at most 60 characters."""
    try:
        text = " ".join(repr(value).split())
    except ValueError:
        # Python does not print integers of more than 4300 digits.
        text = f"a {type(value).__name__} too large to print"
    return text[:60]


def time_array(owner: str, value: Any) -> Float64[np.ndarray, "..."]:
    """`value` in float64; `RemanenceError` unless it holds times from 0."""
    array = real_array(owner, "time", value)
    if (array < 0).any():
        raise RemanenceError(f"{owner}: time starts at 0, got {array.min():g}")
    return array


def rising_grid(owner: str, value: Any, length: int) -> Float64[np.ndarray, " times"]:
    """`value` as `length` ascending times."""
    grid = time_array(owner, value)
    if grid.shape != (length,) or length < 2 or (np.diff(grid) <= 0).any():
        raise RemanenceError(
            f"{owner}: times must be {length} ascending numbers, at least two, got shape "
            f"{grid.shape}"
        )
    return grid


def panels(
    edges: Float64[np.ndarray, " edges"],
) -> tuple[Float64[np.ndarray, "panels nodes"], Float64[np.ndarray, "panels nodes"]]:
    """Nodes and weights of Gauss–Legendre quadrature on each panel between two edges."""
    half = np.diff(edges)[:, None] / 2
    middle = (edges[1:] + edges[:-1])[:, None] / 2
    return middle + half * _NODES, half * _WEIGHTS
