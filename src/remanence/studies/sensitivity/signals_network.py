"""The published deep network at initialisation: recurrence, gelu, gated mixer and skip.

The library's `ResidualBlock` has one norm, before the recurrence; the published block has its
norm before the mixer as well, and every layer's output is wanted here. So the block is put
together from the same pieces: the recurrent layers, `GLU` and Equinox's norm. The layers' arrays
are stacked, so that one scan over depth compiles one block.
"""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from remanence.layers import GLU, GRU, LRU, DiagonalRNN, ReIm
from remanence.layers.activations import activate
from remanence.layers.arrays import real_dtype
from remanence.layers.modal import ring
from remanence.layers.normalisations import LearnedSquareRoot
from remanence.layers.parametrisations import Polar
from remanence.studies.sensitivity.signals_settings import SignalSettings


class Block(eqx.Module):
    """`x + glu(norm(gelu(layer(norm(x)))))`, with one norm in both places, or none."""

    layer: LRU | DiagonalRNN | GRU
    norm: eqx.nn.LayerNorm | None
    mixer: GLU

    def __call__(self, xs: Float[Array, "time width"]) -> Float[Array, "time width"]:
        vs, _ = self.layer(self._normalised(xs), method="sequential")
        return xs + self.mixer(self._normalised(activate("gelu", vs)))

    def _normalised(self, xs: Array) -> Array:
        return xs if self.norm is None else jax.vmap(self.norm)(xs)


class Network(eqx.Module):
    """A linear map in, `depth` blocks whose arrays have a leading axis over them, one out."""

    encoder: eqx.nn.Linear
    blocks: Block
    decoder: eqx.nn.Linear

    def __call__(
        self, xs: Float[Array, "batch time inputs"]
    ) -> tuple[Float[Array, "batch time inputs"], Float[Array, " layers"]]:
        """The outputs, and the mean square of the encoder's and of every block's outputs."""
        arrays, rest = eqx.partition(self.blocks, eqx.is_array)

        def body(vs: Array, arrays: Block) -> tuple[Array, Array]:
            vs = jax.vmap(eqx.combine(arrays, rest))(vs)
            return vs, jnp.mean(vs**2)

        start = jax.vmap(jax.vmap(self.encoder))(xs)
        last, powers = jax.lax.scan(body, start, arrays)
        powers = jnp.concatenate([jnp.mean(start**2)[None], powers])
        return jax.vmap(jax.vmap(self.decoder))(last), powers


def make_network(architecture: str, s: SignalSettings, *, key: PRNGKeyArray) -> Network:
    """The network as published at initialisation, but for the recurrence's memory.

    All dense maps start with weights N(0, 1/fan-in) and no bias; `B` and `C` with variance
    1/width in real and imaginary part; the GRU's input matrices with variance 2/width, its
    recurrent ones orthogonal. `with_memory` sets the rest.
    """
    dtype = real_dtype(s.dtype)
    for_encoder, for_blocks, for_decoder = jax.random.split(key, 3)

    def block(key: PRNGKeyArray) -> Block:
        for_layer, *for_mixer = jax.random.split(key, 3)
        mixer = GLU(s.width, key=key, dtype=dtype)
        value = _lecun(mixer.value, key=for_mixer[0])
        gate = _lecun(mixer.gate, key=for_mixer[1])
        normalised = architecture.endswith("LayerNorm")
        return Block(
            _layer(architecture, s, key=for_layer, dtype=dtype),
            eqx.nn.LayerNorm(s.width, dtype=dtype) if normalised else None,
            eqx.tree_at(lambda m: (m.value, m.gate), mixer, (value, gate)),
        )

    encoder = eqx.nn.Linear(s.inputs, s.width, dtype=dtype, key=key)
    decoder = eqx.nn.Linear(s.width, s.inputs, dtype=dtype, key=key)
    # One block after the other, not under vmap and jit: a batch of QR decompositions, which the
    # GRU's orthogonal matrices need, was seen to hang inside a compiled function on two cores.
    blocks = [block(one) for one in jax.random.split(for_blocks, s.depth)]
    return Network(
        _lecun(encoder, key=for_encoder),
        jax.tree.map(lambda *arrays: jnp.stack(arrays), *blocks),
        _lecun(decoder, key=for_decoder),
    )


