"""Do deep stacks find a memory of 10,000 steps? HY8a's task and students, ten times longer.

`y = tanh(a + b) + a b / 2` of two memories of 10,000 and 5,000 steps of white noise, sequences of
10,000 steps, minibatches of 2, 600 steps; two residual blocks of width 32 with 32 modes each, |λ|
≤ .9 at first. The rate of the eigenvalues is searched on one seed for each student, then run on
two others. Criterion, that of HY8a where nobody gets to an NRMSE of .1, set before the run:
hyperbolic training ends with at most half of the unexplained share of the best competitor. Some
30 CPU-minutes; `python benchmarks/long_stacks.py LRU` runs single students. With `--long-start`
eigenvalues start near the circle, as in HY8d: |λ| from .9 to .999, S5 with its own rates.
"""

import dataclasses
import sys

import numpy as np

from remanence.studies.hyperbolic.stacks_measures import run
from remanence.studies.hyperbolic.stacks_settings import (
    FULL,
    HYPERBOLIC,
    LRU,
    MEMORIES,
    S5,
    STUDENTS,
    CaseSettings,
)

CASE = CaseSettings(MEMORIES, 10_000, 2, 600, largest=0.9, memory=10_000.0)
RATES = {
    LRU: (1e-3, 3e-3, 1e-2, 3e-2, 0.1),
    S5: (1e-3, 3e-3, 1e-2, 3e-2, 0.1),
    HYPERBOLIC: (3e-2, 0.1, 0.3),
}
SEARCHED, FRESH = 0, (1, 2)

if __name__ == "__main__":
    settings = dataclasses.replace(FULL, records=6, tests=32)
    case = CASE.from_the_circle() if "--long-start" in sys.argv else CASE
    for student in [name for name in sys.argv[1:] if name != "--long-start"] or STUDENTS:
        if student not in RATES:
            sys.exit(f"{student!r} is none of {', '.join(RATES)}")

        def ran(rates, seeds, student=student):
            return run(student, case, settings, rates, seeds, lambda share: None)

        # One after the other: the states of several side by side leave the caches.
        search = ran(RATES[student][:1], (SEARCHED,))
        for rate in RATES[student][1:]:
            search = search.with_more(ran((rate,), (SEARCHED,)))
        for rate, error in zip(search.rates, search.final, strict=True):
            print(f"{student}: rate {rate:g}, unexplained share {error:.3g}", flush=True)
        best = search.best_rate
        final = np.concatenate([ran((best,), (seed,)).errors for seed in FRESH])
        if best in (search.rates.min(), search.rates.max()):
            print(f"{student}: the best rate is at the end of its grid")
        print(f"{student}: best rate {best:g}; two other seeds, by steps of training:")
        for one in final:
            print("   ", " ".join(f"{error:.3g}" for error in one), flush=True)
