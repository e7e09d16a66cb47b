"""Responses and simulations: the laws that every system obeys."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal

from remanence.errors import NumericalError, RemanenceError
from remanence.systems import DiagonalStateSpace, StateSpace, successor_form

LENGTH = 12


def inputs_for(system, length=LENGTH):
    return np.random.default_rng(7).standard_normal((length, system.inputs))


def test_impulse_response_is_matrix_powers(system, matrices):
    A, B, C, D = matrices(system)
    expected = np.stack([C @ np.linalg.matrix_power(A, j) @ B for j in range(LENGTH)])
    np.testing.assert_allclose(expected.imag, 0, atol=1e-13)
    expected = expected.real
    expected[0] += D
    np.testing.assert_allclose(system.impulse_response(LENGTH), expected, rtol=1e-12, atol=1e-13)


def test_impulse_response_is_the_simulated_impulse(system):
    response = np.asarray(system.impulse_response(LENGTH))
    for port in range(system.inputs):
        impulse = np.zeros((LENGTH, system.inputs))
        impulse[0, port] = 1
        ys = system.simulate(impulse)[0]
        np.testing.assert_allclose(ys, response[:, :, port], rtol=1e-13, atol=1e-13)


def test_simulation_is_the_convolution(system):
    x, response = inputs_for(system), np.asarray(system.impulse_response(LENGTH))
    expected = [sum(response[j] @ x[t - j] for j in range(t + 1)) for t in range(LENGTH)]
    np.testing.assert_allclose(system.simulate(x)[0], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cut", [0, 1, 5, LENGTH])
def test_split_and_carry(system, cut):
    x = inputs_for(system)
    start = system.simulate(inputs_for(system, 3)[::-1])[1]
    whole, last = system.simulate(x, start)
    first, middle = system.simulate(x[:cut], start)
    second, final = system.simulate(x[cut:], middle)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(final, last, rtol=1e-13, atol=1e-13)


def test_step_is_the_equation(system, matrices):
    if isinstance(system, DiagonalStateSpace):
        system = system.to_dense()
    A, B, C, D = matrices(system)
    h, x = np.random.default_rng(1).standard_normal(system.order), inputs_for(system, 1)
    ys, final = system.simulate(x, h)
    np.testing.assert_allclose(final, A @ h + B @ x[0], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(ys[0], C @ final + D @ x[0], rtol=1e-12, atol=1e-13)


def test_to_dense_is_the_same_system(system, matrices):
    dense = system.to_dense()
    assert isinstance(dense, StateSpace)
    assert (dense.order, dense.inputs, dense.outputs) == (
        system.order,
        system.inputs,
        system.outputs,
    )
    np.testing.assert_allclose(
        dense.impulse_response(LENGTH), system.impulse_response(LENGTH), rtol=1e-12, atol=1e-13
    )
    x = inputs_for(system)
    ys, dense_state = dense.simulate(x)
    expected, state = system.simulate(x)
    np.testing.assert_allclose(ys, expected, rtol=1e-12, atol=1e-12)
    if isinstance(system, DiagonalStateSpace):
        state = [
            part
            for h, pair in zip(np.asarray(state), system.paired, strict=True)
            for part in ((h.real, h.imag) if pair else (h.real,))
        ]
    np.testing.assert_allclose(dense_state, state, rtol=1e-12, atol=1e-12)


def test_poles_are_the_eigenvalues(system, matrices):
    expected = np.linalg.eigvals(matrices(system)[0])
    poles = system.poles()
    assert poles.shape == (system.order,)
    # Matched by their characteristic polynomial, which has no order.
    np.testing.assert_allclose(np.poly(poles), np.poly(expected), atol=1e-12)
    assert system.spectral_radius() == pytest.approx(np.abs(expected).max(), rel=1e-12)


def test_successor_form_in_scipy(system):
    dense = system.to_dense()
    x = inputs_for(system)
    start = np.random.default_rng(2).standard_normal(system.order)
    A, B, C, D = (np.asarray(m) for m in successor_form(dense))
    _, ys, states = scipy.signal.dlsim((A, B, C, D, 1.0), x, x0=start)
    expected, final = dense.simulate(x, start)
    np.testing.assert_allclose(ys, expected, rtol=1e-11, atol=1e-12)
    # SciPy's state is the one before the input: its last is ours, one input from the end.
    before_last = dense.simulate(x[:-1], start)[1]
    np.testing.assert_allclose(states[-1], before_last, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(A @ states[-1] + B @ x[-1], final, rtol=1e-11, atol=1e-12)


def test_similarity_leaves_the_response(system):
    """I6: (T A T⁻¹, T B, C T⁻¹) is the same system."""
    dense = system.to_dense()
    T = np.eye(system.order) + 0.3 * np.random.default_rng(3).standard_normal((system.order,) * 2)
    A = np.linalg.solve(T.T, (T @ np.asarray(dense.A)).T).T
    C = np.linalg.solve(T.T, np.asarray(dense.C).T).T
    turned = StateSpace(A, T @ np.asarray(dense.B), C, dense.D)
    np.testing.assert_allclose(
        turned.impulse_response(LENGTH), dense.impulse_response(LENGTH), rtol=1e-9, atol=1e-10
    )


def test_gradient_is_the_finite_difference(system):
    """Along a random direction through every field at once."""
    arrays, static = eqx.partition(jax.tree.map(jnp.asarray, system), eqx.is_array)
    weights = np.random.default_rng(4).standard_normal((5, system.outputs, system.inputs))

    @jax.jit
    def loss(arrays):
        response = eqx.combine(arrays, static).impulse_response(5)
        return jnp.sum(weights * response**2)

    gradient = jax.grad(loss)(arrays)
    leaves, tree = jax.tree.flatten(arrays)
    rng = np.random.default_rng(5)
    direction = jax.tree.unflatten(
        tree,
        [
            jnp.asarray(
                rng.standard_normal(leaf.shape)
                + (1j * rng.standard_normal(leaf.shape) if jnp.iscomplexobj(leaf) else 0)
            )
            for leaf in leaves
        ],
    )

    def moved(size):
        return loss(jax.tree.map(lambda leaf, step: leaf + size * step, arrays, direction))

    # JAX's gradient of a real function of complex numbers is ∂/∂Re − i ∂/∂Im.
    slope = sum(
        jnp.sum(jnp.real(g * d))
        for g, d in zip(jax.tree.leaves(gradient), jax.tree.leaves(direction), strict=True)
    )
    np.testing.assert_allclose(slope, (moved(1e-5) - moved(-1e-5)) / 2e-5, rtol=1e-6)


def test_jit_and_vmap_equal_plain(system):
    response = system.impulse_response(LENGTH)
    jitted = eqx.filter_jit(lambda s: s.impulse_response(LENGTH))(system)
    np.testing.assert_allclose(jitted, response, rtol=1e-12, atol=1e-13)
    stacked = jax.tree.map(lambda leaf: jnp.stack([leaf, 0.5 * leaf]), system)
    both = eqx.filter_vmap(lambda s: s.impulse_response(LENGTH))(stacked)
    np.testing.assert_allclose(both[0], response, rtol=1e-12, atol=1e-13)
    dense = eqx.filter_jit(lambda s: s.to_dense().impulse_response(LENGTH))(system)
    np.testing.assert_allclose(dense, response, rtol=1e-12, atol=1e-12)


def test_constructing_inside_jit():
    """Inside a transformation there are no values to check, and nothing may ask for them."""

    @jax.jit
    def response(phase):
        one = jnp.ones((1, 1), complex)
        eigenvalues = 0.9 * jax.lax.complex(jnp.cos(phase), jnp.sin(phase))
        return DiagonalStateSpace(eigenvalues, one, one).impulse_response(3)

    np.testing.assert_allclose(
        response(jnp.array([0.4]))[:, 0, 0], 2 * 0.9 ** np.arange(3) * np.cos(0.4 * np.arange(3))
    )


def test_closed_forms():
    """A real mode counts once, a pair twice."""
    pair = DiagonalStateSpace([0.5 * np.exp(0.3j)], [[1.0]], [[2.0]])
    assert pair.order == 2
    times = np.arange(6)
    np.testing.assert_allclose(
        pair.impulse_response(6)[:, 0, 0], 4 * 0.5**times * np.cos(0.3 * times), rtol=1e-14
    )
    real = DiagonalStateSpace([0.5], [[1.0]], [[2.0]], [[7.0]])
    assert real.order == 1
    np.testing.assert_allclose(
        real.impulse_response(6)[:, 0, 0], 2 * 0.5**times + 7 * (times == 0), rtol=1e-14
    )


def test_single_precision_stays_single():
    def single(*shape):
        return jnp.full(shape, 0.5, jnp.float32)

    dense = StateSpace(single(2, 2) / 2, single(2, 1), single(1, 2))
    assert dense.impulse_response(3).dtype == jnp.float32
    assert dense.simulate(single(4, 1))[0].dtype == jnp.float32
    diagonal = DiagonalStateSpace(single(2), single(2, 1), single(1, 2))
    assert diagonal.impulse_response(3).dtype == jnp.float32
    assert diagonal.simulate(single(4, 1))[0].dtype == jnp.float32
    assert diagonal.to_dense().A.dtype == jnp.float32


def test_static_gain():
    """Order 0: nothing but D."""
    gain = StateSpace(np.zeros((0, 0)), np.zeros((0, 2)), np.zeros((1, 0)), [[3.0, 4.0]])
    assert gain.order == 0
    assert gain.spectral_radius() == 0
    np.testing.assert_array_equal(gain.simulate(np.eye(2))[0], [[3.0], [4.0]])
    np.testing.assert_array_equal(gain.impulse_response(2), [[[3.0, 4.0]], [[0.0, 0.0]]])


ONE = [[1.0]]
MISTAKES = {
    "A not square": (lambda: StateSpace([[1.0, 2.0]], ONE, ONE), "A must be square"),
    "B": (
        lambda: StateSpace(ONE, [[1.0], [2.0]], ONE),
        r"B has shape \(2, 1\), expected \(1, 1\)",
    ),
    "C": (lambda: StateSpace(ONE, ONE, [[1.0, 2.0]]), r"C has shape \(1, 2\)"),
    "D": (lambda: StateSpace(ONE, ONE, ONE, [[1.0, 2.0]]), r"D has shape \(1, 2\)"),
    "vector": (lambda: StateSpace(ONE, [1.0], ONE), "B must be a matrix"),
    "complex": (lambda: StateSpace([[0.5j]], ONE, ONE), "A is complex"),
    "words": (lambda: StateSpace([["a"]], ONE, ONE), "A must hold numbers"),
    "length": (lambda: StateSpace(ONE, ONE, ONE).impulse_response(0), "at least 1"),
    "x": (lambda: StateSpace(ONE, ONE, ONE).simulate(np.ones((3, 2))), "expected \\(time, 1\\)"),
    "state": (
        lambda: StateSpace(ONE, ONE, ONE).simulate(np.ones((3, 1)), np.ones(2)),
        "state has shape",
    ),
    "diagonal B": (lambda: DiagonalStateSpace([0.5j], [[1.0], [1.0]], ONE), "B has shape"),
    "diagonal C": (lambda: DiagonalStateSpace([0.5j], ONE, [[1.0, 2.0]]), "C has shape"),
    "diagonal D": (lambda: DiagonalStateSpace([0.5j], ONE, ONE, [[1j]]), "D is complex"),
    "diagonal x": (
        lambda: DiagonalStateSpace([0.5j], ONE, ONE).simulate(np.ones((3, 2))),
        "expected \\(time, 1\\)",
    ),
    "paired": (lambda: DiagonalStateSpace([0.5j], ONE, ONE, paired=[True, True]), "2 entries"),
    "real among complex": (
        lambda: DiagonalStateSpace([0.5j, 0.3], [[1.0], [1.0]], [[1.0, 1.0]]),
        r"eigenvalue 1 \(0.3\) of a complex array is real",
    ),
    "both of a pair": (
        lambda: DiagonalStateSpace([0.5j, -0.5j], [[1.0], [1.0]], [[1.0, 1.0]]),
        "0 and 1 are conjugates",
    ),
    "real mode, complex pole": (
        lambda: DiagonalStateSpace([0.5j], ONE, ONE, paired=[False]),
        "complex eigenvalue",
    ),
    "real mode, complex B": (lambda: DiagonalStateSpace([0.5], [[1j]], ONE), "row of B"),
    "real mode, complex C": (lambda: DiagonalStateSpace([0.5], ONE, [[1j]]), "column of C"),
}


@pytest.mark.parametrize("mistake", list(MISTAKES))
def test_mistakes_are_one_line(mistake):
    act, message = MISTAKES[mistake]
    with pytest.raises(RemanenceError, match=message) as caught:
        act()
    assert "\n" not in str(caught.value)


def test_nan_has_no_poles():
    with pytest.raises(NumericalError, match="NaN"):
        StateSpace([[np.nan]], ONE, ONE).spectral_radius()
    with pytest.raises(NumericalError, match="NaN"):
        DiagonalStateSpace([np.nan], ONE, ONE).spectral_radius()
