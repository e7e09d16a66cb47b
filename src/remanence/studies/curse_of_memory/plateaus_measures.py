"""Escape times and gradients on the plateau, from the exact flow."""

import dataclasses
from collections.abc import Callable

import numpy as np
from jaxtyping import Float64, Int

from remanence.studies.curse_of_memory.plateaus_settings import (
    SPLIT,
    STARTS,
    PlateauSettings,
)
from remanence.theory.flows import (
    DelayedGaussian,
    ExponentialTarget,
    FlowTrajectory,
    PlateauTarget,
    flow_gradients,
    flow_loss,
    gradient_flow,
)

HORIZON = 1e14
"""Flow time after which a plateau counts as endless."""


@dataclasses.dataclass(frozen=True)
class Escapes:
    """τ against 1/ω from one start, and the straight line through log τ.

    `leaving` is the mode, 0 or 1, whose rate has fallen most, by its share, at the escape.
    """

    start: str
    memories: Float64[np.ndarray, " memories"]
    times: Float64[np.ndarray, " memories"]
    leaving: Int[np.ndarray, " memories"]
    fitted_from: int

    @property
    def fitted(self) -> tuple[np.ndarray, np.ndarray]:
        """1/ω and log τ of the fit."""
        kept = self.memories >= self.fitted_from
        return self.memories[kept], np.log(self.times[kept])

    def line(self) -> tuple[float, float]:
        """Slope and intercept of log τ over 1/ω; no numbers where a plateau does not end."""
        if not np.isfinite(self.times).all():
            return float("nan"), float("nan")
        slope, intercept = np.polyfit(*self.fitted, 1)
        return float(slope), float(intercept)

    def straightness(self) -> float:
        """R² of the line."""
        x, y = self.fitted
        if not np.isfinite(self.times).all():
            return float("nan")
        rest = y - np.polyval(self.line(), x)
        return float(1 - rest @ rest / ((y - y.mean()) @ (y - y.mean())))

    def local_slopes(self) -> Float64[np.ndarray, " steps"]:
        """Between neighbouring 1/ω; no number between plateaus that do not end."""
        if not np.isfinite(self.times).all():
            return np.full(self.times.size - 1, np.nan)
        return np.diff(np.log(self.times)) / np.diff(self.memories)


@dataclasses.dataclass(frozen=True)
class Flows:
    """Escapes by start, gradients at `ρ̂ ≈ ρ̄`, the loss there, and whole trajectories.

    - `gradients`: from the split start, `exact_gradients`: at `ρ̂ = ρ̄` exactly, `w = (1, 1)`.
    - `losses`: `J(0)` at `ρ̂ = ρ̄` by quadrature, with `predicted` `c₀² σ √π`, over
      `Escapes.memories`; `flow_losses`: by the closed form that the flow descends on.
    """

    escapes: dict[str, Escapes]
    gradients: Float64[np.ndarray, " gradient_memories"]
    exact_gradients: Float64[np.ndarray, " gradient_memories"]
    losses: Float64[np.ndarray, " memories"]
    flow_losses: Float64[np.ndarray, " memories"]
    predicted: float
    shown: dict[int, FlowTrajectory]


def target(memory: float | int, width: float) -> PlateauTarget:
    """`e^{−t} + e^{−(t − 1/ω)²/(2σ²)}`."""
    late = DelayedGaussian(delay=float(memory), width=width)
    return PlateauTarget(ExponentialTarget([1.0], [1.0]), late)


def measure_flows(s: PlateauSettings, heard: Callable[[float, str], None]) -> Flows:
    """Every flow that the claims need."""
    memories = np.array(s.memories, float)
    escapes, shown = {}, {}
    for place, (name, start) in enumerate(STARTS.items()):
        times, leaving = [], []
        for done, memory in enumerate(s.memories):
            heard((place + done / len(s.memories)) / len(STARTS), f"plateaus, {name}")
            found = gradient_flow(target(memory, s.width), *start, horizon=HORIZON, escape=s.drop)
            times.append(found.escape_time)
            leaving.append(int(np.argmin(found.rates[-1] / found.rates[0])))
        escapes[name] = Escapes(name, memories, np.array(times), np.array(leaving), s.fitted_from)
    for memory in s.shown_flows:
        heard(1.0, "plateaus, whole flows")
        # Far enough beyond the escape to see the loss settle.
        end = 1e3 * escapes[SPLIT].times[s.memories.index(memory)]
        shown[memory] = gradient_flow(target(memory, s.width), *STARTS[SPLIT], horizon=end)
    on_memory = (0.5, 0.5), (1.0, 1.0)
    return Flows(
        escapes,
        _gradients(s, STARTS[SPLIT]),
        _gradients(s, on_memory),
        np.array([quadrature_loss(memory, s.width, *on_memory) for memory in s.memories]),
        np.array([flow_loss(target(memory, s.width), *on_memory) for memory in s.memories]),
        s.width * float(np.sqrt(np.pi)),
        shown,
    )


def quadrature_loss(
    memory: float | int, width: float, a: tuple[float, ...], w: tuple[float, ...]
) -> float:
    """`∫_0^∞ (Σ_i a_i e^{−w_i t} − ρ)² dt` from the values of ρ: Gauss–Legendre on panels of σ/2.

    Without the closed forms of the flow. To twelve widths beyond 1/ω, where the bump has ended;
    the rest of the exponentials' difference must be small there.
    """
    x, weight = np.polynomial.legendre.leggauss(20)
    edges = np.linspace(0, memory + 12 * width, 2 * int(np.ceil(memory / width + 12)) + 1)
    half = np.diff(edges)[:, None] / 2
    t = (edges[:-1, None] + half * (x + 1)).ravel()
    bump = np.exp(-((t - memory) ** 2) / (2 * width**2))
    rest = np.exp(-np.outer(t, w)) @ np.array(a) - np.exp(-t) - bump
    return float((half * weight).ravel() @ rest**2)


def _gradients(
    s: PlateauSettings, start: tuple[tuple[float, ...], tuple[float, ...]]
) -> Float64[np.ndarray, " gradient_memories"]:
    found = [flow_gradients(target(one, s.width), *start) for one in s.gradient_memories]
    return np.array([np.linalg.norm(np.concatenate(one)) for one in found])


def gradient_law(memories: np.ndarray, width: float) -> np.ndarray:
    """`√2 σ √(2π) e^{σ²/2} (1/ω) e^{−1/ω}`: the gradient at `ρ̂ = ρ̄` with two modes at w = 1.

    Its large part is in the rates, `∂_wJ = −2 a L_0'(w)` with `a = ½` and `L_0' ≈ −L_0/ω`.
    """
    scale = np.sqrt(2) * width * np.sqrt(2 * np.pi) * np.exp(width**2 / 2)
    return scale * memories * np.exp(-memories)
