"""The claims on trained networks, from their curves."""

import numpy as np

from remanence.studies.contract import Claim, verdict
from remanence.studies.curse_of_memory.networks_linear import (
    AIRY,
    BUMP,
    EXPONENTIALS,
    STRETCHED,
)
from remanence.studies.curse_of_memory.networks_measures import Curves, growth_rate
from remanence.studies.curse_of_memory.networks_settings import (
    BUMP_GROWTH,
    ESCAPED,
    FAST,
    FLAT,
    GROWTH,
    LONG,
    RECALLED_DELAY,
    SHORT,
    STRETCH,
    TANH_GROWTH,
    TANH_LONG,
    TANH_SHORT,
    LinearSettings,
    TanhSettings,
)
from remanence.studies.curse_of_memory.shared import rises
from remanence.studies.curse_of_memory.sources import DERIVED, RECALLED
from remanence.studies.wording import listed

SMOOTHED = 9
"""Records of the running median that the notes tell of."""

AFTER = "Criterion chosen after a prototype."
PLATEAU = (
    f"the longest stretch, before the unexplained share falls below {ESCAPED:g}, over which its "
    f"log moves by less than {FLAT:g}"
)


def of_family(curves: list[Curves], family: str) -> list[Curves]:
    """In the order of their memory."""
    return sorted((one for one in curves if one.family == family), key=lambda one: one.memory)


def recalled_target(curves: list[Curves]) -> Curves:
    """The Airy function of the recalled delay, or else the latest."""
    family = of_family(curves, STRETCHED)
    return next((one for one in family if one.memory == RECALLED_DELAY), family[-1])


def fast_sum(curves: list[Curves]) -> Curves:
    """The fast exponential sum."""
    return next(one for one in curves if one.target == FAST)


def told_steps(values: list[float] | np.ndarray) -> str:
    """Steps with commas; "not reached" where infinite."""
    return ", ".join(f"{v:,.0f}" if np.isfinite(v) else "not reached" for v in values)


def told_factor(factor: float) -> str:
    """With the sign of multiplication; "no factor" where a run never learns."""
    return f"{factor:.3g}×" if 0 < factor < np.inf else "no factor: not all is learnt"


def told_share(one: Curves) -> str:
    """What part of the time to learn the longest plateau is."""
    if not one.learnt:
        return f"{one.target} is not learnt in the budget, so that there is no time to learn."
    return (
        f"The longest plateau on {one.target} is {one.plateau / one.escape:.0%} of the time to "
        "learn it."
    )


def linear_claims(s: LinearSettings, curves: list[Curves]) -> tuple[Claim, ...]:
    """N1a to N1c."""
    return (_linear_plateaus(s, curves), _linear_growth(s, curves), _bumps(s, curves))


def tanh_claims(s: TanhSettings, curves: list[Curves]) -> tuple[Claim, ...]:
    """N2a and N2b."""
    return (_tanh_plateaus(s, curves), _tanh_growth(s, curves))


def _told_plateaus(curves: list[Curves]) -> str:
    return "; ".join(
        f"{one.target} {told_steps([one.plateau])} of {told_steps([one.escape])} steps"
        for one in curves
    )


def _diverged(curves: list[Curves]) -> str:
    lost = sum(one.diverged for one in curves)
    return f" {lost} runs diverged." if lost else " No run diverged."


def _linear_plateaus(s: LinearSettings, curves: list[Curves]) -> Claim:
    sums, late = of_family(curves, EXPONENTIALS), recalled_target(curves)
    return Claim(
        id="N1a",
        statement=(
            "Gradient descent on a linear RNN learns exponential sums without a plateau; on an "
            "Airy function, the memory of which is a delay, it has a long stretch of slow "
            "decline before it learns."
        ),
        source=RECALLED,
        expected=(
            f"median {PLATEAU}: at most {SHORT} steps for exponential sums, slow ones too; at "
            f"least {LONG} for Ai({STRETCH:g}(t − {RECALLED_DELAY:g})); all of them learnt"
        ),
        measured=(
            f"{_told_plateaus([*sums, late])} (medians of {s.seeds} seeds; dense W of "
            f"{s.width} units, rate {s.rate:g}, exact loss)"
        ),
        verdict=verdict(
            all(one.learnt for one in (*sums, late))
            and max(one.plateau for one in sums) <= SHORT
            and late.plateau >= LONG
        ),
        note=(
            f"{AFTER} Such a plateau is no standstill: in it the share moves by less than "
            f"{FLAT:.0%}, and whatever declines slowly has one, the longer the slower. "
            + told_share(late)
            + _diverged(curves)
        ),
    )


