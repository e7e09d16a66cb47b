"""How much of the part on plateaus each preset runs, and its criteria."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class PlateauSettings:
    """Exact flows on `e^{−t} + e^{−(t − 1/ω)²/(2σ²)}`, and plain descent on Airy functions.

    - `memories`: 1/ω; `width`: σ; `drop`: the fall of J that ends a plateau; `fitted_from`: the
      least 1/ω of the fits.
    - `gradient_memories`: of the gradients at the start.
    - Descent: `seeds` runs of `modes` complex modes on `duration/step` samples of the kernel at
      `learning_rate`, up to `budget` steps, for the Airy functions `Ai(t − t₀)` of `delays`;
      `dense_states`, `dense_seeds`: the same with a dense recurrence.
    """

    memories: tuple[int, ...] = tuple(range(3, 17))
    width: float = 0.5
    drop: float = 0.01
    fitted_from: int = 6
    gradient_memories: tuple[int, ...] = tuple(range(2, 17))
    shown_flows: tuple[int, ...] = (4, 8, 12, 16)
    delays: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    modes: int = 8
    duration: float = 10.0
    step: float = 0.1
    learning_rate: float = 0.02
    budget: int = 6000
    seeds: int = 256
    dense_states: int = 8
    dense_seeds: int = 128


FULL = PlateauSettings()
QUICK = dataclasses.replace(FULL, seeds=64, dense_seeds=32)

WEIGHTED = {"w₂ = 0.6": 0.6, "w₂ = 0.8": 0.8, "w₂ = 1.5": 1.5}
"""Starts `a = (1, 0)`, `w = (1, w₂)`: on ρ̄ exactly."""
SPLIT = "split"
STARTS = {
    **{name: ((1.0, 0.0), (1.0, rate)) for name, rate in WEIGHTED.items()},
    SPLIT: ((0.5, 0.5), (1.0, 1.001)),
}

STRAIGHT = 0.97
SLOPES = {"w₂ = 0.6": 0.58, "w₂ = 0.8": 0.75, "w₂ = 1.5": 1.67}
SPLIT_SLOPE, SPLIT_LAST = 1.46, 2.2
SLOPE_TOLERANCE = 0.1
EXACT = 1e-12
GRADIENTS = (0.722, 0.340, 0.156, 0.070, 0.0305, 0.0131, 0.0056)
"""At 1/ω = 2 … 8, from the split start."""
GRADIENT_TOLERANCE = 0.01
PROPORTIONAL = 0.1
PROPORTIONAL_FROM = 4
REACHED = 0.1
"""The relative loss at which steps are counted."""
AIRY_FACTOR = 30.0
EARLIER_STEPS = (10, 12, 39, 84, 141, 294, 423)
"""Of the earlier prototype, 4 seeds: the exponential, then t₀ = 1 … 6."""
EXPONENTIAL = "exp(−t)"
