"""Settings and criteria of the extensions part.

Criteria stand in the code and no run moves them; a claim's note says so where its criterion was
chosen after a prototype.
"""

import dataclasses

UNIT_POWER = 1e-6
"""X1a: how far E|γh|² may be from 1 with the smoothed spectrum."""

LIMIT_POWER = 0.02
"""X1a: the same for the spectrum itself, at the longest memory, for ρ up to .99."""

UNIT_SENSITIVITY = 1e-4
"""X2a: how far E|∂(γh)/∂w|² may be from 1 under the ρ-aware map; finite differences."""

VARIES = 5.0
"""X2a: by what factor it at least varies under the other maps at every ρ."""

BETTER = 2.0
"""X1b, X2c: by what factor an extension must beat the best tuned competitor in median loss."""

EVEN, UNEVEN = 2.0, 10.0
"""X2b: slowest over fastest recovery, at most (ρ-aware) and at least (the other maps)."""

RECOVERED = 0.01
"""X2b: share of the initial loss."""


@dataclasses.dataclass(frozen=True)
class ExtensionSettings:
    """What is summed, recovered and trained; every random number comes from `seed`.

    - `gaps`, `correlations`, `angles`: 1 − |λ|, ρ and θ of the identities; `shown` is the ρ of
      their figure and of the verdicts on training.
    - `memories`, `ratio`: 1/(1 − λ*) of one recovered eigenvalue, and how much shorter the memory
      is from which it starts; `descent_steps`, `descent_rates`, `adam_rates`: of both optimisers.
    - `teachers` in each ensemble, of `pairs` modes, and their inputs' `trained_correlations`;
      students of `modes` modes, `steps` of Adam at `rates`, training length `horizon`.
    - `teacher_memories`, `start_memories`: 1/(1 − |λ|), log-uniform, of teachers and of students
      at the start.
    - `resamples`: of the teachers, for the intervals of the factors.
    """

    gaps: tuple[float, ...] = (0.5, 0.1, 1e-2, 1e-3, 1e-4)
    correlations: tuple[float, ...] = (0.0, 0.9, 0.99, 0.999)
    angles: tuple[float, ...] = (0.0, 0.1, 1.0, 3.141592653589793)
    shown: float = 0.99
    memories: tuple[float, ...] = (10.0, 100.0, 1e3, 1e4)
    ratio: float = 4.0
    descent_steps: int = 6_000
    descent_rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
    adam_rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
    teachers: int = 4
    pairs: int = 5
    trained_correlations: tuple[float, ...] = (0.0, 0.99)
    modes: int = 12
    steps: int = 1_000
    rates: tuple[float, ...] = (1e-2, 3.2e-2, 0.1, 0.32)
    horizon: int = 300
    teacher_memories: tuple[float, float] = (100.0, 300.0)
    start_memories: tuple[float, float] = (10.0, 100.0)
    resamples: int = 2_000
    seed: int = 0


QUICK = ExtensionSettings(trained_correlations=(0.99,))
FULL = ExtensionSettings(
    memories=(10.0, 30.0, 100.0, 300.0, 1e3, 3e3, 1e4),
    descent_steps=20_000,
    teachers=12,
    trained_correlations=(0.0, 0.9, 0.99),
    steps=10_000,
    rates=(3.2e-3, 1e-2, 3.2e-2, 0.1, 0.32),
)
