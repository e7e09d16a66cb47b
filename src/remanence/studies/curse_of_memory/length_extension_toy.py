"""The closed-form toy: one kernel, fixed modes, readouts by least squares on T lags."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from remanence.studies.curse_of_memory.length_extension_settings import (
    TOY_RIDGE,
    ExtensionSettings,
)
from remanence.theory.kernels import PowerLawKernel

LONGEST, LONG_LENGTH = 4096, 256


@dataclasses.dataclass(frozen=True)
class Toy:
    """Errors of the toy.

    - `short`, `long`: by length, zero-state training at 16 and at 256 steps, with the ridge of
      the pre-registered numbers; `exact`, `long_exact`: without one.
    - `stationary`: the error at any length of the fit that carries states.
    - `ridges`, `at_training`, `at_longest`: the same training at 16 steps by ridge.
    """

    short: dict[int, float]
    exact: dict[int, float]
    long: dict[int, float]
    long_exact: dict[int, float]
    stationary: float
    ridges: Float64[np.ndarray, " ridges"]
    at_training: Float64[np.ndarray, " ridges"]
    at_longest: Float64[np.ndarray, " ridges"]


def run_toy(s: ExtensionSettings, lengths: Sequence[int]) -> Toy:
    """The expected squared error of a zero-state sequence of L steps under white input is

        e(L) = Σ_{j<L} (1 − j/L) (ρ̂_j − ρ_j)²        (the mean over its L outputs),

    and of an endless one `Σ_j (ρ̂_j − ρ_j)²`, here over 4,096 lags. Readouts are the minimiser of
    either, by an orthogonal factorisation, or of `e(T) + share · trace · ‖c‖²`.
    """
    lags = np.arange(LONGEST, dtype=np.float64)
    target = PowerLawKernel(s.exponent, s.scale)(lags)
    modes = np.exp(-np.outer(lags, np.geomspace(s.slowest, s.fastest, s.modes)))

    def readouts(length: int, share: float) -> np.ndarray:
        return ridge(modes[:length], target[:length], 1 - lags[:length] / length, share)

    def errors(c: np.ndarray, of: Sequence[int]) -> dict[int, float]:
        gaps = (modes @ c - target) ** 2
        return {L: float(np.sum((1 - lags[:L] / L) * gaps[:L])) for L in of}

    by_ridge = [errors(readouts(s.length, share), (s.length, LONGEST)) for share in s.ridges]
    endless = ridge(modes, target, np.ones(LONGEST), 0.0)
    return Toy(
        short=errors(readouts(s.length, TOY_RIDGE), lengths),
        exact=errors(readouts(s.length, 0.0), lengths),
        long=errors(readouts(LONG_LENGTH, TOY_RIDGE), (LONG_LENGTH, LONGEST)),
        long_exact=errors(readouts(LONG_LENGTH, 0.0), (LONG_LENGTH, LONGEST)),
        stationary=float(np.sum((modes @ endless - target) ** 2)),
        ridges=np.array(s.ridges),
        at_training=np.array([one[s.length] for one in by_ridge]),
        at_longest=np.array([one[LONGEST] for one in by_ridge]),
    )


def ridge(
    design: Float64[np.ndarray, "lags modes"],
    target: Float64[np.ndarray, " lags"],
    weights: Float64[np.ndarray, " lags"],
    share: float,
) -> Float64[np.ndarray, " modes"]:
    """`argmin_c Σ_j w_j (design c − target)_j² + share · tr(designᵀ W design) ‖c‖²`."""
    scaled = design * np.sqrt(weights)[:, None]
    penalty = np.sqrt(share * np.sum(scaled**2)) * np.eye(design.shape[1])
    rows = np.concatenate([scaled, penalty])
    wanted = np.concatenate([target * np.sqrt(weights), np.zeros(design.shape[1])])
    return np.linalg.lstsq(rows, wanted)[0]
