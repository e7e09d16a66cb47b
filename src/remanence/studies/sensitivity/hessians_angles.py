"""The Hessian of a complex-diagonal RNN as the range of its phases shrinks."""

import dataclasses

import jax
import numpy as np
from jaxtyping import Array, Complex, Float

from remanence.report import AbstractProgress
from remanence.studies.sensitivity.hessians_settings import HessianSettings
from remanence.theory import ExponentialInput, Modes, diagonal_hessian, parameter_groups

_BATCH = 100


@dataclasses.dataclass(frozen=True)
class AngleRange:
    """The λ-λ block (`2 modes` real coordinates) at one half-width θ₀ of the phases.

    - `largest`: λ_max.
    - `alone`: the largest λ_max of a mode without the others, `½ |c b|² (S(λ, λ̄) + |S(λ, λ)|)`.
    - `share`: `‖H − diag H‖ / ‖H‖`, Frobenius norms; `squared_share` their squares' ratio.
    - `whole_share`: of norms, over all parameters.
    - `picture`: |H| of the first draw, modes in order of phase, (Re, Im) of each together.
    """

    angle: float
    largest: Float[np.ndarray, " draws"]
    alone: Float[np.ndarray, " draws"]
    share: Float[np.ndarray, " draws"]
    squared_share: Float[np.ndarray, " draws"]
    whole_share: Float[np.ndarray, " draws"]
    picture: Float[np.ndarray, "size size"]


def angle_modes(
    settings: HessianSettings, angle: float, draw: int
) -> tuple[
    Complex[np.ndarray, " modes"], Complex[np.ndarray, " modes"], Complex[np.ndarray, " modes"]
]:
    """`(λ, b, c)`: |λ|² uniform over the ring, phases uniform in ±π `angle`, b, c of E|·|² = 1.

    All but the phases' range is the same for every `angle`.
    """
    rng = np.random.default_rng((settings.seed, draw))
    size = settings.modes
    outer = (1 + settings.inner) / 2
    magnitudes = np.sqrt(rng.uniform(settings.inner**2, outer**2, size))
    phases = np.pi * angle * rng.uniform(-1, 1, size)
    b, c = (rng.normal(size=(2, size)) + 1j * rng.normal(size=(2, size))) / np.sqrt(2)
    return magnitudes * np.exp(1j * phases), b, c


@jax.jit
def _hessians(
    eigenvalues: Complex[Array, "draws modes"],
    b: Complex[Array, "draws modes"],
    c: Complex[Array, "draws modes"],
    input: ExponentialInput,
) -> Float[Array, "draws parameters parameters"]:
    def one(a: Array, b: Array, c: Array) -> Array:
        return diagonal_hessian(Modes(a, b[:, None], c[None]), input=input)

    return jax.vmap(one)(eigenvalues, b, c)


def measure_angles(settings: HessianSettings, progress: AbstractProgress) -> list[AngleRange]:
    """`AngleRange` for every angle of the settings."""
    found = []
    for i, angle in enumerate(settings.angles):
        progress.update(i / len(settings.angles), f"phases within ±{angle:g}π")
        found.append(_measure(settings, angle))
    return found


def angle_hessians(
    settings: HessianSettings, angle: float, draws: range
) -> Float[np.ndarray, "draws parameters parameters"]:
    """The whole Hessian of each draw: AR(1) inputs of correlation ρ, infinite horizon."""
    drawn = [angle_modes(settings, angle, draw) for draw in draws]
    eigenvalues, b, c = (np.stack(arrays) for arrays in zip(*drawn, strict=True))
    return np.asarray(_hessians(eigenvalues, b, c, ExponentialInput(settings.correlation)))


def _measure(settings: HessianSettings, angle: float) -> AngleRange:
    size = settings.modes
    first, b, c = angle_modes(settings, angle, 0)
    where = parameter_groups(Modes(first, b[:, None], c[None]))["eigenvalues"]
    batch = min(_BATCH, settings.angle_draws)
    columns: dict[str, list[np.ndarray]] = {}
    picture = np.zeros((2 * size, 2 * size))
    for start in range(0, settings.angle_draws, batch):
        # Every batch is full, for one compilation; surplus draws are dropped below.
        whole = angle_hessians(settings, angle, range(start, start + batch))
        block = whole[:, where[:, None], where[None, :]]
        if start == 0:
            order = np.argsort(np.angle(first))
            place = np.stack([order, order + size], axis=1).ravel()
            picture = np.abs(block[0][np.ix_(place, place)])
        modewise = np.einsum("daiei->diae", block.reshape(-1, 2, size, 2, size))
        for name, values in {
            "largest": np.linalg.eigvalsh(block)[:, -1],
            "alone": np.linalg.eigvalsh(modewise)[..., -1].max(axis=1),
            "share": np.sqrt(_off_diagonal(block)),
            "squared_share": _off_diagonal(block),
            "whole_share": np.sqrt(_off_diagonal(whole)),
        }.items():
            columns.setdefault(name, []).append(values)
    joined = {
        name: np.concatenate(values)[: settings.angle_draws] for name, values in columns.items()
    }
    return AngleRange(angle=angle, picture=picture, **joined)


def _off_diagonal(
    hessians: Float[np.ndarray, "draws size size"],
) -> Float[np.ndarray, " draws"]:
    """`Σ_{i≠j} H_ij² / Σ H_ij²`, without cancellation where little is off the diagonal."""
    squares = hessians**2
    size = squares.shape[-1]
    off = squares * (1 - np.eye(size))
    return off.sum(axis=(1, 2)) / squares.sum(axis=(1, 2))
