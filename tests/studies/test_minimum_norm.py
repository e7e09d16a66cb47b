"""Part "minimum-norm": best fits, rests, truncation and least norms against independent ways."""

import dataclasses

import numpy as np
import pytest
import scipy.optimize

from remanence.report import SilentProgress
from remanence.studies.low_dimensional.ensembles import Job, teacher_response, train
from remanence.studies.low_dimensional.minimum_norm import MINIMUM_NORM
from remanence.studies.low_dimensional.minimum_norm_measures import (
    best_balanced_loss,
    plateaus,
    truncations,
)
from remanence.studies.low_dimensional.minimum_norm_settings import FULL, QUICK
from remanence.systems.generators import damped_rotation, signed_teacher, spread_teacher
from remanence.training import GradientDescent

TINY = dataclasses.replace(
    QUICK,
    dimension=10,
    seeds=2,
    norm_scales=(1e-2, 0.1),
    norm_steps=15_000,
    stair_steps=15_000,
    bridge_steps=8000,
    standard_seeds=6,
    orders=5,
)


@pytest.fixture(scope="module")
def finding():
    return MINIMUM_NORM.run(TINY, SilentProgress())


@pytest.mark.parametrize(("order", "published"), [(1, 0.2851238), (2, 0.0110549)])
def test_best_fits_are_those_of_a_direct_search_over_all_unknowns(order, published):
    target = teacher_response(spread_teacher(3).system, 8)
    lags = np.arange(8)[:, None]

    def residual(unknowns):
        roots, eigenvalues = np.split(unknowns, 2)
        return eigenvalues[None, :] ** lags @ roots**2 - target

    rng = np.random.default_rng(0)
    direct = min(
        2 * scipy.optimize.least_squares(residual, rng.uniform(-0.9, 0.9, 2 * order)).cost
        for _ in range(20)
    )
    ours = best_balanced_loss(target, order)
    assert ours == pytest.approx(direct, rel=1e-5)
    assert ours == pytest.approx(published, rel=1e-5)


def test_best_fits_end_at_zero_and_begin_with_nothing_learned():
    target = teacher_response(spread_teacher(2).system, 6)
    assert best_balanced_loss(target, 0) == pytest.approx(np.sum(target**2))
    assert best_balanced_loss(target, 2) < 1e-12


def test_plateaus_of_a_made_staircase():
    steps = np.unique(np.round(np.geomspace(1, 1e6, 200)).astype(int))

    def fall(middle):
        return 1 / (1 + (steps / middle) ** 8)

    losses = 0.9 * fall(1e2) + 0.09 * fall(1e3) + 0.01 * fall(1e4) + 1e-13
    found = plateaus(np.concatenate([[0], steps]), np.concatenate([[1.0], losses]))
    np.testing.assert_allclose(found, [0.1, 0.01], rtol=0.02)


@pytest.mark.parametrize(
    ("teacher", "published"),
    [
        (spread_teacher(3), 3.4597),
        (signed_teacher(np.array([0.9, -0.5]), np.array([0.6, -0.4])), 2.7327),
        (damped_rotation(0.9, 1.0), 3.62),
    ],
    ids=["spread", "signed", "rotation"],
)
def test_the_least_norm_is_that_of_a_search_over_similarities(teacher, published):
    A, B, C = (np.asarray(m) for m in (teacher.system.A, teacher.system.B, teacher.system.C))
    order = len(A)

    def norm(entries):
        T = np.eye(order) + entries.reshape(order, order)
        inverse = np.linalg.inv(T)
        return np.sum((T @ A @ inverse) ** 2) + np.sum((T @ B) ** 2) + np.sum((C @ inverse) ** 2)

    start = 0.1 * np.random.default_rng(1).normal(size=order**2)
    least = scipy.optimize.minimize(norm, start, method="BFGS").fun
    assert teacher.minimal_norm == pytest.approx(least, rel=1e-6)
    assert teacher.minimal_norm == pytest.approx(published, abs=5e-5)


def test_truncation_errors_are_those_of_the_response_and_under_the_bound():
    job = Job(spread_teacher(2).system, 8, 0.3, 8, GradientDescent(0.02), 1000, 2)
    (ensemble,) = train([job])
    cut = truncations(ensemble, 4)
    assert cut.error.shape == cut.bound.shape == (ensemble.stable.sum(), 5)
    assert (cut.error <= cut.bound + 1e-12).all()
    A, B, C = (np.asarray(m) for m in ensemble.trajectory.student(0, -1))
    response = np.array([(C @ np.linalg.matrix_power(A, j) @ B).item() for j in range(500)])
    index = np.arange(250)
    values = np.linalg.svd(response[index[:, None] + index], compute_uv=False)
    # With no state kept the error is the student's own gain, here by a Fourier transform.
    gain = np.abs(np.fft.rfft(response, 1024)).max()
    assert cut.error[0, 0] == pytest.approx(gain / values[0], rel=1e-6)
    np.testing.assert_allclose(
        cut.bound[0], [2 * values[r:].sum() / values[0] for r in range(5)], rtol=1e-6, atol=1e-9
    )


def test_claims_on_a_small_run(finding):
    claims = {claim.id: claim for claim in finding.claims}
    assert list(claims) == ["T9", "T9-staircase", "B"]
    assert claims["T9"].verdict == "holds"
    assert claims["T9-staircase"].verdict == "holds"
    assert "bound respected: yes" in claims["B"].measured
    norms = finding.tables["norms"]
    near = norms["scale"] == 1e-2
    np.testing.assert_allclose(norms["norm"][near], norms["minimal_norm"][near], rtol=0.01)


def test_figures_have_labels_and_tables_are_complete(finding):
    assert [figure.name for figure in finding.figures] == [
        "minimum-norm-staircase", "minimum-norm-norms", "minimum-norm-bridge"
    ]  # fmt: skip
    for named in finding.figures:
        assert named.caption
        assert named.figure.legends
        for axes in named.figure.axes:
            assert axes.get_ylabel()
        assert named.figure.axes[-1].get_xlabel()
    for table in finding.tables.values():
        assert len({len(column) for column in table.values()}) == 1


def test_full_settings_have_five_seeds():
    assert FULL.seeds >= 5
    assert MINIMUM_NORM.presets == {"quick": QUICK, "full": FULL}
