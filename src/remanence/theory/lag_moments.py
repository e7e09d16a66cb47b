"""A batch of inputs as a linear system sees it: the moments of its lags.

The error of a linear student is `Σ_n ΔK_n x_{t-n}`, so that its mean square over a batch is a
quadratic form of `ΔK` whose matrix does not depend on the student. One matrix product over the
batch makes it; after that every student that is trained on the batch costs a product of it with
its own kernel, however large the batch is.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Real

from remanence.errors import RemanenceError
from remanence.theory.modes import AnyArray


def lag_moments(
    xs: Real[AnyArray, "..."],
) -> Float[Array, "time inputs time inputs"]:
    """`G_nm = (1/(B T)) Σ_b Σ_{t ≥ max(n,m)} x_{t−n} x_{t−m}ᵀ`, the past before t = 0 being zero.

    Its expectation for white input of variance 1 is `(1 − n/T) δ_nm I`.

    Costs `2 B (T inputs)²` flops as one matrix product, and `(T inputs)²` more for the sums along
    the diagonals: `G_nm = G_{n+1,m+1} + C_{T−1−n, T−1−m}` with `C = Σ_b x xᵀ`.

    Args:
        xs: `(batch, time, inputs)`.

    Raises:
        RemanenceError: for another shape.

    Source: derived.

        >>> lag_moments(jnp.array([[[1.0], [2.0]]]))[:, 0, :, 0].tolist()
        [[2.5, 1.0], [1.0, 0.5]]
    """
    xs = jnp.asarray(xs)
    if xs.ndim != 3 or not xs.size:
        raise RemanenceError(
            f"lag_moments: xs have shape {xs.shape}, expected (batch, time, inputs), none empty"
        )
    if not jnp.issubdtype(xs.dtype, jnp.floating):
        xs = xs.astype(float)
    batch, time, inputs = xs.shape
    latest_first = xs[:, ::-1].reshape(batch, time * inputs)
    products = (latest_first.T @ latest_first) / (batch * time)

    def shifted(row: Array, term: Array) -> tuple[Array, Array]:
        ends = jnp.zeros((inputs, inputs), xs.dtype)
        row = jnp.concatenate([row[:, inputs:], ends], axis=1) + term
        return row, row

    start = jnp.zeros((inputs, time * inputs), xs.dtype)
    rows = jax.lax.scan(
        shifted, start, products.reshape(time, inputs, time * inputs), reverse=True
    )[1]
    return rows.reshape(time, inputs, time, inputs)


def moment_loss(
    difference: Float[AnyArray, "time outputs inputs"],
    moments: Float[AnyArray, "..."],
    *,
    factor: float | int = 0.5,
) -> Float[Array, ""]:
    """`factor · Σ_{n,m} tr(ΔK_n G_nm ΔK_mᵀ)`: with `lag_moments(xs)`, exactly `minibatch_loss`.

    Args:
        difference: `ΔK`.
        moments: `G`, `(time, inputs, time, inputs)`.
        factor: of the loss.

    Raises:
        RemanenceError: if the moments are not those of as many lags and inputs.
    """
    K = jnp.asarray(difference)
    time, outputs, inputs = K.shape
    if moments.shape != (time, inputs, time, inputs):
        raise RemanenceError(
            f"moment_loss: moments have shape {moments.shape}, expected "
            f"{(time, inputs, time, inputs)} for a kernel of shape {K.shape}"
        )
    rows = K.transpose(1, 0, 2).reshape(outputs, time * inputs)
    matrix = jnp.asarray(moments).reshape(time * inputs, time * inputs)
    return factor * jnp.sum((rows @ matrix) * rows)
