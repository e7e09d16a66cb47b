"""Learning low-dimensional state spaces with overparameterized RNNs (Cohen-Karlik et al. 2023)."""

from remanence.studies.contract import Study
from remanence.studies.low_dimensional.descent import DESCENT
from remanence.studies.low_dimensional.gated import GATED
from remanence.studies.low_dimensional.identities import IDENTITIES
from remanence.studies.low_dimensional.minimum_norm import MINIMUM_NORM
from remanence.studies.low_dimensional.poisoning import POISONING
from remanence.studies.low_dimensional.thresholds import THRESHOLDS

LOW_DIMENSIONAL = Study(
    name="low-dimensional-state-spaces",
    title="Gradient descent learns low-dimensional state spaces that extrapolate",
    summary=(
        "Gradient descent from near zero keeps a linear recurrent network balanced; a balanced "
        "network that fits 2d̂ + 1 lags of a teacher of order d̂ equals it at every lag, however "
        "many states it has. Thresholds are shown with the loss and the spectral radius beside "
        "the extrapolation error, medians over seeds; the range of lags is named with each."
    ),
    source="Cohen-Karlik et al., ICLR 2023, and what follows from it",
    parts=(IDENTITIES, THRESHOLDS, DESCENT, MINIMUM_NORM, POISONING, GATED),
    minutes={"quick": 1.5, "full": 5.0},
)
