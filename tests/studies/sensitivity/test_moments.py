import dataclasses

import numpy as np
import pytest

from remanence.report import SilentProgress
from remanence.studies.sensitivity import moments_claims as claims
from remanence.studies.sensitivity import moments_comparisons as comparisons
from remanence.studies.sensitivity import moments_measures as measures
from remanence.studies.sensitivity.moments import MOMENTS, run_moments
from remanence.studies.sensitivity.moments_settings import FULL, MomentSettings

TINY = MomentSettings(
    eigenvalues=((0.5, 0.0), (0.6, 0.5)),
    longer=(0.8,),
    correlations=(0.0, 0.5),
    chains=128,
    block=64,
    length=6_000,
    burn_in=500,
    chunk=500,
    gaps=(1e-4, 1e-3),
    gap_points=3,
    spectrum_gap=1e-3,
    angles=(0.0, 1.0),
    plateau_magnitude=0.9999,
    disc=(11, 41),
    pixels=24,
    sum_points=4,
)


@pytest.fixture(scope="module")
def finding():
    return run_moments(TINY, SilentProgress())


@pytest.fixture(scope="module")
def simulated():
    return measures.simulated_moments(TINY, lambda share: None)


def brute(eigenvalue, correlation, length=400):
    """E|h|² and E|∂h/∂λ|² as double sums over two impulse responses."""
    n = np.arange(length)
    R = float(correlation) ** np.abs(n[:, None] - n)
    h = np.asarray(eigenvalue, complex) ** n
    e = np.concatenate([[0], n[1:] * h[:-1]])
    return [float(np.real(v @ R @ v.conj())) for v in (h, e)]


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.97, 1.0])
@pytest.mark.parametrize("eigenvalue", [0.6, 0.9, -0.8])
def test_energies_are_the_double_sums(eigenvalue, correlation):
    got = measures.energies(eigenvalue, correlation, 1 - abs(eigenvalue))
    np.testing.assert_allclose(got, brute(eigenvalue, correlation), rtol=1e-10)


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_energies_of_a_complex_eigenvalue(correlation):
    eigenvalue = 0.9 * np.exp(0.5j)
    got = measures.energies(complex(eigenvalue), correlation, 0.1)
    np.testing.assert_allclose(got, brute(eigenvalue, correlation), rtol=1e-10)


def test_simulation_agrees_within_its_own_errors(simulated):
    for i, eigenvalue in enumerate(simulated.eigenvalues):
        for j, rho in enumerate(simulated.correlations):
            power, moved = brute(eigenvalue, rho)
            assert abs(simulated.state[i, j] - power) < 5 * simulated.state_error[i, j]
            error = simulated.sensitivity_error[i, j]
            assert abs(simulated.sensitivity[i, j] - moved) < 5 * error
            assert 0 < error < 0.03 * moved
    assert simulated.samples == 128 * 5_500


def test_the_weight_sensitivities_are_those_of_white_input():
    found = measures.weight_sensitivities(TINY)
    nu = 1 - found.gaps
    np.testing.assert_allclose(found.input, 1 / (1 - nu**2), rtol=1e-9)
    np.testing.assert_allclose(found.recurrent, (1 + nu**2) / (1 - nu**2) ** 3, rtol=1e-9)
    np.testing.assert_allclose(found.jacobian, nu, rtol=1e-12)


def test_the_double_sum_term_by_term():
    a, b, rho = np.array([0.4 + 0.3j, -0.5 + 0j]), 0.6 - 0.2j, 0.7
    expected = [
        sum(
            n * x ** (n - 1) * m * b ** (m - 1) * rho ** abs(n - m)
            for n in range(12)
            for m in range(12)
        )
        for x in a
    ]
    np.testing.assert_allclose(measures.double_sum(a, b, rho, 12), expected, rtol=1e-13)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9, 1.0])
def test_both_forms_of_the_numerator(rho):
    a, b = np.array([0.3 + 0.4j, 0.8 + 0j]), 0.5 - 0.6j
    derived = measures.form_with_factor(a, b, rho, 1 - rho**2)
    np.testing.assert_allclose(comparisons.coupling(a, b, rho), derived, rtol=1e-11)
    typed = np.abs(measures.printed_sensitivity(a, b, rho) / derived - 1)
    if rho in (0.0, 1.0):
        np.testing.assert_allclose(typed, 0, atol=1e-12)
    else:
        assert typed.max() > 0.05


def test_slope_is_exact_for_a_power():
    x = np.geomspace(1, 100, 5)
    assert measures.slope(x, 3 * x**-2.5) == pytest.approx(-2.5)


def test_all_claims_hold_in_order(finding):
    ids = ["S1a", "S1b", "S1c", "S1d", "S2a", "S2b", "S10c", "E1"]
    assert [claim.id for claim in finding.claims] == ids
    assert {claim.id: claim.verdict for claim in finding.claims if claim.verdict != "holds"} == {}
    assert "within 2%" in finding.claims[0].expected
    assert "1, 19, 199, 1999 within 2%" in finding.claims[4].expected


