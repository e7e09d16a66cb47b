"""The landscape of −log E: its Laplacian, its zeros, and its mean slopes."""

import dataclasses
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from remanence.studies.hyperbolic.identities_settings import IdentitySettings
from remanence.studies.hyperbolic.identities_teachers import (
    Points,
    Teacher,
    circles,
    distances_from,
    losses_at,
    plain_losses,
    random_places,
    random_teachers,
    winding,
)


def laplacian_errors(s: IdentitySettings) -> np.ndarray:
    """HY2a: `|Δ_hyp(−log E) − 1|` by finite differences at places off the zeros.

    `4 (mean over a geodesic circle − value at its centre)/h²` at three radii, extrapolated.
    """
    rng = np.random.default_rng(s.seed + 3)
    largest = max(s.orders)
    return np.concatenate(
        [
            np.abs(
                laplacians(random_places(s, teacher, rng, apart=0.5), *teacher.padded(largest)) - 1
            )
            for teacher in random_teachers(s)
        ]
    )


def laplacians(
    places: Float[np.ndarray, "2 places"], points: Points, coefficients: np.ndarray
) -> np.ndarray:
    """The Laplacian at every place, by Richardson's extrapolation in the radius squared."""
    radii = np.array([0.0, 0.1, 0.05, 0.025])
    around = circles(places, radii, np.linspace(0, 2 * np.pi, 24, endpoint=False))
    values = np.asarray(losses_at(around.reshape(2, -1), points, coefficients))
    mean = values.reshape(around.shape[1:]).mean(axis=2)
    rough = 4 * (mean[:, 1:] - mean[:, :1]) / radii[1:] ** 2
    better = (4 * rough[:, 1:] - rough[:, :-1]) / 3
    return (16 * better[:, 1] - better[:, 0]) / 15


@dataclasses.dataclass(frozen=True)
class Zeros:
    """HY2b: of all teachers together.

    - `located`, `wound`: numbers of zeros in `R < 4` by roots and by winding, for each teacher.
    - `climbs`: rise of −log E at each tenfold approach to a zero, over 2 log 10.
    - `maxima`: distance of every local maximum on a grid to the nearest zero, over the grid's
      spacing there; `missed`: zeros without one.
    """

    located: np.ndarray
    wound: np.ndarray
    climbs: np.ndarray
    maxima: np.ndarray
    missed: int


_WITHIN = 4.0


def measure_zeros(s: IdentitySettings) -> Zeros:
    """HY2b."""
    located, wound, climbs, maxima, missed = [], [], [], [], 0
    for teacher in random_teachers(s):
        zeros = teacher.zeros[:, teacher.zeros[0] < _WITHIN]
        located.append(zeros.shape[1])
        wound.append(winding(teacher, _WITHIN))
        if zeros.shape[1]:
            near = circles(zeros, 10.0 ** -np.arange(3, 6), np.array([0.7]))
            values = plain_losses(teacher, near)[:, :, 0]
            climbs.append(np.diff(values, axis=1) / (2 * np.log(10)))
        found = list(_grid_maxima(s, teacher))
        off = [distances_from(place, teacher.zeros) / spacing for place, spacing in found]
        maxima.extend(float(one.min(initial=np.inf)) for one in off)
        seen = {int(one.argmin()) for one in off if one.size}
        # Zeros at the rim of the grid have their maximum outside.
        inner = np.flatnonzero(teacher.zeros[0] < _WITHIN - 0.2)
        missed += len(set(inner.tolist()) - seen)
    every = np.concatenate([np.ravel(one) for one in climbs]) if climbs else np.zeros(0)
    return Zeros(np.array(located), np.array(wound), every, np.array(maxima), missed)


def _grid_maxima(s: IdentitySettings, teacher: Teacher) -> Iterator[tuple[np.ndarray, float]]:
    """Local maxima of −log E over `R < 4`, with the diagonal of the grid's cell there."""
    radius = np.linspace(0.05, _WITHIN, 2 * s.grid[0])
    angle = np.linspace(-np.pi, np.pi, 4 * s.grid[1], endpoint=False)
    R, theta = np.meshgrid(radius, angle, indexing="ij")
    values = plain_losses(teacher, np.stack([R, theta]))
    inner = values[1:-1]
    above = np.ones_like(inner, bool)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            if down or right:
                rows = values[1 + down : values.shape[0] - 1 + down]
                above &= inner > np.roll(rows, right, axis=1)
    for i, k in zip(*np.nonzero(above), strict=True):
        cell = np.hypot(radius[1] - radius[0], (angle[1] - angle[0]) * np.sinh(radius[i + 1]))
        yield np.array([radius[i + 1], angle[k]]), float(cell)


def slope_errors(s: IdentitySettings) -> tuple[np.ndarray, np.ndarray]:
    """HY2c: mean outward slope of −log E on geodesic circles less `tanh(r/2) − 2N/sinh r`.

    And `N`, the number of zeros inside. Circles within .2 of a zero are left out.
    """
    rng = np.random.default_rng(s.seed + 4)
    radii, angles = np.array(s.circles), np.linspace(0, 2 * np.pi, 4096, endpoint=False)
    step = 1e-3
    errors, inside = [], []
    for teacher in random_teachers(s):
        places = random_places(s, teacher, rng, apart=0.5)[:, :2]
        shifted = np.concatenate([radii + k * step for k in (-2, -1, 1, 2)])
        means = plain_losses(teacher, circles(places, shifted, angles)).mean(axis=2)
        far_in, near_in, near_out, far_out = np.split(means, 4, axis=1)
        slopes = (8 * (near_out - near_in) - (far_out - far_in)) / (12 * step)
        for k in range(places.shape[1]):
            away = distances_from(places[:, k], teacher.zeros)
            count = (away[:, None] < radii).sum(axis=0)
            clear = np.all(np.abs(away[:, None] - radii) > 0.2, axis=0)
            law = np.tanh(radii / 2) - 2 * count / np.sinh(radii)
            errors.append((slopes[k] - law)[clear])
            inside.append(count[clear])
    return np.abs(np.concatenate(errors)), np.concatenate(inside)
