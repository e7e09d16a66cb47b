"""Perturbation errors: the published networks, exponential sums, and the infinite horizon."""

import numpy as np

from remanence.report import AbstractProgress
from remanence.studies.contract import Finding, Part
from remanence.studies.reparameterisation.perturbation_claims import network_claims
from remanence.studies.reparameterisation.perturbation_figures import (
    euler_figure,
    networks_figure,
    sums_figure,
    tolerated_figure,
)
from remanence.studies.reparameterisation.perturbation_runs import (
    Runs,
    median_error,
    run_networks,
)
from remanence.studies.reparameterisation.perturbation_settings import (
    FULL,
    PUBLISHED,
    QUICK,
    RADII,
    SHOWN,
    PerturbationSettings,
)
from remanence.studies.reparameterisation.perturbation_sums import (
    TARGETS,
    Sums,
    euler_sums,
    long_sums,
    perturbed_sums,
)
from remanence.studies.reparameterisation.perturbation_sums_claims import sum_claims
from remanence.studies.tables import columns


def run_perturbation(settings: PerturbationSettings, progress: AbstractProgress) -> Finding:
    """Measure F1a to F1e (networks) and F1f to F1i (exponential sums)."""
    s = settings
    sums = {}
    for place, target in enumerate(TARGETS):
        begin = 0.06 * place
        sums[target] = perturbed_sums(
            s,
            target,
            lambda share, begin=begin: progress.update(begin + 0.06 * share, "exponential sums"),
        )
    euler, far = euler_sums(s), long_sums(s)
    runs = run_networks(
        s, lambda share, kind: progress.update(0.13 + 0.82 * share, f"networks, {kind}")
    )
    progress.update(0.95, "drawing")
    return Finding(
        title="Perturbation errors",
        text=(
            "E_m(β) is the largest error of a model of width m when its parameters are perturbed "
            "by up to β. The published experiment measures it per tensor, in the largest entry, "
            "and moves the recurrent diagonal as a whole by −β; the definition has a ball in the "
            "2-norm. Its S4 panel has two-sided noise where the others have −β, because none of "
            "its tensors is called W: the panels are not strictly comparable, and S4 is not "
            "re-run here. The networks learn (1 + 0.1 t)^−1.1, the sums of the earlier "
            "deterministic version (t + 1)^−1.1. The networks are linear, so that training and "
            "testing need no sequences: the loss is Σ_t ω_t² (Σ_{j≤t} (ρ̂_j − ρ_j)² + d_t²)/T, "
            "the weights entering squared as in the public code. The network that puts out "
            "nothing has 14.8 (published for networks that failed to train: 14.6)."
        ),
        claims=(*network_claims(s, runs), *sum_claims(s, sums, euler, far)),
        figures=(
            networks_figure(s, runs),
            euler_figure(runs),
            sums_figure(s, sums),
            tolerated_figure(s, sums),
        ),
        tables={
            "perturbation_errors": _network_table(s, runs),
            "perturbation_published": _published_table(s, runs),
            "perturbed_sums": _sums_table(sums),
        },
    )


def _network_table(s: PerturbationSettings, runs: Runs) -> dict[str, np.ndarray]:
    rows = [
        (kind, width, one.network.seed, one.network.epochs, beta, error)
        for (kind, width), found in runs.items()
        for one in found
        for beta, error in zip(RADII, one.errors.errors.tolist(), strict=True)
    ]
    return columns(("kind", "width", "seed", "epochs", "radius", "error"), rows)


def _published_table(s: PerturbationSettings, runs: Runs) -> dict[str, np.ndarray]:
    rows = []
    for kind, by_width in PUBLISHED.items():
        for width, values in by_width.items():
            for beta, published in zip(SHOWN, values, strict=True):
                ours = median_error(runs, kind, width, beta) if (kind, width) in runs else np.nan
                rows.append((kind, width, beta, ours, published))
    return columns(("kind", "width", "radius", "ours", "published"), rows)


def _sums_table(sums: dict[str, Sums]) -> dict[str, np.ndarray]:
    rows = [
        (target, name, what, convention, width, beta, error)
        for target, found in sums.items()
        for (name, what, convention), by_width in found.errors.items()
        for width, row in zip(found.widths, by_width, strict=True)
        for beta, error in zip(row.radii.tolist(), row.errors.tolist(), strict=True)
    ]
    names = ("target", "map", "perturbed", "convention", "width", "radius", "error")
    return columns(names, rows)


PERTURBATION = Part("perturbation", run_perturbation, {"quick": QUICK, "full": FULL}, weight=16.0)
"""The claims on perturbation errors."""
