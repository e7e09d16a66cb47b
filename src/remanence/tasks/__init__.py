"""Where sequences come from: synthetic memory tasks, formal languages, and a few recorded data.

A task makes one sequence of any length from a random key, inside `jit` if wanted, and says which
of its outputs are scored. `TASKS` lists them by name.
"""

from remanence.tasks.adding import Adding
from remanence.tasks.arithmetic import ModularArithmetic
from remanence.tasks.characters import CharacterText
from remanence.tasks.contract import AbstractTask, Example, Kind, Split
from remanence.tasks.copying import Copy, SelectiveCopy
from remanence.tasks.delay import Delay
from remanence.tasks.digits import SequentialDigits
from remanence.tasks.inputs import (
    AbstractProcess,
    Arfima,
    Autoregressive,
    Superposition,
    White,
    word_embeddings,
)
from remanence.tasks.languages import (
    LENGTH_RANGES,
    AbstractFormalLanguage,
    CycleNavigation,
    EvenPairs,
    ModularSum,
    Parity,
)
from remanence.tasks.lorenz import LorenzResponse, lorenz_response
from remanence.tasks.recall import MultiQueryRecall, NearestNeighbour
from remanence.tasks.registry import TASKS, find_task
from remanence.tasks.teacher_student import TeacherStudent

__all__ = [
    "LENGTH_RANGES",
    "TASKS",
    "AbstractFormalLanguage",
    "AbstractProcess",
    "AbstractTask",
    "Adding",
    "Arfima",
    "Autoregressive",
    "CharacterText",
    "Copy",
    "CycleNavigation",
    "Delay",
    "EvenPairs",
    "Example",
    "Kind",
    "LorenzResponse",
    "ModularArithmetic",
    "ModularSum",
    "MultiQueryRecall",
    "NearestNeighbour",
    "Parity",
    "SelectiveCopy",
    "SequentialDigits",
    "Split",
    "Superposition",
    "TeacherStudent",
    "White",
    "find_task",
    "lorenz_response",
    "word_embeddings",
]
