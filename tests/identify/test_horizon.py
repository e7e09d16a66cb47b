"""Memory horizon and time constants against closed forms; curvature left in a residual."""

import math

import numpy as np
import pytest

from remanence.identify import curvature_share, memory
from remanence.systems import StateSpace


@pytest.mark.parametrize("eigenvalue", [0.5, 0.9, 0.99])
def test_one_mode_has_the_closed_form(eigenvalue):
    """Energy of the first n lags is 1 − λ^{2n}: the horizon is ⌈ln .05 / (2 ln λ)⌉."""
    one = np.ones((1, 1))
    response = eigenvalue ** np.arange(5000.0)[:, None, None]
    found = memory(StateSpace(np.array([[eigenvalue]]), one, one), response)
    assert found.horizon == math.ceil(math.log(0.05) / (2 * math.log(eigenvalue)))
    assert found.half_lag == math.ceil(math.log(0.5) / (2 * math.log(eigenvalue)))
    assert found.time_constants[0] == pytest.approx(-1 / math.log(eigenvalue))


def test_a_delay_remembers_to_its_lag_and_an_unstable_mode_for_ever():
    shift = np.diag(np.ones(3), -1)
    start, end = np.eye(4)[:, :1], np.eye(4)[3:]
    response = np.zeros((20, 1, 1))
    response[3] = 1
    assert memory(StateSpace(shift, start, end), response).horizon == 4
    one = np.ones((1, 1))
    unstable = memory(StateSpace(1.1 * one, one, one), 1.1 ** np.arange(9.0)[:, None, None])
    assert math.isinf(unstable.time_constants[0])


def test_curvature_is_found_where_it_is_and_only_there(rng):
    x = rng.normal(size=(2000, 1))
    simulated = 2 * x + rng.normal(size=x.shape)
    noise = 0.3 * rng.normal(size=x.shape)
    assert curvature_share(x, simulated, simulated + noise) < 0.01
    assert curvature_share(x, simulated, 1.3 * simulated + noise) < 0.01
    saturated = 3 * np.tanh(simulated / 3)
    assert curvature_share(x, simulated, saturated + noise) > 0.3
