"""Kernels in whatever form they come, as arrays (time, outputs, inputs), and their integrals."""

import itertools
import math
from collections.abc import Iterable
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Float64
from scipy.integrate import quad

from remanence.errors import NumericalError, RemanenceError, nearest_name
from remanence.systems import DiagonalStateSpace, StateSpace
from remanence.theory._grids import panels, real_array, shown
from remanence.theory.kernels import SumKernel

Denominator = Literal["x", "x+1"]
"""What outputs are divided by: `|x|_∞` (inverse approximation), or `|x|_∞ + 1` (StableSSM)."""

_LEAST_TOLERANCE = 1e-13
_MOST_PANELS = 100_000
_MOST_SPLITS = 500
_FARTHEST = 1e300
_OCTAVES = 2.0 ** np.arange(-64, 41)

# Where to look at a function that announces no break points: 21 times between two of these.
_EARLY = 2.0 ** np.arange(-64, 1, 0.25)
_MIDDLE = np.arange(2.0, 1024.0, 2.0)
_LATE = 1024.0 * 2.0 ** np.arange(0, 30, 1 / 64)


def check_denominator(owner: str, denominator: Any) -> None:
    """`RemanenceError` unless it is one of the two."""
    known = get_args(Denominator)
    if not isinstance(denominator, str) or denominator not in known:
        hint = nearest_name(denominator, known) if isinstance(denominator, str) else ""
        raise RemanenceError(
            f"{owner}: denominator {shown(denominator)} is none of {', '.join(known)}{hint}"
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


def whole_integral(owner: str, kernels: tuple[Any, ...], tolerance: float) -> float:
    """`∫_0^∞ |ρ|_1 dt` of one kernel, or of the difference of two, for the worst output.

    Panel by panel, each looked at once and then integrated adaptively where that is not enough.
    At one time a kernel answers with a number, `(inputs,)` or `(outputs, inputs)`.
    """

    def size(t: float, output: int) -> float:
        return float(np.abs(_at_time(owner, kernels, t)[output]).sum())

    # Of [last edge, ∞) the reciprocals are integrated over: its scale is that of its start.
    def tail(u: float, output: int) -> float:
        value = size(min(last / u, _FARTHEST), output)
        return value * last / u / u if value > 0 else 0.0

    edges = _panel_edges(owner, *kernels)
    arrays = _takes_arrays(owner, kernels, edges)
    if arrays:
        edges = _with_crossings(kernels, edges)
    last = float(edges[-1])
    pieces = [(size, *ends) for ends in itertools.pairwise(edges.tolist())] + [(tail, 0.0, 1.0)]
    relative = max(tolerance, _LEAST_TOLERANCE)
    norms = []
    for output in range(len(_at_time(owner, kernels, 1.0))):
        rest = pieces[-1:] if arrays else pieces
        looks: Any = [
            quad(f, a, b, args=(output,), epsabs=0.0, epsrel=relative, limit=1, full_output=1)[:2]
            for f, a, b in rest
        ]
        values, errors = np.array(looks).T
        if arrays:
            fine, gaps = _first_look(kernels, edges)
            values, errors = np.append(fine, values), np.append(gaps, errors)
        # How much is spent on a piece depends on the sum of all.
        allowed = relative * float(values.sum())
        order = np.argsort(errors)
        poor = order[np.cumsum(errors[order]) > 0.5 * allowed]
        reason = "its value is not finite"
        for one in poor.tolist():
            f, a, b = pieces[one]
            options: Any = {
                "epsabs": 0.2 * allowed / len(poor),
                "epsrel": max(0.1 * relative, _LEAST_TOLERANCE),
                "limit": _MOST_SPLITS,
                "full_output": 1,
            }
            values[one], errors[one], _, *problem = quad(f, a, b, args=(output,), **options)
            if problem:
                reason = " ".join(str(problem[0]).split()).split(".")[0]
        total = float(values.sum())
        if not math.isfinite(total) or float(errors.sum()) > max(relative * total, 1e-300):
            raise NumericalError(
                f"{owner}: the integral of |ρ| does not converge ({reason}); give times=…, "
                "or a kernel with a finite norm"
            )
        norms.append(total)
    return max(norms)


def _takes_arrays(
    owner: str, kernels: tuple[Any, ...], edges: Float64[np.ndarray, " edges"]
) -> bool:
    """Found out by trying: one number for each time, the same as for that time alone."""
    flat = panels(edges)[0].ravel()
    try:
        values = [np.asarray(kernel(flat)) for kernel in kernels]
        if any(one.shape != flat.shape or one.dtype.kind not in "iuf" for one in values):
            return False
        if not np.isfinite(values).all():
            return False
        for one in np.linspace(0, flat.size - 1, 5).astype(int):
            alone = _at_time(owner, kernels, float(flat[one])).item()
            gap = abs(alone - float(_signed(kernels, flat[one : one + 1])[0]))
            if gap > 1e-6 * max(abs(float(value[one])) for value in values):
                return False
    except Exception:
        # Whatever it is, the kernel does not take arrays; of times alone it may still hold.
        return False
    return True


def _signed(kernels: tuple[Any, ...], t: np.ndarray) -> np.ndarray:
    values = [np.asarray(kernel(t), np.float64) for kernel in kernels]
    return values[0] - values[1] if len(values) == 2 else values[0]


def _with_crossings(
    kernels: tuple[Any, ...], edges: Float64[np.ndarray, " edges"]
) -> Float64[np.ndarray, " more"]:
    """And where the sign changes, which is where |ρ| is not smooth.

    Next to an edge no quadrature would see it: its nodes are inside.
    """
    times = np.sort(np.concatenate([edges[1:], panels(edges)[0].ravel()]))
    signs = np.sign(_signed(kernels, times))
    turns = np.flatnonzero(signs[1:] * signs[:-1] < 0)
    if not 0 < turns.size <= _MOST_PANELS // 5:
        return edges
    low, high, below = times[turns], times[turns + 1], signs[turns]
    for _ in range(60):
        middle = (low + high) / 2
        early = np.sign(_signed(kernels, middle)) == below
        low, high = np.where(early, middle, low), np.where(early, high, middle)
    return np.unique(np.concatenate([edges, high]))


def _first_look(
    kernels: tuple[Any, ...], edges: Float64[np.ndarray, " edges"]
) -> tuple[np.ndarray, np.ndarray]:
    """Integrals of |ρ| over all panels at once, and their errors."""
    nodes, node_weights = np.polynomial.legendre.leggauss(12)
    half, middle = np.diff(edges)[:, None] / 2, (edges[1:] + edges[:-1])[:, None] / 2
    times, weights = panels(edges)
    fine = np.sum(weights * np.abs(_signed(kernels, times.ravel()).reshape(times.shape)), axis=1)
    times = middle + half * nodes
    sizes = np.abs(_signed(kernels, times.ravel()).reshape(times.shape))
    return fine, np.abs(fine - np.sum(half * node_weights * sizes, axis=1))


def _panel_edges(owner: str, *kernels: Any) -> Float64[np.ndarray, " edges"]:
    """Times to integrate between: octaves, and the break points that kernels announce.

    Where one announces none, a fixed grid that is fine enough to see most of what there is.
    """
    found = [_break_points(kernel) for kernel in kernels]
    edges = [np.zeros(1), _OCTAVES, *(points for points, _ in found)]
    if not all(whole for _, whole in found):
        edges += [_EARLY, _MIDDLE, _LATE]
    together = np.unique(np.concatenate(edges))
    together = together[(together >= 0) & np.isfinite(together)]
    if together.size > _MOST_PANELS:
        raise NumericalError(
            f"{owner}: the kernels change at {together.size} times, too many to integrate "
            "between; give times=…"
        )
    return together


def _break_points(kernel: Any) -> tuple[np.ndarray, bool]:
    """All announced, and whether there is nothing between them that none announces."""
    if isinstance(kernel, SumKernel):
        found = [_break_points(part) for part in kernel.parts]
        return np.concatenate([points for points, _ in found]), all(w for _, w in found)
    announce = getattr(kernel, "break_points", None)
    if announce is None:
        return np.empty(0), False
    return np.asarray(announce(), np.float64).ravel(), True


def check_parts(owner: str, norm: float, terms: Iterable[tuple[float, Any]]) -> None:
    """`NumericalError` unless the norms of weighted parts allow that of their sum.

    By the triangle inequality it is at most their sum, and at least what the largest has more
    than the others; a quadrature that misses a part is found out.
    """
    known = [(weight, getattr(part, "l1_norm", None)) for weight, part in terms]
    if any(closed is None for _, closed in known):
        return
    sizes = [abs(weight) * float(closed()) for weight, closed in known if closed is not None]
    most = sum(sizes)
    least = 2 * max(sizes) - most
    if math.isfinite(most) and not least - 1e-6 * most <= norm <= (1 + 1e-6) * most:
        raise NumericalError(
            f"{owner}: the integral of |ρ| came out as {norm:.6g}, which the norms of the parts "
            f"exclude (from {max(least, 0):.6g} to {most:.6g}); give times=…"
        )


def _at_time(
    owner: str, kernels: tuple[Any, ...], t: float
) -> Float64[np.ndarray, "outputs inputs"]:
    """A function of time, or the difference of two, at one time."""
    values = [real_array(owner, "the kernel", kernel(t)) for kernel in kernels]
    for value in values:
        if value.ndim > 2 or not value.size:
            raise RemanenceError(
                f"{owner}: at one time the kernel has shape {value.shape}, expected a number, "
                "(inputs,) or (outputs, inputs)"
            )
    shapes = [np.atleast_2d(value).shape for value in values]
    if len(set(shapes)) > 1:
        raise RemanenceError(f"{owner}: the functions answer with {shapes[0]} and {shapes[1]}")
    return np.atleast_2d(values[0] if len(values) == 1 else values[0] - values[1])


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
