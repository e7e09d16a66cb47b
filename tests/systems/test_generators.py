"""Teachers: responses against closed forms, orders against Hankel ranks, norms against orbits."""

import jax
import numpy as np
import pytest

from remanence.errors import NumericalError, RemanenceError
from remanence.systems import (
    StateSpace,
    balanced_teacher,
    damped_rotation,
    delay_teacher,
    hankel_matrix,
    memoryless_teacher,
    minimal_norm,
    ring_teacher,
    signed_teacher,
    spread_teacher,
)

J = np.arange(40)
TEACHERS = {
    "balanced": (
        lambda: balanced_teacher(np.array([0.9, -0.5, 0.2]), np.array([1.0, 2.0, 0.5])),
        0.9**J + 2 * (-0.5) ** J + 0.5 * 0.2**J,
    ),
    "spread 1": (lambda: spread_teacher(1), 0.92**J),
    "spread 2": (lambda: spread_teacher(2), 0.6 * 0.92**J + 0.4 * (-0.78) ** J),
    "spread 3": (lambda: spread_teacher(3), 0.4 * 0.92**J + 0.07**J / 3 + 0.8 / 3 * (-0.78) ** J),
    "signed": (
        lambda: signed_teacher(np.array([0.9, -0.5]), np.array([0.6, -0.4])),
        0.6 * 0.9**J - 0.4 * (-0.5) ** J,
    ),
    "rotation": (lambda: damped_rotation(0.9, 1.0), 0.9**J * np.cos(J)),
    "delay": (lambda: delay_teacher(5), (J == 4).astype(float)),
    "memoryless": (lambda: memoryless_teacher(-3.0), -3.0 * (J == 0)),
}
ALL = {name: make for name, (make, _) in TEACHERS.items()} | {
    "ring 3": lambda: ring_teacher(3, inner=0.5, outer=0.9, key=jax.random.key(1)),
    "ring 6": lambda: ring_teacher(6, inner=0.8, outer=0.95, key=jax.random.key(2)),
}


def matrices(system):
    return tuple(np.asarray(m, np.float64) for m in (system.A, system.B, system.C))


def norm(*parts):
    return sum(np.sum(m**2) for m in parts)


def moved(system, T):
    A, B, C = matrices(system)
    inverse = np.linalg.inv(T)
    return StateSpace(T @ A @ inverse, T @ B, C @ inverse)


@pytest.mark.parametrize("name", TEACHERS)
def test_response_is_the_closed_form(name):
    make, expected = TEACHERS[name]
    response = np.asarray(make().system.impulse_response(len(J)))[:, 0, 0]
    np.testing.assert_allclose(response, expected, rtol=0, atol=2e-15 * np.abs(expected).max())


@pytest.mark.parametrize("name", ALL)
def test_order_is_the_hankel_rank(name):
    teacher = ALL[name]()
    assert teacher.order == teacher.system.order
    response = np.asarray(teacher.system.impulse_response(2 * teacher.order + 7))
    values = np.linalg.svd(hankel_matrix(response), compute_uv=False)
    assert np.sum(values > 1e-12 * values[0]) == teacher.order
    assert np.sum(values > 1e-9 * values[0]) == teacher.order


@pytest.mark.parametrize("name", ALL)
def test_minimal_norm_is_the_lowest_of_the_orbit(name, rng):
    """Never beaten by a similar system, near or far; and the same from wherever it starts."""
    teacher = ALL[name]()
    shape = (teacher.order, teacher.order)
    assert norm(*matrices(teacher.system)) >= teacher.minimal_norm * (1 - 1e-12)
    for scale in (1e-3, 0.1, 1.0):
        for _ in range(20):
            T = np.eye(teacher.order) + scale * rng.standard_normal(shape)
            similar = moved(teacher.system, T)
            assert norm(*matrices(similar)) >= teacher.minimal_norm * (1 - 1e-10)
        assert minimal_norm(similar) == pytest.approx(teacher.minimal_norm, rel=1e-9)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("signed", 2.7327), ("rotation", 3.62), ("spread 3", 3.4597), ("delay", 6.0)],
)
def test_published_norms(name, expected):
    teacher = ALL[name]()
    assert teacher.minimal_norm == pytest.approx(expected, abs=5e-5)
    assert minimal_norm(teacher.system) == pytest.approx(teacher.minimal_norm, rel=1e-12)


def test_scalar_norm_has_a_closed_form():
    """Order 1: `λ² + 2 |c b|`, from far away."""
    system = StateSpace([[-0.3]], [[1e6]], [[-2e-7]])
    assert minimal_norm(system) == pytest.approx(0.09 + 0.4, rel=1e-10)


def test_unreachable_parts_cost_only_their_poles():
    """Not minimal: the infimum is approached, `λ²` for the hidden mode."""
    system = StateSpace(np.diag([0.5, 0.3]), [[1.0], [1.0]], [[1.0, 0.0]])
    assert minimal_norm(system) == pytest.approx(0.25 + 0.09 + 2, rel=1e-8)


def test_several_ports(make_dense, rng):
    system = make_dense(4, 3, 2, 0.9, 77, True)
    lowest = minimal_norm(system)
    for scale in (1e-3, 0.1, 0.5):
        similar = moved(system, np.eye(4) + scale * rng.standard_normal((4, 4)))
        assert norm(*matrices(similar)) >= lowest * (1 - 1e-10)
        assert minimal_norm(similar) == pytest.approx(lowest, rel=1e-9)


@pytest.mark.parametrize(
    ("order", "inner", "outer"), [(1, 0.2, 0.3), (5, 0.8, 0.95), (8, 1.0, 1.0)]
)
def test_ring_poles_lie_in_the_ring(order, inner, outer):
    teacher = ring_teacher(order, inner=inner, outer=outer, key=jax.random.key(3))
    magnitudes = np.abs(teacher.system.poles())
    assert np.all((magnitudes >= inner - 1e-9) & (magnitudes <= outer + 1e-9))


def test_ring_is_its_key():
    first, again, other = (
        ring_teacher(4, inner=0.1, outer=0.9, key=jax.random.key(seed)) for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first.system.A, again.system.A)
    assert not np.allclose(first.system.A, other.system.A)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: balanced_teacher(np.array([0.5]), np.array([-1.0])), "positive weights"),
        (lambda: balanced_teacher(np.array([0.5, 0.5]), np.array([1.0, 2.0])), "repeated"),
        (lambda: signed_teacher(np.array([0.5]), np.array([0.0])), "zero"),
        (lambda: signed_teacher(np.array([np.nan]), np.array([1.0])), "finite"),
        (lambda: balanced_teacher(np.zeros(0), np.zeros(0)), "at least one"),
        (lambda: damped_rotation(0.9, np.pi), "multiple of π"),
        (lambda: damped_rotation(0.0, 1.0), "magnitude"),
        (lambda: delay_teacher(0), "at least 1"),
        (lambda: spread_teacher(-1), "at least 1"),
        (lambda: memoryless_teacher(0.0), "gain"),
        (lambda: ring_teacher(2, inner=0.9, outer=0.5, key=jax.random.key(0)), "ring"),
    ],
)
def test_mistakes(make, words):
    with pytest.raises(RemanenceError, match=words):
        make()


def test_norm_of_nan():
    with pytest.raises(NumericalError, match="NaN"):
        minimal_norm(StateSpace([[np.nan]], [[1.0]], [[1.0]]))
