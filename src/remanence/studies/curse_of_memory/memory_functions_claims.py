"""The claims on memory functions, from what was measured."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from remanence.studies.contract import Claim, verdict
from remanence.studies.curse_of_memory.memory_functions_measures import (
    NETWORKS,
    S4,
    TORCH,
    LinearProbes,
    NetworkMemories,
)
from remanence.studies.curse_of_memory.memory_functions_settings import (
    EXPONENTIAL_SHARE,
    FADED,
    LONG,
    POLYNOMIAL,
    PUBLISHED,
    ROUND_OFF,
    SHORT,
    MemorySettings,
)
from remanence.studies.curse_of_memory.memory_functions_stacks import (
    StackMemory,
)
from remanence.studies.curse_of_memory.sources import DERIVED, INVERSE, STABLE_SSM
from remanence.studies.wording import listed


def linear_claim(probes: LinearProbes) -> Claim:
    """F11a."""
    halved = float(np.abs(2 * probes.halved - probes.kernel).max() / probes.kernel.max())
    return Claim(
        id="F11a",
        statement=(
            "The memory function of a linear model is |ρ(t)|₁, whether an input is switched on, "
            "present once, or switched off."
        ),
        source=f"{INVERSE}, appendix (published)",
        expected=f"all three within {ROUND_OFF:g} of |ρ|₁, relative to its largest value",
        measured=(
            f"largest deviation {probes.deviation:.1e} (an LRU of two inputs and 8 modes, "
            f"{probes.kernel.size} steps, the four sign vectors as directions); with the "
            f"denominator |x| + 1 half of it, within {halved:.1e}"
        ),
        verdict=verdict(probes.deviation <= ROUND_OFF),
    )


def exponential_claim(s: MemorySettings, found: Sequence[NetworkMemories]) -> Claim:
    """F11b."""
    judged = [one for one in found if one.name in NETWORKS and one.start == TORCH]
    others = [one for one in found if one not in judged]
    shares = [one.verdicts("exponential") / len(one.fits) for one in judged]
    return Claim(
        id="F11b",
        statement="RNN, GRU and LSTM at their random start forget exponentially.",
        source=f"{INVERSE}, figure of 20 random starts (published)",
        expected=(
            f"of {s.starts} starts of each at least {EXPONENTIAL_SHARE:.0%} have the verdict "
            "“exponential” against a power law (Akaike's criterion better by more than 10 over "
            "a decade or more)"
        ),
        measured=(
            f"start {TORCH}: {_verdicts(judged)}; beyond the claim: {_verdicts(others)} "
            f"({s.state} units, input ±1 switched on)"
        ),
        verdict=verdict(min(shares) >= EXPONENTIAL_SHARE),
        note=(
            "The exponential family is A e^{−βt} with a power of t or a second, faster "
            "exponential. The second one was added after a prototype, in which an LSTM with two "
            "rates passed for a power law of exponent 15. S4D's verdicts hold over "
            f"{s.long_length:,} steps; over a shorter range, within its spread of steps, it may "
            "look like a power law."
        ),
    )


def _verdicts(found: Sequence[NetworkMemories]) -> str:
    return "; ".join(
        f"{one.name} ({one.start}) {one.verdicts('exponential')} exponential, "
        f"{one.verdicts('power law')} power law, {one.verdicts('undecided')} undecided"
        if one.verdicts("exponential") < len(one.fits)
        else f"{one.name} ({one.start}) all {len(one.fits)} exponential"
        for one in found
    )


def length_claim(s: MemorySettings, found: Sequence[NetworkMemories]) -> Claim:
    """F11c."""
    judged = {one.name: one for one in found if one.start == TORCH or one.name == S4}
    medians = {name: float(np.median(one.lengths)) for name, one in judged.items()}
    short = max(medians[name] for name in NETWORKS)
    own = ", ".join(
        f"{one.name} {np.median(one.lengths):.0f}"
        for one in found
        if one.name not in judged or one is not judged[one.name]
    )
    return Claim(
        id="F11c",
        statement=(
            "They do so within about 100 steps, S4 within thousands: the published 2,000, up to "
            "a factor of four."
        ),
        source=f"{INVERSE}, figure of 20 random starts (published; lengths read off the figure)",
        expected=(
            f"median steps until M stays below {FADED:g} of its largest value: at most {SHORT} "
            f"for RNN, GRU, LSTM, between {LONG[0]} and {LONG[1]:,} for S4D, a factor of four "
            f"about {PUBLISHED:,}"
        ),
        measured=(
            ", ".join(f"{name} {median:.0f}" for name, median in medians.items())
            + f" (medians over {s.starts} starts, {TORCH} for the first three); orthogonal "
            f"start of this library: {own}"
        ),
        verdict=verdict(short <= SHORT and LONG[0] <= medians[S4] <= LONG[1]),
        note=(
            "S4D stands for S4: diagonal, steps log-uniform from .001 to .1. The band is wide, "
            "because length and level were read off a figure."
        ),
    )


def bound_claim(s: MemorySettings, stacks: Sequence[StackMemory]) -> Claim:
    """F11d."""
    closest = [max(_of(stacks, depth, "closest")) for depth in s.depths]
    theorem = max(_of(stacks, 1, "closest_to_theorem"))
    return Claim(
        id="F11d",
        statement=(
            "What ℓ stacked stable state-space layers remember is bounded by "
            "G C(k+ℓ−1, ℓ−1) e^{−β₀k}, the discrete form of t^{ℓ−1} e^{−β₀t}; one layer by "
            "(d+1) L θ² e^{−β₀k}."
        ),
        source=f"{STABLE_SSM}, Theorem 3.3 (from slides); the constant G: derived",
        expected="M at or below the bound at every step above rounding noise, in every network",
        measured=(
            f"largest M/bound {listed(closest, '.2f')} for ℓ = {listed(s.depths)}; against the "
            f"theorem's constant, ℓ = 1, {theorem:.2f} ({s.stack_seeds} random tanh networks of "
            f"{s.stack_width} modes each, β₀ = {s.slowest:g} a step, {s.stack_length} steps, "
            f"inputs ±{listed(s.amplitudes, 'g')})"
        ),
        verdict=verdict(max(*closest, theorem) <= 1),
        note=(
            "The theorem is about targets that ℓ layers approximate stably. For a given network "
            "G = |c| L^ℓ Π‖U_l‖ takes the place of its O(·)."
        ),
    )


def power_claim(s: MemorySettings, stacks: Sequence[StackMemory]) -> Claim:
    """F11e."""
    degrees = {depth: _of(stacks, depth, "degree") for depth in s.depths}
    told = "; ".join(f"ℓ = {depth}: {min(own)} to {max(own)}" for depth, own in degrees.items())
    missed = max(one.missed for one in stacks)
    return Claim(
        id="F11e",
        statement="The powers of t in their memory go up to ℓ − 1 and no further.",
        source=f"{STABLE_SSM}, Theorem 3.3 (from slides); polynomials: derived",
        expected=(
            f"{s.late_length // 2:,} to {s.late_length:,} steps after an impulse the response "
            f"times e^{{β₀k}} is a polynomial in k, within {POLYNOMIAL:g} of its largest value, "
            "of degree at most ℓ − 1, in every network"
        ),
        measured=(
            f"least degree that fits, {told} ({s.stack_seeds} networks each); it misses at most "
            f"{missed:.1e}"
        ),
        verdict=verdict(
            all(0 <= one <= depth - 1 for depth, own in degrees.items() for one in own)
        ),
        note=(
            "Criterion and set-up chosen after prototypes that measured powers as slopes of "
            "log M: with β₀ fitted along, other rates pass for powers; near zeros of the "
            "polynomial, which random signs make, local slopes are up to 5.6; and rates as near "
            f"as 1.01β₀ still mix after 4,000 steps, so that the second one here is at least "
            f"{s.gap:g}β₀. The bound of F11d needs none of this."
        ),
    )


def attained_claim(s: MemorySettings, equal: Sequence[StackMemory]) -> Claim:
    """F11f."""
    worst = max(one.deviation for one in equal)
    return Claim(
        id="F11f",
        statement="The bound is attained, so that the power ℓ − 1 is sharp.",
        source=DERIVED,
        expected=(
            "one mode in each layer, all alike, no nonlinearity: M equals the bound within "
            f"{ROUND_OFF:g} of its largest value at every step"
        ),
        measured=f"largest deviation {worst:.1e} for ℓ = {listed(s.depths)}",
        verdict=verdict(worst <= ROUND_OFF),
    )


def _of(stacks: Sequence[StackMemory], depth: int, name: str) -> list[Any]:
    return [getattr(one, name) for one in stacks if one.depth == depth]
