"""The exact loss of endless sequences between diagonal systems, at a cost without memory in it."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
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
    _require_diagonal(model)
    if isinstance(model, AbstractModalLayer | AbstractModalBank):
        own, system = model.eigenvalues, modes_of(model.system())
        log_magnitude, phase = own.log_magnitude().reshape(-1), own.phase().reshape(-1)
    else:
        system = modes_of(model)
        re, im = jnp.real(system.eigenvalues), jnp.imag(system.eigenvalues)
        larger, smaller = (
            jnp.maximum(jnp.abs(re), jnp.abs(im)),
            jnp.minimum(jnp.abs(re), jnp.abs(im)),
        )
        log_magnitude = half_log(re**2 + im**2, (larger - 1) * (larger + 1) + smaller**2)
        phase = angle(re, im)
    return PolarModes(log_magnitude, phase, system.B, system.weighted_output() / 2, system.D)


def endless_loss(
    student: PolarModes, teacher: PolarModes, *, factor: float | int
) -> Float[Array, ""]:
    """`factor · E‖y − y*‖²` for white input of variance 1: `theory.mode_sum_loss` in polar form.

    Its kernels `1/(1 − λμ)` are accurate to rounding as far as `ℓ` and `θ` are, and so are their
    gradients; what cancels near a perfect fit is 1e-16 (in float32 1e-7) of the energies of the
    modes themselves. Infinite, with no gradient, for a student on or outside the unit circle.

    Nothing transcendental is computed for a pair of modes and the derivative is written out: 4
    times as fast as autodiff through `expm1` and `sin` of every pair.
    """
    logs, phase = (
        jnp.concatenate([one, other]) for one, other in zip(student[:2], teacher[:2], strict=True)
    )
    B = jnp.concatenate([student.B, teacher.B])
    C = jnp.concatenate([student.C, -teacher.C], axis=1)
    D = student.D - teacher.D
    direct = jnp.sum(D * (D + 4 * jnp.real(C @ B)))
    loss = factor * (_energy(logs, phase, B, C) + direct)
    return jnp.where(jnp.all(student.log_magnitude < 0), loss, jnp.inf)


def stacked_targets(
    owner: str, models: AbstractLinearLayer, targets: Any, members: int
) -> PolarModes:
    """The targets of every member, with a leading axis of members.

    Raises:
        RemanenceError: for students or targets that are not diagonal or do not fit each other.
    """
    _require_diagonal(targets)
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


_DIAGONAL = Modes | DiagonalStateSpace | AbstractModalLayer | AbstractModalBank


def _require_diagonal(model: Any) -> None:
    if not isinstance(model, _DIAGONAL):
        raise RemanenceError(
            f"train_exact: {type(model).__name__} is no diagonal system; give an impulse response "
            "as the targets"
        )


def _is_stacked(targets: Any) -> bool:
    if isinstance(targets, Modes | DiagonalStateSpace):
        return targets.D.ndim == 3
    return jnp.ndim(targets.C.real) == 3


@jax.custom_vjp
def _energy(
    logs: Float[Array, " modes"],
    phase: Float[Array, " modes"],
    B: Complex[Array, "modes inputs"],
    C: Complex[Array, "outputs modes"],
) -> Float[Array, ""]:
    """`2 Re Σ_pq [(C_p·C_q)(B_p·B_q) / (1 − λ_p λ_q) + (C_p·C̄_q)(B_p·B̄_q) / (1 − λ_p λ̄_q)]`."""
    return _energy_and_slopes(logs, phase, B, C)[0]


def _energy_and_slopes(
    logs: Array, phase: Array, B: Array, C: Array
) -> tuple[Array, tuple[Array, Array, Array, Array]]:
    plain, mixed = _kernels(logs, phase)
    size = jnp.exp(logs)
    poles = lax.complex(size * jnp.cos(phase), size * jnp.sin(phase))
    BB, BBc = B @ B.T, B @ B.conj().T
    weights, weights_c = plain * (C.T @ C), mixed * (C.T @ C.conj())
    seen = weights @ B + weights_c @ B.conj()
    read = (plain * BB) @ C.T + (mixed * BBc) @ C.conj().T
    # ∂/∂λ_p of 1/(1 − λ_p λ_q) is λ_q/(1 − λ_p λ_q)², and every mode meets every mode twice.
    turn = (weights * plain * BB) @ poles + (weights_c * mixed * BBc) @ poles.conj()
    by_log = poles * turn
    slopes = (4 * jnp.real(by_log), -4 * jnp.imag(by_log), 4 * seen, 4 * read.T)
    return 2 * jnp.real(jnp.sum(B * seen)), slopes


def _pulled(
    slopes: tuple[Array, Array, Array, Array], weight: Array
) -> tuple[Array, Array, Array, Array]:
    by_log, by_phase, by_B, by_C = slopes
    wide = weight.astype(by_B.dtype)
    return by_log * weight, by_phase * weight, by_B * wide, by_C * wide


_energy.defvjp(_energy_and_slopes, _pulled)


def _kernels(logs: Array, phase: Array) -> tuple[Array, Array]:
    """`1/(1 − λ_p λ_q)` and `1/(1 − λ_p λ̄_q)`, real parts as sums of terms of one sign near 0."""
    size, gap = jnp.exp(logs), -jnp.expm1(logs)
    sine, cosine = jnp.sin(phase / 2), jnp.cos(phase / 2)
    sizes = size[:, None] * size[None, :]
    # 1 − ab = (1 − a) + a(1 − b).
    gaps = gap[:, None] + size[:, None] * gap[None, :]
    sc, cs = sine[:, None] * cosine[None, :], cosine[:, None] * sine[None, :]
    cc, ss = cosine[:, None] * cosine[None, :], sine[:, None] * sine[None, :]

    def kernel(sine: Array, cosine: Array) -> Array:
        """Of the sine and the cosine of half the angle between two modes."""
        re, im = gaps + 2 * sizes * sine**2, -2 * sizes * sine * cosine
        scale = 1 / (re**2 + im**2)
        return lax.complex(re * scale, -im * scale)

    return kernel(sc + cs, cc - ss), kernel(sc - cs, cc + ss)
