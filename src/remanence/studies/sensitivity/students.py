"""The students of the teacher-student experiments, and how each is started."""

import dataclasses
import math
from collections.abc import Callable, Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from jaxtyping import Array, Float, PRNGKeyArray

from remanence.layers import (
    LRU,
    AbstractEigenvalues,
    AbstractNormalisation,
    DiagonalRNN,
    LearnedSquareRoot,
    LinearRNN,
    NoNormalisation,
    Polar,
    ReIm,
)
from remanence.layers.arrays import SplitComplex
from remanence.layers.contract import AbstractRecurrentLayer
from remanence.layers.modal import AbstractModalLayer
from remanence.studies.sensitivity.teachers import on_ring

DTYPE = jnp.float32
STATE = 64


Start = Callable[[int, int, float, float], AbstractRecurrentLayer]


@dataclasses.dataclass(frozen=True)
class Student:
    """One architecture: `start(seed, count, least, phase)` gives a stack of `count` members.

    - `least`, `phase`: the ring of the teacher, which diagonal students start on; dense and
      block-diagonal ones start with `least = 0`, as published ("better results without").
    - `rates`: the published grid of learning rates.
    - `members_by`: how `train_exact` runs them fastest.
    """

    name: str
    start: Start
    rates: tuple[float, ...]
    members_by: str


def blocks(heads: int, state: int = STATE) -> Start:
    """A linear RNN of `heads` dense blocks; one block is the fully connected one.

    Each block is Gaussian with its eigenvalues moved to magnitude `tanh|l|`; `B ~ N(0, 1)`,
    `C ~ N(0, 1/state)`, `D ~ N(0, 1)`, truncated at two standard deviations as Flax does.
    """
    size = state // heads

    def start(seed: int, count: int, least: float, phase: float) -> AbstractRecurrentLayer:
        def one(rng: np.random.Generator) -> tuple[Float[np.ndarray, "..."], ...]:
            A = rng.normal(size=(heads, size, size)) / math.sqrt(size)
            return (
                on_ring(A, 0.0, phase),
                _lecun(rng, (heads, size, 1), 1),
                _lecun(rng, (1, heads, size), state),
                _lecun(rng, (1,), 1),
            )

        plain = _structure(lambda key: LinearRNN(1, state, 1, blocks=heads, key=key, dtype=DTYPE))
        return eqx.tree_at(
            lambda own: (own.A, own.B, own.C, own.D), plain, _stacked(seed, count, one)
        )

    return start


def diagonal(
    parts: Callable[[Polar], tuple[AbstractEigenvalues, AbstractNormalisation]],
    make: Callable[[AbstractEigenvalues, AbstractNormalisation, PRNGKeyArray], AbstractModalLayer],
) -> Start:
    """A diagonal student on the ring of the teacher, made from eigenvalues in polar form.

    `|λ|² = u (1 − ν₀²) + ν₀²`, `θ` uniform in (−φ, φ), modulo 2π so that it has a logarithm; `B`
    of variance 1/state and `C` of 1 in each part, `D` of 1 (one input, one output).
    """

    def start(seed: int, count: int, least: float, phase: float) -> AbstractRecurrentLayer:
        def one(rng: np.random.Generator) -> tuple[Float[np.ndarray, "..."], ...]:
            log_magnitude = np.log1p((least**2 - 1) * rng.uniform(1e-6, 1, STATE)) / 2
            turned = np.mod(phase * rng.uniform(-1, 1, STATE), 2 * np.pi)
            return (
                np.log(-log_magnitude),
                np.log(turned),
                *(rng.normal(size=(STATE, 1)) / math.sqrt(STATE) for _ in range(2)),
                *(rng.normal(size=(1, STATE)) for _ in range(2)),
                rng.normal(size=1),
            )

        magnitude, angle, *rest = _stacked(seed, count, one)
        ring = Polar(magnitude, angle, "double exponential", "exponential")
        B_real, B_imag, C_real, C_imag, D = rest
        eigenvalues, gamma = parts(ring)
        first = jax.tree.map(lambda leaf: np.asarray(leaf)[0], (eigenvalues, gamma))
        plain = _structure(lambda key: make(first[0], first[1], key))
        return eqx.tree_at(
            lambda own: (own.eigenvalues, own.normalisation, own.B, own.C, own.D),
            plain,
            (eigenvalues, gamma, SplitComplex(B_real, B_imag), SplitComplex(C_real, C_imag), D),
        )

    return start


