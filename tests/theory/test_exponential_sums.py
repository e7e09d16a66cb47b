import jaxtyping
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
import scipy.special

from remanence.errors import RemanenceError
from remanence.theory import _exponential_projection as projection
from remanence.theory._exponential_quadrature import sample_kernel
from remanence.theory.exponential_sums import (
    ExponentialSum,
    free_exponential_sum,
    orthonormal_realisation,
    uniform_basis,
    uniform_exponential_sum,
    uniform_exponential_sums,
)
from remanence.theory.kernels import (
    BumpKernel,
    ExponentialKernel,
    PowerLawKernel,
    ShiftKernel,
    SumKernel,
    TwoPartKernel,
)


def power_law(t):
    return (1 + t) ** -1.1


def hump(t):
    return t * np.exp(-t)


def step(t):
    return ((t > 9.3) & (t < 11.1)).astype(float)


@pytest.mark.parametrize(
    ("kernel", "energy", "laplace", "tolerance"),
    [
        (lambda t: 0.9**t, -0.5 / np.log(0.9), 1 / (1 - np.log(0.9)), 1e-13),
        (hump, 0.25, 0.25, 1e-13),
        (lambda t: (1 + t) ** -0.6, 5.0, np.e * scipy.special.gamma(0.4), 1e-12),
        (lambda t: np.exp(-2e6 * t), 2.5e-7, 1 / (1 + 2e6), 1e-13),
        (
            lambda t: np.exp(-2 * (t - 1000) ** 2),
            np.sqrt(np.pi) / 2,
            np.sqrt(np.pi / 2) * np.exp(-1000 + 0.125),
            1e-12,
        ),
        (
            lambda t: t**-0.25 * np.exp(-t),
            scipy.special.gamma(0.5) / np.sqrt(2),
            scipy.special.gamma(0.75) * 2**-0.75,
            1e-7,
        ),
        (step, 1.8, np.exp(-9.3) - np.exp(-11.1), 1e-7),
    ],
)
def test_nodes_integrate_the_kernel_and_its_transform(kernel, energy, laplace, tolerance):
    found = sample_kernel(kernel, owner="here", rate=1.0)
    # The incomplete gamma of the slow power law, by its own routine.
    if energy == 5.0:
        laplace *= scipy.special.gammaincc(0.4, 1.0)
    assert found.energy == pytest.approx(energy, rel=tolerance)
    got = found.weights @ (found.values * np.exp(-found.times))
    assert got == pytest.approx(laplace, rel=tolerance)


def test_the_uniform_basis_is_orthonormal_and_of_jacobi_polynomials():
    t = np.array([0.0, 0.3, 2.0, 40.0])
    got = uniform_basis(t, 64, 0.7)
    n = np.arange(64)
    s = np.exp(-0.7 * t)[:, None]
    expected = np.sqrt(1.4 * (n + 1)) * s * scipy.special.eval_jacobi(n, 0, 1, 2 * s - 1)
    np.testing.assert_allclose(got, expected, atol=1e-11)
    # ∫ φφᵀ dt = ∫ φφᵀ ds / (βs), a polynomial in s: Gauss–Legendre is exact.
    x, w = np.polynomial.legendre.leggauss(130)
    s = (x + 1) / 2
    phi = uniform_basis(-np.log(s) / 0.7, 128, 0.7)
    gram = phi.T @ ((w / 2 / (0.7 * s))[:, None] * phi)
    np.testing.assert_allclose(gram, np.eye(128), atol=1e-11)


def test_the_realisation_is_the_basis_and_its_gramian_the_identity(rng):
    A, b = orthonormal_realisation(0.7 * np.arange(1, 13))
    for t in (0.0, 0.4, 3.0):
        np.testing.assert_allclose(
            scipy.linalg.expm(t * A) @ b, uniform_basis(np.array(t), 12, 0.7), atol=1e-12
        )
    rates = rng.uniform(0.1, 3.0, 5)
    A, b = orthonormal_realisation(rates)
    gramian = scipy.linalg.solve_continuous_lyapunov(A, -np.outer(b, b))
    np.testing.assert_allclose(gramian, np.eye(5), atol=1e-12)
    np.testing.assert_allclose(np.sort(-np.linalg.eigvals(A).real), np.sort(rates), rtol=1e-9)


