"""What the descent part trains, and how much of it in each preset."""

import dataclasses

from remanence.studies.low_dimensional.ensembles import Ensemble
from remanence.systems import effective_rank, hankel_singular_values
from remanence.systems.generators import spread_teacher

DELAY_NEAR_ZERO = 0.1


@dataclasses.dataclass(frozen=True)
class DescentSettings:
    """What to train; every ensemble's students start from seeds `seed`, `seed + 1`, ….

    - `order`, `dimension`, `lengths`, `seeds`, `steps`: the spread teacher G(order), the
      students' state dimension, training lengths k, students a point, steps at most.
    - `widths`, `width_length`, `width_steps`: state dimensions to compare at one length.
    - `scales`, `scale_lengths`, `scale_steps`: starts from near zero to standard.
    - `standard_seeds`: students a point at the standard scale, where they scatter over decades.
    - `delay_*`: the delay teacher; `norm_*`: its norm under gradient descent as the start shrinks.
    """

    order: int = 3
    dimension: int = 40
    lengths: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
    seeds: int = 5
    steps: int = 30_000
    widths: tuple[int, ...] = (5, 10, 20, 40, 80, 120)
    width_length: int = 7
    width_steps: int = 30_000
    scales: tuple[float, ...] = (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 0.6, 1.0)
    scale_lengths: tuple[int, ...] = (7, 12)
    scale_steps: int = 40_000
    standard_seeds: int = 60
    delay_order: int = 5
    delay_dimension: int = 30
    delay_lengths: tuple[int, ...] = (6, 7, 8, 9, 10, 11, 12, 13, 15, 17, 20)
    delay_steps: int = 25_000
    norm_scales: tuple[float, ...] = (0.1, 0.14, 0.2, 0.3)
    norm_dimension: int = 20
    norm_length: int = 12
    norm_steps: int = 150_000
    seed: int = 0


FULL = DescentSettings()
QUICK = dataclasses.replace(
    FULL,
    lengths=(3, 4, 5, 6, 7, 12),
    seeds=3,
    steps=15_000,
    widths=(5, 40, 120),
    width_steps=5_000,
    scales=(1e-3, 1e-2, 0.1, 0.3, 1.0),
    scale_steps=30_000,
    standard_seeds=40,
    delay_lengths=(8, 9, 10, 12, 15),
    delay_steps=8_000,
    norm_scales=(0.1, 0.2, 0.3),
    norm_steps=80_000,
)

# Ensembles by (scale, training length).
Grid = dict[tuple[float, int], Ensemble]


def teacher_rank(s: DescentSettings) -> float:
    """Effective rank of the spread teacher's Hankel matrix."""
    return effective_rank(hankel_singular_values(spread_teacher(s.order).system))
