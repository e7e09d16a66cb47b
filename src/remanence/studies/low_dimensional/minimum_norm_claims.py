"""The minimum-norm part against T9 and the bridge to reduction, in words."""

from collections.abc import Sequence

import numpy as np

from remanence.studies.contract import Claim, verdict
from remanence.studies.low_dimensional.ensembles import NEAR_ZERO, Ensemble
from remanence.studies.low_dimensional.minimum_norm_measures import Truncation, plateaus
from remanence.studies.low_dimensional.minimum_norm_settings import MinimumNormSettings
from remanence.studies.low_dimensional.sources import KEMPF_NESS
from remanence.studies.wording import listed
from remanence.systems.generators import Teacher


def norm_claim(
    s: MinimumNormSettings, teachers: Sequence[Teacher], norms: Sequence[Sequence[Ensemble]]
) -> Claim:
    """T9 from the starts near zero, for every teacher."""
    near = [row[s.norm_scales.index(NEAR_ZERO)] for row in norms]
    excess = [
        np.abs(e.norm / t.minimal_norm - 1).max() for t, e in zip(teachers, near, strict=True)
    ]
    medians = "; ".join(
        f"{t.name}: {np.median(e.norm):.4f} against {t.minimal_norm:.4f}, loss ≤ "
        f"{e.loss.max():.0e}, error ≤ {e.extrapolation.max():.0e}, spectral radius "
        f"{np.median(e.spectral_radius):.2f}"
        for t, e in zip(teachers, near, strict=True)
    )
    return Claim(
        id="T9",
        statement=(
            "Started near zero, gradient descent ends at the realisation of least norm of what it "
            "learns, for balanced, signed and rotating teachers alike."
        ),
        source=KEMPF_NESS,
        expected=(
            "‖A‖² + ‖B‖² + ‖C‖² of every student within 1 % of the least over similarity of its "
            f"teacher (σ = {NEAR_ZERO:g}, d = {s.dimension}, k = {s.norm_length})"
        ),
        measured=f"medians of {s.seeds} seeds: {medians}; largest departure {max(excess):.2%}",
        verdict=verdict(max(excess) < 0.01),
        note="What remains is the start's own norm in the directions never learned, about σ² d.",
    )


def stair_claim(s: MinimumNormSettings, ensemble: Ensemble, fits: Sequence[float]) -> Claim:
    """T9's rests of the loss, against the best balanced fits."""
    steps, losses = ensemble.trajectory.steps, ensemble.trajectory.losses
    found = [plateaus(steps, row) for row in losses]
    complete = all(len(rests) >= len(fits) for rests in found)
    if complete:
        rested = np.array([rests[: len(fits)] for rests in found])
        departure = float(np.abs(rested / np.array(fits)[None, :] - 1).max())
        told = listed(np.median(rested, axis=0), ".5f")
    else:
        departure, told = np.inf, "fewer rests than orders"
    return Claim(
        id="T9-staircase",
        statement="On its way the loss rests at the best balanced fits of order 1, 2, ….",
        source="derived; best fits by an independent non-negative least-squares search",
        expected=(
            f"every rest within 2 % of the best fits {listed(fits, '.5f')} "
            f"(σ = {s.stair_scale:g}, k = {s.stair_length}, d = {s.dimension})"
        ),
        measured=(
            f"{told} (medians of {s.seeds} seeds), largest departure {departure:.2%}; final loss "
            f"≤ {ensemble.loss.max():.0e}, extrapolation error ≤ "
            f"{ensemble.extrapolation.max():.0e}, spectral radius "
            f"{np.median(ensemble.spectral_radius):.2f}"
        ),
        verdict=verdict(departure < 0.02),
    )


def bridge_claim(
    s: MinimumNormSettings,
    near: Ensemble,
    standard: Ensemble,
    cuts: tuple[Truncation, Truncation],
) -> Claim:
    """B from the truncations of near-zero and of standard students."""
    low, high = (cut.bound[:, s.order] for cut in cuts)
    within = all(
        # 1e-12: the rounding of the gains that are subtracted.
        bool(np.all(cut.error[known] <= cut.bound[known] + 1e-12))
        for cut in cuts
        for known in [np.isfinite(cut.bound)]
    )
    met = (
        within
        and low.size == near.job.seeds
        and high.size > 0
        and bool(np.max(low) < 1e-2)
        and bool(np.nanmin(high) > 0.1)
    )
    spread = f"{np.nanmin(high):.2f} … {np.nanmax(high):.2f}" if high.size else "none is stable"
    lost = f"{np.nanmedian(cuts[1].error[:, s.order]):.2g}" if high.size else "–"
    return Claim(
        id="B",
        statement=(
            "A start near zero makes compression after training free: cutting the student down to "
            "the teacher's order by balanced truncation loses nothing; from σ = 1 it does."
        ),
        source="derived: low Hankel rank from the start, the error bound of balanced truncation",
        expected=(
            f"gain error ≤ 2 Σ_(i>r) σ_i at every order r ≤ {s.orders} of every stable student; "
            f"at r = {s.order} the bound is < 1e-2 σ₁ for every student from σ = {NEAR_ZERO:g} "
            "and > 0.1 σ₁ for every stable one from σ = 1"
        ),
        measured=(
            f"bound respected: {'yes' if within else 'no'}; bound at r = {s.order}: ≤ "
            f"{np.max(low, initial=0):.1e} σ₁ (error ≤ "
            f"{np.max(cuts[0].error[:, s.order], initial=0):.1e} σ₁, {low.size} of "
            f"{near.job.seeds} students stable, loss ≤ {near.loss.max():.0e}) and {spread} σ₁ "
            f"(median error {lost} σ₁, {high.size} of {standard.job.seeds} stable, loss ≤ "
            f"{standard.loss.max():.0e}); k = {s.bridge_length}, d = {s.dimension}"
        ),
        verdict=verdict(met),
        note=(
            "Unstable students have neither Gramians nor a bound; at σ = 1 the claim speaks only "
            "of the stable minority, its best case. Needs enough surplus states: at d = 20 the "
            "least bound from σ = 1 was .01 σ₁."
        ),
    )
