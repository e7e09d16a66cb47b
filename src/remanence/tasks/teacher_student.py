"""Imitate a linear system: the task whose answer the theory knows."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from remanence.errors import RemanenceError
from remanence.systems import DiagonalStateSpace, StateSpace
from remanence.tasks._sequences import (
    Scored,
    Split,
    default_float,
    require_length,
    require_scored,
    scored_example,
    scored_steps,
)
from remanence.tasks.contract import AbstractTask, Example, Kind
from remanence.tasks.inputs import AbstractProcess, White


class TeacherStudent(AbstractTask):
    """The outputs of a linear system from its zero state, perhaps observed with noise.

        h_t = A h_{t-1} + B x_t,  h_0 = 0,        y_t = C h_t + D x_t + σ e_t.

    Args:
        teacher: the system.
        process: where inputs come from, white if not given; one independent channel per input.
        scored: "every" step, or the "last" one only.
        noise: σ, the standard deviation of white noise on the targets.

    The least reachable mean squared error is σ² per output.

    Raises:
        RemanenceError: if `noise` is negative, or `scored` is unknown.

    Source: Zucchet & Orvieto 2024 (linear system identification, Figure 3: `scored="every"`);
    Cohen-Karlik et al. 2023 (`scored="last"`).

        >>> task = TeacherStudent(StateSpace([[0.5]], [[1.0]], [[2.0]]))
        >>> task.sample(jax.random.key(0), 300).targets.shape
        (300, 1)
    """

    teacher: StateSpace | DiagonalStateSpace
    process: AbstractProcess
    scored: Scored = eqx.field(static=True)
    noise: float = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    outputs: int = eqx.field(static=True)
    kind: Kind = eqx.field(static=True)

    def __init__(
        self,
        teacher: StateSpace | DiagonalStateSpace,
        process: AbstractProcess | None = None,
        *,
        scored: Scored = "every",
        noise: float | int = 0.0,
    ):
        require_scored("TeacherStudent", scored)
        if not (math.isfinite(noise) and noise >= 0):
            raise RemanenceError(
                f"TeacherStudent: noise is a standard deviation, at least 0; got {noise}"
            )
        self.teacher = teacher
        self.process = White() if process is None else process
        self.scored, self.noise = scored, float(noise)
        self.inputs, self.outputs, self.kind = teacher.inputs, teacher.outputs, "regression"

    def sample(self, key: PRNGKeyArray, length: int, *, split: Split = "train") -> Example:
        require_length("TeacherStudent", length, 1, "one step is one input")
        input_key, noise_key = jax.random.split(key)
        xs = self.process.sample(input_key, length, self.inputs)
        targets = jnp.asarray(self.teacher.simulate(xs)[0], default_float())
        if self.noise:
            targets = targets + self.noise * jax.random.normal(noise_key, targets.shape)
        return scored_example(xs, targets, scored_steps(length, self.scored))