def test_uniform_sums_solve_the_normal_equations():
    found = uniform_exponential_sum(hump, 5, rate=0.8)
    w = 0.8 * np.arange(1, 6)
    gram, moments = 1 / (w[:, None] + w), 1 / (1 + w) ** 2
    c = np.linalg.solve(gram, moments)
    assert found.error**2 == pytest.approx(0.25 - c @ moments, rel=1e-5, abs=1e-14)
    t = np.linspace(0, 20, 50)
    np.testing.assert_allclose(found(t), np.exp(-np.outer(t, w)) @ c, atol=1e-9)
    assert found.spectral_abscissa == -0.8
    np.testing.assert_allclose(found.rates, w)
    residual = scipy.integrate.quad(lambda s: (hump(s) - found(s)) ** 2, 0, 60, epsabs=1e-15)[0]
    assert found.error == pytest.approx(np.sqrt(residual), rel=1e-6)


def test_widths_share_one_projection_and_the_best_rate_is_no_worse_than_its_neighbours():
    several = uniform_exponential_sums(power_law, [2, 7], rate=0.3)
    for width, one in zip((2, 7), several, strict=True):
        alone = uniform_exponential_sum(power_law, width, rate=0.3)
        assert one.error == pytest.approx(alone.error, rel=1e-9)
    best = uniform_exponential_sum(power_law, 8)
    for factor in (0.2, 0.9, 1.1, 5.0):
        other = uniform_exponential_sum(power_law, 8, rate=factor * best.rate)
        assert best.error < other.error
    assert best.relative_error == pytest.approx(0.0705, abs=1e-4)


def test_one_free_rate_is_the_best_of_a_scan():
    found = free_exponential_sum(power_law, 1)
    # 1 − L(w)² 2w / ‖ρ‖², L of a power law by its incomplete gamma function.
    w = np.geomspace(0.1, 1.0, 4001)
    transform = np.array(
        [
            scipy.integrate.quad(lambda t, r=r: power_law(t) * np.exp(-r * t), 0, np.inf)[0]
            for r in w[::40]
        ]
    )
    left = np.sqrt(1 - 2 * w[::40] * transform**2 * 1.2)
    assert found.relative_error == pytest.approx(left.min(), rel=1e-4)
    assert found.relative_error <= left.min() + 1e-9
    assert found.rates[0] == pytest.approx(w[::40][np.argmin(left)], rel=0.03)


def test_free_rates_are_found_again(rng):
    rates, c = np.array([0.05, 0.4, 2.5]), np.array([1.0, -2.0, 3.0])
    found = free_exponential_sum(lambda t: np.exp(-np.outer(t, rates)) @ c, 3)
    np.testing.assert_allclose(found.rates, rates, rtol=1e-6)
    np.testing.assert_allclose(found.coefficients, c, rtol=1e-5)
    assert found.relative_error < 1e-11
    more = free_exponential_sum(lambda t: np.exp(-np.outer(t, rates)) @ c, 5)
    assert more.rates.size == 3


def test_free_rates_are_stationary_and_better_than_geometric_ones():
    found = free_exponential_sum(power_law, 4)
    assert found.relative_error < 0.035
    assert found.spectral_abscissa == -found.rates.min()
    sampled = sample_kernel(power_law, owner="here")
    for i in range(4):
        for factor in (0.999, 1.001):
            moved = found.rates.copy()
            moved[i] *= factor
            error = np.linalg.norm(projection.project(sampled, moved).residual)
            assert error > found.error
    assert found.norm == pytest.approx(np.sqrt(1 / 1.2), rel=1e-12)


def test_the_stability_condition_costs():
    free, stable = (
        free_exponential_sum(power_law, 6),
        free_exponential_sum(power_law, 6, min_rate=0.1),
    )
    assert stable.rates.min() >= 0.1 * (1 - 1e-9)
    assert free.rates.min() < 1e-3
    assert stable.error > 5 * free.error


