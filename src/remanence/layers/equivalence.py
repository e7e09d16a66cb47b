"""Holding a layer to the state contract: every way of running it must agree."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray, PyTree

from remanence.errors import RemanenceError
from remanence.layers.contract import floating_type

_TOLERANCE = {8: 1e-10, 4: 2e-4, 2: 5e-2}
"""Largest allowed difference, relative to the outputs, by bytes of the layer's floats."""

_SLOPE_TOLERANCE = 1e-6
"""Derivatives against central differences in float64, relative to the derivative."""


@dataclasses.dataclass(frozen=True)
class Law:
    """One law of the contract: the largest relative difference seen, and the one allowed."""

    name: str
    error: float
    tolerance: float

    @property
    def holds(self) -> bool:
        """Whether the difference is within the tolerance; NaN is not."""
        return bool(self.error <= self.tolerance)


@dataclasses.dataclass(frozen=True)
class Equivalence:
    """What `check_equivalence` measured; `print` shows it as a table."""

    layer: str
    laws: tuple[Law, ...]

    @property
    def holds(self) -> bool:
        """Whether every law holds."""
        return all(law.holds for law in self.laws)

    def __str__(self) -> str:
        width = max(len(law.name) for law in self.laws)
        rows = [
            f"  {law.name:{width}}  {law.error:9.1e}  (at most {law.tolerance:.0e})  "
            f"{'holds' if law.holds else 'BROKEN'}"
            for law in self.laws
        ]
        return "\n".join([f"{self.layer}: state contract", *rows])


def check_equivalence(
    layer: Any,
    *,
    length: int = 24,
    key: PRNGKeyArray | None = None,
    tolerance: float | None = None,
    derivatives: bool = True,
    strict: bool = True,
) -> Equivalence:
    """Hold a layer, your own included, to the state contract.

    The layer needs `inputs`, `initial_state()`, `step(state, x)`, `layer(xs, state)` and
    `states(xs, state)`; if it names `methods`, each of them is run, and if it has `system()`,
    its impulse response is compared. Compared are, on random inputs of `length` steps:

    - stepping, every method and the plain sequence: outputs, final state and all states;
    - cutting the sequence at both ends and inside, and carrying the state;
    - causality: later inputs change no earlier output;
    - `jit` and `vmap` against plain calls;
    - in float64 and with `derivatives`: the gradient in the parameters, the inputs and the
      state, and Hessian-vector products (forward over reverse, and reverse twice), against
      central differences.

    Args:
        layer: the layer to check.
        length: time steps of the test sequence, at least 3.
        key: the random key of the test sequence.
        tolerance: allowed difference relative to the largest output; by the layer's float type
            if not given (1e-10 in float64, 2e-4 in float32).
        derivatives: whether to check derivatives (float64 only).
        strict: raise if a law is broken; otherwise the table says so.

    Raises:
        RemanenceError: if a law is broken, naming the worst.

        >>> from remanence.layers import GRU
        >>> check_equivalence(GRU(2, 3, key=jax.random.key(0)), strict=False).laws[0].name
        'step by step'
    """
    if length < 3:
        raise RemanenceError(f"check_equivalence: length is {length}; it must be at least 3")
    dtype = floating_type(layer)
    allowed = _TOLERANCE[dtype.itemsize] if tolerance is None else float(tolerance)
    key = jax.random.key(0) if key is None else key
    xs = jax.random.normal(key, (length, layer.inputs), dtype)
    laws = [Law(name, error, allowed) for name, error in _laws(layer, xs)]
    if derivatives and dtype.itemsize == 8:
        laws += [Law(name, error, _SLOPE_TOLERANCE) for name, error in _slopes(layer, xs, key)]
    report = Equivalence(type(layer).__name__, tuple(laws))
    if strict and not report.holds:
        broken = [law for law in laws if not law.holds]
        worst = max(broken, key=lambda law: np.nan_to_num(law.error, nan=np.inf))
        raise RemanenceError(
            f"{report.layer}: breaks the state contract: {worst.name}: relative difference "
            f"{worst.error:.1e}, allowed {worst.tolerance:.0e} "
            f"({len(broken)} of {len(laws)} laws broken; strict=False returns them all)"
        )
    return report


