"""The claims on the geometry, from its measures."""

from collections.abc import Mapping

import numpy as np

from remanence.studies.contract import Claim, verdict
from remanence.studies.hyperbolic.identities_descent import Descent
from remanence.studies.hyperbolic.identities_landscape import Zeros
from remanence.studies.hyperbolic.identities_settings import (
    ARRIVED,
    EXACT,
    LAPLACIAN,
    PROJECTED,
    SLOPE,
    TENFOLD,
    IdentitySettings,
)
from remanence.studies.hyperbolic.sources import DERIVED, IRKA, MARTIN
from remanence.studies.wording import listed


def share_claim(s: IdentitySettings, errors: Mapping[str, np.ndarray]) -> Claim:
    """HY1a."""
    worst = {name: float(values.max()) for name, values in errors.items()}
    return Claim(
        id="HY1a",
        statement=(
            "What one mode leaves unexplained of another is a squared hyperbolic distance: "
            "1 − |o|² = ρ² = tanh²(d/2), metric 4|dλ|²/(1 − |λ|²)²."
        ),
        source=f"classical; −log|o|² is the squared cepstral distance of {MARTIN}",
        expected=(
            f"the three agree within {EXACT:g} in decimal arithmetic, and the library's |o|², ρ² "
            f"and tanh²(d/2) are within {EXACT:g} of it, memories to 1e{s.decades}"
        ),
        measured=(
            "largest relative error "
            + ", ".join(f"{name} {value:.1e}" for name, value in worst.items())
            + f" over {s.pairs} pairs, a third of them close to each other"
        ),
        verdict=verdict(max(worst.values()) <= EXACT),
        note=(
            "Decimal arithmetic starts from the very R and θ that the library holds: what they "
            "cannot hold, phases to 2e-16, is not in these errors."
        ),
    )


