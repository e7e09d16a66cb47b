"""A Lorenz-96 ring driven by a slow variable: an input–output system with nonlinear memory."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from remanence.errors import RemanenceError
from remanence.tasks._sequences import (
    Split,
    default_float,
    require_length,
    require_whole,
    scored_example,
    scored_steps,
)
from remanence.tasks.contract import AbstractTask, Example, Kind
from remanence.tasks.inputs import AbstractProcess, Autoregressive


class LorenzResponse(AbstractTask):
    """`y` from `x`, where a ring of K modes `z` feeds back into `y`.

        dy/dt   = −y + x + (κ/K) Σ_k z_k,
        dz_k/dt = 2 (z_{k+1} (z_{k−1} − z_{k+2}) − z_k + y),        k cyclic,

    from `y = 0` and `z = (start, 0, …, 0)`. Each input is held for a time `step`, in which the
    classical Runge–Kutta method takes `substeps` steps; the target is `y` at its end.

    What is known (derived): the linear part moves y and the mean of z by `[[−1, κ], [2, −2]]`,
    with the slow eigenvalue `(√(1 + 8κ) − 3)/2` (`slow_rate`): −1 at κ = 0, and 0 at κ = 1, where
    it is an integrator. Equal z_k stay equal and feel no quadratic term, so that `start = 0` is
    that linear system exactly. With `r² = y² + Σ z_k²/(2K)` and 0 ≤ κ ≤ 1,
    `r(t) ≤ r(0) + ∫_0^t |x| ds`: the quadratic terms conserve Σ z_k², so that no finite time
    takes states to infinity.

    Args:
        modes: K, at least 4.
        coupling: κ, from 0 (y alone) to 1.
        step: the time for which an input is held.
        substeps: Runge–Kutta steps in it.
        start: z_0 at first.
        scale: what the process is multiplied by.
        process: where inputs come from; `Autoregressive(0.9)` if not given.

    For large inputs the ring is chaotic: two step sizes then part, and what parts cannot be
    learnt. At scale 1, inputs correlated over about one unit of time, 8 units of time and steps
    of 0.06, they differ by 0.02 of an rms 1.4.

    Raises:
        RemanenceError: if a number is out of its range.

    Source: Li, Han, E & Li (ICLR 2021), recalled, κ = 1 there; the coupling, the start and the
    bound are ours.

        >>> LorenzResponse().sample(jax.random.key(0), 50).targets.shape
        (50, 1)
    """

    process: AbstractProcess
    modes: int = eqx.field(static=True)
    coupling: float = eqx.field(static=True)
    step: float = eqx.field(static=True)
    substeps: int = eqx.field(static=True)
    start: float = eqx.field(static=True)
    scale: float = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    outputs: int = eqx.field(static=True)
    kind: Kind = eqx.field(static=True)

    def __init__(
        self,
        modes: int = 4,
        *,
        coupling: float | int = 1.0,
        step: float | int = 0.1,
        substeps: int = 2,
        start: float | int = 1.0,
        scale: float | int = 1.0,
        process: AbstractProcess | None = None,
    ):
        self.modes = require_whole(
            "LorenzResponse", "modes", modes, 4, "a mode has three neighbours on the ring"
        )
        self.substeps = require_whole("LorenzResponse", "substeps", substeps, 1)
        self.coupling = _number("coupling", coupling, 0.0, 1.0)
        self.step = _number("step", step, 1e-6, 1.0)
        self.start = _number("start", start, -math.inf, math.inf)
        self.scale = _number("scale", scale, 0.0, math.inf)
        self.process = Autoregressive(0.9) if process is None else process
        self.inputs = self.outputs = 1
        self.kind = "regression"

    @property
    def slow_rate(self) -> float:
        """The slow eigenvalue of the linear part, `(√(1 + 8κ) − 3)/2`, from −1 to 0."""
        return 4 * (self.coupling - 1) / (math.sqrt(1 + 8 * self.coupling) + 3)

    def respond(
        self, xs: Float[Array, " time"]
    ) -> tuple[Float[Array, " time"], Float[Array, "time modes"]]:
        """`y` and `z` after each input of a sequence; the inputs are taken as they are."""
        return lorenz_response(
            xs,
            modes=self.modes,
            coupling=self.coupling,
            step=self.step,
            substeps=self.substeps,
            start=self.start,
        )

    def sample(self, key: PRNGKeyArray, length: int, *, split: Split = "train") -> Example:
        require_length("LorenzResponse", length, 1, "one step is one input")
        xs = self.scale * self.process.sample(key, length)
        xs = jnp.asarray(xs, default_float())
        ys, _ = self.respond(xs[:, 0])
        return scored_example(xs, ys[:, None], scored_steps(length, "every"))


def lorenz_response(
    xs: Float[Array, " time"],
    *,
    modes: int,
    coupling: Any,
    step: Any,
    substeps: Any,
    start: Any,
) -> tuple[Float[Array, " time"], Float[Array, "time modes"]]:
    """`y` and `z` after each input; as `LorenzResponse`, its numbers but `modes` may be traced.

    The number of substeps is traced, so there is no gradient by reverse mode.
    """
    coupling, step, start = (jnp.asarray(one, xs.dtype) for one in (coupling, step, start))
    h = step / jnp.asarray(substeps, xs.dtype)

    def rate(y: Array, z: Array, x: Array) -> tuple[Array, Array]:
        ring = jnp.roll(z, -1) * (jnp.roll(z, 1) - jnp.roll(z, -2))
        return -y + x + coupling * jnp.mean(z), 2 * (ring - z + y[None])

    def runge_kutta(y: Array, z: Array, x: Array) -> tuple[Array, Array]:
        y1, z1 = rate(y, z, x)
        y2, z2 = rate(y + h / 2 * y1, z + h / 2 * z1, x)
        y3, z3 = rate(y + h / 2 * y2, z + h / 2 * z2, x)
        y4, z4 = rate(y + h * y3, z + h * z3, x)
        return (
            y + h / 6 * (y1 + 2 * y2 + 2 * y3 + y4),
            z + h / 6 * (z1 + 2 * z2 + 2 * z3 + z4),
        )

    def held(state: tuple[Array, Array], x: Array) -> tuple[Any, Any]:
        def substep(_: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
            return runge_kutta(state[0], state[1], x)

        state = jax.lax.fori_loop(0, substeps, substep, state)
        return state, state

    zs = jnp.zeros((modes,), xs.dtype).at[0].set(start)
    return jax.lax.scan(held, (jnp.zeros((), xs.dtype), zs), xs)[1]


def _number(name: str, value: Any, least: float, most: float) -> float:
    whole = isinstance(value, int | float) and not isinstance(value, bool)
    if not whole or not math.isfinite(value) or not least <= value <= most:
        between = f"from {least:g} to {most:g}" if math.isfinite(most) else "finite"
        if math.isfinite(least) and not math.isfinite(most):
            between = f"finite, at least {least:g}"
        raise RemanenceError(f"LorenzResponse: {name} must be {between}; got {value!r}")
    return float(value)
