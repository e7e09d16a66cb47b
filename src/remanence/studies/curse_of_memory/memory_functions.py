"""Memory functions: linear, nonlinear at the start, and stacked."""

import numpy as np

from remanence.report import AbstractProgress, PartialProgress
from remanence.studies.contract import Finding, Part
from remanence.studies.curse_of_memory.memory_functions_claims import (
    attained_claim,
    bound_claim,
    exponential_claim,
    length_claim,
    linear_claim,
    power_claim,
)
from remanence.studies.curse_of_memory.memory_functions_figures import (
    networks_figure,
    stacks_figure,
)
from remanence.studies.curse_of_memory.memory_functions_measures import (
    NetworkMemories,
    linear_probes,
    network_memories,
)
from remanence.studies.curse_of_memory.memory_functions_settings import (
    FULL,
    QUICK,
    MemorySettings,
)
from remanence.studies.curse_of_memory.memory_functions_stacks import (
    StackMemory,
    equal_stack,
    random_stacks,
    stack_memory,
)


def run_memory_functions(settings: MemorySettings, progress: AbstractProgress) -> Finding:
    """Measure F11a to F11f."""
    s = settings
    progress.update(0.0, "three probes of a linear layer")
    probes = linear_probes(s.seed)
    inner = PartialProgress(progress, start=0.2, stop=0.85)
    found = network_memories(s, inner.update)
    progress.update(0.85, "stacks")
    stacks = random_stacks(s)
    equal = [stack_memory(s, equal_stack(s, depth), 0) for depth in s.depths]
    progress.update(0.95, "drawing")
    return Finding(
        title="Memory functions",
        text=(
            "M(t) = sup |d/dt H_t(u^x)|/|x|_∞ says how much of the switching on of an input is "
            "still felt after t: |ρ(t)|₁ for a linear model, and a measurement for any other. "
            "Divided by |x|_∞ + 1 as in StableSSM it is smaller, by half for inputs of size 1. "
            "Random networks, gated or not, forget exponentially; a stack of ℓ stable "
            "state-space layers forgets exponentially too, up to a power ℓ − 1 of t."
        ),
        claims=(
            linear_claim(probes),
            exponential_claim(s, found),
            length_claim(s, found),
            bound_claim(s, stacks),
            power_claim(s, stacks),
            attained_claim(s, equal),
        ),
        figures=(networks_figure(s, probes, found), stacks_figure(s, stacks)),
        tables={"memory_decay": _decay(found), "memory_of_stacks": _stacks(stacks)},
    )


def _decay(found: tuple[NetworkMemories, ...]) -> dict[str, np.ndarray]:
    rows = [
        (one.name, one.start, i, length, fit)
        for one in found
        for i, (fit, length) in enumerate(zip(one.fits, one.lengths, strict=True))
    ]
    return {
        "network": np.array([row[0] for row in rows]),
        "start": np.array([row[1] for row in rows]),
        "seed": np.array([row[2] for row in rows]),
        "steps_to_fade": np.array([row[3] for row in rows]),
        "verdict": np.array([row[4].verdict for row in rows]),
        "aic_difference": np.array([row[4].aic_difference for row in rows]),
        "decades": np.array([row[4].decades for row in rows]),
        "rate": np.array(
            [
                row[4].exponential.parameters["rate"] if row[4].exponential else np.nan
                for row in rows
            ]
        ),
    }


def _stacks(stacks: tuple[StackMemory, ...]) -> dict[str, np.ndarray]:
    return {
        "layers": np.array([one.depth for one in stacks]),
        "seed": np.array([one.seed for one in stacks]),
        "largest_share_of_bound": np.array([one.closest for one in stacks]),
        "late_degree": np.array([one.degree for one in stacks]),
    }


MEMORY_FUNCTIONS = Part(
    "memory functions", run_memory_functions, {"quick": QUICK, "full": FULL}, weight=12.0
)
"""Target F11."""
