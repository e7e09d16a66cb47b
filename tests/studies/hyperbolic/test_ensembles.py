"""Teachers, starts and the grid search of the ensembles, and the claims on made-up numbers."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from remanence.layers.lru import DiagonalRNN
from remanence.layers.parametrisations import Discretised, ReIm
from remanence.report import SilentProgress
from remanence.studies.hyperbolic import ensembles_students, ensembles_training
from remanence.studies.hyperbolic.ensembles import run_ensembles
from remanence.studies.hyperbolic.ensembles_batches import Grid
from remanence.studies.hyperbolic.ensembles_claims import ensemble_claims
from remanence.studies.hyperbolic.ensembles_optimisers import inside_the_circle, scheduled
from remanence.studies.hyperbolic.ensembles_settings import (
    FIXED,
    FULL,
    QUICK,
    RING,
    SHORT,
    STARTS,
    BatchSettings,
    DenseSettings,
    EnsembleSettings,
)
from remanence.studies.hyperbolic.ensembles_students import (
    COMPETITORS,
    DENSE,
    EXP,
    HYPERBOLIC,
    LRU,
    S5,
    Competitor,
    dense_students,
    random_teachers,
    starts_of,
    students,
)
from remanence.studies.hyperbolic.ensembles_training import (
    Run,
    Trained,
    ladder,
    relative,
    train_competitor,
)

TINY = dataclasses.replace(
    QUICK, levels=(0.9,), teachers=2, searched=2, modes=4, steps=30, chunk=6
)


def test_teachers_have_the_output_power_one_and_lie_on_their_ring():
    """Against a brute-force sum of squares of the impulse response."""
    for level, teachers in zip((0.9, 0.99), random_teachers(_two_levels()), strict=True):
        for one in teachers:
            response = np.zeros(12_000)
            n = np.arange(response.size)
            poles, residues = np.asarray(one.eigenvalues), np.asarray(one.C)[0]
            for pole, residue in zip(poles, residues, strict=True):
                response += (residue * pole**n).real
            response[0] += float(one.D[0, 0])
            assert np.sum(response**2) == pytest.approx(1.0, rel=1e-9)
            assert np.abs(poles).min() > level - 1e-3
            assert np.abs(poles).max() < 1


def _two_levels() -> EnsembleSettings:
    return dataclasses.replace(TINY, levels=(0.9, 0.99))


def test_every_competitor_starts_from_the_same_function():
    """Against the sum over modes in NumPy."""
    start = starts_of(TINY, [(0.9, RING, 0), (0.9, SHORT, 1)])
    n = np.arange(50)
    powers = start.eigenvalues[:, :, None] ** n
    expected = np.einsum("mi,min->mn", start.b * start.c, powers).real
    expected[:, 0] += start.D
    assert np.abs(start.eigenvalues[0]).min() > 0.9
    assert np.abs(start.eigenvalues[1]) == pytest.approx(0.9)
    made = [students(one, start) for one in COMPETITORS] + [dense_students(TINY, start)]
    responses = jax.jit(
        lambda all_of_them: [
            jax.vmap(lambda one: one.impulse_response(50))(m) for m in all_of_them
        ]
    )(made)
    for got in responses:
        assert np.asarray(got)[:, :, 0, 0] == pytest.approx(expected, abs=1e-12)


def test_both_rates_fall_as_half_a_cosine_and_belong_to_their_roles():
    """Adam's first step is as long as its rate; a chart of eigenvalues moves by the other one."""
    model = students(COMPETITORS[0], starts_of(TINY, [(0.9, RING, 0)]))
    single = jax.tree.map(lambda leaf: leaf[0], model)
    optimiser = scheduled([(0.5, 0.25), (0.02, 0.003)], 10)(jnp.asarray(1.0))
    ones = jax.tree.map(jnp.ones_like, single)
    with jax.numpy_dtype_promotion("standard"):
        state = optimiser.init(single)
        sizes = []
        advance = jax.jit(lambda state: optimiser.update(ones, state, single))
        for _ in range(11):
            step, state = advance(state)
            sizes.append((step.eigenvalues.magnitude_parameter[0], step.B.real[0, 0]))
    falling = (1 + np.cos(np.pi * np.arange(11) / 10)) / 2
    # Optax holds β^t in float32.
    assert np.abs(np.array(sizes)) == pytest.approx(
        falling[:, None] * np.array([0.02, 0.003]), rel=1e-5, abs=1e-12
    )


