"""Three ways of training on sequences of T steps: isolated, cut from a stream, states carried."""

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Float32, Float64, PyTree
from scipy.signal import fftconvolve

from remanence.layers import GRU, S4D, SequenceModel
from remanence.studies.curse_of_memory.length_extension_settings import ExtensionSettings
from remanence.theory.kernels import PowerLawKernel

ISOLATED = "isolated, from zero"
CUT = "cut from a stream, from zero"
CARRIED = "cut from a stream, state carried"
WAYS = (ISOLATED, CUT, CARRIED)
_PAST = 8192


@dataclasses.dataclass(frozen=True)
class Extension:
    """One network, trained in each way: unexplained shares by length.

    `shares` (ways, seeds, lengths): mean squared error over the power of the targets, over the
    last quarter of fresh sequences of each length, model and teacher both from zero.
    `losses` (ways, seeds): mean squared error of the last tenth of training.
    """

    network: str
    lengths: tuple[int, ...]
    shares: Float64[np.ndarray, "ways seeds lengths"]
    losses: Float64[np.ndarray, "ways seeds"]

    def medians(self, way: str) -> Float64[np.ndarray, " lengths"]:
        """Over seeds."""
        return np.median(self.shares[WAYS.index(way)], axis=0)


class _Member(NamedTuple):
    """One training run: what changes from step to step, and which way it is."""

    parameters: PyTree[Any]
    optimiser: PyTree[Any]
    states: PyTree[Any]
    carried: Array
    isolated: Array


class Batches(NamedTuple):
    """Steps of training, each array (steps, streams, time).

    The inputs, the teacher's outputs on the stream, and its outputs on each piece alone.
    """

    inputs: Float32[Array | np.ndarray, "..."]
    on_stream: Float32[Array | np.ndarray, "..."]
    alone: Float32[Array | np.ndarray, "..."]


def batches(s: ExtensionSettings) -> Batches:
    """White streams of `steps · T` inputs, cut into pieces; the teacher has heard 8,192 before."""
    rng, used = np.random.default_rng(s.seed), s.steps * s.length
    kernel = PowerLawKernel(s.exponent, s.scale)(np.arange(_PAST))
    x = rng.normal(size=(s.streams, _PAST + used))
    y = fftconvolve(x, kernel[None], axes=1)[:, _PAST : _PAST + used]
    pieces = x[:, _PAST:].reshape(s.streams, s.steps, s.length)
    alone = fftconvolve(pieces, kernel[None, None, : s.length], axes=2)[..., : s.length]
    cut = (pieces, y.reshape(pieces.shape), alone)
    return Batches(*(np.swapaxes(one, 0, 1).astype(np.float32) for one in cut))


def make_network(s: ExtensionSettings, name: str, key: Array) -> SequenceModel:
    """A scalar network: linear encoder, one layer, linear decoder, in float32.

    Encoder and decoder have no biases: a bias charges the slowest modes for as long as they
    remember, and what it adds at unheard lengths would be measured instead of memory.
    """

    def layer(key: Array) -> Any:
        if name == "GRU":
            return GRU(2 * s.width, 2 * s.width, key=key, dtype=jnp.float32)
        return S4D(
            s.width,
            s.modes_each,
            start="real",
            step_min=s.step_min,
            step_max=s.step_max,
            key=key,
            dtype=jnp.float32,
        )

    width = 2 * s.width if name == "GRU" else s.width
    model = SequenceModel(1, 1, width=width, layers=layer, depth=1, key=key)
    return eqx.tree_at(lambda own: (own.encoder.bias, own.decoder.bias), model, (None, None))


