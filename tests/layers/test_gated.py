"""GRU and LSTM: against loops written out in NumPy, against PyTorch, and their biases' times."""

import dataclasses
import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from remanence.errors import RemanenceError
from remanence.layers.gru import GRU
from remanence.layers.lstm import LSTM

INPUTS, STATE, LENGTH = 3, 4, 7
GATES = {GRU: 3, LSTM: 4}


def _arrays(rng, cls, dtype=np.float64):
    rows = GATES[cls] * STATE
    shapes = ((rows, INPUTS), (rows, STATE), (rows,), (rows,))
    return [(rng.normal(size=shape) / 2).astype(dtype) for shape in shapes]


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _gru_loop(arrays, xs, h):
    (Wr, Wz, Wn), (Ur, Uz, Un), (br, bz, bn), (cr, cz, cn) = (
        [a[g * STATE : (g + 1) * STATE] for g in range(3)] for a in arrays
    )
    hs = []
    for x in xs:
        r = _sigmoid(Wr @ x + br + Ur @ h + cr)
        z = _sigmoid(Wz @ x + bz + Uz @ h + cz)
        n = np.tanh(Wn @ x + bn + r * (Un @ h + cn))
        h = (1 - z) * n + z * h
        hs.append(h)
    return np.array(hs)


def _lstm_loop(arrays, xs, h, c):
    W, U, b, d = ([a[g * STATE : (g + 1) * STATE] for g in range(4)] for a in arrays)
    hs, cs = [], []
    for x in xs:
        i, f, g, o = (W[k] @ x + b[k] + U[k] @ h + d[k] for k in range(4))
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
        hs.append(h)
        cs.append(c)
    return np.array(hs), np.array(cs)


