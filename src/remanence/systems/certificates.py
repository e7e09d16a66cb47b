"""When a model is certain to extrapolate, and by how much it can be wrong if it does not exactly.

Two theorems. Write h for the model's response, ĝ for the truth's, `e = h − ĝ`, d and d̂ for the
orders, k for the number of lags that were fitted, `δ = max |e_j|` over the lags named.

*Order theorem.* If `n = d + d̂ ≤ k` and δ = 0 on n lags, then e = 0 at every lag. Any number of
inputs and outputs. Proof: e is the response of a system of order at most n, so by Cayley–Hamilton
it obeys the recurrence of that system's characteristic polynomial; n zeros, then all zeros. ∎

*Moment theorem.* If `h_j = ∫ x^j dμ` for some positive measure μ (a balanced system: A symmetric,
`B = Cᵀ`), `k ≥ 2d̂ + 1` and δ = 0 on 2d̂ + 1 lags, then e = 0 at every lag, whatever d is.
Proof: let χ be the truth's characteristic polynomial. `∫ χ² dμ` is a combination of
h_0 … h_{2d̂}, so it equals the same combination of ĝ, which is zero by Cayley–Hamilton. Hence μ
lives on the real zeros of χ: at most d̂ atoms, order at most d̂, and the order theorem applies. ∎
Nothing is asked of the truth but its order: its poles may be complex, its weights of any sign.

Both survive a small δ: `order_bound`, `extrapolation_bound`.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from remanence.errors import RemanenceError
from remanence.systems._arrays import AnyArray
from remanence.systems._nearby import (
    Assumption,
    Problem,
    Proxy,
    dense_matrices,
    hankel_values,
    markov_array,
    moment_proxies,
    order_proxies,
    radius_of,
    response_of,
)
from remanence.systems.diagonal import DiagonalStateSpace
from remanence.systems.measures import extrapolation_bound, order_bound
from remanence.systems.realization import realize
from remanence.systems.state_space import StateSpace


@dataclass(frozen=True)
class Certificate:
    """What is certain about a model beyond the lags it was fitted on, and on what grounds."""

    certified: bool
    """A theorem applies, and nothing it needs is known to be violated."""
    theorem: Literal["order", "moments"] | None
    """The one that certifies; None if none does."""
    assumptions: tuple[Assumption, ...]
    """What the certificate rests on; where there is none, what stands against both theorems."""
    bound: float | None
    """No lag 0 … `horizon` is off by more, in the response's units; None without a horizon or
    target. Given also where it is too large to certify anything."""
    length: int
    horizon: int | None
    target_order: int | None
    error: float | None
    """The largest error on the fitted lags; None without a target."""

    def summary(self) -> str:
        """One paragraph in plain words."""
        truth = f"a truth of order at most {self.target_order}"
        if not self.certified:
            reasons = [f"{a.statement}: {a.detail}" for a in self.assumptions]
            against = [
                reason
                for reason, a in zip(reasons, self.assumptions, strict=True)
                if a.status == "violated"
            ]
            return f"Not certified beyond {self.length} lags. " + "; ".join(against) + "."
        if self.bound is not None:
            reach = f"no lag up to {self.horizon} is off by more than {self.bound:.3g}"
        else:
            reach = "an exact fit is exact at every lag; with rounding, ask for a horizon"
        assumed = [a.statement for a in self.assumptions if a.status == "assumed"]
        given = f" Taken on trust: {'; '.join(assumed)}." if assumed else ""
        word = "Conditionally certified" if assumed else "Certified"
        return (
            f"{word} by the {'order' if self.theorem == 'order' else 'moment'} theorem from "
            f"{self.length} lags against {truth}: {reach}.{given}"
        )


def extrapolation_certificate(
    model: StateSpace | DiagonalStateSpace | Float[AnyArray, "lags *ports"],
    *,
    length: int,
    target: Float[AnyArray, "target_lags *ports"] | None = None,
    target_order: int | None = None,
    target_radius: float | None = None,
    horizon: int | None = None,
    tolerance: float = 1e-10,
    accuracy: float = 0.1,
) -> Certificate:
    """Whether a model that was fitted on lags 0 … length − 1 is certain to be right beyond them.

    *With a horizon and a target* the certificate is a bound, with an allowance for the rounding of
    responses. It replaces the model by a nearby system P to which a theorem applies, and adds
    what that costs:

        max_{q ≤ horizon} |h_q − ĝ_q| ≤ max_q [bound(q; δ_P) + |h_q − p_q|],

    `δ_P` the measured error of P on the lags that the theorem needs, plus an allowance for
    rounding, and the second term computed lag by lag. So neither the model's rank nor its
    balancedness is taken on trust: an approximately balanced model pays for "approximately".
    Order theorem: P is the model or a reduction of it (`realize`) with `order + d̂ ≤ length`.
    Moment theorem (one input and output): P is the measure of the symmetric parts of A and B, C,
    or that of the real modes whose weights have the sign of `h_0`, light ones dropped or not; all
    signs may be flipped. The smallest bound is taken. It certifies if it is at most `accuracy`
    times `max |ĝ|`. The truth's radius matters here: it is at most `target_radius`, 1 if not
    given.

    *Without a horizon, or without a target,* the certificate is the exact theorem: certified if
    it applies to the model up to `tolerance` and the measured error is at most `tolerance`. That
    the fit is exact, not only to rounding, is then an assumption and listed as one.

    That the truth has order at most `target_order` cannot be verified from finitely many lags; it
    is violated if the target's Hankel matrix shows a higher rank, and without `target_order`
    nothing is certified. The radius is violated if the target's own realisation has a larger one.
    A direct term counts as `rank D` states at pole 0, for the model and for the truth.

    Args:
        model: a system, or its Markov parameters, at least `length` of them, as a vector or
            `(lags, outputs, inputs)`: then the smallest system with them is what is certified.
        length: k, the number of lags that were fitted.
        target: the Markov parameters that the model was fitted to; the first `length` are used.
        target_order: d̂; target_radius: the largest modulus of the truth's poles.
        tolerance: relative to the largest Markov parameter, and for numerical ranks.
        accuracy: the largest bound that counts as a certificate, in units of `max |ĝ|`.

    Raises:
        RemanenceError: if a number is out of range, or model, target and length do not fit.

    Source: derived, see the top of this module; exact theorems: Cohen-Karlik et al. 2023.
    """
    counts = {"length": length, "horizon": horizon, "target_order": target_order}
    for name, number in counts.items():
        if number is not None and not isinstance(number, int | np.integer):
            raise RemanenceError(f"{name} must be a whole number, got {number!r}")
    if length < 1 or (horizon is not None and horizon < 0):
        raise RemanenceError(f"length must be ≥ 1 and horizon ≥ 0, got {length} and {horizon}")
    if target_order is not None and target_order < 0:
        raise RemanenceError(f"target_order must be 0 or more, got {target_order}")
    if target_radius is not None and not 0 <= target_radius < np.inf:
        raise RemanenceError(f"target_radius must be finite and ≥ 0, got {target_radius}")
    if not 0 < tolerance < 1 or not 0 <= accuracy < np.inf:
        raise RemanenceError("tolerance must lie between 0 and 1, accuracy be finite and ≥ 0")
    shared: list[Assumption] = []
    A, B, C = dense_matrices(model, length, tolerance, shared)
    last = max(length, horizon or 0, 2 * len(A) + 2)
    h = response_of(A, B, C, last + 1)
    if not isinstance(model, StateSpace | DiagonalStateSpace):
        # The values given are what is judged; their realisation only continues them.
        given = markov_array(model, "model")[: last + 1]
        h[: len(given)] = given
    whole = None if target is None else markov_array(target, "target")
    g = None if whole is None else whole[:length]
    if g is not None and (len(g) < length or g.shape[1:] != h.shape[1:]):
        raise RemanenceError(
            f"target has shape {g.shape}, expected ({length}, {h.shape[1]}, {h.shape[2]}) or more"
        )
    if not np.isfinite(h[:length]).all() or (g is not None and not np.isfinite(g).all()):
        raise RemanenceError("the model or the target holds NaN or infinity on the fitted lags")
    error = None if g is None else float(np.max(np.abs(h[:length] - g), initial=0.0))
    seen = h[:length] if g is None else g
    scale = float(np.max(np.abs(seen), initial=0.0)) or 1.0
    size = float(np.max(response_of(np.abs(A), np.abs(B), np.abs(C), length), initial=0.0))
    problem = Problem(h, g, length, target_order or 0, scale, tolerance, size)

    shared.append(_truth_order(problem, target_order, whole))
    radius = 1.0 if target_radius is None else target_radius
    if horizon is None or g is None:
        shared.append(_exact_fit(problem, error))
        attempts = [_exact_order(problem, A), _exact_moments(problem, A, B, C)]
    else:
        shared.append(
            Assumption("the error on the fitted lags is known", "verified", f"at most {error:.3g}")
        )
        shared.append(_truth_radius(problem, radius))
        attempts = [
            _bounded(problem, order_proxies(problem, A, B, C), "order", radius, horizon),
            _bounded(problem, moment_proxies(problem, A, B, C), "moments", radius, horizon),
        ]

    def usable(attempt: "_Attempt") -> bool:
        return all(a.status != "violated" for a in (*shared, *attempt.assumptions)) and (
            attempt.bound is None or attempt.bound <= accuracy * scale
        )

    bounds = [a.bound for a in attempts if a.bound is not None]
    good = [a for a in attempts if usable(a)]
    if good:
        best = min(good, key=lambda a: 0.0 if a.bound is None else a.bound)
        assumptions = (*shared, *best.assumptions)
        return Certificate(
            True, best.theorem, assumptions, best.bound, length, horizon, target_order, error
        )
    against = [*shared, *(a for attempt in attempts for a in attempt.assumptions)]
    smallest = min(bounds) if bounds else None
    if smallest is not None and not smallest <= accuracy * scale:
        against.append(
            Assumption(
                "the bound is small enough to say anything",
                "violated",
                f"{smallest:.3g} at lag {horizon}, more than {accuracy:g} times {scale:.3g}",
            )
        )
    return Certificate(False, None, tuple(against), smallest, length, horizon, target_order, error)


@dataclass(frozen=True)
class _Attempt:
    theorem: Literal["order", "moments"]
    assumptions: tuple[Assumption, ...]
    bound: float | None = None


def _truth_order(
    problem: Problem, target_order: int | None, target: np.ndarray | None
) -> Assumption:
    """Judged on all of the target that was given, beyond the fitted lags too."""
    if target_order is None:
        return Assumption(
            "an order is assumed of the truth", "violated", "none is given: pass target_order"
        )
    statement = f"the truth has order at most {target_order}"
    if target is None:
        return Assumption(statement, "assumed", "there is no target to compare with")
    values = hankel_values(target)
    if len(values) <= target_order:
        return Assumption(statement, "assumed", "the target is too short to say otherwise")
    ratio = float(values[target_order]) / float(values[0]) if values[0] > 0 else 0.0
    found = f"singular value {target_order + 1} of the target's Hankel matrix is {ratio:.3g} of 1"
    if ratio > problem.tolerance:
        return Assumption(statement, "violated", found)
    return Assumption(statement, "assumed", f"finitely many lags cannot verify it; {found}")


def _truth_radius(problem: Problem, radius: float) -> Assumption:
    statement = f"the truth's poles have modulus at most {radius:g}"
    assert problem.g is not None
    values = hankel_values(problem.g)
    rank = int(np.sum(values > problem.tolerance * np.max(values, initial=0.0)))
    try:
        found = realize(problem.g, order=min(problem.target_order, rank)).spectral_radius()
    except RemanenceError:
        return Assumption(statement, "assumed", "the target is too short to say otherwise")
    # Poles of a realisation are rough where modes are weak: only a clear excess counts.
    enough = problem.length >= 2 * problem.target_order
    if enough and found > radius * 1.001 + 1e-9:
        return Assumption(statement, "violated", f"the target's realisation has {found:.6g}")
    return Assumption(statement, "assumed", f"the target's realisation has {found:.6g}")


def _exact_fit(problem: Problem, error: float | None) -> Assumption:
    statement = "the fit is exact on all fitted lags"
    if error is None:
        return Assumption(statement, "assumed", "there is no target to compare with")
    share = error / problem.scale
    if share > problem.tolerance:
        return Assumption(statement, "violated", f"the largest relative error is {share:.3g}")
    return Assumption(statement, "assumed", f"to within {share:.3g} of the largest value")


def _exact_order(problem: Problem, A: np.ndarray) -> _Attempt:
    allowed = problem.length - problem.target_order
    statement = f"the model's order is at most {problem.length} − {problem.target_order}"
    if len(A) <= allowed:
        detail = f"it has {len(A)} states"
        return _Attempt("order", (Assumption(statement, "verified", detail),))
    window = problem.h[: 2 * len(A) + 1]
    values = hankel_values(window) if np.isfinite(window).all() else np.ones(0)
    rank = int(np.sum(values > problem.tolerance * np.max(values, initial=0.0)))
    # A rank is numerical: what it leaves out may be light and still grow.
    if values.size and rank <= allowed and radius_of(A) < 1:
        beyond = float(values[rank] / values[0]) if rank else 0.0
        detail = f"its Hankel matrix has rank {rank}; the next singular value is {beyond:.3g} of 1"
        return _Attempt("order", (Assumption(statement, "assumed", detail),))
    detail = f"it has {len(A)} states" + (f" and Hankel rank {rank}" if values.size else "")
    return _Attempt("order", (Assumption(statement, "violated", detail),))


def _exact_moments(problem: Problem, A: np.ndarray, B: np.ndarray, C: np.ndarray) -> _Attempt:
    enough = _enough_moments(problem)
    statement = "the model is balanced: its response is the moments of a positive measure"
    # Two systems of at most len(A) states that agree on twice as many lags are equal.
    window = problem.h[: 2 * len(A) + 1]
    proxies = moment_proxies(problem, A, B, C)
    deviations = [float(np.max(np.abs(window - p.response[: len(window)]))) for p in proxies]
    if not deviations:
        return _Attempt(
            "moments", (enough, Assumption(statement, "violated", "no such measure was found"))
        )
    nearest = int(np.argmin(np.nan_to_num(deviations, nan=np.inf)))
    share = deviations[nearest] / problem.scale
    close = share <= problem.tolerance
    detail = f"off by {share:.3g} of the largest value from {proxies[nearest].words}"
    symmetric = np.array_equal(A, A.T) and np.array_equal(B, np.sign(problem.h[0, 0, 0]) * C.T)
    # Near a measure to within the tolerance only: a light mode left out must not grow.
    otherwise = "assumed" if close and radius_of(A) < 1 else "violated"
    status = "verified" if symmetric else otherwise
    return _Attempt("moments", (enough, Assumption(statement, status, detail)))


def _enough_moments(problem: Problem) -> Assumption:
    needed = 2 * problem.target_order + 1
    enough = problem.length >= needed
    statement = f"at least 2 · {problem.target_order} + 1 lags were fitted"
    return Assumption(statement, "verified" if enough else "violated", f"{problem.length} were")


def _bounded(
    problem: Problem,
    proxies: list[Proxy],
    theorem: Literal["order", "moments"],
    target_radius: float,
    horizon: int,
) -> _Attempt:
    """The smallest bound over the proxies."""
    length, d_hat, g = problem.length, problem.target_order, problem.g
    assert g is not None
    lags = np.arange(horizon + 1)
    h = problem.h[: horizon + 1]
    known = float(np.max(np.abs(h[:length] - g[: len(h)]), initial=0.0)) + problem.rounding
    if theorem == "moments":
        condition = _enough_moments(problem)
        if not proxies:
            near = Assumption("the model is near a positive measure", "violated", "none was found")
            return _Attempt(theorem, (condition, near))
    else:
        condition = Assumption(
            "an order of the model and the truth's add up to at most the fitted lags",
            "verified" if proxies else "violated",
            f"{length} lags, order {d_hat} of the truth",
        )
    if condition.status == "violated":
        return _Attempt(theorem, (condition,))
    best, words = np.inf, ""
    for proxy in proxies:
        p = proxy.response[: horizon + 1]
        with np.errstate(over="ignore", invalid="ignore"):
            away = np.nan_to_num(np.max(np.abs(h - p), axis=(1, 2)), nan=np.inf)
        needed = 2 * d_hat + 1 if theorem == "moments" else proxy.order + d_hat
        wrong = np.abs(proxy.response[:needed] - g[:needed])
        error = float(np.max(wrong, initial=0.0)) + problem.rounding
        if theorem == "moments":
            grown = extrapolation_bound(
                d_hat, lags, radius=proxy.radius, error=error, target_radius=target_radius
            )
        else:
            radius = max(proxy.radius, target_radius)
            grown = order_bound(needed, lags, radius=radius, error=error)
        total = max(known, float(np.max((grown + away)[length:], initial=0.0)))
        if total < best or not words:
            best, far = total, float(np.max(away, initial=0.0))
            words = f"{proxy.words}, at most {far:.3g} away on lags 0 … {horizon}"
    nature = "of low enough order" if theorem == "order" else "a positive measure's moments"
    near = f"the model's response is close to one that is {nature}, the distance counted"
    return _Attempt(theorem, (condition, Assumption(near, "verified", words)), best)
