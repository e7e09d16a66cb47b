"""Training: two engines, and what belongs to them.

`descend` is exact full-batch gradient descent on linear recurrent networks: an ensemble of
students, a quadratic loss of the impulse response, a step rule, and out comes a `Trajectory`.
`train` is the minibatch loop for any layer or stack on any task, with Optax, checkpoints and exact
resume; `train_members` runs many models over seeds and learning rates in one program, and
`evaluate_lengths` measures a model beyond the lengths it was trained on.
"""

from remanence.training.descent import Trajectory, descend, record_steps
from remanence.training.evaluation import LengthEvaluation, evaluate_lengths
from remanence.training.fitting import Training, train
from remanence.training.loss import AbstractImpulseResponseLoss, MetricLoss, WhiteLoss
from remanence.training.members import MembersTraining, stack_models, train_members
from remanence.training.optimisers import adamw_by_role
from remanence.training.parameters import (
    Parameters,
    balancedness,
    near_zero_ensemble,
    near_zero_parameters,
    squared_norm,
)
from remanence.training.roles import by_role, parameter_roles
from remanence.training.rules import (
    AbstractStepRule,
    Adam,
    AdaptiveGradientDescent,
    GradientDescent,
)
from remanence.training.scores import sequence_error, sequence_loss

__all__ = [
    "AbstractImpulseResponseLoss",
    "AbstractStepRule",
    "Adam",
    "AdaptiveGradientDescent",
    "GradientDescent",
    "LengthEvaluation",
    "MembersTraining",
    "MetricLoss",
    "Parameters",
    "Training",
    "Trajectory",
    "WhiteLoss",
    "adamw_by_role",
    "balancedness",
    "by_role",
    "descend",
    "evaluate_lengths",
    "near_zero_ensemble",
    "near_zero_parameters",
    "parameter_roles",
    "record_steps",
    "sequence_error",
    "sequence_loss",
    "squared_norm",
    "stack_models",
    "train",
    "train_members",
]
