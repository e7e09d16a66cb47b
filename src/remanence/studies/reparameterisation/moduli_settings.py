"""Settings and criteria of the part on moduli and gradient scales, fixed before the run."""

import dataclasses

FORCE_TOLERANCE = 1e-4
"""F2a, F2b: relative distance between closed form and brute force on the grid, at most."""

IDENTITY_TOLERANCE = 1e-10
"""F3a to F3c: relative, pre-registered."""

SLOPE_TOLERANCE = 0.01
"""F2c: of the log-log slope of the modulus against b as b → 0, which is −1."""

TABLE_TOLERANCE = 5e-3
"""F3d: relative, the published values having three digits."""

CHECKED_MODULI = (
    (1.0, 0.5, 0.1, 0.15177),
    (1.0, 0.5, 0.5, 1.0),
    (1.0, 0.5, 1.0, 2.73205),
    (1.0, 0.1, 0.1, 0.37016),
)
"""a, b, β and the modulus of the best map, known beforehand to the digits given."""

AT = 1e-3
"""|λ| of the table of gradient scales."""

CHECKED_SCALES = {
    "direct": (1e6, 1e9),
    "exponential": (1e3, 145.0),
    "softplus": (999.5, 145.0),
    "best": (63.2, 2.0),
}
"""|f'|/f² and |f'|/(f²|w|) at |λ| = `AT`, known beforehand."""

EXPONENT = 1.1
"""p of the kernel (1 + t)^(−p) whose fits have their readouts perturbed."""

READOUT_RADIUS = 1e-3
"""β of F2e."""

READOUT_WIDTH = 8
"""F2e: from this width on the raw readouts' error exceeds the kernel's own norm."""


@dataclasses.dataclass(frozen=True)
class ModuliSettings:
    """How finely things are tried.

    - `radii` β; `points` of the grid of w; `offsets` δ in [−β, β].
    - `small_b`: b of the best map on its way to 0.
    - `matrix`: order of the normal matrix whose stability radius is tried in `draws`.
    - `least`, `rates`: the |λ| from `least` to 1 at which gradient scales are compared.
    - `nodes` of the quadrature; `widths` of the fits and their `horizon`.
    """

    radii: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 0.5, 1.0, 2.0)
    points: int = 8001
    offsets: int = 65
    small_b: tuple[float, ...] = (1.0, 0.5, 0.1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
    matrix: int = 24
    draws: int = 2000
    least: float = 1e-4
    rates: int = 41
    nodes: int = 120
    widths: tuple[int, ...] = (4, 8, 16, 32, 64)
    horizon: float = 1e6
    seed: int = 0


FULL = ModuliSettings()
QUICK = dataclasses.replace(FULL, points=2001, offsets=33, draws=200)
