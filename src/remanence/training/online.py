"""Online learning: the exact gradient at every time step, with memory that time does not grow."""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, PyTree

from remanence.errors import NumericalError, RemanenceError
from remanence.layers.contract import AbstractRecurrentLayer, floating_type
from remanence.layers.modal import AbstractModalLayer
from remanence.recurrence import SensitivityTraces, initial_traces, sensitivity_traces
from remanence.training.checks import require_optimiser, require_whole
from remanence.training.roles import check_real

_LONGEST_LEG = 10_000


class OnlineState(NamedTuple):
    """What is carried from one stretch of the stream to the next."""

    traces: SensitivityTraces
    """The state of the layer, and its derivatives in the eigenvalues and the input matrix."""
    optimiser: PyTree[Any]


@dataclasses.dataclass(frozen=True)
class OnlineTraining:
    """A layer trained on a stream.

    - `model`: the layer at the end, or its last parameters before a loss that was not finite.
    - `losses` (time,): `½ ‖y_t − y*_t‖²`, each before the update that it causes.
    - `state`: to go on with in another call.
    - `diverged_at`: the time step, from 0, whose loss was not finite, or -1.
    """

    model: AbstractRecurrentLayer
    losses: Float[np.ndarray, " time"]
    state: OnlineState
    diverged_at: int

    def raise_if_diverged(self) -> None:
        """Raise `NumericalError` naming the time step at which the loss was no longer finite."""
        if self.diverged_at >= 0:
            raise NumericalError(
                f"online learning diverged at time step {self.diverged_at}: the loss is no longer "
                "finite; use a smaller learning rate"
            )


