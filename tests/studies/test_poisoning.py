"""Clean-label poisoning: the flow, its closed form, the printed numbers."""

import dataclasses

import numpy as np
import pytest

from remanence.errors import NumericalError
from remanence.report import SilentProgress
from remanence.studies.low_dimensional import poisoning, poisoning_flow, poisoning_settings

ONE_SEED = dataclasses.replace(
    poisoning_settings.TEN_STATES,
    seeds=poisoning_settings.TEN_STATES.seeds[:1],
    baseline=poisoning_settings.TEN_STATES.baseline[:1],
    poisoned=poisoning_settings.TEN_STATES.poisoned[:1],
)
SMALL = poisoning_settings.Settings((ONE_SEED,))


@pytest.fixture(scope="module")
def finding():
    return poisoning.run(SMALL, SilentProgress())


@pytest.mark.parametrize("lags", [(6,), (6, 1), (3, 2, 1)])
def test_the_velocity_is_minus_the_gradient_of_the_loss(rng, lags):
    diagonal = rng.uniform(0.1, 0.9, 5)
    step = 1e-6
    slopes = [
        (poisoning_flow.loss(diagonal + e, lags) - poisoning_flow.loss(diagonal - e, lags))
        / (2 * step)
        for e in step * np.eye(5)
    ]
    np.testing.assert_allclose(
        poisoning_flow.velocity(diagonal, lags), -np.array(slopes), rtol=1e-7
    )


def test_the_start_is_sorted_downwards_with_a_small_first_gap():
    diagonal = poisoning_flow.start(poisoning_settings.TEN_STATES, 242)
    assert diagonal.shape == (10,)
    np.testing.assert_allclose(diagonal[0] - diagonal[1], 0.05 * np.exp(-15.0), rtol=1e-9)
    assert np.all(np.diff(diagonal) < 0)
    assert 0 < diagonal[-1] < diagonal[0] < 1e-3


@pytest.mark.parametrize("length", [5, 7])
def test_the_closed_form_is_where_the_flow_ends(length):
    diagonal = np.array([0.3, 0.29, 0.2, 0.05])
    lags = (length - 1,)
    ended = poisoning_flow.flow(
        diagonal,
        lags,
        time=1e4,
        instants=2,
        relative_tolerance=1e-12,
        absolute_tolerance=1e-15,
    )
    limit = poisoning_flow.baseline_limit(diagonal, length)
    np.testing.assert_allclose(np.sum(limit ** (length - 1)), 1.0, rtol=1e-12)
    np.testing.assert_allclose(ended, limit, rtol=1e-8)


def test_the_closed_form_of_equal_entries_and_of_one():
    np.testing.assert_allclose(
        poisoning_flow.baseline_limit(np.full(4, 0.1), 7), np.full(4, 0.25 ** (1 / 6)), rtol=1e-12
    )
    np.testing.assert_allclose(
        poisoning_flow.baseline_limit(np.array([0.1]), 7), [1.0], rtol=1e-12
    )


def test_the_extrapolation_error_is_relative_to_the_largest_lag():
    diagonal = np.zeros(10)
    diagonal[0] = 0.5
    # The teacher's response is 10, 1, 1, …; the student's is 10, .5, .25, ….
    error = poisoning_flow.extrapolation_error(diagonal, poisoning_settings.TEN_STATES, 3)
    np.testing.assert_allclose(error, 0.75 / 10)
    np.testing.assert_allclose(poisoning_flow.response(diagonal, 3), [10, 0.5, 0.25])


@pytest.mark.filterwarnings("ignore::scipy.integrate.ODEintWarning")
def test_an_integrator_that_gives_up_is_an_error():
    with (
        np.errstate(all="ignore"),
        pytest.raises(NumericalError, match="gradient flow over time"),
    ):
        poisoning_flow.flow(np.full(3, np.nan), (6,), time=1.0, instants=2)


def test_the_printed_numbers_come_out_again(finding):
    assert [claim.id for claim in finding.claims] == ["T10a", "T10b", "T10c"]
    assert [claim.verdict for claim in finding.claims] == ["holds"] * 3
    table = finding.tables["poisoning"]
    np.testing.assert_allclose(table["baseline repeated"], ONE_SEED.baseline, rtol=1e-5)
    np.testing.assert_allclose(table["poisoned repeated"], ONE_SEED.poisoned, rtol=1e-4)
    # What the authors' integrator tolerance costs: known, and small beside the effect.
    np.testing.assert_allclose(table["baseline accurate"], ONE_SEED.baseline, rtol=1e-3)
    assert table["poisoned accurate"][0] > 30 * table["baseline accurate"][0]


def test_other_printed_numbers_fail():
    wrong = dataclasses.replace(ONE_SEED, baseline=(ONE_SEED.baseline[0] * (1 + 1e-4),))
    claims = poisoning.run(poisoning_settings.Settings((wrong,)), SilentProgress()).claims
    assert [claim.verdict for claim in claims] == ["fails", "holds", "holds"]


def test_tables_and_figures(finding):
    lengths = {len(column) for column in finding.tables["poisoning"].values()}
    assert lengths == {1}
    assert [named.name for named in finding.figures] == [
        "poisoning-responses",
        "poisoning-errors",
    ]
    for named in finding.figures:
        assert named.caption
        assert named.figure.axes[0].get_ylabel()
        assert all(ax.get_xlabel() for ax in named.figure.axes)
        assert named.figure.legends


def test_two_configurations_have_a_panel_and_claims_each():
    second = dataclasses.replace(ONE_SEED, state=10, length=7)
    finding = poisoning.run(poisoning_settings.Settings((ONE_SEED, second)), SilentProgress())
    assert [claim.id for claim in finding.claims][3:] == ["T10a-10", "T10b-10", "T10c-10"]
    assert len(finding.figures[0].figure.axes) == 2


def test_presets():
    assert set(poisoning.POISONING.presets) == {"quick", "full"}
    assert poisoning.POISONING.presets["quick"] == poisoning.QUICK
