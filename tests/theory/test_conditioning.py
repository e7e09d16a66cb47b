"""Conditioning measures against NumPy and against matrices made for the purpose."""

import jax
import numpy as np

from remanence.theory import conditioning

SIZE = 6

precondition = jax.jit(conditioning.jacobi_preconditioned)
rank_of = jax.jit(conditioning.numerical_rank)
condition = jax.jit(conditioning.condition_number)
participation = jax.jit(conditioning.participation_ratios, static_argnums=1)
share_off_diagonal = jax.jit(conditioning.off_diagonal_share)


def semidefinite(rng, size, rank):
    factor = rng.normal(size=(size, rank)) * np.logspace(0, 2, rank)
    return factor @ factor.T


def test_preconditioning_is_two_diagonal_products(rng):
    H = semidefinite(rng, SIZE, SIZE)
    inverse = np.linalg.inv(np.diag(np.sqrt(np.diag(H))))
    found = precondition(H)
    np.testing.assert_allclose(found, inverse @ H @ inverse, rtol=1e-12)
    np.testing.assert_allclose(np.diag(found), 1, rtol=1e-15)
    # Units of the parameters do not matter to it.
    units = np.diag([1e-3, 1.0, 7.0, 1e4, 2.0, 0.1])
    np.testing.assert_allclose(precondition(units @ H @ units), found, rtol=1e-12)


def test_a_parameter_without_effect_stays_without(rng):
    H = np.zeros((SIZE, SIZE))
    H[:3, :3] = semidefinite(rng, 3, 3)
    found = np.asarray(precondition(H))
    assert np.all(found[3:] == 0)
    assert np.all(found[:, 3:] == 0)
    np.testing.assert_allclose(np.diag(found)[:3], 1, rtol=1e-15)
    assert np.isfinite(found).all()


def test_rank_and_condition_number_on_the_range(rng):
    H = semidefinite(rng, SIZE, 4)
    singular = np.linalg.svd(H, compute_uv=False)
    assert int(rank_of(H)) == np.linalg.matrix_rank(H, hermitian=True) == 4
    np.testing.assert_allclose(condition(H), singular[0] / singular[3], rtol=1e-9)
    # A rank known from theory replaces the rule.
    np.testing.assert_allclose(condition(H, rank=3), singular[0] / singular[2], rtol=1e-9)
    graded = np.diag([1.0, 1e-3, 1e-6, 0, 0, 0])
    assert [int(rank_of(graded, tolerance=tol)) for tol in (1e-4, 1e-8)] == [2, 3]
    np.testing.assert_allclose(condition(graded, tolerance=1e-4), 1e3, rtol=1e-12)


def test_spread_of_the_top_eigenvectors(rng):
    vectors = np.linalg.qr(rng.normal(size=(SIZE, SIZE)))[0]
    H = vectors @ np.diag([9.0, 5.0, 3.0, 1.0, 0.5, 0.0]) @ vectors.T
    expected = 1 / np.sum(vectors[:, :3] ** 4, axis=0)
    np.testing.assert_allclose(participation(H, 3), expected, rtol=1e-10)
    np.testing.assert_allclose(participation(np.ones((SIZE, SIZE)), 3)[0], SIZE, rtol=1e-12)
    axes = np.diag([1.0, 4.0, 2.0, 3.0, 7.0, 5.0])
    np.testing.assert_allclose(participation(axes, 3), np.ones(3))


def test_share_off_the_diagonal(rng):
    H = semidefinite(rng, SIZE, SIZE)
    off = H - np.diag(np.diag(H))
    expected = np.linalg.norm(off) / np.linalg.norm(H)
    np.testing.assert_allclose(share_off_diagonal(H), expected, rtol=1e-14)
    assert share_off_diagonal(np.diag(np.arange(6.0))) == 0
