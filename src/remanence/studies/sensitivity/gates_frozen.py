"""Frozen gates: Monte Carlo of the scalar recurrence, its worst inputs, and layers that are it."""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.signal import lfilter
from scipy.special import expit

from remanence.layers import GRU, LSTM
from remanence.studies.sensitivity.gates_settings import GateSettings
from remanence.studies.sensitivity.signals_measures import embeddings
from remanence.tasks.inputs import word_embeddings
from remanence.theory import (
    bias_of_forget_time,
    bias_sensitivity,
    forget_time,
    frozen_gate_power,
    gate_worst_case_gain,
    lru_worst_case_gain,
)

_BLOCK = 100
_SHARE = 4
"""Short memories need fewer chains for the same precision: one in four."""


@dataclasses.dataclass(frozen=True)
class Frozen:
    """Moments of a frozen gate by forget time: Monte Carlo with standard errors, and theory.

    `notebook` is E[(h + ∂h/∂λ)²] σ'², which the published notebook predicts in place of
    E(∂h/∂b)²: `notebook_theory` in closed form, `notebook_measured` by the same Monte Carlo.
    """

    forget_times: Float[np.ndarray, " times"]
    power: Float[np.ndarray, " times"]
    power_error: Float[np.ndarray, " times"]
    power_theory: Float[np.ndarray, " times"]
    sensitivity: Float[np.ndarray, " times"]
    sensitivity_error: Float[np.ndarray, " times"]
    sensitivity_theory: Float[np.ndarray, " times"]
    notebook_measured: Float[np.ndarray, " times"]
    notebook_theory: Float[np.ndarray, " times"]


def scalar_gate(
    candidates: Float[np.ndarray, "*batch time"], retention: float | int
) -> tuple[Float[np.ndarray, "*batch time"], Float[np.ndarray, "*batch time"]]:
    """`h_t = λ h_{t−1} + (1 − λ) n_t` and `d_t = λ d_{t−1} + h_{t−1} − n_t = ∂h_t/∂λ`."""
    states = np.asarray(lfilter([1 - retention], [1, -retention], candidates))
    pushes = -candidates
    pushes[..., 1:] += states[..., :-1]
    return states, np.asarray(lfilter([1.0], [1, -retention], pushes))


def embedding_sequences(
    rng: np.random.Generator, count: int, length: int
) -> Float[np.ndarray, "count length"]:
    """Stationary sequences with the embeddings' autocorrelation, with NumPy."""
    process = word_embeddings()
    (slow, _), (correlated, white) = process.processes, process.variances
    rho = slow.coefficient  # pyright: ignore[reportAttributeAccessIssue]
    noise = rng.standard_normal((count, length))
    # The first value has the stationary variance, the others the innovations'.
    noise[:, 1:] *= np.sqrt((1 - rho) * (1 + rho))
    sequences = np.asarray(lfilter([np.sqrt(correlated)], [1, -rho], noise))
    sequences += np.sqrt(white) * rng.standard_normal((count, length))
    return sequences


def measure_frozen(s: GateSettings, heard: Callable[[float], None]) -> Frozen:
    """Time averages along independent chains; their scatter gives the standard errors."""
    rng = np.random.default_rng(s.seed)
    bias = np.asarray(bias_of_forget_time(np.asarray(s.forget_times)))
    longest = int(np.argmax(bias))
    rows: list[list[np.ndarray]] = [[] for _ in bias]
    for start in range(0, s.chains, _BLOCK):
        heard(start / s.chains)
        count = min(_BLOCK, s.chains - start)
        inputs = embedding_sequences(rng, count, s.settling + s.steps)
        for place, b in enumerate(bias):
            if place == longest or start < s.chains / _SHARE:
                rows[place].append(_time_averages(inputs, float(b), s))
    chains = [np.concatenate(row, axis=1) for row in rows]
    mean = np.stack([values.mean(axis=1) for values in chains])
    error = np.stack([v.std(axis=1, ddof=1) / np.sqrt(v.shape[1]) for v in chains])
    return Frozen(
        np.asarray(forget_time(bias)),
        mean[:, 0],
        error[:, 0],
        np.asarray(frozen_gate_power(expit(bias), embeddings())),
        mean[:, 1],
        error[:, 1],
        np.asarray(bias_sensitivity(bias, embeddings())),
        mean[:, 2],
        notebook_prediction(bias),
    )


def _time_averages(inputs: np.ndarray, bias: float, s: GateSettings) -> np.ndarray:
    """Of h², (∂h/∂b)² and (h + ∂h/∂λ)² σ'², a column for each chain."""
    h, d = (values[:, s.settling :] for values in scalar_gate(inputs, float(expit(bias))))
    slope = float(expit(bias) * expit(-bias))
    hh, hd, dd = (np.einsum("ct,ct->c", a, b) / s.steps for a, b in ((h, h), (h, d), (d, d)))
    return np.stack([hh, slope**2 * dd, slope**2 * (hh + 2 * hd + dd)])


