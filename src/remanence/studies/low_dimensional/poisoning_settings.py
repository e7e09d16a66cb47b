"""The authors' configurations, the numbers they print, and how near ours must come."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Configuration:
    """One of the authors' two configurations, and what they print for it.

    The teacher has A* = diag(1, 0), B* = C*ᵀ = (1, √(d−1)), so `ĝ_0 = d` and `ĝ_j = 1` after;
    the student has d = `state`, B = C = 1. It starts from `scale`·U(0, 1), sorted downwards, with
    the second entry moved to `a_0 − .05 / exp(gap·log10(1 / scale))`.

    - `length`: training length k; the baseline's impulse is at lag k−1.
    - `baseline_time`, `poisoned_time`: how long the gradient flow runs.
    - `baseline_instants`, `poisoned_instants`: at how many evenly spaced times the authors have
      each solution evaluated.
    - `baseline`, `poisoned`: printed extrapolation errors, one for each seed.
    """

    state: int
    length: int
    scale: float
    gap: float
    seeds: tuple[int, ...]
    baseline_time: float
    poisoned_time: float
    baseline_instants: int
    poisoned_instants: int
    baseline: tuple[float, ...]
    poisoned: tuple[float, ...]


TEN_STATES = Configuration(
    state=10,
    length=7,
    scale=1e-3,
    gap=5.0,
    seeds=(242, 243, 244, 246),
    baseline_time=1e11,
    poisoned_time=1e4,
    baseline_instants=1000,
    poisoned_instants=1000,
    baseline=(
        0.0011832003440634064,
        0.001225059939469375,
        0.001367126534837504,
        0.0013053552097638476,
    ),
    poisoned=(
        0.049180623265726676,
        0.045836496012631886,
        0.05430692338683909,
        0.051073859174771384,
    ),
)


TWENTY_STATES = Configuration(
    state=20,
    length=9,
    scale=5e-3,
    gap=10.0,
    seeds=(342, 344, 345, 346),
    baseline_time=1e13,
    poisoned_time=1e7,
    baseline_instants=10_000,
    poisoned_instants=1000,
    baseline=(
        0.007281060820581074,
        0.0077195784791860384,
        0.007078518716941872,
        0.007279616318708103,
    ),
    poisoned=(
        0.03501051395578071,
        0.03527405460962272,
        0.03494363138421701,
        0.03525862529595842,
    ),
)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What is run and how near it must come.

    - `horizon`: the extrapolation error is taken over the first `horizon` lags.
    - `baseline_tolerance`, `poisoned_tolerance`: relative, against what the authors print, with
      the integrator they used (LSODA at SciPy's default tolerances).
    - `relative_tolerance`, `absolute_tolerance`: of the flow integrated accurately.
    - `exact_tolerance`: relative, of the accurate flow against the closed form.
    """

    configurations: tuple[Configuration, ...]
    horizon: int = 20
    baseline_tolerance: float = 1e-5
    poisoned_tolerance: float = 1e-4
    relative_tolerance: float = 1e-12
    absolute_tolerance: float = 1e-15
    exact_tolerance: float = 1e-5


QUICK = Settings((TEN_STATES,))
FULL = Settings((TEN_STATES, TWENTY_STATES))