def train_network(
    s: ExtensionSettings, name: str, heard: Callable[[float, str], None]
) -> Extension:
    """All ways and seeds side by side in one program; a seed starts all ways alike.

    Carrying: the state after a piece, its gradient stopped, is the state before the next one,
    which is truncated backpropagation through time.
    """
    keys = jax.random.split(jax.random.key(s.seed), s.seeds)
    # Ways vary fastest, so that each seed's model is repeated.
    models = [make_network(s, name, key) for key in keys for _ in WAYS]
    arrays, frames = zip(
        *(eqx.partition(one, eqx.is_inexact_array) for one in models), strict=True
    )
    members, frame = jax.tree.map(lambda *leaves: jnp.stack(leaves), *arrays), frames[0]
    optimiser = optax.chain(
        optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(s.rate, s.steps))
    )
    count = len(models)
    at_rest = jax.tree.map(
        lambda leaf: jnp.zeros((count, s.streams, *leaf.shape), leaf.dtype),
        models[0].initial_state(),
    )
    way = np.tile(WAYS, s.seeds)
    member = _Member(
        members,
        jax.vmap(optimiser.init)(members),
        at_rest,
        jnp.asarray(way == CARRIED, jnp.float32),
        jnp.asarray(way == ISOLATED),
    )
    data, losses = batches(s), []
    edges = np.linspace(0, s.steps, s.legs + 1).astype(int)
    for a, b in itertools.pairwise(edges.tolist()):
        heard(0.8 * a / s.steps, f"{name}: training, step {a:,}")
        leg = Batches(*(jnp.asarray(one[a:b]) for one in data))
        member, loss = _leg(optimiser, frame, member, leg)
        losses.append(np.asarray(loss, np.float64))
    final = np.concatenate(losses)[-max(1, s.steps // 10) :].mean(axis=0)
    heard(0.85, f"{name}: longer sequences")
    shares = _shares(s, frame, member.parameters)
    by_way = (s.seeds, len(WAYS))
    return Extension(
        name,
        tuple(m * s.length for m in s.multiples),
        np.swapaxes(shares.reshape(*by_way, -1), 0, 1),
        final.reshape(by_way).T,
    )


@eqx.filter_jit
def _leg(
    optimiser: optax.GradientTransformation, frame: Any, member: _Member, data: Batches
) -> tuple[_Member, Float[Array, "steps members"]]:
    def loss_of(parameters: Any, states: Any, xs: Array, targets: Array) -> tuple[Array, Any]:
        model = eqx.combine(parameters, frame)
        ys, states = jax.vmap(lambda x, state: model(x[:, None], state))(xs, states)
        return jnp.mean((ys[..., 0] - targets) ** 2), states

    def step(one: _Member, batch: Batches) -> tuple[_Member, Array]:
        states = jax.tree.map(lambda leaf: leaf * one.carried.astype(leaf.dtype), one.states)
        targets = jnp.where(one.isolated, batch.alone, batch.on_stream)
        (loss, states), gradient = jax.value_and_grad(loss_of, has_aux=True)(
            one.parameters, states, batch.inputs, targets
        )
        # Optax's own arithmetic mixes the types of its counters.
        with jax.numpy_dtype_promotion("standard"):
            moves, optimiser_state = optimiser.update(gradient, one.optimiser, one.parameters)
        parameters = optax.apply_updates(one.parameters, moves)
        return _Member(parameters, optimiser_state, states, one.carried, one.isolated), loss

    def body(member: _Member, batch: Batches) -> tuple[_Member, Array]:
        return jax.vmap(step, in_axes=(0, None))(member, batch)

    return jax.lax.scan(body, member, data)


def _shares(
    s: ExtensionSettings, frame: Any, members: PyTree[Any]
) -> Float64[np.ndarray, "members lengths"]:
    """On sequences of other seeds; the shortest length would be 12 to 16 of each: so of more."""
    lengths = [m * s.length for m in s.multiples]
    rng = np.random.default_rng([s.seed, 1])
    xs = rng.normal(size=(s.sequences, max(lengths)))
    kernel = PowerLawKernel(s.exponent, s.scale)(np.arange(max(lengths)))
    wanted = fftconvolve(xs, kernel[None], axes=1)[:, : max(lengths)]
    ys = np.asarray(_outputs(frame, members, jnp.asarray(xs, jnp.float32)), np.float64)
    found = []
    for length in lengths:
        last = slice(3 * length // 4, length)
        errors = np.mean((ys[..., last] - wanted[:, last]) ** 2, axis=(1, 2))
        found.append(errors / np.mean(wanted[:, last] ** 2))
    return np.stack(found, axis=1)


@eqx.filter_jit
def _outputs(frame: Any, members: PyTree[Any], xs: Array) -> Float[Array, "members batch time"]:
    def one(parameters: Any) -> Array:
        model = eqx.combine(parameters, frame)
        return jax.vmap(lambda x: model(x[:, None])[0][:, 0])(xs)

    # One after another: side by side they would not fit the caches.
    return jax.lax.map(one, members)
