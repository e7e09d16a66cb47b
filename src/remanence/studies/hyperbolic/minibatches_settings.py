"""Settings and criteria of the minibatch part; the criteria were fixed before the runs."""

import dataclasses
from typing import Any

import numpy as np

WITHIN = 0.10
"""HY5a: how far a measured variance may be from the formula, relative."""

CLEAR, DROWNED = 3.0, 1 / 3
"""HY5b, HY5e: signal over noise, and path over way, of students that must and must not arrive."""

SUFFICIENT = 1.5
"""HY5b: predicted path over way from which the steps are held to suffice."""

MOST, FEW = 0.8, 0.2
"""HY5b, HY5e: shares of students that must arrive, and that may."""

ARRIVED = 1.0
"""Hyperbolic distance to the target at the end below which a student has arrived."""

BETTER = 10.0
"""HY5c: by what factor the final loss must be below the competitor's."""

PREDICTED = 1.5
"""HY5d: by what factor a measured root mean square error may differ from the prediction."""

BOUND = 10.0
"""HY5d: how far above the Cramér–Rao bound of all samples it may be."""


EVEN = 3.0
"""HY5f: by what factor S without noise may fall with distance, and with memory at T = memory."""

FAILED = 0.5
"""HY5c: relative loss above which a run counts as failed."""


@dataclasses.dataclass(frozen=True)
class MinibatchSettings:
    """What is sampled and trained; every random number comes from `seed`.

    - `repeats`, `sampled_horizon`: minibatches for each measured variance, and their T.
    - `shapes`: (memory 1/(1 − |μ|), T, B) of the runs that look for the limit; each with every
      one of `noises` (σ²), `correlations` (ρ of the input) and `rates`, on `targets` targets.
    - `steps`: of those runs; `long_shapes` are run for `long_steps` as well.
    - `start_memory`: 1/(1 − |λ|) of all students at the start.
    - `readout_rate`: of c, everywhere; both rates fall to zero as half a cosine.
    - `error_shapes`, `error_noises`, `error_targets`: runs from next to the target whose final
      error is measured, at the first rate.
    - `even_memories`, `even_angles`: 1/(1 − |μ|) = T and arg μ of HY5f; students at an angle of 1.
    - `cases`: (memory, T, B, steps) of the specification's table; `modes`: of its students;
      `hyperbolic_rates`, `lru_rates`; `runs`: on how many streams of minibatches.
    """

    repeats: int = 20_000
    sampled_horizon: int = 300
    shapes: tuple[tuple[float, int, int], ...] = (
        (100.0, 30, 1),
        (100.0, 100, 1),
        (100.0, 100, 8),
        (100.0, 300, 8),
        (100.0, 300, 64),
        (1000.0, 300, 1),
        (1000.0, 1000, 1),
        (1000.0, 1000, 8),
        (1000.0, 3000, 8),
        (10_000.0, 3000, 1),
        (10_000.0, 10_000, 1),
        (10_000.0, 5000, 8),
    )
    noises: tuple[float, ...] = (0.0, 1.0, 10.0, 100.0)
    correlations: tuple[float, ...] = (0.0, 0.9)
    rates: tuple[float, ...] = (0.06, 0.2)
    targets: int = 6
    steps: int = 1000
    long_shapes: tuple[tuple[float, int, int], ...] = ((100.0, 100, 1), (1000.0, 300, 1))
    long_steps: int = 8000
    start_memory: float = 20.0
    readout_rate: float = 0.01
    error_shapes: tuple[tuple[float, int, int], ...] = (
        (100.0, 300, 8),
        (1000.0, 3000, 8),
        (10_000.0, 10_000, 8),
    )
    error_noises: tuple[float, ...] = (1.0, 10.0)
    error_targets: int = 24
    even_memories: tuple[float, ...] = (100.0, 1000.0, 10_000.0)
    even_angles: tuple[float, ...] = (1.01, 1.03, 1.1, 1.3, 2.0, 2.8)
    cases: tuple[tuple[float, int, int, int], ...] = (
        (100.0, 500, 8, 2000),
        (1000.0, 3000, 8, 2000),
        (10_000.0, 20_000, 8, 600),
    )
    modes: tuple[int, ...] = (1, 8)
    hyperbolic_rates: tuple[float, ...] = (0.01, 0.02, 0.06, 0.2, 0.6, 2.0)
    lru_rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3)
    runs: int = 3
    seed: int = 0

    @property
    def journeys(self) -> tuple[tuple[float, int, int, int], ...]:
        """(memory, T, B, steps) of every run that looks for the limit, the long ones last."""
        short = tuple((*shape, self.steps) for shape in self.shapes)
        return short + tuple((*shape, self.long_steps) for shape in self.long_shapes)

    @property
    def start_radius(self) -> float:
        """R of the students at the start."""
        return float(radius_of(self.start_memory))


def radius_of(memory: float | np.ndarray) -> Any:
    """`R = log((1 + |λ|)/(1 − |λ|))` for `1 − |λ| = 1/memory`."""
    return np.log(2 * np.asarray(memory) - 1)


FULL = MinibatchSettings()
QUICK = dataclasses.replace(
    FULL,
    repeats=6000,
    sampled_horizon=100,
    shapes=(
        (100.0, 30, 1),
        (100.0, 100, 1),
        (100.0, 100, 8),
        (1000.0, 300, 1),
        (1000.0, 300, 8),
    ),
    targets=3,
    steps=500,
    long_shapes=((100.0, 100, 1),),
    long_steps=2000,
    error_shapes=((100.0, 150, 8),),
    even_memories=(100.0, 1000.0),
    cases=((10_000.0, 10_000, 1, 300),),
    modes=(1,),
    hyperbolic_rates=(0.06, 0.2, 0.6),
    lru_rates=(1e-3, 1e-2, 0.1),
    runs=1,
)
