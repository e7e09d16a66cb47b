"""The disc in polar coordinates, against exact arithmetic, geodesic equations and sums."""

import jax
import jax.numpy as jnp
import jaxtyping
import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp

from remanence.errors import RemanenceError
from remanence.theory.disc import (
    blaschke_factor,
    disc_eigenvalues,
    disc_points,
    exponential_map,
    hyperbolic_distance,
    hyperbolic_gradient,
    log_magnitude,
    logarithm_map,
    moebius,
    normalised_overlap,
    overlap_matrix,
    parallel_transport,
    points_from_memory,
    pseudo_distance,
    separation,
    squared_gap,
)
from remanence.theory.geometry import overlap, pseudo_hyperbolic_distance


@pytest.fixture
def as_users_run_it(monkeypatch):
    """Without the run-time check of types, which users do not have."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


EXP, LOG = jax.jit(exponential_map), jax.jit(logarithm_map)
TRANSPORT, DISTANCE = jax.jit(parallel_transport), jax.jit(hyperbolic_distance)


def random_points(rng, count, longest=28.3):
    return np.stack([rng.uniform(0.01, longest, count), rng.uniform(-3, 3, count)])


def neighbours(rng, points):
    """Others at any memory, their phases from close by to far away."""
    turned = 10 ** rng.uniform(-13, 0.4, points.shape[1])
    return np.stack([rng.permutation(points[0]), points[1] + turned])


def exact(point):
    return mpmath.tanh(mpmath.mpf(float(point[0])) / 2) * mpmath.expj(float(point[1]))


def relative(value, true):
    value = mpmath.mpmathify(complex(value) if np.iscomplexobj(value) else float(value))
    return float(abs(value - true) / abs(true))


def test_distance_overlap_and_energy_law_in_exact_arithmetic(rng):
    """HY1: memories to 1e12 keep 12 digits, of `1 − |o|²` as of `|o|²`."""
    first = random_points(rng, 40)
    second = neighbours(rng, first)
    distance, pseudo = DISTANCE(first, second), pseudo_distance(first, second)
    overlaps, factors = normalised_overlap(first, second), blaschke_factor(first, second)
    gaps, logs = squared_gap(first), log_magnitude(first)
    with mpmath.workdps(60):
        for i in range(first.shape[1]):
            a, b = exact(first[:, i]), exact(second[:, i])
            rho = (a - b) / (1 - mpmath.conj(b) * a)
            gap, other = 1 - abs(a) ** 2, 1 - abs(b) ** 2
            o = mpmath.sqrt(gap * other) / (1 - a * mpmath.conj(b))
            assert relative(distance[i], 2 * mpmath.atanh(abs(rho))) < 1e-13
            assert relative(pseudo[i], abs(rho)) < 1e-13
            assert relative(pseudo[i] ** 2, 1 - abs(o) ** 2) < 1e-12
            assert relative(1 / (1 + separation(first, second)[i]), abs(o) ** 2) < 1e-12
            assert relative(np.asarray(overlaps)[i], o) < 1e-13
            turned = rho * mpmath.expj(-float(second[1, i]))
            assert relative(np.asarray(factors)[i], turned) < 1e-13
            assert relative(gaps[i], gap) < 1e-13
            assert relative(logs[i], mpmath.log(abs(a))) < 1e-13


def test_maps_in_exact_arithmetic(rng):
    points = random_points(rng, 40)
    tangents = rng.normal(size=(2, 40)) * 10 ** rng.uniform(-8, 1.2, 40)
    tangents[:, 0] = 0
    tangents[:, 1:8] = [-points[0, 1:8] * np.linspace(0.3, 2.1, 7), 1e-9 * np.ones(7)]
    by = neighbours(rng, points)
    moved, shifted = EXP(points, tangents), moebius(points, by)
    with mpmath.workdps(60):
        for i in range(points.shape[1]):
            a, b, s = exact(points[:, i]), exact(by[:, i]), mpmath.mpc(*tangents[:, i])
            length = abs(s)
            sigma = mpmath.tanh(length / 2) * s / length if length else mpmath.mpc(0)
            sigma *= mpmath.expj(float(points[1, i]))
            for value, true in (
                (moved, (a + sigma) / (1 + mpmath.conj(a) * sigma)),
                (shifted, (a + b) / (1 + mpmath.conj(b) * a)),
            ):
                assert abs(float(value[0, i]) - 2 * mpmath.atanh(abs(true))) < 3e-14
                assert abs(mpmath.expj(float(value[1, i])) - true / abs(true)) < 2e-15


def test_moebius_maps_are_isometries_and_distances_a_metric(rng):
    a, b, c = (random_points(rng, 200, 12.0) for _ in range(3))
    moved = DISTANCE(moebius(a, c), moebius(b, c))
    # Phases are rounded: eps/ε of distance.
    assert np.allclose(moved, DISTANCE(a, b), rtol=0, atol=1e-10)
    centre = np.zeros_like(c)
    assert np.allclose(moebius(centre, c), c, rtol=1e-15)
    ab, bc, ac = DISTANCE(a, b), DISTANCE(b, c), DISTANCE(a, c)
    assert np.all(ac <= (ab + bc) * (1 + 1e-12))
    half = EXP(a, 0.5 * LOG(a, b))
    assert np.allclose(DISTANCE(a, half) + DISTANCE(half, b), ab, rtol=1e-10)
    assert np.all(DISTANCE(a, a) == 0)


def test_logarithm_inverts_the_exponential_map(rng):
    a = random_points(rng, 60)
    b = neighbours(rng, a)
    back = EXP(a, LOG(a, b))
    assert np.allclose(back, b, rtol=0, atol=2e-13)
    assert np.allclose(np.linalg.norm(LOG(a, b), axis=0), DISTANCE(a, b), rtol=1e-12)
    short = 1e-3 * rng.normal(size=(2, 60))
    near = random_points(rng, 60, 6.0)
    assert np.allclose(LOG(near, EXP(near, short)), short, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    ("start", "tangent"),
    [((1.0, 0.3), (0.4, 0.6)), ((2.0, -1.0), (-1.5, 1.1)), ((0.7, 2.0), (-1.0, -0.2))],
)
def test_geodesics_and_transport_solve_their_equations(start, tangent):
    """`R'' = sinh R cosh R θ'²`, `θ'' = −2 coth R R'θ'`, and the frame turns by `cosh R dθ`."""

    def equations(_, y):
        R, _, dR, dt, _ = y
        second = np.sinh(R) * np.cosh(R) * dt**2, -2 / np.tanh(R) * dR * dt
        return [dR, dt, *second, np.cosh(R) * dt]

    begin = [*start, tangent[0], tangent[1] / np.sinh(start[0]), 0.0]
    end = solve_ivp(equations, (0, 1), begin, rtol=1e-12, atol=1e-13).y[:, -1]
    point, along = np.array(start), np.array(tangent)
    assert np.allclose(EXP(point, along), end[:2], rtol=1e-9)
    velocity = np.array([end[2], end[3] * np.sinh(end[0])])
    assert np.allclose(TRANSPORT(point, along, along), velocity, rtol=1e-8)
    u, v = 0.3, -0.8
    turned = (u + 1j * v) * np.exp(-1j * end[4])
    carried = TRANSPORT(point, along, np.array([u, v]))
    assert np.allclose(carried, [turned.real, turned.imag], rtol=1e-8)


def test_transport_keeps_inner_products_and_turns_round_a_triangle_by_its_area(rng):
    a = random_points(rng, 30, 20.0)
    along, u, v = rng.normal(size=(3, 2, 30)) * np.array([5.0, 1.0, 1.0])[:, None, None]
    carried = [TRANSPORT(a, along, w) for w in (u, v)]
    for first, second in ((0, 0), (0, 1)):
        before = np.sum([u, v][first] * [u, v][second], axis=0)
        after = np.sum(np.asarray(carried[first]) * np.asarray(carried[second]), axis=0)
        assert np.allclose(before, after, rtol=0, atol=1e-14 * 30)
    size = 1e-3
    corner = np.array([1.3, 0.4])
    corners = [corner, EXP(corner, np.array([size, 0.0])), EXP(corner, np.array([0.0, size]))]
    vector, angles = np.array([1.0, 0.0]), 0.0
    for i in range(3):
        here, ahead, behind = (np.asarray(corners[(i + k) % 3]) for k in (0, 1, 2))
        to, back = (np.asarray(LOG(here, other)) for other in (ahead, behind))
        angles += np.arccos(to @ back / np.linalg.norm(to) / np.linalg.norm(back))
        vector = TRANSPORT(here, LOG(here, ahead), vector)
    area = size**2 / 2
    assert np.isclose((np.pi - angles) / area, 1, atol=1e-3)
    assert np.isclose(abs(float(vector[1])) / area, 1, atol=1e-3)


def test_derivatives_are_finite_and_right_where_things_vanish():
    point = jnp.array([3.0, 0.1])
    zero = jnp.zeros(2)
    scale = np.sinh(3.0)
    assert np.allclose(jax.jacobian(EXP, 1)(point, zero), np.diag([1, 1 / scale]), rtol=1e-13)
    assert np.allclose(jax.jacobian(LOG, 1)(point, point), np.diag([1, scale]), rtol=1e-13)
    assert np.all(jax.grad(DISTANCE)(point, point) == 0)
    turn = jax.jacobian(TRANSPORT, 1)(point, zero, jnp.array([1.0, 0.0]))
    assert np.allclose(turn[:, 1], [0, -1 / np.tanh(3.0)], atol=1e-13)
    assert np.allclose(turn[:, 0], 0)
    # Both sides of the change of formulas, at tangents of length 1 and at q = 0.01.
    for length in (1 - 1e-9, 1 + 1e-9):
        tangent = length * jnp.array([0.6, -0.8])
        step = 1e-6 * jnp.array([0.3, 0.7])
        change = (EXP(point, tangent + step) - EXP(point, tangent - step)) / 2
        assert np.allclose(jax.jacobian(EXP, 1)(point, tangent) @ step, change, rtol=1e-7)
    edge = 2 * np.arcsinh(0.1)
    for other in (3.0 + edge * (1 - 1e-9), 3.0 + edge * (1 + 1e-9)):
        assert np.isclose(LOG(point, jnp.array([other, 0.1]))[0], other - 3.0, rtol=1e-14)


def test_gradients_in_the_orthonormal_frame_are_half_the_gap_times_those_in_the_plane():
    def height(x, y):
        return jnp.sin(3 * x) + x * y**2

    def on_points(point):
        radius = jnp.tanh(point[0] / 2)
        return height(radius * jnp.cos(point[1]), radius * jnp.sin(point[1]))

    point = jnp.array([2.0, 0.7])
    eigenvalue = complex(disc_eigenvalues(point))
    plane = np.array(jax.grad(height, (0, 1))(eigenvalue.real, eigenvalue.imag))
    turned = (plane[0] + 1j * plane[1]) * np.exp(-0.7j) * (1 - abs(eigenvalue) ** 2) / 2
    value = hyperbolic_gradient(point, jax.grad(on_points)(point))
    assert np.allclose(value, [turned.real, turned.imag], rtol=1e-13)
    assert np.all(hyperbolic_gradient(jnp.zeros(2), jnp.array([1.0, 2.0])) == jnp.array([1.0, 0]))


def test_points_and_eigenvalues():
    eigenvalues = np.array([0.5j, -0.3, 0.9 * np.exp(2j), 1e-9 + 0j, 0.0])
    points = disc_points(eigenvalues)
    assert np.allclose(disc_eigenvalues(points), eigenvalues, rtol=1e-14, atol=0)
    real = disc_points(np.array([-0.6, 0.0, 0.99]))
    assert real.shape == (1, 3)
    assert np.allclose(disc_eigenvalues(real), [-0.6, 0, 0.99], rtol=1e-14)
    gaps = np.array([1.0, 0.5, 1e-6, 1e-12, 1e-30])
    memories = points_from_memory(gaps, np.full(5, 0.3))
    assert np.allclose(np.exp(-memories[0]), gaps / (2 - gaps), rtol=1e-13, atol=0)
    assert np.allclose(squared_gap(memories), gaps * (2 - gaps), rtol=1e-13, atol=0)
    assert np.allclose(log_magnitude(memories)[1:], np.log1p(-gaps[1:]), rtol=1e-13, atol=0)
    assert np.all(points_from_memory(gaps) == memories[:1])


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_eigenvalues_have_derivatives_to_rounding_at_any_memory(dtype):
    """`∂λ/∂R = ½ sech²(R/2) e^{iθ}`, 4e-26 at R = 60; both sides of the change of formulas."""
    radii = [0.0, 1e-9, 0.3, 0.999, 1.0, 1.001, 5.0, 14.5, 28.3, 40.0, 60.0]
    points = jnp.asarray([[*radii, -2.0, -40.0], [0.7] * (len(radii) + 2)], dtype)
    eps = float(jnp.finfo(dtype).eps)

    @jax.jit
    def slopes(points):
        summed = [lambda p: jnp.sum(disc_eigenvalues(p).real), lambda p: jnp.sum(log_magnitude(p))]
        real = jax.grad(lambda p: jnp.sum(disc_eigenvalues(p)))(points[:1])[0]
        return real, *(jax.grad(one)(points)[0] for one in summed)

    real, first, log = map(np.asarray, slopes(points))
    values = np.asarray(disc_eigenvalues(points[:1]))
    with mpmath.workdps(60):
        turn = mpmath.cos(mpmath.mpf(float(points[1, 0])))
        for i, radius in enumerate(np.asarray(points[0])):
            R = mpmath.mpf(float(radius))
            slope = 1 / (2 * mpmath.cosh(R / 2) ** 2)
            assert relative(real[i], slope) < 8 * eps
            assert relative(first[i], slope * turn) < 8 * eps
            if radius:
                assert relative(values[i], mpmath.tanh(R / 2)) < 4 * eps
                assert relative(log[i], 1 / mpmath.sinh(R)) < 8 * eps


def test_real_modes_are_points_on_the_axis(rng):
    a, b, tangent = rng.normal(size=(3, 1, 20)) * 3
    plane = [disc_points(disc_eigenvalues(value).astype(complex)) for value in (a, b)]
    assert np.allclose(DISTANCE(a, b), DISTANCE(*plane), rtol=1e-9)
    assert np.allclose(DISTANCE(a, plane[1]), DISTANCE(*plane), rtol=1e-9)
    assert np.allclose(normalised_overlap(a, b), normalised_overlap(*plane), rtol=1e-11)
    assert np.allclose(DISTANCE(EXP(a, tangent), a), np.abs(tangent[0]), rtol=1e-12)
    assert np.allclose(EXP(a, LOG(a, b)), b, rtol=1e-13)
    assert np.all(TRANSPORT(a, b, tangent) == tangent)
    moved = moebius(a, b)
    expected = (np.tanh(a / 2) + np.tanh(b / 2)) / (1 + np.tanh(a / 2) * np.tanh(b / 2))
    assert np.allclose(disc_eigenvalues(moved), expected[0], rtol=1e-12)


def test_overlap_matrix_is_that_of_the_kernels():
    eigenvalues = np.array([0.5, -0.3j, 0.9 * np.exp(2j)])
    kernels = np.sqrt(1 - abs(eigenvalues) ** 2)[:, None] * eigenvalues[:, None] ** np.arange(400)
    points = disc_points(eigenvalues)
    assert np.allclose(overlap_matrix(points), kernels @ kernels.conj().T, rtol=1e-13)
    other = np.array([0.4, -0.7])
    columns = np.sqrt(1 - other**2)[:, None] * other[:, None] ** np.arange(400)
    assert np.allclose(overlap_matrix(points, disc_points(other)), kernels @ columns.T, rtol=1e-13)
    near = points[:, ::-1]
    assert np.allclose(normalised_overlap(points, near), overlap(eigenvalues, eigenvalues[::-1]))
    direct = pseudo_hyperbolic_distance(eigenvalues[1:], eigenvalues[:2])
    assert np.allclose(pseudo_distance(points[:, 1:], points[:, :2]), direct, rtol=1e-12)


def test_float32_to_memories_of_a_million(rng):
    """Distances to 1e-6 in relative terms, moved radii to 4e-6, from the same rounded points."""
    points = random_points(rng, 300, 14.5).astype(np.float32)
    others = neighbours(rng, points).astype(np.float32)
    narrow = DISTANCE(points, others)
    assert narrow.dtype == jnp.float32
    distance = np.asarray(narrow, float)
    wide = [value.astype(np.float64) for value in (points, others)]
    assert np.allclose(distance, DISTANCE(*wide), rtol=1e-6, atol=0)
    tangents = rng.normal(size=(2, 300)).astype(np.float32)
    moved = EXP(points, tangents)
    true = EXP(wide[0], tangents.astype(np.float64))
    assert moved.dtype == jnp.float32
    assert np.allclose(np.asarray(moved[0], float), true[0], rtol=0, atol=4e-6)
    gap = points_from_memory(np.float32(1e-6), np.float32(1.0))
    assert np.isclose(float(squared_gap(gap)), 2e-6, rtol=4e-6)


def test_transformed_as_plain(rng):
    a, t = random_points(rng, 5, 5.0), rng.normal(size=(2, 5))
    each = jax.vmap(exponential_map, 1, 1)
    assert np.allclose(each(jnp.asarray(a), jnp.asarray(t)), EXP(a, t), rtol=1e-15)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: squared_gap(np.zeros((3, 4))), r"\(3, 4\), expected \(2, \*modes\)"),
        (lambda: hyperbolic_distance(np.ones((2, 3)), np.ones((2, 4))), "do not pair up"),
        (lambda: exponential_map(np.ones((2, 3)), np.ones((1, 3))), r"expected \(2, 3\)"),
        (lambda: disc_points(np.array([0.5, -1.0])), "inside the unit circle"),
        (lambda: points_from_memory(np.array([0.1, 0.0])), r"must lie in \(0, 1\]"),
        (lambda: points_from_memory(np.array([0.1]), np.zeros(2)), "one phase per gap"),
        (lambda: disc_points("a"), "eigenvalues must be an array of numbers, got 'a'"),
        (lambda: disc_points(None), "must be an array of numbers, got None"),
        (lambda: disc_points([True]), "must be an array of numbers"),
        (lambda: disc_points([0.5, np.nan]), "nan is not inside the unit circle"),
        (lambda: points_from_memory("a"), "gap must be an array of numbers"),
        (lambda: points_from_memory(0.1j), "gap must be real, got complex"),
        (lambda: points_from_memory(np.nan), r"must lie in \(0, 1\], got nan"),
        (lambda: points_from_memory(0.1, 1j), "phase must be real"),
        (lambda: points_from_memory(0.1, np.nan), "phase must be finite, got nan$"),
    ],
)
@pytest.mark.usefixtures("as_users_run_it")
def test_complaints(call, message):
    with pytest.raises(RemanenceError, match=message):
        call()


@pytest.mark.parametrize("function", [disc_eigenvalues, squared_gap, log_magnitude])
@pytest.mark.usefixtures("as_users_run_it")
def test_what_is_no_point_is_named(function):
    with pytest.raises(RemanenceError, match=r"points must be real, .*; disc_points gives"):
        function(np.ones((2, 3), complex))
    with pytest.raises(RemanenceError, match="points must be an array of numbers, got 'P'"):
        function("P")
    for two in (hyperbolic_distance, exponential_map, hyperbolic_gradient):
        with pytest.raises(RemanenceError, match="must be an array of numbers, got 'P'"):
            two(np.ones((2, 3)), "P")
    assert np.isnan(function(np.full((2, 1), np.nan))).all()
