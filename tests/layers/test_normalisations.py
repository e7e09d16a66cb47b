"""Input normalisations against the variances and gains that they are to fix."""

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest

from remanence.errors import RemanenceError
from remanence.layers.normalisations import (
    ExponentialSpectrumAware,
    LearnedSquareRoot,
    NoNormalisation,
    OneMinus,
    SpectrumAware,
    SquareRoot,
)
from remanence.layers.parametrisations import Discretised, Polar, RealEigenvalues, ReIm

EIGENVALUES = np.array([0.3 * np.exp(2.0j), 0.9 * np.exp(-0.4j), 0.97 + 0j])
MODES = Polar.from_eigenvalues(EIGENVALUES)


def variances(gamma, autocorrelation, terms=1500):
    """`E|γh|²` of inputs with this autocorrelation: the double sum over lags, written out."""
    powers = EIGENVALUES[:, None] ** np.arange(terms)
    total = np.zeros(len(EIGENVALUES))
    for lag, value in enumerate(autocorrelation):
        overlap = (powers[:, lag:] * powers[:, : terms - lag].conj()).sum(1).real
        total += (1 if lag == 0 else 2) * value * overlap
    return np.asarray(gamma) ** 2 * total


@pytest.mark.parametrize("make", [SquareRoot(), SquareRoot(False), LearnedSquareRoot])
def test_square_root_gives_unit_variance_for_white_input(make):
    normalisation = make.from_eigenvalues(MODES) if make is LearnedSquareRoot else make
    np.testing.assert_allclose(variances(normalisation(MODES), [1.0]), 1, rtol=1e-12)


def test_none_and_one_minus():
    np.testing.assert_array_equal(NoNormalisation()(MODES), 1)
    real = RealEigenvalues.from_eigenvalues([0.2, 0.99])
    gain = np.asarray(OneMinus()(real)) / (1 - np.array([0.2, 0.99]))
    np.testing.assert_allclose(gain, 1, rtol=1e-13)


@pytest.mark.parametrize("name", ["double exponential", "tanh", "sigmoid", "best"])
@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-7])
def test_float32_normalisations_keep_their_digits(name, gap):
    eigenvalues = [(1 - gap) * np.exp(0.3j)]
    made = Polar.from_eigenvalues(eigenvalues, magnitude_map=name, dtype=jnp.float32)
    square, one = SquareRoot()(made), OneMinus()(made)
    learned = LearnedSquareRoot.from_eigenvalues(made)(made)
    exact = float(mp.sqrt(1 - (1 - mp.mpf(gap)) ** 2))
    assert square.dtype == one.dtype == learned.dtype == jnp.float32
    np.testing.assert_allclose(square, exact, rtol=2e-6)
    np.testing.assert_allclose(learned, exact, rtol=2e-6)
    np.testing.assert_allclose(one, gap, rtol=2e-6)
    naive = np.sqrt(1 - np.abs(np.asarray(made())) ** 2)
    assert gap > 1e-4 or abs(naive[0] / exact - 1) > 1e-3


def test_float32_normalisation_of_a_discretised_mode():
    made = Discretised.from_eigenvalues([(1 - 1e-6) * np.exp(0.01j)], step=0.01, dtype=jnp.float32)
    np.testing.assert_allclose(SquareRoot()(made), np.sqrt(2e-6 - 1e-12), rtol=2e-6)


@pytest.mark.parametrize("autocorrelation", [[2.0], [1.0, 0.4], 0.8 ** np.arange(40)])
def test_spectrum_aware_gives_unit_variance(autocorrelation):
    smoothed = SpectrumAware(autocorrelation, smoothed=True)
    np.testing.assert_allclose(variances(smoothed(MODES), autocorrelation), 1, rtol=1e-11)
    plain = SpectrumAware(autocorrelation)(MODES)
    angle, lags = np.angle(EIGENVALUES), np.arange(1, len(autocorrelation))
    density = autocorrelation[0] + 2 * np.cos(np.outer(angle, lags)) @ autocorrelation[1:]
    expected = np.sqrt((1 - np.abs(EIGENVALUES) ** 2) / density)
    np.testing.assert_allclose(plain, expected, rtol=1e-12)


def test_the_two_spectra_agree_near_the_unit_circle():
    made = Polar.from_eigenvalues((1 - 1e-9) * np.exp(1j * np.array([0.0, 0.2, 3.0])))
    autocorrelation = 0.5 ** np.arange(50)
    plain = SpectrumAware(autocorrelation)(made)
    np.testing.assert_allclose(
        SpectrumAware(autocorrelation, smoothed=True)(made), plain, rtol=1e-7
    )


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("smoothed", [False, True])
def test_the_exponential_spectrum_is_the_sum_in_closed_form(rho, smoothed):
    closed = ExponentialSpectrumAware(rho, smoothed=smoothed)(MODES)
    summed = SpectrumAware(rho ** np.arange(400.0), smoothed=smoothed)(MODES)
    np.testing.assert_allclose(closed, summed, rtol=1e-11)


