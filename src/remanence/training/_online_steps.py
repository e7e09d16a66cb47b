"""The compiled part of online learning: traces, losses with their gradients, updates."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, PyTree

from remanence.layers.modal import AbstractModalLayer
from remanence.recurrence import SensitivityTraces, sensitivity_traces


class OnlineFit(NamedTuple):
    """Where the layer is; `previous` are the last parameters known to have a finite loss."""

    parameters: PyTree[Any]
    previous: PyTree[Any]
    traces: SensitivityTraces
    optimiser: PyTree[Any]
    alive: Bool[Array, ""]


def online_loss(
    layer: AbstractModalLayer,
    traces: SensitivityTraces,
    x: Float[Array, " inputs"],
    target: Float[Array, " outputs"],
) -> Float[Array, ""]:
    """`½ ‖y_t − y*_t‖²`, whose gradient in the layer's parameters is that of RTRL.

    The state is written as `h_t + e^λ (λ(w) − λ) + Σ_j e^B (B(w) − B)`: its value is `h_t`, and
    its derivative what the traces say, in any parametrisation of λ and of the input matrix.

    Args:
        layer: its parameters are what is differentiated.
        traces: at this time step, by this layer's eigenvalues and `input_matrix()`.
        x, target: of this time step.
    """
    a, B = layer.eigenvalues(), layer.input_matrix()
    moved = traces.eigenvalues * (a - jax.lax.stop_gradient(a)) + jnp.sum(
        traces.B * (B - jax.lax.stop_gradient(B)), axis=1
    )
    states = jnp.asarray(traces.states) + moved
    output = layer.read(states[None]) + layer.direct(x[None])
    return jnp.sum((output[0] - target) ** 2) / 2


@eqx.filter_jit
def advance(
    layer: AbstractModalLayer,
    optimiser: optax.GradientTransformation,
    every: int,
    fit: OnlineFit,
    xs: Float[Array, "time inputs"],
    targets: Float[Array, "time outputs"],
) -> tuple[OnlineFit, Float[Array, " time"]]:
    """The stream `xs` from where `fit` is, an update after each `every` steps."""

    def stretch(fit: OnlineFit, data: tuple[Array, Array]) -> tuple[OnlineFit, Array]:
        traces, losses, gradients = _run(layer, fit.parameters, fit.traces, *data)
        mean = jax.tree.map(lambda g: g / every, gradients)
        with jax.numpy_dtype_promotion("standard"):
            updates, optimised = optimiser.update(mean, fit.optimiser, fit.parameters)
        moved = optax.apply_updates(fit.parameters, updates)
        fit, losses = _judged(fit, traces, losses)
        # Parameters of a finite loss can still have a gradient that overflows.
        goes_on = fit.alive & _all_finite(moved)
        following = OnlineFit(moved, fit.parameters, traces, optimised, goes_on)
        return _choose(goes_on, following, fit._replace(alive=goes_on)), losses

    whole = xs.shape[0] // every * every
    stretches = [v[:whole].reshape(-1, every, v.shape[1]) for v in (xs, targets)]
    fit, losses = jax.lax.scan(stretch, fit, (stretches[0], stretches[1]))
    # Too short for an update, what is left still tells whether the last one was sound.
    traces, rest, _ = _run(layer, fit.parameters, fit.traces, xs[whole:], targets[whole:])
    fit, rest = _judged(fit, traces, rest)
    fit = fit._replace(traces=_choose(fit.alive, traces, fit.traces))
    return fit, jnp.concatenate([losses.reshape(-1), rest])


def _judged(fit: OnlineFit, traces: SensitivityTraces, losses: Array) -> tuple[OnlineFit, Array]:
    """Back to the last parameters of finite loss, for good, if a loss is not finite."""
    alive = fit.alive & jnp.isfinite(losses).all() & _all_finite(traces)
    held = fit._replace(parameters=fit.previous, alive=alive)
    shown = jnp.where(fit.alive, losses, jnp.nan)
    return _choose(alive | ~fit.alive, fit._replace(alive=alive), held), shown


def _choose(condition: Bool[Array, ""], new: PyTree[Any], old: PyTree[Any]) -> PyTree[Any]:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), new, old)


def _all_finite(tree: PyTree[Any]) -> Bool[Array, ""]:
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()


def _run(
    layer: AbstractModalLayer,
    parameters: PyTree[Any],
    traces: SensitivityTraces,
    xs: Float[Array, "time inputs"],
    targets: Float[Array, "time outputs"],
) -> tuple[SensitivityTraces, Float[Array, " time"], PyTree[Any]]:
    """Traces at the end, losses, and the sum of their gradients; the parameters stand still."""
    model = eqx.combine(parameters, layer)
    a, B = model.eigenvalues(), model.input_matrix()

    def step(carry: Any, data: tuple[Array, Array]) -> tuple[Any, Array]:
        traces, sums = carry
        x, target = data
        traces = sensitivity_traces(a, B, x[None], initial=traces, every_step=False)
        loss, gradient = jax.value_and_grad(
            lambda own: online_loss(eqx.combine(own, layer), traces, x, target)
        )(parameters)
        return (traces, jax.tree.map(jnp.add, sums, gradient)), loss

    zeros = jax.tree.map(jnp.zeros_like, parameters)
    (traces, gradients), losses = jax.lax.scan(step, (traces, zeros), (xs, targets))
    return traces, losses, gradients
