"""Approximation by exponential sums: what error costs in width, and in stability."""

import numpy as np

from remanence.report import AbstractProgress, NamedFigure, PartialProgress
from remanence.studies.contract import Finding, Part
from remanence.studies.curse_of_memory.approximation_claims import approximation_claims
from remanence.studies.curse_of_memory.approximation_figures import (
    spectrum_figure,
    uniform_figure,
)
from remanence.studies.curse_of_memory.approximation_measures import Approximation, measure
from remanence.studies.curse_of_memory.approximation_settings import (
    FULL,
    QUICK,
    ApproximationSettings,
)
from remanence.studies.tables import columns


def run_approximation(settings: ApproximationSettings, progress: AbstractProgress) -> Finding:
    """Measure F6a to F6d (free rates, spectra) and F7a to F7f (uniform rates, LegS)."""
    inner = PartialProgress(progress, start=0.0, stop=0.95)
    found = measure(settings, inner.update)
    progress.update(0.95, "drawing")
    return Finding(
        title="Approximation: width, error, and distance from instability",
        text=(
            "A linear RNN of width m remembers by a sum of m exponentials. Its error on a kernel "
            "is measured here in L²[0, ∞) (white input; the theorems are uniform in time, L¹ of "
            "the kernel), with rates kβ as in the theorem of Jackson type and with free rates, "
            "and always beside the slowest rate. Nothing is random: best approximations by "
            "orthonormal bases and by variable projection. "
            "What makes power laws hard is stability: free rates approximate them "
            "fast and come ever nearer to 0 while doing so, so that errors without spectra show "
            "no curse of memory."
        ),
        claims=approximation_claims(settings, found),
        figures=(
            NamedFigure(
                "uniform-rates",
                uniform_figure(settings, found),
                "Relative L² error of uniform rates β, 2β, … mβ. Left: with the best β for each "
                "width power laws cost a power of m, t e^{−t} falls off the figure; dashed: "
                "the heuristic limit m^−(2p−1) through the last point. Right: with β = 1 power "
                "laws are logarithmic, dashed (const + 2 log m)^−(p−½) through the last point; "
                "t e^{−t} falls as m^−2 (dashed). No randomness, no averaging.",
            ),
            NamedFigure(
                "error-and-spectrum",
                spectrum_figure(settings, found),
                "The same errors beside the slowest rate. Free rates are fast on power laws "
                "(dashed: e^(−c√m) through the last two points, as a measure of it, no law), by "
                f"rates that go to 0; kept at w ≥ {settings.least_rate:g} they are slow. "
                "Exponentially decaying kernels keep their rates. Uniform rates: the best β falls "
                "towards m^−2 (dashed). Errors below 1e-13 are drawn there.",
            ),
        ),
        tables={"exponential_sums": _table(found)},
    )


def _table(found: Approximation) -> dict[str, np.ndarray]:
    rows = [
        (one.kernel, one.family, width, used, error, slowest)
        for one in found.ladders
        for width, used, error, slowest in zip(
            one.widths, one.used, one.errors, one.slowest, strict=True
        )
    ]
    names = ("kernel", "family", "width", "rates_used", "relative_error", "slowest_rate")
    return columns(names, rows)


APPROXIMATION = Part(
    "approximation", run_approximation, {"quick": QUICK, "full": FULL}, weight=8.0
)
"""The claims on approximation by exponential sums."""
