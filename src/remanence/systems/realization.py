"""From an impulse response back to a system: the Ho–Kalman realisation."""

import numpy as np
from jaxtyping import Float

from remanence.errors import NumericalError, RemanenceError
from remanence.systems._arrays import AnyArray
from remanence.systems.hankel import hankel_matrix
from remanence.systems.state_space import StateSpace


def realize(
    markov_parameters: Float[AnyArray, "length outputs inputs"],
    *,
    order: int | None = None,
    tolerance: float | None = None,
) -> StateSpace:
    """A state-space system with the given Markov parameters `g_j = C A^j B`.

    With the SVD `U Σ Vᵀ` of the block Hankel matrix `H[i, j] = g_{i+j}` (r × c blocks) and the
    matrix `H⁺[i, j] = g_{i+j+1}` one step later,

        A = Σ^{−½} Uᵀ H⁺ V Σ^{−½},   B = first columns of Σ^{½} Vᵀ,   C = first rows of U Σ^{½},

    which is balanced over the window (its finite Gramians are both Σ). `r + c` parameters are
    used, the shape as square as the order allows.

    How many are needed: an order n needs `r ≥ ⌈n/outputs⌉` and `c ≥ ⌈n/inputs⌉`, so
    `⌈n/outputs⌉ + ⌈n/inputs⌉` of them: 2n for one input and output, and enough for almost
    every system. The rare one whose outputs or inputs see its states only one by one needs more,
    2n at most. If that many agree with a system of order n, it is the only one.

    Args:
        markov_parameters: `g_0 … g_{length−1}`; `D` is taken to be zero (a direct term that is
            present in `g_0` is realised as a pole at zero).
        order: the order of the result; lowered to the numerical rank of H if that is less, since
            what lies beyond is rounding noise.
        tolerance: if `order` is not given, the order is the number of singular values of H above
            `tolerance` times the largest; default `max(H.shape) · eps`. At most one of the two.

    The result need not be stable.

    Raises:
        RemanenceError: if there are too few Markov parameters for the order, or, with no order
            given, if H has full rank, so that nothing says that a larger order is not needed.
        NumericalError: if the parameters hold NaN or infinity.

    Source: Ho & Kalman (1966); with the SVD: Kung (1978), Juang & Pappa (1985, "ERA").
    """
    parameters = np.asarray(markov_parameters, np.float64)
    if parameters.ndim != 3:
        raise RemanenceError(
            "Markov parameters must have shape (length, outputs, inputs), "
            f"got {parameters.shape}; for one input and output add two axes of length 1"
        )
    if not np.isfinite(parameters).all():
        raise NumericalError("the Markov parameters hold NaN or infinity")
    if order is not None and tolerance is not None:
        raise RemanenceError("realize takes at most one of order= and tolerance=")
    if order is not None and order < 0:
        raise RemanenceError(f"order must be 0 or more, got {order}")
    if tolerance is not None and not 0 <= tolerance < 1:
        raise RemanenceError(f"tolerance must be in [0, 1), got {tolerance}")

    rows, columns = _blocks(parameters.shape, order)
    outputs, inputs = parameters.shape[1:]
    hankel = hankel_matrix(parameters, rows, columns)
    later = hankel_matrix(parameters[1:], rows, columns)
    U, values, Vt = np.linalg.svd(hankel, full_matrices=False)
    noise = max(hankel.shape) * np.finfo(np.float64).eps
    threshold = noise if tolerance is None else max(tolerance, noise)
    rank = int(np.sum(values > threshold * np.max(values, initial=0.0)))
    if order is None and rank == min(hankel.shape) and parameters.size:
        raise RemanenceError(
            f"{len(parameters)} Markov parameters do not determine an order: their Hankel matrix "
            f"has full rank {rank}. Give more of them, a larger tolerance, or order="
        )
    kept = rank if order is None else min(order, rank)

    root = np.sqrt(values[:kept])
    left, right = U[:, :kept], Vt[:kept].T
    A = (left / root).T @ later @ (right / root)
    return StateSpace(A, (right * root)[:inputs].T, (left * root)[:outputs])


def _blocks(shape: tuple[int, ...], order: int | None) -> tuple[int, int]:
    """Block rows and columns that use all parameters and can carry the order."""
    length, outputs, inputs = shape
    target = 1 if order is None else max(order, 1)
    least_rows, least_columns = -(-target // outputs), -(-target // inputs)
    if length < least_rows + least_columns:
        raise RemanenceError(
            f"{length} Markov parameter(s) are too few for order {target} with {outputs} "
            f"output(s) and {inputs} input(s): it takes at least {least_rows + least_columns}"
        )
    # The least that both sides need is kept; what is left over is shared out evenly.
    rows = min(max(length // 2, least_rows), length - least_columns)
    return rows, length - rows
