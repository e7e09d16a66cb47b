"""Hyperbolic training: long memory at a cost that hardly grows with memory. Our own result.

A part is a topic with its settings, measures, claims and figures.
"""

from remanence.studies.contract import Study
from remanence.studies.hyperbolic.ensembles import ENSEMBLES
from remanence.studies.hyperbolic.identities import IDENTITIES
from remanence.studies.hyperbolic.minibatches import MINIBATCHES
from remanence.studies.hyperbolic.one_mode import ONE_MODE
from remanence.studies.hyperbolic.stacks import STACKS

HYPERBOLIC_TRAINING = Study(
    name="hyperbolic-training",
    title="Hyperbolic training: long memory at a cost that hardly grows with memory",
    summary=(
        "In the hyperbolic geometry of the unit disc the distance between two memories of 10 and "
        "of 10⁶ steps is 12 and not 10⁶. Eigenvalues that take steps of a fixed hyperbolic length "
        "arrive in hundreds of steps where the curse of memory stops the established "
        "parametrisations, as long as the step does not depend on the scale of the gradient. "
        "Identities first, then one mode, minibatches and noise, ensembles of teachers against "
        "tuned competitors, and deep networks, with what does not work."
    ),
    source="Remanence, derived and measured here; earlier work in docs/hyperbolic-training.md",
    parts=(IDENTITIES, ONE_MODE, MINIBATCHES, ENSEMBLES, STACKS),
    minutes={"quick": 2.0, "full": 60.0},
)
