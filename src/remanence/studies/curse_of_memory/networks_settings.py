"""Settings and criteria of the part on trained networks, fixed before the run."""

import dataclasses

ESCAPED = 0.1
"""A run has learnt its target when the unexplained share first falls below this."""

FLAT = 0.05
"""A plateau: a stretch before the escape over which the log of the share moves by less."""

GROWTH = 30.0
"""N1b: median steps at the latest Airy function over those of the fast exponential sum."""

SHORT, LONG = 10, 100
"""N1a: median longest plateau, steps, of every exponential sum at most, and of the recalled Airy
target at least."""

BUMP_GROWTH = 10.0
"""N1c: median steps at the latest bump over those at the earliest."""

TANH_SHORT, TANH_LONG = 10, 50
"""N2a, N3a: as `SHORT` and `LONG`, for the tanh network trained by Adam."""

TANH_GROWTH = 5.0
"""N2b: as `GROWTH`, for the tanh network trained by Adam."""

LORENZ_GROWTH = 2.0
"""N3b: median steps at κ = 1 over those at κ = 0."""

LORENZ_LEVELS = (0.1, 0.03, 0.01)
"""N3b: shares whose steps are told; the first decides."""

FAST, SLOW = "fast exponentials", "slow exponentials"
RATES = {FAST: (1.0, 0.5), SLOW: (0.5, 0.25)}
"""`e^{−w₁t} + ½ e^{−w₂t}`; the slow one has as long a memory as the late Airy functions."""

STRETCH = 2.25
"""The recalled `s₀` of the Airy target; `t₀` ≈ 3 is recalled with it."""

RECALLED_DELAY = 3.0


@dataclasses.dataclass(frozen=True)
class LinearSettings:
    """Linear RNNs with a dense W, trained by plain gradient descent on the exact loss.

    - `width`, `lags`, `step`: of the network and of its kernel, Euler steps of `step`.
    - `delays`, `stretched_delays`: t₀ of `Ai(t − t₀)` and `Ai(s₀(t − t₀))`; `bump_delays`: t₁ of
      a Gaussian bump of width ½.
    - `radius`: spectral radius of `W + I` at first.
    - `steps` in `chunks` calls.
    """

    width: int = 8
    lags: int = 128
    step: float = 0.1
    delays: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    stretched_delays: tuple[float, ...] = (1.0, 2.0, RECALLED_DELAY)
    bump_delays: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0, 5.0)
    radius: float = 0.9
    rate: float = 0.02
    steps: int = 8_000
    chunks: int = 8
    seeds: int = 4
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class TanhSettings:
    """tanh RNNs in Euler form, trained by Adam on sequences; the second half is scored.

    - `width`, `length`, `step`: units, steps of a sequence, time of a step.
    - `stretched_delays`: t₀ of `Ai(s₀(t − t₀))`.
    - `modes`, `couplings`, `substeps`: K, κ and Runge–Kutta steps of the Lorenz systems.
    - `sequences`, `tests`: training sequences of each target, held-out ones.
    - `scale`, `correlation`: size and one-step correlation of the Lorenz systems' inputs.
    - `every`: steps between two evaluations.
    """

    width: int = 16
    length: int = 64
    step: float = 0.15
    stretched_delays: tuple[float, ...] = (1.0, 2.0, RECALLED_DELAY, 4.0)
    modes: tuple[int, ...] = (4,)
    couplings: tuple[float, ...] = (0.0, 0.75, 1.0)
    scale: float = 1.0
    correlation: float = 0.9
    substeps: int = 3
    sequences: int = 1024
    tests: int = 64
    radius: float = 0.9
    rate: float = 5e-3
    batch: int = 16
    steps: int = 1_000
    every: int = 5
    chunks: int = 8
    seeds: int = 3
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class NetworkSettings:
    """Both kinds of network."""

    linear: LinearSettings = LinearSettings()
    tanh: TanhSettings = TanhSettings()


QUICK = NetworkSettings()
FULL = NetworkSettings(
    LinearSettings(
        stretched_delays=(1.0, 2.0, RECALLED_DELAY, 4.0),
        steps=40_000,
        chunks=80,
        seeds=10,
    ),
    TanhSettings(
        width=24,
        length=128,
        modes=(4, 10),
        sequences=2048,
        steps=3_000,
        chunks=60,
        seeds=5,
    ),
)