@pytest.mark.parametrize("name", [S5, "re/im, no γ"])
def test_parametrisations_without_a_bound_are_kept_inside(name: str):
    """A step far outside ends at the bound, with its phase; a short step is untouched."""
    one = next(competitor for competitor in COMPETITORS if competitor.name == name)
    model = students(one, starts_of(TINY, [(0.9, RING, 0)]))
    single: DiagonalRNN = jax.tree.map(lambda leaf: leaf[0], model)
    guard = inside_the_circle()
    for size, kept in ((1e-6, True), (3.0, False)):
        updates = jax.tree.map(lambda leaf, size=size: jnp.full_like(leaf, size), single)
        moved, _ = guard.update(updates, guard.init(single), single)
        after = jax.tree.map(lambda p, u: p + u, single, moved)
        magnitude = np.exp(np.asarray(after.eigenvalues.log_magnitude()))
        assert (magnitude < 1).all()
        plain = jax.tree.map(lambda p, u: p + u, single, updates).eigenvalues
        if kept:
            for got, asked in zip(*map(jax.tree.leaves, (moved, updates)), strict=True):
                assert np.asarray(got) == pytest.approx(np.asarray(asked), abs=1e-15)
        elif isinstance(plain, ReIm):
            outside = np.asarray(plain())
            assert (np.abs(outside) > 1).all()
            assert magnitude == pytest.approx(1 - 1e-7, abs=1e-12)
            assert np.asarray(after.eigenvalues.phase()) == pytest.approx(np.angle(outside))
        else:
            assert isinstance(plain, Discretised)
            assert 1 - magnitude == pytest.approx(1e-7, rel=1e-6)


def test_what_is_no_loss_counts_as_diverged():
    losses = np.array([0.3, np.nan, -0.1, -1e-15, np.inf])
    assert relative(losses).tolist() == [0.3, math.inf, math.inf, 1e-12, math.inf]


def test_a_grid_grows_where_its_best_is_at_an_end(monkeypatch: pytest.MonkeyPatch):
    """On a made-up landscape whose best rates are known: no training."""
    s = dataclasses.replace(
        FULL, levels=(0.9, 0.99), starts=(RING,), teachers=3, searched=2, chunk=7
    )
    readout = {0.9: 1e-2, 0.99: 0.09}
    one = Competitor("made up", COMPETITORS[0].make, (1e-3, 1e-2, 0.1), (1e-2,))
    optimum = {0.9: 1.0, 0.99: 1e-2}
    seen: list[Run] = []

    def landscape(_: object, runs: list[Run]) -> list[float]:
        seen.extend(runs)
        return [
            10
            ** (
                abs(math.log10(r.rate / optimum[r.level]))
                + abs(math.log10(r.readout / readout[r.level]))
            )
            for r in runs
        ]

    monkeypatch.setattr(ensembles_training._Trainer, "__call__", landscape)
    found = train_competitor(s, one, lambda share: None)
    assert ladder(s, one.rates) == (1e-4, 3e-4, 1e-3, 1e-2, 0.1, 0.3, 1.0)
    reads = s.readouts
    assert ladder(s, reads) == (3e-4, 9e-4, *reads, 0.09, 0.3)
    assert found.grids[0.9, RING] == ((1e-3, 1e-2, 0.1, 0.3, 1.0), reads)
    assert found.grids[0.99, RING] == (one.rates, (*reads, 0.09, 0.3))
    assert found.best == {(0.9, RING): (1.0, 1e-2), (0.99, RING): (1e-2, 0.09)}
    # Of what both grids have: 0.1 and 0.03 lose factors 10 and 3 in both cells, others more.
    assert found.single == (0.1, 3e-2)
    # Both grids, two more rates of each, and the third teacher at the best.
    assert len(seen) == len(set(seen)) == 2 * 3 * 3 * 2 + 2 * (2 * 3 * 2) + 2
    assert found.tuned((0.9, RING), 3).shape == (3,)