def test_values_on_a_grid_are_fitted_there():
    t = np.array([0.0, 0.5, 1.0, 2.0, 4.0, 7.0])
    values = 2 * np.exp(-0.3 * t) - np.exp(-t)
    found = free_exponential_sum(values.tolist(), 2, times=t)
    np.testing.assert_allclose(found(t), values, atol=1e-8)
    uniform = uniform_exponential_sum(values, 2, rate=0.5, times=t)
    weights = np.array([0.25, 0.5, 0.75, 1.5, 2.5, 1.5])
    basis = np.sqrt(weights)[:, None] * np.exp(-np.outer(t, [0.5, 1.0]))
    left = np.linalg.lstsq(basis, np.sqrt(weights) * values)[1]
    assert uniform.error**2 == pytest.approx(left[0], rel=1e-9)
    residual = weights @ (uniform(t) - values) ** 2
    assert uniform.error == pytest.approx(np.sqrt(residual), rel=1e-9)


@pytest.mark.parametrize(
    "kernel",
    [
        ShiftKernel(),
        ShiftKernel(1000.1, 1001.3),
        *(BumpKernel(float(centre)) for centre in (20, 30, 100, 300, 500, 2000, 3000)),
        TwoPartKernel(1.0, 300.0, 0.7),
    ],
)
def test_narrow_kernels_are_found_and_fitted(kernel):
    """With one rate the best readout is √(2w) L(w), of a transform in closed form."""
    found = free_exponential_sum(kernel, 1)
    assert found.norm == pytest.approx(kernel.l2_norm(), rel=1e-12)
    w = np.geomspace(1e-5, 10.0, 20_001)
    left = np.sqrt(1 - 2 * w * kernel.laplace(w) ** 2 / kernel.l2_norm() ** 2)
    assert found.relative_error == pytest.approx(left.min(), abs=1e-6)
    several = free_exponential_sum(kernel, 4)
    assert several.relative_error < found.relative_error
    # Announced or not, what is there is seen.
    alone = free_exponential_sum(lambda t: kernel(t), 1)
    assert alone.norm == pytest.approx(kernel.l2_norm(), rel=1e-7)


def test_break_points_show_what_no_scan_would_find():
    far = SumKernel((ExponentialKernel(1.0), BumpKernel(30_000.0)))
    energy = 0.5 + BumpKernel(30_000.0).l2_norm() ** 2
    assert sample_kernel(far, owner="here").energy == pytest.approx(energy, rel=1e-12)
    # Beyond where panels end by themselves; and a jump costs no digits.
    late = SumKernel((ExponentialKernel(1.0), ShiftKernel(3e5, 3e5 + 1)), (1.0, 2.0))
    assert sample_kernel(late, owner="here").energy == pytest.approx(4.5, rel=1e-12)
    # Points that tell nothing new add no nodes.
    power = PowerLawKernel(1.1)
    announced, plain = (
        sample_kernel(k, owner="here").times.size for k in (power, lambda t: power(t))
    )
    assert announced == plain


def test_both_bounds_on_the_rates_are_kept():
    best = np.inf
    for width in (2, 4, 6):
        found = free_exponential_sum(power_law, width, min_rate=0.01, max_rate=0.5)
        assert found.rates.min() >= 0.01 * (1 - 1e-9)
        assert found.rates.max() <= 0.5 * (1 + 1e-9)
        assert found.error < best
        best = found.error
    sampled = sample_kernel(power_law, owner="here")
    scan = [
        np.linalg.norm(projection.project(sampled, np.array([low, 0.5])).residual)
        for low in np.geomspace(0.01, 0.4, 200)
    ]
    two = free_exponential_sum(power_law, 2, max_rate=0.5)
    assert min(scan) * (1 - 1e-4) <= two.error <= min(scan) * (1 + 1e-12)


def test_slopes_by_shares_are_differences():
    chart = projection._Shares(4, 0.01, 2.0)
    rates = np.array([0.02, 0.1, 0.5, 1.5])
    x = chart.of_rates(rates)
    np.testing.assert_allclose(chart.rates(x), rates, rtol=1e-12)
    moved = 1e-6 * np.eye(4)
    slopes = [
        (np.log(chart.rates(x + one)) - np.log(chart.rates(x - one))) / 2e-6 for one in moved
    ]
    np.testing.assert_allclose(chart.pulled_back(np.eye(4), x), np.transpose(slopes), atol=1e-8)


def test_systems_respond_as_the_sums(rng):
    t = 0.3 * np.arange(12)
    for found in (uniform_exponential_sum(power_law, 24), free_exponential_sum(power_law, 3)):
        response = np.asarray(found.system(0.3).impulse_response(12))[:, 0, 0]
        np.testing.assert_allclose(response, found(t), atol=1e-12)


