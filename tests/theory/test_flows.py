import jaxtyping
import mpmath
import numpy as np
import pytest
import scipy.integrate

from remanence.errors import NumericalError, RemanenceError
from remanence.theory.flows import (
    AbstractFlowTarget,
    DelayedGaussian,
    ExponentialTarget,
    KernelTarget,
    PlateauTarget,
    flow_gradients,
    flow_loss,
    gradient_descent,
    gradient_flow,
)

MEMORY = ExponentialTarget([1.0], [1.0])
TARGETS = {
    "exponentials": ExponentialTarget([1.0, -0.5], [0.7, 2.0]),
    "bump": DelayedGaussian(delay=3.0, width=0.5, height=1.3),
    "plateau": PlateauTarget(MEMORY, DelayedGaussian(delay=4.0, width=0.5)),
    "callable": KernelTarget(lambda t: (1 + t) ** -1.1),
}
BIG = np.array([0.3, 1.1, 4.0])


def plateau(memory):
    return PlateauTarget(MEMORY, DelayedGaussian(delay=float(memory), width=0.5))


@pytest.mark.parametrize("name", TARGETS)
def test_transforms_and_energies_are_integrals(name):
    target = TARGETS[name]

    def integral(f):
        # From 0 to 12 and beyond, for the bump; the tail of the power law is the last part.
        parts = ((0, 3), (3, 6), (6, 12), (12, np.inf))
        return sum(scipy.integrate.quad(f, *part, epsabs=1e-13, limit=200)[0] for part in parts)

    def value(t):
        return float(target(np.array([t]))[0])

    got, slope = target.transform(BIG)
    for w, here, there in zip(BIG, got, slope, strict=True):
        expected = integral(lambda t, w=w: value(t) * np.exp(-w * t))
        assert here == pytest.approx(expected, rel=1e-9, abs=1e-12)
        expected = -integral(lambda t, w=w: t * value(t) * np.exp(-w * t))
        assert there == pytest.approx(expected, rel=1e-8, abs=1e-11)
    assert target.energy == pytest.approx(integral(lambda t: value(t) ** 2), rel=1e-8)


def test_the_transform_of_a_bump_keeps_its_digits_far_out():
    """Against 50 digits: at rates where Φ underflows and where `e^{w²σ²/2}` overflows."""
    mpmath.mp.dps = 50
    for delay, width in ((3.0, 0.5), (0.0, 1.0), (16.0, 0.5)):
        rates = np.array([1e-3, 1.0, 5.9, 6.1, 12.0, 30.0, 50.0, 1e3, 1e5])
        got, slope = DelayedGaussian(delay, width).transform(rates)
        D, s = mpmath.mpf(delay), mpmath.mpf(width)
        for w, here, there in zip(rates, got, slope, strict=True):
            w = mpmath.mpf(w)
            value = s * mpmath.sqrt(2 * mpmath.pi) * mpmath.exp(-w * D + w**2 * s**2 / 2)
            value *= mpmath.erfc((w * s - D / s) / mpmath.sqrt(2)) / 2
            down = -(D - w * s**2) * value - s**2 * mpmath.exp(-(D**2) / (2 * s**2))
            assert here == pytest.approx(float(value), rel=1e-12)
            assert there == pytest.approx(float(down), rel=2e-11)


@pytest.mark.parametrize("name", TARGETS)
def test_loss_and_gradients(name, rng):
    target = TARGETS[name]
    a, w = rng.normal(size=3), rng.uniform(0.3, 2.0, 3)
    by_a, by_w = flow_gradients(target, a, w)
    step = 1e-5
    for i in range(3):
        move = step * np.eye(3)[i]
        change = flow_loss(target, a + move, w) - flow_loss(target, a - move, w)
        assert by_a[i] == pytest.approx(change / (2 * step), rel=1e-6, abs=1e-8)
        change = flow_loss(target, a, w + move) - flow_loss(target, a, w - move)
        assert by_w[i] == pytest.approx(change / (2 * step), rel=1e-6, abs=1e-8)
    t, weight = np.polynomial.legendre.leggauss(400)
    t = 40 * (t + 1)
    if name != "callable":
        square = (np.exp(-np.outer(t, w)) @ a - target(t)) ** 2
        assert flow_loss(target, a, w) == pytest.approx(40 * weight @ square, rel=1e-7)


def test_a_kernel_by_quadrature_is_the_closed_form(rng):
    closed = TARGETS["plateau"]
    for numeric in (KernelTarget(closed), KernelTarget(closed(GRID), times=GRID)):
        a, w = rng.normal(size=2), np.array([0.5, 1.5])
        tolerance = 1e-10 if numeric._sampled.continuous else 1e-5
        assert flow_loss(numeric, a, w) == pytest.approx(flow_loss(closed, a, w), rel=tolerance)


class Broken(AbstractFlowTarget):
    """Its transform is not a number."""

    energy = 1.0

    def transform(self, rates):
        return rates * np.nan, rates * np.nan

    def __call__(self, times):
        return 0 * times


