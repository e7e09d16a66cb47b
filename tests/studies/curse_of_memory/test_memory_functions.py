import dataclasses

import jax
import numpy as np
import pytest

from remanence.report import SilentProgress
from remanence.studies.curse_of_memory import memory_functions as part
from remanence.studies.curse_of_memory import memory_functions_claims as claims
from remanence.studies.curse_of_memory import memory_functions_measures as measures
from remanence.studies.curse_of_memory import memory_functions_stacks as stacks
from remanence.studies.curse_of_memory.memory_functions_settings import QUICK
from remanence.theory.decay import fit_decay

TINY = dataclasses.replace(
    QUICK,
    starts=2,
    state=4,
    channels=2,
    length=200,
    long_length=1500,
    depths=(1, 2),
    stack_width=4,
    stack_seeds=2,
)


@pytest.fixture(scope="module")
def finding():
    return part.run_memory_functions(TINY, SilentProgress())


def test_the_part_runs(finding):
    assert [claim.id for claim in finding.claims] == [f"F11{c}" for c in "abcdef"]
    held = {claim.id: claim.verdict for claim in finding.claims}
    assert all(held[one] == "holds" for one in ("F11a", "F11d", "F11e", "F11f")), held
    for columns in finding.tables.values():
        assert len({len(values) for values in columns.values()}) == 1
    assert len(finding.tables["memory_decay"]["network"]) == 14
    assert {figure.name for figure in finding.figures} == {"memory-functions", "memory-of-stacks"}


def test_torch_starts_are_torch_networks():
    """The same arrays in torch's modules give the same outputs."""
    torch = pytest.importorskip("torch")
    xs = np.random.default_rng(0).normal(size=(7, 1))
    for name, kind in (("RNN", torch.nn.RNN), ("GRU", torch.nn.GRU), ("LSTM", torch.nn.LSTM)):
        layer = measures.network(name, measures.TORCH, 5, 3)
        ys = np.asarray(layer(jax.numpy.asarray(xs))[0])
        module = kind(1, 5, dtype=torch.float64)
        rng, gates = np.random.default_rng(3), {"RNN": 1, "GRU": 3, "LSTM": 4}[name]
        shapes = ((5 * gates, 1), (5 * gates, 5), (5 * gates,), (5 * gates,))
        for parameter, shape in zip(module.parameters(), shapes, strict=True):
            drawn = rng.uniform(-(5**-0.5), 5**-0.5, shape)
            parameter.data = torch.tensor(drawn)
        with torch.no_grad():
            wanted = module(torch.tensor(xs)[:, None])[0][:, 0].numpy()
        np.testing.assert_allclose(ys, wanted, atol=1e-12)


def test_when_a_memory_has_faded():
    assert measures.faded_after(np.array([1.0, 0.5, 9e-4, 2e-3, 1e-5, 1e-6])) == 4
    assert measures.faded_after(np.array([1.0, 0.5])) == np.inf


def naive(stack, x, steps):
    """The recurrence written as a loop over time and layers."""
    h = [np.zeros(own.size) for own in stack.eigenvalues]
    ys = []
    for _ in range(steps):
        below = np.array([x])
        for i, own in enumerate(stack.eigenvalues):
            h[i] = own * h[i] + stack.inputs[i] @ below
            below = h[i] if stack.linear else np.tanh(h[i])
        ys.append(stack.readout @ below)
    return np.array(ys)


@pytest.mark.parametrize("depth", [1, 3])
def test_stacks_are_their_recurrence(depth):
    stack = stacks.random_stack(TINY, depth, 5)
    ys = stack(np.full((1, 30, 1), 0.7))[0, :, 0]
    np.testing.assert_allclose(ys, naive(stack, 0.7, 30), rtol=1e-12)
    assert stack.rate == pytest.approx(TINY.slowest)
    # One direction only: the differences of the naive run, and the bound above them.
    found = stacks.stack_memory(dataclasses.replace(TINY, amplitudes=(0.7,)), stack, 5)
    moves = np.abs(np.diff(naive(stack, 0.7, 30), prepend=0.0)) / 0.7
    np.testing.assert_allclose(found.memory.values[:30], moves, atol=1e-14)
    assert 0 < found.closest <= 1
    assert found.degree == depth - 1


def test_the_bound_can_be_broken():
    """Half the gain makes a bound that equal modes pass."""
    found = stacks.stack_memory(TINY, stacks.equal_stack(TINY, 2), 0)
    assert found.deviation < 1e-12
    low = dataclasses.replace(found, depth=1, bound=found.bound / 2)
    # As near as a hundred roundings of the outputs allow.
    assert low.closest == pytest.approx(2, rel=1e-2)
    assert claims.bound_claim(dataclasses.replace(TINY, depths=(1,)), [low]).verdict == "fails"
    assert claims.attained_claim(TINY, [low]).verdict == "fails"
    high = dataclasses.replace(found, depth=1, degree=1)
    assert claims.power_claim(dataclasses.replace(TINY, depths=(1,)), [high]).verdict == "fails"


def memories(name, start, values):
    rows = np.array(values)
    return measures.NetworkMemories(name, start, rows, tuple(fit_decay(row) for row in rows))


def test_claims_fail_for_other_networks(finding):
    k = np.arange(1000.0)
    short, long = 0.8**k, (1 + k) ** -2.0
    fine = [memories(name, measures.TORCH, [short, short]) for name in measures.NETWORKS]
    s4 = memories(measures.S4, measures.STEPS, [0.99**k, 0.99**k])
    assert claims.exponential_claim(TINY, [*fine, s4]).verdict == "holds"
    assert claims.length_claim(TINY, [*fine, s4]).verdict == "holds"
    power = [*fine[:2], memories("LSTM", measures.TORCH, [short, long]), s4]
    told = claims.exponential_claim(TINY, power)
    assert told.verdict == "fails"
    assert "1 exponential, 1 power law" in told.measured
    assert claims.length_claim(TINY, [fine[0], fine[1], s4, power[2]]).verdict == "holds"
    slow = [*fine[:2], memories("LSTM", measures.TORCH, [0.97**k, 0.97**k]), s4]
    assert claims.length_claim(TINY, slow).verdict == "fails"
    # What is stated of S4 is the band that is judged.
    assert "factor of four" in claims.length_claim(TINY, slow).statement
    k = np.arange(16_000.0)
    for steps, held in ((400, "fails"), (600, "holds"), (7_900, "holds"), (8_100, "fails")):
        row = np.where(k < steps, 1.0, 1e-9)
        other = measures.NetworkMemories(measures.S4, measures.STEPS, np.array([row]), s4.fits[:1])
        assert claims.length_claim(TINY, [*fine, other]).verdict == held


def test_the_linear_claim_fails_for_another_kernel():
    probes = measures.linear_probes(0)
    assert claims.linear_claim(probes).verdict == "holds"
    off = dataclasses.replace(probes, kernel=probes.kernel * (1 + 1e-9))
    assert claims.linear_claim(off).verdict == "fails"
