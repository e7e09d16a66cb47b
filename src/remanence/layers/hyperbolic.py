"""The linear recurrent unit with eigenvalues in the hyperbolic disc."""

import math
from typing import Any

import equinox as eqx
import jax
from jaxtyping import Array, Float, PRNGKeyArray

from remanence.layers.arrays import (
    SplitComplex,
    complex_normal,
    initial_feedthrough,
    real_dtype,
    require_sizes,
)
from remanence.layers.contract import RECURRENT
from remanence.layers.modal import AbstractModalLayer, ring
from remanence.layers.normalisations import AbstractNormalisation, SquareRoot
from remanence.layers.parametrisations import AbstractEigenvalues, HyperbolicEigenvalues

QUIET = 0.1
"""The size of `C` and `D` at the start, over that of an `LRU`."""


class HyperbolicLRU(AbstractModalLayer):
    """An LRU whose eigenvalues move along geodesics of the disc.

        h_t = λ ⊙ h_{t-1} + √(1 − |λ|²) ⊙ (B x_t),   y_t = Re(C h_t) + D x_t,
        λ = tanh(R/2) e^{iθ}

    The normalisation is no parameter but a part of the coordinates, and is differentiated. Train
    it with `training.adamw_by_role` (the default of `train`), or with `training.hyperbolic_adam`
    for the role "hyperbolic": learning rates are then distances in the disc, good for memories
    of every length. Plain Adam on `R` and `θ` is not the same, and the functions that train
    refuse it unless it is asked for by role.

    It starts as a tenth of the `LRU` with the same key: `C` and `D` are a tenth as large. A loud
    student first learns to be silent, and eigenvalues whose readouts have gone to 0 follow
    nothing: with eight modes from radius .9 and one memory of 10,000 steps to find, 22 of 36
    students find it with the readouts of the LRU, all with a tenth of them
    (`benchmarks/quiet_starts.py`). What is loud is learnt later.

    Args:
        inputs, state, outputs: sizes; `state` counts complex modes.
        r_min, r_max, max_phase: eigenvalues start uniform on this ring (radians).

    Source: derived; the layer is that of Orvieto et al., ICML 2023 (arXiv 2303.06349).

        >>> ys, state = HyperbolicLRU(3, 16, key=jax.random.key(0))(jnp.ones((10, 3)))
        >>> ys.shape, state.shape
        ((10, 3), (16,))
    """

    eigenvalues: AbstractEigenvalues = eqx.field(metadata=RECURRENT)
    normalisation: AbstractNormalisation = eqx.field(metadata=RECURRENT)
    B: SplitComplex
    C: SplitComplex
    D: Float[Array, "..."] | None
    output_weight: float = eqx.field(static=True)

    def __init__(
        self,
        inputs: int,
        state: int,
        outputs: int | None = None,
        *,
        r_min: float | int = 0.0,
        r_max: float | int = 1.0,
        max_phase: float | int = 2 * math.pi,
        key: PRNGKeyArray,
        dtype: Any = None,
    ):
        outputs = inputs if outputs is None else outputs
        require_sizes("HyperbolicLRU", inputs=inputs, state=state, outputs=outputs)
        real = real_dtype(dtype)
        for_ring, for_B, for_C, for_D = jax.random.split(key, 4)
        log_magnitude, phase = ring(for_ring, (state,), r_min, r_max, max_phase, real)
        self.eigenvalues = HyperbolicEigenvalues.from_polar(log_magnitude, phase, dtype=real)
        self.normalisation = SquareRoot()
        self.B = complex_normal(for_B, (state, inputs), 1 / (2 * inputs), real)
        self.C = complex_normal(for_C, (outputs, state), QUIET**2 / state, real)
        self.D = QUIET * initial_feedthrough(for_D, outputs, inputs, real)
        self.output_weight = 1.0
