"""Settings and criteria of the part on ensembles of teachers.

Criteria stood here before any run of these competitors; no run moves them.
"""

import dataclasses

BETTER = 2.0
"""HY6a: by what factor hyperbolic Adam must beat the best tuned competitor in median loss."""

ROBUST = 10.0
"""HY6b: how far above its own tuned median one fixed pair of rates may leave an optimiser."""

FIXED = (0.06, 1e-2)
"""HY6b: rates of eigenvalues and readouts of hyperbolic Adam at every ν₀, from the prototypes."""

FAILED = 0.5
"""HY6c: a run with more of the output's power left unexplained than this has failed."""

RING, SHORT = "on the ring", "radius 0.9"
STARTS = (RING, SHORT)

SHORT_RADIUS = 0.9

READOUTS = (3e-3, 1e-2, 3e-2)
"""Learning rates of B, C and D that every grid of the full preset starts with."""


@dataclasses.dataclass(frozen=True)
class BatchSettings:
    """Minibatches of white input: `steps` of Adam on `size` fresh sequences of `horizon` inputs.

    One entry of `levels` (ν₀), `horizons` and `steps` belongs to each other; `rates` of LRU and of
    hyperbolic Adam, the readout rate is that of `FIXED`.
    """

    levels: tuple[float, ...] = (0.99, 0.999)
    horizons: tuple[int, ...] = (300, 3_000)
    steps: tuple[int, ...] = (6_000, 1_000)
    size: int = 16
    teachers: tuple[int, ...] = (5, 2)
    plain_rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2, 3e-2)
    hyperbolic_rates: tuple[float, ...] = (0.02, 0.06, 0.2, 0.6)


@dataclasses.dataclass(frozen=True)
class DenseSettings:
    """The fully connected recurrence of as many real states, on the loss of `horizon` inputs.

    At one ν₀ and one start alone: a step costs `horizon` products of matrices.
    """

    level: float = 0.99
    horizon: int = 1_000
    teachers: int = 3
    rates: tuple[float, ...] = (3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
    readouts: tuple[float, ...] = READOUTS


@dataclasses.dataclass(frozen=True)
class EnsembleSettings:
    """What is trained; every random number comes from `seed`.

    - `levels`: ν₀ of the rings that the teachers' eigenvalues lie on; `teachers` of each;
      `starts`: where students start, of `STARTS`.
    - `modes`: complex modes of a student.
    - `steps`: of Adam, rates falling to zero as half a cosine.
    - `rates`: how many eigenvalue rates a grid has, a factor √10 apart; `readouts`: rates of the
      rest. Grids are searched on the first `searched` teachers, and both grow by up to
      `extensions` rates at an end where the best is. `few`: the shorter list of competitors and
      grids.
    - `chunk`: how many runs are trained side by side.
    """

    levels: tuple[float, ...] = (0.99, 0.999, 0.9999)
    starts: tuple[str, ...] = STARTS
    teachers: int = 10
    searched: int = 3
    modes: int = 32
    steps: int = 2_000
    rates: int = 6
    readouts: tuple[float, ...] = READOUTS
    extensions: int = 2
    few: bool = False
    chunk: int = 30
    batches: BatchSettings | None = BatchSettings()
    dense: DenseSettings | None = DenseSettings()
    seed: int = 0


FULL = EnsembleSettings()
QUICK = EnsembleSettings(
    starts=(RING,),
    teachers=4,
    searched=4,
    steps=600,
    rates=3,
    readouts=(1e-2,),
    extensions=0,
    few=True,
    chunk=36,
    batches=None,
    dense=None,
)
