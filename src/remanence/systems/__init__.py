"""Linear state-space systems: what they answer, what they remember, how small they can be.

`StateSpace` and `DiagonalStateSpace` are the two ways to hold one. From there: Gramians and their
square roots, Hankel singular values, balanced truncation with its error bound, and the way back
from an impulse response to a system; teachers with known answers, the measures that balanced
systems are, certificates of extrapolation and the counterexamples at their limits. Responses
and simulations are JAX and can be traced; diagnostics are NumPy in float64.
"""

from remanence.systems.certificates import (
    Assumption,
    Certificate,
    extrapolation_certificate,
)
from remanence.systems.counterexamples import (
    Recurrence,
    berlekamp_massey,
    jacobi_counterexample,
    shortest_counterexample,
)
from remanence.systems.diagonal import DiagonalStateSpace
from remanence.systems.generators import (
    Teacher,
    balanced_teacher,
    damped_rotation,
    delay_teacher,
    memoryless_teacher,
    minimal_norm,
    ring_teacher,
    signed_teacher,
    spread_teacher,
)
from remanence.systems.gramians import (
    controllability_factor,
    controllability_gramian,
    gramian,
    gramian_factor,
    observability_factor,
    observability_gramian,
)
from remanence.systems.hankel import effective_rank, hankel_matrix, hankel_singular_values
from remanence.systems.measures import (
    AtomicMeasure,
    balanced_measure,
    extrapolation_bound,
    moment_comparison_bound,
    order_bound,
    wasserstein1,
)
from remanence.systems.realization import realize
from remanence.systems.reduction import Reduction, balanced_truncation
from remanence.systems.state_space import StateSpace, successor_form

__all__ = [
    "Assumption",
    "AtomicMeasure",
    "Certificate",
    "DiagonalStateSpace",
    "Recurrence",
    "Reduction",
    "StateSpace",
    "Teacher",
    "balanced_measure",
    "balanced_teacher",
    "balanced_truncation",
    "berlekamp_massey",
    "controllability_factor",
    "controllability_gramian",
    "damped_rotation",
    "delay_teacher",
    "effective_rank",
    "extrapolation_bound",
    "extrapolation_certificate",
    "gramian",
    "gramian_factor",
    "hankel_matrix",
    "hankel_singular_values",
    "jacobi_counterexample",
    "memoryless_teacher",
    "minimal_norm",
    "moment_comparison_bound",
    "observability_factor",
    "observability_gramian",
    "order_bound",
    "realize",
    "ring_teacher",
    "shortest_counterexample",
    "signed_teacher",
    "spread_teacher",
    "successor_form",
    "wasserstein1",
]
