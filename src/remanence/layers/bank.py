"""Banks of independent single-channel diagonal recurrences: S4D, DSS, StableSSM."""

import jax.numpy as jnp
from equinox import AbstractVar
from jaxtyping import Array, Float, Inexact

from remanence.layers.arrays import SplitComplex, require_sizes, with_feedthrough
from remanence.layers.contract import floating_type
from remanence.layers.normalisations import AbstractNormalisation
from remanence.layers.parametrisations import AbstractEigenvalues
from remanence.layers.time_invariant import AbstractTimeInvariantLayer
from remanence.recurrence import (
    METHODS,
    depthwise_convolution,
    depthwise_modal_kernel,
    linear_recurrence,
    powers,
)
from remanence.systems import DiagonalStateSpace


class AbstractModalBank(AbstractTimeInvariantLayer):
    """One diagonal recurrence per channel; channels do not mix.

        h_t[c] = λ[c] ⊙ h_{t-1}[c] + γ[c] β[c] x_t[c],
        y_t[c] = w Re(C[c] · h_t[c]) + D[c] x_t[c]

    The state is (channels, modes). Through the kernel a bank costs a convolution per channel; it
    then holds no states of the batch, and one table of powers (time, channels, modes) where a
    state is given or asked for.
    """

    eigenvalues: AbstractVar[AbstractEigenvalues]
    normalisation: AbstractVar[AbstractNormalisation]
    C: AbstractVar[SplitComplex]
    D: AbstractVar[Float[Array, " channels"]]
    output_weight: AbstractVar[float]

    @property
    def inputs(self) -> int:
        return self.C.real.shape[0]

    @property
    def outputs(self) -> int:
        return self.C.real.shape[0]

    @property
    def modes(self) -> int:
        """The number of modes of each channel; complex ones stand for a conjugate pair."""
        return self.C.real.shape[1]

    @property
    def state_methods(self) -> tuple[str, ...]:
        return METHODS

    def input_weights(self) -> Inexact[Array, "channels modes"]:
        """`γ β`, what a unit input adds to the state."""
        scale = self.eigenvalues.input_factor().astype(self.eigenvalues().dtype)
        return scale * self.normalisation(self.eigenvalues).astype(scale.dtype)

    def output_weights(self) -> Inexact[Array, "channels modes"]:
        """`w C`."""
        C = self.C()
        return C * jnp.asarray(self.output_weight, C.dtype)

    def initial_state(self) -> Inexact[Array, "channels modes"]:
        return jnp.zeros(self.C.real.shape, self.eigenvalues().dtype)

    def run(self, xs: Array, state: Array, method: str) -> Inexact[Array, "time channels modes"]:
        weights = self.input_weights()
        terms = xs.astype(weights.dtype)[:, :, None] * weights[None]
        return linear_recurrence(self.eigenvalues(), terms, state, method=method)

    def read(self, states: Inexact[Array, "time channels modes"]) -> Float[Array, "time channels"]:
        C = self.output_weights()
        if not jnp.iscomplexobj(C):
            return jnp.sum(states.real * C[None], axis=2)
        return jnp.sum(states.real * C.real[None] - states.imag * C.imag[None], axis=2)

    def direct(self, xs: Array) -> Float[Array, "time channels"]:
        return xs * self.D[None, :]

    def convolve(self, xs: Array, method: str) -> Float[Array, "time channels"]:
        return depthwise_convolution(self._kernel(xs.shape[0]), xs, method=method)

    def impulse_response(self, length: int) -> Float[Array, "length channels channels"]:
        require_sizes(f"{type(self).__name__}.impulse_response", length=length)
        own = jnp.eye(self.outputs, dtype=self.D.dtype)
        return with_feedthrough(self._kernel(length)[:, :, None] * own[None], self.D)

    def echo(self, state: Array, length: int) -> Float[Array, "time channels"]:
        eigenvalues = self.eigenvalues()
        return self.read(powers(eigenvalues, length) * (eigenvalues * state)[None])

    def carry(self, xs: Array, state: Array | None) -> Inexact[Array, "channels modes"]:
        table = powers(self.eigenvalues(), xs.shape[0] + 1)
        gathered = jnp.einsum("tcm,tc->cm", table[-2::-1], xs.astype(table.dtype))
        final = self.input_weights() * gathered
        return final if state is None else final + table[-1] * state

    def prefers_kernel(self, length: int) -> bool:
        return True

    def system(self) -> DiagonalStateSpace:
        channels, modes = self.C.real.shape
        pairs = self.eigenvalues.is_complex
        own = jnp.repeat(jnp.eye(channels, dtype=self.C().dtype), modes, axis=0)
        weights = self.input_weights().astype(own.dtype).reshape(-1)
        C = (self.output_weights() * jnp.asarray(0.5 if pairs else 1.0, own.dtype)).reshape(-1)
        return DiagonalStateSpace(
            self.eigenvalues().reshape(-1),
            weights[:, None] * own,
            own.T * C[None, :],
            jnp.diag(self.D).astype(floating_type(self)),
            paired=(pairs,) * (channels * modes),
        )

    def _kernel(self, length: int) -> Float[Array, "length channels"]:
        """The response of each channel to itself, without `D`."""
        return depthwise_modal_kernel(
            self.eigenvalues(), self.input_weights(), self.output_weights(), length, real=True
        )
