"""How much of the part on learning rates, heads and angles each preset runs."""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class RateSettings:
    """Students of 64 states on the published teacher at ν₀ = `least`.

    - `steps`, `starts`, `search_starts`, `batch`, `every_rate`: as in the architecture
      comparison; the angles have the starts of the search, on the exact expected loss.
    - `constant_rate`: of the runs whose effective learning rates are read.
    - `heads`: numbers of blocks; `phases`: largest angles of the teacher's eigenvalues.
    """

    least: float = 0.99
    steps: int = 10_000
    starts: int = 10
    search_starts: int = 3
    batch: int | None = 128
    every_rate: bool = True
    constant_rate: float = 1e-3
    heads: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    phases: tuple[float, ...] = (0.0314, 0.0993, 0.314, 0.993, 3.14)
    seed: int = 0


FULL = RateSettings()
QUICK = dataclasses.replace(
    FULL,
    steps=5_000,
    starts=2,
    search_starts=2,
    batch=None,
    every_rate=False,
    heads=(1, 8, 32),
    phases=(0.0314, 3.14),
)

PUBLISHED_HEADS = {
    1: (0.58, 4e-6),
    2: (0.58, 3e-6),
    4: (0.19, 8e-6),
    8: (0.115, 4e-5),
    16: (6.6e-5, 1.7e-4),
    32: (1.7e-5, 1.2e-3),
}
"""Loss, and geometric mean of the effective learning rates of A, read off figure 11."""

PUBLISHED_ANGLES = {
    "dense RNN": (0.062, 0.73, 1.06, 0.025, 0.5),
    "complex diagonal": (2.6e-5, 2.2e-5, 1.7e-5, 2.7e-5, 4.3e-5),
    "LRU": (3.9e-7, 1.6e-6, 1.1e-6, 2.7e-6, 2.4e-5),
}
"""Losses read off figure 10B at the angles of the full preset."""

FEW_HEAD_RATES = {1: (3.2e-4,), 8: (1e-3,), 32: (3.2e-3,)}
"""For the quick preset, near the best of the published grid."""

PROBE_CAP = 0.1 / math.sqrt(0.001)
"""The most that the probe of ones can show, in learning rates: (1 − β₁)/√(1 − β₂)."""
