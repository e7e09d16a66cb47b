"""The claims of the extensions part, from its measurements."""

from collections.abc import Mapping

import numpy as np

from remanence.studies.contract import Claim, verdict
from remanence.studies.sensitivity.extensions_measures import COMBINATIONS, RHO_AWARE, Powers
from remanence.studies.sensitivity.extensions_recovery import ADAM, DESCENT, MAPS, Recovery
from remanence.studies.sensitivity.extensions_recovery import RHO_AWARE as RHO_AWARE_MAP
from remanence.studies.sensitivity.extensions_settings import (
    EVEN,
    LIMIT_POWER,
    RECOVERED,
    UNEVEN,
    UNIT_POWER,
    UNIT_SENSITIVITY,
    VARIES,
    ExtensionSettings,
)
from remanence.studies.sensitivity.extensions_training import (
    EXP,
    TANH,
)
from remanence.studies.wording import listed

_DERIVED = "derived: extension, not in the paper"


def power_claim(s: ExtensionSettings, powers: Powers) -> Claim:
    """X1a."""
    rho = np.array(s.correlations)
    off = float(np.max(np.abs(powers.smoothed - 1)))
    longest = np.abs(powers.spectral[:, -1] - 1).max(axis=1)
    judged = float(longest[rho <= 0.99].max())
    agrees = float(np.max(np.abs(powers.root / powers.root_theory - 1)))
    beyond = ", ".join(
        f"{value:.2g} off at ρ = {one:g}"
        for one, value in zip(rho, longest, strict=True)
        if one > 0.99
    )
    return Claim(
        id="X1a",
        statement=(
            "γ² = (1 − ν²)/P(λ), P the input's spectrum at the mode's angle, gives every state "
            "unit power, E|γh|² = 1, for every correlation ρ and angle, where γ² = 1 − ν² gives "
            "(1 + ρν)/(1 − ρν) at angle 0."
        ),
        source=_DERIVED,
        expected=(
            f"smoothed spectrum: within {UNIT_POWER:g} of 1 everywhere; spectrum itself: within "
            f"{LIMIT_POWER:.0%} at 1 − ν = {s.gaps[-1]:g} for ρ ≤ .99; √(1 − ν²): within "
            f"{UNIT_POWER:g} of its formula"
        ),
        measured=(
            f"smoothed within {off:.1e}; spectrum itself within {judged:.2%}; √(1 − ν²) within "
            f"{agrees:.1e} of its formula, from {powers.root.min():.3g} to "
            f"{powers.root.max():.4g} (exact finite sums, ρ = {listed(rho, 'g')}, "
            f"{len(s.gaps)} memories, {len(s.angles)} angles)"
        ),
        verdict=verdict(off <= UNIT_POWER and judged <= LIMIT_POWER and agrees <= UNIT_POWER),
        note=(
            "The spectrum itself is a limit: its error is about ε/(1 − ρ) for a memory 1/ε"
            + (f" ({beyond})." if beyond else ".")
        ),
    )


def sensitivity_claim(s: ExtensionSettings, found: Mapping[str, np.ndarray]) -> Claim:
    """X2a."""
    positive = [rho for rho in s.correlations if rho > 0]
    off = float(np.max(np.abs(found[RHO_AWARE] - 1)))
    spread = {name: x.max(axis=1) / x.min(axis=1) for name, x in found.items()}
    met = off <= UNIT_SENSITIVITY and bool(
        np.all(spread[EXP] >= VARIES) and np.all(spread[TANH] >= VARIES)
    )
    aware = [one.name for one in COMBINATIONS if one.spectrum_aware]
    greatest = {name: float(found[name].max()) for name in aware}
    return Claim(
        id="X2a",
        statement=(
            "Integrating the sensitivity under correlated inputs gives a magnitude map with "
            "E|∂(γh)/∂w|² = 1 at every memory and every ρ (γ = √(1 − ν²) differentiated, real λ), "
            "where it varies under tanh and exp."
        ),
        source=_DERIVED,
        expected=(
            f"ρ-aware map within {UNIT_SENSITIVITY:g} of 1; tanh and exp vary at least "
            f"{VARIES:g}-fold over the memories at each ρ"
        ),
        measured=(
            f"ρ-aware within {off:.1e}; tanh varies {listed(spread[TANH], '.3g')}-fold, exp "
            f"{listed(spread[EXP], '.3g')}-fold, for ρ = {listed(positive, 'g')} over "
            f"1 − ν = {s.gaps[0]:g} … {s.gaps[-1]:g} (finite differences of exact finite sums)"
        ),
        verdict=verdict(met),
        note=(
            "The map belongs to √(1 − ν²). The spectrum-aware γ (smoothed) bounds the sensitivity "
            "by itself: at most "
            + ", ".join(f"{value:.3g} ({name})" for name, value in greatest.items())
            + ", so that the two remedies do not add up."
        ),
    )


def recovery_claim(s: ExtensionSettings, recovered: Mapping[tuple[str, str], Recovery]) -> Claim:
    """X2b."""
    descent = {name: recovered[DESCENT, name] for name in MAPS}
    others = [descent[name].spread for name in MAPS if name != RHO_AWARE_MAP]
    met = descent[RHO_AWARE_MAP].spread <= EVEN and min(others) >= UNEVEN

    def told(optimiser: str) -> str:
        parts = []
        for name in MAPS:
            one = recovered[optimiser, name]
            low, high = one.at_best.min(), one.at_best.max()
            parts.append(f"{name} {low:g} to {high:g} (rate {one.rates[one.best]:g})")
        return ", ".join(parts)

    adam = recovered[ADAM, RHO_AWARE_MAP].spread
    return Claim(
        id="X2b",
        statement=(
            "Under the ρ-aware map gradient descent with one learning rate recovers an "
            "eigenvalue in a number of steps that depends neither on its memory nor on ρ."
        ),
        source=_DERIVED,
        expected=(
            f"steps to {RECOVERED:.0%} of the initial loss, slowest over fastest of all cases: "
            f"at most {EVEN:g} for the ρ-aware map, at least {UNEVEN:g} for tanh and exp, each at "
            "the one rate whose slowest case is fastest"
        ),
        measured=(
            f"gradient descent: {told(DESCENT)}; memories {s.memories[0]:g} to "
            f"{s.memories[-1]:g}, ρ = {listed(s.correlations, 'g')}, start at a memory "
            f"{s.ratio:g} times shorter, exact loss. Adam: {told(ADAM)}"
        ),
        verdict=verdict(met),
        note=(
            "The curvature at the optimum is 1 under the ρ-aware map (X2a), so that rate 1 is "
            "Newton's step: the ρ-aware half follows from X2a and that step size, and measures "
            "only how far the parabola reaches. One rate for the other maps must suit the "
            "sharpest case. That is a statement on gradient descent: Adam's steps ignore the "
            "scale of the gradient, tanh and exp are then even already, and the ρ-aware map, "
            "which lengthens the way by up to √((1 + ρ)/(1 − ρ)), is uneven by a factor "
            f"{adam:.3g}."
        ),
    )
