"""The ρ-aware magnitude map against quadrature, closed forms, brute-force sums and float32."""

import math

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from scipy.signal import lfilter

from remanence.errors import RemanenceError
from remanence.layers._correlated_magnitude import CorrelatedMagnitude, correlated_rapidity
from remanence.layers._magnitudes import BestMagnitude, TanhMagnitude
from remanence.theory import correlated_coordinate

CORRELATIONS = [0.0, 0.3, 0.9, 0.999]
GAPS = np.array([0.9, 0.4, 1e-2, 1e-4, 1e-7])


def coordinate(magnitude, rho):
    """`∫_0^ν √((1 + ρs)/(1 − ρs))/(1 − s²) ds`, by quadrature over u = artanh s."""

    def density(u):
        return mp.sqrt((1 + rho * mp.tanh(u)) / (1 - rho * mp.tanh(u)))

    return mp.quad(density, mp.linspace(0, mp.atanh(magnitude), 8))


@pytest.mark.parametrize("rho", CORRELATIONS)
def test_inverse_is_the_integral_of_the_sensitivity(rho):
    values = np.array([-0.999, -0.5, -1e-6, 0.3, 0.99, 0.99999])
    with mp.workdps(30):
        expected = [float(coordinate(mp.mpf(v), mp.mpf(rho))) for v in values]
    chosen = CorrelatedMagnitude(rho)
    for given in (values, jnp.asarray(values)):
        np.testing.assert_allclose(chosen.inverse(given), expected, rtol=1e-11)
    np.testing.assert_allclose(
        chosen.inverse(values), correlated_coordinate(values, rho), rtol=1e-11
    )


