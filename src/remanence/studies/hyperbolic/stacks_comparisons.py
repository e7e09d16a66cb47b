"""What the claims on deep stacks compare: medians over seeds, and the runs that learn."""

import math

import numpy as np

from remanence.studies.hyperbolic.stacks_measures import (
    FAILED,
    Measured,
    Tuned,
    best_competitor,
    failures,
)
from remanence.studies.hyperbolic.stacks_settings import HYPERBOLIC, CaseSettings, StackSettings
from remanence.studies.hyperbolic.stacks_tasks import chance, make_task


def behind_nobody(
    s: StackSettings, cases: list[CaseSettings], found: Measured
) -> tuple[str, bool]:
    """Medians on every task in words, and whether hyperbolic training is behind on none."""
    parts, met = [], True
    for case in cases:
        students = found[case.name]
        rival = best_competitor(students)
        own, limit = median(students[HYPERBOLIC]), _spread(s, case, students[rival])
        met = met and is_learnt(own, case) and own <= limit
        within = " (median behind, within the spread)" if own > median(students[rival]) else ""
        parts.append(
            f"{case.name}: "
            + ", ".join(
                f"{name} {median(one):.3g}{failures_told(one, case)}"
                for name, one in students.items()
            )
            + (within if own <= limit else " (behind)")
        )
    return "; ".join(parts), met


def median(one: Tuned) -> float:
    """The median final error at the tuned rate."""
    return float(np.median(one.final.final))


def is_learnt(error: float, case: CaseSettings) -> bool:
    """Whether an error is clearly below that of the best constant answer."""
    return error < FAILED * chance(make_task(case))


def least_error(s: StackSettings, case: CaseSettings) -> float:
    """A tenth of one held-out sequence where answers are counted; nothing elsewhere."""
    return 0.1 / s.tests if make_task(case).kind == "classification" else 0.0


def fixed_over_tuned(s: StackSettings, case: CaseSettings, one: Tuned) -> float:
    """The median final error at the fixed rate over that at the tuned one; 1 if they are equal."""
    least = least_error(s, case)
    fixed, tuned = float(np.median(one.fixed.final)) + least, median(one) + least
    if fixed == tuned:
        return 1.0
    return fixed / tuned if tuned else math.inf


def failures_told(one: Tuned, case: CaseSettings) -> str:
    """How many runs failed, in brackets, if any did."""
    count = failures(one.final, make_task(case))
    return f" ({count} of {one.final.final.size} failed)" if count else ""


def seeds_told(s: StackSettings) -> str:
    """Over which seeds medians are."""
    if not s.seeds:
        return f"the searched seeds ({len(s.searched)}) themselves"
    return f"medians over {len(s.seeds)} fresh seeds, rates searched on {len(s.searched)} other"


def _spread(s: StackSettings, case: CaseSettings, one: Tuned) -> float:
    """The upper quartile over the seeds that learn, and one sequence; infinite if none does."""
    kept = [error for error in one.final.final.tolist() if is_learnt(error, case)]
    return float(np.quantile(kept, 0.75)) + 10 * least_error(s, case) if kept else math.inf
