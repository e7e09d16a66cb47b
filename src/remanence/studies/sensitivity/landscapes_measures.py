"""Losses, curvatures and metrics of one eigenvalue, by autodiff, finite sums and simulation."""

import dataclasses
import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.signal import lfilter

from remanence.layers.eigenvalues import magnitude_map
from remanence.layers.parametrisations import CoupledPhase
from remanence.studies.sensitivity.landscapes_settings import LandscapeSettings
from remanence.theory import normalised_loss

TANH, EXPONENTIAL = "tanh", "double exponential"
_SUM = 40
_BLOCK = 200


@dataclasses.dataclass(frozen=True)
class Curvatures:
    """Second derivatives of the normalised loss, by teacher.

    - `peak_tanh`, `peak_exponential`: the largest over the student's w, magnitude only.
    - `at_exponential`: at the optimum.
    - `polar_magnitude`, `polar_phase`: at the optimum in (ν, θ).
    - `coupled_phase`: at the optimum, in the phase coordinate of `CoupledPhase`.
    """

    gaps: Float[np.ndarray, " teachers"]
    peak_tanh: Float[np.ndarray, " teachers"]
    peak_exponential: Float[np.ndarray, " teachers"]
    at_exponential: Float[np.ndarray, " teachers"]
    polar_magnitude: Float[np.ndarray, " teachers"]
    polar_phase: Float[np.ndarray, " teachers"]
    coupled_phase: Float[np.ndarray, " teachers"]


@dataclasses.dataclass(frozen=True)
class Invariance:
    """½ E|g − g*|² for students at artanh ν* + offset: finite sums, and simulation."""

    sums: Float[np.ndarray, "teachers offsets"]
    simulated: Float[np.ndarray, "simulated_teachers simulated_offsets"]
    errors: Float[np.ndarray, "simulated_teachers simulated_offsets"]


def magnitude_losses(
    name: str, w: Float[np.ndarray, " grid"], teacher: float
) -> tuple[Float[np.ndarray, " grid"], Float[np.ndarray, " grid"]]:
    """The normalised loss and its second derivative in w, ν = ν(w) by the named map."""
    loss, curvature = _magnitude_losses(name)(w, teacher)
    return np.asarray(loss), np.asarray(curvature)


