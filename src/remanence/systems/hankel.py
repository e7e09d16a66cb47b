"""Hankel matrices and their singular values: how many numbers the past leaves to the future."""

import numpy as np
from jaxtyping import Float

from remanence.errors import RemanenceError
from remanence.systems._arrays import AnyArray
from remanence.systems._graded import graded_svd
from remanence.systems.diagonal import DiagonalStateSpace
from remanence.systems.gramians import controllability_factor, observability_factor
from remanence.systems.state_space import StateSpace


def hankel_matrix(
    markov_parameters: Float[AnyArray, "length outputs inputs"],
    rows: int | None = None,
    columns: int | None = None,
) -> Float[np.ndarray, "block_rows block_columns"]:
    """The block Hankel matrix `H[i, j] = g_{i+j}`: it maps past inputs to future outputs.

    Args:
        markov_parameters: `g_0 … g_{length−1}`, as from `impulse_response`.
        rows: block rows; columns: block columns. `rows + columns − 1 ≤ length` of the parameters
            are used. Left out, they use up all of them, as square as can be.

    Returns:
        `(rows · outputs, columns · inputs)`, float64. Its rank is the system's minimal order once
        rows and columns are large enough (both ≥ the order always is).

    Raises:
        RemanenceError: if there are too few Markov parameters, or the shape is not 3-dimensional.

        >>> hankel_matrix(np.array([1.0, 2.0, 3.0]).reshape(3, 1, 1)).tolist()
        [[1.0, 2.0], [2.0, 3.0]]
    """
    parameters = np.asarray(markov_parameters, np.float64)
    if parameters.ndim != 3:
        raise RemanenceError(
            "Markov parameters must have shape (length, outputs, inputs), "
            f"got {parameters.shape}; for one input and output add two axes of length 1"
        )
    length, outputs, inputs = parameters.shape
    if rows is None:
        down = (length + 1) // 2 if columns is None else length + 1 - columns
    else:
        down = rows
    across = length + 1 - down if columns is None else columns
    if down < 1 or across < 1 or down + across - 1 > length:
        raise RemanenceError(
            f"a Hankel matrix of {down} × {across} blocks is not possible: both must be at least "
            f"1, and rows + columns − 1 at most the number of Markov parameters, {length}"
        )
    index = np.arange(down)[:, None] + np.arange(across)[None, :]
    return parameters[index].transpose(0, 2, 1, 3).reshape(down * outputs, across * inputs)


def hankel_singular_values(
    system: StateSpace | DiagonalStateSpace,
) -> Float[np.ndarray, " order"]:
    """The singular values of the system's infinite Hankel matrix, descending, `order` of them.

    `σ = svd(Loᵀ Lc)` from factors `P = Lc Lcᵀ`, `Q = Lo Loᵀ` of the Gramians; `σ_i² = λ_i(P Q)`.
    n conjugate pairs have 2n of them. They are invariants: the same in all coordinates. `D`
    does not enter.

    Accuracy: diagonal systems, every value to a small multiple of eps *of itself* as long as the
    closed-form factors are well conditioned up to scaling (24 real poles over 25 decades: better
    than 1e-12); dense systems, to about `eps / (1 − ρ)` of the largest.

    Raises:
        NumericalError: if the system is unstable (spectral radius ≥ 1) or holds NaN.

    Source: Moore (1981); Tombs & Postlethwaite (1987) for the square-root form.

        >>> float(hankel_singular_values(StateSpace([[0.5]], [[1.0]], [[3.0]]))[0])
        4.0
    """
    return graded_svd(observability_factor(system).T @ controllability_factor(system))[1]


def effective_rank(singular_values: Float[AnyArray, " count"]) -> float:
    """`exp(−Σ p_i ln p_i)` with `p_i = σ_i / Σ σ`: how many values carry weight, as a real number.

    Between 1 and their number (a delay of n steps has exactly n); 0 if all of them are zero.

    Raises:
        RemanenceError: if a value is negative, NaN or infinite.

    Source: Roy & Vetterli (2007), "The effective rank".

        >>> round(effective_rank(np.array([1.0, 1.0, 0.0])), 12)
        2.0
    """
    values = np.asarray(singular_values, np.float64)
    if not np.isfinite(values).all() or np.any(values < 0):
        raise RemanenceError("effective_rank needs finite singular values, none of them negative")
    positive = values[values > 0]
    if positive.size == 0:
        return 0.0
    # Scaled first, so that the sum can neither overflow nor vanish.
    scaled = positive / positive.max()
    shares = scaled / scaled.sum()
    shares = shares[shares > 0]
    return float(np.exp(-np.sum(shares * np.log(shares))))
