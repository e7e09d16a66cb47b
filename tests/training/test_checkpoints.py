"""A run that was broken off ends with the same bits as one that was not."""

import shutil

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jaxtyping import Array

from remanence.errors import ModelFileError, RemanenceError
from remanence.files import read_tensors, write_tensors
from remanence.layers.contract import RECURRENT, AbstractSteppedLayer
from remanence.tasks.contract import AbstractTask, Example, Kind
from remanence.tasks.delay import Delay
from remanence.training import loop
from remanence.training.fitting import train
from remanence.training.optimisers import adamw_by_role


class Memory(AbstractSteppedLayer):
    """h_t = a h_{t-1} + x_t, y_t = c h_t, with noise on the inputs where a key is given."""

    decay: Array = eqx.field(metadata=RECURRENT)
    gain: Array
    inputs: int = eqx.field(static=True, default=1)
    outputs: int = eqx.field(static=True, default=1)

    def initial_state(self):
        return jnp.zeros_like(self.decay)

    def drive(self, xs):
        return xs * jnp.ones_like(self.decay)[None, :]

    def advance(self, state, drive):
        return self.decay * state + drive

    def readout(self, states, xs):
        return states @ self.gain[:, None]


class Noisy(AbstractTask):
    memory: float = 0.8
    offsets: Array = eqx.field(default_factory=lambda: jnp.zeros(1))
    inputs: int = eqx.field(static=True, default=1)
    outputs: int = eqx.field(static=True, default=1)
    kind: Kind = eqx.field(static=True, default="regression")

    def sample(self, key, length, *, split="train"):
        xs = jax.random.normal(key, (length, 1))
        _, hs = jax.lax.scan(lambda h, x: (self.memory * h + x,) * 2, self.offsets, xs)
        return Example(xs, hs, jnp.ones(length))


def memory(size=2, gain=0.7) -> Memory:
    return Memory(decay=jnp.linspace(0.1, 0.6, size), gain=jnp.full(size, gain))


# One optimiser for all runs: what is compiled for it need not be compiled again.
OPTIMISER = adamw_by_role(optax.cosine_decay_schedule(1e-2, 60))


def given(**changed) -> dict:
    return {
        "steps": 60, "batch": 2, "lengths": [3, 5], "key": jax.random.key(0), "clip": 0.5,
        "optimiser": OPTIMISER, "test_sequences": 4, **changed,
    }  # fmt: skip


def interrupt_at(call: int):
    calls = []

    def listen(share):
        calls.append(share)
        if len(calls) == call:
            raise KeyboardInterrupt

    return listen


def assert_same_bits(one, other):
    for name in ("model", "training_losses", "gradient_norms", "evaluated_at", "test_losses",
                 "test_errors", "diverged_at"):  # fmt: skip
        for a, b in zip(
            jax.tree.leaves(getattr(one, name)), jax.tree.leaves(getattr(other, name)), strict=True
        ):
            assert np.asarray(a).tobytes() == np.asarray(b).tobytes(), name


def test_interrupted_again_and_again_a_run_ends_with_the_same_bits(tmp_path):
    whole = train(memory(), Noisy(), **given())
    path = tmp_path / "run.safetensors"
    for call in (1, 3, 2):
        with pytest.raises(KeyboardInterrupt):
            train(memory(), Noisy(), checkpoint=path, on_progress=interrupt_at(call), **given())
    step = read_tensors(path)[2]["progress"]["step"]
    assert 0 < step < 60
    resumed = train(memory(), Noisy(), checkpoint=path, **given())
    assert_same_bits(whole, resumed)
    assert not list(tmp_path.glob(".*"))


