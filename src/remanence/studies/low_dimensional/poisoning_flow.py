"""The gradient flow of a diagonal student, integrated and in closed form, and its errors."""

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy.integrate import odeint
from scipy.optimize import brentq

from remanence.errors import NumericalError
from remanence.studies.low_dimensional.poisoning_settings import Configuration, Settings


def start(configuration: Configuration, seed: int) -> Float[np.ndarray, " state"]:
    """The start of the authors' run with that seed."""
    # The legacy generator, whose stream NumPy guarantees never to change, is the one they used.
    draw = np.random.RandomState(seed).random_sample(configuration.state)
    diagonal = np.sort(configuration.scale * draw)[::-1].copy()
    diagonal[1] = diagonal[0] - 0.05 / np.exp(
        configuration.gap * np.log10(1.0 / configuration.scale)
    )
    return diagonal


def loss(diagonal: Float[np.ndarray, " state"], lags: tuple[int, ...]) -> float:
    """Mean over `lags` ≥ 1 of `(Σ_i a_i^j − 1)²`, one training sequence for each lag j."""
    return float(np.mean([(np.sum(diagonal**lag) - 1.0) ** 2 for lag in lags]))


def velocity(
    diagonal: Float[np.ndarray, " state"], lags: tuple[int, ...]
) -> Float[np.ndarray, " state"]:
    """Gradient flow: minus the gradient of `loss`."""
    pull = np.zeros_like(diagonal)
    for lag in lags:
        pull += lag * diagonal ** (lag - 1) * (np.sum(diagonal**lag) - 1.0)
    return -2.0 / len(lags) * pull


def flow(
    diagonal: Float[np.ndarray, " state"],
    lags: tuple[int, ...],
    *,
    time: float,
    instants: int,
    relative_tolerance: float | None = None,
    absolute_tolerance: float | None = None,
) -> Float[np.ndarray, " state"]:
    """Where gradient flow from `diagonal` is after `time`, by LSODA.

    Without tolerances, those of SciPy's `odeint` (1.5e-8, absolute and relative), which the
    authors used. Raises `NumericalError` if the integrator gives up.
    """
    states, report = odeint(
        lambda a, _: velocity(a, lags),
        diagonal,
        np.linspace(0.0, time, instants),
        rtol=relative_tolerance,
        atol=absolute_tolerance,
        mxstep=100_000,
        full_output=True,
    )
    if report["message"] != "Integration successful." or not np.isfinite(states[-1]).all():
        raise NumericalError(f"gradient flow over time {time:g}: {report['message']}")
    return states[-1]


def baseline_limit(
    diagonal: Float[np.ndarray, " state"], length: int
) -> Float[np.ndarray, " state"]:
    """Where the baseline's flow ends after infinite time, in closed form (derived).

    With the single lag k−1, `da_i/dt = c(t) a_i^{k−2}`: every `a_i^{−(k−3)}` falls at the same
    rate, so their differences are kept, and `Σ_i a_i^{k−1} = 1` fixes how far they fall. Needs
    k ≥ 4 and a positive start.
    """
    power = length - 3
    inverse = diagonal**-power
    above = inverse - inverse.min()

    def excess(lowest: float) -> float:
        return float(np.sum((above + lowest) ** (-(length - 1) / power))) - 1.0

    # One entry alone overshoots below 1; d equal entries fall short above d^(power/(k−1)).
    highest = 2.0 * len(diagonal) ** (power / (length - 1))
    lowest = brentq(excess, 0.5, highest, xtol=1e-15)
    return (above + lowest) ** (-1.0 / power)


def response(diagonal: Float[np.ndarray, " state"], lags: int) -> Float[np.ndarray, " lags"]:
    """The student's impulse response `g_j = Σ_i a_i^j`, j < `lags`."""
    return np.sum(diagonal ** np.arange(lags)[:, None], axis=1)


def teacher_response(configuration: Configuration, lags: int) -> Float[np.ndarray, " lags"]:
    """The teacher's impulse response: d, 1, 1, …"""
    wanted = np.ones(lags)
    wanted[0] = configuration.state
    return wanted


def extrapolation_error(
    diagonal: Float[np.ndarray, " state"], configuration: Configuration, horizon: int
) -> float:
    """`max_{j < horizon} |g_j − ĝ_j| / max_j |ĝ_j|`, the authors' measure."""
    wanted = teacher_response(configuration, horizon)
    return float(np.max(np.abs(response(diagonal, horizon) - wanted)) / np.max(wanted))


@dataclasses.dataclass(frozen=True)
class Results:
    """Extrapolation errors of one configuration by seed; rows are baseline and poisoned.

    - `published`: with the authors' integrator settings. - `accurate`: integrated accurately.
    - `limit`: the baseline's, from the closed form.
    - `students`: the diagonals behind `accurate`.
    """

    published: Float[np.ndarray, "2 seeds"]
    accurate: Float[np.ndarray, "2 seeds"]
    limit: Float[np.ndarray, " seeds"]
    students: Float[np.ndarray, "2 seeds state"]


def measure(configuration: Configuration, settings: Settings) -> Results:
    """Both data sets, every seed, with both integrator settings."""
    k = configuration.length
    datasets = (
        ((k - 1,), configuration.baseline_time, configuration.baseline_instants),
        ((k - 1, 1), configuration.poisoned_time, configuration.poisoned_instants),
    )
    starts = [start(configuration, seed) for seed in configuration.seeds]
    tight = {
        "relative_tolerance": settings.relative_tolerance,
        "absolute_tolerance": settings.absolute_tolerance,
    }

    def errors(students) -> Float[np.ndarray, "..."]:
        return np.array(
            [extrapolation_error(one, configuration, settings.horizon) for one in students]
        )

    published, accurate = [], []
    for lags, time, instants in datasets:
        published.append([flow(a, lags, time=time, instants=instants) for a in starts])
        accurate.append([flow(a, lags, time=time, instants=2, **tight) for a in starts])
    return Results(
        np.stack([errors(students) for students in published]),
        np.stack([errors(students) for students in accurate]),
        errors([baseline_limit(a, k) for a in starts]),
        np.array(accurate),
    )
