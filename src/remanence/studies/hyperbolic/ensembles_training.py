"""Training every competitor at every pair of learning rates, on the exact expected loss."""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from remanence.studies.hyperbolic.ensembles_optimisers import Pair, scheduled
from remanence.studies.hyperbolic.ensembles_settings import FIXED, EnsembleSettings
from remanence.studies.hyperbolic.ensembles_students import (
    HYPERBOLIC,
    LRU,
    Competitor,
    random_teachers,
    starts_of,
    students,
)
from remanence.training.exact import train_exact

_ROUNDING = 1e-12
"""Relative losses of less are rounding of the double sum over modes."""

Cell = tuple[float, str]

Axes = tuple[tuple[float, ...], tuple[float, ...]]
"""Rates of eigenvalues, and of the rest, that a grid is made of."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One training: ν₀ and start (its cell), teacher, rates of eigenvalues and of the rest."""

    level: float
    start: str
    teacher: int
    rate: float
    readout: float


@dataclasses.dataclass(frozen=True)
class Trained:
    """All runs of one competitor.

    - `losses`: at the end, over the power of the teacher's output; infinite where training
      diverged.
    - `grids`: eigenvalue rates, and rates of the rest, of every cell, with what they were
      extended by.
    - `best`: the pair of rates of the least median over the searched teachers, in every cell.
    - `single`: one pair for all cells, the one that the worst cell loses least by (searched
      teachers); `fixed`: one that was chosen before any run, if there is one.
    """

    name: str
    losses: dict[Run, float]
    grids: dict[Cell, Axes]
    best: dict[Cell, Pair]
    single: Pair
    fixed: Pair | None

    def at(self, cell: Cell, pair: Pair, teachers: int) -> Float[np.ndarray, " teachers"]:
        """The losses of the first teachers."""
        return np.array([self.losses[Run(*cell, k, *pair)] for k in range(teachers)])

    def median(self, cell: Cell, pair: Pair, teachers: int) -> float:
        """Over the first teachers."""
        return float(np.median(self.at(cell, pair, teachers)))

    def tuned(self, cell: Cell, teachers: int) -> Float[np.ndarray, " teachers"]:
        """The losses at the best pair."""
        return self.at(cell, self.best[cell], teachers)


def cells_of(s: EnsembleSettings) -> tuple[Cell, ...]:
    """Every ν₀ with every start."""
    return tuple((level, start) for start in s.starts for level in s.levels)


def ladder(s: EnsembleSettings, rates: tuple[float, ...]) -> tuple[float, ...]:
    """The grid and the rates that it may be extended by."""
    steps = [10 ** (k / 2) for k in range(1, s.extensions + 1)]
    below = tuple(float(f"{rates[0] / one:.1g}") for one in reversed(steps))
    return below + rates + tuple(float(f"{rates[-1] * one:.1g}") for one in steps)


