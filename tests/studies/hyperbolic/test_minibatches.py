import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from remanence.report import SilentProgress
from remanence.studies.hyperbolic import minibatches
from remanence.studies.hyperbolic import minibatches_claims as claims
from remanence.studies.hyperbolic import minibatches_learning_claims as learning_claims
from remanence.studies.hyperbolic import minibatches_measures as measures
from remanence.studies.hyperbolic import minibatches_moments as moments_of
from remanence.studies.hyperbolic import minibatches_reach as reach
from remanence.studies.hyperbolic import minibatches_table as table
from remanence.studies.hyperbolic import minibatches_theory as theory
from remanence.studies.hyperbolic.minibatches_settings import QUICK, radius_of

TINY = dataclasses.replace(
    QUICK,
    repeats=500,
    sampled_horizon=12,
    shapes=((20.0, 12, 1), (20.0, 12, 2)),
    long_shapes=((20.0, 12, 2),),
    long_steps=20,
    noises=(0.0, 1.0),
    targets=2,
    steps=12,
    error_shapes=((20.0, 20, 2),),
    error_noises=(1.0,),
    error_targets=16,
    even_memories=(10.0, 20.0),
    even_angles=(1.01, 2.0),
    cases=((20.0, 40, 1, 30),),
    hyperbolic_rates=(0.06, 0.2),
    lru_rates=(1e-3, 1e-2),
)


def situations(noise=0.0, rho=0.0):
    """Two students before two targets."""
    columns = (radius_of(15.0), 1.2, radius_of(30.0), 0.5), (radius_of(40.0), 2.0, 5.0, 2.3)
    radius, phase, target_radius, target_phase = np.array(columns).T
    return theory.Situations(
        radius, phase, target_radius, target_phase, np.full(2, noise), np.full(2, rho)
    )


def filtered(kernel, colour):
    """The matrix that takes the white numbers to the output of the kernel."""
    size = kernel.size
    index = np.arange(size)[:, None] - np.arange(size)
    return np.where(index >= 0, kernel[np.maximum(index, 0)], 0) @ colour


def brute_force(at, place, horizon, c):
    """Mean and covariance of the overlap and the gradient, by traces of matrices."""
    rho, n = at.correlation[place], np.arange(horizon)
    colour = np.where(n[:, None] >= n, rho ** np.maximum(n[:, None] - n, 0.0), 0.0)
    colour[:, 1:] *= np.sqrt(1 - rho**2)

    def mode(radius, phase):
        return (np.tanh(radius / 2) * np.exp(1j * phase)) ** n / np.cosh(radius / 2)

    R, angle = at.radius[place], at.phase[place]
    Y = filtered(2 * mode(at.target_radius[place], at.target_phase[place]).real, colour)
    power = np.sum(Y**2) / horizon

    def output(R, angle):
        return 2 * (c * mode(R, angle)).real

    step = 1e-5
    slopes = [
        (output(R + step, angle) - output(R - step, angle)) / (2 * step),
        (output(R, angle + step) - output(R, angle - step)) / (2 * step * np.sinh(R)),
    ]
    extra = at.noise[place] * power

    def of_products(left, right):
        forms = [(p.T @ right + right.T @ p) / (2 * horizon) for p in left]
        mean = np.array([np.trace(A) for A in forms])
        return mean, np.array(
            [
                [
                    2 * np.sum(A * B) + extra * np.sum(p * q) / horizon**2
                    for B, q in zip(forms, left, strict=True)
                ]
                for A, p in zip(forms, left, strict=True)
            ]
        )

    h = mode(R, angle)
    overlap = of_products([filtered(h.real, colour), filtered(h.imag, colour)], Y)
    error = filtered(output(R, angle), colour) - Y
    mean, covariance = of_products([filtered(slope, colour) for slope in slopes], error)
    return overlap, (2 * mean, 4 * covariance), power


@pytest.mark.parametrize(("noise", "rho"), [(0.0, 0.0), (3.0, 0.8)])
def test_moments_are_those_of_quadratic_forms(noise, rho):
    at = situations(noise, rho)
    c = np.array([0.4 + 0.3j, -0.2 + 0.9j])
    found = moments_of.gradient_moments(at, 25, c)
    for place in range(2):
        overlap, gradient, power = brute_force(at, place, 25, c[place])
        assert found.output_power[place] == pytest.approx(power, rel=1e-10)
        np.testing.assert_allclose(found.overlap[:, place], overlap[0], rtol=1e-9)
        np.testing.assert_allclose(found.overlap_covariance[..., place], overlap[1], rtol=1e-9)
        np.testing.assert_allclose(found.gradient[:, place], gradient[0], rtol=1e-6)
        np.testing.assert_allclose(
            found.gradient_covariance[..., place], gradient[1], rtol=1e-6, atol=1e-12
        )


def test_a_small_readout_of_the_best_phase_is_the_limit():
    at = situations(2.0, 0.0)
    small = moments_of.gradient_moments(at, 25)
    mixed = small.overlap[0] + 1j * small.overlap[1]
    c = 1e-7 * mixed.conj() / np.abs(mixed)
    given = moments_of.gradient_moments(at, 25, c)
    np.testing.assert_allclose(small.signal_to_noise(3), given.signal_to_noise(3), rtol=1e-5)


