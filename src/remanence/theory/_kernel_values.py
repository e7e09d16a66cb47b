"""Kernels in whatever form they come, as arrays (time, outputs, inputs), and their integrals."""

import itertools
import math
import warnings
from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float64
from scipy.integrate import IntegrationWarning, quad

from remanence.errors import NumericalError, RemanenceError, nearest_name
from remanence.systems import DiagonalStateSpace, StateSpace
from remanence.theory._grids import real_array

Denominator = Literal["x", "x+1"]
"""What outputs are divided by: `|x|_∞` (inverse approximation), or `|x|_∞ + 1` (StableSSM)."""


def check_denominator(owner: str, denominator: str) -> None:
    """`RemanenceError` unless it is one of the two."""
    known = get_args(Denominator)
    if denominator not in known:
        raise RemanenceError(
            f"{owner}: denominator {denominator!r} is none of {', '.join(known)}"
            f"{nearest_name(denominator, known)}"
        )


def on_grid(owner: str, kernel: Any, times: Any) -> Float64[np.ndarray, "time outputs inputs"]:
    """An array, or a function of time on a grid; one output and one input where none are said."""
    length = None
    if callable(kernel):
        if times is None:
            raise RemanenceError(f"{owner}: a function of time needs times=…")
        grid = real_array(owner, "times", times)
        length, kernel = grid.size, kernel(grid)
    array = real_array(owner, "the kernel", kernel)
    if array.ndim not in (1, 2, 3) or not array.size or length not in (None, len(array)):
        raise RemanenceError(
            f"{owner}: the kernel has shape {array.shape}, expected (time,), (time, inputs) or "
            "(time, outputs, inputs)"
        )
    if array.ndim == 1:
        return array[:, None, None]
    return array[:, None, :] if array.ndim == 2 else array


def whole_integral(owner: str, kernel: Callable[[Any], Any], tolerance: float) -> float:
    """`∫_0^∞ |ρ|_1 dt` for the worst output, octave by octave of time and the tail at once.

    At one time the kernel answers with a number, `(inputs,)` or `(outputs, inputs)`.
    """

    def size(t: float, output: int) -> float:
        return float(np.abs(_at(owner, kernel, t)[output]).sum())

    edges = [0.0, *(2.0**n for n in range(-3, 9)), math.inf]
    norms = []
    for output in range(len(_at(owner, kernel, 0.0))):
        total = 0.0
        with warnings.catch_warnings():
            warnings.simplefilter("error", IntegrationWarning)
            try:
                for a, b in itertools.pairwise(edges):
                    # Far pieces need no digits that the sum cannot hold.
                    least = 0.1 * tolerance * total
                    options = {"epsabs": least, "epsrel": tolerance, "limit": 2000}
                    total += quad(size, a, b, args=(output,), **options)[0]
            except IntegrationWarning as problem:
                reason = str(problem).split(".")[0].replace("\n", " ")
                raise NumericalError(
                    f"{owner}: the integral of |ρ| does not converge ({reason}); give times=…, "
                    "or a kernel with a finite norm"
                ) from None
        norms.append(total)
    return max(norms)


def _at(owner: str, kernel: Callable[[Any], Any], t: float) -> Float64[np.ndarray, "out in"]:
    value = real_array(owner, "the kernel", kernel(t))
    if value.ndim > 2 or not value.size:
        raise RemanenceError(
            f"{owner}: at one time the kernel has shape {value.shape}, expected a number, "
            "(inputs,) or (outputs, inputs)"
        )
    return np.atleast_2d(value)


def difference_system(first: Any, second: Any) -> StateSpace | DiagonalStateSpace:
    """Both side by side, the second with its sign turned."""
    if (first.inputs, first.outputs) != (second.inputs, second.outputs):
        raise RemanenceError(
            f"functional_distance: the systems have {first.inputs} and {second.inputs} inputs, "
            f"{first.outputs} and {second.outputs} outputs"
        )
    D = np.asarray(first.D) - np.asarray(second.D)
    if isinstance(first, DiagonalStateSpace) and isinstance(second, DiagonalStateSpace):
        return DiagonalStateSpace(
            np.concatenate([np.asarray(first.eigenvalues), np.asarray(second.eigenvalues)]),
            np.concatenate([np.asarray(first.B), np.asarray(second.B)]),
            np.concatenate([np.asarray(first.C), -np.asarray(second.C)], axis=1),
            D,
            paired=(*first.paired, *second.paired),
        )
    one, two = (s.to_dense() if isinstance(s, DiagonalStateSpace) else s for s in (first, second))
    n = one.A.shape[0]
    A = np.zeros((n + two.A.shape[0],) * 2)
    A[:n, :n], A[n:, n:] = np.asarray(one.A), np.asarray(two.A)
    B = np.concatenate([np.asarray(one.B), np.asarray(two.B)])
    C = np.concatenate([np.asarray(one.C), -np.asarray(two.C)], axis=1)
    return StateSpace(A, B, C, D)
