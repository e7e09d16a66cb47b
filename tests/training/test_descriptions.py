"""What a checkpoint knows of settings: descriptions that differ where runs would differ."""

import functools
import os
import subprocess
import sys

import optax
import pytest

from remanence.training.descriptions import described
from remanence.training.optimisers import adamw_by_role


def test_a_description_tells_functions_apart_by_what_they_do():
    def scaled(factor):
        return lambda x: factor * x

    assert described("f", scaled(2.0)) == described("f", scaled(2.0))
    assert described("f", scaled(2.0)) != described("f", scaled(3.0))
    assert described("f", lambda x: x + 1) != described("f", lambda x: x + 2)
    assert described("f", lambda x: x.a) != described("f", lambda x: x.b)
    rates = [described("o", adamw_by_role(rate)) for rate in (1e-3, 1e-3, 2e-3)]
    assert rates[0] == rates[1] != rates[2]


class Rate:
    """A schedule with an attribute, as an object that is called or by its method."""

    __slots__ = ("factor", "rate")

    def __init__(self, rate):
        self.rate, self.factor = rate, 1

    def __call__(self, count):
        return self.rate / (1 + count)

    def at(self, count):
        return self.rate


class Attributes:
    def __init__(self, rate):
        self.rate = rate

    def __call__(self, count):
        return self.rate


def with_factor(factor, function):
    @functools.wraps(function)
    def wrapped(count):
        return factor * function(count)

    return wrapped


@pytest.mark.parametrize(
    "make",
    [
        lambda rate: optax.sgd(Rate(rate)),
        lambda rate: optax.sgd(Attributes(rate)),
        lambda rate: optax.sgd(Rate(rate).at),
        lambda rate: adamw_by_role(functools.partial(Attributes.__call__, Attributes(rate))),
        lambda rate: with_factor(rate, Rate(1.0).at),
    ],
)
def test_a_description_sees_into_objects_that_are_called(make):
    assert described("o", make(1e-2)) == described("o", make(1e-2)) != described("o", make(10.0))


def in_a_module(text: str) -> dict:
    names = {"__name__": "written", "cached": functools}
    exec(text, names)
    return names


EDITED = """
SCALE = 2.0
def noise(key):
    \"\"\"Words.\"\"\"
    return key * SCALE
class Base:
    def sample(self, key, length):
        return noise(key) if length in {"a", "b", "c", "d", "e", "f"} else self.size
    @property
    def size(self):
        return 7
    @staticmethod
    def still(x):
        return x - 3
    @cached.cached_property
    def kept(self):
        return 11
class Task(Base):
    pass
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [("* SCALE", "+ SCALE"), ("2.0", "2.5"), ("7", "8"), ("x - 3", "x - 4"), ("11", "12"),
     ("else self.size", "else 0.0")],
)  # fmt: skip
def test_a_description_tells_edited_code_of_a_class(old, new):
    first, same, other = (
        described("task", in_a_module(text)["Task"]())
        for text in (EDITED, EDITED.replace("Words", "Other words"), EDITED.replace(old, new))
    )
    assert first == same != other
    assert first["task"].startswith("written.Task #")


def test_a_description_does_not_change_when_a_cached_property_is_read():
    task = in_a_module(EDITED)["Task"]()
    before = described("task", task)
    assert task.kept == 11
    assert described("task", task) == before


def test_a_description_is_the_same_in_another_process():
    head = "from remanence.training.descriptions import described\nimport functools as cached\n"
    found = subprocess.run(
        [sys.executable, "-c", f"{head}__name__ = 'written'{EDITED}print(described('t', Task()))"],
        # Another order of sets of strings than in this process.
        env={**os.environ, "PYTHONHASHSEED": str(1 + hash("seed") % 1000)},
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert found.stdout.strip() == str(described("t", in_a_module(EDITED)["Task"]()))


def test_a_description_of_something_that_holds_itself_ends():
    items: list = [1]
    items.append(items)
    assert described("x", items) == {"x": "list of 2", "x.0": 1, "x.1": "itself"}
