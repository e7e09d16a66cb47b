import dataclasses

import numpy as np
import pytest
import scipy.integrate

from remanence.report import SilentProgress
from remanence.studies.curse_of_memory import plateaus_claims as claims
from remanence.studies.curse_of_memory import plateaus_descent as descent
from remanence.studies.curse_of_memory import plateaus_measures as measures
from remanence.studies.curse_of_memory.plateaus import run_plateaus
from remanence.studies.curse_of_memory.plateaus_settings import (
    GRADIENTS,
    QUICK,
    SLOPES,
    SPLIT,
    STARTS,
)

TINY = dataclasses.replace(
    QUICK,
    memories=(4, 6, 7, 8, 9),
    gradient_memories=tuple(range(2, 10)),
    shown_flows=(4, 8),
    delays=(1, 2),
    seeds=3,
    dense_seeds=2,
    budget=120,
)


def numerical(gradients, x, target):
    slope = np.zeros_like(x)
    for place in np.ndindex(x[0].shape):
        move = np.zeros_like(x)
        move[(slice(None), *place)] = 1e-6
        change = gradients(x + move, target, 0.1)[0] - gradients(x - move, target, 0.1)[0]
        slope[(slice(None), *place)] = change / 2e-6
    return slope


def test_modal_gradients(rng):
    x, target = rng.uniform(0.2, 0.8, (2, 4, 3)), rng.normal(size=(2, 25))
    loss, slope = descent.modal_gradients(x, target, 0.1)
    np.testing.assert_allclose(slope, numerical(descent.modal_gradients, x, target), atol=1e-7)
    a, b, w, q = x[1]
    t = 0.1 * np.arange(25)
    kernel = sum(
        np.exp(-w[i] * t) * (a[i] * np.cos(q[i] * t) + b[i] * np.sin(q[i] * t)) for i in range(3)
    )
    assert loss[1] == pytest.approx(0.1 * np.sum((kernel - target[1]) ** 2), rel=1e-12)


def test_dense_gradients(rng):
    x = np.concatenate([rng.normal(size=(2, 3, 3)) / 2 - np.eye(3), rng.normal(size=(2, 2, 3))], 1)
    target = rng.normal(size=(2, 21))
    loss, slope = descent.dense_gradients(x, target, 0.1)
    np.testing.assert_allclose(slope, numerical(descent.dense_gradients, x, target), atol=1e-6)
    h, total = x[1, 3].copy(), 0.0
    for k in range(21):
        total += 0.1 * (x[1, 4] @ h - target[1, k]) ** 2
        h = h + 0.1 * x[1, :3] @ h
    assert loss[1] == pytest.approx(total, rel=1e-12)


def test_descent_counts_the_steps_of_a_plain_loop():
    found = descent.descend(TINY, descent.modal_starts(TINY), descent.modal_gradients, id)
    names, kernels = descent.targets(TINY)
    assert found.targets == names == ("exp(−t)", "t₀ = 1", "t₀ = 2")
    for target in (0, 2):
        x = descent.modal_starts(TINY)[1:2]
        energy = 0.1 * np.sum(kernels[target] ** 2)
        steps = np.inf
        for step in range(TINY.budget):
            loss, slope = descent.modal_gradients(x, kernels[target : target + 1], 0.1)
            assert found.curves[step, target, 1] == pytest.approx(loss[0] / energy, rel=1e-9)
            if loss[0] < 0.1 * energy:
                steps = min(steps, step)
            x = x - 0.02 * slope
        assert found.steps[target, 1] == steps


def test_descent_that_diverges_has_not_arrived():
    wild = dataclasses.replace(TINY, learning_rate=50.0, budget=30)
    with np.errstate(all="ignore"):
        found = descent.descend(wild, descent.dense_starts(wild), descent.dense_gradients, id)
    assert np.isinf(found.steps).any()
    assert descent.targets(wild)[1].shape == (3, 100)


def test_gradient_law_is_the_late_limit_of_the_gradient():
    memories = np.array([20.0, 30.0])
    s = dataclasses.replace(TINY, gradient_memories=(20, 30))
    got = measures._gradients(s, ((0.5, 0.5), (1.0, 1.0))) / measures.gradient_law(memories, 0.5)
    np.testing.assert_allclose(got, 1, atol=0.02)
    assert abs(got[1] - 1) < 0.01


def escapes(slope, bend=0.0, name="x"):
    memories = np.array(QUICK.memories, float)
    logs = slope * memories + bend * (memories - 10) ** 2
    leaving = (memories > 8).astype(int)
    return measures.Escapes(name, memories, np.exp(logs), leaving, QUICK.fitted_from)


