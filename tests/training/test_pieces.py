"""Sequences learned piece by piece, the state carried: against descent by hand, and resumed."""

import inspect

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jaxtyping import Array

from remanence.errors import RemanenceError
from remanence.layers import GRU, LRU, LSTM, ResidualBlock, SequenceModel
from remanence.layers.contract import RECURRENT, AbstractSteppedLayer
from remanence.tasks import Copy, SequentialDigits
from remanence.tasks.contract import AbstractTask, Example, Kind
from remanence.training import stack_models, train, train_members
from remanence.training.settings import agreement

RATE = 0.05
SGD = optax.sgd(RATE)
PIECES, LENGTH, BATCH = 3, 4, 2


class Leaky(AbstractSteppedLayer):
    """h_t = a h_{t-1} + x_t from a start that is learned, y_t = h_t."""

    decay: Array = eqx.field(metadata=RECURRENT)
    start: Array
    inputs: int = eqx.field(static=True, default=1)
    outputs: int = eqx.field(static=True, default=1)

    def initial_state(self):
        return self.start

    def drive(self, xs):
        return xs

    def advance(self, state, drive):
        return self.decay * state + drive

    def readout(self, states, xs):
        return states


class Sums(AbstractTask):
    """Targets of the recurrence with a = 0.9; the fourth part of every step counts twice."""

    inputs: int = eqx.field(static=True, default=1)
    outputs: int = eqx.field(static=True, default=1)
    kind: Kind = eqx.field(static=True, default="regression")

    def sample(self, key, length, *, split="train"):
        xs = jax.random.normal(key, (length, 1))
        _, hs = jax.lax.scan(lambda h, x: (0.9 * h + x,) * 2, jnp.zeros(1), xs)
        return Example(xs, hs, jnp.where(jnp.arange(length) % 4 == 0, 2.0, 1.0))


def leaky(decay=0.5, start=0.3) -> Leaky:
    return Leaky(jnp.full(1, decay), jnp.full(1, start))


