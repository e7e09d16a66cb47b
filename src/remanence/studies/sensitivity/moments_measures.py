"""Powers of states and of their sensitivities, by simulation and by finite sums.

Nothing here uses a closed form: those of `remanence.theory` are what is tested.
"""

import dataclasses
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, PRNGKeyArray
from scipy.signal import lfilter

from remanence.recurrence import eigenvalue_traces, sensitivity_traces
from remanence.studies.sensitivity.moments_settings import TAIL, MomentSettings
from remanence.tasks import Autoregressive


@dataclasses.dataclass(frozen=True)
class Simulated:
    """Means over time and chains of |h|² and |∂h/∂λ|², with their standard errors.

    Rows are eigenvalues, columns correlations; `samples` is chains times kept time steps.
    """

    eigenvalues: Complex[np.ndarray, " eigenvalues"]
    correlations: Float[np.ndarray, " correlations"]
    state: Float[np.ndarray, "eigenvalues correlations"]
    state_error: Float[np.ndarray, "eigenvalues correlations"]
    sensitivity: Float[np.ndarray, "eigenvalues correlations"]
    sensitivity_error: Float[np.ndarray, "eigenvalues correlations"]
    samples: int


@dataclasses.dataclass(frozen=True)
class WeightSensitivities:
    """Powers of the derivatives of h_t = λ h_(t−1) + b x_t, white input, by memory.

    `jacobian` is the largest |∂h_(t+k)/∂h_t| over k ≥ 1.
    """

    gaps: Float[np.ndarray, " gaps"]
    recurrent: Float[np.ndarray, " gaps"]
    input: Float[np.ndarray, " gaps"]
    jacobian: Float[np.ndarray, " gaps"]


