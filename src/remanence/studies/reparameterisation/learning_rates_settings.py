"""Settings and criteria of the part on learning rates, fixed before the run."""

import dataclasses
import math

LEARNT = 0.01
"""F4a: a learning rate is usable if every seed ends below this share of the kernel's power."""

DIRECT_BELOW, EXPONENTIAL_AT, BEST_LEAST = 0.1, 0.3, 3.0
"""F4a, pre-registered: the largest usable rate of the direct map is below the first, that of the
exponential and softplus maps is the second, that of the best map at least the third."""

RATIO_MOST, RATIO_RATES = 0.4, 0.1
"""F4b, pre-registered: max |g|/|w| of the best map at learning rates up to the second."""

POLE = 0.2
"""F4b: weights smaller than this are left out for the maps whose w = 0 is an ordinary rate."""

TOY = {
    1e-3: ("8e-5", "7e-4", "7e-4", "4e-3"),
    1e-2: ("2e-4 … 3e-3", "4e-5", "4e-5", "2.6e-4"),
    1e-1: ("NaN", "5e-6 … 2e-5", "5e-6 … 2e-5", "3e-5 … 5e-5"),
    3e-1: ("NaN", "1.1e-4 … 1.6e-4", "1.1e-4 … 1.5e-4", "5e-5 … 1.7e-4"),
    1.0: ("NaN", "7.64", "0.24 … 4.9", "6e-4 … 1.4e-3"),
    3.0: ("NaN", "7.64", "7.64", "8e-4 … 5e-2"),
}
"""The final losses known beforehand: direct, exponential, softplus, best."""

_NAN = math.nan
PUBLISHED_DIGITS = {
    5e-6: (2.314384, 2.241642, 2.241486, 2.241217),
    5e-5: (2.304331, 0.779663, 0.774661, 0.765220),
    5e-4: (2.303190, 0.094411, 0.093418, 0.091924),
    5e-3: (_NAN, 0.023795, 0.023820, 0.023475),
    5e-2: (_NAN, 0.802772, 0.868350, 0.089073),
    5e-1: (_NAN, 2.313510, 2.314244, 2.185477),
    5.0: (_NAN, _NAN, _NAN, 199.01),
}
"""The paper's table 2, sequential MNIST, mean test losses of three runs: direct, softplus,
exponential, best."""

DIGIT_RATE = 5e-2
"""F5a: the row to reproduce."""

DIGIT_FACTOR = 2.0
"""F5a: the best map's loss there is smaller than softplus's and exponential's by this."""

CHANCE = math.log(10)
STUCK = 0.05
"""F5b: a run has learnt nothing if its loss is not this much below that of chance."""

FAIR_LOSS = 1.5
"""F5b: what the direct map reaches from the fair start at one of the rates at least."""


@dataclasses.dataclass(frozen=True)
class LearningRateSettings:
    """Kernel regression, and in the full preset sequential MNIST.

    - `length`, `modes`, `steps` of Adam, `rates`, `seeds` of the kernel regression.
    - `digits`: whether MNIST is run; `digit_rates`, `digit_side` (pixels of the images after
      averaging), `digit_width`, `digit_state`, `digit_epochs`, `digit_batch`, `digit_seeds`.
    """

    length: int = 200
    modes: int = 16
    steps: int = 1500
    rates: tuple[float, ...] = (1e-3, 1e-2, 1e-1, 3e-1, 1.0, 3.0)
    seeds: int = 3
    digits: bool = True
    digit_rates: tuple[float, ...] = (5e-4, 5e-3, 5e-2, 5e-1, 5.0)
    digit_side: int = 28
    digit_width: int = 32
    digit_state: int = 32
    digit_epochs: int = 8
    digit_batch: int = 50
    digit_seeds: int = 1
    seed: int = 0


FULL = LearningRateSettings(seeds=10, rates=(1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0, 10.0))
QUICK = LearningRateSettings(digits=False)
