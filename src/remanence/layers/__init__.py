"""Recurrent layers under one state contract, and the coordinates that they are trained in.

Every layer takes a state and gives it back, can be stepped, and agrees with itself in every mode:
`check_equivalence(layer)` holds any layer to that, one of your own included. Linear layers put
together eigenvalues in a parametrisation, an input normalisation, and input and output matrices;
`SequenceModel` stacks any layers into a network, which is a layer again.
"""

from remanence.layers._correlated_magnitude import correlated_rapidity
from remanence.layers.arrays import SplitComplex
from remanence.layers.blocks import GLU, ResidualBlock
from remanence.layers.contract import (
    HYPERBOLIC,
    RECURRENT,
    AbstractLinearLayer,
    AbstractRecurrentLayer,
    AbstractSteppedLayer,
    State,
)
from remanence.layers.conversions import COORDINATES, in_coordinates, to_hyperbolic
from remanence.layers.dense import LinearRNN
from remanence.layers.discretisations import continuous_from_discrete, discretise
from remanence.layers.eigenvalues import (
    EIGENVALUE_MAPS,
    AbstractEigenvalueMap,
    AbstractMagnitudeMap,
    AbstractRateMap,
    eigenvalue_map,
    magnitude_map,
    rate_map,
)
from remanence.layers.elman import ElmanRNN, IndRNN
from remanence.layers.equivalence import Equivalence, Law, check_equivalence
from remanence.layers.gru import GRU
from remanence.layers.hippo import (
    lagt,
    legs,
    legs_normal_plus_low_rank,
    legt,
    s4d_inv,
    s4d_legs,
    s4d_lin,
    s4d_real,
)
from remanence.layers.hyperbolic import HyperbolicLRU
from remanence.layers.lru import LRU, DiagonalRNN
from remanence.layers.lstm import LSTM
from remanence.layers.normalisations import (
    AbstractNormalisation,
    ExponentialSpectrumAware,
    LearnedSquareRoot,
    NoNormalisation,
    OneMinus,
    SpectrumAware,
    SquareRoot,
)
from remanence.layers.parametrisations import (
    AbstractEigenvalues,
    CoupledPhase,
    Discretised,
    HyperbolicEigenvalues,
    Polar,
    RealEigenvalues,
    ReIm,
    ScaledExponential,
)
from remanence.layers.rglru import RGLRU
from remanence.layers.s4d import DSS, S4D, StableSSM
from remanence.layers.s5 import S5, S4Like
from remanence.layers.selective import SelectiveSSM
from remanence.layers.stack import SequenceModel
from remanence.layers.time_invariant import AbstractTimeInvariantLayer
from remanence.layers.time_varying import AbstractTimeVaryingLayer

__all__ = [
    "COORDINATES",
    "DSS",
    "EIGENVALUE_MAPS",
    "GLU",
    "GRU",
    "HYPERBOLIC",
    "LRU",
    "LSTM",
    "RECURRENT",
    "RGLRU",
    "S4D",
    "S5",
    "AbstractEigenvalueMap",
    "AbstractEigenvalues",
    "AbstractLinearLayer",
    "AbstractMagnitudeMap",
    "AbstractNormalisation",
    "AbstractRateMap",
    "AbstractRecurrentLayer",
    "AbstractSteppedLayer",
    "AbstractTimeInvariantLayer",
    "AbstractTimeVaryingLayer",
    "CoupledPhase",
    "DiagonalRNN",
    "Discretised",
    "ElmanRNN",
    "Equivalence",
    "ExponentialSpectrumAware",
    "HyperbolicEigenvalues",
    "HyperbolicLRU",
    "IndRNN",
    "Law",
    "LearnedSquareRoot",
    "LinearRNN",
    "NoNormalisation",
    "OneMinus",
    "Polar",
    "ReIm",
    "RealEigenvalues",
    "ResidualBlock",
    "S4Like",
    "ScaledExponential",
    "SelectiveSSM",
    "SequenceModel",
    "SpectrumAware",
    "SplitComplex",
    "SquareRoot",
    "StableSSM",
    "State",
    "check_equivalence",
    "continuous_from_discrete",
    "correlated_rapidity",
    "discretise",
    "eigenvalue_map",
    "in_coordinates",
    "lagt",
    "legs",
    "legs_normal_plus_low_rank",
    "legt",
    "magnitude_map",
    "rate_map",
    "s4d_inv",
    "s4d_legs",
    "s4d_lin",
    "s4d_real",
    "to_hyperbolic",
]
