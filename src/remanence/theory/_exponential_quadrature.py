"""Kernels on [0, ∞) as weighted values at nodes that resolve them, and exponentials beside them.

Panels grow by factors of two from where the kernel is smooth down to zero to where its energy has
ended: Gauss–Legendre nodes on such panels resolve `e^{−wt}` of every rate between the two ends,
and whatever a power law does. A panel that does not resolve the kernel is halved. A panel of an
octave is looked at in 2048 places, so that what is a thousandth of its time wide is not stepped
over, and closer where the kernel announces `break_points()`. A kernel that thousands of panels do
not resolve is refused.

Source: derived; panels that double are the usual quadrature for functions of `log t`.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from remanence.errors import RemanenceError
from remanence.theory._grids import real_array, rising_grid

Kernel = Callable[[np.ndarray], Any] | np.ndarray | Sequence[float | int]
"""A function of an array of times, or its values on a grid that is given beside it."""

NODES = 20
"""Per panel: resolves `e^{−wt}` on a panel from a to 2a to 1e-13 whatever w."""

_LOWEST, _HIGHEST, _FARTHEST = -60, 16, 320
"""Powers of two: where panels start, how far they reach at least, and at most (power laws)."""
_SUBPANELS = 64
_CHECKS = 32
"""Of each panel, and `_SUBPANELS` times as many of an octave, to see what the energies see."""
_DEPTH = 45
_MOST = 4096
"""Panels: a jump takes a hundred, and 80,000 nodes are what a projection can carry."""
_RESOLVED = 1e-12
_NEGLIGIBLE = 1e-17
_REACH = 9
"""Panels beyond the kernel's own ends, for exponentials that are faster or slower than it."""

_SLOWEST, _FASTEST = 1e-90, 1e18
"""Rates within the farthest and the first panel."""

_DECAYED, _FAST = 40.0, 10.0
"""Of `wt`: where `e^{−wt}` has ended, and what one panel down to zero resolves of it."""


@dataclasses.dataclass(frozen=True)
class SampledKernel:
    """`∫ f(t) ρ(t) dt ≈ Σ weights · f(times) · values`, and `energy = ∫ ρ² dt`.

    `rates` are the slowest and the fastest that the nodes resolve; `continuous` says that they
    stand for `[0, ∞)` to rounding, and not for a grid.
    """

    times: Float64[np.ndarray, " nodes"]
    weights: Float64[np.ndarray, " nodes"]
    values: Float64[np.ndarray, " nodes"]
    rates: tuple[float, float]
    continuous: bool

    @functools.cached_property
    def energy(self) -> float:
        """`∫ ρ² dt`."""
        return float(self.weights @ self.values**2)


def sample_kernel(
    kernel: Kernel, times: Any = None, *, owner: str, nodes: int = NODES, rate: float | None = None
) -> SampledKernel:
    """A function by adaptive panels, values on a grid by the trapezoidal rule on it.

    The nodes resolve exponentials a few hundred times slower and faster than the kernel, and
    those of `rate` too if it is given.

    Raises:
        RemanenceError: if values are not finite real numbers, if grid and values do not fit, if
            there is nothing but zeros, if the energy of a function does not converge, or if no
            moderate number of panels resolves it.
    """
    if rate is not None and not _SLOWEST < rate < _FASTEST:
        raise RemanenceError(
            f"{owner}: no nodes reach from the kernel to the rate {rate:g}; take one between "
            f"{_SLOWEST:g} and {_FASTEST:g}, or another unit of time"
        )
    if callable(kernel):
        if times is not None:
            raise RemanenceError(
                f"{owner}: times are for a kernel given by values; leave them out"
            )
        return _panels(kernel, owner, nodes, rate)
    return _on_grid(kernel, times, owner)


def _on_grid(kernel: Any, times: Any, owner: str) -> SampledKernel:
    values = real_array(owner, "the kernel", kernel)
    if times is None:
        raise RemanenceError(f"{owner}: give times=, the grid of the kernel's values")
    if values.ndim != 1:
        raise RemanenceError(
            f"{owner}: the kernel's values have shape {values.shape}; give a vector"
        )
    grid = rising_grid(owner, times, values.size)
    steps = np.diff(grid)
    weights = np.concatenate([steps, [0.0]]) / 2 + np.concatenate([[0.0], steps]) / 2
    rates = 0.01 / float(grid[-1]), 10 / float(steps.min())
    return _not_nothing(SampledKernel(grid, weights, values, rates, continuous=False), owner)


