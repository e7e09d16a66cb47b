import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from remanence.report import SilentProgress
from remanence.studies.sensitivity import extensions
from remanence.studies.sensitivity import extensions_claims as claims
from remanence.studies.sensitivity import extensions_measures as measures
from remanence.studies.sensitivity import extensions_recovery as recovery
from remanence.studies.sensitivity import extensions_training as training
from remanence.studies.sensitivity import extensions_training_claims as training_claims
from remanence.studies.sensitivity.extensions_settings import ExtensionSettings

TINY = ExtensionSettings(
    gaps=(0.5, 0.05, 1e-4),
    correlations=(0.0, 0.5, 0.99),
    angles=(0.0, 1.0),
    memories=(5.0, 1000.0),
    descent_steps=2_000,
    descent_rates=(3e-3, 3e-2, 1.0),
    adam_rates=(0.03, 0.3),
    teachers=2,
    pairs=2,
    modes=3,
    steps=40,
    rates=(1e-2, 0.1),
    horizon=30,
)


def quadratic(kernel, rho):
    """`Σ_{n,m} k_n k̄_m ρ^|n−m|`."""
    n = np.arange(kernel.size)
    R = float(rho) ** np.abs(n[:, None] - n)
    return float(np.real(kernel @ R @ kernel.conj()))


@pytest.mark.parametrize("rho", [0.0, 0.8])
@pytest.mark.parametrize("eigenvalue", [0.7, 0.8 * np.exp(1.3j)])
def test_sums_of_squares_of_the_response_are_the_double_sums(eigenvalue, rho):
    length = measures.enough(1 - abs(eigenvalue), rho)
    got = np.sum(np.abs(measures.response(eigenvalue, rho, length)) ** 2)
    expected = quadratic(eigenvalue ** np.arange(300), rho)
    assert got == pytest.approx(expected, rel=1e-12)


def test_powers():
    powers = measures.measure_powers(TINY)
    assert powers.smoothed.shape == (3, 3, 2)
    np.testing.assert_allclose(powers.smoothed, 1, rtol=1e-8)
    kernel = np.sqrt(1 - 0.95**2) * (0.95 * np.exp(1j)) ** np.arange(500)
    assert powers.root[1, 1, 1] == pytest.approx(quadratic(kernel, 0.5), rel=1e-9)
    # The spectrum itself is of use in the limit only.
    assert abs(powers.spectral[2, 0, 0] - 1) > 0.5
    assert abs(powers.spectral[2, 2, 0] - 1) < 0.02


@pytest.mark.parametrize("one", measures.COMBINATIONS, ids=lambda one: one.name)
def test_measured_sensitivities_are_the_closed_forms(one):
    gaps = np.array([0.3, 1e-3])
    got = measures.measured_sensitivity(one, gaps, 0.9)
    np.testing.assert_allclose(got, measures.theoretical_sensitivity(one, gaps, 0.9), rtol=1e-6)


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_one_dimensional_loss_is_a_double_sum(rho):
    student, teacher = 0.6, 0.9
    kernels = [np.sqrt(1 - v**2) * v ** np.arange(400) for v in (student, teacher)]
    got = recovery.one_dimensional_loss(*map(jnp.asarray, (student, teacher, rho)))
    assert float(got) == pytest.approx(quadratic(kernels[0] - kernels[1], rho) / 2, rel=1e-10)


def test_recovery_counts_the_steps_of_a_plain_loop():
    found = recovery.recover(TINY, recovery.TANH, recovery.DESCENT, lambda share: None)
    rate, rho, memory = 3e-2, 0.5, 1000.0
    teacher = 1 - 1 / memory

    def loss(w):
        v = np.tanh(w)
        cross = (1 - rho**2 * v * teacher) / (1 - v * teacher)
        cross /= (1 - rho * v) * (1 - rho * teacher)
        powers = [(1 + rho * x) / (1 - rho * x) for x in (v, teacher)]
        return sum(powers) / 2 - np.sqrt((1 - v**2) * (1 - teacher**2)) * cross

    w, losses = np.arctanh(1 - TINY.ratio / memory), []
    for _ in range(2_000):
        losses.append(loss(w))
        w -= rate * (loss(w + 1e-5) - loss(w - 1e-5)) / 2e-5
    steps = np.flatnonzero(np.array(losses) >= 0.01 * losses[0])[-1] + 1
    assert found.steps[1, 1, 1] == steps
    # Rate 1 overshoots for ever where the curvature is 181 and arrives where it is 1.
    assert np.isinf(found.steps[2, 2, 1])
    assert np.isfinite(found.steps[2, 0]).all()
    assert found.best == int(np.argmin(found.steps.reshape(3, -1).max(axis=1)))


