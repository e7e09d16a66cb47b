"""Moduli by brute force, gradient scales by differentiation and quadrature, readouts by both."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from remanence.layers import AbstractRateMap, rate_map
from remanence.studies.reparameterisation.fits import ExponentialSum, long_fit
from remanence.studies.reparameterisation.moduli_settings import (
    CHECKED_MODULI,
    EXPONENT,
    READOUT_RADIUS,
    ModuliSettings,
)
from remanence.theory.perturbation import (
    ball_perturbation,
    readout_errors,
    relative_modulus,
    stability_radius,
)

STABLE_MAPS = ("exponential", "softplus", "sigmoid", "best", "best (code)", "mean-square best")
SCALED_MAPS = ("direct", "exponential", "softplus", "inverse", "best", "mean-square best")


@dataclasses.dataclass(frozen=True)
class Modulus:
    """g(β) of one map at every radius of the settings, in closed form and by brute force."""

    closed: Float[np.ndarray, " radii"]
    force: Float[np.ndarray, " radii"]


@dataclasses.dataclass(frozen=True)
class Scale:
    """`|f'|/f²` of one map at |λ| = `rates`, with `parameters` w = f⁻¹(−|λ|).

    - `differentiated`: f' by automatic differentiation, over f².
    - `integrated`: |f'| in closed form times ∫ s e^{fs} ds by quadrature.
    - `mean_square`: |f'| times the root of ∫ s² e^{2fs} ds, by quadrature.
    """

    rates: Float[np.ndarray, " rates"]
    parameters: Float[np.ndarray, " rates"]
    differentiated: Float[np.ndarray, " rates"]
    integrated: Float[np.ndarray, " rates"]
    mean_square: Float[np.ndarray, " rates"]


@dataclasses.dataclass(frozen=True)
class Radius:
    """The stability radius of a normal matrix, tried from inside and from outside.

    - `inside`: how many of `draws` perturbations of 2-norm 0.99 radii are unstable.
    - `outside`: the spectral abscissa after a step of 1.01 radii along the slowest eigenvector.
    """

    radius: float
    draws: int
    inside: int
    outside: float


@dataclasses.dataclass(frozen=True)
class Readouts:
    """What readouts perturbed by β, all in the same direction, add to the L¹ error of fits.

    `raw`, `normalised` in closed form, `raw_integral` and `normalised_integral` by quadrature,
    all relative to the kernel's norm; `slowest` the smallest |λ| of each fit; `unequal` how far
    from β the integral of a single normalised mode is at most, relative to β.
    """

    widths: tuple[int, ...]
    modes: Float[np.ndarray, " widths"]
    slowest: Float[np.ndarray, " widths"]
    raw: Float[np.ndarray, " widths"]
    raw_integral: Float[np.ndarray, " widths"]
    normalised: Float[np.ndarray, " widths"]
    normalised_integral: Float[np.ndarray, " widths"]
    unequal: Float[np.ndarray, " widths"]


def forced(found: AbstractRateMap) -> Callable[[np.ndarray], np.ndarray]:
    """The map from array to array, for functions that know NumPy alone."""
    return lambda w: np.asarray(found.forward(jnp.asarray(w)))


def moduli(s: ModuliSettings) -> dict[str, Modulus]:
    """Every stable map's modulus."""
    # Exponentials take theirs as w → −∞, the rational maps near w = √(b/a), both on one grid.
    half = s.points // 2
    grid = np.concatenate([np.linspace(-40.0, 10.0, half), np.linspace(0.0, 3.0, half + 1)])
    found = {}
    for name in STABLE_MAPS:
        f = rate_map(name)
        found[name] = Modulus(
            np.array([f.stability_modulus(beta) for beta in s.radii]),
            np.array([relative_modulus(forced(f), b, grid, offsets=s.offsets) for b in s.radii]),
        )
    return found


def checked_moduli(s: ModuliSettings) -> Float[np.ndarray, "checks 2"]:
    """Closed form and brute force at the values known beforehand."""
    grid = np.linspace(0.0, 3.0, s.points)
    rows = []
    for a, b, beta, _ in CHECKED_MODULI:
        f = rate_map("best", a=a, b=b)
        force = relative_modulus(forced(f), beta, grid, offsets=s.offsets)
        rows.append((f.stability_modulus(beta), force))
    return np.array(rows)


def vanishing_b(s: ModuliSettings, radius: float) -> Modulus:
    """The best map's modulus at one radius, as b → 0."""
    closed, force = [], []
    for b in s.small_b:
        f = rate_map("best", b=b)
        grid = np.sqrt(b) * np.linspace(0.0, 1.5, s.points) ** 2
        closed.append(f.stability_modulus(radius))
        force.append(relative_modulus(forced(f), radius, grid, offsets=s.offsets))
    return Modulus(np.array(closed), np.array(force))