@pytest.mark.parametrize("rho", CORRELATIONS)
def test_forward_inverts_its_integral_at_every_scale(rho):
    chosen = CorrelatedMagnitude(rho)
    u = np.concatenate([-np.geomspace(1e-8, 17, 60), [0.0], np.geomspace(1e-8, 17, 60)])
    # w at a given u, by quadrature of dw/du on a fine grid and not by the closed form.
    nodes, weights = np.polynomial.legendre.leggauss(40)
    panels = u[:, None] * np.linspace(0, 1, 41)[None]
    half = np.diff(panels, axis=1) / 2
    points = (panels[:, :-1] + half)[..., None] + half[..., None] * nodes
    # 1 ∓ ρ tanh u without cancellation.
    low = (1 - rho) + rho * 2 / (1 + np.exp(2 * points))
    high = (1 - rho) + rho * 2 / (1 + np.exp(-2 * points))
    w = np.sum(half * (np.sqrt(high / low) @ weights), axis=1)
    got = jax.jit(correlated_rapidity)(jnp.asarray(w), jnp.asarray(rho))
    np.testing.assert_allclose(got, u, rtol=1e-11, atol=1e-15)
    forward, complement = jax.jit(lambda w: (chosen.forward(w), chosen.complement(w)))(
        jnp.asarray(w)
    )
    np.testing.assert_allclose(forward, np.tanh(u), rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(complement, 2 / (1 + np.exp(2 * u)), rtol=1e-9)


@pytest.mark.parametrize("rho", CORRELATIONS)
def test_derivatives(rho):
    chosen = CorrelatedMagnitude(rho)
    w = jnp.asarray(chosen.inverse(np.array([-0.9, -1e-3, 0.5, 0.99, 0.9999])))

    def each(function):
        return jax.jit(jax.vmap(jax.grad(lambda w: function(w[None])[0])))(w)

    value = np.asarray(chosen.forward(w))
    expected = (1 - value**2) * np.sqrt((1 - rho * value) / (1 + rho * value))
    np.testing.assert_allclose(chosen.derivative(w), expected, rtol=1e-10)
    np.testing.assert_allclose(each(chosen.forward), expected, rtol=1e-10)
    np.testing.assert_allclose(each(chosen.log_magnitude), expected / value, rtol=1e-10)
    step = 1e-4
    ends = [np.asarray(chosen.derivative(w + sign * step)) for sign in (-1, 1)]
    second = each(chosen.derivative)
    np.testing.assert_allclose(second, (ends[1] - ends[0]) / (2 * step), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("rho", [0.5, 0.99])
@pytest.mark.parametrize("target", [0.3, 0.9, 0.995])
def test_unit_sensitivity_under_correlated_input(rho, target):
    chosen = CorrelatedMagnitude(rho)
    w = chosen.inverse(np.array([target]))
    step = 1e-5
    noise = np.zeros(8_000)
    noise[0] = math.sqrt(1 - rho**2)
    inputs = lfilter([1.0], [1.0, -rho], noise)

    def state(w):
        value = float(chosen.forward(jnp.asarray(w))[0])
        return math.sqrt(1 - value**2) * lfilter([1.0], [1.0, -value], inputs)

    slope = (state(w + step) - state(w - step)) / (2 * step)
    assert np.sum(slope**2) == pytest.approx(1, rel=1e-6)


def test_limits():
    w = jnp.asarray([-3.0, 0.2, 2.0, 9.0])
    tanh = TanhMagnitude()
    white = CorrelatedMagnitude(0)
    np.testing.assert_allclose(white.forward(w), tanh.forward(w), rtol=1e-14)
    np.testing.assert_allclose(white.complement(w), tanh.complement(w), rtol=1e-13)
    for beta in (0.1, 2.0):
        assert white.stability_modulus(beta) == pytest.approx(tanh.stability_modulus(beta))
    # ρ → 1: the map of a constant input, counted from w = 1.
    w = jnp.asarray([0.0, 0.5, 5.0])
    constant = BestMagnitude(a=0.5, b=0.5).complement(w + 1)
    np.testing.assert_allclose(CorrelatedMagnitude(1 - 1e-9).complement(w), constant, rtol=1e-6)


@pytest.mark.parametrize("rho", [0.3, 0.9, 0.99])
@pytest.mark.parametrize("beta", [0.05, 2.0])
def test_stability_modulus_is_the_largest_relative_change(rho, beta):
    # w(u) by the trapezoidal rule; far to the left, where w moves slowly.
    u = np.linspace(-60, 9, 400_001)
    slope = np.sqrt((1 + rho * np.tanh(u)) / (1 - rho * np.tanh(u)))
    w = np.concatenate([[0], np.cumsum((slope[1:] + slope[:-1]) / 2 * np.diff(u))])
    ws = np.linspace(w[0] + beta, w[-1] - beta, 20_001)

    def log_gap(at):
        return -np.logaddexp(0, 2 * np.interp(at, w, u))

    found = max(
        np.max(np.abs(np.expm1(log_gap(ws) - log_gap(ws + sign * beta)))) for sign in (-1, 1)
    )
    modulus = CorrelatedMagnitude(rho).stability_modulus(beta)
    assert found <= modulus * (1 + 1e-6)
    np.testing.assert_allclose(found, modulus, rtol=2e-4)


@pytest.mark.parametrize("rho", [0.0, 0.9, 0.999])
def test_float32_does_not_cancel_near_one(rho):
    chosen = CorrelatedMagnitude(rho)
    w = jnp.asarray(chosen.inverse(1 - GAPS), jnp.float32)
    logs, complements = jax.jit(lambda w: (chosen.log_magnitude(w), chosen.complement(w)))(w)
    wide = jnp.asarray(w, jnp.float64)
    # u = artanh ν is solved for in float32: a few roundings of u, doubled in log(1 − ν).
    bound = 1e-6 + 16 * 2**-24 * np.arctanh(1 - GAPS)
    for got, expected in (
        (complements, chosen.complement(wide)),
        (logs, chosen.log_magnitude(wide)),
    ):
        assert got.dtype == jnp.float32
        assert np.all(np.abs(np.asarray(got, float) / np.asarray(expected) - 1) <= bound)
    np.testing.assert_allclose(chosen.complement(wide), GAPS, rtol=2e-6)


def test_zero_type_shape_hash_and_errors():
    chosen = CorrelatedMagnitude(0.9)
    zero = jnp.zeros(1)
    assert chosen.forward(zero)[0] == 0
    assert chosen.log_magnitude(zero)[0] == -jnp.inf
    assert chosen.derivative(zero)[0] == pytest.approx(1, abs=1e-15)
    assert hash(chosen) == hash(CorrelatedMagnitude(0.9))
    assert chosen != CorrelatedMagnitude(0.8)
    for dtype in (jnp.float32, jnp.float64):
        w = jax.ShapeDtypeStruct((2, 3), dtype)
        functions = (chosen.forward, chosen.inverse, chosen.derivative, chosen.complement)
        for function in (*functions, chosen.log_magnitude, chosen.gradient_scale):
            out = jax.eval_shape(function, w)
            assert (out.shape, out.dtype) == ((2, 3), dtype)
    for wrong in (1, -0.1, math.nan):
        with pytest.raises(RemanenceError, match=r"is not in \[0, 1\)"):
            CorrelatedMagnitude(wrong)
