"""The systems whose Hessians are measured, and the same system in four parametrisations."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from remanence.systems import StateSpace
from remanence.theory import Modes, from_dense_coordinates, from_real_coordinates
from remanence.theory.dense_hessians import dense_coordinates
from remanence.theory.modes import real_coordinates

S4_STEP = 0.01
"""The step Δ of the S4-like student."""


@dataclasses.dataclass(frozen=True)
class Teacher:
    """One real system of single input and output, dense and in its eigenbasis.

    `modes` has one mode for each eigenvalue, conjugates included, and output weights 1.
    """

    dense: StateSpace
    modes: Modes


def conditioning_teacher(seed: int, index: int) -> Teacher:
    """A system of order 4 by the recipe of figure 4.

    `|λ| = 0.99 + 0.003 u`, phases uniform in (0, 2π), two of them and their conjugates;
    `A = Re(U⁻¹ diag(λ) U)` with `U = [U₀; Ū₀]` and `U₀` complex normal; `B ~ N(0, 1)`,
    `C ~ N(0, 1/4)`, `D ~ N(0, 1)`.
    """
    rng = np.random.default_rng((seed, index))
    magnitudes = 0.99 + 0.003 * rng.uniform(size=2)
    half = magnitudes * np.exp(1j * rng.uniform(0, 2 * np.pi, 2))
    basis = conjugate_basis(rng, 4)
    B, C, D = rng.normal(size=(4, 1)), rng.normal(size=(1, 4)) / 2, rng.normal(size=(1, 1))
    return from_eigenbasis(np.concatenate([half, half.conj()]), basis, B, C, D)


def conjugate_basis(rng: np.random.Generator, order: int) -> Complex[np.ndarray, "order order"]:
    """`U = [U₀; Ū₀]`, `U₀` with real and imaginary parts of variance 1/8: rows of `V⁻¹`."""
    shape = (order // 2, order)
    half = (rng.normal(size=shape) + 1j * rng.normal(size=shape)) / (2 * np.sqrt(2))
    return np.concatenate([half, half.conj()])


def from_eigenbasis(
    eigenvalues: Complex[np.ndarray, " order"],
    basis: Complex[np.ndarray, "order order"],
    B: Float[np.ndarray, "order inputs"],
    C: Float[np.ndarray, "outputs order"],
    D: Float[np.ndarray, "outputs inputs"],
) -> Teacher:
    """`A = U⁻¹ diag(λ) U` for `basis` U, rows and eigenvalues in conjugate pairs."""
    A = np.linalg.solve(basis, eigenvalues[:, None] * basis).real
    read_out = np.linalg.solve(basis.T, C.T.astype(complex)).T
    return Teacher(StateSpace(A, B, C, D), Modes(eigenvalues, basis @ B, read_out, D))


Coordinates = Float[Array, " parameters"]


@dataclasses.dataclass(frozen=True)
class Student:
    """A parametrisation of single-input single-output systems.

    - `coordinates(teacher)`: the parameters at which the student is the teacher.
    - `kernel(w, teacher, length)`: its impulse response at any parameters (`teacher` for shapes).
    - `groups`: name and count of each group of parameters, in order, for four modes.
    """

    name: str
    coordinates: Callable[[StateSpace, Modes], Coordinates]
    kernel: Callable[[Coordinates, StateSpace, Modes, int], Float[Array, "length 1 1"]]
    groups: tuple[tuple[str, int], ...]


def lru_coordinates(modes: Modes) -> Coordinates:
    """`(log −log |λ|, log θ, log γ, Re B, Im B, Re C, Im C, D)`, θ in (0, 2π), γ² = 1 − |λ|²."""
    decay, phase = -jnp.log(jnp.abs(modes.eigenvalues)), _phases(modes)
    scale = jnp.sqrt(-jnp.expm1(-2 * decay))
    return jnp.concatenate(
        [jnp.log(decay), jnp.log(phase), jnp.log(scale), *_arrays(modes, scale)]
    )


def lru_modes(coordinates: Coordinates) -> Modes:
    """`λ = exp(−e^ν + i e^θ)`, input `γ B`, read-out `Re(C h)`."""
    decay, phase, scale, *arrays = jnp.split(coordinates[:-1], 7)
    eigenvalues = jnp.exp(jax.lax.complex(-jnp.exp(decay), jnp.exp(phase)))
    return _assembled(eigenvalues, jnp.exp(scale), arrays, coordinates[-1])


def s4_coordinates(modes: Modes) -> Coordinates:
    """`(softplus⁻¹ Δ, Re a, Im a, Re B, Im B, Re C, Im C, D)`, one Δ per mode."""
    step = jnp.full(modes.eigenvalues.shape, S4_STEP)
    rates = jnp.log(jnp.abs(modes.eigenvalues)) / step
    turns = _phases(modes) / step
    return jnp.concatenate([jnp.log(jnp.expm1(step)), rates, turns, *_arrays(modes, step)])


def s4_modes(coordinates: Coordinates) -> Modes:
    """`λ = exp(Δ a)`, `Δ = softplus(δ)`, input `Δ B`, read-out `Re(C h)`."""
    raw, rates, turns, *arrays = jnp.split(coordinates[:-1], 7)
    step = jax.nn.softplus(raw)
    eigenvalues = jnp.exp(jax.lax.complex(step * rates, step * turns))
    return _assembled(eigenvalues, step, arrays, coordinates[-1])


def _phases(modes: Modes) -> Float[Array, " modes"]:
    return jnp.mod(jnp.angle(modes.eigenvalues), 2 * jnp.pi)


def _arrays(modes: Modes, scale: Float[Array, " modes"]) -> list[Array]:
    B, C = modes.B[:, 0], modes.C[0]
    return [B.real / scale, B.imag / scale, C.real, C.imag, modes.D.reshape(-1)]


def _assembled(
    eigenvalues: Complex[Array, " modes"],
    scale: Float[Array, " modes"],
    arrays: list[Array],
    direct: Float[Array, ""],
) -> Modes:
    B, C = jax.lax.complex(*arrays[:2]), jax.lax.complex(*arrays[2:])
    B = scale.astype(B.dtype) * B
    return Modes(eigenvalues, B[:, None], C[None], direct.reshape(1, 1))


DENSE = Student(
    "dense",
    lambda dense, modes: dense_coordinates(dense),
    lambda w, dense, modes, length: from_dense_coordinates(w, dense).impulse_response(length),
    (("A", 16), ("B", 4), ("C", 4), ("D", 1)),
)
DIAGONAL = Student(
    "complex diagonal",
    lambda dense, modes: real_coordinates(modes),
    lambda w, dense, modes, length: from_real_coordinates(w, modes).impulse_response(length),
    (
        ("Re λ", 4),
        ("Re B", 4),
        ("Re C", 4),
        ("Im λ", 4),
        ("Im B", 4),
        ("Im C", 4),
        ("D", 1),
    ),
)
LRU = Student(
    "LRU",
    lambda dense, modes: lru_coordinates(modes),
    lambda w, dense, modes, length: lru_modes(w).impulse_response(length),
    (
        ("ν", 4),
        ("θ", 4),
        ("γ", 4),
        ("Re B", 4),
        ("Im B", 4),
        ("Re C", 4),
        ("Im C", 4),
        ("D", 1),
    ),
)
S4 = Student(
    "S4-like",
    lambda dense, modes: s4_coordinates(modes),
    lambda w, dense, modes, length: s4_modes(w).impulse_response(length),
    (
        ("Δ", 4),
        ("Re a", 4),
        ("Im a", 4),
        ("Re B", 4),
        ("Im B", 4),
        ("Re C", 4),
        ("Im C", 4),
        ("D", 1),
    ),
)
STUDENTS = (DENSE, DIAGONAL, LRU, S4)
