"""How well `Σ c_i e^{−w_i t}` can follow a kernel: linear recurrences as approximation theory.

A linear RNN of width m with real spectrum remembers by such a sum, and the error of its functional
is that of the sum: `‖ρ − ρ̂‖`, here in L²[0, ∞), the norm of white input. Two families:

- *Uniform rates* `kβ`, k = 1 … m: polynomials in `s = e^{−βt}`, the family of the theorem of
  Jackson type (and of HiPPO-LegS, β = 1). Exponentially decaying smooth kernels are approximated
  at once. A power law `(1 + t)^{−p}` costs a power of m with the best β, and a logarithm with a
  fixed one.
- *Free rates* approximate power laws faster than geometrically in √m (widths to 32), by rates
  that go to 0 with m. The curse of memory is a statement about *stable* approximation: the
  distance of the rates from 0 is what a perturbation of the parameters may cost. So every result
  gives its error **and** its spectral abscissa `−min w`, and `min_rate` asks for stability.

Kernels are functions of an array of times, on `[0, ∞)`, or values on a grid `times`, with the
trapezoidal rule on it (and then nothing is known beyond the grid). Functions are integrated by
adaptive Gauss–Legendre panels on a logarithmic scale, to a relative 1e-12 of their norm; jumps
cost digits (1e-7). A kernel with `break_points()`, as those of `kernels`, is looked at between
these. In others what is narrower than a thousandth of its time may be stepped over: where nothing
else is there that is an error, beside something else it is silent.

Source: Li, Han, E & Li (ICLR 2021) and, as restated there, Wang, Li & Li (ICLR 2024) for the
family and its theorems; derived for the rest: the basis `φ_n` is the Takenaka–Malmquist basis of
the rates `β, 2β, …`.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.linalg
import scipy.optimize
from jaxtyping import Float64

from remanence.errors import RemanenceError
from remanence.systems import DiagonalStateSpace, StateSpace
from remanence.theory._exponential_projection import free_rates, project
from remanence.theory._exponential_quadrature import (
    NODES,
    Kernel,
    SampledKernel,
    sample_kernel,
)
from remanence.theory._grids import real_array, real_number, time_array, whole_number

__all__ = [
    "ExponentialSum",
    "Kernel",
    "UniformExponentialSum",
    "free_exponential_sum",
    "orthonormal_realisation",
    "uniform_basis",
    "uniform_exponential_sum",
    "uniform_exponential_sums",
]

_UNIFORM, _FREE = "uniform_exponential_sum", "free_exponential_sum"
_PER_DECADE = 4


@dataclasses.dataclass(frozen=True)
class ExponentialSum:
    """`ρ̂(t) = Σ_i c_i e^{−w_i t}`, a best approximation of a kernel ρ.

    - `rates`: `w`, rising, in 1/time; `coefficients`: `c`.
    - `error`: `‖ρ − ρ̂‖` in L²; `norm`: `‖ρ‖`.

    Call it with times for `ρ̂(t)`.
    """

    rates: Float64[np.ndarray, " width"]
    coefficients: Float64[np.ndarray, " width"]
    error: float
    norm: float

    @property
    def relative_error(self) -> float:
        """`‖ρ − ρ̂‖ / ‖ρ‖`."""
        return self.error / self.norm

    @property
    def spectral_abscissa(self) -> float:
        """`−min w`: perturb a directly parametrised rate by as much, and the sum is unstable."""
        return -float(self.rates.min())

    def __call__(self, times: Any) -> Float64[np.ndarray, "*times"]:
        """`ρ̂(t)`."""
        t = time_array("ExponentialSum", times)
        return np.asarray(np.exp(-t[..., None] * self.rates) @ self.coefficients)

    def system(self, step: float | int = 1.0) -> DiagonalStateSpace:
        """The system of impulse response `g_j = ρ̂(j · step)`; for `∫ρ̂x`, times the step."""
        step = real_number("ExponentialSum.system", "step", step, above=0)
        ones = np.ones((self.rates.size, 1))
        return DiagonalStateSpace(
            np.exp(-self.rates * step), ones, self.coefficients[None], paired=[False] * len(ones)
        )


@dataclasses.dataclass(frozen=True)
class UniformExponentialSum:
    """`ρ̂ = Σ_n x_n φ_n` in the orthonormal basis of the rates β, 2β, …, mβ (`uniform_basis`).

    - `rate`: β, in 1/time; `coordinates`: `x`.
    - `error`: `‖ρ − ρ̂‖` in L²; `norm`: `‖ρ‖`.

    The coefficients of `e^{−kβt}` themselves grow like 34^m with alternating signs; nothing here
    needs them. Call it with times for `ρ̂(t)`.
    """

    rate: float
    coordinates: Float64[np.ndarray, " width"]
    error: float
    norm: float

    @property
    def rates(self) -> Float64[np.ndarray, " width"]:
        """β, 2β, …, mβ."""
        return self.rate * (1.0 + np.arange(self.coordinates.size))

    @property
    def relative_error(self) -> float:
        """`‖ρ − ρ̂‖ / ‖ρ‖`."""
        return self.error / self.norm

    @property
    def spectral_abscissa(self) -> float:
        """`−β`."""
        return -self.rate

    def __call__(self, times: Any) -> Float64[np.ndarray, "*times"]:
        """`ρ̂(t)`."""
        t = time_array("UniformExponentialSum", times)
        return np.asarray(uniform_basis(t, self.coordinates.size, self.rate) @ self.coordinates)

    def system(self, step: float | int = 1.0) -> StateSpace:
        """The system of impulse response `g_j = ρ̂(j · step)`; for `∫ρ̂x`, times the step.

        `A` is `e^{step · A_c}` of `orthonormal_realisation`: triangular, and well conditioned.
        """
        step = real_number("UniformExponentialSum.system", "step", step, above=0)
        A, b = orthonormal_realisation(self.rates)
        return StateSpace(scipy.linalg.expm(step * A), b[:, None], self.coordinates[None])


def uniform_basis(
    times: Any, width: int, rate: float | int = 1.0
) -> Float64[np.ndarray, "*times width"]:
    """`φ_n(t) = √(2β(n+1)) e^{−βt} P_n^{(0,1)}(2e^{−βt} − 1)`, n = 0 … m − 1.

    Orthonormal in L²[0, ∞); the first m span `e^{−kβt}`, k = 1 … m. By the three-term recurrence
    of the Jacobi polynomials, stable to a width of hundreds.

    Raises:
        RemanenceError: if times are not real numbers from 0, the width no whole number from 1 or
            the rate not positive.

        >>> uniform_basis([0.0], 2, 0.5).round(6).tolist()        # φ_n(0) = √(2β(n+1))
        [[1.0, 1.414214]]
    """
    t = time_array("uniform_basis", times)
    rate = real_number("uniform_basis", "rate", rate, above=0)
    width = whole_number("uniform_basis", "width", width, 1)
    s = np.exp(-rate * t)
    x = 2 * s - 1
    before, now = np.zeros_like(x), np.ones_like(x)
    columns = []
    for n in range(width):
        columns.append(np.sqrt(2 * rate * (n + 1)) * s * now)
        ahead = ((2 * n + 3) * (2 * n + 1) * x - 1) * now - n * (2 * n + 3) * before
        before, now = now, ahead / ((n + 2) * (2 * n + 1))
    return np.stack(columns, axis=-1)


def orthonormal_realisation(
    rates: Any,
) -> tuple[Float64[np.ndarray, "width width"], Float64[np.ndarray, " width"]]:
    """`A` and `b` with `e^{tA} b` an orthonormal basis of the span of `e^{−w_k t}`.

        A_nk = −√(2w_n) √(2w_k) for n > k, −w_n for n = k, 0 for n < k;   b_n = √(2w_n).

    Its controllability Gramian is the identity, `A + Aᵀ = −b bᵀ`, and the basis that of Takenaka
    and Malmquist in the order of the rates; the rates β, 2β, … give `uniform_basis`. HiPPO-LegS
    is the same with `√(2n+1)` for `√(2w_n)` below the diagonal: another basis of the same span.

    Source: derived: `∫ d(φφᵀ)/dt = −φ(0)φ(0)ᵀ` with triangular `A`.

    Raises:
        RemanenceError: if a rate is not positive.
    """
    w = real_array("orthonormal_realisation", "rates", rates)
    if w.ndim != 1 or not w.size or not (w > 0).all():
        raise RemanenceError("orthonormal_realisation: rates must be a vector of positive numbers")
    b = np.sqrt(2 * w)
    return -np.tril(np.outer(b, b), -1) - np.diag(w), b


def uniform_exponential_sum(
    kernel: Kernel, width: int, *, rate: float | int | None = None, times: Any = None
) -> UniformExponentialSum:
    """The best approximation of a kernel by the rates β, 2β, …, mβ; `β = rate`, or the best.

    Args:
        kernel: ρ, a function of an array of times, or values at `times`.
        width: m.
        rate: β; if left out, the best of a grid of 4 per decade over what the kernel's own times
            allow, refined by bounded minimisation.
        times: the grid of the kernel's values, if it is given by values.

    The error is measured as the norm of the residual, so that it keeps its digits to 1e-12 of the
    kernel's norm.

    Raises:
        RemanenceError: if the kernel is not square-integrable or not real, or numbers are out of
            range.

        >>> found = uniform_exponential_sum(lambda t: t * np.exp(-t), 8, rate=1.0)
        >>> round(found.relative_error, 3)
        0.02
    """
    return uniform_exponential_sums(kernel, [width], rate=rate, times=times)[0]


def uniform_exponential_sums(
    kernel: Kernel,
    widths: Sequence[int],
    *,
    rate: float | int | None = None,
    times: Any = None,
) -> tuple[UniformExponentialSum, ...]:
    """`uniform_exponential_sum` for several widths, which share the kernel's nodes and the grid.

    With a given rate all widths are one projection: the basis is nested.
    """
    try:
        every = list(widths)
    except TypeError:
        raise RemanenceError(
            f"{_UNIFORM}: widths must be a list of whole numbers, got {widths!r:.60}"
        ) from None
    widths = [whole_number(_UNIFORM, "width", width, 1) for width in every]
    given = None if rate is None else real_number(_UNIFORM, "rate", rate, above=0)
    if not widths:
        return ()
    most = max(widths)
    nodes = max(NODES, int(0.6 * most) + 12)
    sampled = sample_kernel(kernel, times, owner=_UNIFORM, nodes=nodes, rate=given)
    if given is not None:
        errors = _uniform_errors(sampled, most, given)
        return tuple(_uniform(sampled, width, given, errors[width]) for width in widths)
    low, high = sampled.rates
    grid = np.geomspace(low, high, max(2, int(_PER_DECADE * np.log10(high / low))))
    table = np.array([_uniform_errors(sampled, most, float(one)) for one in grid])
    made = []
    for width in widths:
        best = int(np.argmin(table[:, width]))
        found: Any = scipy.optimize.minimize_scalar(
            lambda log, width=width: _uniform_errors(sampled, width, float(np.exp(log)))[width],
            bounds=(np.log(grid[max(best - 1, 0)]), np.log(grid[min(best + 1, grid.size - 1)])),
            method="bounded",
            options={"xatol": 1e-4},
        )
        chosen = float(np.exp(found.x)) if found.fun < table[best, width] else float(grid[best])
        made.append(_uniform(sampled, width, chosen))
    return tuple(made)


def free_exponential_sum(
    kernel: Kernel,
    width: int,
    *,
    min_rate: float | int | None = None,
    max_rate: float | int | None = None,
    times: Any = None,
) -> ExponentialSum:
    """The best approximation of a kernel by `width` real exponentials of any rates.

    Variable projection: coefficients by QR, the logarithms of rates by least squares with
    Kaufman's Jacobian, from several geometric progressions. A local optimum, and not proved to be
    more. Rates stay 1 % apart: a confluent optimum such as `t e^{−t}` is approached to 1e-5. Many
    rates at a bound `min_rate` want to be confluent too, with readouts of 1e12 and more: beyond a
    width of ten or so the error found there is a bound from above (for `(1 + t)^{−1.1}` with
    `w ≥ 0.1` at least a fifth too large at m = 16, and two thirds at m = 32).

    **Never a lower bound on the width without `min_rate`**: free rates approximate power laws
    fast, and their `min w` goes to 0 with the width (`spectral_abscissa`). Only approximation
    that stays stable under perturbation, `w ≥ w_min`, is slow for slowly decaying kernels.

    Args:
        kernel: ρ, a function of an array of times, or values at `times`.
        width: m. The result has fewer rates where fewer leave less than 1e-11 of the norm.
        min_rate: `w_min`, the stability condition.
        max_rate: the fastest rate allowed.
        times: the grid of the kernel's values, if it is given by values.

    Without bounds rates stay within what the kernel's own times can tell (a function: from a
    thousand times slower than its energy's end).

    Raises:
        RemanenceError: if the kernel is not square-integrable or not real, oscillates or jumps
            too often to be resolved, or if bounds leave no room.

        >>> found = free_exponential_sum(lambda t: 0.9**t, 4)
        >>> found.rates.round(6).tolist()                         # log(1/.9), and no more needed
        [0.105361]
    """
    width = whole_number(_FREE, "width", width, 1)
    for bound, name in ((min_rate, "min_rate"), (max_rate, "max_rate")):
        if bound is not None:
            real_number(_FREE, name, bound, above=0)
    sampled = sample_kernel(kernel, times, owner=_FREE, rate=None)
    low, high = sampled.rates
    low = max(low, min_rate) if min_rate is not None else low
    high = min(high, max_rate) if max_rate is not None else high
    if not np.log(low) + 0.05 * width < np.log(high):
        raise RemanenceError(
            f"{_FREE}: no room for {width} rates between {low:.3g} and {high:.3g}, the bounds and "
            "what the kernel's times resolve; widen the bounds or take fewer"
        )
    rates = free_rates(sampled, width, float(low), float(high))
    found = project(sampled, rates)
    return ExponentialSum(
        rates,
        found.readouts * np.sqrt(2 * rates),
        float(np.linalg.norm(found.residual)),
        float(np.sqrt(sampled.energy)),
    )


def _weighted(sampled: SampledKernel, width: int, rate: float) -> tuple[np.ndarray, ...]:
    """`√weight` times basis and kernel, and the basis made orthonormal where a grid is not."""
    root = np.sqrt(sampled.weights)
    basis = root[:, None] * uniform_basis(sampled.times, width, rate)
    orthonormal = basis if sampled.continuous else np.linalg.qr(basis)[0]
    return basis, orthonormal, root * sampled.values


def _uniform_errors(sampled: SampledKernel, width: int, rate: float) -> np.ndarray:
    """`‖ρ − ρ̂‖` of every width from 0 to `width`."""
    _, orthonormal, residual = _weighted(sampled, width, rate)
    errors = [np.linalg.norm(residual)]
    for column in orthonormal.T:
        residual = residual - (column @ residual) * column
        errors.append(np.linalg.norm(residual))
    return np.array(errors)


def _uniform(
    sampled: SampledKernel, width: int, rate: float, error: Any = None
) -> UniformExponentialSum:
    basis, orthonormal, y = _weighted(sampled, width, rate)
    coordinates = orthonormal.T @ y
    if not sampled.continuous:
        coordinates = np.linalg.lstsq(orthonormal.T @ basis, coordinates, rcond=1e-13)[0]
    measured = np.linalg.norm(y - basis @ coordinates) if error is None else error
    return UniformExponentialSum(
        rate, coordinates, float(measured), float(np.sqrt(sampled.energy))
    )
