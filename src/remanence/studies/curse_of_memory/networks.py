"""Recurrent networks in training: plateaus on delayed memory, none on decaying memory."""

import numpy as np

from remanence.report import AbstractProgress, PartialProgress
from remanence.studies.contract import Finding, Part
from remanence.studies.curse_of_memory.networks_claims import linear_claims, tanh_claims
from remanence.studies.curse_of_memory.networks_figures import curves_figure, growth_figure
from remanence.studies.curse_of_memory.networks_linear import linear_targets, train_linear
from remanence.studies.curse_of_memory.networks_lorenz_claims import lorenz_claims
from remanence.studies.curse_of_memory.networks_measures import Curves
from remanence.studies.curse_of_memory.networks_settings import (
    ESCAPED,
    FLAT,
    FULL,
    QUICK,
    NetworkSettings,
)
from remanence.studies.curse_of_memory.networks_tanh import tanh_sequences, train_tanh
from remanence.studies.tables import columns

_THINNED = 200


def run_networks(settings: NetworkSettings, progress: AbstractProgress) -> Finding:
    """Measure N1a to N1c (linear), N2a, N2b (tanh), N3a to N3c (Lorenz)."""
    s = settings
    first = PartialProgress(progress, start=0.0, stop=0.4)
    linear = train_linear(s.linear, lambda share: first.update(share, "linear networks"))
    progress.update(0.4, "sequences")
    sequences, systems = tanh_sequences(s.tanh)
    second = PartialProgress(progress, start=0.45, stop=0.95)
    tanh = train_tanh(s.tanh, sequences, lambda share: second.update(share, "tanh networks"))
    progress.update(0.95, "drawing")
    return Finding(
        title="Trained networks: plateaus on delayed memory",
        text=(
            "The plateaus of training, on networks instead of diagonal modes: a linear RNN with "
            "a dense recurrent matrix under plain gradient descent on its exact expected loss, "
            "and a tanh RNN, h ← h + dt (−h + tanh(G h + U x + b)), under Adam on sequences. "
            "Targets are exponential sums, Airy functions and bumps as memory kernels, and a "
            "Lorenz-96 ring driven by its input. The share is the squared error over the "
            f"target's variance; a target is learnt when it falls below {ESCAPED:g}, and a "
            "plateau is a stretch before that over which its logarithm moves by less than "
            f"{FLAT:g}: slow decline counts as well as standing still."
        ),
        claims=(
            *linear_claims(s.linear, linear),
            *tanh_claims(s.tanh, tanh),
            *lorenz_claims(s.tanh, tanh, systems),
        ),
        figures=(curves_figure(s, linear, tanh), growth_figure(s, linear, tanh)),
        tables={
            "network_steps": _steps(s, {"linear": linear, "tanh": tanh}),
            "network_curves": _curves({"linear": linear, "tanh": tanh}),
        },
    )


def _steps(s: NetworkSettings, networks: dict[str, list[Curves]]) -> dict[str, np.ndarray]:
    """`mean_lag`: `∫tρ²/∫ρ²`, units of time, of the kernels of the linear networks."""
    times = s.linear.step * np.arange(s.linear.lags)
    lags = {
        one.name: float(times @ one.kernel**2 / np.sum(one.kernel**2))
        for one in linear_targets(s.linear)
    }
    rows = [
        (
            network,
            one.target,
            one.family,
            one.memory,
            lags.get(one.target, np.nan),
            seed,
            one.escapes[seed],
            one.plateaus[seed],
            one.shares[seed, -1],
        )
        for network, curves in networks.items()
        for one in curves
        for seed in range(len(one.shares))
    ]
    names = ("network", "target", "family", "memory", "mean_lag", "seed")
    found = ("steps_to_learn", "longest_plateau", "final_share")
    return columns((*names, *found), rows)


def _curves(networks: dict[str, list[Curves]]) -> dict[str, np.ndarray]:
    rows = []
    for network, curves in networks.items():
        for one in curves:
            for k in np.unique(np.geomspace(1, one.at.size, _THINNED).astype(int)) - 1:
                low, middle, high = np.quantile(one.shares[:, k], (0.0, 0.5, 1.0))
                rows.append((network, one.target, one.at[k], middle, low, high))
    return columns(("network", "target", "step", "median", "least", "greatest"), rows)


NETWORKS = Part("trained networks", run_networks, {"quick": QUICK, "full": FULL}, weight=17.0)
"""The claims on trained networks."""
