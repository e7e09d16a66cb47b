"""Linear RNNs with a dense W: plain gradient descent on the exact expected loss.

    h_{k+1} = (I + dt W) h_k,   ρ̂(k dt) = cᵀ h_k,  h_0 = U;      J = dt Σ_k (ρ̂ − ρ)²(k dt),

which is the expected squared error of the last output under white input, whatever W is.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from remanence.studies.curse_of_memory.networks_measures import Curves
from remanence.studies.curse_of_memory.networks_settings import (
    RATES,
    STRETCH,
    LinearSettings,
)
from remanence.theory.kernels import AiryKernel, BumpKernel, ExponentialKernel, SumKernel

EXPONENTIALS, AIRY, STRETCHED, BUMP = "exponential sum", "Airy", "stretched Airy", "bump"


class Target(NamedTuple):
    """A kernel to be learnt: its name, its family, its t₀ (0 for sums), and ρ(k dt)."""

    name: str
    family: str
    memory: float
    kernel: np.ndarray


class LinearNetwork(NamedTuple):
    """The network; `W` (state, state), `U`, `c` (state,), with leading axes of members."""

    W: Array
    U: Array
    c: Array


def exponential_targets(times: np.ndarray) -> list[Target]:
    """The fast and the slow exponential sum."""
    return [
        Target(
            name,
            EXPONENTIALS,
            0.0,
            SumKernel(tuple(ExponentialKernel(rate) for rate in rates), (1.0, 0.5))(times),
        )
        for name, rates in RATES.items()
    ]


def stretched_targets(times: np.ndarray, delays: tuple[float, ...]) -> list[Target]:
    """`Ai(s₀ (t − t₀))`."""
    return [
        Target(f"Ai({STRETCH:g}(t − {t0:g}))", STRETCHED, t0, AiryKernel(t0, STRETCH)(times))
        for t0 in delays
    ]


def linear_targets(s: LinearSettings) -> list[Target]:
    """Exponential sums, both families of Airy functions, and bumps."""
    times = s.step * np.arange(s.lags)
    return [
        *exponential_targets(times),
        *(Target(f"Ai(t − {t0:g})", AIRY, t0, AiryKernel(t0)(times)) for t0 in s.delays),
        *stretched_targets(times, s.stretched_delays),
        *(Target(f"bump at {t1:g}", BUMP, t1, BumpKernel(t1)(times)) for t1 in s.bump_delays),
    ]


def linear_start(s: LinearSettings) -> LinearNetwork:
    """One network for each seed: the disc of eigenvalues is centred at −1."""
    rng = np.random.default_rng(s.seed)
    W = s.radius * random_matrices(rng, s.seeds, s.width) - np.eye(s.width)
    U = rng.standard_normal((s.seeds, s.width))
    c = rng.standard_normal((s.seeds, s.width)) / s.width
    return LinearNetwork(jnp.asarray(W), jnp.asarray(U), jnp.asarray(c))


def random_matrices(
    rng: np.random.Generator, count: int, size: int
) -> Float[np.ndarray, "count size size"]:
    """Gaussian matrices, each scaled to spectral radius 1."""
    G = rng.standard_normal((count, size, size))
    return G / np.abs(np.linalg.eigvals(G)).max(axis=1)[:, None, None]


def kernel(network: LinearNetwork, step: float, lags: int) -> Float[Array, " lags"]:
    """`ρ̂(k dt)`, `k = i n + j`: the readout moved on by `i n` steps times the state after j."""
    W, U, c = network
    power = jnp.eye(W.shape[0], dtype=W.dtype) + step * W
    near = 1 << (math.isqrt(lags - 1) if lags > 1 else 0).bit_length()
    states, power = _powers(power, U, near)
    readouts, _ = _powers(power.T, c, -(-lags // near))
    return (readouts.T @ states).ravel()[:lags]


def _powers(matrix: Array, vector: Array, count: int) -> tuple[Array, Array]:
    """`M^k v` for k below `count` or a few more, by doubling, and M to so many."""
    found = vector[:, None]
    while found.shape[1] < count:
        found = jnp.concatenate([found, matrix @ found], axis=1)
        matrix = matrix @ matrix
    return found, matrix


def train_linear(s: LinearSettings, heard: Callable[[float], None]) -> list[Curves]:
    """Every target from every seed, all in one program."""
    targets = linear_targets(s)
    start = linear_start(s)
    rho = np.stack([target.kernel for target in targets])
    wanted = jnp.asarray(np.repeat(rho, s.seeds, axis=0))
    network = LinearNetwork(
        *(jnp.asarray(np.tile(one, (len(targets),) + (1,) * (one.ndim - 1))) for one in start)
    )

    def losses(network: LinearNetwork) -> Array:
        found = jax.vmap(lambda one: kernel(one, s.step, s.lags))(network)
        return jnp.sum((found - wanted) ** 2, axis=1)

    def descend(network: LinearNetwork, _: None) -> tuple[LinearNetwork, Array]:
        values, backward = jax.vjp(losses, network)
        (gradient,) = backward(jnp.full_like(values, s.rate * s.step))
        return LinearNetwork(*(x - g for x, g in zip(network, gradient, strict=True))), values

    length = s.steps // s.chunks
    chunk = jax.jit(lambda network: jax.lax.scan(descend, network, None, length=length))
    found = []
    for index in range(s.chunks):
        network, values = chunk(network)
        found.append(np.asarray(values))
        heard((index + 1) / s.chunks)
    power = np.sum(rho**2, axis=1)
    shares = np.concatenate(found).T.reshape(len(targets), s.seeds, -1) / power[:, None, None]
    at = np.arange(shares.shape[-1])
    return [
        Curves(target.name, target.family, target.memory, at, one)
        for target, one in zip(targets, shares, strict=True)
    ]
