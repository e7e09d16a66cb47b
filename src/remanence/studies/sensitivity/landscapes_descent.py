"""Learning one eigenvalue's angle by Adam, in three parametrisations (figure 7)."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Complex, Float

from remanence.layers.parametrisations import AbstractEigenvalues, CoupledPhase, Polar
from remanence.studies.sensitivity.landscapes_settings import LAST, LandscapeSettings
from remanence.theory import teacher_student_loss

POLAR, EXPONENTIAL, COUPLED = "θ = w", "θ = exp(w)", "coupled θ"
CANCELLING = "θ = w, cancelling loss"


@dataclasses.dataclass(frozen=True)
class Descent:
    """A run: the loss and λ before every step, and after the last."""

    name: str
    loss: Float[np.ndarray, " records"]
    eigenvalue: Complex[np.ndarray, " records"]

    @property
    def final(self) -> float:
        """The largest loss of the last `LAST` steps."""
        return float(self.loss[-LAST:].max())

    def first_below(self, level: float | int) -> int | None:
        """The first step with a smaller loss."""
        below = np.flatnonzero(self.loss < level)
        return int(below[0]) if below.size else None


def cancelling_loss(eigenvalue: Array, teacher: Array) -> Array:
    """½ E|h − h*|² for white input as it is usually written, a difference of large numbers."""
    powers = 1 / (1 - jnp.abs(eigenvalue) ** 2) + 1 / (1 - jnp.abs(teacher) ** 2)
    return (powers - 2 * jnp.real(1 / (1 - eigenvalue * jnp.conj(teacher)))) / 2


def descents(settings: LandscapeSettings, heard: Callable[[float], None]) -> list[Descent]:
    """S4: the three parametrisations, and the first with the loss written with cancellation."""
    start = np.asarray(_eigenvalue(*settings.start))
    jobs = (
        (POLAR, Polar.from_eigenvalues(start, magnitude_map="tanh"), teacher_student_loss),
        (
            EXPONENTIAL,
            Polar.from_eigenvalues(start, magnitude_map="tanh", phase_map="exponential"),
            teacher_student_loss,
        ),
        (COUPLED, CoupledPhase.from_eigenvalues(start), teacher_student_loss),
        (CANCELLING, Polar.from_eigenvalues(start, magnitude_map="tanh"), cancelling_loss),
    )
    found = []
    for index, (name, eigenvalues, loss) in enumerate(jobs):
        found.append(_descend(name, eigenvalues, loss, settings))
        heard((index + 1) / len(jobs))
    return found


def _descend(
    name: str,
    eigenvalues: AbstractEigenvalues,
    loss: Callable[[Array, Array], Array],
    settings: LandscapeSettings,
) -> Descent:
    teacher = jnp.asarray(_eigenvalue(*settings.teacher))
    optimiser = optax.adam(settings.learning_rate)
    parameters, rest = eqx.partition(eigenvalues, eqx.is_array)

    def score(parameters: Any) -> tuple[Array, Array]:
        eigenvalue = eqx.combine(parameters, rest)()
        return loss(eigenvalue, teacher), eigenvalue

    def step(
        carry: tuple[Any, optax.OptState], _: None
    ) -> tuple[tuple[Any, optax.OptState], tuple[Array, Array]]:
        parameters, state = carry
        told, gradient = jax.value_and_grad(score, has_aux=True)(parameters)
        # Optax mixes a step count with floats.
        with jax.numpy_dtype_promotion("standard"):
            updates, state = optimiser.update(gradient, state)
        return (optax.apply_updates(parameters, updates), state), told

    @jax.jit
    def run(parameters: Any) -> tuple[Array, Array]:
        start = parameters, optimiser.init(parameters)
        return jax.lax.scan(step, start, None, length=settings.steps + 1)[1]

    losses, path = run(parameters)
    return Descent(name, np.asarray(losses), np.asarray(path))


def _eigenvalue(magnitude: float, angle: float) -> complex:
    """ν e^{iπ angle}."""
    return magnitude * complex(math.cos(math.pi * angle), math.sin(math.pi * angle))
