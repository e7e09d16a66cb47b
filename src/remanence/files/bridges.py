"""The one place where Remanence's convention meets SciPy's and python-control's."""

import numpy as np
from jaxtyping import Array, Float64, Real

from remanence.errors import RemanenceError
from remanence.systems import DiagonalStateSpace, StateSpace, successor_form

GROWTH = 1e4
"""How much larger than C the matrix C A⁻¹ may be, relative to A, before a state is added."""

Matrix = np.ndarray | Array


def to_scipy(
    system: StateSpace | DiagonalStateSpace,
) -> tuple[
    Float64[np.ndarray, "states states"],
    Float64[np.ndarray, "states inputs"],
    Float64[np.ndarray, "outputs states"],
    Float64[np.ndarray, "outputs inputs"],
]:
    """The same system in SciPy's and python-control's convention, `(A, B, C A, C B + D)`.

    Ours is `h_t = A h_{t-1} + B u_t, y_t = C h_t + D u_t`; theirs is `x_{t+1} = A x_t + B u_t,
    y_t = C x_t + D u_t`. With `x_t = h_{t-1}`, `y_t = C (A x_t + B u_t) + D u_t`. Our state
    before the first input is their initial state. A diagonal system is made dense and real
    first.

        scipy.signal.dlsim((*to_scipy(system), 1.0), u)
    """
    dense = system.to_dense()
    # In NumPy's float64 first: the products should not be rounded to the system's precision.
    arrays = (np.asarray(M, np.float64) for M in (dense.A, dense.B, dense.C, dense.D))
    A, B, C, D = (np.asarray(M) for M in successor_form(StateSpace(*arrays)))
    return A, B, C, D


def from_scipy(
    A: Real[Matrix, "_ _"], B: Real[Matrix, "_ _"], C: Real[Matrix, "_ _"], D: Real[Matrix, "_ _"]
) -> StateSpace:
    """The system `x_{t+1} = A x_t + B u_t, y_t = C x_t + D u_t` in our convention, exactly.

    `A` is `(states, states)`, `B` `(states, inputs)`, `C` `(outputs, states)` and `D`
    `(outputs, inputs)`.

    With `h_t = x_{t+1}` the state equation is ours as it stands, and any `C'` with `C' A = C`
    gives `y_t = C' (h_t - B u_t) + D u_t`, that is `(A, B, C', D - C' B)`. For an invertible A
    this is `C' = C A⁻¹`; it also exists for a singular A whose rows span C's, as they do for
    everything that `to_scipy` returns.

    Where no such `C'` exists, or it is so large that `D - C' B` would lose digits, the state is
    augmented by the delayed output `z_t = C x_t = C h_{t-1}`:

        [h_t]   [A 0] [h_{t-1}]   [B]
        [z_t] = [C 0] [z_{t-1}] + [0] u_t,      y_t = z_t + D u_t,

    exact for every A, with no arithmetic at all and so no rounding, at the price of one state
    per output. Both are in the convention above; the first `states` entries of our state before
    the first input are their initial state, whatever the rest.

    Raises `RemanenceError` if the shapes do not fit together.

        from_scipy(*to_scipy(system))  # the impulse response of `system`
    """
    A, B, C, D = (np.asarray(M, dtype=np.float64) for M in (A, B, C, D))
    n, m, p = A.shape[0], B.shape[-1], C.shape[0]
    shapes = [M.shape for M in (A, B, C, D)]
    if shapes != [(n, n), (n, m), (p, n), (p, m)]:
        listed = ", ".join(f"{name} {shape}" for name, shape in zip("ABCD", shapes, strict=True))
        raise RemanenceError(
            f"the shapes {listed} do not fit together; give A (n, n), B (n, m), C (p, n), D (p, m)"
        )
    earlier = _solve_left(C, A)
    if earlier is not None:
        return StateSpace(A, B, earlier, D - earlier @ B)
    return StateSpace(
        np.block([[A, np.zeros((n, p))], [C, np.zeros((p, p))]]),
        np.concatenate([B, np.zeros((p, m))]),
        np.concatenate([np.zeros((p, n)), np.eye(p)], axis=1),
        D,
    )


def _solve_left(C: np.ndarray, A: np.ndarray) -> np.ndarray | None:
    """`C'` with `C' A = C` to rounding and of moderate size, or None."""
    if not A.size:
        return C
    solution = np.linalg.lstsq(A.T, C.T, rcond=None)[0].T
    scale = np.linalg.norm(C)
    exact = np.linalg.norm(solution @ A - C) <= 1e-12 * scale
    moderate = np.linalg.norm(solution) * np.linalg.norm(A, 2) <= GROWTH * scale
    return solution if exact and moderate else None
