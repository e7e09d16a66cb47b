"""Learning rates: kernel regression under every map, and sequential MNIST."""

import numpy as np

from remanence.errors import RemanenceError
from remanence.report import AbstractProgress
from remanence.studies.contract import Finding, Part
from remanence.studies.reparameterisation.learning_rates_claims import digit_claims, sweep_claims
from remanence.studies.reparameterisation.learning_rates_digits import DigitSweep, digit_sweep
from remanence.studies.reparameterisation.learning_rates_figures import (
    digits_figure,
    losses_figure,
    ratios_figure,
)
from remanence.studies.reparameterisation.learning_rates_kernels import STUDENTS, Sweep, sweep
from remanence.studies.reparameterisation.learning_rates_settings import (
    FULL,
    PUBLISHED_DIGITS,
    QUICK,
    TOY,
    LearningRateSettings,
)
from remanence.studies.tables import columns


def run_learning_rates(settings: LearningRateSettings, progress: AbstractProgress) -> Finding:
    """Measure F4a to F4d (kernel regression) and, with images, F5a and F5b (MNIST)."""
    s = settings
    share = 0.04 if s.digits else 0.9
    found = sweep(s, lambda done: progress.update(share * done, "kernel regression"))
    claims = sweep_claims(s, found)
    figures = [losses_figure(s, found), ratios_figure(s, found)]
    tables = {"learning_rates": _table(found), "learning_rates_prototype": _prototype_table()}
    said = "Sequential MNIST is run by the full preset."
    if s.digits:
        try:
            digits = digit_sweep(
                s,
                lambda done, kind: progress.update(
                    share + (0.98 - share) * done, f"sequential MNIST, {kind}"
                ),
            )
        except RemanenceError as error:
            said = f"Sequential MNIST was not run: {error}."
        else:
            said = "Sequential MNIST is beside the published table 2."
            claims = (*claims, *digit_claims(s, digits))
            figures.append(digits_figure(s, digits))
            tables["learning_rates_digits"] = _digit_table(digits)
    progress.update(0.98, "drawing")
    return Finding(
        title="Learning rates",
        text=(
            "The gradient in w of a mode is proportional to f′(w), so that the map decides how "
            "large a step of a given learning rate is in terms of memory, and whether it throws "
            "the mode away. Kernel regression by Adam, all maps, rates and seeds side by side, "
            "from the same stable function; the direct map also from the released code's "
            "unstable start. The published claims on WikiText-103 and the long-range arena are "
            f"not re-run here. {said}"
        ),
        claims=claims,
        figures=tuple(figures),
        tables=tables,
    )


def _table(found: Sweep) -> dict[str, np.ndarray]:
    student, rate, seed = (index.ravel() for index in np.indices(found.losses.shape))
    return {
        "student": np.array([one.name for one in STUDENTS])[student],
        "learning_rate": np.array(found.rates)[rate],
        "seed": seed,
        "loss": found.losses.ravel(),
        "gradient_over_weight": found.ratios.ravel(),
        "gradient_over_weight_with_poles": found.all_ratios.ravel(),
    }


def _prototype_table() -> dict[str, np.ndarray]:
    names = ("learning_rate", "direct", "exponential", "softplus", "best")
    return columns(names, [(rate, *losses) for rate, losses in TOY.items()])


def _digit_table(found: DigitSweep) -> dict[str, np.ndarray]:
    columns = {"learning_rate": np.array(found.rates)}
    for name in found.students:
        columns[name] = found.of(name)
    published = np.array([PUBLISHED_DIGITS.get(rate, (np.nan,) * 4) for rate in found.rates])
    for place, name in enumerate(("direct", "softplus", "exponential", "best")):
        columns[f"published, {name}"] = published[:, place]
    return columns


LEARNING_RATES = Part(
    "learning rates", run_learning_rates, {"quick": QUICK, "full": FULL}, weight=5.0
)
"""The claims on learning rates."""
