import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from remanence.report import SilentProgress
from remanence.studies.curse_of_memory import length_extension as part
from remanence.studies.curse_of_memory import length_extension_claims as claims
from remanence.studies.curse_of_memory import length_extension_toy as toy
from remanence.studies.curse_of_memory import length_extension_training as training
from remanence.studies.curse_of_memory.length_extension_settings import QUICK, SHORT_TOY

TINY = dataclasses.replace(
    QUICK,
    width=2,
    modes_each=2,
    seeds=2,
    length=4,
    steps=4,
    streams=2,
    multiples=(1, 4),
    sequences=2,
    legs=2,
)


@pytest.fixture(scope="module")
def measured():
    return toy.run_toy(QUICK, tuple(SHORT_TOY))


@pytest.fixture(scope="module")
def trained():
    return training.train_network(TINY, "S4D", lambda share, text: None)


def test_the_toy_is_the_expected_loss_of_sequences(measured):
    """Monte Carlo over white sequences of 64 steps, and a fit by stochastic brute force of it."""
    lags = np.arange(64.0)
    target = (1 + 0.1 * lags) ** -1.1
    modes = np.exp(-np.outer(lags, np.geomspace(1e-3, 1, 8)))
    c = toy.ridge(modes[:16], target[:16], 1 - lags[:16] / 16, 1e-10)
    rng = np.random.default_rng(0)
    xs = rng.normal(size=(4000, 64))
    gap = modes @ c - target
    errors = np.array([np.convolve(x, gap)[:64] for x in xs])
    assert np.mean(errors**2) == pytest.approx(measured.short[64], rel=0.1)


def test_ridge_minimises(rng):
    design, target, weights = rng.normal(size=(9, 3)), rng.normal(size=9), rng.random(9)
    c = toy.ridge(design, target, weights, 0.2)
    gram = design.T @ (weights[:, None] * design)
    wanted = np.linalg.solve(
        gram + 0.2 * np.trace(gram) * np.eye(3), design.T @ (weights * target)
    )
    np.testing.assert_allclose(c, wanted, rtol=1e-10)


def test_the_toys_claims(measured):
    for claim in (claims.toy_claim, claims.stationary_claim, claims.hindsight_claim):
        assert claim(QUICK, measured).verdict == "holds"
    off = dataclasses.replace(
        measured,
        short={**measured.short, 4096: 4.0},
        stationary=2.2e-3,
        at_longest=np.full(12, 3e-3),
    )
    for claim in (claims.toy_claim, claims.stationary_claim, claims.hindsight_claim):
        assert claim(QUICK, off).verdict == "fails"


def test_a_found_ridge_is_called_so(measured):
    short, long = claims.toy_claim(QUICK, measured), claims.stationary_claim(QUICK, measured)
    for told in (short, long):
        assert "ridge of 1e-10 that was found by search" in told.statement
        assert "search" in told.note
    lags = np.arange(4096.0)
    target, modes = (1 + 0.1 * lags) ** -1.1, np.exp(-np.outer(lags, np.geomspace(1e-3, 1, 8)))
    root = np.sqrt(1 - lags[:256] / 256)
    c = np.linalg.lstsq(root[:, None] * modes[:256], root * target[:256], rcond=None)[0]
    error = np.sum((1 - lags / 4096) * (modes @ c - target) ** 2)
    assert measured.long_exact[4096] == pytest.approx(error, rel=1e-6)
    assert f"{error:.3g} at 4,096: these numbers do not depend on it" in long.note
    far = dataclasses.replace(measured, long_exact={256: 6e-7, 4096: 1.0})
    assert "these numbers depend on it" in claims.stationary_claim(QUICK, far).note


def test_batches_are_one_stream():
    data = training.batches(TINY)
    xs = np.swapaxes(data.inputs, 0, 1).reshape(2, -1)
    full = np.random.default_rng(TINY.seed).normal(size=(2, 8192 + 16))
    np.testing.assert_allclose(xs, full[:, 8192:], rtol=1e-6)
    rho = (1 + 0.1 * np.arange(8192)) ** -1.1
    # By hand: the third output of the second piece, with its past and without.
    t = 8192 + 4 + 2
    wanted = rho @ full[1, t : t - 8192 : -1]
    assert data.on_stream[1, 1, 2] == pytest.approx(wanted, rel=1e-5)
    alone = rho[:3] @ full[1, t : t - 3 : -1]
    assert data.alone[1, 1, 2] == pytest.approx(alone, rel=1e-5)


MODEL = training.make_network(TINY, "S4D", jax.random.key(0))
ARRAYS, TREE = jax.tree.flatten(MODEL)


