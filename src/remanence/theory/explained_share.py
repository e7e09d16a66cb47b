"""How much of a target modes can explain once their readout is solved for, and why it is easy.

The explained share of a target `g` is `E = ‖P g‖²/‖g‖²`, P the projection on the span of the
student's modes `e_λ(j) = √(1 − |λ|²) λ^j`; the input is white unless it is recorded. Three facts
about one complex mode, with distances in the disc of curvature −1:

- H1: one mode μ explained by one mode λ has `1 − E = 1 − |o|² = ρ² = tanh²(d/2)`, so that
  `−log E = 2 log cosh(d/2)` (`geodesic_loss`), from
  `|1 − λμ̄|² − |λ − μ|² = (1 − |λ|²)(1 − |μ|²)`. Its gradient has the length `tanh(d/2)`, 1 far
  away, and its second derivative along a geodesic is `½ sech²(d/2)`, ½ at the optimum of every
  memory; across, `½` too.
- H2: for any target, `E = (1 − |λ|²) |G(λ̄)|²/‖g‖²` with `G(z) = Σ_j g_j z^j`. The logarithm of
  `|G(λ̄)|` is harmonic away from zeros, and `Δ[−log(1 − |λ|²)] = 4/(1 − |λ|²)²`: hence
  `Δ_hyp(−log E) = 1` wherever `G(λ̄) ≠ 0` (`hyperbolic_laplacian`). No plateau anywhere.
- H3: gradient descent with rate η on `−log E` moves `d ← d − η tanh(d/2)`, `geodesic_steps`:
  `d/η` steps and a logarithm of the tolerance. To a mode of memory 1/ε that is `log(1/ε)/η`.

Source: derived; we know of no earlier use for training recurrent layers. The disc, kernels and
Blaschke products are classical; bases of them: Takenaka (1925), Malmquist (1926).
"""

import math
from collections.abc import Callable
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from remanence.errors import RemanenceError, nearest_name
from remanence.theory._disc_arrays import numbers
from remanence.theory._recorded_share import RecordedTarget
from remanence.theory._share_poles import as_modes
from remanence.theory._share_targets import (
    AbstractShareTarget,
    ImpulseResponseTarget,
    ModalTarget,
    TransferTarget,
)

__all__ = [
    "AbstractShareTarget",
    "ImpulseResponseTarget",
    "ModalTarget",
    "RecordedTarget",
    "TransferTarget",
    "geodesic_loss",
    "geodesic_steps",
    "hyperbolic_laplacian",
    "log_share_loss",
    "share_explained",
    "share_unexplained",
    "solved_readout",
]

Readout = Literal["real", "complex"]


def share_explained(
    points: Any, target: AbstractShareTarget, *, readout: Readout = "real"
) -> Float[Array, ""]:
    """`E`, 0 … 1: the share of the target's energy in the span of the modes.

    Args:
        points: the student's modes, `(2, modes)`; `(1, modes)` for real modes; a tuple for both
            kinds in one student.
        target: a `ModalTarget`, `ImpulseResponseTarget`, `TransferTarget` or `RecordedTarget`.
        readout: "real", the student is `Re Σ c e_λ` with complex `c` (conjugate pairs); or
            "complex", it is `Σ c e_λ`.

    To relative precision, however small. Other inputs than white: as a `RecordedTarget`.

    Raises:
        RemanenceError: if the points are no modes, the target none of these or the readout
            unknown.

        >>> point = jnp.array([[1.0], [0.5]])
        >>> share_explained(point, ModalTarget(point, [2.0])).item()
        1.0
    """
    explained, unexplained = _energies(points, target, readout)
    return explained / (explained + unexplained)


def share_unexplained(
    points: Any, target: AbstractShareTarget, *, readout: Readout = "real"
) -> Float[Array, ""]:
    """`1 − E`, from what is left over and not as a difference; as `share_explained`.

    To relative precision, for a `TransferTarget` to its ridge.
    """
    explained, unexplained = _energies(points, target, readout)
    return unexplained / (explained + unexplained)


def log_share_loss(
    points: Any, target: AbstractShareTarget, *, readout: Readout = "real"
) -> Float[Array, ""]:
    """`−log E`, with its digits near `E = 1` and near `E = 0`; as `share_explained`.

    Infinite where nothing is explained: at the zeros of the target's transfer function.
    """
    explained, unexplained = _energies(points, target, readout)
    whole = explained + unexplained
    good = explained > unexplained
    near = -jnp.log1p(-jnp.where(good, unexplained, 0.0) / whole)
    return jnp.where(good, near, jnp.log(whole / jnp.where(good, whole, explained)))


