import dataclasses
from fractions import Fraction

import numpy as np
import pytest

from remanence.report import SilentProgress
from remanence.studies.hyperbolic import identities
from remanence.studies.hyperbolic import identities_claims as claims
from remanence.studies.hyperbolic import identities_descent as descent
from remanence.studies.hyperbolic import identities_landscape as landscape
from remanence.studies.hyperbolic import identities_measures as measures
from remanence.studies.hyperbolic import identities_teachers as teachers
from remanence.studies.hyperbolic.identities_exact import exact_shares
from remanence.studies.hyperbolic.identities_settings import IdentitySettings

TINY = IdentitySettings(
    pairs=6,
    orders=(1, 3),
    teachers=1,
    memories=(3.0, 20.0),
    places=2,
    circles=(0.5, 1.0, 2.0),
    rates=(0.3, 1.0),
    step_memories=(1e4, 1e7, 1e10),
    angles=2,
    path_steps=50,
    path_memories=(30.0, 100.0),
    grid=(40, 100),
)


def made_up(poles, coefficients):
    poles = np.array(poles)
    points = np.stack([2 * np.arctanh(np.abs(poles)), np.angle(poles)])
    return teachers.Teacher(points, np.array(coefficients, complex))


def test_decimal_arithmetic_gives_rational_modes():
    # λ = 1/2 and μ = 1/3 as far as float64 can say R; angles that float64 holds exactly.
    overlap, rho, tanh = exact_shares(*((float(2 * np.arctanh(x)), 0.0) for x in (1 / 2, 1 / 3)))
    expected = (Fraction(1, 6) / Fraction(5, 6)) ** 2
    for got in (rho, tanh, 1 - overlap):
        assert float(got) == pytest.approx(float(expected), rel=1e-14)
    # A quarter turn apart, |1 − λμ̄|² = 1 + |λμ|².
    overlap, rho, _ = exact_shares((float(2 * np.arctanh(0.5)), np.pi / 2), (2.0, 0.0))
    m = np.tanh(1.0)
    assert float(rho) == pytest.approx((0.25 + m**2) / (1 + 0.25 * m**2), rel=1e-14)
    assert float(overlap) == pytest.approx(0.75 * (1 - m**2) / (1 + 0.25 * m**2), rel=1e-14)


def test_identities_hold_and_can_fail():
    errors = measures.share_errors(TINY)
    assert set(errors) == {"|o|²", "ρ²", "tanh²(d/2)", "decimal"}
    assert claims.share_claim(TINY, errors).verdict == "holds"
    off = errors | {"ρ²": errors["ρ²"] + 1e-9}
    assert claims.share_claim(TINY, off).verdict == "fails"
    law = measures.curvature_errors(TINY)
    assert claims.law_claim(TINY, law).verdict == "holds"
    assert claims.law_claim(TINY, (*law[:2], law[2] + 1e-9)).verdict == "fails"


def test_losses_are_projections_on_sampled_modes():
    teacher = made_up([0.8 * np.exp(0.4j), 0.6j, -0.5], [1.0, -2j, 0.7 + 0.1j])
    places = np.array([[0.5, 1.4, 2.0], [0.3, -2.0, 1.0]])
    j = np.arange(200)
    modes = np.sqrt(1 - np.abs(teacher.poles) ** 2)[:, None] * teacher.poles[:, None] ** j
    g = teacher.coefficients @ modes
    expected = []
    for R, theta in places.T:
        e = (np.tanh(R / 2) * np.exp(1j * theta)) ** j
        expected.append(-np.log(abs(np.vdot(e, g)) ** 2 / np.vdot(e, e).real / np.vdot(g, g).real))
    np.testing.assert_allclose(teachers.plain_losses(teacher, places), expected, rtol=1e-10)
    got = teachers.losses_at(places, *teacher.padded(5))
    np.testing.assert_allclose(np.asarray(got), expected, rtol=1e-10)


