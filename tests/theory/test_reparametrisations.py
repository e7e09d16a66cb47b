"""Optimal reparametrisations, against closed forms, SciPy's quadrature and elliptic integrals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ellipeinc, ellipkinc

from remanence.errors import RemanenceError
from remanence.theory.autocorrelations import ExponentialInput, WhiteInput
from remanence.theory.composed_inputs import EmpiricalInput, SummedInput
from remanence.theory.reparametrisations import (
    correlated_coordinate,
    frozen_coordinate,
    optimal_reparametrisation,
)
from remanence.theory.sensitivities import require_normalisation

WHITE, CONSTANT = WhiteInput(), ExponentialInput(1.0)
NU = np.append(np.linspace(0.0, 0.99, 28), 1 - 10.0 ** -np.arange(3, 7))


def elliptic(nu):
    """∫ √(1+s²)/(1−s²)^{3/2} ds, by parts with s = sin φ."""
    angle = np.arcsin(nu)
    tangent = nu / np.sqrt((1 - nu) * (1 + nu))
    return tangent * np.sqrt(1 + nu**2) - ellipeinc(angle, -1.0) + ellipkinc(angle, -1.0)


@pytest.mark.parametrize(
    ("input", "options", "expected"),
    [
        (WHITE, {}, np.arctanh(NU)),
        (WHITE, {"normalisation": "none"}, elliptic(NU)),
        (WHITE, {"differentiated": False}, frozen_coordinate(NU)),
        (CONSTANT, {}, np.sqrt((1 + NU) / (1 - NU)) - 1),
        (CONSTANT, {"normalisation": "none"}, 1 / (1 - NU) - 1),
        (ExponentialInput(0.999), {}, correlated_coordinate(NU, 0.999)),
    ],
)
def test_quadrature_meets_the_closed_forms(input, options, expected):
    chart = optimal_reparametrisation(input, **options)
    assert np.allclose(chart.inverse(NU), expected, rtol=2e-10, atol=1e-15)
    assert np.allclose(chart.forward(expected), NU, rtol=0, atol=1e-14)
    assert np.allclose(chart.complement(expected), 1 - NU, rtol=4e-10)


def test_sensitivity_is_one_all_the_way():
    """By autodiff of the map and the published sensitivity, not by `derivative`."""
    rho = 0.97
    nu = jnp.asarray(NU)
    chart = optimal_reparametrisation(ExponentialInput(rho))
    w = chart.inverse(nu)
    speed = slope(chart.forward)(w)
    gap = (1 - nu) * (1 + nu)
    sensitivity = (1 + rho * nu) / ((1 - rho * nu) * gap**2)
    assert np.max(np.abs(speed**2 * sensitivity - 1)) < 1e-8
    assert np.allclose(chart.derivative(w), speed, rtol=1e-8)
    assert np.all(np.diff(w) > 0)


@pytest.mark.parametrize(
    "input",
    [
        EmpiricalInput([1.0, 0.6, 0.3, 0.1]),
        SummedInput([ExponentialInput(0.99701, 0.0431), WhiteInput(0.332)]),
    ],
)
def test_any_autocorrelation_at_any_phase(input):
    phase = 0.4
    chart = optimal_reparametrisation(input, phase=phase)
    lags = np.arange(1, 6000)
    if isinstance(input, EmpiricalInput):
        lags, values = lags[:3], np.array([0.6, 0.3, 0.1])
        power = 1.0
    else:
        values, power = 0.0431 * 0.99701**lags, 0.0431 + 0.332

    def density(nu):
        """The square root of `Q/(1 − ν²)²`, summed term by term."""
        pair = power + 2 * np.sum(values * nu**lags * np.cos(phase * lags))
        return np.sqrt(pair) / (1 - nu**2)

    nu = np.linspace(0.0, 0.97, 32)
    expected = [quad(density, 0, end, epsabs=0, epsrel=1e-11, limit=200)[0] for end in nu]
    assert np.allclose(chart.inverse(nu), expected, rtol=1e-10)
    assert np.allclose(chart.forward(np.array(expected)), nu, rtol=1e-10)


def test_coordinate_of_correlated_input():
    nu = np.array([0.0, 0.5, 0.99, 1 - 1e-6])
    assert np.allclose(correlated_coordinate(nu, 0.0), np.arctanh(nu), rtol=1e-10)
    nearly = correlated_coordinate(nu, 1 - 1e-13)
    assert np.allclose(nearly, np.sqrt((1 + nu) / (1 - nu)) - 1, rtol=1e-5)
    for rho in (-0.7, 0.5, 0.99):
        expected = quad(
            lambda s, rho=rho: np.sqrt((1 + rho * s) / (1 - rho * s)) / (1 - s * s),
            0,
            0.95,
            epsrel=1e-12,
        )[0]
        assert np.isclose(correlated_coordinate(0.95, rho), expected, rtol=1e-12)


def test_frozen_coordinate():
    for nu in (-0.6, 0.5, 0.999):
        expected = quad(lambda s: np.sqrt(1 + s * s) / (1 - s * s), 0, nu, epsrel=1e-12)[0]
        assert np.isclose(frozen_coordinate(nu), expected, rtol=1e-11)


def slope(function):
    """The elementwise derivative."""
    return lambda x: jax.jvp(function, (x,), (jnp.ones_like(x),))[1]


def test_second_derivative():
    w = jnp.linspace(0.1, 4.0, 32)
    second = slope(slope(optimal_reparametrisation(WHITE).forward))(w)
    assert np.allclose(second, -2 * np.tanh(w) / np.cosh(w) ** 2, rtol=1e-9)


def test_derivative_in_the_input():
    w = jnp.linspace(0.1, 4.0, 32)

    def magnitude(rho):
        return optimal_reparametrisation(ExponentialInput(rho)).forward(w)

    rho, step = 0.5, 1e-5
    difference = (magnitude(rho + step) - magnitude(rho - step)) / (2 * step)
    derivative = jax.jvp(magnitude, (rho,), (1.0,))[1]
    assert np.allclose(derivative, difference, rtol=1e-7, atol=1e-10)


def test_unknown_normalisations_are_refused():
    with pytest.raises(RemanenceError, match="is unknown"):
        require_normalisation("L3")
