"""Zero-loss students found by Levenberg–Marquardt: many random starts at once, to rounding.

Gradient descent leaves a residual that hides a sharp threshold; a second-order method does not.
The problems have a few dozen unknowns and are solved in NumPy, a batch of starts at a time, so
that nothing waits for a compiler.
"""

import abc
import dataclasses

import jax
import numpy as np
from jaxtyping import Float, Int

from remanence.training import near_zero_parameters

# Damping tried in each step, relative to the last one that worked: one SVD serves them all.
_FACTORS = np.array([1e-3, 1e-1, 1.0, 10.0])
# A balanced fit ends at a double root: surplus atoms fade or merge, the loss is quartic along them
# and a full step only halves the distance. Longer reaches restore the speed.
_REACHES = np.array([1.0, 2.0, 4.0, 8.0])
_RETREAT = 100.0
_FIRST_DAMPING = 1e-2
_DAMPING_RANGE = (1e-32, 1e12)


class AbstractModel(abc.ABC):
    """A family of impulse responses g(θ), with derivatives, over a batch of θ."""

    @abc.abstractmethod
    def response(
        self, unknowns: Float[np.ndarray, "runs unknowns"], length: int
    ) -> Float[np.ndarray, "runs length"]:
        """g_0 … g_{length−1} of every run."""

    @abc.abstractmethod
    def jacobian(
        self, unknowns: Float[np.ndarray, "runs unknowns"], length: int
    ) -> Float[np.ndarray, "runs length unknowns"]:
        """∂g_j / ∂θ of every run."""

    @abc.abstractmethod
    def starts(self, *, seed: int, runs: int) -> Float[np.ndarray, "runs unknowns"]:
        """Random starts; start i is that of `seed + i` alone."""


@dataclasses.dataclass(frozen=True)
class AtomicMeasure(AbstractModel):
    """A positive measure of `atoms` atoms: `g_j = Σ_i c_i² λ_i^j`, unknowns (λ, c).

    This is every balanced student (A symmetric, B = Cᵀ) of that dimension: λ are the eigenvalues
    of A and c its output matrix in their basis. Starts: λ_i ~ U(−1, 1), c_i ~ N(0, 1/atoms).
    """

    atoms: int

    def response(self, unknowns, length):
        weights = unknowns[:, self.atoms :, None] ** 2
        return (self._powers(unknowns, length) @ weights)[:, :, 0]

    def jacobian(self, unknowns, length):
        roots = unknowns[:, None, self.atoms :]
        powers = self._powers(unknowns, length)
        slopes = np.zeros_like(powers)
        slopes[:, 1:] = np.arange(1.0, length)[None, :, None] * powers[:, :-1]
        return np.concatenate([slopes * roots**2, 2.0 * powers * roots], axis=2)

    def starts(self, *, seed, runs):
        members = []
        for member in range(seed, seed + runs):
            rng = np.random.default_rng(member)
            roots = rng.standard_normal(self.atoms) / np.sqrt(self.atoms)
            members.append(np.concatenate([rng.uniform(-1.0, 1.0, self.atoms), roots]))
        return np.stack(members)

    def _powers(self, unknowns, length):
        # Products, since np.power of negative numbers takes ten times as long.
        atoms = unknowns[:, : self.atoms]
        powers = np.ones((len(atoms), length, self.atoms))
        for lag in range(1, length):
            np.multiply(powers[:, lag - 1], atoms, out=powers[:, lag])
        return powers


