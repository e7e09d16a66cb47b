"""The claims on what is left at the end of training (HY5c, HY5d)."""

from collections.abc import Sequence

import numpy as np

from remanence.studies.contract import Claim, verdict
from remanence.studies.hyperbolic.minibatches_measures import Errors
from remanence.studies.hyperbolic.minibatches_settings import (
    BETTER,
    BOUND,
    FAILED,
    PREDICTED,
    MinibatchSettings,
)
from remanence.studies.hyperbolic.minibatches_table import HYPERBOLIC, LRU, PUBLISHED, Cell
from remanence.studies.wording import listed

_DERIVED = "derived"


def table_claim(s: MinibatchSettings, cells: Sequence[Cell]) -> Claim:
    """HY5c."""
    longest = max(case[0] for case in s.cases)
    ratios, told, edges = [], [], []
    for case in s.cases:
        for modes in s.modes:
            ours, theirs = (
                next(
                    one
                    for one in cells
                    if (one.memory, one.modes, one.competitor) == (case[0], modes, name)
                )
                for name in (HYPERBOLIC, LRU)
            )
            best = [_range(one.at_best) for one in (ours, theirs)]
            failures = [int(np.sum(~(one.losses < FAILED))) for one in (ours, theirs)]
            if case[0] == longest:
                ratios += (theirs.at_best / ours.at_best).tolist()
            published = PUBLISHED.get((case[0], modes))
            beside = (
                f", prototype {min(published[0]):.0e} against {min(published[1]):.0e}"
                if published
                else ""
            )
            told.append(
                f"memory {case[0]:g}, {modes} mode{'s' if modes > 1 else ''}: {best[0]} "
                f"(η = {ours.rates[ours.best]:g}, {failures[0]} of {ours.losses.size} runs "
                f"fail) against {best[1]} ({theirs.rates[theirs.best]:g}, {failures[1]} of "
                f"{theirs.losses.size}){beside}"
            )
            edges += [
                f"{one.competitor}, memory {one.memory:g}, modes {one.modes}"
                for one in (ours, theirs)
                if one.best in (0, len(one.rates) - 1)
            ]
    return Claim(
        id="HY5c",
        statement=(
            "On fresh minibatches of finite sequences hyperbolic Adam learns a memory of "
            f"{longest:,.0f} steps that the LRU's map does not."
        ),
        source="specification: its table of minibatches",
        expected=(
            f"at memory {longest:,.0f} the exact final loss over the target's power, each at its "
            f"best rate, is at least {BETTER:g} times below that of the LRU map + Adam"
            + (", on every stream of minibatches" if s.runs > 1 else "")
        ),
        measured=(
            "; ".join(told)
            + (f". {s.runs} streams of minibatches" if s.runs > 1 else ". One stream")
            + "; rates "
            + _grids(s)
        ),
        verdict=verdict(all(ratio >= BETTER for ratio in ratios)),
        note=(f"Best rate at the edge of its grid: {'; '.join(edges)}." if edges else ""),
    )


def error_claim(s: MinibatchSettings, found: Sequence[Errors]) -> Claim:
    """HY5d."""
    measured = np.concatenate([one.measured for one in found])
    predicted = np.concatenate([one.predicted for one in found])
    bound = np.concatenate([one.bound for one in found])
    off = np.maximum(measured / predicted, predicted / measured)
    told = "; ".join(
        f"memory {one.memory:g} (T = {one.horizon}, B = {one.batch}): "
        + ", ".join(
            f"σ² = {noise:g} {m:.3g} (predicted {p:.3g}, bound {b:.3g})"
            for noise, m, p, b in zip(
                s.error_noises, one.measured, one.predicted, one.bound, strict=True
            )
        )
        for one in found
    )
    return Claim(
        id="HY5d",
        statement=(
            "With output noise the error of the eigenvalue ends where linearised Adam puts it, "
            "near the Cramér–Rao bound, which does not grow with memory: E d² ≥ 8 σ²/N."
        ),
        source=_DERIVED,
        expected=(
            f"root mean square hyperbolic error within a factor {PREDICTED:g} of the prediction "
            f"and of {BOUND:g} of the bound for all samples seen, in every case"
        ),
        measured=(
            f"{told}; {s.error_targets} targets each, {s.steps:,} steps, η = {s.rates[0]:g}"
        ),
        verdict=verdict(bool(np.all(off <= PREDICTED) and np.all(measured <= BOUND * bound))),
        note=(
            "In float64: a first run in float32 missed the prediction at memory 10,000, where a "
            "phase is resolved to a distance of about 0.002; the criterion is the same. The bound "
            "is that of the whole run; rates that fall as a cosine average over its end "
            "only. T ≫ memory: 8σ²/N; shorter sequences tell less, as the bound here says exactly."
        ),
    )


def _range(losses: np.ndarray) -> str:
    if losses.size == 1:
        return f"{losses[0]:.1e}"
    return f"{losses.min():.1e} to {losses.max():.1e}"


def _grids(s: MinibatchSettings) -> str:
    ours, theirs = listed(s.hyperbolic_rates, "g"), listed(s.lru_rates, "g")
    return f"{ours} (hyperbolic) and {theirs} (LRU), readouts {s.readout_rate:g} for both"