def test_blocks_of_rows_make_the_same_factors(rng):
    for rows in (100, 700):
        tall = rng.normal(size=(rows, 9))
        Q, R = projection._tall_qr(tall)
        np.testing.assert_allclose(Q @ R, tall, atol=1e-12)
        np.testing.assert_allclose(Q.T @ Q, np.eye(9), atol=1e-13)
        np.testing.assert_allclose(projection._coordinates(Q, tall), Q.T @ tall, atol=1e-12)
        np.testing.assert_allclose(projection._combined(Q, R), tall, atol=1e-12)


ONE = ExponentialSum(np.ones(1), np.ones(1), 0.0, 1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: free_exponential_sum(lambda t: (1 + t) ** -0.4, 2), "square-integrable"),
        (lambda: free_exponential_sum(lambda t: np.nan * t, 2), "NaN"),
        (lambda: free_exponential_sum(lambda t: 1j * t, 2), "real numbers"),
        (lambda: free_exponential_sum(lambda t: 0 * t, 2), "zero everywhere that was looked"),
        (lambda: free_exponential_sum(lambda t: 1.0, 2), "one number for each"),
        (lambda: free_exponential_sum([1.0, 0.5], 1), "times="),
        (
            lambda: free_exponential_sum([1.0, 0.5], 1, times=[0.0, 1.0, 2.0]),
            "must be 2 ascending",
        ),
        (lambda: free_exponential_sum([1.0, 0.5], 1, times=[1.0, 0.0]), "ascending"),
        (lambda: free_exponential_sum(hump, 1, times=[0.0, 1.0]), "leave them out"),
        (lambda: free_exponential_sum(hump, 0), "at least 1"),
        (lambda: free_exponential_sum(hump, 3, min_rate=1.0, max_rate=1.1), "no room"),
        (lambda: free_exponential_sum(hump, 3, min_rate=-1.0), "min_rate"),
        (lambda: uniform_exponential_sum(hump, 3, rate=0.0), "rate"),
        (lambda: orthonormal_realisation([1.0, -1.0]), "positive"),
        (lambda: orthonormal_realisation([[1.0], [1.0, 2.0]]), "no array of numbers"),
        (lambda: free_exponential_sum(BumpKernel(1e6), 2), "4096 panels .* give its values"),
        (lambda: free_exponential_sum(lambda t: np.sin(1e9 * t) ** 2 / (1 + t), 1), "panels"),
        (lambda: free_exponential_sum([[1.0, 0.5]], 1, times=[0.0, 1.0]), "give a vector"),
        (lambda: free_exponential_sum(hump, 2.5), "width must be a whole number"),
        (lambda: free_exponential_sum(hump, None), "width must be a whole number"),
        (lambda: free_exponential_sum(hump, 1, max_rate="1"), "max_rate must be a finite number"),
        (lambda: free_exponential_sum(hump, 1, min_rate=1j), "min_rate must be a finite number"),
        (lambda: free_exponential_sum(hump, 10**6), "no room"),
        (lambda: uniform_basis([0.0], "2"), "width must be a whole number"),
        (lambda: uniform_basis([0.0], 2, None), "rate must be a finite number"),
        (lambda: uniform_basis([-1000.0], 2), "time starts at 0"),
        (lambda: uniform_basis([[1.0], [1.0, 2.0]], 2), "no array of numbers"),
        (lambda: uniform_exponential_sum(hump, 2, rate=1e-320), "no nodes reach"),
        (lambda: uniform_exponential_sum(hump, 2, rate=1e300), "no nodes reach"),
        (lambda: uniform_exponential_sums(hump, 3), "widths must be a list"),
        (lambda: uniform_exponential_sums(hump, [2.0]), "width must be a whole number"),
        (lambda: ONE(-1.0), "time starts at 0"),
        (lambda: ONE(None), "no array of numbers"),
        (lambda: ONE.system("a"), "step must be a finite number"),
    ],
)
def test_complaints(call, message, monkeypatch):
    # Annotations are checked in the tests only; users are told in words.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(RemanenceError, match=message) as told:
        call()
    assert "\n" not in str(told.value)
