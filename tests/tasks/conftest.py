"""The table of tasks that the laws are held to."""

from typing import NamedTuple

import jax
import numpy as np
import pytest
from jax import Array

from remanence.systems import DiagonalStateSpace, StateSpace
from remanence.tasks.adding import Adding
from remanence.tasks.arithmetic import ModularArithmetic
from remanence.tasks.characters import CharacterText
from remanence.tasks.contract import AbstractTask, Example
from remanence.tasks.copying import Copy, SelectiveCopy
from remanence.tasks.delay import Delay
from remanence.tasks.inputs import Arfima
from remanence.tasks.languages import CycleNavigation, EvenPairs, ModularSum, Parity
from remanence.tasks.lorenz import LorenzResponse
from remanence.tasks.recall import MultiQueryRecall, NearestNeighbour
from remanence.tasks.teacher_student import TeacherStudent

TEXT = "The quick brown fox — jumps over the lazy dog.\n" * 9


def dense():
    return StateSpace(
        np.array([[0.5, 0.3], [-0.4, 0.6]]),
        np.array([[1.0, 0.0, 2.0], [0.5, -1.0, 0.0]]),
        np.array([[1.0, 2.0], [0.0, 1.0]]),
        np.array([[0.0, 1.0, 0.0], [0.3, 0.0, 0.0]]),
    )


def diagonal():
    return DiagonalStateSpace(
        np.array([0.6 + 0.5j]), np.array([[1.0 + 0j]]), np.array([[0.3 - 1.0j]])
    )


TASKS = {
    "teacher, dense": (lambda: TeacherStudent(dense()), 9),
    "teacher, diagonal, coloured, last": (
        lambda: TeacherStudent(diagonal(), Arfima(0.3), scored="last"),
        8,
    ),
    "delay, numbers": (lambda: Delay(3, channels=2), 8),
    "delay, no delay": (lambda: Delay(0), 4),
    "delay, symbols": (lambda: Delay(2, alphabet=4), 7),
    "copy, growing, odd": (lambda: Copy(alphabet=3), 9),
    "copy, growing, even": (lambda: Copy(), 10),
    "copy, waiting": (lambda: Copy(3), 14),
    "copy, shortest": (lambda: Copy(3), 7),
    "selective copy": (lambda: SelectiveCopy(4, alphabet=5), 15),
    "selective copy, shortest": (lambda: SelectiveCopy(4, alphabet=5), 8),
    "adding": (lambda: Adding(), 11),
    "parity": (lambda: Parity(), 12),
    "parity, every": (lambda: Parity(scored="every"), 12),
    "even pairs": (lambda: EvenPairs(), 12),
    "even pairs, every": (lambda: EvenPairs(scored="every"), 12),
    "sum": (lambda: ModularSum(7), 12),
    "sum, every": (lambda: ModularSum(7, scored="every"), 12),
    "cycle": (lambda: CycleNavigation(), 12),
    "cycle, every": (lambda: CycleNavigation(4, scored="every"), 12),
    "arithmetic, odd": (lambda: ModularArithmetic(), 15),
    "arithmetic, even": (lambda: ModularArithmetic(), 16),
    "arithmetic, every": (lambda: ModularArithmetic(7, scored="every"), 22),
    "recall": (lambda: MultiQueryRecall(4, 17), 21),
    "recall, shortest, all keys": (lambda: MultiQueryRecall(4, 8), 12),
    "nearest": (lambda: NearestNeighbour(), 16),
    "nearest, every": (lambda: NearestNeighbour(scored="every"), 16),
    "lorenz": (lambda: LorenzResponse(5, coupling=0.7, step=0.2, substeps=3), 8),
    "text": (lambda: CharacterText(TEXT, alphabet="abcdefghijklmnopqrstuvwxyz "), 12),
}


class Case(NamedTuple):
    """A task, a length, and many sequences of it, drawn at once inside `jit` and `vmap`."""

    name: str
    task: AbstractTask
    length: int
    keys: Array
    batch: Example


@pytest.fixture(params=list(TASKS), scope="session")
def case(request):
    """Every task of the table in turn."""
    make, length = TASKS[request.param]
    task, keys = make(), jax.random.split(jax.random.key(1), 40)
    batch = jax.jit(jax.vmap(lambda key: task.sample(key, length)))(keys)
    return Case(request.param, task, length, keys, jax.tree.map(np.asarray, batch))
