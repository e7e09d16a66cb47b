"""How well outputs meet targets: the loss that is trained, the error that is reported."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from remanence.tasks.contract import Example, Kind


class ErrorParts(NamedTuple):
    """What one sequence contributes to the error over many; a leading axis for each sequence.

    - `residual`: regression Σ_t w_t ‖y_t − ŷ_t‖²; classification Σ_t w_t [class wrong].
    - `weight`: Σ_t w_t.
    - `mean` (outputs,): the weighted mean target of the sequence; zero for classification.
    - `deviation`: Σ_t w_t ‖ŷ_t − mean‖²; zero for classification.
    """

    residual: Float[Array, "*sequences"]
    weight: Float[Array, "*sequences"]
    mean: Float[Array, "*sequences outputs"]
    deviation: Float[Array, "*sequences"]


def sequence_loss(
    outputs: Float[Array, "time outputs"], example: Example, kind: Kind
) -> Float[Array, ""]:
    """The loss of one sequence, `Σ_t w_t ℓ_t / Σ_t w_t`.

    Regression: `ℓ_t = ‖y_t − ŷ_t‖²`, without ½ and summed over outputs. Classification: the
    cross-entropy `−log softmax(y_t)[class_t]` in nats. A sequence of which nothing is scored has
    the loss zero.
    """
    weights = example.weights.astype(outputs.dtype)
    if kind == "regression":
        losses = _squares(outputs - example.targets.astype(outputs.dtype))
    else:
        logarithms = jax.nn.log_softmax(outputs, axis=-1)
        losses = -jnp.take_along_axis(logarithms, example.targets[:, None], axis=-1)[:, 0]
    return jnp.sum(weights * losses) / _positive(jnp.sum(weights))


def sequence_error(
    outputs: Float[Array, "time outputs"], example: Example, kind: Kind
) -> ErrorParts:
    """What one sequence contributes to `error_share`."""
    weights = example.weights.astype(outputs.dtype)
    weight = jnp.sum(weights)
    if kind == "classification":
        wrong = jnp.argmax(outputs, axis=-1) != example.targets
        zero = jnp.zeros_like(weight)
        mean = jnp.zeros(outputs.shape[-1:], outputs.dtype)
        return ErrorParts(jnp.sum(jnp.where(wrong, weights, 0)), weight, mean, zero)
    targets = example.targets.astype(outputs.dtype)
    mean = weights @ targets / _positive(weight)
    return ErrorParts(
        jnp.sum(weights * _squares(outputs - targets)),
        weight,
        mean,
        jnp.sum(weights * _squares(targets - mean[None, :])),
    )


def error_share(parts: ErrorParts, kind: Kind) -> tuple[float, float]:
    """The error over all sequences, one ratio of two sums, and its standard error.

    Regression: the unexplained share `1 − R² = Σ w ‖y − ŷ‖² / Σ w ‖ŷ − m‖²`, where both sums run
    over all sequences and scored steps and m is the mean target over all of them; the lower sum
    is put together from the sequences' own without cancellation, `Σ_i (deviation_i + W_i ‖m_i −
    m‖²)`. Classification: the share of the scored steps that are wrong.

    The standard error is over sequences, of a ratio `r = Σ u_i / Σ v_i` of n pairs:
    `√(n/(n−1) Σ (u_i − r v_i)²) / Σ v_i` (Cochran 1977, Sampling Techniques, 2.11); for equal
    v_i the standard error of a mean. NaN for one sequence, or where all targets are equal.
    """
    residual, weight, mean, deviation = (np.asarray(part, np.float64) for part in parts)
    if kind == "regression":
        overall = weight @ mean / max(weight.sum(), np.finfo(np.float64).tiny)
        below = deviation + weight * np.sum((mean - overall) ** 2, axis=-1)
    else:
        below = weight
    count = residual.size
    with np.errstate(all="ignore"):
        share = residual.sum() / below.sum()
        if count < 2:
            return float(share), float("nan")
        spread = np.sum((residual - share * below) ** 2) * count / (count - 1)
        return float(share), float(np.sqrt(spread) / below.sum())


def _squares(values: Float[Array, "time outputs"]) -> Float[Array, " time"]:
    return jnp.sum(values * values, axis=-1)


def _positive(total: Float[Array, ""]) -> Float[Array, ""]:
    return jnp.where(total > 0, total, 1)
