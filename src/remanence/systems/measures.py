"""Atomic measures: what a balanced system is, and how moments bound later moments."""

import equinox as eqx
import numpy as np
from jaxtyping import Float, Integer
from scipy.special import gammaln, logsumexp

from remanence.errors import RemanenceError
from remanence.systems._arrays import AnyArray
from remanence.systems.state_space import StateSpace


class AtomicMeasure(eqx.Module):
    """`μ = Σ_i w_i δ_{x_i}`: finitely many real atoms, non-negative weights.

    Args:
        atoms: `(count,)`, real; in any order, repeats allowed.
        weights: `(count,)`, ≥ 0.

    Raises:
        RemanenceError: if shapes differ, a number is not finite, or a weight is negative.

        >>> AtomicMeasure(np.array([0.5, -1.0]), np.array([4.0, 1.0])).moments(3).tolist()
        [5.0, 1.0, 2.0]
    """

    atoms: Float[np.ndarray, " atoms"]
    weights: Float[np.ndarray, " atoms"]

    def __init__(self, atoms: AnyArray, weights: AnyArray):
        places, masses = np.asarray(atoms, np.float64), np.asarray(weights, np.float64)
        if places.ndim != 1 or places.shape != masses.shape:
            raise RemanenceError(
                "a measure needs one weight per atom, both vectors: "
                f"got shapes {places.shape} and {masses.shape}"
            )
        if not (np.isfinite(places).all() and np.isfinite(masses).all()):
            raise RemanenceError("the atoms and weights of a measure must be finite")
        if np.any(masses < 0):
            raise RemanenceError(f"the weight {masses.min():g} of a measure is negative")
        self.atoms, self.weights = places, masses

    @property
    def mass(self) -> float:
        """`Σ w_i`, the moment 0."""
        return float(np.sum(self.weights))

    @property
    def radius(self) -> float:
        """`max |x_i|` over the atoms that carry weight; 0 if none does."""
        return float(np.max(np.abs(self.atoms[self.weights > 0]), initial=0.0))

    def moments(self, count: int) -> Float[np.ndarray, " count"]:
        """`m_j = Σ_i w_i x_i^j`, j = 0 … count − 1, with `0⁰ = 1`.

        Raises:
            RemanenceError: if `count` is negative.
        """
        if count < 0:
            raise RemanenceError(f"the number of moments must be 0 or more, got {count}")
        terms, found = self.weights.copy(), np.empty(count)
        for j in range(count):
            found[j] = terms.sum()
            terms = terms * self.atoms
        return found


def balanced_measure(system: StateSpace, *, tolerance: float = 1e-9) -> AtomicMeasure:
    """The measure `μ = Σ_i c_i² δ_{λ_i}` whose moments are the response of a balanced system.

    With `A = V Λ Vᵀ` symmetric and `B = Cᵀ`, `c = Vᵀ B`: `g_j = Bᵀ A^j B = ∫ x^j dμ`.

    Args:
        system: one input, one output, `D = 0`.
        tolerance: `‖A − Aᵀ‖ ≤ tolerance ‖A‖` and `‖B − Cᵀ‖ ≤ tolerance ‖B + Cᵀ‖` (Frobenius) is
            taken for balanced; the symmetric parts are used.

    Raises:
        RemanenceError: if the system is not balanced, or has more ports or a direct term.

    Source: Cohen-Karlik et al. 2023.
    """
    A, B, C, D = (np.asarray(m, np.float64) for m in (system.A, system.B, system.C, system.D))
    if D.shape != (1, 1) or D[0, 0] != 0:
        raise RemanenceError("a balanced system has one input, one output and no direct term")
    if not np.linalg.norm(A - A.T) <= tolerance * np.linalg.norm(A):
        raise RemanenceError("the system is not balanced: A is not symmetric within the tolerance")
    if not np.linalg.norm(B - C.T) <= tolerance * np.linalg.norm(B + C.T):
        raise RemanenceError("the system is not balanced: B is not Cᵀ within the tolerance")
    return symmetric_measure(A, B, C)


def symmetric_measure(A: np.ndarray, B: np.ndarray, C: np.ndarray) -> AtomicMeasure:
    """The measure of the symmetric parts `(A + Aᵀ)/2` and `(B + Cᵀ)/2`."""
    eigenvalues, vectors = np.linalg.eigh((A + A.T) / 2)
    coordinates = vectors.T @ ((B + C.T) / 2)[:, 0]
    return AtomicMeasure(eigenvalues, coordinates**2)


