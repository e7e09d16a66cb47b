"""Plateaus: how long gradient flow and descent do not see what is remembered."""

import numpy as np

from remanence.report import AbstractProgress, NamedFigure, PartialProgress
from remanence.studies.contract import Finding, Part
from remanence.studies.curse_of_memory.plateaus_claims import plateau_claims
from remanence.studies.curse_of_memory.plateaus_descent import (
    SHOWN_SEEDS,
    Descents,
    dense_gradients,
    dense_starts,
    descend,
    modal_gradients,
    modal_starts,
)
from remanence.studies.curse_of_memory.plateaus_figures import (
    airy_figure,
    escape_figure,
    flow_figure,
)
from remanence.studies.curse_of_memory.plateaus_measures import Flows, measure_flows
from remanence.studies.curse_of_memory.plateaus_settings import (
    FULL,
    QUICK,
    REACHED,
    PlateauSettings,
)
from remanence.studies.tables import columns


def run_plateaus(settings: PlateauSettings, progress: AbstractProgress) -> Finding:
    """Measure F8a to F8e (plateau law), F9a, F9b (gradients), F10a to F10c (Airy functions)."""
    s = settings
    flows = measure_flows(s, PartialProgress(progress, start=0.0, stop=0.4).update)
    inner = PartialProgress(progress, start=0.4, stop=0.7)
    modal = descend(
        s, modal_starts(s), modal_gradients, lambda share: inner.update(share, "complex modes")
    )
    last = PartialProgress(progress, start=0.7, stop=0.95)
    dense = descend(
        s, dense_starts(s), dense_gradients, lambda share: last.update(share, "dense recurrence")
    )
    progress.update(0.95, "drawing")
    return Finding(
        title="Plateaus: gradient descent waits for what it cannot see",
        text=(
            "Exact gradient flow of a two-mode linear RNN on a target with a bump at the time "
            "1/ω, ρ = e^{−t} + e^{−(t − 1/ω)²/(2σ²)}, from starts that have learned e^{−t}: the "
            "loss of the bump is there in full, its gradient of order e^{−w/ω}/ω. The theorem, "
            "τ ≳ ω² e^{c₀/ω} min(δ/√m, log(1 + δ)), is recalled and a bound from below: what is "
            "tested is a straight line through log τ, told beside its local slopes. The target "
            "and numbers of the flow are those of an earlier program of ours. Then plain "
            "gradient descent on Airy functions, whose oscillations end at t₀, by complex modes "
            "and by a dense recurrence. Longer runs of dense networks, and a Lorenz-96-type "
            "system, are in the part on trained networks."
        ),
        claims=plateau_claims(s, flows, modal, dense),
        figures=(
            NamedFigure(
                "plateau-times",
                escape_figure(s, flows),
                f"Left: flow time until J has fallen by {s.drop:g}, against the memory of the "
                "target, from four starts (dots), with straight fits over 1/ω ≥ "
                f"{s.fitted_from} (lines) and the exponent 2 min w(0) of readouts that follow at "
                "once, through the last point (dashed). Right: slopes between neighbouring "
                "points, on their way there. Exact flow by LSODA; nothing is random.",
            ),
            NamedFigure(
                "plateau-flows",
                flow_figure(s, flows),
                "Left: the loss along flows from the split start: a plateau at c₀²σ√π (dashed) "
                "until the escape (dotted), then a small drop, which is all that two real modes "
                "can do. Right: the gradient there against its law (dashed, prefactor derived, "
                "nothing fitted); the split start keeps the gradient of its own difference from "
                "ρ̄.",
            ),
            NamedFigure(
                "airy-descent",
                airy_figure(s, modal, dense),
                f"Plain gradient descent, rate {s.learning_rate:g}, on the exponential and on "
                "Ai(t − t₀). Left: relative loss, median over "
                f"{min(s.seeds, SHOWN_SEEDS)} (above) and "
                f"{min(s.dense_seeds, SHOWN_SEEDS)} (below) seeds; grey: {REACHED:g}. Right: "
                f"steps to it, {s.seeds} and {s.dense_seeds} seeds as dots.",
            ),
        ),
        tables={
            "plateau_times": _times(flows),
            "plateau_gradients": {
                "memory": np.array(s.gradient_memories),
                "split_start": flows.gradients,
                "on_memory": flows.exact_gradients,
            },
            "airy_steps": _steps({"complex modes": modal, "dense": dense}),
        },
    )


def _times(flows: Flows) -> dict[str, np.ndarray]:
    found = flows.escapes.values()
    return {
        "start": np.concatenate([[one.start] * one.times.size for one in found]),
        "memory": np.concatenate([one.memories for one in found]),
        "escape_time": np.concatenate([one.times for one in found]),
    }


def _steps(descents: dict[str, Descents]) -> dict[str, np.ndarray]:
    rows = [
        (student, target, seed, count)
        for student, found in descents.items()
        for target, counts in zip(found.targets, found.steps, strict=True)
        for seed, count in enumerate(counts)
    ]
    return columns(("student", "target", "seed", "steps"), rows)


PLATEAUS = Part("plateaus", run_plateaus, {"quick": QUICK, "full": FULL}, weight=20.0)
"""The claims on plateaus."""
