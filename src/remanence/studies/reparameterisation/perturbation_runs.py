"""Networks of growing width, trained one after another and then perturbed."""

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float

from remanence.studies.reparameterisation.perturbation_networks import (
    KINDS,
    Network,
    eigenvalues,
    expected_loss,
    train,
)
from remanence.studies.reparameterisation.perturbation_settings import RADII, PerturbationSettings
from remanence.studies.threads import in_threads
from remanence.theory.perturbation import (
    PerturbationErrors,
    perturbation_errors,
    tensor_perturbation,
)


@dataclasses.dataclass(frozen=True)
class Perturbed:
    """A trained network and what perturbation does to it.

    `drawn`, `least`, `greatest` (tried,): the error of every perturbed network, and the least
    and greatest eigenvalue of its step.
    """

    network: Network
    errors: PerturbationErrors
    drawn: Float[np.ndarray, " tried"]
    least: Float[np.ndarray, " tried"]
    greatest: Float[np.ndarray, " tried"]


Runs = Mapping[tuple[str, int], list[Perturbed]]
"""`(kind, width)` to one per seed."""


def run_networks(s: PerturbationSettings, on_progress: Callable[[float, str], None]) -> Runs:
    """Every kind, seed and width."""
    jobs = [(kind, seed) for seed in range(s.seeds) for kind in KINDS]

    def work(job: tuple[str, int], heard: Callable[[float], None]) -> list[Perturbed]:
        kind, seed = job
        found: list[Perturbed] = []
        # A width's epochs count as its share of the work, which grows with it.
        shares = np.cumsum([0, *s.widths]) / sum(s.widths)
        previous = np.inf
        for place, width in enumerate(s.widths):
            begin, end = shares[place], shares[place + 1]

            def epoch(count: int, begin: float = begin, end: float = end) -> None:
                heard(float(begin + (end - begin) * 0.7 * count / s.epochs))

            network = train(s, kind, width, seed, previous / 2, epoch)
            found.append(perturbed(s, network))
            heard(float(end))
            previous = network.loss
        return found

    chains = in_threads(
        work,
        jobs,
        weights=[1.0] * len(jobs),
        workers=min(2, os.cpu_count() or 1),
        on_progress=lambda share, job: on_progress(share, job[0]),
    )
    runs: dict[tuple[str, int], list[Perturbed]] = {}
    for (kind, _), chain in zip(jobs, chains, strict=True):
        for width, one in zip(s.widths, chain, strict=True):
            runs.setdefault((kind, width), []).append(one)
    return runs


def perturbed(s: PerturbationSettings, network: Network) -> Perturbed:
    """The published perturbation: noise of largest entry β per tensor, −β in the diagonal W."""
    rows: list[tuple[float, float, float]] = []

    def error(parameters: Mapping[str, np.ndarray]) -> float:
        loss = expected_loss(dict(parameters), network.kind)
        step = eigenvalues(dict(parameters), network.kind)
        rows.append((loss, float(step[0]), float(step[-1])))
        return loss

    found = perturbation_errors(
        error,
        network.parameters,
        RADII,
        perturb=functools.partial(tensor_perturbation, one_sided={"W": -1.0}),
        draws=s.draws,
        seed=network.seed,
    )
    drawn, least, greatest = np.array(rows).T
    return Perturbed(network, found, np.where(np.isnan(drawn), np.inf, drawn), least, greatest)


def median_error(runs: Runs, kind: str, width: int, radius: float) -> float:
    """Of the seeds, at the radius of the grid nearest to `radius`."""
    place = int(np.argmin(np.abs(np.array(RADII) - radius)))
    return middle(np.array([one.errors.errors[place] for one in runs[kind, width]]))


def middle(values: np.ndarray) -> float:
    """The median, where half and more may be infinite."""
    ordered = np.sort(values)
    low, high = ordered[(ordered.size - 1) // 2], ordered[ordered.size // 2]
    return float(low + (high - low) / 2) if np.isfinite(high) else float("inf")
