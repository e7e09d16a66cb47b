"""The descent part against T6, T7 and T8: criteria and measurements in words."""

from collections.abc import Sequence

import numpy as np

from remanence.studies.contract import Claim, verdict
from remanence.studies.low_dimensional.descent_settings import (
    DELAY_NEAR_ZERO,
    DescentSettings,
    Grid,
    teacher_rank,
)
from remanence.studies.low_dimensional.ensembles import NEAR_ZERO, STANDARD, Ensemble
from remanence.studies.low_dimensional.sources import KEMPF_NESS
from remanence.studies.wording import listed

_SOURCE = "Cohen-Karlik et al. (2023), §4"


def threshold_claim(s: DescentSettings, ensembles: Sequence[Ensemble]) -> Claim:
    """T6 from the ensembles of every training length."""
    threshold = 2 * s.order
    below = [e for e in ensembles if e.job.length < threshold]
    above = [e for e in ensembles if e.job.length >= threshold]
    exact = teacher_rank(s)
    ranks = [float(np.median(e.rank)) for e in above]
    met = (
        all(np.median(e.extrapolation) > 1e-3 for e in below)
        and all(np.median(e.extrapolation) < 1e-3 for e in above)
        and all(abs(rank - exact) <= 0.05 for rank in ranks)
    )
    return Claim(
        id="T6",
        statement=(
            "From a start near zero, gradient descent extrapolates as soon as the training length "
            "reaches twice the teacher's order, whatever the student's own dimension."
        ),
        source=f"{_SOURCE}; onset at k = 2d̂ (the theorem asks for k > 2d̂) measured",
        expected=(
            f"median extrapolation error > 1e-3 for k ≤ {threshold - 1} and < 1e-3 for "
            f"k ≥ {threshold} (d̂ = {s.order}, d = {s.dimension}, σ = {NEAR_ZERO:g}); effective "
            f"rank within 0.05 of the teacher's {exact:.3f} for k ≥ {threshold}"
        ),
        measured=(
            f"{_errors(ensembles)}; median effective rank {min(ranks):.3f} to {max(ranks):.3f} "
            f"for k ≥ {threshold} ({s.seeds} seeds)"
        ),
        verdict=verdict(met),
        note=(
            "The loss at the end, and so the error, is set by the budget of steps for k ≥ "
            f"{threshold}: error and loss fall together, so read the two curves together."
        ),
    )


def width_claim(s: DescentSettings, ensembles: Sequence[Ensemble]) -> Claim:
    """T6 at one training length, from students of every dimension."""
    errors = [float(np.median(e.extrapolation)) for e in ensembles]
    told = ", ".join(
        f"{e.job.dimension}: {error:.1e}" for e, error in zip(ensembles, errors, strict=True)
    )
    return Claim(
        id="T6-width",
        statement="The student's dimension does not change whether it extrapolates.",
        source=f"{_SOURCE}; the guarantee does not depend on d",
        expected=(
            f"median extrapolation error < 1e-4 at every d in {min(s.widths)} … {max(s.widths)} "
            f"(k = {s.width_length}, σ = {NEAR_ZERO:g})"
        ),
        measured=(
            f"d: error {told}; loss ≤ {max(e.loss.max() for e in ensembles):.1e}, spectral "
            f"radius ≤ {max(e.spectral_radius.max() for e in ensembles):.3f} ({s.seeds} seeds)"
        ),
        verdict=verdict(max(errors) < 1e-4),
        note="Criterion set by us after prototypes.",
    )


