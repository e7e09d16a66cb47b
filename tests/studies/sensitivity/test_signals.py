import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from remanence.report import SilentProgress
from remanence.studies.sensitivity import signals, signals_claims
from remanence.studies.sensitivity.signals import SIGNALS, run_signals
from remanence.studies.sensitivity.signals_measures import (
    Signals,
    draw_inputs,
    expected_added_power,
    expected_first_layer,
)
from remanence.studies.sensitivity.signals_network import (
    gradient_groups,
    make_network,
    published_loss,
    with_memory,
)
from remanence.studies.sensitivity.signals_settings import (
    ARCHITECTURES,
    FULL,
    QUICK,
    SignalSettings,
)

TINY = SignalSettings(
    inputs=6, width=4, depth=2, length=7, sequences=2, memories=(1.0, 100.0), seeds=2, workers=1
)
WIDE = dataclasses.replace(TINY, inputs=64, width=192, depth=1, length=384, sequences=2)


@pytest.fixture(scope="module")
def finding():
    return run_signals(TINY, SilentProgress())


def _network(architecture, s=TINY, memory=10.0):
    network = make_network(architecture, s, key=jax.random.key(3))
    return with_memory(network, architecture, memory, key=jax.random.key(4))


def _erf(x):
    return np.vectorize(math.erf)(x)


def _numpy_block(architecture, block, x):
    """The published block, written out with NumPy loops over time."""

    def norm(v):
        if not architecture.endswith("LayerNorm"):
            return v
        centred = v - v.mean(axis=1, keepdims=True)
        return centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)

    def sigmoid(v):
        return 1 / (1 + np.exp(-v))

    layer, u = block.layer, norm(x)
    if architecture == "GRU":
        W, U, b = (
            [np.asarray(getattr(layer, f"{name}_{gate}")) for gate in "rzn"] for name in "WUb"
        )
        h, rows = np.zeros(x.shape[1]), []
        for row in u:
            r, z = (sigmoid(W[i] @ row + U[i] @ h + b[i]) for i in (0, 1))
            n = np.tanh(W[2] @ row + b[2] + r * (U[2] @ h + np.asarray(layer.c_n)))
            h = (1 - z) * n + z * h
            rows.append(h)
    else:
        eigenvalues = layer.eigenvalues
        if architecture == "LRU":
            lam = np.exp(
                -np.exp(eigenvalues.magnitude_parameter) + 1j * np.exp(eigenvalues.phase_parameter)
            )
            gamma = np.sqrt(1 - np.abs(lam) ** 2)
        else:
            lam, gamma = np.asarray(eigenvalues.re) + 1j * np.asarray(eigenvalues.im), 1.0
        h, rows = np.zeros(lam.size, complex), []
        for row in u:
            h = lam * h + gamma * (np.asarray(layer.B()) @ row)
            rows.append((np.asarray(layer.C()) @ h).real + np.asarray(layer.D) * row)
    y = np.array(rows)
    g = norm(y * (1 + _erf(y / np.sqrt(2))) / 2)
    value = g @ np.asarray(block.mixer.value.weight).T
    return x + value * sigmoid(g @ np.asarray(block.mixer.gate.weight).T)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_network_and_loss_are_the_published_ones(architecture, rng):
    network, xs = _network(architecture), rng.standard_normal((2, 7, 6))
    loss, powers = published_loss(network, jnp.asarray(xs))
    v = xs @ np.asarray(network.encoder.weight).T
    expected = [np.mean(v**2)]
    for i in range(TINY.depth):
        block = jax.tree.map(lambda a, i=i: a[i], network.blocks)
        v = np.stack([_numpy_block(architecture, block, one) for one in v])
        expected.append(np.mean(v**2))
    np.testing.assert_allclose(powers, expected, rtol=1e-10)
    ys = v @ np.asarray(network.decoder.weight).T
    errors = [
        (ys[b, t, i] - xs[b, t - 1, i]) ** 2
        for b in range(2)
        for t in range(1, 7)
        for i in range(6)
    ]
    np.testing.assert_allclose(loss, np.mean(errors) / 2, rtol=1e-10)


@pytest.mark.parametrize("architecture", ["LRU", "complex, LayerNorm", "GRU"])
def test_groups_partition_a_layers_parameters(architecture):
    network = _network(architecture)
    ones = jax.tree.map(jnp.ones_like, network)
    groups = gradient_groups(architecture, ones)
    for values in groups.values():
        np.testing.assert_array_equal(values, [1.0, 1.0])
    # Marking one array of a layer moves the group that it is in, and no other.
    name, where = {
        "LRU": ("θ", lambda n: n.blocks.layer.eigenvalues.phase_parameter),
        "complex, LayerNorm": ("λ", lambda n: n.blocks.layer.eigenvalues.im),
        "GRU": ("recurrent", lambda n: n.blocks.layer.U_z),
    }[architecture]
    marked = gradient_groups(architecture, eqx.tree_at(where, ones, replace_fn=lambda a: 3 * a))
    assert [key for key in groups if marked[key][0] != 1.0] == [name]
    marked = gradient_groups(
        architecture, eqx.tree_at(lambda n: n.blocks.mixer.gate.weight, ones, replace_fn=jnp.exp)
    )
    assert [key for key in groups if marked[key][0] != 1.0] == ["rest"]


