"""Closed forms of what perturbed modes lose, and a map's modulus by brute force."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from remanence.errors import RemanenceError
from remanence.theory._grids import real_array, require_flag, whole_number
from remanence.theory._perturbation_arrays import function_of, radius_of


def stability_radius(rates: Any) -> float:
    """How far every rate can be moved before a mode is unstable: `min(−Re λ)`, 0 if one is.

    Under the direct parametrisation, λ itself being the parameter, the error over [0, ∞) is
    infinite at this radius and beyond. It is the spectral abscissa with the other sign. Of a
    normal matrix it is also the distance, in 2-norm, to the nearest unstable one.

    Args:
        rates: λ, real or complex; the eigenvalues of a matrix, not the matrix itself.
    """
    owner = "stability_radius"
    try:
        values = np.asarray(rates)
    except ValueError:
        raise RemanenceError(f"{owner}: rates are ragged; give a list of numbers") from None
    if values.ndim > 1:
        raise RemanenceError(
            f"{owner}: rates have shape {values.shape}; of a matrix give the eigenvalues, "
            "numpy.linalg.eigvals(A)"
        )
    if values.dtype.kind not in "fiuc" or not values.size or not np.isfinite(values).all():
        raise RemanenceError(
            f"{owner}: rates must be finite numbers, at least one, got {rates!r:.60}"
        )
    return max(0.0, -float(np.max(np.real(values))))


def mode_errors(rates: Any, perturbed: Any, readouts: Any = 1.0) -> Float[np.ndarray, "*modes"]:
    """`∫_0^∞ |c e^{λ̃t} − c e^{λt}| dt = |c| |1/λ̃ − 1/λ|` of each mode, in continuous time.

    Infinite where a λ̃ is not negative. For a sum of modes the sum of these is an upper bound; it
    is the error itself if every `c (λ̃ − λ)` has the same sign, as under a one-sided perturbation
    of modes with readouts of one sign.

    Args:
        rates: λ < 0, real.
        perturbed: λ̃, real.
        readouts: c, real.

    >>> float(mode_errors(-0.5, -0.25))
    2.0
    """
    owner = "mode_errors"
    rates, perturbed, readouts = _broadcast(
        owner, rates=rates, perturbed=perturbed, readouts=readouts
    )
    if (rates >= 0).any():
        raise RemanenceError(f"{owner}: rates must be negative, got {rates.max():g}")
    stable = perturbed < 0
    below = np.where(stable, perturbed, -1.0)
    # As a quotient, because the difference of two large reciprocals has no digits; by the larger
    # rate first, because the product of two small ones is 0.
    larger, smaller = np.maximum(-rates, -below), np.minimum(-rates, -below)
    with np.errstate(over="ignore"):
        change = np.abs(below - rates) / larger * np.abs(readouts) / smaller
    return np.where(stable | (readouts == 0), np.where(stable, change, 0.0), np.inf)


def discrete_mode_errors(
    eigenvalues: Any, perturbed: Any, readouts: Any = 1.0
) -> Float[np.ndarray, "*modes"]:
    """`Σ_k |c λ̃^k − c λ^k| = |c| |1/(1 − λ̃) − 1/(1 − λ)|` for λ, λ̃ in [0, 1), in discrete time.

    Infinite where λ̃ is 1 or more.

    Raises:
        RemanenceError: for λ outside [0, 1) or a negative λ̃, of which this is no closed form.
    """
    owner = "discrete_mode_errors"
    eigenvalues, perturbed, readouts = _broadcast(
        owner, eigenvalues=eigenvalues, perturbed=perturbed, readouts=readouts
    )
    if (eigenvalues < 0).any() or (eigenvalues >= 1).any() or (perturbed < 0).any():
        raise RemanenceError(
            f"{owner}: eigenvalues must be in [0, 1), and perturbed ones not negative"
        )
    return mode_errors(eigenvalues - 1, perturbed - 1, readouts)


def readout_errors(
    rates: Any, radius: float | int, *, normalised: bool = False
) -> Float[np.ndarray, "*modes"]:
    """The error that each mode adds when its readout is perturbed by `radius`.

    `β/|λ|`, which has no bound as memory grows, whatever map λ comes from: the definition of a
    stable reparametrisation perturbs the eigenvalues alone. With normalised modes,
    `c = |λ| ĉ` and ĉ the parameter, it is `β` per mode.

    Args:
        rates: λ < 0, real.
        radius: β.
        normalised: which of the two.

    >>> float(readout_errors(-1e-3, 0.5)), float(readout_errors(-1e-3, 0.5, normalised=True))
    (500.0, 0.5)
    """
    owner = "readout_errors"
    values = real_array(owner, "rates", rates)
    if (values >= 0).any():
        raise RemanenceError(f"{owner}: rates must be negative, got {values.max():g}")
    size = radius_of(owner, radius)
    require_flag(owner, "normalised", normalised)
    with np.errstate(over="ignore"):
        return np.full(values.shape, size) if normalised else np.asarray(size / -values)


def relative_modulus(
    rate: Callable[[np.ndarray], Any],
    radius: float | int,
    parameters: Any,
    *,
    offsets: int = 33,
) -> float:
    """`sup |f(w)/f(w + δ) − 1|` over a grid of `w` and of `|δ| ≤ β`: a map's modulus, by force.

    That is `|f(w)| ∫_0^∞ |e^{f(w+δ)t} − e^{f(w)t}| dt`, the quantity of which the definition of a
    stable reparametrisation asks that `g(β)` bounds it with `g` continuous and `g(0) = 0`. A grid
    cannot exceed the supremum. Infinite where an `f(w + δ)` is not negative.

    Args:
        rate: `f`, from an array of parameters to an array of rates.
        radius: β.
        parameters: the grid of `w`; points where `f(w)` is not negative are left out.
        offsets: how many δ, from −β to β.

    Raises:
        RemanenceError: for bad arguments, and where `f(w)` is NaN or infinite.
    """
    owner = "relative_modulus"
    grid = np.atleast_1d(real_array(owner, "parameters", parameters)).ravel()
    size = radius_of(owner, radius)
    count = whole_number(owner, "offsets", offsets, 2)
    function_of(owner, "rate", rate, "from parameters to rates")
    values = _rates(owner, rate, grid)
    if not np.isfinite(values).all():
        where = grid[~np.isfinite(values)][0]
        raise RemanenceError(
            f"{owner}: rate is NaN or infinite at {where:g}; leave it out of parameters"
        )
    stable = values < 0
    if not stable.any():
        raise RemanenceError(f"{owner}: no parameter of the grid has a negative rate")
    moved = np.concatenate([grid + delta for delta in np.linspace(-size, size, count)])
    around = _rates(owner, rate, moved).reshape(count, -1)[:, stable]
    if not (around < 0).all():
        return math.inf
    with np.errstate(over="ignore", invalid="ignore"):
        change = np.abs((values[stable] - around) / around)
    # At an infinite f(w + δ) nothing is left of the mode: f(w)/f(w + δ) is 0.
    return float(np.max(np.where(np.isinf(around), 1.0, change)))


def _rates(
    owner: str, rate: Callable[[np.ndarray], Any], parameters: Float[np.ndarray, " w"]
) -> Float[np.ndarray, " w"]:
    with np.errstate(all="ignore"):
        values = np.asarray(rate(parameters))
    if values.dtype.kind not in "fiu":
        raise RemanenceError(f"{owner}: rate must give real numbers, got {values.dtype}")
    if values.shape != parameters.shape:
        raise RemanenceError(
            f"{owner}: rate gives shape {values.shape} for parameters of shape {parameters.shape}"
        )
    return values.astype(np.float64)


def _broadcast(owner: str, **values: Any) -> list[np.ndarray]:
    arrays = [real_array(owner, name, value) for name, value in values.items()]
    try:
        return list(np.broadcast_arrays(*arrays))
    except ValueError:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise RemanenceError(
            f"{owner}: {', '.join(values)} do not fit each other: shapes {shapes}"
        ) from None
