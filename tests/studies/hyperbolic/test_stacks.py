"""Deep stacks: the same start in all coordinates, the tasks, the choice of rates, the claims."""

import dataclasses
import importlib.util

import jax
import numpy as np
import pytest

from remanence.errors import RemanenceError
from remanence.report import SilentProgress
from remanence.studies.hyperbolic import stacks_measures, stacks_tasks
from remanence.studies.hyperbolic.stacks import run_stacks
from remanence.studies.hyperbolic.stacks_claims import stack_claims
from remanence.studies.hyperbolic.stacks_measures import Runs, Tuned
from remanence.studies.hyperbolic.stacks_settings import (
    ADDING,
    DIGITS,
    FULL,
    HYPERBOLIC,
    LRU,
    MEMORIES,
    QUICK,
    RECALL,
    S5,
    STUDENTS,
    CaseSettings,
)
from remanence.studies.hyperbolic.stacks_students import make_layer
from remanence.studies.hyperbolic.stacks_tasks import NonlinearMemories, delay_floor, possible

LONG = CaseSettings(MEMORIES, 20, 2, 4, largest=0.9, memory=1_000.0)
SHORT = CaseSettings(RECALL, 13, 2, 4, largest=0.9)


def _responses(case: CaseSettings, students: tuple[str, ...]) -> list[np.ndarray]:
    return [
        np.asarray(make_layer(name, case, 3, 8, key=jax.random.key(4)).impulse_response(40))
        for name in students
    ]


def test_every_student_starts_as_the_same_function():
    responses = _responses(dataclasses.replace(SHORT, largest=0.95), STUDENTS)
    for response in responses[1:]:
        np.testing.assert_allclose(response, responses[0], atol=2e-5 * abs(responses[0]).max())


def test_a_long_start_is_near_the_circle():
    case = SHORT.from_the_circle()
    assert (case.name, case.long_start, SHORT.long_start) == (
        "recall, 13 steps, long start",
        True,
        False,
    )
    lru, own = _responses(case, (LRU, HYPERBOLIC))
    np.testing.assert_allclose(own, lru, atol=2e-5 * abs(lru).max())
    for name in STUDENTS:
        layer = make_layer(name, case, 3, 64, key=jax.random.key(4))
        memory = -1 / np.log(np.abs(np.asarray(layer.eigenvalues())))
        low, high = (20, 2_000) if name == S5 else (-1 / np.log(0.9), -1 / np.log(0.999))
        assert low * 0.999 <= memory.min() < 3 * low
        assert high / 3 < memory.max() <= high * 1.001


def test_memories_follow_their_definition():
    memory, length = 50.0, 120
    example = NonlinearMemories(memory).sample(jax.random.key(1), length)
    noise = np.asarray(example.inputs[:, 0], np.float64)
    kept = []
    for gap, angle in zip((1 / memory, 2 / memory), NonlinearMemories.ANGLES, strict=True):
        h, states, pole = 0.0, [], (1 - gap) * np.exp(1j * angle)
        for x in noise:
            h = pole * h + np.sqrt(2 * (1 - abs(pole) ** 2)) * x
            states.append(h.real)
        kept.append(np.array(states))
    expected = np.tanh(kept[0] + kept[1]) + kept[0] * kept[1] / 2
    np.testing.assert_allclose(example.targets[:, 0], expected, atol=1e-4)


def test_delay_floor_is_that_of_evenly_spread_modes():
    states, lag, length = 6, 24, 2_000
    best = 0.0
    for radius in np.linspace(0.93, 0.999, 40):
        angles = 2 * np.pi * np.arange(states) / states
        modes = (radius * np.exp(1j * angles))[None, :] ** np.arange(length)[:, None]
        basis, _ = np.linalg.qr(modes)
        # What the span of the modes holds of a single unit impulse at the lag.
        best = max(best, float(np.sum(np.abs(basis[lag]) ** 2)))
    assert delay_floor(lag, states) == pytest.approx(np.sqrt(1 - best), abs=1e-3)