def test_a_process_that_was_killed_goes_on_from_the_last_saved_state(tmp_path):
    whole = train(memory(), Noisy(), **given())
    path, copy = tmp_path / "run.safetensors", tmp_path / "copy.safetensors"

    def copy_once(share):
        if share > 0.1 and not copy.exists():
            shutil.copy(path, copy)

    train(
        memory(), Noisy(), checkpoint=path, checkpoint_seconds=0, on_progress=copy_once, **given()
    )
    assert 0 < read_tensors(copy)[2]["progress"]["step"] < 60
    assert_same_bits(whole, train(memory(), Noisy(), checkpoint=copy, **given()))


def test_an_interrupt_within_a_leg_leaves_the_last_saved_state(tmp_path, monkeypatch):
    whole = train(memory(), Noisy(), **given())
    path, legs = tmp_path / "run.safetensors", []

    def interrupted(problem, fit):
        legs.append(None)
        made = advance(problem, fit)
        if len(legs) == 4:
            raise KeyboardInterrupt
        return made

    advance = loop.advance
    monkeypatch.setattr(loop, "advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(memory(), Noisy(), checkpoint=path, checkpoint_seconds=0, **given())
    monkeypatch.undo()
    assert read_tensors(path)[2]["progress"]["step"] > 0
    assert_same_bits(whole, train(memory(), Noisy(), checkpoint=path, **given()))


def test_a_finished_run_returns_at_once(tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    first = train(memory(), Noisy(), checkpoint=path, **given())
    written = path.read_bytes()
    monkeypatch.setattr(loop, "advance", None)
    monkeypatch.setattr(loop, "held_out_scores", None)
    again = train(memory(), Noisy(), checkpoint=path, on_progress=interrupt_at(1), **given())
    assert_same_bits(first, again)
    assert path.read_bytes() == written


def test_a_diverged_run_is_finished_too(tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    wild = given(optimiser=optax.sgd(1e200), clip=None, lengths=3)
    first = train(memory(), Noisy(), checkpoint=path, **wild)
    assert first.diverged_at > 0
    monkeypatch.setattr(loop, "advance", None)
    assert_same_bits(first, train(memory(), Noisy(), checkpoint=path, **wild))


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A checkpoint of a run that was stopped early, never to be written again."""
    path = tmp_path_factory.mktemp("stopped") / "run.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train(memory(), Noisy(), checkpoint=path, on_progress=interrupt_at(1), **given())
    return path


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"steps": 61}, "steps is 61 here and 60 in the checkpoint; use the same settings"),
        ({"lengths": [3, 6]}, r"lengths is \[3, 6\] here and \[3, 5\] in"),
        ({"clip": None}, "clip is None here and 0.5 in"),
        ({"key": jax.random.key(1)}, "key is "),
        ({"task": Noisy(memory=0.7)}, "task.memory is 0.7 here and 0.8 in"),
        ({"task": Noisy(offsets=jnp.ones(1))}, r"task.offsets is 'float64\[1\] #"),
        ({"model": memory(size=3)}, r"model.decay is 'float64\[1, 3\] #\w+' here and 'float64\["),
        ({"model": memory(gain=0.8)}, "model.gain is "),
        (
            {"optimiser": adamw_by_role(optax.cosine_decay_schedule(2e-2, 60))},
            r"optimiser\..* is ",
        ),
        ({"optimiser": adamw_by_role(optax.cosine_decay_schedule(1e-2, 61))}, "decay_steps is 61"),
        ({"optimiser": optax.sgd(1e-2)}, "optimiser"),
    ],
)
def test_other_settings_are_refused_by_name(stopped, changed, said):
    before = stopped.read_bytes()
    changed = dict(changed)
    model, task = changed.pop("model", memory()), changed.pop("task", Noisy())
    with pytest.raises(RemanenceError, match=said) as caught:
        train(model, task, checkpoint=stopped, **given(**changed))
    assert str(caught.value).startswith(f"{stopped}: ")
    assert "\n" not in str(caught.value)
    assert stopped.read_bytes() == before


def test_a_place_that_cannot_be_written_is_heard_of_before_the_first_step(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_leg", None)
    with pytest.raises(RemanenceError, match="cannot be written"):
        train(memory(), Noisy(), checkpoint=tmp_path / "none" / "run.safetensors", **given())


class Picky(Noisy):
    """A task without sequences of five steps in the split "test"."""

    def sample(self, key, length, *, split="train"):
        if split == "test" and length == 5:
            raise RemanenceError("Picky: no sequence of 5 steps")
        return Noisy.sample(self, key, length, split=split)


@pytest.mark.parametrize(
    ("task", "changed", "said"),
    [
        (Delay(20), {"lengths": 8}, "length must be a whole number, at least 21"),
        (Picky(), {}, "no sequence of 5 steps"),
        (Noisy(), {"method": "secuential"}, "method 'secuential' is none of auto, sequential"),
    ],
)
def test_a_run_that_cannot_start_leaves_no_file(tmp_path, task, changed, said):
    path = tmp_path / "run.safetensors"
    with pytest.raises(RemanenceError, match=said):
        train(memory(), task, checkpoint=path, **given(**changed))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"records": None}, "records is None where the run has 0 to"),
        ({"records": -1}, "records is -1 where the run has 0 to"),
        ({"records": 10**12}, "records is 1000000000000 where the run has 0 to"),
        ({"records": ...}, "records is missing where the run has 0 to"),
        ({"step": "abc"}, "step is 'abc' where the run has 0 to 60"),
        ({"step": [1]}, r"step is \[1\] where the run has 0 to 60"),
        ({"step": True}, "step is True where"),
        ({"step": 60}, r"step is 60 where its members are at \[1\]"),
        ({"step": 0}, r"step is 0 where its members are at \[1\]"),
    ],
)
def test_progress_that_was_edited_is_refused(tmp_path, stopped, changed, said):
    kind, tensors, spec = read_tensors(stopped)
    progress = {k: v for k, v in {**spec["progress"], **changed}.items() if v is not ...}
    path = tmp_path / "run.safetensors"
    write_tensors(path, kind, tensors, {**spec, "progress": progress})
    with pytest.raises(ModelFileError, match=f"its progress is damaged, {said}") as caught:
        train(memory(), Noisy(), checkpoint=path, **given())
    assert "\n" not in str(caught.value)


def test_files_that_are_no_checkpoint_are_refused(tmp_path, stopped):
    path = tmp_path / "run.safetensors"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(ModelFileError, match="cannot be read as a safetensors file"):
        train(memory(), Noisy(), checkpoint=path, **given())
    write_tensors(path, "StateSpace", {"A": np.eye(2)}, {})
    with pytest.raises(ModelFileError, match="holds a StateSpace, not a training checkpoint"):
        train(memory(), Noisy(), checkpoint=path, **given())
    kind, tensors, spec = read_tensors(stopped)
    name = next(name for name in tensors if "parameters" in name and "gain" in name)
    write_tensors(path, kind, {k: v for k, v in tensors.items() if k != name}, spec)
    with pytest.raises(ModelFileError, match="gain is missing where the run has float64"):
        train(memory(), Noisy(), checkpoint=path, **given())
    write_tensors(path, kind, tensors, {**spec, "settings": None})
    with pytest.raises(ModelFileError, match="its settings are damaged"):
        train(memory(), Noisy(), checkpoint=path, **given())


def test_an_edited_layer_or_task_is_refused_by_name(stopped, monkeypatch):
    monkeypatch.setattr(Noisy, "sample", Picky.sample)
    with pytest.raises(RemanenceError, match=r"task is '.*Noisy #\w+' here and '.*Noisy #\w+' in"):
        train(memory(), Noisy(), checkpoint=stopped, **given())
    monkeypatch.undo()
    monkeypatch.setattr(Memory, "advance", lambda self, state, drive: self.decay * state - drive)
    with pytest.raises(RemanenceError, match=r"model is '.*Memory #\w+' here and '.*Memory #"):
        train(memory(), Noisy(), checkpoint=stopped, **given())
