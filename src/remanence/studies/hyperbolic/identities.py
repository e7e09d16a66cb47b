"""The geometry of eigenvalues: distance, law of the loss, Laplacian, and descent by memory."""

import numpy as np

from remanence.report import AbstractProgress
from remanence.studies.contract import Finding, Part
from remanence.studies.hyperbolic.identities_claims import (
    descent_claim,
    known_claim,
    laplacian_claim,
    law_claim,
    mean_slope_claim,
    share_claim,
    zeros_claim,
)
from remanence.studies.hyperbolic.identities_descent import (
    Descent,
    measure_descent,
    measure_paths,
)
from remanence.studies.hyperbolic.identities_figures import (
    landscape_figure,
    paths_figure,
    steps_figure,
)
from remanence.studies.hyperbolic.identities_landscape import (
    laplacian_errors,
    measure_zeros,
    slope_errors,
)
from remanence.studies.hyperbolic.identities_measures import (
    curvature_errors,
    known_steps,
    share_errors,
)
from remanence.studies.hyperbolic.identities_settings import FULL, QUICK, IdentitySettings


def run_identities(settings: IdentitySettings, progress: AbstractProgress) -> Finding:
    """Measure HY1a to HY1c (distance and its law), HY2a to HY2c (landscape) and HY3 (steps)."""
    s = settings
    progress.update(0.0, "distances in decimal arithmetic")
    shares = share_errors(s)
    progress.update(0.05, "derivatives of −log E")
    law = curvature_errors(s)
    progress.update(0.2, "one-pole model reduction")
    known = known_steps(s)
    progress.update(0.4, "Laplacians")
    laplacians = laplacian_errors(s)
    progress.update(0.5, "zeros")
    zeros = measure_zeros(s)
    progress.update(0.6, "mean slopes")
    slopes = slope_errors(s)
    progress.update(0.65, "descent by memory")
    descent = measure_descent(
        s, lambda share: progress.update(0.65 + 0.2 * share, "descent by memory")
    )
    progress.update(0.85, "paths")
    paths = measure_paths(s)
    progress.update(0.95, "drawing")
    return Finding(
        title="The disc of eigenvalues: distance, landscape, steps",
        text=(
            "A normalised mode √(1 − |λ|²) λ^j with its readout solved for explains the share E "
            "of a target's energy. For a target of one mode, E = sech²(d/2) with d the distance "
            "in the Poincaré disc of curvature −1, so that −log E = 2 log cosh(d/2) has slope 1 "
            "away from the target whatever the memory, while 1 − E = tanh²(d/2) is flat up to a "
            "factor e^{−d}. For any target −log E has the hyperbolic Laplacian 1 but at zeros of "
            "the transfer function. None of this mathematics is new: see the sources. New, as "
            "far as we know, is its use for training recurrent layers."
        ),
        claims=(
            share_claim(s, shares),
            law_claim(s, law),
            known_claim(s, known),
            laplacian_claim(s, laplacians),
            zeros_claim(s, zeros),
            mean_slope_claim(s, slopes),
            descent_claim(s, descent),
        ),
        figures=(paths_figure(paths), landscape_figure(s), steps_figure(s, descent)),
        tables={"hyperbolic_descent_steps": _steps_table(descent)},
    )


def _steps_table(found: Descent) -> dict[str, np.ndarray]:
    count = found.distances.shape[1]
    rate, memory, angle = (
        index.ravel()
        for index in np.meshgrid(found.rates, found.memories, range(count), indexing="ij")
    )
    times = len(found.rates)
    return {
        "rate": rate,
        "memory": memory,
        "angle": angle,
        "distance": np.tile(found.distances.ravel(), times),
        "steps": found.steps.ravel(),
        "predicted": found.predicted.ravel(),
        "irka_steps": np.tile(found.reduced.ravel(), times),
    }


IDENTITIES = Part("identities", run_identities, {"quick": QUICK, "full": FULL}, weight=8.0)
"""The claims on distance, landscape and steps by memory."""
