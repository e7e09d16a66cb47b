import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.integrate

from remanence.report import SilentProgress
from remanence.studies.curse_of_memory import networks, shared
from remanence.studies.curse_of_memory import networks_claims as claims
from remanence.studies.curse_of_memory import networks_linear as linear
from remanence.studies.curse_of_memory import networks_lorenz as lorenz
from remanence.studies.curse_of_memory import networks_lorenz_claims as lorenz_claims
from remanence.studies.curse_of_memory import networks_measures as measures
from remanence.studies.curse_of_memory import networks_tanh as tanh
from remanence.studies.curse_of_memory.networks_settings import (
    FAST,
    QUICK,
    SLOW,
    LinearSettings,
    NetworkSettings,
    TanhSettings,
)
from remanence.studies.tables import columns

SMALL_LINEAR = LinearSettings(
    width=3, lags=21, delays=(1.0, 2.0), bump_delays=(1.0, 2.0), steps=6, chunks=3, seeds=2
)
SMALL_TANH = TanhSettings(
    width=4,
    length=12,
    stretched_delays=(0.5, 1.0),
    couplings=(0.0, 1.0),
    sequences=32,
    tests=16,
    batch=4,
    steps=20,
    chunks=2,
    seeds=2,
)


def brute_force_flat(shares, moves):
    logs, longest = np.log(shares), 0
    for start in range(logs.size):
        for stop in range(start, logs.size):
            part = logs[start : stop + 1]
            if np.isfinite(part).all() and part.max() - part.min() < moves:
                longest = max(longest, stop - start)
    return longest


@pytest.mark.parametrize("moves", [0.05, 0.4])
def test_the_longest_flat_stretch(moves, rng):
    for _ in range(20):
        shares = np.exp(np.cumsum(0.1 * rng.standard_normal(40)))
        assert measures.longest_flat(shares, moves) == brute_force_flat(shares, moves)
    shares[[7, 20]] = np.nan
    assert measures.longest_flat(shares, 10.0) == 18
    assert measures.longest_flat(np.exp(-np.arange(50.0))) == 0
    assert measures.longest_flat(np.array([])) == 0


def curves(target, family, memory, escapes, plateaus, end=0.05):
    """Curves that fall at once, stand for `plateaus` steps, and escape at `escapes`."""
    shares = []
    for escape, plateau in zip(escapes, plateaus, strict=True):
        falling = np.geomspace(1.0, 0.2, escape - plateau)
        shares.append(np.r_[falling, np.full(plateau, 0.15), np.full(9000 - escape, end)])
    return measures.Curves(target, family, memory, np.arange(9000), np.array(shares))


def test_escapes_and_plateaus_of_curves():
    one = curves("x", "f", 1.0, [100, 300], [20, 200])
    np.testing.assert_array_equal(one.escapes, [100, 300])
    # n equal records have n − 1 intervals between them.
    np.testing.assert_array_equal(one.plateaus, [19, 199])
    assert (one.escape, one.plateau, one.diverged, one.final) == (200, 109, 0, 0.05)
    assert one.flat_anywhere == (8899 + 8699) / 2
    np.testing.assert_array_equal(one.first_below(0.16), [80, 100])
    jittering = dataclasses.replace(one, shares=one.shares * (1 + 0.1 * (one.at % 7 == 0)))
    assert jittering.plateau < 7
    assert jittering.smoothed(5).plateau == pytest.approx(109, abs=8)
    never = curves("x", "f", 1.0, [100, 300], [20, 200], end=0.12)
    assert np.isinf(never.escape)
    lost = dataclasses.replace(one, shares=np.where(one.at > 50, np.nan, one.shares))
    assert lost.diverged == 2
    np.testing.assert_array_equal(lost.escapes, [np.inf, np.inf])
    fit = [curves("x", "f", t0, [round(20 * 2**t0)], [5]) for t0 in (1.0, 2.0, 3.0)]
    rate, offset = measures.growth_rate(fit)
    assert (rate, np.exp(offset)) == (pytest.approx(np.log(2)), pytest.approx(20))


def test_rises():
    assert shared.rises([1.0, 2.0, 3.0])
    assert not shared.rises([1.0, 1.0])
    assert not shared.rises([1.0, np.inf, 3.0])
    # What is not reached has not been measured to grow.
    assert not shared.rises([1.0, 2.0, np.inf])
    assert not shared.rises([1.0, 2.0, np.inf, np.inf])


