"""Every parametrisation against λ itself, and the discretisations against SciPy."""

import equinox as eqx
import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from scipy.linalg import expm
from scipy.signal import cont2discrete

from remanence.errors import RemanenceError
from remanence.layers.discretisations import (
    RULES,
    continuous_from_discrete,
    discrete_log_magnitude,
    discrete_phase,
    discretise,
    expm1_quotient,
)
from remanence.layers.eigenvalues import EIGENVALUE_MAPS
from remanence.layers.parametrisations import (
    CoupledPhase,
    Discretised,
    HyperbolicEigenvalues,
    Polar,
    RealEigenvalues,
    ReIm,
    ScaledExponential,
)

# Inside the disc |λ − ½| < ½ as well, so that backward Euler reaches all of them.
COMPLEX = np.array([0.9 * np.exp(0.2j), 0.4 * np.exp(-1.0j), (1 - 1e-5) * np.exp(1e-3j)])
POSITIVE = np.array([0.05, 0.6, 1 - 1e-7])
SIGNED = np.array([-0.8, 0.3, 1 - 1e-7])
STEPS = np.array([0.01, 0.3, 2.0])

MAKERS = {
    "re-im": (ReIm, {}, COMPLEX),
    "hyperbolic": (HyperbolicEigenvalues, {}, COMPLEX),
    "real hyperbolic": (HyperbolicEigenvalues, {}, SIGNED),
    "scaled exponential": (ScaledExponential, {}, COMPLEX),
    **{f"real {name}": (RealEigenvalues, {"magnitude_map": name}, POSITIVE)
       for name in EIGENVALUE_MAPS["magnitude"]},
    **{f"real signed {name}": (RealEigenvalues, {"magnitude_map": name}, SIGNED)
       for name in ("tanh", "direct", "best")},
    **{f"polar {name} {phase}": (Polar, {"magnitude_map": name, "phase_map": phase}, COMPLEX)
       for name in ("double exponential", "tanh") for phase in ("identity", "exponential")},
    **{f"coupled {name}": (CoupledPhase, {"magnitude_map": name}, COMPLEX)
       for name in ("tanh", "double exponential")},
    **{f"{rule} {step_map}": (
        Discretised, {"step": STEPS, "rule": rule, "step_map": step_map}, COMPLEX)
       for rule in RULES for step_map in ("exponential", "softplus")},
    **{f"zoh {rate}": (Discretised, {"step": 2.0, "rate_map": rate}, COMPLEX[[0, 2]])
       for rate in EIGENVALUE_MAPS["rate"]},
    **{f"real {rule}": (Discretised, {"step": 0.1, "rule": rule}, POSITIVE) for rule in RULES},
}  # fmt: skip


def make(name, dtype=None):
    kind, options, eigenvalues = MAKERS[name]
    return kind.from_eigenvalues(eigenvalues, **options, dtype=dtype), eigenvalues


@eqx.filter_jit
def evaluated(parametrisation):
    return (
        parametrisation(),
        parametrisation.input_factor(),
        parametrisation.log_magnitude(),
        parametrisation.phase(),
    )


@pytest.mark.parametrize("name", list(MAKERS))
def test_parameters_give_back_the_eigenvalues_their_magnitudes_and_phases(name):
    for dtype, complex_dtype in ((jnp.float32, jnp.complex64), (jnp.float64, jnp.complex128)):
        parametrisation, eigenvalues = make(name, dtype)
        made, factor, log_magnitude, phase = evaluated(parametrisation)
        # A rounding of the parameter moves λ by |w f'(w)| of it, at most about 1 for these maps.
        np.testing.assert_allclose(made, eigenvalues, rtol=0, atol=4 * float(jnp.finfo(dtype).eps))
        assert parametrisation.shape == eigenvalues.shape
        assert parametrisation.is_complex == np.iscomplexobj(eigenvalues)
        assert all(leaf.dtype == dtype for leaf in jax.tree.leaves(parametrisation))
        assert log_magnitude.dtype == phase.dtype == dtype
        wanted = complex_dtype if parametrisation.is_complex else dtype
        assert made.dtype == factor.dtype == wanted
    expected = [float(mp.log(mp.fabs(mp.mpmathify(value)))) for value in eigenvalues]
    # λ in float64 leaves 1 − |λ| = 1e-7 nine digits.
    np.testing.assert_allclose(log_magnitude, expected, rtol=1e-8)
    turned = np.exp(1j * np.asarray(phase))
    np.testing.assert_allclose(turned, eigenvalues / np.abs(eigenvalues), atol=1e-14)


