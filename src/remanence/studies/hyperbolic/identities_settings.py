"""Settings and criteria of the part on the geometry, fixed before the run."""

import dataclasses

EXACT = 1e-10
"""HY1a, HY1b: relative error of identities at any memory."""

PROJECTED = 1e-8
"""HY1c: relative error against projections of sampled responses."""

LAPLACIAN = 1e-6
"""HY2a, HY2c: error of finite differences and of mean slopes."""

TENFOLD = 0.01
"""HY2b: relative error of the climb 2 log 10 of −log E at each tenfold approach to a zero."""

SLOPE = 0.05
"""HY3: relative error of the slope of steps against log 1/ε."""

ARRIVED = 1e-6
"""HY3: the unexplained share to reach."""


@dataclasses.dataclass(frozen=True)
class IdentitySettings:
    """What is drawn at random, and how far.

    - `pairs` of modes with memories 1 to 10^`decades`; some of them close to each other.
    - `teachers` targets of each of `orders` modes, with memories log-uniform in `memories`, and
      `places` for a student in each.
    - `circles`: hyperbolic radii on whose boundary the mean slope is taken.
    - `rates`, `step_memories`, `angles`: of descent on −log E from .99 e^{iπ/4} to a target of
      memory 1/ε at each of so many random angles.
    - `path_steps`, `path_memories`: of the drawn paths.
    - `grid`: points in R and θ of the drawn landscapes.
    """

    pairs: int = 60
    decades: int = 12
    orders: tuple[int, ...] = (1, 2, 5, 10)
    teachers: int = 8
    memories: tuple[float, float] = (3.0, 100.0)
    places: int = 8
    circles: tuple[float, ...] = (0.5, 1.0, 2.0, 3.0)
    rates: tuple[float, ...] = (0.1, 0.3, 1.0)
    step_memories: tuple[float, ...] = tuple(10.0**k for k in range(2, 13))
    angles: int = 8
    path_steps: int = 3_000
    path_memories: tuple[float, float] = (30.0, 1e4)
    grid: tuple[int, int] = (120, 360)
    seed: int = 0


FULL = IdentitySettings()
QUICK = dataclasses.replace(FULL, pairs=24, teachers=3, places=4, angles=4, path_steps=1_500)
