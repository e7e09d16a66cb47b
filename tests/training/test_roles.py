"""Roles are read from fields, and each role is optimised by its own rule."""

import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jaxtyping import Array

from remanence.errors import RemanenceError
from remanence.layers.contract import RECURRENT
from remanence.layers.lru import LRU
from remanence.training.optimisers import adamw_by_role
from remanence.training.roles import by_role, check_real, parameter_roles


class Core(eqx.Module):
    rates: Array = eqx.field(metadata=RECURRENT)
    gain: Array
    count: Array
    name: str = "core"


class Frozen(eqx.Module):
    core: Core = eqx.field(metadata={"role": "slow"})


class Whole(eqx.Module):
    marked: Core = eqx.field(metadata=RECURRENT)
    plain: list[Core]
    named: dict[str, Frozen]
    activation: object = jax.nn.relu


def core() -> Core:
    return Core(rates=jnp.ones(2), gain=jnp.ones(3), count=jnp.arange(2))


def whole() -> Whole:
    return Whole(marked=core(), plain=[core()], named={"a": Frozen(core())})


class Two(eqx.Module):
    """One parameter of each role."""

    slow: Array = eqx.field(metadata=RECURRENT)
    fast: Array


def two(slow=(1.0, -2.0), fast=(3.0,)) -> Two:
    return Two(slow=jnp.array(slow), fast=jnp.array(fast))


def one_step(transform, model, gradient):
    parameters = eqx.filter(model, eqx.is_inexact_array)
    # Optax itself needs the promotion of an integer count to a float.
    with jax.numpy_dtype_promotion("standard"):
        updates, _ = transform.update(gradient, transform.init(parameters), parameters)
    return optax.apply_updates(parameters, updates)


def test_the_outermost_marked_field_gives_the_role():
    roles = parameter_roles(whole())
    assert (roles.marked.rates, roles.marked.gain) == ("recurrent", "recurrent")
    assert (roles.plain[0].rates, roles.plain[0].gain) == ("recurrent", "other")
    inner = roles.named["a"].core
    assert (inner.rates, inner.gain) == ("slow", "slow")
    assert roles.plain[0].count is None
    assert roles.activation is None


def test_roles_fit_the_parameters_leaf_for_leaf():
    parameters = eqx.filter(whole(), eqx.is_inexact_array)
    assert jax.tree.structure(parameter_roles(parameters)) == jax.tree.structure(parameters)
    assert jax.tree.structure(parameter_roles(whole())) == jax.tree.structure(parameters)


def test_roles_are_the_same_under_tracing_and_for_shapes():
    parameters = eqx.filter(whole(), eqx.is_inexact_array)
    seen = []
    shapes = jax.eval_shape(lambda p: (seen.append(parameter_roles(p)), p)[1], parameters)
    expected = jax.tree.leaves(parameter_roles(parameters))
    assert jax.tree.leaves(seen[0]) == expected
    assert jax.tree.leaves(parameter_roles(shapes)) == expected


def test_an_lru_has_recurrent_eigenvalues_and_other_matrices():
    roles = parameter_roles(LRU(inputs=2, state=3, outputs=2, key=jax.random.key(0)))
    assert set(jax.tree.leaves((roles.eigenvalues, roles.normalisation))) == {"recurrent"}
    assert set(jax.tree.leaves((roles.B, roles.C, roles.D))) == {"other"}


def test_each_role_follows_its_own_rule():
    model, gradient = two(), two((1.0, 1.0), (1.0,))
    moved = one_step(
        by_role({"recurrent": optax.sgd(0.5), "other": optax.sgd(0.25)}, model), model, gradient
    )
    np.testing.assert_array_equal(moved.slow, [0.5, -2.5])
    np.testing.assert_array_equal(moved.fast, [2.75])


