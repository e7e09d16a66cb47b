"""Metric, curvature and landscape, against sums over kernels, autodiff and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from remanence.theory.composed_inputs import EmpiricalInput
from remanence.theory.geometry import (
    coupled_metric,
    coupled_phase_scale,
    gaussian_curvature,
    landscape,
    metric,
    normalised_loss,
    overlap,
    pseudo_hyperbolic_distance,
    teacher_student_hessian,
    teacher_student_loss,
)

STEPS = np.arange(400)
PAIRS = [(0.3, 0.8), (-0.4, 0.7), (0.8 * np.exp(0.7j), 0.9 * np.exp(0.6j)), (0.5j, 0.5j - 1e-9)]


def kernel(eigenvalue):
    return np.sqrt(1 - abs(eigenvalue) ** 2) * np.asarray(eigenvalue) ** STEPS


def test_metric_of_white_input():
    nu = np.array([0.2, 0.9, 0.999])
    gap = (1 - nu) * (1 + nu)
    expected = np.zeros((3, 2, 2))
    expected[:, 0, 0] = 1 / gap**2
    expected[:, 1, 1] = nu**2 * (1 + nu**2) / gap**2
    assert np.allclose(metric(nu, 0.3), expected, rtol=1e-11, atol=0)


def test_metric_of_correlated_input_is_that_of_the_kernel():
    measured = np.array([1.3, 0.7, -0.2, 0.15, 0.05])
    nu, theta, step = 0.75, 0.9, 1e-30
    moved = nu + 1j * step
    rotation = np.exp(1j * theta * STEPS)
    along = np.imag(np.sqrt(1 - moved**2) * moved**STEPS) / step * rotation
    across = 1j * STEPS * np.sqrt(1 - nu**2) * nu**STEPS * rotation
    lags = np.abs(STEPS[:, None] - STEPS[None, :])
    correlation = np.append(measured, 0.0)[np.minimum(lags, 5)]
    derivatives = np.stack([along, across])
    expected = np.real(derivatives.conj() @ correlation @ derivatives.T)
    assert abs(expected[0, 1]) > 0.1
    assert np.allclose(metric(nu, theta, EmpiricalInput(measured)), expected, rtol=1e-11)


def test_the_coupled_phase_moves_the_explosion_to_the_magnitude():
    @jax.jit
    def by_autodiff(point):
        """∂_i ∂'_j Re E[g(point) ḡ(point')], from the overlap alone."""

        def overlap_of(first, second):
            def eigenvalue(p):
                nu = jnp.tanh(p[0])
                scale = (1 - nu**2) / (nu * jnp.sqrt(1 + nu**2))
                angle = p[1] * scale
                return nu, jax.lax.complex(nu * jnp.cos(angle), nu * jnp.sin(angle))

            (nu, left), (mu, right) = eigenvalue(first), eigenvalue(second)
            root = jnp.sqrt((1 - nu**2) * (1 - mu**2))
            # Re(1/z) = Re z/|z|².
            kernel = 1 - left * jnp.conj(right)
            return root * jnp.real(kernel) / (jnp.real(kernel) ** 2 + jnp.imag(kernel) ** 2)

        return jax.jacfwd(jax.grad(overlap_of, 0), 1)(point, point)

    for nu, theta, published in ((0.99, 1.0, 19801), (0.99, 0.1, 199), (0.6, 1.0, None)):
        w = theta / coupled_phase_scale(nu).item()
        expected = by_autodiff(jnp.array([np.arctanh(nu), w]))
        value = coupled_metric(nu, w)
        assert np.allclose(value, expected, rtol=1e-6, atol=1e-9)
        assert np.isclose(np.linalg.det(expected), 1, atol=1e-6)
        assert published is None or np.isclose(value[0, 0], published, atol=0.5)


def test_coupled_phase_has_unit_sensitivity():
    nu = np.array([0.3, 0.9, 0.99])
    scale = coupled_phase_scale(nu)
    assert np.allclose(scale**2 * metric(nu, 0.0)[:, 1, 1], 1, rtol=1e-12)


def test_curvature_is_that_of_the_metric():
    """`κ = −(f'/√E)' / (√E f)` for `E dν² + f² dθ²`, by central differences."""

    def white(nu):
        values = np.asarray(metric(nu, 0.0))
        return np.sqrt(values[..., 0, 0]), np.sqrt(values[..., 1, 1])

    def free(nu):
        return 1 / (1 - nu**2), nu / (1 - nu**2)

    def none(nu):
        root = np.sqrt((1 + nu**2) / (1 - nu**2) ** 3)
        return root, nu * root

    step = 2e-4
    nu = np.array([0.05, 0.4, 0.8])
    for name, lengths in (("normalised", white), ("free output phase", free), ("none", none)):
        middle = lengths(nu)
        outer = [lengths(nu + sign * step)[1] for sign in (1, -1)]
        halves = [lengths(nu + sign * step / 2)[0] for sign in (1, -1)]
        slopes = [
            (outer[0] - middle[1]) / step / halves[0],
            (middle[1] - outer[1]) / step / halves[1],
        ]
        expected = -(slopes[0] - slopes[1]) / step / (middle[0] * middle[1])
        assert np.allclose(gaussian_curvature(nu, normalisation=name), expected, rtol=3e-5)
    assert np.allclose(gaussian_curvature(np.array([0.0, 1.0])), [-7, -4])


def test_landscape_is_translation_invariant():
    a, b = np.array([0.0, 0.5, 3.0, 1e3]), np.array([0.4, 0.5, 1.0, 0.0])
    assert np.allclose(landscape(a, b), 1 - 1 / np.cosh(np.minimum(a - b, 700)), atol=1e-15)
    direct = np.sum((kernel(np.tanh(0.5)) - kernel(np.tanh(1.2))) ** 2) / 2
    assert np.isclose(landscape(0.5, 1.2), direct, rtol=1e-13)
    second = jax.grad(jax.grad(landscape))
    assert np.isclose(second(8.0, 8.0), 1, rtol=1e-14)
    assert np.isclose(landscape(1e-9, 0.0), 5e-19, rtol=1e-12)


@pytest.mark.parametrize(("student", "teacher"), PAIRS)
def test_overlap_and_losses_are_sums_over_the_kernels(student, teacher):
    left, right = kernel(student), kernel(teacher)
    value = overlap(student, teacher)
    assert np.isclose(value, np.sum(left * right.conj()), rtol=1e-12)
    distance = pseudo_hyperbolic_distance(student, teacher)
    assert np.isclose(1 - abs(value) ** 2, distance**2, rtol=1e-12, atol=1e-15)
    direct = np.sum(np.abs(left - right) ** 2) / 2
    assert np.isclose(normalised_loss(student, teacher), direct, rtol=1e-6, atol=0)
    scale = [np.sqrt(1 - abs(value) ** 2) for value in (student, teacher)]
    plain = left / scale[0] - right / scale[1]
    expected = (1.7 * np.sum(np.abs(plain) ** 2) + 0.3**2 * abs(np.sum(plain)) ** 2) / 2
    loss = teacher_student_loss(student, teacher, mean=0.3, variance=1.7)
    assert np.isclose(loss, expected, rtol=1e-6, atol=0)


def test_hessian_of_the_teacher_student_loss():
    nu, theta = 0.9, 0.4

    def loss(point):
        parts = point[0] * jnp.cos(point[1]), point[0] * jnp.sin(point[1])
        eigenvalue = jax.lax.complex(*parts)
        return teacher_student_loss(eigenvalue, nu * np.exp(1j * theta), mean=0.7, variance=1.3)

    expected = jax.jit(jax.hessian(loss))(jnp.array([nu, theta]))
    value = teacher_student_hessian(nu, theta, mean=0.7, variance=1.3)
    assert np.allclose(value, expected, rtol=1e-10, atol=1e-9)
    gap = 1 - nu**2
    white = teacher_student_hessian(nu, theta)
    assert np.allclose(np.diag(white), [(1 + nu**2) / gap**3, nu**2 * (1 + nu**2) / gap**3])
