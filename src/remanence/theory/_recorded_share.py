"""The explained share of recorded outputs, by least squares over the states of recorded inputs."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Float, Inexact

from remanence.errors import RemanenceError
from remanence.recurrence import linear_recurrence
from remanence.theory._disc_arrays import numbers, require_finite
from remanence.theory._share_poles import (
    Energies,
    complex_type,
    energy,
    require_energy,
    require_ridge,
)
from remanence.theory._share_targets import AbstractShareTarget
from remanence.theory.disc import disc_eigenvalues, squared_gap


class RecordedTarget(AbstractShareTarget):
    """Recorded outputs, explained by the states that recorded inputs of any colour leave.

    Every mode has one state per input, `h_t = λ h_{t−1} + √(1 − |λ|²) x_t`, zero before the
    record; least squares over all of them by orthogonal factors, with a relative ridge.

    Args:
        inputs: `(time, inputs)`.
        outputs: `(time,)`; take out the mean first if it should not be explained.
        ridge: relative to the squared Frobenius norm of the states, which is the largest
            eigenvalue of their Gram matrix or up to its size more; machine epsilon if not
            given. What the ridge costs is counted as unexplained.

    Raises:
        RemanenceError: if the lengths differ, a number is not finite, the inputs are complex,
            the outputs all zero or the ridge below 0.
    """

    inputs: Float[Array, "time inputs"]
    outputs: Inexact[Array, " time"]
    ridge: float | None = eqx.field(static=True)

    def __init__(self, inputs: ArrayLike, outputs: ArrayLike, *, ridge: float | None = None):
        owner = "RecordedTarget"
        two = "; give real and imaginary parts as two inputs"
        xs = numbers(owner, "inputs", inputs, real=True, otherwise=two)
        ys = numbers(owner, "outputs", outputs)
        if xs.ndim != 2 or ys.shape != xs.shape[:1]:
            raise RemanenceError(
                f"RecordedTarget: inputs have shape {xs.shape} and outputs {ys.shape}, expected "
                "(time, inputs) and (time,)"
            )
        require_finite(owner, "inputs", xs)
        require_energy(owner, "outputs", ys)
        self.inputs, self.outputs, self.ridge = xs, ys, require_ridge(owner, ridge)

    def energies(self, modes: tuple[Array, ...], paired: bool) -> Energies:
        orthogonal, _, target = self._factors(modes, paired)
        seen = jnp.conj(orthogonal).T @ target
        return energy(seen), energy(target - orthogonal @ seen)

    def coefficients_of(self, modes: tuple[Array, ...], paired: bool) -> list[Array]:
        orthogonal, triangle, target = self._factors(modes, paired)
        seen = jnp.conj(orthogonal).T @ target
        solution = jax.scipy.linalg.solve_triangular(triangle, seen)
        found, start, inputs = [], 0, self.inputs.shape[1]
        for part in modes:
            shape = (part.shape[1], inputs)
            size = part.shape[1] * inputs
            value = solution[start : start + size]
            if paired and part.shape[0] == 2:
                value = jax.lax.complex(value, solution[start + size : start + 2 * size])
                size *= 2
            found.append(value.reshape(shape))
            start += size
        return found

    def _factors(self, modes: tuple[Array, ...], paired: bool) -> tuple[Array, Array, Array]:
        """`Q`, `R` of the states over `√ridge` of their size, and the outputs over zeros."""
        columns = []
        for part in modes:
            states = self._states(part)
            if paired and part.shape[0] == 2:
                columns.extend([jnp.real(states), -jnp.imag(states)])
            else:
                columns.append(states)
        dtype = np.result_type(*(column.dtype for column in columns))
        if jnp.issubdtype(self.outputs.dtype, jnp.complexfloating):
            dtype = complex_type(dtype)
        states = jnp.concatenate([column.astype(dtype) for column in columns], axis=1)
        ridge = float(jnp.finfo(dtype).eps) if self.ridge is None else self.ridge
        size = jnp.sqrt(ridge * energy(states)).astype(dtype)
        rows = size * jnp.eye(states.shape[1], dtype=dtype)
        target = self.outputs.astype(dtype)
        orthogonal, triangle = jnp.linalg.qr(jnp.concatenate([states, rows]))
        return orthogonal, triangle, jnp.append(target, jnp.zeros(states.shape[1], dtype))

    def _states(self, points: Array) -> Array:
        eigenvalues, scale = disc_eigenvalues(points), jnp.sqrt(squared_gap(points))
        xs = self.inputs.astype(scale.dtype)
        driven = (xs[:, None, :] * scale[None, :, None]).astype(eigenvalues.dtype)
        factors = jnp.broadcast_to(eigenvalues[:, None], driven.shape[1:])
        return linear_recurrence(factors, driven).reshape(xs.shape[0], -1)
