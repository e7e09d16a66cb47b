"""The curse of memory in approximation and optimisation (Li, Han, E & Li 2021), and its sequels.

A part is a topic with its settings, measures, claims and figures.
"""

from remanence.studies.contract import Study
from remanence.studies.curse_of_memory.approximation import APPROXIMATION
from remanence.studies.curse_of_memory.length_extension import LENGTH_EXTENSION
from remanence.studies.curse_of_memory.memory_functions import MEMORY_FUNCTIONS
from remanence.studies.curse_of_memory.networks import NETWORKS
from remanence.studies.curse_of_memory.plateaus import PLATEAUS
from remanence.studies.curse_of_memory.sources import INVERSE, LONG_SSM, PAPER

CURSE_OF_MEMORY = Study(
    name="curse-of-memory",
    title="The curse of memory: what stable exponentials approximate, and how long descent waits",
    summary=(
        "Recurrent networks of bounded eigenvalues remember exponentially. A memory that fades "
        "like a power law needs ever more of them, or eigenvalues that come ever closer to the "
        "axis; a memory that lies far back holds gradient descent on a plateau whose length grows "
        "about exponentially with it. Best exponential sums with errors and spectral abscissas, "
        "the exact gradient flow, networks trained on sequences, the memory functions of linear "
        "and non-linear models, and what training from carried states does for longer sequences."
    ),
    source=f"{PAPER}; {INVERSE}; {LONG_SSM}",
    parts=(APPROXIMATION, PLATEAUS, NETWORKS, MEMORY_FUNCTIONS, LENGTH_EXTENSION),
    minutes={"quick": 0.6, "full": 10.0},
)
