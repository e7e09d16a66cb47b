import math

import numpy as np
import pytest

from remanence.errors import NumericalError, RemanenceError
from remanence.systems import DiagonalStateSpace, StateSpace
from remanence.theory.functionals import (
    functional_distance,
    functional_norm,
    spectral_abscissa,
    w1_estimate,
    w1_norm,
    worst_input,
)
from remanence.theory.kernels import AiryKernel, ExponentialKernel, PowerLawKernel, TwoPartKernel


def dense(rng, order=4, inputs=2, outputs=3, radius=0.9):
    A = rng.normal(size=(order, order))
    A *= radius / np.abs(np.linalg.eigvals(A)).max()
    C, D = rng.normal(size=(outputs, order)), rng.normal(size=(outputs, inputs))
    return StateSpace(A, rng.normal(size=(order, inputs)), C, D)


def modal(rng, modes=3, inputs=2, outputs=2):
    eigenvalues = rng.uniform(0.5, 0.97, modes) * np.exp(1j * rng.uniform(0.1, 3, modes))
    B = rng.normal(size=(modes, inputs)) + 1j * rng.normal(size=(modes, inputs))
    C = rng.normal(size=(outputs, modes)) + 1j * rng.normal(size=(outputs, modes))
    return DiagonalStateSpace(eigenvalues, B, C, rng.normal(size=(outputs, inputs)))


def brute_response(system, length):
    """`C A^j B` by a loop, in NumPy."""
    system = system.to_dense() if isinstance(system, DiagonalStateSpace) else system
    A, B, C, D = (np.asarray(m) for m in (system.A, system.B, system.C, system.D))
    found, state = [], B
    for _ in range(length):
        found.append(C @ state)
        state = A @ state
    found[0] = found[0] + D
    return np.array(found)


@pytest.mark.parametrize("make", [dense, modal])
def test_the_norm_of_a_system_is_the_sum_of_its_response(make, rng):
    system = make(rng)
    wanted = np.abs(brute_response(system, 3000)).sum(axis=(0, 2)).max()
    assert functional_norm(system) == pytest.approx(wanted, rel=1e-10)
    other = make(rng)
    gap = brute_response(system, 3000) - brute_response(other, 3000)
    distance = functional_distance(system, other)
    assert distance == pytest.approx(np.abs(gap).sum(axis=(0, 2)).max(), rel=1e-10)
    assert functional_distance(system, system) < 1e-12


def test_norms_of_long_and_short_memories():
    # Σ ε^{-1} of one slow mode, and a Jordan block: Σ j λ^{j−1} = 1/(1−λ)².
    assert functional_norm(StateSpace([[1 - 1e-5]], [[1.0]], [[1.0]])) == pytest.approx(1e5)
    jordan = StateSpace([[0.99, 1.0], [0.0, 0.99]], [[0.0], [1.0]], [[1.0, 0.0]])
    assert functional_norm(jordan) == pytest.approx(1e4, rel=1e-9)
    nilpotent = StateSpace([[0.0, 1.0], [0.0, 0.0]], [[0.0], [1.0]], [[3.0, 0.0]], [[-1.0]])
    assert functional_norm(nilpotent) == 4.0
    assert functional_norm(StateSpace(np.zeros((0, 0)), np.zeros((0, 1)), np.zeros((1, 0)))) == 0
    assert functional_norm(StateSpace([[1.0]], [[1.0]], [[1.0]])) == math.inf
    unstable = DiagonalStateSpace([1.1, 0.5], [[1.0], [1.0]], [[1.0, 1.0]])
    assert functional_norm(unstable) == math.inf
    # An unstable mode that no output sees.
    hidden = DiagonalStateSpace([1.1, 0.5], [[1.0], [1.0]], [[0.0, 1.0]])
    assert functional_norm(hidden) == pytest.approx(2.0)


def test_mixed_systems(rng):
    one = DiagonalStateSpace([0.5], [[1.0]], [[2.0]])
    two = StateSpace([[0.5]], [[1.0]], [[1.5]])
    assert functional_distance(one, two) == pytest.approx(1.0)


def test_the_norm_of_a_function_of_time():
    assert functional_norm(lambda t: np.exp(-3 * np.asarray(t))) == pytest.approx(1 / 3, rel=1e-9)
    kernel = AiryKernel(3.0, 2.25)
    assert functional_norm(kernel) == kernel.l1_norm()
    assert functional_norm(lambda t: kernel(t)) == pytest.approx(kernel.l1_norm(), rel=1e-8)
    # Two outputs of two inputs; the second output is the worse.
    both = functional_norm(lambda t: np.exp(-t) * np.array([[1.0, -2.0], [3.0, 1.0]]))
    assert both == pytest.approx(4.0, rel=1e-9)
    # ∫ |e^{−at} − e^{−bt}| = |1/a − 1/b|.
    apart = functional_distance(ExponentialKernel(0.3), ExponentialKernel(0.7))
    assert apart == pytest.approx(1 / 0.3 - 1 / 0.7, rel=1e-8)
    far = functional_norm(lambda t: TwoPartKernel()(t))
    assert far == pytest.approx(TwoPartKernel().l1_norm(), rel=1e-9)
    with pytest.raises(NumericalError, match="does not converge"):
        functional_norm(lambda t: 1 / (1 + t) ** 0.5)


