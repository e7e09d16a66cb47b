"""Hankel singular values against long Hankel matrices and against 120-digit arithmetic."""

import mpmath
import numpy as np
import pytest

from remanence.errors import RemanenceError
from remanence.systems import (
    DiagonalStateSpace,
    StateSpace,
    controllability_gramian,
    effective_rank,
    hankel_matrix,
    hankel_singular_values,
    observability_gramian,
)


def exact_values(system):
    """`√eig(P Q)` for one input and one output, poles written out, in 120 digits.

    The eigenvalues are σ²: for values that span 30 decades, 60 digits would not be enough.
    """
    with mpmath.workdps(120):
        poles, b, c = [], [], []
        columns = (system.eigenvalues, np.asarray(system.B)[:, 0], np.asarray(system.C)[0])
        for pole, weight, read, pair in zip(*columns, system.paired, strict=True):
            for into, value in ((poles, pole), (b, weight), (c, read)):
                exact = mpmath.mpc(complex(value))
                into.extend([exact, mpmath.conj(exact)] if pair else [exact])
        n = len(poles)
        P, Q = mpmath.matrix(n, n), mpmath.matrix(n, n)
        for i in range(n):
            for k in range(n):
                cauchy = 1 / (1 - poles[i] * mpmath.conj(poles[k]))
                P[i, k] = b[i] * mpmath.conj(b[k]) * cauchy
                Q[i, k] = mpmath.conj(c[i]) * c[k] * mpmath.conj(cauchy)
        squares = mpmath.eig(P * Q, left=False, right=False)
        return np.sort([float(mpmath.sqrt(abs(square))) for square in squares])[::-1]


def one_port(eigenvalues, b, c):
    return DiagonalStateSpace(eigenvalues, b[:, None], c[None, :])


def real_poles(seed=0, count=24):
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((2, count))
    return one_port(np.linspace(0.02, 0.98, count), *weights)


def pairs(seed=0, count=12):
    rng = np.random.default_rng(seed)
    eigenvalues = (1 - np.logspace(-3, -0.1, count)) * np.exp(1j * np.linspace(0.02, 0.4, count))
    b, c = rng.standard_normal((2, count)) + 1j * rng.standard_normal((2, count))
    return one_port(eigenvalues, b, c)


def slow_pairs(seed=0, count=8):
    """|λ| up to 1 − 1e-9, phases down to 1e-6: P holds 1e9 and more."""
    rng = np.random.default_rng(seed)
    eigenvalues = (1 - np.logspace(-9, -0.1, count)) * np.exp(1j * np.logspace(-6, 0.3, count))
    b, c = rng.standard_normal((2, count)) + 1j * rng.standard_normal((2, count))
    return one_port(eigenvalues, b, c)


@pytest.mark.parametrize(
    ("make", "decades"),
    [(real_poles, 25), (pairs, 7), (slow_pairs, 8)],
    ids=["24 real poles", "12 pairs", "slow pairs"],
)
def test_every_value_is_accurate_to_itself(make, decades):
    system = make()
    expected = exact_values(system)
    assert np.log10(expected[0] / expected[-1]) > decades
    np.testing.assert_allclose(hankel_singular_values(system), expected, rtol=1e-12, atol=0)


def test_several_ports_keep_small_values():
    """Two systems side by side behind mixed ports: the values of the union, each to 1e-12."""
    first, second = real_poles(1, 12), real_poles(2, 10)
    expected = np.sort(np.concatenate([exact_values(first), exact_values(second)]))[::-1]
    modes = 22
    B, C = np.zeros((modes, 2)), np.zeros((2, modes))
    B[:12, 0], B[12:, 1] = np.real(first.B[:, 0]), np.real(second.B[:, 0])
    C[0, :12], C[1, 12:] = np.real(first.C[0]), np.real(second.C[0])
    eigenvalues = np.concatenate([first.eigenvalues, second.eigenvalues]).real
    # An orthogonal change of ports leaves every value.
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    system = DiagonalStateSpace(eigenvalues, B @ turn, turn @ C)
    found = hankel_singular_values(system)
    assert expected[0] / expected[-1] > 1e13
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0)


