"""The claims of the architecture comparison, from the measured losses."""

import numpy as np

from remanence.studies.contract import Claim, verdict
from remanence.studies.sensitivity.architectures_measures import Architectures
from remanence.studies.sensitivity.architectures_settings import (
    PUBLISHED_ABLATION,
    ArchitectureSettings,
)
from remanence.studies.sensitivity.sources import figure
from remanence.studies.wording import listed

_PLATEAU = (0.40, 0.45)
_LEARNED = 2e-4
_FACTOR = 30.0
_SAME_PATTERN = 0.05
_DIAGONAL = ("32 blocks", "complex diagonal", "LRU")


def architecture_claims(settings: ArchitectureSettings, found: Architectures) -> tuple[Claim, ...]:
    """S7a to S7e."""
    return (
        sweep_claim(settings, found),
        plateau_claim(settings, found),
        pattern_claim(found),
        ablation_claim(settings, found),
        ensemble_claim(settings, found),
    )


def protocol(settings: ArchitectureSettings) -> str:
    """How the students on the published teacher were trained, in one phrase."""
    if settings.batch is None:
        return (
            f"median of {settings.starts} starts, {settings.steps:,} steps of Adam on the exact "
            "expected loss"
        )
    return (
        f"median of {settings.starts} starts, {settings.steps:,} steps of Adam on minibatches of "
        f"{settings.batch}, the same for all starts, exact expected loss at the end; rate of the "
        f"least median of {settings.search_starts} starts on the exact expected loss"
    )


def sweep_claim(settings: ArchitectureSettings, found: Architectures) -> Claim:
    """S7a: how the two architectures take growing memory."""
    dense, lru = ([grid.median for grid in found.sweep[name]] for name in ("dense RNN", "LRU"))
    ratio = dense[-1] / lru[-1]
    return Claim(
        id="S7a",
        statement=(
            "With little memory a dense linear RNN learns as well as an LRU; as the teacher's "
            "memory grows it falls behind by orders of magnitude."
        ),
        source=figure("3A"),
        expected=(
            f"dense/LRU below 1 at ν₀ = {settings.levels[0]:g} and above 1e3 at "
            f"{settings.levels[-1]:g}"
        ),
        measured=(
            f"dense RNN {listed(dense, '.1e')}, LRU {listed(lru, '.1e')} at ν₀ = "
            f"{listed(settings.levels, 'g')}; ratio {dense[0] / lru[0]:.2g} to {ratio:.1e}; "
            f"{protocol(settings)}"
        ),
        verdict=verdict(dense[0] < lru[0] and ratio > 1e3),
        note="The limits on the ratio are ours; figure 3A shows 0.16 and 1.8e4.",
    )


def plateau_claim(settings: ArchitectureSettings, found: Architectures) -> Claim:
    """S7b: the published plateau of the dense RNN."""
    grid = found.ablation["dense RNN"]
    median, cost = grid.median, found.pattern.cost
    return Claim(
        id="S7b",
        statement=(
            "On the published teacher at ν₀ = 0.99 the dense RNN ends at a plateau near 0.42, the "
            "cost of never learning its two real modes."
        ),
        source=f"{figure('3')}; the cost: derived",
        expected=f"median loss in [{_PLATEAU[0]:g}, {_PLATEAU[1]:g}]",
        measured=(
            f"{median:.3f} ({listed(np.sort(grid.best_losses), '.3f')}) at rate {grid.rate:g}; "
            f"cost of the two modes {cost:.3f}; {protocol(settings)}"
        ),
        verdict=verdict(_PLATEAU[0] <= median <= _PLATEAU[1]),
    )


def pattern_claim(found: Architectures) -> Claim:
    """S7c: what the plateau consists of."""
    shares = found.pattern.shares
    real = listed(np.sort(found.pattern.eigenvalues), ".4f")
    return Claim(
        id="S7c",
        statement=(
            "What the dense student lacks there is one pattern: the response of the teacher's "
            "real eigenvalues. The published factor of four decades is that of one teacher."
        ),
        source="derived from the published code, whose teacher has one fixed seed",
        expected=(
            f"in the median start at most {_SAME_PATTERN:.0%} of the remaining loss is left when "
            "that response is taken off the error"
        ),
        measured=(
            f"{np.median(shares):.2%} (starts from {shares.min():.2%} to {shares.max():.2%}); "
            f"real eigenvalues {real}"
        ),
        verdict=verdict(np.median(shares) <= _SAME_PATTERN),
        note=(
            "The criterion is ours, fixed before the first run. The published seed of the teacher "
            "was never varied; the starts were, and here not all end on the plateau (S7b): one "
            "that has learnt these modes, or ends above, lacks something else."
        ),
    )


def ablation_claim(settings: ArchitectureSettings, found: Architectures) -> Claim:
    """S7d: which ingredient makes the difference."""
    medians = {name: grid.median for name, grid in found.ablation.items()}
    return Claim(
        id="S7d",
        statement=(
            "Near-diagonality is the ingredient: blocks of 2 already learn what the dense RNN "
            "does not; complex diagonal recurrence, normalisation and exponential parametrisation "
            "change little."
        ),
        source=figure("3B"),
        expected=f"{', '.join(_DIAGONAL)} each below {_LEARNED:g} in the median",
        measured=(
            "; ".join(
                f"{name} {value:.1e} (published {PUBLISHED_ABLATION[name]:.1e})"
                for name, value in medians.items()
            )
            + f"; {protocol(settings)}"
        ),
        verdict=verdict(all(medians[name] < _LEARNED for name in _DIAGONAL)),
    )


def ensemble_claim(settings: ArchitectureSettings, found: Architectures) -> Claim:
    """S7e: the same over teachers that were not published."""
    medians = {name: grid.median for name, grid in found.ensemble.items()}
    factors = found.ensemble["dense RNN"].best_losses / found.ensemble["32 blocks"].best_losses
    ratio = medians["dense RNN"] / medians["32 blocks"]
    return Claim(
        id="S7e",
        statement=(
            "Over other teachers of the same recipe the dense RNN stays behind the block-diagonal "
            "one, by a factor that varies from teacher to teacher."
        ),
        source="derived: the published comparison with more than one teacher",
        expected=f"median dense / median 32 blocks above {_FACTOR:g}",
        measured=(
            f"{ratio:.3g}; medians over {settings.teachers} teachers: "
            + ", ".join(f"{name} {value:.1e}" for name, value in medians.items())
            + f"; teacher by teacher the factor is {factors.min():.2g} to {factors.max():.2g} "
            f"(quartiles {listed(np.percentile(factors, [25, 75]), '.2g')}); one start each, "
            f"{settings.ensemble_steps:,} steps on the exact expected loss, one rate for all "
            "teachers"
        ),
        verdict=verdict(ratio > _FACTOR),
    )
