"""The networks of the published experiment, on their exact expected loss.

    h_{t+1} = h_t + g(E x_t) − Pᵀ W P h_t,   y_t = D f(h_{t+1})

with f and g of two linear layers each, biases everywhere, W diagonal: relu(w) ("vanilla") or
softplus(w). Everything is linear, so that the outputs are `y_t = Σ_j ρ̂_j x_{t−j} + d_t`, d_t what
the biases alone give, and for white inputs of variance one

    E L = (1/T) Σ_t ω_t² { Σ_{j≤t} (ρ̂_j − ρ_j)² + d_t² }:

no sequence is drawn, in training or in testing. "softplus, implicit" takes the step
`h_{t+1} = (1 + Pᵀ W P)^{−1} (h_t + g(E x_t))` instead, which no positive W makes unstable.

Derived; sizes, start and training as in the public code of Wang, Li & Li.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from remanence.studies.reparameterisation.perturbation_settings import (
    HORIZON,
    PerturbationSettings,
    network_kernel,
    squared_weights,
)

Parameters = dict[str, Any]
VANILLA, SOFTPLUS, IMPLICIT = "vanilla", "softplus", "softplus, implicit"
KINDS = (VANILLA, SOFTPLUS, IMPLICIT)


@dataclasses.dataclass(frozen=True)
class Network:
    """A trained network: its kind, width and seed, what it was trained to, in how many epochs."""

    kind: str
    width: int
    seed: int
    parameters: dict[str, np.ndarray]
    loss: float
    epochs: int


def start(width: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Layers uniform in ±1/√inputs, W normal, P orthogonal."""

    def layer(outputs: int, inputs: int) -> tuple[np.ndarray, np.ndarray]:
        bound = 1 / np.sqrt(inputs)
        return rng.uniform(-bound, bound, (outputs, inputs)), rng.uniform(-bound, bound, outputs)

    made: dict[str, np.ndarray] = {}
    shapes = {"encoder": (width, 1), "decoder": (1, width)}
    shapes |= dict.fromkeys(("g1", "g2", "f1", "f2"), (width, width))
    for name, shape in shapes.items():
        made[name], made[f"{name}_bias"] = layer(*shape)
    made["W"] = rng.standard_normal(width)
    made["P"] = np.linalg.qr(rng.standard_normal((width, width)))[0]
    return made


def train(
    s: PerturbationSettings,
    kind: str,
    width: int,
    seed: int,
    target: float,
    heard: Callable[[int], None],
) -> Network:
    """Train until the loss is below `target` at the end of an epoch, two epochs at least."""
    rng = np.random.default_rng([s.seed, seed, width])
    parameters = jax.tree.map(jnp.asarray, start(width, rng))
    state = _optimiser(s.clip).init(parameters)
    # Torch's ReduceLROnPlateau: an improvement is one of more than a share of 1e-4.
    rate, best, bad, loss, epoch = s.rate, np.inf, 0, np.inf, 0
    for epoch in range(1, s.epochs + 1):
        parameters, state, found = _epoch(
            parameters,
            state,
            jnp.asarray(KINDS.index(kind)),
            jnp.asarray(rate),
            s.clip,
            s.epoch_steps,
        )
        loss = float(found)
        heard(epoch)
        bad = 0 if loss < best * (1 - 1e-4) else bad + 1
        best = min(best, loss)
        if bad > s.patience:
            rate, bad = rate / 10, 0
        if epoch >= 2 and loss < target:
            break
    trained = {name: np.asarray(value) for name, value in parameters.items()}
    if kind == VANILLA:
        # As published: projected once, and from then on used as it is.
        trained["W"] = np.maximum(trained["W"], 0.0)
    return Network(kind, width, seed, trained, loss, epoch)


def decay_matrix(parameters: Parameters, kind: str) -> Float[np.ndarray, "width width"]:
    """`Pᵀ W P` as the perturbed evaluation has it: the vanilla W is not clamped again."""
    w = parameters["W"]
    diagonal = w if kind == VANILLA else np.logaddexp(0.0, w)
    return parameters["P"].T @ (diagonal[:, None] * parameters["P"])


