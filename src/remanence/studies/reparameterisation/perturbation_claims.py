"""The claims on perturbed networks, from their runs."""

import math

import numpy as np

from remanence.studies.contract import Claim, verdict
from remanence.studies.reparameterisation.perturbation_networks import (
    IMPLICIT,
    SOFTPLUS,
    VANILLA,
)
from remanence.studies.reparameterisation.perturbation_runs import (
    Perturbed,
    Runs,
    median_error,
    middle,
)
from remanence.studies.reparameterisation.perturbation_settings import (
    BLOWN_UP,
    COMPARED,
    DECADES,
    GROWTH,
    JUDGED,
    PUBLISHED,
    SHOWN,
    SOFTPLUS_MOST,
    TOLERATED,
    VANILLA_LEAST,
    PerturbationSettings,
)
from remanence.studies.reparameterisation.sources import DERIVED, PUBLISHED_CODE, figure
from remanence.studies.wording import listed

SET_UP = (
    "medians over {seeds} seeds; exact expected loss instead of 128,000 sampled sequences, in "
    "training and in testing"
)


FAR_LOST = 1e4
"""An error told in the note of F1c, where a network is lost beyond doubt."""


def network_claims(s: PerturbationSettings, runs: Runs) -> tuple[Claim, ...]:
    """F1a to F1e; F1e where width 64 is run."""
    claims = [judged_claim(s, runs), compared_claim(s, runs), crossing_claim(s, runs)]
    claims.append(euler_claim(runs))
    if 64 in s.widths:
        claims.append(growth_claim(s, runs))
    return tuple(claims)


def judged_claim(s: PerturbationSettings, runs: Runs) -> Claim:
    """F1a."""
    vanilla = [median_error(runs, VANILLA, width, JUDGED) for width in s.widths]
    softplus = [median_error(runs, SOFTPLUS, width, JUDGED) for width in s.widths]
    spread = [
        (min(seeds), max(seeds))
        for width in s.widths
        for seeds in [_at(runs, VANILLA, width, JUDGED)]
    ]
    ends = ", ".join(f"{low:.2g} … {high:.2g}" for low, high in spread)
    return Claim(
        id="F1a",
        statement=(
            f"Perturbed by β = {JUDGED:g}, state-space models with the rates themselves as "
            "parameters are lost at every width; with softplus they are not."
        ),
        source=f"{figure('figure 1')}; logged values of the {PUBLISHED_CODE}",
        expected=(
            f"vanilla ≥ {VANILLA_LEAST:g} and softplus ≤ {SOFTPLUS_MOST:g} at widths "
            f"{listed(s.widths)}; medians over seeds"
        ),
        measured=(
            f"vanilla {listed(vanilla, '.3g')}; softplus {listed(softplus, '.3g')}; "
            + SET_UP.format(seeds=s.seeds)
        ),
        verdict=verdict(min(vanilla) >= VANILLA_LEAST and max(softplus) <= SOFTPLUS_MOST),
        note=(
            "The two bounds were known beforehand; that medians over seeds are judged was decided "
            "after a prototype of one seed. The published values are of one seed, too. From "
            f"seed to seed vanilla spans {ends} at "
            "these widths: the error is exponential in the number of steps, its size at one β is "
            "little more than where the curve happens to rise."
        ),
    )


def compared_claim(s: PerturbationSettings, runs: Runs) -> Claim:
    """F1b."""
    distances, worst = [], (0.0, "")
    for kind in (VANILLA, SOFTPLUS):
        for width in s.widths:
            for radius, published in zip(SHOWN, PUBLISHED[kind][width], strict=True):
                if published >= COMPARED:
                    continue
                ours = median_error(runs, kind, width, radius)
                distance = abs(math.log10(ours / published)) if ours < math.inf else math.inf
                distances.append(distance)
                if distance > worst[0]:
                    worst = (distance, f"{kind}, width {width}, β = {radius:g}")
    found = middle(np.array(distances))
    return Claim(
        id="F1b",
        statement="The errors at every β are of the published order of magnitude.",
        source=f"logged values of the {PUBLISHED_CODE}",
        expected=(
            f"median of |log₁₀(ours/published)| ≤ {DECADES:g} over the published errors below "
            f"{COMPARED:g}, vanilla and softplus"
        ),
        measured=(
            f"{found:.2f} decades over {len(distances)} errors; the worst {worst[0]:.1f} "
            f"({worst[1]}); {SET_UP.format(seeds=s.seeds)}"
        ),
        verdict=verdict(found <= DECADES),
        note=(
            "Criterion chosen after a prototype of one seed. Published: minibatches of 512 of "
            "128,000 sequences; here the gradient of the "
            "expectation. A network that is let to train until half the loss of the one before "
            "may end far below it: the loss at β = 0 is the least comparable."
        ),
    )


