"""The claims on ensembles of teachers (HY6), from the trained competitors."""

from collections.abc import Sequence

import numpy as np

from remanence.studies.contract import Claim, verdict
from remanence.studies.hyperbolic.ensembles_batches import Grid
from remanence.studies.hyperbolic.ensembles_optimisers import Pair
from remanence.studies.hyperbolic.ensembles_settings import (
    BETTER,
    FAILED,
    FIXED,
    ROBUST,
    EnsembleSettings,
)
from remanence.studies.hyperbolic.ensembles_students import HYPERBOLIC, LRU
from remanence.studies.hyperbolic.ensembles_training import Cell, Trained, cells_of
from remanence.studies.wording import listed

_DERIVED = "derived; criterion set before any run of this part"


def ensemble_claims(
    s: EnsembleSettings, trained: Sequence[Trained], extra: Sequence[Grid]
) -> tuple[Claim, ...]:
    """HY6a to HY6c."""
    by_name = {one.name: one for one in trained}
    return (
        _better_claim(s, by_name, extra),
        _robust_claim(s, by_name),
        _failures_claim(s, by_name),
    )


def _better_claim(
    s: EnsembleSettings, by_name: dict[str, Trained], extra: Sequence[Grid]
) -> Claim:
    own, factors, said = by_name[HYPERBOLIC], [], []
    for cell in cells_of(s):
        medians = {
            name: float(np.median(one.tuned(cell, s.teachers))) for name, one in by_name.items()
        }
        rival = min((name for name in medians if name != HYPERBOLIC), key=lambda n: medians[n])
        factors.append(medians[rival] / medians[HYPERBOLIC])
        wins = np.sum(own.tuned(cell, s.teachers) < by_name[rival].tuned(cell, s.teachers))
        said.append(
            f"{_where(cell)}: {medians[HYPERBOLIC]:.2g} against {medians[rival]:.2g} ({rival}), "
            f"factor {factors[-1]:.3g}, better on {wins} of {s.teachers}"
        )
    return Claim(
        id="HY6a",
        statement=(
            "On random teachers of ten states hyperbolic Adam reaches a loss at least "
            f"{BETTER:g} times below that of the best competitor, at every ν₀ and from every "
            "start, each at its best pair of learning rates."
        ),
        source=_DERIVED,
        expected=(
            "median over teachers of the final relative loss of the best of "
            + ", ".join(name for name in by_name if name != HYPERBOLIC)
            + f", over that of hyperbolic Adam: at least {BETTER:g} in every cell"
        ),
        measured=(
            "; ".join(said) + f". Medians over {s.teachers} teachers after {s.steps:,} steps on "
            "the exact expected loss, over the power of the teacher's output"
        ),
        verdict=verdict(min(factors) >= BETTER),
        note=" ".join((_grids(s, by_name), _edges(s, by_name), *_extras(extra))).strip(),
    )


def _robust_claim(s: EnsembleSettings, by_name: dict[str, Trained]) -> Claim:
    own, lru = by_name[HYPERBOLIC], by_name[LRU]
    ours, theirs = _losses_by(s, own, FIXED), _losses_by(s, lru, lru.single)
    hindsight = _losses_by(s, own, own.single)
    ahead = sum(
        own.median(cell, FIXED, s.teachers)
        < min(np.median(one.tuned(cell, s.teachers)) for one in by_name.values() if one is not own)
        for cell in cells_of(s)
    )
    return Claim(
        id="HY6b",
        statement=(
            "One pair of learning rates serves hyperbolic Adam at every ν₀, and no pair of the "
            "grid the LRU."
        ),
        source=_DERIVED,
        expected=(
            f"hyperbolic Adam at {_pair(FIXED)}, chosen before the run, within a factor "
            f"{ROBUST:g} of its own tuned median in every cell; the LRU at the pair of its grid "
            "that is best for its worst cell, chosen after the search, not within that factor"
        ),
        measured=(
            f"times the tuned median over {s.teachers} teachers: hyperbolic Adam at "
            f"{_pair(FIXED)} {_by_cell(s, ours)}; LRU at {_pair(lru.single)} "
            f"{_by_cell(s, theirs)}"
        ),
        verdict=verdict(max(ours) <= ROBUST < max(theirs)),
        note=(
            f"Hyperbolic Adam at the pair chosen after the search as for the LRU, "
            f"{_pair(own.single)}: {_by_cell(s, hindsight)}. A factor over the own tuned median "
            "says nothing of the loss: where an optimiser learns nothing at any rate it is 1. "
            "Relative losses there, hyperbolic Adam: "
            + _list(s, own, FIXED)
            + "; LRU: "
            + _list(s, lru, lru.single)
            + f". At {_pair(FIXED)} hyperbolic Adam is below every tuned competitor in {ahead} of "
            f"{len(cells_of(s))} cells; its tuned eigenvalue rates are "
            + listed((own.best[cell][0] for cell in cells_of(s)), "g")
            + " in the order of the cells."
        ),
    )


