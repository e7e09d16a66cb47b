"""Teachers, students and their training on the exact loss under correlated inputs.

Every competitor starts from the same eigenvalues and the same function: its B is divided by its
own γ. Another one is another entry of `COMPETITORS`.
"""

import dataclasses
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from remanence.layers.arrays import SplitComplex
from remanence.layers.eigenvalues import AbstractMagnitudeMap, magnitude_map
from remanence.layers.lru import DiagonalRNN
from remanence.layers.normalisations import (
    AbstractNormalisation,
    ExponentialSpectrumAware,
    LearnedSquareRoot,
    NoNormalisation,
    SquareRoot,
)
from remanence.layers.parametrisations import AbstractEigenvalues, Polar, ReIm
from remanence.studies.sensitivity.extensions_settings import ExtensionSettings
from remanence.tasks.inputs import Autoregressive
from remanence.theory import kernel_loss
from remanence.theory.losses import horizon_weights
from remanence.training.exact import train_exact

RANDOM, POSITIVE = "random phases", "positive real"
ENSEMBLES = (RANDOM, POSITIVE)

_WHITE = 1e-12
"""The ρ that stands for 0 in training: losses differ in the twelfth digit."""

Parametrised = tuple[AbstractEigenvalues, AbstractNormalisation]


@dataclasses.dataclass(frozen=True)
class Competitor:
    """One way to write the same student.

    - `make(eigenvalues, rho)`: the parametrisation of these eigenvalues, of any shape, and the
      normalisation, for inputs of correlation `rho`.
    - `extension`: whether it knows `rho`; at `ρ = 0` it is then its `white` competitor.
    - `optimiser`: of rate one; Adam if None. The rate falls to zero as half a cosine.
    """

    name: str
    make: Callable[[np.ndarray, float], Parametrised]
    extension: bool = False
    white: str = ""
    optimiser: optax.GradientTransformation | None = None


def _polar(eigenvalues: np.ndarray, chosen: str | AbstractMagnitudeMap) -> Polar:
    return Polar.from_eigenvalues(eigenvalues, magnitude_map=chosen)


def _learned(eigenvalues: np.ndarray, rho: float) -> Parametrised:
    polar = _polar(eigenvalues, "double exponential")
    return polar, LearnedSquareRoot.from_eigenvalues(polar)


def _exp(eigenvalues: np.ndarray, rho: float) -> Parametrised:
    return _polar(eigenvalues, "double exponential"), SquareRoot()


def _tanh(eigenvalues: np.ndarray, rho: float) -> Parametrised:
    return _polar(eigenvalues, "tanh"), SquareRoot()


def _plain(eigenvalues: np.ndarray, rho: float) -> Parametrised:
    return ReIm.from_eigenvalues(eigenvalues), NoNormalisation()


def _spectrum(eigenvalues: np.ndarray, rho: float) -> Parametrised:
    polar = _polar(eigenvalues, "double exponential")
    return polar, ExponentialSpectrumAware(rho, smoothed=True)


def _correlated(eigenvalues: np.ndarray, rho: float) -> Parametrised:
    return _polar(eigenvalues, magnitude_map("correlated", correlation=rho)), SquareRoot()


def _both(eigenvalues: np.ndarray, rho: float) -> Parametrised:
    polar = _polar(eigenvalues, magnitude_map("correlated", correlation=rho))
    return polar, ExponentialSpectrumAware(rho, smoothed=True)


LRU, EXP, TANH, PLAIN = "LRU: exp, learned γ", "exp, √(1−ν²)", "tanh, √(1−ν²)", "re/im, no γ"
SPECTRUM, RHO, BOTH = "exp, spectrum-aware", "ρ-aware, √(1−ν²)", "ρ-aware, spectrum-aware"
COMPETITORS = (
    Competitor(LRU, _learned),
    Competitor(EXP, _exp),
    Competitor(TANH, _tanh),
    Competitor(PLAIN, _plain),
    Competitor(SPECTRUM, _spectrum, extension=True, white=EXP),
    Competitor(RHO, _correlated, extension=True, white=TANH),
    Competitor(BOTH, _both, extension=True, white=TANH),
)


@dataclasses.dataclass(frozen=True)
class Modes:
    """Systems `y = Re(Σ c b λ^n * x) + D x`, one row each: eigenvalues, b, c, and D."""

    eigenvalues: np.ndarray
    b: np.ndarray
    c: np.ndarray
    D: np.ndarray

    def impulse_response(self, horizon: int) -> np.ndarray:
        """(systems, horizon)."""
        powers = self.eigenvalues[:, None, :] ** np.arange(horizon)[None, :, None]
        out = np.sum((self.b * self.c)[:, None, :] * powers, axis=2).real
        out[:, 0] += self.D
        return out


def drawn(
    s: ExtensionSettings, ensemble: str, teacher: int, modes: int, memories: tuple[float, float]
) -> Modes:
    """One system: memories log-uniform, `γ = √(1 − ν²)` in b, phases uniform in (0, π) or 0.

    `modes` beside `s.pairs` tells students from teachers; the same for every competitor.
    """
    role = 0 if modes == s.pairs else 1
    rng = np.random.default_rng([s.seed, ENSEMBLES.index(ensemble), teacher, role])
    low, high = np.log(memories)
    memory = np.exp(rng.uniform(low, high, modes))
    phase = rng.uniform(0, np.pi, modes)
    parts = rng.standard_normal((4, modes)) / np.sqrt(2)
    b, c = parts[0] + 1j * parts[1], (parts[2] + 1j * parts[3]) / np.sqrt(modes)
    if ensemble == POSITIVE:
        # Real parts carry all of the variance; the imaginary ones, 0, get no gradient.
        phase, b, c = 0 * phase, np.sqrt(2) * b.real + 0j, np.sqrt(2) * c.real + 0j
    magnitude = 1 - 1 / memory
    gamma = np.sqrt((1 - magnitude) * (1 + magnitude))
    D = np.asarray(rng.standard_normal())
    return Modes(magnitude * np.exp(1j * phase), gamma * b, c, D)