def crossing_claim(s: PerturbationSettings, runs: Runs) -> Claim:
    """F1c."""
    tolerated = {
        kind: [
            middle(np.array([one.errors.tolerated(TOLERATED) for one in runs[kind, width]]))
            for width in s.widths
        ]
        for kind in (VANILLA, SOFTPLUS)
    }
    less = all(a < b for a, b in zip(tolerated[VANILLA], tolerated[SOFTPLUS], strict=True))
    quiet = [median_error(runs, VANILLA, width, 0.0) for width in s.widths]
    several, wide = len(s.widths) > 1, len(s.widths) > 2
    better = not several or quiet[-1] < quiet[0]
    moves = not wide or tolerated[VANILLA][-1] < tolerated[VANILLA][0]
    far = [
        middle(np.array([one.errors.tolerated(FAR_LOST) for one in runs[VANILLA, width]]))
        for width in s.widths
    ]
    stretch = [
        middle(np.array([_stretch(one) for one in runs[VANILLA, width]])) for width in s.widths
    ]
    dead = [
        float(np.mean([np.mean(one.network.parameters["W"] == 0) for one in runs[VANILLA, width]]))
        for width in s.widths
    ]
    return Claim(
        id="F1c",
        statement="Softplus networks tolerate a larger β than vanilla networks at every width"
        + ("; the wider vanilla network is better when it is not perturbed" if several else "")
        + (", and lost at a smaller β." if wide else "."),
        source=figure("figure 1"),
        expected=(
            f"largest β with an error ≤ {TOLERATED:g}: smaller for vanilla than for softplus at "
            "every width"
            + (", and smaller at the largest width than at the smallest" if wide else "")
            + ("; E(0) of vanilla smaller at the largest width" if several else "")
        ),
        measured=(
            f"vanilla {listed(tolerated[VANILLA], '.3g')}; softplus "
            f"{listed(tolerated[SOFTPLUS], '.3g')}; E(0) of vanilla {listed(quiet, '.2g')}; "
            f"widths {listed(s.widths)}; {SET_UP.format(seeds=s.seeds)}"
        ),
        verdict=verdict(less and moves and better),
        note=(
            "Criterion chosen after a prototype of one seed, that of E(0) once results were "
            "known. "
            + (
                ""
                if wide
                else "Whether the wider vanilla network is lost at a smaller β is judged where "
                "more than two widths are run. "
            )
            + f"Up to an error of {FAR_LOST:g} "
            f"vanilla tolerates {listed(far, '.3g')}. ReLU leaves "
            + listed([100 * share for share in dead], ".0f")
            + " % of its W at exactly 0, where there is no gradient: those eigenvalues of the "
            "step are 1 and the stability radius is 0 at every width. −β in W makes them up to "
            f"1 + β σ²(P), and P does not stay orthogonal: σ² ends at {listed(stretch, '.2g')}. "
            "That, and not the slowest memory learnt, is what sets the rise of each curve."
        ),
    )


def euler_claim(runs: Runs) -> Claim:
    """F1d."""
    soft = [one for (kind, _), found in runs.items() if kind == SOFTPLUS for one in found]
    implicit = [one for (kind, _), found in runs.items() if kind == IMPLICIT for one in found]
    drawn = np.concatenate([one.drawn for one in soft])
    least = np.concatenate([one.least for one in soft])
    greatest = np.concatenate([one.greatest for one in soft])
    blown = ~(drawn <= BLOWN_UP)
    below = int((least[blown] < -1).sum())
    above = int((greatest > 1 + 1e-12).sum())
    quiet = int((drawn[least >= -1] > BLOWN_UP).sum())
    most = max(float(one.drawn.max()) for one in implicit)
    return Claim(
        id="F1d",
        statement=(
            "What makes softplus networks blow up at large β is the explicit Euler step "
            "1 − eig(PᵀWP) leaving the unit circle at −1, and not a memory that is too long."
        ),
        source=f"{DERIVED}: PᵀWP is positive semidefinite for every P where W ≥ 0",
        expected=(
            f"every perturbed softplus network of error above {BLOWN_UP:g} has an eigenvalue "
            "below −1, none has one above 1; with the implicit step (1 + PᵀWP)⁻¹ no error "
            f"exceeds {BLOWN_UP:g}"
        ),
        measured=(
            f"{int(blown.sum())} of {drawn.size} networks blow up, {below} with an eigenvalue "
            f"below −1, {quiet} without; {above} of all have one above 1; implicit: at most "
            f"{most:.2g}"
        ),
        verdict=verdict(bool(blown.any()) and quiet == 0 and above == 0 and most <= BLOWN_UP),
        note=(
            "The threshold was chosen after a prototype of one seed: without any instability, "
            "perturbed layers multiply to errors of up to 2e7 at β = 1.024."
        ),
    )


def growth_claim(s: PerturbationSettings, runs: Runs) -> Claim:
    """F1e."""
    ratio, decades = GROWTH
    low, high = (median_error(runs, VANILLA, 64, radius) for radius in (1e-3, 1.6e-2))
    found = high / low
    seeds = np.array(_at(runs, VANILLA, 64, 1.6e-2)) / np.array(_at(runs, VANILLA, 64, 1e-3))
    return Claim(
        id="F1e",
        statement="The vanilla network of width 64 loses 17 decades from β = 1e-3 to 1.6e-2.",
        source=f"logged values of the {PUBLISHED_CODE}",
        expected=f"E(1.6e-2)/E(1e-3) = {ratio:.0e} within {decades:g} decades",
        measured=f"{found:.1e} ({low:.2g} to {high:.2g}); {SET_UP.format(seeds=s.seeds)}",
        verdict=verdict(math.isfinite(found) and abs(math.log10(found / ratio)) <= decades),
        note=(
            f"By seed: {listed(np.sort(seeds).tolist(), '.1e')}. The published value is of one "
            "seed, and the exponent is as random as σ²(P) (F1c)."
        ),
    )


def _at(runs: Runs, kind: str, width: int, radius: float) -> list[float]:
    return [median_error({(kind, width): [one]}, kind, width, radius) for one in runs[kind, width]]


def _stretch(one: Perturbed) -> float:
    """The largest eigenvalue of PᵀP."""
    return float(np.linalg.norm(one.network.parameters["P"], 2) ** 2)