@pytest.mark.parametrize("name", list(MAKERS))
def test_made_inside_jit_from_traced_eigenvalues(name):
    kind, options, eigenvalues = MAKERS[name]
    made = eqx.filter_jit(lambda values: kind.from_eigenvalues(values, **options)())(
        jnp.asarray(eigenvalues)
    )
    np.testing.assert_allclose(made, eigenvalues, rtol=1e-14)


@pytest.mark.parametrize("name", list(MAKERS))
def test_log_magnitude_and_phase_have_the_gradient_of_the_eigenvalues(name):
    """`∂ log λ = ∂ log|λ| + i ∂ arg λ` for every parameter."""
    parametrisation, _ = make(name)
    parameters, rest = eqx.partition(parametrisation, eqx.is_array)

    def polar(parameters):
        made = eqx.combine(parameters, rest)
        return made.log_magnitude(), made.phase()

    @jax.jit
    def derivatives(parameters):
        by_value = jax.jacfwd(lambda p: eqx.combine(p, rest)())(parameters)
        return parametrisation(), by_value, *jax.jacfwd(polar)(parameters)

    values, by_value, magnitude, phase = derivatives(parameters)
    for d_value, d_magnitude, d_phase in zip(
        *map(jax.tree.leaves, (by_value, magnitude, phase)), strict=True
    ):
        relative = d_value / values.reshape(-1, *[1] * (d_value.ndim - 1))
        scale = np.abs(relative).max()
        # 1 − |λ| = 1e-7 times a phase of 1e-3 leaves the value itself this many digits.
        np.testing.assert_allclose(np.real(relative), d_magnitude, atol=1e-9 * scale, rtol=1e-7)
        np.testing.assert_allclose(np.imag(relative), d_phase, atol=1e-9 * scale, rtol=1e-7)


def test_scaled_exponential_stops_the_gradient_of_its_factor():
    made = ScaledExponential.from_eigenvalues(COMPLEX)
    gradient = eqx.filter_grad(lambda e: jnp.sum(e.phase()))(made)
    np.testing.assert_array_equal(gradient.magnitude_parameter, 0)
    np.testing.assert_allclose(gradient.phase_parameter, 1 - np.abs(COMPLEX), rtol=1e-9)


def test_coupled_phase_has_unit_sensitivity_in_both_parameters():
    """Metric of white input: det G = 1, G_θθ = 1, G_νν = 1 + w_θ² c(ν)²."""
    eigenvalue = np.array([0.9 * np.exp(0.3j)])
    made = CoupledPhase.from_eigenvalues(eigenvalue)
    lags = jnp.arange(600.0)

    def state(magnitude_parameter, phase_parameter):
        e = CoupledPhase(magnitude_parameter[None], phase_parameter[None])
        v = jnp.exp(e.log_magnitude())[0]
        kernel = jnp.sqrt(1 - v**2) * v**lags
        return jnp.stack([kernel * jnp.cos(lags * e.phase()), kernel * jnp.sin(lags * e.phase())])

    jacobian = jax.jit(jax.jacfwd(state, (0, 1)))
    J = jnp.stack(jacobian(made.magnitude_parameter[0], made.phase_parameter[0]))
    G = jnp.einsum("aij,bij->ab", J, J)
    v, w = 0.9, float(made.phase_parameter[0])
    c = 2 * v + (1 - v**2) * (1 / v + v / (1 + v**2))
    np.testing.assert_allclose(G, [[1 + w**2 * c**2, -w * c], [-w * c, 1]], rtol=1e-10)


RATES = np.array([-0.5 + 3.0j, -0.02 + 0.0j, -1.0 - 0.4j])


@pytest.mark.parametrize("rule", RULES)
def test_discretisation_keeps_the_static_gain(rule):
    a, step = jnp.asarray(RATES), jnp.asarray([0.01, 1.5, 0.8])
    eigenvalue, factor = map(np.asarray, discretise(a, step, rule))
    gain = (factor[:, None] * eigenvalue[:, None] ** np.arange(10_000)[None]).sum(1)
    expected = -1 / RATES
    if rule == "exponential euler":
        expected = np.asarray(step) / (1 - np.exp(np.asarray(step) * RATES))
    np.testing.assert_allclose(gain, expected, rtol=1e-10)
    back = continuous_from_discrete(eigenvalue, np.asarray(step), rule)
    np.testing.assert_allclose(back, RATES, rtol=1e-12)
    log_magnitude, phase = discrete_log_magnitude(a, step, rule), discrete_phase(a, step, rule)
    together = np.exp(np.asarray(log_magnitude) + 1j * np.asarray(phase))
    np.testing.assert_allclose(together, eigenvalue, rtol=1e-13)


