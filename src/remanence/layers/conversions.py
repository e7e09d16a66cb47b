"""The same linear layer in other coordinates: what training sees changes, what it computes not."""

from numbers import Real
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Inexact

from remanence.errors import RemanenceError, nearest_name
from remanence.layers._parametrisation import traced
from remanence.layers.arrays import SplitComplex
from remanence.layers.bank import AbstractModalBank
from remanence.layers.contract import AbstractRecurrentLayer, floating_type
from remanence.layers.modal import AbstractModalLayer
from remanence.layers.normalisations import (
    AbstractNormalisation,
    LearnedSquareRoot,
    NoNormalisation,
    SquareRoot,
)
from remanence.layers.parametrisations import (
    AbstractEigenvalues,
    Discretised,
    HyperbolicEigenvalues,
    Polar,
    RealEigenvalues,
)

COORDINATES = ("hyperbolic", "LRU", "S5", "S4D")
"""What `in_coordinates` knows."""

Model = TypeVar("Model", bound=AbstractRecurrentLayer)
_Modal = AbstractModalLayer | AbstractModalBank


def to_hyperbolic(model: Model) -> Model:
    """`in_coordinates(model, "hyperbolic")`: ready for `training.hyperbolic_adam`.

    model = to_hyperbolic(SequenceModel(3, 1, width=16, layers=block, depth=4, key=key))
    train(model, task, optimiser=adamw_by_role(1e-3), …)
    """
    return in_coordinates(model, "hyperbolic")


def in_coordinates(model: Model, coordinates: str, *, step: float | int = 0.01) -> Model:
    """The same function with its eigenvalues and normalisations in other coordinates.

        "hyperbolic"   λ = tanh(R/2) e^{iθ}, points of the disc         γ = √(1 − |λ|²)
        "LRU"          λ = exp(−e^ν + i e^θ)                            log γ trained
        "S5"           λ = e^{Δa}, a one step Δ for each mode           β = (e^{Δa} − 1)/a
        "S4D"          λ = e^{Δa}, Re a = −e^w, a step for a channel    β = (e^{Δa} − 1)/a

    The layers stay what they are (an S5 in hyperbolic coordinates is an `S5` that holds
    `HyperbolicEigenvalues`), and `λ` too. What `γβ` changes by goes into `B`, of a bank (S4D,
    DSS, StableSSM), which has no `B`, into `C`. The impulse response is the same to rounding;
    states differ by the change of `γβ` in a bank.

    Args:
        model: a diagonal linear layer, real or complex, or anything made of such and of other
            layers, which stay as they are: a `SequenceModel`. For stacked members
            `eqx.filter_vmap(to_hyperbolic)`.
        coordinates: one of `COORDINATES`.
        step: `Δ`, of "S5" and "S4D".

    Raises:
        RemanenceError: for unknown coordinates, a step that is not positive, a model without a
            diagonal linear layer, eigenvalues on or outside the unit circle, and those that the
            coordinates do not reach: 0 and negative real modes, for all but the hyperbolic ones.
    """
    if not isinstance(coordinates, str) or coordinates not in COORDINATES:
        raise RemanenceError(
            f"in_coordinates: {coordinates!r} is none of {', '.join(COORDINATES)}"
            f"{nearest_name(str(coordinates), COORDINATES)}"
        )
    if not isinstance(step, Real) or not 0 < step < np.inf:
        raise RemanenceError(
            f"in_coordinates: step must be a positive and finite number, got {step!r}"
        )
    parts = jax.tree.leaves(model, is_leaf=_is_modal)
    if not any(map(_is_modal, parts)):
        raise RemanenceError(
            f"in_coordinates: {type(model).__name__} holds no diagonal linear layer such as an "
            "LRU, S5 or S4D; others have no eigenvalues of their own to put in coordinates"
        )

    def converted(part: Any) -> Any:
        return _converted(part, coordinates, float(step)) if _is_modal(part) else part

    return jax.tree.map(converted, model, is_leaf=_is_modal)


def _is_modal(part: Any) -> bool:
    return isinstance(part, _Modal)


