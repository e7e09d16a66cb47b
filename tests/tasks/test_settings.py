"""Settings that make no task are refused in one line; the registry knows every task."""

import equinox as eqx
import jax
import numpy as np
import pytest

from remanence.errors import RemanenceError
from remanence.systems import StateSpace
from remanence.tasks import (
    adding,
    arithmetic,
    characters,
    copying,
    delay,
    digits,
    languages,
    lorenz,
    recall,
    teacher_student,
)
from remanence.tasks._sequences import require_choice, require_scored, require_split, require_whole
from remanence.tasks.arithmetic import ModularArithmetic
from remanence.tasks.characters import CharacterText
from remanence.tasks.contract import AbstractTask
from remanence.tasks.copying import Copy, SelectiveCopy
from remanence.tasks.delay import Delay
from remanence.tasks.digits import SequentialDigits
from remanence.tasks.languages import CycleNavigation, EvenPairs, ModularSum
from remanence.tasks.recall import MultiQueryRecall
from remanence.tasks.registry import TASKS, find_task
from remanence.tasks.teacher_student import TeacherStudent

KEY = jax.random.key(0)
GAIN = StateSpace([[0.5]], [[1.0]], [[1.0]])

REFUSED = [
    [lambda: TeacherStudent(GAIN, noise=-0.1), "noise is a standard deviation"],
    [lambda: TeacherStudent(GAIN, noise=float("inf")), "noise is a standard deviation"],
    [lambda: Delay(-1), "steps must be a whole number, at least 0"],
    [lambda: Delay(1, channels=0), "channels must be"],
    [lambda: Delay(1, alphabet=1), "one symbol says nothing"],
    [lambda: Delay(1, alphabet=3, channels=2), "symbols have one channel"],
    [lambda: Delay(5).sample(KEY, 5), "at least 6: the delay is 5 steps; got 5"],
    [lambda: Copy(0), "items must be"],
    [lambda: Copy(alphabet=1), "alphabet must be"],
    [lambda: Copy().sample(KEY, 2), "at least 3"],
    [lambda: Copy(4).sample(KEY, 8), "at least 9"],
    [lambda: SelectiveCopy(0), "items must be"],
    [lambda: SelectiveCopy(3, alphabet=1), "alphabet must be"],
    [lambda: SelectiveCopy(3).sample(KEY, 5), "at least 6: 3 symbols and as many answers"],
    [lambda: adding.Adding().sample(KEY, 1), "two numbers are added"],
    [lambda: ModularSum(1), "modulus must be"],
    [lambda: ModularArithmetic(1), "modulus must be"],
    [lambda: CycleNavigation(1), "size must be"],
    [lambda: EvenPairs().sample(KEY, 1), "at least 2"],
    [lambda: MultiQueryRecall(0), "pairs must be"],
    [lambda: MultiQueryRecall(1, 3), "vocabulary must be"],
    [lambda: MultiQueryRecall(5, 9), "take a vocabulary of at least 10"],
    [lambda: MultiQueryRecall(4, 8).sample(KEY, 11), "4 pairs and 4 questions"],
    [lambda: recall.NearestNeighbour().sample(KEY, 1), "at least 2"],
    [lambda: CharacterText("short"), "too few to set a tenth aside"],
    [lambda: CharacterText("long enough" * 9, alphabet="aba"), "each of them once"],
    [lambda: CharacterText("long enough" * 9, alphabet=""), "each of them once"],
    [lambda: require_scored("Parity", "evry"), "one of last, every; got 'evry'; did you mean"],
    [lambda: require_split("Text", "validation"), "split must be one of train, test"],
    [lambda: require_choice("T", "resolution", "8×8", ("8x8", "28x28")), "did you mean '8x8'"],
    [lambda: require_whole("Delay", "steps", 2.5, 0), "got 2.5"],
    [lambda: require_whole("Delay", "steps", True, 0), "got True"],
    [lambda: find_task("partiy"), "did you mean 'parity'"],
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_what_is_refused(make, message):
    with pytest.raises(RemanenceError, match=message) as error:
        make()
    assert "\n" not in str(error.value)


def test_digits_have_one_length():
    pytest.importorskip("sklearn.datasets")
    with pytest.raises(RemanenceError, match="64 pixels, so length must be 64, got 784"):
        SequentialDigits().sample(KEY, 784)


def test_numpy_integers_are_whole_numbers():
    assert require_whole("Delay", "steps", np.int64(3), 0) == 3


def test_the_registry_holds_every_task_class_once():
    modules = (
        adding,
        arithmetic,
        characters,
        copying,
        delay,
        digits,
        languages,
        lorenz,
        recall,
        teacher_student,
    )
    found = {
        value
        for module in modules
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, AbstractTask)
        and not name.startswith("Abstract")
    }
    assert set(TASKS.values()) == found
    assert len(TASKS) == len(found)
    assert all(find_task(name) is made for name, made in TASKS.items())


@pytest.mark.parametrize("name", sorted(set(TASKS) - {"teacher-student", "sequential-digits"}))
def test_every_task_but_the_teacher_s_needs_no_arguments(name):
    task = TASKS[name]()
    assert task.inputs > 0
    assert task.outputs > 0
    # Only what was recorded is an array: settings are static, so tasks hash into jit's cache.
    assert bool(jax.tree.leaves(eqx.filter(task, eqx.is_array))) == (name == "character-text")
