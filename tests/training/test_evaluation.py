"""Losses and errors against plain loops, and the error at lengths against brute force."""

import inspect
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array
from scipy import special

from remanence.errors import RemanenceError
from remanence.layers.contract import RECURRENT, AbstractSteppedLayer
from remanence.tasks.contract import AbstractTask, Example, Kind
from remanence.training.evaluation import evaluate_lengths
from remanence.training.scores import error_share, sequence_error, sequence_loss


class Memory(AbstractSteppedLayer):
    """h_t = a h_{t-1} + x_t, y_t = c h_t for every channel."""

    decay: Array = eqx.field(metadata=RECURRENT)
    gain: Array
    inputs: int = eqx.field(static=True, default=2)
    outputs: int = eqx.field(static=True, default=2)

    def initial_state(self):
        return jnp.zeros(2)

    def drive(self, xs):
        return xs

    def advance(self, state, drive):
        return self.decay * state + drive

    def readout(self, states, xs):
        return states * self.gain[None, :]


class Sum(AbstractTask):
    """Running sums of noise with an offset, scored at random positions by random weights."""

    kind: Kind = eqx.field(static=True, default="regression")
    longest: int = eqx.field(static=True, default=1000)
    inputs: int = eqx.field(static=True, default=2)
    outputs: int = eqx.field(static=True, default=2)

    def sample(self, key, length, *, split="train"):
        if length > self.longest:
            raise RemanenceError(f"Sum: no sequence of {length} steps, the longest has 1000")
        key = jax.random.fold_in(key, {"train": 0, "test": 1}[split])
        for_x, for_w = jax.random.split(key)
        xs = jax.random.normal(for_x, (length, 2))
        sums = jnp.cumsum(xs, axis=0)
        weights = jax.random.uniform(for_w, (length,))
        targets = sums + 10.0 if self.kind == "regression" else jnp.argmax(sums, axis=1)
        return Example(xs, targets, jnp.where(weights < 0.3, 0.0, weights))


def model() -> Memory:
    return Memory(decay=jnp.array([0.9, 0.7]), gain=jnp.array([1.0, 2.0]))


def outputs_by_hand(xs: np.ndarray) -> np.ndarray:
    state, ys = np.zeros(2), []
    for x in xs:
        state = np.array([0.9, 0.7]) * state + x
        ys.append(np.array([1.0, 2.0]) * state)
    return np.array(ys)


def example(rng, *, kind, length=7, outputs=3, offset=0.0) -> tuple[np.ndarray, Example]:
    ys = rng.normal(size=(length, outputs)) + offset
    targets = (
        rng.normal(size=(length, outputs)) + offset
        if kind == "regression"
        else rng.integers(0, outputs, size=length)
    )
    weights = rng.uniform(size=length) * (rng.uniform(size=length) > 0.3)
    return ys, Example(jnp.zeros((length, 1)), jnp.asarray(targets), jnp.asarray(weights))


def test_regression_loss_is_a_weighted_mean_of_squared_norms(rng):
    ys, given = example(rng, kind="regression")
    above = below = 0.0
    for y, target, weight in zip(ys, given.targets, given.weights, strict=True):
        above += float(weight) * sum(
            (float(a) - float(b)) ** 2 for a, b in zip(y, target, strict=True)
        )
        below += float(weight)
    loss = sequence_loss(jnp.asarray(ys), given, "regression")
    np.testing.assert_allclose(loss, above / below, rtol=1e-13)


def test_classification_loss_is_the_weighted_cross_entropy(rng):
    ys, given = example(rng, kind="classification")
    ys = ys * 300.0
    classes = np.asarray(given.targets)
    entropies = special.logsumexp(ys, axis=1) - ys[np.arange(classes.size), classes]
    weights = np.asarray(given.weights)
    loss = sequence_loss(jnp.asarray(ys), given, "classification")
    np.testing.assert_allclose(loss, weights @ entropies / weights.sum(), rtol=1e-13)


@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_a_sequence_of_which_nothing_is_scored_costs_nothing(rng, kind):
    ys, given = example(rng, kind=kind)
    given = given._replace(weights=jnp.zeros(7))
    value, slope = jax.value_and_grad(lambda y: sequence_loss(y, given, kind))(jnp.asarray(ys))
    assert value == 0
    np.testing.assert_array_equal(slope, np.zeros_like(ys))
    assert sequence_error(jnp.asarray(ys), given, kind).weight == 0


def test_the_unexplained_share_is_one_over_all_sequences_however_large_their_mean(rng):
    made = [example(rng, kind="regression", offset=1e6) for _ in range(5)]
    parts = [sequence_error(jnp.asarray(ys), given, "regression") for ys, given in made]
    share, _ = error_share(jax.tree.map(lambda *p: jnp.stack(p), *parts), "regression")
    ys = np.concatenate([ys for ys, _ in made])
    targets = np.concatenate([np.asarray(given.targets) for _, given in made])
    weights = np.concatenate([np.asarray(given.weights) for _, given in made])
    # In extended precision, so that the oracle is not the one with the cancellation.
    wide = targets.astype(np.longdouble)
    centre = (weights[:, None] * wide).sum(axis=0) / weights.sum()
    above = (weights * ((ys - targets) ** 2).sum(axis=1)).sum()
    below = (weights * ((wide - centre) ** 2).sum(axis=1)).sum()
    np.testing.assert_allclose(share, float(above / below), rtol=1e-9)