def wasserstein1(first: AtomicMeasure, second: AtomicMeasure, *, tolerance: float = 1e-9) -> float:
    """`W₁(μ, ν) = ∫ |μ(−∞, x] − ν(−∞, x]| dx` for two measures of the same mass.

    The least `mass × distance` that turns one into the other; for probability measures the usual
    Wasserstein distance. On the line it is this integral, which is a finite sum over the gaps
    between atoms.

    Raises:
        RemanenceError: if the masses differ by more than `tolerance` times the larger.

    Source: Vallender 1974.

        >>> wasserstein1(*(AtomicMeasure(np.array([x]), np.array([2.0])) for x in (0.0, 3.0)))
        6.0
    """
    larger = max(first.mass, second.mass)
    if abs(first.mass - second.mass) > tolerance * larger:
        raise RemanenceError(
            f"W₁ needs equal masses, got {first.mass:g} and {second.mass:g}: rescale one of them"
        )
    atoms = np.concatenate([first.atoms, second.atoms])
    weights = np.concatenate([first.weights, -second.weights])
    order = np.argsort(atoms, kind="stable")
    gaps = np.diff(atoms[order])
    return float(np.sum(np.abs(np.cumsum(weights[order])[:-1]) * gaps))


def moment_comparison_bound(
    moment: int | Integer[np.ndarray, "..."], *, radius: float, distance: float
) -> Float[np.ndarray, "..."]:
    """`|∫ x^q dμ − ∫ x^q dν| ≤ q R^{q−1} W₁(μ, ν)` for measures on `[−R, R]` of the same mass.

    Proof: let π be a transport plan from μ to ν. Then
    `|∫ x^q dμ − ∫ y^q dν| = |∫ (x^q − y^q) dπ| ≤ ∫ q R^{q−1} |x − y| dπ`, since
    `|x^q − y^q| ≤ q R^{q−1} |x − y|` on `[−R, R]` by the mean value theorem; take the π of least
    cost. Sharp: two atoms that merge at R. ∎

    The way back, from moments to later moments without W₁, is `extrapolation_bound`.

    Args:
        moment: q ≥ 0, one or an array of them.
        radius: R; distance: W₁.

    Returns:
        The bounds, of the shape of `moment`; infinite on overflow.

    Raises:
        RemanenceError: if a moment, the radius or the distance is negative or NaN.

    Source: derived above (Kantorovich duality).
    """
    q = np.asarray(moment)
    if np.any(q < 0) or not radius >= 0 or not distance >= 0:
        raise RemanenceError("moment, radius and distance must all be 0 or more")
    if distance == 0:
        return np.zeros(q.shape)
    with np.errstate(over="ignore"):
        steep = np.power(float(radius), np.maximum(q - 1, 0).astype(np.float64))
        return np.asarray(np.where(q == 0, 0.0, np.maximum(q, 1) * steep * distance))


def extrapolation_bound(
    order: int,
    horizon: int | Integer[np.ndarray, "..."],
    *,
    radius: float,
    error: float,
    target_radius: float = 1.0,
) -> Float[np.ndarray, "..."]:
    """How far a balanced model can be off at lag q, from its errors on lags 0 … 2d̂.

    For `q > 2d̂`, with `r` the truth's and `R ≥ r` the model's spectral radius,

        |h_q − ĝ_q| ≤ [C(q, 2d̂) R^{q−2d̂} (1+r)^{2d̂} + Σ_{i<2d̂} C(q, i) r^{q−i} (1+r)^i] δ,

    (for r = 1: `4^{d̂}` and `2^i`), and δ itself for `q ≤ 2d̂`. Independent of the model's order.

    Proof: interpolate `x^q` in Newton form at the zeros of χ, each doubled, χ the truth's
    characteristic polynomial. The divided differences are complete homogeneous polynomials of
    degree q − i in i + 1 nodes: C(q, i) monomials, each at most `r^{q−i}`. The Newton products of
    i factors have coefficients of total size at most `(1+r)^i`, so their integrals differ by at
    most that times δ. What is left is `η(x) χ(x)²` with `|η| ≤ C(q, 2d̂) R^{q−2d̂}` on the model's
    measure μ; there `χ² ≥ 0` and `∫ χ² dμ` differs by at most `(1+r)^{2d̂} δ` from the truth's
    value, which is 0 by Cayley–Hamilton, as is that of ηχ². ∎

    Args:
        order: d̂, of the truth. Its poles may be complex, close or repeated.
        horizon: q, one or an array of lags.
        radius: the model's spectral radius; raised to r if it is less.
        error: `δ = max_{j ≤ 2d̂} |h_j − ĝ_j|`.
        target_radius: r.

    Returns:
        The bounds, of the shape of `horizon`; infinite on overflow, never NaN.

    Raises:
        RemanenceError: if an argument is negative, NaN, or a radius is infinite.

    Source: derived above; a moment comparison in the manner of Wu & Yang 2020.

        >>> round(float(extrapolation_bound(1, 3, radius=1.0, error=0.5)), 9)
        9.5
    """
    _require_bound_arguments(order, horizon, radius, target_radius, error)
    R, r = max(radius, target_radius), target_radius
    return _bound(2 * order, horizon, r, error, (R, 2 * order))


