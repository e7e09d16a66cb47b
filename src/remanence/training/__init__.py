"""Gradient descent on linear recurrent networks: the losses, the rules, the engine.

The main entry is `descend`: an ensemble of students, a quadratic loss of the impulse response, a
step rule, and out comes a `Trajectory` recorded at log-spaced steps.
"""

from remanence.training.descent import Trajectory as Trajectory
from remanence.training.descent import descend as descend
from remanence.training.descent import record_steps as record_steps
from remanence.training.loss import AbstractImpulseResponseLoss as AbstractImpulseResponseLoss
from remanence.training.loss import MetricLoss as MetricLoss
from remanence.training.loss import WhiteLoss as WhiteLoss
from remanence.training.parameters import Parameters as Parameters
from remanence.training.parameters import balancedness as balancedness
from remanence.training.parameters import near_zero_ensemble as near_zero_ensemble
from remanence.training.parameters import near_zero_parameters as near_zero_parameters
from remanence.training.parameters import squared_norm as squared_norm
from remanence.training.rules import AbstractStepRule as AbstractStepRule
from remanence.training.rules import Adam as Adam
from remanence.training.rules import AdaptiveGradientDescent as AdaptiveGradientDescent
from remanence.training.rules import GradientDescent as GradientDescent
