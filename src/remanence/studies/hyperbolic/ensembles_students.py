"""Random teachers, and students that start from one function written in many ways."""

import dataclasses
from collections.abc import Callable, Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex, Float

from remanence.layers.arrays import SplitComplex
from remanence.layers.dense import LinearRNN
from remanence.layers.lru import DiagonalRNN
from remanence.layers.normalisations import (
    AbstractNormalisation,
    LearnedSquareRoot,
    NoNormalisation,
    SquareRoot,
)
from remanence.layers.parametrisations import (
    AbstractEigenvalues,
    Discretised,
    HyperbolicEigenvalues,
    Polar,
    ReIm,
)
from remanence.studies.hyperbolic.ensembles_settings import (
    SHORT,
    SHORT_RADIUS,
    STARTS,
    EnsembleSettings,
)
from remanence.studies.sensitivity.teachers import PHASE, modal_residues, ring_teacher
from remanence.theory import Modes

Parametrised = tuple[AbstractEigenvalues, AbstractNormalisation]


@dataclasses.dataclass(frozen=True)
class Competitor:
    """One way to write the same student.

    - `make(eigenvalues)`: the parametrisation of the eigenvalues of one student, and γ.
    - `rates`: the grid of learning rates of eigenvalues and γ, a factor of about √10 apart.
    - `few`: the three of quick runs.
    """

    name: str
    make: Callable[[np.ndarray], Parametrised]
    rates: tuple[float, ...]
    few: tuple[float, ...]

    def grid(self, few: bool) -> tuple[float, ...]:
        """The rates, or the three about the best one of most cells of the full grid."""
        return self.few if few else self.rates


def _lru(eigenvalues: np.ndarray) -> Parametrised:
    polar = Polar.from_eigenvalues(eigenvalues, phase_map="exponential")
    return polar, LearnedSquareRoot.from_eigenvalues(polar)


def _exp(eigenvalues: np.ndarray) -> Parametrised:
    return Polar.from_eigenvalues(eigenvalues), SquareRoot()


def _tanh(eigenvalues: np.ndarray) -> Parametrised:
    return Polar.from_eigenvalues(eigenvalues, magnitude_map="tanh"), SquareRoot()


def _discretised(rate_map: str) -> Callable[[np.ndarray], Parametrised]:
    def make(eigenvalues: np.ndarray) -> Parametrised:
        # The published start of every rate, Re a = −½; the steps are what makes memories.
        steps = -2 * np.log(np.abs(eigenvalues))
        made = Discretised.from_eigenvalues(eigenvalues, step=steps, rate_map=rate_map)
        return made, NoNormalisation()

    return make


def _plain(eigenvalues: np.ndarray) -> Parametrised:
    return ReIm.from_eigenvalues(eigenvalues), NoNormalisation()


def _hyperbolic(eigenvalues: np.ndarray) -> Parametrised:
    return HyperbolicEigenvalues.from_eigenvalues(eigenvalues), SquareRoot()


_USUAL, _FEW = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1), (3e-3, 1e-2, 3e-2)

LRU, EXP, TANH = "LRU: exp, learned γ", "exp, √(1−ν²)", "tanh, √(1−ν²)"
STABLE, S4D, S5 = "StableSSM map", "S4D map", "S5 map"
PLAIN, HYPERBOLIC, DENSE = "re/im, no γ", "hyperbolic Adam", "dense RNN"
COMPETITORS = (
    Competitor(LRU, _lru, _USUAL, _FEW),
    Competitor(EXP, _exp, _USUAL, _FEW),
    Competitor(TANH, _tanh, _USUAL, _FEW),
    Competitor(STABLE, _discretised("best"), _USUAL, _FEW),
    Competitor(S4D, _discretised("exponential"), _USUAL, _FEW),
    Competitor(S5, _discretised("direct"), _USUAL, _FEW),
    Competitor(PLAIN, _plain, (3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2), (3e-4, 1e-3, 3e-3)),
    Competitor(HYPERBOLIC, _hyperbolic, (2e-3, 6e-3, 0.02, 0.06, 0.2, 0.6), (0.06, 0.2, 0.6)),
)
"""Rates of hyperbolic Adam are hyperbolic distances."""

QUICK_COMPETITORS = (LRU, TANH, S5, HYPERBOLIC)


def competitors(s: EnsembleSettings) -> tuple[Competitor, ...]:
    """Those that a preset trains."""
    return tuple(one for one in COMPETITORS if not s.few or one.name in QUICK_COMPETITORS)


def random_teachers(s: EnsembleSettings) -> list[list[Modes]]:
    """`[level][teacher]`: systems of ten states whose output has the power 1 for white input.

    The same random matrices at every ν₀, so that levels differ in memory alone.
    """
    keys = jax.random.split(jax.random.key(s.seed), s.teachers)
    return [[_unit_power(key, level) for key in keys] for level in s.levels]


def _unit_power(key: jax.Array, level: float) -> Modes:
    system = ring_teacher(key, level)
    poles, residues = modal_residues(system)
    D = float(np.asarray(system.D)[0, 0])
    power = output_power(poles, residues, D)
    scale = 1 / np.sqrt(power)
    return Modes(poles, np.ones((poles.size, 1)), scale * residues[None, :], [[scale * D]])


