import functools
import inspect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from remanence.errors import NumericalError, RemanenceError
from remanence.theory.perturbation import (
    ball_perturbation,
    discrete_mode_errors,
    mode_errors,
    parameter_norm,
    perturbation_errors,
    readout_errors,
    relative_modulus,
    stability_radius,
    tensor_perturbation,
)

RATES = st.floats(-20.0, -1e-3)


def parameters(rng):
    return {"W": rng.standard_normal((5, 4)), "c": rng.standard_normal(7), "a": 0.3}


def test_the_norm_is_the_largest_two_norm(rng):
    given_ = parameters(rng)
    expected = max(np.linalg.svd(given_["W"])[1][0], np.sqrt(sum(given_["c"] ** 2)), 0.3)
    assert parameter_norm(given_) == pytest.approx(expected, rel=1e-14)
    assert parameter_norm({"a": [[0.0, -3.0]], "b": [-1, 2]}) == pytest.approx(3.0)


def test_the_ball_is_reached_in_every_tensor(rng):
    given_ = parameters(rng)
    moved = ball_perturbation(given_, 0.25, rng)
    for name, value in given_.items():
        noise = moved[name] - np.asarray(value)
        size = np.linalg.svd(noise)[1][0] if noise.ndim == 2 else np.sqrt(np.sum(noise**2))
        assert size == pytest.approx(0.25, rel=1e-12)


def test_the_published_convention(rng):
    given_ = parameters(rng)
    moved = tensor_perturbation(given_, 0.25, rng, one_sided={"W": -1})
    np.testing.assert_allclose(moved["W"] - given_["W"], -0.25, atol=1e-15)
    noise = moved["c"] - given_["c"]
    assert np.abs(noise).max() == pytest.approx(0.25, rel=1e-12)
    assert np.abs(noise).min() < 0.24
    signs = np.array([1.0, -1.0, 1.0, 0.0, 1.0, 1.0, 1.0])
    moved = tensor_perturbation(given_, 2.0, rng, one_sided={"c": signs})
    np.testing.assert_allclose(moved["c"] - given_["c"], 2 * signs)


def test_errors_run_upwards_and_meet_a_known_supremum():
    # Of a vector's own change the supremum over the ball is its radius, reached by every draw.
    c = np.array([1.0, 2.0, -1.0])
    shares = []
    found = perturbation_errors(
        lambda p: np.linalg.norm(p["c"] - c),
        {"c": c},
        [0.0, 0.1, 0.3, 0.7],
        draws=3,
        on_progress=shares.append,
    )
    np.testing.assert_allclose(found.errors, [0.0, 0.1, 0.3, 0.7], atol=1e-15)
    assert shares == [0.25, 0.5, 0.75, 1.0]
    assert found.drawn.shape == (4, 3)
    assert found.tolerated(0.35) == 0.3
    assert found.tolerated(-1) == found.tolerated(-(10**400)) == 0.0
    assert found.tolerated(10**400) == found.radii[-1]
    # An error that falls: the running maximum stays.
    found = perturbation_errors(lambda p: -np.linalg.norm(p["c"] - c), {"c": c}, [0.0, 1.0])
    assert found.errors.tolist() == [0.0, 0.0]
    assert found.drawn[1].max() == pytest.approx(-1.0)


def test_the_same_seed_gives_the_same_draws():
    def run(seed):
        return perturbation_errors(
            lambda p: float(p["c"][0]), {"c": [0.0, 0.0]}, [0.5], draws=4, seed=seed
        ).drawn

    np.testing.assert_array_equal(run(3), run(3))
    assert (run(3) != run(4)).all()


def overflows(p):
    raise OverflowError


def fails(p):
    raise NumericalError("no solution")


@pytest.mark.parametrize("error", [lambda p: np.nan, lambda p: np.inf, overflows, fails])
def test_what_is_no_number_counts_as_infinite(error):
    found = perturbation_errors(error, {"a": 1.0}, [0.0, 1.0])
    assert np.isinf(found.errors).all()


def test_one_sided_perturbations_of_one_mode_match_the_closed_form():
    def error(p):
        if p["w"] >= 0:
            return np.inf
        return quad(lambda t: abs(np.exp(p["w"] * t) - np.exp(-t / 2)), 0, 200, limit=500)[0]

    perturb = functools.partial(tensor_perturbation, one_sided={"w": 1})
    radii = [0.1, 0.3, 0.6]
    found = perturbation_errors(error, {"w": -0.5}, radii, perturb=perturb, draws=1)
    expected = mode_errors(-0.5, -0.5 + np.array(radii))
    np.testing.assert_allclose(found.errors, expected, rtol=1e-7)
    assert np.isinf(expected[-1])


