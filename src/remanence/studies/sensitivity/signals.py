"""How signals and gradients pass a deep recurrent network at initialisation, as memory grows."""

import numpy as np

from remanence.report import AbstractProgress
from remanence.studies.contract import Finding, Part
from remanence.studies.sensitivity.signals_claims import (
    activation_claim,
    beside_the_paper,
    controlled_claim,
    eigenvalue_claim,
    gated_claim,
    normalised_claim,
    phase_claim,
)
from remanence.studies.sensitivity.signals_figures import activation_figure, gradient_figure
from remanence.studies.sensitivity.signals_measures import (
    Signals,
    expected_first_layer,
    measure_signals,
)
from remanence.studies.sensitivity.signals_settings import (
    ARCHITECTURES,
    FULL,
    QUICK,
    SignalSettings,
)


def run_signals(settings: SignalSettings, progress: AbstractProgress) -> Finding:
    """Measure S9a to S9f: activations and gradients of deep networks against memory."""
    progress.update(0.0, "drawing inputs")
    signals = measure_signals(settings, lambda share, text: progress.update(0.95 * share, text))
    progress.update(0.95, "drawing the figures")
    claims = (
        activation_claim(signals),
        eigenvalue_claim(signals),
        controlled_claim(signals),
        phase_claim(signals),
        normalised_claim(signals),
        gated_claim(signals),
    )
    figures = (activation_figure(settings, signals), gradient_figure(settings, signals))
    progress.update(1.0, "signals done")
    return Finding(
        title="Signals and gradients at initialisation",
        text=(
            f"Networks of {settings.depth} blocks x + GLU(gelu(RNN(x))) between dense maps, "
            f"{settings.inputs} features in and out, width {settings.width}, none trained. The "
            "paper feeds them embeddings of text; here features are independent Gaussian "
            "processes with the embeddings' documented autocorrelation "
            "0.0431 · 0.99701^|Δ| + 0.332 δ_Δ, which is all that the linear theory depends on. "
            "The memory t sets |λ| in [1 − 1/t, 1 − 1/(2t)] with uniform phases, or the GRU's "
            "gate bias log U(t, 2t). The loss has the published indices: it is called next-token "
            "prediction, but its target at step t is the input at t − 1, two steps off. "
            f"{settings.sequences} sequences of {settings.length} steps (published: 16) in "
            f"{settings.dtype}. With uniform phases the mean of K(λ, λ̄) over the ring depends on "
            "R(0) alone, so that normalised layers are flat in t on average."
        ),
        claims=claims,
        figures=figures,
        tables={
            "activations": _activations(settings, signals),
            "gradients": _gradients(settings, signals),
            "beside_the_paper": beside_the_paper(signals),
        },
    )


def _activations(s: SignalSettings, signals: Signals) -> dict[str, np.ndarray]:
    """One row an architecture, memory, seed and layer; layer −1 is the encoder."""
    grid = np.meshgrid(s.memories, s.seed + np.arange(s.seeds), np.arange(-1, s.depth))
    memory, seed, layer = (np.swapaxes(axis, 0, 1).ravel() for axis in grid)
    count = memory.size
    theory = {
        (name, t): expected_first_layer(name, t) for name in ARCHITECTURES for t in s.memories
    }
    return {
        "architecture": np.repeat(ARCHITECTURES, count),
        "memory": np.tile(memory, len(ARCHITECTURES)),
        "seed": np.tile(seed, len(ARCHITECTURES)),
        "layer": np.tile(layer, len(ARCHITECTURES)),
        "mean_square": np.concatenate([signals.activations[n].ravel() for n in ARCHITECTURES]),
        "theory": np.array(
            [
                theory[name, t] if place == 0 else np.nan
                for name in ARCHITECTURES
                for t, place in zip(memory, layer, strict=True)
            ]
        ),
    }


def _gradients(s: SignalSettings, signals: Signals) -> dict[str, np.ndarray]:
    """One row an architecture, group, memory, seed and layer."""
    grid = np.meshgrid(s.memories, s.seed + np.arange(s.seeds), np.arange(s.depth))
    memory, seed, layer = (np.swapaxes(axis, 0, 1).ravel() for axis in grid)
    pairs = [(name, group) for name in ARCHITECTURES for group in signals.gradients[name]]
    return {
        "architecture": np.repeat([name for name, _ in pairs], memory.size),
        "group": np.repeat([group for _, group in pairs], memory.size),
        "memory": np.tile(memory, len(pairs)),
        "seed": np.tile(seed, len(pairs)),
        "layer": np.tile(layer, len(pairs)),
        "mean_square": np.concatenate([signals.gradients[n][g].ravel() for n, g in pairs]),
    }


SIGNALS = Part("signals", run_signals, {"quick": QUICK, "full": FULL}, weight=12.0)
