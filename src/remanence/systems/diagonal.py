"""Diagonal linear state-space systems: complex modes in conjugate pairs, and real modes."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Complex128, Float

from remanence.errors import NumericalError, RemanenceError
from remanence.recurrence import linear_recurrence
from remanence.systems._arrays import (
    AnyArray,
    as_array,
    promote,
    require_inputs,
    require_length,
    require_shape,
    zeros_like_of,
)
from remanence.systems.state_space import StateSpace


class DiagonalStateSpace(eqx.Module):
    """A real system in diagonal form, of complex modes in conjugate pairs and of real modes.

        h_t = λ ⊙ h_{t-1} + B x_t,        y_t = Σ_i w_i Re(C_i h_{t,i}) + D x_t.

    A *pair* (w = 2) stands for `λ` and its conjugate and has order 2; with nothing but pairs
    `y_t = 2 Re(C h_t) + D x_t`. A *real mode* (w = 1) has real `λ`, `B`, `C` and order 1.
    Which mode is which is a static choice and never read off the imaginary part of `λ`: training
    may carry a pair onto the real axis, and neither the order nor the factor 2 may jump there.

    Args:
        eigenvalues: `(modes,)`, one per conjugate pair and one per real mode.
        B: `(modes, inputs)`.
        C: `(outputs, modes)`.
        D: `(outputs, inputs)`, real; zeros if not given.
        paired: one boolean per mode. If not given, complex eigenvalues are pairs and a real
            array of eigenvalues holds real modes.

    Raises:
        RemanenceError: if shapes do not fit; if a real mode is given complex numbers; or, where
            `paired` is left out, if the eigenvalues do not say which modes are pairs: a complex
            array with an eigenvalue on the real axis, or with both members of a pair.

        >>> DiagonalStateSpace([0.5j], [[1.0]], [[1.0]]).impulse_response(3)[:, 0, 0].tolist()
        [2.0, 0.0, -0.5]
    """

    eigenvalues: Complex[AnyArray, " modes"]
    B: Complex[AnyArray, "modes inputs"]
    C: Complex[AnyArray, "outputs modes"]
    D: Float[AnyArray, "outputs inputs"]
    paired: tuple[bool, ...] = eqx.field(static=True)

    def __init__(
        self,
        eigenvalues: Any,
        B: Any,
        C: Any,
        D: Any = None,
        *,
        paired: Sequence[bool] | np.ndarray | None = None,
    ):
        eigenvalues = as_array(eigenvalues, "eigenvalues", 1)
        B, C = as_array(B, "B", 2), as_array(C, "C", 2)
        modes, inputs, outputs = eigenvalues.shape[0], B.shape[1], C.shape[0]
        require_shape(B, "B", (modes, inputs), f"there are {modes} eigenvalues")
        require_shape(C, "C", (outputs, modes), f"there are {modes} eigenvalues")
        D = (
            zeros_like_of((eigenvalues, B, C), (outputs, inputs))
            if D is None
            else as_array(D, "D", 2)
        )
        require_shape(D, "D", (outputs, inputs), "(rows of C, columns of B)")
        if np.issubdtype(D.dtype, np.complexfloating):
            raise RemanenceError("D is complex; the direct term of a real system is real")
        if paired is None:
            is_complex = np.issubdtype(eigenvalues.dtype, np.complexfloating)
            if is_complex:
                _refuse_ambiguous(eigenvalues)
            chosen = (bool(is_complex),) * modes
        else:
            chosen = tuple(bool(choice) for choice in paired)
            if len(chosen) != modes:
                raise RemanenceError(
                    f"paired has {len(chosen)} entries, expected one per eigenvalue ({modes})"
                )
        _refuse_complex_real_modes(eigenvalues, B, C, chosen)
        self.eigenvalues, self.B, self.C = (_complex(array) for array in (eigenvalues, B, C))
        self.D = D
        self.paired = chosen

    @property
    def order(self) -> int:
        """The dimension of the real state: 2 for each pair, 1 for each real mode."""
        return len(self.paired) + sum(self.paired)

    @property
    def inputs(self) -> int:
        """How many inputs."""
        return self.B.shape[1]

    @property
    def outputs(self) -> int:
        """How many outputs."""
        return self.C.shape[0]

    def impulse_response(self, length: int) -> Float[Array, "length outputs inputs"]:
        """The Markov parameters `g_j = Σ_i w_i Re(C_i λ_i^j B_i)`, with `D` added to `g_0`.

        Works inside `jit`, `vmap` and `grad`; `length` is static.

        Raises:
            RemanenceError: if `length` is below 1.
        """
        require_length(length)
        eigenvalues, B, C = promote(self.eigenvalues, self.B, self._weighted_output())

        def step(states: Array, _: None) -> tuple[Array, Array]:
            return eigenvalues[:, None] * states, jnp.real(C @ states)

        response = jax.lax.scan(step, B, length=length)[1]
        response, D = promote(response, self.D)
        return response.at[0].add(D)

    def simulate(
        self, x: Float[AnyArray, "time inputs"], state: Complex[AnyArray, " modes"] | None = None
    ) -> tuple[Float[Array, "time outputs"], Complex[Array, " modes"]]:
        """The outputs for a sequence of inputs, and the state after its last input.

        Args:
            x: the inputs, `(time, inputs)`.
            state: the complex state before the first input, `(modes,)`; zero if not given.
                Its entries at real modes must be real.

        Splitting `x` anywhere and carrying the state gives the same outputs.

        Raises:
            RemanenceError: if the shape of `x` or of `state` does not fit the system.
        """
        require_inputs(x, self.inputs)
        modes = len(self.paired)
        start = np.zeros(modes, self.eigenvalues.dtype) if state is None else state
        if start.shape != (modes,):
            raise RemanenceError(f"state has shape {start.shape}, expected ({modes},)")
        eigenvalues, B, C, start, xs = promote(
            self.eigenvalues, self.B, self._weighted_output(), start, x
        )
        states = linear_recurrence(eigenvalues, xs @ B.T, start)
        final = states[-1] if x.shape[0] else start
        ys, D, real_xs = promote(jnp.real(states @ C.T), self.D, x)
        return ys + real_xs @ D.T, final

    def to_dense(self) -> StateSpace:
        """The same system with real matrices and state `(Re h, Im h)` per pair, `h` per real mode.

        A pair `λ = α + iβ` becomes the block `[[α, −β], [β, α]]`, its row of `B` becomes
        `(Re b, Im b)` and its column of `C` `(2 Re c, −2 Im c)`.

        Source: derived: `h_t = λ h_{t-1} + b x_t`, `y_t = 2 Re(c h_t)`, real parts written out.
        """
        xp = jnp if any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(self)) else np
        mode, imaginary = self._real_rows()
        eigenvalues, C = self.eigenvalues[mode], self._weighted_output()[:, mode]
        alpha, beta = xp.real(eigenvalues)[:, None], xp.imag(eigenvalues)[:, None]
        crossing = xp.where(imaginary[:, None], beta, -beta)
        block = xp.where(imaginary[:, None] == imaginary[None, :], alpha, crossing)
        A = xp.where(mode[:, None] == mode[None, :], block, xp.zeros_like(block))
        B = self.B[mode]
        return StateSpace(
            A,
            xp.where(imaginary[:, None], xp.imag(B), xp.real(B)),
            xp.where(imaginary[None, :], -xp.imag(C), xp.real(C)),
            self.D,
        )

    def poles(self) -> Complex128[np.ndarray, " order"]:
        """Every pole, each pair's conjugate after it, with NumPy (so not inside `jit`)."""
        mode, imaginary = self._real_rows()
        poles = np.asarray(self.eigenvalues, np.complex128)[mode]
        return np.where(imaginary, poles.conj(), poles)

    def spectral_radius(self) -> float:
        """`max |λ|`; 0 if there are no modes.

        Raises:
            NumericalError: if the eigenvalues hold NaN or infinity.
        """
        poles = self.poles()
        if not np.isfinite(poles).all():
            raise NumericalError("the eigenvalues hold NaN or infinity")
        return float(np.max(np.abs(poles), initial=0.0))

    def _weighted_output(self) -> AnyArray:
        """`C` times 2 at pairs and 1 at real modes."""
        weights = np.where(np.asarray(self.paired, bool), 2.0, 1.0).astype(self.C.dtype)
        return self.C * weights[None, :]

    def _real_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """For each row of the real state: its mode, and whether it is the imaginary part."""
        rows = [
            (mode, part)
            for mode, pair in enumerate(self.paired)
            for part in ((False, True) if pair else (False,))
        ]
        return np.array([row[0] for row in rows], int), np.array([row[1] for row in rows], bool)


