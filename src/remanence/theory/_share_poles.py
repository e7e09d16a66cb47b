"""Poles of a student, energies and ridge solutions: what every target of a share needs.

Everywhere `⟨x, y⟩ = Σ_j conj(x_j) y_j`, `e_λ(j) = √(1 − |λ|²) λ^j`, and `poles` are `(2, n)`
points of the disc, with the conjugate of each pair after it when real parts are read out: the
complex span of `e_λ` and `e_λ̄` holds, among real sequences, just those of the form `Re(c e_λ)`.
"""

import math
from numbers import Real
from typing import Any

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from remanence.errors import RemanenceError
from remanence.theory._arrays import promote
from remanence.theory._disc_arrays import checked, require_finite
from remanence.theory.disc import overlap_matrix

Energies = tuple[Float[Array, ""], Float[Array, ""]]
"""Explained and unexplained, each without a difference of the other from the whole."""


def complex_type(dtype: Any) -> Any:
    """The complex type of that precision."""
    return np.result_type(dtype, np.complex64)


def as_modes(points: Any, owner: str) -> tuple[Array, ...]:
    """One array of points, or a tuple of them, as a tuple; every one `(coordinates, modes)`."""
    parts = points if isinstance(points, tuple) else (points,)
    modes = promote(*(checked(part) for part in parts)) if parts else ()
    if not modes or any(part.ndim != 2 or not part.shape[1] for part in modes):
        raise RemanenceError(
            f"{owner}: points have shapes {[part.shape for part in modes]}, expected "
            "(2, modes), (1, modes) for real modes, or a tuple of both"
        )
    for part in modes:
        require_finite(owner, "points", part)
    return modes


def closed_poles(modes: tuple[Array, ...], paired: bool) -> Float[Array, "2 poles"]:
    """All poles with two coordinates; the conjugates of pairs after them."""
    poles = []
    for part in modes:
        if part.shape[0] == 1:
            poles.append(jnp.concatenate([part, jnp.zeros_like(part)]))
        else:
            poles.append(part)
            if paired:
                poles.append(jnp.stack([part[0], -part[1]]))
    return jnp.concatenate(poles, axis=1)


def solved(
    modes: tuple[Array, ...], paired: bool, poles: Array, seen: Array, ridge: float | None = None
) -> list[Array]:
    solution, found, start = ridge_solve(poles, seen, ridge), [], 0
    for part in modes:
        count = part.shape[1]
        value = solution[start : start + count]
        if paired:
            value = 2 * value if part.shape[0] == 2 else jnp.real(value)
        found.append(value)
        start += count * (2 if paired and part.shape[0] == 2 else 1)
    return found


def ridge_solve(poles: Array, seen: Array, ridge: float | None) -> Array:
    """`(H + δ tr(H) I)⁻¹ b` with `H_ik = ⟨e_i, e_k⟩`, whose trace is its size."""
    count = poles.shape[1]
    if count == 1:
        return seen
    delta = 4096 * float(jnp.finfo(poles.dtype).eps) if ridge is None else ridge
    gram = overlap_matrix(poles).T + count * delta * jnp.eye(count, dtype=seen.dtype)
    return jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(gram), seen)


def energy(values: Array) -> Array:
    return jnp.sum(jnp.real(values) ** 2 + jnp.imag(values) ** 2)


def require_energy(owner: str, name: str, *parts: Array) -> None:
    """Raises unless all parts are finite and one is not zero; traced ones are not looked at."""
    for part in parts:
        require_finite(owner, name, part)
    traced = any(isinstance(part, jax.core.Tracer) for part in parts)
    if not traced and not any(bool(jnp.any(part != 0)) for part in parts):
        raise RemanenceError(f"{owner}: only zeros in {name}: there is nothing to explain")


def require_ridge(owner: str, ridge: Any) -> float | None:
    """`ridge`; raises unless it is None or a finite number from 0."""
    if ridge is None:
        return None
    if isinstance(ridge, Real) and not isinstance(ridge, bool) and 0 <= float(ridge) < math.inf:
        return float(ridge)
    raise RemanenceError(
        f"{owner}: ridge must be a finite number of at least 0, got {ridge!r}; None for "
        "that of rounding"
    )
