"""Long responses, simulations and errors by position, against plain loops."""

import numpy as np
import pytest

from remanence.identify.evaluate import (
    carried_error,
    decayed_response,
    error_by_age,
    long_response,
    old_enough,
    simulate,
    unexplained_share,
)
from remanence.systems import StateSpace
from remanence.training import Parameters


def system(rng, radius=0.9):
    A = rng.normal(size=(4, 4))
    A *= radius / np.abs(np.linalg.eigvals(A)).max()
    return Parameters(A, rng.normal(size=(4, 2)), rng.normal(size=(3, 4)))


@pytest.mark.parametrize("length", [1, 2, 7, 64])
def test_long_response_is_the_matrix_powers(rng, length):
    A, B, C = parameters = system(rng)
    expected = np.stack([C @ np.linalg.matrix_power(A, j) @ B for j in range(length)])
    np.testing.assert_allclose(long_response(parameters, length), expected, atol=1e-12)


def test_simulation_by_fft_is_the_recursion(rng):
    parameters = system(rng)
    inputs = rng.normal(size=(150, 2))
    expected, _ = StateSpace(*parameters).simulate(inputs)
    np.testing.assert_allclose(
        simulate(long_response(parameters, 150), inputs), expected, atol=1e-11
    )


def test_a_decayed_response_simulates_like_the_whole_one(rng):
    """Cut responses and overlapping chunks change nothing that float64 can see."""
    parameters = system(rng)
    inputs = rng.normal(size=(80_000, 2))
    short = decayed_response(parameters, len(inputs))
    assert len(short) < 2000
    expected, _ = StateSpace(*parameters).simulate(inputs)
    np.testing.assert_allclose(simulate(short, inputs), expected, atol=1e-10)
    delay = Parameters(np.diag(np.ones(3), -1), np.eye(4)[:, :1], np.eye(4)[3:])
    assert decayed_response(delay, 5000)[:5, 0, 0].tolist() == [0, 0, 0, 1, 0]


def test_error_by_age_is_what_a_fresh_simulation_makes(rng):
    """At age a: start the state at zero a steps before each target and run the recursion."""
    parameters = system(rng)
    inputs, outputs = rng.normal(size=(120, 2)), rng.normal(size=(120, 3))
    targets = old_enough((rng.random(120) < 0.8,), 20)
    ages = np.array([1, 3, 20])
    found = error_by_age(parameters, (inputs,), (outputs,), targets, ages)
    places = np.flatnonzero(targets[0])
    for age, share in zip(ages, found, strict=True):
        errors = []
        for t in places:
            h = np.zeros(4)
            for x in inputs[t - age + 1 : t + 1]:
                h = parameters.A @ h + parameters.B @ x
            errors.append((outputs[t] - parameters.C @ h) ** 2)
        expected = np.mean(np.mean(errors, axis=0) / outputs[places].var(axis=0))
        assert share == pytest.approx(expected, rel=1e-10)


def test_targets_without_the_history_are_left_out():
    masks = old_enough((np.ones(6, bool), np.array([True, False, True])), 3)
    assert masks[0].tolist() == [False, False, True, True, True, True]
    assert masks[1].tolist() == [False, False, True]


def test_an_unstable_model_explodes_in_the_long_run_only(rng):
    parameters = system(rng, radius=1.3)
    inputs = (rng.normal(size=(400, 2)),)
    outputs = (rng.normal(size=(400, 3)),)
    targets = old_enough((np.ones(400, bool),), 300)
    shares = error_by_age(parameters, inputs, outputs, targets, np.array([1, 5, 300]))
    assert np.isfinite(shares[:2]).all()
    assert np.isinf(shares[2])
    assert np.isinf(carried_error(parameters, inputs, outputs, targets))


def test_share_of_the_mean_is_one_and_of_the_truth_zero(rng):
    y = rng.normal(size=(90, 2)) * [1.0, 50.0] + 3
    everything = (np.ones(90, bool),)
    mean = np.broadcast_to(y.mean(axis=0), y.shape)
    assert unexplained_share((mean,), (y,), everything) == pytest.approx(1)
    assert unexplained_share((y,), (y,), everything) == 0
    assert np.isnan(unexplained_share((y[:20],), (y[:20],), (np.ones(20, bool),)))
