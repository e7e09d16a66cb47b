"""Scalar eigenvalue maps against their definitions in mpmath, quadrature and brute force."""

import math

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from scipy.integrate import quad

from remanence.errors import RemanenceError
from remanence.layers.eigenvalues import (
    EIGENVALUE_MAPS,
    eigenvalue_map,
    magnitude_map,
    rate_map,
)

RATES = EIGENVALUE_MAPS["rate"]
MAGNITUDES = EIGENVALUE_MAPS["magnitude"]


def frozen_tanh(w):
    """By the implicit equation, solved in many digits."""

    def primitive(u):
        v = mp.tanh(u)
        return mp.sqrt(2) * mp.atanh(mp.sqrt(2) * v / mp.sqrt(1 + v**2)) - mp.asinh(v)

    return mp.tanh(mp.findroot(lambda u: primitive(u) - w, w / mp.mpf("1.3")))


def correlated(w):
    """By the implicit equation at ρ = 0.9, solved in many digits."""
    rho = mp.mpf(0.9)
    k = mp.sqrt((1 + rho) / (1 - rho))

    def primitive(u):
        v = mp.tanh(u)
        y = mp.sqrt((1 + rho * v) / (1 - rho * v))
        first = mp.log((k + y) / (k + 1)) + mp.log((1 - rho * v) / (1 - v)) / 2
        second = mp.log((k * y + 1) / (k + 1)) + mp.log((1 - rho * v) / (1 + v)) / 2
        return k * first - second / k

    return mp.tanh(mp.findroot(lambda u: primitive(u) - w, mp.asinh(w), tol=1e-60, verify=False))


# The definitions, in mpmath, and where to try them.
RATE_DEFINITIONS = {
    "direct": (lambda w: w, [-3.0, -1e-3]),
    "exponential": (lambda w: -mp.exp(w), [-8.0, 0.0, 2.0]),
    "softplus": (lambda w: -mp.log(1 + mp.exp(w)), [-8.0, 0.3, 30.0]),
    "inverse": (lambda w: -1 / w, [0.2, 300.0]),
    "best": (lambda w: -1 / (w**2 + mp.mpf(1) / 2), [0.0, 0.4, 40.0]),
    "best (code)": (lambda w: -1 / (w**2 + mp.mpf(0.1)), [0.0, 0.4, 40.0]),
    "mean-square best": (lambda w: -1 / (w**2 + mp.mpf(1) / 2) ** 2, [0.0, 0.4, 9.0]),
    "sigmoid": (lambda w: -1 / (1 + mp.exp(-w)), [-8.0, 0.3, 4.0]),
}
MAGNITUDE_DEFINITIONS = {
    "direct": (lambda w: w, [-0.9, 0.3, 0.999]),
    "sigmoid": (lambda w: 1 / (1 + mp.exp(-w)), [-3.0, 0.2, 8.0]),
    "tanh": (mp.tanh, [-2.0, 0.1, 4.0]),
    "double exponential": (lambda w: mp.exp(-mp.exp(w)), [-8.0, -1.0, 1.5]),
    "softplus exponential": (lambda w: 1 / (1 + mp.exp(w)), [-8.0, 0.3, 3.0]),
    "inverse": (lambda w: 1 - 1 / w, [0.52, 0.9, 700.0]),
    "best": (lambda w: 1 - 1 / (w**2 + mp.mpf(1) / 2), [0.1, 0.6, 30.0]),
    "frozen tanh": (frozen_tanh, [-2.0, 0.1, 4.0]),
    "correlated": (correlated, [-0.3, 0.1, 4.0]),
    "constant-input": (lambda w: 1 - 1 / (1 + w), [-0.4, 0.1, 700.0]),
    "normalised constant-input": (lambda w: 1 - 2 / (1 + w**2), [0.1, 0.9, 30.0]),
}
CASES = [("rate", name) for name in RATES] + [("magnitude", name) for name in MAGNITUDES]


def case(domain, name):
    definition, ws = {"rate": RATE_DEFINITIONS, "magnitude": MAGNITUDE_DEFINITIONS}[domain][name]
    return eigenvalue_map(domain, name), definition, np.array(ws)


