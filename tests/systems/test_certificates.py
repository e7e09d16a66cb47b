"""Certificates: never wrong, and given where a theorem gives them."""

import numpy as np
import pytest

from remanence.errors import RemanenceError
from remanence.systems import (
    Certificate,
    DiagonalStateSpace,
    StateSpace,
    damped_rotation,
    delay_teacher,
    extrapolation_certificate,
    jacobi_counterexample,
    shortest_counterexample,
    signed_teacher,
    spread_teacher,
)


def matrices(system):
    return tuple(np.asarray(m, np.float64) for m in (system.A, system.B, system.C))


def response(system, length):
    """By powers, entry by entry: the tests' own."""
    A, B, C = matrices(system)
    found, state = [], B
    for _ in range(length):
        found.append(C @ state)
        state = A @ state
    found = np.array(found)
    found[0] += np.asarray(system.D)
    return found


def scalar(system, length):
    return response(system, length)[:, 0, 0]


def padded(system, extra, rng, hidden=True):
    """The same response with `extra` states that nothing reaches, in scrambled coordinates."""
    A, B, C = matrices(system)
    n = len(A) + extra
    bigger = np.zeros((n, n))
    bigger[: len(A), : len(A)] = A
    bigger[len(A) :, len(A) :] = np.diag(rng.uniform(-0.9, 0.9, extra))
    B = np.vstack([B, np.zeros((extra, B.shape[1]))])
    C = np.hstack([C, rng.standard_normal((C.shape[0], extra)) * hidden])
    T = np.linalg.qr(rng.standard_normal((n, n)))[0]
    return StateSpace(T @ bigger @ T.T, T @ B, C @ T.T)


TRUTHS = {
    "spread": lambda: spread_teacher(2),
    "signed": lambda: signed_teacher(np.array([0.9, -0.5]), np.array([0.6, -0.4])),
    "rotation": lambda: damped_rotation(0.9, 1.0),
    "delay": lambda: delay_teacher(2),
}


@pytest.mark.parametrize("name", TRUTHS)
@pytest.mark.parametrize("extra", [0, 1, 3])
@pytest.mark.parametrize("horizon", [None, 40])
def test_order_theorem_certifies_from_the_sum_of_orders(name, extra, horizon, rng):
    """d = 2, d̂ = 2, whatever the number of useless states: k = 4 certifies, k = 3 does not."""
    truth = TRUTHS[name]().system
    student = padded(truth, extra, rng)
    target = scalar(truth, 10)
    for length in range(1, 11):
        found = extrapolation_certificate(
            student, length=length, target=target, target_order=2, horizon=horizon
        )
        assert found.certified == (length >= 4), found.summary()
        if found.certified:
            assert found.theorem == "order" or (name == "spread" and length >= 5)
            assert found.bound is None if horizon is None else found.bound < 1e-6
            assert "certified by the" in found.summary()
        else:
            assert found.theorem is None
            assert any(a.status == "violated" for a in found.assumptions)
            assert found.summary().startswith("Not certified")


def test_moment_theorem_certifies_whatever_the_order():
    """A full-rank balanced student, near the truth: only the moment theorem can speak, from
    2d̂ + 1 lags on, with light atoms of total weight 1e-11 that no low order explains."""
    rng = np.random.default_rng(3)
    truth = spread_teacher(2).system
    A, B, _ = matrices(truth)
    light = np.sqrt(1e-11 * rng.uniform(0.5, 1, 6))
    poles = np.concatenate([np.diag(A), rng.uniform(-0.9, 0.9, 6)])
    b = np.concatenate([B[:, 0], light])[:, None]
    student, target = StateSpace(np.diag(poles), b, b.T), scalar(truth, 30)
    for length in range(2, 9):
        options = {"length": length, "target": target, "target_order": 2}
        found = extrapolation_certificate(student, horizon=30, **options)
        true = np.abs(scalar(student, 31) - scalar(truth, 31)).max()
        assert found.certified == (length >= 4), found.summary()
        if found.certified:
            assert true <= found.bound < 1e-3
    # In exact arithmetic the same, for a student that is the truth in eight states.
    T = np.linalg.qr(rng.standard_normal((8, 8)))[0]
    split = np.repeat(np.diag(A), 4)
    b = T @ (np.repeat(B[:, 0], 4) / 2)[:, None]
    found = extrapolation_certificate(
        StateSpace(T @ np.diag(split) @ T.T, b, b.T), length=5, target=target, target_order=2
    )
    assert found.certified