def test_long_sequences_have_the_closed_signal_to_noise():
    at = theory.Situations(
        radius_of(np.full(4, 40.0)),
        np.array([1.2, 1.2, 2.3, 1.0]),
        radius_of(np.full(4, 80.0)),
        np.array([0.8, 2.0, 0.9, 1.5]),
        np.array([200.0, 300.0, 0.0, 0.0]),
        np.zeros(4),
    )
    exact = moments_of.gradient_moments(at, 5000).signal_to_noise(2)
    closed = theory.stationary_signal_to_noise(at, 10_000)
    # Output noise, whose part is exact but for the edges; then sampling alone, to leading order.
    np.testing.assert_allclose(closed[:2], exact[:2], rtol=0.03)
    assert np.all((exact[2:] / closed[2:] > 1 / 2) & (exact[2:] / closed[2:] < 2))


def test_the_gradient_of_the_runs_is_the_derivative_of_their_loss():
    at = situations(1.0, 0.7)
    c = np.array([0.4 + 0.3j, -0.2 + 0.9j])
    horizon, batch = 11, 3
    key = jax.random.key(3)
    deviation = np.array([0.5, 1.5])
    found = reach.gradient(
        jnp.asarray(at.points),
        jnp.asarray(np.stack([c.real, c.imag])),
        (jnp.asarray(at.target_radius), jnp.asarray(at.target_phase)),
        jnp.asarray(deviation),
        jnp.asarray(at.correlation),
        key,
        jnp.asarray(horizon),
        batch,
    )
    draws = [jax.random.normal(jax.random.fold_in(key, t), (2, 1, batch)) for t in range(horizon)]
    white, noise = np.array(draws)[:, :, 0].transpose(1, 2, 0)

    def loss(place, radius, phase, c):
        rho, total = at.correlation[place], 0.0
        student = np.tanh(radius / 2) * np.exp(1j * phase)
        target = np.tanh(at.target_radius[place] / 2) * np.exp(1j * at.target_phase[place])
        for b in range(batch):
            x = h = z = 0.0
            for t in range(horizon):
                x = white[b, t] if t == 0 else rho * x + np.sqrt(1 - rho**2) * white[b, t]
                h = student * h + x / np.cosh(radius / 2)
                z = target * z + x / np.cosh(at.target_radius[place] / 2)
                error = 2 * (c * h).real - 2 * z.real - deviation[place] * noise[b, t]
                total += error**2
        return total / (horizon * batch)

    step = 1e-6
    for place in range(2):
        here = (at.radius[place], at.phase[place], c[place])
        for row, column, change in (
            (0, 0, (step, 0, 0)),
            (0, 1, (0, step, 0)),
            (1, 0, (0, 0, step)),
            (1, 1, (0, 0, 1j * step)),
        ):
            ahead = loss(place, *(x + dx for x, dx in zip(here, change, strict=True)))
            behind = loss(place, *(x - dx for x, dx in zip(here, change, strict=True)))
            slope = (ahead - behind) / (2 * step)
            assert found[row][column, place] == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_the_bound_is_that_of_the_fisher_information():
    at = theory.Situations(
        *(np.array([x]) for x in (radius_of(30.0), 1.2, radius_of(30.0), 1.2, 4.0, 0.0))
    )
    horizon, c = 2000, np.ones(1, complex)
    found = moments_of.gradient_moments(at, horizon, c)
    bound = moments_of.cramer_rao(found, at.noise, 10 * horizon)
    # T ≫ memory: 8 σ² / N.
    assert bound[0] == pytest.approx(8 * 4.0 / (10 * horizon), rel=0.1)
    n = np.arange(horizon)

    def output(R, angle, c):
        mode = (np.tanh(R / 2) * np.exp(1j * angle)) ** n / np.cosh(R / 2)
        return 2 * (c * mode).real

    step, R, angle = 1e-5, float(at.radius[0]), 1.2
    slopes = [
        (output(R + step, angle, 1) - output(R - step, angle, 1)) / (2 * step),
        (output(R, angle + step, 1) - output(R, angle - step, 1)) / (2 * step * np.sinh(R)),
        output(R, angle, 1),
        output(R, angle, 1j),
    ]
    weights = 1 - n / horizon
    information = np.array([[np.sum(weights * p * q) for q in slopes] for p in slopes])
    inverse = np.linalg.inv(information)
    expected = 4.0 * found.output_power[0] / (10 * horizon) * (inverse[0, 0] + inverse[1, 1])
    assert bound[0] == pytest.approx(expected, rel=1e-6)


def test_linearised_adam_is_the_closed_law_for_long_sequences():
    at = theory.Situations(
        *(np.array([x]) for x in (radius_of(30.0), 1.2, radius_of(30.0), 1.2, 4.0, 0.0))
    )
    found = moments_of.gradient_moments(at, 2000, np.ones(1, complex))
    steps = 4000
    given = {"batch": 10, "horizon": 2000, "rate": 0.02, "readout_rate": 0.002, "steps": steps}
    error = moments_of.adam_error(found, at.noise, **given)
    assert error[0] == pytest.approx(theory.adam_error_law(4.0, 20_000, 0.02, steps), rel=0.25)


