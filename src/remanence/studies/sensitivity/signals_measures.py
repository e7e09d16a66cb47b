"""What flows through the networks at initialisation: activations, gradients, and their theory."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from scipy.special import ndtr

from remanence.studies.sensitivity.signals_network import (
    Network,
    gradient_groups,
    make_network,
    published_loss,
    with_memory,
)
from remanence.studies.sensitivity.signals_settings import ARCHITECTURES, SignalSettings
from remanence.studies.threads import in_threads
from remanence.tasks.inputs import word_embeddings
from remanence.theory import (
    ExponentialInput,
    SummedInput,
    WhiteInput,
    frozen_gate_power,
    mean_square_state,
    normalised_power,
)

_CORRELATION, _CORRELATED, _WHITE = 0.99701, 0.0431, 0.332
_POWER = _CORRELATED + _WHITE


@dataclasses.dataclass(frozen=True)
class Signals:
    """Mean squares by architecture: `memories` × `seeds` × layers.

    - `activations`: of the encoder's outputs, then of every layer's.
    - `gradients`: of the entries of each group of parameters of every layer.
    """

    memories: tuple[float, ...]
    activations: dict[str, Float[np.ndarray, "memories seeds outputs"]]
    gradients: dict[str, dict[str, Float[np.ndarray, "memories seeds layers"]]]


def measure_signals(
    s: SignalSettings, on_progress: Callable[[float, str], None] = lambda share, text: None
) -> Signals:
    """Every architecture at every memory in every seed; one compilation an architecture."""
    keys = [jax.random.split(jax.random.key(s.seed + i), 3) for i in range(s.seeds)]
    draw = jax.jit(lambda key: draw_inputs(s, key=key))
    inputs = [draw(key[0]) for key in keys]

    def work(architecture: str, heard: Callable[[float], None]) -> list[Any]:
        evaluate = eqx.filter_jit(
            lambda network, xs: _evaluate(architecture, network, xs)  # pyright: ignore
        )
        found, cases = [], s.seeds * len(s.memories)
        for key, xs in zip(keys, inputs, strict=True):
            network = make_network(architecture, s, key=key[1])
            for memory in s.memories:
                heard(len(found) / cases)
                aged = with_memory(network, architecture, memory, key=key[2])
                found.append(jax.device_get(evaluate(aged, xs)))
        heard(1.0)
        return found

    results = in_threads(
        work,
        ARCHITECTURES,
        weights=[2.0, 2.0, 1.0, 2.0],
        workers=s.workers,
        on_progress=lambda share, one: on_progress(share, f"{one} networks"),
    )
    activations, gradients = {}, {}
    for architecture, found in zip(ARCHITECTURES, results, strict=True):
        activations[architecture] = _by_memory([powers for powers, _ in found], s)
        gradients[architecture] = {
            name: _by_memory([groups[name] for _, groups in found], s) for name in found[0][1]
        }
    return Signals(s.memories, activations, gradients)


def draw_inputs(
    s: SignalSettings, *, key: PRNGKeyArray
) -> Float[Array, "sequences length inputs"]:
    """Independent features with the documented autocorrelation of word embeddings."""
    process = word_embeddings()
    keys = jax.random.split(key, s.sequences)
    xs = jax.vmap(lambda one: process.sample(one, s.length, s.inputs))(keys)
    return xs.astype(s.dtype)


def expected_first_layer(architecture: str, memory: float | int) -> float:
    """Mean square of the first layer's outputs for wide networks and an infinite past.

    The encoder's outputs have the inputs' autocorrelation `R`. With `S` the mean over the ring of
    `2 K(λ, λ̄)` (LRU: times `1 − |λ|²`), the recurrence puts out, for a skip weight `D`,

        y ~ N(0, S + D² R(0)),   D ~ N(0, 1);   q = E gelu(y)²;   R(0) + q E σ(√q z)².

    GRU: `S` is the power of a frozen gate with linear candidate of variance 2 R(0), and there is
    no `D`: an upper estimate, since the tanh and the gates that move are left out. With LayerNorm
    `q = 1`, whatever the memory. The first term is the skip's; `expected_added_power` has the
    second alone.

    Source: derived: dense maps of independent weights are Gaussian processes of their inputs.
    """
    return _POWER + expected_added_power(architecture, memory)


def expected_added_power(architecture: str, memory: float | int) -> float:
    """`q E σ(√q z)²`, what the first layer adds to its skip (see `expected_first_layer`)."""
    if architecture.endswith("LayerNorm"):
        return _gated(1.0)
    input = embeddings()
    if architecture == "GRU":
        u = memory * (1 + _nodes(32)[0])
        power = 2 * float(_nodes(32)[1] @ np.asarray(frozen_gate_power(u / (1 + u), input)))
        return _gated(_rectified(power, direct=0.0))
    inner, outer = (1 - 1 / memory) ** 2, (1 - 1 / (2 * memory)) ** 2
    places, weights = _nodes(16)
    magnitude = np.sqrt(inner + (outer - inner) * places)[:, None]
    # The trapezoidal rule is exact up to |λ|^2048 on a circle.
    phase = np.linspace(-math.pi, math.pi, 2048, endpoint=False)[None]
    magnitude, phase = np.broadcast_arrays(magnitude, phase)
    if architecture == "LRU":
        powers = normalised_power(magnitude, input, phase=phase)
    else:
        powers = mean_square_state(magnitude * np.exp(1j * phase), input)
    power = 2 * float(weights @ np.asarray(powers).mean(axis=1))
    return _gated(_rectified(power, direct=_POWER))


def embeddings() -> SummedInput:
    """`R(Δ) = 0.0431 · 0.99701^|Δ| + 0.332 δ_Δ`, as theory wants it."""
    return SummedInput([ExponentialInput(_CORRELATION, _CORRELATED), WhiteInput(_WHITE)])


def _evaluate(
    architecture: str, network: Network, xs: Array
) -> tuple[Array, dict[str, Float[Array, " depth"]]]:
    gradient, powers = eqx.filter_grad(published_loss, has_aux=True)(network, xs)
    return powers, gradient_groups(architecture, gradient)


def _by_memory(rows: list[np.ndarray], s: SignalSettings) -> np.ndarray:
    stacked = np.stack(rows).reshape(s.seeds, len(s.memories), -1)
    return np.swapaxes(stacked, 0, 1)


def _nodes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss–Legendre nodes and weights on (0, 1)."""
    places, weights = np.polynomial.legendre.leggauss(count)
    return (places + 1) / 2, weights / 2


def _normal_nodes(count: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of the mean over a standard normal number."""
    places, weights = np.polynomial.hermite_e.hermegauss(count)
    return places, weights / weights.sum()


def _rectified(power: float, *, direct: float) -> float:
    """`E gelu(y)²` for `y ~ N(0, power + D² direct)` and `D` standard normal."""
    z, weights = _normal_nodes()
    y = np.sqrt(power + direct * z[:, None] ** 2) * z[None, :]
    return float(weights @ (y * ndtr(y)) ** 2 @ weights)


def _gated(power: float) -> float:
    """`E (a σ(b))²` for independent normal `a`, `b` of this power."""
    z, weights = _normal_nodes()
    return float(power * (weights @ (1 / (1 + np.exp(-math.sqrt(power) * z))) ** 2))