def test_memory_is_where_it_should_be():
    s = dataclasses.replace(TINY, width=64)
    names = ("LRU", "complex", "GRU")
    fresh = [make_network(name, s, key=jax.random.key(3)) for name in names]
    for memory in (1.0, 100.0):
        low, high = 1 - 1 / memory, 1 - 1 / (2 * memory)
        lru, plain, gru = (
            with_memory(network, name, memory, key=jax.random.key(4)).blocks.layer
            for network, name in zip(fresh, names, strict=True)
        )
        magnitude = np.abs(plain.eigenvalues())
        middle = np.sqrt((low**2 + high**2) / 2)
        assert low <= magnitude.min() < middle < magnitude.max() <= high
        # Uniform on the ring: half of the area lies within the root mean square of its edges.
        assert abs(np.mean(magnitude < middle) - 0.5) < 0.15
        np.testing.assert_allclose(lru.eigenvalues(), plain.eigenvalues(), rtol=1e-12)
        gamma = np.exp(np.asarray(lru.normalisation.log_gamma))
        np.testing.assert_allclose(gamma**2, 1 - magnitude**2, rtol=1e-10)
        phase = np.asarray(lru.eigenvalues.phase())
        assert 0 < phase.min() < 0.3
        assert 6.0 < phase.max() <= 2 * np.pi
        bias = np.exp(np.asarray(gru.b_z))
        assert memory <= bias.min() < 1.05 * memory
        assert 1.95 * memory < bias.max() <= 2 * memory


