import dataclasses

import numpy as np
import pytest

from remanence.report import SilentProgress
from remanence.studies.curse_of_memory import approximation_claims as claims
from remanence.studies.curse_of_memory import approximation_measures as measures
from remanence.studies.curse_of_memory.approximation import APPROXIMATION, run_approximation
from remanence.studies.curse_of_memory.approximation_settings import (
    FADING,
    HUMP,
    QUICK,
    hump,
    law_name,
)

TINY = dataclasses.replace(
    QUICK,
    powers=(1.1, 3.0),
    free_powers=(1.1,),
    widths=(1, 2, 4, 8),
    free_widths=(1, 2, 4, 8, 16),
    stable_widths=(2, 8),
    legs_order=6,
)


@pytest.fixture(scope="module")
def finding():
    return run_approximation(TINY, SilentProgress())


def test_ladders_measure_least_squares():
    """Against plain least squares on a fine grid, where that is well conditioned."""
    t = (np.arange(200_000) + 0.5) * 2e-4
    basis = np.exp(-np.outer(t, [1.0, 2.0, 3.0, 4.0]))
    left = np.linalg.lstsq(basis, hump(t))[1][0]
    found = measures.measure(
        dataclasses.replace(
            TINY, powers=(3.0,), free_powers=(), widths=(4,), free_widths=(1,), stable_widths=(1,)
        ),
        lambda *_: None,
    )
    ladder = found.ladder(HUMP, measures.UNIT)
    assert ladder.errors[0] == pytest.approx(np.sqrt(left * 2e-4 / 0.25), rel=1e-5)
    assert ladder.slowest[0] == 1.0


def test_confluent_rates_are_least_squares_by_polynomials():
    t = (np.arange(400_000) + 0.5) * 1e-3
    basis = np.exp(-0.5 * t)[:, None] * t[:, None] ** np.arange(4)
    values = (1 + t) ** -2.0
    left = np.linalg.lstsq(basis, values)[1][0] / (values @ values)
    got = measures.laguerre_errors(2.0, 0.5, (2, 4))
    # The sum ends at t = 400 and has the midpoint rule's error.
    assert got[1] == pytest.approx(np.sqrt(left), rel=1e-4)
    assert got[0] > got[1]


def test_legs_deviations_see_a_wrong_matrix(monkeypatch):
    response, span = measures.legs_deviations(6, 5.0)
    assert max(response, span) < 1e-13
    right = measures.legs

    def wrong(order):
        A, B = right(order)
        return A - 1e-6 * np.eye(order), B

    monkeypatch.setattr(measures, "legs", wrong)
    response, span = measures.legs_deviations(6, 5.0)
    assert response > 1e-8
    assert span > 1e-8


def ladder(kernel, family, errors, slowest=None, widths=QUICK.widths):
    errors = np.asarray(errors, float)
    rates = np.ones(errors.size) if slowest is None else np.asarray(slowest, float)
    return measures.Ladder(kernel, family, widths, errors, rates, widths)


def made_up(bend=0.0, slowest=None, stable=0.05, confluent=0.05, log=2.0, legs=1e-14):
    """Ladders that fulfil everything, changed where asked."""
    m = np.array(QUICK.widths, float)
    few = QUICK.free_widths
    rates = np.array([1.0, 0.1, 1e-2, 1e-3, 1e-4]) if slowest is None else slowest
    ladders = [
        ladder(FADING, measures.FREE, np.full(5, 1e-15), np.full(5, 0.105), few),
        ladder(HUMP, measures.FREE, np.full(5, 1e-9), np.ones(5), few),
        ladder(HUMP, measures.UNIT, m ** -(2.0 + bend)),
        ladder(FADING, measures.BEST, np.full(7, 1e-8)),
        ladder(HUMP, measures.BEST, np.full(7, 1e-8)),
    ]
    for p, slope in ((1.1, 1.1), (1.5, 1.8), (2.0, 2.5), (3.0, 3.8)):
        reach = 5 + log * np.log(m)
        ladders += [
            ladder(law_name(p), measures.BEST, m ** -(slope + bend)),
            ladder(law_name(p), measures.UNIT, reach ** -(p - 0.5)),
        ]
    free = np.array([0.3, 0.1, 0.03, 5e-3, 1e-4])
    ladders += [ladder(law_name(p), measures.FREE, free, rates, few) for p in QUICK.free_powers]
    ladders += [
        ladder(law_name(1.1), family, np.full(5, error), None, few)
        for family, error in ((measures.STABLE, stable), (measures.CONFLUENT, confluent))
    ]
    return measures.Approximation(tuple(ladders), legs, 1e-14)


def verdicts(found):
    return {one.id: one.verdict for one in claims.approximation_claims(QUICK, found)}


