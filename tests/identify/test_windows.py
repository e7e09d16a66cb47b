"""Window moments by FFT against the plain sum over windows."""

import numpy as np
import pytest

import remanence.identify.windows as windows
from remanence.identify import window_moments


def brute_force(inputs, outputs, targets, length):
    S = b = v = 0.0
    count = 0
    for x, y, mask in zip(inputs, outputs, targets, strict=True):
        for t in range(length - 1, len(x)):
            if mask[t]:
                window = np.concatenate([x[t - lag] for lag in range(length)])
                S = S + np.outer(window, window)
                b = b + np.outer(window, y[t])
                v = v + y[t] ** 2
                count += 1
    return S / count, b / count, v / count, count


@pytest.mark.parametrize("chunk", [7, 1 << 16])
@pytest.mark.parametrize("length", [1, 2, 5, 9])
@pytest.mark.parametrize(("channels", "outs"), [(1, 1), (2, 3)])
def test_moments_are_the_sum_over_windows(rng, monkeypatch, chunk, length, channels, outs):
    monkeypatch.setattr(windows, "_CHUNK", chunk)
    lengths = (50, 31, 8)
    inputs = tuple(rng.normal(size=(n, channels)) + 1 for n in lengths)
    outputs = tuple(rng.normal(size=(n, outs)) for n in lengths)
    targets = tuple(rng.random(n) < 0.6 for n in lengths)
    found = window_moments(inputs, outputs, targets, length=length)
    S, b, v, count = brute_force(inputs, outputs, targets, length)
    assert found.count == count
    np.testing.assert_allclose(found.inputs, S, atol=1e-13)
    np.testing.assert_allclose(found.cross, b, atol=1e-13)
    np.testing.assert_allclose(found.power, v, atol=1e-13)


def test_quadratic_form_is_the_mean_squared_error(rng):
    """I2 on recorded windows: v − 2bᵀg + gᵀSg is the mean squared error, exactly."""
    x, y = rng.normal(size=(200, 2)), rng.normal(size=(200, 3))
    mask = rng.random(200) < 0.5
    response = rng.normal(size=(6, 3, 2))
    errors = [
        (y[t] - sum(response[j] @ x[t - j] for j in range(6))) ** 2
        for t in range(5, 200)
        if mask[t]
    ]
    found = window_moments((x,), (y,), (mask,), length=6)
    np.testing.assert_allclose(
        found.mean_squared_error(response), np.mean(errors, axis=0), rtol=1e-12
    )


def test_no_window_counts_nothing(rng):
    x = rng.normal(size=(5, 1))
    assert window_moments((x,), (x,), (np.ones(5, bool),), length=6).count == 0
