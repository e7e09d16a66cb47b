"""Published claims, re-run: what is claimed, what we measured, holds or fails.

A `Study` is a list of parts, each with settings fixed before the run. `run_study` runs one,
`save_study` writes its report; `STUDIES` lists them all.
"""

from remanence.studies.contract import Claim as Claim
from remanence.studies.contract import Finding as Finding
from remanence.studies.contract import Part as Part
from remanence.studies.contract import Study as Study
from remanence.studies.contract import StudyResult as StudyResult
from remanence.studies.curse_of_memory import CURSE_OF_MEMORY
from remanence.studies.hyperbolic import HYPERBOLIC_TRAINING
from remanence.studies.low_dimensional import LOW_DIMENSIONAL
from remanence.studies.reparameterisation import STABLE_REPARAMETERISATION
from remanence.studies.runner import find_study as find_study
from remanence.studies.runner import run_study as run_study
from remanence.studies.runner import save_study as save_study
from remanence.studies.runner import select_parts as select_parts
from remanence.studies.runner import study_page as study_page
from remanence.studies.sensitivity import SENSITIVITY

STUDIES: tuple[Study, ...] = (
    LOW_DIMENSIONAL,
    SENSITIVITY,
    HYPERBOLIC_TRAINING,
    STABLE_REPARAMETERISATION,
    CURSE_OF_MEMORY,
)
"""Every study, in the order of `remanence study list`."""
