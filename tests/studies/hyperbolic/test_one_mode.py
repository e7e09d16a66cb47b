import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from remanence.layers.normalisations import SquareRoot
from remanence.report import SilentProgress
from remanence.studies.hyperbolic import one_mode
from remanence.studies.hyperbolic import one_mode_claims as claims
from remanence.studies.hyperbolic import one_mode_measures as measures
from remanence.studies.hyperbolic import one_mode_steps as steps
from remanence.studies.hyperbolic import one_mode_students as students
from remanence.studies.hyperbolic.one_mode_settings import QUICK
from remanence.training.hyperbolic import hyperbolic_adam

TINY = dataclasses.replace(
    QUICK,
    memories=(30.0, 300.0),
    ablated_memories=(30.0, 300.0),
    targets=2,
    budget=400,
    rates=(0.1, 0.2),
    competitor_rates=(1e-2, 0.1),
)
EVERYBODY = (students.HYPERBOLIC, *students.COMPETITORS, *students.ABLATIONS)
START = 0.99 * np.exp(0.25j * np.pi)


def lane(tree):
    return jax.tree.map(lambda leaf: leaf[0], tree)


def mode_of(student, readout):
    poles = student.start(np.array([START]))
    return lane(students.Mode(poles, student.normalisation(poles), jnp.asarray([readout])))


@pytest.mark.parametrize("student", EVERYBODY, ids=lambda one: one.name)
def test_everybody_starts_from_the_same_function(student):
    mode = mode_of(student, [0.1, 0.2])
    poles = mode.eigenvalues
    got = np.exp(float(poles.log_magnitude()) + 1j * float(poles.phase()))
    assert got == pytest.approx(START, rel=1e-12)
    gamma = float(mode.normalisation(mode.eigenvalues))
    assert gamma == pytest.approx(np.sqrt(1 - 0.99**2), rel=1e-12)


def test_the_joint_loss_is_a_sum_of_squares():
    mode = mode_of(students.COMPETITORS[0], [0.4, -0.3])
    target = 0.95 * np.exp(1.1j)
    j = np.arange(6000)
    student = (0.4 - 0.3j) * np.sqrt(1 - 0.99**2) * START**j
    expected = np.sum(np.abs(student - np.sqrt(1 - 0.95**2) * target**j) ** 2)
    point = (jnp.asarray(2 * np.arctanh(0.95)), jnp.asarray(1.1))
    assert float(students.joint_loss(mode, point)[0]) == pytest.approx(expected, rel=1e-11)


def test_the_log_loss_solves_for_the_readout():
    (student,) = (one for one in students.ABLATIONS if one.name == students.LOG_DESCENT)
    point = (jnp.asarray(3.0), jnp.asarray(1.1))
    target = np.tanh(1.5) * np.exp(1.1j)
    overlap = np.sqrt((1 - abs(target) ** 2) * (1 - abs(START) ** 2)) / (1 - START * target.conj())
    loss, share = students.log_share_loss(mode_of(student, [0.0, 0.0]), point)
    assert float(loss) == pytest.approx(-np.log(abs(overlap) ** 2), rel=1e-12)
    assert float(share) == pytest.approx(1 - abs(overlap) ** 2, rel=1e-12)
    # The least of the joint loss over readouts, which is conj(o).
    best = mode_of(student, [overlap.real, -overlap.imag])
    assert float(students.joint_loss(best, point)[0]) == pytest.approx(float(share), rel=1e-9)


def test_nothing_but_the_transient_of_the_readout_passes_through_gamma():
    mode = mode_of(students.HYPERBOLIC, [0.0, 0.0])
    target = (jnp.asarray(6.0), jnp.asarray(1.0))

    def slopes(c, differentiated):
        given = students.Mode(
            mode.eigenvalues, SquareRoot(differentiated), jnp.asarray([c.real, c.imag])
        )
        found = jax.grad(students.joint_loss, has_aux=True)(given, target)[0]
        return np.asarray(found.eigenvalues.points)

    mu = np.tanh(3.0) * np.exp(1j)
    o = np.sqrt((1 - abs(START) ** 2) * (1 - abs(mu) ** 2)) / (1 - START * mu.conj())
    c = np.conj(o)
    np.testing.assert_allclose(slopes(c, False), slopes(c, True), rtol=1e-8)
    # Off the optimum: tanh(R/2) (|c|² − Re(c o)) more, along R.
    c = 1.5 * c + 0.1j
    more = 0.99 * (abs(c) ** 2 - (c * o).real)
    np.testing.assert_allclose(slopes(c, False) - slopes(c, True), [more, 0], atol=1e-10)