def _not_nothing(sampled: SampledKernel, owner: str) -> SampledKernel:
    if not 0 < sampled.energy < np.inf:
        raise RemanenceError(
            f"{owner}: the kernel's energy is {sampled.energy:g}; it must be positive and finite"
        )
    return sampled


def _panels(
    kernel: Callable[[np.ndarray], Any], owner: str, nodes: int, rate: float | None
) -> SampledKernel:
    def evaluate(times: np.ndarray) -> np.ndarray:
        values = real_array(owner, "the kernel's value", kernel(times.ravel()))
        if values.shape != (times.size,):
            raise RemanenceError(
                f"{owner}: the kernel gives shape {values.shape} at {times.size} times; it must "
                "take a vector of times and give one number for each"
            )
        return values.reshape(times.shape)

    points = _announced(kernel)
    rule = _Rule(nodes, evaluate, points)
    edges = 2.0 ** np.arange(_LOWEST, _HIGHEST + 1)
    energies = rule.energies(edges)
    reach = _reach(kernel, points)
    # Further only where it must: special functions are often NaN at arguments of 1e10 and more.
    while edges[-1] < 2.0**_FARTHEST and (
        edges[-1] < reach or (energies[-4:] >= _NEGLIGIBLE * energies.sum()).any()
    ):
        more = edges[-1] * 2.0 ** np.arange(0, 5)
        energies = np.concatenate([energies, rule.energies(more)])
        edges = np.concatenate([edges, more[1:]])
    total = float(energies.sum())
    if not np.isfinite(total) or energies[-1] > _NEGLIGIBLE * total:
        raise RemanenceError(
            f"{owner}: the kernel's energy ∫ρ² has not converged at t = {edges[-1]:.0e}; the "
            "kernel must be square-integrable"
        )
    if total == 0:
        raise RemanenceError(
            f"{owner}: the kernel is zero everywhere that was looked; if it is not zero, give its "
            "values with times="
        )
    ends = np.flatnonzero(energies > _NEGLIGIBLE * total)
    last = int(ends[-1]) + 1
    slowest = 0.0 if rate is None else _DECAYED / rate
    edges = np.append(
        edges[: last + 1], edges[last] * 2.0 ** np.arange(1, _panels_to(slowest / edges[last]) + 1)
    )
    smooth = rule.smooth_up_to(edges, total)
    fastest = 0.0 if rate is None else edges[smooth] * rate / _FAST
    first = max(smooth - _panels_to(fastest), 0)
    starts, stops = np.append(0.0, edges[first:-1]), edges[first:]
    found = rule.resolve(starts, stops, total)
    if found is None:
        raise RemanenceError(
            f"{owner}: {_MOST} panels do not resolve the kernel, which oscillates or jumps too "
            "often, or is too narrow for its time; give its values with times="
        )
    times, weights, values = found
    rates = _DECAYED / float(stops[-1]), _FAST / float(stops[0])
    return _not_nothing(SampledKernel(times, weights, values, rates, continuous=True), owner)


def _announced(kernel: Any) -> np.ndarray:
    """The `break_points()` of a kernel, or of the parts of a sum: where to look closer."""
    announce = getattr(kernel, "break_points", None)
    if announce is None:
        parts = getattr(kernel, "parts", ())
        several = parts if isinstance(parts, tuple | list) else ()
        return np.unique(np.concatenate([np.empty(0), *map(_announced, several)]))
    points = np.asarray(announce(), np.float64).ravel()
    return np.unique(points[(points > 0) & np.isfinite(points)])


def _reach(kernel: Callable[[np.ndarray], Any], points: np.ndarray) -> float:
    """The last of the points, or of the middles between them, where there is a kernel."""
    if not points.size:
        return 0.0
    probes = np.concatenate([points, (points[1:] + points[:-1]) / 2])
    values = np.asarray(kernel(probes))
    there = np.isfinite(values) & (values != 0)
    return float(probes[there].max(initial=0.0)) if there.shape == probes.shape else 0.0


def _panels_to(ratio: float) -> int:
    return max(_REACH, math.ceil(math.log2(max(ratio, 1.0))))


