"""Settings and criteria of the part on deep stacks.

Criteria and grids stood here before the runs that count; a first search on other seeds chose the
tasks and their lengths.
"""

import dataclasses

FASTER = 2.0
"""HY8a: by what factor hyperbolic training must need fewer steps than the best competitor."""

REACHED = 0.1
"""HY8a: the NRMSE to be reached; the unexplained share is its square."""

ROBUST = 2.0
"""HY8c: how far above its own tuned error one rate for every task may leave an optimiser."""

CAUGHT_UP = 2.0
"""HY8e: how far above the best competitor from a long start the hyperbolic student from a short
start may end."""

LRU, S5, HYPERBOLIC = "LRU", "S5", "hyperbolic"
STUDENTS = (LRU, S5, HYPERBOLIC)

RATES = {
    LRU: (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1),
    S5: (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1),
    HYPERBOLIC: (3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0),
}
"""Rates of the eigenvalues and of what belongs to them (γ, steps), a factor of about √10 apart."""

FIXED = {LRU: 3e-2, S5: 1e-2, HYPERBOLIC: 0.1}
"""HY8c: one rate of the eigenvalues for every task. Set after the search, before the seeds that
count."""

MEMORIES, RECALL, ADDING, SELECTIVE, DIGITS = (
    "memories",
    "recall",
    "adding",
    "selective copy",
    "digits",
)


@dataclasses.dataclass(frozen=True)
class CaseSettings:
    """One task and how long it is trained.

    - `task`: one of the names above; `memory`: of the task's two memories, in steps (0 elsewhere).
    - `largest`, `smallest`: eigenvalues start uniform on the ring between these radii.
    - `length`, `batch`, `steps`: of the sequences, of the minibatches, of the training.
    """

    task: str
    length: int
    batch: int
    steps: int
    largest: float = 1.0
    memory: float = 0.0
    smallest: float = 0.0

    @property
    def long_start(self) -> bool:
        """Whether eigenvalues start near the circle, as is practice where memory is long.

        S5 then has the start of its own, HiPPO rates with steps from 1e-3 to 1e-1: memories of 20
        to 2,000 steps.
        """
        return self.smallest > 0

    @property
    def name(self) -> str:
        """The task, what is long in it, and a start near the circle."""
        memory = f" of {self.memory:,.0f} steps" if self.memory else f", {self.length:,} steps"
        return self.task + memory + (", long start" if self.long_start else "")

    def from_the_circle(self) -> "CaseSettings":
        """The same task from a start near the circle: the ring that LRUs use on long ranges."""
        return dataclasses.replace(self, smallest=0.9, largest=0.999)


@dataclasses.dataclass(frozen=True)
class StackSettings:
    """Stacks of `depth` residual blocks, `width` features wide, `modes` complex modes in each.

    - `rest`: the rate of all that is no eigenvalue, for every student; every rate falls to zero
      as half a cosine.
    - `rates`, `fixed`: of the eigenvalues, for each student: to choose from, and the same for
      every task.
    - `searched`: seeds on which the rate is chosen; `seeds`: fresh ones, which count (none: those
      of the search count). `extensions`: how many rates a grid may grow at an end where the best
      is.
    - `records`: how often the held-out error is taken; `tests`: on how many sequences.
    """

    cases: tuple[CaseSettings, ...]
    rates: tuple[tuple[str, tuple[float, ...]], ...] = tuple(RATES.items())
    fixed: tuple[tuple[str, float], ...] = tuple(FIXED.items())
    searched: tuple[int, ...] = (0,)
    seeds: tuple[int, ...] = (1, 2, 3)
    extensions: int = 2
    rest: float = 3e-3
    depth: int = 2
    width: int = 32
    modes: int = 32
    records: int = 12
    tests: int = 128


_LONG = CaseSettings(MEMORIES, 1_000, 4, 600, largest=0.9, memory=1_000.0)
_RECALL = CaseSettings(RECALL, 103, 8, 1_000, largest=0.9)

FULL = StackSettings(
    cases=(
        _LONG,
        _RECALL,
        _LONG.from_the_circle(),
        _RECALL.from_the_circle(),
        CaseSettings(ADDING, 50, 16, 3_000),
        CaseSettings(SELECTIVE, 100, 8, 1_500),
        CaseSettings(DIGITS, 64, 16, 1_000),
    )
)
QUICK = StackSettings(
    cases=(CaseSettings(RECALL, 63, 8, 250, largest=0.9),),
    rates=((LRU, (3e-2, 0.1, 0.3)), (HYPERBOLIC, (0.1, 0.3, 1.0))),
    fixed=((LRU, 3e-2), (HYPERBOLIC, 0.1)),
    seeds=(),
    extensions=0,
    depth=1,
    width=16,
    modes=16,
    records=8,
)
