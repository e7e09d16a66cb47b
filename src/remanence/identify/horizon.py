"""What a linear system remembers: time constants and the lag that holds its response's energy."""

import dataclasses

import numpy as np
from jaxtyping import Complex, Float

from remanence.systems import StateSpace

ENERGY_SHARE = 0.95


@dataclasses.dataclass(frozen=True)
class Memory:
    """How long a stable system remembers, in steps.

    - `eigenvalues` (order,): of A, slowest first.
    - `time_constants` (order,): `−1 / ln|λ|`, the steps in which a mode falls by e.
    - `horizon`: fewest lags that hold 95 % of the energy Σ_j ‖g_j‖² of the impulse response.
    - `input_horizons` (inputs,): the same for each input alone.
    - `half_lag`: fewest lags that hold 50 %.
    """

    eigenvalues: Complex[np.ndarray, " order"]
    time_constants: Float[np.ndarray, " order"]
    horizon: int
    half_lag: int
    input_horizons: tuple[int, ...]


def memory(system: StateSpace, response: Float[np.ndarray, "length outputs inputs"]) -> Memory:
    """Memory of `system`, whose impulse response over a long stretch is `response`."""
    eigenvalues = np.linalg.eigvals(np.asarray(system.A)).astype(complex)
    eigenvalues = eigenvalues[np.argsort(-np.abs(eigenvalues), kind="stable")]
    with np.errstate(divide="ignore"):
        time_constants = -1.0 / np.log(np.abs(eigenvalues))
    energy = np.sum(response**2, axis=1)
    return Memory(
        eigenvalues=eigenvalues,
        time_constants=np.where(np.abs(eigenvalues) < 1, time_constants, np.inf),
        horizon=energy_lag(energy.sum(axis=1), ENERGY_SHARE),
        half_lag=energy_lag(energy.sum(axis=1), 0.5),
        input_horizons=tuple(energy_lag(column, ENERGY_SHARE) for column in energy.T),
    )


def energy_lag(energy: Float[np.ndarray, " length"], share: float) -> int:
    """Fewest leading lags whose energy is at least `share` of the total."""
    cumulative = np.cumsum(energy)
    if not cumulative[-1] > 0:
        return 0
    return int(np.searchsorted(cumulative, share * cumulative[-1]) + 1)