def test_the_part_runs_and_trains(monkeypatch: pytest.MonkeyPatch):
    """On the exact loss, on minibatches and densely: every run is told, and losses fall."""
    monkeypatch.setattr(ensembles_students, "QUICK_COMPETITORS", (LRU, HYPERBOLIC))
    few = dataclasses.replace(
        TINY,
        steps=80,
        batches=BatchSettings(
            levels=(0.9,),
            horizons=(40,),
            steps=(80,),
            size=8,
            teachers=(2,),
            plain_rates=(3e-2,),
            hyperbolic_rates=(0.06, 0.2),
        ),
        dense=DenseSettings(level=0.9, horizon=40, teachers=1, rates=(3e-3,), readouts=(3e-2,)),
    )
    finding = run_ensembles(few, SilentProgress())
    assert [claim.id for claim in finding.claims] == ["HY6a", "HY6b", "HY6c"]
    runs = finding.tables["ensemble_runs"]
    assert set(runs["competitor"]) == {LRU, HYPERBOLIC}
    assert runs["loss"].size == 2 * 3 * few.teachers
    best = finding.tables["ensembles"]
    untrained = np.median([_loss_at_start(few, teacher) for teacher in range(2)])
    assert (best["median"] < untrained / 2).all()
    # Less than silence loses.
    assert (best["median"][best["competitor"] == HYPERBOLIC] < 1).all()
    assert (best["lower_quartile"] <= best["median"]).all()
    outside = finding.tables["ensembles_outside"]
    assert outside["student"].tolist() == [LRU, HYPERBOLIC, HYPERBOLIC, DENSE]
    assert (outside["median"] < 1).all()
    assert len(finding.figures) == 3


def _loss_at_start(s: EnsembleSettings, teacher: int) -> float:
    """The sum of squares of the difference of impulse responses, memories of at most 100."""
    start = starts_of(s, [(0.9, RING, teacher)])
    own = (start.b * start.c)[0] @ start.eigenvalues[0][:, None] ** np.arange(2000)
    response = np.asarray(random_teachers(s)[0][teacher].impulse_response(2000))[:, 0, 0]
    error = own.real - response
    error[0] += start.D[0]
    return float(np.sum(error**2))


def test_verdicts_follow_from_the_numbers():
    """Made-up losses on both sides of every criterion."""
    s = dataclasses.replace(FULL, levels=(0.9, 0.99), starts=STARTS, teachers=3, searched=3)
    cells = ensembles_training.cells_of(s)

    def made(name: str, tuned: float, elsewhere: float) -> Trained:
        best = dict.fromkeys(cells, (0.2, 1e-2))
        losses = {Run(*c, k, 0.2, 1e-2): tuned for c in cells for k in range(3)}
        losses |= {Run(*c, k, *FIXED): elsewhere for c in cells for k in range(3)}
        grids = dict.fromkeys(cells, ((0.06, 0.2, 0.6), (3e-3, 1e-2)))
        fixed = FIXED if name == HYPERBOLIC else None
        return Trained(name, losses, grids, best, FIXED, fixed)

    def verdicts(*all_of_them: Trained) -> list[str]:
        return [claim.verdict for claim in ensemble_claims(s, all_of_them, [])]

    lru, other = made(LRU, 1e-3, 2e-2), made(EXP, 1e-3, 1.0)
    good = made(HYPERBOLIC, 1e-4, 5e-4)
    assert verdicts(lru, other, good) == ["holds", "holds", "holds"]
    assert verdicts(lru, made(EXP, 1.5e-4, 1.0), good)[0] == "fails"
    assert verdicts(lru, other, made(HYPERBOLIC, 1e-4, 2e-3))[1] == "fails"
    assert verdicts(made(LRU, 1e-3, 5e-3), other, good)[1] == "fails"
    assert verdicts(lru, other, made(HYPERBOLIC, 0.6, 0.6))[2] == "fails"
    grid = Grid(DENSE, (0.9, RING), {FIXED: np.array([0.7, 0.2, np.inf])})
    note = ensemble_claims(s, [lru, other, good], [grid])[0].note
    # The rates of .2 and .01: in the middle, and at an end.
    assert "best rate is an end" not in note
    assert f"The best rate of B, C and D is an end of the grid for {LRU} (ν₀ = 0.9" in note
    assert "dense RNN ν₀ = 0.9 on the ring: median 0.7 over 3 teachers" in note
    assert "2 failed" in note