def direct_radius(s: ModuliSettings) -> Radius:
    """A random normal matrix with known eigenvalues against its stability radius."""
    rng = np.random.default_rng(s.seed)
    basis = np.linalg.qr(rng.standard_normal((s.matrix, s.matrix)))[0]
    eigenvalues = -np.geomspace(0.02, 2.0, s.matrix)
    A = basis @ np.diag(eigenvalues) @ basis.T
    radius = stability_radius(eigenvalues)
    moved = np.stack(
        [ball_perturbation({"A": A}, 0.99 * radius, rng)["A"] for _ in range(s.draws)]
    )
    inside = int((np.linalg.eigvals(moved).real.max(axis=1) >= 0).sum())
    slowest = basis[:, :1]
    outside = np.linalg.eigvals(A + 1.01 * radius * slowest @ slowest.T).real.max()
    return Radius(radius, s.draws, inside, float(outside))


def gradient_scales(s: ModuliSettings) -> dict[str, Scale]:
    """`|f'|/f²` of the maps in two ways."""
    return {name: gradient_scale(s, rate_map(name)) for name in SCALED_MAPS}


def gradient_scale(s: ModuliSettings, f: AbstractRateMap) -> Scale:
    """One map's scales."""
    rates = np.geomspace(s.least, 1.0, s.rates)
    w = jnp.asarray(f.inverse(-rates))
    values = np.asarray(f.forward(w))
    slope = np.asarray(_slopes(f, w))
    nodes, weights = np.polynomial.legendre.leggauss(s.nodes)
    # At 30 time constants the integrands are below 1e-10 of a rounding error's square.
    times = 30 * (nodes + 1)[None] / -values[:, None]
    weight = 30 * weights[None] / -values[:, None]
    decay = np.exp(values[:, None] * times)
    closed = np.abs(np.asarray(f.derivative(w)))
    return Scale(
        rates,
        np.asarray(w),
        np.abs(slope) / values**2,
        closed * np.sum(weight * times * decay, axis=1),
        closed * np.sqrt(np.sum(weight * (times * decay) ** 2, axis=1)),
    )


def ratio_to_parameter(s: ModuliSettings, name: str, exponent: float) -> Float[np.ndarray, " w"]:
    """`|f'| / (|f|^exponent |w|)` with f' differentiated, at both signs of w over six decades."""
    f = rate_map(name)
    half = np.geomspace(1e-3, 1e3, s.rates)
    w = jnp.asarray(np.concatenate([-half, half]))
    slope, values = np.asarray(_slopes(f, w)), np.asarray(f.forward(w))
    return np.abs(slope) / (np.abs(values) ** exponent * np.abs(np.asarray(w)))


def readouts(s: ModuliSettings) -> Readouts:
    """Fits of the power law, their readouts perturbed."""
    fits = [long_fit(width, EXPONENT, s.horizon) for width in s.widths]
    norm = 1 / (EXPONENT - 1)

    def total(fit: ExponentialSum, normalised: bool) -> float:
        return float(readout_errors(fit.rates, READOUT_RADIUS, normalised=normalised).sum()) / norm

    return Readouts(
        s.widths,
        np.array([float(fit.rates.size) for fit in fits]),
        np.array([-fit.rates.max() for fit in fits]),
        np.array([total(fit, False) for fit in fits]),
        np.array([_integral(fit.rates, np.ones_like(fit.rates)) for fit in fits])
        * (READOUT_RADIUS / norm),
        np.array([total(fit, True) for fit in fits]),
        np.array([_integral(fit.rates, -fit.rates) for fit in fits]) * (READOUT_RADIUS / norm),
        np.array([_unequal(fit) for fit in fits]),
    )


def _unequal(fit: ExponentialSum) -> float:
    """`max |∫ ||λ|(ĉ + β) − |λ| ĉ| e^{λt} dt / β − 1|` over the modes, ĉ = c/|λ|."""
    scaled = fit.readouts / -fit.rates
    change = -fit.rates * (scaled + READOUT_RADIUS) - fit.readouts
    one_by_one = zip(fit.rates, change, strict=True)
    errors = [_integral(np.array([rate]), np.array([c])) for rate, c in one_by_one]
    return float(np.max(np.abs(np.array(errors) / READOUT_RADIUS - 1)))


def _integral(rates: np.ndarray, readouts: np.ndarray) -> float:
    """`∫_0^∞ |Σ c e^{λt}| dt` by the trapezoidal rule in log t."""
    log_times = np.linspace(np.log(1e-9 / -rates.min()), np.log(60 / -rates.max()), 3000)
    times = np.exp(log_times)
    kernel = np.abs(np.exp(times[:, None] * rates[None]) @ readouts)
    return float(np.trapezoid(kernel * times, log_times) + times[0] * kernel[0])


def _slopes(f: AbstractRateMap, w: jax.Array) -> jax.Array:
    # The sum's gradient holds every f'(w_i), each w_i being in one term alone.
    return jax.grad(lambda x: jnp.sum(f.forward(x)))(w)