def scale_claim(s: DescentSettings, grid: Grid) -> Claim:
    """T7 from the starts near zero and the standard ones."""
    met, told = True, []
    for k in s.scale_lengths:
        near, standard = grid[NEAR_ZERO, k], grid[STANDARD, k]
        error, rank = np.median(near.extrapolation), np.median(near.rank)
        wild, high = np.median(standard.extrapolation), np.median(standard.rank)
        worst = max(near.loss.max(), standard.loss.max())
        met &= bool(error < 1e-4 and rank < 2.05 and wild > 0.1 and high > 4 and worst < 1e-8)
        told.append(
            f"k = {k}: σ = {NEAR_ZERO:g} error {error:.1e}, rank {rank:.3f}, loss ≤ "
            f"{near.loss.max():.0e}, spectral radius {np.median(near.spectral_radius):.2f}; "
            f"σ = 1 error {wild:.2g}, rank {high:.2f}, loss ≤ {standard.loss.max():.0e}, spectral "
            f"radius {np.median(standard.spectral_radius):.2f} ({standard.stable.sum()} of "
            f"{standard.job.seeds} stable)"
        )
    return Claim(
        id="T7",
        statement=(
            "The start decides: near zero the student is as low-dimensional as its teacher and "
            "extrapolates; from a standard start it fits as well and does neither."
        ),
        source=f"{_SOURCE}; criteria derived from prototypes",
        expected=(
            f"for k = {listed(s.scale_lengths)}: medians at σ = {NEAR_ZERO:g} error < 1e-4, "
            "effective rank < 2.05; at σ = 1 error > 0.1, effective rank > 4; every loss < 1e-8"
        ),
        measured=f"{'. '.join(told)} ({s.seeds} and {s.standard_seeds} seeds)",
        verdict=verdict(met),
        note=(
            "Most students from σ = 1 are unstable and have no infinite Hankel matrix; their "
            "effective rank is that of the k × k matrix of the first 2k − 1 lags. Effective rank "
            "at σ = 1, k = 7 is close to 4: with 5 seeds the median is a coin toss (3.9 to 4.0), "
            "so the number of seeds was raised after seeing that; the specification's 7.1 and "
            "error .75 were not reproduced."
        ),
    )


def balance_claim(s: DescentSettings, grid: Grid) -> Claim:
    """T7's imbalance, against the scale of the start."""
    k = s.scale_lengths[0]
    scales = [x for x in s.scales if x <= 0.1]
    imbalance = [float(np.median(grid[x, k].imbalance)) for x in scales]
    slope = _slope(scales, imbalance)
    return Claim(
        id="T7-balance",
        statement="What is left of imbalance after training is proportional to the start's scale.",
        source=f"{_SOURCE}; the law of proportion derived from the conserved quantity",
        expected=(
            f"log-log slope of ‖B − Cᵀ‖ / ‖B + Cᵀ‖ against σ within 1 ± 0.15 over "
            f"{min(scales):g} … {max(scales):g} (k = {k})"
        ),
        measured=(
            f"slope {slope:.3f}; imbalance {imbalance[0]:.1e} at σ = {scales[0]:g}, "
            f"{imbalance[-1]:.1e} at σ = {scales[-1]:g} (medians of {s.seeds} seeds)"
        ),
        verdict=verdict(abs(slope - 1) <= 0.15),
    )


def delay_claim(s: DescentSettings, grid: Grid) -> Claim:
    """T8 from the students of the delay that start near zero."""
    order = s.delay_order
    before, at, after = (grid[DELAY_NEAR_ZERO, k] for k in (2 * order - 1, 2 * order, 3 * order))
    rank = float(np.median(after.rank))
    errors = [float(np.median(e.extrapolation)) for e in (before, at, after)]
    met = errors[0] > 1 and errors[1] < 0.1 and errors[2] < 1e-5 and abs(rank - order) <= 0.05
    return Claim(
        id="T8",
        statement=(
            "A delay is learned too, though its teacher is not balanced and the theorem does "
            "not cover it: long-term memory, in as few states as the delay has."
        ),
        source=f"{_SOURCE}; unbalanced teacher",
        expected=(
            f"delay d̂ = {order}, d = {s.delay_dimension}, Adam, σ = {DELAY_NEAR_ZERO:g}: median "
            f"extrapolation error > 1 at k = {2 * order - 1}, < 0.1 at k = {2 * order}, < 1e-5 at "
            f"k = {3 * order}; effective rank {order}.00 ± 0.05 at k = {3 * order}"
        ),
        measured=(
            f"{_errors((before, at, after))}; effective rank {rank:.3f} at k = {3 * order}, "
            f"{np.median(at.rank):.3f} at k = {2 * order} ({s.seeds} seeds)"
        ),
        verdict=verdict(met),
        note=(
            "Adam with a constant step ends each long run on small spikes of the loss; they do "
            "not undo the extrapolation. The criterion names no k for the rank: it is read at "
            f"k = {3 * order}; at k = {2 * order} it is the larger value given."
        ),
    )