def test_zeros_of_two_modes_are_known():
    # c₁γ₁/(1 − μ₁z) + c₂γ₂/(1 − μ₂z) vanishes at z = (w₁ + w₂)/(w₁μ₂ + w₂μ₁).
    teacher = made_up([0.9, -0.5j], [1.0, -1.3 + 0.2j])
    (w1, w2), (m1, m2) = teacher.weights, teacher.poles
    zero = np.conj((w1 + w2) / (w1 * m2 + w2 * m1))
    assert abs(zero) < 1
    got = np.tanh(teacher.zeros[0] / 2) * np.exp(1j * teacher.zeros[1])
    np.testing.assert_allclose(got, [zero], rtol=1e-12)
    radius = teacher.zeros[0, 0]
    assert teachers.winding(teacher, radius - 0.1) == 0
    assert teachers.winding(teacher, radius + 0.1) == 1


def test_model_reduction_steps():
    reduced, projected = measures.known_steps(TINY)
    assert reduced.shape == projected.shape == (4,)
    assert claims.known_claim(TINY, (reduced, projected)).verdict == "holds"
    assert claims.known_claim(TINY, (reduced, projected + 1e-7)).verdict == "fails"


def test_laplacians():
    errors = landscape.laplacian_errors(TINY)
    assert claims.laplacian_claim(TINY, errors).verdict == "holds"
    assert claims.laplacian_claim(TINY, errors + 2e-6).verdict == "fails"


def test_zeros_and_mean_slopes(monkeypatch):
    one = made_up([0.9, -0.5j], [1.0, -1.3 + 0.2j])
    monkeypatch.setattr(landscape, "random_teachers", lambda s: [one])
    found = landscape.measure_zeros(TINY)
    np.testing.assert_array_equal(found.located, [1])
    assert found.maxima.size == 1
    assert claims.zeros_claim(TINY, found).verdict == "holds"
    for worse in ({"wound": found.wound + 1}, {"missed": 1}, {"maxima": found.maxima + 1}):
        changed = dataclasses.replace(found, **worse)
        assert claims.zeros_claim(TINY, changed).verdict == "fails"
    # A circle around the zero itself.
    monkeypatch.setattr(
        landscape,
        "random_places",
        lambda s, teacher, rng, apart: one.zeros + np.array([[0.25], [0.0]]),
    )
    errors, inside = landscape.slope_errors(TINY)
    np.testing.assert_array_equal(inside, [1, 1, 1])
    assert claims.mean_slope_claim(TINY, (errors, inside)).verdict == "holds"
    assert claims.mean_slope_claim(TINY, (errors + 2e-6, inside)).verdict == "fails"


def test_the_part_on_tiny_settings():
    finding = identities.run_identities(TINY, SilentProgress())
    verdicts = {claim.id: claim.verdict for claim in finding.claims}
    assert list(verdicts) == ["HY1a", "HY1b", "HY1c", "HY2a", "HY2b", "HY2c", "HY3"]
    assert verdicts["HY3"] == "holds"
    assert len(finding.figures) == 3
    steps = finding.tables["hyperbolic_descent_steps"]
    assert len({len(column) for column in steps.values()}) == 1
    # Descent is the recursion of the distance, written out here.
    for d, rate, got in zip(steps["distance"], steps["rate"], steps["steps"], strict=True):
        count = 0
        while np.tanh(d / 2) ** 2 >= 1e-6:
            d, count = d - rate * np.tanh(d / 2), count + 1
        assert abs(got - count) <= 1
    np.testing.assert_array_equal(steps["irka_steps"], 1)


def test_slopes_that_are_off_fail():
    x = np.log(TINY.step_memories)
    steps = np.stack([x[:, None] / rate * [1.0, 1.06] for rate in TINY.rates])
    found = descent.Descent(
        TINY.rates, TINY.step_memories, np.ones((3, 2)), steps, steps, np.ones((3, 2))
    )
    np.testing.assert_allclose(found.slopes, [[1.0, 1.06]] * 2)
    assert claims.descent_claim(TINY, found).verdict == "fails"
