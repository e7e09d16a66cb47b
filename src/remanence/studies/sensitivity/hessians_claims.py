"""Dense against diagonal Hessians (S5a to S5d, S5f): criteria and measurements in words."""

from collections.abc import Mapping

import numpy as np

from remanence.studies.contract import Claim, verdict
from remanence.studies.sensitivity.hessians_measures import (
    RANK,
    RANK_SHARE,
    Conditioning,
    InfiniteHorizon,
    exceeds,
    ratio_interval,
)
from remanence.studies.sensitivity.hessians_settings import HessianSettings
from remanence.studies.sensitivity.hessians_teachers import DENSE, DIAGONAL, LRU, S4
from remanence.studies.sensitivity.sources import figure

Measures = Mapping[str, Conditioning]

_TIMES_CONDITION, _TIMES_SPREAD, _DECADES = 10.0, 1.5, 1.0
_MIXED, _APART = 0.65, 0.95


def rank_claim(s: HessianSettings, found: Measures, infinite: InfiniteHorizon) -> Claim:
    """S5a: how many directions the loss feels."""
    both = (found[DENSE.name], found[DIAGONAL.name])
    met = all(np.all(one.rank == RANK) for one in both)
    told = ", ".join(
        f"{name} {np.sum(one.rank == RANK)} of {one.rank.size}" for name, one in found.items()
    )
    return Claim(
        id="S5a",
        statement=(
            "At a perfect fit the Hessian of a student of order N = 4, single input and output, "
            "has rank 2N + 1 = 9, dense or complex diagonal (25 parameters each)."
        ),
        source=figure(4),
        expected=(
            f"rank {RANK} for both students in all {s.teachers} teachers: singular values of "
            f"√W ∂k/∂w with columns of norm 1, above {RANK_SHARE:g} of the largest"
        ),
        measured=(
            f"rank {RANK}: {told}. Smallest 9th and largest 10th singular value, of the first: "
            + "; ".join(
                f"{name} {np.min(one.kept):.1e}, {np.max(one.dropped):.0e}"
                for name, one in found.items()
            )
        ),
        verdict=verdict(met),
        note=(
            f"The Hessian measured here and in S5b to S5d is that of the expected loss over "
            f"T = {s.horizon} steps, as published, not of a batch. Scaling columns keeps the rank "
            "and makes it plain; on the Hessian itself the 9th eigenvalue of some dense "
            "teachers is lost in rounding. The closed forms for T = ∞ agree with sums over "
            f"{s.long_horizon} steps to {np.max(infinite.errors):.0e} (‖·‖, {s.checked} teachers)."
        ),
    )


def condition_claim(s: HessianSettings, found: Measures, infinite: InfiniteHorizon) -> Claim:
    """S5b: what an optimiser with one step size per parameter feels."""
    dense, diagonal = (found[n].scaled_condition for n in (DENSE.name, DIAGONAL.name))
    ratio = np.median(dense) / np.median(diagonal)
    raw = np.median(found[DENSE.name].condition) / np.median(found[DIAGONAL.name].condition)
    low, high = ratio_interval(dense, diagonal, s)
    exact, other = (
        np.nanmedian(infinite.scaled_condition[n]) for n in (DENSE.name, DIAGONAL.name)
    )
    return Claim(
        id="S5b",
        statement=(
            "After Jacobi preconditioning, which an optimiser with one step size per parameter "
            "can do, the dense Hessian is far worse conditioned than the complex-diagonal one."
        ),
        source=f"{figure(4)}; criterion derived",
        expected=f"ratio of median condition numbers λ_1/λ_9 > {_TIMES_CONDITION:g}",
        measured=(
            f"medians over {s.teachers} teachers: {_medians(found, 'scaled_condition')}; dense / "
            f"complex diagonal {ratio:.1f}, 95 % bootstrap interval {low:.1f} to {high:.1f}; "
            f"before preconditioning {_medians(found, 'condition')}, ratio {raw:.1f}"
        ),
        verdict=verdict(ratio > _TIMES_CONDITION),
        note=(
            "The dense condition varies over decades between teachers (quartiles "
            f"{_quartiles(dense)}), so that medians of 60 scatter{_scatter(dense, diagonal)}; "
            "an earlier set of 60 gave 223 and 10.4. At T = ∞ the medians of these teachers are "
            f"{exact:.3g} and {other:.3g}. Preconditioning does not create the gap between these "
            f"medians, {raw:.1f} before and {ratio:.1f} after; against LRU and S4-like it does "
            f"({_before_and_after(found, LRU.name)}, {_before_and_after(found, S4.name)})."
        ),
    )


def spread_claim(s: HessianSettings, found: Measures) -> Claim:
    """S5c: over how many parameters the sharp directions are spread."""
    dense, diagonal = (found[n].participation for n in (DENSE.name, DIAGONAL.name))
    ratio = np.median(dense) / np.median(diagonal)
    low, high = ratio_interval(dense, diagonal, s)
    return Claim(
        id="S5c",
        statement="The leading eigenvectors of the dense Hessian are spread over more parameters.",
        source=f"{figure(4)}; criterion derived",
        expected=(
            f"participation ratio (Σv²)²/Σv⁴, mean of the 4 leading eigenvectors: ratio of "
            f"medians, dense / complex diagonal, > {_TIMES_SPREAD:g}"
        ),
        measured=(
            f"medians over {s.teachers} teachers: {_medians(found, 'participation')}; ratio "
            f"{ratio:.2f}, 95 % bootstrap interval {low:.2f} to {high:.2f}; share of H off its "
            f"diagonal {_medians(found, 'off_diagonal')}"
        ),
        verdict=verdict(ratio > _TIMES_SPREAD),
        note=(
            "The complex-diagonal student holds λ and its conjugate as two modes, so that every "
            "eigenvector has at least two equal parts: 2 is its least participation ratio and "
            "most of its share off the diagonal."
        ),
    )