@pytest.mark.parametrize(("domain", "name"), CASES)
def test_forward_inverse_and_derivative(domain, name):
    chosen, definition, ws = case(domain, name)
    with mp.workdps(40):
        expected = np.array([float(definition(mp.mpf(w))) for w in ws])
        slopes = np.array([float(mp.diff(definition, mp.mpf(w))) for w in ws])
    values = chosen.forward(jnp.asarray(ws))
    np.testing.assert_allclose(values, expected, rtol=1e-14, atol=1e-16)
    np.testing.assert_allclose(chosen.derivative(jnp.asarray(ws)), slopes, rtol=1e-13)
    slope = jax.grad(lambda w: chosen.forward(w[None])[0])
    by_autodiff = jax.jit(jax.vmap(slope))(jnp.asarray(ws))
    np.testing.assert_allclose(by_autodiff, slopes, rtol=1e-12)
    # Rounding of the value moves w by its own rounding over the map's relative slope.
    conditioning = np.abs(expected) / np.maximum(np.abs(slopes), 1e-8)
    for back in (chosen.inverse(values), chosen.inverse(np.asarray(values))):
        assert np.all(np.abs(back - ws) <= 4e-16 * (conditioning + np.abs(ws)))


@pytest.mark.parametrize("name", list(RATES))
def test_the_gradient_scale_of_a_rate_is_an_integral(name):
    chosen, _, ws = case("rate", name)
    for w in ws[ws < 20]:
        w = jnp.asarray([w])
        rate, slope = float(chosen.forward(w)[0]), float(chosen.derivative(w)[0])
        unit = -1 / rate  # integrate in units of the time constant
        worst = abs(slope) * unit**2 * quad(lambda s: s * math.exp(-s), 0, 60)[0]
        square = slope**2 * unit**3 * quad(lambda s: s**2 * math.exp(-2 * s), 0, 60)[0]
        np.testing.assert_allclose(chosen.gradient_scale(w)[0], worst, rtol=1e-9)
        np.testing.assert_allclose(
            chosen.gradient_scale(w, 1.5)[0], 2 * math.sqrt(square), rtol=1e-9
        )


@pytest.mark.parametrize("name", list(MAGNITUDES))
def test_the_gradient_scale_of_a_magnitude_is_a_sum(name):
    chosen = magnitude_map(name)
    w = jnp.asarray(chosen.inverse(np.array([0.05, 0.6, 0.97])))
    lags = np.arange(1, 2000)
    sums = (lags * np.asarray(chosen.forward(w))[:, None] ** (lags - 1)).sum(1)
    expected = np.abs(chosen.derivative(w)) * sums
    np.testing.assert_allclose(chosen.gradient_scale(w), expected, rtol=1e-12)


def test_best_maps_have_gradients_in_proportion_to_their_parameter():
    w = jnp.asarray([0.3, 1.0, 50.0])
    for a, b in ((1.0, 0.5), (1.0, 0.1), (3.0, 0.7)):
        ratio = rate_map("best", a=a, b=b).gradient_scale(w) / w
        np.testing.assert_allclose(ratio, 2 * a, rtol=1e-14)
        ratio = rate_map("mean-square best", a=a, b=b).gradient_scale(w, 1.5) / w
        np.testing.assert_allclose(ratio, 4 * a, rtol=1e-14)
    ratio = magnitude_map("best", a=2.0, b=0.6).gradient_scale(w) / w
    np.testing.assert_allclose(ratio, 4, rtol=1e-14)


def relative_changes(static_gain, ws, beta):
    """`static_gain(w + δ) / static_gain(w) − 1`, largest over a grid."""
    deltas = np.append(np.linspace(-beta, beta, 41), [-beta, beta])
    moved = static_gain(ws[:, None] + deltas[None])
    return np.max(np.abs(moved / static_gain(ws)[:, None] - 1))


def interpolated_frozen_tanh(w):
    u = np.linspace(-12, 12, 400_001)
    v = np.tanh(u)
    table = np.sqrt(2) * np.arctanh(np.sqrt(2) * v / np.sqrt(1 + v**2)) - np.arcsinh(v)
    return 2 / (1 + np.exp(2 * np.interp(w, table[np.isfinite(table)], u[np.isfinite(table)])))


def interpolated_correlated(w):
    u = np.linspace(-60, 20, 800_001)
    density = np.sqrt((1 + 0.9 * np.tanh(u)) / (1 - 0.9 * np.tanh(u)))
    table = np.append(0, np.cumsum((density[1:] + density[:-1]) / 2 * (u[1] - u[0])))
    return 2 / (1 + np.exp(2 * np.interp(w, table - np.interp(0, u, table), u)))