def made_up(slopes=None, bend=0.0, split=1.46, gradient=1.0, law=1.0, loss=1.0, closed=1.0):
    values = slopes or SLOPES
    # Towards 2.2 between the last two, with the fitted slope that is asked for.
    found = {
        name: escapes(value, bend if value < 1 else 0.0, name) for name, value in values.items()
    }
    line = escapes(split, name=SPLIT)
    times = line.times.copy()
    times[-1] *= np.exp(2.2 - split)
    found[SPLIT] = dataclasses.replace(line, times=times)
    memories = np.array(QUICK.gradient_memories, float)
    gradients = np.ones(memories.size)
    gradients[: len(GRADIENTS)] = GRADIENTS
    predicted = 0.5 * np.sqrt(np.pi)
    exact = law * measures.gradient_law(memories, 0.5)
    losses = np.full(len(QUICK.memories), loss * predicted)
    closed = np.full(len(QUICK.memories), closed * predicted)
    return measures.Flows(found, gradient * gradients, exact, losses, closed, predicted, {})


def descents(steps):
    table = np.repeat(np.array(steps, float)[:, None], 2, axis=1)
    return descent.Descents(tuple("abcdefg"), table, np.ones((1, 7, 2)))


GOOD = descents([10, 20, 40, 80, 150, 300, 400])


def failing(flows, modal=GOOD, dense=GOOD):
    told = claims.plateau_claims(QUICK, flows, modal, dense)
    return {one.id for one in told if one.verdict == "fails"}


def test_numbers_decide():
    # Straight lines of slopes below min w(0) are no equilibrated readouts.
    assert failing(made_up()) == {"F8d"}
    assert failing(made_up(), modal=descents([10, 20, 40, 30, 150, 300, 400])) == {"F8d", "F10a"}
    assert failing(made_up(), modal=descents([10, 20, 40, 80, 150, 250, 299])) == {"F8d", "F10b"}
    assert failing(made_up(), dense=descents([10, 20, 40, 80, 150, 250, 299])) == {"F8d", "F10c"}
    never = descents([10, 20, 40, 80, 150, np.inf, np.inf])
    assert failing(made_up(), modal=never) == {"F8d", "F10a", "F10b"}
    assert failing(made_up(), dense=never) == {"F8d", "F10c"}
    nothing = descents([np.inf] * 7)
    assert failing(made_up(), modal=nothing, dense=nothing) == {"F8d", "F10a", "F10b", "F10c"}
    steep = {name: 1.2 * value for name, value in SLOPES.items()}
    assert failing(made_up(slopes=steep)) == {"F8b"}
    assert "F8a" in failing(made_up(bend=0.1))
    assert "F8c" in failing(made_up(split=1.8))
    assert "F9a" in failing(made_up(gradient=1.02))
    assert "F9b" in failing(made_up(law=1.2))
    assert "F8e" in failing(made_up(loss=1 + 1e-11))
    assert "F8e" in failing(made_up(closed=1 + 1e-11))


def test_the_loss_of_the_plateau_is_measured():
    """Against adaptive quadrature, and away from ρ̄, where no closed form is near."""
    got = measures.quadrature_loss(4, 0.5, (0.3, 0.4), (0.9, 1.3))

    def squared(t):
        late = np.exp(-((t - 4) ** 2) / 0.5)
        return (0.3 * np.exp(-0.9 * t) + 0.4 * np.exp(-1.3 * t) - np.exp(-t) - late) ** 2

    wanted = scipy.integrate.quad(squared, 0, 10, limit=200, epsabs=1e-13)[0]
    assert got == pytest.approx(wanted, rel=1e-10)
    missing = measures.quadrature_loss(16, 0.5, (0.5, 0.5), (1.0, 1.0))
    assert missing == pytest.approx(0.5 * np.sqrt(np.pi), rel=1e-13)


def test_the_loss_claim_sees_a_wrong_closed_form(monkeypatch):
    right = measures.flow_loss
    monkeypatch.setattr(measures, "flow_loss", lambda *given: right(*given) * (1 + 1e-9))
    flows = measures.measure_flows(TINY, lambda *_: None)
    told = claims.loss_claim(TINY, flows)
    assert told.verdict == "fails"
    assert np.abs(flows.losses / flows.predicted - 1).max() < 1e-12


def claim(id, flows=None, dense=GOOD):
    told = claims.plateau_claims(QUICK, flows or made_up(), GOOD, dense)
    return next(one for one in told if one.id == id)


