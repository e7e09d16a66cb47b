"""Diagonal linear layers with any number of inputs and outputs: the LRU, S5 and their kin."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from equinox import AbstractVar
from jaxtyping import Array, Float, Inexact, PRNGKeyArray

from remanence.errors import RemanenceError
from remanence.layers.arrays import (
    SplitComplex,
    feedthrough,
    feedthrough_matrix,
    require_sizes,
    with_feedthrough,
)
from remanence.layers.contract import floating_type
from remanence.layers.normalisations import AbstractNormalisation
from remanence.layers.parametrisations import AbstractEigenvalues
from remanence.layers.time_invariant import AbstractTimeInvariantLayer
from remanence.recurrence import (
    METHODS,
    causal_convolution,
    linear_recurrence,
    modal_final_state,
    modal_kernel,
    powers,
)
from remanence.systems import DiagonalStateSpace

_KERNEL_PORTS = 4
"""Inputs × outputs for each mode up to which the kernel is faster than the states.

Measured on a CPU with a batch of 32 (`benchmarks/engines.py`); the two are equal at about 12.
"""


class AbstractModalLayer(AbstractTimeInvariantLayer):
    """A diagonal linear recurrence between full input and output matrices.

        h_t = λ ⊙ h_{t-1} + γ ⊙ β ⊙ (B x_t),        y_t = w Re(C h_t) + D x_t

    with eigenvalues `λ`, `β` the input factor of a discretisation (1 without one), `γ` the
    normalisation, and `w` = `output_weight` (2 where a mode stands for a conjugate pair).
    """

    eigenvalues: AbstractVar[AbstractEigenvalues]
    normalisation: AbstractVar[AbstractNormalisation]
    B: AbstractVar[SplitComplex]
    C: AbstractVar[SplitComplex]
    D: AbstractVar[Float[Array, "..."] | None]
    output_weight: AbstractVar[float]

    @property
    def inputs(self) -> int:
        return self.B.real.shape[1]

    @property
    def outputs(self) -> int:
        return self.C.real.shape[0]

    @property
    def modes(self) -> int:
        """The number of modes; complex ones are one for each conjugate pair."""
        return self.B.real.shape[0]

    @property
    def state_methods(self) -> tuple[str, ...]:
        return METHODS

    def input_matrix(self) -> Inexact[Array, "modes inputs"]:
        """`γ β B`, what an input adds to the state."""
        scale = self.eigenvalues.input_factor()
        gamma = self.normalisation(self.eigenvalues)
        return (scale * gamma.astype(scale.dtype)).astype(self.B().dtype)[:, None] * self.B()

    def output_matrix(self) -> Inexact[Array, "outputs modes"]:
        """`w C`; its product with the state is read by its real part."""
        C = self.C()
        return C * jnp.asarray(self.output_weight, C.dtype)

    def initial_state(self) -> Inexact[Array, " modes"]:
        return jnp.zeros((self.modes,), self.B().dtype)

    def run(self, xs: Array, state: Array, method: str) -> Inexact[Array, "time modes"]:
        return linear_recurrence(
            self.eigenvalues(), real_times(xs, self.input_matrix()), state, method=method
        )

    def read(self, states: Inexact[Array, "time modes"]) -> Float[Array, "time outputs"]:
        return real_part_times(states, self.output_matrix())

    def direct(self, xs: Array) -> Float[Array, "time outputs"]:
        return feedthrough(self.D, xs, self.outputs)

    def convolve(self, xs: Array, method: str) -> Float[Array, "time outputs"]:
        return causal_convolution(self._kernel(xs.shape[0]), xs, method=method)

    def impulse_response(self, length: int) -> Float[Array, "length outputs inputs"]:
        require_sizes(f"{type(self).__name__}.impulse_response", length=length)
        return with_feedthrough(self._kernel(length), self.D)

    def echo(self, state: Array, length: int) -> Float[Array, "time outputs"]:
        eigenvalues = self.eigenvalues()
        fading = powers(eigenvalues, length) * (eigenvalues * state)[None, :]
        return self.read(fading)

    def carry(self, xs: Array, state: Array | None) -> Inexact[Array, " modes"]:
        return modal_final_state(self.eigenvalues(), self.input_matrix(), xs, state)

    def prefers_kernel(self, length: int) -> bool:
        return self.inputs * self.outputs <= _KERNEL_PORTS * self.modes

    def system(self) -> DiagonalStateSpace:
        pairs = self.eigenvalues.is_complex
        # A pair is read by 2 Re(C h): a layer that reads w Re(C h) has w C / 2 there.
        C = self.output_matrix() * jnp.asarray(0.5 if pairs else 1.0, self.B().dtype)
        shape = (self.outputs, self.inputs)
        return DiagonalStateSpace(
            self.eigenvalues(),
            self.input_matrix(),
            C,
            feedthrough_matrix(self.D, shape, floating_type(self)),
            paired=(pairs,) * self.modes,
        )

    def _kernel(self, length: int) -> Float[Array, "length outputs inputs"]:
        """`C A^j B` without `D`."""
        return modal_kernel(
            self.eigenvalues(), self.input_matrix(), self.output_matrix(), length, real=True
        )


def real_times(xs: Float[Array, "time n"], matrix: Inexact[Array, "m n"]) -> Array:
    """`xs @ matrix.T` for real `xs`: two real products instead of one complex one."""
    if not jnp.iscomplexobj(matrix):
        return xs @ matrix.T
    return jax.lax.complex(xs @ matrix.real.T, xs @ matrix.imag.T)


def real_part_times(states: Inexact[Array, "time m"], matrix: Inexact[Array, "n m"]) -> Array:
    """`Re(states @ matrix.T)` by two real products."""
    if not jnp.iscomplexobj(matrix):
        return states @ matrix.T
    return states.real @ matrix.real.T - states.imag @ matrix.imag.T


def ring(
    key: PRNGKeyArray,
    shape: tuple[int, ...],
    r_min: float | int,
    r_max: float | int,
    max_phase: float | int,
    dtype: np.dtype,
) -> tuple[Float[Array, "*shape"], Float[Array, "*shape"]]:
    """`(log |λ|, arg λ)` of eigenvalues uniform on a ring, `r_min ≤ |λ| ≤ r_max`.

    Phases are uniform in (0, max_phase]. Logarithms, because near the unit circle float32 holds
    `log |λ|` and not `|λ|`.

    Source: Orvieto et al., ICML 2023, Lemma 3.2: `|λ|² = u (r_max² − r_min²) + r_min²`.
    """
    # NaN fails every comparison, and infinity the last one of each.
    if not 0 <= r_min < r_max <= 1:
        raise RemanenceError(
            f"the ring needs 0 <= r_min < r_max <= 1, got r_min = {r_min:g}, r_max = {r_max:g}"
        )
    if not 0 < max_phase < math.inf:
        raise RemanenceError(
            f"the ring needs a max_phase that is positive and finite, got {max_phase:g}"
        )
    for_radius, for_phase = jax.random.split(key)
    # Uniform on (0, 1), both ends left out: every logarithm below is finite.
    tiny = float(jnp.finfo(dtype).eps)
    u = jax.random.uniform(for_radius, shape, dtype, tiny, 1 - tiny)
    # |λ|² = r_max² − (r_max² − r_min²) u, written from the outer edge.
    log_magnitude = 0.5 * jnp.log1p((r_max**2 - 1) - (r_max**2 - r_min**2) * u)
    phase = jax.random.uniform(for_phase, shape, dtype, tiny, 1.0) * max_phase
    return log_magnitude, phase
