"""Settings and criteria of the landscapes part.

Criteria stand in the code and no run moves them; a claim's note says so where its criterion was
chosen after a prototype.
"""

import dataclasses

UNIT = 1e-6
"""S3a: how close to 1 the largest curvature under tanh must be."""

QUARTER = 1e-3
"""S3a: how close to ¼ the curvature under exp(−e^w) must be at the longest memory."""

CLOSED_FORM = 1e-9
POLAR_PHASE = 4901
"""S3a: ν²(1 + ν²)/(1 − ν²)² at ν = .99, to the nearest integer."""

INVARIANCE = 1e-10
"""S3b: relative; rounding of ν = tanh a alone is 1e-16/(1 − ν)."""

SIMULATION = 0.02
CURVATURE = 1e-4
DETERMINANT = 1e-6
COUPLED_MAGNITUDE = 19801
"""S3c: G_νν of the coupled coordinates at ν = .99, θ = 1, to the nearest integer."""

REACHED_EXPONENTIAL, REACHED_POLAR, STUCK = 1e-3, 0.2, 5.0
"""S4: the losses that the pre-registered criterion names."""

LAST = 1_000
"""S4: steps at the end over which a final loss is the largest."""


@dataclasses.dataclass(frozen=True)
class LandscapeSettings:
    """Which teachers, how the sums are cut, and how long is trained.

    - `gaps`: 1 − ν of the teachers; the smallest is that of the quoted numbers.
    - `grid`: points of a landscape over the student's coordinate; `reach` its half width in w.
    - `offsets`: differences of artanh ν of S3b.
    - `simulated_gaps`, `simulated_offsets`: the teachers and differences that are simulated too.
    - `chains`, `length`, `burn_in`: sequences of S3b, their steps, and those dropped.
    - `curvature_magnitudes`: ν at which the curvature is measured; `stencil`: step of its
      finite differences, as a share of 1 − ν.
    - `coupled`: (ν, θ) at which the coupled coordinates are examined; `terms` of their sums.
    - `start`, `teacher`: (ν, θ/π) of S4; `steps`, `learning_rate` of Adam.
    """

    gaps: tuple[float, ...] = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64)
    grid: int = 1_001
    reach: float = 6.0
    offsets: tuple[float, ...] = (-2.0, -0.5, 0.1, 1.0, 2.0)
    simulated_gaps: tuple[float, ...] = (0.04, 0.16, 0.64)
    simulated_offsets: tuple[float, ...] = (-0.5, 0.5)
    chains: int = 800
    length: int = 12_000
    burn_in: int = 2_000
    curvature_magnitudes: tuple[float, ...] = (0.3, 0.6, 0.9, 0.99)
    stencil: float = 0.02
    coupled: tuple[tuple[float, float], ...] = ((0.99, 1.0), (0.99, 0.1), (0.9, 0.5))
    terms: int = 4_000
    start: tuple[float, float] = (0.99, 0.25)
    teacher: tuple[float, float] = (0.99, 0.01)
    steps: int = 50_000
    learning_rate: float = 1e-3
    seed: int = 0


QUICK = LandscapeSettings()
FULL = LandscapeSettings(
    gaps=(0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64),
    grid=4_001,
    chains=8_000,
    curvature_magnitudes=(0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 0.995),
)
