"""Claims S9a to S9f, from the measured activations and gradients; and the published numbers."""

import numpy as np

from remanence.studies.contract import Claim, verdict
from remanence.studies.sensitivity.signals_measures import Signals
from remanence.studies.sensitivity.signals_settings import (
    ACTIVATION_RATIO,
    EIGENVALUE_GRADIENT,
    GRU_RANGE,
    LRU_RANGE,
    NORMALISED_REST,
    PHASE_GROWTH,
)
from remanence.studies.sensitivity.sources import figure

_SOURCE = f"{figure('5')} and 13"

PUBLISHED: dict[tuple[str, str, float], tuple[float, float]] = {
    ("complex", "layer 0", 100.0): (10.0, 10.0),
    ("complex", "layer 3", 100.0): (2e5, 2e5),
    ("LRU", "layer 0", 100.0): (0.5, 0.5),
    ("LRU", "layer 3", 100.0): (1.2, 1.4),
    ("complex", "rest", 1.0): (1.0e-6, 1.5e-6),
    ("complex", "rest", 10.0): (1.5e-2, 2.7e-2),
    ("complex", "rest", 100.0): (7.4e5, 2.8e6),
    ("complex", "λ", 1.0): (2.1e-6, 4.0e-6),
    ("complex", "λ", 10.0): (4.0, 20.0),
    ("complex", "λ", 100.0): (4.9e9, 4.3e10),
    ("LRU", "rest", 1.0): (4.4e-7, 5.1e-7),
    ("LRU", "rest", 100.0): (2.5e-7, 5.0e-7),
    ("LRU", "ν", 1.0): (0.9e-7, 2.6e-7),
    ("LRU", "ν", 100.0): (1.9e-7, 19.9e-7),
    ("LRU", "θ", 1.0): (0.6e-6, 2.0e-6),
    ("LRU", "θ", 10.0): (0.65e-4, 3.1e-4),
    ("LRU", "θ", 100.0): (1.3e-3, 1.7e-2),
}
"""Least and greatest over the four layers, by architecture, quantity and t; embeddings of text."""


def activation_claim(signals: Signals) -> Claim:
    """S9a."""
    ratios = signals.activations["complex"][-1][:, -1] / signals.activations["LRU"][-1][:, 1]
    return Claim(
        id="S9a",
        statement=(
            "Without input normalisation the signal explodes over depth as the memory grows: a "
            "few layers of complex diagonal recurrences against one of the LRU."
        ),
        source=_SOURCE,
        expected=(
            "mean square of the last layer of the complex network over that of layer 0 of the "
            f"LRU above {ACTIVATION_RATIO:.0e} at the longest memory, in every seed"
        ),
        measured=f"{_span(ratios)} at {_where(signals)}; published: 2e5 / 0.5 = 4e5 at t = 100",
        verdict=verdict(ratios.min() > ACTIVATION_RATIO),
    )


def eigenvalue_claim(signals: Signals) -> Claim:
    """S9b."""
    found = signals.gradients["complex"]["λ"][-1]
    return Claim(
        id="S9b",
        statement="Its gradients with respect to the eigenvalues explode.",
        source=_SOURCE,
        expected=(
            f"mean squared gradient of λ above {EIGENVALUE_GRADIENT:.0e} at the longest memory, "
            "in every layer and seed"
        ),
        measured=f"{_span(found)} at {_where(signals)}; published: 4.9e9 to 4.3e10",
        verdict=verdict(found.min() > EIGENVALUE_GRADIENT),
    )


def controlled_claim(signals: Signals) -> Claim:
    """S9c."""
    groups = {name: v for name, v in signals.gradients["LRU"].items() if name != "θ"}
    spans = {name: _ranges(values) for name, values in groups.items()}
    worst = max(spans, key=lambda name: spans[name].max())
    layer, largest = int(spans[worst].argmax()), float(spans[worst].max())
    per_layer = "; ".join(f"{name} {_times(span)}" for name, span in spans.items())
    pooled = ", ".join(
        f"{name} ×{_range(values.mean(axis=2, keepdims=True)):.3g}"
        for name, values in groups.items()
    )
    beyond = [
        f"{name} of layer {place}"
        for name, span in spans.items()
        for place in np.flatnonzero(span >= LRU_RANGE)
    ]
    return Claim(
        id="S9c",
        statement=(
            f"The LRU's gradients, that of the phase excepted, stay within a factor {LRU_RANGE:g} "
            "over all memories."
        ),
        source=_SOURCE,
        expected=(
            "for each layer and each group of parameters other than θ, the mean squared gradient "
            f"(mean over seeds) within ×{LRU_RANGE:g} over all memories"
        ),
        measured=(
            f"greatest over least, layer 0 to {spans[worst].size - 1}: {per_layer}; from t = "
            f"{signals.memories[0]:g} to {_where(signals)}; mean over all layers: {pooled}"
        ),
        verdict=verdict(largest < LRU_RANGE),
        note=(
            f"Beyond ×{LRU_RANGE:g}: {', '.join(beyond) or 'none'}; the widest is {worst} of "
            f"layer {layer}, ×{largest:.3g}. An earlier version judged the mean over all layers, "
            "chosen after a prototype had missed the criterion in a layer (×54); it is given "
            "beside and no longer judged. The excess of ν is due to few modes of small phase: in "
            "layer 0 of the quick run's network, two of 256 modes, with |θ| below .002 π, make "
            "93 % of the mean square at t = 100; the median over modes stays within ×9."
        ),
    )