def test_plateaus_that_never_end_hold_nothing():
    flows = made_up()
    endless = {
        name: dataclasses.replace(one, times=np.r_[one.times[:-1], np.inf])
        for name, one in flows.escapes.items()
    }
    found = failing(dataclasses.replace(flows, escapes=endless))
    assert found == {"F8a", "F8b", "F8c", "F8d"}


def test_every_start_is_told_with_its_local_slopes():
    bent = made_up(bend=0.1)
    told = claim("F8a", bent)
    assert f"{SPLIT}: {bent.escapes[SPLIT].straightness():.4f}" in told.measured
    # Of logs .58 x + .1 (x − 10)²: from 6 to 7, and from 15 to 16.
    assert "from -0.12 to 1.68 (w₂ = 0.6)" in told.note
    assert "from 1.46 to 2.20 (split)" in told.note
    assert "from 1.46 to 2.20 (split)" in claim("F8c", bent).note
    assert claim("F8d").note.endswith("above it here: split.")
    steep = made_up(slopes={name: 4 * value for name, value in SLOPES.items()})
    assert "above it here: w₂ = 0.6, w₂ = 0.8, w₂ = 1.5" in claim("F8d", steep).note
    assert "same plateau" not in claim("F8c").statement
    assert "from 0.58 to 0.58 (w₂ = 0.6)" in claim("F8a").note
    # .970 was the earlier value: said of a line that is as straight as that, and of no other.
    assert "was this number rounded" not in told.note


def test_a_factor_near_its_threshold_is_said_to_be():
    def spread(last):
        steps = np.repeat(np.array([10, 20, 40, 80, 150, 290, 0], float)[:, None], 4, axis=1)
        steps[-1] = last
        return descent.Descents(tuple("abcdefg"), steps, np.ones((1, 7, 4)))

    near = claim("F10c", dense=spread([300, 310, 290, 316]))
    assert near.verdict == "holds"
    assert "set after a prototype" in near.note
    # A factor of 30.4, its standard error .57.
    assert "0.4 above the threshold, within two standard errors (0.6 each)" in near.note
    assert "0.6 below the threshold" in claim("F10c", dense=spread([300, 310, 290, 276])).note
    far = claim("F10c", dense=spread([500, 510, 490, 516]))
    assert "above the threshold, its standard error" in far.note
    assert "threshold, " not in claim("F10c", dense=spread([300, np.inf, 290, 316])).note


def test_texts_say_what_was_run():
    """Also where no descent arrives, which figures and claims have to bear."""
    least = dataclasses.replace(TINY, memories=(6, 7, 8), shown_flows=(6,), budget=2)
    finding = run_plateaus(least, SilentProgress())
    assert "not re-run" not in finding.text
    f9a = next(one for one in finding.claims if one.id == "F9a")
    assert "nearly ρ̄" in f9a.statement


def test_what_bends_a_line_is_said():
    told = claims.straight_claim(QUICK, made_up(bend=0.1))
    assert "mode 1 at 1/ω = 6, 7, 8, mode 2 at 1/ω = 9" in told.note
    line = escapes(0.5)
    assert line.line()[0] == pytest.approx(0.5)
    assert line.straightness() == pytest.approx(1)
    np.testing.assert_allclose(line.local_slopes(), 0.5)


def test_the_part():
    finding = run_plateaus(TINY, SilentProgress())
    told = {one.id: one.verdict for one in finding.claims}
    assert list(told) == [*(f"F8{x}" for x in "abcde"), "F9a", "F9b", "F10a", "F10b", "F10c"]
    assert [told[name] for name in ("F8e", "F9a", "F9b")] == ["holds"] * 3
    # Two delays and 120 steps do not make a factor of thirty.
    assert told["F10b"] == "fails"
    times = finding.tables["plateau_times"]
    assert set(times["start"]) == set(STARTS)
    row = (times["start"] == "w₂ = 1.5") & (times["memory"] == 6)
    assert times["escape_time"][row] == pytest.approx(10.5, rel=0.01)
    for table in finding.tables.values():
        assert len({len(column) for column in table.values()}) == 1
    assert len(finding.figures) == 3


def test_the_factor_is_told_with_its_error():
    steps = np.ones((7, 3))
    steps[0], steps[-1] = [10.0, 20.0, 30.0], [200.0, 500.0, 800.0]
    found = descent.Descents(tuple("abcdefg"), steps, np.ones((1, 7, 3)))
    # Shares (.5, 1, 1.5) and (.4, 1, 1.6): differences −.1, 0, .1, their error .1/√3.
    assert claims._told_factor(found) == "25.0 ± 1.4×"
    assert claims._factor(found, 1) == 20.0
    steps[-1, 0] = np.inf
    assert "no factor" in claims._told_factor(found)
