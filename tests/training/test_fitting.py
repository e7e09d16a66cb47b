"""Minibatch training against gradient descent by hand, and what it does when things go wrong."""

import inspect

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jaxtyping import Array

from remanence.errors import NumericalError, RemanenceError
from remanence.layers.contract import RECURRENT, AbstractRecurrentLayer, AbstractSteppedLayer
from remanence.report import ConsoleProgress
from remanence.tasks.contract import AbstractTask, Example, Kind
from remanence.training.fitting import train

TARGET = 0.8
# One object for all runs: what is compiled for it need not be compiled again.
SGD = optax.sgd(0.01)


class Memory(AbstractSteppedLayer):
    """h_t = a h_{t-1} + x_t, y_t = c h_t."""

    decay: Array = eqx.field(metadata=RECURRENT)
    gain: Array
    inputs: int = eqx.field(static=True, default=1)
    outputs: int = eqx.field(static=True, default=1)

    def initial_state(self):
        return jnp.zeros(1, self.decay.dtype)

    def drive(self, xs):
        return xs

    def advance(self, state, drive):
        return self.decay * state + drive

    def readout(self, states, xs):
        return states * self.gain[None, :]


class Pointwise(AbstractRecurrentLayer):
    """y_t = f(c) x_t, or that times a random sign where a key is given."""

    gain: Array
    function: str = eqx.field(static=True, default="identity")
    inputs: int = eqx.field(static=True, default=1)
    outputs: int = eqx.field(static=True, default=1)
    methods = ("sequential",)

    def initial_state(self):
        return ()

    def step(self, state, x):
        return (), self._gain() * x

    def __call__(self, xs, state=None, *, method="auto", key=None):
        signs = 1.0 if key is None else jax.random.rademacher(key, xs.shape).astype(xs.dtype)
        return self._gain()[None, :] * xs * signs, ()

    def states(self, xs, state=None, *, method="auto"):
        return ()

    def _gain(self):
        return jnp.sqrt(self.gain) if self.function == "root" else self.gain


