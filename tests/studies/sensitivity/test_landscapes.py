import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from remanence.report import SilentProgress
from remanence.studies.sensitivity import landscapes_claims as claims
from remanence.studies.sensitivity import landscapes_descent as descent
from remanence.studies.sensitivity import landscapes_measures as measures
from remanence.studies.sensitivity.landscapes import LANDSCAPES, run_landscapes
from remanence.studies.sensitivity.landscapes_figures import log_spaced
from remanence.studies.sensitivity.landscapes_settings import LandscapeSettings
from remanence.theory import gaussian_curvature, teacher_student_loss

TINY = LandscapeSettings(
    gaps=(0.01, 0.16, 0.64),
    grid=101,
    simulated_gaps=(0.16, 0.64),
    chains=400,
    length=4_000,
    burn_in=500,
    curvature_magnitudes=(0.3, 0.9),
    steps=5_000,
)


@pytest.fixture(scope="module")
def finding():
    return run_landscapes(TINY, SilentProgress())


@pytest.fixture(scope="module")
def runs():
    return descent.descents(dataclasses.replace(TINY, steps=5_000), lambda share: None)


@pytest.fixture(scope="module")
def curvatures():
    return measures.measured_curvatures(TINY)


@pytest.fixture(scope="module")
def invariance():
    return measures.measured_invariance(TINY, lambda share: None)


@pytest.fixture(scope="module")
def metrics():
    return measures.coupled_metrics(np.array([0.99, 0.9]), np.array([1.0, 0.5]), 4_000)


def loop_loss(a, b, normalised):
    """½ Σ |γ a^n − γ* b^n|² by a plain loop."""
    g = [np.sqrt(1 - abs(x) ** 2) if normalised else 1.0 for x in (a, b)]
    total = 0.0
    for n in range(600):
        total += abs(g[0] * a**n - g[1] * b**n) ** 2 / 2
    return total


@pytest.mark.parametrize("normalised", [False, True])
def test_the_summed_loss_is_the_loop(normalised):
    a, b = 0.9 * np.exp(0.4j), 0.8 * np.exp(0.1j)
    got = measures.summed_loss(a, b, normalised=normalised)
    np.testing.assert_allclose(got, loop_loss(a, b, normalised), rtol=1e-12)


def test_the_cancelling_loss_is_the_same_loss():
    a, b = jnp.asarray(0.9 * np.exp(0.4j)), jnp.asarray(0.8 * np.exp(0.1j))
    expected = loop_loss(complex(a), complex(b), False)
    np.testing.assert_allclose(float(descent.cancelling_loss(a, b)), expected, rtol=1e-12)
    np.testing.assert_allclose(float(teacher_student_loss(a, b)), expected, rtol=1e-12)


@pytest.mark.parametrize("name", [measures.TANH, measures.EXPONENTIAL])
def test_magnitude_losses_and_their_curvature(name):
    forward = np.tanh if name == measures.TANH else lambda w: np.exp(-np.exp(w))
    centre = 1.1 if name == measures.TANH else -1.0
    w = np.linspace(centre - 0.5, centre + 0.5, 11)
    loss, curvature = measures.magnitude_losses(name, w, 0.84)

    def by_hand(x):
        return loop_loss(forward(x), 0.84, True)

    np.testing.assert_allclose(loss, [by_hand(x) for x in w], rtol=1e-9, atol=1e-13)
    h = 1e-3
    second = [(by_hand(x + h) - 2 * by_hand(x) + by_hand(x - h)) / h**2 for x in w]
    np.testing.assert_allclose(curvature, second, atol=1e-5)


def test_curvatures_at_the_optimum(curvatures):
    # Finite differences of the plain loop, at the shortest memory.
    nu, h = 0.36, 1e-3

    def second(moved):
        return (loop_loss(moved(h), nu, True) + loop_loss(moved(-h), nu, True)) / h**2

    found = curvatures.polar_magnitude[-1], curvatures.polar_phase[-1]
    by_hand = second(lambda d: nu + d), second(lambda d: nu * np.exp(1j * d))
    np.testing.assert_allclose(found, by_hand, rtol=1e-4)
    place = np.log(-np.log(nu))
    exponential = second(lambda d: np.exp(-np.exp(place + d)))
    np.testing.assert_allclose(curvatures.at_exponential[-1], exponential, rtol=1e-4)
    np.testing.assert_allclose(curvatures.coupled_phase, 1, rtol=1e-9)


