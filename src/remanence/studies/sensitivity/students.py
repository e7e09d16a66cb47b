"""The students of the teacher-student experiments, and how each is started."""

import dataclasses
import math
from collections.abc import Callable, Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, PRNGKeyArray

from remanence.layers import LRU, DiagonalRNN, LearnedSquareRoot, LinearRNN, Polar, ReIm
from remanence.layers.arrays import SplitComplex
from remanence.layers.contract import AbstractRecurrentLayer
from remanence.layers.modal import AbstractModalLayer
from remanence.studies.sensitivity.teachers import on_ring

DTYPE = jnp.float32
STATE = 64


@dataclasses.dataclass(frozen=True)
class Student:
    """One architecture: `start(keys, least, phase)` gives a stack with a member for each key.

    - `least`, `phase`: the ring of the teacher, which diagonal students start on; dense and
      block-diagonal ones start with `least = 0`, as published ("better results without").
    - `rates`: the published grid of learning rates.
    - `members_by`: how `train_exact` runs them fastest.
    """

    name: str
    start: Callable[[Key[Array, " members"], float, float], AbstractRecurrentLayer]
    rates: tuple[float, ...]
    members_by: str


def blocks(heads: int, state: int = STATE) -> Callable[..., AbstractRecurrentLayer]:
    """A linear RNN of `heads` dense blocks; one block is the fully connected one.

    Each block is Gaussian with its eigenvalues moved to magnitude `tanh|l|`; `B ~ N(0, 1)`,
    `C ~ N(0, 1/state)`, `D ~ N(0, 1)`, truncated at two standard deviations as Flax does.
    """

    def start(keys: Key[Array, " members"], least: float, phase: float) -> AbstractRecurrentLayer:
        size = state // heads
        for_A, for_B, for_C, for_D = jnp.moveaxis(
            jax.vmap(lambda k: jax.random.split(k, 4))(keys), 1, 0
        )
        A = np.asarray(_normals(for_A, (heads, size, size)), np.float64) / math.sqrt(size)
        drawn = (
            jnp.asarray(on_ring(A, 0.0, phase), DTYPE),
            _lecun(for_B, (heads, size, 1), 1),
            _lecun(for_C, (1, heads, size), state),
            _lecun(for_D, (1,), 1),
        )
        plain = eqx.filter_vmap(
            lambda key: LinearRNN(1, state, 1, blocks=heads, key=key, dtype=DTYPE)
        )(keys)
        return eqx.tree_at(lambda own: (own.A, own.B, own.C, own.D), plain, drawn)

    return start


def diagonal(
    make: Callable[[PRNGKeyArray, float, float], AbstractModalLayer],
) -> Callable[..., AbstractRecurrentLayer]:
    """A diagonal student, `B` of variance 1/state and `C` of 1 in each part (one output)."""

    def one(key: PRNGKeyArray, least: float, phase: float) -> AbstractModalLayer:
        for_layer, for_B, for_C = jax.random.split(key, 3)
        layer = make(for_layer, least, phase)
        modes = layer.modes
        B = jax.random.normal(for_B, (2, modes, 1), DTYPE) / math.sqrt(modes)
        C = jax.random.normal(for_C, (2, 1, modes), DTYPE)
        return eqx.tree_at(
            lambda own: (own.B, own.C), layer, (SplitComplex(B[0], B[1]), SplitComplex(C[0], C[1]))
        )

    def start(keys: Key[Array, " members"], least: float, phase: float) -> AbstractRecurrentLayer:
        return eqx.filter_vmap(lambda key: one(key, least, phase))(keys)

    return start


def _lru(key: PRNGKeyArray, least: float, phase: float) -> LRU:
    layer = LRU(1, STATE, 1, r_min=least, r_max=1.0, max_phase=2 * phase, key=key, dtype=DTYPE)
    # Published: θ uniform in (−φ, φ), modulo 2π so that it has a logarithm.
    turned = jnp.mod(layer.eigenvalues.phase() - phase, 2 * math.pi)
    moved = Polar(
        jnp.log(-layer.eigenvalues.log_magnitude()),
        jnp.log(turned),
        "double exponential",
        "exponential",
    )
    return eqx.tree_at(lambda own: own.eigenvalues, layer, moved)


def _real_and_imaginary(normalised: bool) -> Callable[..., DiagonalRNN]:
    def make(key: PRNGKeyArray, least: float, phase: float) -> DiagonalRNN:
        for_start, for_layer = jax.random.split(key)
        like = _lru(for_start, least, phase).eigenvalues
        parts = ReIm.from_eigenvalues(like())
        gamma = LearnedSquareRoot.from_eigenvalues(like) if normalised else None
        return DiagonalRNN(parts, 1, 1, normalisation=gamma, key=for_layer)

    return make


_DENSE_RATES = (3.2e-3, 1e-3, 3.2e-4, 1e-4, 3.2e-5)
_BLOCK_RATES = (1e-2, 3.2e-3, 1e-3, 3.2e-4)
_DIAGONAL_RATES = (0.1, 3.2e-2, 1e-2, 3.2e-3, 1e-3, 3.2e-4, 1e-4)

STUDENTS: Mapping[str, Student] = {
    student.name: student
    for student in (
        Student("dense RNN", blocks(1), _DENSE_RATES, "map"),
        Student("32 blocks", blocks(32), _BLOCK_RATES, "vmap"),
        Student("64 blocks, 128 states", blocks(64, 2 * STATE), _BLOCK_RATES, "vmap"),
        Student("complex diagonal", diagonal(_real_and_imaginary(False)), _DIAGONAL_RATES, "vmap"),
        Student(
            "complex diagonal, γ", diagonal(_real_and_imaginary(True)), _DIAGONAL_RATES, "vmap"
        ),
        Student("LRU", diagonal(_lru), (0.32, 0.1, 3.2e-2, 1e-2, 3.2e-3), "vmap"),
    )
}
"""The published ablation, from the fully connected RNN to the LRU."""


def heads_student(heads: int) -> Student:
    """64 states in `heads` blocks, with the published grid of figure 11."""
    rates = (3.2e-2, 1e-2, 3.2e-3, 1e-3, 1e-4)
    return Student(f"{heads} heads", blocks(heads), rates, "map" if heads < 8 else "vmap")


def _normals(keys: Key[Array, " members"], shape: tuple[int, ...]) -> Float[Array, "members ..."]:
    return jax.vmap(lambda key: jax.random.normal(key, shape, DTYPE))(keys)


def _lecun(
    keys: Key[Array, " members"], shape: tuple[int, ...], fan_in: int
) -> Float[Array, "members ..."]:
    # A normal truncated at ±2 has standard deviation 0.8796.
    def one(key: PRNGKeyArray) -> Float[Array, "..."]:
        return jax.random.truncated_normal(key, -2.0, 2.0, shape, DTYPE)

    return jax.vmap(one)(keys) / (0.87962566103423978 * math.sqrt(fan_in))
