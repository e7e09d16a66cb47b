"""Which training length, which optimizer, which order: decided on validation alone."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from remanence.errors import NumericalError
from remanence.identify.evaluate import carried_error, long_response
from remanence.identify.learn import LengthRun
from remanence.identify.preparation import Prepared
from remanence.systems import StateSpace, balanced_truncation, hankel_singular_values, realize
from remanence.training import Parameters

# A simpler model is preferred while it costs less than this share of the best one's error: one
# validation part does not tell errors apart more finely than that.
SLACK = 0.03
_MOST_ORDERS = 16
_NEGLIGIBLE_HANKEL = 1e-6


def simplest(shares: Sequence[float]) -> int:
    """Index of the first share within the slack of the best; the last one if none is finite."""
    values = np.asarray(shares, float)
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return len(values) - 1
    return int(np.flatnonzero(values <= finite.min() * (1 + SLACK))[0])


def choose_order(
    data: Prepared, run: LengthRun, order: int | None
) -> tuple[StateSpace, Float[np.ndarray, " values"], dict[int, float]]:
    """Cut the chosen student of `run`; the smallest order within the slack on validation.

    Returns the system, the Hankel singular values the cut was made on, and the carried-state
    validation share of every order tried. A stable student is cut by balanced truncation; an
    unstable one has no infinite Gramians and is realised from its response over the training
    length instead (Ho-Kalman), which can leave a light unstable mode behind.
    """
    student = run.best
    whole = StateSpace(*student)
    stable = float(np.abs(np.linalg.eigvals(student.A)).max()) < 1
    response = long_response(student, run.length)
    if stable:
        hankel = np.asarray(hankel_singular_values(whole))
        most = len(hankel)
    else:
        hankel = run.hankel[run.best_record]
        most = (run.length // 2) * min(response.shape[1:])
    numerical = max(1, min(most, int(np.sum(hankel > _NEGLIGIBLE_HANKEL * hankel[0]))))

    def cut(n: int) -> StateSpace:
        if stable:
            return balanced_truncation(whole, order=n).system
        return realize(response, order=n)

    if order is not None:
        orders = [min(order, numerical)]
    else:
        orders = list(range(1, min(numerical, _MOST_ORDERS) + 1))
    systems, shares = {}, {}
    for n in orders:
        try:
            systems[n] = cut(n)
        except NumericalError:
            # A cut between equal Hankel values may be unstable; other orders remain.
            continue
        shares[n] = carried_error(
            matrices(systems[n]), data.inputs, data.outputs, data.parts["validation"]
        )
    if not systems:
        raise NumericalError(
            f"no stable model of order {', '.join(map(str, orders))} can be cut from the student "
            f"trained on {run.length} steps; ask for another --order"
        )
    return list(systems.values())[simplest(list(shares.values()))], hankel, shares


def matrices(system: StateSpace) -> Parameters:
    """The (A, B, C) of a system without feedthrough, as NumPy arrays."""
    return Parameters(*(np.asarray(m) for m in (system.A, system.B, system.C)))
