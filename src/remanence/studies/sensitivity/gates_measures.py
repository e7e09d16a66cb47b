"""GRUs whose gates see inputs and states: their moments at initialisation, and their Jacobians."""

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import expit

from remanence.layers.gru_states import gru_states, gru_step
from remanence.studies.sensitivity.gates_frozen import embedding_sequences
from remanence.studies.sensitivity.gates_settings import GateSettings
from remanence.studies.sensitivity.signals_measures import embeddings
from remanence.theory import bias_sensitivity, forget_time, frozen_gate_power

BOTH = "input and state"
"""What the gates depend on; the others: "constant", "input"."""
LINEAR, WHOLE = "linear", "full"
"""Candidates: `n = W x`, as in the published figure, or `tanh(W x + r ⊙ (U h))`."""
CASES = ((LINEAR, "constant"), (LINEAR, "input"), (LINEAR, BOTH), (WHOLE, BOTH))


@dataclasses.dataclass(frozen=True)
class Gated:
    """Mean squares by range of forget time, for one candidate and one regime of the gates.

    - `forget_times`: geometric mean of the units in each range.
    - `power`, `sensitivity`: of `h_T` and of `∂h_T/∂b`, each unit by its own bias.
    - `*_theory`: those of frozen gates, averaged over the same units.
    - `ratio_errors`: standard errors of `ratios`, from the scatter of GRUs.
    """

    candidate: str
    regime: str
    forget_times: Float[np.ndarray, " bins"]
    power: Float[np.ndarray, " bins"]
    power_theory: Float[np.ndarray, " bins"]
    sensitivity: Float[np.ndarray, " bins"]
    sensitivity_theory: Float[np.ndarray, " bins"]
    ratio_errors: Float[np.ndarray, "2 bins"]

    @property
    def ratios(self) -> Float[np.ndarray, "2 bins"]:
        """Measured over predicted: power, then sensitivity."""
        return np.stack(
            [self.power / self.power_theory, self.sensitivity / self.sensitivity_theory]
        )


@dataclasses.dataclass(frozen=True)
class Jacobian:
    """Entries of `∂h_δ/∂h_0` of one GRU, by delay δ: the diagonal, and sizes off it."""

    gain: float
    delays: Float[np.ndarray, " delays"]
    diagonal: Float[np.ndarray, "delays state"]
    median: Float[np.ndarray, " delays"]
    quantile: Float[np.ndarray, " delays"]
    largest: Float[np.ndarray, " delays"]


def measure_gated(s: GateSettings, heard: Callable[[float], None]) -> list[Gated]:
    """The same GRUs and inputs in every case."""
    rng = np.random.default_rng(s.seed + 1)
    runs = {name: jax.jit(_squares(name == WHOLE, s.units)) for name in (LINEAR, WHOLE)}
    biases = []
    rows: dict[tuple[str, str], list[Any]] = {case: [] for case in CASES}
    # Whole batches, so that every call has the shapes that were compiled.
    for start in range(0, s.starts, s.batch):
        heard(start / s.starts)
        draws = [draw_gru(s, rng) for _ in range(s.batch)]
        U, bias, drives = (np.stack(arrays) for arrays in zip(*draws, strict=True))
        biases.append(bias)
        for case in CASES:
            candidate, regime = case
            if regime == BOTH:
                rows[case].append(jax.device_get(runs[candidate](U, drives, bias)))
            else:
                seen = drives[:, 1] if regime == "input" else 0.0 * drives[:, 1]
                h, dh = input_gated(seen + bias[:, None], drives[:, 2])
                rows[case].append((h**2, dh**2))
    bias = np.concatenate(biases)
    return [
        _binned(
            case,
            bias,
            np.concatenate([h for h, _ in found]),
            np.concatenate([dh for _, dh in found]),
            s,
        )
        for case, found in rows.items()
    ]


def input_gated(
    gates: Float[np.ndarray, "*batch time state"], candidates: Float[np.ndarray, "..."]
) -> tuple[Float[np.ndarray, "*batch state"], Float[np.ndarray, "*batch state"]]:
    """`h_T` and `∂h_T/∂b` where no gate sees a state: with `z = σ(gates)`, `b` added to `gates`,

    h_t = n + z (h − n),    d_t = z d + z (1 − z) (h − n),    h, n at t − 1 and t.
    """
    h = d = np.zeros_like(candidates[..., 0, :])
    keep = expit(gates)
    for t in range(gates.shape[-2]):
        z, away = keep[..., t, :], h - candidates[..., t, :]
        h, d = candidates[..., t, :] + z * away, z * d + z * (1 - z) * away
    return h, d


