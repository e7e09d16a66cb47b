"""The recurrence `h_t = a_t ⊙ h_{t-1} + b_t`: one front door for everything that runs over time.

`linear_recurrence` walks through the states; `modal_kernel` and `causal_convolution` go from
inputs to outputs without them. Diagonal systems and layers all step through here, so that
whatever makes this recurrence fast or exact makes every one of them so.
"""

from remanence.recurrence.allocator import keep_freed_memory
from remanence.recurrence.convolution import (
    CONVOLUTION_METHODS,
    causal_convolution,
    depthwise_convolution,
    depthwise_modal_kernel,
    modal_final_state,
    modal_kernel,
    powers,
)
from remanence.recurrence.linear import METHODS, linear_recurrence
from remanence.recurrence.traces import (
    PolarGradients,
    SensitivityTraces,
    eigenvalue_traces,
    initial_traces,
    polar_gradients,
    sensitivity_traces,
)

__all__ = [
    "CONVOLUTION_METHODS",
    "METHODS",
    "PolarGradients",
    "SensitivityTraces",
    "causal_convolution",
    "depthwise_convolution",
    "depthwise_modal_kernel",
    "eigenvalue_traces",
    "initial_traces",
    "keep_freed_memory",
    "linear_recurrence",
    "modal_final_state",
    "modal_kernel",
    "polar_gradients",
    "powers",
    "sensitivity_traces",
]
