"""Realisation: from an impulse response back to the system."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remanence.errors import NumericalError, RemanenceError
from remanence.systems import DiagonalStateSpace, hankel_singular_values, realize


def without_direct_term(system, length):
    response = np.array(system.impulse_response(length))
    response[0] -= np.asarray(system.D)
    return response


def test_recovers_every_system(system):
    """From 2n + 2 parameters with the order unknown: the response far beyond them."""
    values = hankel_singular_values(system)
    order = int(np.sum(values > 1e-11 * values[0]))
    found = realize(without_direct_term(system, 2 * system.order + 2), tolerance=1e-12)
    assert found.order == order
    expected = without_direct_term(system, 60)
    np.testing.assert_allclose(
        found.impulse_response(60), expected, atol=1e-8 * np.abs(expected).max()
    )


@settings(max_examples=25, deadline=None)
@given(order=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_two_n_parameters_are_enough(order, seed):
    """I11: one input, one output, order n known, g_0 … g_{2n−1}: the teacher's poles."""
    rng = np.random.default_rng(seed)
    # Poles apart and weights away from zero: closer ones are not recoverable in float64.
    poles = np.linspace(-0.9, 0.9, order) + rng.uniform(-0.1, 0.1, order)
    weights = rng.uniform(0.5, 2, (2, order)) * rng.choice([-1.0, 1.0], (2, order))
    teacher = DiagonalStateSpace(poles, weights[:1].T, weights[1:])
    student = realize(np.asarray(teacher.impulse_response(2 * order)), order=order)
    np.testing.assert_allclose(np.sort(student.poles().real), np.sort(poles), atol=1e-9)
    expected = np.asarray(teacher.impulse_response(100))
    np.testing.assert_allclose(
        student.impulse_response(100), expected, atol=1e-8 * np.abs(expected).max()
    )


@pytest.mark.parametrize(
    ("order", "inputs", "outputs", "needed"),
    [(4, 1, 1, 8), (4, 2, 1, 6), (4, 2, 2, 4), (6, 3, 2, 5), (5, 2, 2, 6)],
)
def test_how_many_parameters_it_takes(make_dense, order, inputs, outputs, needed):
    """⌈n/outputs⌉ + ⌈n/inputs⌉ are enough for a generic system; one fewer is refused."""
    teacher = make_dense(order, inputs, outputs, 0.9, 300 + order, False)
    response = np.asarray(teacher.impulse_response(80))
    student = realize(response[:needed], order=order)
    assert student.order == order
    np.testing.assert_allclose(
        student.impulse_response(80), response, atol=1e-8 * np.abs(response).max()
    )
    with pytest.raises(RemanenceError, match=f"too few for order {order}.*at least {needed}"):
        realize(response[: needed - 1], order=order)


def test_result_is_balanced_over_its_window(make_dense):
    response = np.asarray(make_dense(3, 1, 1, 0.8, 400, False).impulse_response(10))
    found = realize(response, order=3)
    A, B, C = (np.asarray(m) for m in (found.A, found.B, found.C))
    powers = [np.linalg.matrix_power(A, j) for j in range(5)]
    reach = sum(p @ B @ B.T @ p.T for p in powers)
    observe = sum(p.T @ C.T @ C @ p for p in powers)
    np.testing.assert_allclose(reach, observe, atol=1e-10 * np.abs(reach).max())
    np.testing.assert_allclose(reach, np.diag(np.diag(reach)), atol=1e-10 * np.abs(reach).max())


def test_long_window_has_the_hankel_singular_values(make_dense):
    """The same values as the Gramians give, by another road."""
    teacher = make_dense(4, 2, 1, 0.7, 410, False)
    student = realize(np.asarray(teacher.impulse_response(200)), order=4)
    expected = hankel_singular_values(teacher)
    np.testing.assert_allclose(hankel_singular_values(student), expected, rtol=1e-9)


def test_order_beyond_the_rank_is_lowered():
    response = 0.5 ** np.arange(12.0).reshape(-1, 1, 1)
    found = realize(response, order=5)
    assert found.order == 1
    np.testing.assert_allclose(found.impulse_response(12), response, rtol=1e-13)


def test_tolerance_hides_noise(make_dense):
    rng = np.random.default_rng(1)
    teacher = make_dense(3, 1, 1, 0.9, 420, False)
    response = np.asarray(teacher.impulse_response(40))
    noisy = response + 1e-7 * rng.standard_normal(response.shape)
    found = realize(noisy, tolerance=1e-5)
    assert found.order == 3
    np.testing.assert_allclose(found.impulse_response(40), response, atol=1e-5)


def test_nothing_to_realise():
    assert realize(np.zeros((4, 2, 1))).order == 0


def test_direct_term_becomes_a_pole_at_zero():
    response = 0.5 ** np.arange(8.0).reshape(-1, 1, 1)
    response[0] += 3
    found = realize(response)
    assert found.order == 2
    np.testing.assert_allclose(np.sort(np.abs(found.poles())), [0, 0.5], atol=1e-12)


@pytest.mark.parametrize(
    ("length", "asked", "message"),
    [
        (4, {"order": 3}, "4 Markov parameter.s. are too few for order 3.*at least 6"),
        (1, {}, "too few for order 1"),
        (6, {"order": 1, "tolerance": 0.1}, "at most one"),
        (6, {"order": -1}, "0 or more"),
        (6, {"tolerance": 1.0}, r"in \[0, 1\)"),
    ],
)
def test_mistakes(length, asked, message):
    with pytest.raises(RemanenceError, match=message):
        realize(np.ones((length, 1, 1)), **asked)


def test_undetermined_order_and_nan():
    noise = np.random.default_rng(0).standard_normal((10, 1, 1))
    with pytest.raises(RemanenceError, match="full rank 5"):
        realize(noise)
    with pytest.raises(NumericalError, match="NaN"):
        realize(np.full((4, 1, 1), np.nan))
