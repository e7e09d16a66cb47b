"""Powers and sensitivities of a normalised state, from the recurrence run on an impulse.

An input of autocorrelation ρ^|D| is white noise through a one-pole filter, so that a state's mean
square is the sum of squares of one response, and that of a derivative the sum of squares of a
finite difference: no closed form of a moment enters.
"""

import dataclasses
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.signal import lfilter

from remanence.layers.eigenvalues import AbstractMagnitudeMap, magnitude_map
from remanence.layers.normalisations import (
    AbstractNormalisation,
    ExponentialSpectrumAware,
    SquareRoot,
)
from remanence.layers.parametrisations import Polar
from remanence.studies.sensitivity.extensions_settings import ExtensionSettings
from remanence.theory import (
    ExponentialInput,
    cross_moment,
    magnitude_sensitivity,
    mean_square_sensitivity,
    mean_square_state,
    normalised_power,
)

_TAIL = 20
"""Sums run over so many of the longest time constant: squares beyond are below 1e-17."""

_STENCIL = 1e-4
"""Half the change of ν in a finite difference, as a share of 1 − ν."""


@dataclasses.dataclass(frozen=True)
class Combination:
    """A magnitude map and a normalisation for inputs of correlation ρ, and their name."""

    name: str
    magnitude_map: Callable[[float], AbstractMagnitudeMap]
    normalisation: Callable[[float], AbstractNormalisation]
    spectrum_aware: bool = False


def _square_root(rho: float) -> AbstractNormalisation:
    return SquareRoot()


def _exponential(rho: float) -> AbstractMagnitudeMap:
    return magnitude_map("double exponential")


def _tanh(rho: float) -> AbstractMagnitudeMap:
    return magnitude_map("tanh")


def _correlated(rho: float) -> AbstractMagnitudeMap:
    return magnitude_map("correlated", correlation=rho)


def _spectrum_aware(rho: float) -> AbstractNormalisation:
    return ExponentialSpectrumAware(rho, smoothed=True)


COMBINATIONS = (
    Combination("exp, √(1−ν²)", _exponential, _square_root),
    Combination("tanh, √(1−ν²)", _tanh, _square_root),
    Combination("ρ-aware, √(1−ν²)", _correlated, _square_root),
    Combination("exp, spectrum-aware", _exponential, _spectrum_aware, True),
    Combination("tanh, spectrum-aware", _tanh, _spectrum_aware, True),
    Combination("ρ-aware, spectrum-aware", _correlated, _spectrum_aware, True),
)
RHO_AWARE = "ρ-aware, √(1−ν²)"


def response(eigenvalue: complex | float, rho: float, length: int) -> np.ndarray:
    """`h_t` after a unit impulse of the white noise behind the input."""
    impulse = np.zeros(length)
    impulse[0] = np.sqrt((1 - rho) * (1 + rho))
    return np.asarray(lfilter([1.0], [1.0, -eigenvalue], lfilter([1.0], [1.0, -rho], impulse)))


def enough(gap: float, rho: float) -> int:
    """How many steps hold all of the response."""
    return int(_TAIL / min(gap, 1 - rho)) + 2


@dataclasses.dataclass(frozen=True)
class Powers:
    """E|γh|² over (correlations, gaps, angles), measured with each normalisation.

    `root_theory` is the closed form for √(1 − ν²).
    """

    smoothed: np.ndarray
    spectral: np.ndarray
    root: np.ndarray
    root_theory: np.ndarray


