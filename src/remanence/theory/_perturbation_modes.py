"""Closed forms of what perturbed modes lose, and a map's modulus by brute force."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from remanence.errors import RemanenceError
from remanence.theory._perturbation_arrays import finite_reals, radius_of


def stability_radius(rates: Any) -> float:
    """How far every rate can be moved before a mode is unstable: `min(−Re λ)`, 0 if one is.

    Under the direct parametrisation, λ itself being the parameter, the error over [0, ∞) is
    infinite at this radius and beyond. It is the spectral abscissa with the other sign. Of a
    normal matrix it is also the distance, in 2-norm, to the nearest unstable one.
    """
    values = np.asarray(rates)
    if not values.size or not np.isfinite(values).all():
        raise RemanenceError("stability_radius: rates must be finite numbers, at least one")
    return max(0.0, float(np.min(-np.real(values))))


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
    # As a quotient, because the difference of two large reciprocals has no digits.
    change = np.abs(readouts * (below - rates)) / (rates * below)
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
    values = finite_reals(owner, "rates", rates)
    if (values >= 0).any():
        raise RemanenceError(f"{owner}: rates must be negative, got {values.max():g}")
    size = radius_of(owner, radius)
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
    """
    owner = "relative_modulus"
    grid = np.atleast_1d(finite_reals(owner, "parameters", parameters)).ravel()
    size = radius_of(owner, radius)
    if offsets < 2:
        raise RemanenceError(f"{owner}: offsets must be at least 2, got {offsets}")
    values = np.asarray(rate(grid), np.float64)
    if values.shape != grid.shape:
        raise RemanenceError(
            f"{owner}: rate gives shape {values.shape} for parameters of shape {grid.shape}"
        )
    stable = values < 0
    if not stable.any():
        raise RemanenceError(f"{owner}: no parameter of the grid has a negative rate")
    moved = np.asarray(
        rate(np.concatenate([grid + delta for delta in np.linspace(-size, size, offsets)]))
    )
    around = np.asarray(moved, np.float64).reshape(offsets, -1)[:, stable]
    if not (around < 0).all():
        return math.inf
    with np.errstate(over="ignore"):
        return float(np.max(np.abs((values[stable] - around) / around)))


def _broadcast(owner: str, **values: Any) -> list[np.ndarray]:
    arrays = [finite_reals(owner, name, value) for name, value in values.items()]
    try:
        return list(np.broadcast_arrays(*arrays))
    except ValueError:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise RemanenceError(
            f"{owner}: {', '.join(values)} do not fit each other: shapes {shapes}"
        ) from None
