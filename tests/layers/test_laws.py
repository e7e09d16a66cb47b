"""Every layer against every law, and layers that are broken on purpose."""

import re
from inspect import unwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from remanence.errors import RemanenceError
from remanence.layers import (
    GRU,
    LRU,
    AbstractSteppedLayer,
    DiagonalRNN,
    ScaledExponential,
    check_equivalence,
)
from remanence.layers.contract import as_inputs
from remanence.recurrence import linear_recurrence
from remanence.systems import StateSpace

EVERY_METHOD = {"LinearRNN", "LRU", "S4D, real", "RGLRU"}
"""One layer of each family: there every engine's derivatives are taken, elsewhere one engine's."""


def test_every_mode_agrees_and_differentiates_twice(named_layer):
    name, layer = named_layer
    report = check_equivalence(
        layer, length=8, derivatives="every method" if name in EVERY_METHOD else "plainest"
    )
    names = " ".join(law.name for law in report.laws)
    assert report.holds
    assert "Hessian-vector product, reverse twice" in names
    assert all(f"method {method}" in names for method in layer.methods)


def test_a_stopped_gradient_is_seen_and_nothing_else():
    # The published scaled exponential stops the gradient through 1 − |λ| on purpose.
    modes = ScaledExponential.from_eigenvalues(jnp.array([0.9 + 0.3j, 0.2 + 0.6j]))
    layer = DiagonalRNN(modes, 1, key=jax.random.key(0))
    report = check_equivalence(layer, length=8, derivatives="plainest", strict=False)
    broken = {law.name for law in report.laws if not law.holds}
    assert "gradient" in broken
    assert all("gradient" in name or "Hessian" in name for name in broken)


class _Broken(AbstractSteppedLayer):
    """A decaying sum with one fault, chosen by name."""

    decay: jax.Array
    fault: str

    @property
    def inputs(self):
        return 1

    @property
    def outputs(self):
        return 1

    def initial_state(self):
        return jnp.ones((1,)) if self.fault == "start" else jnp.zeros((1,))

    def drive(self, xs):
        if self.fault == "looks ahead":
            return xs + jnp.roll(xs, -1, axis=0)
        if self.fault == "cannot be empty" and not xs.shape[0]:
            raise ValueError("no inputs\nand a second line")
        if self.fault == "knows the length":
            return xs / xs.shape[0] if xs.shape[0] else xs
        return xs

    def advance(self, state, drive):
        if self.fault == "slope":
            # The value is right and the gradient is not.
            return jax.lax.stop_gradient(self.decay) * state + drive
        return self.decay * state + drive

    def readout(self, states, xs):
        if self.fault == "position":
            return states + jnp.arange(xs.shape[0], dtype=xs.dtype)[:, None]
        return states


@pytest.mark.parametrize(
    ("fault", "law"),
    [
        ("none", None),
        ("looks ahead", "causality"),
        ("knows the length", "step by step"),
        ("position", "step by step"),
        ("slope", "gradient"),
        ("cannot be empty", "cut and carry the state"),
    ],
)
def test_a_broken_layer_is_caught(fault, law):
    layer = _Broken(jnp.array([0.5]), fault)
    report = check_equivalence(layer, strict=False)
    if law is None:
        assert report.holds
        return
    assert law in [found.name for found in report.laws if not found.holds]
    with pytest.raises(RemanenceError, match="breaks the state contract"):
        check_equivalence(layer)


class _Odd(AbstractSteppedLayer):
    """A decaying sum beside a count, a truth value and a key, any of which may be wrong."""

    decay: jax.Array
    fault: str = ""

    @property
    def inputs(self):
        return 1

    @property
    def outputs(self):
        return 1

    def initial_state(self):
        return jnp.zeros(1), jnp.zeros((), int), jnp.array(True), jax.random.key(0)

    def drive(self, xs):
        return xs, jnp.full(xs.shape[0], xs.shape[0])

    def advance(self, state, drive):
        total, count, even, key = state
        count = count + (drive[1] if self.fault == "count" else 1)
        key = jax.random.fold_in(key, drive[1] if self.fault == "key" else 1)
        return self.decay * total + drive[0], count, ~even, key

    def readout(self, states, xs):
        return states[0]


@pytest.mark.parametrize("fault", ["", "count", "key"])
def test_states_may_count_and_hold_keys(fault):
    layer = _Odd(jnp.array([0.5]), fault)
    report = check_equivalence(layer, length=5, derivatives="plainest", strict=False)
    laws = {law.name: law for law in report.laws}
    if not fault:
        assert report.holds
        assert laws["gradient"].error > 0.0
        return
    assert not laws["step by step"].holds
    assert "entries of type" in laws["step by step"].reason


