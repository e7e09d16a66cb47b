"""Stacks of every student on every task: rates searched on some seeds, measured on others."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from remanence.studies.hyperbolic.stacks_settings import (
    HYPERBOLIC,
    CaseSettings,
    StackSettings,
)
from remanence.studies.hyperbolic.stacks_students import make_stack
from remanence.studies.hyperbolic.stacks_tasks import chance, make_task
from remanence.tasks import AbstractTask
from remanence.training import parameter_roles, train_members
from remanence.training.hyperbolic import hyperbolic_adam

FAILED = 0.9
"""A run that ends with more than this share of the error of the best constant has failed."""

WEIGHT_DECAY = 0.01
_STEP = np.sqrt(10.0)


@dataclasses.dataclass(frozen=True)
class Runs:
    """Runs of one student on one task.

    - `rates`, `seeds` (runs,).
    - `at` (records,), `errors` (runs, records): held-out unexplained share, or share of wrong
      answers; infinite at the end of a run that diverged.
    """

    rates: Float[np.ndarray, " runs"]
    seeds: Int[np.ndarray, " runs"]
    at: Int[np.ndarray, " records"]
    errors: Float[np.ndarray, "runs records"]

    @property
    def final(self) -> Float[np.ndarray, " runs"]:
        """Errors at the end."""
        return self.errors[:, -1]

    def medians(self) -> tuple[Float[np.ndarray, " rates"], Float[np.ndarray, " rates"]]:
        """The rates, ascending, and the median final error over the seeds of each."""
        rates = np.unique(self.rates)
        return rates, np.array([np.median(self.final[self.rates == rate]) for rate in rates])

    @property
    def best_rate(self) -> float:
        """The rate of the least median final error."""
        rates, medians = self.medians()
        return float(rates[np.argmin(medians)])

    def at_rate(self, rate: float) -> "Runs":
        """The runs at one rate."""
        kept = self.rates == rate
        return Runs(self.rates[kept], self.seeds[kept], self.at, self.errors[kept])

    def with_more(self, other: "Runs") -> "Runs":
        """These runs and others of the same records."""
        return Runs(
            np.concatenate([self.rates, other.rates]),
            np.concatenate([self.seeds, other.seeds]),
            self.at,
            np.concatenate([self.errors, other.errors]),
        )

    def steps_to(self, error: float) -> Float[np.ndarray, " runs"]:
        """The first recorded step at which the error is below; infinite where it never is."""
        below = self.errors < error
        first = self.at[np.argmax(below, axis=1)].astype(float)
        return np.where(below.any(axis=1), first, np.inf)


@dataclasses.dataclass(frozen=True)
class Tuned:
    """One student on one task: `search` over rates, and `final` runs on fresh seeds.

    `fixed` are runs on the fresh seeds at the rate that is the same for every task.
    """

    search: Runs
    final: Runs
    fixed: Runs

    @property
    def rate(self) -> float:
        """The rate chosen in the search."""
        return self.search.best_rate

    @property
    def at_edge(self) -> bool:
        """Whether that is the smallest or the largest of its grid."""
        return self.rate in (self.search.rates.min(), self.search.rates.max())


Measured = Mapping[str, Mapping[str, Tuned]]
"""By name of the case, then by student."""


def measure_stacks(s: StackSettings, on_progress: Callable[[float, str], None]) -> Measured:
    """Every student on every task."""
    jobs = [(case, student) for case in s.cases for student, _ in s.rates]
    found: dict[str, dict[str, Tuned]] = {case.name: {} for case in s.cases}
    for place, (case, student) in enumerate(jobs):

        def heard(share: float, place: int = place, what: str = f"{case.name}: {student}") -> None:
            on_progress((place + share) / len(jobs), what)

        found[case.name][student] = tuned(student, case, s, heard)
    return found


def tuned(
    student: str, case: CaseSettings, s: StackSettings, heard: Callable[[float], None]
) -> Tuned:
    """Search the rate, widen the grid where the best is at its edge, and run fresh seeds."""
    grid = dict(s.rates)[student]
    search = run(student, case, s, grid, s.searched, lambda share: heard(0.5 * share))
    for _ in range(s.extensions):
        best = search.best_rate
        if best == search.rates.max():
            more = best * _STEP
        elif best == search.rates.min():
            more = best / _STEP
        else:
            break
        search = search.with_more(
            run(student, case, s, (more,), s.searched, lambda share: heard(0.5))
        )
    rates = tuple(dict.fromkeys((search.best_rate, dict(s.fixed)[student])))
    if not s.seeds:
        return Tuned(search, search.at_rate(rates[0]), search.at_rate(rates[-1]))
    fresh = run(student, case, s, rates, s.seeds, lambda share: heard(0.5 + 0.5 * share))
    return Tuned(search, fresh.at_rate(rates[0]), fresh.at_rate(rates[-1]))


def run(
    student: str,
    case: CaseSettings,
    s: StackSettings,
    rates: Sequence[float],
    seeds: Sequence[int],
    heard: Callable[[float], None],
) -> Runs:
    """Every rate with every seed, side by side."""
    task = make_task(case)
    members = [(rate, seed) for rate in rates for seed in seeds]
    keys = jnp.stack([jax.random.key(seed) for _, seed in members])
    for_models, for_training = jax.vmap(jax.random.split, out_axes=1)(keys)
    # One after the other: vectorised, the random numbers alone take seconds to compile.
    made = {
        seed: make_stack(student, case, task, s, key=key)
        for (_, seed), key in zip(members, for_models, strict=True)
    }
    models = jax.tree.map(
        lambda *leaves: jnp.stack(leaves) if eqx.is_array(leaves[0]) else leaves[0],
        *(made[seed] for _, seed in members),
    )
    every = -(-case.steps // s.records)
    trained = train_members(
        models,
        task,
        learning_rates=[rate for rate, _ in members],
        steps=case.steps,
        batch=case.batch,
        lengths=case.length,
        optimiser=optimiser_of(case.steps, s.rest),
        keys=for_training,
        evaluate_every=every,
        test_sequences=s.tests,
        members_by="vmap",
        on_progress=heard,
    )
    # Training ends when every member has diverged; the records that it leaves out are failures.
    at = np.append(np.arange(0, case.steps, every), case.steps)
    errors = np.full((len(members), at.size), np.inf)
    errors[:, : trained.evaluated_at.size] = trained.test_errors
    errors[trained.diverged_at >= 0, -1] = np.inf
    errors = np.where(np.isnan(errors), np.inf, errors)
    seed_of = np.array([seed for _, seed in members])
    return Runs(trained.learning_rates, seed_of, at, errors)


@functools.cache
def optimiser_of(steps: int, rest: float) -> Callable[[Array], optax.GradientTransformation]:
    """The optimiser of a rate of the eigenvalues: Adam or hyperbolic Adam for them, AdamW else.

    The same function every time: a second run compiles nothing.
    """

    def at(rate: Array) -> optax.GradientTransformation:
        return optax.partition(
            {
                "recurrent": optax.adam(_cosine(rate, steps)),
                "hyperbolic": hyperbolic_adam(_cosine(rate, steps)),
                "other": optax.adamw(_cosine(rest, steps), weight_decay=WEIGHT_DECAY),
            },
            parameter_roles,
        )

    return at


def _cosine(rate: float | Array, steps: int) -> optax.Schedule:
    def scheduled(count: Any) -> Any:
        return rate * 0.5 * (1 + jnp.cos(jnp.pi * jnp.minimum(count / steps, 1.0)))

    return scheduled


def failures(runs: Runs, task: AbstractTask) -> int:
    """How many runs diverged or learnt nothing."""
    return int(np.sum(~(runs.final < FAILED * chance(task))))


def best_competitor(tuned_ones: Mapping[str, Tuned]) -> str:
    """Of those that are not hyperbolic, the one of the least median final error."""
    others = [name for name in tuned_ones if name != HYPERBOLIC]
    return min(others, key=lambda name: float(np.median(tuned_ones[name].final.final)))