def _failures_claim(s: EnsembleSettings, by_name: dict[str, Trained]) -> Claim:
    counts = {
        name: [int(np.sum(one.tuned(cell, s.teachers) > FAILED)) for cell in cells_of(s)]
        for name, one in by_name.items()
    }
    others = "; ".join(
        f"{name} {', '.join(map(str, row))}" for name, row in counts.items() if name != HYPERBOLIC
    )
    return Claim(
        id="HY6c",
        statement="At its best pair of rates hyperbolic Adam fails on no teacher.",
        source=_DERIVED,
        expected=f"no run with a relative loss above {FAILED:g} or diverged, in any cell",
        measured=(
            f"hyperbolic Adam {', '.join(map(str, counts[HYPERBOLIC]))} of {s.teachers} in "
            f"{'; '.join(_where(cell) for cell in cells_of(s))}. Competitors in the same order: "
            f"{others}"
        ),
        verdict=verdict(sum(counts[HYPERBOLIC]) == 0),
    )


def _losses_by(s: EnsembleSettings, one: Trained, pair: Pair) -> list[float]:
    return [
        one.median(cell, pair, s.teachers) / float(np.median(one.tuned(cell, s.teachers)))
        for cell in cells_of(s)
    ]


def _by_cell(s: EnsembleSettings, values: Sequence[float]) -> str:
    return ", ".join(
        f"{value:.3g} ({_where(cell)})" for cell, value in zip(cells_of(s), values, strict=True)
    )


def _list(s: EnsembleSettings, one: Trained, pair: Pair) -> str:
    return ", ".join(f"{one.median(cell, pair, s.teachers):.2g}" for cell in cells_of(s))


def _where(cell: Cell) -> str:
    return f"ν₀ = {cell[0]:g} {cell[1]}"


def _pair(pair: Pair) -> str:
    return f"{pair[0]:g} for eigenvalues and {pair[1]:g} for the rest"


def _grids(s: EnsembleSettings, by_name: dict[str, Trained]) -> str:
    subset = (
        f" The pair is that of the least median over the first {s.searched} teachers."
        if s.searched < s.teachers
        else ""
    )
    every = [axes for one in by_name.values() for axes in one.grids.values()]
    few = " The full preset has all competitors and wider grids." if s.few else ""
    return (
        f"Grids: {min(len(rates) for rates, _ in every)} or more rates of eigenvalues and γ, "
        f"times {len(s.readouts)} {'or more ' if s.extensions else ''}of B, C and D, for every "
        "competitor alike."
        f"{subset}{few}"
    )


def _edges(s: EnsembleSettings, by_name: dict[str, Trained]) -> str:
    words = []
    for axis, what in enumerate(("rate", "rate of B, C and D")):
        told = []
        for name, one in by_name.items():
            # A grid of one rate has no ends to be at.
            cells = [
                cell
                for cell in cells_of(s)
                if len(axes := one.grids[cell][axis]) > 1
                and one.best[cell][axis] in (axes[0], axes[-1])
            ]
            if cells:
                told.append(f"{name} ({', '.join(map(_where, cells))})")
        if told:
            words.append(f"The best {what} is an end of the grid for {'; '.join(told)}.")
    return " ".join(words)


def _extras(extra: Sequence[Grid]) -> list[str]:
    return [
        f"Outside the claim, {one.name} {_where(one.cell)}: median {np.median(one.at_best):.2g} "
        f"over {one.at_best.size} teachers at {_pair(one.best)}, "
        f"{int(np.sum(one.at_best > FAILED))} failed."
        for one in extra
    ]
