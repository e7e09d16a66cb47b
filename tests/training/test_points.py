"""Points of the disc under optimisers that take them for plain numbers, and under others."""

import jax
import numpy as np
import optax
import pytest

from remanence.errors import RemanenceError
from remanence.layers import LRU, ResidualBlock, SequenceModel
from remanence.layers.hyperbolic import HyperbolicLRU
from remanence.tasks import Delay
from remanence.training import train, train_exact
from remanence.training.hyperbolic import hyperbolic_adam, hyperbolic_sgd
from remanence.training.members import stack_models, train_members
from remanence.training.online import train_online
from remanence.training.optimisers import adamw_by_role, require_geodesics
from remanence.training.roles import by_role, parameter_roles


def model_of(key):
    block = ResidualBlock(HyperbolicLRU(4, 6, r_min=0.5, key=key), key=key)
    return SequenceModel(1, 1, width=4, layers=[block], key=key)


PLAIN = r"has points of the disc, which this optimiser takes .* adamw_by_role\(rate\), or by_role"


@pytest.mark.parametrize(
    "plain", [optax.adam(1e-3), optax.sgd(1e-2), optax.chain(optax.clip(1.0), optax.adamw(1e-3))]
)
def test_a_plain_optimiser_is_refused_for_points(plain):
    model, key = model_of(jax.random.key(1)), jax.random.key(2)
    given = {"steps": 1, "batch": 2, "lengths": 4}
    with pytest.raises(RemanenceError, match=f"train: SequenceModel {PLAIN}"):
        train(model, Delay(2), optimiser=plain, key=key, **given)
    layer = HyperbolicLRU(1, 2, key=key)
    with pytest.raises(RemanenceError, match=f"train_online: HyperbolicLRU {PLAIN}"):
        train_online(layer, np.ones((3, 1)), np.ones((3, 1)), optimiser=plain)
    members = stack_models(lambda key: HyperbolicLRU(1, 2, key=key), jax.random.split(key, 2))

    def of_a_rate(rate):
        return optax.chain(plain, optax.scale(rate))

    with pytest.raises(RemanenceError, match=f"train_members: HyperbolicLRU {PLAIN}"):
        train_members(
            members,
            Delay(2),
            learning_rates=[1e-3, 1e-2],
            keys=jax.random.split(key, 2),
            optimiser=of_a_rate,
            **given,
        )
    with pytest.raises(RemanenceError, match=f"train_exact: HyperbolicLRU {PLAIN}"):
        train_exact(
            members,
            np.ones(5)[:, None, None],
            learning_rates=[1e-3, 1e-2],
            steps=1,
            optimiser=of_a_rate,
        )
    # Others have no points.
    require_geodesics("any", plain, LRU(1, 2, key=key))


def labels(model):
    return jax.tree.map(lambda role: role == "hyperbolic", parameter_roles(model))


def others(model):
    return jax.tree.map(lambda role: role != "hyperbolic", parameter_roles(model))


@pytest.mark.parametrize(
    "make",
    [
        lambda model: adamw_by_role(1e-3, clip=1.0),
        lambda model: optax.chain(optax.clip_by_global_norm(1.0), adamw_by_role(1e-3)),
        lambda model: optax.MultiSteps(adamw_by_role(1e-3), 2).gradient_transformation(),
        lambda model: optax.apply_if_finite(adamw_by_role(1e-3), 3),
        lambda model: optax.inject_hyperparams(lambda r: adamw_by_role(r))(r=1e-3),
        lambda model: by_role({"hyperbolic": hyperbolic_sgd(0.1), "other": optax.sgd(0.1)}, model),
        # Asked for by its role.
        lambda model: by_role({"hyperbolic": optax.adam(0.1), "other": optax.adam(0.1)}, model),
        lambda model: optax.chain(
            optax.masked(hyperbolic_adam(0.1), labels), optax.masked(optax.adam(0.1), others)
        ),
    ],
)
def test_what_knows_points_is_let_through(make):
    model = model_of(jax.random.key(1))
    require_geodesics("train", make(model), model)