def test_numbers_decide():
    assert set(verdicts(made_up()).values()) == {"holds"}
    for change, failing in (
        ({"bend": 0.3}, {"F7a", "F7b", "F7c"}),
        ({"bend": -0.2}, {"F7c"}),
        ({"slowest": np.array([1.0, 0.1, 1e-2, 1e-2, 1e-4])}, {"F6a"}),
        ({"slowest": np.array([1.0, 0.1, 0.05, 0.02, 0.01])}, {"F6a"}),
        ({"stable": 5e-4}, {"F6c"}),
        ({"confluent": 5e-4}, {"F6c"}),
        ({"log": 1.7}, {"F7d"}),
        ({"legs": 2e-12}, {"F7f"}),
    ):
        found = verdicts(made_up(**change))
        assert {name for name, told in found.items() if told == "fails"} == failing


def claim(found, id):
    return next(one for one in claims.approximation_claims(QUICK, found) if one.id == id)


def with_errors(found, kernel, family, errors):
    changed = [
        dataclasses.replace(one, errors=np.asarray(errors, float))
        if (one.kernel, one.family) == (kernel, family)
        else one
        for one in found.ladders
    ]
    return dataclasses.replace(found, ladders=tuple(changed))


def test_slopes_are_called_below_their_limit_only_where_they_are():
    assert "all below it" in claim(made_up(), "F7b").note
    assert "not all below it" not in claim(made_up(), "F7b").note
    assert "not all below it" in claim(made_up(bend=1.5), "F7b").note


def test_the_earlier_table_is_blamed_only_where_it_lies_above():
    errors = np.array([0.09, 0.062, 0.0122, 1.48e-3, 1.21e-4, 7.67e-6, 4.11e-7])
    steep = with_errors(made_up(), law_name(3.0), measures.BEST, errors)
    told = claim(steep, "F7b")
    assert told.verdict == "fails"
    assert "5.7e-07, lies above the minimum over β, 4.11e-07" in told.note
    assert "3.98 in the doubling before, 4.22 here" in told.note
    # Larger errors, however steep, are no fault of the table.
    worse = claim(with_errors(steep, law_name(3.0), measures.BEST, 10 * errors), "F7b")
    assert worse.verdict == "fails"
    assert "lies above" not in worse.note


@pytest.mark.parametrize(("roots", "said"), [(2.0, False), (0.5, True)])
def test_free_rates_are_called_faster_only_where_slopes_grow(roots, said):
    m = np.array(QUICK.free_widths, float)
    # Straight in √m with a factor that grows, or shrinks, with the width.
    errors = 0.1 * np.exp(-3 * np.sqrt(m) * m ** (0.1 if said else -0.1))
    found = with_errors(made_up(), law_name(1.1), measures.FREE, errors)
    told = claim(found, "F6d")
    assert ("faster than geometrically" in told.note) == said
    assert "at least as well as geometric" in told.statement
    straight = with_errors(found, law_name(1.1), measures.FREE, np.exp(-roots * np.sqrt(m)))
    np.testing.assert_allclose(
        straight.ladder(law_name(1.1), measures.FREE).root_slopes(), roots, rtol=1e-12
    )


def test_the_part(finding):
    assert [one.id for one in finding.claims] == [
        *("F6a", "F6b", "F6c", "F6d"),
        *("F7a", "F7b", "F7c", "F7d", "F7e", "F7f"),
    ]
    told = {one.id: one.verdict for one in finding.claims}
    # What eight rates can tell; slopes have not settled there.
    assert {told[name] for name in ("F6a", "F6b", "F6c", "F6d", "F7e", "F7f")} == {"holds"}
    assert told["F7b"] == "fails"
    # At eight rates the earlier table's slope at 64 is not what the slope is too steep for.
    assert "lies above" not in next(one.note for one in finding.claims if one.id == "F7b")
    assert [figure.name for figure in finding.figures] == ["uniform-rates", "error-and-spectrum"]
    assert "no law" in finding.figures[1].caption
    assert "geometrically" not in finding.figures[1].caption
    table = finding.tables["exponential_sums"]
    assert {len(column) for column in table.values()} == {4 * 8 + 3 * 5 + 2 * 2}
    rows = (table["kernel"] == law_name(1.1)) & (table["family"] == measures.FREE)
    np.testing.assert_array_equal(table["width"][rows], TINY.free_widths)
    assert (np.diff(table["relative_error"][rows]) < 0).all()


def test_progress_is_heard_and_can_stop_it():
    class Stop(SilentProgress):
        def update(self, fraction, text=""):
            if fraction > 0.1:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        APPROXIMATION.run(TINY, Stop())