def test_adamw_by_role_slows_recurrent_parameters_and_never_shrinks_them():
    model = two()
    # The first step of Adam is the rate times the sign of the gradient, whatever its size.
    moved = one_step(
        adamw_by_role(0.1, recurrent_factor=0.25, weight_decay=0.0),
        model,
        two((5.0, -7.0), (1e-3,)),
    )
    np.testing.assert_allclose(moved.slow, [1.0 - 0.025, -2.0 + 0.025], rtol=1e-6)
    np.testing.assert_allclose(moved.fast, [2.9], rtol=1e-5)
    still = one_step(adamw_by_role(0.1, weight_decay=0.5), model, two((0.0, 0.0), (0.0,)))
    np.testing.assert_array_equal(still.slow, model.slow)
    np.testing.assert_allclose(still.fast, [3.0 * (1 - 0.1 * 0.5)], rtol=1e-14)


def test_adamw_by_role_follows_a_schedule_for_both_roles():
    transform = adamw_by_role(lambda count: 0.1 / (1.0 + count), weight_decay=0.0)
    parameters, gradient = two(), two((1.0, 1.0), (1.0,))
    state, moves = transform.init(parameters), []
    with jax.numpy_dtype_promotion("standard"):
        for _ in range(3):
            updates, state = transform.update(gradient, state, parameters)
            moves.append((updates.fast[0], updates.slow[0]))
    expected = -0.1 / np.arange(1, 4)
    np.testing.assert_allclose(moves, np.stack([expected, 0.25 * expected], axis=1), rtol=1e-6)


def test_adamw_by_role_clips_the_gradient_of_all_roles_together():
    # Momentum shows the clipped gradient: (1 - b1) g, with the norm of the whole at most `clip`.
    transform = adamw_by_role(0.1, clip=1.0)
    with jax.numpy_dtype_promotion("standard"):
        _, state = transform.update(two((3.0, 0.0), (4.0,)), transform.init(two()), two())
    momenta = [leaf for leaf in jax.tree.leaves(state) if leaf.shape == (2,)]
    np.testing.assert_allclose(momenta[0], [0.1 * 3 / 5, 0.0], rtol=1e-12)


@pytest.mark.parametrize(
    ("transforms", "said"),
    [
        (
            ["recurent", "other"],
            "by_role: no parameter of Two has the role 'recurent', its roles are other, "
            "recurrent; did you mean 'recurrent'?",
        ),
        (
            ["other"],
            "by_role: Two has parameters of the role 'recurrent'; give a transform for them",
        ),
    ],
)
def test_roles_that_do_not_fit_are_named(transforms, said):
    with pytest.raises(RemanenceError, match=f"^{re.escape(said)}$"):
        by_role({name: optax.sgd(1.0) for name in transforms}, two())


def test_adamw_by_role_refuses_roles_it_does_not_know():
    with pytest.raises(RemanenceError, match=r"role 'slow'.*use by_role"):
        adamw_by_role(0.1).init(eqx.filter(whole(), eqx.is_inexact_array))


@pytest.mark.parametrize(
    ("rate", "changed", "said"),
    [
        (-1.0, {}, "learning_rate must be a finite number of at least 0, got -1.0"),
        (float("nan"), {}, "learning_rate must be a finite number of at least 0, got nan"),
        (0.1, {"weight_decay": -1}, "weight_decay must be a finite number of at least 0, got -1"),
        (0.1, {"recurrent_factor": float("inf")}, "recurrent_factor must be a finite number"),
        (0.1, {"clip": 0}, "clip must be a finite number above 0, got 0; None clips nothing"),
        (0.1, {"second_decay": 1.0}, "second_decay must be below 1, got 1.0"),
    ],
)
def test_adamw_by_role_refuses_numbers_out_of_range(rate, changed, said):
    with pytest.raises(RemanenceError, match=f"^adamw_by_role: {said}"):
        adamw_by_role(rate, **changed)


def test_complex_parameters_are_refused_by_name():
    with pytest.raises(RemanenceError, match=r"Two: parameter \.fast is complex; store its real"):
        check_real(Two(slow=jnp.ones(2), fast=jnp.ones(2, complex)))
