"""How the power of states and of their sensitivity grows with memory, and what bounds it."""

import numpy as np

from remanence.report import AbstractProgress, NamedFigure
from remanence.studies.contract import Finding, Part
from remanence.studies.sensitivity.moments_claims import (
    peak_claim,
    plateau_claim,
    printed_claim,
    simulation_claim,
    slope_claim,
    spectrum_claim,
    weight_claim,
)
from remanence.studies.sensitivity.moments_comparisons import (
    Spectrum,
    measured_slopes,
    over_theory,
    peaks,
    plateaus,
    printed_form,
    spectrum_ratios,
)
from remanence.studies.sensitivity.moments_figures import (
    disc_figure,
    growth_figure,
    plateau_figure,
)
from remanence.studies.sensitivity.moments_measures import (
    Simulated,
    simulated_moments,
    weight_sensitivities,
)
from remanence.studies.sensitivity.moments_settings import FULL, QUICK, MomentSettings


def run_moments(settings: MomentSettings, progress: AbstractProgress) -> Finding:
    """Measure S1a to S1d, S2a, S2b, E1 and S10c, and draw figures 1A, 2 and 8."""
    progress.update(0.0, "simulating states and their sensitivities")
    simulated = simulated_moments(
        settings, lambda share: progress.update(0.55 * share, "simulating sensitivities")
    )
    ratios = over_theory(simulated)
    progress.update(0.6, "running impulses through the recurrence")
    slopes, spectrum = measured_slopes(settings), spectrum_ratios(settings)
    weights = weight_sensitivities(settings)
    state, sensitivity = plateaus(settings.plateau_magnitude)
    progress.update(0.75, "double sums")
    printed, discs = printed_form(settings, simulated), peaks(settings)
    progress.update(0.85, "drawing")
    figures = (
        NamedFigure(
            "sensitivity-memory",
            growth_figure(settings, simulated, ratios, weights),
            "Longer memory, sharper loss, though no gradient explodes. Left: lines are theory; "
            "circles and squares Monte Carlo, diamonds the largest |∂h_(t+k)/∂h_t|, k ≥ 1, which "
            "never reaches 1. The state is also the sensitivity to the input weight b. Right: "
            "every simulated mean over its closed form, circles E|∂h/∂λ|², squares E|h|², bars "
            f"two standard errors over {settings.chains} independent chains of "
            f"{settings.length - settings.burn_in:,} kept steps.",
        ),
        NamedFigure(
            "sensitivity-plateaus",
            plateau_figure(),
            "What normalising the input, γ = √(1 − λ²), and the coordinate λ = exp(−e^w) bound, "
            "γ held fixed: each ρ < 1 levels off at (1 + ρ)/(1 − ρ), or half of it, once the "
            "memory exceeds the correlation time; a constant input never does. Lines: theory. "
            "Points: the recurrence run on an impulse (ρ < 1) or a constant (ρ = 1), exact, no "
            "averaging.",
        ),
        NamedFigure(
            "sensitivity-coupling",
            disc_figure(settings, discs),
            "Top: coupling of the sensitivities of λ and λ₀ over the disc, corrected formula; "
            "the largest value jumps from the conjugate of λ₀ to λ = 1 as ρ → 1. Bottom: the "
            "numerator typed in the published notebook over the derived one (colours end at ¼ "
            "and 4): equal at ρ = 0 and 1, near the peak 1/(1 + ρ) between.",
        ),
    )
    progress.update(1.0, "moments done")
    return Finding(
        title="The curse of memory, and what tames it",
        text=(
            "A state h_t = λ h_(t−1) + x_t remembers about 1/ε steps, ε = 1 − |λ|. Its power "
            "grows as 1/ε; its sensitivity to λ, which makes the loss sharp, as 1/ε³, faster "
            "still if inputs are correlated in time. The Jacobians that carry gradients through "
            "time stay below 1 all the while: the same parameter acts at every step, and it is "
            "the sum that grows. Normalising the input and moving λ in the coordinate "
            "λ = exp(−e^w) bound both as long as inputs do not stay correlated for longer than "
            "the memory."
        ),
        claims=(
            simulation_claim(settings, ratios),
            slope_claim(settings, slopes),
            spectrum_claim(settings, spectrum),
            weight_claim(weights),
            plateau_claim("S2a", state, settings.plateau_magnitude),
            plateau_claim("S2b", sensitivity, settings.plateau_magnitude),
            peak_claim(settings, discs),
            printed_claim(settings, printed),
        ),
        figures=figures,
        tables={
            "moments_monte_carlo": _simulated_table(simulated, ratios),
            "moments_spectrum": _spectrum_table(settings, spectrum),
            "moments_weights": {
                "gap": weights.gaps,
                "recurrent_sensitivity": weights.recurrent,
                "input_sensitivity": weights.input,
                "largest_jacobian": weights.jacobian,
            },
            "moments_plateaus": {
                "correlation": np.array(state.correlations),
                "state": state.measured,
                "state_formula": state.formulas,
                "sensitivity": sensitivity.measured,
                "sensitivity_formula": sensitivity.formulas,
            },
            "moments_peaks": {
                "correlation": np.array(discs.correlations),
                "magnitude": discs.magnitudes,
                "angle_over_pi": discs.angles,
                "peak": discs.peaks,
            },
            "moments_printed_formula": {
                "correlation": printed.correlations,
                "largest_error_derived": printed.derived_sums.max(axis=1),
                "largest_error_typed": printed.typed_sums.max(axis=1),
                "typed_over_derived_at_conjugate": printed.at_anchor,
            },
        },
    )


def _simulated_table(simulated: Simulated, ratios: Simulated) -> dict[str, np.ndarray]:
    rows, columns = simulated.state.shape
    return {
        "magnitude": np.repeat(np.abs(simulated.eigenvalues), columns),
        "phase": np.repeat(np.angle(simulated.eigenvalues), columns),
        "correlation": np.tile(simulated.correlations, rows),
        "state": simulated.state.ravel(),
        "state_over_theory": ratios.state.ravel(),
        "state_standard_error": ratios.state_error.ravel(),
        "sensitivity": simulated.sensitivity.ravel(),
        "sensitivity_over_theory": ratios.sensitivity.ravel(),
        "sensitivity_standard_error": ratios.sensitivity_error.ravel(),
    }


def _spectrum_table(settings: MomentSettings, spectrum: Spectrum) -> dict[str, np.ndarray]:
    angles, correlations = settings.angles, settings.spectrum_correlations
    return {
        "angle": np.repeat(angles, len(correlations)),
        "correlation": np.tile(correlations, len(angles)),
        "state_over_law": spectrum.state.ravel(),
        "sensitivity_over_law": spectrum.sensitivity.ravel(),
    }


MOMENTS = Part("moments", run_moments, {"quick": QUICK, "full": FULL}, weight=8.0)
