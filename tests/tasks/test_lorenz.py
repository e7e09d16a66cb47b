import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg

from remanence.errors import RemanenceError
from remanence.tasks.inputs import White
from remanence.tasks.lorenz import LorenzResponse

RESPOND = jax.jit(LorenzResponse.respond)


def slow(state, x, coupling):
    """The equations as they are written, mode by mode."""
    y, z = state[0], state[1:]
    K = len(z)
    dz = [2 * (z[(k + 1) % K] * (z[k - 1] - z[(k + 2) % K]) - z[k] + y) for k in range(K)]
    return np.array([-y + x + coupling * sum(z) / K, *dz])


@pytest.mark.parametrize(("modes", "coupling"), [(4, 1.0), (5, 0.6)])
def test_against_an_adaptive_solver(modes, coupling, rng):
    task = LorenzResponse(modes, coupling=coupling, step=0.125, substeps=16)
    xs = rng.normal(size=12)
    ys, zs = RESPOND(task, jnp.asarray(xs))
    state = np.zeros(modes + 1)
    state[1] = 1.0
    for t, x in enumerate(xs):
        state = scipy.integrate.solve_ivp(
            lambda _, s, x=x: slow(s, x, coupling), (0, 0.125), state, rtol=1e-11, atol=1e-12
        ).y[:, -1]
        np.testing.assert_allclose(np.r_[ys[t], zs[t]], state, rtol=0, atol=1e-6)


@pytest.mark.parametrize("coupling", [0.0, 0.75, 1.0])
def test_equal_modes_are_a_linear_system_with_the_slow_rate(coupling, rng):
    task = LorenzResponse(4, coupling=coupling, step=0.05, substeps=8, start=0.0)
    generator = np.array([[-1.0, coupling], [2.0, -2.0]])
    assert np.linalg.eigvals(generator).real.max() == pytest.approx(task.slow_rate, abs=1e-12)
    xs = rng.normal(size=40)
    whole = np.zeros((3, 3))
    whole[:2, :2], whole[0, 2] = generator, 1.0
    block = scipy.linalg.expm(0.05 * whole)
    state, expected = np.zeros(2), []
    for x in xs:
        state = block[:2, :2] @ state + block[:2, 2] * x
        expected.append(state[0])
    ys, zs = RESPOND(task, jnp.asarray(xs))
    np.testing.assert_allclose(ys, expected, rtol=0, atol=1e-9)
    zs = np.asarray(zs)
    np.testing.assert_allclose(zs, zs[:, :1] * np.ones(4), rtol=0, atol=1e-14)


def test_states_keep_the_bound(rng):
    task = LorenzResponse(6, step=0.1, substeps=8)
    xs = 2 * rng.normal(size=200)
    ys, zs = RESPOND(task, jnp.asarray(xs))
    size = np.sqrt(np.asarray(ys) ** 2 + np.mean(np.asarray(zs) ** 2, axis=1) / 2)
    assert np.all(size <= np.sqrt(1 / 12) + 0.1 * np.cumsum(np.abs(xs)))
    # The ring is at work, else the bound would be of a linear system.
    assert np.asarray(zs).std(axis=1).max() > 1


def test_a_sample_is_the_response_to_its_scaled_inputs():
    task = LorenzResponse(scale=0.5, process=White())
    example = task.sample(jax.random.key(3), 20)
    white = White().sample(jax.random.key(3), 20)
    np.testing.assert_allclose(example.inputs, 0.5 * white, rtol=1e-15)
    ys, _ = RESPOND(task, example.inputs[:, 0])
    np.testing.assert_allclose(example.targets[:, 0], ys, rtol=1e-12, atol=1e-14)
    assert example.weights.tolist() == [1.0] * 20


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({"modes": 3}, "modes"),
        ({"coupling": 1.5}, "from 0 to 1"),
        ({"step": 0.0}, "step"),
        ({"substeps": 0}, "substeps"),
        ({"start": float("nan")}, "start must be"),
        ({"scale": -1}, "at least 0"),
    ],
)
def test_bad_settings(bad, told):
    with pytest.raises(RemanenceError, match=told):
        LorenzResponse(**bad)


def test_no_sequence_without_a_step():
    with pytest.raises(RemanenceError, match="length"):
        LorenzResponse().sample(jax.random.key(0), 0)
