"""How one step of gradient descent is taken: constant step, adaptive step, Adam."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PyTree

from remanence.training.parameters import Parameters

RuleState = PyTree[Float[Array, "..."]]


class AbstractStepRule(eqx.Module):
    """Proposes the next parameters from the gradient, then hears whether the loss fell."""

    @abc.abstractmethod
    def init(self, parameters: Parameters) -> RuleState:
        """The state before the first step."""

    @abc.abstractmethod
    def propose(
        self, parameters: Parameters, gradient: Parameters, state: RuleState
    ) -> tuple[Parameters, RuleState]:
        """The parameters to try next."""

    @abc.abstractmethod
    def judge(
        self, before: Float[Array, ""], after: Float[Array, ""], state: RuleState
    ) -> tuple[Bool[Array, ""], RuleState]:
        """Whether the proposal is kept, and the state that goes with the answer."""

    @property
    @abc.abstractmethod
    def can_diverge(self) -> bool:
        """Whether a loss that is not finite ends the run (else the rule shortens its step)."""


class GradientDescent(AbstractStepRule):
    """`Θ ← Θ − η ∇L` with constant step size η."""

    step_size: float

    def init(self, parameters: Parameters) -> RuleState:
        return ()

    def propose(self, parameters, gradient, state):
        return _move(parameters, gradient, self.step_size), state

    def judge(self, before, after, state):
        return jnp.asarray(True), state

    @property
    def can_diverge(self) -> bool:
        return True


class AdaptiveGradientDescent(AbstractStepRule):
    """Gradient descent at the longest step that still lowers the loss.

    The step grows by `growth` after each accepted step; a step that would raise the loss is not
    taken and the step is halved. The loss is monotone, so the path stays near gradient flow and
    keeps its conservation law up to the second order in the step (specification, I5), which Adam
    does not.
    """

    first_step_size: float = 1e-3
    growth: float = 1.01
    shrink: float = 0.5

    def init(self, parameters: Parameters) -> RuleState:
        return jnp.asarray(self.first_step_size)

    def propose(self, parameters, gradient, state):
        return _move(parameters, gradient, state), state

    def judge(self, before, after, state):
        keep = after <= before
        return keep, state * jnp.where(keep, self.growth, self.shrink)

    @property
    def can_diverge(self) -> bool:
        return False


class Adam(AbstractStepRule):
    """Adam (Kingma & Ba 2015) with bias correction; breaks the conservation of balancedness."""

    step_size: float = 1e-3
    first_decay: float = 0.9
    second_decay: float = 0.999
    epsilon: float = 1e-8

    def init(self, parameters: Parameters) -> RuleState:
        zeros = jax.tree.map(jnp.zeros_like, parameters)
        return zeros, zeros, jnp.ones(()), jnp.ones(())

    def propose(self, parameters, gradient, state):
        first, second, first_weight, second_weight = state
        first_weight = first_weight * self.first_decay
        second_weight = second_weight * self.second_decay
        first = jax.tree.map(
            lambda m, g: self.first_decay * m + (1 - self.first_decay) * g, first, gradient
        )
        second = jax.tree.map(
            lambda v, g: self.second_decay * v + (1 - self.second_decay) * g * g, second, gradient
        )
        moved = jax.tree.map(
            lambda p, m, v: (
                p
                - self.step_size
                * (m / (1 - first_weight))
                / (jnp.sqrt(v / (1 - second_weight)) + self.epsilon)
            ),
            parameters,
            first,
            second,
        )
        return moved, (first, second, first_weight, second_weight)

    def judge(self, before, after, state):
        return jnp.asarray(True), state

    @property
    def can_diverge(self) -> bool:
        return True


def _move(parameters, gradient, step_size):
    return jax.tree.map(lambda p, g: p - step_size * g, parameters, gradient)
