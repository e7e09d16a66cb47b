"""What a certificate works with: responses, and systems near a model that a theorem fits."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from remanence.errors import RemanenceError
from remanence.systems._arrays import AnyArray
from remanence.systems.diagonal import DiagonalStateSpace
from remanence.systems.hankel import hankel_matrix
from remanence.systems.measures import AtomicMeasure, symmetric_measure
from remanence.systems.realization import realize
from remanence.systems.state_space import StateSpace


@dataclass(frozen=True)
class Assumption:
    """One thing that a certificate rests on."""

    statement: str
    status: Literal["verified", "assumed", "violated"]
    detail: str


@dataclass(frozen=True, eq=False)
class Problem:
    """What the attempts share: responses `(lags, outputs, inputs)` and sizes."""

    h: np.ndarray
    g: np.ndarray | None
    length: int
    target_order: int
    scale: float
    tolerance: float
    size: float
    """The largest |C| |A|^j |B| on the fitted lags: what cancels in a response rounds first."""

    @property
    def rounding(self) -> float:
        """What the measured errors may owe to float64."""
        return 16 * float(np.finfo(np.float64).eps) * max(self.scale, self.size)


@dataclass(frozen=True, eq=False)
class Proxy:
    """A system that a theorem applies to: its response, spectral radius and description."""

    response: np.ndarray
    radius: float
    order: int
    words: str


def order_proxies(problem: Problem, A: np.ndarray, B: np.ndarray, C: np.ndarray) -> list[Proxy]:
    """The model, and its reductions to every order that the lags allow."""
    allowed, count = problem.length - problem.target_order, len(problem.h)
    proxies = []
    if len(A) <= allowed:
        proxies.append(Proxy(problem.h, radius_of(A), len(A), "the model itself"))
    window = problem.h[: 2 * len(A) + 2]
    if not np.isfinite(window).all():
        return proxies
    for order in range(min(allowed, len(A) - 1) + 1):
        try:
            reduced = realize(window, order=order)
        except RemanenceError:
            continue
        smaller, inward, outward = (np.asarray(m) for m in (reduced.A, reduced.B, reduced.C))
        response = response_of(smaller, inward, outward, count)
        words = f"its reduction to order {order}"
        proxies.append(Proxy(response, radius_of(smaller), order, words))
    return proxies


def moment_proxies(problem: Problem, A: np.ndarray, B: np.ndarray, C: np.ndarray) -> list[Proxy]:
    """Positive measures (or their negatives) near the model."""
    count = len(problem.h)
    if problem.h.shape[1:] != (1, 1) or not all(np.isfinite(m).all() for m in (A, B, C)):
        return []
    sign = -1.0 if problem.h[0, 0, 0] < 0 else 1.0
    found = [(symmetric_measure(A, B, sign * C), "the symmetric parts")]
    try:
        poles, vectors = (np.asarray(m, complex) for m in np.linalg.eig(A))
        weights = sign * (C @ vectors)[0] * np.linalg.solve(vectors, B.astype(complex))[:, 0]
    except np.linalg.LinAlgError:
        weights, poles = np.zeros(0, complex), np.zeros(0, complex)
    real = (np.abs(np.imag(poles)) <= 1e-9 * (1 + np.abs(poles))) & (np.real(weights) > 0)
    if np.isfinite(weights).all():
        measure = AtomicMeasure(np.real(poles)[real], np.real(weights)[real])
        found.append((measure, "the real modes of positive weight"))
    proxies = []
    for measure, words in found:
        for light in (0.0, 1e-15, 1e-12, 1e-9, 1e-6):
            kept = measure.weights > light * measure.mass
            part = AtomicMeasure(measure.atoms[kept], measure.weights[kept])
            with np.errstate(over="ignore", invalid="ignore"):
                response = sign * part.moments(count)[:, None, None]
            what = words + (f" without weights below {light:g}" if light else "")
            proxies.append(Proxy(response, part.radius, int(kept.sum()), what))
    return proxies


def dense_matrices(
    model: StateSpace | DiagonalStateSpace | AnyArray,
    length: int,
    tolerance: float,
    notes: list[Assumption],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`(A, B, C)` in float64, a direct term made into states with pole 0."""
    if isinstance(model, StateSpace | DiagonalStateSpace):
        system = model.to_dense()
    else:
        values = markov_array(model, "model")
        if len(values) < max(length, 2):
            raise RemanenceError(
                f"model has {len(values)} Markov parameter(s), it takes {max(length, 2)} or more"
            )
        statement = "the model goes on as the smallest system with its Markov parameters"
        # Where the Hankel matrix has full rank that system is not unique: it certifies nothing.
        spectrum = hankel_values(values)
        rank = int(np.sum(spectrum > tolerance * np.max(spectrum, initial=0.0)))
        alone = rank < len(spectrum)
        system = realize(values, order=min(rank, len(values) // 2 * min(values.shape[1:])))
        A, B, C = (np.asarray(m, np.float64) for m in (system.A, system.B, system.C))
        away = float(np.max(np.abs(response_of(A, B, C, len(values)) - values)))
        alone &= away <= 100 * tolerance * (float(np.max(np.abs(values))) or 1.0)
        detail = f"their Hankel matrix has rank {rank} of at most {len(spectrum)}"
        notes.append(Assumption(statement, "assumed" if alone else "violated", detail))
    A, B, C, D = (np.asarray(m, np.float64) for m in (system.A, system.B, system.C, system.D))
    if not D.any():
        return A, B, C
    left, sizes, right = np.linalg.svd(D)
    rank = int(np.sum(sizes > 0))
    root = np.sqrt(sizes[:rank])
    grown = np.zeros((len(A) + rank, len(A) + rank))
    grown[: len(A), : len(A)] = A
    return (
        grown,
        np.vstack([B, root[:, None] * right[:rank]]),
        np.hstack([C, left[:, :rank] * root]),
    )


def markov_array(values: AnyArray, name: str) -> np.ndarray:
    """`(lags, outputs, inputs)` in float64."""
    if np.iscomplexobj(values):
        raise RemanenceError(f"{name} is complex; the responses of real systems are real")
    array = np.asarray(values, np.float64)
    if array.ndim not in (1, 3) or not np.isfinite(array).all():
        raise RemanenceError(
            f"{name} must be finite, of shape (lags,) or (lags, outputs, inputs): {array.shape}"
        )
    return array[:, None, None] if array.ndim == 1 else array


def response_of(A: np.ndarray, B: np.ndarray, C: np.ndarray, count: int) -> np.ndarray:
    """`C A^j B`, j < count, in NumPy: float64 whatever JAX's precision is."""
    found, states = np.empty((count, C.shape[0], B.shape[1])), B
    with np.errstate(over="ignore", invalid="ignore"):
        for j in range(count):
            found[j] = C @ states
            states = A @ states
    return found


def radius_of(A: np.ndarray) -> float:
    return float(np.max(np.abs(np.linalg.eigvals(A)), initial=0.0)) if len(A) else 0.0


def hankel_values(parameters: np.ndarray) -> np.ndarray:
    return np.linalg.svd(hankel_matrix(parameters), compute_uv=False)
