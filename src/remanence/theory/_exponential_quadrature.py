"""Kernels on [0, ∞) as weighted values at nodes that resolve them, and exponentials beside them.

Panels grow by factors of two from where the kernel is smooth down to zero to where its energy has
ended: Gauss–Legendre nodes on such panels resolve `e^{−wt}` of every rate between the two ends,
and whatever a power law does. A panel that does not resolve the kernel is halved.

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

Kernel = Callable[[np.ndarray], Any] | np.ndarray | Sequence[float | int]
"""A function of an array of times, or its values on a grid that is given beside it."""

NODES = 20
"""Per panel: resolves `e^{−wt}` on a panel from a to 2a to 1e-13 whatever w."""

_LOWEST, _HIGHEST, _FARTHEST = -60, 16, 320
"""Powers of two: where panels start, how far they reach at least, and at most (power laws)."""
_SUBPANELS = 8
_DEPTH = 45
_RESOLVED = 1e-12
_NEGLIGIBLE = 1e-17
_REACH = 9
"""Panels beyond the kernel's own ends, for exponentials that are faster or slower than it."""

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
            there is nothing but zeros, or if the energy of a function does not converge.
    """
    if callable(kernel):
        if times is not None:
            raise RemanenceError(
                f"{owner}: times are for a kernel given by values; leave them out"
            )
        return _panels(kernel, owner, nodes, rate)
    return _on_grid(kernel, times, owner)


def real_array(values: Any, owner: str, name: str) -> Float64[np.ndarray, "..."]:
    """`values` as float64; one line where they are not finite real numbers."""
    array = np.asarray(values)
    kinds = (np.floating, np.integer)
    if not any(np.issubdtype(array.dtype, kind) for kind in kinds):
        raise RemanenceError(f"{owner}: {name} must be real numbers, got {array.dtype}")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise RemanenceError(f"{owner}: {name} hold NaN or infinity")
    return array


def _on_grid(kernel: Any, times: Any, owner: str) -> SampledKernel:
    values = real_array(kernel, owner, "the kernel's values")
    if times is None:
        raise RemanenceError(f"{owner}: give times=, the grid of the kernel's values")
    grid = real_array(times, owner, "times")
    if values.ndim != 1 or grid.shape != values.shape or grid.size < 2:
        raise RemanenceError(
            f"{owner}: values of shape {values.shape} on times of shape {grid.shape}; give two "
            "vectors of one length, at least 2"
        )
    steps = np.diff(grid)
    if grid[0] < 0 or not (steps > 0).all():
        raise RemanenceError(f"{owner}: times must rise from 0 or later")
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
        values = real_array(kernel(times.ravel()), owner, "the kernel's values")
        if values.shape != (times.size,):
            raise RemanenceError(
                f"{owner}: the kernel gives shape {values.shape} at {times.size} times; it must "
                "take a vector of times and give one number for each"
            )
        return values.reshape(times.shape)

    rule = _Rule(nodes, evaluate)
    edges = 2.0 ** np.arange(_LOWEST, _HIGHEST + 1)
    energies = rule.energies(edges[:-1], edges[1:])
    # Further only where it must: special functions are often NaN at arguments of 1e10 and more.
    while (energies[-4:] >= _NEGLIGIBLE * energies.sum()).any() and edges[-1] < 2.0**_FARTHEST:
        more = edges[-1] * 2.0 ** np.arange(0, 5)
        energies = np.concatenate([energies, rule.energies(more[:-1], more[1:])])
        edges = np.concatenate([edges, more[1:]])
    total = float(energies.sum())
    if not np.isfinite(total) or energies[-1] > _NEGLIGIBLE * total:
        raise RemanenceError(
            f"{owner}: the kernel's energy ∫ρ² has not converged at t = {edges[-1]:.0e}; the "
            "kernel must be square-integrable"
        )
    if total == 0:
        raise RemanenceError(f"{owner}: the kernel is zero everywhere")
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
    times, weights, values = rule.resolve(starts, stops, total)
    rates = _DECAYED / float(stops[-1]), _FAST / float(stops[0])
    return _not_nothing(SampledKernel(times, weights, values, rates, continuous=True), owner)


def _panels_to(ratio: float) -> int:
    return max(_REACH, math.ceil(math.log2(max(ratio, 1.0))))


class _Rule:
    """Gauss–Legendre on panels, and whether a panel resolves the kernel."""

    def __init__(self, nodes: int, evaluate: Callable[[np.ndarray], np.ndarray]) -> None:
        x, w = np.polynomial.legendre.leggauss(nodes)
        self._x, self._w, self._evaluate = (x + 1) / 2, w / 2, evaluate
        check = (np.arange(_SUBPANELS * 4) + 0.5) / (_SUBPANELS * 4)
        to_values = np.polynomial.legendre.legvander(x, nodes - 1)
        at_checks = np.polynomial.legendre.legvander(2 * check - 1, nodes - 1)
        self._check, self._interpolate = check, at_checks @ np.linalg.inv(to_values)

    def points(self, starts: np.ndarray, stops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lengths = (stops - starts)[:, None]
        return starts[:, None] + lengths * self._x, lengths * self._w

    def energies(self, starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
        """Of panels each cut into eight, so that a feature within a panel is not stepped over."""
        cuts = np.arange(_SUBPANELS + 1) / _SUBPANELS
        edges = starts[:, None] + (stops - starts)[:, None] * cuts
        times, weights = self.points(edges[:, :-1].ravel(), edges[:, 1:].ravel())
        # Overflow is told as an energy that is not finite.
        with np.errstate(over="ignore"):
            parts = (weights * self._evaluate(times) ** 2).sum(axis=1)
        return parts.reshape(starts.size, _SUBPANELS).sum(axis=1)

    def unresolved(self, starts: np.ndarray, stops: np.ndarray, total: float) -> np.ndarray:
        """Panels whose interpolant misses the kernel by more than its share of the energy."""
        times, _ = self.points(starts, stops)
        values = self._evaluate(times)
        lengths = stops - starts
        there = self._evaluate(starts[:, None] + lengths[:, None] * self._check)
        missed = np.abs(values @ self._interpolate.T - there).max(axis=1)
        size = np.abs(values).max(axis=1)
        return (missed > _RESOLVED * size) & (lengths * missed**2 > _RESOLVED**2 * total)

    def smooth_up_to(self, edges: np.ndarray, total: float) -> int:
        """The last edge up to which one panel from zero resolves the kernel."""
        rough = np.flatnonzero(self.unresolved(np.zeros(edges.size), edges, total))
        return max(int(rough[0]) - 1, 0) if rough.size else edges.size - 1

    def resolve(
        self, starts: np.ndarray, stops: np.ndarray, total: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        done = []
        for _ in range(_DEPTH):
            rough = self.unresolved(starts, stops, total)
            done.append((starts[~rough], stops[~rough]))
            starts, stops = starts[rough], stops[rough]
            if not starts.size:
                break
            middle = (starts + stops) / 2
            starts, stops = np.append(starts, middle), np.append(middle, stops)
        # A jump is between two numbers by now.
        done.append((starts, stops))
        starts, stops = (np.concatenate(ends) for ends in zip(*done, strict=True))
        order = np.argsort(starts)
        times, weights = self.points(starts[order], stops[order])
        return times.ravel(), weights.ravel(), self._evaluate(times).ravel()
