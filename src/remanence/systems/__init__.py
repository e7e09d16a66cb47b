"""Linear state-space systems: what they answer, what they remember, how small they can be.

`StateSpace` and `DiagonalStateSpace` are the two ways to hold one. From there: Gramians and their
square roots, Hankel singular values, balanced truncation with its error bound, and the way back
from an impulse response to a system. Responses and simulations are JAX and can be traced;
diagnostics are NumPy in float64.
"""

from remanence.systems.diagonal import DiagonalStateSpace
from remanence.systems.gramians import (
    controllability_factor,
    controllability_gramian,
    gramian,
    gramian_factor,
    observability_factor,
    observability_gramian,
)
from remanence.systems.hankel import effective_rank, hankel_matrix, hankel_singular_values
from remanence.systems.realization import realize
from remanence.systems.reduction import Reduction, balanced_truncation
from remanence.systems.state_space import StateSpace, successor_form

__all__ = [
    "DiagonalStateSpace",
    "Reduction",
    "StateSpace",
    "balanced_truncation",
    "controllability_factor",
    "controllability_gramian",
    "effective_rank",
    "gramian",
    "gramian_factor",
    "hankel_matrix",
    "hankel_singular_values",
    "observability_factor",
    "observability_gramian",
    "realize",
    "successor_form",
]