def measure_powers(s: ExtensionSettings) -> Powers:
    """X1a."""
    gaps, angles = np.meshgrid(s.gaps, s.angles, indexing="ij")
    eigenvalues = (1 - gaps) * np.exp(1j * angles)
    found: dict[str, list[np.ndarray]] = {"smoothed": [], "spectral": [], "root": [], "theory": []}
    polar = Polar.from_eigenvalues(eigenvalues, magnitude_map="tanh")
    for rho in s.correlations:
        power = np.array(
            [
                np.sum(np.abs(response(one, rho, enough(gap, rho))) ** 2)
                for one, gap in zip(eigenvalues.ravel(), gaps.ravel(), strict=True)
            ]
        ).reshape(gaps.shape)
        for name, gamma in (
            ("smoothed", ExponentialSpectrumAware(rho, smoothed=True)),
            ("spectral", ExponentialSpectrumAware(rho)),
            ("root", SquareRoot()),
        ):
            found[name].append(np.asarray(gamma(polar)) ** 2 * power)
        theory = root_power(jnp.asarray(1 - gaps), jnp.asarray(angles), ExponentialInput(rho))
        found["theory"].append(np.asarray(theory))
    arrays = {name: np.stack(values) for name, values in found.items()}
    return Powers(arrays["smoothed"], arrays["spectral"], arrays["root"], arrays["theory"])


@eqx.filter_jit
def _stencil(
    w: jax.Array, chosen: AbstractMagnitudeMap, normalisation: AbstractNormalisation
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Half the width in w of a finite difference, and λ and γ at its two ends."""
    half = _STENCIL * chosen.complement(w) / jnp.abs(chosen.derivative(w))
    polar = Polar(jnp.stack([w + half, w - half]), jnp.zeros((2, *w.shape)), chosen)
    return half, polar().real, normalisation(polar)


def measured_sensitivity(one: Combination, gaps: np.ndarray, rho: float) -> np.ndarray:
    """E|∂(γh)/∂w|² at θ = 0 and these 1 − ν, by central differences of the response."""
    chosen = one.magnitude_map(rho)
    start = jnp.asarray(chosen.inverse(1 - gaps))
    half, magnitudes, gammas = map(np.asarray, _stencil(start, chosen, one.normalisation(rho)))
    out = []
    for i, gap in enumerate(gaps):
        length = enough(float(gap), rho)
        above, below = (
            gammas[end, i] * response(magnitudes[end, i], rho, length) for end in (0, 1)
        )
        out.append(np.sum(((above - below) / (2 * half[i])) ** 2))
    return np.array(out)


def theoretical_sensitivity(one: Combination, gaps: np.ndarray, rho: float) -> np.ndarray:
    """The same from the closed forms of `theory`.

    With the smoothed spectrum `γ² = 1/K`, and `E|∂(γh)/∂ν|² = S/K − (∂_a K/K)²`.
    """
    chosen = one.magnitude_map(rho)
    w = jnp.asarray(chosen.inverse(1 - gaps))
    source = ExponentialInput(rho)
    return np.asarray(_closed_form(w, jnp.asarray(1 - gaps), source, chosen, one.spectrum_aware))


@eqx.filter_jit
def _closed_form(
    w: jax.Array,
    magnitude: jax.Array,
    source: ExponentialInput,
    chosen: AbstractMagnitudeMap,
    spectrum_aware: bool,
) -> jax.Array:
    slope = chosen.derivative(w) ** 2
    if not spectrum_aware:
        return slope * magnitude_sensitivity(magnitude, source)
    power = mean_square_state(magnitude, source)
    covariance = cross_moment(magnitude, magnitude, source) / power
    return slope * (mean_square_sensitivity(magnitude, source) / power - covariance**2)


@eqx.filter_jit
def root_power(magnitude: jax.Array, phase: jax.Array, source: ExponentialInput) -> jax.Array:
    """`E|γh|²` with γ = √(1 − ν²), closed form, `magnitude` and `phase` of one shape."""
    return normalised_power(magnitude, source, phase=phase)


def measure_sensitivities(s: ExtensionSettings) -> dict[str, np.ndarray]:
    """X2a: (positive correlations, gaps) for each of `COMBINATIONS`."""
    gaps = np.array(s.gaps)
    return {
        one.name: np.stack(
            [measured_sensitivity(one, gaps, rho) for rho in s.correlations if rho > 0]
        )
        for one in COMBINATIONS
    }