def test_runs_are_summed_up_by_rate_and_step():
    errors = np.array([[1.0, 0.5, 0.3], [1.0, 0.009, 0.2], [1.0, 0.4, 0.005], [1.0, 1.0, np.inf]])
    runs = Runs(
        np.array([0.1, 0.1, 1.0, 1.0]), np.array([0, 1, 0, 1]), np.array([0, 5, 9]), errors
    )
    assert runs.best_rate == 0.1
    assert runs.steps_to(0.01).tolist() == [np.inf, 5.0, 9.0, np.inf]
    assert runs.at_rate(1.0).seeds.tolist() == [0, 1]


def _tuned(error: float, steps: float, fixed: float) -> Tuned:
    """Three seeds that reach 0.001 at `steps` and end at `error`; `fixed` at the other rate."""

    def runs(last: float) -> Runs:
        at = np.array([0, int(steps), 100])
        errors = np.array([[1.0, 0.001, last]] * 3)
        return Runs(np.full(3, 0.1), np.arange(3), at, errors)

    return Tuned(runs(error), runs(error), runs(fixed))


@pytest.mark.parametrize("good", [True, False])
def test_verdicts_follow_from_the_numbers(good):
    settings = dataclasses.replace(FULL, cases=(LONG, SHORT))
    rivals = {LRU: _tuned(0.2, 60, 0.2), S5: _tuned(0.3, 40, 0.3)}
    own = _tuned(0.1, 20, 0.15) if good else _tuned(0.4, 21, 0.9)
    found = {case.name: {**rivals, HYPERBOLIC: own} for case in settings.cases}
    claims = stack_claims(settings, found)
    assert [claim.id for claim in claims] == ["HY8a", "HY8b", "HY8c"]
    assert {claim.verdict for claim in claims} == {"holds" if good else "fails"}


@pytest.mark.parametrize("good", [True, False])
def test_long_starts_have_verdicts_of_their_own(good):
    started = SHORT.from_the_circle()
    settings = dataclasses.replace(FULL, cases=(SHORT, started))
    short = {
        LRU: _tuned(0.7, 60, 0.7),
        S5: _tuned(0.7, 60, 0.7),
        HYPERBOLIC: _tuned(0.1 if good else 0.3, 50, 0.3),
    }
    # The best competitor from a long start is S5, at .1.
    rivals = {LRU: _tuned(0.2, 60, 0.2), S5: _tuned(0.1, 60, 0.1)}
    own = _tuned(0.09 if good else 0.15, 50, 0.15)
    claims = stack_claims(settings, {SHORT.name: short, started.name: {**rivals, HYPERBOLIC: own}})
    found = {claim.id: claim for claim in claims}
    assert list(found) == ["HY8b", "HY8c", "HY8d", "HY8e"]
    # HY8b is about the short start alone.
    assert found["HY8b"].verdict == "holds"
    assert "long start" not in found["HY8b"].measured
    expected = "holds" if good else "fails"
    assert found["HY8d"].verdict == found["HY8e"].verdict == expected
    assert "(S5)" in found["HY8e"].measured


def _with_errors(*errors: float) -> Tuned:
    at = np.array([0, 100])
    runs = Runs(
        np.full(len(errors), 0.1),
        np.arange(len(errors)),
        at,
        np.array([[1.0, error] for error in errors]),
    )
    return Tuned(runs, runs, runs)


@pytest.mark.parametrize(
    ("own", "rival", "good"),
    [
        # Nobody learns: nothing is shown.
        ([1.0, 1.0, 1.0], [1.0, 1.0, 1.0], False),
        # One seed of the competitor fails, which must not widen its spread.
        ([0.4, 0.4, 0.4], [0.001, 0.001, 1.0], False),
        ([0.4, 0.4, 0.4], [0.001, 0.001, np.inf], False),
        # The competitor never learns, hyperbolic training does.
        ([0.4, 0.4, 0.4], [np.inf, np.inf, np.inf], True),
        ([np.inf, np.inf, np.inf], [np.inf, np.inf, np.inf], False),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], True),
    ],
)
def test_nobody_is_as_good_as_others_by_learning_nothing(own, rival, good):
    short = dataclasses.replace(SHORT, task=ADDING)
    started = short.from_the_circle()
    settings = dataclasses.replace(FULL, cases=(short, started))
    students = {
        LRU: _with_errors(*rival),
        S5: _with_errors(*rival),
        HYPERBOLIC: _with_errors(*own),
    }
    claims = stack_claims(settings, {short.name: students, started.name: students})
    found = {claim.id: claim.verdict for claim in claims}
    assert found["HY8b"] == found["HY8d"] == found["HY8e"] == ("holds" if good else "fails")


