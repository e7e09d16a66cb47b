"""The two facts everything else rests on: what the loss is, and what gradient flow conserves."""

import numpy as np

from remanence.report import AbstractProgress, NamedFigure
from remanence.studies.contract import Claim, Finding, Part, verdict
from remanence.studies.low_dimensional.identities_figures import drift_figure
from remanence.studies.low_dimensional.identities_measures import (
    FULL,
    QUICK,
    ConservationErrors,
    Drift,
    IdentitySettings,
    LossErrors,
    conservation_errors,
    loss_errors,
    measure_drift,
)
from remanence.studies.low_dimensional.sources import PAPER

_MONTE_CARLO, _EXACT = 0.01, 1e-12
# First order means exactly one half as the step vanishes; 5 % is for the next order.
_HALVING = 0.525


def run_identities(settings: IdentitySettings, progress: AbstractProgress) -> Finding:
    """Measure T1 (the loss is the distance of impulse responses) and T2 (conservation)."""
    progress.update(0.0, "simulating white input")
    losses = loss_errors(settings)
    progress.update(0.3, "checking the conservation law")
    conserved = conservation_errors(settings)
    progress.update(0.5, "gradient descent at several step sizes")
    drift = measure_drift(settings)
    progress.update(1.0, "identities done")
    size, seeds = drift.balancedness.shape
    return Finding(
        title="What the loss is, and what gradient flow conserves",
        text=(
            "Under white input the square loss of the last output is the squared distance of the "
            "impulse responses over the training length. It is blind to a change of basis of the "
            "state, and so gradient flow conserves the balancedness "
            "M = A Aᵀ − Aᵀ A + B Bᵀ − Cᵀ C: a student that starts near zero stays nearly "
            "balanced. Gradient descent with step η changes M by η² M(∇L) a step, which adds up "
            "to a drift proportional to η over a fixed time."
        ),
        claims=(loss_claim(losses, settings), conservation_claim(conserved, drift, settings)),
        figures=(
            NamedFigure(
                "balancedness-drift",
                drift_figure(drift, settings.time),
                "How far gradient descent moves the balancedness M, and its trace "
                f"‖B‖² − ‖C‖², by time η · steps = {settings.time:g}, against the step size η: a "
                f"dot per seed ({seeds}) and their median. Dashed: proportional to η, through the "
                "median at the smallest step.",
            ),
        ),
        tables={
            "balancedness_drift": {
                "step_size": np.repeat(drift.step_sizes, seeds),
                "seed": np.tile(settings.seed + np.arange(seeds), size),
                "drift": drift.balancedness.ravel(),
                "trace_drift": drift.trace.ravel(),
            },
            "loss_identity": {
                "seed": settings.seed + np.arange(seeds),
                "monte_carlo_relative_error": losses.monte_carlo,
                "empirical_relative_error": losses.empirical,
            },
        },
    )


def loss_claim(errors: LossErrors, settings: IdentitySettings) -> Claim:
    """T1 from the measured errors."""
    monte_carlo, empirical = np.max(errors.monte_carlo), np.max(errors.empirical)
    return Claim(
        id="T1",
        statement=(
            "Under white input the expected square loss of the last of k outputs is the sum of "
            "squared differences of the first k Markov parameters; on any finite data it is "
            "their quadratic form with the second moment of the reversed inputs."
        ),
        source="derived (I1, I2)",
        expected=(
            f"Monte Carlo within {_MONTE_CARLO:.0%} of Σ_(j<k) (g_j − ĝ_j)²; empirical loss "
            f"within {_EXACT:g} (relative) of its quadratic form"
        ),
        measured=(
            f"largest relative error over {len(errors.monte_carlo)} students of dimension "
            f"{settings.state} at k = {settings.length}: {monte_carlo:.2%} with "
            f"{settings.samples} sequences; {empirical:.1e} on {settings.windows} coloured ones"
        ),
        verdict=verdict(monte_carlo < _MONTE_CARLO and empirical <= _EXACT),
    )


def conservation_claim(
    errors: ConservationErrors, drift: Drift, settings: IdentitySettings
) -> Claim:
    """T2 from the measured errors and drifts."""
    pointwise, one_step, trace = (
        float(np.max(values)) for values in (errors.pointwise, errors.one_step, errors.trace)
    )
    ratios = drift.ratios
    worst = float(np.max(ratios))
    median = np.median(drift.trace, axis=1)
    trace_worst = float(np.max(drift.trace[1:] / drift.trace[:-1]))
    met = (
        max(pointwise, one_step, trace) <= _EXACT and worst <= _HALVING and trace_worst <= _HALVING
    )
    return Claim(
        id="T2",
        statement=(
            "Gradient flow conserves M = A Aᵀ − Aᵀ A + B Bᵀ − Cᵀ C, and with it ‖B‖² − ‖C‖²; "
            "gradient descent with step η lets them drift by O(η) in a fixed time."
        ),
        source=f"derived (I3, I5); balancedness as in {PAPER}",
        expected=(
            f"pointwise identity I3, one-step identity I5 and its trace within {_EXACT:g} of the "
            f"size of their terms; drift of M and of ‖B‖² − ‖C‖² by a fixed time at most "
            f"{_HALVING:g} times as large, in every seed, when η halves"
        ),
        measured=(
            f"I3 {pointwise:.1e}, I5 {one_step:.1e}, trace {trace:.1e} (largest over "
            f"{len(errors.pointwise)} cases, population and empirical loss); drift ratio per "
            f"halving {np.min(ratios):.4f} to {worst:.4f} for M, at most {trace_worst:.4f} for "
            f"the trace, to time {settings.time:g} in {ratios.shape[1]} seeds; at "
            f"η = {drift.step_sizes[-1]:g} median drift of M "
            f"{np.median(drift.balancedness[-1]):.1e}, of the trace {median[-1]:.1e}"
        ),
        verdict=verdict(met),
    )


IDENTITIES = Part("identities", run_identities, {"quick": QUICK, "full": FULL}, weight=2.0)