def _linear_growth(s: LinearSettings, curves: list[Curves]) -> Claim:
    plain, stretched = of_family(curves, AIRY), of_family(curves, STRETCHED)
    steps = [[one.escape for one in family] for family in (plain, stretched)]
    first = fast_sum(curves).escape
    growth = plain[-1].escape / first
    return Claim(
        id="N1b",
        statement="The time to learn an Airy function grows with its delay t₀.",
        source=RECALLED,
        expected=(
            f"median steps to a share below {ESCAPED:g} rise with t₀ in both families, by at "
            f"least {GROWTH:g}× from the fast exponential sum to the latest Ai(t − t₀); all of "
            "them reached"
        ),
        measured=(
            f"fast exponentials {told_steps([first])}; Ai(t − t₀), t₀ = "
            f"{listed((one.memory for one in plain), 'g')}: {told_steps(steps[0])} "
            f"({told_factor(growth)}); Ai({STRETCH:g}(t − t₀)), t₀ = "
            f"{listed((one.memory for one in stretched), 'g')}: {told_steps(steps[1])}; medians "
            f"of {s.seeds} seeds, budget {s.steps:,}"
        ),
        verdict=verdict(
            np.isfinite(first) and rises(steps[0]) and rises(steps[1]) and growth >= GROWTH
        ),
        note=(
            "The factor is the one that complex diagonal networks have to meet, fixed before. "
            "With t₀ the number of oscillations grows as well: N1c moves one shape."
        ),
    )


def _bumps(s: LinearSettings, curves: list[Curves]) -> Claim:
    family = of_family(curves, BUMP)
    steps = [one.escape for one in family]
    growth = steps[-1] / steps[0]
    rate, _ = growth_rate(family)
    exponent = f"log(steps) grows by {rate:.2f} per unit of time; " if np.isfinite(rate) else ""
    return Claim(
        id="N1c",
        statement="The same shape takes longer to learn the later it comes.",
        source=f"{DERIVED}: a late bump reaches gradients with a factor e^(−wt₁)",
        expected=(
            f"median steps to a share below {ESCAPED:g} rise with the time t₁ of a Gaussian bump "
            f"of width ½, all reached, by at least {BUMP_GROWTH:g}× in all"
        ),
        measured=(
            f"t₁ = {listed((one.memory for one in family), 'g')}: {told_steps(steps)} "
            f"({told_factor(growth)}); {exponent}medians of {s.seeds} seeds"
        ),
        verdict=verdict(rises(steps) and growth >= BUMP_GROWTH),
        note=AFTER,
    )


def _tanh_plateaus(s: TanhSettings, curves: list[Curves]) -> Claim:
    sums, late = of_family(curves, EXPONENTIALS), recalled_target(curves)
    return Claim(
        id="N2a",
        statement=(
            "A tanh RNN trained by Adam learns exponential sums without a plateau, and has one on "
            "an Airy function."
        ),
        source=f"{DERIVED}: the linear experiment, with tanh and Adam",
        expected=(
            f"median {PLATEAU}: at most {TANH_SHORT} steps for exponential sums, at least "
            f"{TANH_LONG} for Ai({STRETCH:g}(t − {RECALLED_DELAY:g})); all of them learnt"
        ),
        measured=f"{_told_plateaus([*sums, late])} ({_how(s)})",
        verdict=verdict(
            all(one.learnt for one in (*sums, late))
            and max(one.plateau for one in sums) <= TANH_SHORT
            and late.plateau >= TANH_LONG
        ),
        note=(
            f"{AFTER} The prototype looked every 10 steps, at 128 held-out sequences, and "
            f"found 60. {told_share(late)} After a running median of {SMOOTHED} records, "
            f"{_told_plateaus([late.smoothed(SMOOTHED)])}. On the latest delay, "
            f"{_told_plateaus(of_family(curves, STRETCHED)[-1:])}." + _diverged(curves)
        ),
    )


def _tanh_growth(s: TanhSettings, curves: list[Curves]) -> Claim:
    family = of_family(curves, STRETCHED)
    steps = [one.escape for one in family]
    first = fast_sum(curves).escape
    growth = steps[-1] / first
    return Claim(
        id="N2b",
        statement="The time in which a tanh RNN learns an Airy function grows with its delay.",
        source=f"{DERIVED}: the linear experiment, with tanh and Adam",
        expected=(
            f"median steps to a share below {ESCAPED:g} rise with t₀, all reached, by at least "
            f"{TANH_GROWTH:g}× from the fast exponential sum to the latest"
        ),
        measured=(
            f"fast exponentials {told_steps([first])}; t₀ = "
            f"{listed((one.memory for one in family), 'g')}: {told_steps(steps)} "
            f"({told_factor(growth)}); {_how(s)}, budget {s.steps:,} steps"
        ),
        verdict=verdict(np.isfinite(first) and rises(steps) and growth >= TANH_GROWTH),
        note=(
            f"{AFTER} Of these steps the longest plateaus are "
            f"{told_steps([one.plateau for one in family])}."
        ),
    )


def _how(s: TanhSettings) -> str:
    return f"medians of {s.seeds} seeds, {s.width} units, share on {s.tests} held-out sequences"
