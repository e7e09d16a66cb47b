"""Length extension: training from zero states against carrying them."""

import numpy as np

from remanence.report import AbstractProgress, PartialProgress
from remanence.studies.contract import Finding, Part
from remanence.studies.curse_of_memory.length_extension_claims import (
    carried_claim,
    gru_claim,
    hindsight_claim,
    stationary_claim,
    toy_claim,
    zero_claim,
)
from remanence.studies.curse_of_memory.length_extension_figures import networks_figure, toy_figure
from remanence.studies.curse_of_memory.length_extension_settings import (
    FULL,
    QUICK,
    SHORT_TOY,
    ExtensionSettings,
)
from remanence.studies.curse_of_memory.length_extension_toy import run_toy
from remanence.studies.curse_of_memory.length_extension_training import (
    WAYS,
    Extension,
    train_network,
)
from remanence.studies.tables import columns


def run_length_extension(settings: ExtensionSettings, progress: AbstractProgress) -> Finding:
    """Measure F12a to F12e, and F12f where a GRU is among the networks."""
    s = settings
    toy = run_toy(s, tuple(SHORT_TOY))
    found = {}
    for i, name in enumerate(s.networks):
        stretch = PartialProgress(
            progress, start=0.95 * i / len(s.networks), stop=0.95 * (i + 1) / len(s.networks)
        )
        found[name] = train_network(s, name, stretch.update)
    progress.update(0.95, "drawing")
    claims = [toy_claim(s, toy), stationary_claim(s, toy), hindsight_claim(s, toy)]
    if "S4D" in found:
        claims += [carried_claim(s, found["S4D"]), zero_claim(s, found["S4D"])]
    if "GRU" in found:
        claims.append(gru_claim(s, found["GRU"]))
    return Finding(
        title="Length extension",
        text=(
            "A sequence of T steps from a zero state shows T lags of a memory, and whatever the "
            "model does beyond them is left to chance. If each batch starts from the state that "
            "the last one ended in (truncated backpropagation through time), the loss hears of "
            "all lags that the states carry, though gradients reach back T steps only."
            + ("" if "GRU" in found else " The GRU is trained with --full only.")
        ),
        claims=tuple(claims),
        figures=(toy_figure(s, toy), networks_figure(s, tuple(found.values()))),
        tables={
            "length_extension_toy": {
                "ridge_share": toy.ridges,
                "error_at_training_length": toy.at_training,
                "error_at_4096": toy.at_longest,
            },
            "length_extension": _table(found),
        },
    )


def _table(found: dict[str, Extension]) -> dict[str, np.ndarray]:
    rows = [
        (name, way, seed, length, one.shares[w, seed, i], one.losses[w, seed])
        for name, one in found.items()
        for w, way in enumerate(WAYS)
        for seed in range(one.shares.shape[1])
        for i, length in enumerate(one.lengths)
    ]
    names = ("network", "training", "seed", "length", "unexplained_share", "training_loss")
    return columns(names, rows)


LENGTH_EXTENSION = Part(
    "length extension", run_length_extension, {"quick": QUICK, "full": FULL}, weight=14.0
)
"""Target F12."""