def simulated_moments(settings: MomentSettings, heard: Callable[[float], None]) -> Simulated:
    """E|h|² and E|∂h/∂λ|² of AR(1) inputs, the sensitivity carried along as RTRL does.

    Chains are independent, so the spread of their time averages gives the standard errors.
    """
    modes = [nu * complex(math.cos(t), math.sin(t)) for nu, t in settings.eigenvalues]
    eigenvalues = np.array([*modes, *settings.longer], np.complex128)
    blocks = settings.chains // settings.block
    shape = (len(eigenvalues), len(settings.correlations), settings.block)
    flat = np.broadcast_to(eigenvalues[:, None, None], shape).reshape(-1)

    @jax.jit
    def run(key: PRNGKeyArray) -> Array:
        keys = jax.random.split(key, len(settings.correlations))
        drawn = [
            Autoregressive(rho).sample(one, settings.length, settings.block)
            for rho, one in zip(settings.correlations, keys, strict=True)
        ]
        xs = jnp.stack(drawn, axis=1).astype(flat.dtype)
        xs = xs.reshape(-1, settings.chunk, *xs.shape[1:])

        def advance(
            carry: tuple[Array, Array], piece: Array
        ) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
            terms = jnp.broadcast_to(piece[:, None], (settings.chunk, *shape))
            terms = terms.reshape(settings.chunk, -1)
            h, e = eigenvalue_traces(flat, terms, *carry)
            return (h[-1], e[-1]), (_mean_square(h), _mean_square(e))

        zeros = jnp.zeros(flat.shape, flat.dtype)
        _, (state, sensitivity) = jax.lax.scan(advance, (zeros, zeros), xs)
        kept = slice(settings.burn_in // settings.chunk, None)
        return jnp.stack([state[kept].mean(axis=0), sensitivity[kept].mean(axis=0)])

    rows = []
    for index, key in enumerate(jax.random.split(jax.random.key(settings.seed), blocks)):
        rows.append(np.asarray(run(key)).reshape(2, *shape))
        heard((index + 1) / blocks)
    chains = np.concatenate(rows, axis=-1)
    mean = chains.mean(axis=-1)
    error = chains.std(axis=-1, ddof=1) / math.sqrt(chains.shape[-1])
    kept = settings.length - settings.burn_in
    return Simulated(
        eigenvalues,
        np.array(settings.correlations),
        mean[0],
        error[0],
        mean[1],
        error[1],
        kept * chains.shape[-1],
    )


def energies(eigenvalue: complex | float, correlation: float, gap: float) -> tuple[float, float]:
    """E|h|² and E|∂h/∂λ|² for R(Δ) = ρ^|Δ|, by running the recurrence on one impulse.

    A stationary process that white noise drives through a filter has the energy of the filter's
    impulse response as its power: here AR(1), then the state, then its trace. A constant input
    (ρ = 1) is run to its steady state. `gap` is ε = 1 − |λ|; it and 1 − ρ set how long.
    """
    if correlation == 1:
        length = math.ceil(TAIL / gap)
        h, e = _traces(eigenvalue, np.ones(length))
        return float(abs(h[-1]) ** 2), float(abs(e[-1]) ** 2)
    impulse = np.zeros(math.ceil(TAIL / min(gap, 1 - abs(correlation))))
    impulse[0] = math.sqrt((1 - correlation) * (1 + correlation))
    h, e = _traces(eigenvalue, _filtered([1.0], correlation, impulse))
    return _energy(h), _energy(e)


def weight_sensitivities(settings: MomentSettings) -> WeightSensitivities:
    """S1d: the traces of λ and of the input weight b, and the Jacobian, on one impulse."""
    low, high = settings.weights_gaps
    gaps = np.geomspace(low, high, settings.gap_points)
    modes = len(gaps)
    impulse = np.zeros((math.ceil(TAIL / low), 1))
    impulse[0] = 1.0
    traces = sensitivity_traces(1 - gaps, np.ones((modes, 1)), impulse)
    # With b = 1 the response to the impulse at time 1 is that to a unit change of the state.
    states = np.asarray(traces.states)
    return WeightSensitivities(
        gaps,
        np.sum(np.asarray(traces.eigenvalues) ** 2, axis=0),
        np.sum(np.asarray(traces.B)[..., 0] ** 2, axis=0),
        np.max(np.abs(states[1:]), axis=0),
    )


def double_sum(
    a: Complex[np.ndarray, " points"], b: complex, correlation: float, length: int
) -> Complex[np.ndarray, " points"]:
    """`Σ_{n,m<length} n a^{n−1} m b^{m−1} ρ^{|n−m|}`, term by term."""
    n = np.arange(1, length, dtype=np.float64)
    left = n * a[:, None] ** (n - 1)
    right = n * b ** (n - 1)
    correlated = correlation ** np.abs(n[:, None] - n)
    weighted = correlated @ np.stack([right.real, right.imag], axis=1)
    return left @ (weighted[:, 0] + 1j * weighted[:, 1])


def printed_sensitivity(
    a: Complex[np.ndarray, "*shape"], b: Complex[np.ndarray, "*shape"] | complex, rho: float
) -> Complex[np.ndarray, "*shape"]:
    """S(a, b) for R(Δ) = ρ^|Δ| with `1 − ρ` for `1 − ρ²`, as typed for figure 8."""
    return form_with_factor(a, b, rho, 1 - rho)


def form_with_factor(
    a: Complex[np.ndarray, "*shape"],
    b: Complex[np.ndarray, "*shape"] | complex,
    rho: float,
    factor: float,
) -> Complex[np.ndarray, "*shape"]:
    """The expanded S(a, b) with `factor` in the place of 1 − ρ²."""
    product = a * b
    gap = 1 - product
    cubic = 2 * (a + b) - rho * product * (1 + product)
    numerator = factor * (1 + product - rho * product * cubic) + rho**2 * gap**3
    return numerator / ((1 - rho * a) ** 2 * (1 - rho * b) ** 2 * gap**3)


def slope(x: Float[np.ndarray, " points"], y: Float[np.ndarray, " points"]) -> float:
    """The slope of log y against log x, by least squares."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def _filtered(numerator: list[float], pole: complex | float, x: np.ndarray) -> np.ndarray:
    return np.asarray(lfilter(numerator, [1.0, -pole], x))


def _traces(eigenvalue: complex | float, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    h = _filtered([1.0], eigenvalue, x)
    return h, _filtered([0.0, 1.0], eigenvalue, h)


def _energy(values: np.ndarray) -> float:
    return float(np.sum(np.abs(values) ** 2))


def _mean_square(values: Array) -> Array:
    return jnp.mean(jnp.real(values) ** 2 + jnp.imag(values) ** 2, axis=0)