def test_moments_alone_certify():
    """Five spread atoms, truth of order 1, three lags, error 1e-4: the order theorem would need
    a reduction to order 2, off by far more."""
    truth = np.full(40, 1.0) * 0.5 ** np.arange(40)
    atoms = 0.5 + 1e-3 * np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    b = np.full((5, 1), np.sqrt(0.2))
    student = StateSpace(np.diag(atoms), b, b.T)
    options = {"target": truth, "target_order": 1, "target_radius": 0.5}
    found = extrapolation_certificate(student, length=3, horizon=30, **options)
    assert found.certified
    true = np.abs(scalar(student, 31) - truth[:31]).max()
    assert true <= found.bound < 1e-3
    # The mirrored system is a negative measure: the same theorem.
    mirrored = StateSpace(np.diag(atoms), b, -b.T)
    options["target"] = -truth
    again = extrapolation_certificate(mirrored, length=3, horizon=30, **options)
    assert again.bound == pytest.approx(found.bound, rel=1e-6)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("excess", [1e-3, 0.5])
@pytest.mark.parametrize("horizon", [None, 2, 30])
def test_refuses_the_balanced_counterexample(order, excess, horizon):
    """k = 2d̂: exact on all lags, balanced, and wrong at the next."""
    truth = scalar(spread_teacher(order).system, 60)
    student = jacobi_counterexample(truth, order=order, excess=excess)
    options = {"target": truth, "target_order": order}
    found = extrapolation_certificate(student, length=2 * order, horizon=horizon, **options)
    if horizon is None or horizon >= 2 * order:
        assert_never_wrong(found, student, truth)
        assert not found.certified or (horizon is not None and found.bound >= excess)
    if horizon is None:
        assert not found.certified
    # One lag more shows the error.
    longer = extrapolation_certificate(student, length=2 * order + 1, **options)
    assert not longer.certified
    assert longer.error == pytest.approx(excess, rel=1e-6)


@pytest.mark.parametrize("name", TRUTHS)
@pytest.mark.parametrize("k", [4, 5, 8])
@pytest.mark.parametrize("horizon", [None, 30])
def test_refuses_the_shortest_counterexample(name, k, horizon):
    truth = scalar(TRUTHS[name]().system, 60)
    student = shortest_counterexample(truth[:k], excess=0.7)
    for model in (student, scalar(student, 40)):
        found = extrapolation_certificate(
            model, length=k, target=truth, target_order=2, horizon=horizon
        )
        assert not found.certified, found.summary()
        assert found.bound is None or found.bound >= 0.7


def assert_never_wrong(found: Certificate, student, truth):
    if found.bound is not None:
        gap = np.abs(scalar(student, found.horizon + 1) - truth[: found.horizon + 1])
        assert gap.max() <= found.bound, found.summary()


def random_triple(rng):
    """A truth of order d̂ and radius ≤ 1, a student, and a length: exact, near, or anything."""
    d_hat = int(rng.integers(1, 4))
    poles = rng.uniform(-1, 1, d_hat)
    signs = rng.choice([-1.0, 1.0], d_hat) if rng.random() < 0.4 else np.ones(d_hat)
    weights = rng.uniform(0.2, 1, d_hat)
    A, B, C = np.diag(poles), np.sqrt(weights)[:, None], (signs * np.sqrt(weights))[None, :]
    if d_hat > 1 and rng.random() < 0.3:
        radius, phase = rng.uniform(0.3, 1), rng.uniform(0, np.pi)
        c, s = radius * np.cos(phase), radius * np.sin(phase)
        A[:2, :2] = [[c, -s], [s, c]]
    truth = StateSpace(A, B, C)
    kind, size = rng.integers(6), 10.0 ** rng.uniform(-14, -1)
    extra = int(rng.integers(0, 4))
    length = int(rng.integers(1, 2 * d_hat + extra + 4))
    if kind == 0:
        student = padded(truth, extra, rng)
    elif kind == 1:
        # Balanced and near: atoms and weights moved, light atoms added.
        moved = np.append(poles, rng.uniform(-1, 1, extra)) + size * rng.standard_normal(
            d_hat + extra
        )
        masses = np.append(weights, size * rng.uniform(0, 1, extra))
        root = np.sqrt(np.abs(masses))[:, None]
        student = StateSpace(np.diag(moved), root, root.T)
    elif kind == 2:
        # Everything perturbed: unbalanced, of full order.
        A, B, C = matrices(padded(truth, extra, rng))
        student = StateSpace(*(m + size * rng.standard_normal(m.shape) for m in (A, B, C)))
    elif kind == 3:
        # Exact on all fitted lags, wrong after them, by little or by much.
        g = scalar(truth, 60)
        if (signs > 0).all() and np.all(np.diag(np.diag(A)) == A) and rng.random() < 0.5:
            length = 2 * d_hat
            try:
                student = jacobi_counterexample(g, order=d_hat, excess=size)
            except RemanenceError:
                student = truth
        else:
            length = 2 * d_hat + int(rng.integers(0, 4))
            student = shortest_counterexample(g[: 2 * d_hat + extra], excess=size)
    elif kind == 4:
        # A direct term that is the difference.
        student = StateSpace(A, B, C, [[size]])
    else:
        n = d_hat + extra
        student = StateSpace(*(rng.standard_normal(s) / 2 for s in ((n, n), (n, 1), (1, n))))
    return truth, student, d_hat, length, size


