"""Exact training: the same numbers as running every sequence, and as sums written out."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from remanence.errors import NumericalError, RemanenceError
from remanence.layers import GRU, LRU, S4D, DiagonalRNN, LinearRNN, ReIm
from remanence.systems import DiagonalStateSpace, StateSpace
from remanence.tasks import Autoregressive
from remanence.training import (
    effective_learning_rates,
    ones_probe,
    stack_models,
    train_exact,
)

HORIZON = 12
SGD = optax.sgd(1.0)


@pytest.fixture(scope="module")
def teacher():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(3, 3))
    A *= 0.8 / np.abs(np.linalg.eigvals(A)).max()
    return StateSpace(A, rng.normal(size=(3, 1)), rng.normal(size=(1, 3)), rng.normal(size=(1, 1)))


def students(make, members, seed=0):
    return stack_models(make, jax.random.split(jax.random.key(seed), members))


def lru(key, dtype=None):
    return LRU(1, 4, r_min=0.3, r_max=0.8, key=key, dtype=dtype)


def close(first, second, **tolerances):
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(second), strict=True):
        np.testing.assert_allclose(a, b, **tolerances)


def test_a_minibatch_step_is_the_step_of_running_every_sequence(teacher):
    models, rate, key = students(lru, 2), 0.05, jax.random.key(5)
    trained = train_exact(
        models,
        teacher.impulse_response(HORIZON),
        learning_rates=[rate, 2 * rate],
        steps=3,
        batch=6,
        key=key,
        optimiser=SGD,
        decay_steps=np.inf,
    )

    def loss(model, xs):
        ys = jax.vmap(lambda x: model(x, method="sequential")[0])(xs)
        truth = jax.vmap(lambda x: teacher.simulate(x)[0])(xs)
        return 0.5 * jnp.mean(jnp.sum((ys - truth) ** 2, axis=2))

    step = jax.jit(jax.value_and_grad(loss))
    model, losses = jax.tree.map(lambda leaf: leaf[1], models), []
    for count in range(3):
        xs = jax.random.normal(jax.random.fold_in(key, count), (6, HORIZON, 1))
        value, gradient = step(model, xs)
        losses.append(value)
        model = jax.tree.map(lambda p, g: p - 2 * rate * g, model, gradient)
    np.testing.assert_allclose(trained.training_losses[1], losses, rtol=1e-10)
    close(trained.member(1), model, rtol=1e-10)


@pytest.mark.parametrize("process", [None, Autoregressive(0.8)])
def test_the_expected_loss_is_the_double_sum_over_lags(teacher, process):
    models = students(lambda key: LinearRNN(1, 6, blocks=3, key=key), 2)
    trained = train_exact(
        models,
        teacher.impulse_response(HORIZON),
        learning_rates=[1e-3, 1e-2],
        steps=4,
        process=process,
        optimiser=SGD,
        decay_steps=np.inf,
        factor=0.7,
    )
    rho = 0.0 if process is None else 0.8
    for member, model in enumerate(
        [jax.tree.map(lambda leaf: leaf[1], models), trained.member(1)]
    ):
        dense = model.system()
        A, B, C, D = (np.asarray(m) for m in (dense.A, dense.B, dense.C, dense.D))
        own = [
            (C @ np.linalg.matrix_power(A, n) @ B + (D if n == 0 else 0)).item()
            for n in range(HORIZON)
        ]
        truth = [
            (teacher.C @ np.linalg.matrix_power(teacher.A, n) @ teacher.B).item()
            + (teacher.D.item() if n == 0 else 0)
            for n in range(HORIZON)
        ]
        error = np.subtract(own, truth)
        expected = 0.0
        for t in range(HORIZON):
            for n in range(t + 1):
                for m in range(t + 1):
                    expected += error[n] * error[m] * rho ** abs(n - m) / HORIZON
        np.testing.assert_allclose(trained.losses[1, -member], 0.7 * expected, rtol=1e-12)
    np.testing.assert_array_equal(trained.training_losses[:, 0], trained.losses[:, 0])
    assert (np.diff(trained.training_losses[1]) < 0).all()


@pytest.mark.parametrize("make", [lru, lambda key: S4D(1, 4, step_min=0.05, key=key)])
def test_endless_sequences_are_the_sum_over_all_lags(make):
    # Four modes a student, one of them long; the target real modes and a direct term.
    models = students(make, 2)
    A, B = jnp.array([0.5, -0.3, 0.9]), jnp.array([[1.0], [2.0], [-1.0]])
    target = DiagonalStateSpace(
        A.astype(complex), B, B.T, jnp.ones((1, 1)), paired=(False, True, False)
    )
    options = {"learning_rates": [1e-3, 1e-2], "steps": 2, "optimiser": SGD, "factor": 0.7}
    options["decay_steps"] = np.inf
    endless = train_exact(models, target, **options)
    longest = 1 << 12
    difference = jax.vmap(lambda m: m.impulse_response(longest))(models)
    difference = difference - target.impulse_response(longest)[None]
    expected = 0.7 * jnp.sum(difference**2, axis=(1, 2, 3))
    np.testing.assert_allclose(endless.losses[:, 0], expected, rtol=1e-10)
    gradients = jax.vmap(
        jax.grad(
            lambda m: (
                0.7
                * jnp.sum((m.impulse_response(longest) - target.impulse_response(longest)) ** 2)
            )
        )
    )(models)
    once = train_exact(models, target, **(options | {"steps": 1}))
    rates = jnp.array([1e-3, 1e-2])
    moved = jax.tree.map(
        lambda p, g: p - rates.reshape(2, *[1] * (p.ndim - 1)) * g, models, gradients
    )
    close(once.models, moved, rtol=1e-8, atol=1e-12)
    stacked = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), target)
    close(train_exact(models, stacked, **options).models, endless.models, rtol=1e-12)


def test_an_unstable_student_of_endless_sequences_has_diverged():
    def student(key, eigenvalue):
        return DiagonalRNN(ReIm.from_eigenvalues([eigenvalue + 0j]), 1, key=key)

    keys = jax.random.split(jax.random.key(0), 2)
    # The closed form itself is finite and wrong out there.
    pair = [student(keys[0], 1.2), student(keys[1], 0.5)]
    models = jax.tree.map(lambda *leaves: jnp.stack(leaves), *pair)
    target = DiagonalStateSpace([0.9 + 0j], [[1.0]], [[1.0]], paired=(True,))
    trained = train_exact(models, target, learning_rates=[1e-3, 1e-3], steps=1)
    np.testing.assert_array_equal(trained.diverged_at, [0, -1])
    assert np.isinf(trained.final_losses[0])
    assert np.isfinite(trained.final_losses[1])


def test_endless_targets_that_do_not_fit_are_named():
    models = students(lru, 2)

    def target(eigenvalue, inputs=1):
        return DiagonalStateSpace(
            jnp.array([complex(eigenvalue)]),
            jnp.ones((1, inputs)),
            jnp.ones((1, 1)),
            paired=(True,),
        )

    options = {"learning_rates": [1e-3, 1e-3], "steps": 1}
    with pytest.raises(RemanenceError, match="on or outside the unit circle, and endless"):
        train_exact(models, target(1.0), **options)
    with pytest.raises(RemanenceError, match=r"\(1, 2\) where LRU has \(1, 1\)"):
        train_exact(models, target(0.5, 2), **options)
    with pytest.raises(RemanenceError, match="for endless sequences of white inputs"):
        train_exact(models, target(0.5), batch=2, key=jax.random.key(0), **options)
    with pytest.raises(RemanenceError, match="GRU is no diagonal system"):
        train_exact(models, GRU(1, 2, key=jax.random.key(0)), **options)
    with pytest.raises(RemanenceError, match="LinearRNN is no diagonal system"):
        train_exact(students(lambda key: LinearRNN(1, 3, key=key), 2), target(0.5), **options)


def test_a_function_of_the_rate_is_used_as_it_is(teacher):
    models, response = students(lru, 2), teacher.impulse_response(HORIZON)
    options = {"learning_rates": [1e-2, 3e-2], "steps": 6}
    made = train_exact(models, response, optimiser=lambda rate: optax.adam(rate), **options)
    scaled = train_exact(models, response, optimiser=optax.adam(1.0), **options)
    close(made.models, scaled.models, rtol=1e-9)
    with pytest.raises(RemanenceError, match=r"optimiser is .*or a function that makes one of a"):
        train_exact(models, response, optimiser=lambda rate: rate, **options)


def test_rates_decay_as_half_a_cosine(teacher):
    models, response = students(lru, 1), teacher.impulse_response(HORIZON)
    options = {"learning_rates": [0.02], "steps": 4, "optimiser": SGD}
    schedule = optax.sgd(optax.cosine_decay_schedule(1.0, 6))
    ours = train_exact(models, response, decay_steps=6, **options)
    theirs = train_exact(
        models, response, decay_steps=np.inf, **{**options, "optimiser": schedule}
    )
    close(ours.models, theirs.models, rtol=1e-12)
    np.testing.assert_allclose(
        train_exact(models, response, **options).losses,
        train_exact(models, response, decay_steps=4, **options).losses,
        rtol=1e-14,
    )


def test_members_side_by_side_targets_of_their_own_and_float32(teacher):
    models = students(lambda key: lru(key, jnp.float32), 3)
    response = np.asarray(teacher.impulse_response(HORIZON))
    targets = np.stack([response, 2 * response, -response])
    options = {"steps": 40, "batch": 4, "key": jax.random.key(1), "learning_rates": [0.01] * 3}
    mapped = train_exact(models, targets, **options)
    side = train_exact(models, targets, members_by="vmap", **options)
    assert {leaf.dtype for leaf in jax.tree.leaves(mapped.models)} == {np.dtype(np.float32)}
    close(mapped.models, side.models, rtol=2e-4, atol=1e-5)
    alone = train_exact(
        jax.tree.map(lambda leaf: leaf[1:2], models),
        2 * response,
        **{**options, "learning_rates": [0.01]},
    )
    close(jax.tree.map(lambda leaf: leaf[1:2], mapped.models), alone.models, rtol=1e-5)
    assert (mapped.final_losses < mapped.losses[:, 0]).all()


def test_moments_and_convolutions_descend_alike(teacher, monkeypatch):
    models = students(lambda key: S4D(1, 4, key=key), 1)
    options = {
        "steps": 5,
        "batch": 3,
        "key": jax.random.key(2),
        "optimiser": SGD,
        "decay_steps": np.inf,
    }
    response = teacher.impulse_response(HORIZON)
    by_moments = train_exact(models, response, learning_rates=[0.02], **options)
    monkeypatch.setattr("remanence.training._exact_steps._MOST_MOMENTS", 1)
    # Another factor, or the program of the first run would be used again.
    by_convolution = train_exact(models, response, learning_rates=[0.04], factor=0.25, **options)
    np.testing.assert_allclose(
        by_moments.training_losses, 2 * by_convolution.training_losses, rtol=1e-10
    )
    close(by_moments.models, by_convolution.models, rtol=1e-10)


def test_a_member_that_diverges_stops_alone_with_finite_parameters(teacher):
    models = students(lambda key: LinearRNN(1, 4, key=key), 2)
    trained = train_exact(
        models,
        teacher.impulse_response(60),
        learning_rates=[1e-4, 3.0],
        steps=30,
        optimiser=SGD,
        decay_steps=np.inf,
    )
    assert trained.diverged_at[0] == -1
    assert 0 < trained.diverged_at[1] <= 30
    assert np.isinf(trained.final_losses[1])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(trained.models))
    with pytest.raises(NumericalError, match="member 1, learning rate 3"):
        trained.raise_if_diverged()


def test_progress_is_heard_and_can_interrupt(teacher):
    heard = []
    models = students(lru, 1)
    options = {"learning_rates": [1e-3], "steps": 50}
    train_exact(models, teacher.impulse_response(4), on_progress=heard.append, **options)
    assert heard == sorted(heard)
    assert heard[-1] == 1.0

    def stop(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_exact(models, teacher.impulse_response(4), on_progress=stop, **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": np.zeros((5, 2, 1))}, r"shape \(5, 2, 1\), expected \(horizon, 1, 1\)"),
        ({"targets": np.zeros((3, 5, 1, 1))}, "targets for 3 members, and 2 models"),
        ({"targets": np.zeros((0, 1, 1))}, "no lags"),
        ({"targets": np.full((5, 1, 1), np.nan)}, r"targets hold nan at \(0, 0, 0\)"),
        ({"targets": np.ones((5, 1, 1)) * 1j}, "targets must be an array of real numbers"),
        ({"targets": "a response"}, "targets must be an array of real numbers"),
        ({"learning_rates": [1e-3]}, "2 models need as many learning rates"),
        ({"learning_rates": [1e-3, np.nan]}, "finite numbers"),
        ({"steps": 0}, "steps must be a whole number"),
        ({"batch": 4}, "key is None"),
        ({"decay_steps": 0}, "decay_steps must be a finite number above 0"),
        ({"batch": 0}, "batch must be a whole number"),
        ({"members_by": "pmap"}, "members_by 'pmap' is none of map, vmap"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(change, message):
    options = {"targets": np.zeros((5, 1, 1)), "learning_rates": [1e-3, 1e-3], "steps": 2}
    options |= change
    with pytest.raises(RemanenceError, match=message):
        train_exact(students(lru, 2), options.pop("targets"), **options)


def test_a_layer_without_an_impulse_response_is_refused():
    models = students(lambda key: GRU(1, 3, key=key), 2)
    with pytest.raises(RemanenceError, match="GRU is no linear layer"):
        train_exact(models, np.zeros((5, 3, 1)), learning_rates=[1e-3] * 2, steps=1)


def test_the_probe_of_ones_is_capped_and_not_the_effective_rate():
    rate, adam = 1e-3, optax.adam(1e-3)
    parameters = {"w": jnp.zeros(3)}
    state = adam.init(parameters)
    # T16: after many steps without a gradient, m = v = 0 and no bias correction is left.
    late = jax.tree.map(
        lambda leaf: jnp.asarray(10**6) if jnp.issubdtype(leaf.dtype, jnp.integer) else leaf, state
    )
    np.testing.assert_allclose(
        ones_probe(adam, late, parameters)["w"], rate * 0.1 / np.sqrt(0.001), rtol=1e-6
    )
    gradients = np.random.default_rng(1).normal(size=(50, 3)) * [1e-3, 1.0, 30.0]
    first, second = np.zeros(3), np.zeros(3)
    for g in gradients:
        with jax.numpy_dtype_promotion("standard"):
            _, state = adam.update({"w": jnp.asarray(g)}, state, parameters)
        first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g**2
    effective = effective_learning_rates(state, rate)["w"]
    np.testing.assert_allclose(
        effective, rate / (np.sqrt(second / (1 - 0.999**50)) + 1e-8), rtol=1e-9
    )
    first, second = 0.9 * first + 0.1, 0.999 * second + 0.001
    expected = rate * (first / (1 - 0.9**51)) / (np.sqrt(second / (1 - 0.999**51)) + 1e-8)
    np.testing.assert_allclose(ones_probe(adam, state, parameters)["w"], expected, rtol=1e-9)


def test_effective_rates_of_stacked_members_and_without_adam(teacher):
    trained = train_exact(
        students(lru, 2),
        teacher.impulse_response(HORIZON),
        learning_rates=[1e-3, 1e-2],
        steps=5,
    )
    rates = effective_learning_rates(trained.optimiser_states)
    assert jax.tree.structure(rates) == jax.tree.structure(trained.models)
    one = jax.tree.map(lambda leaf: leaf[1], trained.optimiser_states)
    close(jax.tree.map(lambda leaf: leaf[1], rates), effective_learning_rates(one), rtol=1e-12)
    by_member = effective_learning_rates(trained.optimiser_states, [1e-3, 1e-2])
    close(
        jax.tree.map(lambda leaf: leaf[1], by_member),
        effective_learning_rates(one, 1e-2),
        rtol=1e-12,
    )
    unseen = effective_learning_rates(optax.adam(1.0).init(jnp.zeros(2)))
    assert np.isposinf(unseen).all()
    for wrong, message in (
        ({"learning_rate": [1.0] * 3}, r"shape \(3,\)"),
        ({"second_decay": 1.0}, "below 1"),
        ({"epsilon": -1.0}, "epsilon"),
    ):
        with pytest.raises(RemanenceError, match=message):
            effective_learning_rates(trained.optimiser_states, **wrong)
    with pytest.raises(RemanenceError, match="0 states of Adam"):
        effective_learning_rates(SGD.init(jnp.zeros(2)))
