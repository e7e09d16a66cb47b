import dataclasses

import numpy as np
import pytest

from remanence.report import SilentProgress
from remanence.studies.low_dimensional import thresholds, thresholds_claims, thresholds_measures
from remanence.studies.low_dimensional.least_squares import AtomicMeasure, FreeStudent, fit
from remanence.studies.low_dimensional.thresholds import THRESHOLDS
from remanence.studies.low_dimensional.thresholds_measures import Curve, ThresholdSettings

SMALL = ThresholdSettings(
    teachers=(2, 3), states=(2, 3), lengths_before=1, runs=8, steps=1000, excesses=(0.5,)
)


@pytest.fixture(scope="module")
def finding():
    return thresholds.run_thresholds(SMALL, SilentProgress())


def _powers(A, B, C, length):
    """C A^j B by NumPy's own matrix power."""
    return np.array([float(C @ np.linalg.matrix_power(A, j) @ B) for j in range(length)])


@pytest.mark.parametrize("model", [AtomicMeasure(3), FreeStudent(3)])
def test_jacobian_is_the_finite_difference(model, rng):
    unknowns = 0.7 * model.starts(seed=3, runs=2)
    numeric = np.empty((2, 5, unknowns.shape[1]))
    for i in range(unknowns.shape[1]):
        step = np.zeros_like(unknowns)
        step[:, i] = 1e-6
        numeric[:, :, i] = (
            model.response(unknowns + step, 5) - model.response(unknowns - step, 5)
        ) / 2e-6
    np.testing.assert_allclose(model.jacobian(unknowns, 5), numeric, atol=1e-8)


def test_responses_are_moments_and_matrix_powers():
    atoms, student = AtomicMeasure(4), FreeStudent(3)
    unknowns = atoms.starts(seed=1, runs=2)
    for row, values in zip(unknowns, atoms.response(unknowns, 6), strict=True):
        A = np.diag(row[:4])
        np.testing.assert_allclose(values, _powers(A, row[4:], row[4:], 6), atol=1e-14)
    unknowns = student.starts(seed=1, runs=2)
    matrices = zip(*student.matrices(unknowns), strict=True)
    for (A, B, C), values in zip(matrices, student.response(unknowns, 6), strict=True):
        np.testing.assert_allclose(values, _powers(A, B, C, 6), atol=1e-13)


@pytest.mark.parametrize("model", [AtomicMeasure(3), FreeStudent(3)])
def test_a_start_does_not_depend_on_how_many_there_are(model):
    np.testing.assert_array_equal(model.starts(seed=4, runs=3)[2], model.starts(seed=6, runs=1)[0])


def test_fit_reaches_zero_and_says_what_it_reached():
    eigenvalues, weights = np.array([0.9, -0.5]), np.array([0.6, 0.4])
    target = np.array([np.sum(weights * eigenvalues**j) for j in range(8)])
    student = FreeStudent(4)
    found = fit(student, target[:6], student.starts(seed=0, runs=5), tolerance=1e-25, steps=500)
    for A, B, C, loss in zip(*student.matrices(found.unknowns), found.losses, strict=True):
        values = _powers(A, B, C, 8)
        # 6 = 4 + 2 steps decide everything after them.
        np.testing.assert_allclose(values, target, atol=1e-9)
        assert np.sum((values[:6] - target[:6]) ** 2) < 1e-24
        assert loss < 1e-25


def test_fit_of_an_impossible_target_stays_at_its_distance():
    # A positive measure has m_0 ≥ 0; the nearest to (−1, 0) is the empty one.
    model = AtomicMeasure(3)
    found = fit(
        model,
        np.array([-1.0, 0.0]),
        model.starts(seed=0, runs=3),
        tolerance=1e-25,
        steps=200,
    )
    np.testing.assert_allclose(found.losses, 1.0, atol=1e-6)
    assert np.all(found.losses >= 1.0)


def test_claims_hold_for_small_teachers(finding):
    assert [claim.id for claim in finding.claims] == ["T3", "T4", "T5"]
    assert [claim.verdict for claim in finding.claims] == ["holds"] * 3
    assert not finding.claims[0].note


def test_teacher_is_the_moments_of_its_measure():
    weights = np.linspace(1.2, 0.8, 3)
    expected = np.sum(
        weights / weights.sum() * np.linspace(0.92, -0.78, 3) ** np.arange(9)[:, None], axis=1
    )
    np.testing.assert_allclose(thresholds_measures.teacher_moments(3, 9), expected, atol=1e-14)


def _curve(errors, losses=1e-26):
    errors = np.array(errors)
    return Curve("d̂ = 2", 5, np.array([4, 5]), errors, np.full(errors.shape, losses))


GOOD = ((0.1, 0.2), (1e-12, -1e-12))


def test_verdicts_flip_when_the_measurement_is_spoiled():
    for judge in (thresholds_claims.balanced_claim, thresholds_claims.free_claim):
        assert judge([_curve(GOOD)]).verdict == "holds"
        assert judge([_curve(((0.1, 0.2), (1e-12, 1e-8)))]).verdict == "fails"
        assert judge([_curve(((1e-5, 1e-4), GOOD[1]))]).verdict == "fails"
        assert judge([_curve(GOOD, losses=1e-20)]).verdict == "fails"
    # One small or negative error is enough for the balanced claim, not for a median.
    for first in (1e-4, -0.1):
        spoiled = [_curve(((first, 0.2), GOOD[1]))]
        assert thresholds_claims.balanced_claim(spoiled).verdict == "fails"
        assert "1 of 2 runs" in thresholds_claims.balanced_claim(spoiled).note
        assert thresholds_claims.free_claim(spoiled).verdict == "holds"


@pytest.mark.parametrize(
    ("column", "value"), [("training", 1e-9), ("error", 0.499), ("student", 99)]
)
def test_a_spoiled_counterexample_fails(finding, column, value):
    table = {name: np.array(values) for name, values in finding.tables["counterexamples"].items()}
    table[column][0] = value
    assert thresholds_claims.counterexample_claim(table).verdict == "fails"


def test_unconverged_runs_are_left_out():
    curve = dataclasses.replace(_curve(GOOD), losses=np.array([[1e-26, 1.0], [1.0, 1.0]]))
    np.testing.assert_array_equal(curve.at(4), [0.1])
    assert not curve.at(5).size


def test_figures_and_tables(finding):
    assert [named.name for named in finding.figures] == ["balanced-threshold", "free-threshold"]
    for named in finding.figures:
        left, right = named.figure.axes
        for ax in (left, right):
            assert ax.get_xlabel() == "training length k (steps)"
            assert ax.get_yscale() == "log"
        assert "error" in left.get_ylabel()
        assert "loss" in right.get_ylabel()
    for table in finding.tables.values():
        assert len({len(column) for column in table.values()}) == 1


def test_presets_are_registered():
    for preset in THRESHOLDS.presets.values():
        assert preset.runs >= 30
        assert preset.teachers == (2, 3, 4)
        assert preset.states == (2, 3, 4, 6)