def test_both_competitors_start_as_the_same_function_and_learn():
    responses = [
        np.asarray(table.student(3, name).impulse_response(9))[:, 0, 0]
        for name in table.COMPETITORS
    ]
    values = 0.9 * np.exp(1j * np.linspace(0.2, 3, 3))
    expected = [2 * np.sum(0.05 * np.sqrt(1 - 0.81) * values**n).real for n in range(9)]
    for response in responses:
        np.testing.assert_allclose(response, expected, rtol=1e-10)
    s = dataclasses.replace(TINY, hyperbolic_rates=(1e-9, 0.3))
    s = dataclasses.replace(s, runs=2)
    cell = table.train_cell(s, (20.0, 40, 4, 400), 1, table.HYPERBOLIC, lambda share: None)
    assert (cell.losses[:, 1] < 0.05).all()
    assert (cell.losses[:, 0] > 0.05).all()
    assert cell.best == 1
    # The second stream has other minibatches; the first is that of one stream alone.
    assert cell.losses[0, 1] != cell.losses[1, 1]
    alone = dataclasses.replace(s, runs=1)
    again = table.train_cell(alone, (20.0, 40, 4, 400), 1, table.HYPERBOLIC, lambda share: None)
    np.testing.assert_array_equal(again.losses, cell.losses[:1])


def test_the_part_runs():
    finding = minibatches.run_minibatches(TINY, SilentProgress())
    assert [claim.id for claim in finding.claims] == [f"HY5{letter}" for letter in "abcdef"]
    assert len(finding.figures) == 4
    for columns in finding.tables.values():
        assert len({len(column) for column in columns.values()}) == 1
    students = finding.tables["minibatch_students"]
    assert len(students["final_distance"]) == 3 * 2 * 2 * 2 * 2
    assert np.isfinite(students["final_distance"]).all()
    # Twelve steps of at most 0.2 cannot arrive from afar.
    short = (students["steps"] == 12) & (students["distance"] > 5)
    assert np.all(students["final_distance"][short] > 1)


def journeys(averaged, reach_, distances):
    students = reach.travellers(TINY, 0)
    rows = (np.full(students.rates.size, x) for x in (averaged, reach_, 1.0, distances, 1.0))
    return measures.Journey(students, *rows)


def test_verdicts_follow_from_the_numbers():
    good, bad = journeys(100.0, 10.0, 0.1), journeys(0.01, 0.1, 5.0)
    lost, found = journeys(100.0, 10.0, 5.0), journeys(0.01, 0.1, 0.1)
    for claim in (lambda rows: claims.signal_claim(TINY, rows, [found]), claims_drift):
        assert claim([good, bad]).verdict == "holds"
        assert claim([lost, bad]).verdict == "fails"
        assert claim([good, found]).verdict == "fails"
        assert claim([good]).verdict == "fails"
    one = np.array([1.0])
    variances = measures.Variances(situations(), one, one, 1.05 * one, one)
    assert claims.variance_claim(TINY, variances).verdict == "holds"
    variances = dataclasses.replace(variances, gradient=1.2 * one)
    assert claims.variance_claim(TINY, variances).verdict == "fails"
    even = np.ones((2, 2))
    assert claims.noiseless_claim(TINY, (even, even)).verdict == "holds"
    fading = np.array([[1.0, 0.2], [1.0, 1.0]])
    assert claims.noiseless_claim(TINY, (even, fading)).verdict == "fails"


def claims_drift(rows):
    return claims.drift_claim(TINY, rows)


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [
        ([[1e-4, 2.0]], "holds"),
        ([[0.2, np.inf]], "fails"),
        ([[1e-4, 2.0], [0.02, 0.1], [1e-3, np.inf]], "holds"),
        # One stream on which it is not ten times below.
        ([[1e-4, 2.0], [0.04, 0.01], [1e-3, np.inf]], "fails"),
    ],
)
def test_the_table_compares_best_with_best_on_every_stream(ours, verdict):
    s = dataclasses.replace(TINY, runs=len(ours))
    theirs = np.array([[0.9, 0.3]] * len(ours))
    cells = [
        table.Cell(20.0, 1, table.HYPERBOLIC, (0.06, 0.2), np.array(ours)),
        table.Cell(20.0, 1, table.LRU, (1e-3, 1e-2), theirs),
    ]
    claim = learning_claims.table_claim(s, cells)
    assert claim.verdict == verdict
    assert "on every stream" in claim.expected or len(ours) == 1


@pytest.mark.parametrize(
    ("measured", "verdict"), [(0.013, "holds"), (0.02, "fails"), (0.005, "fails")]
)
def test_the_final_error_is_held_to_its_prediction(measured, verdict):
    values = (np.array([x]) for x in (measured, 0.01, 0.01, 0.005))
    errors = measures.Errors(20.0, 20, 2, *values)
    assert learning_claims.error_claim(TINY, [errors]).verdict == verdict
