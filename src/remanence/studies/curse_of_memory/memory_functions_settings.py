"""Settings and criteria of the part on memory functions, fixed before the run."""

import dataclasses

ROUND_OFF = 1e-12
"""F11a: largest deviation of the three probes from |ρ|_1, relative to its largest value; F11f:
of the memory function from the bound that is attained."""

FADED = 1e-3
"""F11c: a memory is over when M stays below this share of its largest value."""

SHORT = 100
"""F11c: RNN, GRU and LSTM forget within this many steps (median over starts)."""

PUBLISHED = 2000
"""F11c: steps of S4, about, read off a published figure."""

LONG = (500, 8000)
"""F11c: and S4D within these, four times less and more."""

EXPONENTIAL_SHARE = 0.9
"""F11b: share of starts of each recurrent network whose decay is exponential."""

POLYNOMIAL = 1e-9
"""F11e: how well a polynomial in k must fit M e^{β₀k} late, relative to the largest value."""


@dataclasses.dataclass(frozen=True)
class MemorySettings:
    """What is run.

    - `starts`: random initialisations of each network; `state`: units of RNN, GRU and LSTM;
      `channels` of S4D, with 64 modes each; `length`: steps of the memory functions of the
      former, `long_length` of S4D.
    - `depths` ℓ of the stacks, `stack_width` modes in each of their layers, `stack_seeds` of
      each, `slowest` the rate β₀ of the slowest mode of every layer, other rates `gap` to
      `spread` times that; `stack_length` steps; `amplitudes` of the inputs tried, with both signs;
      `late_length` steps after an impulse, for the powers of t.
    """

    starts: int = 20
    state: int = 64
    channels: int = 16
    length: int = 1000
    long_length: int = 16_000
    depths: tuple[int, ...] = (1, 2, 3)
    stack_width: int = 16
    stack_seeds: int = 20
    slowest: float = 0.05
    gap: float = 1.5
    spread: float = 4.0
    stack_length: int = 700
    late_length: int = 4000
    amplitudes: tuple[float, ...] = (0.1, 1.0, 10.0)
    seed: int = 0


FULL = MemorySettings()
QUICK = dataclasses.replace(FULL, starts=6, state=32, length=600, stack_seeds=5)