def test_slow_mode_in_closed_form():
    """One real mode: σ = |c b| / (1 − λ²), 1 − λ² computed exactly."""
    pole = 1 - 1e-9
    system = DiagonalStateSpace([pole], [[3.0]], [[-2.0]])
    gap = 1 - pole  # exact
    expected = 6 / (gap * (2 - gap))
    assert hankel_singular_values(system)[0] == pytest.approx(expected, rel=1e-15)


def test_values_are_those_of_a_long_hankel_matrix(system):
    """I9, for every system of the table."""
    long = hankel_matrix(np.asarray(system.impulse_response(801)) - _direct(system, 801))
    expected = np.linalg.svd(long, compute_uv=False)[: system.order]
    expected = np.pad(expected, (0, system.order - len(expected)))
    found = hankel_singular_values(system)
    assert found.shape == (system.order,)
    assert np.all(np.diff(found) <= 0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12 * expected[0])


def _direct(system, length):
    direct = np.zeros((length, system.outputs, system.inputs))
    direct[0] = np.asarray(system.D)
    return direct


@pytest.mark.parametrize("seed", range(3))
def test_dense_values_at_radius_098(make_dense, seed):
    system = make_dense(10, 1, 1, 0.98, 200 + 10 * seed, False)
    length = 1401  # 0.98^1400 < 1e-12
    A, B, C = (np.asarray(m) for m in (system.A, system.B, system.C))
    states, response = B, []
    for _ in range(length):
        response.append(C @ states)
        states = A @ states
    expected = np.linalg.svd(hankel_matrix(np.array(response)), compute_uv=False)[:10]
    found = hankel_singular_values(system)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * expected[0])


def test_values_are_roots_of_the_product(system):
    """I9: σ² are the eigenvalues of P Q, as far as float64 can see them."""
    product = controllability_gramian(system) @ observability_gramian(system)
    squares = np.sort(np.linalg.eigvals(product).real)[::-1]
    found = hankel_singular_values(system)
    np.testing.assert_allclose(found**2, squares, rtol=0, atol=1e-10 * squares[0])


def test_similarity_leaves_the_values(system):
    """I6."""
    dense = system.to_dense()
    T = np.eye(system.order) + 0.3 * np.random.default_rng(3).standard_normal((system.order,) * 2)
    A = np.linalg.solve(T.T, (T @ np.asarray(dense.A)).T).T
    C = np.linalg.solve(T.T, np.asarray(dense.C).T).T
    turned = StateSpace(A, T @ np.asarray(dense.B), C)
    expected = hankel_singular_values(system)
    np.testing.assert_allclose(
        hankel_singular_values(turned), expected, rtol=0, atol=1e-10 * expected[0]
    )


def test_symmetric_systems(rng):
    """I10: A = Aᵀ, B = Cᵀ: P = Q, σ = eig P, even Markov parameters ≥ 0, Hankel matrix PSD."""
    A = rng.standard_normal((6, 6))
    A = A + A.T
    A *= 0.9 / np.abs(np.linalg.eigvalsh(A)).max()
    B = rng.standard_normal((6, 1))
    system = StateSpace(A, B, B.T)
    P, Q = controllability_gramian(system), observability_gramian(system)
    np.testing.assert_allclose(P, Q, rtol=0, atol=1e-13 * P.max())
    values = hankel_singular_values(system)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(P)[::-1], rtol=0, atol=1e-13 * values[0])
    response = np.asarray(system.impulse_response(21))
    assert np.all(response[::2] >= 0)
    assert np.linalg.eigvalsh(hankel_matrix(response)).min() >= -1e-13 * values[0]


@pytest.mark.parametrize("steps", [1, 3, 7])
def test_delay(make_delay, steps):
    """I14: unit values, and an effective rank of exactly n."""
    values = hankel_singular_values(make_delay(steps))
    np.testing.assert_allclose(values, np.ones(steps), rtol=1e-14)
    assert effective_rank(values) == pytest.approx(steps, rel=1e-13)


