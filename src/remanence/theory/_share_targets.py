"""Targets of modes: their energy inside and outside the span of a student's modes.

The notation is that of `_share_poles`.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Complex, Float, Inexact

from remanence.errors import RemanenceError
from remanence.recurrence import linear_recurrence
from remanence.theory._arrays import real_scalar, refuse_outside
from remanence.theory._disc_arrays import numbers
from remanence.theory._share_poles import (
    Energies,
    as_modes,
    closed_poles,
    complex_type,
    energy,
    require_energy,
    require_ridge,
    ridge_solve,
    solved,
)
from remanence.theory.disc import (
    blaschke_factor,
    disc_eigenvalues,
    of_every_pair,
    overlap_matrix,
    squared_gap,
)


class AbstractShareTarget(eqx.Module):
    """A target whose explained share has a closed form."""

    @abstractmethod
    def energies(self, modes: tuple[Array, ...], paired: bool) -> Energies:
        """The energies inside and outside the span of `modes`, points one array per kind.

        `paired`: modes of two coordinates are read out by real parts.
        """

    @abstractmethod
    def coefficients_of(self, modes: tuple[Array, ...], paired: bool) -> list[Array]:
        """The coefficients `c` of the projection `Σ c e_λ` (its real part if `paired`)."""


class ModalTarget(AbstractShareTarget):
    """`g_j = Re Σ_p c_p e_p(j)`: modes of unit energy, at any memory; no real part if complex.

    The projection is taken in the basis of Takenaka and Malmquist: with `b_k(μ) =
    (μ − λ_k)/(1 − λ̄_k μ)`, of modulus `tanh(d/2)`,

        explained    Σ_i |Σ_p c_p o(μ_p, λ_i) Π_{k<i} b_k(μ_p)|²
        unexplained  xᴴ K x,   x_p = c_p Π_k b_k(μ_p),   K_pq = o(μ_q, μ_p)

    with no Gram matrix of the student: nothing is lost, and nothing is singular, where modes of
    the student meet each other or the real axis. Memories to 1e12 and beyond.

    Args:
        points: `(2, modes)`, or `(1, modes)` for real modes, or both in a tuple.
        coefficients: `c`, `(modes,)`, or a tuple likewise. For `g_j = Σ r_p λ_p^j` they are
            `r_p / √squared_gap`, and twice that for a pair that stands for its conjugate too.

    Raises:
        RemanenceError: if the shapes do not fit, a number is not finite, all coefficients are
            zero, or real modes have complex ones.

    Source: derived: what is orthogonal to the span is `B H²`, `B = Π b̄_k` a Blaschke product,
    with the reproducing kernel `B(z) conj(B(w))/(1 − z w̄)`. The basis is Takenaka's (1925).
    """

    points: tuple[Array, ...]
    coefficients: tuple[Array, ...]

    def __init__(self, points: Any, coefficients: Any):
        self.points = as_modes(points, "ModalTarget")
        given = coefficients if isinstance(points, tuple) else (coefficients,)
        self.coefficients = tuple(numbers("ModalTarget", "coefficients", value) for value in given)
        if len(self.coefficients) != len(self.points):
            raise RemanenceError(
                f"ModalTarget: {len(self.points)} arrays of points but "
                f"{len(self.coefficients)} of coefficients; give one for each"
            )
        for where, value in zip(self.points, self.coefficients, strict=True):
            if value.shape != where.shape[1:]:
                raise RemanenceError(
                    f"ModalTarget: coefficients have shape {value.shape}, expected "
                    f"{where.shape[1:]}, one per mode"
                )
            if where.shape[0] == 1 and jnp.issubdtype(value.dtype, jnp.complexfloating):
                raise RemanenceError("ModalTarget: a real mode has a complex coefficient")
        require_energy("ModalTarget", "coefficients", *self.coefficients)

    def energies(self, modes: tuple[Array, ...], paired: bool) -> Energies:
        student = closed_poles(modes, paired)
        poles, c = self._expanded(paired, student.dtype)
        passed = of_every_pair(blaschke_factor, poles, student).T
        ones = jnp.ones_like(passed[:1])
        left = jnp.cumprod(jnp.concatenate([ones, passed]), axis=0) * c[None, :]
        seen = jnp.sum(jnp.conj(overlap_matrix(student, poles)) * left[:-1], axis=1)
        rest = left[-1]
        unexplained = jnp.real(jnp.conj(rest) @ overlap_matrix(poles).T @ rest)
        return energy(seen), unexplained

    def coefficients_of(self, modes: tuple[Array, ...], paired: bool) -> list[Array]:
        student = closed_poles(modes, paired)
        poles, c = self._expanded(paired, student.dtype)
        return solved(modes, paired, student, overlap_matrix(student, poles).conj() @ c)

    def _expanded(self, paired: bool, dtype: Any) -> tuple[Array, Array]:
        """Poles and coefficients of `Σ c e`, without real parts."""
        poles = closed_poles(tuple(part.astype(dtype) for part in self.points), paired)
        parts = []
        for where, value in zip(self.points, self.coefficients, strict=True):
            value = value.astype(complex_type(dtype))
            pair = paired and where.shape[0] == 2
            parts.extend([value / 2, jnp.conj(value) / 2] if pair else [value])
        return poles, jnp.concatenate(parts)


class ImpulseResponseTarget(AbstractShareTarget):
    """A sequence `g_0 … g_{T−1}`, zero afterwards; the student is counted to infinity.

    The sequence passes backwards in time through one all-pass section per pole,

        s_j = g_j + λ̄ s_{j+1},    u = √(1 − |λ|²) s_0,    g'_j = (1 − |λ|²) s_{j+1} − λ g_j,

    which splits its energy into `|u|²`, explained, and that of `g'`, handed on. O(T) per pole.
    For a horizon of T steps, `RecordedTarget` of a unit impulse.

    Args:
        response: `(time,)`, real or complex.

    Raises:
        RemanenceError: if it is no such array, is not finite or is zero throughout.

    Source: derived: `z^j` coefficients of what is left of `G` after its projection on `e_λ`, over
    the Blaschke factor of `λ̄`.
    """

    response: Inexact[Array, " time"]

    def __init__(self, response: ArrayLike):
        owner = "ImpulseResponseTarget"
        self.response = numbers(owner, "response", response)
        if self.response.ndim != 1 or not self.response.shape[0]:
            raise RemanenceError(
                f"{owner}: response has shape {self.response.shape}, expected (time,)"
            )
        require_energy(owner, "response", self.response)

    def energies(self, modes: tuple[Array, ...], paired: bool) -> Energies:
        poles = closed_poles(modes, paired)
        response = self.response.astype(complex_type(poles.dtype))

        def section(signal: Array, pole: Array) -> tuple[Array, Array]:
            eigenvalue, gap = disc_eigenvalues(pole), squared_gap(pole)
            states = linear_recurrence(jnp.conj(eigenvalue), signal, reverse=True)
            after = jnp.append(states[1:], jnp.zeros_like(states[:1]))
            handed = gap.astype(signal.dtype) * after - eigenvalue * signal
            return handed, jnp.sqrt(gap).astype(signal.dtype) * states[0]

        rest, seen = jax.lax.scan(section, response, poles.T)
        return energy(seen), energy(rest)

    def coefficients_of(self, modes: tuple[Array, ...], paired: bool) -> list[Array]:
        poles = closed_poles(modes, paired)
        response = self.response.astype(complex_type(poles.dtype))
        driven = jnp.broadcast_to(response[:, None], (response.shape[0], poles.shape[1]))
        factors = jnp.conj(disc_eigenvalues(poles))
        seen = linear_recurrence(factors, driven, reverse=True)[0]
        scale = jnp.sqrt(squared_gap(poles)).astype(seen.dtype)
        return solved(modes, paired, poles, scale * seen)


class TransferTarget(AbstractShareTarget):
    """A transfer function `G(z) = Σ_j g_j z^j`, asked at `λ̄` only; one mode: theorem H2.

    One complex mode has `E = (1 − |λ|²)|G(λ̄)|²/‖g‖²`. More are solved for through their Gram
    matrix with a relative ridge, and the unexplained energy is a difference: good to about
    `ridge` of the whole. Modes that meet, and pairs on the real axis, lose what only derivatives
    of `G` would tell: the share falls there within a distance of about `√ridge`, and gradients
    are finite but steep. The other targets have no such edge.

    Args:
        function: `G`, of a complex array of any shape in the open disc; differentiable by JAX.
            With real parts read out, `G(z̄) = conj G(z)`.
        energy: `‖g‖² = Σ_j |g_j|²`.
        ridge: relative to the trace of the Gram matrix; 4096 machine epsilons if not given.

    Raises:
        RemanenceError: if the function is none or (when asked) gives no array of the shape of
            its argument, the energy is not positive and finite, or the ridge below 0.
    """

    function: Callable[[Array], Array]
    energy: Float[Array, ""]
    ridge: float | None = eqx.field(static=True)

    def __init__(
        self,
        function: Callable[[Array], Array],
        energy: ArrayLike,
        *,
        ridge: float | None = None,
    ):
        owner = "TransferTarget"
        if not callable(function):
            raise RemanenceError(
                f"{owner}: function is {function!r}; give G as a function of a complex array"
            )
        self.function, self.ridge = function, require_ridge(owner, ridge)
        self.energy = real_scalar(numbers(owner, "energy", energy, real=True), owner, "energy")
        kind = jnp.finfo(self.energy.dtype)
        wrong = f"{owner}: energy must be positive and finite"
        refuse_outside(self.energy, float(kind.tiny), float(kind.max), wrong)

    def energies(self, modes: tuple[Array, ...], paired: bool) -> Energies:
        poles = closed_poles(modes, paired)
        seen = self._seen(poles)
        explained = jnp.real(jnp.vdot(seen, ridge_solve(poles, seen, self.ridge)))
        return explained, self.energy.astype(explained.dtype) - explained

    def coefficients_of(self, modes: tuple[Array, ...], paired: bool) -> list[Array]:
        poles = closed_poles(modes, paired)
        return solved(modes, paired, poles, self._seen(poles), self.ridge)

    def _seen(self, poles: Array) -> Complex[Array, " poles"]:
        asked = jnp.conj(disc_eigenvalues(poles))
        values = numbers("TransferTarget", "what function gives", self.function(asked))
        if values.shape != asked.shape:
            raise RemanenceError(
                f"TransferTarget: function gives shape {values.shape} for an argument of shape "
                f"{asked.shape}; it must give one value for each"
            )
        dtype = complex_type(poles.dtype)
        return jnp.sqrt(squared_gap(poles)).astype(dtype) * values.astype(dtype)