def test_metric_sums_are_lengths_of_the_derivatives():
    nu, h, n = 0.7, 1e-5, np.arange(400)

    def response(nu, theta):
        return np.sqrt(1 - nu**2) * nu**n * np.exp(1j * n * theta)

    first = (response(nu + h, 0.3) - response(nu - h, 0.3)) / (2 * h)
    second = (response(nu, 0.3 + h) - response(nu, 0.3 - h)) / (2 * h)
    expected = np.linalg.norm(first), np.linalg.norm(second)
    np.testing.assert_allclose(measures.metric_sums(nu), expected, rtol=1e-7)
    # The metric is diagonal, so the formula for orthogonal coordinates applies.
    assert abs(np.real(np.vdot(first, second))) < 1e-6


def test_the_curvature_of_a_known_metric(monkeypatch):
    # dν² + sinh²ν dθ² has curvature −1, dν² + ν² dθ² none.
    monkeypatch.setattr(measures, "metric_sums", lambda nu: (1.0, np.sinh(nu)))
    assert measures.curvature_of_sums(0.5, 0.02) == pytest.approx(-1, abs=1e-6)
    monkeypatch.setattr(measures, "metric_sums", lambda nu: (1.0, nu))
    assert measures.curvature_of_sums(0.5, 0.02) == pytest.approx(0, abs=1e-6)


def test_the_coupled_metric_by_finite_differences(metrics):
    nu, theta, h = 0.9, 0.5, 1e-5
    n = np.arange(600)

    def scale(nu):
        return (1 - nu**2) / (nu * np.sqrt(1 + nu**2))

    def response(a, w):
        return (
            np.sqrt(1 - np.tanh(a) ** 2) * (np.tanh(a) * np.exp(1j * w * scale(np.tanh(a)))) ** n
        )

    a, w = np.arctanh(nu), theta / scale(nu)
    moved = [
        (response(a + h, w) - response(a - h, w)) / (2 * h),
        (response(a, w + h) - response(a, w - h)) / (2 * h),
    ]
    expected = [[np.real(np.vdot(x, y)) for y in moved] for x in moved]
    np.testing.assert_allclose(metrics[1], expected, rtol=1e-6)


def test_the_simulation_agrees_with_the_loop(invariance):
    for i, gap in enumerate(TINY.simulated_gaps):
        for j, offset in enumerate(TINY.simulated_offsets):
            student = np.tanh(np.arctanh(1 - gap) + offset)
            expected = loop_loss(student, 1 - gap, True)
            assert abs(invariance.simulated[i, j] - expected) < 5 * invariance.errors[i, j]


def test_adam_takes_the_steps_of_a_plain_loop(runs):
    teacher = 0.99 * np.exp(0.01j * np.pi)

    def loss(p):
        student = np.tanh(p[0]) * np.exp(1j * p[1])
        return 0.5 * (
            1 / (1 - abs(student) ** 2)
            + 1 / (1 - abs(teacher) ** 2)
            - 2 * np.real(1 / (1 - student * np.conj(teacher)))
        )

    p, m, v = np.array([np.arctanh(0.99), np.pi / 4]), np.zeros(2), np.zeros(2)
    for step in range(30):
        place = np.tanh(p[0]) * np.exp(1j * p[1])
        np.testing.assert_allclose(runs[0].eigenvalue[step], place, rtol=1e-7)
        np.testing.assert_allclose(runs[0].loss[step], loss(p), rtol=1e-6)
        h = 1e-6
        g = np.array([(loss(p + h * e) - loss(p - h * e)) / (2 * h) for e in np.eye(2)])
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        scaled = (m / (1 - 0.9 ** (step + 1))) / (np.sqrt(v / (1 - 0.999 ** (step + 1))) + 1e-8)
        p = p - 1e-3 * scaled