def with_memory(
    network: Network, architecture: str, memory: float | int, *, key: PRNGKeyArray
) -> Network:
    """Eigenvalues on the ring `1 − 1/t ≤ |λ| ≤ 1 − 1/(2t)`, or gates of bias log U(t, 2t).

    Phases are uniform; the LRU's are kept in (0, 2π], where its log θ can hold them. The draws
    are the same for every t.
    """
    layer = network.blocks.layer
    if isinstance(layer, GRU):
        u = jax.random.uniform(key, layer.b_z.shape, layer.b_z.dtype)
        bias = jnp.log(memory * (1 + u))
        return eqx.tree_at(lambda n: n.blocks.layer.b_z, network, bias)
    shape, dtype = layer.eigenvalues.shape, layer.B.real.dtype
    inner, outer = 1 - 1 / memory, 1 - 1 / (2 * memory)
    log_magnitude, phase = ring(key, shape, inner, outer, 2 * math.pi, dtype)
    if architecture != "LRU":
        radius = jnp.exp(log_magnitude)
        entries = ReIm(radius * jnp.cos(phase), radius * jnp.sin(phase))
        return eqx.tree_at(lambda n: n.blocks.layer.eigenvalues, network, entries)
    eigenvalues = Polar(
        jnp.log(-log_magnitude), jnp.log(phase), "double exponential", "exponential"
    )
    return eqx.tree_at(
        lambda n: (n.blocks.layer.eigenvalues, n.blocks.layer.normalisation),
        network,
        (eigenvalues, LearnedSquareRoot.from_eigenvalues(eigenvalues)),
    )


def published_loss(
    network: Network, xs: Float[Array, "batch time inputs"]
) -> tuple[Float[Array, ""], Float[Array, " layers"]]:
    """`½ mean (y_t − x_{t−1})²` over t ≥ 2, and the mean squares of the layers' outputs.

    The published code calls its target the next token; its indices give the one before, which
    the network has already seen. They are kept.
    """
    ys, powers = network(xs)
    return jnp.mean((ys[:, 1:] - xs[:, :-1]) ** 2) / 2, powers


def gradient_groups(architecture: str, gradient: Network) -> dict[str, Float[Array, " depth"]]:
    """Mean squared entry of the gradient in each group of parameters of each block."""
    layer: Any = gradient.blocks.layer
    if isinstance(layer, GRU):
        own = {"recurrent": (layer.U_r, layer.U_z, layer.U_n, layer.b_z)}
    elif architecture == "LRU":
        own = {
            "ν": (layer.eigenvalues.magnitude_parameter,),
            "θ": (layer.eigenvalues.phase_parameter,),
            "γ": (layer.normalisation.log_gamma,),
        }
    else:
        own = {"λ": (layer.eigenvalues.re, layer.eigenvalues.im)}
    taken = {id(array) for group in own.values() for array in group}
    rest = tuple(a for a in jax.tree.leaves(gradient.blocks) if id(a) not in taken)
    return {name: _mean_square(arrays) for name, arrays in {**own, "rest": rest}.items()}


def _mean_square(arrays: tuple[Array, ...]) -> Float[Array, " depth"]:
    flat = jnp.concatenate([array.reshape(array.shape[0], -1) for array in arrays], axis=1)
    return jnp.mean(flat**2, axis=1)


def _layer(
    architecture: str, s: SignalSettings, *, key: PRNGKeyArray, dtype: Any
) -> LRU | DiagonalRNN | GRU:
    if architecture == "GRU":
        layer = GRU(s.width, s.width, key=key, dtype=dtype)
        # The library's input matrices have variance 1/inputs, the published ones twice that.
        return eqx.tree_at(_input_matrices, layer, replace_fn=_doubled)
    if architecture == "LRU":
        layer = LRU(s.width, s.width, key=key, dtype=dtype)
    else:
        zero = jnp.zeros((s.width,), dtype)
        layer = DiagonalRNN(ReIm(zero, zero + 0), s.width, key=key)
    # The library's B has variance 1/(2 inputs) in each part, the published one twice that.
    return eqx.tree_at(lambda one: one.B, layer, jax.tree.map(_doubled, layer.B))


def _input_matrices(layer: GRU) -> tuple[Any, Any, Any]:
    return layer.W_r, layer.W_z, layer.W_n


def _doubled(array: Array) -> Array:
    """Twice the variance."""
    return array * math.sqrt(2)


def _lecun(linear: eqx.nn.Linear, *, key: PRNGKeyArray) -> eqx.nn.Linear:
    weight = linear.weight
    drawn = jax.random.normal(key, weight.shape, weight.dtype) / math.sqrt(weight.shape[1])
    zero = jnp.zeros(weight.shape[:1], weight.dtype)
    return eqx.tree_at(lambda one: (one.weight, one.bias), linear, (drawn, zero))