GRID = np.linspace(0, 30, 6001)


def test_the_flow_is_that_of_an_independent_integrator():
    target, start = plateau(4), ([0.5, 0.3], [1.0, 0.6])
    times = np.array([0.0, 0.5, 2.0])

    def slope(_, x):
        by_a, by_w = flow_gradients(target, x[:2], x[2:])
        return -np.concatenate([by_a, by_w])

    found = gradient_flow(target, *start, horizon=2.0, times=times)
    x = np.concatenate(start)
    expected = scipy.integrate.solve_ivp(
        slope, (0, 2), x, method="DOP853", rtol=1e-11, atol=1e-13, t_eval=times
    ).y.T
    np.testing.assert_allclose(np.hstack([found.coefficients, found.rates]), expected, atol=1e-6)
    assert found.escape_time == np.inf
    assert (np.diff(found.losses) < 0).all()
    # In log w the same with the gradient scaled, −w ∂J/∂w, twice.
    logs = gradient_flow(target, *start, horizon=2.0, times=times, log_rates=True)

    def log_slope(_, x):
        by_a, by_w = flow_gradients(target, x[:2], x[2:])
        return -np.concatenate([by_a, by_w * x[2:] ** 2])

    expected = scipy.integrate.solve_ivp(
        log_slope, (0, 2), x, method="DOP853", rtol=1e-11, atol=1e-13, t_eval=times
    ).y.T
    np.testing.assert_allclose(np.hstack([logs.coefficients, logs.rates]), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("w2", "memory", "expected"),
    [(0.6, 8, 12.0), (0.6, 12, 104.0), (0.8, 10, 304.0), (1.5, 6, 10.5), (1.5, 10, 2.88e3)],
)
def test_plateau_times_are_those_of_the_table(w2, memory, expected):
    found = gradient_flow(plateau(memory), [1, 0], [1, w2], horizon=1e9, escape=0.01)
    assert found.escape_time == pytest.approx(expected, rel=0.03)
    assert found.losses[0] == pytest.approx(0.5 * np.sqrt(np.pi), rel=1e-12)
    assert found.losses[0] - found.losses[-1] == pytest.approx(0.01, rel=1e-6)


def test_a_flow_may_end_before_the_first_time_asked_for():
    target, start = plateau(8), ([1.0, 0.0], [1.0, 0.6])
    found = gradient_flow(target, *start, horizon=1e6, escape=0.01, times=[5.0, 1e5])
    assert found.times.tolist() == [5.0]
    nothing = gradient_flow(target, *start, horizon=1e6, escape=0.01, times=[1e5])
    assert nothing.escape_time == found.escape_time < 20
    assert nothing.coefficients.shape == nothing.rates.shape == (0, 2)
    assert nothing.losses.shape == (0,)


def test_targets_take_lists_and_single_times():
    bump = DelayedGaussian(3.0, 0.5, 2.0)
    numeric = KernelTarget(lambda t: bump(t))
    for target in (MEMORY, bump, PlateauTarget(MEMORY, bump), numeric):
        value = target([0.0, 3.0])
        assert value.shape == (2,)
        assert target(3.0) == pytest.approx(value[1], rel=1e-15)
        for got, one in zip(target.transform([0.5, 2.0]), target.transform(0.5), strict=True):
            assert one == pytest.approx(got[0], rel=1e-15)
    assert bump(3.0) == 2.0
    assert numeric.energy == pytest.approx(bump.energy, rel=1e-12)


@pytest.mark.parametrize("log_rates", [False, True])
def test_small_steps_of_descent_follow_the_flow(log_rates):
    target, start = plateau(4), ([0.5, 0.3], [1.0, 0.6])
    flow = gradient_flow(target, *start, horizon=10.0, escape=0.01, log_rates=log_rates)
    found = gradient_descent(
        target, *start, learning_rate=1e-3, steps=10_000, escape=0.01, log_rates=log_rates
    )
    assert found.escape_time == pytest.approx(flow.escape_time, rel=0.02)
    assert found.losses[0] - found.losses[-1] >= 0.01
    few = gradient_descent(target, *start, learning_rate=0.1, steps=7, every=3)
    np.testing.assert_allclose(few.times, [0.0, 0.3, 0.6, 0.7])
    by_a, by_w = flow_gradients(target, *start)
    one = gradient_descent(target, *start, learning_rate=0.1, steps=1)
    np.testing.assert_allclose(one.coefficients[1], start[0] - 0.1 * by_a)
    np.testing.assert_allclose(one.rates[1], start[1] - 0.1 * by_w)


def flow(**changed):
    settings = {"target": MEMORY, "coefficients": [1.0], "rates": [2.0], "horizon": 1.0}
    return gradient_flow(**{**settings, **changed})


