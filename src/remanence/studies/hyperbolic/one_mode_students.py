"""Who learns one mode: hyperbolic Adam, its ablations, and Adam under other eigenvalue maps."""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Complex, Float

from remanence.layers.normalisations import (
    AbstractNormalisation,
    LearnedSquareRoot,
    SquareRoot,
)
from remanence.layers.parametrisations import (
    AbstractEigenvalues,
    Discretised,
    HyperbolicEigenvalues,
    Polar,
    ReIm,
)
from remanence.studies.hyperbolic.one_mode_steps import (
    NEAREST,
    framed_adam,
    plane_addition,
    polar_addition,
)
from remanence.theory.disc import separation
from remanence.training.hyperbolic import hyperbolic_adam, hyperbolic_sgd

EPSILON = 1e-20
"""Adam's ε for all: the usual 1e-8 exceeds the gradients of long memories."""

STEP = 0.1
"""Δ at the start of the discretised students, the longest of the usual range .001 to .1."""


class Mode(eqx.Module):
    """One complex mode with its readout c = `readout[0]` + i `readout[1]`."""

    eigenvalues: AbstractEigenvalues
    normalisation: AbstractNormalisation
    readout: Float[Array, "*lanes 2"]


Poles = tuple[AbstractEigenvalues, AbstractNormalisation]
Target = tuple[Float[Array, ""], Float[Array, ""]]
"""`R` and `θ` of μ."""


def joint_loss(mode: Mode, target: Target) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """`‖c γ h_λ − e_μ‖²`, the plain squared loss, twice: it is the unexplained share as well.

        |c|² γ²/(1 − |λ|²) + 1 − 2 Re(c γ γ_μ / (1 − λμ̄))

    Everything from `log|λ|` and `arg λ`, which keep the digits of long memories.
    """
    radius, angle = target
    # R ↦ −log tanh(R/2) is its own inverse.
    log_target = -2 * jnp.arctanh(jnp.exp(-radius))
    log_magnitude = mode.eigenvalues.log_magnitude()
    turn, total = mode.eigenvalues.phase() - angle, log_magnitude + log_target
    gamma = mode.normalisation(mode.eigenvalues)
    x = -jnp.expm1(total) * jnp.cos(turn) + 2 * jnp.sin(turn / 2) ** 2
    y = jnp.exp(total) * jnp.sin(turn)
    a, b = mode.readout
    power = (a**2 + b**2) * gamma**2 / -jnp.expm1(2 * log_magnitude)
    overlap = gamma / jnp.cosh(radius / 2) * (a * x - b * y) / (x**2 + y**2)
    loss = power + 1 - 2 * overlap
    return loss, loss


def log_share_loss(mode: Mode, target: Target) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """`−log E = 2 log cosh(d/2)` and `1 − E = tanh²(d/2)`, the readout solved for."""
    assert isinstance(mode.eigenvalues, HyperbolicEigenvalues)
    q = separation(mode.eigenvalues.points, jnp.stack(target))
    return jnp.log1p(q), q / (1 + q)


@dataclasses.dataclass(frozen=True)
class Student:
    """How one mode is written down and moved.

    - `start(eigenvalues)`: poles with a leading axis of lanes.
    - `optimiser(rate)`: of the poles, the rate included.
    - `kept_inside`: what is done to the poles after every step.
    - `grid`: which learning rates of the settings it has.
    """

    name: str
    start: Callable[[Complex[np.ndarray, "*lanes"]], AbstractEigenvalues]
    normalisation: Callable[[AbstractEigenvalues], AbstractNormalisation] = lambda _: SquareRoot()
    optimiser: Callable[[Any], optax.GradientTransformation] = lambda rate: optax.chain(
        optax.scale_by_adam(eps=EPSILON), optax.scale_by_learning_rate(rate)
    )
    loss: Callable[[Mode, Target], tuple[Array, Array]] = joint_loss
    kept_inside: Callable[[AbstractEigenvalues], AbstractEigenvalues] = lambda poles: poles
    grid: str = "competitor_rates"


