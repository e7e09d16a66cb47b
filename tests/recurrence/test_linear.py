"""The linear recurrence: every engine against a loop in NumPy, and its derivatives."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remanence.errors import RemanenceError
from remanence.recurrence.linear import METHODS, linear_recurrence

run = jax.jit(linear_recurrence, static_argnames=("method", "reverse"))


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


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("varying", [False, True])
@pytest.mark.parametrize(
    ("state_shape", "complex_a", "complex_b", "started"),
    [((), False, False, True), ((3,), True, False, False), ((2, 3), True, True, True)],
)
def test_equals_the_loop(
    rng, method, reverse, varying, state_shape, complex_a, complex_b, started
):
    length = 7
    a = draw(rng, (length, *state_shape) if varying else state_shape, complex_a)
    a = np.asarray(a)
    b = draw(rng, (length, *state_shape), complex_b)
    h0 = np.asarray(draw(rng, state_shape, complex_b)) if started else None
    states = run(a, b, h0, method=method, reverse=reverse)
    order = -1 if reverse else 1
    expected = loop(a[::order] if varying else a, b[::order], h0)[::order]
    np.testing.assert_allclose(states, expected, rtol=1e-14, atol=2e-15)


@pytest.mark.parametrize("varying", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("length", [0, 1, 2, 65])
def test_the_engines_agree_at_every_length(rng, varying, reverse, length):
    a = draw(rng, (length, 3) if varying else (3,), True)
    b, h0 = draw(rng, (length, 3), True), draw(rng, (3,), True)
    one, other = (run(a, b, h0, method=m, reverse=reverse) for m in METHODS)
    assert one.shape == other.shape == (length, 3)
    np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)
    if not reverse:
        np.testing.assert_allclose(one, loop(a, b, h0), rtol=1e-12, atol=1e-12)


def test_a_long_memory_is_kept_by_both_engines(rng):
    a = np.exp(1j * rng.uniform(0, np.pi, 4)) * (1 - 1e-5)
    b = np.zeros((2048, 4), complex)
    b[0] = 1
    expected = a ** np.arange(2048)[:, None]
    for method in METHODS:
        states = run(a, b, method=method)
        np.testing.assert_allclose(states, expected, rtol=4e-12)


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


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("varying", [False, True])
def test_jit_vmap_and_plain_agree(rng, method, varying):
    a, b = draw(rng, (4, 5, 3) if varying else (4, 3), False), draw(rng, (4, 5, 3), False)
    engine = partial(linear_recurrence, method=method)
    plain = np.stack([loop(a[i], b[i], None) for i in range(4)])
    np.testing.assert_allclose(jax.jit(jax.vmap(engine))(a, b), plain, rtol=1e-13, atol=1e-15)
    shared = jax.jit(jax.vmap(engine, (None, 0)))(a[0], b)
    plain = np.stack([loop(a[0], b[i], None) for i in range(4)])
    np.testing.assert_allclose(shared, plain, rtol=1e-13, atol=1e-15)


def problem(rng, method, reverse, varying):
    """A real loss of the real and imaginary parts of `a`, `b` and `h0`, and its arguments."""
    time, width = 5, 2
    a_shape = (time, width) if varying else (width,)
    shapes = [a_shape, (time, width), (width,)]
    arguments = [rng.uniform(-1, 1, (2, *shape)) for shape in shapes]
    weights = draw(rng, (time, width), True)

    def loss(arguments):
        a, b, h0 = (jax.lax.complex(x[0], x[1]) for x in arguments)
        h = linear_recurrence(a, b, h0, method=method, reverse=reverse)
        return jnp.sum(jnp.real(weights * h**2) + jnp.abs(h) ** 2)

    direction = [rng.uniform(-1, 1, x.shape) for x in arguments]
    return jax.jit(loss), arguments, direction


def along(arguments, direction, step):
    return [x + step * d for x, d in zip(arguments, direction, strict=True)]


def inner(left, right):
    return sum(jnp.sum(x * y) for x, y in zip(left, right, strict=True))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("varying", [False, True])
def test_first_and_second_derivatives(rng, method, reverse, varying):
    loss, arguments, direction = problem(rng, method, reverse, varying)
    gradient = jax.jit(jax.grad(loss))

    # Every entry of a, b and h0, real and imaginary.
    exact = gradient(arguments)
    for i, argument in enumerate(arguments):
        for index in np.ndindex(argument.shape):
            unit = [np.zeros_like(x) for x in arguments]
            unit[i][index] = 1.0
            ends = (loss(along(arguments, unit, step)) for step in (1e-5, -1e-5))
            difference = (next(ends) - next(ends)) / 2e-5
            np.testing.assert_allclose(exact[i][index], difference, rtol=1e-7, atol=1e-8)
    tangent = jax.jit(lambda x, d: jax.jvp(loss, (x,), (d,))[1])(arguments, direction)
    np.testing.assert_allclose(tangent, inner(exact, direction), rtol=1e-12)

    forward_over_reverse = jax.jit(lambda x, d: jax.jvp(jax.grad(loss), (x,), (d,))[1])
    reverse_over_reverse = jax.jit(lambda x, d: jax.grad(lambda x: inner(jax.grad(loss)(x), d))(x))
    up, down = (gradient(along(arguments, direction, step)) for step in (1e-5, -1e-5))
    for product in (forward_over_reverse, reverse_over_reverse):
        for got, high, low in zip(product(arguments, direction), up, down, strict=True):
            np.testing.assert_allclose(got, (high - low) / 2e-5, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_gradients_of_a_batch_are_those_of_its_members(rng, method):
    a, b = draw(rng, (3,), True), draw(rng, (4, 6, 3), True)

    def loss(a, b):
        return jnp.sum(jnp.abs(linear_recurrence(a, b, method=method)) ** 2)

    gradient = jax.jit(jax.grad(loss, (0, 1)))
    batched = jax.jit(jax.vmap(gradient, (None, 0)))(a, b)
    for i in range(4):
        alone = gradient(a, b[i])
        for got, expected in zip(batched, alone, strict=True):
            np.testing.assert_allclose(got[i], expected, rtol=1e-12, atol=1e-12)


def test_an_unknown_method_names_the_nearest():
    with pytest.raises(RemanenceError, match="did you mean 'associative'"):
        linear_recurrence(np.ones(1), np.ones((2, 1)), method="asociative")


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