def by_hand(key, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Losses and (a, start) of gradient descent, sensitivities cut between pieces."""
    data = jax.random.split(key, 4)[0]
    theta, losses = np.array([0.5, 0.3]), []
    for step in range(steps):
        number, place = divmod(step, PIECES)
        if place == 0:
            keys = jax.random.split(jax.random.fold_in(data, number), BATCH)
            examples = [
                tuple(map(np.asarray, Sums().sample(one, PIECES * LENGTH))) for one in keys
            ]
            states = np.full(BATCH, theta[1])
        loss, gradient = 0.0, np.zeros(2)
        for which, (xs, targets, weights) in enumerate(examples):
            h, by_decay, by_start = states[which], 0.0, float(place == 0)
            piece = slice(place * LENGTH, (place + 1) * LENGTH)
            total = weights[piece].sum()
            for x, target, weight in zip(
                xs[piece, 0], targets[piece, 0], weights[piece], strict=True
            ):
                by_decay, by_start = h + theta[0] * by_decay, theta[0] * by_start
                h = theta[0] * h + x
                share = weight / total / BATCH
                loss += share * (h - target) ** 2
                gradient += share * 2 * (h - target) * np.array([by_decay, by_start])
            states[which] = h
        losses.append(loss)
        theta = theta - RATE * gradient
    return np.array(losses), theta


def test_pieces_are_truncated_backpropagation_by_hand():
    key, steps = jax.random.key(3), 2 * PIECES + 2
    found = train(
        leaky(), Sums(), steps=steps, batch=BATCH, lengths=LENGTH, pieces=PIECES, optimiser=SGD,
        key=key, evaluate_every="end",
    )  # fmt: skip
    losses, theta = by_hand(key, steps)
    np.testing.assert_allclose(found.training_losses, losses, rtol=1e-12)
    np.testing.assert_allclose([found.model.decay[0], found.model.start[0]], theta, rtol=1e-12)


def test_held_out_sequences_are_whole_ones_from_rest():
    key = jax.random.key(3)
    options = {
        "steps": 1,
        "batch": BATCH,
        "optimiser": SGD,
        "key": key,
        "evaluate_every": "end",
    }
    pieces = train(leaky(), Sums(), lengths=LENGTH, pieces=PIECES, **options)
    whole = train(leaky(), Sums(), lengths=PIECES * LENGTH, **options)
    assert pieces.test_losses[0] == whole.test_losses[0]


@pytest.mark.parametrize("members_by", ["map", "vmap"])
def test_a_member_alone_gives_the_same_numbers(members_by):
    keys = jax.random.split(jax.random.key(5), 2)
    shared = {
        "steps": 5,
        "batch": BATCH,
        "lengths": LENGTH,
        "pieces": PIECES,
        "evaluate_every": "end",
    }
    models = stack_models(lambda key: leaky(), keys)
    together = train_members(
        models, Sums(), learning_rates=[RATE, 0.01], optimiser=optax.sgd, keys=keys,
        members_by=members_by, **shared,
    )  # fmt: skip
    for place, rate in enumerate((RATE, 0.01)):
        alone = train(leaky(), Sums(), optimiser=optax.sgd(rate), key=keys[place], **shared)
        np.testing.assert_allclose(
            together.training_losses[place], alone.training_losses, rtol=1e-12
        )
        np.testing.assert_allclose(
            together.member(place).model.decay, alone.model.decay, rtol=1e-12
        )


class Stopped(Exception):
    """Raised from the progress, as an interrupt would be."""


@pytest.mark.parametrize("at", [4, 5, 6])
def test_a_run_interrupted_within_a_sequence_goes_on_to_the_same_bits(tmp_path, monkeypatch, at):
    monkeypatch.setattr("remanence.training.loop._FIRST_LEG", 1)
    monkeypatch.setattr("remanence.training.loop._LEG_SECONDS", 0.0)
    steps = 8

    def run(**options):
        return train(
            leaky(), Sums(), steps=steps, batch=BATCH, lengths=LENGTH, pieces=PIECES,
            optimiser=SGD, key=jax.random.key(3), evaluate_every="end", **options,
        )  # fmt: skip

    def stop(share):
        if share >= at / steps:
            raise Stopped

    path = tmp_path / "run.checkpoint"
    with pytest.raises(Stopped):
        run(checkpoint=path, on_progress=stop)
    resumed, whole = run(checkpoint=path), run()
    np.testing.assert_array_equal(resumed.training_losses, whole.training_losses)
    np.testing.assert_array_equal(resumed.model.decay, whole.model.decay)
    with pytest.raises(RemanenceError, match="pieces is 1 here and 3 in the checkpoint"):
        train(
            leaky(), Sums(), steps=steps, batch=BATCH, lengths=LENGTH, optimiser=SGD,
            key=jax.random.key(3), evaluate_every="end", test_length=12, checkpoint=path,
        )  # fmt: skip


def _stack(key):
    def block(key):
        return ResidualBlock(LRU(4, 3, key=key, dtype=jnp.float32), dropout=0.1, key=key)

    return SequenceModel(1, 1, width=4, layers=block, depth=2, pooling="mean", key=key)


@pytest.mark.parametrize(
    "make",
    [
        lambda key: LRU(1, 3, key=key),
        lambda key: GRU(1, 1, key=key, dtype=jnp.float32),
        lambda key: LSTM(1, 1, key=key),
        _stack,
    ],
    ids=["LRU", "GRU", "LSTM", "stack with dropout"],
)
def test_every_kind_of_state_is_carried(make):
    """The first losses are those of the same pieces run one after another, states handed on."""
    model, key = make(jax.random.key(1)), jax.random.key(2)
    found = train(
        model, Sums(), steps=PIECES, batch=1, lengths=LENGTH, pieces=PIECES,
        optimiser=optax.sgd(0.0), key=key, evaluate_every="end",
    )  # fmt: skip
    data, dropout, *_ = jax.random.split(key, 4)
    example = Sums().sample(jax.random.split(jax.random.fold_in(data, 0), 1)[0], PIECES * LENGTH)
    state, losses = None, []
    for place in range(PIECES):
        piece = slice(place * LENGTH, (place + 1) * LENGTH)
        options = {}
        if isinstance(model, SequenceModel):
            options["key"] = jax.random.split(jax.random.fold_in(dropout, place), 1)[0]
        ys, state = model(example.inputs[piece], state, **options)
        squares = np.sum((np.asarray(ys) - np.asarray(example.targets[piece])) ** 2, axis=1)
        losses.append(np.average(squares, weights=example.weights[piece]))
    np.testing.assert_allclose(found.training_losses, losses, rtol=1e-5)


def test_pieces_of_which_nothing_is_scored_have_no_loss_and_no_gradient():
    task = Copy(2, alphabet=3)
    model = LRU(task.inputs, 4, task.outputs, key=jax.random.key(0))
    found = train(
        model, task, steps=4, batch=2, lengths=5, pieces=4, optimiser=SGD, key=jax.random.key(1),
        evaluate_every="end",
    )  # fmt: skip
    assert (found.training_losses[:3] == 0).all()
    assert (found.gradient_norms[:3] == 0).all()
    assert found.training_losses[3] > 0


class Wider(Leaky):
    """Begins in single precision and goes on in double; or grows a state that was none."""

    grows: bool = eqx.field(static=True, default=False)

    def initial_state(self):
        return () if self.grows else self.start.astype(jnp.float32)

    def __call__(self, xs, state=None, *, method="auto"):
        start = self.start if self.grows or state is None else state
        ys = jax.lax.scan(lambda h, x: (self.decay * h + x,) * 2, start.astype(float), xs)[1]
        return ys, ys[-1]


def test_a_state_that_comes_back_in_another_type_is_carried_in_its_own():
    found = train(
        Wider(jnp.full(1, 0.5), jnp.full(1, 0.3)), Sums(), steps=2 * PIECES + 2, batch=BATCH,
        lengths=LENGTH, pieces=PIECES, optimiser=SGD, key=jax.random.key(3), evaluate_every="end",
    )  # fmt: skip
    losses, _ = by_hand(jax.random.key(3), 2 * PIECES + 2)
    np.testing.assert_allclose(found.training_losses, losses, rtol=1e-6)


def test_a_state_that_changes_its_shape_cannot_be_carried():
    model = Wider(jnp.full(1, 0.5), jnp.full(1, 0.3), grows=True)
    with pytest.raises(RemanenceError, match="Wider: its state cannot be carried: a call returns"):
        train(
            model, Sums(), steps=1, batch=1, lengths=LENGTH, pieces=PIECES, optimiser=SGD,
            key=jax.random.key(3),
        )  # fmt: skip


def test_a_checkpoint_from_before_there_were_pieces_goes_on(tmp_path, monkeypatch):
    def run(path):
        return train(
            leaky(), Sums(), steps=2, batch=1, lengths=LENGTH, optimiser=SGD,
            key=jax.random.key(3), evaluate_every="end", checkpoint=path,
        )  # fmt: skip

    def without_pieces(*given, **named):
        agreed = agreement(*given, **named)
        del agreed["pieces"]
        return agreed

    path = tmp_path / "old.checkpoint"
    with monkeypatch.context() as patched:
        patched.setattr("remanence.training.loop.agreement", without_pieces)
        before = run(path)
    after = run(path)
    np.testing.assert_array_equal(after.training_losses, before.training_losses)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pieces": 0, "lengths": 4}, "pieces must be a whole number of at least 1, got 0"),
        ({"pieces": 2.0, "lengths": 4}, "pieces must be a whole number"),
        ({"pieces": 2, "lengths": [4, 8]}, "need one length for all of them, got lengths"),
    ],
)
def test_bad_pieces_are_named(options, said):
    with pytest.raises(RemanenceError, match=said):
        # Past the type checks of the tests, as a user is.
        inspect.unwrap(train)(
            leaky(), Sums(), steps=1, batch=1, optimiser=SGD, key=jax.random.key(0), **options
        )


def test_a_task_without_such_long_sequences_says_so():
    pytest.importorskip("sklearn")
    task = SequentialDigits()
    model = LRU(1, 4, 10, key=jax.random.key(0))
    with pytest.raises(RemanenceError, match="128"):
        train(model, task, steps=1, batch=1, lengths=64, pieces=2, key=jax.random.key(0))
