"""Hessians at a perfect fit against automatic differentiation, long sums and finite horizons."""

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from remanence.errors import RemanenceError
from remanence.systems import StateSpace
from remanence.theory.autocorrelations import ExponentialInput
from remanence.theory.conditioning import numerical_rank
from remanence.theory.dense_hessians import (
    dense_coordinates,
    dense_hessian,
    from_dense_coordinates,
)
from remanence.theory.hessians import (
    diagonal_hessian,
    kernel_hessian,
    kernel_jacobian,
    reparametrised_hessian,
)
from remanence.theory.losses import mode_sum_loss
from remanence.theory.modes import Modes, from_real_coordinates, real_coordinates

LONG = 300

# Second derivatives run once: most of their time is the compiler's.
UNOPTIMISED = {"xla_backend_optimization_level": 0}

at_fit, at_dense_fit, by_sums = (
    eqx.filter_jit(function) for function in (diagonal_hessian, dense_hessian, kernel_hessian)
)


def modes(rng, count=2, inputs=2, outputs=3, weights=(2.0, 0.7)):
    def draw(*shape):
        return rng.normal(size=shape) + 1j * rng.normal(size=shape)

    eigenvalues = rng.uniform(0.5, 0.9, count) * np.exp(1j * rng.uniform(-3, 3, count))
    D = rng.normal(size=(outputs, inputs))
    return Modes(eigenvalues, draw(count, inputs), draw(outputs, count), D, weights=weights)


def real_teacher(rng, pairs=2):
    """A single-input single-output system of 2 · `pairs` states: real matrices and modes."""
    eigenvalues = rng.uniform(0.8, 0.95, pairs) * np.exp(1j * rng.uniform(0.3, 2.8, pairs))
    blocks = [[[v.real, -v.imag], [v.imag, v.real]] for v in eigenvalues]
    A = np.zeros((2 * pairs, 2 * pairs))
    for i, block in enumerate(blocks):
        A[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = block
    change = rng.normal(size=A.shape)
    A = np.linalg.solve(change, A @ change)
    return StateSpace(A, rng.normal(size=(2 * pairs, 1)), rng.normal(size=(1, 2 * pairs)))


def modal_jacobian(system, length):
    """`∂K_n` in `real_coordinates`, entry by entry from the definition."""
    a, B, C = (np.asarray(v) for v in (system.eigenvalues, system.B, system.C))
    (modes, inputs), outputs = B.shape, C.shape[0]
    n = np.arange(length)
    columns = []
    for i in range(modes):
        slope = np.concatenate([[0], n[1:] * a[i] ** (n[1:] - 1.0)])
        columns.append(system.weights[i] * slope[:, None, None] * np.outer(C[:, i], B[i]))
    for i in range(modes):
        for k in range(inputs):
            unit = np.outer(C[:, i], np.eye(inputs)[k])
            columns.append(system.weights[i] * (a[i] ** n)[:, None, None] * unit)
    for o in range(outputs):
        for i in range(modes):
            unit = np.outer(np.eye(outputs)[o], B[i])
            columns.append(system.weights[i] * (a[i] ** n)[:, None, None] * unit)
    J = np.stack(columns, -1)
    direct = np.zeros((length, outputs, inputs, outputs * inputs))
    direct[0] = np.eye(outputs * inputs).reshape(outputs, inputs, -1)
    return np.concatenate([J.real, -J.imag, direct], -1)


def krylov_jacobian(system, length):
    """`∂K_n` in (A, B, C, D) by `∂(C Aⁿ B)/∂A_ij = Σ_k (C A^k)_i (A^{n−1−k} B)_j`."""
    A, B, C = (np.asarray(v) for v in (system.A, system.B, system.C))
    (order, inputs), outputs = B.shape, C.shape[0]
    powers = [np.eye(order)]
    for _ in range(length):
        powers.append(powers[-1] @ A)
    parts = []
    for n in range(length):
        of_A = sum(
            (np.einsum("oi,jl->olij", C @ powers[k], powers[n - 1 - k] @ B) for k in range(n)),
            np.zeros((outputs, inputs, order, order)),
        )
        of_B = np.einsum("oi,jl->olij", C @ powers[n], np.eye(inputs))
        of_C = np.einsum("op,jl->olpj", np.eye(outputs), powers[n] @ B)
        of_D = np.einsum("op,jl->olpj", np.eye(outputs), np.eye(inputs)) * (n == 0)
        flat = [part.reshape(outputs, inputs, -1) for part in (of_A, of_B, of_C, of_D)]
        parts.append(np.concatenate(flat, -1))
    return np.stack(parts)


@partial(jax.jit, compiler_options=UNOPTIMISED)
def differentiated(point, teacher, given):
    def loss(w):
        return mode_sum_loss(from_real_coordinates(w, teacher), teacher, input=given)

    return jax.hessian(loss)(point)


@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_diagonal_blocks_are_the_second_derivatives_of_the_loss(rng, rho):
    teacher = modes(rng)
    given = ExponentialInput(rho)
    expected = differentiated(real_coordinates(teacher), teacher, given)
    found = at_fit(teacher, input=given)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-13 * scale)
    assert found.shape == (2 * 2 * 6 + 6,) * 2


