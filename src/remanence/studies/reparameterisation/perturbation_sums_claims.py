"""The claims on perturbed exponential sums."""

import math
from collections.abc import Mapping

import numpy as np

from remanence.studies.contract import Claim, verdict
from remanence.studies.reparameterisation.perturbation_settings import (
    EULER_DECADES,
    EULER_ERRORS,
    EULER_STABLE,
    HORIZON,
    LONG_DIRECT,
    LONG_ERRORS,
    LONG_RADIUS,
    LONG_TOLERANCE,
    LONG_WIDTH,
    RADII,
    PerturbationSettings,
)
from remanence.studies.reparameterisation.perturbation_sums import (
    EIGENVALUES,
    EVERYTHING,
    EXPONENTIAL,
    NORMALISED,
    POWER_LAW,
    TENSOR,
    Long,
    Sums,
)
from remanence.studies.reparameterisation.sources import DERIVED, INVERSE, figure
from remanence.studies.wording import listed
from remanence.theory.perturbation import PerturbationErrors

STABLE = ("exponential", "softplus", "best")
LOST = 0.5
"""F1f, F1g: a β is tolerated while the error is at most this share of the target's norm."""

RADIUS_FALLS, RADIUS_STAYS = 10.0, 1.1
KEPT, FALLS = 1.0, 2.0
GROWTH_TOLERANCE = 0.02
"""F1h."""

PROTOTYPE = "Criterion chosen after a prototype."


def tolerated(found: Sums, name: str, what: str) -> list[float]:
    """By width, in the published convention."""
    rows = found.errors[name, what, TENSOR]
    return [row.tolerated(LOST * found.norm) for row in rows]


def sum_claims(
    s: PerturbationSettings,
    found: Mapping[str, Sums],
    euler: Mapping[str, tuple[PerturbationErrors, ...]],
    far: Long,
) -> tuple[Claim, ...]:
    """F1f to F1i."""
    return (
        radius_claim(s, found),
        readouts_claim(s, found[POWER_LAW]),
        euler_sums_claim(s, euler),
        long_claim(far),
    )


def radius_claim(s: PerturbationSettings, found: Mapping[str, Sums]) -> Claim:
    """F1f."""
    power, exponential = found[POWER_LAW].radii, found[EXPONENTIAL].radii
    direct = tolerated(found[POWER_LAW], "direct", EIGENVALUES)
    kept = {name: tolerated(found[POWER_LAW], name, EIGENVALUES) for name in STABLE}
    least = min(min(values) for values in kept.values())
    return Claim(
        id="F1f",
        statement=(
            "Least-squares fits of a power law have a stability radius min |λ| that goes to 0 "
            "with the width, those of an exponential do not; a stable map tolerates no less of a "
            "perturbation of its eigenvalues in a wide fit than in a narrow one."
        ),
        source=f"{INVERSE}, appendix D; {figure('Theorem 3.5')}",
        expected=(
            f"min |λ| falls by ≥ {RADIUS_FALLS:g}× from width {s.sum_widths[0]} to "
            f"{s.sum_widths[-1]} for (t + 1)^−1.1, changes by ≤ {RADIUS_STAYS:g}× for 0.9^t; β "
            f"tolerated (error ≤ {LOST:g} of the norm, eigenvalues alone perturbed) at width "
            f"{s.sum_widths[-1]} not below that at {s.sum_widths[0]} for each of "
            f"{', '.join(STABLE)}, and greater than every direct one"
        ),
        measured=(
            f"min |λ| {listed(power, '.2g')} and {listed(exponential, '.3g')}; tolerated: direct "
            f"{listed(direct, '.3g')}; "
            + "; ".join(f"{name} {listed(values, '.3g')}" for name, values in kept.items())
            + f"; {s.sum_draws} draws per β"
        ),
        verdict=verdict(
            power[0] / power[-1] >= RADIUS_FALLS
            and max(exponential) / min(exponential) <= RADIUS_STAYS
            and all(values[-1] >= KEPT * values[0] for values in kept.values())
            and least > max(direct)
        ),
        note=(
            f"{PROTOTYPE} On {HORIZON} steps the β that the direct map tolerates hardly moves "
            "with the width: an unstable mode shows only after 1/β steps. The law is one of the "
            "infinite horizon (F1i). Sums with free rates approximate power laws fast; not the "
            "width suffers but the stability radius."
        ),
    )


def readouts_claim(s: PerturbationSettings, found: Sums) -> Claim:
    """F1g."""
    raw = {name: tolerated(found, name, EVERYTHING) for name in STABLE}
    normalised = {name: tolerated(found, name, NORMALISED) for name in STABLE}
    falls = all(values[-1] * FALLS <= values[0] for values in raw.values())
    kept = all(values[-1] * FALLS >= values[0] for values in normalised.values())
    return Claim(
        id="F1g",
        statement=(
            "A stable map alone does not make the approximation of a power law stable: with the "
            "readouts perturbed too, it takes normalised modes c = |λ| ĉ."
        ),
        source=f"{DERIVED}: β/|λ| per mode against β",
        expected=(
            f"β tolerated for (t + 1)^−1.1 from width {s.sum_widths[0]} to {s.sum_widths[-1]}: "
            f"falls by ≥ {FALLS:g}× with raw readouts, by ≤ {FALLS:g}× with normalised ones, for "
            "every stable map"
        ),
        measured="; ".join(
            f"{name} raw {listed(raw[name], '.3g')}, normalised {listed(normalised[name], '.3g')}"
            for name in STABLE
        ),
        verdict=verdict(falls and kept),
        note=f"{PROTOTYPE} The widest fit uses {found.modes[-1]} modes.",
    )