def test_rank_is_the_minimal_order(system):
    """I8: rank H = rank(O · R), and the order of a minimal system, from size = order on."""
    size = system.order + 1
    response = np.asarray(system.impulse_response(2 * size)) - _direct(system, 2 * size)
    dense = system.to_dense()
    A, B, C = (np.asarray(m) for m in (dense.A, dense.B, dense.C))
    powers = [np.linalg.matrix_power(A, j) for j in range(size)]
    observe = np.concatenate([C @ power for power in powers])
    reach = np.concatenate([power @ B for power in powers], axis=1)
    H = hankel_matrix(response, size, size)
    np.testing.assert_allclose(H, observe @ reach, atol=1e-12 * np.abs(H).max())
    values = hankel_singular_values(system)
    minimal = int(np.sum(values > 1e-11 * values[0]))
    assert np.linalg.matrix_rank(H, rtol=1e-13) == minimal
    assert np.linalg.matrix_rank(hankel_matrix(response, size - 1, size), rtol=1e-13) == minimal


def test_systems_agreeing_on_enough_parameters_are_identical():
    """I7: orders n₁, n₂ and n₁ + n₂ equal parameters; one fewer is not enough."""
    first = StateSpace([[0.5]], [[1.0]], [[1.0]])
    # Order 2 with g = 1, 1/2, then 1/4 + δ: agrees on n₁ + n₂ − 1 = 2 parameters, not on 3.
    second = StateSpace([[0.0, 1.0], [0.3, 0.0]], [[1.0], [0.5]], [[1.0, 0.0]])
    ours, theirs = (np.asarray(s.impulse_response(3))[:, 0, 0] for s in (first, second))
    np.testing.assert_allclose(ours[:2], theirs[:2], rtol=1e-15)
    assert abs(ours[2] - theirs[2]) == pytest.approx(0.05)
    # The difference of two systems has order n₁ + n₂, so its Hankel matrix says "zero" at once.
    same = StateSpace([[0.5, 0.0], [1.0, 0.2]], [[1.0], [1.0]], [[1.0, 0.0]])
    np.testing.assert_array_equal(same.impulse_response(3), first.impulse_response(3))
    np.testing.assert_allclose(same.impulse_response(30), first.impulse_response(30), atol=1e-16)


def test_hankel_matrix_layout():
    g = np.arange(5 * 2 * 3, dtype=float).reshape(5, 2, 3)
    H = hankel_matrix(g, 2, 3)
    assert H.shape == (4, 9)
    for i in range(2):
        for j in range(3):
            np.testing.assert_array_equal(H[2 * i : 2 * i + 2, 3 * j : 3 * j + 3], g[i + j])
    assert hankel_matrix(g).shape == (6, 9)
    assert hankel_matrix(g, rows=1).shape == (2, 15)
    assert hankel_matrix(g, columns=4).shape == (4, 12)


@pytest.mark.parametrize(("rows", "columns"), [(3, 4), (0, 2), (6, None), (None, 7)])
def test_hankel_matrix_too_large(rows, columns):
    with pytest.raises(RemanenceError, match="number of Markov parameters, 5"):
        hankel_matrix(np.ones((5, 1, 1)), rows, columns)


def test_effective_rank():
    assert effective_rank(np.array([2.0, 0.0, 0.0])) == pytest.approx(1, rel=1e-15)
    assert effective_rank(np.zeros(3)) == 0
    assert effective_rank(np.array([1e-320, 1e-320])) == pytest.approx(2)
    assert effective_rank(np.array([1e308, 1e308])) == pytest.approx(2)
    p = np.array([0.5, 0.25, 0.25])
    assert effective_rank(8 * p) == pytest.approx(2**1.5, rel=1e-14)
    with pytest.raises(RemanenceError, match="negative"):
        effective_rank(np.array([1.0, -1.0]))
    with pytest.raises(RemanenceError, match="finite"):
        effective_rank(np.array([1.0, np.nan]))


def test_system_without_memory():
    zero = StateSpace([[0.5]], [[0.0]], [[1.0]])
    np.testing.assert_array_equal(hankel_singular_values(zero), [0.0])
    gain = StateSpace(np.zeros((0, 0)), np.zeros((0, 1)), np.zeros((1, 0)))
    assert hankel_singular_values(gain).shape == (0,)