def delay_scale_claim(s: DescentSettings, grid: Grid) -> Claim:
    """T8 at the standard scale."""
    k = 3 * s.delay_order
    near, standard = grid[DELAY_NEAR_ZERO, k], grid[STANDARD, k]
    error = float(np.median(standard.extrapolation))
    return Claim(
        id="T8-scale",
        statement="From a standard start the delay is fitted and not extrapolated.",
        source=f"{_SOURCE}; criterion from prototypes",
        expected=f"median extrapolation error > 0.03 at k = {k} for σ = 1",
        measured=(
            f"{error:.2f} (σ = {DELAY_NEAR_ZERO:g}: {np.median(near.extrapolation):.0e}); loss "
            f"≤ {standard.loss.max():.0e}, spectral radius "
            f"{np.median(standard.spectral_radius):.2f}, {standard.stable.sum()} of "
            f"{standard.job.seeds} students stable, effective rank {np.median(standard.rank):.1f} "
            f"(medians of {standard.job.seeds} seeds)"
        ),
        verdict=verdict(error > 0.03),
    )


def norm_claim(s: DescentSettings, ensembles: Sequence[Ensemble]) -> Claim:
    """T8's norm, as the start shrinks."""
    limit = s.delay_order + 1
    scales = [e.job.scale for e in ensembles]
    norms = [float(np.median(e.norm)) for e in ensembles]
    excess = [norm - limit for norm in norms]
    slope = _slope(scales, np.maximum(excess, 1e-12))
    smallest = excess[int(np.argmin(scales))] / limit
    told = ", ".join(f"{x:g}: {n:.3f}" for x, n in zip(scales, norms, strict=True))
    return Claim(
        id="T8-norm",
        statement=(
            "The learned norm ‖A‖² + ‖B‖² + ‖C‖² tends to the least one a delay can have, d̂ + 1, "
            "as the start shrinks."
        ),
        source=KEMPF_NESS,
        expected=(
            f"N − {limit} falls as σ^(2 ± 0.3), and N is within 3 % of {limit} at the smallest σ "
            f"(gradient descent, d = {s.norm_dimension}, k = {s.norm_length})"
        ),
        measured=(
            f"σ: N {told}; exponent {slope:.2f}; {smallest:+.1%} at the smallest σ; loss ≤ "
            f"{max(e.loss.max() for e in ensembles):.0e}, extrapolation error ≤ "
            f"{max(e.extrapolation.max() for e in ensembles):.0e} (medians of {s.seeds} seeds)"
        ),
        verdict=verdict(abs(slope - 2) <= 0.3 and abs(smallest) < 0.03),
        note=(
            f"The start is a saddle of order {s.delay_order}: the steps needed to leave it grow "
            "steeply as σ shrinks, which sets the smallest σ here. Criterion set by us after "
            "prototypes."
        ),
    )


def _errors(ensembles: Sequence[Ensemble]) -> str:
    return "k: median error, loss, spectral radius " + "; ".join(
        f"{e.job.length}: {np.median(e.extrapolation):.1e}, {np.median(e.loss):.0e}, "
        f"{np.median(e.spectral_radius):.2f}"
        for e in ensembles
    )


def _slope(x: Sequence[float], y: Sequence[float] | np.ndarray) -> float:
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])