def test_gru_is_the_loop_written_out(rng):
    arrays, xs, h = _arrays(rng, GRU), rng.normal(size=(LENGTH, INPUTS)), rng.normal(size=STATE)
    layer, expected = GRU.from_arrays(*arrays), _gru_loop(arrays, xs, h)
    ys, final = layer(jnp.asarray(xs), jnp.asarray(h))
    np.testing.assert_allclose(ys, expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(final, expected[-1], rtol=0, atol=1e-13)
    np.testing.assert_allclose(layer.states(jnp.asarray(xs), jnp.asarray(h)), ys, rtol=0, atol=0)
    zero = layer(jnp.asarray(xs))[0]
    np.testing.assert_allclose(zero, _gru_loop(arrays, xs, np.zeros(STATE)), rtol=0, atol=1e-13)


def test_lstm_is_the_loop_written_out(rng):
    arrays, xs = _arrays(rng, LSTM), rng.normal(size=(LENGTH, INPUTS))
    h, c = rng.normal(size=(2, STATE))
    layer, (hs, cs) = LSTM.from_arrays(*arrays), _lstm_loop(arrays, xs, h, c)
    start = (jnp.asarray(h), jnp.asarray(c))
    ys, final = layer(jnp.asarray(xs), start)
    np.testing.assert_allclose(ys, hs, rtol=0, atol=1e-13)
    np.testing.assert_allclose(final, (hs[-1], cs[-1]), rtol=0, atol=1e-13)
    np.testing.assert_allclose(layer.states(jnp.asarray(xs), start), (hs, cs), rtol=0, atol=1e-13)
    zero, nothing = layer(jnp.asarray(xs))[0], np.zeros(STATE)
    np.testing.assert_allclose(
        zero, _lstm_loop(arrays, xs, nothing, nothing)[0], rtol=0, atol=1e-13
    )


@pytest.mark.parametrize("cls", [GRU, LSTM])
@pytest.mark.parametrize(("dtype", "atol"), [(np.float64, 1e-12), (np.float32, 1e-6)])
def test_pytorch_gives_the_same_numbers_and_gradients(rng, cls, dtype, atol):
    torch = pytest.importorskip("torch")
    arrays = _arrays(rng, cls, dtype)
    xs = rng.normal(size=(LENGTH, INPUTS)).astype(dtype)
    starts = [rng.normal(size=STATE).astype(dtype) for _ in range(GATES[cls] - 2)]
    weights = [rng.normal(size=(LENGTH, STATE)).astype(dtype), *(-s for s in starts)]

    theirs = getattr(torch.nn, cls.__name__)(INPUTS, STATE, dtype=torch.from_numpy(xs).dtype)
    with torch.no_grad():
        for parameter, array in zip(theirs.parameters(), arrays, strict=True):
            parameter.copy_(torch.from_numpy(array))
    t_xs = torch.from_numpy(xs).requires_grad_()
    t_starts = [torch.from_numpy(s)[None].requires_grad_() for s in starts]
    t_ys, t_final = theirs(t_xs, t_starts[0] if cls is GRU else tuple(t_starts))
    t_outputs = [t_ys, *([t_final] if cls is GRU else t_final)]
    score = sum((o * torch.from_numpy(w)).sum() for o, w in zip(t_outputs, weights, strict=True))
    t_slopes = torch.autograd.grad(score, [*theirs.parameters(), t_xs, *t_starts])

    def run(layer, xs, starts):
        ys, final = layer(xs, starts[0] if cls is GRU else tuple(starts))
        outputs = [ys, *([final] if cls is GRU else final)]
        return sum(jnp.sum(o * w) for o, w in zip(outputs, weights, strict=True)), outputs

    layer = cls.from_arrays(*theirs.state_dict().values())
    point = (layer, jnp.asarray(xs), [jnp.asarray(s) for s in starts])
    assert {leaf.dtype for leaf in jax.tree.leaves(point[0])} == {np.dtype(dtype)}
    slopes, outputs = jax.jit(jax.grad(run, argnums=(0, 1, 2), has_aux=True))(*point)
    for ours, other in zip(outputs, t_outputs, strict=True):
        other = other.detach().numpy().reshape(ours.shape)
        np.testing.assert_allclose(ours, other, rtol=0, atol=atol)
    # The one bias that stands for two of PyTorch's has the gradient that each of them has.
    W, U, b, c = slopes[0].to_arrays()
    c = np.concatenate([b[: 2 * STATE], c[2 * STATE :]]) if cls is GRU else b
    for ours, other in zip([W, U, b, c, slopes[1], *slopes[2]], t_slopes, strict=True):
        other = other.numpy().reshape(ours.shape)
        np.testing.assert_allclose(ours, other, rtol=0, atol=atol * max(1, np.abs(other).max()))
    # And back: what to_arrays gives is the same network in PyTorch.
    with torch.no_grad():
        for parameter, array in zip(theirs.parameters(), point[0].to_arrays(), strict=True):
            parameter.copy_(torch.from_numpy(array.copy()))
        again = theirs(t_xs, t_starts[0] if cls is GRU else tuple(t_starts))[0]
    np.testing.assert_allclose(again.numpy(), t_ys.detach().numpy(), rtol=0, atol=atol)


@pytest.mark.parametrize("cls", [GRU, LSTM])
def test_arrays_make_the_round_trip(rng, cls):
    arrays = _arrays(rng, cls)
    W, U, b, c = cls.from_arrays(*arrays).to_arrays()
    np.testing.assert_array_equal(W, arrays[0])
    np.testing.assert_array_equal(U, arrays[1])
    # Where the hidden bias is not scaled by a gate only the sum of both is a parameter.
    np.testing.assert_array_equal(b + c, arrays[2] + arrays[3])
    if cls is GRU:
        np.testing.assert_array_equal(c[2 * STATE :], arrays[3][2 * STATE :])
    bare = cls.from_arrays(*arrays[:2])
    assert not np.any(bare.to_arrays()[2:])
    assert cls.from_arrays(*arrays, dtype="float32").to_arrays()[0].dtype == np.float32


@pytest.mark.parametrize("cls", [GRU, LSTM])
def test_stepping_cutting_and_a_batch_change_nothing(rng, cls):
    layer = cls.from_arrays(*_arrays(rng, cls))
    xs = jnp.asarray(rng.normal(size=(2, LENGTH, INPUTS)))
    ys, finals = jax.jit(jax.vmap(layer))(xs)
    for x, y, *final in zip(xs, ys, *jax.tree.leaves(finals), strict=True):
        first, state = layer(x[:3])
        second, carried = layer(x[3:], state)
        np.testing.assert_allclose(jnp.concatenate([first, second]), y, rtol=0, atol=1e-13)
        np.testing.assert_allclose(jax.tree.leaves(carried), final, rtol=0, atol=1e-13)
        stepped, step = layer.initial_state(), jax.jit(lambda s, x: layer.step(s, x))
        for t in range(LENGTH):
            stepped, out = step(stepped, x[t])
            np.testing.assert_allclose(out, y[t], rtol=0, atol=1e-13)
        np.testing.assert_allclose(jax.tree.leaves(stepped), final, rtol=0, atol=1e-13)


@pytest.mark.parametrize("cls", [GRU, LSTM])
def test_later_inputs_change_no_earlier_output(rng, cls):
    layer, run = cls.from_arrays(*_arrays(rng, cls)), jax.jit(lambda layer, xs: layer(xs)[0])
    xs = jnp.asarray(rng.normal(size=(LENGTH, INPUTS)))
    before, after = run(layer, xs), run(layer, xs.at[4].add(1.0))
    np.testing.assert_array_equal(before[:4], after[:4])
    assert np.abs(before[4:] - after[4:]).min() > 1e-6


@pytest.mark.parametrize("cls", [GRU, LSTM])
def test_first_and_second_derivatives_are_finite_differences(rng, cls):
    layer = cls.from_arrays(*_arrays(rng, cls))
    point = (layer, jnp.asarray(rng.normal(size=(LENGTH, INPUTS))))
    way = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), point)

    def score(point):
        ys, final = point[0](point[1])
        return jnp.sum(jnp.sin(ys)) + sum(jnp.sum(s**2) for s in jax.tree.leaves(final))

    def along(tree):
        return sum(jnp.vdot(a, b) for a, b in zip(*map(jax.tree.leaves, (tree, way)), strict=True))

    @jax.jit
    def at(size):
        moved = jax.tree.map(lambda p, w: p + size * w, point, way)
        value, slope = jax.value_and_grad(score)(moved)
        over_reverse = jax.jvp(jax.grad(score), (moved,), (way,))[1]
        twice_reverse = jax.grad(lambda q: along(jax.grad(score)(q)))(moved)
        forward = jax.jvp(score, (moved,), (way,))[1]
        return value, along(slope), forward, along(over_reverse), along(twice_reverse)

    up, here, down = at(1e-4), at(0.0), at(-1e-4)
    slope, curvature = (up[0] - down[0]) / 2e-4, (up[1] - down[1]) / 2e-4
    np.testing.assert_allclose(here[1:3], [slope, slope], rtol=1e-6)
    np.testing.assert_allclose(here[3:5], [curvature, curvature], rtol=1e-6)