def test_the_parabola_predicts_descent_under_every_map():
    for name in recovery.MAPS:
        found = recovery.recover(TINY, name, recovery.DESCENT, lambda share: None)
        rate = found.rates[found.best]
        ratio = found.at_best / recovery.quadratic_steps(TINY, name, rate)
        assert np.all((ratio > 0.3) & (ratio <= 3))


def test_every_competitor_starts_as_the_same_function():
    start = training.ensemble_of(TINY, teachers=False)
    # Row by row, by the recurrence.
    expected = np.zeros((4, TINY.horizon))
    for row in range(4):
        h = np.zeros(TINY.modes, complex)
        for t in range(TINY.horizon):
            h = start.eigenvalues[row] * h + start.b[row] * (t == 0)
            expected[row, t] = np.sum(start.c[row] * h).real + start.D[row] * (t == 0)
    np.testing.assert_allclose(start.impulse_response(TINY.horizon), expected, atol=1e-12)
    memories = 1 / (1 - np.abs(start.eigenvalues))
    assert np.all((memories > 10) & (memories < 100))
    assert np.all(start.eigenvalues[2:].imag == 0)
    for one in training.COMPETITORS:
        found = training.students(one, start, 0.9)
        gamma = np.asarray(found.normalisation(found.eigenvalues))
        B, C = (np.asarray(x.real) + 1j * np.asarray(x.imag) for x in (found.B, found.C))
        as_written = training.Modes(
            np.asarray(found.eigenvalues()),
            gamma * B[:, :, 0],
            C[:, 0],
            np.asarray(found.D)[:, 0],
        )
        np.testing.assert_allclose(as_written.impulse_response(30), expected, atol=1e-9)


def test_real_students_stay_real():
    start = training.ensemble_of(TINY, teachers=False)
    targets = jnp.asarray(training.ensemble_of(TINY, teachers=True).impulse_response(30))
    students = training.students(training.COMPETITORS[1], start, 0.9)

    @jax.jit
    def slopes(students):
        def loss(students):
            got = eqx.filter_vmap(lambda one: one.impulse_response(30))(students)
            return jnp.sum((got[:, :, 0, 0] - targets) ** 2)

        return jax.grad(loss)(students)

    found = slopes(students)
    for leaf in (found.eigenvalues.phase_parameter, found.B.imag, found.C.imag):
        assert np.all(np.asarray(leaf)[2:] == 0)
        assert np.all(np.abs(np.asarray(leaf)[:2]) > 0)


def test_training_and_the_power_it_is_measured_by():
    targets = training.ensemble_of(TINY, teachers=True).impulse_response(TINY.horizon)
    powers = training.output_power(targets, 0.99)
    for row, kernel in enumerate(targets):
        each = [quadratic(kernel[:t], 0.99) / 2 for t in range(1, TINY.horizon + 1)]
        assert powers[row] == pytest.approx(np.mean(each), rel=1e-9)
    heard = []
    one = training.COMPETITORS[1]
    found = training.train_competitor(TINY, one, heard.append)
    assert heard[-1] == 1
    start = training.ensemble_of(TINY, teachers=False).impulse_response(TINY.horizon)
    for rho in TINY.trained_correlations:
        off = training.output_power(start - targets, rho) / training.output_power(targets, rho)
        np.testing.assert_allclose(found.initial[rho].ravel(), off, rtol=1e-9)
        assert found.losses[one.name, rho].shape == (2, 2, 2)
        assert np.all(found.losses[one.name, rho].min(axis=2) < found.initial[rho])
    whole = training.together([found])
    key = (training.SPECTRUM, 0.0)
    np.testing.assert_array_equal(whole.losses[key], found.losses[training.EXP, 0.0])