def _points(eigenvalues: np.ndarray) -> AbstractEigenvalues:
    made = HyperbolicEigenvalues.from_eigenvalues(eigenvalues)
    # Lanes lead, so that inside vmap each has points of its own.
    return jax.tree.map(jnp.transpose, made)


def _polar(magnitude_map: str, phase_map: str) -> Callable[[np.ndarray], AbstractEigenvalues]:
    def start(eigenvalues: np.ndarray) -> AbstractEigenvalues:
        return Polar.from_eigenvalues(
            eigenvalues, magnitude_map=magnitude_map, phase_map=phase_map
        )

    return start


def _discretised(rate_map: str) -> Callable[[np.ndarray], AbstractEigenvalues]:
    def start(eigenvalues: np.ndarray) -> AbstractEigenvalues:
        step = np.full(eigenvalues.shape, STEP)
        return Discretised.from_eigenvalues(eigenvalues, step=step, rate_map=rate_map)

    return start


def _clipped_plane(poles: AbstractEigenvalues) -> AbstractEigenvalues:
    assert isinstance(poles, ReIm)
    shrink = jnp.minimum(1.0, (1 - NEAREST) / jnp.hypot(poles.re, poles.im))
    return ReIm(shrink * poles.re, shrink * poles.im)


def _clipped_rate(poles: AbstractEigenvalues) -> AbstractEigenvalues:
    assert isinstance(poles, Discretised)
    least = -NEAREST / poles.step()
    return eqx.tree_at(lambda p: p.rate_parameter, poles, jnp.minimum(poles.rate_parameter, least))


def _hyperbolic(name: str, optimiser: Callable[[Any], Any], **others: Any) -> Student:
    return dataclasses.replace(Student(name, _points, optimiser=optimiser, grid="rates"), **others)


HYPERBOLIC = _hyperbolic("hyperbolic Adam", hyperbolic_adam)
LRU, LEARNED = "LRU map", "LRU map, learned γ"
PLANE = "Re, Im, clipped"
COMPETITORS = (
    Student(LRU, _polar("double exponential", "exponential")),
    Student(
        LEARNED,
        _polar("double exponential", "exponential"),
        normalisation=LearnedSquareRoot.from_eigenvalues,
    ),
    Student("polar, StableSSM map", _polar("best", "identity")),
    Student("polar, tanh map", _polar("tanh", "identity")),
    Student("S4D map", _discretised("exponential")),
    Student("S5 map", _discretised("direct"), kept_inside=_clipped_rate),
    Student(PLANE, ReIm.from_eigenvalues, kept_inside=_clipped_plane),
)
"""Adam under the maps of published layers; all have γ = √(1 − |λ|²) differentiated but one."""

NO_TRANSPORT, SEPARATE = "no parallel transport", "separate second moments"
POLAR_STEP, PLANE_STEP = "(ΔR, Δθ) added", "Δλ added, clipped"
FROZEN = "γ not differentiated"
DESCENT, LOG_DESCENT = "descent on the loss", "descent on −log E"
ABLATIONS = (
    _hyperbolic(NO_TRANSPORT, lambda rate: hyperbolic_adam(rate, transport=False)),
    _hyperbolic(POLAR_STEP, lambda rate: framed_adam(rate, move=polar_addition)),
    _hyperbolic(PLANE_STEP, lambda rate: framed_adam(rate, move=plane_addition)),
    _hyperbolic(SEPARATE, lambda rate: framed_adam(rate, shared=False)),
    _hyperbolic(FROZEN, hyperbolic_adam, normalisation=lambda _: SquareRoot(differentiated=False)),
    _hyperbolic(DESCENT, hyperbolic_sgd, grid="descent_rates"),
    _hyperbolic(LOG_DESCENT, hyperbolic_sgd, grid="descent_rates", loss=log_share_loss),
)
"""Hyperbolic Adam less one part each; "Re, Im, clipped" above is Adam without the coordinates."""
