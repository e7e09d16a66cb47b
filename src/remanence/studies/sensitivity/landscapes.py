"""What memory does to the landscape of the loss, and which coordinates undo it."""

import numpy as np

from remanence.report import AbstractProgress, NamedFigure
from remanence.studies.contract import Finding, Part
from remanence.studies.sensitivity.landscapes_claims import (
    angle_claim,
    curvature_claim,
    decoupling_claim,
    invariance_claim,
)
from remanence.studies.sensitivity.landscapes_descent import Descent, descents
from remanence.studies.sensitivity.landscapes_figures import (
    angle_figure,
    landscape_figure,
    log_spaced,
)
from remanence.studies.sensitivity.landscapes_measures import (
    coupled_metrics,
    curvature_of_sums,
    measured_curvatures,
    measured_invariance,
)
from remanence.studies.sensitivity.landscapes_settings import FULL, QUICK, LandscapeSettings
from remanence.theory import gaussian_curvature

_RECORDS = 300


def run_landscapes(settings: LandscapeSettings, progress: AbstractProgress) -> Finding:
    """Measure S3a, S3b, S3c and S4, and draw figures 1B, 1C, 6 and 7."""
    progress.update(0.0, "curvatures of the loss")
    curvatures = measured_curvatures(settings)
    progress.update(0.3, "two recurrences on the same inputs")
    invariance = measured_invariance(
        settings, lambda share: progress.update(0.3 + 0.1 * share, "simulating two recurrences")
    )
    magnitudes, phases = (np.array(column) for column in zip(*settings.coupled, strict=True))
    metrics = coupled_metrics(magnitudes, phases, settings.terms)
    places = np.array(settings.curvature_magnitudes)
    curved = np.array([curvature_of_sums(float(nu), settings.stencil) for nu in places])
    closed = np.asarray(gaussian_curvature(places))
    progress.update(0.5, "learning an angle")
    runs = descents(
        settings, lambda share: progress.update(0.5 + 0.3 * share, "learning an angle")
    )
    progress.update(0.85, "drawing")
    figures = (
        NamedFigure(
            "loss-landscapes",
            landscape_figure(settings, curvatures),
            "A longer memory makes the loss steep in the magnitude and a needle in the phase; "
            "normalised, and in the coordinate w, the same valley is only moved along. White "
            "input, one eigenvalue, teachers of four memories. Lines: theory; points: sums over "
            "impulse responses (last panel: autodiff). The coupled phase has unit curvature too "
            "(crosses), and periodic minima where the memory is short.",
        ),
        NamedFigure(
            "learning-angle",
            angle_figure(settings, runs),
            f"λ starts at {settings.start[0]:g} e^(iπ{settings.start[1]:g}) and should become "
            f"{settings.teacher[0]:g} e^(iπ{settings.teacher[1]:g}); Adam, learning rate "
            f"{settings.learning_rate:g}, ν = tanh w, one run each. All shrink |λ| on the way, "
            "where the plateau is lower; the coupled phase is dragged along, once round the "
            "circle. Thin lines: level sets of the loss. Right: largest loss in each of 120 "
            "log-spaced stretches, down to the smallest (shade); dotted: the loss at the start. "
            "Grey: the loss as a difference of large terms, whose rounding Adam magnifies. The "
            "loss of θ = w becomes exactly 0 and leaves the axis.",
        ),
    )
    progress.update(1.0, "landscapes done")
    return Finding(
        title="Landscapes of one eigenvalue, and their coordinates",
        text=(
            "A teacher with a long memory is found in a narrow valley: the loss grows without "
            "bound as |λ| → 1, and as a function of the angle it is a plateau with a needle. "
            "Normalising the input and moving the magnitude in artanh ν make the valley the same "
            "at every memory, 1 − sech(a − b). The angle admits no such cure: the metric is "
            "curved, and a phase of unit sensitivity makes the magnitude drag the angle along."
        ),
        claims=(
            curvature_claim(curvatures),
            invariance_claim(settings, invariance),
            decoupling_claim(settings, curved, closed, metrics),
            angle_claim(settings, runs),
        ),
        figures=figures,
        tables={
            "landscape_curvatures": {
                "gap": curvatures.gaps,
                "tanh_largest": curvatures.peak_tanh,
                "exponential_largest": curvatures.peak_exponential,
                "exponential_at_optimum": curvatures.at_exponential,
                "polar_magnitude": curvatures.polar_magnitude,
                "polar_phase": curvatures.polar_phase,
                "coupled_phase": curvatures.coupled_phase,
            },
            "landscape_invariance": {
                "gap": np.repeat(settings.gaps, len(settings.offsets)),
                "offset": np.tile(settings.offsets, len(settings.gaps)),
                "loss": invariance.sums.ravel(),
            },
            "landscape_simulated": {
                "gap": np.repeat(settings.simulated_gaps, len(settings.simulated_offsets)),
                "offset": np.tile(settings.simulated_offsets, len(settings.simulated_gaps)),
                "loss": invariance.simulated.ravel(),
                "standard_error": invariance.errors.ravel(),
            },
            "gaussian_curvature": {"magnitude": places, "measured": curved, "closed": closed},
            "coupled_metric": {
                "magnitude": magnitudes,
                "phase": phases,
                "metric_magnitude": metrics[:, 0, 0],
                "metric_crossed": metrics[:, 0, 1],
                "metric_phase": metrics[:, 1, 1],
            },
            "learning_angle": _records(runs),
        },
    )


def _records(runs: list[Descent]) -> dict[str, np.ndarray]:
    keep = log_spaced(len(runs[0].loss), _RECORDS)
    paths = [run.eigenvalue[keep] for run in runs]
    return {
        "parametrisation": np.repeat([run.name for run in runs], len(keep)),
        "step": np.tile(keep, len(runs)),
        "loss": np.concatenate([run.loss[keep] for run in runs]),
        "magnitude": np.abs(np.concatenate(paths)),
        "phase": np.angle(np.concatenate(paths)),
    }


LANDSCAPES = Part("landscapes", run_landscapes, {"quick": QUICK, "full": FULL}, weight=8.0)