def _lru_parts(ring: Polar) -> tuple[AbstractEigenvalues, AbstractNormalisation]:
    return ring, LearnedSquareRoot.from_eigenvalues(ring)


def _lru(eigenvalues: AbstractEigenvalues, gamma: AbstractNormalisation, key: PRNGKeyArray) -> LRU:
    return LRU(1, STATE, 1, normalisation=gamma, key=key, dtype=DTYPE)


def _plain_parts(ring: Polar) -> tuple[AbstractEigenvalues, AbstractNormalisation]:
    return ReIm.from_eigenvalues(ring(), dtype=DTYPE), NoNormalisation()


def _normalised_parts(ring: Polar) -> tuple[AbstractEigenvalues, AbstractNormalisation]:
    return _plain_parts(ring)[0], LearnedSquareRoot.from_eigenvalues(ring)


def _diagonal_rnn(
    eigenvalues: AbstractEigenvalues, gamma: AbstractNormalisation, key: PRNGKeyArray
) -> DiagonalRNN:
    return DiagonalRNN(eigenvalues, 1, 1, normalisation=gamma, key=key)


_PLAIN = diagonal(_plain_parts, _diagonal_rnn)
_NORMALISED = diagonal(_normalised_parts, _diagonal_rnn)
_DENSE_RATES = (3.2e-3, 1e-3, 3.2e-4, 1e-4, 3.2e-5)
_BLOCK_RATES = (1e-2, 3.2e-3, 1e-3, 3.2e-4)
_DIAGONAL_RATES = (0.1, 3.2e-2, 1e-2, 3.2e-3, 1e-3, 3.2e-4, 1e-4)

STUDENTS: Mapping[str, Student] = {
    student.name: student
    for student in (
        Student("dense RNN", blocks(1), _DENSE_RATES, "map"),
        Student("32 blocks", blocks(32), _BLOCK_RATES, "vmap"),
        Student("64 blocks, 128 states", blocks(64, 2 * STATE), _BLOCK_RATES, "vmap"),
        Student(
            "complex diagonal", diagonal(_plain_parts, _diagonal_rnn), _DIAGONAL_RATES, "vmap"
        ),
        Student(
            "complex diagonal, γ",
            diagonal(_normalised_parts, _diagonal_rnn),
            _DIAGONAL_RATES,
            "vmap",
        ),
        Student("LRU", diagonal(_lru_parts, _lru), (0.32, 0.1, 3.2e-2, 1e-2, 3.2e-3), "vmap"),
    )
}
"""The published ablation, from the fully connected RNN to the LRU."""


def heads_student(heads: int) -> Student:
    """64 states in `heads` blocks, with the published grid of figure 11."""
    rates = (3.2e-2, 1e-2, 3.2e-3, 1e-3, 1e-4)
    return Student(f"{heads} heads", blocks(heads), rates, "map" if heads < 8 else "vmap")


def _structure(make: Callable[[PRNGKeyArray], AbstractRecurrentLayer]) -> AbstractRecurrentLayer:
    """A layer without numbers: every array of it is given afterwards."""
    return eqx.filter_eval_shape(make, jax.random.key(0))


def _stacked(
    seed: int,
    count: int,
    one: Callable[[np.random.Generator], tuple[Float[np.ndarray, "..."], ...]],
) -> tuple[Float[Array, "members ..."], ...]:
    """The arrays of every member, each drawn from its own stream."""
    drawn = [one(np.random.default_rng((seed, index))) for index in range(count)]
    return tuple(jnp.asarray(np.stack(arrays), DTYPE) for arrays in zip(*drawn, strict=True))


def _lecun(
    rng: np.random.Generator, shape: tuple[int, ...], fan_in: int
) -> Float[np.ndarray, "..."]:
    # A normal truncated at ±2 has standard deviation 0.8796.
    tail = scipy.special.ndtr(-2.0)
    values = scipy.special.ndtri(rng.uniform(tail, 1 - tail, shape))
    return values / (0.87962566103423978 * math.sqrt(fan_in))
