"""Gated recurrent units: the cell, the teacher, the training and the comparison."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

from remanence.report import AbstractProgress, SilentProgress
from remanence.studies.low_dimensional import gated, gated_students

SMALL = gated_students.Settings(
    lengths=(2, 8),
    seeds=(0, 1, 2),
    state=6,
    steps=50,
    batch=10,
    test_length=12,
    test_sequences=50,
)


def looped(unit, xs):
    """The GRU written out, one sequence and one unit at a time, in float64."""
    unit = jax.tree.map(lambda array: np.asarray(array, np.float64), unit)
    size = len(unit.readout)
    outputs = []
    for sequence in xs.T:
        h = np.zeros(size)
        for x in sequence:
            new = np.empty(size)
            for i in range(size):
                r, z = (
                    1 / (1 + np.exp(-(g.inputs[i, 0] * x + g.recurrent[i] @ h + g.bias[i])))
                    for g in (unit.reset, unit.update)
                )
                g = unit.candidate
                n = np.tanh(g.inputs[i, 0] * x + r * (g.recurrent[i] @ h) + g.bias[i])
                new[i] = (1 - z) * n + z * h[i]
            h = new
        outputs.append(unit.readout @ h)
    return np.array(outputs)


def test_the_cell_against_a_loop(rng):
    unit = gated_students.student(SMALL, 1.0, key=jax.random.key(0))
    unit = jax.tree.map(
        lambda array: array + jnp.asarray(0.3 * rng.standard_normal(array.shape), jnp.float32),
        unit,
    )
    xs = rng.standard_normal((9, 4)).astype(np.float32)
    outputs = gated_students.last_outputs(unit, jnp.asarray(xs))
    assert outputs.dtype == jnp.float32
    np.testing.assert_allclose(outputs, looped(unit, xs), rtol=2e-5, atol=1e-6)


def test_the_teacher_remembers_longer_than_the_judged_length():
    teacher = gated_students.teacher(gated.QUICK)
    assert teacher.readout.shape == (3,)
    xs = jax.random.normal(jax.random.key(1), (60, 4000), jnp.float32)
    outputs = np.asarray(gated_students.last_outputs(teacher, xs))
    assert np.var(outputs) > 0.05

    def lost(kept):
        return np.mean((gated_students.last_outputs(teacher, xs[-kept:]) - outputs) ** 2) / np.var(
            outputs
        )

    assert lost(8) > 0.05
    assert lost(40) < 0.01


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_the_start_has_the_scale_it_is_given(scale):
    settings = dataclasses.replace(gated.QUICK, state=200)
    unit = gated_students.student(settings, scale, key=jax.random.key(3))
    for gate in (unit.reset, unit.update, unit.candidate):
        np.testing.assert_allclose(np.std(gate.inputs), scale, rtol=0.2)
        np.testing.assert_allclose(np.std(gate.recurrent), scale / np.sqrt(200), rtol=0.02)
        assert not gate.bias.any()


def test_training_is_adam_with_cosine_decay():
    settings = dataclasses.replace(SMALL, steps=3)
    trained = gated_students.train(settings, 2, 1.0, 0)
    start, data = jax.random.split(jax.random.key(0))
    unit = gated_students.student(settings, 1.0, key=start)
    target = gated_students.teacher(settings)
    flat, unravel = ravel_pytree(unit)

    @jax.grad
    def gradient(flat, xs):
        wanted = gated_students.last_outputs(target, xs)
        return jnp.mean((gated_students.last_outputs(unravel(flat), xs) - wanted) ** 2)

    flat, m, v = np.asarray(flat), 0.0, 0.0
    for t in range(3):
        xs = jax.random.normal(jax.random.fold_in(data, t), (2, 10), jnp.float32)
        g = np.asarray(gradient(jnp.asarray(flat), xs), np.float64)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        size = 2e-3 * 0.5 * (1 + np.cos(np.pi * t / 3))
        move = size * (m / (1 - 0.9 ** (t + 1))) / (np.sqrt(v / (1 - 0.999 ** (t + 1))) + 1e-8)
        flat = (flat - move).astype(np.float32)
    ours, _ = ravel_pytree(trained)
    np.testing.assert_allclose(ours, flat, rtol=1e-3, atol=2e-5)


def test_training_lowers_the_error_and_repeats():
    settings = dataclasses.replace(
        SMALL, lengths=(2,), seeds=(0,), judged_length=2, steps=300, step_size=1e-2
    )
    untrained = gated_students.student(settings, 1.0, key=jax.random.split(jax.random.key(0))[0])
    target = gated_students.teacher(settings)
    before = gated_students.error(untrained, target, length=2, settings=settings)
    first, again = (gated_students.train(settings, 2, 1.0, 0) for _ in range(2))
    assert gated_students.error(first, target, length=2, settings=settings) < 0.2 * before
    for one, other in zip(jax.tree.leaves(first), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_interrupt_ends_the_training():
    class Interrupting(AbstractProgress):
        def update(self, fraction, text=""):
            raise KeyboardInterrupt

        def close(self):
            pass

    with pytest.raises(KeyboardInterrupt):
        gated_students.measure(SMALL, Interrupting())


@pytest.fixture(scope="module")
def finding():
    return gated.run(SMALL, SilentProgress())


def test_finding(finding):
    (claim,) = finding.claims
    assert claim.id == "T10d"
    assert "at least 3 times smaller" in claim.expected
    columns = finding.tables["gated"]
    assert {len(column) for column in columns.values()} == {2 * 2 * 3}
    (named,) = finding.figures
    (ax,) = named.figure.axes
    assert ax.get_xlabel() == "training length k (steps)"
    assert ax.get_ylabel()
    assert named.figure.legends


@pytest.mark.parametrize(("large", "seeds", "met"), [(0.31, 3, True), (0.29, 3, False)])
def test_the_criterion(large, seeds, met):
    long = np.ones((2, 2, seeds))
    long[1, 0], long[1, 1] = 0.1, large
    claim = gated.judge(SMALL, gated_students.Errors(0.001 * long, long))
    assert claim.verdict == ("holds" if met else "fails")
    assert bool(claim.note) is not met
    few = dataclasses.replace(SMALL, seeds=(0, 1))
    kept = long[:, :, :2]
    assert gated.judge(few, gated_students.Errors(kept, kept)).verdict == "fails"


def test_presets():
    assert set(gated.GATED.presets) == {"quick", "full"}
    assert gated.FULL.lengths == (2, 4, 6, 8, 12)
    assert len(gated.QUICK.seeds) >= 3