@given(RATES, RATES, st.floats(-5, 5))
@settings(max_examples=30, deadline=None)
def test_mode_errors_are_integrals(rate, perturbed, c):
    end = 60 / min(-rate, -perturbed)
    grid = np.concatenate([[0.0], np.geomspace(1e-7 * end, end, 4000)])
    values = np.abs(c * (np.exp(perturbed * grid) - np.exp(rate * grid)))
    expected = np.trapezoid(values, grid)
    found = float(mode_errors(rate, perturbed, c))
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-12)


def test_discrete_mode_errors_are_sums():
    a, b = np.array([0.0, 0.3, 0.9]), np.array([0.2, 0.3, 0.97])
    k = np.arange(3000)[:, None]
    expected = 2 * np.abs(a**k - b**k).sum(axis=0)
    np.testing.assert_allclose(discrete_mode_errors(a, b, -2.0), expected, rtol=1e-10)
    assert np.isinf(discrete_mode_errors(0.5, 1.0))


def test_mode_errors_near_the_axis_keep_their_digits():
    # A difference of reciprocals would have five digits here.
    assert float(mode_errors(-1e-12, -1e-12 * (1 + 2**-30))) == pytest.approx(
        1e12 * 2**-30 / (1 + 2**-30), rel=1e-6
    )
    assert mode_errors(-1.0, 1.0, 0.0) == 0
    # The product of two such rates is 0.
    assert mode_errors(-1e-200, -1e-200) == 0
    assert float(mode_errors(-1e-200, -2e-200, 3.0)) == pytest.approx(1.5e200, rel=1e-12)
    assert float(mode_errors(-1e-300, -1e10, 1e-5)) == pytest.approx(1e295, rel=1e-12)


def test_stability_radius():
    assert stability_radius([-0.5, -0.02]) == 0.02
    assert stability_radius([-0.5 + 3j, -0.1 - 2j]) == 0.1
    assert stability_radius([-0.5, 0.1]) == 0.0
    assert stability_radius([-3, -2]) == 2.0
    assert stability_radius(-0.25) == 0.25


def test_readout_errors_are_what_a_moved_readout_does():
    rates, beta = np.array([-2.0, -0.3, -0.01]), 0.05
    for normalised in (False, True):
        c = -rates if normalised else np.ones(3)
        expected = [
            quad(lambda t, r=r, x=x: beta * x * np.exp(r * t), 0, 60 / -r, limit=200)[0]
            for r, x in zip(rates, c, strict=True)
        ]
        found = readout_errors(rates, beta, normalised=normalised)
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_the_modulus_by_force():
    grid = np.linspace(-5, 5, 401)
    assert relative_modulus(lambda w: -np.exp(w), 0.5, grid) == pytest.approx(
        np.expm1(0.5), rel=1e-12
    )
    # The direct map: w must be further from 0 than beta.
    assert relative_modulus(lambda w: w, 0.5, grid) == np.inf
    # f(w)/f(w + δ) − 1 = w/(w + δ) − 1, the largest at w = −1, δ = 0.5.
    assert relative_modulus(lambda w: w, 0.5, np.linspace(-5, -1, 9)) == pytest.approx(1.0)
    # −e^w overflows at 710: a mode moved to there is lost whole, and not NaN.
    assert relative_modulus(lambda w: -np.exp(w), 1.0, [709.5]) == pytest.approx(np.expm1(1))
    assert relative_modulus(lambda w: np.where(w > 1, -np.inf, -1.0), 1.0, [0.5]) == 1.0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: parameter_norm({}), "mapping"),
        (lambda: parameter_norm({"a": [np.nan]}), "NaN"),
        (lambda: parameter_norm({"a": [1j]}), "complex"),
        (lambda: parameter_norm({"a": np.ones((2, 2, 2))}), "shape"),
        (lambda: parameter_norm({"a": ["x"]}), "parameter 'a'"),
        (lambda: parameter_norm({"a": [[1.0], [1.0, 2.0]]}), "parameter 'a'"),
        (lambda: ball_perturbation({"a": 1.0}, -1, np.random.default_rng()), "radius"),
        (
            lambda: tensor_perturbation(
                {"a": 1.0}, 1, np.random.default_rng(), one_sided={"b": 1}
            ),
            "'b'",
        ),
        (
            lambda: tensor_perturbation(
                {"a": [1.0, 2.0]}, 1, np.random.default_rng(), one_sided={"a": [1, 1, 1]}
            ),
            "shape",
        ),
        (lambda: perturbation_errors(lambda p: 0.0, {"a": 1.0}, [1.0, 0.5]), "ascending"),
        (lambda: perturbation_errors(lambda p: 0.0, {"a": 1.0}, [-1.0]), "ascending"),
        (lambda: perturbation_errors(lambda p: 0.0, {"a": 1.0}, [1.0], draws=0), "draws"),
        (lambda: perturbation_errors(lambda p: [1, 2], {"a": 1.0}, [1.0]), "one real number"),
        (lambda: perturbation_errors(lambda p: [[1], [1, 2]], {"a": 1.0}, [1.0]), "ragged"),
        (lambda: stability_radius([]), "at least one"),
        (lambda: mode_errors(0.5, -1.0), "negative"),
        (lambda: mode_errors([-1.0, -2.0], [-1.0, -1.0, -1.0]), "fit"),
        (lambda: discrete_mode_errors(1.0, 0.5), "[0, 1)"),
        (lambda: readout_errors(0.0, 1.0), "negative"),
        (lambda: relative_modulus(lambda w: w, 1.0, [1.0]), "negative rate"),
        (lambda: relative_modulus(lambda w: w[:1], 1.0, [-1.0, -2.0]), "shape"),
        (lambda: relative_modulus(lambda w: w, 1.0, [-1.0], offsets=1), "offsets"),
        (lambda: relative_modulus(lambda w: -np.exp(w), 1.0, 1e300), "infinite at 1e+300"),
        (lambda: relative_modulus(lambda w: w * 1j, 1.0, [-1.0]), "real numbers"),
        (lambda: stability_radius([[-1.0, 5.0], [0.0, -2.0]]), "eigvals"),
        (lambda: stability_radius([[-1.0], [1.0, 2.0]]), "ragged"),
        (lambda: stability_radius("a"), "numbers"),
        (lambda: stability_radius(None), "numbers"),
        (lambda: stability_radius([10**400]), "numbers"),
    ],
)
def test_mistakes_are_said_in_one_line(call, words):
    with pytest.raises(RemanenceError) as caught:
        call()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


