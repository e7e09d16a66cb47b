"""The engine: conservation laws, divergence, determinism, and what the theory says it learns."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.optimize

from remanence.errors import NumericalError, RemanenceError
from remanence.systems import StateSpace, effective_rank, hankel_singular_values
from remanence.training import (
    Adam,
    AdaptiveGradientDescent,
    GradientDescent,
    MetricLoss,
    Parameters,
    WhiteLoss,
    balancedness,
    descend,
    near_zero_ensemble,
    record_steps,
    squared_norm,
)

EIGENVALUES = np.linspace(0.92, -0.78, 3)
WEIGHTS = np.linspace(1.2, 0.8, 3) / 3.0


def teacher(length):
    """The balanced teacher G(3) of the specification, §3.2."""
    return (WEIGHTS * EIGENVALUES ** np.arange(length)[:, None]).sum(axis=1)


def white_loss(length):
    return WhiteLoss(jnp.asarray(teacher(length)[:, None, None]))


def seed_of(parameters, index):
    return Parameters(*(leaf[index] for leaf in parameters))


def response(parameters, length):
    A, B, C = (np.asarray(leaf) for leaf in parameters)
    values, x = [], B
    for _ in range(length):
        values.append((C @ x).item())
        x = A @ x
    return np.array(values)


def random_parameters(rng, state=6, inputs=2, outputs=3):
    return Parameters(
        *(
            jnp.asarray(0.5 * rng.normal(size=shape))
            for shape in ((state, state), (state, inputs), (outputs, state))
        )
    )


def commutator(parameters):
    A, B, C = (np.asarray(leaf) for leaf in parameters)
    return A @ A.T - A.T @ A + B @ B.T - C.T @ C


def test_gradient_has_the_invariance_of_the_loss(rng):
    """I3: G_A Aᵀ − AᵀG_A + G_B Bᵀ − CᵀG_C = 0 for any loss of the impulse response."""
    parameters = random_parameters(rng)
    root = rng.normal(size=(10, 10))
    loss = MetricLoss(
        jnp.asarray(root @ root.T), jnp.asarray(rng.normal(size=(5, 3, 2))), jnp.asarray(1.0)
    )
    _, gradient = loss.value_and_gradient(parameters)
    A, B, C, GA, GB, GC = (np.asarray(leaf) for leaf in (*parameters, *gradient))
    terms = [GA @ A.T, A.T @ GA, GB @ B.T, C.T @ GC]
    law = terms[0] - terms[1] + terms[2] - terms[3]
    assert np.abs(law).max() <= 1e-13 * max(np.abs(term).max() for term in terms)


def test_one_step_changes_balancedness_by_the_gradients_own(rng):
    """I5: M(Θ⁺) − M(Θ) = η² M(∇L), exactly."""
    parameters = random_parameters(rng)
    loss = WhiteLoss(jnp.asarray(rng.normal(size=(5, 3, 2))))
    _, gradient = loss.value_and_gradient(parameters)
    step = 1e-2
    run = descend(
        loss, Parameters(*(leaf[None] for leaf in parameters)), GradientDescent(step), steps=1
    )
    change = commutator(seed_of(run.final, 0)) - commutator(parameters)
    np.testing.assert_allclose(change, step**2 * commutator(gradient), atol=1e-13)
    np.testing.assert_allclose(balancedness(run.final)[0], commutator(seed_of(run.final, 0)))


def test_drift_of_balancedness_falls_with_the_step_size():
    """I4: to a fixed time the drift is of first order in the step size."""
    initial = near_zero_ensemble(8, 1, 1, scale=0.5, seed=0, seeds=1)
    drifts = []
    for step in (2e-2, 1e-2, 5e-3):
        run = descend(white_loss(6), initial, GradientDescent(step), steps=round(20 / step))
        drifts.append(np.linalg.norm(balancedness(run.final) - balancedness(initial)))
    assert drifts[0] / drifts[1] == pytest.approx(2, rel=0.1)
    assert drifts[1] / drifts[2] == pytest.approx(2, rel=0.1)


def test_adam_breaks_the_conservation_that_adaptive_descent_keeps():
    initial = near_zero_ensemble(8, 1, 1, scale=1e-2, seed=0, seeds=1)
    imbalance = {}
    for rule in (AdaptiveGradientDescent(), Adam(1e-3)):
        final = descend(white_loss(7), initial, rule, steps=5000).final
        imbalance[type(rule)] = np.linalg.norm(balancedness(final)) / squared_norm(final)[0]
    assert imbalance[AdaptiveGradientDescent] < 1e-3
    assert imbalance[Adam] > 10 * imbalance[AdaptiveGradientDescent]


def test_symmetric_students_stay_symmetric(rng):
    """Specification 2.4, and I10: even Markov parameters of a balanced system are not negative."""
    half = rng.normal(size=(6, 6)) * 0.2
    column = rng.normal(size=(6, 1)) * 0.3
    start = Parameters(*(jnp.asarray(m)[None] for m in (half + half.T, column, column.T)))
    loss = WhiteLoss(jnp.asarray(rng.normal(size=(6, 1, 1))))
    final = seed_of(descend(loss, start, GradientDescent(5e-3), steps=2000).final, 0)
    np.testing.assert_allclose(final.A, np.asarray(final.A).T, atol=1e-12)
    np.testing.assert_allclose(final.B, np.asarray(final.C).T, atol=1e-12)
    assert response(final, 12)[::2].min() >= 0


def test_growth_near_the_origin_has_the_predicted_rate():
    """Specification 2.5: ‖B + Cᵀ‖ grows by (1 + 2ηĝ₀) a step, ‖B − Cᵀ‖ shrinks."""
    initial = near_zero_ensemble(40, 1, 1, scale=1e-4, seed=0, seeds=1)
    final = descend(white_loss(5), initial, GradientDescent(1e-2), steps=300).final
    _, B0, C0 = (np.asarray(leaf[0]) for leaf in initial)
    _, B1, C1 = (np.asarray(leaf[0]) for leaf in final)
    growth = np.linalg.norm(B1 + C1.T) / np.linalg.norm(B0 + C0.T)
    assert growth == pytest.approx((1 + 2e-2 * teacher(1)[0]) ** 300, rel=1e-2)
    assert np.linalg.norm(B1 - C1.T) < 1e-2 * np.linalg.norm(B0 - C0.T)


@pytest.mark.parametrize(("length", "extrapolates"), [(4, False), (6, True)])
def test_near_zero_descent_extrapolates_from_twice_the_order(length, extrapolates):
    """T6: order 3, 40 states; beyond the training length only from k = 2·3 on."""
    initial = near_zero_ensemble(40, 1, 1, scale=1e-2, seed=0, seeds=3)
    run = descend(
        white_loss(length), initial, GradientDescent(0.05), steps=30_000, tolerance=1e-12
    )
    horizon = 5 * length + 20
    truth = teacher(horizon)
    errors = [
        np.abs(response(seed_of(run.final, s), horizon) - truth)[length:].max() / truth.max()
        for s in range(3)
    ]
    assert (np.median(errors) < 1e-3) == extrapolates
    if extrapolates:
        student = StateSpace(*(np.asarray(leaf[0]) for leaf in run.final))
        exact = StateSpace(np.diag(EIGENVALUES), WEIGHTS[:, None], np.ones((1, 3)))
        assert effective_rank(hankel_singular_values(student)) == pytest.approx(
            effective_rank(hankel_singular_values(exact)), abs=0.05
        )


def test_staircase_rests_on_the_best_fits_of_order_one_and_two():
    """Specification 3.2: plateaus at the best order-1 and order-2 balanced fits, then zero."""
    lags = np.arange(8)

    def best_fit(order):
        def remainder(eigenvalues):
            powers = np.asarray(eigenvalues)[None, :] ** lags[:, None]
            return np.linalg.lstsq(powers, teacher(8))[0], powers

        def loss(eigenvalues):
            weights, powers = remainder(eigenvalues)
            return np.sum((powers @ weights - teacher(8)) ** 2)

        starts = [np.linspace(0.8, -0.6, order), np.linspace(0.9, -0.2, order)]
        return min(scipy.optimize.minimize(loss, s, method="Nelder-Mead").fun for s in starts)

    initial = near_zero_ensemble(40, 1, 1, scale=1e-4, seed=0, seeds=1)
    run = descend(
        white_loss(8), initial, GradientDescent(0.02), steps=20_000, records_per_decade=30
    )

    def losses_between(first, last):
        return run.losses[0, (run.steps >= first) & (run.steps <= last)]

    np.testing.assert_allclose(losses_between(360, 460), best_fit(1), rtol=0.02)
    np.testing.assert_allclose(losses_between(1000, 2300), best_fit(2), rtol=0.02)
    assert run.losses[0, -1] < 1e-12


def test_adaptive_loss_never_rises():
    initial = near_zero_ensemble(10, 1, 1, scale=0.1, seed=1, seeds=2)
    run = descend(white_loss(10), initial, AdaptiveGradientDescent(), steps=2000)
    assert (np.diff(run.losses, axis=1) <= 0).all()
    assert (run.losses[:, -1] < 1e-2 * run.losses[:, 0]).all()


def test_a_seed_gives_the_same_numbers_alone_and_in_an_ensemble():
    together = descend(
        white_loss(6),
        near_zero_ensemble(10, 1, 1, scale=0.1, seed=5, seeds=3),
        Adam(1e-3),
        steps=200,
    )
    alone = descend(
        white_loss(6),
        near_zero_ensemble(10, 1, 1, scale=0.1, seed=7, seeds=1),
        Adam(1e-3),
        steps=200,
    )
    np.testing.assert_array_equal(together.losses[2], alone.losses[0])


def test_adam_is_optax_adam():
    loss = white_loss(6)
    initial = near_zero_ensemble(6, 1, 1, scale=0.1, seed=0, seeds=1)
    ours = descend(loss, initial, Adam(1e-2), steps=50).final
    parameters = seed_of(initial, 0)
    transform = optax.adam(1e-2)
    state = transform.init(parameters)
    # Optax itself relies on promotion of a Python float with an integer array.
    with jax.numpy_dtype_promotion("standard"):
        for _ in range(50):
            _, gradient = loss.value_and_gradient(parameters)
            update, state = transform.update(gradient, state)
            parameters = jax.tree.map(lambda p, u: p + u, parameters, update)
    for mine, theirs in zip(seed_of(ours, 0), parameters, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)


def test_divergence_is_reported_with_its_step_and_the_last_finite_state_is_kept():
    initial = near_zero_ensemble(6, 1, 1, scale=1.0, seed=0, seeds=2)
    run = descend(white_loss(12), initial, GradientDescent(5.0), steps=500)
    assert (run.diverged_at > 0).all()
    assert all(np.isfinite(leaf).all() for leaf in run.final)
    assert np.isfinite(run.losses).all()
    # The step named is the first whose loss is not finite: one step fewer stays finite.
    short = descend(
        white_loss(12), initial, GradientDescent(5.0), steps=int(run.diverged_at.min()) - 1
    )
    assert (short.diverged_at < 0).all()
    with pytest.raises(NumericalError, match=f"diverged at step {run.diverged_at.min()} "):
        run.raise_if_diverged()


def test_tolerance_stops_a_run_early():
    initial = near_zero_ensemble(10, 1, 1, scale=0.1, seed=0, seeds=1)
    run = descend(white_loss(4), initial, GradientDescent(0.05), steps=20_000, tolerance=1e-3)
    assert run.losses[0, -1] <= 1e-3
    assert run.stopped_at[0] < 20_000


def test_records_start_at_zero_and_end_at_the_budget():
    steps = record_steps(50_000, 12)
    assert steps[0] == 0
    assert steps[1] == 1
    assert steps[-1] == 50_000
    assert (np.diff(steps) > 0).all()
    assert record_steps(1, 12).tolist() == [0, 1]


def test_refuses_no_steps():
    initial = near_zero_ensemble(2, 1, 1, scale=0.1, seed=0, seeds=1)
    with pytest.raises(RemanenceError, match="steps must be at least 1"):
        descend(white_loss(4), initial, GradientDescent(0.05), steps=0)


def test_asks_for_float64():
    initial = near_zero_ensemble(2, 1, 1, scale=0.1, seed=0, seeds=1)
    with jax.enable_x64(False), pytest.raises(RemanenceError, match="needs float64"):
        descend(white_loss(4), initial, GradientDescent(0.05), steps=1)