def order_bound(
    order: int, horizon: int | Integer[np.ndarray, "..."], *, radius: float, error: float
) -> Float[np.ndarray, "..."]:
    """How far two systems can differ at lag q, from their differences on lags 0 … n − 1.

    For `q ≥ n = d + d̂`, with ρ the larger of the two spectral radii,

        |h_q − ĝ_q| ≤ Σ_{i<n} C(q, i) ρ^{q−i} (1+ρ)^i δ,

    and δ itself for q < n. For matrices, entry by entry.

    Proof: as for `extrapolation_bound`, with the n poles of both systems as nodes. The remainder
    is a multiple of the product of the characteristic polynomials, which the difference does not
    see (Cayley–Hamilton). ∎

    Args:
        order: n, the sum of the two orders.
        horizon: q, one or an array of lags.
        radius: ρ; error: `δ = max_{j < n} |h_j − ĝ_j|`.

    Returns:
        The bounds, of the shape of `horizon`; infinite on overflow, never NaN.

    Raises:
        RemanenceError: if an argument is negative, NaN, or the radius is infinite.

    Source: derived above.

        >>> round(float(order_bound(2, 3, radius=1.0, error=0.5)), 9)
        3.5
    """
    _require_bound_arguments(order, horizon, radius, radius, error)
    return _bound(order, horizon, radius, error, None)


def _bound(
    nodes: int,
    horizon: int | np.ndarray,
    r: float,
    error: float,
    remainder: tuple[float, int] | None,
) -> np.ndarray:
    """The sums of both bounds in logarithms, so that huge binomials and tiny δ can meet."""
    q = np.asarray(horizon, np.float64)
    if error in (0, np.inf):
        return np.full(q.shape, float(error))
    with np.errstate(divide="ignore", over="ignore"):
        beyond = np.maximum(q, nodes + (remainder is not None))[..., None]
        i = np.arange(nodes, dtype=np.float64)
        terms = _log_binomial(beyond, i) + (beyond - i) * np.log(r) + i * np.log1p(r)
        if remainder is not None:
            R, degree = remainder
            last = _log_binomial(beyond, float(degree)) + (beyond - degree) * np.log(R)
            terms = np.concatenate([terms, last + degree * np.log1p(r)], axis=-1)
        if terms.shape[-1] == 0:
            amplified = np.full(q.shape, 0.0)
        else:
            # log 0 in every term is a sum of zeros.
            amplified = np.exp(np.asarray(logsumexp(terms, axis=-1)) + np.log(error))
        # gammaln is good to a few roundings of its own, possibly large, value.
        amplified = amplified * (1 + 1e-14 * (1 + gammaln(beyond[..., 0] + 1)))
    inside = q < nodes + (remainder is not None)
    return np.asarray(np.where(inside, error, amplified))


def _log_binomial(q: np.ndarray, i: np.ndarray | float) -> np.ndarray:
    return gammaln(q + 1) - gammaln(i + 1) - gammaln(q - i + 1)


def _require_bound_arguments(
    order: int, horizon: int | np.ndarray, radius: float, target_radius: float, error: float
) -> None:
    if order < 0 or np.any(np.asarray(horizon) < 0) or not error >= 0:
        raise RemanenceError("order, horizon and error must all be 0 or more")
    if not (0 <= radius < np.inf and 0 <= target_radius < np.inf):
        raise RemanenceError(f"radii must be finite and ≥ 0, got {radius} and {target_radius}")
