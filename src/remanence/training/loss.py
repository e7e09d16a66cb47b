"""Quadratic losses of the impulse response, with their gradients written by hand.

Reverse mode by hand costs two matrix products a lag and one outer product: 6 k d² flops for one
input or one output, against 6 k d² + k² d for the closed form through the Hankel matrix of the
residual, and half the time of automatic differentiation (see benchmarks/descent.py).
"""

import abc

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from remanence.training.parameters import Parameters

# Measured: unroll=2 is 7 % faster than 1 at 40 states and 20 lags; 4 and more are slower.
_UNROLL = 2


class AbstractImpulseResponseLoss(eqx.Module):
    """A quadratic loss `L = Σ_o (g_o − ĝ_o)ᵀ S (g_o − ĝ_o) + floor` of an impulse response g.

    `g_o` is the impulse response to output o over the training length, lags and inputs flattened.
    """

    @property
    @abc.abstractmethod
    def length(self) -> int:
        """Training length in steps."""

    @abc.abstractmethod
    def value_and_cotangent(
        self, response: Float[Array, "length outputs inputs"]
    ) -> tuple[Float[Array, ""], Float[Array, "length outputs inputs"]]:
        """The loss and its derivative `2 S (g − ĝ)` with respect to the response."""

    def value_and_gradient(self, parameters: Parameters) -> tuple[Float[Array, ""], Parameters]:
        """The loss and its gradient with respect to (A, B, C), by the adjoint recursion.

        With `x_j = A^j B`, `R_j = ∂L/∂g_j` and `λ_j = Cᵀ R_j + Aᵀ λ_{j+1}`:
        `∂L/∂A = Σ_j λ_{j+1} x_jᵀ`, `∂L/∂B = λ_0`, `∂L/∂C = Σ_j R_j x_jᵀ`. The recursion runs on
        whichever side is narrower, inputs or outputs (the transposed system has the transposed
        response), so that its cost does not grow with the wider one.
        """
        A, B, C = parameters
        if B.shape[1] <= C.shape[0]:
            value, (A_bar, B_bar, C_bar) = self._adjoint(A, B, C, transposed=False)
            return value, Parameters(A_bar, B_bar, C_bar)
        value, (A_bar, B_bar, C_bar) = self._adjoint(A.T, C.T, B.T, transposed=True)
        return value, Parameters(A_bar.T, C_bar.T, B_bar.T)

    def _adjoint(self, A, B, C, *, transposed: bool):
        single = B.shape[1] == 1
        # A plain vector in the loop: XLA's matrix-vector product beats its product with a column.
        start = B[:, 0] if single else B

        def forward(x, _):
            return A @ x, x

        _, xs = lax.scan(forward, start, None, length=self.length, unroll=_UNROLL)
        states = xs[:, :, None] if single else xs
        response = jnp.einsum("os,jsi->joi", C, states)
        if transposed:
            value, cotangent = self.value_and_cotangent(response.transpose(0, 2, 1))
            cotangent = cotangent.transpose(0, 2, 1)
        else:
            value, cotangent = self.value_and_cotangent(response)

        def backward(adjoint, lag_cotangent):
            pull = lag_cotangent[:, 0] @ C if single else C.T @ lag_cotangent
            return (adjoint @ A if single else A.T @ adjoint) + pull, adjoint

        # The adjoint is emitted before its update, so that adjoints[j] = λ_{j+1} meets x_j.
        first, adjoints = lax.scan(
            backward, jnp.zeros_like(start), cotangent, reverse=True, unroll=_UNROLL
        )
        if single:
            A_bar = adjoints.T @ xs
            B_bar = first[:, None]
        else:
            A_bar = jnp.einsum("jri,jci->rc", adjoints, xs)
            B_bar = first
        return value, (A_bar, B_bar, jnp.einsum("joi,jsi->os", cotangent, states))


class WhiteLoss(AbstractImpulseResponseLoss):
    """S = I: the population loss under white input, `L_k = Σ_{j<k} ‖g_j − ĝ_j‖² + floor`.

    No ½ and no 1/k; only the output after the last input counts. Source: specification, I1.

    - `target`: ĝ, shape (length, outputs, inputs).
    - `floor`: what no response can remove, in the units of the loss.
    """

    target: Float[Array, "length outputs inputs"]
    floor: float = 0.0

    @property
    def length(self) -> int:
        """Training length."""
        return self.target.shape[0]

    def value_and_cotangent(self, response):
        residual = response - self.target
        return jnp.vdot(residual, residual) + self.floor, 2.0 * residual


class MetricLoss(AbstractImpulseResponseLoss):
    """S a given metric: with the second moment of windows, exactly their mean squared error (I2).

    Held as `constant − 2 ⟨cross, g⟩ + gᵀ S g`. The target ĝ = S⁻¹ cross is never formed: for a
    coloured input its weakly excited directions are huge, and the residual form would drown the
    loss in their rounding errors.

    - `metric`: S, symmetric, shape (length·inputs, length·inputs), index lag·inputs + input.
    - `cross`: S ĝ, shape (length, outputs, inputs).
    - `constant`: Σ_o ĝ_oᵀ S ĝ_o + floor.
    """

    metric: Float[Array, "features features"]
    cross: Float[Array, "length outputs inputs"]
    constant: Float[Array, ""]

    @property
    def length(self) -> int:
        """Training length."""
        return self.cross.shape[0]

    def value_and_cotangent(self, response):
        length, outputs, inputs = response.shape
        rows = response.transpose(1, 0, 2).reshape(outputs, length * inputs)
        weighted = (rows @ self.metric).reshape(outputs, length, inputs).transpose(1, 0, 2)
        value = self.constant + jnp.vdot(response, weighted - 2.0 * self.cross)
        return value, 2.0 * (weighted - self.cross)
