"""HiPPO matrices and S4D spectra against their identities."""

import numpy as np
import pytest
from scipy.interpolate import pade
from scipy.linalg import expm, solve_continuous_lyapunov
from scipy.special import eval_laguerre, eval_legendre, factorial

from remanence.errors import RemanenceError
from remanence.layers.hippo import (
    lagt,
    legs,
    legs_normal_plus_low_rank,
    legt,
    s4d_inv,
    s4d_legs,
    s4d_lin,
    s4d_real,
)

TIMES = np.array([0.0, 0.1, 0.7, 2.0, 5.0])


def responses(A, B):
    return np.stack([expm(t * A) @ B for t in TIMES])


@pytest.mark.parametrize("order", [1, 2, 8])
def test_legs_responds_with_legendre_polynomials_of_an_exponential(order):
    A, B = legs(order)
    n, t = np.arange(order), TIMES[:, None]
    expected = np.sqrt(2 * n + 1) * np.exp(-t) * eval_legendre(n, 2 * np.exp(-t) - 1)
    np.testing.assert_allclose(responses(A, B), expected, atol=1e-12)
    # Triangular: the eigenvalues are the diagonal.
    assert not np.triu(A, 1).any()
    np.testing.assert_array_equal(np.diag(A), -np.arange(1, order + 1))


@pytest.mark.parametrize("order", [1, 5, 64])
def test_legs_states_are_orthonormal(order):
    """`∫ e^{tA} B Bᵀ e^{tAᵀ} dt`, orthonormality of the Legendre basis up to its weight e^t."""
    A, B = legs(order)
    shifted = A + np.eye(order) / 2
    np.testing.assert_allclose(shifted + shifted.T + np.outer(B, B), 0, atol=1e-10)
    if order <= 5:
        gramian = solve_continuous_lyapunov(shifted, -np.outer(B, B))
        np.testing.assert_allclose(gramian, np.eye(order), atol=1e-12)


@pytest.mark.parametrize("order", [1, 6, 20])
def test_lagt_responds_with_laguerre_functions(order):
    A, B = lagt(order)
    t = TIMES[:, None]
    expected = np.exp(-t / 2) * eval_laguerre(np.arange(order), t)
    np.testing.assert_allclose(responses(A, B), expected, atol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 5])
def test_legt_reads_out_the_pade_approximant_of_its_delay(order):
    A, B = legt(order)
    n = np.arange(order)
    oldest = (-1.0) ** n * np.sqrt(2 * n + 1)
    taylor = (-2.0) ** np.arange(2 * order) / factorial(np.arange(2 * order))
    numerator, denominator = pade(taylor, order, order - 1)
    for s in (0.3, 1.0 + 2.0j, -0.2 + 5.0j):
        transfer = oldest @ np.linalg.solve(s * np.eye(order) - A, B)
        np.testing.assert_allclose(transfer, numerator(s) / denominator(s), rtol=1e-10)


@pytest.mark.parametrize("order", [3, 30])
def test_legt_loses_exactly_the_energy_that_leaves_the_window(order):
    """`A + Aᵀ + 2 B Bᵀ` is minus half the square of the oldest point: `d|c|²/dt` telescopes."""
    A, B = legt(order)
    oldest = (-1.0) ** np.arange(order) * np.sqrt(2 * np.arange(order) + 1)
    # Newest point: Σ √(2n+1) c_n = 2 B·c.
    expected = -np.outer(oldest, oldest) / 2 - 2 * np.outer(B, B)
    np.testing.assert_allclose(A + A.T, expected, atol=1e-12)
    assert np.linalg.eigvals(A).real.max() < 0


@pytest.mark.parametrize("order", [1, 4, 64])
def test_normal_plus_low_rank_puts_legs_together_again(order):
    A, B = legs(order)
    P, eigenvalues, V, B_modal = legs_normal_plus_low_rank(order)
    scale = np.abs(A).max()
    normal = A + np.outer(P, P)
    skew = normal + np.eye(order) / 2
    np.testing.assert_allclose(skew, -skew.T, atol=1e-13 * scale)
    np.testing.assert_allclose(
        V @ np.diag(eigenvalues) @ V.conj().T - np.outer(P, P), A, atol=1e-13 * scale * order
    )
    np.testing.assert_allclose(V.conj().T @ V, np.eye(order), atol=1e-12)
    np.testing.assert_allclose(V @ B_modal, B, atol=1e-12 * np.sqrt(scale))
    assert np.all(eigenvalues.real == -0.5)
    assert np.all(np.diff(eigenvalues.imag) > 0)


def test_spectra_at_order_64():
    legs_half, inverse = s4d_legs(32), s4d_inv(32)
    assert legs_half.imag.max() == pytest.approx(1303.3, abs=0.05)
    assert legs_half.imag.min() == pytest.approx(0.26, abs=0.005)
    assert inverse.imag.max() == pytest.approx(1283.4, abs=0.05)
    assert inverse.imag.min() == pytest.approx(0.32, abs=0.005)
    assert np.all(legs_half.imag > 0)
    both = np.sort_complex(np.concatenate([legs_half, legs_half.conj()]))
    by_eigvals = np.linalg.eigvals(legs(64)[0] + np.outer(*[np.sqrt(np.arange(64) + 0.5)] * 2))
    np.testing.assert_allclose(np.sort(both.imag), np.sort(by_eigvals.imag), atol=1e-8)
    np.testing.assert_array_equal(s4d_lin(3), [-0.5, -0.5 + 1j * np.pi, -0.5 + 2j * np.pi])
    np.testing.assert_allclose(s4d_real(5), np.sort(np.linalg.eigvals(legs(5)[0]))[::-1])


def test_an_order_below_one_is_an_error():
    for make in (legs, legt, lagt, legs_normal_plus_low_rank, s4d_lin, s4d_inv, s4d_legs):
        with pytest.raises(RemanenceError, match="order 0"):
            make(0)
