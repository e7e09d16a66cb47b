"""A linear system as a sum of complex modes, and its real coordinates."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from remanence.errors import RemanenceError
from remanence.recurrence import modal_kernel
from remanence.systems import DiagonalStateSpace

AnyArray = Array | np.ndarray


class Modes(eqx.Module):
    """A complex-diagonal system with its output weights written out.

        h_t = λ ⊙ h_{t-1} + B x_t,        y_t = Σ_i w_i Re(C_i h_{t,i}) + D x_t.

    The closed forms of this room are written for it: a `DiagonalStateSpace` has w = 2 at pairs
    and 1 at real modes (`modes_of`), layers that read out `Re(C h_t)` have w = 1.

    Args:
        eigenvalues: `(modes,)`, real or complex; held as complex.
        B: `(modes, inputs)`.
        C: `(outputs, modes)`.
        D: `(outputs, inputs)`, real; zeros if not given.
        weights: one number for all modes, or one per mode; static.

    Raises:
        RemanenceError: if the shapes do not fit.

        >>> Modes([0.5j], [[1.0]], [[1.0]]).impulse_response(3)[:, 0, 0].tolist()
        [1.0, 0.0, -0.25]
    """

    eigenvalues: Complex[Array, " modes"]
    B: Complex[Array, "modes inputs"]
    C: Complex[Array, "outputs modes"]
    D: Float[Array, "outputs inputs"]
    weights: tuple[float, ...] = eqx.field(static=True)

    def __init__(self, eigenvalues: Any, B: Any, C: Any, D: Any = None, *, weights: Any = 1.0):
        eigenvalues, B, C = (jnp.asarray(array) for array in (eigenvalues, B, C))
        modes = eigenvalues.shape[0] if eigenvalues.ndim == 1 else -1
        if B.ndim != 2 or C.ndim != 2 or B.shape[0] != modes or C.shape[1] != modes:
            raise RemanenceError(
                f"Modes: eigenvalues have shape {eigenvalues.shape}, B {B.shape} and C {C.shape}; "
                "expected (modes,), (modes, inputs) and (outputs, modes)"
            )
        dtype = np.result_type(eigenvalues.dtype, B.dtype, C.dtype, np.complex64)
        dtype = jax.dtypes.canonicalize_dtype(dtype)
        self.eigenvalues, self.B = eigenvalues.astype(dtype), B.astype(dtype)
        self.C = C.astype(dtype)
        shape, real = (C.shape[0], B.shape[1]), self.eigenvalues.real.dtype
        self.D = jnp.zeros(shape, real) if D is None else jnp.asarray(D).astype(real)
        if self.D.shape != shape:
            raise RemanenceError(f"Modes: D has shape {self.D.shape}, expected {shape}")
        given = np.asarray(weights, float)
        if given.shape not in ((), (modes,)):
            raise RemanenceError(
                f"Modes: weights have shape {given.shape}, expected one number or ({modes},)"
            )
        self.weights = tuple(np.broadcast_to(given, (modes,)).tolist())

    def weighted_output(self) -> Complex[Array, "outputs modes"]:
        """`C` with its columns times their weights."""
        return self.C * jnp.asarray(self.weights, self.C.dtype)[None, :]

    def impulse_response(self, length: int) -> Float[Array, "length outputs inputs"]:
        """`g_j = Re Σ_i w_i C_i λ_i^j B_i`, with `D` added to `g_0`."""
        kernel = modal_kernel(self.eigenvalues, self.B, self.weighted_output(), length, real=True)
        return kernel.at[0].add(self.D)


def modes_of(system: Modes | DiagonalStateSpace) -> Modes:
    """The same system as `Modes`: weight 2 at conjugate pairs, 1 at real modes."""
    if isinstance(system, Modes):
        return system
    weights = [2.0 if pair else 1.0 for pair in system.paired]
    return Modes(system.eigenvalues, system.B, system.C, system.D, weights=weights)


def error_modes(first: Modes, second: Modes) -> Modes:
    """The system whose output is the first's minus the second's.

    Raises:
        RemanenceError: if the two have other inputs or outputs.
    """
    if first.D.shape != second.D.shape:
        raise RemanenceError(
            f"the systems have (outputs, inputs) {first.D.shape} and {second.D.shape}: "
            "only systems of equal inputs and outputs have a difference"
        )
    dtype = jnp.promote_types(first.B.dtype, second.B.dtype)

    def joined(one: Array, other: Array, axis: int = 0) -> Array:
        return jnp.concatenate([one.astype(dtype), other.astype(dtype)], axis)

    eigenvalues = joined(first.eigenvalues, second.eigenvalues)
    real = eigenvalues.real.dtype
    return Modes(
        eigenvalues,
        joined(first.B, second.B),
        joined(first.C, -second.C, 1),
        first.D.astype(real) - second.D.astype(real),
        weights=first.weights + second.weights,
    )


def real_coordinates(modes: Modes) -> Float[Array, " parameters"]:
    """`(Re λ, Re B, Re C, Im λ, Im B, Im C, D)` as one vector, matrices row by row.

    The order of rows and columns in `diagonal_hessian`; `2 (modes (1 + inputs + outputs))
    + outputs inputs` numbers.
    """
    complex_part = jnp.concatenate([modes.eigenvalues, modes.B.reshape(-1), modes.C.reshape(-1)])
    return jnp.concatenate([complex_part.real, complex_part.imag, modes.D.reshape(-1)])


def from_real_coordinates(coordinates: Float[AnyArray, " parameters"], like: Modes) -> Modes:
    """The modes with these `real_coordinates`, shapes and weights those of `like`."""
    coordinates = jnp.asarray(coordinates)
    count = like.eigenvalues.size + like.B.size + like.C.size
    values = jax.lax.complex(coordinates[:count], coordinates[count : 2 * count])
    eigenvalues, B, C = jnp.split(values, np.cumsum([like.eigenvalues.size, like.B.size]).tolist())
    return Modes(
        eigenvalues,
        B.reshape(like.B.shape),
        C.reshape(like.C.shape),
        coordinates[2 * count :].reshape(like.D.shape),
        weights=like.weights,
    )


def parameter_groups(modes: Modes) -> dict[str, np.ndarray]:
    """Where each array sits in `real_coordinates`: indices for "eigenvalues", "B", "C" and "D".

    Real parts come before imaginary parts in each.
    """
    sizes = {"eigenvalues": modes.eigenvalues.size, "B": modes.B.size, "C": modes.C.size}
    count, start, groups = sum(sizes.values()), 0, {}
    for name, size in sizes.items():
        here = np.arange(start, start + size)
        groups[name] = np.concatenate([here, here + count])
        start += size
    groups["D"] = np.arange(2 * count, 2 * count + modes.D.size)
    return groups