def test_never_wrong():
    """1 100 triples: whatever is stated about lags up to 5k + 20, certified or not, is true."""
    rng = np.random.default_rng(11)
    certified, useful = {"order": 0, "moments": 0}, 0
    for _ in range(1100):
        truth, student, d_hat, length, _ = random_triple(rng)
        horizon = 5 * length + 20
        g = scalar(truth, horizon + 1)
        assumed = d_hat + int(rng.integers(0, 2))
        found = extrapolation_certificate(
            student, length=length, target=g[:length], target_order=assumed, horizon=horizon
        )
        if found.bound is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                gap = np.abs(scalar(student, horizon + 1) - g)
            assert np.nan_to_num(gap, nan=np.inf).max() <= found.bound, found.summary()
        if found.certified:
            assert found.bound is not None
            assert found.bound <= 0.1 * np.abs(g[:length]).max()
            assert found.theorem is not None
            certified[found.theorem] += 1
            useful += found.bound > 0 and gap.max() > 1e-12
    # The test can fail: it sees many certificates of both kinds, not only of exact fits.
    assert certified["order"] > 100
    assert certified["moments"] > 20
    assert useful > 50


def test_exact_certificates_are_never_wrong():
    """1 000 triples without a horizon: where one is certified, the model is right far beyond."""
    rng = np.random.default_rng(12)
    given = 0
    for _ in range(1000):
        truth, student, d_hat, length, size = random_triple(rng)
        far = 5 * length + 20
        g = scalar(truth, far)
        found = extrapolation_certificate(
            student, length=length, target=g[:length], target_order=d_hat
        )
        if found.certified:
            given += 1
            assert found.bound is None
            # What the tolerance lets through is amplified, as the summary says: `size` is below
            # 1e-8 there. Nothing larger gets a certificate.
            gap = np.abs(scalar(student, far) - g).max()
            assert gap < 1e-9 or size < 1e-8, found.summary()
    assert given > 150


def test_truth_of_higher_order_is_noticed():
    truth = spread_teacher(3).system
    found = extrapolation_certificate(
        truth, length=9, target=scalar(truth, 9), target_order=2, horizon=20
    )
    assert not found.certified
    assert "order at most 2" in found.summary()


def test_truth_of_larger_radius_is_noticed():
    growing = StateSpace([[1.1]], [[1.0]], [[1.0]])
    options = {"length": 4, "target": scalar(growing, 4), "target_order": 1, "horizon": 8}
    assert not extrapolation_certificate(growing, **options).certified
    assert extrapolation_certificate(growing, target_radius=1.1, **options).certified


def test_no_order_no_certificate():
    truth = spread_teacher(2).system
    found = extrapolation_certificate(truth, length=9, target=scalar(truth, 9))
    assert not found.certified
    assert "target_order" in found.summary()


def test_without_a_target_the_fit_is_taken_on_trust():
    found = extrapolation_certificate(spread_teacher(2).system, length=4, target_order=2)
    assert found.certified
    assert {a.status for a in found.assumptions} == {"assumed", "verified"}
    assert "the fit is exact" in found.summary()


def test_inexact_fit_has_no_exact_certificate():
    truth = spread_teacher(2).system
    target = scalar(truth, 8) + 1e-6
    found = extrapolation_certificate(truth, length=6, target=target[:6], target_order=3)
    assert not found.certified
    assert found.error == pytest.approx(1e-6)


def test_accuracy_is_the_callers():
    truth = spread_teacher(2).system
    A, B, C = matrices(truth)
    student = StateSpace(A, B * (1 + 1e-6), C)
    options = {"length": 5, "target": scalar(truth, 5), "target_order": 2, "horizon": 12}
    loose = extrapolation_certificate(student, **options)
    tight = extrapolation_certificate(student, accuracy=1e-7, **options)
    assert (loose.certified, tight.certified) == (True, False)
    assert loose.bound == tight.bound > 1e-6
    assert "more than 1e-07 times" in tight.summary()


