"""Hessians at a perfect fit: dense against diagonal recurrences, and the range of the phases."""

import numpy as np

from remanence.report import AbstractProgress, PartialProgress
from remanence.studies.contract import Finding, Part
from remanence.studies.sensitivity.hessians_angles import AngleRange, measure_angles
from remanence.studies.sensitivity.hessians_angles_claims import angle_claim, angle_share_claim
from remanence.studies.sensitivity.hessians_claims import (
    condition_claim,
    preconditioner_claim,
    rank_claim,
    spectra_claim,
    spread_claim,
)
from remanence.studies.sensitivity.hessians_figures import (
    conditioning_figure,
    growth_figure,
    summary_rows,
    table_rows,
)
from remanence.studies.sensitivity.hessians_growth import Growth, measure_growth
from remanence.studies.sensitivity.hessians_growth_claims import growth_claim
from remanence.studies.sensitivity.hessians_measures import (
    Conditioning,
    jacobians_of,
    measure_conditioning,
    measure_infinite_horizon,
)
from remanence.studies.sensitivity.hessians_pictures import angle_figure, hessian_pictures
from remanence.studies.sensitivity.hessians_settings import FULL, QUICK, HessianSettings
from remanence.studies.sensitivity.hessians_teachers import DENSE, conditioning_teacher


def run_hessians(settings: HessianSettings, progress: AbstractProgress) -> Finding:
    """Measure S5a to S5e (dense against diagonal) and S10a, S10b (range of the phases)."""
    found = measure_conditioning(settings, PartialProgress(progress, start=0.0, stop=0.45))
    infinite = measure_infinite_horizon(settings, PartialProgress(progress, start=0.45, stop=0.65))
    growth = measure_growth(settings, PartialProgress(progress, start=0.65, stop=0.75))
    ranges = measure_angles(settings, PartialProgress(progress, start=0.75, stop=0.9))
    progress.update(0.9, "drawing")
    typical = _typical(found[DENSE.name])
    jacobians = jacobians_of(conditioning_teacher(settings.seed, typical), settings)
    rows = table_rows(found)
    return Finding(
        title="Where the loss is sharp: dense against diagonal recurrences",
        text=(
            "Students are placed at their teacher, where the Hessian of the expected loss is a "
            "Gram matrix of derivatives of the impulse response. The same systems of order 4 "
            "with |λ| between 0.990 and 0.993 are written as dense matrices, as complex diagonal "
            "ones, as LRUs and as S4-like layers. All feel the same nine directions with "
            "spectra that overlap, those of the complex diagonal ones lower. A diagonal "
            "recurrence has them near the axes, where one step size per parameter can undo them, "
            "as long as its eigenvalues are apart. In a dense matrix a change of basis spreads "
            "the directions of the curse of memory over all entries."
        ),
        claims=(
            rank_claim(settings, found, infinite),
            condition_claim(settings, found, infinite),
            spread_claim(settings, found),
            spectra_claim(settings, found),
            preconditioner_claim(settings, found),
            growth_claim(settings, growth),
            angle_claim(settings, ranges),
            angle_share_claim(settings, ranges),
        ),
        figures=(
            hessian_pictures(settings, jacobians, typical),
            conditioning_figure(settings, found),
            growth_figure(settings, growth),
            angle_figure(settings, ranges),
        ),
        tables={
            "hessian_conditioning": rows,
            "hessian_conditioning_summary": summary_rows(rows, list(found)),
            "hessian_infinite_horizon": {
                "student": np.repeat(np.array(list(infinite.condition)), settings.teachers),
                "teacher": np.tile(np.arange(settings.teachers), len(infinite.condition)),
                "condition": np.concatenate(list(infinite.condition.values())),
                "scaled_condition": np.concatenate(list(infinite.scaled_condition.values())),
            },
            "hessian_growth": _growth_table(growth),
            "hessian_angles": _angle_table(ranges),
        },
    )


def _typical(dense: Conditioning) -> int:
    values = np.log(dense.scaled_condition)
    return int(np.argmin(np.abs(values - np.median(values))))


def _growth_table(growth: Growth) -> dict[str, np.ndarray]:
    _, draws, order, _ = growth.curvature.shape
    shortfall, draw, p, q = np.meshgrid(
        growth.shortfalls, np.arange(draws), np.arange(order), np.arange(order), indexing="ij"
    )
    expected = np.broadcast_to(growth.expected[:, None], growth.curvature.shape)
    return {
        "shortfall": shortfall.ravel(),
        "draw": draw.ravel(),
        "p": p.ravel(),
        "q": q.ravel(),
        "curvature": growth.curvature.ravel(),
        "expected": expected.ravel(),
        "entry": growth.entries.ravel(),
    }


def _angle_table(ranges: list[AngleRange]) -> dict[str, np.ndarray]:
    draws = ranges[0].largest.size
    table = {
        "angle_over_pi": np.repeat([one.angle for one in ranges], draws),
        "draw": np.tile(np.arange(draws), len(ranges)),
    }
    for name in ("largest", "alone", "share", "squared_share", "whole_share"):
        table[name] = np.concatenate([getattr(one, name) for one in ranges])
    return table


HESSIANS = Part("hessians", run_hessians, {"quick": QUICK, "full": FULL}, weight=10.0)