@pytest.mark.parametrize(
    ("rule", "scipy_name"),
    [("zoh", "zoh"), ("bilinear", "bilinear"), ("euler", "euler"),
     ("backward euler", "backward_diff")],
)  # fmt: skip
def test_discretisation_agrees_with_scipy(rule, scipy_name):
    """SciPy's state before the input: of its Tustin and backward rules the output is ours.

    With C = 1, SciPy's `x_{k+1} = A x_k + B u_k`, `y_k = C x_k + D u_k` of its bilinear and
    backward rules responds as `h_k = λ h_{k-1} + β v_k`, `v` the mean of two inputs (bilinear)
    or the input itself (backward), so that transfer functions are compared at a few z.
    """
    for rate, step in ((-0.7, 0.3), (-0.1, 2.0)):
        A, B, C, D, _ = cont2discrete(
            (np.array([[rate]]), np.ones((1, 1)), np.ones((1, 1)), np.zeros((1, 1))),
            step, scipy_name,
        )  # fmt: skip
        made = discretise(jnp.asarray([rate]), jnp.asarray([step]), rule)
        eigenvalue, factor = map(np.asarray, made)
        np.testing.assert_allclose(eigenvalue, A[0], rtol=1e-14)
        for z in (1.3, 0.2 + 1.1j):
            scipys = C[0, 0] * B[0, 0] / (z - A[0, 0]) + D[0, 0]
            ours = factor[0] / (1 - eigenvalue[0] / z)
            # What the rule does to the input before it reaches the state.
            delay = {
                "zoh": 1 / z,
                "euler": 1 / z,
                "backward euler": 1,
                "bilinear": (1 + 1 / z) / 2,
            }
            np.testing.assert_allclose(ours * delay[rule], scipys, rtol=1e-12)


def test_zero_order_hold_is_the_matrix_exponential_of_the_augmented_system():
    for rate in RATES:
        for step in (1e-6, 0.3, 4.0):
            block = expm(step * np.array([[rate, 1], [0, 0]]))
            eigenvalue, factor = discretise(jnp.asarray([rate]), jnp.asarray([step]), "zoh")
            np.testing.assert_allclose(eigenvalue[0], block[0, 0], rtol=1e-13)
            np.testing.assert_allclose(factor[0], block[0, 1], rtol=1e-13)


@pytest.mark.parametrize("dtype", [jnp.complex64, jnp.complex128, jnp.float32, jnp.float64])
def test_expm1_quotient_and_its_derivative_do_not_cancel(dtype):
    directions = [1, 1j, -1 + 1j] if jnp.issubdtype(dtype, jnp.complexfloating) else [1, -1]
    zs = np.array([d * s for d in directions for s in (1e-12, 1e-5, 0.04, 0.12, 3.0)])
    z = jnp.asarray(zs, dtype)
    holomorphic = bool(jnp.issubdtype(dtype, jnp.complexfloating))
    slope = jax.grad(lambda x: expm1_quotient(x[None])[0], holomorphic=holomorphic)
    slopes = jax.jit(jax.vmap(slope))(z)
    with mp.workdps(40):
        exact = [mp.mpmathify(complex(x)) for x in np.asarray(z)]
        values = np.array([complex(mp.expm1(x) / x) for x in exact])
        primes = np.array([complex((mp.exp(x) - mp.expm1(x) / x) / x) for x in exact])
    eps = float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(expm1_quotient(z), values, rtol=8 * eps)
    # Beyond the series e^z/z and expm1(z)/z² cancel to half, at |z| = 0.1 twenty-fold.
    np.testing.assert_allclose(slopes, primes, rtol=100 * eps)
    zero = jnp.zeros((), dtype)
    assert expm1_quotient(zero) == 1
    assert jax.jit(slope)(zero) == 0.5


