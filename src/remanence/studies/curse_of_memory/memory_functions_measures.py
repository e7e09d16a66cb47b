"""Memory functions of a linear layer, and of networks at their start."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from remanence.layers import GRU, LRU, LSTM, S4D, ElmanRNN, SequenceModel
from remanence.studies.curse_of_memory.memory_functions_settings import FADED, MemorySettings
from remanence.theory.decay import DecayFit, fit_decay
from remanence.theory.memory_functions import memory_function

PROBES = ("heaviside", "impulse", "reversed")
TORCH = "±1/√n"
OWN = "orthogonal"
STEPS = "log-uniform steps"
NETWORKS = ("RNN", "GRU", "LSTM")
S4 = "S4D"


@dataclasses.dataclass(frozen=True)
class LinearProbes:
    """`kernel` |ρ|_1 by step; every probe's memory function; and that divided by |x| + 1."""

    kernel: Float64[np.ndarray, " time"]
    probes: Mapping[str, Float64[np.ndarray, " time"]]
    halved: Float64[np.ndarray, " time"]

    @property
    def deviation(self) -> float:
        """The largest one of all probes, relative to the largest value of the kernel."""
        gaps = [np.abs(values - self.kernel).max() for values in self.probes.values()]
        return float(max(gaps) / self.kernel.max())


def linear_probes(seed: int) -> LinearProbes:
    """An LRU of two inputs: its kernel by its own formula, and by what it does."""
    layer = LRU(2, 8, 1, r_min=0.8, r_max=0.98, key=jax.random.key(seed))
    length = 300
    kernel = np.abs(np.asarray(layer.system().impulse_response(length))[:, 0]).sum(axis=1)
    probes = {probe: memory_function(layer, length=length, probe=probe).values for probe in PROBES}
    halved = memory_function(layer, length=length, denominator="x+1").values
    return LinearProbes(kernel, probes, halved)


@dataclasses.dataclass(frozen=True)
class NetworkMemories:
    """One network from several starts: `values` (starts, time), and the fit of each."""

    name: str
    start: str
    values: Float64[np.ndarray, "starts time"]
    fits: tuple[DecayFit, ...]

    def verdicts(self, which: str) -> int:
        """How many starts have that verdict."""
        return sum(fit.verdict == which for fit in self.fits)

    @property
    def lengths(self) -> Float64[np.ndarray, " starts"]:
        """Steps until each memory stays below `FADED` of its largest value."""
        return np.array([faded_after(row) for row in self.values])


def faded_after(values: Float64[np.ndarray, " time"]) -> float:
    """The step from which `values` stay below `FADED` of the largest; infinite if none does."""
    above = np.flatnonzero(values >= FADED * values.max())
    return float(above[-1] + 1) if above[-1] + 1 < values.size else np.inf


def network_memories(
    s: MemorySettings, heard: Callable[[float, str], None]
) -> tuple[NetworkMemories, ...]:
    """RNN, GRU and LSTM from PyTorch's start and from this library's, and S4D."""
    jobs = [(name, start) for name in NETWORKS for start in (TORCH, OWN)]
    jobs.append((S4, STEPS))
    found = []
    for done, (name, start) in enumerate(jobs):
        length = s.long_length if name == S4 else s.length
        measured = []
        for i in range(s.starts):
            heard((done + i / s.starts) / len(jobs), f"{name}, start {start}")
            size = s.channels if name == S4 else s.state
            layer = network(name, start, size, s.seed + i)
            measured.append(memory_function(layer, length=length))
        values = np.array([one.values for one in measured])
        fits = tuple(fit_decay(one) for one in measured)
        found.append(NetworkMemories(name, start, values, fits))
    return tuple(found)


def network(name: str, start: str, state: int, seed: int) -> Any:
    """One network of a scalar input, the outputs being its state (S4D's behind linear maps)."""
    key = jax.random.key(seed)
    if name == S4:
        return SequenceModel(
            1, state, width=state, layers=lambda k: S4D(state, 64, key=k), depth=1, key=key
        )
    if start == OWN:
        return {"RNN": ElmanRNN, "GRU": GRU, "LSTM": LSTM}[name](1, state, key=key)
    rng = np.random.default_rng(seed)
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[name]
    shapes = ((gates * state, 1), (gates * state, state), (gates * state,), (gates * state,))
    W, U, b, c = (rng.uniform(-(state**-0.5), state**-0.5, shape) for shape in shapes)
    if name == "GRU":
        return GRU.from_arrays(W, U, b, c)
    if name == "LSTM":
        return LSTM.from_arrays(W, U, b, c)
    return eqx.tree_at(
        lambda own: (own.W, own.U, own.b),
        ElmanRNN(1, state, key=key),
        tuple(jnp.asarray(array) for array in (W, U, b + c)),
    )
