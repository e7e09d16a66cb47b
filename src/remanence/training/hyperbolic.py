"""Optimisers for eigenvalues as points of the hyperbolic disc: steps along geodesics."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PyTree

from remanence.errors import RemanenceError
from remanence.layers.contract import HYPERBOLIC
from remanence.theory.disc import exponential_map, hyperbolic_gradient, parallel_transport
from remanence.training.checks import require_number, shown
from remanence.training.roles import parameter_roles

LearningRate = float | int | Float[Array, ""] | optax.Schedule


class HyperbolicSGDState(NamedTuple):
    """How many steps were taken."""

    step: Int[Array, ""]


class HyperbolicAdamState(NamedTuple):
    """The moments of the hyperbolic gradient, in the orthonormal frame of every point.

    `second` has one number for each mode, (1, *modes).
    """

    step: Int[Array, ""]
    first: PyTree[Array]
    second: PyTree[Array]


def hyperbolic_sgd(learning_rate: LearningRate) -> optax.GradientTransformation:
    """Gradient descent along geodesics of the disc of eigenvalues.

        λ ← exp_λ(−η ∇f),    ∇f = (∂f/∂R, (∂f/∂θ) / sinh R) in the frame (∂_R, ∂_θ / sinh R)

    for parameters (coordinates, *modes) as in `layers.HyperbolicEigenvalues`. On `−log E`, `E`
    the explained share of a one-mode target with its readout solved for, the gradient has the
    length `tanh(d/2)`: a step is about `η` long wherever the target is, and d₀/η steps arrive.
    On a loss whose gradient fades with the distance it fails, as every plain descent;
    `hyperbolic_adam` does not.

    Args:
        learning_rate: a number, a traced scalar or an Optax schedule.

    The update is new minus old coordinates, so that it is not to be scaled afterwards: give the
    rate here. `update` needs the parameters.

    Raises:
        RemanenceError: for a rate that is negative or not finite, parameters that are not real
            arrays (1 or 2, *modes), or (at `update`) no parameters.

    Source: derived; Riemannian gradient descent with the exponential map as the retraction.

        by_role({"hyperbolic": hyperbolic_sgd(0.3), "other": optax.adam(1e-2)}, model)
    """
    owner = "hyperbolic_sgd"
    _require_rate(owner, learning_rate)

    def init(params: PyTree[Any]) -> HyperbolicSGDState:
        _require_points(owner, params)
        return HyperbolicSGDState(jnp.zeros((), jnp.int32))

    def update(
        updates: PyTree[Any], state: HyperbolicSGDState, params: PyTree[Any] | None = None
    ) -> tuple[PyTree[Any], HyperbolicSGDState]:
        points = _require_points(owner, params)
        rate = _rate(learning_rate, state.step)
        moves = [
            _move(point, -rate.astype(point.dtype) * hyperbolic_gradient(point, gradient))
            for point, gradient in zip(points, jax.tree.leaves(updates), strict=True)
        ]
        return _like(updates, moves), HyperbolicSGDState(state.step + 1)

    return optax.GradientTransformation(init, update)  # pyright: ignore[reportArgumentType]


def hyperbolic_adam(
    learning_rate: LearningRate,
    *,
    first_decay: float = 0.9,
    second_decay: float = 0.999,
    epsilon: float = 1e-20,
    transport: bool = True,
) -> optax.GradientTransformation:
    """Adam on the hyperbolic gradient, one second moment for each mode, steps along geodesics.

        m ← P(β₁ m + (1 − β₁) ∇f),   v ← β₂ v + (1 − β₂) |∇f|²
        λ ← exp_λ(−η m̂ / (√v̂ + ε)),   m̂ = m / (1 − β₁^t),  v̂ = v / (1 − β₂^t)

    with `m` from before the parallel transport `P` along the step in the second line. The
    learning rate is the hyperbolic distance of a typical step, whatever the memory: 0.03 to 0.3.
    Turning the disc, or any other of its isometries, turns the path. Real modes are Adam on
    their signed `R`.

    Args:
        learning_rate: a number, a traced scalar or an Optax schedule.
        first_decay, second_decay, epsilon: `β₁`, `β₂`, `ε`.
        transport: whether `m` is transported in parallel along the step; else it keeps its
            components in the Möbius chart of the point, as if the disc were flat.

    The direction is never longer than `max(1, (1 − β₁)/√(1 − β₂))`, which Adam's own hardly is
    except where squares underflow. The update is new minus old coordinates, so that it is not to
    be scaled afterwards: give the rate here. `update` needs the parameters.

    Raises:
        RemanenceError: for a number out of range (rate and ε from 0, decays from 0 to below 1),
            parameters that are not real arrays (1 or 2, *modes), or (at `update`) no parameters.

    Source: derived; Adam is Kingma & Ba (2015), on manifolds Bécigneul & Ganea (2019).

        by_role({"hyperbolic": hyperbolic_adam(0.03), "other": optax.adam(3e-3)}, model)
    """
    owner = "hyperbolic_adam"
    _require_rate(owner, learning_rate)
    for name, decay in (("first_decay", first_decay), ("second_decay", second_decay)):
        if require_number(owner, name, decay, least=0) >= 1:
            raise RemanenceError(f"{owner}: {name} must be below 1, got {decay}")
    require_number(owner, "epsilon", epsilon, least=0)

    def init(params: PyTree[Any]) -> HyperbolicAdamState:
        points = _require_points(owner, params)
        return HyperbolicAdamState(
            jnp.zeros((), jnp.int32),
            _like(params, [jnp.zeros_like(point) for point in points]),
            _like(params, [jnp.zeros_like(point[:1]) for point in points]),
        )

    def update(
        updates: PyTree[Any], state: HyperbolicAdamState, params: PyTree[Any] | None = None
    ) -> tuple[PyTree[Any], HyperbolicAdamState]:
        points = _require_points(owner, params)
        rate, count = _rate(learning_rate, state.step), state.step + 1
        moves, firsts, seconds = [], [], []
        for point, gradient, first, second in zip(
            points, *map(jax.tree.leaves, (updates, state.first, state.second)), strict=True
        ):
            slope = hyperbolic_gradient(point, gradient)
            direction, first, second = adam_direction(
                slope, first, second, count, decays=(first_decay, second_decay), epsilon=epsilon
            )
            step = -rate.astype(point.dtype) * direction
            moves.append(_move(point, step))
            firsts.append(
                parallel_transport(point, _shortened(step), first)
                if transport
                else _turned(first, moves[-1])
            )
            seconds.append(second)
        made = HyperbolicAdamState(count, _like(state.first, firsts), _like(state.second, seconds))
        return _like(updates, moves), made

    return optax.GradientTransformation(init, update)  # pyright: ignore[reportArgumentType]


def adam_direction(
    slope: Array,
    first: Array,
    second: Array,
    count: Array,
    *,
    decays: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-20,
) -> tuple[Array, Array, Array]:
    """`m̂ / (√v̂ + ε)`, no longer than Adam's longest, and the moments `m` and `v` with `slope`.

    `second` has one row for both coordinates, or as many as `slope`: a moment for each.
    """
    square = slope**2
    if second.shape[0] == 1:
        square = jnp.sum(square, axis=0, keepdims=True)
    first = decays[0] * first + (1 - decays[0]) * slope
    second = decays[1] * second + (1 - decays[1]) * square
    steps = count.astype(slope.dtype)
    unbiased = first / (1 - decays[0] ** steps)
    root = jnp.sqrt(second / (1 - decays[1] ** steps)) + epsilon
    longest = max(1.0, (1 - decays[0]) / (1 - decays[1]) ** 0.5)
    return _at_most(unbiased / jnp.where(root > 0, root, 1.0), longest), first, second


def gradient_norm(gradient: PyTree[Any], parameters: PyTree[Any]) -> Float[Array, ""]:
    """The norm of a whole gradient, points of the disc measured in the disc's own metric.

    The plain derivative by a phase is `sinh R` times as long as that by a distance, and would be
    all that such a norm sees. In JAX's default float.
    """
    kind = jnp.zeros(()).dtype
    total = jnp.zeros((), kind)
    roles = jax.tree.leaves(parameter_roles(gradient))
    leaves = zip(*map(jax.tree.leaves, (gradient, parameters)), roles, strict=True)
    for slope, parameter, role in leaves:
        if role == HYPERBOLIC["role"]:
            slope = hyperbolic_gradient(parameter, slope)
        total = total + jnp.sum(jnp.square(slope)).astype(kind)
    return jnp.sqrt(total)


def _move(points: Array, step: Array) -> Array:
    """New minus old coordinates after a step along the geodesic, `θ` kept in (−π, π].

    No point comes so near to the circle that squares of `1 − |λ|` underflow.
    """
    moved = exponential_map(points, _shortened(step))
    farthest = _farthest(points.dtype)
    if points.shape[0] == 1:
        return jnp.clip(moved, -farthest, farthest) - points
    turns = jnp.ceil(moved[1] / (2 * jnp.pi) - 0.5)
    wrapped = moved[1] - 2 * jnp.pi * turns
    move = jnp.stack([jnp.minimum(moved[0], farthest), wrapped]) - points
    # A point that is not moved stays where it is to the last bit; NaN is to be seen.
    return jnp.where(_length(step) == 0, 0.0, move)


def _turned(vector: Array, move: Array) -> Array:
    """The same components in the Möbius chart: the frame has turned with the phase."""
    if vector.shape[0] == 1:
        return vector
    cosine, sine = jnp.cos(move[1]), jnp.sin(move[1])
    return jnp.stack(
        [cosine * vector[0] + sine * vector[1], cosine * vector[1] - sine * vector[0]]
    )


def _shortened(step: Array) -> Array:
    """The step, no longer than the radius of the disc that its numbers can hold."""
    return _at_most(step, _farthest(step.dtype))


def _at_most(vector: Array, longest: float) -> Array:
    size = _length(vector)
    return vector * jnp.minimum(1.0, longest / jnp.where(size > 0, size, 1.0))


def _length(vector: Array) -> Array:
    return jnp.abs(vector) if vector.shape[0] == 1 else jnp.hypot(vector[0], vector[1])[None]


def _farthest(dtype: Any) -> float:
    return -math.log(jnp.finfo(dtype).tiny) / 2


def _require_rate(owner: str, rate: Any) -> None:
    # A rate that is an array may be traced, without a value to look at.
    if not callable(rate) and not isinstance(rate, jax.Array):
        require_number(owner, "learning_rate", rate, least=0)


def _rate(rate: LearningRate, count: Array) -> Array:
    if isinstance(rate, Callable):
        # Optax mixes whole and real numbers in its schedules.
        with jax.numpy_dtype_promotion("standard"):
            return jnp.asarray(rate(count))
    return jnp.asarray(rate)


def _require_points(owner: str, params: PyTree[Any] | None) -> list[Array]:
    if params is None:
        raise RemanenceError(f"{owner}: update needs the parameters; give them as the third")
    points = jax.tree.leaves(params)
    for point in points:
        real = hasattr(point, "dtype") and jnp.issubdtype(point.dtype, jnp.floating)
        if not real or not point.ndim or point.shape[0] not in (1, 2):
            raise RemanenceError(
                f"{owner}: a parameter is {shown(point)}; points of the disc are real arrays "
                "(2, *modes), or (1, *modes) for real modes: give the others to another "
                "transform by by_role"
            )
    return points


def _like(tree: PyTree[Any], leaves: list[Array]) -> PyTree[Any]:
    return jax.tree.unflatten(jax.tree.structure(tree), leaves)