class Sums(AbstractTask):
    """Targets of the recurrence with a = 0.8 and c = 1; the later half counts twice."""

    memory: float = TARGET
    inputs: int = eqx.field(static=True, default=1)
    outputs: int = eqx.field(static=True, default=1)
    kind: Kind = eqx.field(static=True, default="regression")

    def sample(self, key, length, *, split="train"):
        xs = jax.random.normal(
            jax.random.fold_in(key, {"train": 0, "test": 1}[split]), (length, 1)
        )
        _, hs = jax.lax.scan(lambda h, x: (self.memory * h + x,) * 2, jnp.zeros(1), xs)
        return Example(xs, hs, jnp.where(jnp.arange(length) >= length // 2, 2.0, 1.0))


def memory(decay=0.5, gain=0.7, dtype=float) -> Memory:
    return Memory(decay=jnp.full(1, decay, dtype), gain=jnp.full(1, gain, dtype))


def batches(key, step: int, lengths: list[int], count: int):
    """The examples of one step, drawn one by one from the streams of the key."""
    data, _, order, _ = jax.random.split(key, 4)
    index = int(jax.random.randint(jax.random.fold_in(order, step), (), 0, len(lengths)))
    keys = jax.random.split(jax.random.fold_in(data, step), count)
    return [tuple(map(np.asarray, Sums().sample(one, lengths[index]))) for one in keys]


def loss_and_gradient(a: float, c: float, examples) -> tuple[float, np.ndarray]:
    """Mean weighted squared error and its derivative by (a, c), by forward sensitivities."""
    loss, gradient = 0.0, np.zeros(2)
    for xs, targets, weights in examples:
        h = slope = 0.0
        for x, target, weight in zip(xs[:, 0], targets[:, 0], weights, strict=True):
            slope = h + a * slope
            h = a * h + x
            residual = c * h - target
            share = weight / weights.sum() / len(examples)
            loss += share * residual**2
            gradient += share * 2 * residual * np.array([c * slope, h])
    return loss, gradient


@pytest.mark.parametrize("clip", [None, 0.3])
@pytest.mark.parametrize("lengths", [[6], [3, 6, 9]])
def test_training_is_gradient_descent_by_hand(clip, lengths):
    key, steps = jax.random.key(1), 5

    # Optax's own schedules compute in float32.
    def schedule(count):
        return 0.1 * 0.5 ** count.astype(float)

    found = train(
        memory(), Sums(), steps=steps, batch=3, lengths=lengths, optimiser=optax.sgd(schedule),
        clip=clip, key=key, evaluate_every="end",
    )  # fmt: skip
    theta, losses, norms = np.array([0.5, 0.7]), [], []
    for step in range(steps):
        loss, gradient = loss_and_gradient(*theta, batches(key, step, lengths, 3))
        losses.append(loss)
        norms.append(np.hypot(*gradient))
        if clip is not None:
            gradient = gradient * min(1.0, clip / norms[-1])
        theta = theta - 0.1 * 0.5**step * gradient
    assert clip is None or max(norms) > clip
    np.testing.assert_allclose(found.training_losses, losses, rtol=1e-12)
    np.testing.assert_allclose(found.gradient_norms, norms, rtol=1e-12)
    np.testing.assert_allclose([found.model.decay[0], found.model.gain[0]], theta, rtol=1e-12)


def test_the_held_out_sequences_are_scored_when_asked_for():
    given = {
        "steps": 40,
        "batch": 4,
        "lengths": 5,
        "key": jax.random.key(0),
        "test_sequences": 7,
        "optimiser": SGD,
    }
    at = {
        every: train(memory(), Sums(), evaluate_every=every, **given).evaluated_at.tolist()
        for every in ("end", 16)
    }
    assert at == {"end": [0, 40], 16: [0, 16, 32, 40]}
    logarithmic = train(memory(), Sums(), test_length=9, **given)
    steps = logarithmic.evaluated_at
    assert steps[:3].tolist() == [0, 1, 2]
    assert steps[-1] == 40
    assert np.diff(np.log(steps[4:-1])).std() < 0.2
    # The first score, by hand: parameters as they started.
    keys = jax.random.split(jax.random.split(given["key"], 4)[3], 7)
    examples = [tuple(map(np.asarray, Sums().sample(one, 9, split="test"))) for one in keys]
    loss, _ = loss_and_gradient(0.5, 0.7, examples)
    np.testing.assert_allclose(logarithmic.test_losses[0], loss, rtol=1e-12)


def test_the_default_optimiser_learns_the_memory_in_float32_too():
    found = train(
        memory(dtype=np.float32), Sums(), steps=1500, batch=16, lengths=[8, 16],
        key=jax.random.key(0), clip=1.0, evaluate_every="end",
    )  # fmt: skip
    assert found.model.decay.dtype == np.float32
    np.testing.assert_allclose(found.model.decay, TARGET, atol=0.02)
    assert found.test_errors[1] < 0.01 < 0.1 < found.test_errors[0]
    found.raise_if_diverged()


def test_a_layer_that_takes_a_key_gets_one_in_training_only():
    given = {"steps": 3, "batch": 4, "lengths": 5, "key": jax.random.key(0)}
    layer, still = Pointwise(jnp.full(1, 0.7)), optax.sgd(0.0)
    found = train(layer, Sums(), optimiser=still, evaluate_every=1, **given)
    plain = train(memory(decay=0.0), Sums(), optimiser=still, evaluate_every=1, **given)
    np.testing.assert_allclose(found.test_losses, plain.test_losses, rtol=1e-12)
    assert (np.abs(found.training_losses / plain.training_losses - 1) > 0.05).all()
    assert len(np.unique(found.training_losses)) == 3


def test_divergence_ends_the_run_with_the_last_parameters_that_worked():
    key, wild = jax.random.key(2), optax.sgd(1e60)
    found = train(
        Pointwise(jnp.full(1, 0.7)), Sums(), steps=50, batch=2, lengths=4,
        optimiser=wild, key=key, method="sequential",
    )  # fmt: skip
    # What is kept is what a run holds that ends before the update which ruined it.
    finite = np.isfinite(found.training_losses)
    step = found.diverged_at
    assert 1 < step < 10
    assert finite[:step].all()
    assert not finite[step:].any()
    before = train(
        Pointwise(jnp.full(1, 0.7)), Sums(), steps=step - 1, batch=2, lengths=4,
        optimiser=wild, key=key, method="sequential",
    )  # fmt: skip
    np.testing.assert_array_equal(found.model.gain, before.model.gain)
    assert np.isfinite(found.model.gain).all()
    with pytest.raises(NumericalError, match=f"^training diverged at step {step}: the loss or"):
        found.raise_if_diverged()


def test_divergence_is_found_at_the_step_that_gradient_descent_by_hand_finds():
    key, rate = jax.random.key(2), 1e60
    found = train(
        memory(decay=0.0), Sums(), steps=50, batch=2, lengths=1, optimiser=optax.sgd(rate), key=key
    )
    theta, tried = np.array([0.0, 0.7]), []
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(50):
            loss, gradient = loss_and_gradient(*theta, batches(key, step, [1], 2))
            if not np.isfinite([loss, np.sqrt((gradient**2).sum())]).all():
                break
            tried.append(theta)
            theta = theta - rate * gradient
    assert found.diverged_at == step > 1
    np.testing.assert_allclose(found.model.gain[0], tried[-1][1], rtol=1e-10)


def test_a_gradient_that_is_not_finite_is_a_divergence_too():
    layer = Pointwise(jnp.zeros(1), function="root")
    found = train(
        layer, Sums(), steps=5, batch=2, lengths=3, optimiser=optax.sgd(0.1), key=jax.random.key(0)
    )
    assert found.diverged_at == 0
    np.testing.assert_array_equal(found.model.gain, [0.0])
    assert found.evaluated_at.tolist() == [0]


def test_the_model_that_was_given_stays_usable():
    layer = memory()
    train(layer, Sums(), steps=3, batch=2, lengths=3, optimiser=SGD, key=jax.random.key(0))
    np.testing.assert_array_equal(layer.decay + layer.gain, [0.5 + 0.7])


def test_progress_rises_to_the_end_and_the_console_can_show_it(capsys):
    heard = []
    given = {"steps": 30, "batch": 2, "lengths": 3, "key": jax.random.key(0), "optimiser": SGD}
    train(memory(), Sums(), on_progress=heard.append, **given)
    assert heard == sorted(heard)
    assert heard[-1] == 1
    assert heard[0] <= 1 / 30
    with ConsoleProgress() as progress:
        train(memory(), Sums(), on_progress=progress.update, **given)
    assert "100%" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"steps": 0}, "train: steps must be a whole number of at least 1, got 0"),
        ({"batch": 0}, "train: batch must be a whole number of at least 1"),
        ({"lengths": []}, "train: lengths is empty"),
        ({"lengths": [3, 0]}, "train: every length must be a whole number of at least 1, got 0"),
        (
            {"clip": 0.0},
            "train: clip must be a finite number above 0, got 0.0; None clips",
        ),
        ({"evaluate_every": "logg"}, "'logg' is none of log, end; did you mean 'log'"),
        (
            {"evaluate_every": 0},
            "evaluate_every must be a whole number of at least 1, .* got 0",
        ),
        ({"test_sequences": 0}, "test_sequences must be a whole number of at least 1"),
        ({"method": "fast"}, "Memory: method 'fast' is none of auto, sequential"),
    ],
)
def test_settings_out_of_range_are_named(changed, said):
    given = {"steps": 3, "batch": 2, "lengths": 3, "key": jax.random.key(0), "optimiser": SGD}
    with pytest.raises(RemanenceError, match=said):
        train(memory(), Sums(), **{**given, **changed})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"steps": 2.5}, "steps must be a whole number of at least 1, got 2.5"),
        ({"steps": "2"}, "steps must be a whole number of at least 1, got '2'"),
        ({"steps": True}, "steps must be a whole number of at least 1, got True"),
        ({"batch": 2.5}, "batch must be a whole number of at least 1, got 2.5"),
        ({"lengths": [8.7]}, "every length must be a whole number of at least 1, got 8.7"),
        ({"lengths": 8.0}, "lengths must be a whole number of at least 1 or several of them, got"),
        ({"lengths": "8"}, "lengths must be a whole number of at least 1 or several of them, got"),
        ({"clip": "a"}, "clip must be a finite number above 0, got 'a'; None clips"),
        ({"clip": float("nan")}, "clip must be a finite number above 0, got nan"),
        ({"evaluate_every": None}, "evaluate_every must be a whole number .* got None"),
        ({"evaluate_every": 2.5}, "evaluate_every must be a whole number .* got 2.5"),
        ({"method": 3}, 'method must be "auto" or an engine'),
        ({"key": 0}, r"key is 0; give jax.random.key\(0\)"),
        ({"key": jax.random.split(jax.random.key(0))}, r"key is an array key<fry>\[2\]; give"),
        ({"optimiser": "adam"}, r"optimiser is 'adam'; give an Optax transform such as optax"),
        ({"optimiser": optax.adam}, "optimiser is the function adam; give an Optax transform"),
        ({"task": "delay"}, "task is 'delay'; give a task, an instance of AbstractTask"),
        ({"task": Sums}, "task is the class Sums; give a task"),
        ({"model": 3}, "model is 3; give a layer or stack, an instance of AbstractRecurrentLayer"),
        ({"checkpoint_seconds": "a"}, "checkpoint_seconds must be a finite number of at least 0"),
    ],
)
def test_settings_of_another_kind_are_named(changed, said):
    given = {"steps": 3, "batch": 2, "lengths": 3, "key": jax.random.key(0), "optimiser": SGD}
    given |= {"model": memory(), "task": Sums(), **changed}
    # Without the type checks that the tests add.
    with pytest.raises(RemanenceError, match=f"^train: {said}") as caught:
        inspect.unwrap(train)(given.pop("model"), given.pop("task"), **given)
    assert "\n" not in str(caught.value)


