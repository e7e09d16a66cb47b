"""The claims on Lorenz-96-type targets of trained tanh RNNs."""

import numpy as np

from remanence.studies.contract import Claim, verdict
from remanence.studies.curse_of_memory.networks_claims import (
    AFTER,
    PLATEAU,
    SMOOTHED,
    of_family,
    told_factor,
    told_steps,
)
from remanence.studies.curse_of_memory.networks_lorenz import (
    LINEAR_PART,
    LorenzSystem,
    lorenz_family,
)
from remanence.studies.curse_of_memory.networks_measures import Curves
from remanence.studies.curse_of_memory.networks_settings import (
    ESCAPED,
    LORENZ_GROWTH,
    LORENZ_LEVELS,
    TANH_LONG,
    TanhSettings,
)
from remanence.studies.curse_of_memory.shared import median
from remanence.studies.curse_of_memory.sources import DERIVED, RECALLED
from remanence.studies.wording import listed


def lorenz_claims(
    s: TanhSettings, curves: list[Curves], systems: list[LorenzSystem]
) -> tuple[Claim, ...]:
    """N3a to N3c."""
    families = [of_family(curves, lorenz_family(modes)) for modes in s.modes]
    return (
        _plateaus(s, families, systems),
        _growth(s, families, of_family(curves, LINEAR_PART)[0], systems),
        _bounded(systems),
    )


def _plateaus(s: TanhSettings, families: list[list[Curves]], systems: list[LorenzSystem]) -> Claim:
    full = [family[-1] for family in families]
    found = [one.plateau for one in full]
    learnt = all(one.learnt for one in full)
    holds = learnt and min(found) >= TANH_LONG
    linear = [one.linear_share for one in systems if one.coupling == max(s.couplings)]
    return Claim(
        id="N3a",
        statement="A tanh RNN trained by Adam has a long plateau on a Lorenz-96-type system.",
        source=RECALLED,
        expected=f"median {PLATEAU}: at least {TANH_LONG} steps at κ = {max(s.couplings):g}, "
        "and then learnt",
        measured="; ".join(
            f"{one.target}: {told_steps([one.plateau])} of {told_steps([one.escape])} steps, "
            f"share {one.final:.2g} at step {s.steps:,}"
            for one in full
        )
        + f" (medians of {s.seeds} seeds, {s.length * s.step:g} units of time)",
        verdict=verdict(holds),
        note=AFTER
        + (
            ""
            if holds
            else " Not all is learnt in the budget: what never escapes has no plateau before it."
            if not learnt
            else (
                " The slow mode of the linear part is an integrator, whose response has no delay: "
                "the network finds it much as it finds an exponential sum. The best linear "
                f"filter leaves {listed(linear, '.2f')} of the last output unexplained, and where "
                "the nonlinear rest begins the share falls slowly and jitters: flat stretches at "
                f"any level last {told_steps([one.flat_anywhere for one in full])} steps, "
                f"{told_steps([one.smoothed(SMOOTHED).flat_anywhere for one in full])} after a "
                f"running median of {SMOOTHED} records. Inputs, horizon and start of the "
                "published experiment are not known to us. Measured once, with the quick "
                "network: inputs 0.3 and 3 times as large, white inputs, a horizon of 19, K = 10, "
                "a rate of 1e-3; the longest plateau before learning was 25 of 230 steps, and "
                "after the running median 75 of 225 (inputs 0.3, horizon 19, K = 10), the "
                "nearest to a plateau that was found."
            )
        ),
    )


def _growth(
    s: TanhSettings, families: list[list[Curves]], control: Curves, systems: list[LorenzSystem]
) -> Claim:
    ratios = np.array([family[-1].escape / family[0].escape for family in families])
    linear = [one.linear_share for one in systems if one.coupling == s.couplings[-1]]
    told = []
    for family in families:
        levels = "; ".join(
            f"below {level:g}: {told_steps([median(one.first_below(level)) for one in family])}"
            for level in LORENZ_LEVELS
        )
        told.append(f"{family[0].family}: {levels}")
    return Claim(
        id="N3b",
        statement=(
            "The longer the memory of the Lorenz system's slow mode, 1 at κ = 0 and infinite at "
            "κ = 1, the longer it takes to learn."
        ),
        source=f"{DERIVED}: what is claimed of delays, asked of slow decay",
        expected=(
            f"median steps to a share below {ESCAPED:g} at κ = {s.couplings[-1]:g} at least "
            f"{LORENZ_GROWTH:g}× those at κ = {s.couplings[0]:g}, both reached"
        ),
        measured=(
            f"{', '.join(map(told_factor, ratios.tolist()))}; steps at κ = "
            f"{listed(s.couplings, 'g')}, {'; '.join(told)} (medians of "
            f"{s.seeds} seeds, looked at every {s.every} steps)"
        ),
        verdict=verdict(np.isfinite(ratios).all() and (ratios >= LORENZ_GROWTH).all()),
        note=(
            f"{AFTER} The nonlinearity grows with κ as well: at κ = {s.couplings[-1]:g} the best "
            f"linear filter leaves {listed(linear, '.2f')} of the last output. The linear part "
            f"alone, an integrator there: {told_steps([control.escape])} steps, "
            f"{told_factor(control.escape / families[0][0].escape)} against κ = "
            f"{s.couplings[0]:g}, the part of memory in it. Horizons matter: at 9.6 "
            "units of time (quick) and 19.2 (full) 1.4× and 4.0 to 5.5× were measured."
        ),
    )


def _bounded(systems: list[LorenzSystem]) -> Claim:
    excess = max(one.excess for one in systems)
    equal = max(one.equal for one in systems)
    linear = listed((one.linear_share for one in systems), ".2g")
    return Claim(
        id="N3c",
        statement=(
            "The Lorenz system stays bounded, |(y, z)| ≤ its start + ∫|x|; from equal z_k it is "
            "a linear system, an integrator at κ = 1."
        ),
        source=DERIVED,
        expected=(
            "y² + Σ z²/(2K) never above the bound's square; from z = 0, y within 1e-4 of the "
            "linear system's, over its largest value"
        ),
        measured=(
            f"largest excess {excess:.2g}, largest difference {equal:.1e}; largest |state| "
            f"{listed((one.largest for one in systems), '.1f')}; half the Runge–Kutta step "
            f"changes y by {listed((one.halving for one in systems), '.0e')} of its rms; the "
            f"best linear filter leaves {linear} of the last output unexplained (K, κ = "
            f"{'; '.join(f'{one.modes}, {one.coupling:g}' for one in systems)})"
        ),
        verdict=verdict(excess <= 1e-9 and equal <= 1e-4),
        note=(
            "A network that starts a Lorenz-96 ring from rest therefore never meets its "
            "nonlinearity: here z₀ starts at 1. The equations are recalled; "
            "the coupling κ is ours."
        ),
    )
