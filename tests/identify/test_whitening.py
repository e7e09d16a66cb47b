"""The whitened loss: its minimum, its limits, and agreement with the plain one."""

import math

import jax.numpy as jnp
import numpy as np
import pytest

from remanence.identify import regression, window_moments
from remanence.training import AdaptiveGradientDescent, descend, near_zero_ensemble


@pytest.fixture
def moments(recording, rng):
    x = (recording.inputs[0] - recording.inputs[0].mean(axis=0)) / recording.inputs[0].std(axis=0)
    y = recording.outputs[0] - recording.outputs[0].mean(axis=0)
    y = np.concatenate([y / y.std(), rng.normal(size=y.shape)], axis=1)
    return window_moments((x,), (y,), (np.ones(len(x), bool),), length=6)


def least_squares(moments):
    flat = np.linalg.solve(moments.inputs, moments.cross)
    return flat.reshape(moments.length, -1, flat.shape[1]).transpose(0, 2, 1)


@pytest.mark.parametrize("whitening", [1e-3, 1.0, 10.0, math.inf])
def test_every_metric_has_the_least_squares_minimum(moments, whitening):
    loss = regression(moments, whitening=whitening).loss
    value, slope = loss.value_and_cotangent(jnp.asarray(least_squares(moments)))
    assert float(value) == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(slope, 0, atol=1e-12)


def test_no_whitening_is_the_mean_squared_error(moments, rng):
    """λ = ∞: the loss is the excess mean squared error over the strongest eigenvalue of S."""
    loss = regression(moments, whitening=math.inf).loss
    response = rng.normal(size=(6, 2, 2))
    value, _ = loss.value_and_cotangent(jnp.asarray(response))
    excess = moments.mean_squared_error(response) - moments.mean_squared_error(
        least_squares(moments)
    )
    strongest = np.linalg.eigvalsh(moments.inputs)[-1]
    assert float(value) * strongest == pytest.approx(excess.sum(), rel=1e-10)


def test_strong_whitening_is_the_white_loss(moments, rng):
    """λ → 0: the distance to the least-squares response, every direction alike."""
    loss = regression(moments, whitening=1e-9).loss
    response = rng.normal(size=(6, 2, 2))
    value, _ = loss.value_and_cotangent(jnp.asarray(response))
    assert float(value) == pytest.approx(
        np.sum((response - least_squares(moments)) ** 2), rel=1e-6
    )


def test_whitening_lowers_the_condition_number(moments):
    found = regression(moments, whitening=1.0)
    eigenvalues = np.linalg.eigvalsh(moments.inputs)
    assert found.condition == pytest.approx(eigenvalues[-1] / eigenvalues[0], rel=1e-9)
    assert found.whitened_condition < 0.5 * found.condition


def test_least_squares_share_is_the_residual_of_numpy(recording):
    x, y = recording.inputs[0] - 7.0, recording.outputs[0] + 40.0
    found = window_moments((x,), (y,), (np.ones(len(x), bool),), length=4)
    rows = np.array([np.concatenate([x[t - j] for j in range(4)]) for t in range(3, len(x))])
    _, residual, *_ = np.linalg.lstsq(rows, y[3:], rcond=None)
    expected = residual[0] / np.sum(y[3:] ** 2)
    assert regression(found, whitening=1.0).least_squares_share == pytest.approx(expected)


def test_whitened_and_plain_descent_learn_the_same_where_both_converge(recording):
    """The metric changes the path, not the goal: order 2 is learned from S and from S(S+λI)⁻¹."""
    x = (recording.inputs[0] - 7.0) / 3.0
    y = (recording.outputs[0] + 40.0) / 12.0
    found = window_moments((x,), (y,), (np.ones(len(x), bool),), length=8)
    initial = near_zero_ensemble(8, 2, 1, scale=1e-2, seed=0, seeds=1)
    errors = []
    for whitening in (1.0, math.inf):
        loss = regression(found, whitening=whitening).loss
        run = descend(loss, initial, AdaptiveGradientDescent(), steps=20_000)
        A, B, C = run.student(0, -1)
        response = np.stack([C @ np.linalg.matrix_power(A, j) @ B for j in range(8)])
        errors.append(found.mean_squared_error(response)[0])
    floor = found.mean_squared_error(least_squares(found))[0]
    assert errors[0] == pytest.approx(errors[1], rel=1e-2)
    assert errors[0] < 1.02 * floor
