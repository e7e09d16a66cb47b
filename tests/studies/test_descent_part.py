"""Part "descent": its measures against NumPy, its claims on a run smaller than the quick one."""

import dataclasses
import threading

import jax.numpy as jnp
import numpy as np
import pytest

from remanence.errors import NumericalError
from remanence.report import SilentProgress
from remanence.studies.low_dimensional.descent import DESCENT
from remanence.studies.low_dimensional.descent_settings import FULL, QUICK
from remanence.studies.low_dimensional.ensembles import (
    FirstLagsLoss,
    Job,
    extrapolation_error,
    impulse_responses,
    teacher_response,
    train,
)
from remanence.systems.generators import delay_teacher, spread_teacher
from remanence.training import (
    Adam,
    GradientDescent,
    Parameters,
    WhiteLoss,
    descend,
    near_zero_ensemble,
)

TINY = dataclasses.replace(
    QUICK,
    order=2,
    dimension=10,
    lengths=(3, 4, 6),
    seeds=2,
    steps=5000,
    widths=(4, 10),
    width_length=5,
    width_steps=5000,
    scales=(1e-3, 1e-2, 0.1, 1.0),
    scale_lengths=(5, 7),
    scale_steps=4000,
    standard_seeds=4,
    delay_order=2,
    delay_dimension=8,
    delay_lengths=(3, 4, 6),
    delay_steps=3000,
    norm_scales=(0.1, 0.2),
    norm_dimension=8,
    norm_length=6,
    norm_steps=4000,
)


def by_powers(parameters, seed, length):
    A, B, C = (np.asarray(leaf[seed]) for leaf in parameters)
    return np.array([(C @ np.linalg.matrix_power(A, j) @ B).item() for j in range(length)])


@pytest.fixture(scope="module")
def finding():
    return DESCENT.run(TINY, SilentProgress())


def test_responses_are_those_of_matrix_powers():
    students = near_zero_ensemble(7, 1, 1, scale=0.9, seed=3, seeds=3)
    responses = impulse_responses(students, 12)
    for seed in range(3):
        np.testing.assert_allclose(responses[seed], by_powers(students, seed, 12), rtol=1e-12)
    eigenvalues, weights = np.linspace(0.92, -0.78, 3), np.linspace(1.2, 0.8, 3) / 3
    np.testing.assert_allclose(
        teacher_response(spread_teacher(3).system, 9),
        [np.sum(weights * eigenvalues**j) for j in range(9)],
        rtol=1e-12,
    )
    assert teacher_response(delay_teacher(4).system, 6).tolist() == [0, 0, 0, 1, 0, 0]


def test_extrapolation_error_is_the_brute_force_one(rng):
    responses, target, length = rng.normal(size=(3, 30)), rng.normal(size=30), 11
    scale = max(abs(value) for value in target)
    brute = [max(abs(row[j] - target[j]) / scale for j in range(length, 30)) for row in responses]
    np.testing.assert_allclose(extrapolation_error(responses, target, length), brute, rtol=1e-15)


def test_the_padded_loss_is_the_white_loss_of_the_first_lags(rng):
    target = jnp.asarray(rng.normal(size=(8, 1, 1)))
    students = near_zero_ensemble(6, 1, 1, scale=0.8, seed=0, seeds=1)
    one = Parameters(*(leaf[0] for leaf in students))
    padded = FirstLagsLoss(target, jnp.asarray((np.arange(8) < 5).astype(np.float64)))
    value, gradient = padded.value_and_gradient(one)
    expected, reference = WhiteLoss(target[:5]).value_and_gradient(one)
    np.testing.assert_allclose(value, expected, rtol=1e-13)
    for ours, theirs in zip(gradient, reference, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-13)