# The decay |f| of a rate, and 1 − f of a magnitude: the inverse of the gain at zero frequency.
DECAYS = {
    ("rate", "exponential"): np.exp,
    ("rate", "softplus"): lambda w: np.log1p(np.exp(w)),
    ("rate", "best"): lambda w: 1 / (w**2 + 0.5),
    ("rate", "best (code)"): lambda w: 1 / (w**2 + 0.1),
    ("rate", "mean-square best"): lambda w: 1 / (w**2 + 0.5) ** 2,
    ("rate", "sigmoid"): lambda w: 1 / (1 + np.exp(-w)),
    ("magnitude", "sigmoid"): lambda w: 1 / (1 + np.exp(w)),
    ("magnitude", "tanh"): lambda w: 2 / (1 + np.exp(2 * w)),
    ("magnitude", "double exponential"): lambda w: -np.expm1(-np.exp(w)),
    ("magnitude", "softplus exponential"): lambda w: 1 / (1 + np.exp(-w)),
    ("magnitude", "best"): lambda w: 1 / (w**2 + 0.5),
    ("magnitude", "frozen tanh"): interpolated_frozen_tanh,
    ("magnitude", "correlated"): interpolated_correlated,
    ("magnitude", "normalised constant-input"): lambda w: 2 / (1 + w**2),
}


@pytest.mark.parametrize(("domain", "name"), CASES)
@pytest.mark.parametrize("beta", [0.05, 0.5, 2.0])
def test_stability_modulus_is_the_largest_relative_change(domain, name, beta):
    modulus = eigenvalue_map(domain, name).stability_modulus(beta)
    if (domain, name) not in DECAYS:
        assert modulus == math.inf
        return
    decay = DECAYS[domain, name]
    # Perturbed parameters stay in [-12, 12]; where the supremum is a limit it is reached there.
    ws = np.linspace(-12 + beta, 12 - beta, 40_001)
    found = relative_changes(lambda w: 1 / decay(w), ws, beta)
    assert found <= modulus * (1 + 1e-6)
    # Within what the finite range leaves out, e^{-9} at most.
    np.testing.assert_allclose(found, modulus, rtol=2e-4)


@pytest.mark.parametrize("c", [0.3, 8.0])
def test_stability_modulus_of_the_softplus_exponential_does_not_depend_on_c(c):
    ws = np.linspace(-12, 12, 2001)
    found = relative_changes(lambda w: -1 / np.expm1(-c * np.log1p(np.exp(w))), ws, 0.5)
    modulus = magnitude_map("softplus exponential", c=c).stability_modulus(0.5)
    np.testing.assert_allclose(found, modulus, rtol=2e-4)


def test_stability_modulus_published_numbers_and_margin():
    best = rate_map("best")
    assert best.stability_modulus(0.5) == pytest.approx(1.0, abs=1e-15)
    assert best.stability_modulus(1) == pytest.approx(1 + math.sqrt(3))
    assert rate_map("best (code)").stability_modulus(0.1) == pytest.approx(0.37016, abs=5e-6)
    clipped = magnitude_map("direct", margin=0.01)
    ws = np.linspace(-1.5, 1.5, 30_001)
    for beta in (0.2, 1.99):
        found = relative_changes(lambda w: 1 / (1 - np.clip(w, -0.99, 0.99)), ws, beta)
        np.testing.assert_allclose(clipped.stability_modulus(beta), found, rtol=1e-9)


@pytest.mark.parametrize(
    ("domain", "name", "edge"),
    [
        ("rate", "direct", 0.0),
        ("rate", "inverse", 0.0),
        ("magnitude", "direct", 1.0),
        ("magnitude", "inverse", 0.5),
        ("magnitude", "constant-input", -0.5),
    ],
)
def test_unstable_maps_leave_their_domain_by_any_perturbation(domain, name, edge):
    chosen = eigenvalue_map(domain, name)
    assert edge in chosen.domain
    for beta in (1e-6, 1e-2):
        outside = edge + beta / 2 * (1 if edge == chosen.domain[1] else -1)
        value = float(chosen.forward(jnp.asarray([outside]))[0])
        assert value > 0 if domain == "rate" else abs(value) > 1


@pytest.mark.parametrize("name", list(MAGNITUDES))
def test_float32_log_magnitude_and_complement_do_not_cancel(name):
    chosen, definition, _ = case("magnitude", name)
    gaps = np.array([1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7])
    w = jnp.asarray(chosen.inverse(1 - gaps), jnp.float32)
    logs, complements = jax.jit(lambda w: (chosen.log_magnitude(w), chosen.complement(w)))(w)
    with mp.workdps(40):
        exact = [definition(mp.mpf(float(x))) for x in w]
        log_errors = np.array(logs, float) / [float(mp.log(x)) for x in exact] - 1
        exact_gaps = np.array([float(1 - x) for x in exact])
    # These solve for u = artanh ν in float32: δ(1 − ν)/(1 − ν) = 2 δu, and four roundings of u
    # are 4 · 2^-24 · u.
    by_solving = name in {"frozen tanh", "correlated"}
    solved = 8 * 2**-24 * np.arctanh(1 - gaps) if by_solving else 0.0
    assert np.all(np.abs(log_errors) <= 1e-6 + solved)
    assert np.all(np.abs(np.array(complements, float) / exact_gaps - 1) <= 1e-6 + solved)
    # The parameter itself, rounded to float32, still has the eigenvalue that was asked for, but
    # for the direct map, whose own spacing near 1 is 6e-8.
    if name != "direct":
        np.testing.assert_allclose(exact_gaps, gaps, rtol=2e-6)
    else:
        assert np.all(np.abs(exact_gaps / gaps - 1)[-2:] > 1e-3)