def solved_readout(
    points: Any, target: AbstractShareTarget, *, readout: Readout = "real"
) -> Array | tuple[Array, ...]:
    """The coefficients `c` of the modes of unit energy that explain most; as `share_explained`.

    `(modes,)`, or `(modes, inputs)` for a `RecordedTarget`; a tuple if the points are one.
    Complex for two coordinates, real for one with readout "real". Where modes nearly coincide
    the coefficients are those of least size that do, by a ridge of 4096 machine epsilons of the
    Gram matrix's trace (or the target's own).
    """
    _check("solved_readout", target, readout)
    found = target.coefficients_of(as_modes(points, "solved_readout"), readout == "real")
    return tuple(found) if isinstance(points, tuple) else found[0]


def geodesic_loss(distance: ArrayLike) -> Float[Array, "..."]:
    """`−log E = 2 log cosh(d/2)` of one mode at the distance `d` from its target (H1).

    `d²/4` near 0, `d − log 4` far away; derivatives `tanh(d/2)` and `½ sech²(d/2)`.
    """
    distance = numbers("geodesic_loss", "distance", distance, real=True)
    size = jnp.abs(distance)
    near = size < 8
    close = jnp.log1p(jnp.sinh(jnp.where(near, distance, 0.0) / 2) ** 2)
    return jnp.where(near, close, size - math.log(4.0) + 2 * jnp.log1p(jnp.exp(-size)))


def geodesic_steps(distance: float | int, rate: float | int, tolerance: float | int) -> int:
    """The number of steps of gradient descent on `−log E` until `1 − E ≤ tolerance` (H3).

    Counted by iterating `d ← d − η tanh(d/2)`. In the limit of small rates
    `(2/η) log(sinh(d₀/2)/sinh(d₁/2))`, which is `d₀/η` and a logarithm of the tolerance.

    Args:
        distance: `d₀`, hyperbolic, from the target.
        rate: `η`, a hyperbolic distance, below 4 (beyond, the optimum repels).
        tolerance: on `1 − E = tanh²(d/2)`, between 0 and 1.

    Raises:
        RemanenceError: if one of them is no number or out of its range.

        >>> geodesic_steps(20.0, 0.5, 1e-6)
        62
    """
    given = f"distance {distance!r}, rate {rate!r} and tolerance {tolerance!r}"
    distance, rate, tolerance = map(_as_float, (distance, rate, tolerance))
    if not (0 <= distance < math.inf and 0 < rate < 4 and 0 < tolerance < 1):
        raise RemanenceError(
            f"geodesic_steps: {given} must be numbers in [0, ∞), (0, 4) and (0, 1)"
        )
    # tanh(d/2) is 1 to rounding out there, and steps are equal.
    flat = 80.0
    excess = max(0.0, distance - flat)
    steps = math.ceil(excess / rate)
    d = min(distance, flat) - min(max(steps * rate - excess, 0.0), rate)
    while math.tanh(d / 2) ** 2 > tolerance:
        d -= rate * math.tanh(d / 2)
        steps += 1
    return steps


def hyperbolic_laplacian(
    function: Callable[[Array], Array], point: Float[Array, "2"]
) -> Float[Array, ""]:
    """`Δ_hyp f = f_RR + coth(R) f_R + f_θθ / sinh²R = ¼ (1 − |λ|²)² Δf`, by autodiff.

    Args:
        function: a real scalar of one point.
        point: `(R, θ)`, R > 0.

    By H2 it is 1 for `−log E` of one complex mode and any target. Derivatives near zeros of the
    target's transfer function grow and cancel.

    Raises:
        RemanenceError: if the function is none, or the point not two numbers.
    """
    point = numbers("hyperbolic_laplacian", "point", point, real=True)
    if not callable(function) or point.shape != (2,):
        raise RemanenceError(
            f"hyperbolic_laplacian: function is of the type {type(function).__name__} and point "
            f"has shape {point.shape}, expected a function of one point, and (2,) for R and θ"
        )
    slope = jax.grad(function)(point)
    curvature = jax.hessian(function)(point)
    radius = point[0]
    around = curvature[1, 1] / jnp.sinh(radius) ** 2
    return curvature[0, 0] + slope[0] / jnp.tanh(radius) + around


def _energies(
    points: Any, target: AbstractShareTarget, readout: str
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    _check("explained share", target, readout)
    return target.energies(as_modes(points, "explained share"), readout == "real")


def _check(owner: str, target: Any, readout: Any) -> None:
    if not isinstance(target, AbstractShareTarget):
        is_class = isinstance(target, type)
        name = (target if is_class else type(target)).__name__
        what = f"the class {name}" if is_class else f"of the type {name}"
        raise RemanenceError(
            f"{owner}: target is {what}; give a ModalTarget, ImpulseResponseTarget, "
            "TransferTarget or RecordedTarget"
        )
    known = get_args(Readout)
    if readout not in known:
        raise RemanenceError(
            f"{owner}: readout {readout!r} is neither 'real' nor 'complex'"
            f"{nearest_name(str(readout), known)}"
        )


def _as_float(value: Any) -> float:
    """NaN for what is no number."""
    try:
        return math.nan if isinstance(value, str) else float(value)
    except (TypeError, ValueError):
        return math.nan
