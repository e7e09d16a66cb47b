"""Stable reparameterisation of state-space models (Wang & Li 2024).

A part is a topic with its settings, measures, claims and figures.
"""

from remanence.studies.contract import Study
from remanence.studies.reparameterisation.learning_rates import LEARNING_RATES
from remanence.studies.reparameterisation.moduli import MODULI
from remanence.studies.reparameterisation.perturbation import PERTURBATION
from remanence.studies.reparameterisation.sources import PAPER

STABLE_REPARAMETERISATION = Study(
    name="stable-reparameterisation",
    title="Stable reparameterisation: perturbed weights, and the learning rates that survive",
    summary=(
        "A state-space model whose eigenvalues are parameters themselves becomes unstable as soon "
        "as one of them is perturbed by more than its distance to the axis, and long memory needs "
        "that distance to be small. A stable reparameterisation λ = f(w) bounds what a "
        "perturbation of w costs, whatever the memory, and with −1/(a w² + b) the scale of the "
        "gradient over the weight is the same for every memory; the ratio measured in training "
        "still grows with the learning rate. Moduli and gradient scales in closed form, the "
        "published perturbation experiment beside our own, and learning rates swept for every map "
        "from a fair start and from the published one."
    ),
    source=PAPER,
    parts=(MODULI, PERTURBATION, LEARNING_RATES),
    minutes={"quick": 0.3, "full": 40.0},
)
