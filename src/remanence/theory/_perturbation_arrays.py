"""What the perturbation errors ask of their arguments."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from remanence.errors import RemanenceError


def finite_reals(owner: str, name: str, value: Any) -> np.ndarray:
    """`value` in float64; `RemanenceError` unless it is an array of finite real numbers."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise RemanenceError(f"{owner}: {name} is ragged; give an array") from None
    if array.dtype.kind == "c":
        raise RemanenceError(f"{owner}: {name} is complex; give real and imaginary part apart")
    if array.dtype.kind not in "fiub":
        raise RemanenceError(f"{owner}: {name} must be an array of numbers, got {array.dtype}")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise RemanenceError(f"{owner}: {name} has entries that are NaN or infinite")
    return array


def checked_parameters(owner: str, parameters: Any) -> dict[str, np.ndarray]:
    """The tensors in float64; `RemanenceError` unless named, finite, real, of ≤ 2 axes."""
    if not isinstance(parameters, Mapping) or not parameters:
        raise RemanenceError(
            f"{owner}: parameters must be a mapping of names to arrays, not empty"
        )
    checked = {}
    for name, value in parameters.items():
        array = finite_reals(owner, f"parameter {name!r}", value)
        if array.ndim > 2 or not array.size:
            raise RemanenceError(
                f"{owner}: parameter {name!r} has shape {array.shape}; give a number, a vector "
                "or a matrix"
            )
        checked[name] = array
    return checked


def radius_of(owner: str, radius: float | int) -> float:
    """`radius` as a float; `RemanenceError` unless it is a finite number from 0 on."""
    value = float(radius)
    if not (math.isfinite(value) and value >= 0):
        raise RemanenceError(f"{owner}: radius must be a finite number from 0 on, got {radius}")
    return value


def spectral_norm(array: np.ndarray) -> float:
    """|·| of a number, the 2-norm of a vector, the largest singular value of a matrix."""
    if array.ndim == 2:
        return float(np.linalg.norm(array, 2))
    return float(np.sqrt(np.sum(array**2)))
