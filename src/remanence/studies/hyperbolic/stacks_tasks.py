"""The tasks that the stacks are trained on."""

import importlib.util
import math
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from remanence.recurrence import linear_recurrence
from remanence.studies.hyperbolic.stacks_settings import (
    ADDING,
    DIGITS,
    MEMORIES,
    RECALL,
    SELECTIVE,
    CaseSettings,
)
from remanence.tasks import (
    AbstractTask,
    Adding,
    Copy,
    Example,
    Kind,
    SelectiveCopy,
    SequentialDigits,
    Split,
)


class NonlinearMemories(AbstractTask):
    """A product and a tanh of two memories of white noise: `y_t = tanh(a_t + b_t) + a_t b_t / 2`.

        a_t + i a'_t = λ (a_{t-1} + i a'_{t-1}) + √(2(1 − |λ|²)) x_t,      |λ| = 1 − 1/memory,

    `b` likewise with half the memory; `a` and `b` have unit variance for long sequences. Every
    step is scored. Chance: unexplained share 1.
    """

    ANGLES: ClassVar[tuple[float, float]] = (0.5, 1.7)
    """Radians per step of the two memories."""

    memory: float = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    outputs: int = eqx.field(static=True)
    kind: Kind = eqx.field(static=True)

    def __init__(self, memory: float | int):
        self.memory = float(memory)
        self.inputs, self.outputs, self.kind = 1, 1, "regression"

    def sample(self, key: PRNGKeyArray, length: int, *, split: Split = "train") -> Example:
        xs = jax.random.normal(key, (length, 1), jnp.float32)
        gaps = np.array([1.0, 2.0]) / self.memory
        eigenvalues = (1 - gaps) * np.exp(1j * np.array(self.ANGLES))
        # 1 − |λ|² = gap (2 − gap).
        driven = xs * np.sqrt(2 * gaps * (2 - gaps)).astype(np.float32)[None, :]
        states = linear_recurrence(
            eigenvalues.astype(np.complex64), driven.astype(jnp.complex64)
        ).real
        first, second = states[:, 0], states[:, 1]
        targets = jnp.tanh(first + second) + first * second / 2
        return Example(xs, targets[:, None], jnp.ones(length, jnp.float32))


def make_task(case: CaseSettings) -> AbstractTask:
    """The task of a case."""
    makers = {
        MEMORIES: lambda: NonlinearMemories(case.memory),
        RECALL: lambda: Copy(3, alphabet=4),
        ADDING: Adding,
        SELECTIVE: lambda: SelectiveCopy(4, alphabet=4),
        DIGITS: lambda: SequentialDigits(standardised=True),
    }
    return makers[case.task]()


def possible(cases: tuple[CaseSettings, ...]) -> tuple[CaseSettings, ...]:
    """The cases without the digits where the package that brings their images is missing."""

    missing = importlib.util.find_spec("sklearn") is None
    return tuple(case for case in cases if not (missing and case.task == DIGITS))


def chance(task: AbstractTask) -> float:
    """The error of the best constant answer."""
    return 1.0 if task.kind == "regression" else 1 - 1 / task.outputs


def delay_floor(lag: int, states: int) -> float:
    """An estimate of the least NRMSE of `y_t = x_{t−lag}`, `x` white, of a linear system.

    `states` modes spread evenly on a circle answer at every multiple of `states` steps, with
    energies `ρ^k`: of the whole a share `ρ^{lag/states} (1 − ρ)` lies at the lag. At the best ρ
    that is about `states / (e lag)`, and what remains is one minus it.

    Source: derived; a system has only `states` delays to give (Jaeger 2001).
    """
    turns = lag / states
    share = (turns / (1 + turns)) ** turns / (1 + turns)
    return math.sqrt(1 - share)
