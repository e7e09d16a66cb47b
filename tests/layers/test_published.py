"""Layers against their published equations, written out step by step in NumPy."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal

from remanence.errors import RemanenceError
from remanence.layers import (
    DSS,
    LRU,
    RGLRU,
    S4D,
    S5,
    LinearRNN,
    S4Like,
    SelectiveSSM,
    StableSSM,
)

KEY = jax.random.key(3)


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _softplus(x):
    return np.log1p(np.exp(x))


def _numbers(module):
    return jax.tree.map(np.asarray, module)


def _held(split):
    return np.asarray(split.real) + 1j * np.asarray(split.imag)


def test_lru_is_its_equations(rng):
    # Orvieto et al. 2023, equations of section 3: h = λ h + e^γ (B x), y = Re(C h) + D x.
    layer = LRU(3, 5, r_min=0.4, r_max=0.99, key=KEY)
    own = _numbers(layer)
    nu, theta = own.eigenvalues.magnitude_parameter, own.eigenvalues.phase_parameter
    eigenvalues = np.exp(-np.exp(nu) + 1j * np.exp(theta))
    gamma = np.exp(own.normalisation.log_gamma)
    xs = rng.standard_normal((20, 3))
    h, ys = np.zeros(5, complex), []
    for x in xs:
        h = eigenvalues * h + gamma * (_held(own.B) @ x)
        ys.append((_held(own.C) @ h).real + own.D * x)
    for method in layer.methods:
        found, state = layer(jnp.asarray(xs), method=method)
        np.testing.assert_allclose(found, ys, rtol=0, atol=1e-12)
        np.testing.assert_allclose(state, h, rtol=0, atol=1e-12)


def test_lru_starts_on_its_ring_with_its_variances():
    layer = LRU(8, 4000, r_min=0.7, r_max=0.9, max_phase=0.5, key=KEY)
    eigenvalues = np.asarray(layer.eigenvalues())
    squares = np.abs(eigenvalues) ** 2
    assert 0.49 <= squares.min() < 0.4905
    assert 0.8095 < squares.max() <= 0.81
    # Uniform in the square of the radius and in the phase.
    assert np.mean(squares) == pytest.approx(0.65, abs=0.005)
    assert np.mean(np.angle(eigenvalues)) == pytest.approx(0.25, abs=0.01)
    np.testing.assert_allclose(
        layer.normalisation(layer.eigenvalues), np.sqrt(1 - squares), rtol=1e-12
    )
    assert np.var(layer.B.real) == pytest.approx(1 / 16, rel=0.03)
    assert np.var(layer.C.imag) == pytest.approx(1 / 4000, rel=0.03)


def test_an_lru_up_to_the_unit_circle_is_finite_in_float32():
    layer = LRU(1, 20_000, r_max=1.0, key=KEY, dtype="float32")
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(layer))
    assert float(layer.eigenvalues.log_magnitude().max()) < 0
    xs = jnp.ones((50, 1), jnp.float32)
    slope = eqx.filter_grad(lambda own: jnp.sum(own(xs)[0] ** 2))(layer)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(slope))


@pytest.mark.parametrize("start", ["lin", "inv", "legs", "real"])
def test_s4d_is_its_kernel(start, rng):
    # K_l = 2 Re Σ_n C_n (e^{Δ a_n} − 1)/a_n e^{l Δ a_n}; without the 2 for real modes.
    layer = S4D(2, 6, start=start, key=KEY)
    own = _numbers(layer)
    a = -np.exp(own.eigenvalues.rate_parameter)
    step = np.exp(own.eigenvalues.step_parameter)
    if start == "real":
        C, weight = own.C.real, 1.0
        np.testing.assert_allclose(a, [-np.arange(1.0, 7)] * 2)
    else:
        a, C, weight = a + 1j * own.eigenvalues.imaginary, _held(own.C), 2.0
    scale = (np.exp(step * a) - 1) / a
    lags = np.arange(30)[:, None, None]
    kernel = weight * np.real((C * scale)[None] * np.exp(lags * step * a)).sum(axis=2)
    xs = rng.standard_normal((30, 2))
    expected = [
        sum(kernel[j] * xs[t - j] for j in range(t + 1)) + own.D * xs[t] for t in range(30)
    ]
    np.testing.assert_allclose(layer(jnp.asarray(xs))[0], expected, rtol=0, atol=1e-12)


def test_initial_rates_are_the_published_ones():
    n = np.arange(3)
    lin = S4D(1, 6, start="lin", key=KEY).eigenvalues.continuous()
    np.testing.assert_allclose(lin, [-0.5 + 1j * np.pi * n], rtol=1e-12)
    stable = StableSSM(1, 6, key=KEY).eigenvalues
    np.testing.assert_allclose(stable.continuous(), [-0.5 + 1j * np.pi * n], rtol=1e-12)
    # −1/(w² + ½) = −½ at w = √(3/2).
    np.testing.assert_allclose(stable.rate_parameter, np.full((1, 3), np.sqrt(1.5)))
    legs = np.sqrt(2 * np.arange(6) + 1.0)
    A = -np.tril(np.outer(legs, legs), -1) - np.diag(np.arange(1.0, 7))
    P = np.sqrt(np.arange(6) + 0.5)
    spectrum = np.linalg.eigvals(A + np.outer(P, P))
    upper = np.sort(spectrum.imag)[3:]
    for layer in (DSS(1, 6, key=KEY), S5(1, 6, key=KEY)):
        found = np.asarray(layer.eigenvalues.continuous()).reshape(-1)
        np.testing.assert_allclose(found.real, -0.5, rtol=1e-12)
        np.testing.assert_allclose(np.sort(found.imag), upper, rtol=1e-9)


def test_s5_is_the_zero_order_hold_of_a_continuous_system(rng):
    layer = S5(2, 4, 3, key=KEY)
    rates = np.asarray(layer.eigenvalues.continuous())
    steps = np.exp(np.asarray(layer.eigenvalues.step_parameter))
    B, C, D = _held(layer.B), _held(layer.C), np.asarray(layer.D)
    xs = rng.standard_normal((15, 2))
    h, ys = np.zeros(2, complex), []
    discrete = [
        signal.cont2discrete((np.array([[a]]), b[None], np.ones((1, 1)), np.zeros((1, 2))), step)
        for a, b, step in zip(rates, B, steps, strict=True)
    ]
    for x in xs:
        h = np.array(
            [Ad[0, 0] * s + (Bd @ x)[0] for (Ad, Bd, *_), s in zip(discrete, h, strict=True)]
        )
        ys.append(2 * (C @ h).real + D @ x)
    np.testing.assert_allclose(layer(jnp.asarray(xs))[0], ys, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shared", [False, True])
def test_s4_like_is_its_equations(shared, rng):
    layer = S4Like(2, 3, shared=shared, r_min=0.8, key=KEY)
    own = _numbers(layer)
    step = _softplus(own.eigenvalues.step_parameter)
    a = own.eigenvalues.rate_parameter + 1j * own.eigenvalues.imaginary
    if not shared:
        np.testing.assert_allclose(own.eigenvalues.rate_parameter, -1.0)
    assert step.shape == ((1,) if shared else (3,))
    h, ys, xs = np.zeros(3, complex), [], rng.standard_normal((12, 2))
    for x in xs:
        h = np.exp(step * a) * h + step * (_held(own.B) @ x)
        ys.append((_held(own.C) @ h).real + own.D * x)
    np.testing.assert_allclose(layer(jnp.asarray(xs))[0], ys, rtol=0, atol=1e-12)


def test_rg_lru_is_its_equations(rng):
    layer = RGLRU(4, blocks=2, key=KEY)
    own = eqx.tree_at(lambda rg: (rg.bias_r, rg.bias_i), layer, (jnp.arange(4.0), -jnp.ones(4)))
    xs = rng.standard_normal((12, 4))
    weights_r, weights_i = np.zeros((2, 4, 4))
    for block in range(2):
        at = slice(2 * block, 2 * block + 2)
        weights_r[at, at], weights_i[at, at] = own.gates_r[block], own.gates_i[block]
    h, ys = np.zeros(4), []
    for x in xs:
        r = _sigmoid(weights_r @ x + np.arange(4.0))
        i = _sigmoid(weights_i @ x - 1)
        a = np.exp(-8 * r * _softplus(np.asarray(own.decay)))
        h = a * h + np.sqrt(1 - a**2) * (i * x)
        ys.append(h)
    np.testing.assert_allclose(own(jnp.asarray(xs))[0], ys, rtol=0, atol=1e-12)
    base = np.exp(-_softplus(np.asarray(RGLRU(500, key=KEY).decay)))
    assert base.min() > 0.9
    assert base.max() < 0.999


def test_rg_lru_has_a_gradient_where_nothing_decays():
    layer = RGLRU(2, key=KEY)
    frozen = eqx.tree_at(lambda rg: rg.decay, layer, jnp.full(2, -1000.0))
    slope = eqx.filter_grad(lambda own: jnp.sum(own(jnp.ones((5, 2)))[0]))(frozen)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(slope))


def test_selective_ssm_is_its_equations(rng):
    layer = SelectiveSSM(3, 2, rank=1, key=KEY)
    own = _numbers(layer)
    np.testing.assert_allclose(np.exp(own.log_rate), [[1.0, 2.0]] * 3)
    h, ys, xs = np.zeros((3, 2)), [], rng.standard_normal((12, 3))
    for x in xs:
        step = _softplus(own.step_up @ (own.step_down @ x) + own.step_bias)
        B, C = own.input_weights @ x, own.output_weights @ x
        for c in range(3):
            for n in range(2):
                decay = np.exp(-step[c] * np.exp(own.log_rate[c, n]))
                h[c, n] = decay * h[c, n] + step[c] * B[n] * x[c]
        ys.append(h @ C + own.D * x)
    np.testing.assert_allclose(layer(jnp.asarray(xs))[0], ys, rtol=0, atol=1e-12)
    start = np.log1p(np.exp(np.asarray(SelectiveSSM(2000, 1, key=KEY).step_bias)))
    assert 1e-3 <= start.min() < 1.1e-3
    assert 0.09 < start.max() <= 0.1


def test_linear_rnn_blocks_do_not_mix(rng):
    layer = LinearRNN(2, 6, 3, blocks=3, key=KEY)
    A = np.zeros((6, 6))
    for block in range(3):
        at = slice(2 * block, 2 * block + 2)
        A[at, at] = layer.A[block]
    B, C = np.asarray(layer.B).reshape(6, 2), np.asarray(layer.C).reshape(3, 6)
    h, ys, xs = np.zeros(6), [], rng.standard_normal((9, 2))
    for x in xs:
        h = A @ h + B @ x
        ys.append(C @ h + np.asarray(layer.D) @ x)
    for method in layer.methods:
        np.testing.assert_allclose(
            layer(jnp.asarray(xs), method=method)[0], ys, rtol=0, atol=1e-12
        )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LRU(0, 4, key=KEY), "LRU: inputs is 0; it must be a whole number of at least 1"),
        (lambda: LRU(1, 4, r_min=0.9, r_max=0.5, key=KEY), "0 <= r_min < r_max <= 1"),
        (lambda: S5(1, 5, key=KEY), "give a multiple of 2"),
        (lambda: S4D(1, 6, start="leg", key=KEY), "did you mean 'legs'"),
        (lambda: S4D(1, 5, key=KEY), "give an even number"),
        (lambda: S4D(1, 4, step_min=0.1, step_max=0.01, key=KEY), "0 < step_min <= step_max"),
        (lambda: StableSSM(1, 4, rate_map="bets", key=KEY), "did you mean 'best'"),
        (lambda: RGLRU(3, blocks=2, key=KEY), "cannot be cut into 2 equal blocks"),
        (lambda: LinearRNN(1, 5, blocks=2, key=KEY), "cannot be cut into 2 equal blocks"),
        (lambda: LRU(1, 2, key=KEY, dtype="int32"), "not a real floating type"),
    ],
)
def test_impossible_sizes_are_named(make, message):
    with pytest.raises(RemanenceError, match=message):
        make()


@pytest.mark.parametrize("blocks", [1, 2, 6])
def test_linear_rnn_starts_at_its_radius(blocks):
    layer = LinearRNN(1, 12, blocks=blocks, radius=0.95, key=KEY)
    magnitudes = np.abs(np.linalg.eigvals(np.asarray(layer.A)))
    np.testing.assert_allclose(magnitudes, 0.95, rtol=1e-12)
