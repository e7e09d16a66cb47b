import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from remanence.errors import NumericalError, RemanenceError
from remanence.layers.gru import GRU
from remanence.layers.lru import LRU
from remanence.theory.memory_functions import (
    memory_function,
    stacked_bound,
    successive_differences,
)

PROBES = ["heaviside", "impulse", "reversed"]


@pytest.fixture(scope="module")
def layer():
    return LRU(3, 5, 1, r_min=0.7, r_max=0.95, key=jax.random.key(0))


@pytest.mark.parametrize("probe", PROBES)
def test_a_linear_model_gives_its_kernel(layer, probe):
    g = np.asarray(layer.system().impulse_response(60))[:, 0]
    found = memory_function(layer, length=60, probe=probe)
    np.testing.assert_allclose(found.values, np.abs(g).sum(axis=1), atol=2e-14)
    assert 0 <= found.floor < 1e-14
    # A short history changes nothing: what would have happened anyway is subtracted.
    if probe == "reversed":
        short = memory_function(layer, length=60, probe=probe, history=1)
        np.testing.assert_allclose(short.values, found.values, atol=2e-14)


def tanh_network(seed=0, inputs=2, state=4):
    rng = np.random.default_rng(seed)
    U, W = rng.normal(size=(state, state)) / 4, rng.normal(size=(state, inputs))
    b, c = rng.normal(size=state), rng.normal(size=(2, state))

    def run(xs):
        h, ys = np.zeros(state), []
        for x in np.asarray(xs):
            h = np.tanh(U @ h + W @ x + b)
            ys.append(c @ h)
        return np.array(ys)

    return run


def brute(run, x, probe, before, length):
    """The definition by a loop, with the model at rest before: differences of y itself."""
    t = np.arange(-before, length)
    on = {"heaviside": t >= 0, "impulse": t == 0, "reversed": t < 0}[probe]
    ys = run(np.where(on[:, None], x, 0.0))
    if probe == "impulse":
        changes = ys[before:] - ys[before - 1]
    else:
        changes = ys[before:] - ys[before - 1 : -1]
    return np.linalg.norm(changes, axis=1)


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize("denominator", ["x", "x+1"])
def test_a_nonlinear_model_by_the_definition(probe, denominator):
    run = tanh_network()
    directions = np.array([[1.0, 0.5], [-2.0, 0.3], [0.1, 0.1]])
    found = memory_function(
        run,
        inputs=2,
        length=20,
        probe=probe,
        directions=directions,
        denominator=denominator,
        history=120,
        by="loop",
    )
    sizes = np.array([1.0, 2.0, 0.1]) + (denominator == "x+1")
    curves = [
        brute(run, x, probe, 120, 20) / size for x, size in zip(directions, sizes, strict=True)
    ]
    np.testing.assert_allclose(found.values, np.max(curves, axis=0), atol=1e-13)


