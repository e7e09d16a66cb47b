"""Gradient flow of a sum of exponentials towards a kernel, in closed form: where it stands still.

    J(a, w) = ∫_0^∞ (Σ_i a_i e^{−w_i t} − ρ)² dt
            = Σ_ij a_i a_j / (w_i + w_j) − 2 Σ_i a_i L(w_i) + ‖ρ‖²

is the expected squared error, per white input, of a linear RNN with diagonal recurrence
`W = −diag(w)` and `a_i = c_i u_i`; `L(w) = ∫ρ e^{−wt} dt`. Its gradients,

    ∂J/∂a_k = 2 (Σ_j a_j/(w_k + w_j) − L(w_k))
    ∂J/∂w_k = −2 a_k (Σ_j a_j/(w_k + w_j)² + L'(w_k)),

see the target through its Laplace transform only: what ρ does at the time 1/ω reaches them with a
factor `e^{−w/ω}`, while the loss that it causes is there in full. That is the plateau. With
`ρ_ω = ρ̄ + ρ_0(· − 1/ω)` the time to leave it obeys, for bounded starts near `ρ̂ = ρ̄`,
`τ ≳ ω² e^{c₀/ω} min(δ/√m, log(1 + δ))` (Li, Han, E & Li, ICLR 2021; recalled, the factor of δ
with less confidence). The constant `c₀` is no measured slope: if only w moves, `d(e^{w/ω})/dτ` is
of order `ω^{−2}` and `τ ∝ ω² e^{w(0)/ω}`; where the readouts follow at once they are of order
`e^{−w/ω}` as well, and the exponent tends to `2w(0)/ω`.

The loss is a difference of its three terms: good to 1e-15 of the target's energy.

Source: derived (and checked by finite differences); the reduction to J is standard.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.integrate
from jaxtyping import Float64

from remanence.errors import NumericalError, RemanenceError
from remanence.theory._flow_targets import (
    AbstractFlowTarget,
    DelayedGaussian,
    ExponentialTarget,
    KernelTarget,
    PlateauTarget,
)
from remanence.theory._grids import (
    real_array,
    real_number,
    require_flag,
    time_array,
    whole_number,
)

__all__ = [
    "AbstractFlowTarget",
    "DelayedGaussian",
    "ExponentialTarget",
    "FlowTrajectory",
    "KernelTarget",
    "PlateauTarget",
    "flow_gradients",
    "flow_loss",
    "gradient_descent",
    "gradient_flow",
]

Vector = Float64[np.ndarray, " width"]


@dataclasses.dataclass(frozen=True)
class FlowTrajectory:
    """`a`, `w` and `J` along a flow or a descent.

    - `times`: flow time τ, or steps times the learning rate; from 0.
    - `coefficients`, `rates`: `(times, width)`; `losses`: `J`.
    - `escape_time`: the first τ with `J(0) − J(τ) ≥ δ`; infinite if there was none.
    """

    times: Float64[np.ndarray, " times"]
    coefficients: Float64[np.ndarray, "times width"]
    rates: Float64[np.ndarray, "times width"]
    losses: Float64[np.ndarray, " times"]
    escape_time: float


def flow_loss(target: AbstractFlowTarget, coefficients: Any, rates: Any) -> float:
    """`J(a, w)`, in units of `∫ρ² dt`.

    Raises:
        RemanenceError: if coefficients and rates do not fit, or rates are not positive.

        >>> flow_loss(ExponentialTarget([1.0], [1.0]), [0.0], [2.0])
        0.5
    """
    a, w = _start(target, coefficients, rates, "flow_loss")
    return _loss(target, target.energy, a, w)


def flow_gradients(
    target: AbstractFlowTarget, coefficients: Any, rates: Any
) -> tuple[Vector, Vector]:
    """`∂J/∂a` and `∂J/∂w`; as `flow_loss`."""
    a, w = _start(target, coefficients, rates, "flow_gradients")
    return _gradients(target, a, w)


def gradient_flow(
    target: AbstractFlowTarget,
    coefficients: Any,
    rates: Any,
    *,
    horizon: float | int,
    escape: float | int | None = None,
    log_rates: bool = False,
    times: Sequence[float | int] | np.ndarray | None = None,
    rtol: float = 1e-8,
    atol: float = 1e-12,
) -> FlowTrajectory:
    """`ȧ = −∂J/∂a`, `ẇ = −∂J/∂w` from `a(0)`, `w(0)`, by LSODA to the time `horizon`.

    Args:
        target: one of the targets of this module.
        coefficients, rates: `a(0)` and `w(0) > 0`, vectors of one length.
        horizon: flow time; LSODA takes long steps on plateaus, so 1e12 is no more work.
        escape: δ; the flow ends when J has fallen by so much, and that time is `escape_time`.
        log_rates: the flow of `log w` instead of `w`, `d(log w)/dτ = −w ∂J/∂w`.
        times: where to keep the trajectory, ascending from 0 to the horizon, as far as the flow
            goes; LSODA's own steps if left out.
        rtol, atol: of LSODA, on `(a, w)` or `(a, log w)`; rtol from 1e-13 and below 1,
            atol from 1e-100.

    Raises:
        RemanenceError: if the start or the numbers do not fit.
        NumericalError: if a rate reaches 0 (where J is infinite) or LSODA gives up.

        >>> late = DelayedGaussian(delay=8.0, width=0.5)
        >>> target = PlateauTarget(ExponentialTarget([1.0], [1.0]), late)
        >>> start = {"coefficients": [1.0, 0.0], "rates": [1.0, 0.6]}
        >>> gradient_flow(target, **start, horizon=1e6, escape=0.01).escape_time > 10
        True
    """
    owner = "gradient_flow"
    a, w = _start(target, coefficients, rates, owner)
    width = a.size
    horizon = real_number(owner, "horizon", horizon, above=0)
    drop = np.inf if escape is None else real_number(owner, "escape", escape, above=0)
    require_flag(owner, "log_rates", log_rates)
    kept = None if times is None else _kept_times(times, horizon, owner)
    rtol = real_number(owner, "rtol", rtol, least=1e-13)
    atol = real_number(owner, "atol", atol, least=1e-100)
    if rtol >= 1:
        raise RemanenceError(f"{owner}: rtol must be below 1, got {rtol:g}")
    energy = target.energy
    whole = _loss(target, energy, a, w)

    def split(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return x[:width], (np.exp(x[width:]) if log_rates else x[width:])

    # Trial steps of the solver may be beyond the wall; there it cannot go on.
    def inside(rate: np.ndarray) -> bool:
        return bool(((rate > 0) & np.isfinite(rate)).all())

    def slope(_: float, x: np.ndarray) -> np.ndarray:
        now, rate = split(x)
        if not inside(rate):
            return np.full(x.shape, np.nan)
        by_a, by_w = _gradients(target, now, rate)
        return -np.concatenate([by_a, by_w * rate if log_rates else by_w])

    def fallen(_: float, x: np.ndarray) -> float:
        now, rate = split(x)
        return _loss(target, energy, now, rate) - whole + drop if inside(rate) else np.inf

    fallen.terminal = True  # pyright: ignore[reportFunctionMemberAccess]
    solution = scipy.integrate.solve_ivp(
        slope,
        (0.0, horizon),
        np.concatenate([a, np.log(w) if log_rates else w]),
        method="LSODA",
        t_eval=kept,
        events=None if escape is None else fallen,
        rtol=rtol,
        atol=atol,
    )
    # A list of nothing where the flow ended before the first of the given times.
    x = np.asarray(solution.y, np.float64).reshape(2 * width, -1)
    ends = np.asarray(solution.t, np.float64)
    found_a, found_w = x[:width].T, x[width:].T
    found_w = np.exp(found_w) if log_rates else found_w
    if not solution.success or not np.isfinite(x).all() or not (found_w > 0).all():
        last = f"at τ = {ends[-1]:.3g}, min w = {found_w.min():.3g}" if ends.size else "at once"
        raise NumericalError(
            f"gradient_flow: LSODA stopped {last}; log_rates=True keeps rates positive"
        )
    losses = [_loss(target, energy, *pair) for pair in zip(found_a, found_w, strict=True)]
    events = solution.t_events[0] if solution.t_events else np.array([])
    return FlowTrajectory(
        ends,
        found_a,
        found_w,
        np.array(losses),
        float(events[0]) if events.size else float("inf"),
    )


def gradient_descent(
    target: AbstractFlowTarget,
    coefficients: Any,
    rates: Any,
    *,
    learning_rate: float | int,
    steps: int,
    escape: float | int | None = None,
    log_rates: bool = False,
    every: int = 1,
) -> FlowTrajectory:
    """Plain gradient descent on J; as `gradient_flow`, with times `steps · learning_rate`.

    The trajectory keeps every `every`-th step; with `escape` it ends at the step that is kept or
    has escaped first.

    Raises:
        RemanenceError: if the start or the numbers do not fit.
        NumericalError: if a rate is carried to 0 or beyond, or J is not finite.
    """
    owner = "gradient_descent"
    a, w = _start(target, coefficients, rates, owner)
    learning_rate = real_number(owner, "learning_rate", learning_rate, above=0)
    require_flag(owner, "log_rates", log_rates)
    steps, every = whole_number(owner, "steps", steps, 1), whole_number(owner, "every", every, 1)
    drop = np.inf if escape is None else real_number(owner, "escape", escape, above=0)
    energy = target.energy
    first = _loss(target, energy, a, w)
    kept, escaped = [(0.0, a, w, first)], float("inf")
    for step in range(1, steps + 1):
        by_a, by_w = _gradients(target, a, w)
        # What overflows is told below.
        with np.errstate(over="ignore", invalid="ignore"):
            a = a - learning_rate * by_a
            w = w * np.exp(-learning_rate * w * by_w) if log_rates else w - learning_rate * by_w
        if not ((w > 0).all() and np.isfinite(a).all() and np.isfinite(w).all()):
            raise NumericalError(
                f"gradient_descent: step {step} carried a rate to {np.min(w):.3g}; take a smaller "
                "learning_rate, or log_rates=True"
            )
        over = False
        if escape is not None or step % every == 0 or step == steps:
            loss = _loss(target, energy, a, w)
            over = first - loss >= drop
            if over or step % every == 0 or step == steps:
                kept.append((step * learning_rate, a, w, loss))
        if over:
            escaped = step * learning_rate
            break
    times, coefficients, rates, losses = (np.array(c) for c in zip(*kept, strict=True))
    return FlowTrajectory(times, coefficients, rates, losses, escaped)


def _start(target: Any, coefficients: Any, rates: Any, owner: str) -> tuple[Vector, Vector]:
    if not isinstance(target, AbstractFlowTarget):
        raise RemanenceError(
            f"{owner}: target is a {type(target).__name__} and no flow target; KernelTarget makes "
            "one of a function of time"
        )
    a = real_array(owner, "coefficients", coefficients)
    w = real_array(owner, "rates", rates)
    if a.ndim != 1 or not a.size or a.shape != w.shape:
        raise RemanenceError(
            f"{owner}: coefficients of shape {a.shape} and rates of shape {w.shape}; give two "
            "vectors of one length"
        )
    if not (w > 0).all():
        raise RemanenceError(f"{owner}: rates must be positive, the least is {w.min():g}")
    return a, w


def _kept_times(times: Any, horizon: float, owner: str) -> Float64[np.ndarray, " times"]:
    kept = time_array(owner, times)
    if kept.ndim != 1 or not kept.size or (np.diff(kept) <= 0).any() or kept[-1] > horizon:
        raise RemanenceError(
            f"{owner}: times must be a vector that ascends, up to the horizon {horizon:g} at most"
        )
    return kept


def _loss(target: AbstractFlowTarget, energy: float, a: Vector, w: Vector) -> float:
    gram = 1 / (w[:, None] + w)
    return float(a @ (gram @ a) - 2 * (a @ target.transform(w)[0]) + energy)


def _gradients(target: AbstractFlowTarget, a: Vector, w: Vector) -> tuple[Vector, Vector]:
    gram = 1 / (w[:, None] + w)
    value, slope = target.transform(w)
    return 2 * (gram @ a - value), -2 * a * (gram**2 @ a + slope)