@pytest.mark.parametrize("field", ["state", "sensitivity", "state_error", "sensitivity_error"])
def test_a_spoiled_simulation_fails(simulated, field):
    ratios = comparisons.over_theory(simulated)
    assert claims.simulation_claim(TINY, ratios).verdict == "holds"
    values = getattr(ratios, field).copy()
    values[1, 1] += 0.03
    bad = dataclasses.replace(ratios, **{field: values})
    assert claims.simulation_claim(TINY, bad).verdict == "fails"
    # Longer memories are drawn, not judged.
    values = getattr(ratios, field).copy()
    values[-1] += 0.03
    drawn = dataclasses.replace(ratios, **{field: values})
    assert claims.simulation_claim(TINY, drawn).verdict == "holds"


def test_spoiled_slopes_and_laws_fail():
    good = comparisons.Slopes((-1.0, -3.0), (-2.0, -4.0))
    assert claims.slope_claim(TINY, good).verdict == "holds"
    bad = dataclasses.replace(good, constant=(-2.0, -3.97))
    assert claims.slope_claim(TINY, bad).verdict == "fails"
    ones = np.ones((2, 2))
    assert claims.spectrum_claim(TINY, comparisons.Spectrum(ones, ones)).verdict == "holds"
    bad = comparisons.Spectrum(ones, ones + 0.02 * np.eye(2))
    assert claims.spectrum_claim(TINY, bad).verdict == "fails"


@pytest.mark.parametrize(("field", "factor"), [("jacobian", 1.2), ("input", None)])
def test_an_exploding_or_undominated_gradient_fails(field, factor):
    good = measures.weight_sensitivities(TINY)
    assert claims.weight_claim(good).verdict == "holds"
    values = good.recurrent if factor is None else factor * getattr(good, field)
    bad = dataclasses.replace(good, **{field: values})
    assert claims.weight_claim(bad).verdict == "fails"


@pytest.mark.parametrize("identifier", ["S2a", "S2b"])
def test_a_plateau_off_its_limit_or_its_formula_fails(identifier):
    good = comparisons.plateaus(0.9999)[identifier == "S2b"]
    assert claims.plateau_claim(identifier, good, 0.9999).verdict == "holds"
    # The crossover at ρ = .999 carries no tolerance, the others do.
    factors = np.array([1.0, 1.03, 1.0, 1.0, 1.0])
    off = dataclasses.replace(
        good, measured=good.measured * factors, formulas=good.formulas * factors
    )
    assert claims.plateau_claim(identifier, off, 0.9999).verdict == "fails"
    off = dataclasses.replace(good, formulas=good.formulas * (1 + 1e-5))
    assert claims.plateau_claim(identifier, off, 0.9999).verdict == "fails"


def test_e1_fails_where_either_form_is_the_other(simulated):
    good = comparisons.printed_form(TINY, simulated)
    assert claims.printed_claim(TINY, good).verdict == "holds"
    swapped = dataclasses.replace(good, derived_sums=good.typed_sums, typed_sums=good.derived_sums)
    assert claims.printed_claim(TINY, swapped).verdict == "fails"
    right = dataclasses.replace(good, typed_simulated=np.ones(2))
    assert claims.printed_claim(TINY, right).verdict == "fails"
    inside = (good.correlations > 0) & (good.correlations < 1)
    np.testing.assert_allclose(
        good.at_anchor[inside], 1 / (1 + good.correlations[inside]), rtol=0.01
    )


def test_a_peak_elsewhere_fails():
    good = comparisons.peaks(TINY)
    assert claims.peak_claim(TINY, good).verdict == "holds"
    bad = dataclasses.replace(good, angles=-good.angles)
    assert claims.peak_claim(TINY, bad).verdict == "fails"
    bad = dataclasses.replace(good, magnitudes=good.magnitudes - 0.1)
    assert claims.peak_claim(TINY, bad).verdict == "fails"


def test_figures_and_tables(finding):
    names = [named.name for named in finding.figures]
    assert names == ["sensitivity-memory", "sensitivity-plateaus", "sensitivity-coupling"]
    growth = finding.figures[0].figure.axes[0]
    assert growth.get_xscale() == growth.get_yscale() == "log"
    assert "memory" in growth.get_xlabel()
    for table in finding.tables.values():
        assert len({len(column) for column in table.values()}) == 1


def test_presets_keep_the_pre_registered_cases():
    quick = MOMENTS.presets["quick"]
    assert quick.eigenvalues == ((0.9, 0.0), (0.95, 0.0), (0.9, 0.5), (0.95, 2.5))
    assert quick.correlations == FULL.correlations == (0.0, 0.8, 0.9)
    for preset in MOMENTS.presets.values():
        assert preset.chains % preset.block == 0
        assert preset.length % preset.chunk == preset.burn_in % preset.chunk == 0