class _Rule:
    """Gauss–Legendre on panels, and whether a panel resolves the kernel."""

    def __init__(
        self, nodes: int, evaluate: Callable[[np.ndarray], np.ndarray], points: np.ndarray
    ) -> None:
        x, w = np.polynomial.legendre.leggauss(nodes)
        self._x, self._w, self._evaluate = (x + 1) / 2, w / 2, evaluate
        self._points = points
        self._from_values = np.linalg.inv(np.polynomial.legendre.legvander(x, nodes - 1))

    def _checks(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Places on a panel, and the interpolant's values there from those at the nodes."""
        places = (np.arange(count) + 0.5) / count
        return places, self._interpolation(places)

    def _interpolation(self, places: np.ndarray) -> np.ndarray:
        there = np.polynomial.legendre.legvander(2 * places - 1, self._x.size - 1)
        return there @ self._from_values

    def points(self, starts: np.ndarray, stops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lengths = (stops - starts)[:, None]
        return starts[:, None] + lengths * self._x, lengths * self._w

    def energies(self, edges: np.ndarray) -> np.ndarray:
        """Of panels each cut into 64, so that a feature within a panel is not stepped over."""
        cuts = np.arange(_SUBPANELS) / _SUBPANELS
        even = (edges[:-1, None] + np.diff(edges)[:, None] * cuts).ravel()
        inside = self._points[(self._points > edges[0]) & (self._points < edges[-1])]
        every = np.unique(np.concatenate([even, inside, edges[-1:]]))
        times, weights = self.points(every[:-1], every[1:])
        # Overflow is told as an energy that is not finite.
        with np.errstate(over="ignore"):
            parts = (weights * self._evaluate(times) ** 2).sum(axis=1)
        panel = np.searchsorted(edges, every[:-1], side="right") - 1
        return np.bincount(panel, parts, minlength=edges.size - 1)

    def cut(
        self, starts: np.ndarray, stops: np.ndarray, total: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Panels cut at the points within them, if the kernel is missed between those."""
        edges = [starts, stops]
        places, _ = self._checks(_CHECKS)
        for start, stop in zip(starts, stops, strict=True):
            inside = self._points[(self._points > start) & (self._points < stop)]
            if not inside.size:
                continue
            pieces = np.concatenate([[start], inside, [stop]])
            looked = pieces[:-1, None] + np.diff(pieces)[:, None] * places
            there = self._evaluate(looked).ravel()
            values = self._evaluate(self.points(np.array([start]), np.array([stop]))[0])[0]
            at = (looked.ravel() - start) / (stop - start)
            missed = np.abs(self._interpolation(at) @ values - there).max()
            large = (stop - start) * missed**2 > _RESOLVED**2 * total
            if large and missed > _RESOLVED * np.abs(there).max():
                edges.append(inside)
        every = np.unique(np.concatenate(edges))
        return every[:-1], every[1:]

    def unresolved(
        self, starts: np.ndarray, stops: np.ndarray, total: float, checks: int
    ) -> np.ndarray:
        """Panels whose interpolant misses the kernel by more than its share of the energy."""
        times, _ = self.points(starts, stops)
        values = self._evaluate(times)
        lengths = stops - starts
        places, interpolate = self._checks(checks)
        there = self._evaluate(starts[:, None] + lengths[:, None] * places)
        missed = np.abs(values @ interpolate.T - there).max(axis=1)
        size = np.maximum(np.abs(values).max(axis=1), np.abs(there).max(axis=1))
        return (missed > _RESOLVED * size) & (lengths * missed**2 > _RESOLVED**2 * total)

    def smooth_up_to(self, edges: np.ndarray, total: float) -> int:
        """The last edge up to which one panel from zero resolves the kernel."""
        rough = np.flatnonzero(
            self.unresolved(np.zeros(edges.size), edges, total, _CHECKS * _SUBPANELS)
        )
        return max(int(rough[0]) - 1, 0) if rough.size else edges.size - 1

    def resolve(
        self, starts: np.ndarray, stops: np.ndarray, total: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Nodes, weights and values; nothing where panels are too many."""
        done, count = [], 0
        starts, stops = self.cut(starts, stops, total)
        for depth in range(_DEPTH):
            rough = self.unresolved(starts, stops, total, _CHECKS * max(_SUBPANELS >> depth, 1))
            done.append((starts[~rough], stops[~rough]))
            count += int((~rough).sum())
            starts, stops = starts[rough], stops[rough]
            if not starts.size:
                break
            if count + 2 * starts.size > _MOST:
                return None
            middle = (starts + stops) / 2
            starts, stops = np.append(starts, middle), np.append(middle, stops)
            # Of what is narrow the first look may have seen the skirts only.
            times, weights = self.points(starts, stops)
            total = max(total, float((weights * self._evaluate(times) ** 2).sum()))
        # A jump is between two numbers by now.
        done.append((starts, stops))
        starts, stops = (np.concatenate(ends) for ends in zip(*done, strict=True))
        order = np.argsort(starts)
        times, weights = self.points(starts[order], stops[order])
        return times.ravel(), weights.ravel(), self._evaluate(times).ravel()
