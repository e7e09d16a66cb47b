"""What the minimum-norm part trains, and how much of it in each preset."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class MinimumNormSettings:
    """What to train; students start from seeds `seed`, `seed + 1`, ….

    - `dimension`, `seeds`: of every ensemble unless named below.
    - `norm_*`: training length, starts and steps for the norms of four teachers.
    - `stair_*`: the slow start whose loss falls in steps; `order` is its teacher's order.
    - `bridge_*`: students to truncate; `standard_seeds` of them at σ = 1, where few are stable.
    - `orders`: how many states to keep, up to this.
    """

    order: int = 3
    dimension: int = 40
    seeds: int = 5
    norm_length: int = 8
    norm_scales: tuple[float, ...] = (1e-2, 3e-2, 0.1, 0.3)
    norm_steps: int = 40_000
    stair_length: int = 8
    stair_scale: float = 1e-4
    stair_steps: int = 30_000
    bridge_length: int = 12
    bridge_steps: int = 40_000
    standard_seeds: int = 60
    orders: int = 10
    seed: int = 0


FULL = MinimumNormSettings()
QUICK = dataclasses.replace(
    FULL,
    seeds=2,
    norm_scales=(1e-2, 0.1),
    norm_steps=15_000,
    bridge_steps=15_000,
    standard_seeds=40,
    orders=8,
)
