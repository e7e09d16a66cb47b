"""Holding a layer to the state contract: every way of running it must agree."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

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
    methods: Sequence[str] | None = None,
    tolerance: float | None = None,
    derivatives: Literal["every method", "plainest", "none"] = "every method",
    strict: bool = True,
    seed: int = 0,
) -> Equivalence:
    """Hold a layer, your own included, to the state contract.

    The layer needs `inputs`, `initial_state()`, `step(state, x)`, `layer(xs, state)` and
    `states(xs, state)`; if it names `methods`, each of them is run, and if it has `system()`,
    its impulse response is compared. Compared are, on random inputs of `length` steps:

    - stepping, the plain sequence and every method: outputs, final state and all states;
    - cutting the sequence at both ends and inside, and carrying the state;
    - causality: later inputs change no earlier output;
    - `jit` and `vmap` against plain calls;
    - in float64 the derivatives: the gradient in the parameters, the inputs and the
      state, and Hessian-vector products (forward over reverse, and reverse twice), against
      central differences.

    Args:
        layer: the layer to check.
        length: time steps of the test sequence, at least 3.
        methods: the engines to run; all that the layer names if not given.
        tolerance: allowed difference relative to the largest output; by the layer's float type
            if not given (1e-10 in float64, 2e-4 in float32).
        derivatives: of which methods to check derivatives (float64 only).
        strict: raise if a law is broken; otherwise the table says so.
        seed: of the random inputs and directions.

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
    chosen = tuple(getattr(layer, "methods", ()) if methods is None else methods)
    rng = np.random.default_rng(seed)
    xs = rng.standard_normal((length, layer.inputs)).astype(dtype)
    laws = [Law(name, error, allowed) for name, error in _laws(layer, xs, chosen)]
    if derivatives != "none" and dtype.itemsize == 8:
        compared = chosen if derivatives == "every method" else chosen[:1]
        slopes = _slopes(layer, xs, compared, rng)
        laws += [Law(name, error, _SLOPE_TOLERANCE) for name, error in slopes]
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


