"""The claims of the landscapes part, from its measurements."""

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Float

from remanence.studies.contract import Claim, verdict
from remanence.studies.sensitivity.landscapes_descent import (
    CANCELLING,
    COUPLED,
    EXPONENTIAL,
    POLAR,
    Descent,
)
from remanence.studies.sensitivity.landscapes_measures import Curvatures, Invariance
from remanence.studies.sensitivity.landscapes_settings import (
    CLOSED_FORM,
    COUPLED_MAGNITUDE,
    CURVATURE,
    DETERMINANT,
    INVARIANCE,
    LAST,
    POLAR_PHASE,
    QUARTER,
    REACHED_EXPONENTIAL,
    REACHED_POLAR,
    SIMULATION,
    STUCK,
    UNIT,
    LandscapeSettings,
)
from remanence.studies.sensitivity.sources import figure
from remanence.studies.wording import listed
from remanence.theory import coupled_phase_scale, landscape

_landscape = jax.jit(landscape)

_BESIDE = 0.01
"""A curvature is called larger beside the optimum from this excess on."""


def curvature_claim(curvatures: Curvatures) -> Claim:
    """S3a."""
    nu = 1 - curvatures.gaps
    gap = curvatures.gaps * (1 + nu)
    closed = (
        (curvatures.at_exponential, (nu * np.log(nu) / gap) ** 2),
        (curvatures.polar_magnitude, gap**-2.0),
        (curvatures.polar_phase, nu**2 * (1 + nu**2) / gap**2),
        (curvatures.coupled_phase, np.ones_like(nu)),
    )
    off = max(float(np.max(np.abs(found / form - 1))) for found, form in closed)
    unit = float(np.max(np.abs(curvatures.peak_tanh - 1)))
    longest = int(np.argmin(curvatures.gaps))
    quarter = float(curvatures.at_exponential[longest])
    above = curvatures.peak_exponential / curvatures.at_exponential
    beside = curvatures.gaps[above > 1 + _BESIDE]
    phase = float(curvatures.polar_phase[int(np.argmin(np.abs(curvatures.gaps - 0.01)))])
    return Claim(
        id="S3a",
        statement=(
            "With normalised inputs the loss is as sharp for every memory if ν = tanh w "
            "(curvature 1) and nearly so if ν = exp(−e^w) (¼); in (ν, θ) both curvatures grow "
            "as ε^−2."
        ),
        source=figure(6),
        expected=(
            f"largest curvature 1 ± {UNIT:g} under tanh for all ν*; ¼ ± {QUARTER:g} at the "
            f"optimum under exp for the longest memory; {POLAR_PHASE} for θ at ν* = .99; all "
            f"within {CLOSED_FORM:g} of their closed forms"
        ),
        measured=(
            f"tanh 1 ± {unit:.0e} at 1 − ν* = {listed(curvatures.gaps, 'g')}; exp {quarter:.5f} "
            f"at the longest, largest over w {listed(curvatures.peak_exponential, '.3f')}; θ "
            f"{phase:.1f} at .99 ({phase * np.pi**2:.3g} per π²); closed forms within "
            f"{off:.0e} (autodiff of the exact loss, white input, γ differentiated)"
        ),
        verdict=verdict(
            unit <= UNIT
            and abs(quarter - 0.25) <= QUARTER
            and round(phase) == POLAR_PHASE
            and off <= CLOSED_FORM
        ),
        note=(
            "Under the exponential map the largest curvature is more than "
            f"{_BESIDE:.0%} above that at the optimum for 1 − ν* = {listed(beside, 'g')}."
            if beside.size
            else ""
        ),
    )


def invariance_claim(settings: LandscapeSettings, found: Invariance) -> Claim:
    """S3b."""
    theory = _theory(settings.offsets)
    off = float(np.max(np.abs(found.sums / theory - 1)))
    spread = float(np.max(np.ptp(found.sums, axis=0) / theory))
    expected = _theory(settings.simulated_offsets)
    simulated = float(np.max(np.abs(found.simulated / expected - 1)))
    resolution = 4 * float(np.max(found.errors / expected))
    return Claim(
        id="S3b",
        statement=(
            "With ν = tanh a and a teacher tanh b, equal phases and white input, the loss of the "
            "normalised states is 1 − sech(a − b): the landscape is the same at every memory."
        ),
        source="derived",
        expected=(
            f"finite sums within {INVARIANCE:g} of 1 − sech(a − b), and of each other for equal "
            f"a − b; two simulated recurrences within {SIMULATION:.0%}, four standard errors "
            f"below {SIMULATION:.0%}"
        ),
        measured=(
            f"sums off by {off:.0e}, {spread:.0e} apart over {len(settings.gaps)} teachers (ν* up "
            f"to {1 - min(settings.gaps):g}) and a − b = {listed(settings.offsets, 'g')}; "
            f"simulation off by {simulated:.2%}, four standard errors {resolution:.2%} "
            f"({settings.chains} chains of {settings.length - settings.burn_in:,} steps)"
        ),
        verdict=verdict(
            max(off, spread) <= INVARIANCE and max(simulated, resolution) < SIMULATION
        ),
        note="What rounding ν = tanh a to float64 alone may move is 1e-16/(1 − ν).",
    )


