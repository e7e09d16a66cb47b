"""The linear recurrence against a loop in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remanence.errors import RemanenceError
from remanence.recurrence import linear_recurrence


def loop(a, b, h0):
    """One state after the other."""
    h = np.zeros(b.shape[1:]) if h0 is None else h0
    states = []
    for t in range(b.shape[0]):
        h = (a[t] if a.ndim == b.ndim else a) * h + b[t]
        states.append(h)
    return np.array(states).reshape(b.shape)


def draw(rng, shape, is_complex):
    real = rng.uniform(-1, 1, shape)
    return real + 1j * rng.uniform(-1, 1, shape) if is_complex else real


@pytest.mark.parametrize("varying", [False, True])
@pytest.mark.parametrize("state_shape", [(), (3,), (2, 3)])
@pytest.mark.parametrize("complex_a", [False, True])
@pytest.mark.parametrize("complex_b", [False, True])
@pytest.mark.parametrize("started", [False, True])
def test_equals_the_loop(rng, varying, state_shape, complex_a, complex_b, started):
    length = 7
    a = draw(rng, (length, *state_shape) if varying else state_shape, complex_a)
    a = np.asarray(a)
    b = draw(rng, (length, *state_shape), complex_b)
    h0 = np.asarray(draw(rng, state_shape, complex_b)) if started else None
    states = linear_recurrence(a, b, h0)
    np.testing.assert_allclose(states, loop(a, b, h0), rtol=1e-14, atol=1e-15)


@settings(max_examples=15, deadline=None)
@given(cut=st.integers(0, 6), seed=st.integers(0, 2**32 - 1))
def test_split_and_carry(cut, seed):
    rng = np.random.default_rng(seed)
    a, b = draw(rng, (6, 2), True), draw(rng, (6, 2), True)
    whole = linear_recurrence(a, b)
    first = linear_recurrence(a[:cut], b[:cut])
    carried = first[-1] if cut else jnp.zeros(2, complex)
    second = linear_recurrence(a[cut:], b[cut:], carried)
    np.testing.assert_allclose(jnp.concatenate([first, second]), whole, rtol=1e-14, atol=1e-15)


def test_jit_vmap_and_plain_agree(rng):
    a, b = draw(rng, (4, 3), False), draw(rng, (4, 5, 3), False)
    plain = np.stack([linear_recurrence(a[i], b[i]) for i in range(4)])
    np.testing.assert_allclose(jax.jit(jax.vmap(linear_recurrence))(a, b), plain, rtol=1e-14)


def test_gradient_is_the_finite_difference(rng):
    a, b, h0 = rng.uniform(-1, 1, 2), rng.uniform(-1, 1, (5, 2)), rng.uniform(-1, 1, 2)
    weights = rng.uniform(-1, 1, (5, 2))

    def loss(a):
        return jnp.sum(weights * linear_recurrence(a, b, h0) ** 2)

    gradient = jax.grad(loss)(a)
    for i, direction in enumerate(np.eye(2)):
        difference = (loss(a + 1e-5 * direction) - loss(a - 1e-5 * direction)) / 2e-5
        np.testing.assert_allclose(gradient[i], difference, rtol=1e-8)


def test_types_promote():
    a, b = np.ones(2, np.float32), np.ones((3, 2), np.complex64)
    assert linear_recurrence(a, b).dtype == np.complex64
    assert linear_recurrence(a, b, np.ones(2, np.float64)).dtype == np.complex128


@pytest.mark.parametrize(
    ("a", "b", "h0", "message"),
    [
        (np.ones(3), np.ones((4, 2)), None, r"a has shape \(3,\), expected \(2,\)"),
        (np.ones((3, 2)), np.ones((4, 2)), None, r"or \(4, 2\)"),
        (np.ones(1), np.ones((4, 2)), None, "a has shape"),
    ],
)
def test_shapes_that_do_not_fit(a, b, h0, message):
    with pytest.raises(RemanenceError, match=message):
        linear_recurrence(a, b, h0)
