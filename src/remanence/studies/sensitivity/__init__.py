"""The curse of memory as sensitivity (Zucchet & Orvieto 2024), with what follows from it.

A part is a topic with its settings, measures, claims and figures. Another competitor of the
extensions (a preconditioner, say) is one more entry in their table of students.
"""

from remanence.studies.contract import Study
from remanence.studies.sensitivity.architectures import ARCHITECTURES
from remanence.studies.sensitivity.extensions import EXTENSIONS
from remanence.studies.sensitivity.gates import GATES
from remanence.studies.sensitivity.hessians import HESSIANS
from remanence.studies.sensitivity.landscapes import LANDSCAPES
from remanence.studies.sensitivity.moments import MOMENTS
from remanence.studies.sensitivity.rates import RATES
from remanence.studies.sensitivity.signals import SIGNALS
from remanence.studies.sensitivity.sources import PAPER

SENSITIVITY = Study(
    name="curse-of-memory-sensitivity",
    title="The curse of memory: outputs grow ever more sensitive to recurrent parameters",
    summary=(
        "As the memory of a recurrence grows, its outputs become ever more sensitive to its "
        "recurrent parameters, although no gradient explodes: the same parameter acts at every "
        "step, and long memory adds the effects up. Diagonal recurrence confines the sensitive "
        "directions, normalisation and reparametrisation tame the magnitude of eigenvalues (and "
        "not their phase), and gates do the same in GRU and LSTM. Closed forms are held against "
        "simulation, and the published experiments are run again, with more teachers than one."
    ),
    source=f"{PAPER}, and what follows from it",
    parts=(
        MOMENTS,
        LANDSCAPES,
        HESSIANS,
        ARCHITECTURES,
        RATES,
        SIGNALS,
        GATES,
        EXTENSIONS,
    ),
    minutes={"quick": 1.7, "full": 40.0},
)