def law_claim(s: IdentitySettings, errors: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Claim:
    """HY1b."""
    law, gradient, hessian = (float(one.max()) for one in errors)
    return Claim(
        id="HY1b",
        statement=(
            "−log E = 2 log cosh(d/2): its hyperbolic gradient has length tanh(d/2), and its "
            "Hessian at the optimum is ½ in every direction at every memory."
        ),
        source=DERIVED,
        expected=f"all within {EXACT:g} by automatic differentiation, memories to 1e{s.decades}",
        measured=(
            f"largest relative errors: law {law:.1e}, gradient {gradient:.1e} ({s.pairs} random "
            f"pairs), Hessian {hessian:.1e} (20 memories)"
        ),
        verdict=verdict(max(law, gradient, hessian) <= EXACT),
    )


def known_claim(s: IdentitySettings, errors: tuple[np.ndarray, np.ndarray]) -> Claim:
    """HY1c."""
    reduced, projected = (float(one.max()) for one in errors)
    return Claim(
        id="HY1c",
        statement=(
            "For one complex pole the hyperbolic gradient is what model reduction uses: with s "
            "the ascent vector of log E, (λ + s)/(1 + λ̄s) is one step of one-pole IRKA, and the "
            "H² Riemannian gradient of ½‖g − f‖² is 2∇(−log E)."
        ),
        source=f"derived; H² geometry of IRKA: {IRKA}",
        expected=(
            f"both within {PROJECTED:g} (relative), the first against Hermite interpolation, the "
            "second against projection on sampled tangents"
        ),
        measured=(
            f"largest errors {reduced:.1e} and {projected:.1e} at {errors[0].size} places of "
            f"targets with {listed(s.orders)} modes"
        ),
        verdict=verdict(max(reduced, projected) <= PROJECTED),
        note="Step 1 in their metric is the rate 2 in ours, to first order.",
    )


def laplacian_claim(s: IdentitySettings, errors: np.ndarray) -> Claim:
    """HY2a."""
    return Claim(
        id="HY2a",
        statement=(
            "For every target and one complex mode Δ_hyp(−log E) = 1 away from the zeros of "
            "G(λ̄): no plateau."
        ),
        source=(
            "derived; E is the Husimi function of SU(1,1) coherent states, and the identity that "
            "of Poincaré and Lelong"
        ),
        expected=f"within {LAPLACIAN:g} of 1 by finite differences on geodesic circles",
        measured=(
            f"largest error {errors.max():.1e} at {errors.size} places of targets with "
            f"{listed(s.orders)} modes, farther than 0.5 from zeros"
        ),
        verdict=verdict(errors.max() <= LAPLACIAN),
        note="White input and a complex readout; pairs that share a real readout interact.",
    )


def zeros_claim(s: IdentitySettings, found: Zeros) -> Claim:
    """HY2b."""
    agree = bool(np.all(found.located == found.wound))
    climb = float(np.max(np.abs(found.climbs - 1), initial=0.0))
    farthest = float(np.max(found.maxima, initial=0.0))
    enough = found.climbs.size > 0
    return Claim(
        id="HY2b",
        statement=(
            "The exceptions are the zeros of G(λ̄), at most n − 1 for n modes, where −log E → ∞; "
            "it has no other local maximum."
        ),
        source=DERIVED,
        expected=(
            "as many zeros in R < 4 by the roots of the numerator as by winding; −log E climbs by "
            f"2 log 10 within {TENFOLD:.0%} at each tenfold approach; every local maximum on a "
            "grid within one cell of a zero, and every zero has one"
        ),
        measured=(
            f"{found.located.sum()} zeros by roots, {found.wound.sum()} by winding, of "
            f"{found.located.size} targets; climb off by at most {climb:.1e}; "
            f"{found.maxima.size} maxima, at most {farthest:.2f} cells from a zero; "
            f"{found.missed} zeros without one"
        ),
        verdict=verdict(
            enough and agree and climb <= TENFOLD and farthest <= 1 and found.missed == 0
        ),
        note="Saddles and local minima remain: the identity does not exclude them.",
    )


def mean_slope_claim(s: IdentitySettings, found: tuple[np.ndarray, np.ndarray]) -> Claim:
    """HY2c."""
    errors, inside = found
    return Claim(
        id="HY2c",
        statement=(
            "No plateau in numbers: the mean outward slope of −log E on a hyperbolic circle of "
            "radius r with N zeros inside is tanh(r/2) − 2N/sinh r, area over length without "
            "zeros."
        ),
        source="derived: Gauss's theorem and HY2a",
        expected=f"within {LAPLACIAN:g}, r = {listed(s.circles, 'g')}",
        measured=(
            f"largest error {errors.max():.1e} over {errors.size} circles, "
            f"{np.count_nonzero(inside)} of them around zeros"
        ),
        verdict=verdict(errors.max() <= LAPLACIAN),
        note="Circles that pass a zero within 0.2 are left out; the quadrature fails there.",
    )


def descent_claim(s: IdentitySettings, found: Descent) -> Claim:
    """HY3."""
    off = np.abs(found.slopes - 1)
    apart = np.abs(found.steps - found.predicted)
    reduced = found.reduced
    return Claim(
        id="HY3",
        statement=(
            "Steps of gradient descent along geodesics on −log E grow with the logarithm of "
            "memory, by 1/η for each factor e."
        ),
        source=DERIVED,
        expected=(
            f"η = {listed(s.rates, 'g')}: slope of the steps to 1 − E < {ARRIVED:g} against "
            f"log 1/ε within {SLOPE:.0%} of 1/η, memories {s.step_memories[0]:.0e} to "
            f"{s.step_memories[-1]:.0e}"
        ),
        measured=(
            f"slope × η {found.slopes.min():.3f} to {found.slopes.max():.3f} "
            f"({s.angles} angles); at most {apart.max():.0f} steps from d ← d − η tanh(d/2)"
        ),
        verdict=verdict(bool(np.all(off <= SLOPE))),
        note=(
            "With exact data step counts that do not depend on memory are not new: one-pole IRKA "
            f"takes {reduced.min():.0f} to {reduced.max():.0f} steps here (rounding of tanh(d/2) "
            "costs it the second). Descent at a fixed rate needs no exact derivatives of G, and "
            "works with any readout."
        ),
    )
