"""How far the loss identities and the conservation laws are from exact."""

import dataclasses
from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from remanence.studies.low_dimensional.ensembles import impulse_responses
from remanence.training import (
    AbstractImpulseResponseLoss,
    GradientDescent,
    MetricLoss,
    Parameters,
    WhiteLoss,
    balancedness,
    descend,
    near_zero_ensemble,
)

_CHUNK = 20_000


@dataclasses.dataclass(frozen=True)
class IdentitySettings:
    """How large the students are, how many samples and seeds, which step sizes.

    - `state`, `teacher_state`, `length`: student, teacher, and training length k.
    - `samples`: input sequences of the Monte Carlo estimate (I1).
    - `windows`: input sequences of the empirical identity (I2).
    - `seeds`, `seed`: students drawn at seed, seed + 1, …, with standard scale 1.
    - `step_sizes`: descending, each half the one before; `time` is steps times step size.
    - `drift_scale`: scale of the starts of gradient descent.
    """

    state: int = 8
    teacher_state: int = 3
    length: int = 7
    samples: int = 400_000
    windows: int = 500
    seeds: int = 5
    seed: int = 0
    step_sizes: tuple[float, ...] = (0.02, 0.01, 0.005, 0.0025)
    time: float = 20.0
    drift_scale: float = 0.5


QUICK = IdentitySettings()
FULL = IdentitySettings(
    state=40,
    windows=2000,
    seeds=10,
    step_sizes=(0.02, 0.01, 0.005, 0.0025, 0.00125, 0.000625),
    time=50.0,
)


@dataclasses.dataclass(frozen=True)
class LossErrors:
    """Relative errors of the two forms of the loss, one number a student."""

    monte_carlo: Float[np.ndarray, " seeds"]
    empirical: Float[np.ndarray, " seeds"]


@dataclasses.dataclass(frozen=True)
class ConservationErrors:
    """Errors of the conservation laws relative to the size of their terms, one a student."""

    pointwise: Float[np.ndarray, " students"]
    one_step: Float[np.ndarray, " students"]
    trace: Float[np.ndarray, " students"]


@dataclasses.dataclass(frozen=True)
class Drift:
    """‖M(t) − M(0)‖ (Frobenius) and |tr M(t) − tr M(0)| at the same t, by step size and seed."""

    step_sizes: Float[np.ndarray, " steps"]
    balancedness: Float[np.ndarray, "steps seeds"]
    trace: Float[np.ndarray, "steps seeds"]

    @property
    def ratios(self) -> Float[np.ndarray, "halvings seeds"]:
        """Drift of M at each step size over that at the one before, twice as large."""
        return self.balancedness[1:] / self.balancedness[:-1]


def loss_errors(settings: IdentitySettings) -> LossErrors:
    """I1 by Monte Carlo and I2 exactly, with both networks simulated step by step."""
    rng = np.random.default_rng(settings.seed)
    k = settings.length
    students, teacher = _students(settings), _teacher(settings)
    target = _response(teacher, k)
    population = WhiteLoss(jnp.asarray(target[:, None, None]))
    sums = np.zeros(settings.seeds)
    for start in range(0, settings.samples, _CHUNK):
        x = rng.standard_normal((min(_CHUNK, settings.samples - start), k))
        expected = _last_output(teacher, x)
        sums += [np.sum((_last_output(student, x) - expected) ** 2) for student in students]
    monte_carlo, empirical = [], []
    # Coloured on purpose: I2 is exact for any data.
    x = np.cumsum(rng.standard_normal((settings.windows, k)), axis=1)
    metric_loss = _metric_loss(x, target)
    for total, student in zip(sums, students, strict=True):
        exact = float(_value_and_gradient(population, student)[0])
        monte_carlo.append(abs(total / settings.samples - exact) / exact)
        direct = np.mean((_last_output(student, x) - _last_output(teacher, x)) ** 2)
        difference = _response(student, k) - target
        quadratic = difference @ np.asarray(metric_loss.metric) @ difference
        empirical.append(abs(direct - quadratic) / direct)
    return LossErrors(np.array(monte_carlo), np.array(empirical))


def conservation_errors(settings: IdentitySettings) -> ConservationErrors:
    """I3, I5 and the trace of I5, for the population loss and for an empirical one.

    - I3: `G_A Aᵀ − Aᵀ G_A + G_B Bᵀ − Cᵀ G_C = 0` at any student, G = ∇L.
    - I5: `M(Θ − η G) − M(Θ) = η² M(G)`; its trace: `Δ(‖B‖² − ‖C‖²) = η² (‖G_B‖² − ‖G_C‖²)`.
    """
    rng = np.random.default_rng(settings.seed)
    target = _response(_teacher(settings), settings.length)
    windows = np.cumsum(rng.standard_normal((settings.windows, settings.length)), axis=1)
    step_size = settings.step_sizes[0]
    rows = []
    for loss in (WhiteLoss(jnp.asarray(target[:, None, None])), _metric_loss(windows, target)):
        for student in _students(settings):
            gradient = _value_and_gradient(loss, student)[1]
            rows.append(_conservation(student, gradient, step_size))
    return ConservationErrors(*(np.array(column) for column in zip(*rows, strict=True)))


