"""The same system in both conventions: the same outputs for the same inputs and state."""

import numpy as np
import pytest
import scipy.signal

from remanence.errors import RemanenceError
from remanence.files import from_scipy, to_scipy
from remanence.systems import DiagonalStateSpace, StateSpace


def stable(rng, n, m, p, rank=None):
    A = rng.standard_normal((n, n))
    if rank is not None:
        A = rng.standard_normal((n, rank)) @ rng.standard_normal((rank, n))
    A *= 0.9 / np.max(np.abs(np.linalg.eigvals(A)), initial=1e-9)
    return A, rng.standard_normal((n, m)), rng.standard_normal((p, n)), rng.standard_normal((p, m))


OURS = {
    "one by one": lambda rng: StateSpace(*stable(rng, 1, 1, 1)),
    "many": lambda rng: StateSpace(*stable(rng, 5, 2, 3)),
    "singular": lambda rng: StateSpace(*stable(rng, 5, 2, 3, rank=2)),
    "no D": lambda rng: StateSpace(*stable(rng, 3, 1, 2)[:3]),
    "diagonal": lambda rng: DiagonalStateSpace(
        np.array([0.9 * np.exp(0.3j), 0.5]),
        rng.standard_normal((2, 1)) + 0j,
        rng.standard_normal((2, 2)) + 0j,
        rng.standard_normal((2, 1)),
        paired=(True, False),
    ),
}


@pytest.mark.parametrize("name", OURS)
def test_ours_in_scipy(rng, name):
    system = OURS[name](rng)
    u = rng.standard_normal((40, system.inputs))
    ours, _ = system.simulate(u)
    _, theirs, _ = scipy.signal.dlsim((*to_scipy(system), 1.0), u)
    np.testing.assert_allclose(theirs, ours, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", OURS)
def test_there_and_back_without_a_new_state(rng, name):
    system = OURS[name](rng)
    back = from_scipy(*to_scipy(system))
    assert back.order == system.order
    np.testing.assert_allclose(
        back.impulse_response(30), system.impulse_response(30), rtol=1e-10, atol=1e-10
    )


THEIRS = {
    "invertible": (lambda rng: stable(rng, 4, 2, 3), 4),
    "static": (lambda rng: stable(rng, 0, 2, 3), 0),
    "singular": (lambda rng: stable(rng, 4, 2, 3, rank=2), 7),
    "pure delay": (lambda rng: (np.zeros((1, 1)), np.eye(1), np.eye(1), np.zeros((1, 1))), 2),
    "nilpotent": (
        lambda rng: (np.eye(3, k=1), rng.standard_normal((3, 1)), np.eye(3)[:1], np.ones((1, 1))),
        4,
    ),
    "ill-conditioned": (
        lambda rng: (np.diag([0.9, 1e-13]), np.ones((2, 1)), np.ones((1, 2)), np.zeros((1, 1))),
        3,
    ),
    "no output matrix": (
        lambda rng: (np.eye(2) / 2, np.ones((2, 1)), np.zeros((1, 2)), np.eye(1)),
        2,
    ),
}


@pytest.mark.parametrize("name", THEIRS)
def test_theirs_in_ours(rng, name):
    make, order = THEIRS[name]
    A, B, C, D = make(rng)
    system = from_scipy(A, B, C, D)
    assert system.order == order
    u = rng.standard_normal((40, B.shape[1]))
    x0 = rng.standard_normal(len(A))
    # Whatever the added states hold before the first input, they are not seen.
    state = np.concatenate([x0, rng.standard_normal(order - len(A))])
    ours, last = system.simulate(u, state)
    x, theirs = x0, []
    for row in u:
        theirs.append(C @ x + D @ row)
        x = A @ x + B @ row
    np.testing.assert_allclose(ours, theirs, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(last[: len(A)], x, rtol=1e-11, atol=1e-11)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")
def test_python_control(rng):
    control = pytest.importorskip("control")
    system = StateSpace(*stable(rng, 4, 2, 3))
    u = rng.standard_normal((40, 2))
    theirs = control.forced_response(control.ss(*to_scipy(system), dt=True), inputs=u.T)
    np.testing.assert_allclose(theirs.outputs.T, system.simulate(u)[0], rtol=1e-11, atol=1e-11)


def test_shapes_that_do_not_fit():
    with pytest.raises(RemanenceError, match="do not fit together") as caught:
        from_scipy(np.eye(2), np.ones((2, 1)), np.ones((1, 2)), np.ones((1, 2)))
    assert "D (1, 2)" in str(caught.value)