class _Plain:
    """A user's own layer: no Equinox module, no `methods`, and a state that is not carried."""

    inputs = 2

    def __init__(self, fault=""):
        self.fault = fault
        if fault == "no keyword":
            self.methods = ("sequential",)

    def initial_state(self):
        return jnp.zeros(2)

    def step(self, state, x):
        state = 0.5 * state + x
        return [state] if self.fault == "step in a list" else state, state

    def __call__(self, xs, state=None):
        start = self.initial_state() if state is None or self.fault == "forgets" else state
        states = linear_recurrence(jnp.full(2, 0.5), xs, start)
        final = states[-1] if xs.shape[0] else start
        if self.fault == "final state of another shape":
            final = final[None]
        if self.fault == "final state of another type":
            final = final.astype("float32")
        return states, final

    def states(self, xs, state=None):
        if self.fault == "states fail":
            raise NotImplementedError("later")
        states = self(xs, state)[0]
        return [states] if self.fault == "states in a list" else states

    def system(self):
        zero = jnp.zeros((2, 2))
        eye = jnp.eye(2)
        return StateSpace((0.4 if self.fault == "system" else 0.5) * eye, eye, eye, zero)


def test_a_layer_that_is_no_module_can_be_checked():
    report = check_equivalence(_Plain())
    assert report.holds
    assert "system(): impulse response" in [law.name for law in report.laws]
    with pytest.raises(RemanenceError, match="cut and carry"):
        check_equivalence(_Plain("forgets"), derivatives="none")


@pytest.mark.parametrize(
    ("fault", "law", "reason"),
    [
        ("step in a list", "step by step", r"step\(\): \[\*\], initial_state\(\): \*"),
        ("states in a list", "states are like initial_state()", r"states\(\): \[\*\]"),
        ("final state of another shape", "states are like initial_state()", r"shape \(1, 2\)"),
        ("final state of another type", "states are like initial_state()", "float32"),
        ("states fail", "states are like initial_state()", "NotImplementedError: later"),
        ("no keyword", "method sequential", "TypeError: .*unexpected keyword argument 'method'"),
        ("system", "system(): impulse response", "^$"),
    ],
)
def test_what_a_layer_does_wrong_is_said(fault, law, reason):
    report = check_equivalence(_Plain(fault), length=5, derivatives="none", strict=False)
    broken = {law.name: law.reason for law in report.laws if not law.holds}
    assert re.search(reason, broken[law])
    assert f"BROKEN{': ' if broken[law] else ''}{broken[law]}" in str(report)
    with pytest.raises(RemanenceError, match="breaks the state contract") as raised:
        check_equivalence(_Plain(fault), length=5, derivatives="none")
    assert "\n" not in str(raised.value)


class _Engines(_Plain):
    """An engine that hears what is to come, beside one that does not."""

    methods = ("sequential", "ahead")

    def __call__(self, xs, state=None, method="sequential"):
        ys, final = _Plain.__call__(self, xs, state)
        return ys + (xs[-1:] if method == "ahead" and xs.shape[0] else jnp.zeros((1, 2))), final

    def states(self, xs, state=None, method="sequential"):
        return _Plain.states(self, xs, state)


def test_every_engine_is_held_to_causality():
    report = check_equivalence(_Engines(), length=5, derivatives="none", strict=False)
    broken = {law.name for law in report.laws if not law.holds}
    assert "causality, method ahead" in broken
    assert not {"causality", "causality, method sequential"} & broken


@pytest.mark.parametrize("missing", ["inputs", "initial_state", "step", "states", "__call__"])
def test_missing_parts_are_named(missing):
    parts = {name: part for name, part in vars(_Plain).items() if name != missing}
    what = "layer" if missing == "__call__" else missing
    with pytest.raises(RemanenceError, match=rf"Partial.*{what}"):
        check_equivalence(type("Partial", (), parts)())


def test_float32_layers_are_held_to_float32():
    report = check_equivalence(LRU(2, 8, key=jax.random.key(0), dtype="float32"), length=8)
    assert report.holds
    assert max(law.error for law in report.laws) > 1e-12
    assert not any("gradient" in law.name for law in report.laws)


def test_the_report_is_a_table():
    text = str(check_equivalence(GRU(1, 2, key=jax.random.key(0)), derivatives="none"))
    assert text.startswith("GRU: state contract\n")
    assert "step by step" in text
    assert "holds" in text


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda layer: layer(jnp.ones((5, 2))), r"xs has shape \(5, 2\), expected \(time, 3\)"),
        (lambda layer: as_inputs(layer, jnp.ones((2, 5, 3))), "for a batch use jax.vmap"),
        (lambda layer: layer(jnp.ones((5, 3)), method="asociative"), "did you mean 'associative'"),
        (lambda layer: as_inputs(layer, jnp.ones((5, 3), complex)), "inputs are real"),
        (lambda layer: check_equivalence(layer, length=2), "at least 3"),
        (lambda layer: unwrap(check_equivalence)(layer, length=3.5), "is 3.5; .* whole number"),
        (
            lambda layer: unwrap(check_equivalence)(layer, derivatives="plain"),
            "derivatives 'plain' is none of .*did you mean 'plainest'",
        ),
    ],
)
def test_mistakes_are_named(call, message):
    with pytest.raises(RemanenceError, match=message):
        call(LRU(3, 4, key=jax.random.key(0)))


def test_an_empty_sequence_changes_nothing(named_layer):
    _, layer = named_layer
    state = layer.initial_state()
    for method in layer.methods:
        ys, final = layer(jnp.zeros((0, layer.inputs)), state, method=method)
        assert ys.shape == (0, layer.outputs)
        assert all(
            np.array_equal(a, b)
            for a, b in zip(jax.tree.leaves(final), jax.tree.leaves(state), strict=True)
        )