def _conservation(
    student: Parameters, gradient: Parameters, step_size: float
) -> tuple[float, float, float]:
    A, B, C = student
    G_A, G_B, G_C = gradient
    terms = (G_A @ A.T, -A.T @ G_A, G_B @ B.T, -C.T @ G_C)
    pointwise = np.max(np.abs(sum(terms))) / max(np.max(np.abs(term)) for term in terms)
    after = Parameters(
        *(theta - step_size * g for theta, g in zip(student, gradient, strict=True))
    )
    change = balancedness(after) - balancedness(student)
    # M is a difference of squares: its rounding follows their size, before and after the step.
    scale = max(np.max(np.abs(leaf)) for leaf in (*student, *after)) ** 2 * len(A)
    one_step = np.max(np.abs(change - step_size**2 * balancedness(gradient))) / scale
    difference = [np.sum(p.B**2) - np.sum(p.C**2) for p in (student, after, gradient)]
    trace = abs(difference[1] - difference[0] - step_size**2 * difference[2]) / scale
    return float(pointwise), float(one_step), float(trace)


def measure_drift(settings: IdentitySettings) -> Drift:
    """Drift of M by gradient descent to the same time, from the same starts, at every step."""
    target = _response(_teacher(settings), settings.length)
    loss = WhiteLoss(jnp.asarray(target[:, None, None]))
    initial = near_zero_ensemble(
        settings.state, 1, 1, scale=settings.drift_scale, seed=settings.seed, seeds=settings.seeds
    )
    start = balancedness(initial)
    norms, traces = [], []
    for step_size in settings.step_sizes:
        trajectory = descend(
            loss,
            initial,
            GradientDescent(step_size),
            steps=round(settings.time / step_size),
            records_per_decade=1,
        )
        trajectory.raise_if_diverged()
        change = balancedness(trajectory.final) - start
        norms.append(np.linalg.norm(change, axis=(1, 2)))
        traces.append(np.abs(np.trace(change, axis1=1, axis2=2)))
    return Drift(np.array(settings.step_sizes), np.array(norms), np.array(traces))


def _students(settings: IdentitySettings) -> Sequence[Parameters]:
    """Students with i.i.d. N(0, 1/state) entries."""
    ensemble = near_zero_ensemble(
        settings.state, 1, 1, scale=1.0, seed=settings.seed, seeds=settings.seeds
    )
    return [Parameters(*(np.asarray(leaf)[i] for leaf in ensemble)) for i in range(settings.seeds)]


def _teacher(settings: IdentitySettings) -> Parameters:
    """A teacher with no symmetry at all: the identities hold for any."""
    rng = np.random.default_rng(settings.seed + 1_000_003)
    n = settings.teacher_state
    A = rng.standard_normal((n, n))
    A *= 0.9 / np.max(np.abs(np.linalg.eigvals(A)))
    return Parameters(A, rng.standard_normal((n, 1)), rng.standard_normal((1, n)))


def _last_output(
    parameters: Parameters, x: Float[np.ndarray, "samples length"]
) -> Float[np.ndarray, " samples"]:
    """The output after the last input, from h_0 = 0, by the recurrence itself."""
    A, B, C = parameters
    state = np.zeros((len(x), len(A)))
    for inputs in x.T:
        state = state @ A.T + inputs[:, None] * B[:, 0]
    return state @ C[0]


def _response(parameters: Parameters, length: int) -> Float[np.ndarray, " length"]:
    return impulse_responses(Parameters(*(leaf[None] for leaf in parameters)), length)[0]


def _metric_loss(
    x: Float[np.ndarray, "samples length"], target: Float[np.ndarray, " length"]
) -> MetricLoss:
    """The empirical loss of the windows `x`: S = (1/N) Σ x̃ x̃ᵀ with x̃ reversed in time."""
    reverse = x[:, ::-1]
    S = reverse.T @ reverse / len(x)
    cross = S @ target
    return MetricLoss(
        jnp.asarray(S), jnp.asarray(cross[:, None, None]), jnp.asarray(target @ cross)
    )


@eqx.filter_jit
def _compiled(
    loss: AbstractImpulseResponseLoss, parameters: Parameters
) -> tuple[Float[Array, ""], Parameters]:
    return loss.value_and_gradient(parameters)


def _value_and_gradient(
    loss: AbstractImpulseResponseLoss, parameters: Parameters
) -> tuple[Float[np.ndarray, ""], Parameters]:
    """The engine's loss and gradient, compiled once a loss, as NumPy arrays."""
    value, gradient = _compiled(loss, jax.tree.map(jnp.asarray, parameters))
    return np.asarray(value), jax.tree.map(np.asarray, gradient)
