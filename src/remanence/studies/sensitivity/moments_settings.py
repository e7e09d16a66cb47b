"""Settings and criteria of the moments part.

Criteria stand in the code and no run moves them; a claim's note says so where its criterion was
chosen after a prototype.
"""

import dataclasses

CORRELATIONS = (0.0, 0.9, 0.99, 0.999, 1.0)
"""The input correlations ρ of figures 2 and 8."""

MONTE_CARLO = 0.02
"""S1a: relative error of a Monte Carlo mean; its own four standard errors must be below it."""

SLOPE = 0.02
SPECTRUM = 0.01
PLATEAU = 0.02
FINITE = 1e-6
BRUTE_FORCE = 1e-6

TAIL = 30.0
"""Finite sums run to this many memories 1/ε: what is left out is about e^(−60) of them.

Or as many correlation times 1/(1 − ρ) of the input, where those are longer.
"""


@dataclasses.dataclass(frozen=True)
class MomentSettings:
    """How much is simulated, and where the closed forms are compared with it.

    - `eigenvalues`: (|λ|, arg λ) of S1a; `longer`: real eigenvalues simulated for figure 1 only.
    - `correlations`: ρ of the simulated AR(1) inputs.
    - `chains`, `block`, `length`, `burn_in`, `chunk`: independent sequences, how many at a time,
      their time steps, how many are dropped, and how many traces are held at once.
    - `gaps`, `gap_points`: range of ε = 1 − |λ| of the log-log slopes, and points in it.
    - `spectrum_gap`, `angles`, `spectrum_correlations`: S1c, angles in radians.
    - `plateau_magnitude`: |λ| at which the plateaus are read.
    - `weights_gaps`: range of ε of S1d.
    - `anchor`, `anchor_angle`: λ₀ of figure 8, the angle in units of π.
    - `disc`: magnitudes and angles of the grid on which the peak is sought; `pixels` of a panel.
    - `printed_correlations`: ρ of E1.
    - `sum_points`, `sum_length`: points of E1 and terms of its double sums.
    """

    eigenvalues: tuple[tuple[float, float], ...] = (
        (0.9, 0.0),
        (0.95, 0.0),
        (0.9, 0.5),
        (0.95, 2.5),
    )
    longer: tuple[float, ...] = (0.98, 0.99, 0.995)
    correlations: tuple[float, ...] = (0.0, 0.8, 0.9)
    chains: int = 768
    block: int = 64
    length: int = 15_000
    burn_in: int = 3_000
    chunk: int = 500
    gaps: tuple[float, float] = (1e-5, 1e-3)
    gap_points: int = 7
    spectrum_gap: float = 1e-4
    angles: tuple[float, ...] = (0.0, 0.1, 1.0, 3.141592653589793)
    spectrum_correlations: tuple[float, ...] = (0.0, 0.9)
    plateau_magnitude: float = 0.9999
    weights_gaps: tuple[float, float] = (1e-3, 1e-1)
    anchor: float = 0.99
    anchor_angle: float = 0.25
    disc: tuple[int, int] = (100, 721)
    pixels: int = 240
    printed_correlations: tuple[float, ...] = (0.0, 0.5, 0.9, 0.99, 0.999, 1.0)
    sum_points: int = 24
    sum_length: int = 2_500
    seed: int = 0


QUICK = MomentSettings()
FULL = MomentSettings(
    longer=(0.98, 0.99, 0.995, 0.998),
    chains=4096,
    block=128,
    length=30_000,
    burn_in=6_000,
    gap_points=13,
    disc=(200, 1441),
    pixels=400,
    sum_points=200,
)
