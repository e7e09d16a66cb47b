"""Clean-label poisoning: one extra correctly labelled sequence, and extrapolation is lost.

Slutzky et al. (NeurIPS 2025) train a diagonal state-space model by gradient flow from near zero on
the output after one impulse, `lags` = {k−1} (baseline). Adding the sequence whose impulse comes
one step before the end, at lag 1, labelled by the same teacher, makes the student extrapolate
forty times worse (at ten states). The numbers they print are computed here again, from the same
starts.

With B = C = 1 the impulse response of the student is `g_j = Σ_i a_i^j` and only the diagonal a is
learned, so the flow is d ordinary differential equations, solved in NumPy and SciPy.
"""

import numpy as np

from remanence.report import AbstractProgress, NamedFigure
from remanence.studies.contract import Claim, Finding, Part, verdict
from remanence.studies.low_dimensional.poisoning_figures import error_figure, response_figure
from remanence.studies.low_dimensional.poisoning_flow import Results, measure
from remanence.studies.low_dimensional.poisoning_settings import (
    FULL,
    QUICK,
    Configuration,
    Settings,
)
from remanence.studies.wording import listed

_SOURCE = "Slutzky et al., NeurIPS 2025 (arXiv 2410.10473), Theorem 1 setting, Tables 1 and 3"
_PRINTED = "outputs printed in the authors' repository YoniSlutzky98/imp-bias-ssm-poison"


def run(settings: Settings, progress: AbstractProgress) -> Finding:
    """Repeat the printed runs, and compare them with the flow solved accurately."""
    results: list[Results] = []
    for index, configuration in enumerate(settings.configurations):
        progress.update(
            index / len(settings.configurations), f"poisoning: {configuration.state} states"
        )
        results.append(measure(configuration, settings))
    pairs = list(zip(settings.configurations, results, strict=True))
    progress.update(1.0, "poisoning")
    return Finding(
        title="Clean-label poisoning",
        text=(
            "A diagonal state-space model trained by gradient flow from near zero, on one "
            "sequence (an impulse k − 1 steps before the end) or with a second one, an impulse "
            "one step before the end, both labelled by the same teacher. The extrapolation error "
            f"is the largest error of the first {settings.horizon} lags of the impulse response "
            "over the teacher's largest. The printed numbers are repeated with the integrator "
            "that gave them; solved accurately, the flow gives slightly larger errors, which "
            "changes nothing in the conclusion."
        ),
        claims=tuple(
            claim
            for index, pair in enumerate(pairs)
            for claim in _claims(*pair, settings, suffix="" if index == 0 else f"-{pair[0].state}")
        ),
        figures=(
            NamedFigure(
                "poisoning-responses",
                response_figure(pairs, settings),
                "Impulse responses of the teacher and of the students (each seed a thin line). "
                "The labels at lags k − 1 and 1 are the only data. Lag 0 is left out: all have "
                "g_0 = d.",
            ),
            NamedFigure(
                "poisoning-errors",
                error_figure(pairs),
                "Extrapolation error by seed: printed by the authors (rings) and measured here "
                "with the flow integrated accurately (points).",
            ),
        ),
        tables={"poisoning": _table(pairs)},
    )


def _claims(
    configuration: Configuration, results: Results, settings: Settings, *, suffix: str
) -> tuple[Claim, ...]:
    setting = f"d = {configuration.state}, k = {configuration.length}"
    printed = np.array([configuration.baseline, configuration.poisoned])
    off = np.abs(results.published / printed - 1.0).max(axis=1)
    drift = np.abs(results.accurate / printed - 1.0).max(axis=1)
    exact = float(np.abs(results.accurate[0] / results.limit - 1.0).max())
    means = results.published.mean(axis=1)
    seeds = listed(configuration.seeds)
    note = (
        "The printed numbers hold at the integrator tolerance they were made with (1.5e-8); the "
        f"flow solved accurately gives errors up to {drift[0]:.1e} (baseline) and "
        f"{drift[1]:.1e} (poisoned) away from them, relative."
    )
    bounds = (settings.baseline_tolerance, settings.poisoned_tolerance)
    names = ("baseline", "poisoned")
    statements = (
        f"From one baseline sequence the student extrapolates ({setting}): mean error "
        f"{printed[0].mean():.3g} over four seeds.",
        f"With one clean-labelled sequence more it does not ({setting}): mean error "
        f"{printed[1].mean():.3g} over four seeds.",
    )
    repeats = [
        Claim(
            id=f"T10{letter}{suffix}",
            statement=statements[row],
            source=f"{_SOURCE}; {_PRINTED}",
            expected=(
                f"{names[row]} extrapolation error of each seed ({seeds}) within "
                f"{bounds[row]:g} of the printed one, relative"
            ),
            measured=(
                f"within {off[row]:.1e}; errors "
                + listed(results.published[row], ".7f")
                + f" (mean {means[row]:.3g})"
            ),
            verdict=verdict(off[row] <= bounds[row]),
            note=note,
        )
        for row, letter in enumerate("ab")
    ]
    return (
        *repeats,
        Claim(
            id=f"T10c{suffix}",
            statement=(
                "Gradient flow on the baseline keeps the differences of a_i^{−(k−3)}, which gives "
                f"the student it ends at in closed form ({setting})."
            ),
            source="derived: see baseline_limit in the poisoning part",
            expected=(
                "extrapolation error of the accurately integrated flow within "
                f"{settings.exact_tolerance:g} of the closed form's, relative, for every seed"
            ),
            measured=(f"within {exact:.1e}; closed form " + listed(results.limit, ".7f")),
            verdict=verdict(exact <= settings.exact_tolerance),
        ),
    )


def _table(pairs: list[tuple[Configuration, Results]]) -> dict[str, np.ndarray]:
    def column(of) -> np.ndarray:
        return np.concatenate([np.asarray(of(*pair)) for pair in pairs])

    return {
        "states": column(lambda c, _: [c.state] * len(c.seeds)),
        "seed": column(lambda c, _: c.seeds),
        "baseline printed": column(lambda c, _: c.baseline),
        "baseline repeated": column(lambda _, r: r.published[0]),
        "baseline accurate": column(lambda _, r: r.accurate[0]),
        "baseline closed form": column(lambda _, r: r.limit),
        "poisoned printed": column(lambda c, _: c.poisoned),
        "poisoned repeated": column(lambda _, r: r.published[1]),
        "poisoned accurate": column(lambda _, r: r.accurate[1]),
    }


POISONING = Part("poisoning", run, {"quick": QUICK, "full": FULL}, weight=0.5)
