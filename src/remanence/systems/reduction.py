"""Balanced truncation: the smaller system, and a bound on what it gets wrong."""

import equinox as eqx
import numpy as np
from jaxtyping import Float

from remanence.errors import NumericalError, RemanenceError
from remanence.systems._graded import graded_svd
from remanence.systems.diagonal import DiagonalStateSpace
from remanence.systems.gramians import controllability_factor, observability_factor
from remanence.systems.state_space import StateSpace


class Reduction(eqx.Module):
    """A reduced system and what is known about its error; see `balanced_truncation`."""

    system: StateSpace
    """The reduced system, of order `order`, with the original's `D`."""
    error_bound: float
    """`2 Σ_{i > order} σ_i`: no frequency's gain is off by more."""
    hankel_singular_values: Float[np.ndarray, " full_order"]
    """All Hankel singular values of the original, descending."""

    @property
    def order(self) -> int:
        """The order of the reduced system."""
        return self.system.order


def balanced_truncation(
    system: StateSpace | DiagonalStateSpace,
    *,
    order: int | None = None,
    tolerance: float | None = None,
) -> Reduction:
    """The `order` states that hold most of what past inputs leave to future outputs.

    In balanced coordinates both Gramians are `diag(σ_1, …, σ_n)`; the first `order` states are
    kept. With `G(ω) = D + Σ_j g_j e^{−iωj}` the result's error is certified:

        max_ω ‖G(ω) − G_r(ω)‖₂ ≤ 2 (σ_{r+1} + … + σ_n),

    so for every input sequence the energy (2-norm) of the output's error is at most that many
    times the input's. No system of order r can be closer than `σ_{r+1}`.

    Args:
        system: a stable system, dense or diagonal. The result is dense.
        order: how many states to keep, 0 … `system.order`; or
        tolerance: the largest error bound allowed, absolute, in output units per input unit: the
            smallest order whose bound is at most this is taken. Exactly one of the two.

    States beyond the numerical rank, the count of `σ_i > n eps σ_1`, are rounding noise: they are
    never kept, whatever is asked for, and `Reduction.order` says what was kept. The bound then
    counts them too, so it can exceed a tolerance that is below rounding.

    Raises:
        RemanenceError: if not exactly one of `order` and `tolerance` is given, or it is out of
            range.
        NumericalError: if the system is unstable or holds NaN; or if the cut parts two Hankel
            singular values that are (almost) equal and leaves an unstable system.

    Source: square-root method of Tombs & Postlethwaite (1987); the discrete-time bound: Enns
    (1984), Al-Saggaf & Franklin (1987).
    """
    if (order is None) == (tolerance is None):
        raise RemanenceError("balanced_truncation needs exactly one of order= and tolerance=")
    if order is not None and not 0 <= order <= system.order:
        raise RemanenceError(f"order must be between 0 and {system.order}, got {order}")
    if tolerance is not None and not tolerance >= 0:
        raise RemanenceError(f"tolerance must be 0 or more, got {tolerance}")

    reach, observe = controllability_factor(system), observability_factor(system)
    U, values, V = graded_svd(observe.T @ reach)
    # bounds[r] is the error bound at order r, summed from the smallest value up.
    bounds = np.append(2 * np.cumsum(values[::-1])[::-1], 0.0)
    noise = system.order * np.finfo(np.float64).eps * np.max(values, initial=0.0)
    rank = int(np.sum(values > noise))
    wanted = int(np.argmax(bounds <= tolerance)) if order is None else order
    kept = min(wanted, rank)

    root = np.sqrt(values[:kept])
    left, right = observe @ (U[:, :kept] / root), reach @ (V[:, :kept] / root)
    dense = system.to_dense()
    A, B, C, D = (np.asarray(m, np.float64) for m in (dense.A, dense.B, dense.C, dense.D))
    reduced = StateSpace(left.T @ A @ right, left.T @ B, C @ right, D)
    if kept < rank and reduced.spectral_radius() >= 1:
        raise NumericalError(
            f"the reduced system of order {kept} is unstable: the cut parts Hankel singular "
            f"values that are too close ({values[kept - 1]:.6g} and {values[kept]:.6g}); "
            "ask for one order more or less"
        )
    return Reduction(reduced, float(bounds[kept]), values)
