"""What the signals part runs, and the criteria that its claims are held to."""

import dataclasses

ARCHITECTURES = ("complex", "complex, LayerNorm", "LRU", "GRU")
"""Complex: diagonal, real and imaginary parts trained, inputs not normalised."""

ACTIVATION_RATIO = 1e4
EIGENVALUE_GRADIENT = 1e8
LRU_RANGE = 30.0
PHASE_GROWTH = 1e3
NORMALISED_REST = 1e-5
GRU_RANGE = 30.0


@dataclasses.dataclass(frozen=True)
class SignalSettings:
    """The networks, their inputs and how often they are drawn.

    - `inputs`, `width`, `depth`: features of the input, of the network, and recurrent layers.
    - `length`, `sequences`: steps of a sequence, and sequences averaged over.
    - `memories`: t, so that `|λ|` is between 1 − 1/t and 1 − 1/(2t), and the gate's bias
      log U(t, 2t).
    - `seeds`, `seed`: networks and inputs are drawn anew at seed, seed + 1, …, and are the same
      for every t but for the recurrence's own parameters.
    - `dtype`: "float32" or "float64" (published). Mean squares up to 1e13 are far inside the
      range of float32, and no measured sum cancels; it is three times as fast.
    - `workers`: architectures run at a time.
    """

    inputs: int = 768
    width: int = 256
    depth: int = 4
    length: int = 512
    sequences: int = 8
    memories: tuple[float, ...] = (1.0, 10**0.5, 10.0, 10**1.5, 100.0)
    seeds: int = 4
    seed: int = 0
    dtype: str = "float64"
    workers: int = 2


FULL = SignalSettings()
QUICK = dataclasses.replace(
    FULL, sequences=2, memories=(1.0, 10.0, 100.0), seeds=1, dtype="float32"
)
