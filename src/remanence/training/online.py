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
from jaxtyping import Array, Float, PyTree

from remanence.errors import NumericalError, RemanenceError
from remanence.layers.contract import AbstractRecurrentLayer, floating_type
from remanence.layers.modal import AbstractModalLayer
from remanence.recurrence import SensitivityTraces, initial_traces
from remanence.training._online_steps import OnlineFit, advance
from remanence.training.checks import require_optimiser, require_real_array, require_whole
from remanence.training.optimisers import require_geodesics
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
    - `diverged_at`: the time step, from 0, whose loss was not finite, or -1; the length of the
      stream if it was the last update that was not finite.
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
    xs: Any,
    targets: Any,
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

    A step costs O(modes · (inputs + outputs)), however long the stream is.

    Raises:
        RemanenceError: for a layer that is not diagonal, complex parameters, a plain optimiser
            of points of the disc, or shapes that do not fit.

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
    require_geodesics(owner, optimiser, layer)
    every = require_whole(owner, "update_every", update_every)
    dtype = floating_type(layer)
    inputs = jnp.asarray(_stream(owner, "xs", xs), dtype)
    wanted = jnp.asarray(_stream(owner, "targets", targets), dtype)
    _check_stream(owner, layer, inputs, wanted)
    time = inputs.shape[0]
    fit = _start(layer, optimiser, state)
    losses = []
    leg = max(every, _LONGEST_LEG // every * every)
    for begin, stop in itertools.pairwise((*range(0, time, leg), time)):
        fit, values = advance(layer, optimiser, every, fit, inputs[begin:stop], wanted[begin:stop])
        losses.append(np.asarray(values))
        if on_progress is not None:
            on_progress(stop / time)
    series = np.concatenate(losses)
    failed = np.flatnonzero(~np.isfinite(series))
    lost = int(failed[0]) if failed.size else time
    return OnlineTraining(
        model=eqx.combine(fit.parameters, layer),
        losses=series,
        state=OnlineState(fit.traces, fit.optimiser),
        diverged_at=-1 if bool(fit.alive) else lost,
    )


def _start(
    layer: AbstractModalLayer, optimiser: optax.GradientTransformation, state: OnlineState | None
) -> OnlineFit:
    parameters = eqx.filter(layer, eqx.is_inexact_array)
    if state is None:
        zeros = jax.eval_shape(layer.input_matrix)
        at_rest = initial_traces(np.zeros(zeros.shape[0], zeros.dtype), layer.inputs)
        state = OnlineState(jax.tree.map(jnp.asarray, at_rest), optimiser.init(parameters))
    elif not isinstance(state, OnlineState):
        raise RemanenceError(
            f"train_online: state is a {type(state).__name__}; give the state of an earlier call"
        )
    elif jax.tree.structure(state.optimiser) != jax.tree.structure(
        jax.eval_shape(optimiser.init, parameters)
    ):
        raise RemanenceError(
            "train_online: the state is that of another optimiser; give the one it came from"
        )
    elif state.traces.B.shape != (layer.modes, layer.inputs):
        raise RemanenceError(
            f"train_online: the state has traces of shape {state.traces.B.shape}, and the layer "
            f"{layer.modes} modes and {layer.inputs} inputs; give the state of this layer"
        )
    return OnlineFit(parameters, parameters, state.traces, state.optimiser, jnp.asarray(True))


def _stream(owner: str, name: str, given: Any) -> np.ndarray:
    values = require_real_array(owner, name, given)
    if values.ndim != 2:
        raise RemanenceError(
            f"{owner}: {name} have shape {values.shape}, expected two axes, (time, channels)"
        )
    return values


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