def test_all_four_runs_start_alike_and_differ(runs):
    assert [run.name for run in runs] == [
        descent.POLAR,
        descent.EXPONENTIAL,
        descent.COUPLED,
        descent.CANCELLING,
    ]
    np.testing.assert_allclose([run.loss[0] for run in runs], 49.7142, rtol=1e-6)
    np.testing.assert_allclose([run.eigenvalue[0] for run in runs], runs[0].eigenvalue[0])
    assert runs[0].first_below(1) < runs[1].first_below(1)
    assert runs[2].first_below(1) is None


def test_log_spaced_indices():
    keep = log_spaced(1_000, 30)
    assert keep[0] == 0
    assert keep[-1] == 999
    assert np.all(np.diff(keep) > 0)


def test_all_claims_hold_in_order(finding):
    assert [claim.id for claim in finding.claims] == ["S3a", "S3b", "S3c", "S4"]
    assert [claim.verdict for claim in finding.claims] == ["holds"] * 4
    assert "4901" in finding.claims[0].expected
    assert "< 0.001 (exp), < 0.2 (θ = w); loss > 5" in finding.claims[3].expected


@pytest.mark.parametrize(
    "field", ["peak_tanh", "at_exponential", "polar_magnitude", "polar_phase", "coupled_phase"]
)
def test_a_spoiled_curvature_fails(curvatures, field):
    assert claims.curvature_claim(curvatures).verdict == "holds"
    bad = dataclasses.replace(curvatures, **{field: getattr(curvatures, field) * (1 + 1e-5)})
    assert claims.curvature_claim(bad).verdict == "fails"


@pytest.mark.parametrize(
    ("field", "factor"), [("sums", 1 + 1e-9), ("simulated", 1.03), ("errors", 4.0)]
)
def test_a_spoiled_landscape_fails(invariance, field, factor):
    assert claims.invariance_claim(TINY, invariance).verdict == "holds"
    bad = dataclasses.replace(invariance, **{field: getattr(invariance, field) * factor})
    assert claims.invariance_claim(TINY, bad).verdict == "fails"


def test_a_flat_metric_or_another_determinant_fails(metrics):
    settings = dataclasses.replace(TINY, coupled=((0.99, 1.0), (0.9, 0.5)))
    closed = np.asarray(gaussian_curvature(np.array([0.3, 0.9])))

    def judged(measured, metrics):
        return claims.decoupling_claim(settings, measured, closed, metrics).verdict

    assert judged(closed, metrics) == "holds"
    assert judged(np.zeros(2), metrics) == "fails"
    assert judged(closed, metrics * (1 + 1e-5)) == "fails"


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_run_that_ends_elsewhere_fails(runs, index):
    good = claims.angle_claim(TINY, runs)
    assert good.verdict == "holds"
    assert "never (coupled)" in good.measured
    assert "not reproduced: θ = w ends at the smaller loss" in good.note
    loss = runs[index].loss.copy()
    loss[-500] = 1.0
    bad = [*runs]
    bad[index] = dataclasses.replace(runs[index], loss=loss)
    assert claims.angle_claim(TINY, bad).verdict == "fails"


def test_figures_and_tables(finding):
    assert [named.name for named in finding.figures] == ["loss-landscapes", "learning-angle"]
    path, loss = finding.figures[1].figure.axes
    assert "angle" in path.get_xlabel()
    assert loss.get_xscale() == loss.get_yscale() == "log"
    for table in finding.tables.values():
        assert len({len(column) for column in table.values()}) == 1


def test_presets_keep_the_pre_registered_run():
    for preset in LANDSCAPES.presets.values():
        assert (preset.steps, preset.learning_rate) == (50_000, 1e-3)
        assert (preset.start, preset.teacher) == ((0.99, 0.25), (0.99, 0.01))
        assert 0.01 in preset.gaps
        assert preset.coupled[0] == (0.99, 1.0)