def test_arrays_on_a_grid():
    t = np.linspace(0.0, 40.0, 40001)
    kernel = PowerLawKernel(3.0)
    on_grid = functional_norm(kernel, times=t)
    assert on_grid == pytest.approx(0.5 * (1 - 41.0**-2), rel=1e-6)
    assert functional_norm(kernel(t), times=t) == on_grid
    gap = functional_distance(kernel, np.zeros(t.size), times=t)
    assert gap == pytest.approx(on_grid, rel=1e-12)
    assert functional_norm([[1.0, -2.0], [0.5, 0.5]]) == 4.0
    assert functional_norm(np.array([[[1.0], [-3.0]], [[1.0], [0.0]]])) == 3.0


def test_the_worst_input_attains_the_norm(rng):
    system, other = dense(rng), dense(rng)
    lags = 12
    g, h = brute_response(system, lags), brute_response(other, lags)
    for output in range(3):
        x = worst_input(g, h, output=output)
        assert np.abs(x).max() == 1
        gap = (np.asarray(system.simulate(x)[0]) - np.asarray(other.simulate(x)[0]))[-1, output]
        assert gap == pytest.approx(np.abs(g - h)[:, output].sum(), rel=1e-12)
        # No other sign pattern does better.
        for _ in range(200):
            z = rng.choice([-1.0, 1.0], size=x.shape)
            tried = np.einsum("tj,tj->", (g - h)[::-1, output], z)
            assert abs(tried) <= gap + 1e-12


def test_w1_norms(rng):
    # ∫ρ = 1/β, |ρ(0)| + ∫|ρ'| = 2.
    t = np.linspace(0.0, 60.0, 60001)
    assert w1_norm(ExponentialKernel(0.5), times=t) == pytest.approx(2.0 + 2.0, rel=1e-6)
    # The definition by brute force: the worst inputs of y_t and of y_t − y_{t−1}.
    g = rng.normal(size=(5, 2))
    padded = np.concatenate([np.zeros((1, 2)), g, np.zeros((1, 2))])
    wanted = np.abs(g).sum() + np.abs(np.diff(padded, axis=0)).sum()
    assert w1_norm(g) == pytest.approx(wanted)
    assert w1_norm(g, denominator="x+1") == w1_norm(g)
    assert w1_norm(g, denominator="x+1", radius=3.0) == pytest.approx(0.75 * wanted)


def test_w1_estimates_are_lower_bounds_that_the_worst_inputs_reach(rng):
    g = rng.normal(size=6)
    slopes = np.diff(np.concatenate([[0.0], g, [0.0]]))
    # For every t at once no sequence is needed: one for the size, one for the slope, one length.
    inputs = np.zeros((2, 7))
    inputs[0, 1:] = np.sign(g[::-1])
    inputs[1] = np.sign(slopes[::-1])
    outputs = np.array([np.convolve(x, g)[:7] for x in inputs])
    assert w1_estimate(inputs[..., None], outputs) == pytest.approx(w1_norm(g), rel=1e-12)
    random = rng.choice([-1.0, 1.0], size=(30, 7))
    tried = np.array([np.convolve(x, g)[:7] for x in random])
    assert w1_estimate(random[..., None], tried) <= w1_norm(g)
    # |x|_∞ + 1 = 2 halves it, and steps of a tenth weigh the slopes.
    half = w1_estimate(inputs[..., None], outputs, denominator="x+1")
    assert half == pytest.approx(w1_norm(g) / 2)
    fine = w1_estimate(inputs[..., None], outputs[..., None], step=0.1)
    assert fine == pytest.approx(np.abs(g).sum() + 10 * np.abs(slopes).sum())


def test_spectral_abscissas(rng):
    assert spectral_abscissa([-0.5 + 3j, -2.0]) == -0.5
    assert spectral_abscissa([0.5, -0.9], time="discrete") == pytest.approx(math.log(0.9))
    system = dense(rng)
    assert spectral_abscissa(system) == pytest.approx(math.log(0.9))
    assert spectral_abscissa(StateSpace([[0.0]], [[1.0]], [[1.0]])) == -math.inf
    assert spectral_abscissa([]) == -math.inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: functional_norm([1.0, np.nan]), "NaN"),
        (lambda: functional_norm([1.0, 1j]), "complex"),
        (lambda: functional_norm([]), "shape"),
        (lambda: functional_norm(np.ones((2, 2, 2, 2))), "shape"),
        (lambda: functional_norm("kernel"), "no array of numbers"),
        (lambda: functional_norm([1.0, 2.0], times=[0.0, 0.0]), "ascending"),
        (lambda: functional_norm(StateSpace([[0.5]], [[1.0]], [[1.0]]), times=[0.0]), "steps"),
        (lambda: functional_norm([1.0], tolerance=0), "tolerance"),
        (lambda: functional_distance([1.0], [1.0, 2.0]), "shapes"),
        (lambda: functional_distance(ExponentialKernel(1), [1.0]), "times"),
        (lambda: functional_distance(StateSpace([[0.5]], [[1.0]], [[1.0]]), [1.0]), "a system"),
        (lambda: worst_input([1.0], output=1), "no output 1"),
        (lambda: w1_norm([1.0], denominator="x + 1"), "did you mean 'x\\+1'"),
        (lambda: w1_norm([1.0], radius=0.0), "radius"),
        (lambda: w1_estimate(np.ones((2, 3)), np.ones((2, 3))), "shape"),
        (lambda: w1_estimate(np.zeros((1, 3, 1)), np.ones((1, 3))), "0 throughout"),
        (lambda: spectral_abscissa([np.nan]), "finite"),
        (lambda: spectral_abscissa([1.0], time="both"), "neither"),
    ],
)
def test_bad_arguments_get_one_line(call, message):
    with pytest.raises(RemanenceError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
