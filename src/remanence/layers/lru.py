"""The workbench of diagonal recurrences, and the linear recurrent unit (LRU)."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from remanence.errors import RemanenceError
from remanence.layers.arrays import (
    SplitComplex,
    complex_normal,
    initial_feedthrough,
    normal,
    real_dtype,
    require_sizes,
)
from remanence.layers.contract import RECURRENT
from remanence.layers.modal import AbstractModalLayer, ring
from remanence.layers.normalisations import (
    AbstractNormalisation,
    LearnedSquareRoot,
    NoNormalisation,
)
from remanence.layers.parametrisations import AbstractEigenvalues, Polar


class DiagonalRNN(AbstractModalLayer):
    """A diagonal linear recurrence in any parametrisation, real or complex.

        h_t = λ ⊙ h_{t-1} + γ ⊙ (B x_t),        y_t = Re(C h_t) + D x_t

    The workbench: the same function in other coordinates is the same layer with
    `OtherParametrisation.from_eigenvalues(layer.eigenvalues())` in place of its eigenvalues.

    Args:
        eigenvalues: any parametrisation of one vector of eigenvalues; real ones make every array
            of the layer real.
        inputs, outputs: sizes; `outputs` defaults to `inputs`.
        normalisation: the input normalisation `γ`; none if not given.
        direct: whether there is a direct term `D`.

    Raises:
        RemanenceError: for eigenvalues that are no parametrisation of one vector, a
            normalisation that does not fit them, or a size below 1.

    `B` starts with variance 1/(2 inputs) and `C` with 1/modes in each part (1/inputs and 1/modes
    for real modes).

        >>> from remanence.layers import ReIm
        >>> halves = ReIm.from_eigenvalues(jnp.array([0.5 + 0.1j]))
        >>> DiagonalRNN(halves, 2, key=jax.random.key(0)).modes
        1
    """

    eigenvalues: AbstractEigenvalues = eqx.field(metadata=RECURRENT)
    normalisation: AbstractNormalisation = eqx.field(metadata=RECURRENT)
    B: SplitComplex
    C: SplitComplex
    D: Float[Array, "..."] | None
    output_weight: float = eqx.field(static=True)

    def __init__(
        self,
        eigenvalues: AbstractEigenvalues,
        inputs: int,
        outputs: int | None = None,
        *,
        normalisation: AbstractNormalisation | None = None,
        direct: bool = True,
        key: PRNGKeyArray,
    ):
        outputs = inputs if outputs is None else outputs
        if not isinstance(eigenvalues, AbstractEigenvalues):
            raise RemanenceError(
                f"DiagonalRNN: eigenvalues is a {type(eigenvalues).__name__}, not a "
                "parametrisation; give Polar.from_eigenvalues(…) or RealEigenvalues.from_…"
            )
        if len(eigenvalues.shape) != 1:
            raise RemanenceError(
                f"DiagonalRNN: the eigenvalues have shape {eigenvalues.shape}, expected (modes,)"
            )
        (modes,) = eigenvalues.shape
        require_sizes("DiagonalRNN", inputs=inputs, outputs=outputs, modes=modes)
        real = jax.eval_shape(eigenvalues.log_magnitude).dtype
        normalisation = _fitting(normalisation, eigenvalues, "DiagonalRNN")
        for_B, for_C, for_D = jax.random.split(key, 3)
        self.eigenvalues = eigenvalues
        self.normalisation = normalisation
        if eigenvalues.is_complex:
            self.B = complex_normal(for_B, (modes, inputs), 1 / (2 * inputs), real)
            self.C = complex_normal(for_C, (outputs, modes), 1 / modes, real)
        else:
            self.B = SplitComplex(normal(for_B, (modes, inputs), 1 / inputs, real))
            self.C = SplitComplex(normal(for_C, (outputs, modes), 1 / modes, real))
        self.D = initial_feedthrough(for_D, outputs, inputs, real) if direct else None
        self.output_weight = 1.0


class LRU(AbstractModalLayer):
    """The linear recurrent unit.

        h_t = λ ⊙ h_{t-1} + γ ⊙ (B x_t),   y_t = Re(C h_t) + D x_t,
        λ = exp(−e^ν + i e^θ),   γ trained in its logarithm, started at √(1 − |λ|²)

    Args:
        inputs, state, outputs: sizes; `state` counts complex modes.
        r_min, r_max, max_phase: eigenvalues start uniform on this ring (radians).
        normalisation: replaces the learned `γ`.

    `B` starts with variance 1/(2 inputs) in each part, `C` with 1/state, `D` with 1.

    Source: Orvieto et al., ICML 2023 (arXiv 2303.06349), sections 3 and 4. Unlike there `D` is a
    matrix where inputs and outputs differ in number.

        >>> ys, state = LRU(3, 16, key=jax.random.key(0))(jnp.ones((10, 3)))
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
        normalisation: AbstractNormalisation | None = None,
        key: PRNGKeyArray,
        dtype: Any = None,
    ):
        outputs = inputs if outputs is None else outputs
        require_sizes("LRU", inputs=inputs, state=state, outputs=outputs)
        real = real_dtype(dtype)
        for_ring, for_B, for_C, for_D = jax.random.split(key, 4)
        log_magnitude, phase = ring(for_ring, (state,), r_min, r_max, max_phase, real)
        self.eigenvalues = Polar(
            jnp.log(-log_magnitude), jnp.log(phase), "double exponential", "exponential"
        )
        if normalisation is None:
            normalisation = LearnedSquareRoot.from_eigenvalues(self.eigenvalues)
        self.normalisation = _fitting(normalisation, self.eigenvalues, "LRU")
        self.B = complex_normal(for_B, (state, inputs), 1 / (2 * inputs), real)
        self.C = complex_normal(for_C, (outputs, state), 1 / state, real)
        self.D = initial_feedthrough(for_D, outputs, inputs, real)
        self.output_weight = 1.0


def _fitting(
    normalisation: Any, eigenvalues: AbstractEigenvalues, layer: str
) -> AbstractNormalisation:
    """The normalisation, none for None; raises unless it gives one factor for each mode."""
    if normalisation is None:
        return NoNormalisation()
    if not isinstance(normalisation, AbstractNormalisation):
        raise RemanenceError(
            f"{layer}: normalisation is {normalisation!r}, not a normalisation; give "
            "SquareRoot() or another of remanence.layers"
        )
    try:
        shape = jax.eval_shape(lambda: normalisation(eigenvalues)).shape
    except (TypeError, ValueError):
        shape = None
    if shape != eigenvalues.shape:
        raise RemanenceError(
            f"{layer}: the {type(normalisation).__name__} does not fit {eigenvalues.shape[0]} "
            f"modes{'' if shape is None else f': it gives shape {shape}'}; "
            "make it from the same eigenvalues"
        )
    return normalisation
