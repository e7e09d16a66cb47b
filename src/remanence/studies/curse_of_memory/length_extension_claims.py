"""The claims on length extension, from what was measured."""

from collections.abc import Mapping

import numpy as np

from remanence.studies.contract import Claim, verdict
from remanence.studies.curse_of_memory.length_extension_settings import (
    ADVANTAGE,
    EXTENDS,
    GRU_GROWTH,
    HINDSIGHT,
    LONG_TOY,
    SHORT_TOY,
    STATIONARY_TOY,
    TOLERANCE,
    TOY_RIDGE,
    ZERO_GROWTH,
    ExtensionSettings,
)
from remanence.studies.curse_of_memory.length_extension_toy import (
    LONG_LENGTH,
    LONGEST,
    Toy,
)
from remanence.studies.curse_of_memory.length_extension_training import (
    CARRIED,
    CUT,
    ISOLATED,
    Extension,
)
from remanence.studies.curse_of_memory.sources import DERIVED, LONG_SSM
from remanence.studies.wording import listed

_PROTOTYPE = "Criterion chosen after a prototype on other seeds."


def _close(measured: float, expected: float) -> bool:
    return abs(measured / expected - 1) <= TOLERANCE


def _told(errors: Mapping[int, float]) -> str:
    return ", ".join(f"{error:.3g} at {length:,}" for length, error in errors.items())


def toy_claim(s: ExtensionSettings, toy: Toy) -> Claim:
    """F12a."""
    return Claim(
        id="F12a",
        statement=(
            f"A fit of the kernel (1 + {s.scale:g}k)^−{s.exponent:g} by {s.modes} fixed modes, "
            f"trained from zero states at {s.length} steps, does not extend: the earlier numbers, "
            f"reproduced with a ridge of {TOY_RIDGE:g} that was found by search."
        ),
        source=f"{DERIVED}; the question: {LONG_SSM}, abstract",
        expected=f"errors {_told(SHORT_TOY)} steps, each within {TOLERANCE:.0%} (pre-registered)",
        measured=f"{_told(toy.short)}, with a ridge of {TOY_RIDGE:g} of the Gram matrix's trace",
        verdict=verdict(all(_close(toy.short[L], e) for L, e in SHORT_TOY.items())),
        note=(
            "The ridge was not stated with the pre-registered numbers; we searched until they "
            "appeared, so that their agreement is evidence for the ridge rather than for the "
            f"numbers. The minimiser itself, without a ridge, errs by {_told(toy.exact)}: eight "
            "readouts are hardly determined by 16 lags, and what happens beyond them is the "
            "regularisation's choice (F12c)."
        ),
    )


def stationary_claim(s: ExtensionSettings, toy: Toy) -> Claim:
    """F12b."""
    close = _close(toy.stationary, STATIONARY_TOY) and all(
        _close(toy.long[L], e) for L, e in LONG_TOY.items()
    )
    return Claim(
        id="F12b",
        statement=(
            f"Trained at {LONG_LENGTH} steps it extends better, again with the ridge of "
            f"{TOY_RIDGE:g} that was found by search; with states carried, which needs no ridge, "
            "it is equally good at every length."
        ),
        source=f"{DERIVED}; the question: {LONG_SSM}, abstract",
        expected=(
            f"from zero at 256 steps {_told(LONG_TOY)}; states carried {STATIONARY_TOY:g} at "
            f"all lengths, each within {TOLERANCE:.0%} (pre-registered)"
        ),
        measured=f"{_told(toy.long)}; {toy.stationary:.3g}",
        verdict=verdict(close),
        note=(
            f"The ridge is that of F12a, found by search. Without it the fit at {LONG_LENGTH} "
            f"steps errs by {_told(toy.long_exact)}: "
            + (
                "these numbers do not depend on it."
                if all(_close(toy.long_exact[L], e) for L, e in LONG_TOY.items())
                else "these numbers depend on it."
            )
        ),
    )


def hindsight_claim(s: ExtensionSettings, toy: Toy) -> Claim:
    """F12c."""
    best = int(np.argmin(toy.at_longest))
    factor = float(toy.at_longest[best] / toy.stationary)
    return Claim(
        id="F12c",
        statement=(
            f"Training from zero at {s.length} steps does not determine the error at "
            f"{LONGEST:,}: regularisation does, and none of it reaches the carried-state fit."
        ),
        source=DERIVED,
        expected=(
            f"over ridges of 0 to {max(s.ridges):g} of the trace, the least error at {LONGEST:,} "
            f"steps is at least {HINDSIGHT:g}× that of the stationary fit"
        ),
        measured=(
            f"{toy.at_longest.min():.2g} to {toy.at_longest.max():.2g}; the least, {factor:.1f}× "
            f"the stationary one, at a ridge of {toy.ridges[best]:g}, where the training error "
            f"is {toy.at_training[best]:.1e}"
        ),
        verdict=verdict(factor >= HINDSIGHT),
        note="Criterion chosen after a prototype.",
    )