def eigenvalues(parameters: Parameters, kind: str) -> Float[np.ndarray, " width"]:
    """Of one step, real because `Pᵀ W P` is symmetric; ascending."""
    rates = np.linalg.eigvalsh(decay_matrix(parameters, kind))
    found = 1 / (1 + rates) if kind == IMPLICIT else 1 - rates
    return np.sort(found)


def expected_loss(parameters: Parameters, kind: str) -> float:
    """The exact loss of (perturbed) parameters, W unclamped; infinite where it overflows."""
    u, v, readout, constant = _ends(parameters)
    rates = decay_matrix(parameters, kind)
    one = np.eye(rates.shape[0])
    if kind == IMPLICIT:
        A = np.linalg.inv(one + rates)
        # The implicit step takes its input along.
        states = A @ np.stack([u, v], axis=1)
    else:
        A, states = one - rates, np.stack([u, v], axis=1)
    found = np.empty((HORIZON, 2))
    for t in range(HORIZON):
        found[t] = readout @ states
        states = A @ states
    errors = np.cumsum((found[:, 0] - network_kernel()) ** 2)
    offsets = np.cumsum(found[:, 1]) + constant
    return float(np.mean(squared_weights() * (errors + offsets**2)))


def _ends(p: Parameters) -> tuple[Any, Any, Any, Any]:
    """What a unit input and the biases add to the state, the readout, and the last bias."""
    u = p["g2"] @ (p["g1"] @ p["encoder"][:, 0])
    v = p["g2"] @ (p["g1"] @ p["encoder_bias"] + p["g1_bias"]) + p["g2_bias"]
    readout = (p["decoder"][0] @ p["f2"]) @ p["f1"]
    constant = p["decoder"][0] @ (p["f2"] @ p["f1_bias"] + p["f2_bias"]) + p["decoder_bias"][0]
    return u, v, readout, constant


def _optimiser(clip: float) -> optax.GradientTransformation:
    return optax.chain(optax.clip_by_global_norm(clip), optax.scale_by_adam())


def _loss(p: Parameters, kind: Array) -> Float[Array, ""]:
    u, v, readout, constant = _ends(p)
    diagonal = jax.lax.cond(kind == 0, jax.nn.relu, jax.nn.softplus, p["W"])
    rates = p["P"].T @ (diagonal[:, None] * p["P"])
    one = jnp.eye(rates.shape[0])
    inputs = jnp.stack([u, v], axis=1)
    A, inputs = jax.lax.cond(
        kind == 2,
        lambda: _implicit(jnp.linalg.inv(one + rates), inputs),
        lambda: (one - rates, inputs),
    )

    def step(states: Array, _: None) -> tuple[Array, Array]:
        return A @ states, readout @ states

    found = jax.lax.scan(step, inputs, None, length=HORIZON)[1]
    errors = jnp.cumsum((found[:, 0] - jnp.asarray(network_kernel())) ** 2)
    offsets = jnp.cumsum(found[:, 1]) + constant
    return jnp.mean(jnp.asarray(squared_weights()) * (errors + offsets**2))


def _implicit(A: Array, inputs: Array) -> tuple[Array, Array]:
    return A, A @ inputs


def _epoch_body(
    parameters: Parameters, state: Any, kind: Array, rate: Array, clip: float, steps: int
) -> tuple[Parameters, Any, Array]:
    optimiser = _optimiser(clip)

    def one(carry: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], None]:
        parameters, state = carry
        gradient = jax.grad(_loss)(parameters, kind)
        # Optax mixes whole and real numbers.
        with jax.numpy_dtype_promotion("standard"):
            moves, state = optimiser.update(gradient, state, parameters)
        moved = jax.tree.map(lambda p, m: p - rate * m, parameters, moves)
        return (moved, state), None

    (parameters, state), _ = jax.lax.scan(one, (parameters, state), None, length=steps)
    return parameters, state, _loss(parameters, kind)


_epoch = jax.jit(_epoch_body, static_argnames=("clip", "steps"))
