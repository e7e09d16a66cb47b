"""Explained shares against least squares on long sequences, and the three facts about one mode."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

from remanence.errors import RemanenceError
from remanence.theory.disc import (
    disc_points,
    exponential_map,
    hyperbolic_distance,
    hyperbolic_gradient,
    points_from_memory,
)
from remanence.theory.explained_share import (
    ImpulseResponseTarget,
    ModalTarget,
    RecordedTarget,
    TransferTarget,
    geodesic_loss,
    geodesic_steps,
    hyperbolic_laplacian,
    log_share_loss,
    share_explained,
    share_unexplained,
    solved_readout,
)

STEPS = np.arange(600)
STUDENT = np.array([0.9 * np.exp(0.4j), 0.8 * np.exp(1.4j)])
REAL_STUDENT = np.array([0.5, -0.6])
TEACHER = np.array([0.93 * np.exp(0.5j), 0.85 * np.exp(2j), 0.7 * np.exp(1j)])
REAL_TEACHER = np.array([0.8])
C = np.array([1.0 + 0.3j, -0.4 + 0.8j, 0.6 - 1.1j])
LOSS, SHARE, REST = (
    eqx.filter_jit(f) for f in (log_share_loss, share_explained, share_unexplained)
)
COMPLEX_LOSS, COMPLEX_SHARE, COMPLEX_REST, COMPLEX_GRADIENT = (
    eqx.filter_jit(partial(f, readout="complex"))
    for f in (
        log_share_loss,
        share_explained,
        share_unexplained,
        eqx.filter_grad(log_share_loss),
    )
)
GRADIENT = eqx.filter_jit(eqx.filter_grad(log_share_loss))


def kernels(eigenvalues):
    scale = np.sqrt(1 - abs(eigenvalues) ** 2)[:, None]
    return scale * eigenvalues[:, None] ** STEPS


def features(pairs, real):
    pairs = kernels(pairs)
    return np.concatenate([pairs.real, -pairs.imag, kernels(real)]).T


def transfer(z):
    poles = np.concatenate([TEACHER, TEACHER.conj(), REAL_TEACHER])
    weights = np.concatenate([C / 2, C.conj() / 2, [0.7]]) * np.sqrt(1 - abs(poles) ** 2)
    return sum(complex(w) / (1 - complex(p) * z) for w, p in zip(weights, poles, strict=True))


RESPONSE = (C @ kernels(TEACHER)).real + 0.7 * kernels(REAL_TEACHER)[0]
MODAL = ModalTarget((disc_points(TEACHER), disc_points(REAL_TEACHER)), (C, np.array([0.7])))
TARGETS = {
    "modes": (MODAL, 1e-14, 1e-9),
    "impulse response": (ImpulseResponseTarget(RESPONSE), 1e-14, 1e-9),
    "recorded impulse": (RecordedTarget(np.eye(600)[:, :1], RESPONSE), 1e-12, 1e-12),
    "transfer function": (TransferTarget(transfer, RESPONSE @ RESPONSE), 1e-9, 1e-9),
}


@pytest.mark.parametrize("name", list(TARGETS))
def test_real_readouts_are_least_squares_on_long_sequences(name):
    target, accuracy, of_readout = TARGETS[name]
    A = features(STUDENT, REAL_STUDENT)
    solution = np.linalg.lstsq(A, RESPONSE, rcond=None)[0]
    expected = np.sum((RESPONSE - A @ solution) ** 2) / np.sum(RESPONSE**2)
    points = (disc_points(STUDENT), disc_points(REAL_STUDENT))
    assert np.isclose(REST(points, target), expected, rtol=accuracy * 10, atol=0)
    assert np.isclose(SHARE(points, target), 1 - expected, rtol=accuracy, atol=0)
    assert np.isclose(LOSS(points, target), -np.log1p(-expected), rtol=accuracy * 10, atol=0)
    pairs, real = (np.asarray(c).ravel() for c in solved_readout(points, target))
    assert np.allclose(pairs, solution[:2] + 1j * solution[2:4], rtol=of_readout)
    assert np.allclose(real, solution[4:], rtol=of_readout)


def test_complex_readouts_are_least_squares_on_long_sequences():
    A, response = kernels(STUDENT).T, C @ kernels(TEACHER)
    solution = np.linalg.lstsq(A, response, rcond=None)[0]
    error = response - A @ solution
    expected = np.vdot(error, error).real / np.vdot(response, response).real
    points = disc_points(STUDENT)
    for target in (
        ModalTarget(disc_points(TEACHER), C),
        ImpulseResponseTarget(response),
        RecordedTarget(np.eye(600)[:, :1], response),
    ):
        value = share_unexplained(points, target, readout="complex")
        assert np.isclose(value, expected, rtol=1e-12)
        found = solved_readout(points, target, readout="complex")
        assert np.allclose(np.ravel(found), solution, rtol=1e-9)


def test_recorded_inputs_of_any_colour(rng):
    noise = rng.normal(size=(301, 2))
    xs, ys = noise[1:] + 0.8 * noise[:-1], rng.normal(size=300)
    columns = []
    for eigenvalue in STUDENT:
        for channel in xs.T:
            state, states = 0.0, []
            for x in channel:
                state = eigenvalue * state + np.sqrt(1 - abs(eigenvalue) ** 2) * x
                states.append(state)
            columns.append(np.array(states))
    states = np.array(columns)
    A = np.concatenate([states.real, -states.imag]).T
    solution = np.linalg.lstsq(A, ys, rcond=None)[0]
    expected = np.sum((ys - A @ solution) ** 2) / np.sum(ys**2)
    target, points = RecordedTarget(xs, ys), disc_points(STUDENT)
    assert np.isclose(REST(points, target), expected, rtol=1e-13)
    found = solved_readout(points, target)
    assert np.allclose(found, (solution[:4] + 1j * solution[4:]).reshape(2, 2), rtol=1e-11)


POINTS = np.concatenate([disc_points(STUDENT), [[2.5], [1e-3]]], axis=1)


@pytest.mark.parametrize("name", list(TARGETS))
def test_gradients_are_finite_differences_and_finite_where_modes_meet(name, rng):
    target = TARGETS[name][0]
    gradient = GRADIENT(jnp.asarray(POINTS), target)
    direction = rng.normal(size=POINTS.shape)
    direction[1, 2] = 0
    ends = [LOSS(POINTS + sign * 1e-5 * direction, target) for sign in (1, -1)]
    assert np.isclose(np.sum(gradient * direction), (ends[0] - ends[1]) / 2e-5, rtol=1e-5)
    for meeting in ([[2.0, 2.0], [0.3, 0.3]], [[2.0, 1.0], [0.0, np.pi]], [[2.0, 3.0], [0, 0]]):
        assert np.all(np.isfinite(GRADIENT(jnp.array(meeting, float), target)))


@pytest.mark.parametrize("name", ["modes", "impulse response"])
def test_a_pair_on_the_real_axis_is_a_double_mode(name):
    """The limit of `span{e_λ, e_λ̄}` is spanned by `λ^j` and `j λ^{j−1}`."""
    target = TARGETS[name][0]
    A = np.stack([0.7**STEPS, STEPS * 0.7**STEPS], axis=1)
    error = RESPONSE - A @ np.linalg.lstsq(A, RESPONSE, rcond=None)[0]
    expected = np.sum(error**2) / np.sum(RESPONSE**2)
    for angle in (0.0, 1e-12):
        point = jnp.stack([disc_points(np.array([0.7]))[0], jnp.array([angle])])
        assert np.isclose(REST(point, target), expected, rtol=1e-12)


def test_energy_law_and_digits_at_both_ends():
    """H1 at every memory, with 1 − E of 1e-20 and E of 1e-13."""
    for gap in (1e-2, 1e-12):
        teacher = points_from_memory(np.array([gap]), np.array([0.5]))
        target = ModalTarget(teacher, np.array([0.3 - 2j]))
        for move in ((1e-10, 0.0), (0.0, 1e-3), (-1.0, 2.0)):
            student = exponential_map(teacher, jnp.array(move)[:, None])
            d = hyperbolic_distance(student, teacher)[0]
            rest = COMPLEX_REST(student, target)
            assert np.isclose(rest, np.tanh(d / 2) ** 2, rtol=1e-12, atol=0)
            loss = COMPLEX_LOSS(student, target)
            assert np.isclose(loss, geodesic_loss(d), rtol=1e-12, atol=0)
        away = jnp.array([[3.0], [2.5]])
        d = hyperbolic_distance(away, teacher)[0]
        share = COMPLEX_SHARE(away, target)
        assert np.isclose(share, 1 / np.cosh(d / 2) ** 2, rtol=1e-12, atol=0)
        gradient = COMPLEX_GRADIENT(away, target)
        length = np.linalg.norm(hyperbolic_gradient(away, gradient))
        assert np.isclose(length, np.tanh(d / 2), rtol=1e-12)
    assert share < 1e-12


def test_geodesic_loss_and_its_derivatives():
    d = np.array([1e-9, 0.3, 7.999, 8.001, 300.0, 1e4])
    small = 2 * np.log(np.cosh(d[1:5] / 2))
    assert np.allclose(geodesic_loss(d)[1:5], small, rtol=1e-13)
    assert np.isclose(geodesic_loss(1e-9), 2.5e-19, rtol=1e-12, atol=0)
    assert np.isclose(geodesic_loss(1e4), 1e4 - np.log(4), rtol=1e-15)
    slope, curvature = (
        jax.jit(jax.vmap(f)) for f in (jax.grad(geodesic_loss), jax.hessian(geodesic_loss))
    )
    assert np.allclose(slope(d), np.tanh(d / 2), rtol=1e-13)
    assert np.allclose(curvature(d)[:4], 0.5 / np.cosh(d[:4] / 2) ** 2, rtol=1e-11)


def random_target(rng, order):
    """Modes at random, and `Σ c_p e_p(z)` with its zeros, as NumPy numbers."""
    poles = np.sqrt(rng.uniform(0.1, 0.98, order)) * np.exp(1j * rng.uniform(-3, 3, order))
    c = rng.normal(size=order) + 1j * rng.normal(size=order)
    numerator = np.zeros(order, complex)
    for p in range(order):
        others = np.delete(poles, p)
        scale = c[p] * np.sqrt(1 - abs(poles[p]) ** 2)
        # Π (1 − λz) in falling powers of z.
        numerator += scale * np.poly(1 / others) * np.prod(-others)
    zeros = np.roots(numerator)
    return ModalTarget(disc_points(poles), c), zeros[abs(zeros) < 1].conj()


@pytest.mark.parametrize("order", [2, 4])
def test_the_hyperbolic_laplacian_is_one_away_from_the_zeros(rng, order):
    """HY2: by finite differences in the plane, and by autodiff; zeros located and counted."""
    target, zeros = random_target(rng, order)
    loss = jax.jit(lambda point: log_share_loss(point[:, None], target, readout="complex"))
    on_many = jax.jit(jax.vmap(loss, 1))
    eigenvalues = np.sqrt(rng.uniform(0, 0.95, 40)) * np.exp(1j * rng.uniform(-3, 3, 40))
    far = np.array([np.min(abs(value - zeros), initial=1.0) > 0.1 for value in eigenvalues])
    eigenvalues = eigenvalues[far]
    gap = 1 - abs(eigenvalues) ** 2
    h = 4e-3 * gap
    laplacian = 0
    for k, weight in ((-3, 2), (-2, -27), (-1, 270), (1, 270), (2, -27), (3, 2)):
        for way in (1, 1j):
            laplacian += weight / 180 * on_many(disc_points(eigenvalues + k * way * h))
    laplacian = (laplacian - 4 * 490 / 360 * on_many(disc_points(eigenvalues + 0j))) / h**2
    assert np.allclose(laplacian * gap**2 / 4, 1, rtol=0, atol=1e-6)
    by_autodiff = jax.jit(jax.vmap(partial(hyperbolic_laplacian, loss), 1))
    assert np.allclose(by_autodiff(disc_points(eigenvalues)), 1, rtol=0, atol=1e-9)
    for zero in zeros:
        at, beside = (
            COMPLEX_SHARE(disc_points(np.array([z])), target)
            for z in (zero, zero + 1e-3 * (1 - abs(zero)))
        )
        assert at < 1e-20 < 1e-9 < beside
    # Gauss: the flux through a circle is its area less 4π for every zero within.
    radius, angles = 4.0, np.linspace(0, 2 * np.pi, 2048, endpoint=False)
    slopes = jax.jit(jax.vmap(jax.grad(loss), 1))(jnp.stack([np.full(2048, radius), angles]))[:, 0]
    flux = np.mean(slopes) * 2 * np.pi * np.sinh(radius)
    within = np.sum(2 * np.arctanh(abs(zeros)) < radius)
    assert np.isclose(flux, 2 * np.pi * (np.cosh(radius) - 1) - 4 * np.pi * within, atol=1e-6)


def test_steps_of_gradient_descent_grow_as_the_logarithm_of_memory():
    """HY3: slope 1/η against log 1/ε, memories 1e2 … 1e12, and the predicted counts."""
    rate, tolerance = 0.5, 1e-6
    gaps = np.logspace(-2, -12, 11)
    teachers = points_from_memory(gaps, np.full(11, 0.5))
    start = jnp.array([2 * np.arctanh(0.9), 1.3])

    def descend(teacher):
        target = ModalTarget(teacher[:, None], jnp.ones(1))

        def loss(point):
            return log_share_loss(point[:, None], target, readout="complex")

        def going(carry):
            rest = share_unexplained(carry[0][:, None], target, readout="complex")
            return (rest > tolerance) & (carry[1] < 1000)

        def step(carry):
            point, count = carry
            slope = hyperbolic_gradient(point, jax.grad(loss)(point))
            return exponential_map(point, -rate * slope), count + 1

        return jax.lax.while_loop(going, step, (start, 0))[1]

    counts = np.asarray(jax.jit(jax.vmap(descend, 1))(teachers))
    slope = np.polyfit(np.log(1 / gaps), counts, 1)[0]
    assert abs(slope * rate - 1) < 0.05
    starts = jnp.broadcast_to(start[:, None], teachers.shape)
    distances = hyperbolic_distance(starts, teachers)
    predicted = [geodesic_steps(float(d), rate, tolerance) for d in distances]
    assert np.all(np.abs(counts - predicted) <= 1)
    flow = np.log(np.sinh(20.0 / 2) / np.sinh(np.arctanh(1e-3))) * 2 / 1e-3
    assert np.isclose(geodesic_steps(20.0, 1e-3, 1e-6), flow, rtol=1e-3)


def test_float32_keeps_the_share_at_memories_of_a_million():
    gap, phase = np.float32(1e-6), np.float32(0.5)
    teacher = points_from_memory(np.array([gap]), np.array([phase]))
    target = ModalTarget(teacher, np.ones(1, np.float32))
    for student in ([[3.0], [2.5]], [[14.0], [0.5]]):
        point = jnp.array(student, jnp.float32)
        loss = COMPLEX_LOSS(point, target)
        assert loss.dtype == jnp.float32
        d = hyperbolic_distance(point.astype(float), teacher.astype(float))[0]
        assert np.isclose(float(loss), geodesic_loss(d), rtol=2e-6)


@pytest.fixture
def as_users_run_it(monkeypatch):
    """Without the run-time check of types, which users do not have."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: share_explained(POINTS, MODAL, readout="reall"), "mean 'real'"),
        (lambda: share_explained(POINTS[:, 0], MODAL), r"expected \(2, modes\)"),
        (lambda: ModalTarget(POINTS, np.ones(2)), "one per mode"),
        (lambda: ModalTarget(POINTS[:1], 1j * np.ones(3)), "complex coefficient"),
        (lambda: ModalTarget((POINTS, POINTS), (np.ones(3),)), "2 arrays of points"),
        (lambda: ImpulseResponseTarget(np.zeros(5)), "nothing to explain"),
        (lambda: RecordedTarget(np.ones((4, 1)), np.ones(3)), r"expected \(time, inputs\)"),
        (lambda: TransferTarget(transfer, 0.0), "energy must be positive"),
        (lambda: geodesic_steps(1.0, 5.0, 1e-6), r"\(0, 4\)"),
        (lambda: share_explained(POINTS, POINTS), "target is of the type ndarray"),
        (lambda: share_explained(POINTS, ModalTarget), "target is the class ModalT"),
        (lambda: solved_readout(POINTS, 3), "solved_readout: target is of the type"),
        (lambda: share_explained(POINTS, MODAL, readout=1), "readout 1 is neither"),
        (lambda: share_explained(1j * POINTS, MODAL), "points must be real, got complex"),
        (lambda: share_explained(np.nan * POINTS, MODAL), r"must be finite, got nan at \(0, 0\)"),
        (lambda: share_explained("a", MODAL), "points must be an array of numbers, got 'a'"),
        (lambda: share_explained((), MODAL), r"points have shapes \[\]"),
        (lambda: ModalTarget(np.nan * POINTS, C), "ModalTarget: points must be finite"),
        (lambda: ModalTarget(1j * POINTS, C), "points must be real"),
        (lambda: ModalTarget(POINTS, np.zeros(3)), "only zeros in coefficients"),
        (lambda: ModalTarget((POINTS, POINTS[:1]), (0 * C, np.zeros(3))), "only zeros"),
        (lambda: ModalTarget(POINTS, [1, np.inf, 1]), r"coefficients must be finite, got inf"),
        (lambda: ModalTarget(POINTS, "abc"), "coefficients must be an array of numbers"),
        (lambda: ImpulseResponseTarget("a"), "response must be an array of numbers"),
        (lambda: ImpulseResponseTarget([1.0, np.nan]), r"must be finite, got nan at \(1,\)"),
        (lambda: ImpulseResponseTarget(np.ones((2, 2))), r"shape \(2, 2\), expected \(time,\)"),
        (lambda: TransferTarget(3, 1.0), "function is 3; give G as a function"),
        (lambda: TransferTarget(transfer, "a"), "energy must be an array of numbers"),
        (lambda: TransferTarget(transfer, 1j), "energy must be real"),
        (lambda: TransferTarget(transfer, np.nan), "positive and finite, got nan"),
        (lambda: TransferTarget(transfer, np.inf), "positive and finite, got inf"),
        (lambda: TransferTarget(transfer, 1.0, ridge=-1e-3), "ridge must be .* at least 0, got -"),
        (
            lambda: share_explained(POINTS, TransferTarget(lambda z: 1.0, 1.0)),
            r"function gives shape \(\) for an argument of shape \(6,\)",
        ),
        (lambda: RecordedTarget("a", np.ones(3)), "inputs must be an array of numbers"),
        (lambda: RecordedTarget(1j * np.ones((3, 1)), np.ones(3)), "inputs must be real"),
        (lambda: RecordedTarget(np.full((3, 1), np.nan), np.ones(3)), "inputs must be finite"),
        (lambda: RecordedTarget(np.ones((3, 1)), np.full(3, np.inf)), "outputs must be finite"),
        (lambda: RecordedTarget(np.ones((3, 1)), np.zeros(3)), "only zeros in outputs"),
        (lambda: RecordedTarget(np.ones((3, 1)), np.ones(3), ridge=-1.0), "ridge must be"),
        (lambda: RecordedTarget(np.ones((3, 1)), np.ones(3), ridge=np.nan), "ridge must be"),
        (lambda: geodesic_loss("a"), "distance must be an array of numbers"),
        (lambda: geodesic_loss(1j), "distance must be real"),
        (lambda: geodesic_steps("1", 0.5, 1e-6), r"distance '1', rate 0\.5 .* numbers"),
        (lambda: geodesic_steps(1.0, None, 1e-6), "rate None"),
        (lambda: geodesic_steps(1.0, 0.5, [1e-6, 1e-3]), "must be numbers"),
        (lambda: hyperbolic_laplacian(3, POINTS[:, 0]), "function is of the type int"),
        (lambda: hyperbolic_laplacian(abs, POINTS), r"shape \(2, 3\), expected"),
    ],
)
@pytest.mark.usefixtures("as_users_run_it")
def test_complaints(call, message):
    with pytest.raises(RemanenceError, match=message) as complaint:
        call()
    assert "\n" not in str(complaint.value)


@pytest.mark.usefixtures("as_users_run_it")
def test_lists_and_whole_numbers_will_do():
    target = ModalTarget([[1, 2]], [1, -1])
    assert np.isclose(share_explained([[1, 2]], target), 1, rtol=1e-12)
    assert geodesic_steps(np.float32(20), jnp.array(0.5), 1e-6) == 62


def test_steps_from_very_far_are_counted_and_not_walked():
    near = geodesic_steps(70.0, 0.5, 1e-6)
    # From 70 on, tanh(d/2) is 1 to rounding: every unit of distance is 1/η steps.
    assert geodesic_steps(1e17, 0.5, 1e-6) == pytest.approx(2e17)
    assert geodesic_steps(170.0, 0.5, 1e-6) == near + 200
