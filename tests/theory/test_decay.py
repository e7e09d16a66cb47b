import numpy as np
import pytest

from remanence.errors import RemanenceError
from remanence.theory.decay import fit_decay
from remanence.theory.memory_functions import MemoryFunction

K = np.arange(1024.0)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        (0.9**K, "exponential"),
        (np.exp(-K / 100), "exponential"),
        ((K + 1) * (K + 2) * 0.95**K, "exponential"),
        (0.5**K + 0.1 * 0.95**K, "exponential"),
        (0.93**K + 1e-6 * 0.97**K, "exponential"),
        (0.98**K * np.cos(0.3 * K), "exponential"),
        ((1 + 0.1 * K) ** -1.1, "power law"),
        ((1 + K) ** -3.0, "power law"),
        (np.cos(0.5 * K) / (1 + K), "power law"),
        (np.exp(-K / 600), "undecided"),
        ((1 + 0.1 * K[:40]) ** -1.1, "undecided"),
        (0.9 ** K[:8], "undecided"),
        (np.ones(100), "undecided"),
        (1.01**K, "undecided"),
        (np.zeros(50), "undecided"),
    ],
)
def test_verdicts(values, verdict):
    fit = fit_decay(values)
    assert fit.verdict == verdict, fit.reason
    assert "\n" not in fit.reason


def test_exact_laws_are_recovered():
    fit = fit_decay(3 * 0.9**K)
    assert fit.exponential is not None
    assert fit.exponential.parameters["amplitude"] == pytest.approx(3, rel=1e-9)
    assert fit.exponential.parameters["rate"] == pytest.approx(-np.log(0.9), rel=1e-9)
    np.testing.assert_allclose(fit.exponential(K[:100]), 3 * 0.9 ** K[:100], rtol=1e-9)
    # 0.9^298 is where the values meet 100 roundings of the largest.
    assert fit.reached_floor
    assert fit.last == 298

    fit = fit_decay(0.2 * 0.95**K + 1e-8 * 0.99**K, floor=0)
    assert fit.exponential is not None
    got = fit.exponential.parameters
    assert got["rate"] == pytest.approx(-np.log(0.99), rel=1e-6)
    assert got["faster rate"] == pytest.approx(-np.log(0.95), rel=1e-6)
    assert got["faster amplitude"] == pytest.approx(0.2, rel=1e-5)
    np.testing.assert_allclose(fit.exponential(K), 0.2 * 0.95**K + 1e-8 * 0.99**K, rtol=1e-6)

    t = 0.1 * K
    fit = fit_decay(2 * t**2 * np.exp(-0.3 * t), times=t)
    assert fit.exponential is not None
    got = fit.exponential.parameters
    np.testing.assert_allclose([got["power"], got["rate"], got["amplitude"]], [2, 0.3, 2], 1e-6)

    fit = fit_decay((1 + 0.1 * K) ** -1.1)
    assert fit.best is fit.power_law
    assert fit.power_law is not None
    got = fit.power_law.parameters
    assert got["exponent"] == pytest.approx(1.1, rel=1e-6)
    assert got["scale"] == pytest.approx(10, rel=1e-5)
    np.testing.assert_allclose(fit.power_law(K), (1 + 0.1 * K) ** -1.1, rtol=1e-5)
    assert not fit.reached_floor


def covered(draw, name, law, truth, rng, trials=40):
    hits = 0
    for _ in range(trials):
        fit = fit_decay(draw(rng))
        assert fit.verdict == law.replace("_", " "), fit.reason
        low, high = getattr(fit, law).intervals[name]
        hits += low <= truth <= high
    return hits / trials


def test_intervals_cover_the_truth(rng):
    """Few points and small noise, so that the envelope leaves none of them out."""
    k = np.arange(1.0, 60.0)

    def exponential(rng):
        return np.exp(-0.2 * k + 0.02 * rng.normal(size=k.size))

    def power(rng):
        return k**-2 * np.exp(0.003 * rng.normal(size=k.size))

    assert covered(exponential, "rate", "exponential", 0.2, rng) > 0.85
    assert covered(power, "exponent", "power_law", 2.0, rng) > 0.85


def test_noise_below_the_floor_is_not_fitted(rng):
    noisy = 0.9**K + 1e-6 * rng.random(K.size)
    known = fit_decay(noisy, floor=1e-6)
    assert known.verdict == "exponential"
    assert known.exponential is not None
    # The noise is still one per cent of the last values, all of it upwards.
    assert known.exponential.parameters["rate"] == pytest.approx(-np.log(0.9), rel=0.03)
    assert known.last < 100
    # Without that knowledge the flat end must at least not pass for a law.
    assert fit_decay(noisy).verdict == "undecided"
    same = fit_decay(MemoryFunction(noisy, 1e-6, 1.0))
    assert same.exponential is not None
    assert same.exponential.parameters == known.exponential.parameters


def test_times_scale(rng):
    steps, days = fit_decay(0.9**K), fit_decay(MemoryFunction(0.9**K, 0.0, 0.25))
    assert steps.exponential is not None
    assert days.exponential is not None
    rate = steps.exponential.parameters["rate"]
    assert days.exponential.parameters["rate"] == pytest.approx(4 * rate, rel=1e-9)
    # Without a floor it goes on to where float64 ends.
    assert days.last == K[-1] / 4


def test_smooth_misfit_counts_for_few_points():
    """Eight exponentials imitate a power law: what is missed is no independent noise."""
    w = np.geomspace(1e-3, 1, 8)
    design = np.exp(-np.outer(K, w))
    values = design @ np.linalg.lstsq(design, (1 + 0.1 * K) ** -1.1)[0]
    fit = fit_decay(values)
    assert fit.verdict == "power law"
    assert fit.points > 200
    assert fit.effective_points < 20
    assert fit.power_law is not None
    low, high = fit.power_law.intervals["exponent"]
    assert low < 1.1 < high
    assert high - low > 0.01


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_decay([1.0, np.nan]), "NaN"),
        (lambda: fit_decay([1.0, 1j]), "complex"),
        (lambda: fit_decay(np.ones((4, 2))), "channels"),
        (lambda: fit_decay([]), "shape"),
        (lambda: fit_decay([2.0, 1.0], times=[1.0]), "ascending"),
        (lambda: fit_decay([2.0, 1.0], floor=-1.0), "floor"),
        (lambda: fit_decay([2.0, 1.0], floor=10**400), "floor"),
        (lambda: fit_decay([[2.0], [1.0, 3.0]]), "no array of numbers"),
        (lambda: fit_decay([2.0, 1.0], skip=1.0), "below 1"),
        (lambda: fit_decay("decay"), "no array of numbers"),
    ],
)
def test_bad_arguments_get_one_line(call, message):
    with pytest.raises(RemanenceError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