def test_framed_adam_is_hyperbolic_adam():
    rng = np.random.default_rng(0)
    points = jnp.asarray(np.stack([rng.uniform(1, 8, 4), rng.uniform(-1, 1, 4)]))
    ours, theirs = steps.framed_adam(jnp.asarray(0.3)), hyperbolic_adam(0.3)
    a = b = points
    states = [ours.init(a), theirs.init(b)]
    for _ in range(5):
        slope = jnp.asarray(rng.normal(size=(2, 4)))
        moves, states[0] = ours.update(slope, states[0], a)
        a = a + moves
        moves, states[1] = theirs.update(slope, states[1], b)
        b = b + moves
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-9)


def test_additions():
    point, tangent = jnp.array([2.0, 0.5]), jnp.array([-0.3, 0.2])
    eigenvalue = np.tanh(1.0) * np.exp(0.5j)
    moved = eigenvalue + np.exp(0.5j) * (-0.3 + 0.2j) * (1 - np.tanh(1.0) ** 2) / 2
    R, theta = np.asarray(steps.plane_addition(point, tangent))
    assert complex(np.tanh(R / 2) * np.exp(1j * theta)) == pytest.approx(moved, rel=1e-12)
    got = np.asarray(steps.polar_addition(point, tangent))
    np.testing.assert_allclose(got, [1.7, 0.5 + 0.2 / np.sinh(2.0)])
    # Through the centre, and clipped at the circle.
    got = np.asarray(steps.polar_addition(point, jnp.array([-2.5, 0.0])))
    np.testing.assert_allclose(got, [0.5, 0.5 + np.pi])
    R, _ = np.asarray(steps.plane_addition(jnp.array([14.0, 0.5]), jnp.array([5.0, 0.0])))
    assert 1 - np.tanh(R / 2) == pytest.approx(steps.NEAREST, rel=1e-6)


def test_training_counts_the_steps_of_a_plain_loop():
    heard = []
    found = measures.train(TINY, students.HYPERBOLIC, TINY.memories, heard.append)
    assert heard[-1] == 1
    assert found.steps.shape == (2, 2, 2)
    radius, angle = measures.targets(TINY)[:, 0, 1]
    mu = np.tanh(radius / 2) * np.exp(1j * angle)
    eigenvalue, c = START, 0.1 + 0j
    m = M = 0j
    v = V = 0.0

    def overlap(eigenvalue):
        gaps = (1 - abs(eigenvalue) ** 2) * (1 - abs(mu) ** 2)
        return np.sqrt(gaps) / (1 - eigenvalue * mu.conjugate())

    for t in range(1, TINY.budget):
        o = overlap(eigenvalue)
        if abs(c) ** 2 + 1 - 2 * (c * o).real < 1e-6:
            break

        def moved(s, eigenvalue=eigenvalue):
            return (eigenvalue + s) / (1 + eigenvalue.conjugate() * s)

        def change(direction, moved=moved, c=c):
            ends = [-2 * (c * overlap(moved(h * direction))).real for h in (1e-6, -1e-6)]
            return (ends[0] - ends[1]) / 2e-6

        # The chart's s is half a hyperbolic length, and its gradient twice as long.
        slope = (change(1) + 1j * change(1j)) / 2
        m, v = 0.9 * m + 0.1 * slope, 0.999 * v + 0.001 * abs(slope) ** 2
        step = -0.1 * (m / (1 - 0.9**t)) / np.sqrt(v / (1 - 0.999**t))
        half = np.tanh(abs(step) / 2) * step / abs(step)
        # In the chart the first moment keeps its components: parallel transport turns them.
        turn = (1 + eigenvalue * half.conjugate()) / (1 + eigenvalue.conjugate() * half)
        eigenvalue, m = moved(half), m * turn
        g = 2 * (c - np.conj(o))
        M = 0.9 * M + 0.1 * g
        V = 0.999 * V + 0.001 * np.array([g.real**2, g.imag**2])
        root = np.sqrt(V / (1 - 0.999**t)) + 1e-20
        move = 1e-2 * np.array([M.real, M.imag]) / (1 - 0.9**t) / root
        c -= complex(*move)
    assert found.fixed()[0, 1] == pytest.approx(t - 1, abs=1)


