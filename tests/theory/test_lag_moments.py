"""The moments of the lags of a batch, against sums written out."""

import jax.numpy as jnp
import numpy as np
import pytest

from remanence.errors import RemanenceError
from remanence.theory import lag_moments, minibatch_loss, moment_loss


def brute(xs):
    batch, time, inputs = xs.shape
    G = np.zeros((time, inputs, time, inputs))
    for n in range(time):
        for m in range(time):
            for t in range(max(n, m), time):
                G[n, :, m, :] += xs[:, t - n].T @ xs[:, t - m] / (batch * time)
    return G


@pytest.mark.parametrize(("batch", "time", "inputs"), [(3, 6, 1), (2, 5, 3), (1, 1, 2)])
def test_moments_are_the_sums(rng, batch, time, inputs):
    xs = rng.normal(size=(batch, time, inputs))
    np.testing.assert_allclose(lag_moments(xs), brute(xs), atol=1e-14)


def test_their_quadratic_form_is_the_loss_of_the_batch(rng):
    xs, kernel = rng.normal(size=(4, 7, 2)), rng.normal(size=(7, 3, 2))
    errors = np.zeros((4, 7, 3))
    for t in range(7):
        for n in range(t + 1):
            errors[:, t] += xs[:, t - n] @ kernel[n].T
    expected = 0.7 * np.mean(np.sum(errors**2, axis=2))
    got = moment_loss(kernel, lag_moments(xs), factor=0.7)
    np.testing.assert_allclose(got, expected, rtol=1e-13)
    np.testing.assert_allclose(minibatch_loss(kernel, xs, factor=0.7), expected, rtol=1e-12)


def test_moments_of_another_kernel_are_refused(rng):
    moments = lag_moments(rng.normal(size=(2, 4, 1)))
    with pytest.raises(RemanenceError, match=r"shape \(4, 1, 4, 1\), expected \(5, 1, 5, 1\)"):
        moment_loss(jnp.zeros((5, 1, 1)), moments)


def test_whole_numbers_are_numbers_and_other_shapes_are_refused():
    ones = np.ones((2, 3, 1), int)
    np.testing.assert_allclose(lag_moments(ones), brute(ones.astype(float)), atol=1e-15)
    for wrong in (np.ones((2, 3)), np.ones((0, 3, 1))):
        with pytest.raises(RemanenceError, match="expected \\(batch, time, inputs\\)"):
            lag_moments(wrong)
