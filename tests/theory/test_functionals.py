import inspect
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
from remanence.theory.kernels import (
    AiryKernel,
    BumpKernel,
    ExponentialKernel,
    PowerLawKernel,
    ShiftKernel,
    SumKernel,
    TwoPartKernel,
)

BUMP = math.sqrt(2 * math.pi) / 2
"""The integral of a bump of width 1/2."""


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


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        (BumpKernel(300), BumpKernel(320), 2 * BUMP),
        (BumpKernel(1000), BumpKernel(1020), 2 * BUMP),
        (BumpKernel(1e6), BumpKernel(2e6), 2 * BUMP),
        (ShiftKernel(9, 11), ShiftKernel(300, 302), 4.0),
        (ShiftKernel(9e4, 9e4 + 2), ShiftKernel(9e4 + 1, 9e4 + 3), 2.0),
        (ExponentialKernel(1), TwoPartKernel(1, 300, 0.7), 1.4 * BUMP),
        (BumpKernel(1e6), lambda t: np.exp(-t), 1 + BUMP),
        (ExponentialKernel(1e8), ExponentialKernel(2e8), 0.5e-8),
        (ExponentialKernel(1e-20), ExponentialKernel(2e-20), 0.5e20),
        (PowerLawKernel(1.1), PowerLawKernel(1.2), 5.0),
        (AiryKernel(20.0), ExponentialKernel(1), None),
    ],
)
def test_distances_do_not_depend_on_where_a_kernel_lives(first, second, wanted):
    if wanted is None:
        # Nearly apart: Ai is small where e^{−t} is not.
        grid = np.linspace(0, 40, 400_001)
        wanted = np.trapezoid(np.abs(first(grid) - second(grid)) - np.abs(first(grid)), grid)
        wanted += first.l1_norm()
        assert functional_distance(first, second) == pytest.approx(wanted, rel=1e-7)
        return
    assert functional_distance(first, second) == pytest.approx(wanted, rel=1e-9)


def test_norms_of_sums_and_of_functions_that_announce_nothing():
    far = SumKernel((ExponentialKernel(1), BumpKernel(300)), (1.0, -2.0))
    assert functional_norm(far) == pytest.approx(1 + 2 * BUMP, rel=1e-9)
    nested = SumKernel((far, BumpKernel(1e5)))
    assert functional_norm(nested) == pytest.approx(1 + 3 * BUMP, rel=1e-9)
    # What the docstring promises: 0.15 up to 1024, and a thousandth of the time beyond.
    assert functional_norm(lambda t: BumpKernel(1010.3, 0.1)(t)) == pytest.approx(BUMP / 5)
    assert functional_norm(lambda t: BumpKernel(5e4, 40.0)(t)) == pytest.approx(80 * BUMP)
    assert functional_norm(lambda t: np.exp(-t) / np.sqrt(t)) == pytest.approx(math.sqrt(math.pi))


def unchecked(function):
    """Without run-time types, which users do not have."""
    return inspect.unwrap(function)


class Unannounced:
    """Knows its norm, not where it is."""

    def __init__(self, kernel):
        self.kernel = kernel

    def __call__(self, t):
        return self.kernel(t)

    def l1_norm(self):
        return self.kernel.l1_norm()


def test_the_norms_of_the_parts_find_out_what_quadrature_missed():
    hidden = Unannounced(BumpKernel(1e6))
    with pytest.raises(NumericalError, match=r"exclude.*times"):
        functional_distance(ExponentialKernel(3), hidden)
    with pytest.raises(NumericalError, match=r"exclude.*times"):
        functional_norm(SumKernel((ExponentialKernel(3), hidden)))


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
    assert spectral_abscissa([-2, -1]) == -1
    assert spectral_abscissa(0) == 0
    assert spectral_abscissa([1, -3], time="discrete") == pytest.approx(math.log(3))


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
        (lambda: functional_norm([1.0], tolerance=1.0), "below 1"),
        (lambda: functional_norm([[1.0], [1.0, 2.0]]), "no array of numbers"),
        (lambda: functional_norm(AiryKernel(1e6)), "zeros before the delay"),
        (lambda: functional_distance(np.cos, lambda t: "a"), "no array of numbers"),
        (lambda: functional_distance(np.cos, lambda t: [1.0, 2.0]), "answer with"),
        (lambda: worst_input(np.cos), "worst_input: .*give its values"),
        (lambda: unchecked(worst_input)([1.0], output=0.5), "output must be a whole number"),
        (lambda: worst_input([1.0], output=-1), "output must be a whole number"),
        (lambda: unchecked(w1_norm)([1.0], denominator=3), "denominator 3 is none of x"),
        (lambda: w1_norm([1.0], radius=10**400), "radius must be a finite number"),
        (lambda: spectral_abscissa([[0.0, 1.0], [-1.0, 0.0]]), "np.linalg.eigvals"),
        (lambda: spectral_abscissa([[1.0], [1.0, 2.0]]), "finite numbers"),
        (lambda: spectral_abscissa("a"), "finite numbers"),
        (lambda: spectral_abscissa(10**400), "finite numbers"),
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