def test_log_magnitude_of_negative_and_zero_values():
    for name in ("tanh", "inverse", "best", "direct", "frozen tanh", "constant-input"):
        chosen = magnitude_map(name)
        value = np.array([-1 + 1e-9, -0.7, -0.2, 1e-5])
        w = chosen.inverse(value)
        with mp.workdps(40):
            definition = case("magnitude", name)[1]
            exact = [float(mp.log(mp.fabs(definition(mp.mpf(x))))) for x in w]
        np.testing.assert_allclose(jax.jit(chosen.log_magnitude)(jnp.asarray(w)), exact, rtol=1e-9)
    tanh = magnitude_map("tanh")
    zero = jnp.zeros(1)
    assert tanh.log_magnitude(zero)[0] == -jnp.inf

    def square(w):
        return jnp.sum(jnp.expm1(2 * tanh.log_magnitude(w)))

    assert jax.jit(jax.grad(square))(zero)[0] == 0


def sensitivity(name, w, state_coefficients):
    """`d/dw` of the coefficients of the state, by autodiff through the map."""
    chosen = magnitude_map(name)
    coefficients = jax.jacfwd(lambda w: state_coefficients(chosen.forward(w[None])[0]))
    return jax.jit(coefficients)(jnp.asarray(w))


@pytest.mark.parametrize("target", [0.3, 0.9, 0.995])
def test_optimal_maps_have_unit_sensitivity(target):
    lags = jnp.arange(6000.0)

    def at(name):
        return float(magnitude_map(name).inverse(np.array([target]))[0])

    normalised = sensitivity("tanh", at("tanh"), lambda v: jnp.sqrt(1 - v**2) * v**lags)
    assert float(jnp.sum(normalised**2)) == pytest.approx(1, rel=1e-9)
    frozen = sensitivity("frozen tanh", at("frozen tanh"), lambda v: v**lags)
    assert float((1 - target**2) * jnp.sum(frozen**2)) == pytest.approx(1, rel=1e-9)
    constant = sensitivity("constant-input", at("constant-input"), lambda v: v**lags)
    assert float(jnp.sum(constant) ** 2) == pytest.approx(1, rel=1e-9)
    name = "normalised constant-input"
    both = sensitivity(name, at(name), lambda v: jnp.sqrt(1 - v**2) * v**lags)
    assert float(jnp.sum(both) ** 2) == pytest.approx(1, rel=1e-9)


def test_maps_keep_their_type_and_shape_and_are_hashable():
    for domain, name in CASES:
        chosen = eigenvalue_map(domain, name)
        assert hash(chosen) == hash(eigenvalue_map(domain, name))
        assert chosen == eigenvalue_map(domain, name)
        functions = [chosen.forward, chosen.derivative, chosen.inverse]
        functions.append(lambda w, chosen=chosen: chosen.gradient_scale(w, 1.5))
        if domain == "magnitude":
            functions += [chosen.complement, chosen.log_magnitude]
        for dtype in (jnp.float32, jnp.float64):
            w = jax.ShapeDtypeStruct((2, 3), dtype)
            for function in functions:
                out = jax.eval_shape(function, w)
                assert (out.shape, out.dtype) == ((2, 3), dtype)


def test_errors_say_what_to_do():
    with pytest.raises(RemanenceError, match="did you mean 'softplus'"):
        eigenvalue_map("rate", "softpuls")
    with pytest.raises(RemanenceError, match=r"no option 'B'; its options are a, b"):
        rate_map("best", B=1.0)
    with pytest.raises(RemanenceError, match=r"no option 'a'; it has no options"):
        magnitude_map("tanh", a=1.0)
    for name in ("best", "mean-square best"):
        with pytest.raises(RemanenceError, match=r"b = 0 must be positive: with b = 0"):
            rate_map(name, b=0)
    with pytest.raises(RemanenceError, match="must be at least"):
        magnitude_map("best", b=0.4)
    with pytest.raises(RemanenceError, match="margin = 2"):
        magnitude_map("direct", margin=2)
    with pytest.raises(RemanenceError, match="c = -1 must be positive"):
        magnitude_map("softplus exponential", c=-1)