def measured_curvatures(settings: LandscapeSettings) -> Curvatures:
    """S3a, every derivative by autodiff."""
    gaps = np.array(settings.gaps)
    peaks: dict[str, list[float]] = {TANH: [], EXPONENTIAL: []}
    centres: list[float] = []
    offsets = np.linspace(-settings.reach, settings.reach, settings.grid)
    for name, found in peaks.items():
        places = np.asarray(magnitude_map(name).inverse(1 - gaps))
        for nu, place in zip(1 - gaps, places, strict=True):
            curvature = magnitude_losses(name, place + offsets, float(nu))[1]
            found.append(float(curvature.max()))
            if name == EXPONENTIAL:
                centres.append(float(curvature[settings.grid // 2]))
    polar = np.asarray(_polar_hessians(1 - gaps, np.full(gaps.shape, 0.5)))
    coupled = np.asarray(_coupled_hessians(_coupled_points(1 - gaps, np.full(gaps.shape, 0.5))))
    return Curvatures(
        gaps,
        np.array(peaks[TANH]),
        np.array(peaks[EXPONENTIAL]),
        np.array(centres),
        polar[:, 0, 0],
        polar[:, 1, 1],
        coupled[:, 1, 1],
    )


def coupled_metrics(
    magnitudes: Float[np.ndarray, " points"], phases: Float[np.ndarray, " points"], length: int
) -> Float[np.ndarray, "points 2 2"]:
    """G = Σ_n Re[conj(∂_i g_n) ∂_j g_n] of the impulse response g_n = γ λ^n, n < length.

    In the coordinates of `CoupledPhase`, derivatives by autodiff.
    """
    n = jnp.arange(length, dtype=float)

    def response(w: Array) -> Array:
        eigenvalue = CoupledPhase(w[0], w[1])
        size, angle = eigenvalue.log_magnitude(), eigenvalue.phase()
        values = jnp.sqrt(-jnp.expm1(2 * size)) * jnp.exp(n * size)
        return jnp.stack([values * jnp.cos(n * angle), values * jnp.sin(n * angle)])

    @jax.jit
    def of(points: Array) -> Array:
        moved = jax.vmap(jax.jacfwd(response))(points)
        return jnp.einsum("pcni,pcnj->pij", moved, moved)

    return np.asarray(of(_coupled_points(magnitudes, phases)))


def curvature_of_sums(magnitude: float, stencil: float) -> float:
    """κ of the metric whose moments are finite sums, by central differences of fourth order.

    `κ = −(√E √H)^{−1} d/dν [E^{−1/2} d√H/dν]`, `E = Σ|∂_ν g_n|²`, `H = Σ|∂_θ g_n|²`, for a metric
    that is diagonal and free of θ. The step is `stencil · (1 − ν)`.
    """
    step = stencil * (1 - magnitude)

    def inner(nu: float) -> float:
        return _difference(lambda x: metric_sums(x)[1], nu, step) / metric_sums(nu)[0]

    first, second = metric_sums(magnitude)
    return -_difference(inner, magnitude, step) / (first * second)


def metric_sums(magnitude: float) -> tuple[float, float]:
    """`(Σ|∂_ν g_n|²)^{1/2}` and `(Σ|∂_θ g_n|²)^{1/2}` of g_n = √(1 − ν²) ν^n e^{iθn}."""
    n = np.arange(math.ceil(_SUM / (1 - magnitude)), dtype=np.float64)
    gamma = math.sqrt((1 - magnitude) * (1 + magnitude))
    power = magnitude**n
    by_magnitude = (-magnitude / gamma + gamma * n / magnitude) * power
    return float(np.linalg.norm(by_magnitude)), float(np.linalg.norm(gamma * n * power))


def summed_loss(
    eigenvalue: complex | float, teacher: complex | float, *, normalised: bool
) -> float:
    """`½ Σ_n |γ λ^n − γ* μ^n|²`, the loss under white input, term by term.

    γ = √(1 − |λ|²), or 1.
    """
    sizes = abs(eigenvalue), abs(teacher)
    n = np.arange(math.ceil(_SUM / (1 - max(sizes))))
    gammas = [math.sqrt((1 - x) * (1 + x)) if normalised else 1.0 for x in sizes]
    difference = gammas[0] * np.power(eigenvalue, n) - gammas[1] * np.power(teacher, n)
    return float(np.sum(np.abs(difference) ** 2)) / 2


def measured_invariance(settings: LandscapeSettings, heard: Callable[[float], None]) -> Invariance:
    """S3b: two recurrences run on one impulse, and on white noise."""
    places = np.arctanh(1 - np.array(settings.gaps))
    sums = [[_impulse_loss(b + x, b) for x in settings.offsets] for b in places]
    rows = np.arctanh(1 - np.array(settings.simulated_gaps))
    blocks = settings.chains // _BLOCK
    rng = np.random.default_rng(settings.seed)
    found = []
    for block in range(blocks):
        x = rng.standard_normal((_BLOCK, settings.length))
        teachers = [_normalised(b, x) for b in rows]
        for b, teacher in zip(rows, teachers, strict=True):
            for offset in settings.simulated_offsets:
                squares = (_normalised(b + offset, x) - teacher)[:, settings.burn_in :] ** 2
                found.append(squares.mean(axis=1) / 2)
        heard((block + 1) / blocks)
    pairs = len(rows), len(settings.simulated_offsets)
    chains = np.array(found).reshape(blocks, *pairs, _BLOCK)
    chains = np.moveaxis(chains, 0, -1).reshape(*pairs, -1)
    errors = chains.std(axis=-1, ddof=1) / math.sqrt(chains.shape[-1])
    return Invariance(np.array(sums), chains.mean(axis=-1), errors)


def _normalised(w: float, x: np.ndarray) -> np.ndarray:
    """g_t = γ h_t for λ = tanh w."""
    return np.asarray(lfilter([1 / math.cosh(w)], [1.0, -math.tanh(w)], x))


def _impulse_loss(student: float, teacher: float) -> float:
    gap = 2 / (1 + math.exp(2 * max(abs(student), abs(teacher))))
    impulse = np.zeros(math.ceil(_SUM / gap))
    impulse[0] = 1.0
    return float(np.sum((_normalised(student, impulse) - _normalised(teacher, impulse)) ** 2)) / 2


@functools.cache
def _magnitude_losses(name: str) -> Callable[..., tuple[Array, Array]]:
    chosen = magnitude_map(name)

    def loss(w: Array, teacher: Array) -> Array:
        return normalised_loss(chosen.forward(w), teacher)

    both = jax.vmap(lambda w, t: (loss(w, t), jax.grad(jax.grad(loss))(w, t)), in_axes=(0, None))
    return jax.jit(both)


@jax.jit
def _polar_hessians(magnitudes: Array, phases: Array) -> Array:
    def hessian(nu: Array, theta: Array) -> Array:
        def loss(place: Array) -> Array:
            return normalised_loss(_from_polar(*place), _from_polar(nu, theta))

        return _hessian(loss)(jnp.stack([nu, theta]))

    return jax.vmap(hessian)(magnitudes, phases)


@jax.jit
def _coupled_hessians(points: Array) -> Array:
    def hessian(point: Array) -> Array:
        teacher = CoupledPhase(point[0], point[1])()
        return _hessian(lambda w: normalised_loss(CoupledPhase(w[0], w[1])(), teacher))(point)

    return jax.vmap(hessian)(points)


def _hessian(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    # Forward over forward: half the time to compile, and two coordinates only.
    return jax.jacfwd(jax.jacfwd(function))


def _coupled_points(magnitudes: np.ndarray, phases: np.ndarray) -> np.ndarray:
    """`(artanh ν, θ/f(ν))`."""
    scale = (1 - magnitudes) * (1 + magnitudes) / (magnitudes * np.sqrt(1 + magnitudes**2))
    return np.stack([np.arctanh(magnitudes), phases / scale], axis=-1)


def _from_polar(magnitude: Array, phase: Array) -> Array:
    return jax.lax.complex(magnitude * jnp.cos(phase), magnitude * jnp.sin(phase))


def _difference(function: Callable[[float], float], x: float, step: float) -> float:
    near, far = ((function(x + k * step) - function(x - k * step)) for k in (1, 2))
    return (8 * near - far) / (12 * step)