def descent(**changed):
    settings = {"target": MEMORY, "coefficients": [1.0], "rates": [2.0], "learning_rate": 0.1}
    return gradient_descent(**{"steps": 3, **settings, **changed})


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: flow_loss(MEMORY, [1.0], [1.0, 2.0]), RemanenceError, "one length"),
        (lambda: flow_loss(MEMORY, [1.0], [-1.0]), RemanenceError, "positive"),
        (lambda: flow_loss(MEMORY, [1.0j], [1.0]), RemanenceError, "real"),
        (lambda: flow_loss(MEMORY, [np.nan], [1.0]), RemanenceError, "NaN"),
        (lambda: ExponentialTarget([1.0], [0.0]), RemanenceError, "positive rates"),
        (lambda: DelayedGaussian(delay=1.0, width=0.0), RemanenceError, "width"),
        (lambda: KernelTarget(lambda t: 1 + 0 * t), RemanenceError, "square-integrable"),
        (lambda: gradient_flow(MEMORY, [1.0], [2.0], horizon=0.0), RemanenceError, "horizon"),
        (
            lambda: gradient_descent(MEMORY, [1.0], [2.0], learning_rate=0.1, steps=0),
            RemanenceError,
            "steps",
        ),
        (lambda: flow_loss([1.0], [1.0], [1.0]), RemanenceError, "KernelTarget makes one"),
        (lambda: flow_gradients(None, [1.0], [1.0]), RemanenceError, "KernelTarget makes one"),
        (lambda: flow_loss(MEMORY, [[1.0], [1.0, 2.0]], [1.0]), RemanenceError, "no array"),
        (lambda: ExponentialTarget("a", [1.0]), RemanenceError, "no array of numbers"),
        (lambda: MEMORY.transform([-1.0]), RemanenceError, "at least 0"),
        (lambda: MEMORY([-1.0]), RemanenceError, "time starts at 0"),
        (lambda: DelayedGaussian(None), RemanenceError, "delay must be a finite number"),
        (lambda: DelayedGaussian(1j), RemanenceError, "delay must be a finite number"),
        (lambda: DelayedGaussian(-3.0), RemanenceError, "of at least 0"),
        (lambda: DelayedGaussian(1.0, 1.0, 1e300), RemanenceError, "overflows"),
        (lambda: DelayedGaussian(1.0)("a"), RemanenceError, "no array of numbers"),
        (lambda: KernelTarget(MEMORY, fastest=0), RemanenceError, "fastest must be"),
        (lambda: KernelTarget(MEMORY, fastest="a"), RemanenceError, "fastest must be"),
        (lambda: KernelTarget(MEMORY, fastest=np.nan), RemanenceError, "fastest must be"),
        (lambda: PlateauTarget(1, 2), RemanenceError, "got int for the ExponentialTarget"),
        (lambda: flow(target="a"), RemanenceError, "KernelTarget makes one"),
        (lambda: flow(horizon="1"), RemanenceError, "horizon must be"),
        (lambda: flow(horizon=None), RemanenceError, "horizon must be"),
        (lambda: flow(escape=1j), RemanenceError, "escape must be"),
        (lambda: flow(escape=-1.0), RemanenceError, "escape must be"),
        (lambda: flow(times=[]), RemanenceError, "ascends"),
        (lambda: flow(times=[1.0, 0.0]), RemanenceError, "ascends"),
        (lambda: flow(times=[0.0, 2.0]), RemanenceError, "ascends"),
        (lambda: flow(times=[np.nan]), RemanenceError, "NaN"),
        (lambda: flow(rtol=np.nan), RemanenceError, "rtol must be"),
        (lambda: flow(rtol=-1.0), RemanenceError, "rtol must be"),
        (lambda: flow(rtol=np.inf), RemanenceError, "rtol must be"),
        (lambda: flow(rtol=2.0), RemanenceError, "rtol must be below 1"),
        (lambda: flow(atol=np.nan), RemanenceError, "atol must be"),
        (lambda: flow(atol=0), RemanenceError, "atol must be"),
        # LSODA would never come back.
        (lambda: flow(atol=1e-320), RemanenceError, "atol must be"),
        (lambda: flow(log_rates="no"), RemanenceError, "log_rates must be"),
        (lambda: descent(escape=-1), RemanenceError, "escape must be"),
        (lambda: descent(escape=np.nan), RemanenceError, "escape must be"),
        (lambda: descent(every=2.5), RemanenceError, "every must be a whole number"),
        (lambda: descent(steps="3"), RemanenceError, "steps must be a whole number"),
        (lambda: descent(learning_rate=None), RemanenceError, "learning_rate must be"),
        (lambda: descent(learning_rate=1e300, log_rates=True), NumericalError, "smaller"),
        (
            lambda: gradient_descent(MEMORY, [1.0], [2.0], learning_rate=100.0, steps=9),
            NumericalError,
            "smaller",
        ),
        # Slopes that are no numbers: LSODA cannot go on.
        (
            lambda: gradient_flow(Broken(), [0.2], [0.4], horizon=1.0),
            NumericalError,
            "LSODA stopped",
        ),
    ],
)
def test_complaints(call, error, message, monkeypatch):
    # Annotations are checked in the tests only; users are told in words.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(error, match=message) as told:
        call()
    assert "\n" not in str(told.value)
