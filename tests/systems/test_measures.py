"""Measures: against SciPy, exact fractions and thousands of random pairs."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
import scipy.stats

from remanence.errors import RemanenceError
from remanence.systems import (
    AtomicMeasure,
    StateSpace,
    balanced_measure,
    extrapolation_bound,
    moment_comparison_bound,
    order_bound,
    spread_teacher,
    wasserstein1,
)


def random_measure(rng, count, radius=1.0, mass=None):
    weights = rng.uniform(0, 1, count) ** 3
    if mass is not None:
        weights *= mass / weights.sum()
    return AtomicMeasure(rng.uniform(-radius, radius, count), weights)


def test_moments_are_sums():
    measure = AtomicMeasure(np.array([0.0, -2.0, 0.5]), np.array([3.0, 1.0, 4.0]))
    assert measure.moments(4).tolist() == [8.0, 0.0, 5.0, -7.5]
    assert (measure.mass, measure.radius) == (8.0, 2.0)
    assert AtomicMeasure(np.zeros(0), np.zeros(0)).moments(2).tolist() == [0.0, 0.0]


def test_balanced_system_is_its_measure(rng):
    teacher = spread_teacher(4)
    Q = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    A, B = np.asarray(teacher.system.A), np.asarray(teacher.system.B)
    turned = StateSpace(Q @ A @ Q.T, Q @ B, (Q @ B).T)
    measure = balanced_measure(turned)
    np.testing.assert_allclose(measure.atoms, np.linspace(-0.78, 0.92, 4), atol=1e-14)
    expected = np.asarray(turned.impulse_response(50))[:, 0, 0]
    np.testing.assert_allclose(measure.moments(50), expected, atol=1e-14)


@pytest.mark.parametrize(
    "system",
    [
        StateSpace([[0.5, 1e-6], [0.0, 0.4]], [[1.0], [1.0]], [[1.0, 1.0]]),
        StateSpace([[0.5]], [[1.0]], [[1.001]]),
        StateSpace([[0.5]], [[1.0]], [[-1.0]]),
        StateSpace([[0.5]], [[1.0]], [[1.0]], [[1.0]]),
        StateSpace([[0.5]], [[1.0, 1.0]], [[1.0], [1.0]]),
    ],
)
def test_unbalanced_is_refused(system):
    with pytest.raises(RemanenceError, match="balanced"):
        balanced_measure(system)


@pytest.mark.parametrize("seed", range(50))
def test_wasserstein_is_scipys(seed):
    rng = np.random.default_rng(seed)
    mass = rng.uniform(0.1, 10)
    mu, nu = (random_measure(rng, rng.integers(1, 8), 3.0, mass) for _ in range(2))
    expected = mass * scipy.stats.wasserstein_distance(mu.atoms, nu.atoms, mu.weights, nu.weights)
    assert wasserstein1(mu, nu) == pytest.approx(expected, rel=1e-12)
    assert wasserstein1(mu, mu) == pytest.approx(0, abs=1e-15)


def test_moment_inequality_on_random_pairs(rng):
    """2 000 pairs, 30 moments each; and the constant is sharp."""
    q, closest = np.arange(30), 0.0
    for _ in range(2000):
        radius, mass = rng.uniform(0.2, 1.5), rng.uniform(0.1, 5)
        mu = random_measure(rng, rng.integers(1, 6), radius, mass)
        if rng.random() < 0.5:
            nu = random_measure(rng, rng.integers(1, 6), radius, mass)
        else:
            near = np.clip(mu.atoms + 1e-3 * rng.standard_normal(len(mu.atoms)), -radius, radius)
            nu = AtomicMeasure(near, mu.weights)
        bound = moment_comparison_bound(q, radius=radius, distance=wasserstein1(mu, nu))
        gap = np.abs(mu.moments(30) - nu.moments(30))
        assert np.all(gap <= bound * (1 + 1e-9) + 1e-13 * mass * max(1, radius) ** q)
        closest = max(closest, float(np.max(gap[1:] / bound[1:])))
    assert closest > 0.9


def test_extrapolation_bound_on_random_pairs(rng):
    """(B1) on 2 500 pairs: a positive model against real, complex, close or signed truths."""
    worst = 0.0
    for trial in range(2500):
        order = int(rng.integers(1, 5))
        truth, target_radius = random_truth(rng, order, trial % 4)
        radius = rng.choice([0.5, 1.0, 1.2])
        if trial % 3 and trial % 4 in (0, 3):
            # Near the truth: its own atoms moved, plus a light one.
            atoms = np.append(np.real(truth[0]), rng.uniform(-radius, radius))
            atoms = atoms + 10.0 ** rng.uniform(-8, -2) * rng.standard_normal(order + 1)
            weights = np.append(np.abs(truth[1]), 10.0 ** rng.uniform(-9, -2))
            mu = AtomicMeasure(atoms, weights)
        else:
            mu = random_measure(rng, rng.integers(1, 9), radius)
        q = np.arange(60)
        target = np.array([np.sum(truth[1] * truth[0] ** j) for j in q]).real
        gap = np.abs(mu.moments(60) - target)
        error = gap[: 2 * order + 1].max()
        bound = extrapolation_bound(
            order, q, radius=mu.radius, error=error, target_radius=target_radius
        )
        assert np.all(gap <= bound * (1 + 1e-9) + 1e-13 * max(1.0, mu.radius) ** q)
        worst = max(worst, float(np.max(gap / np.maximum(bound, 1e-300) * (error > 1e-9))))
        if target_radius <= 1:
            looser = extrapolation_bound(order, q, radius=mu.radius, error=error)
            assert np.all(bound <= looser * (1 + 1e-9))
    assert worst > 0.05


def random_truth(rng, order, kind):
    """`(poles, weights)` and the radius: positive; signed; in pairs; close together."""
    radius = float(rng.choice([0.7, 1.0, 1.1]))
    if kind == 2:
        half = (
            radius
            * np.sqrt(rng.uniform(0, 1, order // 2))
            * np.exp(1j * rng.uniform(0, np.pi, order // 2))
        )
        w = rng.standard_normal(order // 2) + 1j * rng.standard_normal(order // 2)
        real = rng.uniform(-radius, radius, order % 2)
        poles = np.concatenate([half, half.conj(), real])
        return (poles, np.concatenate([w, w.conj(), rng.standard_normal(order % 2)])), radius
    poles = rng.uniform(-radius, radius, order)
    if kind == 3:
        poles = np.clip(poles[0] + 1e-3 * rng.standard_normal(order), -radius, radius)
    weights = rng.standard_normal(order) if kind == 1 else rng.uniform(0.1, 1, order)
    return (poles, weights), radius


def test_order_bound_on_random_pairs(rng):
    """Any two systems: complex poles, signed weights, 2 000 pairs."""
    worst = 0.0
    for trial in range(2000):
        (d, d_hat), q = rng.integers(1, 4, 2), np.arange(50)
        (poles, weights), first = random_truth(rng, int(d), trial % 4)
        (others, loads), second = random_truth(rng, int(d_hat), (trial // 4) % 4)
        if trial % 2:
            # Close systems, where all of the difference is extrapolation.
            others, loads = poles * (1 - 1e-4), weights * (1 + 1e-5)
            d_hat, second = d, first
        powers = q[:, None].astype(float)
        gap = np.abs((poles**powers) @ weights - (others**powers) @ loads)
        error, radius = gap[: d + d_hat].max(), max(first, second)
        bound = order_bound(int(d + d_hat), q, radius=radius, error=error)
        assert np.all(gap <= bound * (1 + 1e-9) + 1e-12 * radius**q)
        worst = max(worst, float(np.max(gap[6:] / bound[6:])))
    assert worst > 0.05


@pytest.mark.parametrize("order", [0, 1, 2, 5])
@pytest.mark.parametrize("radius", [1.0, 1.25, 2.0])
def test_bounds_are_their_formulas(order, radius):
    """Against exact fractions."""
    R = Fraction(radius)
    for q in (2 * order + 1, 2 * order + 2, 37, 100):
        head = sum(Fraction(comb(q, i) * 2**i) for i in range(2 * order))
        exact = comb(q, 2 * order) * 4**order * R ** (q - 2 * order) + head
        found = float(extrapolation_bound(order, q, radius=radius, error=0.25))
        assert float(exact / 4) <= found <= float(exact / 4) * (1 + 1e-10)
        exact = sum(comb(q, i) * R ** (q - i) * (1 + R) ** i for i in range(order))
        found = float(order_bound(order, q, radius=radius, error=0.25))
        assert float(exact / 4) <= found <= float(exact / 4) * (1 + 1e-10)
    inside = np.arange(2 * order + 1)
    np.testing.assert_array_equal(
        extrapolation_bound(order, inside, radius=radius, error=0.25), np.full(len(inside), 0.25)
    )


def test_b1_in_the_smallest_case():
    """d̂ = 1, q = 3, r = R = 1: C(3,2)·4 + C(3,0) + C(3,1)·2 = 19."""
    assert float(extrapolation_bound(1, 3, radius=0.3, error=1.0)) == pytest.approx(19, rel=1e-12)


@pytest.mark.filterwarnings("error")
def test_bounds_overflow_to_infinity_and_never_to_nan():
    far = np.array([[0, 5, 10**3], [10**6, 10**9, 10**12]])
    for radius in (0.0, 0.5, 1.0, 3.0):
        for error in (0.0, 1e-300, 1.0, np.inf):
            for target_radius in (0.0, 0.9, 1.0, 2.0):
                for order in (0, 1, 40):
                    bound = extrapolation_bound(
                        order, far, radius=radius, error=error, target_radius=target_radius
                    )
                    other = order_bound(order, far, radius=radius, error=error)
                    for found in (bound, other):
                        assert found.shape == far.shape
                        assert not np.isnan(found).any()
                        assert np.all(found >= 0)
    assert extrapolation_bound(40, 10**6, radius=3.0, error=1.0) == np.inf
    assert extrapolation_bound(40, 10**9, radius=3.0, error=0.0) == 0
    # A huge binomial meets a tiny error: neither alone is a float.
    head = sum(comb(10**4, i) * 2**i for i in range(200)) + comb(10**4, 200) * 4**100
    found = float(extrapolation_bound(100, 10**4, radius=1.0, error=1e-300))
    assert found == pytest.approx(float(head * Fraction(1e-300)), rel=1e-8)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: AtomicMeasure(np.zeros(2), np.ones(3)), "one weight per atom"),
        (lambda: AtomicMeasure(np.zeros(1), -np.ones(1)), "negative"),
        (lambda: AtomicMeasure(np.array([np.inf]), np.ones(1)), "finite"),
        (lambda: AtomicMeasure(np.zeros(1), np.ones(1)).moments(-1), "moments"),
        (
            lambda: wasserstein1(
                AtomicMeasure(np.zeros(1), np.ones(1)), AtomicMeasure(np.zeros(1), 2 * np.ones(1))
            ),
            "equal masses",
        ),
        (lambda: moment_comparison_bound(-1, radius=1.0, distance=1.0), "0 or more"),
        (lambda: extrapolation_bound(1, 5, radius=1.0, error=float("nan")), "0 or more"),
        (lambda: extrapolation_bound(1, 5, radius=float("nan"), error=1.0), "radii"),
        (lambda: order_bound(-1, 5, radius=1.0, error=1.0), "0 or more"),
    ],
)
def test_mistakes(make, words):
    with pytest.raises(RemanenceError, match=words):
        make()
