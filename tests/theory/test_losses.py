"""Closed-form losses against explicit covariances, long sums and runs of both systems."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from remanence.errors import RemanenceError
from remanence.systems import DiagonalStateSpace, StateSpace
from remanence.theory.autocorrelations import ExponentialInput, WhiteInput
from remanence.theory.losses import (
    finite_horizon_loss,
    gramian_loss,
    horizon_weights,
    kernel_loss,
    minibatch_loss,
    mode_sum_loss,
)
from remanence.theory.modes import (
    Modes,
    from_real_coordinates,
    modes_of,
    parameter_groups,
    real_coordinates,
)

LONG = 400

# Second derivatives run once: most of their time is the compiler's.
UNOPTIMISED = {"xla_backend_optimization_level": 0}

# Compiled whole: one program each instead of one per operation.
closed_form, by_doubling, of_kernel, at_horizon = (
    eqx.filter_jit(loss)
    for loss in (mode_sum_loss, gramian_loss, kernel_loss, finite_horizon_loss)
)


def modes(rng, count, inputs=2, outputs=3, radius=0.9, weights=1.0):
    def draw(*shape):
        return rng.normal(size=shape) + 1j * rng.normal(size=shape)

    eigenvalues = radius * rng.uniform(0.3, 1, count) * np.exp(1j * rng.uniform(-3, 3, count))
    D = rng.normal(size=(outputs, inputs))
    return Modes(eigenvalues, draw(count, inputs), draw(outputs, count), D, weights=weights)


def response(system, length):
    """The impulse response as NumPy powers."""
    a, B, C = (np.asarray(array) for array in (system.eigenvalues, system.B, system.C))
    C = C * np.asarray(system.weights)
    kernel = np.stack([(C @ (a[:, None] ** n * B)).real for n in range(length)])
    kernel[0] += np.asarray(system.D)
    return kernel


def covariance_loss(difference, R, times):
    """½ Σ over `times` of tr(G_t cov G_tᵀ), the covariance of the inputs written out."""
    covariance = scipy.linalg.toeplitz(R)
    total = 0.0
    for t in times:
        for row in range(difference.shape[1]):
            for channel in range(difference.shape[2]):
                filters = difference[:t, row, channel][::-1]
                total += filters @ covariance[:t, :t] @ filters
    return 0.5 * total


def inputs_of(rho):
    return WhiteInput() if rho == 0 else ExponentialInput(rho)


@pytest.mark.parametrize("rho", [0.0, 0.7, -0.4])
def test_mode_sums_are_long_sums(rng, rho):
    student, teacher = modes(rng, 3), modes(rng, 2, weights=[2.0, 0.5])
    error = response(student, LONG) - response(teacher, LONG)
    expected = covariance_loss(error, rho ** np.arange(LONG), [LONG])
    found = closed_form(student, teacher, input=inputs_of(rho))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_constant_input_sees_the_gain_at_frequency_zero(rng):
    student, teacher = modes(rng, 3), modes(rng, 2)
    gain = (response(student, LONG) - response(teacher, LONG)).sum(0)
    found = closed_form(student, teacher, input=ExponentialInput(1.0, 4.0))
    np.testing.assert_allclose(found, 0.5 * 4 * np.sum(gain**2), rtol=1e-12)


def test_the_published_loss_of_one_neuron():
    # ½ {1/(1−|λ|²) + 1/(1−|λ*|²) − 2 Re 1/(1−λ λ̄*)} is E|h − h*|²; a real read-out sees both
    # the covariance and the pseudo-covariance, so real eigenvalues are where the two agree.
    a, b = 0.95, 0.8
    student, teacher = (Modes([value], [[1.0]], [[1.0]]) for value in (a, b))
    expected = 0.5 * (1 / (1 - a * a) + 1 / (1 - b * b) - 2 / (1 - a * b))
    np.testing.assert_allclose(closed_form(student, teacher), expected, rtol=1e-13)


def test_the_factor_and_the_house_convention(rng):
    student, teacher = modes(rng, 3), modes(rng, 2)
    error = response(student, 50) - response(teacher, 50)
    np.testing.assert_allclose(of_kernel(error, factor=1), np.sum(error**2), rtol=1e-14)
    half, whole = (closed_form(student, teacher, factor=f) for f in (0.5, 1))
    np.testing.assert_allclose(whole, 2 * half, rtol=1e-15)


def test_pairs_and_real_modes_of_a_diagonal_system(rng):
    pair = [0.8 * np.exp(0.5j), 0.9, -0.4]
    B, C = rng.normal(size=(3, 1)) + 0j, rng.normal(size=(1, 3)) + 0j
    B[0] += 0.3j
    system = DiagonalStateSpace(pair, B, C, [[0.2]], paired=[True, False, False])
    as_modes = Modes([0.5], [[1.0]], [[1.0]])
    one, other = jax.jit(lambda s: (modes_of(s).impulse_response(LONG), s.impulse_response(LONG)))(
        system
    )
    np.testing.assert_allclose(one, other, atol=1e-14)
    kernel = response(modes_of(system), LONG)
    expected = 0.5 * np.sum((kernel[:, 0, 0] - 0.5 ** np.arange(LONG)) ** 2)
    np.testing.assert_allclose(closed_form(system, as_modes), expected, rtol=1e-12)
    # The dense form by doubling, against the same sum and against SciPy's Lyapunov solution.
    np.testing.assert_allclose(by_doubling(as_modes, system), expected, rtol=1e-12)
    A = rng.normal(size=(4, 4)) / 3
    B, C = rng.normal(size=(4, 2)), rng.normal(size=(3, 4))
    P = scipy.linalg.solve_discrete_lyapunov(A, B @ B.T)
    zero = StateSpace(np.zeros((1, 1)), np.zeros((1, 2)), np.zeros((3, 1)))
    loss = by_doubling(StateSpace(A, B, C), zero)
    np.testing.assert_allclose(loss, 0.5 * np.trace(C @ P @ C.T), rtol=1e-12)


@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_horizon_weights_are_the_exact_expectation(rng, rho):
    T, R = 12, 1.5 * rho ** np.arange(12)
    student, teacher = modes(rng, 3), modes(rng, 2)
    error = response(student, T) - response(teacher, T)
    expected = covariance_loss(error, R, range(1, T + 1)) / T
    found = at_horizon(student, teacher, T, autocorrelation=R)
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    if rho == 0:
        found = 1.5 * at_horizon(student, teacher, T)
        np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_any_autocorrelation_short_and_long(rng):
    kernel = rng.normal(size=(150, 2, 1))
    for lags in (4, 200):
        R = np.convolve(taps := rng.normal(size=lags), taps[::-1])[lags - 1 :]
        padded = np.zeros(150)
        padded[: min(lags, 150)] = R[:150]
        expected = covariance_loss(kernel, padded, [150])
        np.testing.assert_allclose(of_kernel(kernel, autocorrelation=R), expected, rtol=1e-12)


def test_the_error_is_the_input_filtered_by_the_difference(rng):
    student, teacher = modes(rng, 3), modes(rng, 2)
    xs = rng.normal(size=(2, 15, 2))
    systems = [
        DiagonalStateSpace(m.eigenvalues, m.B, m.C / 2, m.D, paired=[True] * len(m.weights))
        for m in (student, teacher)
    ]

    @jax.jit
    def difference_of_outputs(x):
        first, second = (system.simulate(x)[0] for system in systems)
        return first - second

    errors = np.stack([difference_of_outputs(x) for x in xs])
    expected = 0.5 * np.mean(np.sum(errors**2, axis=2))
    error = response(student, 15) - response(teacher, 15)
    np.testing.assert_allclose(jax.jit(minibatch_loss)(error, xs), expected, rtol=1e-12)


def test_derivatives_of_the_closed_form_are_those_of_the_long_sum(rng):
    student, teacher = modes(rng, 2, 1, 1, 0.8), modes(rng, 2, 1, 1, 0.8)
    point = real_coordinates(student)

    def closed(w):
        return mode_sum_loss(from_real_coordinates(w, student), teacher)

    def summed(w):
        system = from_real_coordinates(w, student)
        powers = system.eigenvalues[None, :] ** jnp.arange(LONG)[:, None].astype(complex)
        kernel = jnp.real(powers @ (system.C[0] * system.B[:, 0])).at[0].add(system.D[0, 0])
        return 0.5 * jnp.sum((kernel - target) ** 2)

    target = jnp.asarray(response(teacher, LONG)[:, 0, 0])

    @partial(jax.jit, compiler_options=UNOPTIMISED)
    def derivatives(w, directions):
        return [
            jax.vmap(lambda v, loss=loss: jax.jvp(jax.grad(loss), (w,), (v,)))(directions)
            for loss in (closed, summed)
        ]

    # The gradient, and the Hessian along every axis.
    one, other = derivatives(point, np.eye(point.size))
    np.testing.assert_allclose(one[0], other[0], rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(one[1], other[1], rtol=1e-11, atol=1e-10)


def test_coordinates_there_and_back(rng):
    system = modes(rng, 3, weights=2.0)
    point = jax.jit(real_coordinates)(system)
    assert point.shape == (2 * 3 * (1 + 2 + 3) + 6,)
    back = jax.jit(from_real_coordinates)(point, system)
    assert jax.tree.all(jax.tree.map(lambda a, b: bool(np.all(a == b)), back, system))
    groups = parameter_groups(system)
    np.testing.assert_array_equal(np.sort(np.concatenate(list(groups.values()))), np.arange(42))
    B = np.asarray(system.B).reshape(-1)
    np.testing.assert_array_equal(point[groups["B"]], np.concatenate([B.real, B.imag]))
    np.testing.assert_array_equal(point[groups["D"]], np.asarray(system.D).reshape(-1))


def test_horizon_weights():
    np.testing.assert_allclose(horizon_weights(4), [1, 0.75, 0.5, 0.25])


def test_mistakes_are_said(rng):
    with pytest.raises(RemanenceError, match="expected"):
        Modes([0.5], [[1.0, 2.0]], [[1.0, 2.0]])
    with pytest.raises(RemanenceError, match="weights"):
        Modes([0.5], [[1.0]], [[1.0]], weights=[1.0, 2.0])
    with pytest.raises(RemanenceError, match="only systems of equal inputs"):
        mode_sum_loss(modes(rng, 2), modes(rng, 2, inputs=1))
    with pytest.raises(RemanenceError, match="must agree"):
        finite_horizon_loss(modes(rng, 2), modes(rng, 2, inputs=1), 5)
    with pytest.raises(RemanenceError, match="one per lag"):
        kernel_loss(np.ones((3, 1, 1)), np.ones(4))