def _laws(layer: Any, xs: Array) -> Iterator[tuple[str, float]]:
    length = xs.shape[0]
    plain = _runner(layer, {})
    start = layer.initial_state()
    (ys, final), states = plain(xs, start)
    yield "step by step", _difference(_stepped(layer, xs, start), (ys, states))
    yield "states end at the final state", _difference(_at(states, -1), final)
    # Not compiled: what jit is compared with.
    unjitted = layer(xs), layer.states(xs)
    yield "no state means initial_state(); jit", _difference(unjitted, ((ys, final), states))
    cuts = [
        _difference(_carried(plain, xs, start, cut), (ys, final))
        for cut in (0, 1, length // 3, length - 1, length)
    ]
    yield "cut and carry the state", max(cuts)
    # Halfway an input is changed: nothing before it may hear of it.
    half = length // 2
    changed = plain(xs.at[half:].add(1.0), start)[0][0]
    yield "causality", _difference(changed[:half], ys[:half])
    batch = jnp.stack([xs, -xs, xs[::-1]])
    mapped = jax.jit(jax.vmap(lambda x: layer(x)))(batch)
    one_by_one = [plain(x, start)[0] for x in batch]
    together = jax.tree.map(lambda *parts: jnp.stack(parts), *one_by_one)
    yield "vmap", _difference(mapped, together)
    for method in getattr(layer, "methods", ()):
        run = _runner(layer, {"method": method})
        yield f"method {method}", _difference(run(xs, start), ((ys, final), states))
        carried = _carried(run, xs, start, length // 3)
        yield f"cut and carry, method {method}", _difference(carried, (ys, final))
    if callable(getattr(layer, "system", None)):
        yield "system(): impulse response", _impulse_error(layer, plain, length)


def _runner(layer: Any, options: dict[str, str]) -> Callable:
    """`(xs, state) -> ((ys, final), states)`, compiled."""
    return jax.jit(lambda xs, s: (layer(xs, s, **options), layer.states(xs, s, **options)))


def _stepped(layer: Any, xs: Array, state: PyTree) -> tuple[Array, PyTree]:
    step = jax.jit(lambda state, x: layer.step(state, x))
    outputs, states = [], []
    for x in xs:
        state, y = step(state, x)
        outputs.append(y)
        states.append(state)
    return jnp.stack(outputs), jax.tree.map(lambda *parts: jnp.stack(parts), *states)


def _carried(run: Callable, xs: Array, state: PyTree, cut: int) -> tuple[Array, PyTree]:
    (first, state), _ = run(xs[:cut], state)
    (second, state), _ = run(xs[cut:], state)
    return jnp.concatenate([first, second]), state


def _impulse_error(layer: Any, plain: Callable, length: int) -> float:
    response = jax.jit(lambda own: own.system().impulse_response(length))(layer)
    impulses = jnp.zeros((layer.inputs, length, layer.inputs), floating_type(layer))
    index = np.arange(layer.inputs)
    impulses = impulses.at[index, 0, index].set(1.0)
    own = [plain(impulse, layer.initial_state())[0][0] for impulse in impulses]
    return _difference(jnp.stack(own, axis=2), response)


def _slopes(layer: Any, xs: Array, key: PRNGKeyArray) -> Iterator[tuple[str, float]]:
    """Gradient and Hessian-vector products of a smooth score.

    The plainest engine is held to central differences, the others to the plainest.
    """
    arrays, rest = eqx.partition(layer, eqx.is_inexact_array)
    start = layer.initial_state()
    point = (arrays, xs, start)
    leaves, shape = jax.tree.flatten(point)
    drawn = [
        _direction(k, leaf)
        for k, leaf in zip(jax.random.split(key, len(leaves)), leaves, strict=True)
    ]
    direction = jax.tree.unflatten(shape, drawn)

    def inner(tree: PyTree) -> Array:
        # Of a real score JAX's gradient is the conjugate of the steepest direction.
        parts = jax.tree.map(lambda g, d: jnp.sum((g * d).real), tree, direction)
        return jax.tree.reduce(jnp.add, parts)

    def derivatives(score: Callable) -> Callable:
        gradient = jax.grad(score)
        return jax.jit(
            lambda p: (
                gradient(p),
                jax.jvp(gradient, (p,), (direction,))[1],
                jax.grad(lambda q: inner(gradient(q)))(p),
            )
        )

    methods = tuple(getattr(layer, "methods", ())) or (None,)
    scores = {
        method: _score(rest, {} if method is None else {"method": method}) for method in methods
    }
    plainest = scores[methods[0]]
    gradient, forward, reverse = derivatives(plainest)(point)
    # Central differences of fourth order: at this step their error is far below the tolerance.
    size = 1e-3
    both = jax.jit(jax.value_and_grad(plainest))
    near = [
        both(jax.tree.map(lambda p, d, m=multiple: p + m * size * d, point, direction))
        for multiple in (-2.0, -1.0, 1.0, 2.0)
    ]
    slope, curvature = jax.tree.map(
        lambda a, b, c, d: (a - 8.0 * b + 8.0 * c - d) / (12.0 * size), *near
    )
    yield "gradient", _difference(inner(gradient), slope)
    yield "Hessian-vector product", _difference(forward, curvature)
    yield "Hessian-vector product, reverse twice", _difference(reverse, curvature)
    for method in methods[1:]:
        found = derivatives(scores[method])(point)
        expected = (gradient, forward, forward)
        yield f"derivatives, method {method}", _difference(found, expected)


def _score(rest: PyTree, options: dict[str, str]) -> Callable:
    """A smooth function of everything that a run puts out."""

    def score(point: PyTree) -> Float[Array, ""]:
        own, xs, state = point
        outputs = eqx.combine(own, rest)(xs, state, **options)
        # Unequal weights: no two outputs may cancel or be exchanged unnoticed.
        terms = [
            jnp.sum(
                jnp.sin(leaf.real + 0.5 * leaf.imag)
                * jnp.cos(jnp.arange(leaf.size, dtype=leaf.real.dtype)).reshape(leaf.shape)
            )
            for leaf in jax.tree.leaves(outputs)
        ]
        return sum(terms[1:], terms[0])

    return score


def _direction(key: PRNGKeyArray, leaf: Array) -> Array:
    drawn = jax.random.normal(key, leaf.shape, leaf.dtype)
    return drawn / jnp.maximum(jnp.linalg.norm(drawn.reshape(-1)), 1.0).astype(leaf.dtype)


def _difference(got: PyTree, expected: PyTree) -> float:
    """Largest difference of two trees, relative to the largest entry (but at least 1)."""
    got_leaves, expected_leaves = jax.tree.leaves(got), jax.tree.leaves(expected)
    if len(got_leaves) != len(expected_leaves):
        return float("inf")
    worst = 0.0
    for a, b in zip(got_leaves, expected_leaves, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        if a.shape != b.shape:
            return float("inf")
        if not b.size:
            continue
        scale = max(1.0, float(np.max(np.abs(b))))
        error = float(np.max(np.abs(a - b))) / scale
        worst = error if np.isnan(error) else max(worst, error)
        if np.isnan(worst):
            break
    return worst


def _at(states: PyTree, index: int) -> PyTree:
    return jax.tree.map(lambda leaf: leaf[index], states)