def test_grids_grow_at_their_edge_and_fresh_seeds_count(monkeypatch):
    asked = []

    def made_up(student, case, s, rates, seeds, heard):
        """The hyperbolic student is best at 10, the others at 0.01, and seeds differ a little."""
        asked.append((student, tuple(rates), tuple(seeds)))
        members = np.array([(rate, seed) for rate in rates for seed in seeds])
        best = 10.0 if student == HYPERBOLIC else 0.01
        final = 0.1 + np.abs(np.log(members[:, 0] / best)) + 1e-3 * members[:, 1]
        errors = np.stack([np.ones_like(final), final / 2], axis=1)
        return Runs(members[:, 0], members[:, 1].astype(int), np.array([0, 4]), errors)

    monkeypatch.setattr(stacks_measures, "run", made_up)
    settings = dataclasses.replace(
        FULL,
        cases=(SHORT,),
        rates=((HYPERBOLIC, (0.1, 1.0)), (LRU, (1e-3, 0.01, 0.1))),
        fixed=((HYPERBOLIC, 0.1), (LRU, 0.01)),
        searched=(0,),
        seeds=(1, 2, 3),
    )
    finding = run_stacks(settings, SilentProgress())
    root = np.sqrt(10)
    grown = [one[1] for one in asked if one[0] == HYPERBOLIC]
    assert grown == [(0.1, 1.0), (root,), (pytest.approx(10.0),), (pytest.approx(10.0), 0.1)]
    assert [one[1:] for one in asked if one[0] == LRU] == [
        ((1e-3, 0.01, 0.1), (0,)),
        ((0.01,), (1, 2, 3)),
    ]
    table = finding.tables["stacks"]
    tuned = (table["stage"] == "tuned") & (table["student"] == HYPERBOLIC)
    np.testing.assert_allclose(table["error"][tuned], 0.05 + np.array([5e-4, 1e-3, 1.5e-3]))
    assert [figure.name for figure in finding.figures] == ["stack-rates", "stack-curves"]


def test_digits_are_left_out_without_their_images(monkeypatch):
    digits = next(case for case in FULL.cases if case.task == DIGITS)
    pytest.importorskip("sklearn")
    assert possible((SHORT, digits)) == (SHORT, digits)

    known = importlib.util.find_spec
    monkeypatch.setattr(
        stacks_tasks.importlib.util,
        "find_spec",
        lambda name: None if name == "sklearn" else known(name),
    )
    assert possible((SHORT, digits)) == (SHORT,)


def test_what_is_wrong_with_the_digits_but_their_absence_is_told(monkeypatch):
    def broken(**_):
        raise RemanenceError("damaged")

    monkeypatch.setattr(stacks_tasks, "SequentialDigits", broken)
    digits = next(case for case in FULL.cases if case.task == DIGITS)
    pytest.importorskip("sklearn")
    assert possible((digits,)) == (digits,)
    with pytest.raises(RemanenceError, match="damaged"):
        stacks_tasks.make_task(digits)


def test_stacks_are_trained():
    settings = dataclasses.replace(QUICK, depth=1, width=4, modes=4, records=2, tests=8)
    heard = []
    case = dataclasses.replace(LONG, memory=5.0, steps=40)
    runs = stacks_measures.run(HYPERBOLIC, case, settings, (0.0, 0.1), (5,), heard.append)
    assert runs.errors.shape == (2, 3)
    assert np.all(runs.errors[:, -1] < 0.9 * runs.errors[:, 0])
    # The rate is that of the eigenvalues alone, and without it they stay.
    assert runs.final[0] != runs.final[1]
    assert heard[-1] == 1.0


def test_a_search_can_grow_by_a_rate_at_which_everybody_diverges():
    settings = dataclasses.replace(FULL, records=2, tests=4)
    calm = stacks_measures.run(LRU, SHORT, settings, (1e-3,), (0,), lambda share: None)
    wild = stacks_measures.run(LRU, SHORT, settings, (1e38,), (0,), lambda share: None)
    assert calm.at.tolist() == wild.at.tolist() == [0, 2, 4]
    assert np.isfinite(calm.errors).all()
    assert np.isinf(wild.final).all()
    assert calm.with_more(wild).best_rate == 1e-3
