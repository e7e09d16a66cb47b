"""Traces against the recurrence in NumPy, finite differences and backpropagation through time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from remanence.errors import RemanenceError
from remanence.recurrence.linear import linear_recurrence
from remanence.recurrence.traces import (
    SensitivityTraces,
    eigenvalue_traces,
    initial_traces,
    polar_gradients,
    sensitivity_traces,
)

T, MODES, INPUTS, OUTPUTS = 9, 3, 2, 2

traces_of = jax.jit(sensitivity_traces, static_argnames="every_step")


def draw(rng, *shape):
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def problem(rng):
    a = rng.uniform(0.5, 0.95, MODES) * np.exp(1j * rng.uniform(0.1, 3, MODES))
    gamma = rng.uniform(0.2, 1.0, MODES)
    return a, draw(rng, MODES, INPUTS), rng.normal(size=(T, INPUTS)), gamma, draw(rng, MODES)


def states(a, B, xs, gamma, h):
    """One state after the other, in NumPy."""
    history = []
    for x in xs:
        h = a * h + gamma * (B @ x)
        history.append(h)
    return np.array(history)


def test_traces_are_complex_finite_differences(rng):
    a, B, xs, gamma, h0 = problem(rng)
    found = traces_of(a, B, xs, gamma, initial_traces(h0, INPUTS))
    np.testing.assert_allclose(found.states, states(a, B, xs, gamma, h0), rtol=1e-13)
    step = 1e-6

    def slope(move):
        up, down = (states(*move(sign * step)) for sign in (1, -1))
        return (up - down) / (2 * step)

    # Neuron i only answers to its own parameters, so all of them may move at once.
    by_eigenvalue = slope(lambda d: (a + d, B, xs, gamma, h0))
    along_i = slope(lambda d: (a + 1j * d, B, xs, gamma, h0)) / 1j
    by_gamma = slope(lambda d: (a, B, xs, gamma + d, h0))
    np.testing.assert_allclose(found.eigenvalues, by_eigenvalue, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(found.eigenvalues, along_i, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(found.gamma, by_gamma, rtol=1e-7, atol=1e-8)
    for j in range(INPUTS):
        unit = np.eye(INPUTS)[j][None, :]
        by_B = slope(lambda d, unit=unit: (a, B + d * unit, xs, gamma, h0))
        np.testing.assert_allclose(found.B[:, :, j], by_B, rtol=1e-7, atol=1e-8)


def test_traces_are_the_jacobians_of_backpropagation(rng):
    a, B, xs, gamma, h0 = problem(rng)

    def last(a, gamma, B):
        return linear_recurrence(a, xs.astype(complex) @ (gamma[:, None] * B).T, h0)[-1]

    arguments = (jnp.asarray(a), jnp.asarray(gamma, complex), jnp.asarray(B))
    by_a, by_gamma, by_B = jax.jit(jax.jacrev(last, argnums=(0, 1, 2), holomorphic=True))(
        *arguments
    )
    found = traces_of(a, B, xs, gamma, initial_traces(h0, INPUTS), every_step=False)
    for dense, trace in ((by_a, found.eigenvalues), (by_gamma, found.gamma)):
        np.testing.assert_allclose(dense, np.diag(trace), rtol=1e-12, atol=1e-13)
    expected = np.einsum("ij,ik->ikj", found.B, np.eye(MODES))
    np.testing.assert_allclose(by_B, expected, rtol=1e-12, atol=1e-13)


def test_the_sensitivity_is_the_state_filtered_once_more(rng):
    # d_{t+1} = λ d_t + h_t, so that an impulse at the first step leaves t λ^{t−1}.
    a = np.array([0.9, -0.5, 0.99])
    impulse = np.zeros((T, MODES))
    impulse[0] = 1.0
    t = np.arange(T)[:, None]
    states, traces = jax.jit(eigenvalue_traces)(a, impulse)
    np.testing.assert_allclose(states, a**t, rtol=1e-13)
    np.testing.assert_allclose(traces, t * a ** (t - 1.0), rtol=1e-13)
    shifted = np.concatenate([np.zeros((1, MODES)), np.asarray(states)[:-1]])
    np.testing.assert_allclose(traces, linear_recurrence(a, shifted), rtol=1e-13)


def test_stopping_and_going_on_changes_nothing(rng):
    a, B, xs, gamma, h0 = problem(rng)
    start = initial_traces(h0, INPUTS)
    whole = traces_of(a, B, xs, gamma, start)
    middle = traces_of(a, B, xs[:4], gamma, start, every_step=False)
    rest = traces_of(a, B, xs[4:], gamma, middle, every_step=False)
    for one, other in zip(whole, rest, strict=True):
        np.testing.assert_allclose(one[-1], other, rtol=1e-13)
    terms = gamma * (xs @ B.T)
    states, traces = eigenvalue_traces(a, terms, h0)
    np.testing.assert_allclose(states, whole.states, rtol=1e-13)
    np.testing.assert_allclose(traces, whole.eigenvalues, rtol=1e-13)
    go_on = eigenvalue_traces(a, terms[6:], states[5], traces[5], every_step=False)
    np.testing.assert_allclose(go_on[1], whole.eigenvalues[-1], rtol=1e-13)


def test_online_gradients_are_those_of_backpropagation(rng):
    log_decay, log_phase = np.log(rng.uniform(0.05, 0.3, MODES)), rng.normal(size=MODES)
    log_gamma = -rng.uniform(0, 1, MODES)
    _, B, xs, _, _ = problem(rng)
    C, targets = draw(rng, OUTPUTS, MODES), rng.normal(size=(T, OUTPUTS))

    def loss(log_decay, log_phase, log_gamma, B_real, B_imaginary):
        a = jnp.exp(jax.lax.complex(-jnp.exp(log_decay), jnp.exp(log_phase)))
        gamma = jnp.exp(log_gamma)[:, None]
        B = jax.lax.complex(gamma * B_real, gamma * B_imaginary)
        terms = xs.astype(complex) @ B.T
        errors = jnp.real(linear_recurrence(a, terms) @ C.T) - targets
        return 0.5 * jnp.sum(errors**2)

    parameters = (log_decay, log_phase, log_gamma, B.real, B.imag)
    expected = jax.jit(jax.grad(loss, argnums=(0, 1, 2, 3, 4)))(*parameters)

    a, gamma = np.exp(-np.exp(log_decay) + 1j * np.exp(log_phase)), np.exp(log_gamma)
    traces = traces_of(a, B, xs, gamma)
    deltas = ((np.asarray(traces.states) @ C.T).real - targets) @ C
    assemble = jax.jit(polar_gradients)
    found = assemble(traces, deltas, log_decay, log_phase, gamma)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)

    # Online: one contribution per step, added up as time goes by.
    parts = []
    for t in range(T):
        now = SensitivityTraces(*(np.asarray(value)[t : t + 1] for value in traces))
        parts.append(assemble(now, deltas[t : t + 1], log_decay, log_phase, gamma))
    total = [np.sum(contributions, axis=0) for contributions in zip(*parts, strict=True)]
    for one, other in zip(total, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)


def test_real_modes_stay_real(rng):
    a, B, xs = np.array([0.5, 0.9, -0.3]), rng.normal(size=(3, 2)), rng.normal(size=(T, 2))
    found = traces_of(a, B, xs)
    assert all(value.dtype == np.float64 for value in found)
    np.testing.assert_allclose(found.gamma, found.states, rtol=1e-14)


def test_mistakes_are_said():
    ones = np.ones
    with pytest.raises(RemanenceError, match="xs have shape"):
        sensitivity_traces(ones(3), ones((3, 2)), ones((5, 1)))
    with pytest.raises(RemanenceError, match="B has shape"):
        sensitivity_traces(ones(3), ones((4, 2)), ones((5, 2)))
    with pytest.raises(RemanenceError, match="terms have shape"):
        eigenvalue_traces(ones(3), ones((5, 2)))
    with pytest.raises(RemanenceError, match=r"initial\.B has shape"):
        sensitivity_traces(ones(3), ones((3, 2)), ones((5, 2)), None, initial_traces(ones(3), 1))
    with pytest.raises(RemanenceError, match="traces has shape"):
        eigenvalue_traces(ones(3), ones((5, 3)), ones(3), ones(2))
    with pytest.raises(RemanenceError, match="eigenvalues have shape"):
        eigenvalue_traces(ones((3, 1)), ones((5, 3)))
