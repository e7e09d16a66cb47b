"""Linear time-invariant layers: step after step through the states, or through the kernel."""

from abc import abstractmethod
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from remanence.layers.contract import AbstractLinearLayer, State, as_inputs, as_state, check_method
from remanence.recurrence import CONVOLUTION_METHODS


class AbstractTimeInvariantLayer(AbstractLinearLayer):
    """A linear layer that can be run through its states or through its impulse response.

    Both give `y_t = C A^t h_0 + Σ_{j≤t} (C A^j B) x_{t-j} + D x_t`. The kernel costs
    `length × inputs × outputs × state` once for a whole batch, and then a convolution of the
    inputs; the states cost `length × state` for every sequence. `method="auto"` asks
    `prefers_kernel`. `states` has to walk through the states whatever the method.

    "sequential" and "associative" are causal exactly. "fft", and "auto" where it chooses the
    kernel, is causal to rounding relative to the largest input of the whole sequence: a late 1e8
    or NaN reaches earlier outputs.
    """

    @property
    @abstractmethod
    def state_methods(self) -> tuple[str, ...]:
        """The engines that walk through the states."""

    @abstractmethod
    def run(self, xs: Float[Array, "time inputs"], state: State, method: str) -> State:
        """Every state, leading axis time, by one of `state_methods` or "auto"."""

    @abstractmethod
    def read(self, states: State) -> Float[Array, "time outputs"]:
        """`C h_t`."""

    @abstractmethod
    def direct(self, xs: Float[Array, "time inputs"]) -> Float[Array, "time outputs"]:
        """`D x_t`."""

    @abstractmethod
    def convolve(self, xs: Float[Array, "time inputs"], method: str) -> Array:
        """`Σ_{j≤t} (C A^j B) x_{t-j}` through the impulse response."""

    @abstractmethod
    def echo(self, state: State, length: int) -> Float[Array, "time outputs"]:
        """`C A^t h_0` for t = 1 … length: what the initial state alone puts out."""

    @abstractmethod
    def carry(self, xs: Float[Array, "time inputs"], state: State | None) -> State:
        """The state after the last input, without the states before it."""

    @abstractmethod
    def prefers_kernel(self, length: int) -> bool:
        """Whether the kernel route is the faster one for sequences of this length."""

    @property
    def methods(self) -> tuple[str, ...]:
        return (*self.state_methods, *CONVOLUTION_METHODS)

    def step(
        self, state: State, x: Float[Array, " inputs"]
    ) -> tuple[State, Float[Array, " outputs"]]:
        xs = as_inputs(self, jnp.asarray(x)[None])
        states = self.run(xs, as_state(self, state), "sequential")
        return _last(states), (self.read(states) + self.direct(xs))[0]

    def __call__(
        self, xs: Float[Array, "time inputs"], state: State | None = None, *, method: str = "auto"
    ) -> tuple[Float[Array, "time outputs"], State]:
        check_method(self, method)
        xs = as_inputs(self, xs)
        start = as_state(self, state)
        length = xs.shape[0]
        by_kernel = method in CONVOLUTION_METHODS or (
            method == "auto" and self.prefers_kernel(length)
        )
        if by_kernel and length:
            ys = self.convolve(xs, method) + self.direct(xs)
            if state is None:
                return ys, self.carry(xs, None)
            return ys + self.echo(start, length), self.carry(xs, start)
        states = self.run(xs, start, "auto" if by_kernel else method)
        return self.read(states) + self.direct(xs), _last(states) if length else start

    def states(
        self, xs: Float[Array, "time inputs"], state: State | None = None, *, method: str = "auto"
    ) -> State:
        check_method(self, method)
        return self.run(as_inputs(self, xs), as_state(self, state), _walking(method))


def _walking(method: str) -> str:
    return "auto" if method in CONVOLUTION_METHODS else method


def _last(states: Any) -> Any:
    return states[-1]