def test_an_ensemble_is_what_the_engine_gives_and_its_measures_are_numpys():
    system = spread_teacher(2).system
    rule = GradientDescent(0.02)
    job = Job(system, 5, 0.3, 9, rule, 300, 3, tolerance=0.0, seed=4)
    heard = []
    (ensemble,) = train([job], on_progress=heard.append)
    alone = descend(
        WhiteLoss(jnp.asarray(teacher_response(system, 5)[:, None, None])),
        near_zero_ensemble(9, 1, 1, scale=0.3, seed=4, seeds=3),
        rule,
        steps=300,
    )
    np.testing.assert_allclose(ensemble.loss, alone.losses[:, -1], rtol=1e-9)
    truth = teacher_response(system, 45)
    for seed in range(3):
        A, B, C = (np.asarray(leaf[seed]) for leaf in alone.final)
        error = np.abs(by_powers(alone.final, seed, 45) - truth)[5:].max() / np.abs(truth).max()
        assert ensemble.extrapolation[seed] == pytest.approx(error, rel=1e-8)
        assert ensemble.norm[seed] == pytest.approx(np.sum(A**2) + np.sum(B**2) + np.sum(C**2))
        assert ensemble.spectral_radius[seed] == pytest.approx(np.abs(np.linalg.eigvals(A)).max())
        ratio = np.linalg.norm(B - C.T) / np.linalg.norm(B + C.T)
        assert ensemble.imbalance[seed] == pytest.approx(ratio)
        # The infinite Hankel matrix, long enough that what is left out is below rounding.
        lags = by_powers(alone.final, seed, 399)
        index = np.arange(200)
        values = np.linalg.svd(lags[index[:, None] + index], compute_uv=False)
        shares = values[values > 1e-14] / values.sum()
        assert ensemble.rank[seed] == pytest.approx(np.exp(-np.sum(shares * np.log(shares))))
    assert heard == sorted(heard)
    assert heard[-1] == pytest.approx(1.0)


def test_an_unstable_student_has_the_rank_of_its_trained_lags():
    job = Job(delay_teacher(3).system, 4, 3.0, 6, Adam(1e-4), 1, 1)
    (ensemble,) = train([job])
    assert not ensemble.stable[0]
    lags = by_powers(ensemble.trajectory.final, 0, 7)
    values = np.linalg.svd([lags[i : i + 4] for i in range(4)], compute_uv=False)
    shares = values / values.sum()
    assert ensemble.rank[0] == pytest.approx(np.exp(-np.sum(shares * np.log(shares))))


def test_divergence_and_interrupts_end_every_thread():
    system = spread_teacher(2).system
    wild = Job(system, 5, 1.0, 5, GradientDescent(50.0), 2000, 1)
    with pytest.raises(NumericalError, match="diverged"):
        train([wild])
    calm = Job(system, 5, 0.1, 5, GradientDescent(1e-3), 10**7, 1, tolerance=0.0)

    def interrupt(_):
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        train([calm, calm, calm], on_progress=interrupt)
    assert threading.active_count() == before


def test_the_threshold_and_the_scale_are_seen_on_a_small_run(finding):
    claims = {claim.id: claim for claim in finding.claims}
    assert list(claims) == [
        "T6", "T6-width", "T7", "T7-balance", "T8", "T8-scale", "T8-norm"
    ]  # fmt: skip
    table = finding.tables["lengths"]
    error = {
        k: np.median(table["extrapolation_error"][table["length"] == k]) for k in TINY.lengths
    }
    assert error[3] > 1e-2
    assert error[4] < 1e-3
    assert error[6] < 1e-3
    scales = finding.tables["scales"]
    for claim in claims.values():
        assert claim.expected
        assert claim.measured
        assert "nan" not in claim.measured
    near = scales["imbalance"][scales["scale"] == 1e-3].max()
    assert near < 0.1 * scales["imbalance"][scales["scale"] == 1.0].min()
    assert claims["T6"].verdict == "holds"
    assert claims["T7-balance"].verdict == "holds"


def test_tables_and_figures_are_complete(finding):
    assert [figure.name for figure in finding.figures] == [
        "descent-length", "descent-scale", "descent-delay"
    ]  # fmt: skip
    for table in finding.tables.values():
        assert len({len(column) for column in table.values()}) == 1
        assert np.isfinite(table["loss"]).all()
    for named in finding.figures:
        assert named.caption
        for axes in named.figure.axes:
            assert axes.get_ylabel()
        assert any(axes.get_xlabel() for axes in named.figure.axes)
        assert named.figure.legends


def test_full_settings_reach_four_orders_with_five_seeds():
    assert FULL.seeds >= 5
    assert max(FULL.lengths) == 4 * FULL.order
    assert max(FULL.delay_lengths) == 4 * FULL.delay_order
    assert DESCENT.presets == {"quick": QUICK, "full": FULL}
