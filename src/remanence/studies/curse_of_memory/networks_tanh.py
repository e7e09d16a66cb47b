"""tanh RNNs in Euler form, trained by Adam on sequences: kernels under white input, Lorenz.

    h_{k+1} = h_k + dt (−h_k + tanh(G h_k + U x_k + b)),   ŷ_k = cᵀ h_{k+1} + d

With tanh linear this is the linear network, `W = G − I`.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from remanence.studies.curse_of_memory.networks_linear import (
    exponential_targets,
    random_matrices,
    stretched_targets,
)
from remanence.studies.curse_of_memory.networks_lorenz import (
    LINEAR_PART,
    LorenzSystem,
    linear_response,
    lorenz_systems,
)
from remanence.studies.curse_of_memory.networks_measures import Curves
from remanence.studies.curse_of_memory.networks_settings import TanhSettings


class TanhNetwork(NamedTuple):
    """The network; `G` (state, state), `U`, `b`, `c` (state,), `d` (), with members first."""

    G: Array
    U: Array
    b: Array
    c: Array
    d: Array


class Adam(NamedTuple):
    """A network, the two moments of its gradient, and how often it has moved."""

    network: TanhNetwork
    first: TanhNetwork
    second: TanhNetwork
    steps: Array

    def step(self, gradient: TanhNetwork, rate: float) -> "Adam":
        """One step of Adam (β = 0.9, 0.999; ε = 1e-8), the gradient's norm clipped to 1."""
        norm = jnp.sqrt(sum((jnp.sum(one**2) for one in gradient), jnp.zeros_like(self.steps)))
        share = 1 / jnp.maximum(norm, 1.0)
        steps = self.steps + 1
        bias_1, bias_2 = 1 - 0.9**steps, 1 - 0.999**steps
        first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * share * g, self.first, gradient)
        second = jax.tree.map(
            lambda v, g: 0.999 * v + 0.001 * (share * g) ** 2, self.second, gradient
        )
        network = jax.tree.map(
            lambda x, m, v: x - rate * (m / bias_1) / (jnp.sqrt(v / bias_2) + 1e-8),
            self.network,
            first,
            second,
        )
        return Adam(network, first, second, steps)


class Sequences(NamedTuple):
    """Sequences of one target; `inputs` and `targets` (time, sequences), targets of variance 1."""

    name: str
    family: str
    memory: float
    inputs: np.ndarray
    targets: np.ndarray


def outputs(network: TanhNetwork, xs: Float[Array, "time batch"], step: float) -> Array:
    """`ŷ` (time, batch)."""
    G, U, b, c, d = network

    def move(h: Array, x: Array) -> tuple[Array, Array]:
        drive = h @ G.T + x[:, None] * U[None] + b[None]
        h = h + step * (jnp.tanh(drive) - h)
        return h, h @ c + d

    rest = jnp.zeros((xs.shape[1], b.shape[0]), xs.dtype)
    return jax.lax.scan(move, rest, xs)[1]


def tanh_start(s: TanhSettings) -> TanhNetwork:
    """One network for each seed."""
    rng = np.random.default_rng(s.seed)
    G = s.radius * random_matrices(rng, s.seeds, s.width)
    U = rng.standard_normal((s.seeds, s.width))
    c = rng.standard_normal((s.seeds, s.width)) / s.width
    made = (G, U, np.zeros_like(U), c, np.zeros(s.seeds))
    return TanhNetwork(*(jnp.asarray(one.astype(np.float32)) for one in made))


