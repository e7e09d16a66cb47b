"""Memory functions: how fast any model forgets, linear or not, from a few runs of it.

    M(t) = sup_{x ≠ 0} |d/dt H_t(u^x)| / |x|_∞,     u^x_t = x for t ≥ 0, 0 before.

For a linear model `H_t(x) = ∫ ρ(s)·x_{t−s} ds` it is `|ρ(t)|_1`, for any other it says what of the
switching on of an input is still felt after t. In discrete time the derivative is a difference.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import Any, Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64
from scipy.special import betaln, gammaln, xlogy

from remanence.errors import NumericalError, RemanenceError, nearest_name
from remanence.theory._grids import real_array, real_number, shown, time_array, whole_number
from remanence.theory._kernel_values import check_denominator

Probe = Literal["heaviside", "impulse", "reversed"]
"""The input that is tried: switched on at 0, present at 0 only, or switched off at 0."""

Way = Literal["vmap", "loop", "batch"]
_FEW = 4
_MOST_NUMBERS = 2**33
_NOT_JAX = (
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.ConcretizationTypeError,
)


@dataclasses.dataclass(frozen=True)
class MemoryFunction:
    """What `memory_function` measured.

    - `values` (length,): M at steps 0, 1, …; per unit of time if a `step` was given.
    - `floor`: the rounding noise of the values: differences of outputs cannot be smaller.
    - `step`: the time between values.
    """

    values: Float64[np.ndarray, " length"]
    floor: float
    step: float

    @property
    def times(self) -> Float64[np.ndarray, " length"]:
        """Times of the values, from 0."""
        return self.step * np.arange(self.values.size)


def memory_function(
    model: Callable[[Any], Any],
    *,
    length: int,
    inputs: int | None = None,
    probe: str = "heaviside",
    directions: Any = None,
    count: int = 16,
    seed: int = 0,
    denominator: str = "x",
    history: int | None = None,
    step: float | int = 1.0,
    by: str = "vmap",
) -> MemoryFunction:
    """The memory function of any model, by trying inputs in several directions.

        heaviside   M_k = sup_x ‖δ_k − δ_{k−1}‖ / (|x|_∞ Δ),   δ = y(x from 0 on) − y(0)
        impulse     M_k = sup_x ‖δ_k‖ / (|x|_∞ Δ),             δ = y(x at 0 only) − y(0)
        reversed    M_k = sup_x ‖δ_k − δ_{k−1}‖ / (|x|_∞ Δ),   δ = y(x until 0) − y(x for ever)

    with `δ_{−1} = 0` and the 2-norm over outputs. Subtracting the run whose input does not change
    takes away what a model does of itself (biases, a start that is not its resting state); where
    that run rests, the differences are those of `y` alone. For a linear model with one output and
    sign vectors as directions all three are `|g_k|_1/Δ` to rounding.

    Args:
        model: a function `xs (time, inputs) -> ys (time, outputs)`, or `-> (ys, state)` as layers
            answer, run from its initial state.
        length: K, how many values.
        inputs: the size of one input; `model.inputs`, or 1, if not given.
        probe: which input is tried.
        directions: `(count, inputs)`, the x to try, of any size. If not given all sign vectors
            for up to four inputs, else `count` random ones from `seed`. For a model that is not
            linear the largest value over directions is a lower bound of the supremum.
        denominator: "x" divides by `|x|_∞` (inverse approximation), "x+1" by `|x|_∞ + 1`
            (StableSSM).
        history: steps before time 0; 0 if not given, `length` for "reversed", where they are the
            time that the input was present.
        step: Δ, the time between steps.
        by: "vmap" runs all inputs in one JAX program; "loop" one after another, and "batch" gives
            `(sequences, time, inputs)` to a model that takes batches: for models that are not
            JAX, such as PyTorch's.

    Raises:
        RemanenceError: for shapes or options that do not fit.
        NumericalError: if an output is not finite.

    Source: Wang, Li & Li, ICLR 2024 (arXiv 2305.19190): the definition, and the other two inputs
    (appendix); Wang & Li, ICML 2024: `|x|_∞ + 1`, as on its slides. The subtraction: derived.

        >>> found = memory_function(lambda xs: jnp.cumsum(xs, axis=0), length=3)
        >>> found.values.tolist()
        [1.0, 1.0, 1.0]
    """
    owner = "memory_function"
    length = whole_number(owner, "length", length, 1)
    for name, value, known in (("probe", probe, Probe), ("by", by, Way)):
        if not isinstance(value, str) or value not in get_args(known):
            raise RemanenceError(
                f"{owner}: {name} {shown(value)} is none of {', '.join(get_args(known))}"
                f"{nearest_name(str(value), get_args(known))}"
            )
    if not callable(model):
        raise RemanenceError(
            f"{owner}: model must be a function of inputs (time, inputs), got {shown(model)}"
        )
    check_denominator(owner, denominator)
    step = real_number(owner, "step", step, above=0)
    before = length if probe == "reversed" else 0
    if history is not None:
        before = whole_number(owner, "history", history, 1 if probe == "reversed" else 0)
    given = getattr(model, "inputs", 1) if inputs is None else inputs
    width = whole_number(owner, "inputs", given, 1)
    count, seed = whole_number(owner, "count", count, 1), whole_number(owner, "seed", seed, 0)
    if (length + before) * width * count > _MOST_NUMBERS:
        raise RemanenceError(
            f"{owner}: {length + before} steps of {width} inputs in up to {count} directions are "
            "too many; take a smaller length, history or count"
        )
    xs = _directions(owner, directions, width, count, seed)
    sequences = _sequences(xs, probe, before, length)
    ys = _outputs(owner, model, sequences, by)
    precision = np.finfo(ys.dtype).eps if ys.dtype.kind == "f" else 0.0
    ys = ys[:, before:].astype(np.float64)
    if not np.isfinite(ys).all():
        raise NumericalError(f"{owner}: the model's outputs are not finite")
    tried, rest = ys[: len(xs)], ys[len(xs) :]
    deviations = tried - rest
    if probe == "impulse":
        changes, rounded = deviations, rest
    else:
        changes = np.diff(deviations, axis=1, prepend=np.zeros_like(deviations[:, :1]))
        rounded = ys
    sizes = np.abs(xs).max(axis=1) + (1.0 if denominator == "x+1" else 0.0)
    ratios = np.linalg.norm(changes, axis=2) / (sizes[:, None] * step)
    noise = float(np.abs(rounded).max(initial=0.0) * precision / (sizes.min() * step))
    return MemoryFunction(ratios.max(axis=0), noise, step)


def successive_differences(ys: Any) -> Float64[np.ndarray, "... length"]:
    """`M_k = ‖y_{k+1} − y_k‖₂` along the time axis of outputs `(…, time, outputs)`.

    The estimate of the published code, for outputs under a constant random input: `values[1:]` of
    a Heaviside `memory_function` in that one direction, up to `|x|_∞`.

    Source: the public code of Wang, Li & Li (its memory function; T = 1024).
    """
    values = real_array("successive_differences", "ys", ys)
    if values.ndim < 2 or values.shape[-2] < 2:
        raise RemanenceError(
            f"successive_differences: ys have shape {values.shape}, expected (…, time, outputs) "
            "of at least two steps"
        )
    return np.linalg.norm(np.diff(values, axis=-2), axis=-1)


def stacked_bound(
    times: Any,
    *,
    rate: float | int,
    layers: int = 1,
    gain: float | int = 1.0,
    time: str = "continuous",
) -> Float64[np.ndarray, "..."]:
    """What a stack of ℓ stable state-space layers can remember at most.

        continuous   G t^{ℓ−1}/(ℓ−1)! e^{−βt}        dh_l/dt = Λ_l h_l + U_l σ(h_{l−1})
        discrete     G C(k+ℓ−1, ℓ−1) e^{−βk}         h_l ← Λ_l h_l + U_l σ(h_{l−1})

    bounds the memory function of `y = cᵀσ(h_ℓ)`, `h_0` the input, when every layer contracts,
    `‖e^{Λ_l t}‖ ≤ e^{−βt}`, σ is L-Lipschitz and `G = |c| L^ℓ Π_l ‖U_l‖` (the first norm from
    `|·|_∞` to `|·|_2`). Equality: one mode in each layer, the same rate, σ the identity.

    Proof: let `v_l = dh_l/dt` after the input is switched on. `v_1 = e^{Λ_1 t} U_1 x`; for l > 1
    `v_l` starts at 0 (the layer below was at rest) and is driven by `U_l d/dt σ(h_{l−1})`, at most
    `L ‖U_l‖ |v_{l−1}|`. Convolve ℓ exponentials. In discrete time the same with sums. ∎

    Args:
        times: t, or steps k for time "discrete".
        rate: β > 0, for Λ diagonal `min |Re λ|`, or `−log max |λ|`.
        layers: ℓ; gain: G.

    Source: derived above. It makes the constants of Theorem 3.3 of Wang & Li, ICML 2024 explicit
    for a given network: there `M ≤ O((d+1) L^ℓ θ^{ℓ+1} t^k e^{−βt})`, k ≤ ℓ − 1, for every target
    that ℓ layers approximate β-stably.

        >>> round(float(stacked_bound(2.0, rate=1.0, layers=2) * np.exp(2.0)), 12)
        2.0
    """
    owner = "stacked_bound"
    t = time_array(owner, times)
    rate = real_number(owner, "rate", rate, above=0)
    gain = real_number(owner, "gain", gain, least=0)
    layers = whole_number(owner, "layers", layers, 1)
    if not isinstance(time, str) or time not in ("continuous", "discrete"):
        raise RemanenceError(f"{owner}: time {shown(time)} is neither continuous nor discrete")
    # All in logarithms: the factors leave the range of float64 long before the product.
    if time == "continuous":
        polynomial = xlogy(layers - 1, t) - gammaln(layers)
    else:
        polynomial = -np.log(t + layers) - betaln(t + 1, layers)
    if gain == 0:
        return np.zeros(t.shape)
    with np.errstate(over="ignore"):
        return np.asarray(np.exp(math.log(gain) + polynomial - rate * t))


def _directions(
    owner: str, directions: Any, inputs: int, count: int, seed: int
) -> Float64[np.ndarray, "count inputs"]:
    if directions is not None:
        xs = real_array(owner, "directions", directions)
        if xs.ndim != 2 or xs.shape[1] != inputs or not len(xs):
            raise RemanenceError(
                f"{owner}: directions have shape {xs.shape}, expected (count, {inputs})"
            )
        if (np.abs(xs).max(axis=1) == 0).any():
            raise RemanenceError(f"{owner}: a direction is zero, which no ratio is taken of")
        return xs
    if inputs <= _FEW:
        return np.array(list(itertools.product((1.0, -1.0), repeat=inputs)))
    rng = np.random.default_rng(seed)
    return rng.choice([-1.0, 1.0], size=(count, inputs))


def _sequences(
    xs: np.ndarray, probe: str, before: int, length: int
) -> Float64[np.ndarray, "sequences time inputs"]:
    """Every direction's sequence, and after them those of unchanged inputs to subtract."""
    t = np.arange(-before, length)[None, :, None]
    windows = {"heaviside": t >= 0, "impulse": t == 0, "reversed": t < 0}
    tried = np.where(windows[probe], xs[:, None], 0.0)
    if probe == "reversed":
        return np.concatenate([tried, np.broadcast_to(xs[:, None], tried.shape)])
    return np.concatenate([tried, np.zeros_like(tried[:1])])


