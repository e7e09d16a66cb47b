import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from remanence.report import SilentProgress
from remanence.studies.low_dimensional import identities, identities_measures
from remanence.studies.low_dimensional.identities import IDENTITIES
from remanence.studies.low_dimensional.identities_measures import IdentitySettings
from remanence.training import MetricLoss, Parameters, WhiteLoss

SMALL = IdentitySettings(
    state=4,
    length=5,
    samples=200_000,
    windows=50,
    seeds=2,
    step_sizes=(0.02, 0.01),
    time=5.0,
)


@pytest.fixture(scope="module")
def finding():
    return identities.run_identities(SMALL, SilentProgress())


@pytest.fixture(scope="module")
def conserved():
    return identities_measures.conservation_errors(SMALL)


@pytest.fixture(scope="module")
def drift():
    return identities_measures.measure_drift(SMALL)


def test_both_claims_hold_with_their_criteria(finding):
    assert [claim.id for claim in finding.claims] == ["T1", "T2"]
    assert [claim.verdict for claim in finding.claims] == ["holds", "holds"]
    assert "1%" in finding.claims[0].expected
    assert "0.525" in finding.claims[1].expected


def test_the_monte_carlo_error_is_that_of_its_sample_size():
    # The square of a Gaussian output has relative standard deviation √2.
    few = identities_measures.loss_errors(dataclasses.replace(SMALL, samples=2_000))
    many = identities_measures.loss_errors(dataclasses.replace(SMALL, samples=200_000))
    assert np.all(few.monte_carlo < 5 * np.sqrt(2 / 2_000))
    assert np.all(many.monte_carlo < 5 * np.sqrt(2 / 200_000))
    assert np.max(few.monte_carlo) > np.max(many.monte_carlo)


@pytest.mark.parametrize("field", ["monte_carlo", "empirical"])
def test_a_spoiled_loss_fails(field):
    good = identities_measures.loss_errors(SMALL)
    assert identities.loss_claim(good, SMALL).verdict == "holds"
    bad = dataclasses.replace(good, **{field: getattr(good, field) + 0.02})
    assert identities.loss_claim(bad, SMALL).verdict == "fails"


@pytest.mark.parametrize("field", ["pointwise", "one_step", "trace"])
def test_a_spoiled_conservation_law_fails(conserved, drift, field):
    assert identities.conservation_claim(conserved, drift, SMALL).verdict == "holds"
    bad = dataclasses.replace(conserved, **{field: getattr(conserved, field) + 1e-9})
    assert identities.conservation_claim(bad, drift, SMALL).verdict == "fails"


@pytest.mark.parametrize("field", ["balancedness", "trace"])
def test_a_drift_that_does_not_halve_fails(conserved, drift, field):
    values = getattr(drift, field).copy()
    values[-1, 0] *= 1.2
    bad = dataclasses.replace(drift, **{field: values})
    assert identities.conservation_claim(conserved, bad, SMALL).verdict == "fails"


def test_a_gradient_that_is_not_one_breaks_the_law(rng):
    student = Parameters(*(rng.standard_normal(s) for s in ((3, 3), (3, 1), (1, 3))))
    wrong = Parameters(*(rng.standard_normal(s) for s in ((3, 3), (3, 1), (1, 3))))
    pointwise, one_step, _ = identities_measures._conservation(student, wrong, 0.01)
    assert pointwise > 1e-2
    assert one_step > 1e-4


def test_the_empirical_loss_is_that_of_the_windows(rng):
    # Brute force: convolve each window, square, average.
    x = rng.standard_normal((20, 4))
    target, response = rng.standard_normal(4), rng.standard_normal(4)
    loss = identities_measures._metric_loss(x, target)
    assert isinstance(loss, MetricLoss)
    value = loss.value_and_cotangent(jnp.asarray(response[:, None, None]))[0]
    brute = np.mean([np.convolve(w, response - target)[3] ** 2 for w in x])
    np.testing.assert_allclose(float(value), brute, rtol=1e-12)


def test_the_last_output_is_the_white_loss_of_unit_impulses(rng):
    # Over the k unit impulses, the squared errors of the last output add up to L_k.
    student, teacher = identities_measures._students(SMALL)[0], identities_measures._teacher(SMALL)
    impulses = np.eye(5)
    errors = identities_measures._last_output(
        student, impulses
    ) - identities_measures._last_output(teacher, impulses)
    target = identities_measures._response(teacher, 5)
    loss = WhiteLoss(jnp.asarray(target[:, None, None])).value_and_gradient(student)[0]
    np.testing.assert_allclose(np.sum(errors**2), float(loss), rtol=1e-12)


def test_figure_and_tables(finding):
    (named,) = finding.figures
    (ax,) = named.figure.axes
    assert ax.get_xlabel() == "step size η"
    assert "drift" in ax.get_ylabel()
    assert ax.get_xscale() == ax.get_yscale() == "log"
    for table in finding.tables.values():
        assert len({len(column) for column in table.values()}) == 1


def test_presets_are_registered():
    assert set(IDENTITIES.presets) == {"quick", "full"}
    assert IDENTITIES.presets["full"].samples >= 400_000