def test_medians_may_be_infinite():
    assert shared.median(np.array([3.0, np.inf, 1.0])) == 3.0
    assert shared.median(np.array([1.0, 2.0, np.inf, np.inf])) == np.inf
    assert shared.median(np.array([1.0, np.nan])) == np.inf
    assert shared.median(np.array([1.0, np.nan, 2.0])) == 2.0


def test_a_table_has_a_column_for_each_name():
    table = columns(("a", "b"), [(1, "x"), (2, "y")])
    np.testing.assert_array_equal(table["a"], [1, 2])
    np.testing.assert_array_equal(table["b"], ["x", "y"])


@pytest.mark.parametrize("lags", [1, 2, 21, 64])
def test_the_kernel_is_that_of_euler_steps(lags):
    W, U, c = (one[0] for one in linear.linear_start(SMALL_LINEAR))
    expected = [c @ np.linalg.matrix_power(np.eye(3) + 0.1 * W, k) @ U for k in range(lags)]
    network = linear.LinearNetwork(*(jnp.asarray(one) for one in (W, U, c)))
    found = linear.kernel(network, 0.1, lags)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_linear_training_is_plain_gradient_descent():
    s, heard = SMALL_LINEAR, []
    found = linear.train_linear(s, heard.append)
    assert heard == [1 / 3, 2 / 3, 1.0]
    start = linear.LinearNetwork(*(np.asarray(part) for part in linear.linear_start(s)))
    G = start.W + np.eye(3)
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(G)).max(axis=1), 0.9, rtol=1e-12)
    for index in (0, 4):
        target, one = linear.linear_targets(s)[index], found[index]
        assert one.target == target.name
        x = np.concatenate([np.ravel(part[1]) for part in start])

        def loss(x, rho=target.kernel):
            h, total = x[9:12], 0.0
            for wanted in rho:
                total += 0.1 * (x[12:] @ h - wanted) ** 2
                h = h + 0.1 * x[:9].reshape(3, 3) @ h
            return total

        power = 0.1 * np.sum(target.kernel**2)
        for step in range(s.steps):
            assert one.shares[1, step] == pytest.approx(loss(x) / power, rel=1e-6)
            moved = 1e-6 * np.eye(x.size)
            gradient = [(loss(x + d) - loss(x - d)) / 2e-6 for d in moved]
            x = x - s.rate * np.array(gradient)


def test_the_tanh_network():
    s = SMALL_TANH
    start = tanh.tanh_start(s)
    G, U, b, c, d = (np.asarray(part[1], np.float64) for part in start)
    b, d = b + 0.3, d - 0.2
    xs = np.random.default_rng(1).standard_normal((7, 2))
    expected = np.zeros((7, 2))
    for column in range(2):
        h = np.zeros(4)
        for t in range(7):
            h = h + 0.15 * (np.tanh(G @ h + U * xs[t, column] + b) - h)
            expected[t, column] = c @ h + d
    network = tanh.TanhNetwork(*(jnp.asarray(one) for one in (G, U, b, c, d)))
    found = tanh.outputs(network, jnp.asarray(xs), 0.15)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("size", [0.1, 30.0])
