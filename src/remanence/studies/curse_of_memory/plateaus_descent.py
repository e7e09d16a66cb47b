"""Plain gradient descent on a kernel seen for a finite time, all runs side by side in NumPy.

    J = Δ Σ_k (ρ̂(kΔ) − ρ(kΔ))²

of complex modes, `ρ̂ = Σ_i e^{−w_i t} (a_i cos q_i t + b_i sin q_i t)`, and of a dense linear RNN
in Euler's form, `ρ̂(kΔ) = c (I + ΔW)^k u`. Gradients are written out.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import scipy.special
from jaxtyping import Float64

from remanence.studies.curse_of_memory.plateaus_settings import (
    EXPONENTIAL,
    REACHED,
    PlateauSettings,
)

SHOWN, SHOWN_SEEDS = 600, 16
"""Steps of which the relative loss is kept, and of how many seeds at most."""


@dataclasses.dataclass(frozen=True)
class Descents:
    """Steps to the relative loss `REACHED` (infinite if not in the budget), and loss curves.

    `curves` are the relative losses of the first seeds; NaN beyond where a run has ended.
    """

    targets: tuple[str, ...]
    steps: Float64[np.ndarray, "targets seeds"]
    curves: Float64[np.ndarray, "steps targets shown_seeds"]


def targets(s: PlateauSettings) -> tuple[tuple[str, ...], Float64[np.ndarray, "targets times"]]:
    """The exponential, and Airy functions whose oscillation ends at t₀."""
    t = np.arange(round(s.duration / s.step)) * s.step
    kernels = [np.exp(-t), *(scipy.special.airy(t - delay)[0] for delay in s.delays)]
    return (EXPONENTIAL, *(f"t₀ = {delay:g}" for delay in s.delays)), np.array(kernels)


def modal_starts(s: PlateauSettings) -> Float64[np.ndarray, "seeds 4 modes"]:
    """a, b normal over the number of modes, w uniform in .3 … 1.5, q in 0 … 2."""
    starts = []
    for seed in range(s.seeds):
        rng = np.random.default_rng(seed)
        a, b = rng.normal(size=(2, s.modes)) / s.modes
        starts.append([a, b, rng.uniform(0.3, 1.5, s.modes), rng.uniform(0, 2, s.modes)])
    return np.array(starts)


def modal_gradients(
    x: Float64[np.ndarray, "lanes 4 modes"],
    target: Float64[np.ndarray, "lanes times"],
    step: float | int,
) -> tuple[Float64[np.ndarray, " lanes"], Float64[np.ndarray, "lanes 4 modes"]]:
    """`J` and its gradient in (a, b, w, q)."""
    t = np.arange(target.shape[1]) * step
    a, b, w, q = np.moveaxis(x, 1, 0)
    waves = _powers(np.exp((1j * q - w) * step), target.shape[1])
    # Re((a − ib) e^{(iq − w)t})
    rest = ((a - 1j * b)[:, None, :] @ waves)[:, 0].real - target
    faced = 2 * step * rest
    by = waves @ np.stack([faced, faced * t], axis=-1)
    (c, ct), (s, st) = (np.moveaxis(part, -1, 0) for part in (np.real(by), np.imag(by)))
    return step * (rest**2).sum(1), np.stack([c, s, -(a * ct + b * st), b * ct - a * st], 1)


def _powers(base: np.ndarray, length: int) -> np.ndarray:
    """`base^k`, k = 0 … length − 1, along a last axis: by doubling, far cheaper than `exp`."""
    made, power = np.ones((*base.shape, 1), base.dtype), base[..., None]
    while made.shape[-1] < length:
        made = np.concatenate([made, made * power], axis=-1)
        power = power * power
    return made[..., :length]


def dense_starts(s: PlateauSettings) -> Float64[np.ndarray, "seeds states_and_2 states"]:
    """`W = −.9 I + N(0, .25/n)`, u and c normal of variance 1/n: rows of W, then u, then c."""
    n = s.dense_states
    starts = []
    for seed in range(s.dense_seeds):
        rng = np.random.default_rng(seed)
        W = -0.9 * np.eye(n) + 0.5 * rng.normal(size=(n, n)) / np.sqrt(n)
        starts.append(np.concatenate([W, rng.normal(size=(2, n)) / np.sqrt(n)]))
    return np.array(starts)


def dense_gradients(
    x: Float64[np.ndarray, "lanes rows states"],
    target: Float64[np.ndarray, "lanes times"],
    step: float | int,
) -> tuple[Float64[np.ndarray, " lanes"], Float64[np.ndarray, "lanes rows states"]]:
    """`J` and its gradient in W, u and c; by powers that double, without a loop over time."""
    W, u, c = x[:, :-2], x[:, -2], x[:, -1]
    A = np.eye(W.shape[-1]) + step * W
    length = target.shape[1]
    states = _krylov(A, u, length)
    costates = _krylov(A.transpose(0, 2, 1), c, length)
    rest = (states @ c[..., None])[..., 0] - target
    faced = 2 * step * rest
    ahead = np.arange(length)[:, None] + np.arange(length)
    later = np.where(ahead < length, faced[:, np.minimum(ahead, length - 1)], 0.0)
    # What the state at k is worth, Σ_j (Aᵀ)^j c ∂J/∂ρ̂_{k+j}.
    worth = later @ costates
    by_A = worth[:, 1:].transpose(0, 2, 1) @ states[:, :-1]
    by_c = (faced[:, None] @ states)[:, 0]
    gradient = np.concatenate([step * by_A, worth[:, :1], by_c[:, None]], axis=1)
    return step * (rest**2).sum(1), gradient


def _krylov(A: np.ndarray, v: np.ndarray, length: int) -> np.ndarray:
    """`A^k v`, k = 0 … length − 1, by doubling."""
    found, power = v[:, None, :], A.transpose(0, 2, 1)
    while found.shape[1] < length:
        found = np.concatenate([found, found @ power], axis=1)
        power = power @ power
    return found[:, :length]


Gradients = Callable[
    [np.ndarray, np.ndarray, float], tuple[Float64[np.ndarray, "..."], Float64[np.ndarray, "..."]]
]


def descend(
    s: PlateauSettings,
    starts: Float64[np.ndarray, "seeds rows columns"],
    gradients: Gradients,
    heard: Callable[[float], None],
) -> Descents:
    """Every target from every start until it is reached and its curve is drawn."""
    names, kernels = targets(s)
    seeds = len(starts)
    aim = np.repeat(kernels, seeds, axis=0)
    x = np.tile(starts, (len(names), 1, 1))
    energy = s.step * (aim**2).sum(1)
    steps = np.full(len(aim), np.inf)
    curves = np.full((SHOWN, len(aim)), np.nan)
    live = np.arange(len(aim))
    drawn = live % seeds < SHOWN_SEEDS
    for step in range(s.budget):
        if step % 50 == 0:
            heard(1 - live.size / len(aim) * (1 - step / s.budget))
        loss, slope = gradients(x[live], aim[live], s.step)
        relative = loss / energy[live]
        steps[live[(relative < REACHED) & np.isinf(steps[live])]] = step
        if step < SHOWN:
            curves[step, live] = relative
        x[live] -= s.learning_rate * slope
        # A run that has left the numbers stays unreached.
        going = np.isfinite(relative) & (relative < 1e6)
        live = live[going & (np.isinf(steps[live]) | (drawn[live] & (step < SHOWN - 1)))]
        if not live.size:
            break
    shape = (len(names), seeds)
    return Descents(names, steps.reshape(shape), curves.reshape(SHOWN, *shape)[..., :SHOWN_SEEDS])
