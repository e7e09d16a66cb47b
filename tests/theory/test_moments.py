"""Moments of states and sensitivities, against double sums, autodiff and exact arithmetic."""

from fractions import Fraction
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from remanence.errors import RemanenceError
from remanence.theory.autocorrelations import ExponentialInput, WhiteInput
from remanence.theory.composed_inputs import EmpiricalInput, SummedInput, with_mean
from remanence.theory.moments import (
    asymptotic_sensitivity,
    asymptotic_state,
    cross_moment,
    mean_square_sensitivity,
    mean_square_state,
    sensitivity_moment,
    state_moment,
)

MEASURED = [1.3, 0.7, -0.2, 0.15, 0.05]
INPUTS = {
    "white": (WhiteInput(1.7), lambda lag: 1.7 * (lag == 0)),
    "exponential": (ExponentialInput(0.8, 2.0), lambda lag: 2.0 * 0.8**lag),
    "alternating": (ExponentialInput(-0.6), lambda lag: (-0.6) ** lag),
    "constant": (ExponentialInput(1.0, 0.5), lambda lag: 0.5 + 0.0 * lag),
    "measured": (
        EmpiricalInput(MEASURED),
        lambda lag: np.append(MEASURED, 0.0)[np.minimum(lag, 5)],
    ),
    "embeddings": (
        SummedInput([ExponentialInput(0.99701, 0.0431), WhiteInput(0.332)]),
        lambda lag: 0.0431 * 0.99701**lag + 0.332 * (lag == 0),
    ),
}
LEFT = np.array([0.5, -0.6, 0.6 * np.exp(0.9j), 0.3 + 0.4j])
RIGHT = np.array([0.5, 0.3, 0.6 * np.exp(-0.9j), -0.5j])
STEPS = np.arange(110)


def double_sum(left, right, autocorrelation):
    """Σ_{n,m} left_n right_m R(n − m), for kernels on STEPS in rows."""
    lags = np.abs(STEPS[:, None] - STEPS[None, :])
    return np.sum(left * (right @ autocorrelation(lags)), axis=-1)


def powers(a):
    return a[:, None] ** STEPS.astype(float)


def slopes(a):
    return STEPS * a[:, None] ** (np.maximum(STEPS, 1) - 1.0)


@pytest.mark.parametrize("name", list(INPUTS))
def test_closed_forms_are_the_double_sums(name):
    input, autocorrelation = INPUTS[name]
    for form, left, right in (
        (state_moment, powers(LEFT), powers(RIGHT)),
        (cross_moment, slopes(LEFT), powers(RIGHT)),
        (sensitivity_moment, slopes(LEFT), slopes(RIGHT)),
    ):
        expected = double_sum(left, right, autocorrelation)
        assert np.allclose(form(LEFT, RIGHT, input), expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ["exponential", "alternating", "measured"])
def test_sensitivity_is_the_mixed_derivative_of_the_state_moment(name):
    input = INPUTS[name][0]

    def in_a(a, b):
        return jax.jvp(lambda a: state_moment(a, b, input), (a,), (jnp.ones_like(a),))[1]

    a = jnp.array([0.9 * np.exp(0.3j), 0.8 + 0.1j, 0.99, 0.5j])
    b = jnp.array([0.9 * np.exp(-0.3j), -0.2 + 0.6j, 0.95, 0.2])
    once, twice = jax.jit(lambda b: jax.jvp(partial(in_a, a), (b,), (jnp.ones_like(b),)))(b)
    assert np.allclose(cross_moment(a, b, input), once, rtol=1e-10, atol=0)
    assert np.allclose(sensitivity_moment(a, b, input), twice, rtol=1e-10, atol=0)


@pytest.mark.parametrize("rho", [0.0, 0.9, 1 - 1e-6, 1.0, -0.9, -1 + 1e-6])
def test_no_digits_are_lost_at_long_memory(rho):
    """The textbook formula in rational arithmetic, at the very floats that were passed."""
    a = np.array([1 - 1e-6, 1 - 1e-3, -1 + 1e-6, -0.999])
    b = np.array([1 - 1e-6, 1 - 1e-7, -1 + 1e-6, 0.999])
    states, sensitivities = [], []
    for x, y in zip(map(Fraction, a), map(Fraction, b), strict=True):
        r = Fraction(rho)
        pair = 1 + r * x / (1 - r * x) + r * y / (1 - r * y)
        weighted = r * x / (1 - r * x) ** 2 + r * y / (1 - r * y) ** 2
        states.append(float(pair / (1 - x * y)))
        sensitivity = (1 + x * y) / (1 - x * y) ** 3 * pair + weighted / (1 - x * y) ** 2
        sensitivities.append(float(sensitivity))
    input = ExponentialInput(rho)
    assert np.allclose(state_moment(a, b, input), states, rtol=3e-15, atol=0)
    same_sign = slice(0, 3)
    values = sensitivity_moment(a, b, input)[same_sign]
    assert np.allclose(values, sensitivities[same_sign], rtol=1e-14, atol=0)


