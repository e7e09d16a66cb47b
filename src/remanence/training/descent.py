"""Gradient descent on a quadratic loss of the impulse response: many seeds, one program.

The step loop lives inside one compiled program; Python is entered only at the recorded steps,
which are spaced evenly in the logarithm of the step.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from remanence.errors import NumericalError, RemanenceError
from remanence.training.loss import AbstractImpulseResponseLoss
from remanence.training.parameters import Parameters
from remanence.training.rules import AbstractStepRule, RuleState

_LONGEST_LEG = 5000


@dataclasses.dataclass(frozen=True)
class Trajectory:
    """What gradient descent went through, at log-spaced steps, for every seed.

    - `steps` (records,): the recorded steps, 0 first, the last one the end of the run.
    - `losses` (seeds, records): the loss there.
    - `parameters`: A (seeds, records, state, state) and so on, the student there.
    - `stopped_at` (seeds,): the step at which a seed stopped, on tolerance, divergence or budget.
    - `diverged_at` (seeds,): the step whose loss was not finite, or -1; the parameters recorded
      after it are the last finite ones.
    """

    steps: Int[np.ndarray, " records"]
    losses: Float[np.ndarray, "seeds records"]
    parameters: Parameters
    stopped_at: Int[np.ndarray, " seeds"]
    diverged_at: Int[np.ndarray, " seeds"]

    @property
    def final(self) -> Parameters:
        """The student of every seed at the end, with a leading axis of seeds."""
        return Parameters(*(leaf[:, -1] for leaf in self.parameters))

    def student(self, seed: int, record: int) -> Parameters:
        """One student of the trajectory: A (state, state) and so on."""
        return Parameters(*(leaf[seed, record] for leaf in self.parameters))

    def raise_if_diverged(self) -> None:
        """Raise `NumericalError` naming the first diverging seed and its step."""
        failed = np.flatnonzero(self.diverged_at >= 0)
        if failed.size:
            first = failed[np.argmin(self.diverged_at[failed])]
            raise NumericalError(
                f"gradient descent diverged at step {self.diverged_at[first]} "
                f"({failed.size} of {self.diverged_at.size} seeds): the loss is no longer finite; "
                "use a smaller step size or the adaptive one"
            )


class _State(NamedTuple):
    parameters: Parameters
    loss: Float[Array, "*seeds"]
    gradient: Parameters
    rule: RuleState
    step: Int[Array, "*seeds"]
    diverged: Bool[Array, "*seeds"]


def descend(
    loss: AbstractImpulseResponseLoss,
    initial: Parameters,
    rule: AbstractStepRule,
    *,
    steps: int,
    tolerance: float = 0.0,
    records_per_decade: int = 12,
    on_progress: Callable[[float], None] | None = None,
) -> Trajectory:
    """Run `rule` from `initial` until the loss is at most `tolerance` or `steps` are spent.

    `initial` carries a leading axis of seeds. Seeds run one after another inside one compiled
    program (`lax.map`): on a CPU this beats `vmap`, whose working set leaves the cache. Every
    rule spends exactly one gradient evaluation a step. `on_progress` hears the share of the
    budget that is done, every few seconds; what it raises ends the run. Everything is float64.

    Raises `RemanenceError` where JAX's float64 is off or the budget is not positive. Divergence
    does not raise: it is recorded in the trajectory, with the last finite parameters.
    """
    if jnp.zeros(()).dtype != jnp.float64:
        raise RemanenceError(
            "gradient descent needs float64: call jax.config.update('jax_enable_x64', True) first"
        )
    if steps < 1:
        raise RemanenceError(f"steps must be at least 1, got {steps}")
    schedule = record_steps(steps, records_per_decade)
    state = _start(loss, initial, rule)
    kept = [(state.loss, state.parameters)]
    diverged_at = np.full(np.shape(state.loss), -1)
    for start, stop in itertools.pairwise(schedule):
        # Short enough legs that progress shows and an interrupt is heard within seconds.
        for leg in (*range(start + _LONGEST_LEG, stop, _LONGEST_LEG), stop):
            state = _advance(loss, rule, state, int(leg), tolerance)
            if on_progress is not None:
                on_progress(float(leg) / steps)
        kept.append((state.loss, state.parameters))
    stopped_at = np.asarray(state.step)
    diverged = np.asarray(state.diverged)
    # The failing proposal was step + 1: the carried step counts kept parameters.
    diverged_at[diverged] = stopped_at[diverged] + 1
    losses, parameters = zip(*kept, strict=True)
    return Trajectory(
        steps=schedule,
        losses=np.stack([np.asarray(value) for value in losses], axis=1),
        parameters=Parameters(
            *(
                np.stack([np.asarray(leaf) for leaf in leaves], axis=1)
                for leaves in zip(*parameters, strict=True)
            )
        ),
        stopped_at=stopped_at,
        diverged_at=diverged_at,
    )


def record_steps(steps: int, per_decade: int) -> Int[np.ndarray, " records"]:
    """0 and about `per_decade` steps a decade up to `steps`, which is always the last."""
    count = max(2, int(np.ceil(np.log10(max(steps, 2)) * per_decade)) + 1)
    spaced = np.round(np.geomspace(1, steps, count)).astype(int)
    return np.unique(np.concatenate([[0], spaced, [steps]]))


@eqx.filter_jit
def _start(
    loss: AbstractImpulseResponseLoss, initial: Parameters, rule: AbstractStepRule
) -> _State:
    def one(parameters):
        value, gradient = loss.value_and_gradient(parameters)
        return _State(
            parameters,
            value,
            gradient,
            rule.init(parameters),
            jnp.asarray(0),
            ~jnp.isfinite(value),
        )

    return lax.map(one, initial)


@functools.partial(jax.jit, static_argnums=1)
def _advance(
    loss: AbstractImpulseResponseLoss,
    rule: AbstractStepRule,
    state: _State,
    stop: Int[Array, ""] | int,
    tolerance: Float[Array, ""] | float,
) -> _State:
    def goes_on(state):
        return (state.step < stop) & (state.loss > tolerance) & ~state.diverged

    def step(state):
        proposal, rule_state = rule.propose(state.parameters, state.gradient, state.rule)
        value, gradient = loss.value_and_gradient(proposal)
        keep, rule_state = rule.judge(state.loss, value, rule_state)
        finite = jnp.isfinite(value)
        keep = keep & finite
        diverged = ~finite if rule.can_diverge else jnp.asarray(False)

        def choose(new, old):
            return jnp.where(keep, new, old)

        return _State(
            jax.tree.map(choose, proposal, state.parameters),
            choose(value, state.loss),
            # A rule that can diverge stops there: its last gradient is not used again.
            gradient if rule.can_diverge else jax.tree.map(choose, gradient, state.gradient),
            rule_state,
            state.step + jnp.where(diverged, 0, 1),
            diverged,
        )

    return lax.map(lambda member: lax.while_loop(goes_on, step, member), state)