def output_power(
    poles: Complex[np.ndarray, " modes"], residues: Complex[np.ndarray, " modes"], D: float
) -> float:
    """`Σ_n g_n²` of `g_n = Σ_i r_i λ_i^n`, with D added to `g_0`; pairs written out."""
    gram = 1 / (1 - poles[:, None] * poles[None, :])
    energy = np.real(residues @ gram @ residues)
    return float(energy + 2 * D * np.real(residues.sum()) + D**2)


@dataclasses.dataclass(frozen=True)
class Starts:
    """Functions `Re(Σ_i c_i b_i λ_i^n)`, with D added at n = 0: one row for each student."""

    eigenvalues: Complex[np.ndarray, "members modes"]
    b: Complex[np.ndarray, "members modes"]
    c: Complex[np.ndarray, "members modes"]
    D: Float[np.ndarray, " members"]


def starts_of(s: EnsembleSettings, members: Sequence[tuple[float, str, int]]) -> Starts:
    """The start of every `(ν₀, start, teacher)`, the same for every competitor.

    `|λ|²` is uniform in (ν₀², 1), or `|λ| = 0.9`; angles as the teachers'. B has unit variance
    times `γ`, C 1/modes in each part, D 1, as the LRU starts.
    """
    rows = [_start(s, *one) for one in members]
    return Starts(*(np.stack(column) for column in zip(*rows, strict=True)))


def _start(s: EnsembleSettings, level: float, start: str, teacher: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng([s.seed, teacher, STARTS.index(start)])
    u, angle = rng.uniform(1e-6, 1, s.modes), PHASE * rng.uniform(-1, 1, s.modes)
    parts = rng.standard_normal((4, s.modes))
    log_magnitude = np.log1p((level**2 - 1) * u) / 2
    if start == SHORT:
        log_magnitude = np.full(s.modes, np.log(SHORT_RADIUS))
    gamma = np.sqrt(-np.expm1(2 * log_magnitude))
    b = gamma * (parts[0] + 1j * parts[1]) / np.sqrt(2)
    c = (parts[2] + 1j * parts[3]) / np.sqrt(s.modes)
    return np.exp(log_magnitude + 1j * angle), b, c, np.asarray(rng.standard_normal())


def students(competitor: Competitor, start: Starts) -> DiagonalRNN:
    """Stacked students that are `start`, written as `competitor` does; float64.

    What the parametrisation puts between input and state is divided out of B.
    """
    rows = [competitor.make(row) for row in start.eigenvalues]
    made = jax.tree.map(lambda *leaves: jnp.asarray(np.stack(leaves)), *rows)
    between = np.asarray(_between(made))
    first, gamma = rows[0]
    template = DiagonalRNN(first, 1, normalisation=gamma, key=jax.random.key(0))
    return eqx.tree_at(
        lambda one: (one.eigenvalues, one.normalisation, one.B, one.C, one.D),
        template,
        (
            *made,
            SplitComplex.of((start.b / between)[:, :, None]),
            SplitComplex.of(start.c[:, None, :]),
            # One direct factor per channel, and one channel.
            jnp.asarray(start.D).reshape(-1, 1),
        ),
    )


@eqx.filter_jit
def _between(made: Parametrised) -> jax.Array:
    def one(parts: Parametrised) -> jax.Array:
        factor = parts[0].input_factor()
        return factor * parts[1](parts[0]).astype(factor.dtype)

    return jax.vmap(one)(made)


def dense_students(s: EnsembleSettings, start: Starts) -> LinearRNN:
    """The same functions as fully connected recurrences, in a random orthonormal basis.

    Each mode is a rotation of two real states; no basis is that of the modes, as in a dense
    recurrence in general.
    """
    members, modes = start.eigenvalues.shape
    blocks = np.zeros((members, 2 * modes, 2 * modes))
    real, imag = np.real(start.eigenvalues), np.imag(start.eigenvalues)
    even, odd = 2 * np.arange(modes), 2 * np.arange(modes) + 1
    blocks[:, even, even], blocks[:, odd, odd] = real, real
    blocks[:, even, odd], blocks[:, odd, even] = -imag, imag
    size = np.linalg.norm(start.c, axis=1) / np.linalg.norm(start.b, axis=1)
    # B and C of equal length: Adam's steps do not know which of the two is the small one.
    b, c = start.b * np.sqrt(size)[:, None], start.c / np.sqrt(size)[:, None]
    B = np.stack([b.real, b.imag], axis=2).reshape(members, -1)
    C = np.stack([c.real, -c.imag], axis=2).reshape(members, -1)
    rng = np.random.default_rng([s.seed, 2])
    Q = np.linalg.qr(rng.standard_normal((members, 2 * modes, 2 * modes)))[0]
    plain = eqx.filter_eval_shape(
        lambda key: LinearRNN(1, 2 * modes, 1, key=key), jax.random.key(0)
    )
    return eqx.tree_at(
        lambda one: (one.A, one.B, one.C, one.D),
        plain,
        (
            jnp.asarray(Q @ blocks @ Q.swapaxes(1, 2))[:, None],
            jnp.asarray(np.einsum("mij,mj->mi", Q, B))[:, None, :, None],
            jnp.asarray(np.einsum("mij,mj->mi", Q, C))[:, None, None, :],
            jnp.asarray(start.D)[:, None],
        ),
    )