def _shares(found: Extension) -> str:
    return "; ".join(
        f"{way}: {listed(found.medians(way).tolist(), '.2g')}" for way in (ISOLATED, CUT, CARRIED)
    )


def _measured(s: ExtensionSettings, found: Extension) -> str:
    return (
        f"unexplained shares at {listed(found.lengths, ',')} steps, {_shares(found)} (medians of "
        f"{s.seeds} seeds, {s.sequences} sequences each, last quarter, {s.steps:,} steps of "
        "training)"
    )


def _advantage(found: Extension) -> float:
    return float(
        min(found.medians(ISOLATED)[-1], found.medians(CUT)[-1]) / found.medians(CARRIED)[-1]
    )


def _growth(found: Extension, way: str) -> float:
    medians = found.medians(way)
    return float(medians[-1] / medians[0])


def carried_claim(s: ExtensionSettings, found: Extension) -> Claim:
    """F12d."""
    least, reach = ADVANTAGE["S4D"], s.multiples[-1]
    worst, advantage = float(found.medians(CARRIED).max()), _advantage(found)
    return Claim(
        id="F12d",
        statement=(
            f"An S4D network trained at {s.length} steps with the state carried from batch to "
            f"batch extends to {reach} times that length."
        ),
        source=f"{LONG_SSM}, abstract",
        expected=(
            f"median unexplained share at most {EXTENDS:g} at every length up to {reach}×, and "
            f"at {reach}× at least {least:g}× below both ways of starting from zero"
        ),
        measured=f"worst {worst:.2g}, advantage {advantage:.3g}×; {_measured(s, found)}",
        verdict=verdict(worst <= EXTENDS and advantage >= least),
        note=(
            f"{_PROTOTYPE} The published claim is for models of text; here the teacher is the "
            "kernel of F12a and inputs are white. The networks have no biases: in the prototype "
            "a bias charged the slowest modes, of 1,000 steps, so that carried-state networks "
            "started from zero were wrong until those were charged (median share .43 at 256 "
            "steps, .004 at 4,096); with their response to zero input subtracted it was .0015 "
            "and .003."
        ),
    )


def zero_claim(s: ExtensionSettings, found: Extension) -> Claim:
    """F12e."""
    growth, cut = _growth(found, ISOLATED), _growth(found, CUT)
    return Claim(
        id="F12e",
        statement=(
            "Trained on isolated sequences from zero states it does not: what it leaves "
            "unexplained grows with the length."
        ),
        source=f"{LONG_SSM}, abstract",
        expected=(
            f"after training on isolated sequences the median share grows by at least "
            f"{ZERO_GROWTH:g}× from 1× to {s.multiples[-1]}×"
        ),
        measured=(
            f"{growth:.2g}×, from {found.medians(ISOLATED)[0]:.2g} at the length of training; on "
            f"pieces of a stream, whose past is noise to a model that starts "
            f"from zero, {cut:.2g}×"
        ),
        verdict=verdict(growth >= ZERO_GROWTH),
        note=_PROTOTYPE,
    )


def gru_claim(s: ExtensionSettings, found: Extension) -> Claim:
    """F12f."""
    least, reach = ADVANTAGE["GRU"], s.multiples[-1]
    growth, advantage = _growth(found, CARRIED), _advantage(found)
    others = [_growth(found, way) for way in (ISOLATED, CUT)]
    return Claim(
        id="F12f",
        statement=(
            f"So does a GRU: with states carried its share at {reach}× is no larger than at 1×, "
            "and smaller than from zero states."
        ),
        source=f"{DERIVED}; for state-space models: {LONG_SSM}, abstract",
        expected=(
            f"with states carried the median share at {reach}× at most {GRU_GROWTH:g}× that at "
            f"1×, and at least {least:g}× below both ways of starting from zero"
        ),
        measured=(
            f"growth {growth:.2g}× (from zero states, not judged: {listed(others, '.2g')}×), "
            f"advantage {advantage:.2g}×; {_measured(s, found)}"
        ),
        verdict=verdict(growth <= GRU_GROWTH and advantage >= least),
        note=(
            f"{_PROTOTYPE} The share at 1× is high with states carried because the network "
            "never trained from a zero state."
        ),
    )