def test_all_ways_of_running_agree():
    gru = GRU(2, 3, key=jax.random.key(1))
    by_vmap = memory_function(gru, length=15).values
    by_loop = memory_function(lambda xs: gru(jnp.asarray(xs)), inputs=2, length=15, by="loop")
    by_batch = memory_function(
        lambda batch: jax.vmap(gru)(jnp.asarray(batch)), inputs=2, length=15, by="batch"
    )
    np.testing.assert_allclose(by_loop.values, by_vmap, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(by_batch.values, by_vmap, rtol=1e-12, atol=1e-16)


def test_many_inputs_take_random_signs():
    w = np.random.default_rng(3).normal(size=9)

    def run(xs):
        return np.asarray(xs) @ w[:, None]

    few = memory_function(run, inputs=9, length=2, count=3, by="loop").values
    many = memory_function(run, inputs=9, length=2, count=3000, by="loop").values
    assert few[0] < many[0]
    assert many[0] == pytest.approx(np.abs(w).sum(), rel=1e-12)
    assert many[1] == 0


def test_floor_and_step(layer):
    single = LRU(1, 4, key=jax.random.key(2), dtype=jnp.float32)
    found = memory_function(single, length=30, step=0.5)
    g = np.asarray(single.impulse_response(30))[:, 0, 0]
    np.testing.assert_allclose(found.values, np.abs(g) / 0.5, atol=20 * found.floor)
    assert 1e-8 < found.floor < 1e-5
    np.testing.assert_array_equal(found.times, 0.5 * np.arange(30))
    assert memory_function(layer, length=5, probe="impulse").floor == 0


def test_successive_differences(rng):
    ys = rng.normal(size=(3, 5, 2))
    wanted = [[np.hypot(*(run[k + 1] - run[k])) for k in range(4)] for run in ys]
    np.testing.assert_allclose(successive_differences(ys), wanted)


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_the_bound_of_a_stack_is_attained_by_equal_modes(layers):
    nu, steps = 0.8, np.arange(40)
    response = nu**steps
    for _ in range(layers - 1):
        response = np.convolve(response, nu**steps)[:40]
    bound = stacked_bound(steps, rate=-np.log(nu), layers=layers, gain=1.5, time="discrete")
    np.testing.assert_allclose(bound, 1.5 * response, rtol=1e-10)
    # Small steps tend to the continuous bound.
    fine = stacked_bound(1e5, rate=1e-5, layers=layers, time="discrete") / 1e5 ** (layers - 1)
    assert fine == pytest.approx(float(stacked_bound(1.0, rate=1.0, layers=layers)), rel=1e-3)


def uneven(xs):
    return np.ones((int(4 + xs.sum()), 1))


@pytest.mark.parametrize(("t", "rate", "layers"), [(10, 1.0, 180), (2000, 0.1, 100), (900, 1, 90)])
def test_the_bound_of_a_deep_stack_neither_vanishes_nor_overflows(t, rate, layers):
    e = Fraction(math.exp(-rate * t / 4)) ** 4
    wanted = Fraction(t) ** (layers - 1) / math.factorial(layers - 1) * e
    bound = stacked_bound(float(t), rate=rate, layers=layers)
    assert float(bound) == pytest.approx(float(wanted), rel=1e-9)
    wanted = math.comb(t + layers - 1, layers - 1) * e
    bound = stacked_bound(t, rate=rate, layers=layers, time="discrete")
    assert float(bound) == pytest.approx(float(wanted), rel=1e-9)


def test_bounds_at_the_ends():
    assert float(stacked_bound(0.0, rate=1.0, layers=3)) == 0
    assert float(stacked_bound(0.0, rate=1.0, gain=2.0)) == pytest.approx(2.0)
    assert stacked_bound([1.0, 2.0], rate=1.0, gain=0).tolist() == [0, 0]
    # C(k + 2, 2) of a number of steps whose factorial is known to no digit.
    k = 10**15
    far = stacked_bound(float(k), rate=1e-15, layers=3, time="discrete")
    assert float(far) == pytest.approx(float(math.comb(k + 2, 2)) * math.exp(-1), rel=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: memory_function(np.cumsum, length=3, seed=-1), "seed"),
        (lambda: memory_function(np.cumsum, length=3, count=0), "count"),
        (lambda: memory_function(np.cumsum, length=10**400), "length"),
        (lambda: memory_function(np.cumsum, length=10**15), "too many"),
        (
            lambda: memory_function(lambda xs: np.array(xs), length=3),
            'not a JAX function.*by="loop"',
        ),
        (lambda: memory_function(lambda xs: "x", length=3), "answers with str"),
        (lambda: memory_function(lambda xs: {"a": xs}, length=3), "answers with dict"),
        (lambda: memory_function(lambda xs: None, length=3, by="loop"), "shape"),
        (lambda: memory_function(lambda xs: [[1], [1, 2]], length=3, by="loop"), "no array"),
        (lambda: memory_function(uneven, length=3, by="loop"), "with the shapes"),
        (lambda: stacked_bound([1.0], rate=1.0, layers=10**400), "layers"),
        (lambda: memory_function(np.cumsum, length=0), "length"),
        (lambda: memory_function(np.cumsum, length=3, probe="heavyside"), "'heaviside'"),
        (lambda: memory_function(np.cumsum, length=3, by="map"), "none of vmap"),
        (lambda: memory_function(np.cumsum, length=3, denominator="y"), "none of x"),
        (lambda: memory_function(np.cumsum, length=3, directions=[[1.0, 2.0]]), "expected"),
        (lambda: memory_function(np.cumsum, length=3, directions=[[0.0]]), "zero"),
        (lambda: memory_function(np.cumsum, length=3, directions=[[np.nan]]), "NaN"),
        (lambda: memory_function(lambda xs: xs[:, 0], length=3, by="loop"), "shape"),
        (lambda: memory_function(lambda xs: xs * 1j, length=3, by="loop"), "complex"),
        (lambda: memory_function(lambda xs: xs, length=3, probe="reversed", history=0), "history"),
        (lambda: memory_function(lambda xs: xs, length=3, step=0), "step"),
        (lambda: successive_differences(np.ones((1, 2))), "two steps"),
        (lambda: stacked_bound([1.0], rate=0.0), "rate"),
        (lambda: stacked_bound([1.0], rate=1.0, layers=0), "layers"),
        (lambda: stacked_bound([1.0], rate=1.0, time="both"), "neither"),
    ],
)
def test_bad_arguments_get_one_line(call, message):
    with pytest.raises(RemanenceError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_outputs_must_be_finite():
    with np.errstate(divide="ignore"), pytest.raises(NumericalError, match="not finite"):
        memory_function(lambda xs: 1 / np.asarray(xs), length=3, by="loop")