def _theory(offsets: Sequence[float]) -> np.ndarray:
    return np.array([float(_landscape(x, 0.0)) for x in offsets])


def decoupling_claim(
    settings: LandscapeSettings,
    measured: Float[np.ndarray, " magnitudes"],
    closed: Float[np.ndarray, " magnitudes"],
    metrics: Float[np.ndarray, "points 2 2"],
) -> Claim:
    """S3c."""
    off = float(np.max(np.abs(measured / closed - 1)))
    determinants = np.linalg.det(metrics)
    worst = float(np.max(np.abs(determinants - 1)))
    nu, theta = (np.array(column) for column in zip(*settings.coupled, strict=True))
    dragged = metrics[:, 0, 0]
    held = metrics[:, 1, 1]
    w = theta / np.asarray(coupled_phase_scale(nu))
    met = (
        off <= CURVATURE
        and float(np.max(measured)) < -1
        and worst <= DETERMINANT
        and round(float(dragged[0])) == COUPLED_MAGNITUDE
        and bool(np.all(np.abs(held - 1) <= DETERMINANT))
    )
    places = ", ".join(f"({a:g}, {b:g})" for a, b in settings.coupled)
    return Claim(
        id="S3c",
        statement=(
            "No coordinates tame magnitude and phase together: the metric that the loss gives to "
            "eigenvalues is curved. The phase coordinate of unit sensitivity moves the explosion "
            "to the magnitude."
        ),
        source="derived; section 3.2 of the paper leaves the phase coupled",
        expected=(
            "Gaussian curvature of the metric of finite sums within "
            f"{CURVATURE:g} of −(3ν⁴ + 6ν² + 7)/(1 + ν²)², below −1; in the coupled coordinates "
            f"G_θθ = 1, det G = 1 within {DETERMINANT:g}, G_νν = {COUPLED_MAGNITUDE} at "
            f"(ν, θ) = ({nu[0]:g}, {theta[0]:g})"
        ),
        measured=(
            f"curvature {listed(measured, '.4f')} at ν = "
            f"{listed(settings.curvature_magnitudes, 'g')}, off by {off:.0e}; G_νν "
            f"{listed(dragged, '.6g')} at {places}, w_θ = {listed(w, '.3g')}, det G − 1 at most "
            f"{worst:.0e} (autodiff of impulse responses)"
        ),
        verdict=verdict(met),
        note="Coordinates with G = 1 on an open set need zero curvature (theorema egregium).",
    )


def angle_claim(settings: LandscapeSettings, runs: Sequence[Descent]) -> Claim:
    """S4."""
    by_name = {run.name: run for run in runs}
    polar, exponential, coupled = (by_name[name] for name in (POLAR, EXPONENTIAL, COUPLED))
    stuck = float(coupled.loss.min())
    met = exponential.final < REACHED_EXPONENTIAL and polar.final < REACHED_POLAR and stuck > STUCK
    turned = float(np.unwrap(np.angle(coupled.eigenvalue))[-1]) / np.pi
    shrunk = ", ".join(
        f"{np.abs(run.eigenvalue).min():.3f}" for run in (polar, exponential, coupled)
    )
    order = exponential.final < polar.final
    reproduced = "reproduced" if order else "not reproduced: θ = w ends at the smaller loss"
    return Claim(
        id="S4",
        statement=(
            "Learning the angle of a slowly decaying mode by gradient descent: both uncoupled "
            "phases, θ = w and θ = exp(w), arrive, and the coupled phase of unit sensitivity "
            "stays stuck. All shrink |λ| on the way."
        ),
        source=figure(7),
        expected=(
            f"largest loss of the last {LAST:,} of {settings.steps:,} Adam steps < "
            f"{REACHED_EXPONENTIAL:g} (exp), < {REACHED_POLAR:g} (θ = w); loss > {STUCK:g} "
            "throughout (coupled)"
        ),
        measured=(
            f"{exponential.final:.1e} (exp), {polar.final:.1e} (θ = w), at least {stuck:.2f} "
            f"(coupled; ends at |λ| = {abs(coupled.eigenvalue[-1]):.3f}, angle {turned:.2f}π), "
            f"from {polar.loss[0]:.3f}; loss < 1 at step {_first(exponential)} (exp), "
            f"{_first(polar)} (θ = w), {_first(coupled)} (coupled); smallest |λ| of θ = w, exp, "
            f"coupled {shrunk} (one run each, float64, learning rate {settings.learning_rate:g})"
        ),
        verdict=verdict(met),
        note=(
            f"The published order, exp better than θ = w, is {reproduced}. The criterion asks "
            "less of θ = w because the published run oscillates (loss 1e-3 to 1e-1). Rounding is "
            "enough to make it do so: here the loss is computed without cancellation, its "
            "gradient vanishes at the optimum and the run settles there; written as a difference "
            f"of large terms it ends at {by_name[CANCELLING].final:.1e}, as Adam magnifies the "
            "rounding errors. The coupled phase is dragged by the magnitude to another lap of the "
            "circle, and at the end still climbs the needle there, slowly."
        ),
    )


def _first(run: Descent) -> str:
    """The first step with a loss below 1, or "never"."""
    step = run.first_below(1)
    return "never" if step is None else f"{step:,}"