def ensemble_of(s: ExtensionSettings, teachers: bool) -> Modes:
    """All systems of both ensembles, one row each, ensemble by ensemble."""
    size = (s.pairs, s.teacher_memories) if teachers else (s.modes, s.start_memories)
    systems = [
        drawn(s, ensemble, teacher, *size)
        for ensemble in ENSEMBLES
        for teacher in range(s.teachers)
    ]
    rows = {f.name: [getattr(one, f.name) for one in systems] for f in dataclasses.fields(Modes)}
    return Modes(**{name: np.stack(values) for name, values in rows.items()})


def students(competitor: Competitor, start: Modes, rho: float) -> DiagonalRNN:
    """Stacked students that are `start`, written as `competitor` does; float64."""
    eigenvalues, normalisation = competitor.make(start.eigenvalues, rho)
    gamma = np.asarray(jax.jit(lambda e, n: n(e))(eigenvalues, normalisation))
    template = DiagonalRNN(
        jax.tree.map(lambda leaf: leaf[0], eigenvalues),
        1,
        normalisation=jax.tree.map(lambda leaf: leaf[0], normalisation),
        key=jax.random.key(0),
    )
    return eqx.tree_at(
        lambda one: (one.eigenvalues, one.normalisation, one.B, one.C, one.D),
        template,
        (
            eigenvalues,
            normalisation,
            SplitComplex.of((start.b / gamma)[:, :, None]),
            SplitComplex.of(start.c[:, None, :]),
            # One direct factor per channel, and one channel.
            jnp.asarray(start.D).reshape(-1, 1),
        ),
    )


@dataclasses.dataclass(frozen=True)
class Training:
    """`losses[competitor, ρ]`, (ensembles, teachers, rates), over the power of the teacher's
    output; infinite where training diverged. `initial[ρ]`, (ensembles, teachers): at the start.
    """

    losses: dict[tuple[str, float], np.ndarray]
    initial: dict[float, np.ndarray]

    def best(self, name: str, rho: float, ensemble: str) -> tuple[int, np.ndarray]:
        """The rate of the best median over teachers, and all teachers' losses at it."""
        losses = self.losses[name, rho][ENSEMBLES.index(ensemble)]
        index = int(np.argmin(np.median(losses, axis=0)))
        return index, losses[:, index]

    def median(self, name: str, rho: float, ensemble: str) -> float:
        """The median over teachers at the rate where it is best."""
        return float(np.median(self.best(name, rho, ensemble)[1]))


def train_competitor(
    s: ExtensionSettings, competitor: Competitor, heard: Callable[[float], None]
) -> Training:
    """One competitor on every teacher of both ensembles, at every rate and correlation."""
    targets = ensemble_of(s, teachers=True).impulse_response(s.horizon)
    start = ensemble_of(s, teachers=False)
    grid = np.repeat(np.arange(targets.shape[0]), len(s.rates))
    members = Modes(start.eigenvalues[grid], start.b[grid], start.c[grid], start.D[grid])
    rates = np.tile(np.array(s.rates), targets.shape[0])
    shape = (len(ENSEMBLES), s.teachers, len(s.rates))
    known = [rho for rho in s.trained_correlations if rho > 0 or not competitor.extension]
    losses, initial = {}, {}
    for done, rho in enumerate(known):
        found = train_exact(
            students(competitor, members, rho),
            targets[grid][:, :, None, None],
            learning_rates=rates,
            steps=s.steps,
            # White input as the colour next to it: one compiled step for every ρ.
            process=Autoregressive(max(rho, _WHITE)),
            optimiser=competitor.optimiser,
            records_per_decade=1,
            members_by="vmap",
            on_progress=lambda share, done=done: heard((done + share) / len(known)),
        )
        power = output_power(targets, rho)
        final = found.final_losses / power[grid]
        losses[competitor.name, rho] = np.nan_to_num(final, nan=np.inf).reshape(shape)
        initial[rho] = (found.losses[:: len(s.rates), 0] / power).reshape(shape[:2])
    return Training(losses, initial)


def together(runs: Sequence[Training]) -> Training:
    """All competitors; at ρ = 0 an extension has the losses of the one that it then is."""
    losses = {key: value for run in runs for key, value in run.losses.items()}
    for one in COMPETITORS:
        if one.extension and (one.white, 0.0) in losses:
            losses[one.name, 0.0] = losses[one.white, 0.0]
    return Training(losses, {rho: x for run in runs for rho, x in run.initial.items()})


def output_power(targets: np.ndarray, rho: float) -> np.ndarray:
    """½ E y*², averaged over the training length: the loss of a student that puts out nothing."""
    lags = jnp.asarray(Autoregressive(rho).autocorrelation(targets.shape[1]))
    return np.asarray(_powers(jnp.asarray(targets)[:, :, None, None], lags))


@jax.jit
def _powers(targets: jax.Array, lags: jax.Array) -> jax.Array:
    weights = horizon_weights(targets.shape[1])
    return jax.vmap(lambda one: kernel_loss(one, weights, autocorrelation=lags))(targets)