def notebook_prediction(bias: Float[np.ndarray, " times"]) -> Float[np.ndarray, " times"]:
    """`σ'² (E h² + ∂_λ E h² + E(∂h/∂λ)²) = σ'² E[(h + ∂h/∂λ)²]`."""
    retention = jnp.asarray(expit(bias))
    slope = np.asarray(retention) * expit(-bias)
    power, cross = jax.jvp(
        lambda one: frozen_gate_power(one, embeddings()), (retention,), (jnp.ones_like(retention),)
    )
    return slope**2 * np.asarray(power + cross) + np.asarray(bias_sensitivity(bias, embeddings()))


@dataclasses.dataclass(frozen=True)
class Gains:
    """Worst-case gains by ε = 1 − λ: reached by an explicit input of ±1, and theory's."""

    gaps: Float[np.ndarray, " gaps"]
    gate: Float[np.ndarray, " gaps"]
    gate_theory: Float[np.ndarray, " gaps"]
    lru: Float[np.ndarray, " gaps"]
    lru_theory: Float[np.ndarray, " gaps"]


def measure_gains(s: GateSettings) -> Gains:
    """Build the worst input from the measured impulse response, and run the recurrence on it."""
    gaps = np.asarray(s.gaps)
    return Gains(
        gaps,
        np.array([_worst(_gate_response, gap) for gap in gaps]),
        np.asarray(gate_worst_case_gain(1 - gaps)),
        np.array([_worst(_lru_response, gap) for gap in gaps]),
        np.asarray(lru_worst_case_gain(1 - gaps)),
    )


def _worst(response: Callable[[np.ndarray, float], np.ndarray], gap: float) -> float:
    length = int(40 / gap)
    impulse = np.zeros(length)
    impulse[0] = 1.0
    kernel = response(impulse, float(gap))
    # The last output is Σ kernel_j x_{T−j}: signs that follow the kernel make every term positive.
    return float(response(np.sign(kernel[::-1]), float(gap))[-1])


def _gate_response(inputs: np.ndarray, gap: float) -> np.ndarray:
    """`∂h_t/∂b` of the frozen gate."""
    return (1 - gap) * gap * scalar_gate(inputs, 1 - gap)[1]


def _lru_response(inputs: np.ndarray, gap: float) -> np.ndarray:
    """`∂(γh_t)/∂w` for `ν = exp(−e^w)`, `γ = √(1 − ν²)`, phase 0."""
    nu = 1 - gap
    gamma = np.sqrt(gap * (1 + nu))
    h = lfilter([1.0], [1, -nu], inputs)
    d = lfilter([0.0, 1.0], [1, -nu], h)
    return nu * np.log1p(-gap) * (gamma * d - nu / gamma * h)


def layer_errors(*, units: int = 8, length: int = 300, seed: int = 0) -> dict[str, float]:
    """How far layers with frozen gates are from the scalar recurrence, relative to the largest.

    The library's GRU and LSTM, with the matrices of their gates at zero and chrono biases, in
    states and in forward-mode derivatives by the bias; and |i + f − 1| of the LSTM's gates.
    """
    rng = np.random.default_rng(seed)
    bias = np.log(rng.uniform(1.0, 99.0, units))
    xs = embedding_sequences(rng, units, length).T
    zero, one = jnp.zeros((units, units)), jnp.eye(units)
    candidates = np.tanh(xs).T
    pairs = [scalar_gate(n, lam) for n, lam in zip(candidates, expit(bias), strict=True)]
    states = np.stack([h for h, _ in pairs], axis=1)
    slopes = expit(bias) * expit(-bias)
    sensitivities = np.stack([d for _, d in pairs], axis=1) * slopes[None]

    inputs = jnp.asarray(xs)
    gru = GRU(units, units, key=jax.random.key(0))
    gru = eqx.tree_at(
        lambda g: (g.W_r, g.W_z, g.W_n, g.U_r, g.U_z, g.U_n),
        gru,
        (zero, zero, one, zero, zero, zero),
    )
    lstm = LSTM(units, units, key=jax.random.key(0))
    lstm = eqx.tree_at(
        lambda g: (g.W_i, g.W_f, g.W_o, g.W_g, g.U_i, g.U_f, g.U_o, g.U_g),
        lstm,
        (zero, zero, zero, one, zero, zero, zero, zero),
    )

    def of_gru(b: Array) -> Array:
        return eqx.tree_at(lambda g: g.b_z, gru, b).states(inputs)

    def of_lstm(b: Array) -> Array:
        return eqx.tree_at(lambda g: (g.b_f, g.b_i), lstm, (b, -b)).states(inputs)[1]

    found = {"i + f − 1": float(np.max(np.abs(expit(bias) + expit(-bias) - 1)))}
    for name, run in (("GRU", of_gru), ("LSTM", of_lstm)):
        # Units do not see each other: one tangent gives every unit's own derivative.
        h, dh = jax.jit(lambda b, run=run: jax.jvp(run, (b,), (jnp.ones(units),)))(
            jnp.asarray(bias)
        )
        found[f"{name} state"] = _relative(h, states)
        found[f"{name} sensitivity"] = _relative(dh, sensitivities)
    return found


def _relative(found: Any, expected: np.ndarray) -> float:
    return float(np.max(np.abs(np.asarray(found) - expected)) / np.max(np.abs(expected)))
