"""Blocks and stacks: written out in NumPy, run every way, with dropout and without."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

from remanence.errors import RemanenceError
from remanence.layers.blocks import ResidualBlock, drop, run_layer
from remanence.layers.elman import ElmanRNN
from remanence.layers.gru import GRU
from remanence.layers.stack import SequenceModel

WIDTH, LENGTH = 4, 6
KEY = jax.random.key(11)


@eqx.filter_jit
def _run(layer, xs, key=None):
    return run_layer(layer, xs, key=key)


def _elman(key, dtype=None):
    return ElmanRNN(WIDTH, WIDTH, key=key, dtype=dtype)


def _jiggled(module):
    """Every parameter moved, so that no scale is 1 and no bias 0."""
    arrays, rest = eqx.partition(module, eqx.is_inexact_array)
    leaves, shape = jax.tree.flatten(arrays)
    keys = jax.random.split(jax.random.key(5), len(leaves))
    moved = [
        leaf + 0.2 * jax.random.normal(key, leaf.shape, leaf.dtype)
        for leaf, key in zip(leaves, keys, strict=True)
    ]
    return eqx.combine(jax.tree.unflatten(shape, moved), rest)


def _numpy_norm(norm, v):
    centred = v - v.mean() if isinstance(norm, eqx.nn.LayerNorm) else v
    scaled = centred / np.sqrt(np.mean(centred**2) + norm.eps)
    return np.asarray(norm.weight) * scaled + np.asarray(norm.bias)


def _numpy_block(block, xs):
    """The block step after step, for an Elman layer, gelu and no dropout."""
    W, U, b = (np.asarray(leaf) for leaf in (block.layer.W, block.layer.U, block.layer.b))
    h, ys = np.zeros(WIDTH), []
    for x in xs:
        v = _numpy_norm(block.norm, x) if block.prenorm and block.norm else x
        h = np.tanh(W @ v + U @ h + b)
        v = h * (1 + erf(h / np.sqrt(2))) / 2
        if block.mixer is not None:
            value, gate = (
                np.asarray(linear.weight) @ v + np.asarray(linear.bias)
                for linear in (block.mixer.value, block.mixer.gate)
            )
            v = value / (1 + np.exp(-gate))
        y = x + v
        ys.append(_numpy_norm(block.norm, y) if block.norm and not block.prenorm else y)
    return np.array(ys), h


def _stack():
    """A GRU block, a whole model inside the model, and means over the past at both levels."""
    one, two, three, four = jax.random.split(KEY, 4)
    inner = SequenceModel(
        WIDTH, WIDTH, width=3, layers=[ElmanRNN(3, 3, key=one)], pooling="mean", key=two
    )
    block = ResidualBlock(GRU(WIDTH, WIDTH, key=three), norm="rms", dropout=0.3, key=three)
    return SequenceModel(2, 3, width=WIDTH, layers=[block, inner], pooling="mean", key=four)


@pytest.mark.parametrize("norm", ["layer", "rms", "none"])
@pytest.mark.parametrize(("prenorm", "mixer"), [(True, "glu"), (False, "glu"), (True, "none")])
def test_a_block_is_what_is_written_out(rng, norm, prenorm, mixer):
    block = _jiggled(ResidualBlock(_elman(KEY), norm=norm, prenorm=prenorm, mixer=mixer, key=KEY))
    xs = rng.normal(size=(LENGTH, WIDTH))
    expected, state = _numpy_block(block, xs)
    ys, final = _run(block, jnp.asarray(xs))
    np.testing.assert_allclose(ys, expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(final, state, rtol=0, atol=1e-13)


@pytest.mark.parametrize("pooling", ["none", "mean"])
def test_a_model_is_encoder_layers_pooling_decoder(rng, pooling):
    model = SequenceModel(
        2,
        3,
        width=WIDTH,
        layers=lambda key: _jiggled(ResidualBlock(_elman(key), key=key)),
        depth=2,
        pooling=pooling,
        key=KEY,
    )
    xs = rng.normal(size=(LENGTH, 2))
    v = xs @ np.asarray(model.encoder.weight).T + np.asarray(model.encoder.bias)
    for block in model.layers:
        v, _ = _numpy_block(block, v)
    if pooling == "mean":
        v = np.array([v[: t + 1].mean(axis=0) for t in range(LENGTH)])
    expected = v @ np.asarray(model.decoder.weight).T + np.asarray(model.decoder.bias)
    np.testing.assert_allclose(_run(model, jnp.asarray(xs))[0], expected, rtol=0, atol=1e-13)
    first, second = model.layers
    assert np.abs(first.layer.U - second.layer.U).max() > 0.1
    assert (model.inputs, model.outputs, model.methods) == (2, 3, ("sequential",))


def test_every_way_of_running_a_stack_agrees(rng):
    model = _stack()
    batch = jnp.asarray(rng.normal(size=(2, LENGTH, 2)))
    run = jax.jit(lambda xs, state=None: model(xs, state))
    ys, finals = jax.jit(jax.vmap(model))(batch)
    all_states = jax.jit(lambda xs: model.states(xs))(batch[0])
    step = jax.jit(lambda state, x: model.step(state, x))

    def close(a, b):
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=0, atol=1e-13), a, b)

    for number, xs in enumerate(batch):
        expected = (ys[number], jax.tree.map(lambda leaf, n=number: leaf[n], finals))
        close(run(xs), expected)
        for cut in (0, 1, 4, LENGTH):
            first, state = run(xs[:cut])
            second, state = run(xs[cut:], state)
            close((jnp.concatenate([first, second]), state), expected)
        state = model.initial_state()
        for t in range(LENGTH):
            state, y = step(state, xs[t])
            close(y, ys[number, t])
            if number == 0:
                close(state, jax.tree.map(lambda leaf, t=t: leaf[t], all_states))
        close(state, expected[1])
    assert float(finals[-1][1][0]) == LENGTH


def test_later_inputs_change_no_earlier_output(rng):
    run, xs = eqx.filter_jit(_stack()), jnp.asarray(rng.normal(size=(LENGTH, 2)))
    before, after = run(xs)[0], run(xs.at[3].add(1.0))[0]
    np.testing.assert_array_equal(before[:3], after[:3])
    assert np.abs(before[3:] - after[3:]).min() > 1e-9


def test_first_and_second_derivatives_are_finite_differences(rng):
    model = _jiggled(_stack())
    arrays, rest = eqx.partition(model, eqx.is_inexact_array)
    point = (arrays, jnp.asarray(rng.normal(size=(LENGTH, 2))))
    way = jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), point)

    def score(point):
        return jnp.sum(jnp.sin(eqx.combine(point[0], rest)(point[1])[0]))

    def along(tree):
        return sum(map(jnp.vdot, jax.tree.leaves(tree), jax.tree.leaves(way)))

    @jax.jit
    def at(size):
        moved = jax.tree.map(lambda p, w: p + size * w, point, way)
        slope, curvature = jax.jvp(jax.grad(score), (moved,), (way,))
        return score(moved), along(slope), along(curvature)

    up, here, down = at(1e-5), at(0.0), at(-1e-5)
    for order in (0, 1):
        difference = (up[order] - down[order]) / 2e-5
        np.testing.assert_allclose(here[order + 1], difference, rtol=1e-6)


def test_dropout_acts_with_a_key_only():
    model = _stack()
    xs = jax.random.normal(KEY, (LENGTH, 2))
    plain = _run(model, xs)[0]
    first, again, other = (_run(model, xs, jax.random.key(k))[0] for k in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - plain).max() > 1e-3
    assert np.abs(first - other).max() > 1e-3
    # A key without dropout changes nothing.
    block = ResidualBlock(_elman(KEY), key=KEY)
    xs = jax.random.normal(KEY, (LENGTH, WIDTH))
    np.testing.assert_array_equal(block(xs, key=KEY)[0], block(xs)[0])
    np.testing.assert_array_equal(run_layer(block.layer, xs, key=KEY)[0], block.layer(xs)[0])


def test_a_key_reaches_the_layers_of_layers():
    inner = ResidualBlock(_elman(KEY), dropout=0.5, key=KEY)
    outer = ResidualBlock(inner, key=KEY)
    model = SequenceModel(WIDTH, 1, width=WIDTH, layers=[outer], key=KEY)
    xs = jax.random.normal(KEY, (LENGTH, WIDTH))
    assert np.abs(_run(model, xs, KEY)[0] - _run(model, xs)[0]).max() > 1e-3


def test_dropout_zeroes_its_share_and_keeps_the_mean():
    xs = jnp.asarray([1.0, -2.0, 0.5])
    drawn = jax.vmap(lambda key: drop(xs, 0.3, key=key))(jax.random.split(KEY, 20_000))
    assert set(np.unique(drawn)) == {-2.0 / 0.7, 0.0, 0.5 / 0.7, 1.0 / 0.7}
    # Five standard errors of a share of 0.3, and of the mean of entries of spread √(.3/.7)|x|.
    np.testing.assert_allclose(np.mean(drawn == 0, axis=0), 0.3, atol=5 * np.sqrt(0.21 / 20_000))
    error = np.abs(np.mean(drawn, axis=0) - xs) / np.abs(xs)
    assert error.max() < 5 * np.sqrt(0.3 / 0.7 / 20_000)


def test_dropped_features_are_linear_in_a_linear_block():
    """Without norm, mixer and activation the mean over keys is the output without dropout."""
    block = ResidualBlock(
        _elman(KEY), norm="none", mixer="none", activation="identity", dropout=0.5, key=KEY
    )
    xs = jax.random.normal(KEY, (LENGTH, WIDTH))
    keys = jax.random.split(KEY, 4000)
    mean = jnp.mean(jax.jit(jax.vmap(lambda key: block(xs, key=key)[0]))(keys), axis=0)
    # Dropping half of h has the spread |h| <= 1.
    np.testing.assert_allclose(mean, block(xs)[0], rtol=0, atol=5 / np.sqrt(4000))


def test_float32_stays_float32():
    block = ResidualBlock(_elman(KEY, "float32"), dropout=0.1, key=KEY)
    model = SequenceModel(2, 1, width=WIDTH, layers=[block], pooling="mean", key=KEY)

    def run():
        stepped = model.step(model.initial_state(), jnp.ones(2))
        return model(jnp.ones((3, 2)), key=KEY), stepped

    assert {leaf.dtype for leaf in jax.tree.leaves((model, jax.eval_shape(run)))} == {
        np.dtype(np.float32)
    }


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ResidualBlock(ElmanRNN(2, 3, key=KEY), key=KEY), "2 inputs and 3 outputs"),
        (lambda: ResidualBlock(_elman(KEY), norm="layr", key=KEY), "did you mean 'layer'"),
        (lambda: ResidualBlock(_elman(KEY), mixer="mlp", key=KEY), "mixer 'mlp'"),
        (lambda: ResidualBlock(_elman(KEY), activation="rel", key=KEY), "did you mean 'relu'"),
        (lambda: ResidualBlock(_elman(KEY), dropout=1, key=KEY), "dropout is 1"),
        (lambda: _model(layers=[_elman(KEY), GRU(WIDTH, 5, key=KEY)]), "layer 1 \\(GRU\\) has 4"),
        (lambda: _model(layers=[]), "layers is empty"),
        (lambda: _model(layers=_elman(KEY)), "layers is one ElmanRNN"),
        (lambda: _model(layers=_elman), "depth="),
        (lambda: _model(layers=_elman, depth=0), "depth is 0"),
        (lambda: _model(layers=[_elman(KEY)], depth=2), "depth is 2 but 1 layers"),
        (lambda: _model(layers=lambda key: key, depth=1), "no recurrent layer"),
        (lambda: _model(layers=[_elman(KEY)], pooling="last"), "the last output scored"),
        (lambda: _model(layers=[_elman(KEY)], pooling="meen"), "did you mean 'mean'"),
        (lambda: _model(layers=[_elman(KEY), _elman(KEY, "float32")]), "give all layers one"),
        (lambda: _stack()(jnp.ones((3, 2)), (jnp.zeros(4),)), "tuple of 3 parts"),
        (lambda: _stack()(jnp.ones((3, 2)), method="sequental"), "did you mean 'sequential'"),
        (lambda: _stack()(jnp.ones((3, 4))), "expected \\(time, 2\\)"),
    ],
)
def test_mistakes_are_said_in_one_line(make, words):
    with pytest.raises(RemanenceError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


def _model(**options):
    return SequenceModel(2, 1, width=WIDTH, key=KEY, **options)
