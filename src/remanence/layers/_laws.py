"""The laws of `check_equivalence` on values, and how two results are compared."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from remanence.layers.contract import floating_type, kind_of, written


class Unequal(Exception):
    """Two results that no number can tell apart: of other structure, shape or kind."""


def laws_of_values(
    layer: Any, xs: np.ndarray, methods: tuple[str, ...]
) -> Iterator[tuple[str, Callable[[], float]]]:
    """Each law's name and what measures it, in order; only the first if that cannot be run."""
    length = xs.shape[0]
    plain = _runner(layer, {})
    known: list[Any] = []

    def first_run() -> float:
        start = layer.initial_state()
        (ys, final), states = plain(xs, start)
        shape = jax.eval_shape(lambda: start)
        known[:] = start, shape, ys, final, states
        last = jax.eval_shape(lambda: jax.tree.map(lambda leaf: leaf[-1], states))
        return max(_kept(final, shape, "the final state"), _kept(last, shape, "states()"))

    yield "states are like initial_state()", first_run
    if not known:
        return
    start, shape, ys, final, states = known

    def stepped() -> float:
        after, outputs = _stepped(layer, xs, start, shape)
        return difference((outputs, after), (ys, states))

    yield "step by step", stepped
    yield "states end at the final state", lambda: difference(_at(states, -1), final)
    # Not compiled: what jit is compared with.
    yield (
        "no state means initial_state(); jit",
        lambda: difference(
            (layer(jnp.asarray(xs)), layer.states(jnp.asarray(xs))), ((ys, final), states)
        ),
    )
    # Every length is a program of its own: one half serves the cuts of every method.
    half = length // 2
    cuts = (0, 1, half, length - 1, length)
    yield (
        "cut and carry the state",
        lambda: float(
            np.max([difference(_carried(plain, xs, start, cut), (ys, final)) for cut in cuts])
        ),
    )
    # From halfway on the inputs are changed, each by its own amount: nothing before may hear it.
    changed = xs.copy()
    changed[half:] += np.linspace(1, 2, changed[half:].size, dtype=xs.dtype).reshape(
        -1, xs.shape[1]
    )

    def heard(run: Callable) -> float:
        (before, _), first = run(xs, start)
        (after, _), second = run(changed, start)

        def early(tree: Any) -> Any:
            return jax.tree.map(lambda leaf: _entries(leaf)[:half], tree)

        largest = max(float(np.max(np.abs(before))), float(np.max(np.abs(after))))
        return difference(early((after, second)), early((before, first)), largest)

    yield "causality", lambda: heard(plain)
    batch = np.stack([xs, -xs, xs[::-1]])
    yield (
        "vmap",
        lambda: difference(
            jax.jit(jax.vmap(lambda x: layer(x)))(batch),
            _stacked([plain(x, start)[0] for x in batch]),
        ),
    )
    for method in methods:
        run = _runner(layer, {"method": method})
        yield f"method {method}", partial(_against, run, xs, start, ((ys, final), states))
        yield f"causality, method {method}", partial(heard, run)
        yield (
            f"cut and carry, method {method}",
            lambda run=run: difference(_carried(run, xs, start, half), (ys, final)),
        )
    if callable(getattr(layer, "system", None)):
        yield (
            "system(): impulse response",
            lambda: _impulse_error(layer, plain, length, lambda own: own.system()),
        )
    if callable(getattr(layer, "impulse_response", None)):
        yield "impulse_response()", lambda: _impulse_error(layer, plain, length, lambda own: own)


def _against(run: Callable, xs: np.ndarray, start: PyTree, expected: PyTree) -> float:
    return difference(run(xs, start), expected)


def _kept(got: PyTree, expected: PyTree, what: str) -> float:
    """0 if the structure, the shapes and the types are the same; raises otherwise."""
    found = jax.eval_shape(lambda: got)
    if jax.tree.structure(found) != jax.tree.structure(expected):
        raise Unequal(
            f"{what}: {written(jax.tree.structure(found))}, initial_state(): "
            f"{written(jax.tree.structure(expected))}"
        )
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        if (a.shape, a.dtype) != (b.shape, b.dtype):
            raise Unequal(
                f"{what}: {a.dtype} of shape {a.shape}, initial_state(): {b.dtype} of {b.shape}"
            )
    return 0.0


def _runner(layer: Any, options: dict[str, str]) -> Callable:
    """`(xs, state) -> ((ys, final), states)`, compiled."""
    return jax.jit(lambda xs, s: (layer(xs, s, **options), layer.states(xs, s, **options)))


def _stepped(
    layer: Any, xs: np.ndarray, state: PyTree, shape: PyTree
) -> tuple[PyTree, np.ndarray]:
    step = jax.jit(lambda state, x: layer.step(state, x))
    outputs, states = [], []
    for x in xs:
        state, y = step(state, x)
        _kept(state, shape, "step()")
        outputs.append(y)
        states.append(state)
    return _stacked(states), _stacked(outputs)


def _carried(run: Callable, xs: np.ndarray, state: PyTree, cut: int) -> tuple[np.ndarray, PyTree]:
    (first, state), _ = run(xs[:cut], state)
    (second, state), _ = run(xs[cut:], state)
    return np.concatenate([first, second]), state


def _impulse_error(layer: Any, plain: Callable, length: int, of: Callable) -> float:
    arrays, rest = eqx.partition(layer, eqx.is_array)
    response = jax.jit(lambda own: of(eqx.combine(own, rest)).impulse_response(length))(arrays)
    own = []
    for channel in range(layer.inputs):
        impulse = np.zeros((length, layer.inputs), floating_type(layer))
        impulse[0, channel] = 1
        own.append(plain(impulse, layer.initial_state())[0][0])
    return difference(np.stack(own, axis=2), response)


def difference(got: PyTree, expected: PyTree, largest: float = 0.0) -> float:
    """Largest difference of two trees, relative to the largest entry (but at least 1).

    Raises if they differ in structure, shape or kind, or in an entry that is no real number.
    """
    structures = jax.tree.structure(got), jax.tree.structure(expected)
    if structures[0] != structures[1]:
        raise Unequal(f"got {written(structures[0])}, expected {written(structures[1])}")
    worst = 0.0
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        a, b = _entries(a), _entries(b)
        if a.shape != b.shape or kind_of(a.dtype) != kind_of(b.dtype):
            raise Unequal(f"got {a.dtype} of shape {a.shape}, expected {b.dtype} of {b.shape}")
        if not b.size:
            continue
        if not jnp.issubdtype(b.dtype, jnp.inexact):
            if not np.array_equal(a, b):
                raise Unequal(f"{np.sum(a != b)} of {b.size} entries of type {b.dtype} differ")
            continue
        scale = max(1.0, largest, float(np.max(np.abs(b))))
        with np.errstate(invalid="ignore"):
            worst = float(np.maximum(worst, np.max(np.abs(a - b)) / scale))
    return worst


def _entries(leaf: Any) -> np.ndarray:
    """The leaf as numbers; of a random key its data."""
    keys = isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(leaf) if keys else leaf)


def _at(states: PyTree, index: int) -> PyTree:
    return jax.tree.map(lambda leaf: _entries(leaf)[index], states)


def _stacked(trees: list[PyTree]) -> PyTree:
    return jax.tree.map(lambda *leaves: np.stack([_entries(leaf) for leaf in leaves]), *trees)
