"""Optimisers on the disc: NumPy in the Möbius chart, isometries, and what they are for."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from remanence.errors import RemanenceError
from remanence.layers import LRU, ResidualBlock, SequenceModel
from remanence.layers.conversions import to_hyperbolic
from remanence.layers.hyperbolic import HyperbolicLRU
from remanence.layers.parametrisations import HyperbolicEigenvalues
from remanence.tasks import Delay
from remanence.theory.disc import hyperbolic_distance, normalised_overlap, points_from_memory
from remanence.training import train, train_exact
from remanence.training.hyperbolic import gradient_norm, hyperbolic_adam, hyperbolic_sgd
from remanence.training.members import stack_models, train_members
from remanence.training.optimisers import adamw_by_role
from remanence.training.roles import by_role, parameter_roles

START = np.array([0.9 * np.exp(0.7j), 0.3 - 0.4j, 0.99 * np.exp(-2j), -0.05 + 0.01j])
TARGETS = np.array([0.5 + 0.1j, -0.2 + 0.3j, 0.8j, 0.3 - 0.6j])


def points_of(eigenvalues, dtype=None):
    return HyperbolicEigenvalues.from_eigenvalues(eigenvalues, dtype=dtype).points


def eigenvalues_of(points):
    return np.asarray(HyperbolicEigenvalues(points)())


def follow(transform, points, loss, steps):
    """The points after each step of descending `loss`, and the last state."""

    @jax.jit
    def run(points):
        def step(carry, _):
            points, state = carry
            updates, state = transform.update(jax.grad(loss)(points), state, points)
            points = optax.apply_updates(points, updates)
            return (points, state), points

        return jax.lax.scan(step, (points, transform.init(points)), length=steps)

    (_, state), path = run(points)
    return np.asarray(path), state


def quadratic(points):
    """Any smooth function of λ, without symmetry."""
    values = HyperbolicEigenvalues(points)()
    return jnp.sum(jnp.abs(values - TARGETS) ** 2 + 0.3 * jnp.real(values**3))


def slope_of_quadratic(values):
    """`∂f/∂x + i ∂f/∂y` of `quadratic`."""
    return 2 * (values - TARGETS) + 0.9 * np.conj(values**2)


@pytest.mark.parametrize("transport", [True, False])
def test_adam_is_adam_in_the_moebius_chart(transport):
    """In complex numbers: chart `(λ + s)/(1 + λ̄ s)`, step `s = tanh(n/2) e^{iφ}`."""
    transform = hyperbolic_adam(0.2, transport=transport)
    path, _ = follow(transform, points_of(START), quadratic, 30)
    values, first, second = START, np.zeros(4, complex), np.zeros(4)
    for count in range(1, 31):
        # Of unit vectors of the metric 4|dλ|²/(1 − |λ|²)².
        slope = slope_of_quadratic(values) * (1 - np.abs(values) ** 2) / 2
        first = 0.9 * first + 0.1 * slope
        second = 0.999 * second + 0.001 * np.abs(slope) ** 2
        step = -0.2 * first / (1 - 0.9**count) / np.sqrt(second / (1 - 0.999**count))
        s = np.tanh(np.abs(step) / 2) * step / np.abs(step)
        denominator = 1 + np.conj(values) * s
        if transport:
            # The chart map turns by the phase of its derivative (1 − |λ|²)/(1 + λ̄ s)².
            first = first * (np.conj(denominator) / np.abs(denominator)) ** 2
        values = (values + s) / denominator
        np.testing.assert_allclose(eigenvalues_of(path[count - 1]), values, rtol=0, atol=1e-12)


def test_the_path_turns_with_the_problem():
    turn = np.exp(2.4j)
    plain, _ = follow(hyperbolic_adam(0.1), points_of(START), quadratic, 60)

    def turned(points):
        return quadratic(points - jnp.array([0.0, 2.4])[:, None])

    other, _ = follow(hyperbolic_adam(0.1), points_of(START * turn), turned, 60)
    for one, two in zip(plain, other, strict=True):
        np.testing.assert_allclose(eigenvalues_of(one) * turn, eigenvalues_of(two), atol=1e-11)
    assert (np.abs(other[:, 1]) <= np.pi).all()
    assert (np.diff(np.sign(other[:, 1]), axis=0) != 0).any()


def unexplained(target):
    """−log E of one mode, its readout solved for: `−log |o|²`."""
    return lambda points: -jnp.sum(jnp.log(jnp.abs(normalised_overlap(points, target)) ** 2))


@pytest.mark.parametrize("gap", [1e-2, 1e-6, 1e-12])
def test_descent_follows_the_geodesic_to_the_target(gap):
    rate = 0.4
    start, target = (
        points_of([0.99 * np.exp(0.25j * np.pi)]),
        points_from_memory(np.array([gap]), np.array([2.0])),
    )
    path, _ = follow(hyperbolic_sgd(rate), start, unexplained(target), 120)
    whole = hyperbolic_distance(start, target)[0].item()
    from_start = np.array([hyperbolic_distance(start, p)[0] for p in jnp.asarray(path)])
    to_target = np.array([hyperbolic_distance(p, target)[0] for p in jnp.asarray(path)])
    np.testing.assert_allclose(from_start + to_target, whole, rtol=1e-6)
    expected, distance = [], whole
    for _ in range(len(path)):
        distance -= rate * np.tanh(distance / 2)
        expected.append(distance)
    # θ is held to 1e-16, which is a distance of 1e-16 / gap.
    np.testing.assert_allclose(to_target, expected, rtol=1e-6, atol=1e-7 + 4e-16 / gap)
    assert to_target[-1] < 1e-3


def test_float32_learns_a_memory_of_a_million_steps():
    target = points_from_memory(jnp.float32([1e-6]), jnp.float32([0.5]))
    path, _ = follow(
        hyperbolic_sgd(0.4), points_of([0.9 * np.exp(1j)], np.float32), unexplained(target), 150
    )
    assert path.dtype == np.float32
    # θ = 0.5 is held to 3e-8, a distance of 0.03.
    np.testing.assert_allclose(path[-1, 0], np.asarray(target)[0], atol=0.05)


def test_plain_loss_and_learned_readout_take_the_steps_of_the_derivation():
    """No fewer steps than the way has step lengths, and no more than with the readout's after.

    While it is on its way c does not stand still either: the times overlap.
    """
    target = points_from_memory(jnp.array([0.01]), jnp.array([np.pi / 100]))
    rate, readout_rate = 0.06, 0.01
    transform = hyperbolic_adam(rate, transport=False)

    def loss(points, c):
        o = normalised_overlap(points, target)[0]
        return c @ c + 1 - 2 * (c[0] * o.real - c[1] * o.imag)

    def step(carry):
        points, c, state, first, second, count = carry
        by_points, by_c = jax.grad(loss, (0, 1))(points, c)
        updates, state = transform.update(by_points, state, points)
        first, second = 0.9 * first + 0.1 * by_c, 0.999 * second + 0.001 * jnp.sum(by_c**2)
        c = c - readout_rate * first / (1 - 0.9**count) / jnp.sqrt(second / (1 - 0.999**count))
        return points + updates, c, state, first, second, count + 1

    start = points_of([0.99 * np.exp(0.25j * np.pi)])
    begin = (start, jnp.array([0.1, 0.0]), transform.init(start), jnp.zeros(2), 0.0, 1.0)
    run = jax.jit(lambda carry: jax.lax.while_loop(lambda c: loss(*c[:2]) >= 1e-6, step, carry))
    way = hyperbolic_distance(start, target)[0] / rate
    assert way < run(begin)[-1] < way + (1 - 0.1) / readout_rate


def test_real_modes_are_adam_on_the_signed_radius():
    points = jnp.array([[0.3, -2.0, 5.0]])

    def loss(points):
        return jnp.sum((points - 1.0) ** 4)

    ours, _ = follow(hyperbolic_adam(0.05), points, loss, 40)
    with jax.numpy_dtype_promotion("standard"):
        theirs, _ = follow(optax.adam(0.05, eps=0.0), points, loss, 40)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_step_leaves_the_disc(dtype):
    points = jnp.asarray([[0.0, 1e-6, 3.0, 40.0], [0.0, 1.0, 3.1, -3.0]], dtype)
    for scale in (1e-30, 1.0, 1e15):

        def loss(points, scale=scale):
            return scale * jnp.sum(-points[0] + jnp.sin(points[1]) * jnp.sinh(points[0]))

        for transform in (hyperbolic_sgd(1.0), hyperbolic_adam(3.0)):
            path, _ = follow(transform, points, loss, 50)
            assert np.isfinite(path).all()
            assert (path[:, 0] >= 0).all()
            assert (np.abs(path[:, 1]) <= np.asarray(np.pi, dtype)).all()
            made = HyperbolicEigenvalues(jnp.asarray(path[-1]))
            assert (made.log_magnitude() < 0).all()
    still, _ = follow(hyperbolic_adam(0.1), points, lambda points: 0 * jnp.sum(points), 3)
    np.testing.assert_array_equal(still[-1], points)


def test_rates_may_be_schedules_or_traced_and_members_side_by_side():
    points = points_of(START)
    halves = follow(hyperbolic_sgd(lambda count: 0.1 * 0.5**count), points, quadratic, 3)[0]
    by_hand = points
    for rate in (0.1, 0.05, 0.025):
        by_hand = follow(hyperbolic_sgd(rate), by_hand, quadratic, 1)[0][-1]
        by_hand = jnp.asarray(by_hand)
    np.testing.assert_allclose(halves[-1], by_hand, rtol=1e-12)
    rates = jnp.array([0.01, 0.1])
    run = jax.jit(lambda rate: _last(hyperbolic_adam(rate), points))
    both = jax.jit(jax.vmap(run))(rates)
    for found, rate in zip(both, (0.01, 0.1), strict=True):
        np.testing.assert_allclose(found, run(rate), rtol=1e-12)


def _last(transform, points):
    state = transform.init(points)
    for _ in range(3):
        updates, state = transform.update(jax.grad(quadratic)(points), state, points)
        points = points + updates
    return points


def model_of(key, dtype=None):
    block = ResidualBlock(HyperbolicLRU(4, 6, r_min=0.5, key=key, dtype=dtype), key=key)
    return SequenceModel(1, 1, width=4, layers=[block], key=key)


def test_points_keep_their_role_and_their_norm():
    model = model_of(jax.random.key(0))
    roles = parameter_roles(model)
    assert roles.layers[0].layer.eigenvalues.points == "hyperbolic"
    assert set(jax.tree.leaves(roles)) == {"hyperbolic", "other"}
    points = model.layers[0].layer.eigenvalues.points
    ones = jax.tree.map(jnp.zeros_like, eqx.filter(model, eqx.is_inexact_array))
    ones = eqx.tree_at(lambda m: m.layers[0].layer.eigenvalues.points, ones, jnp.ones((2, 6)))
    expected = np.sqrt(np.sum(1 + 1 / np.sinh(points[0]) ** 2))
    np.testing.assert_allclose(gradient_norm(ones, model), expected, rtol=1e-12)


@pytest.mark.parametrize("name", ["adamw_by_role", "by_role"])
def test_a_model_learns_with_points_among_its_parameters(name, tmp_path):
    model = model_of(jax.random.key(1))
    optimiser = (
        adamw_by_role(1e-2, clip=1.0)
        if name == "adamw_by_role"
        else by_role({"hyperbolic": hyperbolic_adam(0.1), "other": optax.adam(1e-2)}, model)
    )
    trained = train(
        model,
        Delay(3),
        steps=80,
        batch=8,
        lengths=16,
        optimiser=optimiser,
        key=jax.random.key(2),
        evaluate_every="end",
        checkpoint=tmp_path / "run.safetensors",
    )
    assert trained.diverged_at == -1
    # White input: without memory nothing is explained, and 1 is left.
    assert trained.test_errors[-1] < 0.5
    moved = trained.model.layers[0].layer.eigenvalues.points
    assert not np.allclose(moved, model.layers[0].layer.eigenvalues.points, atol=0.05)


def test_each_member_moves_by_its_own_rate():
    models = stack_models(model_of, jnp.stack([jax.random.key(1)] * 2))
    given = {
        "steps": 4,
        "batch": 2,
        "lengths": 6,
        "test_sequences": 2,
        "evaluate_every": "end",
    }
    keys = jnp.stack([jax.random.key(5)] * 2)
    found = train_members(models, Delay(2), learning_rates=[1e-3, 1e-2], keys=keys, **given)
    alone = train(
        model_of(jax.random.key(1)), Delay(2), key=keys[1], optimiser=adamw_by_role(1e-2), **given
    )
    for one, other in zip(
        jax.tree.leaves(found.member(1).model), jax.tree.leaves(alone.model), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    with pytest.raises(RemanenceError, match="points of the disc, whose steps cannot be mult"):
        train_members(
            models,
            Delay(2),
            learning_rates=[1e-3, 1e-2],
            keys=keys,
            optimiser=adamw_by_role(1.0),
            **given,
        )


@pytest.mark.parametrize("make", [hyperbolic_sgd, hyperbolic_adam])
def test_what_is_no_point_is_refused(make):
    transform = make(0.1)
    for wrong in (jnp.zeros((3, 4)), jnp.zeros((2, 3), complex), jnp.zeros(())):
        with pytest.raises(RemanenceError, match=f"{make.__name__}: a parameter is .*by_role"):
            transform.init({"w": wrong})
    points = {"w": jnp.ones((2, 3)), "other": optax.MaskedNode()}
    with pytest.raises(RemanenceError, match="update needs the parameters"):
        transform.update(points, transform.init(points))
    with pytest.raises(RemanenceError, match="learning_rate must be a finite number of at least"):
        make(-0.1)


def test_a_decay_of_one_is_refused():
    with pytest.raises(RemanenceError, match=r"hyperbolic_adam: first_decay must be below 1"):
        hyperbolic_adam(0.1, first_decay=1.0)


def test_exact_training_imitates_an_endless_memory():
    """One mode of memory 1e5 from two modes on .9: no kernel of that length is ever made."""
    teacher = eqx.tree_at(
        lambda layer: (layer.eigenvalues, layer.C.real, layer.D),
        HyperbolicLRU(1, 1, key=jax.random.key(0)),
        (
            HyperbolicEigenvalues(points_from_memory(np.array([1e-5]), np.array([0.5]))),
            jnp.ones((1, 1)),
            jnp.zeros(1),
        ),
    )
    models = stack_models(
        lambda key: HyperbolicLRU(1, 2, r_min=0.9, r_max=0.91, max_phase=1.0, key=key),
        jax.random.split(jax.random.key(3), 2),
    )
    trained = train_exact(
        models, teacher, learning_rates=[3e-3, 1e-2], steps=2500, records_per_decade=1
    )
    energy = 0.5 * np.abs(teacher.C() * teacher.B()) ** 2 / 2
    assert (trained.losses[:, 0] > 0.1 * energy.sum()).all()
    # The slower one is still on its way.
    assert trained.final_losses[1] < 1e-8 * energy.sum()


def test_ordinary_layers_in_the_disc_learn_the_same_way():
    models = stack_models(
        lambda key: to_hyperbolic(LRU(1, 3, r_min=0.3, r_max=0.8, key=key)),
        jax.random.split(jax.random.key(0), 2),
    )
    target = LRU(1, 2, r_min=0.5, r_max=0.9, key=jax.random.key(9)).impulse_response(20)
    trained = train_exact(models, target, learning_rates=[1e-2, 3e-2], steps=800, factor=1)
    # Less than any readout leaves of the target where the eigenvalues were.
    powers = np.asarray(models.eigenvalues())[:, None, :] ** np.arange(20)[:, None]
    direct = np.broadcast_to(np.eye(20, 1), (2, 20, 1))
    columns = np.concatenate([powers.real, powers.imag, direct], axis=2)
    weights = np.sqrt(1 - np.arange(20) / 20)
    wanted = weights * np.asarray(target)[:, 0, 0]
    for own, loss in zip(columns, trained.final_losses, strict=True):
        least = np.linalg.lstsq(weights[:, None] * own, wanted)[1]
        assert loss < least


def test_a_gradient_that_is_not_a_number_is_seen():
    points = jnp.array([[1.0, 2.0], [0.5, 0.5]])
    for optimiser in (hyperbolic_sgd(0.1), hyperbolic_adam(0.1)):
        gradient = jnp.array([[jnp.nan, 1.0], [1.0, 1.0]])
        updates, _ = optimiser.update(gradient, optimiser.init(points), points)
        assert np.isnan(updates[:, 0]).any()
        assert np.isfinite(updates[:, 1]).all()


def test_a_clipped_gradient_needs_the_parameters():
    optimiser = adamw_by_role(1e-3, clip=1.0)
    layer = eqx.filter(HyperbolicLRU(1, 2, key=jax.random.key(0)), eqx.is_inexact_array)
    with pytest.raises(RemanenceError, match="update needs the parameters"):
        optimiser.update(layer, optimiser.init(layer))