def test_exponential_spectrum_at_extreme_correlation_and_memory_in_float32():
    rho, gap = 1 - 1e-5, 1e-6
    made = Polar.from_eigenvalues([1 - gap, (1 - gap) * np.exp(1e-3j)], dtype=jnp.float32)
    got = ExponentialSpectrumAware(rho, smoothed=True)(made)
    with mp.workdps(40):
        expected = []
        for phase in (0, mp.mpf("1e-3")):
            value = (1 - mp.mpf(gap)) * mp.expj(phase)
            r = mp.mpf(rho)
            square = (1 - abs(value) ** 2) * abs(1 - r * value) ** 2 / (1 - abs(r * value) ** 2)
            expected.append(float(mp.sqrt(square)))
    np.testing.assert_allclose(got, expected, rtol=2e-6)


GRADED = {
    "square root": SquareRoot(),
    "one minus": OneMinus(),
    "spectrum": SpectrumAware([1.0, 0.4], smoothed=True),
    "exponential": ExponentialSpectrumAware(0.7, smoothed=True),
}


@pytest.mark.parametrize("name", list(GRADED))
def test_gradients_pass_through_and_agree_with_finite_differences(name):
    def total(magnitude, phase):
        return jnp.sum(GRADED[name](Polar(magnitude, phase)))

    point = (MODES.magnitude_parameter, MODES.phase_parameter)
    total = jax.jit(total)
    gradient = jax.jit(jax.grad(total, (0, 1)))(*point)
    h = 1e-6
    for axis in (0, 1):
        for mode in range(3):
            moved = [list(point), list(point)]
            for side, sign in zip(moved, (1, -1), strict=True):
                side[axis] = side[axis].at[mode].add(sign * h)
            difference = (total(*moved[0]) - total(*moved[1])) / (2 * h)
            np.testing.assert_allclose(gradient[axis][mode], difference, atol=3e-9)


def test_nothing_is_differentiated_where_that_is_said():
    for normalisation in (
        SquareRoot(False),
        SpectrumAware([1.0, 0.4], differentiated=False),
        ExponentialSpectrumAware(0.4, differentiated=False),
        LearnedSquareRoot.from_eigenvalues(MODES),
    ):
        total = eqx.filter_grad(lambda e, n=normalisation: jnp.sum(n(e)))
        gradient = eqx.filter_jit(total)(MODES)
        assert all(np.all(leaf == 0) for leaf in jax.tree.leaves(gradient))
    learned = LearnedSquareRoot.from_eigenvalues(MODES)
    gradient = eqx.filter_grad(lambda n: jnp.sum(n(MODES)))(learned)
    np.testing.assert_allclose(gradient.log_gamma, SquareRoot()(MODES), rtol=1e-14)
    assert not jax.tree.leaves(SpectrumAware([1.0, 0.4]))


@pytest.mark.parametrize("name", list(GRADED))
def test_gradients_are_finite_on_the_unit_circle_beyond_it_and_at_zero(name):
    at_zero = RealEigenvalues(jnp.zeros(1), "tanh")
    saturated = RealEigenvalues(jnp.asarray([100.0, -100.0]))
    outside = ReIm(jnp.asarray([1.0, 1.2, 0.0]), jnp.zeros(3))
    for made in (at_zero, saturated, outside):
        total = eqx.filter_value_and_grad(lambda e: jnp.sum(GRADED[name](e)))
        value, gradient = eqx.filter_jit(total)(made)
        assert np.isfinite(value)
        assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(gradient))
    # 1 − |λ|² has slope 0 at λ = 0, and γ depends on it alone.
    if name == "square root":
        assert SquareRoot()(at_zero)[0] == 1
        gradient = eqx.filter_grad(lambda e: SquareRoot()(e)[0])(at_zero)
        assert gradient.parameter[0] == 0
        np.testing.assert_array_equal(SquareRoot()(outside), [0, 0, 1])


def test_errors():
    with pytest.raises(
        RemanenceError, match=r"spectrum of this autocorrelation is -0\.2 at angle"
    ):
        SpectrumAware([1.0, 0.6])
    with pytest.raises(RemanenceError, match="finite numbers"):
        SpectrumAware([1.0, np.nan])
    with pytest.raises(RemanenceError, match="constant"):
        ExponentialSpectrumAware(1.0)
    with pytest.raises(RemanenceError, match="start inside it"):
        LearnedSquareRoot.from_eigenvalues(ReIm(jnp.ones(1), jnp.zeros(1)))