@pytest.mark.parametrize("given", [None, ExponentialInput(-0.5, 1.5)])
def test_diagonal_blocks_are_sums_of_the_kernel_s_derivatives(rng, given):
    teacher = modes(rng)
    J = modal_jacobian(teacher, LONG).reshape(-1, 30)
    R = np.zeros(LONG)
    R[0] = 1.0
    if given is not None:
        R = 1.5 * (-0.5) ** np.arange(LONG)
    lags = np.abs(np.arange(LONG)[:, None] - np.arange(LONG))
    filtered = np.einsum("nm,mp->np", R[lags], J.reshape(LONG, -1)).reshape(J.shape)
    found = at_fit(teacher, input=given, factor=1)
    np.testing.assert_allclose(found, 2 * J.T @ filtered, rtol=1e-9, atol=1e-11)


def test_one_unit_eigenvalue_is_the_curse_of_memory():
    # Two derivatives of ½ E h²(Δλ) for a real read-out of weight 2: 2 E|∂h|² + 2 Re E(∂h)².
    nu, theta = 0.99, 1.2
    a = nu * np.exp(1j * theta)
    H = at_fit(Modes([a], [[1.0]], [[1.0]], weights=2.0))
    white = (1 + nu**2) / (1 - nu**2) ** 3
    pseudo = (1 + a**2) / (1 - a**2) ** 3
    np.testing.assert_allclose(H[0, 0], 2 * (white + pseudo.real), rtol=1e-12)
    np.testing.assert_allclose(H[3, 3], 2 * (white - pseudo.real), rtol=1e-12)
    # Between magnitude and angle nothing is left of `white`, but its rounding.
    rounding = np.finfo(float).eps * white
    np.testing.assert_allclose(H[0, 3], -2 * pseudo.imag, rtol=1e-12, atol=rounding)


def test_dense_blocks_are_krylov_sums(rng):
    A = rng.normal(size=(3, 3))
    A *= 0.85 / np.abs(np.linalg.eigvals(A)).max()
    system = StateSpace(A, rng.normal(size=(3, 2)), rng.normal(size=(2, 3)))
    J = krylov_jacobian(system, 200).reshape(-1, 9 + 6 + 6 + 4)
    expected = J.T @ J
    found = at_dense_fit(system)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())


def test_dense_blocks_are_the_second_derivatives_of_a_long_sum(rng):
    system = real_teacher(rng)
    length = 600

    def loss(w):
        return 0.5 * jnp.sum((kernel(w) - target) ** 2)

    def kernel(w):
        return from_dense_coordinates(w, system).impulse_response(length)

    point = dense_coordinates(system)
    J, target = jax.jit(lambda w: (kernel_jacobian(kernel, w), kernel(w)))(point)
    expected = jax.jit(jax.hessian(loss), compiler_options=UNOPTIMISED)(point)
    found = at_dense_fit(system)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())
    np.testing.assert_allclose(by_sums(J), expected, rtol=1e-10)
    np.testing.assert_allclose(J[:40], krylov_jacobian(system, 40), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("rho", [0.0, 0.6])
def test_finite_horizons_are_the_covariances_of_the_outputs_derivatives(rng, rho):
    # H = (1/T) Σ_t E[∂y_t ∂y_tᵀ], every ∂y_t = Σ_n ∂K_n x_{t−n} with its own covariance.
    T, parameters = 7, 5
    J = rng.normal(size=(T, 2, 1, parameters))
    R = rho ** np.arange(T)
    covariance = R[np.abs(np.arange(T)[:, None] - np.arange(T))]
    expected = np.zeros((parameters, parameters))
    for t in range(1, T + 1):
        for output in range(2):
            filters = J[:t, output, 0][::-1]
            expected += filters.T @ covariance[:t, :t] @ filters / T
    weights = 1 - np.arange(T) / T
    found = by_sums(J, weights, autocorrelation=R)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)
    if rho == 0:
        np.testing.assert_allclose(by_sums(J, weights), expected, rtol=1e-12, atol=1e-13)


def test_identifiable_directions_number_twice_the_order_and_one(rng):
    dense = real_teacher(rng, 2)
    eigenvalues, V = np.linalg.eig(dense.A)
    # Every pole is a mode of its own, so that conjugates are two points of the student.
    student = Modes(eigenvalues, np.linalg.solve(V, dense.B), dense.C @ V, dense.D)
    hessians = at_dense_fit(dense), at_fit(student)
    assert [H.shape for H in hessians] == [(25, 25), (25, 25)]
    assert [int(numerical_rank(H)) for H in hessians] == [9, 9]


def test_other_parameters_by_the_chain_rule(rng):
    teacher = Modes([0.8 * np.exp(0.7j)], [[1.0 + 0.5j]], [[0.3 - 1j]], weights=2.0)
    J = np.zeros((7, 2))
    # λ = exp(−e^ν + i e^θ): dλ = λ (−e^ν dν + i e^θ dθ).
    a = 0.8 * np.exp(0.7j)
    slopes = a * np.array([np.log(0.8), 0.7j])
    J[0], J[3] = slopes.real, slopes.imag

    def loss(w):
        moved = jnp.exp(jax.lax.complex(-jnp.exp(w[0]), jnp.exp(w[1])))[None]
        return mode_sum_loss(Modes(moved, teacher.B, teacher.C, weights=2.0), teacher)

    expected = jax.jit(jax.hessian(loss), compiler_options=UNOPTIMISED)(
        np.log([-np.log(0.8), 0.7])
    )
    found = reparametrised_hessian(at_fit(teacher), J)
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_mistakes_are_said():
    with pytest.raises(RemanenceError, match="weights"):
        kernel_hessian(np.ones((3, 1, 1, 2)), np.ones(2))