@pytest.mark.parametrize("rule", RULES)
def test_float32_log_magnitude_of_slow_discretised_modes(rule):
    """Relative error of `−log|λ|` from float32 parameters, at `1 − |λ|` down to 1e-7."""
    decay = np.array([1e-2, 1e-4, 1e-6, 1e-7])
    rate, zeros = jnp.asarray(np.log(decay), jnp.float32), jnp.zeros(4, jnp.float32)
    made = Discretised(rate, zeros, zeros[0], rule=rule)
    got = np.asarray(made.log_magnitude())
    with mp.workdps(40):
        a = [-mp.exp(mp.mpf(float(w))) for w in np.asarray(made.rate_parameter)]
        exact = {
            "zoh": a,
            "exponential euler": a,
            "bilinear": [mp.log((1 + x / 2) / (1 - x / 2)) for x in a],
            "euler": [mp.log(1 + x) for x in a],
            "backward euler": [-mp.log(1 - x) for x in a],
        }[rule]
    np.testing.assert_allclose(got, [float(x) for x in exact], rtol=1e-6)


def test_zero_has_a_log_magnitude_and_finite_gradients():
    zero = jnp.zeros(2)
    for made in (ReIm(zero, zero), RealEigenvalues(zero, "tanh"), Polar(zero, zero, "tanh")):
        assert np.all(np.asarray(made.log_magnitude()) == -np.inf)

        def total(e):
            return jnp.sum(jnp.expm1(2 * e.log_magnitude()) + e.phase())

        for leaf in jax.tree.leaves(eqx.filter_jit(eqx.filter_grad(total))(made)):
            assert np.all(np.isfinite(leaf))


def test_steps_broadcast_over_channels_and_modes():
    rates = np.tile(RATES, (2, 1))
    for log_step in (np.array(-1.0), np.array([[-1.0], [-2.0]]), np.full((2, 3), -3.0)):
        made = Discretised.from_rates(rates, log_step, rule="bilinear")
        assert made.step().shape == made.shape == (2, 3)
        assert made.step_parameter.shape == log_step.shape
        np.testing.assert_allclose(made.continuous(), rates, rtol=1e-15)
        z = np.exp(np.broadcast_to(log_step, (2, 3))) * rates
        np.testing.assert_allclose(made(), (1 + z / 2) / (1 - z / 2), rtol=1e-14)
        assert made.input_factor().shape == (2, 3)
    soft = Discretised.from_rates(RATES, np.array(-6.0), step_map="softplus")
    np.testing.assert_allclose(np.log1p(np.exp(soft.step_parameter)), np.exp(-6.0), rtol=1e-14)


def test_vmapped_construction_and_stepwise_training_keep_static_options():
    def make(scale):
        return Polar.from_eigenvalues(scale * jnp.asarray(COMPLEX), magnitude_map="tanh")

    stacked = eqx.filter_vmap(make)(jnp.asarray([0.5 + 0j, 0.9]))
    values = eqx.filter_vmap(lambda e: e())(stacked)
    np.testing.assert_allclose(values, np.outer([0.5, 0.9], COMPLEX), rtol=1e-13)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: RealEigenvalues.from_eigenvalues([0.5j]), "use Polar or ReIm"),
        (lambda: RealEigenvalues.from_eigenvalues([0.5, -0.1]), r"-0\.1 is outside the range"),
        (lambda: RealEigenvalues([0.1], "tahn"), "did you mean 'tanh'"),
        (lambda: Polar.from_eigenvalues([1.5j]), r"magnitude 1\.5 is outside the range"),
        (lambda: Polar.from_eigenvalues([0.5], phase_map="exponential"), "use 'identity'"),
        (lambda: Polar([0.1], [0.1], phase_map="identiy"), "did you mean 'identity'"),
        (lambda: CoupledPhase.from_eigenvalues([0.0]), "eigenvalue is 0"),
        (lambda: Discretised([0.1], None, 0.0, rule="zho"), "did you mean 'zoh'"),
        (lambda: Discretised([0.1], None, 0.0, step_map="softmax"), "did you mean 'softplus'"),
        (lambda: Discretised([0.1], None, [0.0, 1.0]), "does not broadcast"),
        (lambda: Discretised.from_eigenvalues([-0.5], step=0.1), "does not reach"),
        (lambda: Discretised.from_eigenvalues([0.5], step=-0.1), "must be positive"),
        (
            lambda: Discretised.from_eigenvalues([0.1 + 0.5j], step=1, rule="backward euler"),
            "real part .* is outside the range",
        ),
        (
            lambda: Discretised.from_eigenvalues([0.1], step=0.1, rate_map="sigmoid"),
            "real part -23.* is outside the range of SigmoidRate",
        ),
    ],
)
def test_errors_name_the_value_and_the_way_out(build, message):
    with pytest.raises(RemanenceError, match=message):
        build()