def tanh_sequences(s: TanhSettings) -> tuple[list[Sequences], list[LorenzSystem]]:
    """Training sequences, then held-out ones, of every target; and the Lorenz systems."""
    rng = np.random.default_rng(s.seed + 1)
    times = s.step * np.arange(s.length)
    white = rng.standard_normal((s.length, s.sequences + s.tests))
    kernels = (*exponential_targets(times), *stretched_targets(times, s.stretched_delays))
    systems = lorenz_systems(s, white)
    last = systems[-1]
    integrator = linear_response(last.coupling, s.step, last.inputs)
    name = f"{LINEAR_PART}, κ = {last.coupling:g}"
    made = [
        *(_scaled(s, *one[:3], white, convolve(one.kernel, white)) for one in kernels),
        *(
            _scaled(
                s,
                f"{one.family}, κ = {one.coupling:g}",
                one.family,
                one.coupling,
                one.inputs,
                one.targets,
            )
            for one in systems
        ),
        _scaled(s, name, LINEAR_PART, last.coupling, last.inputs, integrator),
    ]
    return made, systems


def _scaled(
    s: TanhSettings,
    name: str,
    family: str,
    memory: float,
    inputs: np.ndarray,
    targets: np.ndarray,
) -> Sequences:
    return Sequences(name, family, memory, inputs, targets / scored(s, targets).std())


def scored(s: TanhSettings, targets: np.ndarray) -> np.ndarray:
    """Of the training sequences, what is scored: the second half."""
    return targets[s.length // 2 :, : s.sequences]


def convolve(
    rho: Float[np.ndarray, " time"], xs: Float[np.ndarray, "time batch"]
) -> Float[np.ndarray, "time batch"]:
    """`y_t = Σ_{j ≤ t} ρ_j x_{t−j}`."""
    lag = np.subtract.outer(np.arange(rho.size), np.arange(rho.size))
    return np.where(lag >= 0, rho[lag], 0.0) @ xs


def train_tanh(
    s: TanhSettings, sequences: list[Sequences], heard: Callable[[float], None]
) -> list[Curves]:
    """Every target from every seed, all in one program; shares on the held-out sequences."""
    start = tanh_start(s)
    xs, ys = (
        jnp.asarray(
            np.repeat(np.stack([one[field] for one in sequences]), s.seeds, 0).astype(np.float32)
        )
        for field in (3, 4)
    )
    network = TanhNetwork(
        *(jnp.asarray(np.tile(one, (len(sequences),) + (1,) * (one.ndim - 1))) for one in start)
    )
    half = s.length // 2

    def loss(network: TanhNetwork, xs: Array, ys: Array) -> Array:
        return jnp.mean((outputs(network, xs, s.step) - ys)[half:] ** 2)

    def descend(adam: Adam, key: Array) -> tuple[Adam, None]:
        chosen = jax.random.randint(key, (s.batch,), 0, s.sequences)
        gradient = jax.vmap(jax.grad(loss))(adam.network, xs[:, :, chosen], ys[:, :, chosen])
        return jax.vmap(lambda adam, gradient: adam.step(gradient, s.rate))(adam, gradient), None

    def record(adam: Adam, keys: Array) -> tuple[Adam, Array]:
        values = jax.vmap(loss)(adam.network, xs[:, :, s.sequences :], ys[:, :, s.sequences :])
        return jax.lax.scan(descend, adam, keys)[0], values

    chunk = jax.jit(lambda adam, keys: jax.lax.scan(record, adam, keys))
    keys = jax.random.split(
        jax.random.key(s.seed), (s.chunks, s.steps // (s.chunks * s.every), s.every)
    )
    rest = jax.tree.map(jnp.zeros_like, network)
    adam = Adam(network, rest, rest, jnp.zeros(len(sequences) * s.seeds, jnp.float32))
    found = []
    for index in range(s.chunks):
        adam, values = chunk(adam, keys[index])
        found.append(np.asarray(values, np.float64))
        heard((index + 1) / s.chunks)
    losses = np.concatenate(found).T.reshape(len(sequences), s.seeds, -1)
    at = s.every * np.arange(losses.shape[-1])
    return [
        Curves(one.name, one.family, one.memory, at, losses[i] / held_out_power(s, one))
        for i, one in enumerate(sequences)
    ]


def held_out_power(s: TanhSettings, one: Sequences) -> float:
    """The variance of the held-out scored targets."""
    return float(one.targets[s.length // 2 :, s.sequences :].var())