@jax.jit
@jax.value_and_grad
def piece_loss(arrays, x, target, state):
    return jnp.mean((jax.tree.unflatten(TREE, arrays)(x[:, None], state)[0][:, 0] - target) ** 2)


@jax.jit
def piece_end(arrays, x, state):
    return jax.tree.unflatten(TREE, arrays)(x[:, None], state)[1]


def by_hand(way, seed):
    """Steps of Adam, one sequence at a time; the state handed on or not."""
    s, data = TINY, training.batches(TINY)
    key = jax.random.split(jax.random.key(s.seed), s.seeds)[seed]
    arrays = jax.tree.leaves(training.make_network(s, "S4D", key))
    optimiser = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(s.rate, s.steps))
    )
    memory = optimiser.init(arrays)
    states = [MODEL.initial_state()] * s.streams
    targets = data.alone if way == training.ISOLATED else data.on_stream
    for step in range(s.steps):
        runs = [
            piece_loss(arrays, data.inputs[step, b], targets[step, b], states[b])
            for b in range(s.streams)
        ]
        if way == training.CARRIED:
            states = [piece_end(arrays, data.inputs[step, b], states[b]) for b in range(s.streams)]
        slope = jax.tree.map(lambda *one: sum(one) / len(one), *(slope for _, slope in runs))
        with jax.numpy_dtype_promotion("standard"):
            moves, memory = optimiser.update(slope, memory, arrays)
        arrays = optax.apply_updates(arrays, moves)
    return float(np.mean([value for value, _ in runs]))


@pytest.mark.parametrize("way", training.WAYS)
def test_training_is_what_it_says(trained, way):
    assert trained.losses[training.WAYS.index(way), 1] == pytest.approx(by_hand(way, 1), rel=2e-4)


def test_shares_of_a_silent_network_are_one(monkeypatch):
    """Scored outputs of zero miss all of the power, at every length."""
    monkeypatch.setattr(training, "_outputs", lambda frame, members, xs: jnp.zeros((1, *xs.shape)))
    np.testing.assert_allclose(training._shares(TINY, None, None), np.ones((1, 2)))


def extension(network, isolated, cut, carried):
    shares = np.repeat(np.array([isolated, cut, carried])[:, None], 3, axis=1)
    return training.Extension(network, (16, 4096), shares, np.ones((3, 3)))


def test_the_networks_claims():
    s = dataclasses.replace(QUICK, multiples=(1, 256))
    good = extension("S4D", (1e-6, 0.02), (1e-4, 0.03), (1e-6, 1e-4))
    assert claims.carried_claim(s, good).verdict == "holds"
    assert claims.zero_claim(s, good).verdict == "holds"
    bad = extension("S4D", (1e-4, 0.02), (1e-4, 0.03), (2e-3, 1e-4))
    assert claims.carried_claim(s, bad).verdict == "fails"
    assert claims.zero_claim(s, bad).verdict == "fails"
    close = extension("S4D", (1e-6, 4e-4), (1e-4, 0.03), (1e-6, 1e-4))
    assert claims.carried_claim(s, close).verdict == "fails"
    gru = extension("GRU", (1e-5, 0.1), (1e-3, 0.15), (0.1, 0.02))
    assert claims.gru_claim(s, gru).verdict == "holds"
    # What is stated is what is judged: zero states need not get worse.
    told = claims.gru_claim(s, extension("GRU", (0.2, 0.1), (0.3, 0.15), (0.1, 0.02)))
    assert told.verdict == "holds"
    assert "zero states do" not in told.statement
    assert "from zero states, not judged: 0.5, 0.5×" in told.measured
    assert "however well" not in claims.zero_claim(s, good).statement
    worse = extension("GRU", (1e-5, 0.1), (1e-3, 0.15), (0.01, 0.02))
    assert claims.gru_claim(s, worse).verdict == "fails"


def test_the_part_runs(trained, monkeypatch):
    monkeypatch.setattr(part, "train_network", lambda s, name, heard: trained)
    both = dataclasses.replace(TINY, length=16, networks=("S4D", "GRU"))
    finding = part.run_length_extension(both, SilentProgress())
    assert [claim.id for claim in finding.claims] == [f"F12{c}" for c in "abcdef"]
    for columns in finding.tables.values():
        assert len({len(values) for values in columns.values()}) == 1
    names = {figure.name for figure in finding.figures}
    assert names == {"length-extension-toy", "length-extension"}
    assert trained.shares.shape == (3, 2, 2)
    assert np.isfinite(trained.shares).all()