@pytest.mark.parametrize("name", ["white", "exponential", "alternating", "measured"])
def test_long_memories_sample_the_spectrum(name):
    input, gap, phase = INPUTS[name][0], 1e-5, np.array([0.0, 0.1, 1.0, np.pi])
    eigenvalue = (1 - gap) * np.exp(1j * phase)
    assert np.allclose(
        mean_square_state(eigenvalue, input), asymptotic_state(gap, input, phase=phase), rtol=3e-4
    )
    assert np.allclose(
        mean_square_sensitivity(eigenvalue, input),
        asymptotic_sensitivity(gap, input, phase=phase),
        rtol=3e-4,
    )


@pytest.mark.parametrize("name", list(INPUTS))
def test_spectrum_is_the_fourier_sum(name):
    if name == "constant":
        assert np.isinf(INPUTS[name][0].spectrum(jnp.asarray(0.0)))
        assert INPUTS[name][0].spectrum(jnp.asarray(1.0)) == 0
        return
    input, autocorrelation = INPUTS[name]
    theta = np.array([0.0, 0.01, -2.0, np.pi])
    lags = np.arange(1, 16000)
    waves = np.cos(theta[:, None] * lags[None, :])
    expected = autocorrelation(np.array(0)) + 2 * waves @ autocorrelation(lags)
    assert np.allclose(input.spectrum(jnp.asarray(theta)), expected, rtol=1e-10)


def test_constant_inputs_and_means():
    gap = 1e-6
    assert np.isclose(mean_square_state(1 - gap, ExponentialInput(1.0)) * gap**2, 1, rtol=1e-9)
    constant = mean_square_sensitivity(1 - gap, ExponentialInput(1.0))
    assert np.isclose(constant * gap**4, 1, rtol=1e-9)
    eigenvalue, mean = 0.9 * np.exp(0.4j), 1.5
    shifted = with_mean(WhiteInput(), mean)
    added = mean**2 / abs(1 - eigenvalue) ** 2
    assert np.isclose(mean_square_state(eigenvalue, shifted), 1 / (1 - 0.81) + added)
    assert np.isclose(shifted.power(), 1 + mean**2)


def test_polar_derivatives_are_uncorrelated_and_equally_large():
    magnitude, phase = 0.7, 1.1
    kernel = magnitude ** STEPS.astype(float) * np.exp(1j * phase * STEPS)
    along, across = STEPS / magnitude * kernel, 1j * STEPS * kernel
    autocorrelation = INPUTS["measured"][1]
    expected = mean_square_sensitivity(magnitude * np.exp(1j * phase), INPUTS["measured"][0])
    assert np.isclose(double_sum(along, along.conj(), autocorrelation), expected)
    assert np.isclose(double_sum(across, across.conj(), autocorrelation), 0.49 * expected)
    assert abs(double_sum(along.conj(), across, autocorrelation).real) < 1e-13


def test_derivative_in_the_correlation_is_right_at_zero():
    def sensitivity(rho):
        return mean_square_sensitivity(0.6, ExponentialInput(rho))

    at = jax.jvp(sensitivity, (0.0,), (1.0,))[1]
    step = 1e-5
    ends = [sensitivity(sign * step) for sign in (1, -1)]
    assert np.isclose(at, (ends[0] - ends[1]) / (2 * step), rtol=1e-8)


def test_mistakes_are_said_in_one_line():
    for make, words in (
        (lambda: ExponentialInput(1.2), "correlation must lie in"),
        (lambda: WhiteInput(-1.0), "variance must be at least 0"),
        (lambda: WhiteInput(float("nan")), "variance must be at least 0"),
        (lambda: SummedInput([]), "no parts"),
        (lambda: EmpiricalInput([[1.0]]), "real vector"),
    ):
        with pytest.raises(RemanenceError, match=words):
            make()