def test_markov_parameters_and_diagonal_systems_are_models_too():
    truth = damped_rotation(0.9, 1.0).system
    diagonal = DiagonalStateSpace(
        np.array([0.9 * np.exp(1j)]), np.array([[0.5 + 0j]]), np.array([[1.0 + 0j]])
    )
    options = {"length": 5, "target": scalar(truth, 5), "target_order": 2, "horizon": 20}
    assert extrapolation_certificate(diagonal, **options).certified
    array = extrapolation_certificate(scalar(truth, 6), **options)
    assert array.certified
    assert array.assumptions[0].status == "assumed"
    # Too few to say how they go on.
    options |= {"length": 3, "target": scalar(truth, 3)}
    assert not extrapolation_certificate(scalar(truth, 3), **options).certified


@pytest.mark.parametrize("direct", [False, True])
def test_several_ports(make_dense, direct, rng):
    """Orders 4 + 4 (with the direct term's rank: 6 + 6): any ports, never fewer lags."""
    truth = make_dense(4, 3, 2, 0.8, 91, direct)
    order = 6 if direct else 4
    T = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    A, B, C = matrices(truth)
    student = StateSpace(T @ A @ T.T, T @ B, C @ T.T, truth.D)
    target = response(truth, 2 * order)
    for length in (2 * order - 1, 2 * order):
        found = extrapolation_certificate(
            student, length=length, target=target, target_order=order
        )
        assert found.certified == (length == 2 * order)
    bounded = extrapolation_certificate(
        student, length=2 * order, target=target, target_order=order, horizon=2 * order + 2
    )
    assert bounded.certified
    gap = np.abs(response(student, 2 * order + 3) - response(truth, 2 * order + 3)).max()
    assert gap <= bounded.bound


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"length": 0}, "length"),
        ({"horizon": -1}, "horizon"),
        ({"target_order": -1}, "target_order"),
        ({"target_radius": float("nan")}, "target_radius"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"target": np.ones(3)}, "target has shape"),
        ({"target": np.full(6, np.nan)}, "finite"),
        ({"model": np.ones(3)}, "Markov parameter"),
    ],
)
def test_mistakes(change, words):
    given = {"model": spread_teacher(2).system, "length": 5, "target": np.ones(6)} | change
    with pytest.raises(RemanenceError, match=words):
        extrapolation_certificate(given.pop("model"), **given)


def test_a_light_mode_that_grows_is_not_certified_without_a_horizon():
    """Numerically of rank 2 on the fitted lags, 1e22 off at lag 200."""
    root = np.sqrt(np.array([0.5, 0.5, 1e-13]))
    model = StateSpace(np.diag([0.9, -0.5, 1.5]), root[:, None], root[None, :])
    lags = np.arange(4.0)
    target = 0.5 * 0.9**lags + 0.5 * (-0.5) ** lags
    assert not extrapolation_certificate(model, length=4, target=target, target_order=2).certified


def test_the_values_given_are_what_is_bounded(rng):
    """An array is judged by its own values, not by those of its realisation."""
    exact = 0.9 ** np.arange(40.0)
    values = exact * (1 + 1e-9 * rng.normal(size=40))
    certificate = extrapolation_certificate(
        values, length=20, target=exact, target_order=1, horizon=10, tolerance=1e-6
    )
    assert certificate.bound is not None
    assert certificate.bound >= np.abs(values - exact)[:11].max()
    assert certificate.error >= np.abs(values - exact)[:20].max()


def test_what_cancels_is_allowed_for():
    model = StateSpace(0.5 * np.eye(3), np.ones((3, 1)), np.array([[1e16, 1.0, -1e16]]))
    found = extrapolation_certificate(
        model, length=3, target=np.zeros(3), target_order=0, horizon=10
    )
    assert not found.certified


def test_target_beyond_the_fitted_lags_can_speak_against_its_order():
    lags = np.arange(40.0)
    model = StateSpace(np.array([[0.9]]), np.ones((1, 1)), np.ones((1, 1)))
    target = 0.9**lags
    target[8:] = 5.0
    found = extrapolation_certificate(model, length=8, target=target, target_order=1, horizon=39)
    assert not found.certified


def test_an_infinite_accuracy_certifies_nothing():
    model = StateSpace(np.array([[0.9]]), np.ones((1, 1)), np.ones((1, 1)))
    with pytest.raises(RemanenceError, match="accuracy be finite"):
        extrapolation_certificate(model, length=4, target_order=1, accuracy=np.inf)
