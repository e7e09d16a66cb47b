import dataclasses

import numpy as np
import pytest
from scipy.integrate import quad

from remanence.layers import rate_map
from remanence.report import SilentProgress
from remanence.studies.reparameterisation import moduli_claims as claims
from remanence.studies.reparameterisation import moduli_measures as measures
from remanence.studies.reparameterisation import moduli_scale_claims as scale_claims
from remanence.studies.reparameterisation.fits import free_fit, long_fit
from remanence.studies.reparameterisation.moduli import MODULI, scales_at
from remanence.studies.reparameterisation.moduli_settings import CHECKED_SCALES, QUICK

TINY = dataclasses.replace(
    QUICK, radii=(0.1, 1.0), points=601, offsets=9, draws=20, rates=9, widths=(4, 8, 16)
)


def test_the_part():
    finding = MODULI.run(TINY, SilentProgress())
    ids = ["F2a", "F2b", "F2c", "F2d", "F2e", "F3a", "F3b", "F3c", "F3d"]
    assert [claim.id for claim in finding.claims] == ids
    failed = [claim.id for claim in finding.claims if claim.verdict != "holds"]
    # The grid of 601 points is too coarse for the best map's worst w.
    assert failed in ([], ["F2b"])
    assert len(finding.figures) == 3
    for table in finding.tables.values():
        assert len({len(column) for column in table.values()}) == 1


def test_gradient_scales_are_the_known_functions_of_the_rate():
    found = measures.gradient_scales(TINY)
    x = np.geomspace(TINY.least, 1.0, TINY.rates)
    known = {
        "direct": 1 / x**2,
        "exponential": 1 / x,
        "softplus": -np.expm1(-x) / x**2,
        "inverse": np.ones_like(x),
        "best": 2 * np.sqrt(1 / x - 0.5),
    }
    for name, expected in known.items():
        np.testing.assert_allclose(found[name].differentiated, expected, rtol=1e-10)
        np.testing.assert_allclose(found[name].integrated, expected, rtol=1e-10)


def test_mean_square_scales_are_norms_of_kernel_changes():
    one = measures.gradient_scale(TINY, rate_map("softplus"))
    for place in (0, 5):
        w = one.parameters[place]

        def change(t, w=w):
            h = 1e-5
            up, down = (np.exp(-np.logaddexp(0, w + s) * t) for s in (h, -h))
            return ((up - down) / (2 * h)) ** 2

        square = quad(change, 0, 40 / one.rates[place], limit=400)[0]
        assert one.mean_square[place] == pytest.approx(np.sqrt(square), rel=1e-6)


def test_scales_at_a_long_memory():
    found = scales_at(1e-3)
    for name, pair in CHECKED_SCALES.items():
        np.testing.assert_allclose(found[name], pair, rtol=5e-3)


def test_fits_are_fits():
    times = np.arange(1.0, 101)
    one = free_fit(times, 0.9**times, 6)
    # All of the exponential is in its own rate.
    assert one.readouts[one.rates.argmax()] == pytest.approx(1, abs=1e-5)
    assert one.rates.max() == pytest.approx(np.log(0.9), rel=1e-5)
    power = free_fit(times, (1 + times) ** -1.1, 6)
    assert np.abs(power(times) - (1 + times) ** -1.1).sum() < 1e-2
    far = long_fit(16, 1.1, 1e5)
    grid = np.concatenate([[0.0], np.geomspace(1e-3, 1e5, 4000)])
    error = np.trapezoid(np.abs(far(grid) - (1 + grid) ** -1.1), grid)
    assert error < 0.05
    assert (far.readouts > 0).all()


def test_readouts_are_sums_over_the_modes():
    found = measures.readouts(TINY)
    fit = long_fit(8, 1.1, TINY.horizon)
    assert found.raw[1] == pytest.approx(1e-3 * np.sum(-1 / fit.rates) / 10, rel=1e-12)
    assert found.raw_integral[1] == pytest.approx(found.raw[1], rel=1e-5)
    assert found.normalised[1] == pytest.approx(1e-3 * fit.rates.size / 10, rel=1e-12)
    assert found.unequal.max() < 1e-5


def test_a_mode_that_is_not_normalised_is_seen(monkeypatch):
    fit = long_fit(4, 1.1, 1e4)
    assert measures._unequal(fit) < 1e-5
    # With the quadrature of another rate in place of its own, a mode's integral is not β.
    whole = measures._integral
    monkeypatch.setattr(measures, "_integral", lambda rates, c: whole(2 * rates, c))
    assert measures._unequal(fit) == pytest.approx(0.5, rel=1e-5)


def test_numbers_decide():
    good = measures.Modulus(np.expm1(np.array([0.1, 1.0])), np.expm1(np.array([0.1, 1.0])))
    bad = dataclasses.replace(good, force=0.99 * good.force)
    over = dataclasses.replace(good, force=1.01 * good.force)
    for wrong, expected in ((good, "holds"), (bad, "fails"), (over, "fails")):
        found = {"exponential": good, "softplus": wrong, "sigmoid": good}
        assert claims.exponential_claim(TINY, found).verdict == expected
    ones = np.ones(2)
    r = measures.Readouts((4, 8), *(np.array(x) for x in ([4.0, 8.0], [1e-3, 1e-4])), *[ones] * 5)
    r = dataclasses.replace(r, unequal=np.zeros(2))
    for raw, expected in (([0.5, 2.0], "holds"), ([0.5, 0.9], "fails"), ([3.0, 2.0], "fails")):
        made = dataclasses.replace(
            r,
            raw=np.array(raw),
            raw_integral=np.array(raw),
            normalised=np.array([4e-4, 8e-4]),
            normalised_integral=np.array([4e-4, 8e-4]),
        )
        assert claims.readouts_claim(TINY, made).verdict == expected
        unequal = dataclasses.replace(made, unequal=np.array([0.0, 1e-4]))
        assert claims.readouts_claim(TINY, unequal).verdict == "fails"
    for inside, outside, expected in ((0, 0.1, "holds"), (1, 0.1, "fails"), (0, -0.1, "fails")):
        radius = measures.Radius(0.02, 10, inside, outside)
        assert claims.radius_claim(radius).verdict == expected
    slow = measures.Modulus(*[np.array([1.0 / b for b in TINY.small_b]) ** 0.9] * 2)
    assert claims.small_b_claim(TINY, slow).verdict == "fails"
    assert scale_claims.best_ratio_claim(np.array([2.0, 2.0 + 1e-8])).verdict == "fails"
    assert scale_claims.table_claim({**CHECKED_SCALES, "best": (63.2, 2.1)}).verdict == "fails"
