"""The claims on gradient scales, from their measures."""

from collections.abc import Mapping

import numpy as np

from remanence.studies.contract import Claim, verdict
from remanence.studies.reparameterisation.moduli_measures import Scale
from remanence.studies.reparameterisation.moduli_settings import (
    AT,
    CHECKED_SCALES,
    IDENTITY_TOLERANCE,
    TABLE_TOLERANCE,
)
from remanence.studies.reparameterisation.sources import DERIVED, figure


def identity_claim(scales: Mapping[str, Scale]) -> Claim:
    """F3a."""
    worst = {
        name: float(np.max(np.abs(one.differentiated / one.integrated - 1)))
        for name, one in scales.items()
    }
    top = max(worst, key=lambda name: worst[name])
    return Claim(
        id="F3a",
        statement=(
            "The gradient of a worst-case loss in w has the scale |f'|/f² = |f'| ∫ s e^{fs} ds."
        ),
        source=figure("Theorem 3.6"),
        expected=(
            f"automatic differentiation and quadrature within {IDENTITY_TOLERANCE:g}, "
            f"{len(scales)} maps"
        ),
        measured=f"at most {worst[top]:.1e} ({top})",
        verdict=verdict(worst[top] < IDENTITY_TOLERANCE),
    )


def best_ratio_claim(ratios: np.ndarray) -> Claim:
    """F3b."""
    distance = float(np.max(np.abs(ratios / 2 - 1)))
    return Claim(
        id="F3b",
        statement="For −1/(aw² + b) the gradient's scale over the weight is 2a at every w.",
        source=figure("section 3.4"),
        expected=f"2 (a = 1) within {IDENTITY_TOLERANCE:g}, f' differentiated, |w| = 1e-3 … 1e3",
        measured=f"within {distance:.1e}",
        verdict=verdict(distance < IDENTITY_TOLERANCE),
    )


def mean_square_claim(scales: Mapping[str, Scale], ratios: np.ndarray) -> Claim:
    """F3c."""
    distance = float(np.max(np.abs(ratios / 4 - 1)))
    identity = max(
        float(np.max(np.abs(one.mean_square / (one.differentiated * np.sqrt(one.rates) / 2) - 1)))
        for one in scales.values()
    )
    return Claim(
        id="F3c",
        statement=(
            "For the mean squared loss under white noise the scale is ½ |f'|/|f|^{3/2}, and the "
            "analogue of the best map is −1/(aw² + b)², of ratio 4a."
        ),
        source=f"{DERIVED}: an extension",
        expected=f"4 (a = 1), and ‖∂ρ̂/∂w‖₂ by quadrature, within {IDENTITY_TOLERANCE:g}",
        measured=f"within {distance:.1e} and {identity:.1e}",
        verdict=verdict(max(distance, identity) < IDENTITY_TOLERANCE),
    )


def table_claim(found: Mapping[str, tuple[float, float]]) -> Claim:
    """F3d."""
    distance = max(
        abs(value / known - 1)
        for name, pair in CHECKED_SCALES.items()
        for value, known in zip(found[name], pair, strict=True)
    )
    told = "; ".join(f"{name} {scale:.4g}, {ratio:.4g}" for name, (scale, ratio) in found.items())
    return Claim(
        id="F3d",
        statement=(
            f"At a memory of {1 / AT:g} time units the scale of the gradient, and the scale over "
            "the weight, fall from direct to exponential and softplus to best."
        ),
        source=DERIVED,
        expected="; ".join(f"{name} {a:g}, {b:g}" for name, (a, b) in CHECKED_SCALES.items())
        + f" (within {TABLE_TOLERANCE:g})",
        measured=told,
        verdict=verdict(distance < TABLE_TOLERANCE),
        note=(
            "The ratio to the weight has artificial poles where w = 0: the exponential map at "
            "|λ| = 1, softplus at |λ| = ln 2. It is no property of the gradient there."
        ),
    )
