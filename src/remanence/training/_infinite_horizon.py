"""The exact loss of endless sequences between diagonal systems, at a cost without memory in it."""

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Complex, Float

from remanence.errors import RemanenceError
from remanence.layers.bank import AbstractModalBank
from remanence.layers.contract import AbstractLinearLayer
from remanence.layers.discretisations import angle, half_log
from remanence.layers.modal import AbstractModalLayer
from remanence.systems import DiagonalStateSpace
from remanence.theory.modes import Modes, modes_of


class PolarModes(NamedTuple):
    """`g_n = 2 Re Σ_i c_i b_i exp(n (ℓ_i + i θ_i))`, `D` added to `g_0`; `ℓ = log|λ|`.

    `C` is half of what `Modes` reads with.
    """

    log_magnitude: Float[Array, "*members modes"]
    phase: Float[Array, "*members modes"]
    B: Complex[Array, "*members modes inputs"]
    C: Complex[Array, "*members outputs modes"]
    D: Float[Array, "*members outputs inputs"]


def polar_modes(model: Any) -> PolarModes:
    """Those of a diagonal system or layer; of a layer the eigenvalues' own digits.

    Raises:
        RemanenceError: for what is not diagonal.
    """
    if isinstance(model, AbstractModalLayer | AbstractModalBank):
        own, system = model.eigenvalues, modes_of(model.system())
        log_magnitude, phase = own.log_magnitude().reshape(-1), own.phase().reshape(-1)
    elif isinstance(model, Modes | DiagonalStateSpace):
        system = modes_of(model)
        re, im = jnp.real(system.eigenvalues), jnp.imag(system.eigenvalues)
        larger, smaller = (
            jnp.maximum(jnp.abs(re), jnp.abs(im)),
            jnp.minimum(jnp.abs(re), jnp.abs(im)),
        )
        log_magnitude = half_log(re**2 + im**2, (larger - 1) * (larger + 1) + smaller**2)
        phase = angle(re, im)
    else:
        raise RemanenceError(
            f"train_exact: {type(model).__name__} is no diagonal system; give an impulse response "
            "as the targets"
        )
    return PolarModes(log_magnitude, phase, system.B, system.weighted_output() / 2, system.D)


def endless_loss(
    student: PolarModes, teacher: PolarModes, *, factor: float | int
) -> Float[Array, ""]:
    """`factor · E‖y − y*‖²` for white input of variance 1: `theory.mode_sum_loss` in polar form.

    Its kernels `1/(1 − λμ) = −1/expm1(ℓ_λ + ℓ_μ + i(θ_λ + θ_μ))` are accurate to rounding as far
    as `ℓ` and `θ` are, and so are their gradients; what cancels near a perfect fit is 1e-16 (in
    float32 1e-7) of the energies of the modes themselves.
    """
    logs, phase = (
        jnp.concatenate([one, other]) for one, other in zip(student[:2], teacher[:2], strict=True)
    )
    B = jnp.concatenate([student.B, teacher.B])
    C = jnp.concatenate([student.C, -teacher.C], axis=1)
    D = student.D - teacher.D
    decay = logs[:, None] + logs[None, :]
    plain = (C.T @ C) * (B @ B.T) * _kernel(decay, phase[:, None] + phase[None, :])
    mixed = (C.T @ C.conj()) * (B @ B.conj().T) * _kernel(decay, phase[:, None] - phase[None, :])
    energy = 2 * jnp.real(jnp.sum(plain + mixed))
    return factor * (energy + jnp.sum(D * (D + 4 * jnp.real(C @ B))))


def stacked_targets(
    owner: str, models: AbstractLinearLayer, targets: Any, members: int
) -> PolarModes:
    """The targets of every member, with a leading axis of members.

    Raises:
        RemanenceError: for students or targets that are not diagonal or do not fit each other.
    """
    stacked = _is_stacked(targets)
    modes = eqx.filter_vmap(polar_modes)(targets) if stacked else polar_modes(targets)
    if not stacked:
        modes = PolarModes(*(jnp.broadcast_to(leaf, (members, *leaf.shape)) for leaf in modes))
    own = eqx.filter_eval_shape(eqx.filter_vmap(polar_modes), models)
    if modes.D.shape[0] != members:
        raise RemanenceError(
            f"{owner}: there are targets for {modes.D.shape[0]} members, and {members} models"
        )
    if modes.D.shape != own.D.shape:
        raise RemanenceError(
            f"{owner}: the target systems have (outputs, inputs) {modes.D.shape[1:]} where "
            f"{type(models).__name__} has {own.D.shape[1:]}"
        )
    if not (np.asarray(modes.log_magnitude) < 0).all():
        raise RemanenceError(
            f"{owner}: a target system has an eigenvalue on or outside the unit circle, and "
            "endless sequences no finite loss; give its impulse response up to a horizon"
        )
    return modes


def _is_stacked(targets: Any) -> bool:
    if isinstance(targets, Modes | DiagonalStateSpace):
        return targets.D.ndim == 3
    return jnp.ndim(targets.C.real) == 3


def _kernel(decay: Array, turn: Array) -> Array:
    """`1/(1 − e^{x + iy})`, its real part a sum of terms of one sign near 0."""
    size = jnp.exp(decay)
    real = -jnp.expm1(decay) + 2 * size * jnp.sin(turn / 2) ** 2
    return 1 / lax.complex(real, -size * jnp.sin(turn))