def train_online(
    layer: AbstractRecurrentLayer,
    xs: Float[Array | np.ndarray, "time inputs"],
    targets: Float[Array | np.ndarray, "..."],
    *,
    optimiser: optax.GradientTransformation,
    update_every: int = 1,
    state: OnlineState | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> OnlineTraining:
    """Learn from one long stream by real-time recurrent learning (RTRL).

        l_t = ½ ‖y_t − y*_t‖²,    ∂l_t/∂w = Σ_i Re[δ_i (e^λ_i ∂λ_i/∂w + Σ_j e^B_ij ∂B_ij/∂w)] + …

    with `δ = Cᵀ ∂l_t/∂y_t` and the traces of `recurrence.sensitivity_traces`; the dots stand for
    the readout's own parameters. While the parameters stand still the sum over t is the gradient
    of backpropagation through time, to rounding; with an update in every step the traces are
    those of slowly changing parameters.

    Args:
        layer: one diagonal layer (`LRU`, `S5`, `DiagonalRNN`, `S4Like`), any parametrisation.
        xs: `(time, inputs)`; `targets`: `(time, outputs)`.
        optimiser: an Optax transform, its learning rate in it.
        update_every: time steps whose gradients are averaged into one update. Steps at the end
            that are too few for one leave the parameters as they are.
        state: that of an earlier call; from rest if not given.
        on_progress: hears the share that is done; what it raises ends the run.

    O(modes · inputs) a step in time and in memory, whatever the length of the stream.

    Raises:
        RemanenceError: for a layer that is not diagonal, complex parameters, or shapes that do
            not fit.

    Source: derived: differentiate the recurrence; Zucchet et al. (2023), online learning of
    long-range dependencies.

        trained = train_online(LRU(1, 32, key=key), xs, ys, optimiser=optax.adam(1e-3))
    """
    owner = "train_online"
    if not isinstance(layer, AbstractModalLayer):
        raise RemanenceError(
            f"{owner}: {type(layer).__name__} is no diagonal layer, whose traces are as small as "
            "its state; use LRU, S5 or DiagonalRNN, or train it with train"
        )
    check_real(layer)
    require_optimiser(owner, optimiser)
    every = require_whole(owner, "update_every", update_every)
    dtype = floating_type(layer)
    inputs, wanted = jnp.asarray(xs, dtype), jnp.asarray(targets, dtype)
    _check_stream(owner, layer, inputs, wanted)
    time = inputs.shape[0]
    fit = _start(layer, optimiser, state)
    losses = []
    leg = max(every, _LONGEST_LEG // every * every)
    for begin, stop in itertools.pairwise((*range(0, time, leg), time)):
        fit, values = _advance(
            layer, optimiser, every, fit, inputs[begin:stop], wanted[begin:stop]
        )
        losses.append(np.asarray(values))
        if on_progress is not None:
            on_progress(stop / time)
    series = np.concatenate(losses)
    failed = np.flatnonzero(~np.isfinite(series))
    return OnlineTraining(
        model=eqx.combine(fit.parameters, layer),
        losses=series,
        state=OnlineState(fit.traces, fit.optimiser),
        diverged_at=int(failed[0]) if failed.size else -1,
    )


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


class _Fit(NamedTuple):
    """Where the layer is; `previous` are the last parameters known to have a finite loss."""

    parameters: PyTree[Any]
    previous: PyTree[Any]
    traces: SensitivityTraces
    optimiser: PyTree[Any]
    alive: Bool[Array, ""]


def _start(
    layer: AbstractModalLayer, optimiser: optax.GradientTransformation, state: OnlineState | None
) -> _Fit:
    parameters = eqx.filter(layer, eqx.is_inexact_array)
    if state is None:
        zeros = jax.eval_shape(layer.input_matrix)
        at_rest = initial_traces(np.zeros(zeros.shape[0], zeros.dtype), layer.inputs)
        state = OnlineState(jax.tree.map(jnp.asarray, at_rest), optimiser.init(parameters))
    elif state.traces.B.shape != (layer.modes, layer.inputs):
        raise RemanenceError(
            f"train_online: the state has traces of shape {state.traces.B.shape}, and the layer "
            f"{layer.modes} modes and {layer.inputs} inputs; give the state of this layer"
        )
    return _Fit(parameters, parameters, state.traces, state.optimiser, jnp.asarray(True))


@eqx.filter_jit
def _advance(
    layer: AbstractModalLayer,
    optimiser: optax.GradientTransformation,
    every: int,
    fit: _Fit,
    xs: Float[Array, "time inputs"],
    targets: Float[Array, "time outputs"],
) -> tuple[_Fit, Float[Array, " time"]]:
    """The stream `xs` from where `fit` is, an update after each `every` steps."""

    def stretch(fit: _Fit, data: tuple[Array, Array]) -> tuple[_Fit, Array]:
        traces, losses, gradients = _run(layer, fit.parameters, fit.traces, *data)
        mean = jax.tree.map(lambda g: g / every, gradients)
        with jax.numpy_dtype_promotion("standard"):
            updates, optimised = optimiser.update(mean, fit.optimiser, fit.parameters)
        moved = optax.apply_updates(fit.parameters, updates)
        alive = fit.alive & jnp.isfinite(losses).all()
        following = _Fit(moved, fit.parameters, traces, optimised, alive)
        held = fit._replace(parameters=fit.previous, alive=alive)
        kept = jax.tree.map(lambda a, b: jnp.where(alive, a, b), following, held)
        return kept, jnp.where(fit.alive, losses, jnp.nan)

    whole = xs.shape[0] // every * every
    stretches = [v[:whole].reshape(-1, every, v.shape[1]) for v in (xs, targets)]
    fit, losses = jax.lax.scan(stretch, fit, (stretches[0], stretches[1]))
    traces, rest, _ = _run(layer, fit.parameters, fit.traces, xs[whole:], targets[whole:])
    return fit._replace(traces=traces), jnp.concatenate([losses.reshape(-1), rest])


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


def _check_stream(owner: str, layer: AbstractModalLayer, xs: Array, targets: Array) -> None:
    if xs.shape[1] != layer.inputs:
        raise RemanenceError(
            f"{owner}: xs have shape {xs.shape}, expected (time, {layer.inputs}): the layer has "
            f"{layer.inputs} input(s)"
        )
    if targets.shape != (xs.shape[0], layer.outputs) or not xs.shape[0]:
        raise RemanenceError(
            f"{owner}: targets have shape {targets.shape}, expected "
            f"({max(1, xs.shape[0])}, {layer.outputs}): one row for each of at least one input"
        )