def euler_sums_claim(
    s: PerturbationSettings, found: Mapping[str, tuple[PerturbationErrors, ...]]
) -> Claim:
    """F1h."""
    radii = np.array(RADII)
    direct = found["direct"]
    # Far beyond the radius the slowest mode alone is left, (1 + β + λ)^(2t), λ ≈ 0.
    two = (radii.searchsorted(0.5), radii.size - 1)
    law = 2 * (HORIZON - 1) * np.log10((1 + radii[two[1]]) / (1 + radii[two[0]]))
    rises = [float(np.log10(row.errors[two[1]] / row.errors[two[0]])) for row in direct]
    off = max(abs(rise / law - 1) for rise in rises)
    most = max(float(row.errors[-1]) for name in STABLE for row in found[name])
    at = {beta: [float(row.errors[_place(beta)]) for row in direct] for beta, _ in EULER_ERRORS}
    told = [
        f"{beta:g}: {min(at[beta]):.2g} … {max(at[beta]):.2g} (known {known:g})"
        for beta, known in EULER_ERRORS
    ]
    far = [max(_decades(one, known) for one in at[beta]) for beta, known in EULER_ERRORS]
    near = all(one <= most for one, most in zip(far, EULER_DECADES, strict=True))
    return Claim(
        id="F1h",
        statement=(
            "One Euler step per time step, perturbed one-sidedly: the direct map's error grows as "
            "(1 + β)^{2T}, at all widths alike; those of stable maps stay bounded."
        ),
        source=DERIVED,
        expected=(
            "direct errors of "
            + ", ".join(f"{known:g} at β = {beta:g}" for beta, known in EULER_ERRORS)
            + f", within {listed(EULER_DECADES, 'g')} decades; their log from "
            f"β = {radii[two[0]]:.3g} to {radii[two[1]]:.3g} within "
            f"{100 * GROWTH_TOLERANCE:g} % of the law; stable maps ≤ {EULER_STABLE:g} at "
            f"β = {radii[-1]:.4g}; widths {listed(s.euler_widths)}"
        ),
        measured=(
            "direct at β = "
            + ", ".join(told)
            + f": up to {listed(far, '.2f')} decades off; law within {100 * off:.2f} %; stable "
            f"maps at most {most:.3g}"
        ),
        verdict=verdict(near and off <= GROWTH_TOLERANCE and most <= EULER_STABLE),
        note=(
            "The three errors, their decades and the bound on stable maps stood before the run; "
            f"the law's {100 * GROWTH_TOLERANCE:g} % were chosen after a prototype. The law "
            "leaves out the perturbed readouts, up to 0.6 of 25 decades. The loss behind the "
            "known errors is not recorded; ours is the experiment's, whose squared weights count "
            "the last steps up to nine times, 0.95 decades."
        ),
    )


def long_claim(found: Long) -> Claim:
    """F1i."""
    wide = np.array(found.widths) >= LONG_WIDTH
    lost = bool((found.radii[wide] <= LONG_DIRECT).all())
    distance = {
        name: float(np.max(np.abs(found.errors[name][wide] / known - 1)))
        for name, known in LONG_ERRORS.items()
    }
    return Claim(
        id="F1i",
        statement=(
            "Over [0, ∞) fits of (1 + t)^−1.1 are lost under the direct map at any β that "
            "matters; under stable maps the error does not depend on the width."
        ),
        source=f"{DERIVED}, closed forms",
        expected=(
            f"direct infinite at β = {LONG_DIRECT:g} from width {LONG_WIDTH} on; relative L¹ "
            f"change at β = {LONG_RADIUS:g}: "
            + ", ".join(f"{name} {known:g}" for name, known in LONG_ERRORS.items())
            + f", each within {100 * LONG_TOLERANCE:g} %, widths "
            + listed(np.array(found.widths)[wide].tolist())
        ),
        measured=(
            f"min |λ| {listed(found.radii.tolist(), '.2g')} at widths {listed(found.widths)}; "
            + "; ".join(
                f"{name} {listed(found.errors[name].tolist(), '.3g')}" for name in LONG_ERRORS
            )
        ),
        verdict=verdict(lost and max(distance.values()) <= LONG_TOLERANCE),
    )


def _decades(ours: float, known: float) -> float:
    """|log₁₀(ours/known)|."""
    return abs(math.log10(ours / known)) if 0 < ours < math.inf else math.inf


def _place(radius: float) -> int:
    return int(np.argmin(np.abs(np.array(RADII) - radius)))