def _laws(layer: Any, xs: np.ndarray, methods: tuple[str, ...]) -> Iterator[tuple[str, float]]:
    length = xs.shape[0]
    plain = _runner(layer, {})
    start = layer.initial_state()
    (ys, final), states = plain(xs, start)
    yield "step by step", _difference(_stepped(layer, xs, start), (ys, states))
    yield "states end at the final state", _difference(_at(states, -1), final)
    # Not compiled: what jit is compared with.
    unjitted = layer(jnp.asarray(xs)), layer.states(jnp.asarray(xs))
    yield "no state means initial_state(); jit", _difference(unjitted, ((ys, final), states))
    cuts = [
        _difference(_carried(plain, xs, start, cut), (ys, final))
        for cut in (0, 1, length // 3, length - 1, length)
    ]
    yield "cut and carry the state", max(cuts)
    # Halfway an input is changed: nothing before it may hear of it.
    changed = xs.copy()
    changed[length // 2 :] += 1
    heard = plain(changed, start)[0][0]
    yield "causality", _difference(heard[: length // 2], ys[: length // 2])
    batch = np.stack([xs, -xs, xs[::-1]])
    mapped = jax.jit(jax.vmap(lambda x: layer(x)))(batch)
    together = _stacked([plain(x, start)[0] for x in batch])
    yield "vmap", _difference(mapped, together)
    for method in methods:
        run = _runner(layer, {"method": method})
        yield f"method {method}", _difference(run(xs, start), ((ys, final), states))
        carried = _carried(run, xs, start, length // 3)
        yield f"cut and carry, method {method}", _difference(carried, (ys, final))
    if callable(getattr(layer, "system", None)):
        yield "system(): impulse response", _impulse_error(layer, plain, length)


def _runner(layer: Any, options: dict[str, str]) -> Callable:
    """`(xs, state) -> ((ys, final), states)`, compiled."""
    return jax.jit(lambda xs, s: (layer(xs, s, **options), layer.states(xs, s, **options)))


def _stepped(layer: Any, xs: np.ndarray, state: PyTree) -> tuple[np.ndarray, PyTree]:
    step = jax.jit(lambda state, x: layer.step(state, x))
    outputs, states = [], []
    for x in xs:
        state, y = step(state, x)
        outputs.append(y)
        states.append(state)
    return _stacked(outputs), _stacked(states)


def _carried(run: Callable, xs: np.ndarray, state: PyTree, cut: int) -> tuple[np.ndarray, PyTree]:
    (first, state), _ = run(xs[:cut], state)
    (second, state), _ = run(xs[cut:], state)
    return np.concatenate([first, second]), state


def _impulse_error(layer: Any, plain: Callable, length: int) -> float:
    response = jax.jit(lambda own: own.system().impulse_response(length))(layer)
    own = []
    for channel in range(layer.inputs):
        impulse = np.zeros((length, layer.inputs), floating_type(layer))
        impulse[0, channel] = 1
        own.append(plain(impulse, layer.initial_state())[0][0])
    return _difference(np.stack(own, axis=2), response)


def _slopes(
    layer: Any, xs: np.ndarray, methods: tuple[str, ...], rng: np.random.Generator
) -> Iterator[tuple[str, float]]:
    """Gradient and Hessian-vector products of a smooth score.

    The plainest engine is held to central differences, the others to the plainest.
    """
    arrays, rest = eqx.partition(layer, eqx.is_inexact_array)
    point = (arrays, jnp.asarray(xs), layer.initial_state())
    direction = jax.tree.map(lambda leaf: _direction(rng, leaf), point)

    def inner(tree: PyTree) -> Array:
        # Of a real score JAX's gradient is the conjugate of the steepest direction.
        parts = jax.tree.map(lambda g, d: jnp.sum((g * d).real), tree, direction)
        return jax.tree.reduce(jnp.add, parts)

    def derivatives(score: Callable) -> Callable:
        gradient = jax.grad(score)
        return lambda p: (gradient(p), jax.jvp(gradient, (p,), (direction,))[1])

    plainest, *others = methods or (None,)
    score = _score(rest, {} if plainest is None else {"method": plainest})
    # Central differences of fourth order: at this step their error is far below the tolerance.
    size, stencil = 2e-4, np.array([-2.0, -1.0, 1.0, 2.0])
    weights = np.array([1.0, -8.0, 8.0, -1.0]) / (12.0 * size)

    def near(multiple: Array) -> PyTree:
        moved = jax.tree.map(
            lambda p, d: p + (multiple * size).astype(p.dtype) * d, point, direction
        )
        return jax.value_and_grad(score)(moved)

    @jax.jit
    def everything() -> PyTree:
        gradient, forward = derivatives(score)(point)
        twice = jax.grad(lambda p: inner(jax.grad(score)(p)))(point)
        return gradient, forward, twice, inner(gradient), jax.lax.map(near, stencil)

    gradient, forward, twice, slope, around = everything()
    steep, curvature = jax.tree.map(
        lambda leaf: np.tensordot(weights, np.asarray(leaf), axes=1), around
    )
    yield "gradient", _difference(slope, steep)
    yield "Hessian-vector product", _difference(forward, curvature)
    yield "Hessian-vector product, reverse twice", _difference(twice, curvature)
    for method in others:
        found = jax.jit(derivatives(_score(rest, {"method": method})))(point)
        yield f"derivatives, method {method}", _difference(found, (gradient, forward))


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


def _direction(rng: np.random.Generator, leaf: Array) -> np.ndarray:
    drawn = rng.standard_normal(leaf.shape)
    if np.issubdtype(leaf.dtype, np.complexfloating):
        drawn = drawn + 1j * rng.standard_normal(leaf.shape)
    return np.asarray(drawn / max(float(np.linalg.norm(drawn)), 1.0), leaf.dtype)


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


def _stacked(trees: list[PyTree]) -> PyTree:
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)
