"""Settings and criteria of the part on one mode, fixed before the run."""

import dataclasses

ARRIVED = 1e-6
"""A run succeeds when the unexplained share is below this within the budget."""

RATE = 0.1
"""The one rate of hyperbolic Adam, a hyperbolic distance, and its readout's rate below."""

READOUT_RATE = 1e-2

SAFE_RATES = (0.02, 0.6)
"""HY4b: 1.5 decades within which every rate learns every target."""

GROWTH = 4.0
"""HY4a: median steps at the longest memory over those at the shortest, at most."""

SLOWER = 10.0
"""HY4c: median steps of every competitor over those of hyperbolic Adam, at least."""

MAJORITY = 0.5
"""HY4c, HY7a: a student fails where more than this share of its targets does."""

TRANSPORT = 1.5
"""HY7b: factor between the median steps with and without parallel transport, below."""

ABLATED = 2.0
"""HY7c, HY7d: factor between the median steps with and without the part, below."""


@dataclasses.dataclass(frozen=True)
class OneModeSettings:
    """Every student learns every target at every point of its grid, and keeps the best.

    - `memories` 1/(1 − |μ|) of the targets, `targets` of each, angles uniform in (0, π);
      `ablated_memories`: those of the ablation.
    - `start`, `start_angle`: 1 − |λ| and arg λ of every student; `start_readout`.
    - `budget`: steps; `rates` of the hyperbolic students, `descent_rates` of plain descent in
      hyperbolic coordinates, `competitor_rates` of all others, `readout_rates`.
    - `decayed`: whether every point of a competitor's grid also runs with a cosine decay to 0
      over the budget.
    - `far_memories`, `far_readout_rates`: where hyperbolic Adam is measured beyond the claims, at
      its one rate; a readout's steps of fixed length are too long for overlaps that faint.
    """

    memories: tuple[float, ...] = (1e2, 1e3, 1e4, 1e5, 1e6)
    ablated_memories: tuple[float, ...] = (1e2, 1e4, 1e6)
    targets: int = 32
    start: float = 0.01
    start_angle: float = 0.7853981633974483
    start_readout: float = 0.1
    budget: int = 20_000
    rates: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 1.0)
    descent_rates: tuple[float, ...] = (0.03, 0.1, 0.3, 1.0, 2.0, 3.0)
    competitor_rates: tuple[float, ...] = (
        1e-6,
        3e-6,
        1e-5,
        3e-5,
        1e-4,
        3e-4,
        1e-3,
        3e-3,
        1e-2,
        3e-2,
        0.1,
        0.3,
        1.0,
    )
    readout_rates: tuple[float, ...] = (READOUT_RATE, 0.1)
    decayed: bool = True
    far_memories: tuple[float, ...] = (1e6, 1e8, 1e10)
    far_readout_rates: tuple[float, ...] = (READOUT_RATE, 1e-3)
    seed: int = 0


FULL = OneModeSettings()
QUICK = dataclasses.replace(
    FULL,
    targets=8,
    budget=5_000,
    competitor_rates=(1e-4, 1e-3, 1e-2),
    readout_rates=(READOUT_RATE,),
    decayed=False,
)
