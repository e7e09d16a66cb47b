"""The linear systems that the students imitate, the published one among them."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex, Float, PRNGKeyArray

from remanence.systems import StateSpace

ORDER = 10
PUBLISHED_SEED = 42
PHASE = 3.14
"""The published largest phase, not quite π."""


def published_teacher(least: float | int, phase: float | int = PHASE) -> StateSpace:
    """The one teacher behind every published curve: its seed was never varied.

    The random numbers are those of JAX before version 0.5 (`jax_threefry_partitionable` off).
    """
    with jax.threefry_partitionable(False):
        return ring_teacher(jax.random.key(PUBLISHED_SEED), least, phase)


def ring_teacher(
    key: PRNGKeyArray, least: float | int, phase: float | int = PHASE, order: int = ORDER
) -> StateSpace:
    """A Gaussian system, its eigenvalues moved onto a ring; one input and one output.

    `A₀ ~ N(0, 1/order)`; its eigenvalues `l` become `(ν₀ + (1 − ν₀) tanh|l|) e^{i arg(l) φ/π}`
    with `ν₀ = least` and `φ = phase`; `B, D ~ N(0, 1)`, `C ~ N(0, 1/order)`. Drawn in float32, as
    published, and float64 from there on.

    A real negative eigenvalue of `A₀` turns into a single complex one, of which the real part that
    is taken of `A` leaves about `|λ| cos φ`: at φ = 3.14 what it was, at φ = 0.3 less than `ν₀`,
    so that a smaller range of angles also shortens that memory.
    """
    for_A, for_B, for_C, for_D = jax.random.split(key, 4)
    shapes = ((for_A, (order, order)), (for_B, (order, 1)), (for_C, (1, order)), (for_D, (1, 1)))
    A, B, C, D = (
        np.asarray(jax.random.normal(one, shape, jnp.float32), np.float64) for one, shape in shapes
    )
    return StateSpace(on_ring(A / np.sqrt(order), least, phase), B, C / np.sqrt(order), D)


def on_ring(
    matrices: Float[np.ndarray, "*stack size size"], least: float | int, phase: float | int
) -> Float[np.ndarray, "*stack size size"]:
    """The real part of each matrix with its eigenvalues moved onto the ring of `ring_teacher`."""
    eigenvalues, vectors = np.linalg.eig(matrices)
    moved = (least + (1 - least) * np.tanh(np.abs(eigenvalues))) * np.exp(
        1j * np.angle(eigenvalues) * phase / np.pi
    )
    return np.real((vectors * moved[..., None, :]) @ np.linalg.inv(vectors))


def modal_residues(
    system: StateSpace,
) -> tuple[Complex[np.ndarray, " order"], Complex[np.ndarray, " order"]]:
    """`λ_i` and `r_i` of the impulse response `Σ_i r_i λ_i^n` of one input and one output."""
    eigenvalues, vectors = np.linalg.eig(np.asarray(system.A))
    weights = (np.asarray(system.C) @ vectors)[0] * np.linalg.solve(
        vectors, np.asarray(system.B).astype(complex)
    )[:, 0]
    return eigenvalues.astype(complex), weights


def missing_response(
    eigenvalues: Complex[np.ndarray, " modes"],
    weights: Complex[np.ndarray, " modes"],
    horizon: int,
) -> Float[np.ndarray, " horizon"]:
    """`Re Σ_i r_i λ_i^n` for n < horizon."""
    lags = np.arange(horizon)
    return np.real(np.sum(weights[:, None] * eigenvalues[:, None] ** lags[None, :], axis=0))


def loss_of_response(response: Float[np.ndarray, " horizon"]) -> float:
    """`½ Σ_n (1 − n/T) k_n²`: the exact loss of an error with this impulse response."""
    horizon = response.size
    return float(0.5 * np.sum((1 - np.arange(horizon) / horizon) * response**2))
