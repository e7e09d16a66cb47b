"""What the Hessians part draws and measures, and how much of it in each preset."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class HessianSettings:
    """Teachers, memories and angles; every random number comes from `seed` and an index.

    - `teachers`, `horizon`: systems of order 4 by the recipe of figure 4, and the training
      length T of their loss.
    - `checked`, `long_horizon`: on so many of them, sums over so many steps are held against the
      closed forms for T = ∞.
    - `shortfalls`, `growth_draws`: 1 − |λ|, descending, and systems per value, for the growth
      of the curvature with memory.
    - `angles`, `modes`, `inner`, `correlation`, `angle_draws`: the recipe of figure 10A:
      half-widths θ₀/π of the phases, how many modes with |λ| between `inner` and
      (1 + `inner`)/2, correlation ρ of the inputs, draws per angle.
    - `resamples`: of the bootstrap.
    """

    teachers: int = 60
    horizon: int = 300
    checked: int = 3
    long_horizon: int = 4000
    shortfalls: tuple[float, ...] = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4)
    growth_draws: int = 5
    angles: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0)
    modes: int = 10
    inner: float = 0.99
    correlation: float = 0.99
    angle_draws: int = 400
    resamples: int = 2000
    seed: int = 0


QUICK = HessianSettings()
FULL = dataclasses.replace(QUICK, teachers=600, growth_draws=10, angle_draws=2000)