def made_up(values):
    """Losses `values[name]` at ρ = .99, and ten times that at the other rate."""
    table = np.ones((2, 2, 2)) * [1.0, 10.0]
    losses = {
        (one.name, rho): values.get(one.name, 1.0) * table
        for one in training.COMPETITORS
        for rho in TINY.trained_correlations
    }
    return training.Training(losses, {0.0: np.ones((2, 2)), 0.99: np.ones((2, 2))})


def of_adam(steps):
    return {
        (optimiser, name): recovery.Recovery(np.ones(1), steps[name] * np.ones((1, 3, 2)), 0)
        for optimiser in (recovery.DESCENT, recovery.ADAM)
        for name in recovery.MAPS
    }


@pytest.mark.parametrize(("loss", "verdict"), [(0.49, "holds"), (0.51, "fails")])
def test_a_factor_of_two_decides(loss, verdict):
    recovered = of_adam(dict.fromkeys(recovery.MAPS, 3.0))
    found = made_up({training.SPECTRUM: loss, training.RHO: loss})
    first = training_claims.normalisation_training_claim(TINY, found)
    second = training_claims.reparametrisation_training_claim(TINY, found, recovered)
    assert (first.verdict, second.verdict) == (verdict, verdict)
    assert "better on 2 of 2 teachers" in first.measured
    # Teachers alike: every resample has the same factor.
    factor = f"{1 / loss:.2g}"
    assert f"interval over teachers {factor} to {factor}:" in first.measured
    # A better established competitor takes the claim away again.
    rival = made_up({training.SPECTRUM: loss, training.RHO: loss, training.PLAIN: loss})
    assert training_claims.normalisation_training_claim(TINY, rival).verdict == "fails"


def test_identities_can_fail():
    powers = measures.measure_powers(TINY)
    assert claims.power_claim(TINY, powers).verdict == "holds"
    off = dataclasses.replace(powers, smoothed=powers.smoothed + 1e-5)
    assert claims.power_claim(TINY, off).verdict == "fails"
    found = {one.name: np.array([[1.0, 9.0], [1.0, 9.0]]) for one in measures.COMBINATIONS}
    assert claims.sensitivity_claim(TINY, found).verdict == "fails"
    even = found | {measures.RHO_AWARE: np.ones((2, 2))}
    assert claims.sensitivity_claim(TINY, even).verdict == "holds"
    assert claims.sensitivity_claim(TINY, even | {training.TANH: np.ones((2, 2))}).verdict == (
        "fails"
    )
    recovered = of_adam(dict.fromkeys(recovery.MAPS, 3.0))
    assert claims.recovery_claim(TINY, recovered).verdict == "fails"


def test_the_part_on_tiny_settings(monkeypatch):
    # Training and recovery are tested above; here they would only compile.
    whole = made_up({training.SPECTRUM: 0.4})
    monkeypatch.setattr(extensions, "train_competitor", lambda s, one, heard: whole)

    def recovered(s, name, optimiser, heard):
        rates = np.array(s.adam_rates if optimiser == recovery.ADAM else s.descent_rates)
        uneven = np.array([2.0, 3.0 if name == recovery.RHO_AWARE else 30.0])
        return recovery.Recovery(rates, np.ones((rates.size, 3, 1)) * uneven, 0)

    monkeypatch.setattr(extensions, "recover", recovered)
    finding = extensions.run_extensions(TINY, SilentProgress())
    verdicts = {claim.id: claim.verdict for claim in finding.claims}
    assert verdicts == {
        "X1a": "holds",
        "X1b": "holds",
        "X2a": "fails",  # At ρ = .5 nothing varies five-fold.
        "X2b": "holds",
        "X2c": "fails",
    }
    assert len(finding.figures) == 3
    for columns in finding.tables.values():
        assert len({len(column) for column in columns.values()}) == 1
    steps = finding.tables["extension_recovery"]
    assert len(steps["steps"]) == 3 * 2 * 3 * (3 + 2)
