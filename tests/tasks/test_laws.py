"""Laws that every task keeps, and every target worked out again by other means."""

import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest

from remanence.errors import RemanenceError

_spec = importlib.util.spec_from_file_location("oracles", Path(__file__).parent / "oracles.py")
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
ORACLES = _module.ORACLES


def test_sizes_and_types(case):
    task, length, batch, count = case.task, case.length, case.batch, len(case.keys)
    assert batch.inputs.shape == (count, length, task.inputs)
    assert batch.weights.shape == (count, length)
    assert batch.inputs.dtype == batch.weights.dtype == np.float64
    if task.kind == "classification":
        assert batch.targets.shape == (count, length)
        assert np.issubdtype(batch.targets.dtype, np.integer)
        assert batch.targets.min() >= 0
        assert batch.targets.max() < task.outputs
    else:
        assert task.kind == "regression"
        assert batch.targets.shape == (count, length, task.outputs)
        assert batch.targets.dtype == np.float64


def test_the_key_is_the_sequence_plain_or_jitted(case):
    plain = case.task.sample(case.keys[7], case.length)
    for one, many in zip(plain, case.batch, strict=True):
        np.testing.assert_allclose(one, many[7], rtol=1e-12, atol=1e-13)


def test_other_keys_are_other_sequences(case):
    different = {row.tobytes() for row in case.batch.inputs}
    # Short words of few symbols can meet by chance, numbers cannot.
    assert len(different) >= (25 if case.task.kind == "classification" else len(case.keys))


def test_a_task_can_be_an_argument_of_jit(case):
    traced = jax.eval_shape(
        lambda task, key: task.sample(key, case.length), case.task, case.keys[0]
    )
    assert [leaf.shape for leaf in traced] == [leaf.shape[1:] for leaf in case.batch]


def test_targets_and_weights_follow_from_the_inputs_so_far(case):
    if case.name == "text":
        pytest.skip("the next character is not known in advance: tests/tasks/test_recorded.py")
    oracle = ORACLES[case.name.split(",")[0]]
    for inputs, targets, weights in zip(*case.batch, strict=True):
        for t in range(case.length):
            answer = oracle(case.task, inputs[: t + 1], case.length)
            if answer is None:
                assert weights[t] == 0
                assert np.all(targets[t] == 0)
            else:
                assert weights[t] == 1
                np.testing.assert_allclose(targets[t], answer, rtol=1e-12, atol=1e-12)


def test_something_is_scored_and_the_last_step_where_it_must_be(case):
    weights = case.batch.weights
    assert np.all(weights.sum(axis=1) > 0)
    if getattr(case.task, "scored", None) == "last" or case.name == "adding":
        assert np.all(weights.sum(axis=1) == 1)
        assert np.all(weights[:, -1] == 1)


def test_single_precision_where_that_is_the_default(case):
    with jax.enable_x64(False):
        key = jax.random.key(0)
        traced = jax.eval_shape(lambda key: case.task.sample(key, case.length), key)
    whole = case.task.kind == "classification"
    assert [leaf.dtype for leaf in traced] == [
        np.float32,
        np.int32 if whole else np.float32,
        np.float32,
    ]


def test_too_short_is_one_clear_line(case):
    with pytest.raises(RemanenceError, match="length must be a whole number, at least") as error:
        case.task.sample(case.keys[0], 0)
    assert "\n" not in str(error.value)