def train_competitor(
    s: EnsembleSettings, competitor: Competitor, heard: Callable[[float], None]
) -> Trained:
    """Search the grid, extend it where its best is at an end, train on all teachers there."""
    cells, grid = cells_of(s), competitor.grid(s.few)
    ladders = ladder(s, grid), ladder(s, s.readouts)
    trainer = _Trainer(s, competitor, list(itertools.product(*ladders)))
    searched = range(s.searched)
    expected = len(cells) * (len(grid) * len(s.readouts) * s.searched + s.teachers)
    losses: dict[Run, float] = {}

    def need(runs: Iterable[Run]) -> None:
        missing = [run for run in dict.fromkeys(runs) if run not in losses]
        for first in range(0, len(missing), s.chunk):
            part = missing[first : first + s.chunk]
            losses.update(zip(part, trainer(part), strict=True))
            heard(min(0.99, len(losses) / expected))

    def over(cell: Cell, axes: Axes) -> list[Run]:
        return [Run(*cell, k, *pair) for pair in itertools.product(*axes) for k in searched]

    def found(best: dict[Cell, Pair], single: Pair) -> Trained:
        fixed = FIXED if competitor.name == HYPERBOLIC else None
        return Trained(competitor.name, losses, dict(grids), best, single, fixed)

    grids: dict[Cell, Axes] = dict.fromkeys(cells, (grid, s.readouts))
    need(run for cell in cells for run in over(cell, grids[cell]))
    for _ in range(s.extensions):
        for cell in cells:
            best = _best(losses, cell, grids[cell], s)
            rates, reads = map(_extended, grids[cell], ladders, best)
            grids[cell] = (rates, reads)
        need(run for cell in cells for run in over(cell, grids[cell]))
    best = {cell: _best(losses, cell, grids[cell], s) for cell in cells}
    result = found(best, _single(losses, best, grids, s))
    pairs = [best]
    if competitor.name in (LRU, HYPERBOLIC):
        pairs += [dict.fromkeys(cells, pair) for pair in (result.single, result.fixed) if pair]
    need(
        Run(*cell, k, *chosen[cell])
        for chosen in pairs
        for cell in cells
        for k in range(s.teachers)
    )
    heard(1.0)
    return result


def _extended(ends: tuple[float, ...], rungs: tuple[float, ...], best: float) -> tuple[float, ...]:
    """The axis with one more rung of its ladder where its best is at an end."""
    place = rungs.index(best)
    below = rungs[place - 1 : place] if best == ends[0] else ()
    above = rungs[place + 1 : place + 2] if best == ends[-1] else ()
    return (*below, *ends, *above)


def _best(losses: dict[Run, float], cell: Cell, axes: Axes, s: EnsembleSettings) -> Pair:
    return min(itertools.product(*axes), key=lambda pair: _median(losses, cell, pair, s))


def _single(
    losses: dict[Run, float],
    best: dict[Cell, Pair],
    grids: dict[Cell, Axes],
    s: EnsembleSettings,
) -> Pair:
    rates, reads = (
        sorted(set.intersection(*map(set, axes))) for axes in zip(*grids.values(), strict=True)
    )
    return min(
        itertools.product(rates, reads),
        key=lambda pair: max(
            _median(losses, cell, pair, s) / _median(losses, cell, best[cell], s) for cell in best
        ),
    )


def _median(losses: dict[Run, float], cell: Cell, pair: Pair, s: EnsembleSettings) -> float:
    return float(np.median([losses[Run(*cell, k, *pair)] for k in range(s.searched)]))


class _Trainer:
    """Runs of one competitor, `chunk` side by side in one compiled program."""

    def __init__(self, s: EnsembleSettings, competitor: Competitor, pairs: Sequence[Pair]):
        self.settings, self.competitor, self.pairs = s, competitor, list(pairs)
        self.teachers = random_teachers(s)
        self.optimiser = scheduled(self.pairs, s.steps)

    def __call__(self, runs: Sequence[Run]) -> list[float]:
        s = self.settings
        # A chunk that is not full repeats its first run: one shape, one program.
        padded = [*runs, *[runs[0]] * (s.chunk - len(runs))]
        start = starts_of(s, [(run.level, run.start, run.teacher) for run in padded])
        targets = [self.teachers[s.levels.index(run.level)][run.teacher] for run in padded]
        found = train_exact(
            students(self.competitor, start),
            jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves)), *targets),
            learning_rates=[self.pairs.index((run.rate, run.readout)) for run in padded],
            steps=s.steps,
            optimiser=self.optimiser,
            decay_steps=math.inf,
            factor=1.0,
            records_per_decade=1,
            members_by="vmap",
        )
        return relative(found.final_losses)[: len(runs)].tolist()


def relative(losses: Float[np.ndarray, " members"]) -> Float[np.ndarray, " members"]:
    """Losses over the output power 1: NaN, and what no sum of squares can be, as infinite."""
    lost = ~np.isfinite(losses) | (losses < -1e-6)
    return np.where(lost, np.inf, np.maximum(losses, _ROUNDING))
