"""Counterexamples: right on every lag they were shown, wrong by exactly the excess on the next."""

import numpy as np
import pytest

from remanence.errors import RemanenceError
from remanence.systems import (
    balanced_measure,
    berlekamp_massey,
    damped_rotation,
    delay_teacher,
    hankel_matrix,
    jacobi_counterexample,
    shortest_counterexample,
    signed_teacher,
    spread_teacher,
)


def response(system, length):
    return np.asarray(system.impulse_response(length))[:, 0, 0]


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("excess", [1e-4, 0.3, 7.0])
def test_jacobi(order, excess):
    expected = response(spread_teacher(order).system, 2 * order + 1)
    found = jacobi_counterexample(expected[: 2 * order], order=order, excess=excess)
    assert found.order == order + 1
    error = response(found, 2 * order + 1) - expected
    np.testing.assert_allclose(error[:-1], 0, atol=1e-12)
    assert error[-1] == pytest.approx(excess, rel=1e-8, abs=1e-13)
    measure = balanced_measure(found)
    np.testing.assert_allclose(measure.moments(2 * order), expected[:-1], atol=1e-12)


@pytest.mark.parametrize(
    ("teacher", "lengths"),
    [
        (spread_teacher(3), (6, 7, 8, 10)),
        (signed_teacher(np.array([0.9, -0.5]), np.array([0.6, -0.4])), (4, 5, 9)),
        (damped_rotation(0.9, 1.0), (4, 7)),
        (delay_teacher(3), (6, 9)),
    ],
    ids=lambda value: getattr(value, "name", None),
)
@pytest.mark.parametrize("excess", [-0.5, 1.0])
def test_shortest(teacher, lengths, excess):
    for k in lengths:
        expected = response(teacher.system, k + 1)
        found = shortest_counterexample(expected[:k], excess=excess)
        assert found.order == k + 1 - teacher.order
        error = response(found, k + 1) - expected
        np.testing.assert_allclose(error[:-1], 0, atol=1e-12)
        assert error[-1] == pytest.approx(excess, abs=1e-12)
        # No smaller system does it: the complexity of the altered sequence is this order.
        altered = np.append(expected[:k], expected[k] + excess)
        assert berlekamp_massey(altered).complexity == found.order


def test_shortest_of_silence():
    found = shortest_counterexample(np.zeros(4), excess=2.0)
    assert found.order == 5
    assert response(found, 5).tolist() == [0, 0, 0, 0, 2.0]


@pytest.mark.parametrize("seed", range(30))
def test_berlekamp_massey_finds_a_random_recurrence(seed):
    """Against the recurrence that made the sequence, and against the rank of its Hankel matrix."""
    rng = np.random.default_rng(seed)
    order = int(rng.integers(1, 6))
    taps, values = rng.integers(-2, 3, order).astype(float), list(rng.integers(-3, 4, order) * 1.0)
    taps[-1] = taps[-1] or 1.0
    for _ in range(order, 2 * order + 4):
        values.append(sum(c * s for c, s in zip(taps, values[::-1], strict=False)))
    sequence = np.array(values)
    found = berlekamp_massey(sequence)
    assert found.complexity == np.linalg.matrix_rank(hankel_matrix(sequence[:, None, None]))
    for n in range(found.complexity, len(sequence)):
        past = sequence[n - found.complexity : n][::-1]
        assert found.coefficients @ past == pytest.approx(sequence[n], rel=1e-7, abs=1e-7)
    if found.complexity == order:
        np.testing.assert_allclose(found.coefficients, taps, atol=1e-7)


def test_berlekamp_massey_edges():
    assert berlekamp_massey(np.zeros(5)).complexity == 0
    assert berlekamp_massey(np.array([0.0, 0.0, 1.0])).complexity == 3
    assert berlekamp_massey(np.array([1.0, 0.0, 0.0])).coefficients.tolist() == [0.0]
    assert berlekamp_massey(np.array([2.0, 4.0, 8.0, 16.0])).coefficients.tolist() == [2.0]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: jacobi_counterexample(np.ones(3), order=2, excess=1.0), "at least 4 moments"),
        (lambda: jacobi_counterexample(np.ones(4), order=1, excess=-1.0), "positive"),
        (
            lambda: jacobi_counterexample(np.array([1.0, 0.0, -1.0, 0.0]), order=2, excess=1.0),
            "positive measure",
        ),
        (lambda: shortest_counterexample(np.ones(4), excess=0.0), "not 0"),
        (lambda: shortest_counterexample(np.array([1.0, 2.0, 7.0]), excess=1.0), "determine"),
        (lambda: berlekamp_massey(np.array([np.nan])), "finite"),
    ],
)
def test_mistakes(make, words):
    with pytest.raises(RemanenceError, match=words):
        make()