def made_up(fixed, **others):
    """Runs of everybody: steps `fixed` at every memory, others by name."""
    s = dataclasses.replace(QUICK, memories=(1e2, 1e4, 1e6), targets=3)
    runs = {}
    for one in EVERYBODY:
        rates = np.array(getattr(s, one.grid))
        value = others.get(one.name, np.inf if one in students.COMPETITORS else fixed)
        table = np.broadcast_to(value, (3, rates.size, 3)).astype(float)
        same = np.full(rates.size, 1e-2)
        runs[one.name] = measures.Runs(
            one.name, s.memories, rates, same, np.zeros(rates.size, bool), table
        )
    return s, runs


def verdicts(s, runs):
    return {claim.id: claim.verdict for claim in claims.one_mode_claims(s, runs)}


def test_numbers_decide():
    s, runs = made_up(100.0, **{students.DESCENT: np.inf})
    assert set(verdicts(s, runs).values()) == {"holds"}
    rising = np.array([100.0, 200.0, 410.0])[:, None, None]
    s, runs = made_up(100.0, **{students.HYPERBOLIC.name: rising, students.DESCENT: 5.0})
    got = verdicts(s, runs)
    assert [got[id] for id in ("HY4a", "HY4b", "HY7a", "HY7b", "HY7c", "HY7d")] == [
        "fails",
        "holds",
        "fails",
        "fails",
        "fails",
        "fails",
    ]
    one_fails = np.where(np.arange(7)[:, None] == 5, np.inf, 100.0)
    s, runs = made_up(100.0, **{students.HYPERBOLIC.name: one_fails})
    assert verdicts(s, runs)["HY4b"] == "fails"
    for steps_taken, verdict in ((999.0, "fails"), (1001.0, "holds")):
        s, runs = made_up(100.0, **{students.LRU: steps_taken})
        assert verdicts(s, runs)["HY4c"] == verdict


def test_medians_and_best_rates():
    table = np.array([[[1.0, np.inf, 3.0, np.inf], [5.0, 6.0, 7.0, 8.0]]])
    runs = measures.Runs("x", (10.0,), np.array([0.1, 0.2]), np.ones(2), np.zeros(2, bool), table)
    np.testing.assert_array_equal(runs.medians, [[np.inf, 6.5]])
    np.testing.assert_array_equal(runs.failures, [[0.5, 0.0]])
    assert runs.best(0) == 1
    assert runs.at_edge(0)
    np.testing.assert_array_equal(runs.at_best(), table[:, 1])
    assert claims.median(table[0, 0]) == np.inf


def test_the_part(monkeypatch):
    s, runs = made_up(100.0, **{students.DESCENT: np.inf})
    monkeypatch.setattr(one_mode, "train", lambda s, student, *rest: runs[student.name])
    finding = one_mode.run_one_mode(s, SilentProgress())
    assert [claim.id for claim in finding.claims] == [
        *("HY4a", "HY4b", "HY4c"),
        *("HY7a", "HY7b", "HY7c", "HY7d"),
    ]
    assert len(finding.figures) == 3
    table = finding.tables["one_mode_steps"]
    assert len({len(column) for column in table.values()}) == 1
    rest = table["student"] != measures.BEYOND
    assert rest.sum() == sum(one.steps.size for one in runs.values())
    assert f"memories {', '.join(f'{far:g}' for far in s.far_memories)}" in finding.claims[0].note
