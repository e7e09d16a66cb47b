"""What the perturbation errors ask of their arguments."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from remanence.errors import RemanenceError
from remanence.theory._grids import real_array, real_number


def checked_parameters(owner: str, parameters: Any) -> dict[str, np.ndarray]:
    """The tensors in float64; `RemanenceError` unless named, finite, real, of ≤ 2 axes."""
    if not isinstance(parameters, Mapping) or not parameters:
        raise RemanenceError(
            f"{owner}: parameters must be a mapping of names to arrays, not empty"
        )
    checked = {}
    for name, value in parameters.items():
        array = real_array(owner, f"parameter {name!r}", value)
        if array.ndim > 2 or not array.size:
            raise RemanenceError(
                f"{owner}: parameter {name!r} has shape {array.shape}; give a number, a vector "
                "or a matrix"
            )
        checked[name] = array
    return checked


def radius_of(owner: str, radius: Any) -> float:
    """`radius` as a float; `RemanenceError` unless it is a finite number from 0 on."""
    return real_number(owner, "radius", radius, least=0)


def function_of(owner: str, name: str, value: Any, signature: str) -> None:
    """`RemanenceError` unless `value` can be called; `signature` says as what."""
    if not callable(value):
        raise RemanenceError(f"{owner}: {name} must be a function {signature}, got {value!r:.60}")


def generator_of(owner: str, rng: Any) -> None:
    """`RemanenceError` unless `rng` is a random generator of NumPy."""
    if not isinstance(rng, np.random.Generator):
        raise RemanenceError(
            f"{owner}: rng must be a numpy.random.Generator, such as "
            f"numpy.random.default_rng(0), got {rng!r:.60}"
        )


def spectral_norm(array: np.ndarray) -> float:
    """|·| of a number, the 2-norm of a vector, the largest singular value of a matrix."""
    if array.ndim == 2:
        return float(np.linalg.norm(array, 2))
    return float(np.sqrt(np.sum(array**2)))
