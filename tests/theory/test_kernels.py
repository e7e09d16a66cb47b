import math
from fractions import Fraction

import numpy as np
import pytest
from scipy.integrate import quad

from remanence.errors import RemanenceError
from remanence.theory.kernels import (
    AiryKernel,
    BumpKernel,
    ExponentialKernel,
    PowerLawKernel,
    ShiftKernel,
    SumKernel,
    TwoPartKernel,
)

KERNELS = [
    ExponentialKernel(0.7),
    ExponentialKernel(1.3, 2),
    ExponentialKernel(1.3, 0.5),
    PowerLawKernel(1.5),
    PowerLawKernel(2.0, 0.1),
    PowerLawKernel(3.0, 4.0),
    AiryKernel(0),
    AiryKernel(3.0, 2.25),
    AiryKernel(12.0),
    BumpKernel(5.0),
    BumpKernel(0.2, 1.5, -2.0),
    ShiftKernel(),
    TwoPartKernel(),
    TwoPartKernel(0.2, 3.0, 2.0),
]
NAMES = [repr(kernel) for kernel in KERNELS]


def integral(f, *, end=math.inf):
    """Quadrature over unit pieces, and one long tail, of a function of one time."""
    pieces = [quad(f, a, a + 1, epsabs=0, epsrel=1e-12, limit=200)[0] for a in range(30)]
    return sum(pieces) + quad(f, 30, end, epsabs=1e-13, epsrel=1e-10, limit=400)[0]


@pytest.mark.parametrize("kernel", KERNELS, ids=NAMES)
def test_norms_are_integrals(kernel):
    assert kernel.l1_norm() == pytest.approx(integral(lambda t: abs(kernel(t))), rel=1e-9)
    assert kernel.l2_norm() ** 2 == pytest.approx(integral(lambda t: kernel(t) ** 2), rel=1e-9)


@pytest.mark.parametrize("kernel", [k for k in KERNELS if hasattr(k, "laplace")], ids=repr)
def test_laplace_transforms_are_integrals(kernel):
    s = np.array([[1e-6, 0.3], [1.0, 8.0]])
    found = kernel.laplace(s)
    assert found.shape == s.shape
    wanted = [integral(lambda t, w=w: kernel(t) * np.exp(-w * t)) for w in s.ravel()]
    np.testing.assert_allclose(found.ravel(), wanted, rtol=1e-8)
    # At 0 the transform is the integral of the kernel.
    assert float(kernel.laplace(0.0)) == pytest.approx(integral(kernel), rel=1e-9)


def test_values():
    t = np.array([0.0, 2.0, 9.5])
    np.testing.assert_allclose(ExponentialKernel(0.5, 1)(t), t * np.exp(-0.5 * t))
    np.testing.assert_allclose(PowerLawKernel(1.1, 0.1)(t), (1 + 0.1 * t) ** -1.1)
    np.testing.assert_allclose(TwoPartKernel()(t), np.exp(-t) + np.exp(-((t - 9) ** 2)))
    np.testing.assert_array_equal(ShiftKernel()(t), [0, 0, 1])
    # Ai(0) = 3^{-2/3}/Γ(2/3).
    assert float(AiryKernel(2.0, 5.0)(2.0)) == pytest.approx(3 ** (-2 / 3) / math.gamma(2 / 3))
    assert BumpKernel(3.0, 0.5, 2.0)(3.5) == pytest.approx(2 * math.exp(-0.5))
    assert AiryKernel(1.0)([[0.0, 1.0]]).shape == (1, 2)


def test_sums_of_kernels():
    kernel = SumKernel((ExponentialKernel(1.0), BumpKernel(4.0), np.cos), (2.0, -1.0, 0.5))
    t = np.linspace(0, 6, 7)
    wanted = 2 * np.exp(-t) - np.exp(-2 * (t - 4) ** 2) + 0.5 * np.cos(t)
    np.testing.assert_allclose(kernel(t), wanted)
    two = SumKernel((ExponentialKernel(1.0), BumpKernel(9.0, math.sqrt(0.5))))
    np.testing.assert_allclose(two.laplace([0.0, 0.4]), TwoPartKernel().laplace([0.0, 0.4]))
    with pytest.raises(RemanenceError, match="no Laplace transform"):
        kernel.laplace(1.0)


def test_power_laws_without_a_norm():
    assert PowerLawKernel(1.0).l1_norm() == math.inf
    assert PowerLawKernel(0.5).l2_norm() == math.inf
    # e^x E_1(x) at 1: the Euler–Gompertz constant.
    assert float(PowerLawKernel(1.0).laplace(1.0)) == pytest.approx(0.596347362323194, rel=1e-13)
    # Near the singularity at 0: x^{p−1} Γ(1 − p) for p < 1.
    small = float(PowerLawKernel(0.6).laplace(1e-12))
    assert small == pytest.approx(1e-12**-0.4 * math.gamma(0.4) - 1 / 0.4, rel=1e-9)
    with pytest.raises(RemanenceError, match="s > 0"):
        PowerLawKernel(0.9).laplace(0.0)