def spectra_claim(s: HessianSettings, found: Measures) -> Claim:
    """S5d: the spectra are similar."""
    dense = found[DENSE.name]
    gaps = {
        name: (_decades(dense.largest, one.largest), _decades(dense.condition, one.condition))
        for name, one in found.items()
        if name != DENSE.name
    }
    told = "; ".join(f"{name} {a:+.2f}, {b:+.2f}" for name, (a, b) in gaps.items())
    missing = [name for name, pair in gaps.items() if max(map(abs, pair)) > _DECADES]
    return Claim(
        id="S5d",
        statement="Dense and diagonal parametrisations have Hessians of similar spectra.",
        source=figure(4),
        expected=(
            f"medians of λ_max and of λ_1/λ_9 of the dense student within {_DECADES:g} decade "
            "of those of every diagonal one"
        ),
        measured=(
            f"medians over {s.teachers} teachers: λ_max {_medians(found, 'largest')}; λ_1/λ_9 "
            f"{_medians(found, 'condition')}; log₁₀ dense / diagonal of the two: {told}"
        ),
        verdict=verdict(not missing),
        note=(
            (f"Missed by {' and '.join(missing)}. " if missing else "")
            + "The limit was tightened from 1.5 decades after review: that lay just above medians "
            "known before the run."
        ),
    )


def preconditioner_claim(s: HessianSettings, found: Measures) -> Claim:
    """S5f: what tells dense from LRU and S4-like; complex diagonal beside them, not judged."""
    dense, met, told = found[DENSE.name], True, []
    for name in (LRU.name, S4.name, DIAGONAL.name):
        one = found[name]
        largest = exceeds(dense.largest, one.largest)
        raw = exceeds(dense.condition, one.condition)
        scaled = exceeds(dense.scaled_condition, one.scaled_condition)
        if name != DIAGONAL.name:
            met &= all(1 - _MIXED <= p <= _MIXED for p in (largest, raw)) and scaled > _APART
        told.append(f"{name} {largest:.2f}, {raw:.2f}, {scaled:.2f}")
    return Claim(
        id="S5f",
        statement=(
            "One cannot tell a dense Hessian from that of an LRU or S4-like layer by its "
            "spectrum, but one can by its condition number after Jacobi preconditioning: the "
            "eigenvectors differ."
        ),
        source=f"reading of {figure(4)}; criterion derived",
        expected=(
            "share of pairs of teachers (one dense, one diagonal) in which the dense value is "
            f"larger, against LRU and S4-like: {1 - _MIXED:.2f} to {_MIXED:g} for λ_max and "
            f"λ_1/λ_9, above {_APART:g} for λ_1/λ_9 after preconditioning"
        ),
        measured=(
            f"all {s.teachers}² pairs, shares for λ_max, λ_1/λ_9 and λ_1/λ_9 preconditioned: "
            f"{'; '.join(told)} (contrast, not judged)"
        ),
        verdict=verdict(met),
        note=(
            "Criterion set after the medians of a prototype were known, before these shares were, "
            "as 0.15 to 0.85 against complex diagonal and LRU; narrowed, and confined to these "
            "two students, after review, when the shares were known. The complex diagonal "
            "student does differ by its spectrum (S5b, S5d)."
        ),
    )


def _scatter(dense: np.ndarray, diagonal: np.ndarray) -> str:
    """The medians of disjoint sets of 60 teachers, where there are several."""
    sets = dense.size // 60
    if sets < 2:
        return " (600 of them in the full preset)"
    first, second = (
        np.median(values[: 60 * sets].reshape(sets, 60), axis=1) for values in (dense, diagonal)
    )
    ratios = first / second
    return (
        f" (over {sets} disjoint sets {np.min(first):.3g} to {np.max(first):.3g}, ratio "
        f"{np.min(ratios):.1f} to {np.max(ratios):.1f}, above {_TIMES_CONDITION:g} in "
        f"{np.sum(ratios > _TIMES_CONDITION)})"
    )


def _before_and_after(found: Measures, name: str) -> str:
    """Ratios of medians, dense over this student, raw and preconditioned."""
    dense, one = found[DENSE.name], found[name]
    raw = np.median(dense.condition) / np.median(one.condition)
    scaled = np.median(dense.scaled_condition) / np.median(one.scaled_condition)
    return f"{name} {raw:.1f} before and {scaled:.1f} after"


def _decades(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.log10(np.median(first) / np.median(second)))


def _medians(found: Measures, measure: str) -> str:
    return ", ".join(
        f"{name} {np.median(getattr(one, measure)):.3g}" for name, one in found.items()
    )


def _quartiles(values: np.ndarray) -> str:
    low, high = np.quantile(values, [0.25, 0.75])
    return f"{low:.3g} and {high:.3g}"
