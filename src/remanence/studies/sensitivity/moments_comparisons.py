"""Measurements of the moments part beside the closed forms of `remanence.theory`."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Complex, Float

from remanence.studies.sensitivity.moments_measures import (
    Simulated,
    double_sum,
    energies,
    printed_sensitivity,
    slope,
)
from remanence.studies.sensitivity.moments_settings import CORRELATIONS, MomentSettings
from remanence.theory import (
    ExponentialInput,
    asymptotic_sensitivity,
    asymptotic_state,
    magnitude_sensitivity,
    mean_square_sensitivity,
    mean_square_state,
    normalised_power,
    sensitivity_moment,
)


@dataclasses.dataclass(frozen=True)
class Slopes:
    """Log-log slopes of E|h|² and E|∂h/∂λ|² against ε."""

    white: tuple[float, float]
    constant: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Spectrum:
    """Finite sums over P(θ)/(2ε) and P(θ)/(4ε³), by angle and correlation."""

    state: Float[np.ndarray, "angles correlations"]
    sensitivity: Float[np.ndarray, "angles correlations"]


@dataclasses.dataclass(frozen=True)
class Plateaus:
    """Finite sums at one |λ| for several ρ, the formulas there, and the limits |λ| → 1.

    The limit at ρ = 1, which grows as 2/ε, is that leading term.
    """

    correlations: tuple[float, ...]
    measured: Float[np.ndarray, " correlations"]
    formulas: Float[np.ndarray, " correlations"]
    limits: Float[np.ndarray, " correlations"]


@dataclasses.dataclass(frozen=True)
class Printed:
    """E1: relative errors of both forms of S against double sums, and ratios to simulation.

    - `derived_sums`, `typed_sums`: |form − sum| / |sum|.
    - `derived_off`: largest |derived / Monte Carlo − 1|; `typed_simulated`: typed over Monte
      Carlo, at λ₀ = conj λ and 0 < ρ < 1.
    - `at_anchor`: typed over derived at λ = conj λ₀.
    """

    correlations: Float[np.ndarray, " correlations"]
    derived_sums: Float[np.ndarray, "correlations points"]
    typed_sums: Float[np.ndarray, "correlations points"]
    derived_off: float
    typed_simulated: Float[np.ndarray, " cases"]
    at_anchor: Float[np.ndarray, " correlations"]


@dataclasses.dataclass(frozen=True)
class Discs:
    """Where |S(λ, λ₀, ρ)| is largest over the disc: |λ|, arg λ in units of π, and its value."""

    correlations: tuple[float, ...]
    magnitudes: Float[np.ndarray, " correlations"]
    angles: Float[np.ndarray, " correlations"]
    peaks: Float[np.ndarray, " correlations"]


@jax.jit
def plain_forms(eigenvalue: ArrayLike, rho: ArrayLike) -> tuple[Array, Array]:
    """E|h|² and E|∂h/∂λ|² for R(Δ) = ρ^|Δ|, closed forms."""
    given = ExponentialInput(rho)
    return mean_square_state(eigenvalue, given), mean_square_sensitivity(eigenvalue, given)


@jax.jit
def normalised_forms(magnitude: ArrayLike, rho: ArrayLike) -> tuple[Array, Array]:
    """E|γh|², and E|γ ∂h/∂w|² with γ fixed and λ = exp(−e^w), closed forms."""
    given = ExponentialInput(rho)
    moved = (magnitude * jnp.log(magnitude)) ** 2
    fixed = magnitude_sensitivity(magnitude, given, differentiated=False)
    return normalised_power(magnitude, given), jnp.asarray(moved * fixed)


@jax.jit
def _laws(gap: ArrayLike, angle: ArrayLike, rho: ArrayLike) -> tuple[Array, Array]:
    given = ExponentialInput(rho)
    return (
        asymptotic_state(gap, given, phase=angle),
        asymptotic_sensitivity(gap, given, phase=angle),
    )


@jax.jit
def _coupling(a: Array, b: Array, rho: ArrayLike) -> Array:
    second = jnp.broadcast_to(b, a.shape)
    return jnp.asarray(sensitivity_moment(a, second, ExponentialInput(rho)))


def over_theory(simulated: Simulated) -> Simulated:
    """Means and standard errors divided by the closed forms."""
    forms = [plain_forms(simulated.eigenvalues, rho) for rho in simulated.correlations]
    state, sensitivity = (np.stack(column, axis=1) for column in zip(*forms, strict=True))
    return dataclasses.replace(
        simulated,
        state=simulated.state / state,
        state_error=simulated.state_error / state,
        sensitivity=simulated.sensitivity / sensitivity,
        sensitivity_error=simulated.sensitivity_error / sensitivity,
    )


def measured_slopes(settings: MomentSettings) -> Slopes:
    """S1b, over `settings.gaps`."""
    gaps = np.geomspace(*settings.gaps, settings.gap_points)
    found = []
    for rho in (0.0, 1.0):
        values = np.array([energies(1 - gap, rho, gap) for gap in gaps])
        found.append((slope(gaps, values[:, 0]), slope(gaps, values[:, 1])))
    return Slopes(*found)


def spectrum_ratios(settings: MomentSettings) -> Spectrum:
    """S1c, at `settings.spectrum_gap`."""
    gap = settings.spectrum_gap
    shape = len(settings.angles), len(settings.spectrum_correlations)
    state, sensitivity = np.zeros(shape), np.zeros(shape)
    for i, angle in enumerate(settings.angles):
        for j, rho in enumerate(settings.spectrum_correlations):
            eigenvalue = (1 - gap) * complex(math.cos(angle), math.sin(angle))
            power, moved = energies(eigenvalue, rho, gap)
            laws = _laws(gap, angle, rho)
            state[i, j], sensitivity[i, j] = power / laws[0], moved / laws[1]
    return Spectrum(state, sensitivity)


def plateaus(magnitude: float) -> tuple[Plateaus, Plateaus]:
    """S2a and S2b: the normalised state, and its sensitivity under exp(−e^w) with γ fixed."""
    gap = 1 - magnitude
    normal = gap * (1 + magnitude)
    moved = (magnitude * math.log(magnitude)) ** 2
    sums = np.array([energies(magnitude, rho, gap) for rho in CORRELATIONS])
    forms = np.array([normalised_forms(magnitude, rho) for rho in CORRELATIONS])
    limits = [2 / gap if rho == 1 else (1 + rho) / (1 - rho) for rho in CORRELATIONS]
    halved = [x if rho == 1 else x / 2 for x, rho in zip(limits, CORRELATIONS, strict=True)]
    return (
        Plateaus(CORRELATIONS, normal * sums[:, 0], forms[:, 0], np.array(limits)),
        Plateaus(CORRELATIONS, normal * moved * sums[:, 1], forms[:, 1], np.array(halved)),
    )


def printed_form(settings: MomentSettings, simulated: Simulated) -> Printed:
    """E1, at points drawn uniformly from the disc |λ| ≤ |λ₀|, the conjugate of λ₀ among them."""
    anchor = anchor_of(settings)
    rng = np.random.default_rng(settings.seed)
    points = settings.sum_points - 1
    magnitudes = settings.anchor * np.sqrt(rng.uniform(size=points))
    drawn = magnitudes * np.exp(1j * np.pi * rng.uniform(-1, 1, points))
    a = np.append(drawn, np.conj(anchor))
    derived, typed, at_anchor = [], [], []
    for rho in settings.printed_correlations:
        sums = double_sum(a, anchor, rho, settings.sum_length)
        right, wrong = coupling(a, anchor, rho), printed_sensitivity(a, anchor, rho)
        derived.append(np.abs(right / sums - 1))
        typed.append(np.abs(wrong / sums - 1))
        at_anchor.append(abs(wrong[-1] / right[-1]))
    rows = len(settings.eigenvalues)
    eigenvalues = simulated.eigenvalues[:rows]
    off, ratios = 0.0, []
    for rho, mean in zip(simulated.correlations, simulated.sensitivity[:rows].T, strict=True):
        if 0 < rho < 1:
            form = np.real(coupling(eigenvalues, eigenvalues.conj(), float(rho)))
            off = max(off, float(np.max(np.abs(form / mean - 1))))
            ratios.append(
                np.real(printed_sensitivity(eigenvalues, eigenvalues.conj(), float(rho))) / mean
            )
    return Printed(
        np.array(settings.printed_correlations),
        np.array(derived),
        np.array(typed),
        off,
        np.concatenate(ratios),
        np.array(at_anchor),
    )


def peaks(settings: MomentSettings) -> Discs:
    """S10c: the largest |S| over a polar grid of the disc |λ| ≤ |λ₀|."""
    magnitudes = np.linspace(0, settings.anchor, settings.disc[0])
    angles = np.linspace(-1, 1, settings.disc[1])
    grid = magnitudes[:, None] * np.exp(1j * np.pi * angles)
    rows = []
    for rho in CORRELATIONS:
        size = np.abs(coupling(grid, anchor_of(settings), rho))
        ring, ray = np.unravel_index(int(size.argmax()), size.shape)
        rows.append((magnitudes[ring], angles[ray], size[ring, ray]))
    return Discs(CORRELATIONS, *np.array(rows).T)


def coupling(
    a: Complex[np.ndarray, "*shape"], b: Complex[np.ndarray, "*shape"] | complex, rho: float
) -> Complex[np.ndarray, "*shape"]:
    """S(a, b) by `theory.sensitivity_moment`."""
    return np.asarray(_coupling(a, np.asarray(b, a.dtype), rho))


def anchor_of(settings: MomentSettings) -> complex:
    """λ₀ of figure 8."""
    angle = math.pi * settings.anchor_angle
    return settings.anchor * complex(math.cos(angle), math.sin(angle))
