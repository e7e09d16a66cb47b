"""The table of systems that the laws are held to, and the slow, plain way to their responses."""

import jax.numpy as jnp
import numpy as np
import pytest

from remanence.systems import DiagonalStateSpace, StateSpace


def _normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def _complex(seed, *shape):
    return _normal(seed, *shape) + 1j * _normal(seed + 1, *shape)


def _dense(order, inputs, outputs, radius, seed, direct):
    A = _normal(seed, order, order)
    A *= radius / np.max(np.abs(np.linalg.eigvals(A)))
    D = _normal(seed + 3, outputs, inputs) if direct else None
    return StateSpace(A, _normal(seed + 1, order, inputs), _normal(seed + 2, outputs, order), D)


def delay(steps):
    """`y_t = x_{t − steps + 1}`: a shift register with `steps` cells."""
    return StateSpace(np.eye(steps, k=-1), np.eye(steps)[:, :1], np.eye(steps)[-1:])


_MIXED = (True, False, True, False)

SYSTEMS = {
    "dense": lambda: _dense(5, 1, 1, 0.9, 1, False),
    "dense, several ports": lambda: _dense(6, 3, 2, 0.8, 10, True),
    "dense, more ports than states": lambda: _dense(2, 3, 4, 0.7, 20, True),
    "dense, JAX arrays": lambda: StateSpace(
        jnp.array([[0.5, 0.2], [-0.1, 0.3]]), jnp.array([[1.0], [2.0]]), jnp.array([[1.0, -1.0]])
    ),
    "delay": lambda: delay(4),
    "pairs": lambda: DiagonalStateSpace(
        np.array([0.9, 0.6, 0.3]) * np.exp(1j * np.array([0.3, 2.0, 1.0])),
        _complex(30, 3, 1),
        _complex(40, 1, 3),
    ),
    "pairs, several ports": lambda: DiagonalStateSpace(
        np.array([0.95, 0.6, 0.3]) * np.exp(1j * np.array([0.1, -2.0, 3.0])),
        _complex(50, 3, 2),
        _complex(60, 3, 3),
        _normal(70, 3, 2),
    ),
    "real modes": lambda: DiagonalStateSpace(
        np.array([0.9, -0.4, 0.0, 0.2]), _normal(80, 4, 1), _normal(81, 1, 4)
    ),
    "mixed": lambda: DiagonalStateSpace(
        np.array([0.8j, 0.5, 0.3 + 0.2j, -0.9]),
        np.where(np.array(_MIXED)[:, None], _complex(90, 4, 2), _normal(91, 4, 2)),
        np.where(np.array(_MIXED)[None, :], _complex(92, 2, 4), _normal(93, 2, 4)),
        _normal(94, 2, 2),
        paired=_MIXED,
    ),
    "mixed, JAX arrays": lambda: DiagonalStateSpace(
        jnp.array([0.8j, 0.5 + 0j]),
        jnp.array([[1.0 + 2j], [1.0 + 0j]]),
        jnp.array([[2.0 - 1j, 3.0 + 0j]]),
        paired=(True, False),
    ),
    "pair on the real axis": lambda: DiagonalStateSpace(
        np.array([0.7 + 0j, 0.4 + 0.5j]),
        _complex(100, 2, 1),
        _complex(110, 1, 2),
        paired=(True, True),
    ),
}


@pytest.fixture(params=list(SYSTEMS), scope="session")
def system(request):
    """Every system of the table in turn."""
    return SYSTEMS[request.param]()


def complex_matrices(system):
    """`(A, B, C, D)` with a pair written out as λ and its conjugate: no real blocks."""
    if isinstance(system, StateSpace):
        return tuple(np.asarray(m) for m in (system.A, system.B, system.C, system.D))
    rows = [(m, s) for m, pair in enumerate(system.paired) for s in ((0, 1) if pair else (0,))]

    def spread(array):
        array = np.asarray(array)
        return np.array([array[mode].conj() if second else array[mode] for mode, second in rows])

    A = np.diag(spread(system.eigenvalues))
    return A, spread(system.B), spread(np.asarray(system.C).T).T, np.asarray(system.D)


@pytest.fixture(scope="session")
def matrices():
    """The function `complex_matrices`."""
    return complex_matrices


@pytest.fixture(scope="session")
def make_delay():
    """The function `delay`."""
    return delay


@pytest.fixture(scope="session")
def make_dense():
    """`(order, inputs, outputs, radius, seed, direct) -> StateSpace`."""
    return _dense
