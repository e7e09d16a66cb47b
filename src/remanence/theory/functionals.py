"""Norms of linear functionals: how far apart two memories are, in the worst case and exactly.

`H_t(x) = ∫_0^∞ ρ(s)·x_{t−s} ds` with inputs bounded by 1 in every channel is at most `∫ |ρ|_1`,
and comes as near to it as one likes. In discrete time, `y_t = Σ_j g_j x_{t−j}`, the norm is
`Σ_j |g_j|_1`. A memory is given as a function of time, as an array, or as a linear system.
"""

import math
from typing import Any

import numpy as np
from jaxtyping import Complex128, Float64

from remanence.errors import RemanenceError
from remanence.systems import DiagonalStateSpace, StateSpace
from remanence.theory._grids import real_array, real_number, rising_grid, shown, whole_number
from remanence.theory._kernel_values import (
    check_denominator,
    check_parts,
    difference_system,
    on_grid,
    whole_integral,
)
from remanence.theory._system_norms import absolute_sum
from remanence.theory.kernels import SumKernel


def functional_norm(kernel: Any, *, times: Any = None, tolerance: float | int = 1e-10) -> float:
    """`sup_{‖x‖_∞ ≤ 1} |H(x)| = ∫ |ρ(t)|_1 dt`, or `Σ_j |g_j|_1`; the worst of several outputs.

    Args:
        kernel: one of
            - a function of time: exact for kernels with an `l1_norm` (`theory.kernels`), else
              integrated over [0, ∞) to the relative `tolerance`; with `times` by the trapezoidal
              rule on that grid instead;
            - an array `(time,)`, `(time, inputs)` or `(time, outputs, inputs)`: a sum over time
              steps, or with `times` an integral by the trapezoidal rule;
            - a `StateSpace` or `DiagonalStateSpace`: the sum over all lags, with a bounded tail;
              infinite if it is not stable.
        times: `(time,)`, ascending.
        tolerance: below 1; of integrals not less than 1e-13.

    Quadrature sees what it looks at. The kernels of `theory.kernels` announce where they change
    (`break_points()`, an array of times; any function may have one), and are resolved wherever
    that is. Any other function is looked at every 0.15 up to t = 1024 and every t/1000 beyond,
    to t = 10¹²; what is narrower can be missed there without a word: give `times`, or a sum of
    kernels that announce themselves.

    Raises:
        RemanenceError: for NaN, complex numbers or shapes that do not fit.
        NumericalError: if the integral does not converge, or contradicts the norms of its parts.

    Source: Wang, Li & Li, ICLR 2024 (arXiv 2305.19190), and Li et al., ICLR 2021: `‖H‖ = ‖ρ‖₁`,
    by the Riesz representation theorem; attained by `worst_input`.

        >>> functional_norm([1.0, -0.5, 0.25])
        1.75
        >>> functional_norm(StateSpace([[0.5]], [[1.0]], [[-2.0]]))
        4.0
    """
    owner = "functional_norm"
    tolerance = _tolerance(owner, tolerance)
    if isinstance(kernel, StateSpace | DiagonalStateSpace):
        if times is not None:
            raise RemanenceError(f"{owner}: a system counts in steps; times are for kernels")
        return float(absolute_sum(kernel, tolerance=tolerance).sum(axis=1).max(initial=0.0))
    if callable(kernel) and times is None:
        closed = getattr(kernel, "l1_norm", None)
        if closed is not None:
            return float(closed())
        norm = whole_integral(owner, (kernel,), tolerance)
        if isinstance(kernel, SumKernel):
            weights = kernel.weights or (1.0,) * len(kernel.parts)
            check_parts(owner, norm, zip(weights, kernel.parts, strict=True))
        return norm
    values = on_grid(owner, kernel, times)
    sizes = np.abs(values).sum(axis=2)
    if times is None:
        return float(sizes.sum(axis=0).max(initial=0.0))
    grid = rising_grid(owner, times, len(sizes))
    return float(np.trapezoid(sizes, grid, axis=0).max(initial=0.0))