def test_lengths_may_be_numbers_of_numpy():
    given = {"steps": 3, "batch": 2, "key": jax.random.key(0), "optimiser": SGD}
    one = train(memory(), Sums(), lengths=np.int64(3), **given)
    other = train(memory(), Sums(), lengths=[np.int32(3)], **given)
    np.testing.assert_array_equal(one.training_losses, other.training_losses)


def test_models_that_cannot_be_trained_are_named():
    given = {"steps": 3, "batch": 2, "lengths": 3, "key": jax.random.key(0), "optimiser": SGD}
    with pytest.raises(RemanenceError, match="Memory has 1 outputs where Sums has 2; make the"):
        train(memory(), Sums(outputs=2), **given)
    with pytest.raises(RemanenceError, match=r"Memory: parameter \.decay is complex"):
        train(Memory(decay=jnp.ones(1, complex), gain=jnp.ones(1)), Sums(), **given)
    with pytest.raises(RemanenceError, match="Pointwise: has no parameters to train"):
        train(Pointwise(jnp.ones(1, int)), Sums(), **given)


def test_an_old_key_trains_like_the_new_one():
    given = {"steps": 3, "batch": 2, "lengths": 3, "optimiser": SGD}
    old = train(memory(), Sums(), key=jax.random.PRNGKey(4), **given)
    new = train(memory(), Sums(), key=jax.random.key(4), **given)
    np.testing.assert_array_equal(old.training_losses, new.training_losses)
