"""A member of an ensemble is what it would be alone."""

import inspect

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jaxtyping import Array

from remanence.errors import NumericalError, RemanenceError
from remanence.layers.contract import RECURRENT, AbstractSteppedLayer
from remanence.tasks.contract import AbstractTask, Example, Kind
from remanence.training.fitting import train
from remanence.training.members import stack_models, train_members
from remanence.training.optimisers import adamw_by_role

RATES = [1e-3, 1e-2, 3e-2]


class Memory(AbstractSteppedLayer):
    """h_t = a h_{t-1} + b x_t, y_t = c · h_t, which reads a size off its arrays."""

    decay: Array = eqx.field(metadata=RECURRENT)
    b: Array
    c: Array
    mask: Array
    outputs: int = eqx.field(static=True, default=1)

    @property
    def inputs(self):
        # Two for a stack, which is no layer.
        return self.b.ndim

    def initial_state(self):
        return jnp.zeros(3)

    def drive(self, xs):
        return xs * self.b[None, :]

    def advance(self, state, drive):
        return self.decay * state + drive

    def readout(self, states, xs):
        return states @ (self.c * self.mask.astype(float))[:, None]


class Sums(AbstractTask):
    inputs: int = eqx.field(static=True, default=1)
    outputs: int = eqx.field(static=True, default=1)
    kind: Kind = eqx.field(static=True, default="regression")

    def sample(self, key, length, *, split="train"):
        xs = jax.random.normal(key, (length, 1))
        return Example(xs, jnp.cumsum(xs, axis=0), jnp.ones(length))


def make(key) -> Memory:
    decay, b, c = jax.random.uniform(key, (3, 3))
    return Memory(decay=decay, b=b, c=c, mask=(decay > 0.3).astype(int))


def models() -> Memory:
    return stack_models(make, jax.random.split(jax.random.key(7), 3))


def given(**changed) -> dict:
    keys = jax.random.split(jax.random.key(0), 3)
    return {
        "steps": 30, "batch": 2, "lengths": [3, 5], "keys": keys, "clip": 1.0,
        "learning_rates": RATES, "test_sequences": 4, **changed,
    }  # fmt: skip


def test_a_stack_holds_what_each_key_makes():
    stack = models()
    for i, key in enumerate(jax.random.split(jax.random.key(7), 3)):
        np.testing.assert_array_equal(stack.decay[i], make(key).decay)


@pytest.mark.parametrize("members_by", ["map", "vmap"])
def test_a_member_alone_gives_the_same_numbers(members_by):
    stack = models()
    found = train_members(stack, Sums(), **given(members_by=members_by))
    for i, rate in enumerate(RATES):
        alone = train(
            jax.tree.map(lambda leaf, i=i: leaf[i], stack), Sums(), steps=30, batch=2,
            lengths=[3, 5], clip=1.0, test_sequences=4, key=given()["keys"][i],
            optimiser=optax.chain(adamw_by_role(1.0), optax.scale(rate)),
        )  # fmt: skip
        member = found.member(i)
        np.testing.assert_allclose(member.model.decay, alone.model.decay, rtol=1e-12, atol=0)
        np.testing.assert_allclose(member.model.c, alone.model.c, rtol=1e-12, atol=0)
        np.testing.assert_allclose(member.training_losses, alone.training_losses, rtol=1e-12)
        np.testing.assert_allclose(member.gradient_norms, alone.gradient_norms, rtol=1e-11)
        np.testing.assert_allclose(member.test_errors, alone.test_errors, rtol=1e-12)
        np.testing.assert_array_equal(member.evaluated_at, alone.evaluated_at)
        assert not np.array_equal(member.model.decay, stack.decay[i])


def test_a_member_that_diverges_stops_alone():
    sgd = optax.sgd(1.0)
    calm = train_members(models(), Sums(), **given(optimiser=sgd, clip=None, steps=10))
    wild = train_members(
        models(), Sums(),
        **given(optimiser=sgd, clip=None, steps=10, learning_rates=[1e-3, 1e200, 3e-2]),
    )  # fmt: skip
    assert calm.diverged_at.tolist() == [-1, -1, -1]
    assert wild.diverged_at[[0, 2]].tolist() == [-1, -1]
    assert wild.diverged_at[1] >= 1
    np.testing.assert_array_equal(calm.training_losses[[0, 2]], wild.training_losses[[0, 2]])
    assert np.isfinite(wild.models.decay).all()
    assert wild.best() != 1
    message = (
        rf"^training diverged at step {wild.diverged_at[1]} in member 1, learning rate 1e\+200"
    )
    with pytest.raises(NumericalError, match=message):
        wild.raise_if_diverged()
    with pytest.raises(NumericalError, match=r"^training diverged at step"):
        wild.member(1).raise_if_diverged()


def test_the_best_member_has_the_lowest_mean_of_its_last_values():
    found = train_members(models(), Sums(), **given())
    assert found.best() == np.argmin(found.test_losses[:, -1])
    assert found.best("training_losses", last=20) == np.argmin(
        found.training_losses[:, -20:].mean(axis=1)
    )
    with pytest.raises(RemanenceError, match=r"'test_loss' is none of .*; did you mean 'test_los"):
        found.best("test_loss")
    wild = train_members(
        models(), Sums(), **given(optimiser=optax.sgd(1.0), learning_rates=[1e200] * 3, clip=None)
    )
    with pytest.raises(NumericalError, match="all 3 members diverged, the last at step"):
        wild.best()


def test_an_interrupted_ensemble_goes_on_to_the_same_bits(tmp_path):
    whole = train_members(models(), Sums(), **given())
    calls = []

    def stop_at_second_call(share):
        calls.append(share)
        if len(calls) == 2:
            raise KeyboardInterrupt

    path = tmp_path / "run.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train_members(
            models(), Sums(), checkpoint=path, on_progress=stop_at_second_call, **given()
        )
    resumed = train_members(models(), Sums(), checkpoint=path, **given())
    assert 0 < calls[-1] < 1
    for one, other in zip(
        jax.tree.leaves(whole.models), jax.tree.leaves(resumed.models), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(whole.training_losses, resumed.training_losses)
    with pytest.raises(RemanenceError, match=r"learning_rates is \[0.1, 0.01, 0.03\] here and"):
        train_members(models(), Sums(), checkpoint=path, **given(learning_rates=[0.1, 0.01, 0.03]))


def test_numbers_of_members_that_differ_are_named():
    with pytest.raises(RemanenceError, match="3 models need as many learning rates and keys"):
        train_members(models(), Sums(), **given(learning_rates=[0.1]))
    with pytest.raises(RemanenceError, match="no common leading axis of members; make them with"):
        train_members(eqx.tree_at(lambda m: m.b, models(), jnp.ones(2)), Sums(), **given())
    with pytest.raises(RemanenceError, match="learning_rates must be finite numbers, got"):
        train_members(models(), Sums(), **given(learning_rates=[0.1, np.nan, 0.1]))
    with pytest.raises(RemanenceError, match="keys is 0; give one key for each member"):
        inspect.unwrap(train_members)(models(), Sums(), **given(keys=0))
    with pytest.raises(RemanenceError, match="'vmapp' is none of map, vmap; did you mean 'vmap'"):
        train_members(models(), Sums(), **given(members_by="vmapp"))
