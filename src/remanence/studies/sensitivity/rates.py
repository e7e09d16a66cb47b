"""Why the dense recurrence is slow: effective learning rates, heads and angles."""

import numpy as np

from remanence.report import AbstractProgress, NamedFigure
from remanence.studies.contract import Finding, Part
from remanence.studies.sensitivity.rates_claims import rate_claims
from remanence.studies.sensitivity.rates_figures import (
    angles_figure,
    groups_figure,
    heads_figure,
)
from remanence.studies.sensitivity.rates_measures import Rates, measure_rates
from remanence.studies.sensitivity.rates_settings import FULL, QUICK, RateSettings
from remanence.studies.sensitivity.teachers import PHASE
from remanence.studies.tables import columns


def run_rates(settings: RateSettings, progress: AbstractProgress) -> Finding:
    """Measure S6 (effective learning rates), S8 (heads) and S10i (angles)."""
    found = measure_rates(settings, progress.update)
    starts, angle_starts = (
        f"median and range of {count} starts" if count > 1 else "one start"
        for count in (settings.starts, settings.search_starts)
    )
    return Finding(
        title="What sensitivity does to the optimiser",
        text=(
            "Adam divides by the size of past gradients: where outputs are very sensitive to a "
            "parameter, it can hardly move. A dense recurrence spreads the few explosive "
            "directions over all its entries, and slows down all of them; a diagonal one confines "
            "them. Cutting the state into heads goes from one to the other."
        ),
        claims=rate_claims(settings, found),
        figures=(
            NamedFigure(
                "effective-learning-rates",
                groups_figure(settings, found),
                f"Effective learning rates after {settings.steps:,} steps of Adam at a constant "
                f"η = {settings.constant_rate:g} on the published teacher, ν₀ = "
                f"{settings.least:g}: median, quartiles and 5 % to 95 % over the parameters of a "
                "group. Full dots: η/(√v̂ + ε); hollow: the published probe of ones, of whose "
                "values a log axis shows the positive ones only. Dashed: what the probe cannot "
                "exceed.",
            ),
            NamedFigure(
                "heads",
                heads_figure(settings, found),
                "Loss (left) and geometric mean of the effective learning rates of A half-way "
                f"(right) against the number of blocks: {starts}, at the best rate; crosses: read "
                "off figure 11, whose rates are those of the probe.",
            ),
            NamedFigure(
                "angle-range",
                angles_figure(settings, found),
                f"Final loss against the range of the teacher's angles: {angle_starts}, at the "
                "best rate, on the exact expected loss; crosses: read off figure 10B.",
            ),
        ),
        tables=_tables(settings, found),
    )


def _tables(settings: RateSettings, found: Rates) -> dict[str, dict[str, np.ndarray]]:
    groups = found.groups
    rows = [
        (f"{count} heads", PHASE, *row)
        for count, grid in found.heads.items()
        for row in grid.rows()
    ] + [
        (name, phase, *row)
        for name, turned in found.angles.items()
        for phase, grid in zip(settings.phases, turned, strict=True)
        for row in grid.rows()
    ]
    names = ("student", "largest_angle", "stage", "learning_rate", "start", "loss")
    return {
        "effective_learning_rates": {
            "student": np.concatenate([[g.student] * g.clean.size for g in groups]),
            "group": np.concatenate([[g.group] * g.clean.size for g in groups]),
            "rate": np.concatenate([g.clean for g in groups]),
            "probe": np.concatenate([g.probe for g in groups]),
        },
        "heads_and_angles": columns(names, rows),
    }


RATES = Part("learning rates", run_rates, {"quick": QUICK, "full": FULL}, weight=22.0)
