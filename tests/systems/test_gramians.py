"""Gramians and their factors against sums, equations and exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from remanence.errors import NumericalError, RemanenceError
from remanence.systems import (
    DiagonalStateSpace,
    StateSpace,
    balanced_truncation,
    controllability_factor,
    controllability_gramian,
    gramian,
    gramian_factor,
    hankel_singular_values,
    observability_factor,
    observability_gramian,
)
from remanence.systems._compensated import one_minus_product, one_minus_square
from remanence.systems._graded import recompress


def summed(A, B, terms=1200):
    """`Σ_{j < terms} A^j B Bᴴ (Aᴴ)^j`, term by term."""
    total, block = np.zeros(A.shape, np.result_type(A, B)), B
    for _ in range(terms):
        total = total + block @ block.conj().T
        block = A @ block
    return total


def real_matrices(system):
    dense = system.to_dense()
    return np.asarray(dense.A), np.asarray(dense.B), np.asarray(dense.C)


def test_gramians_are_the_sums(system):
    A, B, C = real_matrices(system)
    for found, expected in (
        (controllability_gramian(system), summed(A, B)),
        (observability_gramian(system), summed(A.T, C.T)),
    ):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * expected.max())


def test_gramians_solve_lyapunov(system):
    A, B, C = real_matrices(system)
    P, Q = controllability_gramian(system), observability_gramian(system)
    np.testing.assert_allclose(P, A @ P @ A.T + B @ B.T, rtol=0, atol=1e-13 * P.max())
    np.testing.assert_allclose(Q, A.T @ Q @ A + C.T @ C, rtol=0, atol=1e-13 * Q.max())


def test_factors_are_square_and_real(system):
    for factor in (controllability_factor(system), observability_factor(system)):
        assert factor.shape == (system.order, system.order)
        assert factor.dtype == np.float64


def test_energy_of_the_impulse_response(system):
    """I13: Σ_j ‖g_j‖² = tr C P Cᵀ = tr Bᵀ Q B."""
    _, B, C = real_matrices(system)
    response = np.array(system.impulse_response(1200))
    if system.D is not None:
        response[0] -= np.asarray(system.D)
    energy = np.sum(response**2)
    assert np.trace(C @ controllability_gramian(system) @ C.T) == pytest.approx(energy, rel=1e-12)
    assert np.trace(B.T @ observability_gramian(system) @ B) == pytest.approx(energy, rel=1e-12)


def test_direct_term_does_not_enter():
    with_d = StateSpace([[0.5]], [[1.0]], [[1.0]], [[100.0]])
    assert hankel_singular_values(with_d)[0] == pytest.approx(4 / 3, rel=1e-15)


@pytest.mark.parametrize("radius", [0.3, 0.99, 0.99999])
def test_complex_matrices(rng, radius):
    A = rng.standard_normal((5, 5)) + 1j * rng.standard_normal((5, 5))
    A *= radius / np.abs(np.linalg.eigvals(A)).max()
    B = rng.standard_normal((5, 2)) + 1j * rng.standard_normal((5, 2))
    P = gramian(A, B)
    factor = gramian_factor(A, B)
    np.testing.assert_array_equal(P, factor @ factor.conj().T)
    scale = np.abs(P).max()
    np.testing.assert_allclose(P, A @ P @ A.conj().T + B @ B.conj().T, rtol=0, atol=1e-13 * scale)
    expected = scipy.linalg.solve_discrete_lyapunov(A, B @ B.conj().T)
    np.testing.assert_allclose(P, expected, rtol=0, atol=1e-15 / (1 - radius) * 10 * scale)


@pytest.mark.parametrize("radius", [0.9, 0.99999])
def test_dense_equals_diagonal_near_the_circle(rng, radius):
    """Two routes with nothing in common: doubling, and the closed form."""
    modes = 6
    eigenvalues = radius * rng.uniform(0.2, 1, modes) * np.exp(1j * rng.uniform(0.1, 3, modes))
    eigenvalues[0] *= radius / abs(eigenvalues[0])
    B = rng.standard_normal((modes, 2)) + 1j * rng.standard_normal((modes, 2))
    C = rng.standard_normal((3, modes)) + 1j * rng.standard_normal((3, modes))
    diagonal = DiagonalStateSpace(eigenvalues, B, C)
    dense = diagonal.to_dense()
    for of in (controllability_gramian, observability_gramian):
        expected = of(diagonal)
        tolerance = 1e-15 / (1 - radius) * np.abs(expected).max()
        np.testing.assert_allclose(of(dense), expected, rtol=0, atol=5 * tolerance)


@settings(max_examples=40, deadline=None)
@given(
    data=st.lists(
        st.tuples(
            st.floats(-16, -0.01).map(lambda e: 1 - 10**e).filter(lambda r: r < 1),
            st.sampled_from([0.0, 1e-12, 1e-6, 0.5, 2.0, np.pi]),
            st.sampled_from([0.0, 1e-8, 1.0]),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_closed_form_factor_at_extremes(data):
    """Near the circle, near the real axis, repeated poles, dead inputs: the Cauchy matrix."""
    radius, angle, size = (np.array(column) for column in zip(*data, strict=True))
    eigenvalues = radius * np.exp(1j * angle)
    if not np.all(one_minus_square(eigenvalues) > 0):
        return
    b = size * np.exp(1j * np.arange(len(size)))
    modes = len(size)
    system = DiagonalStateSpace(
        eigenvalues, b[:, None], np.ones((1, modes)), paired=[True] * modes
    )
    P = controllability_gramian(system)
    # Back from (Re h, Im h) to E[h h̄ᵀ].
    to_complex = np.kron(np.eye(modes), np.array([[1, 1j]]))
    expected = b[:, None] * b.conj() / one_minus_product(eigenvalues[:, None], eigenvalues)
    # Entry by entry relative to the two states' own sizes.
    own = np.sqrt(np.abs(np.outer(np.diag(expected), np.diag(expected)))) + 1e-300
    assert np.all(np.abs(to_complex @ P @ to_complex.conj().T - expected) <= 1e-13 * own)


@settings(max_examples=60, deadline=None)
@given(
    x=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
    y=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
    close=st.booleans(),
)
def test_one_minus_product_is_exact_to_a_rounding(x, y, close):
    """Against rational arithmetic; `close` puts the product next to 1."""
    if close:
        size = np.hypot(*x) or 1.0
        x = (x[0] / size, x[1] / size)
        y = (np.nextafter(x[0], 0), x[1] * (1 - 1e-9))
    found = complex(one_minus_product(complex(*x), complex(*y)))
    (a, b), (c, d) = (tuple(map(Fraction, map(float, pair))) for pair in (x, y))
    for value, exact in ((found.real, 1 - a * c - b * d), (found.imag, a * d - b * c)):
        # 1e-30: what is left once both products' own errors cancel.
        assert abs(Fraction(value) - exact) <= Fraction(4e-16) * abs(exact) + Fraction(1e-30)


def unstable_systems():
    one = [[1.0]]
    return {
        "dense": (StateSpace([[1.5]], one, one), "1.5"),
        "on the circle": (StateSpace([[1.0]], one, one), "1 ≥ 1"),
        "pair": (DiagonalStateSpace([1.25j], one, one), "1.25"),
        "pair on the circle": (DiagonalStateSpace([1j], one, one), "1 ≥ 1"),
        "real mode": (DiagonalStateSpace([-2.0], one, one), "2 ≥ 1"),
    }


@pytest.mark.parametrize("name", list(unstable_systems()))
@pytest.mark.parametrize(
    "use",
    [
        controllability_gramian,
        observability_gramian,
        hankel_singular_values,
        lambda system: balanced_truncation(system, order=1),
    ],
)
def test_unstable_systems_are_named(name, use):
    system, radius = unstable_systems()[name]
    with pytest.raises(NumericalError, match=f"unstable .spectral radius {radius}.*use a stable"):
        use(system)


def test_nan_and_misfits_are_named():
    with pytest.raises(NumericalError, match="NaN"):
        controllability_gramian(StateSpace([[0.5]], [[np.inf]], [[1.0]]))
    with pytest.raises(NumericalError, match="NaN"):
        observability_gramian(DiagonalStateSpace([0.5], [[1.0]], [[np.nan]]))
    with pytest.raises(RemanenceError, match="order, inputs"):
        gramian(np.eye(2) / 2, np.ones((3, 1)))


def test_too_far_from_normal_is_said():
    """Eigenvalues say stable, but the powers overflow before they decay."""
    A = np.array([[0.9999999, 1e300], [0.0, 0.9999999]])
    with pytest.raises(NumericalError, match="did not converge"):
        gramian(A, np.ones((2, 1)))


def test_a_gramian_beyond_float64_still_has_a_factor():
    system = DiagonalStateSpace([0.6], [[8e200]], [[1.0]])
    assert controllability_factor(system)[0, 0] == pytest.approx(1e201, rel=1e-15)
    with pytest.raises(NumericalError, match="use its factor"):
        controllability_gramian(system)


@pytest.mark.parametrize("small_first", [True, False])
def test_recompression_keeps_small_columns(small_first):
    """A column of 1e-12 beside one of 1: |det L| = |det F| to the last digits."""
    factor = np.array([[1e-12, 1.0], [2e-12, 1.0]])
    square = recompress(factor if small_first else factor[:, ::-1])
    np.testing.assert_allclose(square @ square.T, factor @ factor.T, rtol=1e-14)
    assert abs(np.linalg.det(square)) == pytest.approx(1e-12, rel=1e-14, abs=0)
