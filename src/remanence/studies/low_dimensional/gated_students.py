"""Gated recurrent units: teacher, students, their training and their errors."""

import dataclasses
import functools
import itertools
import math
import os
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from remanence.report import AbstractProgress
from remanence.studies.threads import in_threads


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is trained and measured.

    - `lengths`: training lengths k; `judged_length` is the one the criterion is about.
    - `small_scale`, `large_scale`: standard deviation s of the student's weights at the start,
      in units of 1/√(fan-in); biases start at zero.
    - `seeds`: one student each, for every length and scale. Equal seeds see equal inputs.
    - `steps`, `batch`, `step_size`: Adam with cosine decay of the step to zero, fresh inputs.
    - `test_length`, `test_sequences`: where the student is judged.
    - `ratio`: how much better the small scale must be.
    """

    lengths: tuple[int, ...]
    seeds: tuple[int, ...]
    judged_length: int = 8
    small_scale: float = 0.1
    large_scale: float = 1.0
    state: int = 40
    teacher_state: int = 3
    teacher_seed: int = 1
    update_bias: float = 1.0
    steps: int = 4000
    batch: int = 100
    step_size: float = 2e-3
    test_length: int = 60
    test_sequences: int = 4000
    ratio: float = 3.0


QUICK = Settings(lengths=(8,), seeds=(0, 1, 2))
FULL = Settings(lengths=(2, 4, 6, 8, 12), seeds=(0, 1, 2, 3, 4))


class _Gate(NamedTuple):
    """Weights of one gate; separate arrays, as a fused block is slower to train on a CPU."""

    inputs: Float[Array, "state 1"]
    recurrent: Float[Array, "state state"]
    bias: Float[Array, " state"]


class _Unit(NamedTuple):
    reset: _Gate
    update: _Gate
    candidate: _Gate
    readout: Float[Array, " state"]


def teacher(settings: Settings) -> _Unit:
    """The teacher: weights N(0, 1), the update gate's bias `update_bias`, other biases zero.

    Drawn from `default_rng(teacher_seed)`: the input weights of reset, update and candidate, then
    their recurrent weights, then the readout.
    """
    n = settings.teacher_state
    rng = np.random.default_rng(settings.teacher_seed)
    inputs = [rng.standard_normal((n, 1)) for _ in range(3)]
    recurrent = [rng.standard_normal((n, n)) for _ in range(3)]
    biases = [np.zeros(n), np.full(n, settings.update_bias), np.zeros(n)]
    readout = rng.standard_normal(n)

    def gate(index: int) -> _Gate:
        arrays = (inputs[index], recurrent[index], biases[index])
        return _Gate(*(jnp.asarray(array, jnp.float32) for array in arrays))

    return _Unit(gate(0), gate(1), gate(2), jnp.asarray(readout, jnp.float32))


def student(settings: Settings, scale: float, *, key: Array) -> _Unit:
    """A student with weights N(0, s²/fan-in) and zero biases."""
    n = settings.state
    keys = iter(jax.random.split(key, 7))

    def draw(*shape: int) -> Array:
        spread = scale / math.sqrt(shape[-1])
        return spread * jax.random.normal(next(keys), shape, jnp.float32)

    def gate() -> _Gate:
        return _Gate(draw(n, 1), draw(n, n), jnp.zeros(n, jnp.float32))

    return _Unit(gate(), gate(), gate(), draw(n))


def step(
    unit: _Unit, state: Float[Array, " state"], x: Float[Array, "1"]
) -> Float[Array, " state"]:
    """One step of a GRU, with σ the logistic function:

    `r = σ(W_r x + U_r h + b_r)`, `z = σ(W_z x + U_z h + b_z)`,
    `n = tanh(W_n x + r ⊙ U_n h + b_n)`, `h ← (1 − z) ⊙ n + z ⊙ h`.
    """
    reset, update, candidate = unit.reset, unit.update, unit.candidate
    r = jax.nn.sigmoid(reset.inputs @ x + reset.recurrent @ state + reset.bias)
    z = jax.nn.sigmoid(update.inputs @ x + update.recurrent @ state + update.bias)
    drive = candidate.inputs @ x + r * (candidate.recurrent @ state) + candidate.bias
    return (1.0 - z) * jnp.tanh(drive) + z * state


def last_outputs(unit: _Unit, xs: Float[Array, "time sequences"]) -> Float[Array, " sequences"]:
    """The output `c · h` after the last input of every sequence, from a zero state."""
    advance = jax.vmap(step, in_axes=(None, 0, 0))

    def body(states, x):
        return advance(unit, states, x[:, None]), None

    states = jnp.zeros((xs.shape[1], unit.readout.shape[0]), jnp.float32)
    states, _ = lax.scan(body, states, xs)
    return states @ unit.readout


def _loss(unit: _Unit, xs: Array, targets: Array) -> Array:
    return jnp.mean((last_outputs(unit, xs) - targets) ** 2)


class _Training(NamedTuple):
    unit: _Unit
    first: _Unit
    second: _Unit
    step: Array


@functools.partial(jax.jit, static_argnames=("length", "leg", "settings"))
def _leg(
    training: _Training, target: _Unit, key: Array, *, length: int, leg: int, settings: Settings
) -> _Training:
    """`leg` steps of Adam (Kingma & Ba 2015), each on a fresh batch."""

    def body(training: _Training, _) -> tuple[_Training, None]:
        unit, first, second, count = training
        xs = jax.random.normal(
            jax.random.fold_in(key, count), (length, settings.batch), jnp.float32
        )
        gradient = jax.grad(_loss)(unit, xs, last_outputs(target, xs))
        time = count.astype(jnp.float32)
        size = 0.5 * settings.step_size * (1.0 + jnp.cos(math.pi * time / settings.steps))
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
        second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)
        first_weight, second_weight = 1.0 - 0.9 ** (time + 1.0), 1.0 - 0.999 ** (time + 1.0)
        unit = jax.tree.map(
            lambda p, m, v: p - size * (m / first_weight) / (jnp.sqrt(v / second_weight) + 1e-8),
            unit,
            first,
            second,
        )
        return _Training(unit, first, second, count + 1), None

    return lax.scan(body, training, None, length=leg)[0]


@functools.partial(jax.jit, static_argnames=("length", "settings"))
def error(unit: _Unit, target: _Unit, *, length: int, settings: Settings) -> Float[Array, ""]:
    """Mean squared error over the variance of the teacher's output, on sequences of `length`."""
    # A key of the test's own: every student meets the same inputs.
    key = jax.random.fold_in(jax.random.key(2023), length)
    xs = jax.random.normal(key, (length, settings.test_sequences), jnp.float32)
    wanted = last_outputs(target, xs)
    return jnp.mean((last_outputs(unit, xs) - wanted) ** 2) / jnp.var(wanted)


