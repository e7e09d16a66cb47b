"""The loss and its hand-written gradient against closed forms, NumPy and finite differences."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from remanence.training import MetricLoss, Parameters, WhiteLoss, near_zero_parameters

FLOOR = 0.25
SHAPES = [(5, 1, 1, 7), (4, 3, 1, 6), (4, 1, 3, 6), (3, 2, 2, 5), (6, 3, 2, 1)]


def matrix_power_response(parameters, length):
    A, B, C = (np.asarray(leaf) for leaf in parameters)
    return np.stack([C @ np.linalg.matrix_power(A, j) @ B for j in range(length)])


def problem(rng, state, inputs, outputs, length, *, coloured):
    parameters = Parameters(
        *(
            jnp.asarray(0.6 * rng.normal(size=shape))
            for shape in ((state, state), (state, inputs), (outputs, state))
        )
    )
    target = rng.normal(size=(length, outputs, inputs))
    if not coloured:
        return parameters, WhiteLoss(jnp.asarray(target), FLOOR), target, None
    root = rng.normal(size=(length * inputs, length * inputs))
    metric = root @ root.T
    return parameters, metric_loss(target, metric, FLOOR), target, metric


def metric_loss(target, metric, floor):
    length, outputs, inputs = target.shape
    flat = target.transpose(1, 0, 2).reshape(outputs, -1)
    cross = (flat @ metric).reshape(outputs, length, inputs).transpose(1, 0, 2)
    constant = np.sum(flat * (flat @ metric)) + floor
    return MetricLoss(jnp.asarray(metric), jnp.asarray(cross), jnp.asarray(constant))


def brute_force_loss(parameters, target, metric):
    residual = matrix_power_response(parameters, target.shape[0]) - target
    total = FLOOR
    for output in range(residual.shape[1]):
        flat = residual[:, output].ravel()
        total += flat @ (flat if metric is None else metric @ flat)
    return total


@pytest.mark.parametrize(("shape", "coloured"), list(itertools.product(SHAPES, [False, True])))
def test_gradient_is_the_finite_difference(rng, shape, coloured):
    parameters, loss, target, metric = problem(rng, *shape, coloured=coloured)
    value, gradient = loss.value_and_gradient(parameters)
    assert float(value) == pytest.approx(brute_force_loss(parameters, target, metric), rel=1e-12)
    for index, leaf in enumerate(parameters):
        for place in np.ndindex(leaf.shape):
            sides = []
            for sign in (1, -1):
                moved = list(parameters)
                moved[index] = leaf.at[place].add(sign * 1e-6)
                sides.append(brute_force_loss(moved, target, metric))
            numeric = (sides[0] - sides[1]) / 2e-6
            assert float(gradient[index][place]) == pytest.approx(
                numeric, rel=2e-6, abs=2e-6 * abs(float(value))
            )


@pytest.mark.parametrize(("shape", "coloured"), list(itertools.product(SHAPES, [False, True])))
def test_gradient_is_automatic_differentiation(rng, shape, coloured):
    parameters, loss, _, _ = problem(rng, *shape, coloured=coloured)

    def value_only(parameters):
        return loss.value_and_gradient(parameters)[0]

    for ours, theirs in zip(
        loss.value_and_gradient(parameters)[1], jax.grad(value_only)(parameters), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-11)


def test_gradient_in_a_is_the_closed_form_through_the_hankel_matrix(rng):
    """Specification 1.4: G_A = 2 Σ_{i+l+1<k} r_{i+l+1} y_i x_lᵀ."""
    parameters, loss, target, _ = problem(rng, 6, 1, 1, 8, coloured=False)
    A, B, C = (np.asarray(leaf) for leaf in parameters)
    residual = (matrix_power_response(parameters, 8) - target).ravel()
    expected = np.zeros_like(A)
    for i in range(8):
        for lag in range(8 - i - 1):
            left = np.linalg.matrix_power(A.T, i) @ C.T
            right = np.linalg.matrix_power(A, lag) @ B
            expected += 2 * residual[i + lag + 1] * left @ right.T
    _, gradient = loss.value_and_gradient(parameters)
    np.testing.assert_allclose(gradient.A, expected, rtol=1e-11, atol=1e-12)


def test_white_loss_is_the_expected_squared_error(rng):
    """I1 by Monte Carlo: white input, output after the last of k inputs only."""
    parameters, loss, target, _ = problem(rng, 4, 1, 1, 7, coloured=False)
    student = matrix_power_response(parameters, 7).ravel()
    teacher = target.ravel()
    inputs = rng.normal(size=(400_000, 7))
    error = np.mean((inputs[:, ::-1] @ (student - teacher)) ** 2)
    value, _ = loss.value_and_gradient(parameters)
    assert error == pytest.approx(float(value) - FLOOR, rel=1e-2)


def test_empirical_loss_is_the_quadratic_form_of_the_samples(rng):
    """I2: the mean squared error over samples is (g − ĝ)ᵀ S (g − ĝ) exactly."""
    parameters, _, target, _ = problem(rng, 4, 1, 1, 6, coloured=False)
    inputs = rng.normal(size=(50, 6))
    reversed_time = inputs[:, ::-1]
    loss = metric_loss(target, reversed_time.T @ reversed_time / 50, 0.0)
    student, teacher = matrix_power_response(parameters, 6).ravel(), target.ravel()
    direct = 0.0
    for sample in inputs:
        difference = sum((student - teacher)[j] * sample[5 - j] for j in range(6))
        direct += difference**2 / 50
    assert float(loss.value_and_gradient(parameters)[0]) == pytest.approx(direct, rel=1e-12)


def test_similarity_leaves_the_loss_and_pulls_the_gradient_back(rng):
    """I6: (TAT⁻¹, TB, CT⁻¹) has the same loss; its gradient is the transformed gradient."""
    parameters, loss, _, _ = problem(rng, 4, 2, 1, 6, coloured=True)
    T = rng.normal(size=(4, 4)) + 3 * np.eye(4)
    inverse = np.linalg.inv(T)
    A, B, C = (np.asarray(leaf) for leaf in parameters)
    moved = Parameters(*(jnp.asarray(m) for m in (T @ A @ inverse, T @ B, C @ inverse)))
    value, gradient = loss.value_and_gradient(parameters)
    value_moved, gradient_moved = loss.value_and_gradient(moved)
    assert float(value) == pytest.approx(float(value_moved), rel=1e-10)
    np.testing.assert_allclose(
        gradient_moved.A, inverse.T @ np.asarray(gradient.A) @ T.T, rtol=1e-8, atol=1e-8
    )


def test_near_zero_start_has_the_stated_spread():
    parameters = near_zero_parameters(400, 3, 2, scale=1e-2, key=jax.random.key(3))
    assert np.std(parameters.A) == pytest.approx(1e-2 / np.sqrt(400), rel=0.01)
    assert np.abs(np.linalg.eigvals(parameters.A)).max() == pytest.approx(1e-2, rel=0.1)
    assert parameters.B.shape == (400, 3)
    assert parameters.C.shape == (2, 400)
