"""Frozen gates, against published forms, sums over the kernel and a simulation."""

import jax.numpy as jnp
import numpy as np

from remanence.theory.autocorrelations import ExponentialInput, WhiteInput
from remanence.theory.composed_inputs import SummedInput
from remanence.theory.gates import (
    bias_of_forget_time,
    bias_sensitivity,
    forget_time,
    frozen_gate_power,
    gate_worst_case_gain,
    lru_worst_case_gain,
    retention_sensitivity,
)

GATES = np.array([0.2, 0.9, 0.999])


def test_published_closed_forms():
    for rho in (0.0, 0.9, 0.999):
        input, lam = ExponentialInput(rho, 1.5), GATES
        power = 1.5 * (1 - lam) * (1 + rho * lam) / ((1 + lam) * (1 - rho * lam))
        assert np.allclose(frozen_gate_power(lam, input), power, rtol=1e-12)
        top = 1.5 * 2 * (1 - rho) * (1 + rho * lam**2)
        expected = top / ((1 - lam) * (1 + lam) ** 3 * (1 - rho * lam) ** 2)
        assert np.allclose(retention_sensitivity(lam, input), expected, rtol=1e-11)
        bias = np.log(lam / (1 - lam))
        assert np.allclose(
            bias_sensitivity(bias, input), (lam * (1 - lam)) ** 2 * expected, rtol=1e-11
        )
    assert np.allclose(frozen_gate_power(GATES, ExponentialInput(1.0)), 1, rtol=1e-12)


def test_a_simulated_gate(rng):
    """Sensitivities by the recursion `d_t = λ d_{t−1} + h_{t−1} − n_t`, in 4000 sequences."""
    rho, bias = 0.8, 1.5
    lam = 1 / (1 + np.exp(-bias))
    size = 4000
    candidate = rng.standard_normal(size)
    state, derivative = np.zeros(size), np.zeros(size)
    states, derivatives = [], []
    for time in range(300):
        candidate = rho * candidate + np.sqrt(1 - rho**2) * rng.standard_normal(size)
        derivative = lam * derivative + state - candidate
        state = lam * state + (1 - lam) * candidate
        if time >= 60:
            states.append(np.mean(state**2))
            derivatives.append(np.mean((lam * (1 - lam) * derivative) ** 2))
    input = ExponentialInput(rho)
    assert np.isclose(np.mean(states), frozen_gate_power(lam, input), rtol=0.01)
    assert np.isclose(np.mean(derivatives), bias_sensitivity(bias, input), rtol=0.01)


def test_word_embeddings():
    """Against simulated values for this autocorrelation, good to about 1 %."""
    embeddings = SummedInput([ExponentialInput(0.99701, 0.0431), WhiteInput(0.332)])
    values = bias_sensitivity(bias_of_forget_time(np.array([2.0, 20.0, 256.0])), embeddings)
    assert np.allclose(values, [2.463e-2, 5.10e-3, 5.65e-3], rtol=0.015)


def gain(kernel):
    return np.sum(np.abs(kernel))


def test_worst_case_gains_are_sums_of_absolute_kernels():
    steps = np.arange(60000)
    for lam in (0.2, 0.5, 0.9, 0.95, 0.999):
        step = 1e-30
        moved = lam + 1j * step
        gated = np.imag((1 - moved) * moved**steps) / step * lam * (1 - lam)
        assert np.isclose(gate_worst_case_gain(lam), gain(gated), rtol=1e-11)
        rooted = np.imag(np.sqrt(1 - moved**2) * moved**steps) / step * lam * np.log(lam)
        assert np.isclose(lru_worst_case_gain(lam), gain(rooted), rtol=1e-11)


def test_gates_are_controlled_and_lrus_are_not():
    lam = 1 - np.array([1e-3, 1e-5, 1e-7])
    assert np.allclose(gate_worst_case_gain(lam), 2 / np.e, rtol=2e-3)
    assert np.isclose(gate_worst_case_gain(0.9), 0.697, atol=5e-4)
    scaled = lru_worst_case_gain(lam) / np.sqrt(2 / (1 - lam))
    assert np.allclose(scaled, 0.7131, rtol=1e-3)
    white = bias_sensitivity(jnp.log(lam / (1 - lam)), WhiteInput())
    assert np.allclose(white / ((1 - lam) / 4), 1, rtol=4e-3)


def test_forget_time():
    bias = np.array([-1.0, 0.0, 5.0])
    assert np.allclose(forget_time(bias), 1 / (1 - 1 / (1 + np.exp(-bias))), rtol=1e-12)
    assert np.allclose(bias_of_forget_time(forget_time(bias)), bias, rtol=1e-12, atol=1e-15)
