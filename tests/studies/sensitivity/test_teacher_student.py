"""Teachers, students, grids of runs, and the two parts that are made of them."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from remanence.layers import LRU, DiagonalRNN, LearnedSquareRoot, Polar
from remanence.report import SilentProgress
from remanence.studies.sensitivity import (
    architectures,
    architectures_claims,
    architectures_measures,
    rates,
    rates_claims,
    rates_measures,
    students,
)
from remanence.studies.sensitivity.runs import Grid, Job, run_job, run_jobs
from remanence.studies.sensitivity.students import STUDENTS, Student, blocks
from remanence.studies.sensitivity.teachers import (
    loss_of_response,
    missing_response,
    modal_residues,
    on_ring,
    published_teacher,
    ring_teacher,
)

TINY = Student("tiny", blocks(2, 4), (1e-3, 1e-2), "map")


def loss_by_sums(student, teacher, horizon):
    own = np.asarray(student.system().impulse_response(horizon), float)[:, 0, 0]
    truth = np.asarray(teacher.impulse_response(horizon))[:, 0, 0]
    return sum(0.5 * (1 - n / horizon) * (own[n] - truth[n]) ** 2 for n in range(horizon))


def test_the_published_teacher_has_its_two_real_modes_and_their_cost():
    teacher = published_teacher(0.99)
    eigenvalues, weights = modal_residues(teacher)
    real = np.abs(eigenvalues.imag) < 1e-9
    order = np.argsort(eigenvalues[real].real)
    np.testing.assert_allclose(eigenvalues[real].real[order], [-0.9968, -0.9924], atol=5e-5)
    np.testing.assert_allclose(weights[real].real[order], [0.251, -0.214], atol=5e-4)
    missing = missing_response(eigenvalues[real], weights[real], 300)
    assert loss_of_response(missing) == pytest.approx(0.418, abs=5e-4)
    lags = np.arange(300)
    assert loss_of_response(missing) == pytest.approx(
        sum(0.5 * (300 - n) / 300 * missing[n] ** 2 for n in lags), rel=1e-13
    )
    response = np.asarray(teacher.impulse_response(300))[:, 0, 0] - np.where(
        lags == 0, teacher.D[0, 0], 0
    )
    np.testing.assert_allclose(missing_response(eigenvalues, weights, 300), response, atol=1e-9)


def test_eigenvalues_are_moved_onto_the_ring_and_their_angles_shrunk(rng):
    matrix = rng.normal(size=(3, 6, 6))
    before, after = np.linalg.eigvals(matrix), np.linalg.eigvals(on_ring(matrix, 0.9, np.pi))
    for old, new in zip(before, after, strict=True):
        expected = (0.9 + 0.1 * np.tanh(np.abs(old))) * np.exp(1j * np.angle(old))
        np.testing.assert_allclose(np.sort_complex(new), np.sort_complex(expected), atol=1e-9)
    narrow = np.linalg.eigvals(ring_teacher(jax.random.key(3), 0.9, 0.1).A)
    assert np.abs(np.angle(narrow)).max() <= 0.1 + 1e-9


@pytest.mark.parametrize("name", list(STUDENTS))
def test_students_start_as_published(name):
    models = STUDENTS[name].start(0, 3, 0.9, 3.14)
    if isinstance(models, LRU | DiagonalRNN):
        eigenvalues = np.asarray(models.eigenvalues())
        assert eigenvalues.shape == (3, 64)
        assert np.abs(eigenvalues).min() >= 0.9 - 1e-6
        assert np.abs(eigenvalues).max() < 1
        assert np.angle(eigenvalues).min() < -2
        assert np.angle(eigenvalues).max() > 2
        assert np.var(models.B.real) == pytest.approx(1 / 64, rel=0.4)
        assert np.var(models.C.imag) == pytest.approx(1, rel=0.4)
        gamma = np.asarray(models.normalisation(models.eigenvalues))
        learned = isinstance(models.normalisation, LearnedSquareRoot)
        expected = np.sqrt(1 - np.abs(eigenvalues) ** 2) if learned else np.ones((3, 64))
        np.testing.assert_allclose(gamma, expected, rtol=1e-3)
        assert learned == (name in {"LRU", "complex diagonal, γ"})
        assert isinstance(models.eigenvalues, Polar) == (name == "LRU")
    else:
        blocks_, size = models.A.shape[1:3]
        assert (blocks_ * size) == (128 if "128" in name else 64)
        assert np.abs(np.linalg.eigvals(models.A)).max() < 1
        assert np.var(models.B) == pytest.approx(1, rel=0.4)
        assert np.var(models.C) == pytest.approx(1 / (blocks_ * size), rel=0.4)
    assert {leaf.dtype for leaf in jax.tree.leaves(models)} == {jnp.dtype(jnp.float32)}


@pytest.mark.parametrize("batch", [None, 3])
def test_a_grid_holds_the_losses_of_its_students(batch):
    teachers = tuple(ring_teacher(jax.random.key(i), 0.3) for i in range(2))
    heard = []
    job = Job(TINY, teachers, 0.3, (1e-3, 1e-2), 2, 20, batch)
    grid = run_job(job, heard.append)
    assert grid.losses.shape == (2, 2)
    assert grid.best == np.argmin(np.median(grid.losses, axis=1))
    for start in range(2):
        student, state = grid.trained(start)
        expected = loss_by_sums(student, teachers[start], 300)
        assert grid.best_losses[start] == pytest.approx(expected, rel=1e-4)
        assert jax.tree.leaves(state)[0].shape == ()
    assert heard == sorted(heard)
    assert heard[-1] == pytest.approx(1.0)


def test_jobs_come_back_in_their_order():
    teacher = ring_teacher(jax.random.key(0), 0.3)
    short = Job(TINY, (teacher,), 0.3, (1e-3, 1e-2), 2, 20)
    long = dataclasses.replace(short, rates=(1e-2, 1e-1, 1e-3, 1e-4))
    grids = run_jobs([short, long], lambda share, what: None)
    assert [grid.job for grid in grids] == [short, long]


def grid_of(losses, job_rates=(1e-3,), teachers=(), least=0.99):
    losses = np.atleast_2d(np.asarray(losses, float))
    job = Job(TINY, teachers, least, tuple(job_rates), losses.shape[1], 10)
    return Grid(job, losses, None)


def found_architectures(**changes):
    """Losses like the published ones."""
    losses = {
        "dense RNN": [0.42, 0.43],
        "32 blocks": [2e-5, 1e-5],
        "64 blocks, 128 states": [2e-5, 1e-5],
        "complex diagonal": [4e-5, 4e-5],
        "complex diagonal, γ": [2e-5, 2e-5],
        "LRU": [2e-5, 3e-5],
    } | changes
    ablation = {name: grid_of(values) for name, values in losses.items()}
    pattern = architectures_measures.Pattern(
        np.array([-0.9]), np.ones(300), np.array([[1.001], [1.1]]) * np.ones((1, 300)), 0.418
    )
    return architectures_measures.Architectures(
        sweep={
            "dense RNN": [grid_of([1e-8]), ablation["dense RNN"]],
            "LRU": [grid_of([5e-8]), ablation["LRU"]],
        },
        ablation=ablation,
        ensemble={name: ablation[name] for name in architectures_measures.ENSEMBLE},
        pattern=pattern,
    )


SMALL = architectures.ArchitectureSettings(
    levels=(0.36, 0.99),
    steps=10,
    batch=None,
    starts=2,
    search_starts=2,
    teachers=2,
    ensemble_steps=10,
    every_rate=False,
)


@pytest.mark.parametrize(
    ("changes", "failing"),
    [
        ({}, set()),
        ({"dense RNN": [0.3, 0.31]}, {"S7b"}),
        ({"dense RNN": [1e-4, 1e-4]}, {"S7a", "S7b", "S7e"}),
        ({"complex diagonal": [3e-4, 3e-4]}, {"S7d"}),
        ({"32 blocks": [0.1, 0.1]}, {"S7d", "S7e"}),
        ({"LRU": [np.inf, np.inf]}, {"S7a", "S7d"}),
    ],
)
def test_verdicts_follow_the_losses(changes, failing):
    found = found_architectures(**changes)
    claims = architectures_claims.architecture_claims(SMALL, found)
    assert {claim.id for claim in claims if claim.verdict == "fails"} == failing


def test_shares_are_what_is_left_of_the_loss():
    shares = found_architectures().pattern.shares
    np.testing.assert_allclose(shares, [(1e-3 / 1.001) ** 2, (0.1 / 1.1) ** 2], rtol=1e-12)


def test_the_architecture_part_on_one_small_student(monkeypatch):
    # One program for all six: what is tested is how their losses become tables and figures.
    small = {
        name: Student(name, TINY.start, student.rates, "vmap")
        for name, student in STUDENTS.items()
    }
    monkeypatch.setattr(architectures_measures, "STUDENTS", small)
    monkeypatch.setattr(architectures_measures, "FEW_RATES", dict.fromkeys(STUDENTS, (1e-3, 1e-2)))
    finding = architectures.ARCHITECTURES.run(SMALL, SilentProgress())
    assert [claim.id for claim in finding.claims] == ["S7a", "S7b", "S7c", "S7d", "S7e"]
    table = finding.tables["published_teacher"]
    assert len({len(column) for column in table.values()}) == 1
    assert set(table["student"]) == set(STUDENTS)
    assert np.isfinite(finding.tables["other_teachers"]["loss"]).all()
    assert len(finding.figures) == 3


def test_effective_rates_by_group_are_those_of_the_moments(monkeypatch):
    monkeypatch.setattr(students, "STATE", 8)
    job = Job(
        STUDENTS["LRU"],
        (ring_teacher(jax.random.key(0), 0.3),),
        0.3,
        (2e-3,),
        1,
        15,
        decay_steps=np.inf,
    )
    grid = run_job(job, lambda share: None)
    groups = {group.group: group for group in rates_measures.group_rates(grid)}
    assert list(groups) == ["ω_ν", "ω_θ", "log γ", "B", "C"]
    adam = grid.trained(0)[1][0]
    second = np.asarray(adam.nu.eigenvalues.phase_parameter, float)
    first = np.asarray(adam.mu.eigenvalues.phase_parameter, float)
    clean = 2e-3 / (np.sqrt(second / (1 - 0.999**15)) + 1e-8)
    np.testing.assert_allclose(groups["ω_θ"].clean, clean, rtol=1e-4)
    following = (0.9 * first + 0.1) / (1 - 0.9**16)
    scale = np.sqrt((0.999 * second + 0.001) / (1 - 0.999**16)) + 1e-8
    np.testing.assert_allclose(groups["ω_θ"].probe, 2e-3 * following / scale, rtol=1e-4)
    assert groups["B"].clean.shape == (16,)


def test_verdicts_on_rates_follow_the_numbers(monkeypatch):
    settings = dataclasses.replace(rates.QUICK, heads=(1, 8, 32), phases=(0.1, 3.14))
    groups = ("A", "B", "C")

    def found(dense=1e-5, theta=1e-5, eight=0.1, slow=1e-6, lru=1e-6):
        group = rates_measures.GroupRates
        ones = np.ones(5)
        return rates_measures.Rates(
            groups=[
                *(group("dense RNN", name, dense * ones, dense * ones) for name in groups),
                *(
                    group("complex diagonal", n, 3e-3 * ones, 3e-3 * ones)
                    for n in ("Re λ", "Im λ")
                ),
                group("LRU", "ω_ν", ones, 3.1e-3 * ones),
                group("LRU", "ω_θ", ones, theta * ones),
            ],
            probed_losses={"dense RNN": 0.4, "complex diagonal": 1e-4, "LRU": 1e-4},
            heads={1: grid_of([0.5]), 8: grid_of([eight]), 32: grid_of([1e-5])},
            head_rates={1: slow * ones, 8: 1e-5 * ones, 32: 1e-3 * ones},
            angles={
                "dense RNN": [grid_of([0.1]), grid_of([0.4])],
                "complex diagonal": [grid_of([1e-5]), grid_of([1e-5])],
                "LRU": [grid_of([lru]), grid_of([1e-5])],
            },
        )

    def failing(**changes):
        claims = rates_claims.rate_claims(settings, found(**changes))
        return {claim.id for claim in claims if claim.verdict == "fails"}

    assert failing() == set()
    assert failing(dense=1e-4) == {"S6a", "S6b"}
    assert failing(theta=1e-3) == {"S6c"}
    assert failing(eight=1e-3) == {"S8a"}
    assert failing(eight=0.9) == {"S8b"}
    assert failing(slow=1e-4) == {"S8c"}
    assert failing(lru=1e-4) == {"S10i"}
    monkeypatch.setattr(rates, "measure_rates", lambda settings, on_progress: found())
    finding = rates.RATES.run(settings, SilentProgress())
    assert len(finding.figures) == 3
    assert len(finding.tables["effective_learning_rates"]["probe"]) == 35
    assert finding.tables["heads_and_angles"]["loss"].shape == (9,)