def _complex(array: AnyArray) -> AnyArray:
    if np.issubdtype(array.dtype, np.complexfloating):
        return array
    return array.astype(np.result_type(array.dtype, np.complex64))


def _traced(*arrays: AnyArray) -> bool:
    """Inside a JAX transformation there are no values to look at."""
    return any(isinstance(array, jax.core.Tracer) for array in arrays)


def _refuse_ambiguous(eigenvalues: AnyArray) -> None:
    if _traced(eigenvalues):
        return
    values = np.asarray(eigenvalues)
    real = np.flatnonzero(np.imag(values) == 0)
    if real.size:
        raise RemanenceError(
            f"eigenvalue {real[0]} ({np.real(values)[real[0]]:g}) of a complex array is real: "
            "say with paired=[…] which modes are conjugate pairs (True) and which are real (False)"
        )
    first, second = np.nonzero(np.triu(values[:, None] == np.conj(values)[None, :]))
    if first.size:
        raise RemanenceError(
            f"eigenvalues {first[0]} and {second[0]} are conjugates of each other: keep one per "
            "pair, or give paired=[…] if both are meant to stand for a pair"
        )


def _refuse_complex_real_modes(
    eigenvalues: AnyArray, B: AnyArray, C: AnyArray, paired: tuple[bool, ...]
) -> None:
    real = ~np.asarray(paired, bool)
    if not real.any() or _traced(eigenvalues, B, C):
        return
    for array, name in (
        (np.asarray(eigenvalues)[real], "eigenvalue"),
        (np.asarray(B)[real], "row of B"),
        (np.asarray(C)[:, real], "column of C"),
    ):
        if np.any(np.imag(array) != 0):
            raise RemanenceError(
                f"a real mode has a complex {name}: make it a pair (paired=True) or drop the "
                "imaginary part"
            )
