"""Closed forms: what theory says a recurrent model remembers, before anything is trained.

Moments of states and sensitivities of linear recurrences under any stationary input, the geometry
of eigenvalues, optimal reparametrisations, frozen gates; exact losses and Hessians of linear
students and teachers, and how well conditioned they are. Everything is float64 where JAX's x64 is
on, can be traced and differentiated, and is tested against brute-force sums.
"""

from remanence.theory.autocorrelations import AbstractInput, ExponentialInput, WhiteInput
from remanence.theory.composed_inputs import EmpiricalInput, SummedInput, with_mean
from remanence.theory.conditioning import (
    condition_number,
    jacobi_preconditioned,
    numerical_rank,
    off_diagonal_share,
    participation_ratios,
)
from remanence.theory.dense_hessians import (
    dense_coordinates,
    dense_hessian,
    from_dense_coordinates,
)
from remanence.theory.gates import (
    bias_of_forget_time,
    bias_sensitivity,
    forget_time,
    frozen_gate_power,
    gate_worst_case_gain,
    lru_worst_case_gain,
    retention_sensitivity,
)
from remanence.theory.geometry import (
    coupled_metric,
    coupled_phase_scale,
    gaussian_curvature,
    landscape,
    metric,
    normalised_loss,
    overlap,
    pseudo_hyperbolic_distance,
    teacher_student_hessian,
    teacher_student_loss,
)
from remanence.theory.hessians import (
    diagonal_hessian,
    kernel_hessian,
    kernel_jacobian,
    reparametrised_hessian,
)
from remanence.theory.lag_moments import lag_moments, moment_loss
from remanence.theory.losses import (
    finite_horizon_loss,
    gramian_loss,
    horizon_weights,
    kernel_loss,
    minibatch_loss,
    mode_sum_loss,
)
from remanence.theory.modes import (
    Modes,
    from_real_coordinates,
    modes_of,
    parameter_groups,
    real_coordinates,
)
from remanence.theory.moments import (
    asymptotic_sensitivity,
    asymptotic_state,
    cross_moment,
    mean_square_sensitivity,
    mean_square_state,
    sensitivity_moment,
    state_moment,
)
from remanence.theory.reparametrisations import (
    OptimalMagnitude,
    correlated_coordinate,
    frozen_coordinate,
    optimal_reparametrisation,
)
from remanence.theory.sensitivities import (
    magnitude_sensitivity,
    normalised_power,
    phase_sensitivity,
    squared_normalisation,
)

__all__ = [
    "AbstractInput",
    "EmpiricalInput",
    "ExponentialInput",
    "Modes",
    "OptimalMagnitude",
    "SummedInput",
    "WhiteInput",
    "asymptotic_sensitivity",
    "asymptotic_state",
    "bias_of_forget_time",
    "bias_sensitivity",
    "condition_number",
    "correlated_coordinate",
    "coupled_metric",
    "coupled_phase_scale",
    "cross_moment",
    "dense_coordinates",
    "dense_hessian",
    "diagonal_hessian",
    "finite_horizon_loss",
    "forget_time",
    "from_dense_coordinates",
    "from_real_coordinates",
    "frozen_coordinate",
    "frozen_gate_power",
    "gate_worst_case_gain",
    "gaussian_curvature",
    "gramian_loss",
    "horizon_weights",
    "jacobi_preconditioned",
    "kernel_hessian",
    "kernel_jacobian",
    "kernel_loss",
    "lag_moments",
    "landscape",
    "lru_worst_case_gain",
    "magnitude_sensitivity",
    "mean_square_sensitivity",
    "mean_square_state",
    "metric",
    "minibatch_loss",
    "mode_sum_loss",
    "modes_of",
    "moment_loss",
    "normalised_loss",
    "normalised_power",
    "numerical_rank",
    "off_diagonal_share",
    "optimal_reparametrisation",
    "overlap",
    "parameter_groups",
    "participation_ratios",
    "phase_sensitivity",
    "pseudo_hyperbolic_distance",
    "real_coordinates",
    "reparametrised_hessian",
    "retention_sensitivity",
    "sensitivity_moment",
    "squared_normalisation",
    "state_moment",
    "teacher_student_hessian",
    "teacher_student_loss",
    "with_mean",
]