def functional_distance(
    first: Any, second: Any, *, times: Any = None, tolerance: float | int = 1e-10
) -> float:
    """`sup_{‖x‖_∞ ≤ 1} |H(x) − Ĥ(x)| = ∫ |ρ − ρ̂|_1`, exactly: `functional_norm` of the difference.

    Both are functions of time, both arrays of one shape, both systems, or one a function and the
    other an array with `times`. What `functional_norm` says of resolution holds here too.

    Raises:
        RemanenceError: for a pair that cannot be compared; and what `functional_norm` raises.

        >>> functional_distance([1.0, 0.5], [1.0, 0.25])
        0.25
    """
    owner = "functional_distance"
    systems = [isinstance(one, StateSpace | DiagonalStateSpace) for one in (first, second)]
    if all(systems):
        return functional_norm(difference_system(first, second), times=times, tolerance=tolerance)
    if any(systems):
        raise RemanenceError(
            f"{owner}: a system is compared with a system; for an array or a function take its "
            "impulse_response(length)"
        )
    if callable(first) and callable(second) and times is None:
        norm = whole_integral(owner, (first, second), _tolerance(owner, tolerance))
        check_parts(owner, norm, [(1.0, first), (-1.0, second)])
        return norm
    if (callable(first) or callable(second)) and times is None:
        raise RemanenceError(f"{owner}: a function is compared with an array at times=…")
    a, b = on_grid(owner, first, times), on_grid(owner, second, times)
    if a.shape != b.shape:
        raise RemanenceError(f"{owner}: the arrays have shapes {a.shape} and {b.shape}")
    return functional_norm(a - b, times=times, tolerance=tolerance)


def _tolerance(owner: str, value: Any) -> float:
    tolerance = real_number(owner, "tolerance", value, above=0)
    if tolerance >= 1:
        raise RemanenceError(f"{owner}: tolerance must be below 1, got {tolerance:g}")
    return tolerance


def worst_input(
    kernel: Any, other: Any = None, *, output: int = 0
) -> Float64[np.ndarray, "time inputs"]:
    """The bounded input whose last output is the norm: `x_{T−1−j} = sign(g_j − ĝ_j)`.

    Args:
        kernel, other: impulse responses, arrays as for `functional_norm`; 0 if `other` is not
            given.
        output: which output is driven.

    Feed it to a model at rest: after T steps the outputs of the two differ by `Σ_{j<T} |g_j −
    ĝ_j|_1`, and by no more under any input of size 1.

    Source: derived: `|Σ_j g_j·x_{T−1−j}| ≤ Σ_j |g_j|_1 ‖x‖_∞` with equality
    for these signs.

        >>> worst_input([1.0, -0.5])[:, 0].tolist()
        [-1.0, 1.0]
    """
    owner = "worst_input"
    if callable(kernel) or callable(other):
        raise RemanenceError(
            f"{owner}: a function of time has no steps; give its values, kernel(times)"
        )
    values = on_grid(owner, kernel, None)
    if other is not None:
        theirs = on_grid(owner, other, None)
        if theirs.shape != values.shape:
            raise RemanenceError(
                f"{owner}: the arrays have shapes {values.shape} and {theirs.shape}"
            )
        values = values - theirs
    output = whole_number(owner, "output", output, 0)
    if output >= values.shape[1]:
        raise RemanenceError(f"{owner}: there is no output {output} among {values.shape[1]}")
    return np.sign(values[::-1, output, :])


def w1_norm(
    kernel: Any,
    *,
    times: Any = None,
    denominator: str = "x",
    radius: float | int = math.inf,
) -> float:
    """`‖H‖_{W1} = sup_t (‖H_t‖ + ‖dH_t/dt‖)` of a linear functional, in either convention.

    For `dH_t/dt = ρ(0)·x_t + ∫ ρ'(s)·x_{t−s} ds` the second norm is `|ρ(0)|_1 + ∫ |dρ|_1`, so that
    jumps count. For an array of steps: `Σ_j |g_j|_1 + Σ_j |g_j − g_{j−1}|_1`, `g_{−1} = 0`, with
    the last value followed by 0 where the array ends.

    Args:
        kernel: an array `(time,)`, `(time, inputs)` or `(time, outputs, inputs)`, or a function
            with `times`; with `times` the integral is the trapezoidal rule's, and the kernel is
            not followed beyond the grid.
        denominator: "x" or "x+1".
        radius: the largest `‖x‖_∞` that counts. With "x+1" both norms are `r/(r + 1)` times
            those of "x"; without a bound on the inputs, which is the definition, the two
            conventions agree for linear functionals.

    Source: the norm: Wang, Li & Li, ICLR 2024 ("x"), Wang & Li, ICML 2024 ("x+1"), both as
    restated on slides and in the appendix; its value for linear functionals: derived.

        >>> w1_norm([1.0, 0.5])
        3.5
    """
    owner = "w1_norm"
    check_denominator(owner, denominator)
    if not (isinstance(radius, float) and radius == math.inf):
        radius = real_number(owner, "radius", radius, above=0)
    values = on_grid(owner, kernel, times)
    jumps = np.abs(np.diff(values, axis=0, prepend=np.zeros_like(values[:1]))).sum(axis=(0, 2))
    sizes = np.abs(values).sum(axis=2)
    if times is None:
        norms = sizes.sum(axis=0) + jumps + sizes[-1]
    else:
        norms = np.trapezoid(sizes, rising_grid(owner, times, len(sizes)), axis=0) + jumps
    worst = float(norms.max(initial=0.0))
    if denominator == "x" or math.isinf(radius):
        return worst
    return worst * radius / (radius + 1)


