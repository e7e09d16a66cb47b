"""The table of layers that the laws are held to."""

import jax
import jax.numpy as jnp
import pytest

from remanence.layers import (
    DSS,
    GRU,
    LRU,
    LSTM,
    RGLRU,
    S4D,
    S5,
    CoupledPhase,
    DiagonalRNN,
    ElmanRNN,
    IndRNN,
    LinearRNN,
    Polar,
    RealEigenvalues,
    ReIm,
    ResidualBlock,
    S4Like,
    SelectiveSSM,
    SequenceModel,
    SpectrumAware,
    SquareRoot,
    StableSSM,
)
from remanence.layers.hyperbolic import HyperbolicLRU
from remanence.layers.parametrisations import HyperbolicEigenvalues

KEY = jax.random.key(7)
EIGENVALUES = jnp.array([0.9 + 0.3j, 0.2 + 0.6j, 0.97 + 0.01j])


def _real_modes():
    modes = RealEigenvalues.from_eigenvalues(jnp.array([0.9, 0.5, 0.2]), magnitude_map="sigmoid")
    return DiagonalRNN(modes, 2, key=KEY)


def _normalised(eigenvalues, normalisation):
    return DiagonalRNN(eigenvalues, 1, normalisation=normalisation, key=KEY)


def _model():
    first, second, third = jax.random.split(KEY, 3)
    blocks = [
        ResidualBlock(LRU(4, 3, key=first), key=first),
        ResidualBlock(GRU(4, 4, key=second), prenorm=False, key=second),
    ]
    return SequenceModel(2, 3, width=4, layers=blocks, pooling="mean", key=third)


LAYERS = {
    "LinearRNN": lambda: LinearRNN(2, 5, 3, key=KEY),
    "LinearRNN in blocks": lambda: LinearRNN(1, 6, 2, blocks=3, key=KEY),
    "DiagonalRNN, real modes": _real_modes,
    "DiagonalRNN, re/im": lambda: DiagonalRNN(
        ReIm.from_eigenvalues(EIGENVALUES), 2, 3, direct=False, key=KEY
    ),
    "DiagonalRNN, tanh, square root": lambda: _normalised(
        Polar.from_eigenvalues(EIGENVALUES, magnitude_map="tanh"), SquareRoot()
    ),
    "DiagonalRNN, spectrum-aware": lambda: _normalised(
        Polar.from_eigenvalues(EIGENVALUES), SpectrumAware([1.0, 0.4])
    ),
    "DiagonalRNN, coupled phase": lambda: _normalised(
        CoupledPhase.from_eigenvalues(EIGENVALUES), None
    ),
    "DiagonalRNN, real modes in the disc": lambda: _normalised(
        HyperbolicEigenvalues.from_eigenvalues([0.9, -0.5, 0.2]), SquareRoot()
    ),
    "HyperbolicLRU": lambda: HyperbolicLRU(3, 4, 2, key=KEY),
    "LRU": lambda: LRU(3, 4, 2, key=KEY),
    "S5": lambda: S5(2, 8, blocks=2, key=KEY),
    "S4Like": lambda: S4Like(2, 3, key=KEY),
    "S4D": lambda: S4D(2, 6, key=KEY),
    "S4D, real": lambda: S4D(2, 3, start="real", key=KEY),
    "DSS": lambda: DSS(2, 6, key=KEY),
    "StableSSM": lambda: StableSSM(2, 6, key=KEY),
    "RGLRU": lambda: RGLRU(4, blocks=2, key=KEY),
    "SelectiveSSM": lambda: SelectiveSSM(3, 2, key=KEY),
    "ElmanRNN": lambda: ElmanRNN(2, 4, key=KEY),
    "IndRNN": lambda: IndRNN(2, 4, activation="tanh", key=KEY),
    "GRU": lambda: GRU(2, 4, key=KEY),
    "LSTM": lambda: LSTM(2, 4, key=KEY),
    "SequenceModel": _model,
}


@pytest.fixture(params=list(LAYERS), scope="session")
def named_layer(request):
    """Every layer of the table in turn, with its name."""
    return request.param, LAYERS[request.param]()