def train(settings: Settings, length: int, scale: float, seed: int, *, on_share=None) -> _Unit:
    """A student trained on sequences of `length`; `on_share(share)` hears how far it is."""
    start, data = jax.random.split(jax.random.key(seed))
    unit = student(settings, scale, key=start)
    zeros = jax.tree.map(jnp.zeros_like, unit)
    training = _Training(unit, zeros, zeros, jnp.zeros((), jnp.int32))
    target = teacher(settings)
    # Short legs, so that progress is heard and an interrupt obeyed within seconds.
    leg = math.gcd(settings.steps, 250)
    for done in range(0, settings.steps, leg):
        training = _leg(training, target, data, length=length, leg=leg, settings=settings)
        jax.block_until_ready(training)
        if on_share is not None:
            on_share((done + leg) / settings.steps)
    return training.unit


@dataclasses.dataclass(frozen=True)
class Errors:
    """Normalised mean squared errors, by training length, scale (small, large) and seed.

    - `short`: at the training length, on inputs not seen in training.
    - `long`: at the test length.
    """

    short: Float[np.ndarray, "lengths scales seeds"]
    long: Float[np.ndarray, "lengths scales seeds"]


def measure(settings: Settings, progress: AbstractProgress) -> Errors:
    """Every length, scale and seed, one thread a core."""
    scales = (settings.small_scale, settings.large_scale)
    jobs = list(itertools.product(settings.lengths, scales, settings.seeds))
    target = teacher(settings)

    def one(job: tuple[int, float, int], heard: Callable[[float], None]) -> tuple[float, float]:
        length, scale, seed = job
        unit = train(settings, length, scale, seed, on_share=heard)
        lengths = (length, settings.test_length)
        errors = [error(unit, target, length=k, settings=settings) for k in lengths]
        return float(errors[0]), float(errors[1])

    def told(share: float, job: tuple[int, float, int]) -> None:
        progress.update(share, "GRU: length {}, start {:g}, seed {}".format(*job))

    # The longest sequences take longest: they start first.
    queue = jobs[::-1]
    results = in_threads(
        one,
        queue,
        weights=[length for length, _, _ in queue],
        workers=min(len(queue), os.cpu_count() or 1),
        on_progress=told,
    )
    shape = (len(settings.lengths), 2, len(settings.seeds), 2)
    table = np.array(results[::-1]).reshape(shape)
    return Errors(table[..., 0], table[..., 1])
