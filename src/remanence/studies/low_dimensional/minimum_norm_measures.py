"""Best balanced fits, the rests of a loss, Hankel values in training, and truncation."""

import dataclasses

import numpy as np
import scipy.optimize
from jaxtyping import Float

from remanence.errors import NumericalError
from remanence.studies.low_dimensional.ensembles import Ensemble
from remanence.systems import StateSpace, balanced_truncation, hankel_singular_values

_FREQUENCIES = 513


@dataclasses.dataclass(frozen=True)
class Truncation:
    """Balanced truncation of one ensemble's stable students, every order from 0.

    - `error`: `max_ω |G − G_r|` over a grid of frequencies, in units of σ₁.
    - `bound`: `2 Σ_{i>r} σ_i` in units of σ₁.

    NaN where the cut parts two nearly equal values and leaves no stable system.
    """

    error: Float[np.ndarray, "students orders"]
    bound: Float[np.ndarray, "students orders"]


def best_balanced_loss(target: Float[np.ndarray, " length"], order: int) -> float:
    """`min Σ_j (Σ_i w_i λ_i^j − ĝ_j)²` over λ and w ≥ 0: the best balanced fit of that order.

    Weights by non-negative least squares, eigenvalues by Nelder-Mead from several starts.
    """
    lags = np.arange(target.size)[:, None]

    def loss(eigenvalues: np.ndarray) -> float:
        return scipy.optimize.nnls(eigenvalues[None, :] ** lags, target)[1] ** 2

    if order == 0:
        return float(np.sum(target**2))
    starts = [np.linspace(high, low, order) for high in (0.9, 0.7) for low in (-0.7, 0.2)]
    return min(
        float(
            scipy.optimize.minimize(
                loss, x, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-14}
            ).fun
        )
        for x in starts
    )


def plateaus(
    steps: np.ndarray, losses: Float[np.ndarray, " records"], *, flat: float = 0.5
) -> list[float]:
    """The losses at which a run rests, after its first descent and before its last.

    A rest is a stretch of records with `−d ln L / d ln step < flat`; its loss is taken where that
    rate is least. The start itself, above 0.9 of the first loss, is not one.
    """
    counted = (steps > 0) & (losses < 0.9 * losses[0]) & (losses > 1e-9)
    time, height = np.log(steps[counted]), np.log(losses[counted])
    rates = -np.diff(height) / np.diff(time)
    found: list[float] = []
    rest: list[int] = []
    for index, rate in enumerate([*rates, np.inf]):
        if rate < flat:
            rest.append(index)
        elif rest:
            least = min(rest, key=lambda i: float(rates[i]))
            found.append(float(np.exp((height[least] + height[least + 1]) / 2)))
            rest = []
    return found


def truncations(ensemble: Ensemble, orders: int) -> Truncation:
    """Balanced truncation of every stable student to 0 … `orders` states."""
    angles = np.linspace(0, np.pi, _FREQUENCIES)
    errors, bounds = [], []
    for seed in np.flatnonzero(ensemble.stable):
        student = ensemble.student(int(seed))
        whole = _gain(student, angles)
        error, bound = np.full((2, orders + 1), np.nan)
        for order in range(orders + 1):
            try:
                reduction = balanced_truncation(student, order=order)
            except NumericalError:
                continue
            largest = reduction.hankel_singular_values[0]
            error[order] = np.abs(whole - _gain(reduction.system, angles)).max() / largest
            bound[order] = reduction.error_bound / largest
        errors.append(error)
        bounds.append(bound)
    shape = (-1, orders + 1)
    return Truncation(np.reshape(errors, shape), np.reshape(bounds, shape))


def hankel_history(ensemble: Ensemble, count: int) -> Float[np.ndarray, "records count"]:
    """The first `count` Hankel singular values of the first student; NaN while unstable."""
    records = len(ensemble.trajectory.steps)
    values = np.full((records, count), np.nan)
    for record in range(records):
        student = ensemble.student(0, record)
        if student.spectral_radius() < 1:
            values[record] = hankel_singular_values(student)[:count]
    return values


def _gain(system: StateSpace, angles: np.ndarray) -> np.ndarray:
    A, B, C = (np.asarray(m, np.float64) for m in (system.A, system.B, system.C))
    resolvent = np.eye(len(A)) - np.exp(-1j * angles)[:, None, None] * A
    return (C @ np.linalg.solve(resolvent, np.broadcast_to(B, (angles.size, *B.shape))))[:, 0, 0]