def draw_gru(
    s: GateSettings, rng: np.random.Generator, *, candidate_variance: float | int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`U` (r, z, n), the bias of z, and `W x` for one sequence of inputs, `(3, time, state)`.

    U are orthogonal; entries of the gates' W are N(0, 2/inputs), those of the candidate's
    N(0, `candidate_variance`/inputs), which at 1 keeps the inputs' autocorrelation. The bias is
    uniform from 0 to log(longest − 1), so that every ratio of forget times is as frequent.
    """
    scale = np.sqrt(np.array([2.0, 2.0, candidate_variance]) / s.inputs)[:, None, None]
    W = scale * rng.standard_normal((3, s.state, s.inputs))
    U = np.stack([_orthogonal(rng, s.state) for _ in range(3)])
    bias = rng.uniform(0.0, np.log(s.longest - 1.0), s.state)
    xs = embedding_sequences(rng, s.inputs, s.length)
    return U, bias, np.swapaxes(W @ xs, 1, 2)


def _orthogonal(rng: np.random.Generator, size: int) -> np.ndarray:
    Q, R = np.linalg.qr(rng.standard_normal((size, size)))
    return Q * np.sign(np.diag(R))[None, :]


def _squares(full: bool, units: int) -> Callable[..., tuple[Array, Array]]:
    """`h_T²` of every unit, and `(∂h_{T,i}/∂b_i)²` of the first `units`, for a batch of GRUs."""

    def last(bias: Array, U: Array, drives: Array) -> Array:
        r, z, n = drives[0], drives[1] + bias[None], drives[2]
        zero = jnp.zeros_like(bias)
        if full:
            return gru_states((U[0], U[1], U[2], zero), (r, z, n), zero)[-1]

        def body(h: Array, drive: tuple[Array, Array]) -> tuple[Array, None]:
            keep = jax.nn.sigmoid(drive[0] + U[1] @ h)
            return drive[1] + keep * (h - drive[1]), None

        return jax.lax.scan(body, zero, (z, n))[0]

    def one(U: Array, drives: Array, bias: Array) -> tuple[Array, Array]:
        directions = jnp.eye(units, bias.size, dtype=bias.dtype)
        h, tangents = jax.vmap(
            lambda d: jax.jvp(lambda b: last(b, U, drives), (bias,), (d,)), out_axes=(None, 0)
        )(directions)
        return h**2, jnp.diagonal(tangents) ** 2

    return jax.vmap(one)


def _binned(
    case: tuple[str, str],
    bias: np.ndarray,
    power: np.ndarray,
    sensitivity: np.ndarray,
    s: GateSettings,
) -> Gated:
    edges = np.linspace(0.0, np.log(s.longest - 1.0), s.bins + 1)
    probed = bias[:, : sensitivity.shape[1]]
    frozen = np.asarray(frozen_gate_power(expit(bias), embeddings()))
    columns = np.log(np.asarray(forget_time(bias))), power, frozen
    times, measured, predicted = (_means(bias, values, edges) for values in columns)
    theory = np.asarray(bias_sensitivity(probed, embeddings()))
    error = partial(_ratio_errors, edges)
    return Gated(
        *case,
        np.exp(times),
        measured,
        predicted,
        _means(probed, sensitivity, edges),
        _means(probed, theory, edges),
        np.stack([error(bias, power, frozen), error(probed, sensitivity, theory)]),
    )


def _ratio_errors(
    edges: np.ndarray, places: np.ndarray, measured: np.ndarray, predicted: np.ndarray
) -> np.ndarray:
    """Of the ratio of sums over all GRUs (rows), which are independent; their units are not."""
    grus, bins = len(places), edges.size - 1
    index = _ranges(places, edges) + bins * np.repeat(np.arange(grus), places.shape[1])
    sums, expected = (
        np.bincount(index, values.ravel(), minlength=grus * bins).reshape(grus, bins)
        for values in (measured, predicted)
    )
    total = expected.sum(axis=0)
    off = sums - sums.sum(axis=0) / total * expected
    return np.sqrt(grus / (grus - 1) * np.sum(off**2, axis=0)) / total


def _ranges(places: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.clip(np.digitize(places.ravel(), edges) - 1, 0, edges.size - 2)


def _means(places: np.ndarray, values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    index = _ranges(places, edges)
    sums = np.bincount(index, values.ravel(), minlength=edges.size - 1)
    return sums / np.bincount(index, minlength=edges.size - 1)


@jax.jit
def _advance(U: Array, drive: Array, h: Array, tangents: Array) -> tuple[Array, Array]:
    """The next state, and `∂h/∂h_0` (a row for each entry of `h_0`) carried along."""

    def step(state: Array) -> Array:
        weights = (U[0], U[1], U[2], jnp.zeros_like(state))
        return gru_step(weights, (drive[0], drive[1], drive[2]), state)

    after, push = jax.linearize(step, h)
    return after, jax.vmap(push)(tangents)


def measure_jacobians(
    s: GateSettings, share: float, heard: Callable[[float], None]
) -> list[Jacobian]:
    """`∂h_δ/∂h_0` at h_0 = 0 for each scale σ_h of the recurrent matrices, else the same draws.

    As published: all entries of W are N(0, 2/inputs), and the bias is log U(1, longest).
    """
    sized = dataclasses.replace(s, state=s.jacobian_state, length=max(s.delays))
    rng = np.random.default_rng(s.seed + 2)
    U, _, drives = draw_gru(sized, rng, candidate_variance=2)
    drives[1] += np.log(rng.uniform(1, s.jacobian_longest, s.jacobian_state))[None]
    identity = np.eye(s.jacobian_state)
    found = []
    for place, gain in enumerate(s.gains):
        scaled, h, tangents = jnp.asarray(gain * U), jnp.zeros(s.jacobian_state), identity
        rows = []
        for step in range(max(s.delays)):
            h, tangents = _advance(scaled, drives[:, step], h, tangents)
            if step + 1 in s.delays:
                heard((place + (step + 1) / max(s.delays)) / len(s.gains))
                entries = np.asarray(tangents)
                sizes = np.abs(entries[identity == 0])
                summary = np.median(sizes), np.quantile(sizes, share), sizes.max()
                rows.append((np.diagonal(entries).copy(), *summary))
        diagonal, *sizes = (np.stack(column) for column in zip(*rows, strict=True))
        found.append(Jacobian(float(gain), np.asarray(s.delays, float), diagonal, *sizes))
    return found
