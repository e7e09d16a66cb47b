"""Dense linear state-space systems."""

from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Complex128, Float

from remanence.errors import NumericalError, RemanenceError
from remanence.systems._arrays import (
    AnyArray,
    as_array,
    promote,
    require_inputs,
    require_length,
    require_shape,
    zeros_like_of,
)


class StateSpace(eqx.Module):
    """A dense real system: `h_t = A h_{t-1} + B x_t`, `y_t = C h_t + D x_t`.

    `h_0` is the state *before* the first input, and the output sees the state *after* its input,
    so the impulse response is `g_j = C A^j B`, j = 0, 1, …, with `D` added to `g_0`.
    `successor_form` gives the same system in SciPy's and python-control's convention.

    Args:
        A: `(order, order)`, real.
        B: `(order, inputs)`, real.
        C: `(outputs, order)`, real.
        D: `(outputs, inputs)`, real; zeros if not given.

    The fields may be NumPy or JAX arrays. NumPy keeps float64 whatever JAX's settings are, JAX
    arrays can be traced, differentiated and mapped over. Order 0 is a static gain.

    Raises:
        RemanenceError: if a matrix is complex or its shape does not fit the others.

        >>> StateSpace([[0.5]], [[1.0]], [[2.0]]).impulse_response(3)[:, 0, 0].tolist()
        [2.0, 1.0, 0.5]
    """

    A: Float[AnyArray, "order order"]
    B: Float[AnyArray, "order inputs"]
    C: Float[AnyArray, "outputs order"]
    D: Float[AnyArray, "outputs inputs"]

    def __init__(self, A: Any, B: Any, C: Any, D: Any = None):
        A, B, C = (as_array(value, name, 2) for value, name in ((A, "A"), (B, "B"), (C, "C")))
        if A.shape[0] != A.shape[1]:
            raise RemanenceError(f"A must be square, got shape {A.shape}")
        order, inputs, outputs = A.shape[0], B.shape[1], C.shape[0]
        require_shape(B, "B", (order, inputs), f"A has order {order}")
        require_shape(C, "C", (outputs, order), f"A has order {order}")
        D = zeros_like_of((A, B, C), (outputs, inputs)) if D is None else as_array(D, "D", 2)
        require_shape(D, "D", (outputs, inputs), "(rows of C, columns of B)")
        for array, name in ((A, "A"), (B, "B"), (C, "C"), (D, "D")):
            if np.issubdtype(array.dtype, np.complexfloating):
                raise RemanenceError(
                    f"{name} is complex; StateSpace is real: use DiagonalStateSpace, "
                    "or its to_dense()"
                )
        self.A, self.B, self.C, self.D = A, B, C, D

    @property
    def order(self) -> int:
        """The dimension of the state."""
        return self.A.shape[0]

    @property
    def inputs(self) -> int:
        """How many inputs."""
        return self.B.shape[1]

    @property
    def outputs(self) -> int:
        """How many outputs."""
        return self.C.shape[0]

    def impulse_response(self, length: int) -> Float[Array, "length outputs inputs"]:
        """The Markov parameters `g_j = C A^j B`, j = 0 … length − 1, with `D` added to `g_0`.

        Works inside `jit`, `vmap` and `grad`; `length` is static.

        Raises:
            RemanenceError: if `length` is below 1.
        """
        require_length(length)
        A, B, C, D = promote(self.A, self.B, self.C, self.D)

        def step(states: Array, _: None) -> tuple[Array, Array]:
            return A @ states, C @ states

        response = jax.lax.scan(step, B, length=length)[1]
        return response.at[0].add(D)

    def simulate(
        self, x: Float[AnyArray, "time inputs"], state: Float[AnyArray, " order"] | None = None
    ) -> tuple[Float[Array, "time outputs"], Float[Array, " order"]]:
        """The outputs for a sequence of inputs, and the state after its last input.

        Args:
            x: the inputs, `(time, inputs)`.
            state: the state before the first input, `(order,)`; zero if not given.

        Splitting `x` anywhere and carrying the state gives the same outputs.

        Raises:
            RemanenceError: if the shape of `x` or of `state` does not fit the system.
        """
        require_inputs(x, self.inputs)
        start = np.zeros(self.order, x.dtype) if state is None else state
        if start.shape != (self.order,):
            raise RemanenceError(f"state has shape {start.shape}, expected ({self.order},)")
        A, B, C, D, xs, start = promote(self.A, self.B, self.C, self.D, x, start)

        def step(h: Array, driven: Array) -> tuple[Array, Array]:
            h = A @ h + driven
            return h, h

        final, states = jax.lax.scan(step, start, xs @ B.T)
        return states @ C.T + xs @ D.T, final

    def to_dense(self) -> "StateSpace":
        """Itself: so that code which needs dense matrices can ask any system for them."""
        return self

    def poles(self) -> Complex128[np.ndarray, " order"]:
        """The eigenvalues of `A`, in float64 with NumPy (so not inside `jit`).

        Raises:
            NumericalError: if `A` holds NaN or infinity.
        """
        A = np.asarray(self.A, np.float64)
        if not np.isfinite(A).all():
            raise NumericalError("A holds NaN or infinity, so it has no eigenvalues")
        return np.linalg.eigvals(A).astype(np.complex128)

    def spectral_radius(self) -> float:
        """`max |λ|` over the poles; 0 for a static gain.

        Raises:
            NumericalError: if `A` holds NaN or infinity.
        """
        return float(np.max(np.abs(self.poles()), initial=0.0))


def successor_form(
    system: StateSpace,
) -> tuple[
    Float[AnyArray, "order order"],
    Float[AnyArray, "order inputs"],
    Float[AnyArray, "outputs order"],
    Float[AnyArray, "outputs inputs"],
]:
    """The same system as SciPy, python-control and MATLAB write it: `(A, B, C A, C B + D)`.

    They use `x_{t+1} = A x_t + B u_t`, `y_t = C x_t + D u_t`. With `x_t = h_{t-1}`, the state
    before the input, the first line is ours and `y_t = C (A x_t + B u_t) + D u_t`. The state
    passes between the two unchanged. Every bridge to another library goes through here.

    Source: derived above.

        >>> [float(m[0, 0]) for m in successor_form(StateSpace([[0.5]], [[1.0]], [[2.0]]))]
        [0.5, 1.0, 1.0, 2.0]
    """
    A, B, C, D = system.A, system.B, system.C, system.D
    return A, B, C @ A, C @ B + D