NOT_RADII = ("a", None, 1j, np.nan, -1.0)
RNG = np.random.default_rng(0)
ONE = {"a": 1.0}
BAD = [
    *[(ball_perturbation, (ONE, radius, RNG), {}, "radius") for radius in NOT_RADII],
    *[(tensor_perturbation, (ONE, radius, RNG), {}, "radius") for radius in NOT_RADII],
    *[(readout_errors, (-1.0, radius), {}, "radius") for radius in NOT_RADII],
    *[(relative_modulus, (np.negative, radius, [1.0]), {}, "radius") for radius in NOT_RADII],
    *[
        (relative_modulus, (np.negative, 0.5, [1.0]), {"offsets": n}, "offsets")
        for n in (2.5, "3")
    ],
    (relative_modulus, (None, 0.5, [1.0]), {}, "rate"),
    (readout_errors, (-1.0, 0.5), {"normalised": np.ones(2, bool)}, "normalised"),
    (ball_perturbation, (ONE, 1.0, None), {}, "rng"),
    (tensor_perturbation, (ONE, 1.0, None), {}, "rng"),
    (tensor_perturbation, (ONE, 1.0, RNG), {"one_sided": "a"}, "one_sided"),
    *[
        (perturbation_errors, (abs, ONE, [0.0, 1.0]), {name: value}, name)
        for name, values in {
            "draws": (2.5, "3", None, True),
            "seed": (2.5, "a", -1, None),
            "perturb": (None, "ball"),
            "on_progress": ("a",),
        }.items()
        for value in values
    ],
    (perturbation_errors, (None, ONE, [0.0, 1.0]), {}, "error"),
    *[
        (
            perturbation_errors(lambda p: 1.0, ONE, [0.0, 1.0]).tolerated,
            (bound,),
            {},
            "bound",
        )
        for bound in (None, "a", np.nan)
    ],
]


@pytest.mark.parametrize(("function", "positional", "named", "word"), BAD)
def test_what_annotations_refuse_is_refused_without_them(function, positional, named, word):
    # Users run without the checks of annotations that the tests have.
    plain = inspect.unwrap(function)
    if inspect.ismethod(function):
        plain = functools.partial(inspect.unwrap(function.__func__), function.__self__)
    with pytest.raises(RemanenceError) as caught:
        plain(*positional, **named)
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)
