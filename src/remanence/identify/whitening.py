"""From window moments to a loss on which gradient descent reaches the slow modes."""

import dataclasses
import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from remanence.identify.windows import WindowMoments
from remanence.training import MetricLoss

# Directions of S weaker than this share of the strongest are not excited at all.
_UNEXCITED = 1e-12
_DISPLAY_RIDGE = 1e-2


@dataclasses.dataclass(frozen=True)
class Regression:
    """The least-squares problem of one training length, and the loss made of it.

    - `loss`: `(g − ĝ)ᵀ W (g − ĝ)` with `W = S (S + λI)⁻¹`, zero at the least-squares estimate ĝ.
    - `estimate` (length, outputs, inputs): a ridge estimate of the impulse response, for showing.
    - `least_squares_share`: unexplained share of the training windows that no impulse response of
      this length can remove, averaged over outputs.
    - `condition`, `whitened_condition`: condition numbers of S and of W over the excited
      directions.
    """

    loss: MetricLoss
    estimate: Float[np.ndarray, "length outputs inputs"]
    least_squares_share: float
    condition: float
    whitened_condition: float


def regression(moments: WindowMoments, *, whitening: float) -> Regression:
    """The whitened loss of the windows in `moments`.

    Gradient descent on the plain mean squared error sees S, whose condition number for real,
    coloured inputs is 1e5 to 1e12: slow modes are learned last or never. In the metric
    `W = S (S + λI)⁻¹` the directions in which the input has more power than λ weigh alike, and
    weak ones keep the weight the data give them, so that noise there is not amplified. λ → 0 is
    white-input loss against the least-squares estimate (natural gradient in function space), λ = ∞
    the plain mean squared error. The loss stays a function of the impulse response alone, so the
    near-zero implicit bias and the conservation of balancedness are untouched, which
    preconditioning the parameters (Adam) would break. Source: derived.

    `whitening` is λ in units of the mean eigenvalue of S (the mean input power).
    """
    strengths, directions = np.linalg.eigh(moments.inputs)
    strengths = np.maximum(strengths, 0.0)
    strongest = strengths[-1]
    excited = strengths > _UNEXCITED * strongest
    mean_power = strengths.mean()
    # weights = strengths · gains. For the plain loss the unit is free: the strongest weighs one.
    if math.isinf(whitening):
        gains = np.full_like(strengths, 1.0 / strongest)
    else:
        gains = np.where(excited, 1.0 / (strengths + whitening * mean_power), 0.0)
    weights = strengths * gains
    projected = directions.T @ moments.cross
    inverse = np.where(excited, 1.0 / np.where(excited, strengths, 1.0), 0.0)
    explained = np.sum(inverse[:, None] * projected**2, axis=0)
    ridge = directions @ (projected / (strengths + _DISPLAY_RIDGE * mean_power)[:, None])
    metric = (directions * weights) @ directions.T
    return Regression(
        loss=MetricLoss(
            metric=jnp.asarray(0.5 * (metric + metric.T)),
            cross=jnp.asarray(
                _as_response(directions @ (gains[:, None] * projected), moments.length)
            ),
            constant=jnp.asarray(np.sum((gains * inverse)[:, None] * projected**2)),
        ),
        estimate=_as_response(ridge, moments.length),
        least_squares_share=float(np.mean(1.0 - explained / moments.power)),
        condition=float(strongest / strengths[excited].min()),
        whitened_condition=float(weights[excited].max() / weights[excited].min()),
    )


def _as_response(flat: np.ndarray, length: int) -> np.ndarray:
    """(lag·inputs + input, output) to (lag, output, input)."""
    outputs = flat.shape[1]
    return flat.reshape(length, -1, outputs).transpose(0, 2, 1)
