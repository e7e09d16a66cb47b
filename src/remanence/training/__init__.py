"""Training: two engines, and what belongs to them.

`descend` is exact full-batch gradient descent on linear recurrent networks: an ensemble of
students, a quadratic loss of the impulse response, a step rule, and out comes a `Trajectory`.
`train` is the minibatch loop for any layer or stack on any task, with Optax, checkpoints and exact
resume; `train_members` runs many models over seeds and learning rates in one program, and
`evaluate_lengths` measures a model beyond the lengths it was trained on. `train_exact` trains
linear layers on their exact expected loss, or on minibatches, without running a sequence;
`train_online` trains one diagonal layer on a stream, with exact gradients at every time step.
"""

from remanence.training.descent import Trajectory, descend, record_steps
from remanence.training.effective_rates import effective_learning_rates, ones_probe
from remanence.training.evaluation import LengthEvaluation, evaluate_lengths
from remanence.training.exact import ExactTraining, train_exact
from remanence.training.fitting import Training, train
from remanence.training.hyperbolic import hyperbolic_adam, hyperbolic_sgd
from remanence.training.loss import AbstractImpulseResponseLoss, MetricLoss, WhiteLoss
from remanence.training.members import MembersTraining, stack_models, train_members
from remanence.training.online import OnlineState, OnlineTraining, train_online
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
    "ExactTraining",
    "GradientDescent",
    "LengthEvaluation",
    "MembersTraining",
    "MetricLoss",
    "OnlineState",
    "OnlineTraining",
    "Parameters",
    "Training",
    "Trajectory",
    "WhiteLoss",
    "adamw_by_role",
    "balancedness",
    "by_role",
    "descend",
    "effective_learning_rates",
    "evaluate_lengths",
    "hyperbolic_adam",
    "hyperbolic_sgd",
    "near_zero_ensemble",
    "near_zero_parameters",
    "ones_probe",
    "parameter_roles",
    "record_steps",
    "sequence_error",
    "sequence_loss",
    "squared_norm",
    "stack_models",
    "train",
    "train_exact",
    "train_members",
    "train_online",
]
