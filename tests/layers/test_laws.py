"""Every layer against every law, and layers that are broken on purpose."""

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


class _Plain:
    """A user's own layer: no Equinox module, no `methods`, and a state that is not carried."""

    inputs = 2

    def __init__(self, forgets):
        self.forgets = forgets

    def initial_state(self):
        return jnp.zeros(2)

    def step(self, state, x):
        state = 0.5 * state + x
        return state, state

    def __call__(self, xs, state=None):
        start = self.initial_state() if state is None or self.forgets else state
        final, states = jax.lax.scan(self.step, start, xs)
        return states, final

    def states(self, xs, state=None):
        return self(xs, state)[0]


def test_a_layer_that_is_no_module_can_be_checked():
    assert check_equivalence(_Plain(forgets=False)).holds
    with pytest.raises(RemanenceError, match="cut and carry"):
        check_equivalence(_Plain(forgets=True))


def test_float32_layers_are_held_to_float32():
    report = check_equivalence(LRU(2, 8, key=jax.random.key(0), dtype="float32"))
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
