"""What the Lorenz systems of this part are, apart from any network."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from remanence.studies.curse_of_memory.networks_settings import TanhSettings
from remanence.tasks.inputs import Autoregressive
from remanence.tasks.lorenz import lorenz_response

LINEAR_PART = "linear part of the Lorenz system"
"""The family of the control: y where all z_k are equal."""

_RIDGE = 1e-9


@dataclasses.dataclass(frozen=True)
class LorenzSystem:
    """One system with its sequences, and what is known of them.

    - `inputs`, `targets` (time, sequences): x, and y after it.
    - `largest`: of all |y| and |z_k|.
    - `excess`: the largest of `r(t) − r(0) − ∫|x|`, `r² = y² + Σ z_k²/(2K)`; at most 0.
    - `halving`: what half the Runge–Kutta step changes in y, rms over rms, in the scored half.
    - `equal`: the largest difference from the linear system, over the largest |y|, for equal z_k.
    - `linear_share`: what the best linear filter of all inputs leaves unexplained of the last y of
      held-out sequences.
    """

    modes: int
    coupling: float
    inputs: np.ndarray
    targets: np.ndarray
    largest: float
    excess: float
    halving: float
    equal: float
    linear_share: float

    @property
    def family(self) -> str:
        """What it has in common with systems of other coupling."""
        return lorenz_family(self.modes)


def lorenz_family(modes: int) -> str:
    """The family of all couplings."""
    return f"Lorenz, K = {modes}"


def lorenz_systems(s: TanhSettings, white: Float[np.ndarray, "time batch"]) -> list[LorenzSystem]:
    """Every K and κ, driven by AR(1) inputs made of `white`."""
    inputs = Autoregressive(s.correlation).colour(jnp.asarray(white), s.length)
    xs = s.scale * np.asarray(inputs)
    return [system for modes in s.modes for system in _of_ring(s, modes, xs)]


def _of_ring(s: TanhSettings, modes: int, xs: np.ndarray) -> list[LorenzSystem]:
    def respond(xs: Array, coupling: Array, start: Array, substeps: Array) -> tuple[Array, Array]:
        return lorenz_response(
            xs, modes=modes, coupling=coupling, step=s.step, substeps=substeps, start=start
        )

    run = jax.jit(
        jax.vmap(jax.vmap(respond, (1, None, None, None), (1, 1)), (None, 0, None, None))
    )
    couplings = jnp.asarray(s.couplings)

    def simulate(start: float, substeps: int) -> tuple[np.ndarray, np.ndarray]:
        ys, zs = run(jnp.asarray(xs), couplings, jnp.asarray(start), jnp.asarray(substeps))
        return np.asarray(ys), np.asarray(zs)

    ys, zs = simulate(1.0, s.substeps)
    finer = simulate(1.0, 2 * s.substeps)[0]
    plain = simulate(0.0, s.substeps)[0]
    half = s.length // 2
    bound = np.sqrt(1 / (2 * modes)) + s.step * np.cumsum(np.abs(xs), axis=0)
    found = []
    for i, coupling in enumerate(s.couplings):
        expected = linear_response(coupling, s.step, xs)
        size = np.sqrt(ys[i] ** 2 + np.mean(zs[i] ** 2, axis=-1) / 2)
        moved = np.mean((finer[i] - ys[i])[half:] ** 2) / np.mean(ys[i][half:] ** 2)
        found.append(
            LorenzSystem(
                modes,
                coupling,
                xs,
                ys[i],
                largest=float(max(np.abs(ys[i]).max(), np.abs(zs[i]).max())),
                excess=float((size - bound).max()),
                halving=float(np.sqrt(moved)),
                equal=float(np.abs(plain[i] - expected).max() / np.abs(expected).max()),
                linear_share=linear_share(xs, ys[i][-1], s.sequences),
            )
        )
    return found


def linear_response(
    coupling: float, step: float, xs: Float[np.ndarray, "time batch"]
) -> Float[np.ndarray, "time batch"]:
    """y of the linear part from rest, by its exact step."""
    rates, modes = np.linalg.eig(np.array([[-1.0, coupling], [2.0, -2.0]]))
    # The rates are real and distinct: they differ by √(1 + 8κ).
    safe = np.where(rates == 0, 1.0, rates)
    driven = np.where(rates == 0, step, np.expm1(rates * step) / safe)
    parts = driven * np.linalg.solve(modes, np.array([1.0, 0.0]))
    moved = np.exp(rates * step)[:, None]
    state, found = np.zeros((2, xs.shape[1])), []
    for x in xs:
        state = moved * state + parts[:, None] * x
        found.append(modes[0] @ state)
    return np.array(found)


def linear_share(
    inputs: Float[np.ndarray, "time batch"], last: Float[np.ndarray, " batch"], trained: int
) -> float:
    """By least squares on inputs and a constant, on the first `trained` sequences."""
    made = np.concatenate([inputs, np.ones((1, inputs.shape[1]))]).T
    gram = made[:trained].T @ made[:trained]
    gram += _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    weights = np.linalg.solve(gram, made[:trained].T @ last[:trained])
    rest = last[trained:] - made[trained:] @ weights
    return float(np.mean(rest**2) / last[trained:].var())
