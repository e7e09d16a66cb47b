"""Normalised sensitivities, against sums over the kernel differentiated by complex steps."""

import numpy as np
import pytest

from remanence.errors import RemanenceError
from remanence.theory.autocorrelations import ExponentialInput, WhiteInput
from remanence.theory.composed_inputs import EmpiricalInput
from remanence.theory.sensitivities import (
    magnitude_sensitivity,
    normalised_power,
    phase_sensitivity,
    require_normalisation,
)

MEASURED = [1.3, 0.7, -0.2, 0.15, 0.05]
INPUTS = {
    "white": (WhiteInput(), lambda lag: 1.0 * (lag == 0)),
    "exponential": (ExponentialInput(0.8, 2.0), lambda lag: 2.0 * 0.8**lag),
    "measured": (
        EmpiricalInput(MEASURED),
        lambda lag: np.append(MEASURED, 0.0)[np.minimum(lag, 5)],
    ),
}
SCALES = {
    "none": lambda nu: 1 + 0 * nu,
    "square root": lambda nu: np.sqrt(1 - nu**2),
    "one minus": lambda nu: 1 - nu,
}
STEPS = np.arange(150)


def second_moment(kernel, autocorrelation):
    lags = np.abs(STEPS[:, None] - STEPS[None, :])
    return np.real(kernel @ autocorrelation(lags) @ kernel.conj())


@pytest.mark.parametrize("name", list(INPUTS))
@pytest.mark.parametrize("normalisation", list(SCALES))
def test_sensitivities_are_those_of_the_kernel(name, normalisation):
    input, autocorrelation = INPUTS[name]
    scale, nu, step = SCALES[normalisation], 0.75, 1e-30
    rotation_of = {0.0: np.ones(STEPS.size), 1.3: np.exp(1.3j * STEPS)}
    for phase, rotation in rotation_of.items():
        complex_step = nu + 1j * step
        moved = np.imag(scale(complex_step) * complex_step**STEPS) / step
        fixed = scale(nu) * STEPS * nu ** (STEPS - 1.0)
        for differentiated, kernel in ((True, moved), (False, fixed)):
            value = magnitude_sensitivity(
                nu, input, phase=phase, normalisation=normalisation, differentiated=differentiated
            )
            expected = second_moment(kernel * rotation, autocorrelation)
            assert np.isclose(value, expected, rtol=1e-11)
        turned = scale(nu) * STEPS * nu**STEPS * rotation
        value = phase_sensitivity(nu, input, phase=phase, normalisation=normalisation)
        assert np.isclose(value, second_moment(turned, autocorrelation), rtol=1e-11)
        value = normalised_power(nu, input, phase=phase, normalisation=normalisation)
        kernel = scale(nu) * nu**STEPS * rotation
        assert np.isclose(value, second_moment(kernel, autocorrelation), rtol=1e-11)


def test_published_closed_forms():
    nu = np.array([0.1, 0.9, 0.9999])
    gap = (1 - nu) * (1 + nu)
    for rho in (0.0, 0.9, 1.0):
        expected = (1 + rho * nu) / ((1 - rho * nu) * gap**2)
        assert np.allclose(magnitude_sensitivity(nu, ExponentialInput(rho)), expected, rtol=1e-11)
    fixed = magnitude_sensitivity(nu, WhiteInput(), differentiated=False)
    assert np.allclose(fixed, (1 + nu**2) / gap**2, rtol=1e-11)
    turned = phase_sensitivity(nu, WhiteInput(), phase=0.4)
    assert np.allclose(turned, nu**2 * (1 + nu**2) / gap**2, rtol=1e-11)


@pytest.mark.parametrize(
    ("rho", "state", "frozen"), [(0.0, 1.0, 0.5), (0.9, 19.0, 9.5), (0.99, 199.0, 99.5)]
)
def test_plateaus_of_figure_2(rho, state, frozen):
    """The exponential map `ν = exp(−e^w)` has `dν/dw = ν log ν`."""
    nu, input = 0.9999, ExponentialInput(rho)
    speed = (nu * np.log(nu)) ** 2
    assert np.isclose(normalised_power(nu, input), state, rtol=0.02)
    value = speed * magnitude_sensitivity(nu, input, differentiated=False)
    assert np.isclose(value, frozen, rtol=0.02)


def test_the_exponential_map_tends_to_a_quarter():
    nu = np.array([0.5, 0.9, 0.99, 1 - 1e-6])
    value = (nu * np.log(nu)) ** 2 * magnitude_sensitivity(nu, WhiteInput())
    assert np.allclose(value, [0.2135, 0.2491, 0.25, 0.25], atol=6e-5)
    constant = ExponentialInput(1.0)
    frozen = magnitude_sensitivity(0.9999, constant, differentiated=False)
    assert np.isclose((0.9999 * np.log(0.9999)) ** 2 * frozen, 2e4, rtol=0.01)


def test_unknown_normalisations_are_refused():
    with pytest.raises(RemanenceError, match="did you mean 'one minus'"):
        require_normalisation("one_minus")