def phase_claim(signals: Signals) -> Claim:
    """S9d."""
    found = signals.gradients["LRU"]["θ"].mean(axis=2)
    growth = found[-1] / found[0]
    return Claim(
        id="S9d",
        statement="The gradient with respect to the LRU's phases explodes with the memory.",
        source=_SOURCE,
        expected=(
            "mean squared gradient of log θ over all layers grows by more than "
            f"{PHASE_GROWTH:.0e} from the shortest to the longest memory, in every seed"
        ),
        measured=(
            f"×{_span(growth)} from t = {signals.memories[0]:g} to {_where(signals)}; "
            "published: about ×7e3"
        ),
        verdict=verdict(growth.min() > PHASE_GROWTH),
    )


def normalised_claim(signals: Signals) -> Claim:
    """S9e."""
    groups = signals.gradients["complex, LayerNorm"]
    rest, own = groups["rest"], groups["λ"].mean(axis=(1, 2))
    return Claim(
        id="S9e",
        statement=(
            "Layer normalisation keeps the gradients of the other parameters of the complex "
            "network small at every memory; that of the eigenvalues still grows."
        ),
        source=_SOURCE,
        expected=(
            f"mean squared gradient of the rest at most {NORMALISED_REST:.0e} at every memory, in "
            "every layer and seed"
        ),
        measured=(
            f"rest {_span(rest)} over {_seeds(signals)}; λ, mean over layers and seeds, grows "
            f"×{own[-1] / own[0]:.2g} (published: rest ≤ 1e-6, λ about ×1e2)"
        ),
        verdict=verdict(rest.max() <= NORMALISED_REST),
    )


def gated_claim(signals: Signals) -> Claim:
    """S9f."""
    activation = _range(signals.activations["GRU"])
    spans = {name: _range(values) for name, values in signals.gradients["GRU"].items()}
    per_group = ", ".join(f"{name} ×{span:.3g}" for name, span in spans.items())
    return Claim(
        id="S9f",
        statement=(
            "Neither activations nor gradients of the GRU with chrono initialisation depend much "
            "on the memory."
        ),
        source=_SOURCE,
        expected=(
            "mean squares of each layer's outputs, and of its gradients in each group (mean over "
            f"seeds), within ×{GRU_RANGE:g} over all memories"
        ),
        measured=(
            f"greatest over least, largest of the layers: outputs ×{activation:.3g}, gradients "
            f"{per_group}; {_seeds(signals)}"
        ),
        verdict=verdict(max(activation, *spans.values()) < GRU_RANGE),
        note=(
            "The paper's figure shows it flat or slightly falling and gives no factor; ×"
            f"{GRU_RANGE:g} is ours, the factor that the LRU is held to. First runs, which met it "
            "too, had input matrices of half the published variance. The published "
            "gradients (1e-8 to 1e-7) are larger than ours (1e-11 to 1e-9) at every memory; "
            "we have not found out why."
        ),
    )


def beside_the_paper(signals: Signals) -> dict[str, np.ndarray]:
    """Published ranges over layers beside ours (over layers and seeds), a row a number."""
    rows = []
    for (architecture, quantity, memory), published in PUBLISHED.items():
        if memory not in signals.memories:
            continue
        place = signals.memories.index(memory)
        if quantity.startswith("layer"):
            layer = int(quantity.split()[1]) + 1
            if layer >= signals.activations[architecture].shape[2]:
                continue
            values = signals.activations[architecture][place][:, layer]
        else:
            values = signals.gradients[architecture][quantity][place]
        rows.append((architecture, quantity, memory, *published, values.min(), values.max()))
    names = ("architecture", "quantity", "memory", "paper_least", "paper_greatest")
    columns = zip(*rows, strict=True) if rows else ([] for _ in range(7))
    both = (*names, "measured_least", "measured_greatest")
    return {name: np.array(column) for name, column in zip(both, columns, strict=True)}


def _ranges(values: np.ndarray) -> np.ndarray:
    """Greatest over least along the memories of the mean over seeds, of each layer."""
    means = values.mean(axis=1)
    return means.max(axis=0) / means.min(axis=0)


def _range(values: np.ndarray) -> float:
    """The largest of the layers."""
    return float(_ranges(values).max())


def _times(values: np.ndarray) -> str:
    return ", ".join(f"×{value:.3g}" for value in values)


def _span(values: np.ndarray) -> str:
    return f"{values.min():.2g} to {values.max():.2g}"


def _seeds(signals: Signals) -> str:
    count = next(iter(signals.activations.values())).shape[1]
    return f"{count} seed{'' if count == 1 else 's'}"


def _where(signals: Signals) -> str:
    return f"t = {signals.memories[-1]:g}, {_seeds(signals)}"
