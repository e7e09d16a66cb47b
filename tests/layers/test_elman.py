"""The Elman network and IndRNN against loops in NumPy, and how they start."""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf, expit

from remanence.errors import RemanenceError
from remanence.layers.activations import ACTIVATIONS, activate
from remanence.layers.elman import ElmanRNN, IndRNN

ORACLES = {
    "tanh": np.tanh,
    "relu": lambda x: np.where(x > 0, x, 0),
    "hardtanh": lambda x: np.where(x > 1, 1, np.where(x < -1, -1, x)),
    "identity": lambda x: x,
    "gelu": lambda x: x * (1 + erf(x / np.sqrt(2))) / 2,
    "silu": lambda x: x * expit(x),
    "sigmoid": expit,
}
INPUTS, STATE, LENGTH = 2, 3, 6


def test_every_activation_has_an_oracle():
    assert set(ORACLES) == set(ACTIVATIONS)


@pytest.mark.parametrize("name", list(ORACLES))
def test_both_are_the_loop_written_out(rng, name):
    W, U, b = (rng.normal(size=shape) for shape in ((STATE, INPUTS), (STATE, STATE), (STATE,)))
    xs, h0, phi = rng.normal(size=(LENGTH, INPUTS)), rng.normal(size=STATE), ORACLES[name]
    grid = np.linspace(-3, 3, 61)
    np.testing.assert_allclose(activate(name, jnp.asarray(grid)), phi(grid), rtol=0, atol=1e-14)

    def loop(matrix):
        h, hs = h0, []
        for x in xs:
            h = phi(W @ x + matrix @ h + b)
            hs.append(h)
        return np.array(hs)

    key = jax.random.key(0)
    elman = ElmanRNN(INPUTS, STATE, activation=name, key=key)
    elman = eqx.tree_at(lambda m: (m.W, m.U, m.b), elman, tuple(map(jnp.asarray, (W, U, b))))
    independent = IndRNN(INPUTS, STATE, activation=name, key=key)
    independent = eqx.tree_at(
        lambda m: (m.W, m.u, m.b), independent, tuple(map(jnp.asarray, (W, U[0], b)))
    )
    for layer, matrix in ((elman, U), (independent, np.diag(U[0]))):
        expected = loop(matrix)
        ys, final = layer(jnp.asarray(xs), jnp.asarray(h0))
        scale = np.abs(expected).max()
        np.testing.assert_allclose(ys, expected, rtol=0, atol=1e-13 * max(1, scale))
        np.testing.assert_array_equal(final, ys[-1])
        np.testing.assert_array_equal(layer.states(jnp.asarray(xs), jnp.asarray(h0)), ys)


@pytest.mark.parametrize("cls", [ElmanRNN, IndRNN])
def test_stepping_cutting_and_a_batch_change_nothing(rng, cls):
    layer = cls(INPUTS, STATE, activation="tanh", key=jax.random.key(3))
    xs = jnp.asarray(rng.normal(size=(2, LENGTH, INPUTS)))
    ys, finals = jax.jit(jax.vmap(layer))(xs)
    step = jax.jit(lambda state, x: layer.step(state, x))
    for x, y, final in zip(xs, ys, finals, strict=True):
        first, state = layer(x[:2])
        second, carried = layer(x[2:], state)
        np.testing.assert_allclose(jnp.concatenate([first, second]), y, rtol=0, atol=1e-14)
        np.testing.assert_allclose(carried, final, rtol=0, atol=1e-14)
        state = layer.initial_state()
        for t in range(LENGTH):
            state, out = step(state, x[t])
            np.testing.assert_allclose(out, y[t], rtol=0, atol=1e-14)


@pytest.mark.parametrize("cls", [ElmanRNN, IndRNN])
def test_gradient_is_a_finite_difference(rng, cls):
    point = (
        cls(INPUTS, STATE, activation="silu", key=jax.random.key(3)),
        jnp.asarray(rng.normal(size=(LENGTH, INPUTS))),
        jnp.asarray(rng.normal(size=STATE)),
    )
    way = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), point)

    @jax.jit
    def at(size):
        layer, xs, state = jax.tree.map(lambda p, w: p + size * w, point, way)

        def score(layer, xs, state):
            return jnp.sum(layer(xs, state)[0] ** 3)

        value, slope = jax.value_and_grad(score, argnums=(0, 1, 2))(layer, xs, state)
        return value, sum(map(jnp.vdot, jax.tree.leaves(slope), jax.tree.leaves(way)))

    difference = (at(1e-5)[0] - at(-1e-5)[0]) / 2e-5
    np.testing.assert_allclose(at(0.0)[1], difference, rtol=1e-7)


def test_an_orthogonal_start_keeps_the_norm_and_gain_scales_it():
    layer = ElmanRNN(1, 12, activation="identity", gain=0.9, key=jax.random.key(0))
    start = jnp.arange(12.0)
    ys, _ = layer(jnp.zeros((8, 1)), start)
    expected = np.linalg.norm(start) * 0.9 ** np.arange(1, 9)
    np.testing.assert_allclose(np.linalg.norm(ys, axis=1), expected, rtol=1e-12)
    np.testing.assert_allclose(layer.U @ layer.U.T, 0.81 * np.eye(12), atol=1e-12)
    identity = ElmanRNN(1, 4, start="identity", gain=0.5, key=jax.random.key(0))
    np.testing.assert_array_equal(identity.U, 0.5 * np.eye(4))


def test_a_uniform_start_has_pytorchs_range():
    U = np.asarray(ElmanRNN(1, 100, start="uniform", key=jax.random.key(0)).U)
    assert 0.0999 < np.abs(U).max() <= 0.1
    # Uniform on ±0.1: variance 0.01/3, with 10,000 entries known within 4 %.
    assert abs(np.var(U) * 300 - 1) < 0.04


def test_indrnn_grows_by_no_more_than_two_within_its_memory():
    layer = IndRNN(1, 500, memory=20, key=jax.random.key(0))
    final = layer(jnp.zeros((20, 1)), jnp.ones(500))[1]
    assert 1.7 < final.max() <= 2.0 + 1e-12
    assert np.asarray(layer.u).min() >= 0
    plain = np.asarray(IndRNN(1, 500, key=jax.random.key(0)).u)
    assert 0.99 < plain.max() <= 1.0
    assert plain.min() < 0.01


def test_float32_and_roles():
    for cls, name in ((ElmanRNN, "U"), (IndRNN, "u")):
        layer = cls(2, 3, key=jax.random.key(0), dtype="float32")
        roles = {f.name: f.metadata.get("role") for f in dataclasses.fields(layer)}
        assert [field for field, role in roles.items() if role == "recurrent"] == [name]
        assert {leaf.dtype for leaf in jax.tree.leaves(layer)} == {np.dtype(np.float32)}
        assert layer(jnp.ones((4, 2)))[0].dtype == jnp.float32


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda key: ElmanRNN(1, 2, activation="tan", key=key), "did you mean 'tanh'"),
        (lambda key: IndRNN(1, 2, activation="reul", key=key), "IndRNN: activation 'reul'"),
        (lambda key: ElmanRNN(1, 2, start="ortho", key=key), "did you mean 'orthogonal'"),
        (lambda key: IndRNN(1, 2, memory=0, key=key), "memory is 0"),
        (lambda key: ElmanRNN(1, -2, key=key), "ElmanRNN: state is -2"),
    ],
)
def test_mistakes_are_said_in_one_line(make, words):
    with pytest.raises(RemanenceError, match=words) as caught:
        make(jax.random.key(0))
    assert "\n" not in str(caught.value)