def _converted(layer: Any, coordinates: str, step: float) -> Any:
    _require_reached(layer, coordinates)
    eigenvalues = _eigenvalues(layer, coordinates, step)
    normalisation: AbstractNormalisation = NoNormalisation()
    if coordinates == "hyperbolic":
        normalisation = SquareRoot()
    elif coordinates == "LRU":
        normalisation = LearnedSquareRoot.from_eigenvalues(eigenvalues)
    factor = _input_factor(layer.eigenvalues, layer.normalisation)
    factor = factor / _input_factor(eigenvalues, normalisation)
    bank = isinstance(layer, AbstractModalBank)
    weights = layer.C() * factor if bank else factor[:, None] * layer.B()
    split = SplitComplex(weights.real, weights.imag if jnp.iscomplexobj(weights) else None)
    return eqx.tree_at(
        lambda one: (one.eigenvalues, one.normalisation, one.C if bank else one.B),
        layer,
        (eigenvalues, normalisation, split),
        is_leaf=lambda part: part is None,
    )


def _input_factor(
    eigenvalues: AbstractEigenvalues, normalisation: AbstractNormalisation
) -> Inexact[Array, "*modes"]:
    """`γ β`."""
    factor = eigenvalues.input_factor()
    return factor * normalisation(eigenvalues).astype(factor.dtype)


def _eigenvalues(layer: Any, coordinates: str, step: float) -> AbstractEigenvalues:
    old, dtype = layer.eigenvalues, floating_type(layer)
    log_magnitude, phase, real = old.log_magnitude(), old.phase(), not old.is_complex
    if coordinates == "hyperbolic":
        return HyperbolicEigenvalues.from_polar(log_magnitude, phase, real=real, dtype=dtype)
    if coordinates == "LRU":
        magnitude = jnp.log(-log_magnitude)
        if real:
            return RealEigenvalues(magnitude, "double exponential")
        turn = 2 * np.pi
        return Polar(
            magnitude,
            # In (0, 2π]: the exponential does not reach 0.
            jnp.log(phase - turn * (jnp.ceil(phase / turn) - 1)),
            "double exponential",
            "exponential",
        )
    wrapped = phase - 2 * np.pi * jnp.ceil(phase / (2 * np.pi) - 0.5)
    rates = log_magnitude if real else jax.lax.complex(log_magnitude, wrapped)
    steps = old.shape if coordinates == "S5" else (*old.shape[:-1], 1)
    return Discretised.from_rates(
        rates / jnp.asarray(step, rates.dtype),
        jnp.full(steps, np.log(step), dtype),
        rate_map="direct" if coordinates == "S5" else "exponential",
        dtype=dtype,
    )


def _require_reached(layer: Any, coordinates: str) -> None:
    eigenvalues: AbstractEigenvalues = layer.eigenvalues
    if len(eigenvalues.shape) != (2 if isinstance(layer, AbstractModalBank) else 1):
        raise RemanenceError(
            f"in_coordinates: the eigenvalues of the {type(layer).__name__} have shape "
            f"{eigenvalues.shape}; for stacked members use eqx.filter_vmap"
        )
    log_magnitude, phase = eigenvalues.log_magnitude(), eigenvalues.phase()
    if traced(log_magnitude):
        return
    logs = np.asarray(log_magnitude)
    where, wrong = f"in_coordinates: the {type(layer).__name__} has an eigenvalue", ""
    if not (logs < 0).all():
        worst = np.exp(np.where(logs < 0, -np.inf, logs).max())
        wrong = f"of magnitude {worst:g}, on or outside the unit circle; make it stable first"
    elif coordinates == "hyperbolic":
        return
    elif np.isneginf(logs).any():
        wrong = f"0, which {coordinates} does not reach; use hyperbolic coordinates"
    elif not eigenvalues.is_complex and np.any(phase):
        wrong = f"that is negative, which {coordinates} does not reach; use hyperbolic coordinates"
    if wrong:
        raise RemanenceError(f"{where} {wrong}")
