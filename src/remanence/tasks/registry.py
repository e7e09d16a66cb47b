"""Every task by its name on the command line."""

from collections.abc import Mapping
from types import MappingProxyType

from remanence.errors import RemanenceError, nearest_name
from remanence.tasks.adding import Adding
from remanence.tasks.arithmetic import ModularArithmetic
from remanence.tasks.characters import CharacterText
from remanence.tasks.contract import AbstractTask
from remanence.tasks.copying import Copy, SelectiveCopy
from remanence.tasks.delay import Delay
from remanence.tasks.digits import SequentialDigits
from remanence.tasks.languages import CycleNavigation, EvenPairs, ModularSum, Parity
from remanence.tasks.lorenz import LorenzResponse
from remanence.tasks.recall import MultiQueryRecall, NearestNeighbour
from remanence.tasks.teacher_student import TeacherStudent

TASKS: Mapping[str, type[AbstractTask]] = MappingProxyType(
    {
        "teacher-student": TeacherStudent,
        "delay": Delay,
        "copy": Copy,
        "selective-copy": SelectiveCopy,
        "adding": Adding,
        "parity": Parity,
        "even-pairs": EvenPairs,
        "modular-sum": ModularSum,
        "cycle-navigation": CycleNavigation,
        "modular-arithmetic": ModularArithmetic,
        "multi-query-recall": MultiQueryRecall,
        "nearest-neighbour": NearestNeighbour,
        "lorenz-response": LorenzResponse,
        "sequential-digits": SequentialDigits,
        "character-text": CharacterText,
    }
)
"""Task classes by name. All but the teacher-student task can be made without arguments."""


def find_task(name: str) -> type[AbstractTask]:
    """The class of the task called `name`.

    Raises:
        RemanenceError: if there is none, with the nearest name.

        >>> find_task("parity").__name__
        'Parity'
    """
    if name not in TASKS:
        raise RemanenceError(
            f"no task is called {name!r}{nearest_name(name, TASKS)}; there are {', '.join(TASKS)}"
        )
    return TASKS[name]