@pytest.mark.parametrize("kernel", KERNELS, ids=NAMES)
def test_kernels_are_smooth_between_their_break_points(kernel):
    """Gauss–Legendre quadrature with 40 nodes between them and octaves gives the norm."""
    edges = np.concatenate([[0.0], 2.0 ** np.arange(-40, 60), kernel.break_points()])
    edges = np.unique(edges[edges >= 0])
    x, w = np.polynomial.legendre.leggauss(40)
    half, middle = np.diff(edges)[:, None] / 2, (edges[1:] + edges[:-1])[:, None] / 2
    found = np.sum(half * w * np.abs(kernel(middle + half * x)))
    assert found == pytest.approx(kernel.l1_norm(), rel=1e-7)


def test_no_overflow():
    # Γ(k + 1)/β^{k+1} = k!/β^{k+1} in rational numbers.
    wanted = float(Fraction(math.factorial(300)) / Fraction(50) ** 301)
    assert ExponentialKernel(50, 300).l1_norm() == pytest.approx(wanted, rel=1e-10)
    assert float(ExponentialKernel(20, 300).laplace(30.0)) == pytest.approx(wanted, rel=1e-10)
    assert ExponentialKernel(25, 150).l2_norm() ** 2 == pytest.approx(wanted, rel=1e-10)
    peak = float(ExponentialKernel(50.0, 400)(10.0))
    assert peak == pytest.approx(math.exp(400 * math.log(10) - 500), rel=1e-9)
    assert float(AiryKernel(1.0)(1e12)) == 0.0
    assert float(BumpKernel(3.0).laplace(1e4)) == pytest.approx(math.exp(-18) / 1e4, rel=1e-3)
    assert np.isfinite(PowerLawKernel(1.1).laplace([1e-300, 1e300])).all()
    assert np.isfinite(ShiftKernel().laplace([1e-200, 1e5])).all()


def unchecked(make, *arguments):
    """As without run-time types, which users do not have."""
    made = object.__new__(make)
    for name, value in zip(("parts", "weights"), (*arguments, None), strict=False):
        object.__setattr__(made, name, value)
    made.__post_init__()
    return made


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ExponentialKernel(0.0), "rate must be a finite number above 0"),
        (lambda: ExponentialKernel(1.0, -1), "power"),
        (lambda: PowerLawKernel(math.nan), "exponent"),
        (lambda: AiryKernel(-1.0), "delay"),
        (lambda: ShiftKernel(3.0, 3.0), "stop must be a finite number above 3"),
        (lambda: SumKernel(()), "one or more"),
        (lambda: SumKernel((np.cos,), (1.0, 2.0)), "2 weights for 1 parts"),
        (lambda: unchecked(SumKernel, ExponentialKernel(1.0)), "one or more functions"),
        (lambda: unchecked(SumKernel, np.ones((2, 2))), "one or more functions"),
        (lambda: unchecked(SumKernel, (np.cos,), 1.0), "1 weights for 1 parts"),
        (lambda: unchecked(SumKernel, (np.cos,), ("a",)), "no array of numbers"),
        (lambda: unchecked(SumKernel, (np.cos,), (math.nan,)), "NaN"),
        (lambda: SumKernel((lambda t: "x",))(1.0), "no array of numbers"),
        (lambda: SumKernel((lambda t: [1.0, 2.0],))(1.0), "with shape"),
        (lambda: ExponentialKernel(1, 1e300).l1_norm(), "beyond float64"),
        (lambda: ExponentialKernel(1e-300, 2).l2_norm(), "beyond float64"),
        (lambda: ExponentialKernel(10**400), "rate must be a finite number"),
        (lambda: BumpKernel(10**5000), "too large to print"),
        (lambda: PowerLawKernel(1.5).laplace(1e-320), "too near 0"),
        (lambda: PowerLawKernel(1.1)([0.0, -1.0]), "time starts at 0"),
        (lambda: AiryKernel(1.0)(np.nan), "NaN"),
        (lambda: AiryKernel(1.0)(1j), "complex"),
        (lambda: BumpKernel(1.0)("later"), "no array of numbers"),
        (lambda: PowerLawKernel(1.5).laplace(-0.1), "at least 0"),
    ],
)
def test_bad_arguments_get_one_line(make, message):
    with pytest.raises(RemanenceError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
