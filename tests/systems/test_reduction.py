"""Balanced truncation: the bound holds, and what is kept is right."""

import numpy as np
import pytest

from remanence.errors import NumericalError, RemanenceError
from remanence.systems import (
    DiagonalStateSpace,
    StateSpace,
    balanced_truncation,
    controllability_gramian,
    hankel_singular_values,
    observability_gramian,
)


def gains(system, frequencies):
    """`G(ω) = D + Σ_j C A^j B e^{−iωj}`, one solve per frequency."""
    dense = system.to_dense()
    A, B, C, D = (np.asarray(m) for m in (dense.A, dense.B, dense.C, dense.D))
    backward = np.exp(-1j * frequencies)[:, None, None]
    return D + C @ np.linalg.solve(np.eye(dense.order) - backward * A, B.astype(complex))


def worst_error(first, second):
    frequencies = np.linspace(0, np.pi, 4001)
    difference = gains(first, frequencies) - gains(second, frequencies)
    return np.linalg.norm(difference, 2, axis=(1, 2)).max()


def test_error_bound(system):
    """I12: the H∞ error is at most the bound, and at least σ_{r+1}, at every order."""
    values = hankel_singular_values(system)
    for order in range(system.order + 1):
        try:
            reduction = balanced_truncation(system, order=order)
        except NumericalError:
            assert values[order - 1] == pytest.approx(values[order], rel=1e-9)
            continue
        assert reduction.order == reduction.system.order <= order
        assert reduction.error_bound == pytest.approx(2 * values[reduction.order :].sum())
        np.testing.assert_array_equal(reduction.hankel_singular_values, values)
        error, rounding = worst_error(system, reduction.system), 1e-11 * values[0]
        assert error <= reduction.error_bound + rounding
        if order < system.order:
            assert error >= values[order] * (1 - 1e-6) - rounding


def test_full_order_is_the_same_system(system):
    reduction = balanced_truncation(system, order=system.order)
    np.testing.assert_allclose(
        reduction.system.impulse_response(50), system.impulse_response(50), atol=1e-11
    )


def test_result_is_balanced(make_dense):
    """At full order both Gramians are diag(σ)."""
    reduction = balanced_truncation(make_dense(6, 2, 2, 0.9, 5, True), order=6)
    expected = np.diag(reduction.hankel_singular_values)
    for of in (controllability_gramian, observability_gramian):
        np.testing.assert_allclose(of(reduction.system), expected, atol=1e-11 * expected.max())


def test_feedthrough_is_kept(make_dense):
    system = make_dense(5, 2, 3, 0.9, 6, True)
    np.testing.assert_array_equal(balanced_truncation(system, order=2).system.D, system.D)


@pytest.mark.parametrize("share", [1e-9, 1e-3, 0.1, 1.0, 10.0])
def test_tolerance_picks_the_smallest_order(system, share):
    values = hankel_singular_values(system)
    tolerance = share * values[0]
    try:
        reduction = balanced_truncation(system, tolerance=tolerance)
    except NumericalError:
        return
    assert reduction.error_bound <= tolerance
    if reduction.order:
        assert 2 * values[reduction.order - 1 :].sum() > tolerance


def test_noise_is_never_kept(rng):
    """Order 3 hidden in 8 states: asking for 8 gives 3, and the response is untouched."""
    small = StateSpace(np.diag([0.9, 0.5, -0.3]), np.ones((3, 1)), np.array([[1.0, 2.0, -1.0]]))
    A = np.zeros((8, 8))
    A[:3, :3], A[3:, 3:] = small.A, np.diag(np.linspace(0.1, 0.8, 5))
    A[3:, :3] = rng.standard_normal((5, 3))
    B, C = np.zeros((8, 1)), np.zeros((1, 8))
    B[:3], C[:, :3] = small.B, small.C
    turn = np.linalg.qr(rng.standard_normal((8, 8)))[0]
    system = StateSpace(turn @ A @ turn.T, turn @ B, C @ turn.T)
    for asked in ({"order": 8}, {"order": 5}, {"tolerance": 0.0}):
        reduction = balanced_truncation(system, **asked)
        assert reduction.order == 3
        assert np.abs(reduction.system.A).max() < 2
        np.testing.assert_allclose(
            reduction.system.impulse_response(60), small.impulse_response(60), atol=1e-12
        )


def test_25_decades_of_values_do_no_harm():
    rng = np.random.default_rng(0)
    system = DiagonalStateSpace(
        np.linspace(0.02, 0.98, 24), rng.standard_normal((24, 1)), rng.standard_normal((1, 24))
    )
    reduction = balanced_truncation(system, order=24)
    assert 8 < reduction.order < 24
    np.testing.assert_allclose(
        reduction.system.impulse_response(300), system.impulse_response(300), atol=1e-11
    )


def test_equal_values_that_cannot_be_parted(make_delay):
    """A delay has nothing but equal values: a cut is sound or refused, never a wrong answer."""
    system = make_delay(4)
    refused = []
    for order in range(4):
        try:
            reduction = balanced_truncation(system, order=order)
        except NumericalError as error:
            refused.append(str(error))
            continue
        assert reduction.system.spectral_radius() < 1
        assert worst_error(system, reduction.system) <= reduction.error_bound + 1e-12
    assert all("too close" in message for message in refused)


def test_nothing_left():
    system = StateSpace([[0.5]], [[1.0]], [[1.0]], [[3.0]])
    reduction = balanced_truncation(system, tolerance=100.0)
    assert reduction.order == 0
    np.testing.assert_array_equal(reduction.system.impulse_response(2)[:, 0, 0], [3.0, 0.0])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "exactly one"),
        ({"order": 1, "tolerance": 1.0}, "exactly one"),
        ({"order": 2}, "between 0 and 1"),
        ({"order": -1}, "between 0 and 1"),
        ({"tolerance": -1.0}, "0 or more"),
        ({"tolerance": float("nan")}, "0 or more"),
    ],
)
def test_mistakes(asked, message):
    with pytest.raises(RemanenceError, match=message):
        balanced_truncation(StateSpace([[0.5]], [[1.0]], [[1.0]]), **asked)