def _outputs(
    owner: str, model: Callable[[Any], Any], sequences: np.ndarray, by: str
) -> np.ndarray:
    if by == "vmap":
        try:
            ys = np.asarray(_run(model, jnp.asarray(sequences, jnp.zeros(()).dtype)))
        except _NOT_JAX as problem:
            raise RemanenceError(
                f"{owner}: the model is not a JAX function ({type(problem).__name__}); run it "
                'with by="loop"'
            ) from None
    elif by == "batch":
        ys = _plain(owner, _first(model(sequences)))
    else:
        answers = [_plain(owner, _first(model(one))) for one in sequences]
        shapes = {answer.shape for answer in answers}
        if len(shapes) > 1:
            raise RemanenceError(
                f"{owner}: the model answers inputs of one length with the shapes "
                f"{', '.join(map(str, sorted(shapes)))}"
            )
        ys = np.stack(answers)
    number = ys.dtype.kind in "biuf" or ys.dtype.name == "bfloat16"
    if ys.ndim != 3 or ys.shape[:2] != sequences.shape[:2] or not number:
        named = "complex numbers" if ys.dtype.kind == "c" else ys.dtype
        raise RemanenceError(
            f"{owner}: the model answers {sequences.shape[1]} inputs with an array of shape "
            f"{ys.shape[1:]} of {named}, expected real numbers (time, outputs)"
        )
    return ys


def _plain(owner: str, answer: Any) -> np.ndarray:
    try:
        return np.asarray(answer)
    except (TypeError, ValueError):
        raise RemanenceError(
            f"{owner}: the model answers with {type(answer).__name__}, which is no array"
        ) from None


@eqx.filter_jit
def _run(model: Callable[[Any], Any], sequences: Float[Array, "sequences time inputs"]) -> Array:
    def one(xs: Array) -> Array:
        answer = _first(model(xs))
        if not eqx.is_array_like(answer):
            raise RemanenceError(
                f"memory_function: the model answers with {type(answer).__name__}, expected an "
                "array (time, outputs)"
            )
        return jnp.asarray(answer)

    return jax.vmap(one)(sequences)


def _first(answer: Any) -> Any:
    return answer[0] if isinstance(answer, tuple) else answer