def test_the_standard_error_of_equal_weights_is_that_of_a_mean(rng):
    wrong = rng.integers(0, 5, size=40).astype(float)
    flat = np.zeros(40)
    parts = sequence_error(jnp.ones((1, 2)), Example(*[jnp.ones((1, 1))] * 2, jnp.ones(1)),
                           "regression")._replace(
        residual=jnp.asarray(wrong), weight=jnp.full(40, 4.0), mean=jnp.zeros((40, 3)),
        deviation=jnp.asarray(flat))  # fmt: skip
    share, spread = error_share(parts, "classification")
    np.testing.assert_allclose(share, wrong.mean() / 4, rtol=1e-14)
    np.testing.assert_allclose(spread, (wrong / 4).std(ddof=1) / np.sqrt(40), rtol=1e-13)


def test_the_standard_error_of_a_ratio_is_near_the_bootstrap(rng):
    count = 400
    weight = rng.uniform(1, 3, size=count)
    residual = weight * rng.exponential(size=count)
    parts = sequence_error(
        jnp.ones((1, 1)), Example(jnp.ones((1, 1)), jnp.ones((1, 1)), jnp.ones(1)), "regression"
    )._replace(residual=residual, weight=weight, mean=np.zeros((count, 1)), deviation=weight * 2)
    _, spread = error_share(parts, "regression")
    drawn = rng.integers(0, count, size=(4000, count))
    boot = (residual[drawn].sum(axis=1) / (2 * weight[drawn]).sum(axis=1)).std()
    np.testing.assert_allclose(spread, boot, rtol=0.05)


@pytest.mark.parametrize("kind", ["regression", "classification"])
def test_every_length_is_scored_like_a_loop_over_its_sequences(kind):
    task, key = Sum(kind=kind), jax.random.key(3)
    found = evaluate_lengths(
        model(), task, training_length=4, factors=[1, 3], sequences=5, batch=2, key=key
    )
    np.testing.assert_array_equal(found.lengths, [4, 12])
    for place, length in enumerate([4, 12]):
        keys = jax.random.split(jax.random.fold_in(key, length), 5)
        losses, ys, targets, weights = [], [], [], []
        for one in keys:
            xs, target, weight = map(np.asarray, task.sample(one, length, split="test"))
            y = outputs_by_hand(xs)
            if kind == "regression":
                each = ((y - target) ** 2).sum(axis=1)
            else:
                each = np.log(np.exp(y).sum(axis=1)) - y[np.arange(length), target]
            losses.append((weight * each).sum() / weight.sum())
            ys, targets = [*ys, *y], [*targets, *target]
            weights = [*weights, *weight]
        ys, targets, weights = map(np.array, (ys, targets, weights))
        if kind == "regression":
            centre = weights @ targets / weights.sum()
            error = (weights @ ((ys - targets) ** 2).sum(axis=1)) / (
                weights @ ((targets - centre) ** 2).sum(axis=1)
            )
        else:
            error = weights @ (ys.argmax(axis=1) != targets) / weights.sum()
        np.testing.assert_allclose(found.errors[place], error, rtol=1e-12)
        np.testing.assert_allclose(found.losses[place], np.mean(losses), rtol=1e-12)


def test_neither_the_batch_nor_the_other_lengths_change_the_numbers():
    key = jax.random.key(3)
    one = evaluate_lengths(
        model(), Sum(), training_length=4, lengths=[4, 12], sequences=5, batch=3, key=key
    )
    other = evaluate_lengths(
        model(), Sum(), training_length=4, lengths=[12], sequences=5, batch=64, key=key
    )
    np.testing.assert_allclose(one.errors[1:], other.errors, rtol=1e-13)
    np.testing.assert_allclose(one.standard_errors[1:], other.standard_errors, rtol=1e-10)


def test_the_protocol_says_everything_that_was_done():
    found = evaluate_lengths(
        model(), Sum(), training_length=4, factors=[1, 3], sequences=5, key=jax.random.key(3)
    )
    text = str(found)
    assert text.startswith(found.protocol)
    for said in (
        "Memory on Sum, training length 4",
        "lengths: 4, 12 time steps",
        "5 fresh ones at each length, split 'test'",
        "unexplained share 1 - R2",
        "start state: the model's own initial state",
    ):
        assert said in found.protocol
    last = text.splitlines()[-1].split()
    assert last[:2] == ["12", "3"]
    np.testing.assert_allclose(
        [float(cell) for cell in last[2:]],
        [found.errors[1], found.standard_errors[1], found.losses[1]],
        rtol=1e-1,
    )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sequences": 0}, "sequences must be a whole number of at least 1, got 0"),
        ({"lengths": []}, "lengths is empty; give at least one"),
        ({"lengths": [3, 0]}, "every length must be a whole number of at least 1, got 0"),
        ({"lengths": [8.5]}, "every length must be a whole number of at least 1, got 8.5"),
        ({"factors": [0.5]}, "every factor must be a whole number of at least 1, got 0.5"),
        ({"sequences": 1.5}, "sequences must be a whole number of at least 1, got 1.5"),
        ({"training_length": math.nan}, "training_length must be a whole number .* got nan"),
        ({"split": "dev"}, "split 'dev' is none of train, test"),
        ({"key": 0}, "key is 0; give jax.random.key"),
        ({"lengths": [2000]}, "Sum: no sequence of 2000 steps"),
    ],
)
def test_what_cannot_be_evaluated_is_named(changed, said):
    with pytest.raises(RemanenceError, match=said):
        # Without the type checks that the tests add.
        inspect.unwrap(evaluate_lengths)(
            model(), Sum(), **{"training_length": 4, "key": jax.random.key(0), **changed}
        )


def test_sizes_that_do_not_fit_are_named():
    task = Sum(inputs=3)
    with pytest.raises(RemanenceError, match="Memory has 2 inputs where Sum has 3; make the"):
        evaluate_lengths(model(), task, training_length=4, key=jax.random.key(0))