@pytest.mark.parametrize("cls", [GRU, LSTM])
def test_chrono_spreads_forget_times_over_its_range(cls):
    layer = cls(1, 300, chrono=(5, 60), key=jax.random.key(1))
    bias = np.asarray(layer.b_z if cls is GRU else layer.b_f)
    times = 1 + np.exp(bias)
    assert times.min() >= 5
    assert times.max() <= 60
    # Uniform: mean 32.5 and standard deviation 55/√12, within four standard errors.
    assert abs(times.mean() - 32.5) < 4 * 55 / np.sqrt(12 * times.size)
    assert abs(np.mean(times < 20) - 15 / 55) < 4 * 0.5 / np.sqrt(times.size)
    if cls is LSTM:
        np.testing.assert_array_equal(layer.b_i, -bias)


def test_a_frozen_keep_gate_forgets_within_its_chrono_time():
    layer = GRU(1, 3, chrono=(2, 50), key=jax.random.key(0))
    times = 1 + np.exp(np.asarray(layer.b_z))
    silent = eqx.tree_at(
        lambda gru: [gru.U_r, gru.U_z, gru.U_n], layer, replace_fn=lambda leaf: 0 * leaf
    )
    ys, _ = silent(jnp.zeros((20, 1)), jnp.ones(3))
    np.testing.assert_allclose(ys, (1 - 1 / times) ** np.arange(1, 21)[:, None], rtol=1e-12)


@pytest.mark.parametrize("cls", [GRU, LSTM])
def test_how_they_start_and_which_parameters_are_recurrent(cls):
    layer = cls(400, 30, key=jax.random.key(0), dtype="float32")
    roles = {f.name: f.metadata.get("role", "other") for f in dataclasses.fields(layer)}
    for name, role in roles.items():
        array = np.asarray(getattr(layer, name))
        # The biases of the gates that keep the state set its memory.
        keeps = name in (("b_z",) if cls is GRU else ("b_f", "b_i"))
        assert role == ("recurrent" if name.startswith("U") or keeps else "other")
        assert array.dtype == np.float32
        if name.startswith("U"):
            np.testing.assert_allclose(array @ array.T, np.eye(30), atol=1e-5)
        elif name.startswith("W"):
            assert abs(400 * np.var(array) - 1) < 0.06
        else:
            assert np.all(array == (1.0 if name == "b_f" else 0.0))
    gates = [np.asarray(getattr(layer, name)) for name in roles if name.startswith("U")]
    assert all(np.abs(a - b).max() > 0.1 for a, b in itertools.pairwise(gates))
    assert layer(jnp.ones((2, 400)))[0].dtype == jnp.float32


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda key: GRU(0, 2, key=key), "GRU: inputs"),
        (lambda key: LSTM(1, 2, key=key, dtype="int32"), "not a real floating type"),
        (lambda key: GRU(1, 2, chrono=(1, 5), key=key), "1 < T_min"),
        (lambda key: LSTM(1, 2, chrono=(9, 5), key=key), "1 < T_min"),
        (lambda key: GRU.from_arrays(np.ones((6, 1)), np.ones((6, 3))), "weight_hh has shape"),
        (lambda key: GRU.from_arrays(np.ones((5, 1)), np.ones((6, 2))), "weight_ih has shape"),
        (
            lambda key: LSTM.from_arrays(np.ones((8, 1)), np.ones((8, 2)), np.ones(6)),
            "LSTM: bias_ih has shape",
        ),
        (lambda key: GRU(2, 2, key=key)(jnp.ones((3, 5))), "expected \\(time, 2\\)"),
        (lambda key: GRU(2, 2, key=key)(jnp.ones((3, 2)), method="paralel"), "method 'paralel'"),
    ],
)
def test_mistakes_are_said_in_one_line(make, words):
    with pytest.raises(RemanenceError, match=words) as caught:
        make(jax.random.key(0))
    assert "\n" not in str(caught.value)
