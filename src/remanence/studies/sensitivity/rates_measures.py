"""Effective learning rates, the sweep of heads, and the sweep of angles."""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import numpy as np
import optax
from jaxtyping import Float, PyTree

from remanence.layers import LRU, DiagonalRNN, LinearRNN
from remanence.studies.sensitivity.architectures_settings import FEW_RATES
from remanence.studies.sensitivity.rates_settings import FEW_HEAD_RATES, RateSettings
from remanence.studies.sensitivity.runs import Grid, Job, run_jobs, search_and_train
from remanence.studies.sensitivity.students import STUDENTS, heads_student
from remanence.studies.sensitivity.teachers import published_teacher
from remanence.training import effective_learning_rates, ones_probe

PROBED = ("dense RNN", "complex diagonal", "LRU")
TURNED = ("dense RNN", "complex diagonal", "LRU")


@dataclasses.dataclass(frozen=True)
class GroupRates:
    """Effective learning rates of one group of parameters: clean ones, and the probe of ones."""

    student: str
    group: str
    clean: Float[np.ndarray, " parameters"]
    probe: Float[np.ndarray, " parameters"]


@dataclasses.dataclass(frozen=True)
class Rates:
    """What the part measured.

    - `groups`, `probed_losses`: after training with a constant rate.
    - `heads`, `head_rates`: the grids by number of heads; geometric means of the effective
      learning rates of A half-way through training, (starts,) each.
    - `angles`: grids by student and largest angle.
    """

    groups: list[GroupRates]
    probed_losses: dict[str, float]
    heads: dict[int, Grid]
    head_rates: dict[int, Float[np.ndarray, " starts"]]
    angles: dict[str, list[Grid]]

    def group(self, student: str, group: str) -> GroupRates:
        """One group by its names."""
        return next(g for g in self.groups if (g.student, g.group) == (student, group))


def measure_rates(settings: RateSettings, on_progress: Callable[[float, str], None]) -> Rates:
    """Train everything, two jobs at a time; the half-way runs follow the choice of rates."""
    teacher = published_teacher(settings.least)
    plain = Job(
        STUDENTS["LRU"], (teacher,), settings.least, (1.0,), 1, settings.steps, seed=settings.seed
    )
    constant = [
        dataclasses.replace(
            plain,
            student=STUDENTS[name],
            rates=(settings.constant_rate,),
            batch=settings.batch,
            decay_steps=math.inf,
        )
        for name in PROBED
    ]
    probed = run_jobs(constant, lambda share, what: on_progress(0.1 * share, what))
    angled = [
        dataclasses.replace(
            plain,
            student=STUDENTS[name],
            teachers=(published_teacher(settings.least, phase),),
            phase=phase,
            rates=STUDENTS[name].rates if settings.every_rate else FEW_RATES[name],
            starts=settings.search_starts,
        )
        for name in TURNED
        for phase in settings.phases
    ]
    turned = iter(run_jobs(angled, lambda share, what: on_progress(0.1 + 0.4 * share, what)))
    searched = []
    for count in settings.heads:
        student = heads_student(count)
        rates = student.rates if settings.every_rate else FEW_HEAD_RATES[count]
        searched.append(
            dataclasses.replace(plain, student=student, rates=rates, starts=settings.search_starts)
        )
    headed = search_and_train(
        searched,
        starts=settings.starts,
        batch=settings.batch,
        on_progress=lambda share, what: on_progress(0.5 + 0.4 * share, what),
    )
    heads = dict(zip(settings.heads, headed, strict=True))
    halves = [
        dataclasses.replace(
            grid.job,
            rates=(grid.rate,),
            steps=settings.steps // 2,
            decay_steps=settings.steps,
        )
        for grid in heads.values()
    ]
    half_way = run_jobs(halves, lambda share, what: on_progress(0.9 + 0.1 * share, what))
    return Rates(
        groups=[group for grid in probed for group in group_rates(grid)],
        probed_losses={name: grid.median for name, grid in zip(PROBED, probed, strict=True)},
        heads=heads,
        head_rates={
            count: mean_rates_of_A(grid) for count, grid in zip(heads, half_way, strict=True)
        },
        angles={name: [next(turned) for _ in settings.phases] for name in TURNED},
    )


def group_rates(grid: Grid) -> Iterator[GroupRates]:
    """Both definitions for every group of the parameters of the first start."""
    student, state = grid.trained(0)
    clean, probe = _both_rates(state, student)
    for group in _groups(student):
        values = (grid.rate * _of(tree, group) for tree in (clean, probe))
        yield GroupRates(grid.job.student.name, group, *values)


def mean_rates_of_A(grid: Grid) -> Float[np.ndarray, " starts"]:
    """Geometric means over A, half-way through a cosine schedule, where the rate is half."""
    means = []
    for start in range(grid.job.starts):
        student, state = grid.trained(start)
        clean, _ = _both_rates(state, student)
        means.append(grid.rate / 2 * np.exp(np.mean(np.log(np.asarray(clean.A, np.float64)))))
    return np.array(means)


@eqx.filter_jit
def _both_rates(state: PyTree[Any], student: PyTree[Any]) -> tuple[PyTree[Any], PyTree[Any]]:
    """`1/(√v̂ + ε)` and the probe, in units of the learning rate."""
    return effective_learning_rates(state), ones_probe(optax.adam(1.0), state, student)


_GROUPS: dict[type, dict[str, Callable[[Any], list[Any]]]] = {
    LinearRNN: {"A": lambda m: [m.A], "B": lambda m: [m.B], "C": lambda m: [m.C]},
    DiagonalRNN: {
        "Re λ": lambda m: [m.eigenvalues.re],
        "Im λ": lambda m: [m.eigenvalues.im],
        "B": lambda m: [m.B.real, m.B.imag],
        "C": lambda m: [m.C.real, m.C.imag],
    },
    LRU: {
        "ω_ν": lambda m: [m.eigenvalues.magnitude_parameter],
        "ω_θ": lambda m: [m.eigenvalues.phase_parameter],
        "log γ": lambda m: [m.normalisation.log_gamma],
        "B": lambda m: [m.B.real, m.B.imag],
        "C": lambda m: [m.C.real, m.C.imag],
    },
}


def _groups(student: PyTree[Any]) -> list[str]:
    return list(_GROUPS[type(student)])


def _of(tree: PyTree[Any], group: str) -> Float[np.ndarray, " parameters"]:
    leaves = _GROUPS[type(tree)][group](tree)
    return np.concatenate([np.ravel(np.asarray(leaf, np.float64)) for leaf in leaves])
