"""What a layer is given: initial states, inputs, types and options, right and wrong."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from remanence.errors import RemanenceError
from remanence.layers.arrays import real_dtype
from remanence.layers.blocks import ResidualBlock
from remanence.layers.contract import AbstractSteppedLayer, as_inputs, as_state
from remanence.layers.dense import LinearRNN
from remanence.layers.eigenvalues import eigenvalue_map
from remanence.layers.elman import ElmanRNN, IndRNN
from remanence.layers.gru import GRU
from remanence.layers.lru import LRU, DiagonalRNN
from remanence.layers.lstm import LSTM
from remanence.layers.normalisations import LearnedSquareRoot
from remanence.layers.parametrisations import Polar
from remanence.layers.rglru import RGLRU
from remanence.layers.s4d import S4D
from remanence.layers.s5 import S5
from remanence.layers.stack import SequenceModel, _made

KEY = jax.random.key(3)
LAYERS = {
    "LinearRNN": lambda: LinearRNN(2, 4, key=KEY),
    "ElmanRNN": lambda: ElmanRNN(2, 4, key=KEY),
    "IndRNN": lambda: IndRNN(2, 4, key=KEY),
    "GRU": lambda: GRU(2, 4, key=KEY),
    "LSTM": lambda: LSTM(2, 4, key=KEY),
    "LRU": lambda: LRU(2, 4, key=KEY),
    "S4D": lambda: S4D(2, 8, key=KEY),
    "RGLRU": lambda: RGLRU(2, key=KEY),
    "ResidualBlock": lambda: ResidualBlock(GRU(2, 2, key=KEY), key=KEY),
    "SequenceModel": lambda: SequenceModel(
        2, 1, width=2, layers=[GRU(2, 2, key=KEY)], pooling="mean", key=KEY
    ),
}
XS = jnp.ones((3, 2))


def _modes(count):
    return Polar.from_eigenvalues(np.linspace(0.2, 0.8, count) + 0.1j)


@pytest.mark.parametrize("name", list(LAYERS))
def test_a_wrong_state_is_refused_everywhere(name):
    layer = LAYERS[name]()
    right = layer.initial_state()
    wrong = {
        "scalars": jax.tree.map(lambda leaf: jnp.zeros((), leaf.dtype), right),
        "size 1": jax.tree.map(lambda leaf: jnp.zeros((1,), leaf.dtype), right),
        "one too many": jax.tree.map(lambda leaf: jnp.zeros((9, *leaf.shape)), right),
        "a tuple around it": (right,),
        "nothing": (),
    }
    if name == "SequenceModel":
        wrong["a list"] = list(right)
    for state in wrong.values():
        for run in (layer, layer.states):
            with pytest.raises(RemanenceError, match=r"state.*expected"):
                run(XS, state)
        with pytest.raises(RemanenceError, match=r"state.*expected") as raised:
            layer.step(state, XS[0])
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["LinearRNN", "ElmanRNN", "GRU", "LSTM", "LRU", "RGLRU"])
def test_whole_numbers_make_a_state(name):
    layer = LAYERS[name]()
    whole = jax.tree.map(lambda leaf: np.ones(leaf.shape, np.int32), layer.initial_state())
    exact = jax.tree.map(jnp.ones_like, layer.initial_state())
    for run in (layer, layer.states, lambda xs, state: layer.step(state, xs[0])):
        got, expected = run(XS, whole), run(XS, exact)
        jax.tree.map(np.testing.assert_array_equal, got, expected)
        assert [leaf.dtype for leaf in jax.tree.leaves(got)] == [
            leaf.dtype for leaf in jax.tree.leaves(expected)
        ]


def test_the_entry_of_a_state_and_its_type_are_named():
    lstm = LSTM(2, 4, key=KEY)
    with pytest.raises(
        RemanenceError, match=r"LSTM: state\[1\] has shape \(3,\), expected \(4,\)"
    ):
        as_state(lstm, (jnp.zeros(4), jnp.zeros(3)))
    with pytest.raises(RemanenceError, match=r"the state is \*, expected \(\*, \*\)"):
        as_state(lstm, jnp.zeros(4))
    with pytest.raises(RemanenceError, match="state is complex128, expected float64"):
        as_state(GRU(2, 4, key=KEY), jnp.zeros(4, complex))
    with pytest.raises(RemanenceError, match=r"use jax\.vmap"):
        as_state(GRU(2, 4, key=KEY), jnp.zeros((7, 4)))
    with pytest.raises(RemanenceError, match="state is 'zero', expected an array"):
        as_state(GRU(2, 4, key=KEY), "zero")
    assert as_state(LRU(2, 4, key=KEY, dtype="float32"), np.ones(4)).dtype == np.complex64


class _Counter(AbstractSteppedLayer):
    """A state of a sum, a count of steps and a key."""

    gain: jax.Array

    @property
    def inputs(self):
        return 2

    @property
    def outputs(self):
        return 2

    def initial_state(self):
        return jnp.zeros(2), jnp.zeros((), int), jax.random.key(0)

    def drive(self, xs):
        return xs

    def advance(self, state, drive):
        return self.gain * state[0] + drive, state[1] + 1, jax.random.fold_in(state[2], 1)

    def readout(self, states, xs):
        return states[0] / states[1][:, None].astype(xs.dtype)


def test_counts_and_keys_of_a_state_are_held_to_their_types():
    layer = _Counter(jnp.array(0.5))
    total, count, key = layer.initial_state()
    assert layer(XS, (total, count, key))[1][1] == 3
    with pytest.raises(RemanenceError, match=r"state\[1\] is float64, expected int64"):
        layer(XS, (total, 0.0, key))
    with pytest.raises(RemanenceError, match=r"state\[2\] is int64, expected key"):
        layer(XS, (total, count, 3))


def test_checking_a_state_adds_nothing_to_what_is_compiled():
    layer = GRU(2, 4, key=KEY)
    traced = jax.make_jaxpr(lambda state: as_state(layer, state))(layer.initial_state())
    assert not traced.jaxpr.eqns


@pytest.mark.parametrize("given", [None, "abc", object()])
def test_inputs_that_are_no_array_are_named(given):
    with pytest.raises(RemanenceError, match=r"GRU: xs is .*, expected an array of numbers"):
        as_inputs(GRU(2, 4, key=KEY), given)


def _bare(cls, *arguments, **options):
    """Construct without the run-time checks of annotations, as users do."""
    made = object.__new__(cls)
    inspect.unwrap(cls.__init__)(made, *arguments, **options)
    return made


def _ring(**options):
    return LRU(2, 3, key=KEY, **options)


def _steps(**options):
    return S5(2, 4, key=KEY, **options)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: _ring(max_phase=0.0), "max_phase that is positive and finite"),
        (lambda: _ring(max_phase=-1.0), "max_phase that is positive and finite"),
        (lambda: _ring(max_phase=float("inf")), "max_phase that is positive and finite"),
        (lambda: _ring(max_phase=float("nan")), "max_phase that is positive and finite"),
        (lambda: _ring(r_min=float("nan")), "0 <= r_min < r_max <= 1"),
        (lambda: _ring(r_max=float("inf")), "0 <= r_min < r_max <= 1"),
        (lambda: _steps(step_max=float("inf")), "both finite"),
        (lambda: _steps(step_min=float("nan")), "both finite"),
        (lambda: _bare(DiagonalRNN, np.array([0.5]), 1, key=KEY), "ndarray, not a parametris"),
        (
            lambda: DiagonalRNN(Polar.from_eigenvalues(np.full((2, 2), 0.5)), 1, key=KEY),
            r"have shape \(2, 2\), expected \(modes,\)",
        ),
        (
            lambda: _bare(DiagonalRNN, _modes(2), 1, normalisation="sqrt", key=KEY),
            "'sqrt', not a normalisation",
        ),
        (
            lambda: DiagonalRNN(
                _modes(3), 1, normalisation=LearnedSquareRoot(jnp.zeros(2)), key=KEY
            ),
            "does not fit 3 modes",
        ),
        (lambda: _ring(normalisation=LearnedSquareRoot(jnp.zeros(2))), "LRU: .* does not fit 3"),
        (lambda: inspect.unwrap(eigenvalue_map)("rates", "best"), "did you mean 'rate'"),
        (lambda: LAYERS["LRU"]().impulse_response(0), "LRU.impulse_response: length is 0"),
        (lambda: LAYERS["LinearRNN"]().impulse_response(-1), "length is -1"),
        (lambda: LAYERS["S4D"]().impulse_response(0), "S4D.impulse_response: length is 0"),
        (lambda: _made(3, None, KEY), "layers is 3; give a list"),
        (lambda: real_dtype("float3"), "'float3' is unknown; give float32 or float64"),
        (lambda: GRU(1, 1, key=KEY, dtype="float16"), "float16 is too coarse"),
        (lambda: GRU(1, 1, key=KEY, dtype=jnp.bfloat16), "bfloat16 is too coarse"),
    ],
)
def test_options_that_cannot_be_are_named(make, message):
    with pytest.raises(RemanenceError, match=message) as raised:
        make()
    assert "\n" not in str(raised.value)


def test_float64_needs_to_be_switched_on():
    with jax.enable_x64(False):
        assert real_dtype() == np.float32
        with pytest.raises(RemanenceError, match="jax_enable_x64"):
            real_dtype("float64")
    assert real_dtype("float64") == np.float64