def w1_estimate(
    inputs: Any, differences: Any, *, step: float | int = 1.0, denominator: str = "x"
) -> float:
    """A lower bound of `‖H − Ĥ‖_{W1}` for any two models, from their outputs on given inputs.

        max_t [ max_n |e_{n,t}|/N_n + max_n |e_{n,t} − e_{n,t−1}|/(Δ N_n) ],  e_n = y_n − ŷ_n

    with `N_n = max_t |x_{n,t}|_∞`, plus 1 for the denominator "x+1".

    Args:
        inputs: `(sequences, time, inputs)`; differences: `(sequences, time)` or `(sequences,
            time, outputs)`, of which the worst output counts.
        step: Δ, the time between steps.
        denominator: "x" or "x+1".

    For "x+1" the definition adds `|H_t(0) − Ĥ_t(0)|`; where the models answer zero input with
    something else than zero, give that sequence among the inputs: its N is 1 and it is counted.

    Source: the norm as for `w1_norm`.
    """
    owner = "w1_estimate"
    check_denominator(owner, denominator)
    step = real_number(owner, "step", step, above=0)
    x, e = real_array(owner, "inputs", inputs), real_array(owner, "differences", differences)
    e = e[..., None] if e.ndim == 2 else e
    if x.ndim != 3 or e.ndim != 3 or x.shape[:2] != e.shape[:2] or not x.size or not e.size:
        raise RemanenceError(
            f"{owner}: inputs have shape {x.shape} and differences {e.shape}, expected "
            "(sequences, time, …) of both"
        )
    sizes = np.abs(x).max(axis=(1, 2)) + (1.0 if denominator == "x+1" else 0.0)
    if (sizes == 0).any():
        raise RemanenceError(f"{owner}: an input that is 0 throughout has no ratio of this kind")
    scaled = e / sizes[:, None, None]
    moves = np.abs(np.diff(scaled, axis=1, prepend=np.zeros_like(scaled[:, :1]))) / step
    return float(np.max(np.abs(scaled).max(axis=(0, 2)) + moves.max(axis=(0, 2))))


def spectral_abscissa(system: Any, *, time: str = "continuous") -> float:
    """How slowly the slowest mode dies: `max Re λ`, or `log max |λ|` in discrete time.

    Memory fades like `e^{αt}`, α the abscissa: the distance −α to instability is the stability
    radius of eigenvalues that are trained directly.

    Args:
        system: a `StateSpace` or `DiagonalStateSpace`, which are discrete; or eigenvalues,
            real or complex, one or `(modes,)`. A matrix is refused: give `np.linalg.eigvals(A)`.
        time: of an array: "continuous" (`h' = λh`) or "discrete" (`h_{t+1} = λ h_t`).

    Returns:
        The abscissa per unit of time or per step; −∞ where there are no modes, or all of a
        discrete system are 0.

        >>> spectral_abscissa([-0.5 + 3j, -2.0])
        -0.5
    """
    owner = "spectral_abscissa"
    if isinstance(system, StateSpace | DiagonalStateSpace):
        radius = system.spectral_radius()
        return math.log(radius) if radius > 0 else -math.inf
    if not isinstance(time, str) or time not in ("continuous", "discrete"):
        raise RemanenceError(f"{owner}: time {shown(time)} is neither continuous nor discrete")
    values = _eigenvalues(owner, system)
    if time == "continuous":
        return float(np.max(np.real(values), initial=-math.inf))
    radius = float(np.max(np.abs(values), initial=0.0))
    return math.log(radius) if radius > 0 else -math.inf


def _eigenvalues(owner: str, value: Any) -> Complex128[np.ndarray, "..."]:
    try:
        values = np.asarray(value)
    except (TypeError, ValueError):
        values = np.asarray(None)
    if values.ndim > 1:
        raise RemanenceError(
            f"{owner}: eigenvalues are one number or (modes,), got shape {values.shape}; of a "
            "matrix give np.linalg.eigvals(A), or a StateSpace"
        )
    number = values.dtype.kind in "iufc" or values.dtype.name == "bfloat16"
    if not number or not np.isfinite(values).all():
        raise RemanenceError(f"{owner}: the eigenvalues must be finite numbers")
    return values.astype(np.complex128)
