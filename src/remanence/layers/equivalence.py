"""Holding a layer to the state contract: every way of running it must agree."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np

from remanence.errors import RemanenceError, nearest_name
from remanence.layers._derivative_laws import laws_of_derivatives
from remanence.layers._laws import Unequal, laws_of_values
from remanence.layers.contract import floating_type

Derivatives = Literal["every method", "plainest", "none"]

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
    reason: str = ""
    """Why nothing could be measured, where the law is broken by more than a number."""

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
            f"{'holds' if law.holds else 'BROKEN'}{law.reason and f': {law.reason}'}"
            for law in self.laws
        ]
        return "\n".join([f"{self.layer}: state contract", *rows])


def check_equivalence(
    layer: Any,
    *,
    length: int = 24,
    methods: Sequence[str] | None = None,
    tolerance: float | None = None,
    derivatives: Derivatives = "every method",
    strict: bool = True,
    seed: int = 0,
) -> Equivalence:
    """Hold a layer, your own included, to the state contract.

    The layer, an Equinox module or any class, needs `inputs`, `initial_state()`,
    `step(state, x)`, `layer(xs, state)` and `states(xs, state)`; if it names `methods`, each of
    them is run, and if it has `system()` or `impulse_response(length)`, that is compared with its
    answers to impulses. Compared are, on random inputs of `length` steps:

    - the structure, shapes and types of every state with those of `initial_state()`;
    - stepping, the plain sequence and every method: outputs, final state and all states;
    - cutting the sequence at both ends and inside, and carrying the state;
    - causality, for every method: later inputs change no earlier output or state;
    - `jit` and `vmap` against plain calls;
    - in float64 the derivatives: the gradient in the parameters, the inputs and the
      state, and Hessian-vector products (forward over reverse, and reverse twice), against
      central differences.

    Whole numbers, truth values and random keys in a state must agree exactly and have no
    derivatives. A law that cannot be evaluated, because the layer raises, is broken, with the
    reason. Layers that stop a gradient on purpose (`ScaledExponential`,
    `SquareRoot(differentiated=False)`) break the laws of derivatives by design. "fft" (and "auto"
    where it chooses the kernel) is held to causality only to rounding relative to the largest
    output: a late 1e8 or NaN reaches its earlier outputs.

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
        RemanenceError: if a law is broken, naming the worst; if the layer lacks what is needed;
            for an unknown `derivatives` or a `length` below 3.

        >>> from remanence.layers import GRU
        >>> check_equivalence(GRU(2, 3, key=jax.random.key(0)), strict=False).laws[0].name
        'states are like initial_state()'
    """
    if not isinstance(length, int | np.integer) or isinstance(length, bool) or length < 3:
        raise RemanenceError(
            f"check_equivalence: length is {length!r}; it must be a whole number of at least 3"
        )
    if derivatives not in get_args(Derivatives):
        known = get_args(Derivatives)
        raise RemanenceError(
            f"check_equivalence: derivatives {derivatives!r} is none of {', '.join(known)}"
            f"{nearest_name(str(derivatives), known)}"
        )
    name = type(layer).__name__
    _require_parts(layer, name)
    dtype = floating_type(layer)
    allowed = _TOLERANCE[dtype.itemsize] if tolerance is None else float(tolerance)
    chosen = getattr(layer, "methods", ()) if methods is None else methods
    chosen = (chosen,) if isinstance(chosen, str) else tuple(chosen)
    rng = np.random.default_rng(seed)
    xs = rng.standard_normal((length, layer.inputs)).astype(dtype)
    laws = [_measured(law, allowed, error) for law, error in laws_of_values(layer, xs, chosen)]
    # Without a first run there is nothing to differentiate.
    if derivatives != "none" and dtype.itemsize == 8 and len(laws) > 1:
        compared = chosen if derivatives == "every method" else chosen[:1]
        slopes = laws_of_derivatives(layer, xs, compared, rng)
        laws += [_measured(law, _SLOPE_TOLERANCE, error) for law, error in slopes]
    report = Equivalence(name, tuple(laws))
    if strict and not report.holds:
        broken = [law for law in laws if not law.holds]
        worst = max(broken, key=lambda law: np.nan_to_num(law.error, nan=np.inf))
        measured = f"relative difference {worst.error:.1e}, allowed {worst.tolerance:.0e}"
        raise RemanenceError(
            f"{name}: breaks the state contract: {worst.name}: {worst.reason or measured} "
            f"({len(broken)} of {len(laws)} laws broken; strict=False returns them all)"
        )
    return report


def _require_parts(layer: Any, name: str) -> None:
    needed = ("initial_state", "step", "states")
    missing = [f"{part}()" for part in needed if not callable(getattr(layer, part, None))]
    if not callable(layer):
        missing.append("layer(xs, state)")
    if missing:
        raise RemanenceError(
            f"check_equivalence: {name} has no {', '.join(missing)}; the state contract needs it"
        )
    inputs = getattr(layer, "inputs", None)
    if not isinstance(inputs, int | np.integer) or inputs < 1:
        raise RemanenceError(
            f"check_equivalence: {name}.inputs is {inputs!r}; it must be the size of one input"
        )


def _measured(name: str, tolerance: float, error: Callable[[], float]) -> Law:
    """The law, broken with the reason if evaluating it raises."""
    try:
        return Law(name, error(), tolerance)
    except Exception as problem:  # whatever a user's layer raises
        first = (str(problem).splitlines() or [""])[0][:200]
        kind = "" if isinstance(problem, Unequal) else f"{type(problem).__name__}: "
        return Law(name, float("inf"), tolerance, kind + first)