def test_theory_of_the_ring_does_not_see_the_correlation():
    """Phases uniform, only R(0) is left: the mean of 1/(1 − ν²) over the ring, in closed form."""
    for memory in (1.0, 10.0, 100.0):
        a, b = (1 - 1 / memory) ** 2, (1 - 1 / (2 * memory)) ** 2
        power = 2 * 0.3751 * math.log((1 - a) / (1 - b)) / (b - a)
        rng = np.random.default_rng(1)
        direct, z = rng.standard_normal((2, 100_000))
        y = np.sqrt(power + 0.3751 * direct**2) * z
        q = np.mean((y * (1 + _erf(y / np.sqrt(2))) / 2) ** 2)
        gate = np.mean(1 / (1 + np.exp(-np.sqrt(q) * direct)) ** 2)
        assert expected_first_layer("complex", memory) == pytest.approx(
            0.3751 + q * gate, rel=0.02
        )
    lru = [expected_first_layer("LRU", memory) for memory in (1.0, 10.0, 100.0)]
    np.testing.assert_allclose(lru, lru[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("architecture", "memory"), [("complex", 10.0), ("complex, LayerNorm", 10.0)]
)
def test_theory_is_the_first_layer_of_a_wide_network(architecture, memory):
    xs = draw_inputs(WIDE, key=jax.random.key(1))
    _, powers = eqx.filter_jit(lambda n, x: n(x))(_network(architecture, WIDE, memory), xs)
    # One network of 192 features: a few per cent of scatter.
    assert float(powers[1]) == pytest.approx(expected_first_layer(architecture, memory), rel=0.12)


@pytest.mark.parametrize(
    ("architecture", "low", "high"), [("LRU", 0.88, 1.12), ("GRU", 1 / 3, 0.8)]
)
def test_theory_is_what_the_first_layer_adds_to_its_skip(architecture, low, high):
    """The GRU's tanh and moving gates take away about half of what the frozen linear one adds."""

    @eqx.filter_jit
    def added(network, xs):
        vs = jax.vmap(jax.vmap(network.encoder))(xs)
        block = jax.tree.map(lambda a: a[0], network.blocks)
        return jnp.mean((jax.vmap(block)(vs) - vs) ** 2)

    xs = draw_inputs(WIDE, key=jax.random.key(1))
    power = added(_network(architecture, WIDE, 10.0), xs)
    assert low < float(power) / expected_added_power(architecture, 10.0) < high


def test_gru_starts_with_the_published_variances():
    layer = _network("GRU", WIDE).blocks.layer
    for W in (layer.W_r, layer.W_z, layer.W_n):
        assert WIDE.width * np.var(W) == pytest.approx(2.0, rel=0.05)
    np.testing.assert_allclose(layer.U_n[0] @ layer.U_n[0].T, np.eye(WIDE.width), atol=1e-10)


def test_controlled_gradients_are_judged_layer_by_layer():
    """One layer of one group, which the mean over three layers hides: (1 + 1 + 40)/3 = 14."""
    signals = _signals()
    signals.gradients["LRU"]["ν"][-1, :, 2] *= 40.0
    claim = signals_claims.controlled_claim(signals)
    assert claim.verdict == "fails"
    assert "ν of layer 2" in claim.note
    assert "ν ×14" in claim.measured


def test_inputs_have_the_documented_autocorrelation():
    s = dataclasses.replace(TINY, inputs=300, sequences=8, length=64)
    xs = np.asarray(draw_inputs(s, key=jax.random.key(0)))
    assert np.mean(xs**2) == pytest.approx(0.3751, rel=0.02)
    assert np.mean(xs[:, 1:] * xs[:, :-1]) == pytest.approx(0.0431 * 0.99701, rel=0.1)


def test_part_on_tiny_networks(finding):
    assert [claim.id for claim in finding.claims] == [f"S9{letter}" for letter in "abcdef"]
    verdicts = {claim.id: claim.verdict for claim in finding.claims}
    # Two layers of four modes amplify, and not by 1e4.
    assert verdicts["S9a"] == "fails"
    table = finding.tables["gradients"]
    rest = (table["architecture"] == "complex, LayerNorm") & (table["group"] == "rest")
    small = table["mean_square"][rest].max() <= 1e-5
    assert verdicts["S9e"] == ("holds" if small else "fails")
    for table in finding.tables.values():
        assert len({len(column) for column in table.values()}) == 1
    table = finding.tables["activations"]
    assert len(table["mean_square"]) == 4 * 2 * 2 * 3
    assert np.isfinite(table["theory"]).sum() == 4 * 2 * 2
    chosen = (
        (table["architecture"] == "complex") & (table["memory"] == 100.0) & (table["layer"] == 1)
    )
    other = chosen & (table["seed"] == 1)
    assert chosen.sum() == 2
    assert other.sum() == 1
    assert [figure.name for figure in finding.figures] == [
        "signals-activations",
        "signals-gradients",
    ]


def test_tables_keep_each_number_in_its_place():
    values = np.arange(12.0).reshape(2, 2, 3)
    activations = dict.fromkeys(ARCHITECTURES, values)
    gradients = {name: {"rest": values[:, :, :2]} for name in ARCHITECTURES}
    table = signals._activations(TINY, Signals(TINY.memories, activations, gradients))
    place = (table["memory"] == 100.0) & (table["seed"] == 0) & (table["layer"] == 1)
    np.testing.assert_array_equal(table["mean_square"][place], [values[1, 0, 2]] * 4)


def _signals(**changed):
    shape = (3, 2, 3)
    activations = {name: np.ones(shape) for name in ARCHITECTURES}
    activations["complex"] = 1e5 * np.ones(shape)
    gradients = {
        "complex": {"λ": 1e9 * np.ones(shape), "rest": np.ones(shape)},
        "complex, LayerNorm": {"λ": np.ones(shape), "rest": 1e-6 * np.ones(shape)},
        "LRU": {
            "ν": np.ones(shape),
            "θ": np.geomspace(1, 1e4, 3)[:, None, None] * np.ones(shape),
            "γ": np.ones(shape),
            "rest": np.ones(shape),
        },
        "GRU": {"recurrent": np.ones(shape), "rest": np.ones(shape)},
    }
    for place, factor in changed.items():
        architecture, group = place.split("/")
        target = activations[architecture] if group == "out" else gradients[architecture][group]
        target[-1, 0] *= factor
    return Signals((1.0, 10.0, 100.0), activations, gradients)


@pytest.mark.parametrize(
    ("judge", "place", "factor"),
    [
        (signals_claims.activation_claim, "complex/out", 0.05),
        (signals_claims.eigenvalue_claim, "complex/λ", 0.05),
        (signals_claims.controlled_claim, "LRU/ν", 100.0),
        (signals_claims.phase_claim, "LRU/θ", 0.05),
        (signals_claims.normalised_claim, "complex, LayerNorm/rest", 100.0),
        (signals_claims.gated_claim, "GRU/recurrent", 100.0),
        (signals_claims.gated_claim, "GRU/out", 100.0),
    ],
)
def test_a_spoiled_measurement_fails_its_claim(judge, place, factor):
    assert judge(_signals()).verdict == "holds"
    assert judge(_signals(**{place: factor})).verdict == "fails"


def test_presets_have_the_published_sizes():
    assert SIGNALS.presets == {"quick": QUICK, "full": FULL}
    for s in (QUICK, FULL):
        assert (s.inputs, s.width, s.depth, s.length) == (768, 256, 4, 512)
        assert s.memories[0] == 1.0
        assert s.memories[-1] == 100.0
    assert FULL.seeds >= 3
    assert FULL.dtype == "float64"
