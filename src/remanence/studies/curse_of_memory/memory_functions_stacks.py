"""Stacks of stable state-space layers: what they remember beside what they can."""

import dataclasses

import numpy as np
from jaxtyping import Float64
from scipy.signal import lfilter

from remanence.studies.curse_of_memory.memory_functions_settings import POLYNOMIAL, MemorySettings
from remanence.theory.memory_functions import MemoryFunction, memory_function, stacked_bound


@dataclasses.dataclass(frozen=True)
class Stack:
    """A random stack of `h_l ← Λ_l h_l + U_l σ(h_{l−1})`, `y = cᵀσ(h_ℓ)`, scalar in and out."""

    eigenvalues: tuple[np.ndarray, ...]
    inputs: tuple[np.ndarray, ...]
    readout: np.ndarray
    linear: bool = False

    @property
    def rate(self) -> float:
        """β₀ = −log max |λ|."""
        return -float(np.log(max(np.abs(own).max() for own in self.eigenvalues)))

    @property
    def gain(self) -> float:
        """|c| Π ‖U_l‖; the first norm is that of a column."""
        norms = [float(np.linalg.norm(U, 2)) for U in self.inputs]
        return float(np.linalg.norm(self.readout) * np.prod(norms))

    @property
    def theorem_gain(self) -> float:
        """(d + 1) θ², d = 1 and θ the largest 2-norm of Λ, U and c: for one layer."""
        sizes = [np.linalg.norm(U, 2) for U in self.inputs]
        sizes += [np.abs(own).max() for own in self.eigenvalues]
        return 2 * float(max(*sizes, np.linalg.norm(self.readout))) ** 2

    def __call__(self, xs: Float64[np.ndarray, "batch time 1"]) -> Float64[np.ndarray, "b t 1"]:
        """Outputs of a batch of sequences, from rest."""
        below = xs
        for eigenvalues, U in zip(self.eigenvalues, self.inputs, strict=True):
            drive = below @ U.T
            filtered = [
                lfilter([1.0], [1.0, -one], drive[..., i], axis=1)
                for i, one in enumerate(eigenvalues)
            ]
            states = np.stack(filtered, axis=-1)
            below = states if self.linear else np.tanh(states)
        return below @ self.readout[:, None]


def random_stack(s: MemorySettings, depth: int, seed: int) -> Stack:
    """`depth` layers, the slowest mode of each at the rate β₀ exactly."""
    rng, m = np.random.default_rng([seed, depth]), s.stack_width
    rates = [s.slowest * np.append(1.0, rng.uniform(s.gap, s.spread, m - 1)) for _ in range(depth)]
    sizes = [1, *([m] * (depth - 1))]
    return Stack(
        tuple(np.exp(-own) for own in rates),
        tuple(rng.normal(size=(m, below)) / np.sqrt(below * m) for below in sizes),
        rng.normal(size=m) / np.sqrt(m),
    )


def equal_stack(s: MemorySettings, depth: int) -> Stack:
    """One mode in each layer, all alike, no nonlinearity: where the bound is attained."""
    one = np.array([np.exp(-s.slowest)])
    return Stack((one,) * depth, (np.ones((1, 1)),) * depth, np.ones(1), linear=True)


@dataclasses.dataclass(frozen=True)
class StackMemory:
    """A stack's memory function beside its bound at every step, and its `late_polynomial`."""

    depth: int
    seed: int
    memory: MemoryFunction
    bound: Float64[np.ndarray, " time"]
    theorem: Float64[np.ndarray, " time"]
    degree: int
    missed: float

    @property
    def closest(self) -> float:
        """The largest M/bound over all steps above rounding noise."""
        return self._ratio(self.bound)

    @property
    def closest_to_theorem(self) -> float:
        """The same with the theorem's constant (d + 1) L θ² e^{−β₀t}, meant for one layer."""
        return self._ratio(self.theorem)

    @property
    def deviation(self) -> float:
        """The largest |M − bound|, relative to the bound's largest value."""
        return float(np.abs(self.memory.values - self.bound).max() / self.bound.max())

    def _ratio(self, bound: np.ndarray) -> float:
        safe = self.memory.values > 100 * self.memory.floor
        return float((self.memory.values / bound)[safe].max())


def stack_memory(s: MemorySettings, stack: Stack, seed: int) -> StackMemory:
    """By trying inputs of all amplitudes and both signs."""
    depth, steps = len(stack.inputs), np.arange(s.stack_length)
    directions = [[sign * size] for size in s.amplitudes for sign in (1.0, -1.0)]
    memory = memory_function(
        stack, inputs=1, length=s.stack_length, directions=directions, by="batch"
    )
    bound = stacked_bound(steps, rate=stack.rate, layers=depth, gain=stack.gain, time="discrete")
    theorem = stacked_bound(steps, rate=stack.rate, gain=stack.theorem_gain, time="discrete")
    return StackMemory(depth, seed, memory, bound, theorem, *late_polynomial(s, stack))


def late_polynomial(s: MemorySettings, stack: Stack) -> tuple[int, float]:
    """The degree of the polynomial in k that `y_k e^{β₀k}` is late after an impulse.

    An impulse leaves a network that rests at 0 with nothing but its decay, so that y is known to
    many digits however small, its sign included, and may be followed to where the slowest modes
    are alone and the nonlinearity sleeps. Returns the least degree that fits the last octave
    within `POLYNOMIAL`, and what it misses relative to the largest value; −1 if none below 8 does.
    """
    xs = np.zeros((1, s.late_length, 1))
    xs[0, 0] = 1.0
    late = np.arange(s.late_length // 2, s.late_length)
    grown = stack(xs)[0, late, 0] * np.exp(stack.rate * late)
    for degree in range(8):
        found = np.polynomial.Polynomial.fit(late, grown, degree)
        missed = float(np.abs(found(late) - grown).max() / np.abs(grown).max())
        if missed <= POLYNOMIAL:
            return degree, missed
    return -1, np.nan


def random_stacks(s: MemorySettings) -> tuple[StackMemory, ...]:
    """Every depth, every seed."""
    return tuple(
        stack_memory(s, random_stack(s, depth, s.seed + i), s.seed + i)
        for depth in s.depths
        for i in range(s.stack_seeds)
    )
