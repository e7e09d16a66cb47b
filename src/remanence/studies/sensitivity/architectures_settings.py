"""How much of the architecture comparison each preset runs."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class ArchitectureSettings:
    """Linear students of 64 states that imitate systems of order 10 from 300 steps of white noise.

    - `levels`: ν₀, the least magnitude of the teacher's eigenvalues; the last one also for the
      ablation and the ensemble of teachers.
    - `steps`: of Adam; `batch`: sequences in a minibatch, None for the exact expected loss.
    - `starts`: students on the published teacher; `search_starts`: of these, how many search the
      learning rate, on the exact expected loss.
    - `teachers`, `ensemble_steps`: other systems of the same recipe, each with one student for
      each learning rate; always on the exact loss.
    - `every_rate`: the published grids of learning rates, else one rate near their best.
    """

    levels: tuple[float, ...] = (0.36, 0.68, 0.84, 0.92, 0.96, 0.98, 0.99)
    steps: int = 10_000
    batch: int | None = 128
    starts: int = 10
    search_starts: int = 3
    teachers: int = 12
    ensemble_steps: int = 10_000
    every_rate: bool = True
    seed: int = 0


FULL = ArchitectureSettings()
QUICK = dataclasses.replace(
    FULL,
    levels=(0.36, 0.99),
    batch=None,
    search_starts=2,
    starts=2,
    teachers=10,
    ensemble_steps=2_000,
    every_rate=False,
)

FEW_RATES = {
    name: (rate,)
    for name, rate in {
        "dense RNN": 3.2e-4,
        "32 blocks": 3.2e-3,
        "64 blocks, 128 states": 3.2e-3,
        "complex diagonal": 3.2e-3,
        "complex diagonal, γ": 3.2e-3,
        "LRU": 3.2e-3,
    }.items()
}
"""The rate of the quick preset: near the best of the published grid at ν₀ = 0.99."""

SWEPT = ("dense RNN", "LRU")
"""Students of the memory sweep, figure 3A."""

ENSEMBLE = ("dense RNN", "32 blocks", "complex diagonal", "LRU")
"""Students that meet other teachers."""

PUBLISHED_SWEEP = {
    "dense RNN": (8e-9, 1.1e-7, 2.0e-5, 8.6e-5, 5.4e-4, 4.5e-2, 0.42),
    "LRU": (5.0e-8, 1.3e-7, 8.7e-7, 2.4e-6, 5.0e-6, 4.6e-5, 2.4e-5),
}
"""Read off figure 3A (± .03 decade) at the levels of the full preset."""

PUBLISHED_ABLATION = {
    "dense RNN": 0.42,
    "32 blocks": 1.7e-5,
    "64 blocks, 128 states": 1.9e-5,
    "complex diagonal": 4.2e-5,
    "complex diagonal, γ": 2.2e-5,
    "LRU": 2.35e-5,
}
"""Read off figure 3B."""
