"""Online learning by traces: backpropagation through time, and what it learns."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from remanence.errors import NumericalError, RemanenceError
from remanence.layers import GRU, LRU, S5, DiagonalRNN, RealEigenvalues, SquareRoot
from remanence.systems import DiagonalStateSpace
from remanence.training import train_online

KEY = jax.random.key(3)


def real_modes(key):
    halves = RealEigenvalues.from_eigenvalues(jnp.array([0.9, 0.5, 0.3]))
    return DiagonalRNN(halves, 2, 3, normalisation=SquareRoot(), key=key)


LAYERS = {
    "LRU": lambda key: LRU(2, 4, 3, r_min=0.5, r_max=0.95, key=key),
    "S5": lambda key: S5(2, 4, key=key),
    "real modes": real_modes,
}


@pytest.fixture
def stream(rng):
    return rng.normal(size=(25, 2)), rng.normal(size=(25, 3))


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_at_rest_are_those_of_backpropagation_through_time(name, stream):
    layer = LAYERS[name](KEY)
    xs, targets = stream[0], stream[1][:, : layer.outputs]

    def loss(model):
        ys = model(jnp.asarray(xs), method="sequential")[0]
        return jnp.mean(jnp.sum((ys - targets) ** 2, axis=1)) / 2

    value, gradient = jax.value_and_grad(loss)(layer)
    # One update of the whole stream: the step of gradient descent with rate one.
    trained = train_online(layer, xs, targets, optimiser=optax.sgd(1.0), update_every=xs.shape[0])
    np.testing.assert_allclose(trained.losses.mean(), value, rtol=1e-12)
    moved = jax.tree.map(jnp.subtract, layer, trained.model)
    for ours, theirs in zip(jax.tree.leaves(moved), jax.tree.leaves(gradient), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_a_stream_in_two_calls_is_one_stream(stream):
    layer, adam = LAYERS["LRU"](KEY), optax.adam(1e-2)
    whole = train_online(layer, *stream, optimiser=adam)
    first = train_online(layer, *(v[:10] for v in stream), optimiser=adam)
    second = train_online(
        first.model, *(v[10:] for v in stream), optimiser=adam, state=first.state
    )
    np.testing.assert_allclose(
        whole.losses, np.concatenate([first.losses, second.losses]), rtol=1e-12
    )
    for a, b in zip(jax.tree.leaves(whole.model), jax.tree.leaves(second.model), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)


def test_long_streams_are_run_in_legs_that_change_nothing(stream, monkeypatch):
    layer, heard = LAYERS["LRU"](KEY), []
    options = {"optimiser": optax.sgd(1e-2), "update_every": 3}
    whole = train_online(layer, *stream, **options)
    monkeypatch.setattr("remanence.training.online._LONGEST_LEG", 7)
    legs = train_online(layer, *stream, on_progress=heard.append, **options)
    np.testing.assert_allclose(whole.losses, legs.losses, rtol=1e-12)
    assert heard == [0.24, 0.48, 0.72, 0.96, 1.0]


def test_an_update_in_every_step_learns_a_teacher():
    teacher = DiagonalStateSpace([0.9 * np.exp(0.3j)], [[1.0]], [[0.5]])
    xs = np.random.default_rng(0).normal(size=(4000, 1))
    targets = np.asarray(teacher.simulate(xs)[0])
    layer = LRU(1, 4, r_min=0.6, r_max=0.95, max_phase=1.0, key=KEY)
    trained = train_online(layer, xs, targets, optimiser=optax.adam(3e-3))
    assert trained.losses[-400:].mean() < 0.02 * trained.losses[:400].mean()
    trained.raise_if_diverged()


@pytest.mark.parametrize(("every", "time"), [(1, 25), (5, 7), (5, 17), (5, 10)])
def test_divergence_is_found_and_the_parameters_stay_finite(every, time, stream):
    xs, targets = (v[:time] for v in stream)
    layer, wild = LAYERS["LRU"](KEY), optax.sgd(1e6)
    trained = train_online(layer, xs, targets, optimiser=wild, update_every=every)
    assert every <= trained.diverged_at <= time
    assert np.isnan(trained.losses[trained.diverged_at + every :]).all()
    # What is kept has a finite loss on the stretch that it was kept for.
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(trained.model))
    if every > 1:
        for kept, first in zip(
            jax.tree.leaves(trained.model), jax.tree.leaves(layer), strict=True
        ):
            np.testing.assert_array_equal(kept, first)
    with pytest.raises(NumericalError, match=f"time step {trained.diverged_at}"):
        trained.raise_if_diverged()


def test_a_last_update_that_overflows_is_found(stream):
    xs, targets = (v[:5] for v in stream)
    layer, wild = LAYERS["LRU"](KEY), optax.scale(-np.inf)
    trained = train_online(layer, xs, targets, optimiser=wild, update_every=5)
    assert trained.diverged_at == 5
    assert np.isfinite(trained.losses).all()
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(trained.model))


def test_what_does_not_fit_is_said_in_one_line(stream):
    layer, adam = LAYERS["LRU"](KEY), optax.adam(1e-2)
    xs, targets = stream
    with pytest.raises(RemanenceError, match="GRU is no diagonal layer"):
        train_online(GRU(2, 3, key=KEY), xs, targets, optimiser=adam)
    with pytest.raises(RemanenceError, match=r"shape \(25, 1\), expected \(time, 2\)"):
        train_online(layer, xs[:, :1], targets, optimiser=adam)
    with pytest.raises(RemanenceError, match=r"shape \(24, 3\), expected \(25, 3\)"):
        train_online(layer, xs, targets[1:], optimiser=adam)
    with pytest.raises(RemanenceError, match=r"xs have shape \(25,\), expected two axes"):
        train_online(layer, xs[:, 0], targets, optimiser=adam)
    ruined = targets.copy()
    ruined[3, 1] = np.nan
    with pytest.raises(RemanenceError, match=r"targets hold nan at \(3, 1\)"):
        train_online(layer, xs, ruined, optimiser=adam)
    own = train_online(layer, xs, targets, optimiser=optax.sgd(1e-3)).state
    with pytest.raises(RemanenceError, match="another optimiser"):
        train_online(layer, xs, targets, optimiser=adam, state=own)
    other = train_online(LRU(2, 5, 3, key=KEY), xs, targets, optimiser=adam).state
    with pytest.raises(RemanenceError, match="give the state of this layer"):
        train_online(layer, xs, targets, optimiser=adam, state=other)