def test_adam_against_optax(size):
    rng = np.random.default_rng(2)
    shapes = ((3, 3), (3,), (3,), (3,), ())
    network = tanh.TanhNetwork(*(jnp.asarray(rng.standard_normal(shape)) for shape in shapes))
    rest = jax.tree.map(jnp.zeros_like, network)
    adam = tanh.Adam(network, rest, rest, jnp.zeros(()))
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.01))
    with jax.numpy_dtype_promotion("standard"):
        # Optax raises a float to an integer power, which the tests forbid otherwise.
        state = optimiser.init(network)
        theirs = jax.jit(optimiser.update).lower(network, state).compile()
    ours = jax.jit(lambda adam, gradient: adam.step(gradient, 0.01))
    for _ in range(4):
        gradient = tanh.TanhNetwork(
            *(jnp.asarray(size * rng.standard_normal(shape)) for shape in shapes)
        )
        change, state = theirs(gradient, state)
        network = jax.tree.map(np.add, network, change)
        adam = ours(adam, gradient)
    for found, expected in zip(adam.network, network, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_convolve():
    rng = np.random.default_rng(3)
    rho, xs = rng.standard_normal(6), rng.standard_normal((6, 2))
    expected = np.stack([np.convolve(rho, x)[:6] for x in xs.T], axis=1)
    np.testing.assert_allclose(tanh.convolve(rho, xs), expected, rtol=1e-12, atol=1e-14)


def test_what_the_tanh_network_learns():
    made, systems = tanh.tanh_sequences(SMALL_TANH)
    assert [one.name for one in made] == [
        FAST,
        SLOW,
        "Ai(2.25(t − 0.5))",
        "Ai(2.25(t − 1))",
        "Lorenz, K = 4, κ = 0",
        "Lorenz, K = 4, κ = 1",
        "linear part of the Lorenz system, κ = 1",
    ]
    for one in made:
        assert tanh.scored(SMALL_TANH, one.targets).std() == pytest.approx(1, rel=1e-12)
        assert one.inputs.shape == one.targets.shape == (12, 48)
    assert max(one.excess for one in systems) <= 0
    assert max(one.equal for one in systems) < 1e-6
    # y alone is linear: least squares finds it.
    assert systems[0].linear_share < 1e-6


@pytest.mark.parametrize("coupling", [0.0, 0.75, 1.0])
def test_the_linear_response(coupling):
    xs = np.random.default_rng(4).standard_normal((5, 1))
    state = np.zeros(2)
    for t, found in enumerate(lorenz.linear_response(coupling, 0.15, xs)):
        state = scipy.integrate.solve_ivp(
            lambda _, s, x=xs[t, 0]: [x - s[0] + coupling * s[1], 2 * (s[0] - s[1])],
            (0, 0.15),
            state,
            rtol=1e-10,
            atol=1e-12,
        ).y[:, -1]
        assert found[0] == pytest.approx(state[0], abs=1e-9)


def test_the_linear_share():
    rng = np.random.default_rng(5)
    inputs = rng.standard_normal((3, 40_000))
    last = 2.0 + inputs[0] - inputs[2] + np.sqrt(0.5) * rng.standard_normal(40_000)
    assert lorenz.linear_share(inputs, last, 20_000) == pytest.approx(0.2, rel=0.05)


def made_up(late_plateau=200, fast=10, last=400, slow_plateau=1):
    """Curves of one kind of network whose claims all hold, but for what is changed."""
    return [
        curves(FAST, linear.EXPONENTIALS, 0.0, [fast], [1]),
        curves(SLOW, linear.EXPONENTIALS, 0.0, [30], [slow_plateau]),
        curves("a", linear.AIRY, 1.0, [20], [2]),
        curves("b", linear.AIRY, 6.0, [last], [2]),
        curves("c", linear.STRETCHED, 1.0, [20], [2]),
        curves("d", linear.STRETCHED, 3.0, [last], [min(late_plateau, last - 2)]),
        curves("e", linear.BUMP, 1.0, [20], [2]),
        curves("f", linear.BUMP, 5.0, [last], [2]),
    ]


def told(made):
    every = (
        *claims.linear_claims(QUICK.linear, made),
        *claims.tanh_claims(QUICK.tanh, made),
    )
    return {claim.id: claim for claim in every}


def verdicts(made):
    return {id: claim.verdict for id, claim in told(made).items()}


@pytest.mark.parametrize(
    ("changed", "failing"),
    [
        ({}, set()),
        ({"late_plateau": 60}, {"N1a"}),
        ({"late_plateau": 20}, {"N1a", "N2a"}),
        ({"slow_plateau": 20}, {"N1a", "N2a"}),
        ({"fast": 20}, {"N1b"}),
        ({"fast": 90}, {"N1b", "N2b"}),
        ({"last": 180}, {"N1b", "N1c"}),
        ({"last": 19}, {"N1a", "N1b", "N1c", "N2a", "N2b"}),
    ],
)
def test_numbers_decide(changed, failing):
    found = verdicts(made_up(**changed))
    assert {id for id, verdict in found.items() if verdict == "fails"} == failing


def never(one):
    """The same target, at a share of 1 for ever."""
    return dataclasses.replace(one, shares=np.ones_like(one.shares))


@pytest.mark.parametrize(
    ("families", "failing"),
    [
        ({linear.AIRY}, {"N1b"}),
        ({linear.STRETCHED}, {"N1a", "N1b", "N2a", "N2b"}),
        ({linear.BUMP}, {"N1c"}),
        ({linear.EXPONENTIALS}, {"N1a", "N1b", "N2a", "N2b"}),
        ({linear.AIRY, linear.STRETCHED}, {"N1a", "N1b", "N2a", "N2b"}),
    ],
)
def test_what_is_never_learnt_holds_nothing(families, failing):
    made = [never(one) if one.family in families else one for one in made_up()]
    found = told(made)
    assert {id for id, claim in found.items() if claim.verdict == "fails"} == failing
    if linear.STRETCHED in families:
        assert "not learnt in the budget" in found["N1a"].note
        assert "not learnt in the budget" in found["N2a"].note
    for claim in found.values():
        assert not any(bad in claim.measured + claim.note for bad in ("inf", "nan", "(0×"))


def test_the_last_target_alone_not_learnt_holds_nothing():
    made = [never(one) if one.target == "b" else one for one in made_up()]
    assert {id for id, verdict in verdicts(made).items() if verdict == "fails"} == {"N1b"}


def test_plateaus_are_told_as_a_share_of_the_time_to_learn():
    found = told(made_up(late_plateau=200, last=400))
    # 200 records at one level are 199 steps of the 400.
    for id in ("N1a", "N2a"):
        assert "The longest plateau on d is 50% of the time to learn it." in found[id].note
    assert "Adam" not in found["N2b"].note
    assert "longest plateaus are 1, 199." in found["N2b"].note


def system(**changed):
    rest = {"largest": 3.0, "excess": -1.0, "halving": 1e-4, "equal": 1e-8, "linear_share": 0.1}
    empty = np.zeros((1, 1))
    return lorenz.LorenzSystem(4, 1.0, empty, empty, **{**rest, **changed})


@pytest.mark.parametrize(
    ("last", "plateau", "changed", "failing"),
    [
        (300, 200, {}, set()),
        (300, 20, {}, {"N3a"}),
        (150, 100, {}, {"N3b"}),
        (300, 200, {"excess": 0.1}, {"N3c"}),
        (300, 200, {"equal": 0.1}, {"N3c"}),
    ],
)
def test_numbers_decide_on_lorenz(last, plateau, changed, failing):
    family = lorenz.lorenz_family(4)
    made = [
        curves("a", family, 0.0, [100], [1]),
        curves("b", family, 1.0, [last], [plateau]),
        curves("c", lorenz.LINEAR_PART, 1.0, [120], [1]),
    ]
    found = lorenz_claims.lorenz_claims(QUICK.tanh, made, [system(**changed)])
    assert [claim.id for claim in found] == ["N3a", "N3b", "N3c"]
    assert {claim.id for claim in found if claim.verdict == "fails"} == failing


@pytest.mark.parametrize(
    ("lost", "failing"), [({0.0}, {"N3b"}), ({1.0}, {"N3a", "N3b"}), ({0.0, 1.0}, {"N3a", "N3b"})]
)
def test_lorenz_systems_that_are_never_learnt_hold_nothing(lost, failing):
    family = lorenz.lorenz_family(4)
    made = [
        curves("a", family, 0.0, [100], [1]),
        curves("b", family, 1.0, [300], [200]),
    ]
    made = [never(one) if one.memory in lost else one for one in made]
    made.append(curves("c", lorenz.LINEAR_PART, 1.0, [120], [1]))
    found = lorenz_claims.lorenz_claims(QUICK.tanh, made, [system()])
    assert {claim.id for claim in found if claim.verdict == "fails"} == failing
    for claim in found:
        assert not any(bad in claim.measured + claim.note for bad in ("inf×", "nan"))
        assert "finds it much as it finds" not in claim.note


def test_the_part():
    s = NetworkSettings(SMALL_LINEAR, dataclasses.replace(SMALL_TANH, every=5))
    finding = networks.run_networks(s, SilentProgress())
    assert [claim.id for claim in finding.claims] == [
        *("N1a", "N1b", "N1c"),
        *("N2a", "N2b"),
        *("N3a", "N3b", "N3c"),
    ]
    assert len(finding.figures) == 2
    for table in finding.tables.values():
        assert len({len(column) for column in table.values()}) == 1
    steps = finding.tables["network_steps"]
    assert steps["seed"].size == 2 * (2 + 2 + 3 + 2) + 2 * 7
    curve = finding.tables["network_curves"]
    # Members share a program and not their data: every target has a curve of its own.
    first = curve["median"][(curve["network"] == "tanh") & (curve["step"] == 5)]
    assert np.unique(first).size == first.size == 7