@dataclasses.dataclass(frozen=True)
class FreeStudent(AbstractModel):
    """A student (A, B, C) of dimension `state`, one input and one output: `g_j = C A^j B`.

    Unknowns: the entries of A row by row, then B, then C. Starts are standard: i.i.d.
    N(0, 1/state), the same as `remanence.training.near_zero_parameters` with scale 1.
    """

    state: int

    def response(self, unknowns, length):
        A, B, C = self.matrices(unknowns)
        x, values = B, []
        for _ in range(length):
            values.append(np.sum(C * x, axis=1))
            x = np.einsum("rab,rb->ra", A, x)
        return np.stack(values, axis=1)

    def jacobian(self, unknowns, length):
        # ∂g_j/∂A = S_j = Σ_{i+l=j−1} (Aᵀ)^i Cᵀ (A^l B)ᵀ obeys S_{j+1} = Aᵀ S_j + Cᵀ x_jᵀ.
        A, B, C = self.matrices(unknowns)
        x, y, S = B, C, np.zeros_like(A)
        rows = []
        for _ in range(length):
            rows.append(np.concatenate([S.reshape(len(S), -1), y, x], axis=1))
            S = A.transpose(0, 2, 1) @ S + C[:, :, None] * x[:, None, :]
            x = np.einsum("rab,rb->ra", A, x)
            y = np.einsum("rab,ra->rb", A, y)
        return np.stack(rows, axis=1)

    def starts(self, *, seed, runs):
        members = []
        for member in range(seed, seed + runs):
            start = near_zero_parameters(self.state, 1, 1, scale=1.0, key=jax.random.key(member))
            members.append(np.concatenate([np.ravel(leaf) for leaf in start]))
        return np.stack(members)

    def matrices(
        self, unknowns: Float[np.ndarray, "runs unknowns"]
    ) -> tuple[
        Float[np.ndarray, "runs state state"],
        Float[np.ndarray, "runs state"],
        Float[np.ndarray, "runs state"],
    ]:
        """A, and B and C as rows, of every run."""
        n = self.state
        A = unknowns[:, : n * n].reshape(-1, n, n)
        return A, unknowns[:, n * n : n * n + n], unknowns[:, n * n + n :]


@dataclasses.dataclass(frozen=True)
class Fits:
    """Where every run ended.

    - `unknowns` (runs, unknowns): the student.
    - `losses` (runs,): `L_k = Σ_{j<k} (g_j − ĝ_j)²` there.
    - `steps` (runs,): Levenberg–Marquardt steps taken.
    """

    unknowns: Float[np.ndarray, "runs unknowns"]
    losses: Float[np.ndarray, " runs"]
    steps: Int[np.ndarray, " runs"]


def fit(
    model: AbstractModel,
    target: Float[np.ndarray, " length"],
    starts: Float[np.ndarray, "runs unknowns"],
    *,
    tolerance: float,
    steps: int,
) -> Fits:
    """Minimise `Σ_{j<k} (g_j(θ) − ĝ_j)²` from every start, until at most `tolerance` or `steps`.

    A step is `−V (Σ² + μ)⁻¹ Σ Uᵀ r` from the SVD of the Jacobian, so that its condition is not
    squared, as it is in the normal equations; the best of several
    dampings μ and reaches (multiples of the step) is taken. The loss
    never rises. A run that does not reach `tolerance` is returned as it is.
    """
    length = len(target)
    unknowns = np.array(starts, np.float64)
    losses = _losses(model, unknowns, target)
    damping = np.full(len(unknowns), _FIRST_DAMPING)
    taken = np.zeros(len(unknowns), np.int64)
    for _ in range(steps):
        (open_runs,) = np.nonzero((losses > tolerance) & (damping < _DAMPING_RANGE[1]))
        if not open_runs.size:
            break
        here = unknowns[open_runs]
        residual = model.response(here, length) - target
        U, s, Vt = np.linalg.svd(model.jacobian(here, length), full_matrices=False)
        coordinates = s * np.einsum("rjm,rj->rm", U, residual)
        trials = damping[open_runs, None] * _FACTORS
        scaled = coordinates[:, None, :] / (s[:, None, :] ** 2 + trials[:, :, None])
        moves = scaled @ Vt
        proposals = here[:, None, :] - np.concatenate([r * moves for r in _REACHES], axis=1)
        trials = np.tile(trials, len(_REACHES))
        flat = proposals.reshape(-1, here.shape[1])
        values = _losses(model, flat, target).reshape(trials.shape)
        best = np.argmin(values, axis=1)
        row = np.arange(len(open_runs))
        better = values[row, best] < losses[open_runs]
        moved = open_runs[better]
        unknowns[moved] = proposals[row, best][better]
        losses[moved] = values[row, best][better]
        damping[open_runs] = np.where(better, trials[row, best], _RETREAT * damping[open_runs])
        damping = np.maximum(damping, _DAMPING_RANGE[0])
        taken[open_runs] += 1
    return Fits(unknowns, losses, taken)


def _losses(model, unknowns, target):
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.sum((model.response(unknowns, len(target)) - target) ** 2, axis=1)
    return np.where(np.isfinite(values), values, np.inf)
