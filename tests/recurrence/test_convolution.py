"""Causal convolution against NumPy, and the kernels of diagonal systems against matrix powers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remanence.errors import RemanenceError
from remanence.recurrence.convolution import (
    CONVOLUTION_METHODS,
    TOEPLITZ_SINGLE,
    causal_convolution,
    depthwise_convolution,
    depthwise_modal_kernel,
    modal_final_state,
    modal_kernel,
    powers,
)

convolve = jax.jit(causal_convolution, static_argnames="method")
kernel_of = jax.jit(modal_kernel, static_argnames=("length", "real"))


def direct(kernel, xs):
    """The sum, written out."""
    ys = np.zeros((xs.shape[0], kernel.shape[1]))
    for t in range(xs.shape[0]):
        for j in range(min(t + 1, kernel.shape[0])):
            ys[t] += kernel[j] @ xs[t - j]
    return ys


def modes(rng, modes, inputs=2, outputs=3, is_complex=True):
    def draw(*shape):
        real = rng.normal(size=shape)
        return real + 1j * rng.normal(size=shape) if is_complex else real

    eigenvalues = draw(modes)
    eigenvalues *= rng.uniform(0.3, 1, modes) / np.abs(eigenvalues)
    return eigenvalues, draw(modes, inputs), draw(outputs, modes)


@settings(max_examples=6, deadline=None)
@given(
    lags=st.integers(1, 12),
    time=st.integers(1, 12),
    inputs=st.integers(1, 3),
    outputs=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_convolution_equals_the_sum(lags, time, inputs, outputs, seed):
    rng = np.random.default_rng(seed)
    kernel, xs = rng.normal(size=(lags, outputs, inputs)), rng.normal(size=(time, inputs))
    for method in ("auto", *CONVOLUTION_METHODS):
        ys = convolve(kernel, xs, method=method)
        np.testing.assert_allclose(ys, direct(kernel, xs), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("method", ["auto", *CONVOLUTION_METHODS])
@pytest.mark.parametrize(("lags", "time"), [(1, 1), (5, 9), (9, 5), (TOEPLITZ_SINGLE + 1,) * 2])
def test_single_and_depthwise_equal_numpy(rng, method, lags, time):
    kernel, xs = rng.normal(size=(lags, 2)), rng.normal(size=(time, 2))
    expected = np.stack([np.convolve(kernel[:, c], xs[:, c])[:time] for c in range(2)], axis=1)
    ys = depthwise_convolution(kernel, xs, method=method)
    np.testing.assert_allclose(ys, expected, rtol=1e-11, atol=1e-12)
    ys = causal_convolution(kernel[:, :1, None], xs[:, :1], method=method)
    np.testing.assert_allclose(ys, expected[:, :1], rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("method", CONVOLUTION_METHODS)
@pytest.mark.parametrize(("lags", "time"), [(0, 3), (3, 0)])
def test_nothing_convolves_to_zero(method, lags, time):
    ys = causal_convolution(np.ones((lags, 2, 1)), np.ones((time, 1)), method=method)
    np.testing.assert_array_equal(ys, np.zeros((time, 2)))
    ys = depthwise_convolution(np.ones((lags, 2)), np.ones((time, 2)), method=method)
    np.testing.assert_array_equal(ys, np.zeros((time, 2)))


@pytest.mark.parametrize("method", CONVOLUTION_METHODS)
@pytest.mark.parametrize("outputs", [1, 2])
def test_gradients_of_a_convolution(rng, method, outputs):
    """`∂/∂K_j = Σ_t w_t x_{t−j}ᵀ` and `∂/∂x_s = Σ_t K_{t−s}ᵀ w_t`, under `vmap` and `jit`."""
    kernel, xs = rng.normal(size=(4, outputs, outputs)), rng.normal(size=(3, 6, outputs))
    weights = rng.normal(size=(3, 6, outputs))

    def loss(kernel, xs):
        ys = jax.vmap(lambda x: causal_convolution(kernel, x, method=method))(xs)
        return jnp.sum(weights * ys)

    by_kernel, by_xs = jax.jit(jax.grad(loss, (0, 1)))(kernel, xs)
    expected_kernel, expected_xs = np.zeros_like(kernel), np.zeros_like(xs)
    for batch in range(3):
        for t in range(6):
            for j in range(min(t + 1, 4)):
                expected_kernel[j] += np.outer(weights[batch, t], xs[batch, t - j])
                expected_xs[batch, t - j] += kernel[j].T @ weights[batch, t]
    np.testing.assert_allclose(by_kernel, expected_kernel, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(by_xs, expected_xs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("length", [0, 1, 7, 50])
@pytest.mark.parametrize("is_complex", [False, True])
def test_kernel_equals_matrix_powers(rng, length, is_complex):
    eigenvalues, B, C = modes(rng, 5, is_complex=is_complex)
    A = np.diag(eigenvalues)
    expected = [C @ np.linalg.matrix_power(A, j) @ B for j in range(length)]
    expected = np.array(expected, eigenvalues.dtype).reshape(length, 3, 2)
    kernel = kernel_of(eigenvalues, B, C, length)
    assert kernel.dtype == eigenvalues.dtype
    np.testing.assert_allclose(kernel, expected, rtol=1e-12, atol=1e-13)
    real = kernel_of(eigenvalues, B, C, length, real=True)
    np.testing.assert_allclose(real, expected.real, rtol=1e-12, atol=1e-13)


def test_depthwise_kernel_is_one_kernel_per_channel(rng):
    eigenvalues, B, C = (rng.normal(size=(2, 3)) + 0.4j * rng.normal(size=(2, 3)) for _ in "abc")
    j = np.arange(9)[:, None, None]
    expected = (C * eigenvalues**j * B).sum(axis=2)
    kernel = depthwise_modal_kernel(eigenvalues, B, C, 9)
    np.testing.assert_allclose(kernel, expected, rtol=1e-11, atol=1e-12)
    real = depthwise_modal_kernel(eigenvalues, B, C, 9, real=True)
    np.testing.assert_allclose(real, expected.real, rtol=1e-11, atol=1e-12)


def test_powers_keep_twelve_digits_to_a_hundred_thousand(rng):
    """The oracle is a running product in extended precision, with 64 bits of mantissa."""
    length = 100_000
    eigenvalues = np.exp(1j * rng.uniform(0, np.pi, 8))
    eigenvalues[4:] *= 1 - 1e-5
    table = np.asarray(powers(eigenvalues, length))
    exact, factor = np.ones(8, np.clongdouble), eigenvalues.astype(np.clongdouble)
    assert np.finfo(exact.dtype).eps < 1e-18
    worst = 0.0
    for j in range(length):
        if j % 97 == 0 or j == length - 1:
            worst = max(worst, float(np.max(np.abs(table[j] - exact) / np.abs(exact))))
        exact = exact * factor
    assert worst <= 1e-12


def test_powers_of_many_shapes():
    np.testing.assert_array_equal(powers(np.array(2.0), 4), [1, 2, 4, 8])
    table = powers(np.array([[0.0, 1.0], [0.5, -1.0]]), 3)
    np.testing.assert_array_equal(table[2], [[0, 1], [0.25, 1]])
    np.testing.assert_array_equal(table[0], np.ones((2, 2)))


def test_derivatives_of_the_kernel_even_at_zero(rng):
    """`∂K_j/∂λ_n = j λ_n^{j−1} C_n B_n`, complex analytic; at λ = 0 only lag one moves."""
    _, B, C = modes(rng, 3, 1, 1)
    eigenvalues = np.array([0.0, 0.5 + 0.3j, -0.9])
    j = np.arange(10)

    def kernel(eigenvalues):
        return modal_kernel(eigenvalues, B, C, 10)[:, 0, 0]

    slopes = jax.jit(jax.jacrev(kernel, holomorphic=True))(eigenvalues)
    expected = j[:, None] * eigenvalues ** np.maximum(j - 1, 0)[:, None] * (C[0] * B[:, 0])
    np.testing.assert_allclose(slopes, expected, rtol=1e-12, atol=1e-14)
    hessian = jax.jacfwd(jax.jacrev(kernel, holomorphic=True), holomorphic=True)
    curvature = jax.jit(hessian)(eigenvalues)
    at_zero = np.zeros(10, complex)
    at_zero[2] = 2 * C[0, 0] * B[0, 0]
    np.testing.assert_allclose(curvature[:, 0, 0], at_zero, atol=1e-14)


@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("time", [0, 1, 40])
def test_final_state_is_the_last_of_a_loop(rng, is_complex, time):
    eigenvalues, B, _ = modes(rng, 4, is_complex=is_complex)
    xs, h0 = rng.normal(size=(time, 2)), modes(rng, 4)[0]
    h, zero = h0, np.zeros(4)
    for x in xs:
        h, zero = eigenvalues * h + B @ x, eigenvalues * zero + B @ x
    final = jax.jit(modal_final_state)
    np.testing.assert_allclose(final(eigenvalues, B, xs, h0), h, rtol=1e-12)
    np.testing.assert_allclose(final(eigenvalues, B, xs), zero, rtol=1e-12)


def test_kernel_convolution_and_final_state_make_the_whole_layer(rng):
    """Convolution, `C λ^{t+1} h_0` and the final state against the recurrence, step by step."""
    eigenvalues, B, C = modes(rng, 4)
    xs, h = rng.normal(size=(20, 2)), modes(rng, 4)[0]
    start = (eigenvalues * h)[:, None]
    ys = convolve(kernel_of(eigenvalues, B, C, 20, real=True), xs)
    ys += kernel_of(eigenvalues, start, C, 20).real[:, :, 0]
    for t, x in enumerate(xs):
        h = eigenvalues * h + B @ x
        np.testing.assert_allclose(ys[t], (C @ h).real, rtol=1e-11, atol=1e-12)


def test_single_precision_stays_single():
    ones = np.ones((2, 2), np.float32)
    assert causal_convolution(ones[:, :, None], ones[:, :1], method="fft").dtype == np.float32
    eigenvalues = np.ones(2, np.complex64)
    assert kernel_of(eigenvalues, ones, ones, 3).dtype == np.complex64
    assert kernel_of(eigenvalues, ones, ones, 3, real=True).dtype == np.float32
    assert modal_final_state(eigenvalues, ones, ones).dtype == np.complex64


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: causal_convolution(np.ones((2, 1, 3)), np.ones((4, 2))), "kernel has shape"),
        (lambda: depthwise_convolution(np.ones((2, 3)), np.ones((4, 2))), "kernel has shape"),
        (
            lambda: causal_convolution(np.ones((2, 1, 1)), np.ones((4, 1)), method="tplitz"),
            "did you mean 'toeplitz'",
        ),
        (lambda: modal_kernel(np.ones(2), np.ones((3, 1)), np.ones((1, 2)), 4), "B has shape"),
        (
            lambda: depthwise_modal_kernel(np.ones((2, 2)), np.ones((2, 2)), np.ones((1, 2)), 4),
            "channels, modes",
        ),
        (lambda: modal_final_state(np.ones(2), np.ones((2, 3)), np.ones((4, 1))), "B has shape"),
    ],
)
def test_what_does_not_fit_is_said(call, message):
    with pytest.raises(RemanenceError, match=message):
        call()
