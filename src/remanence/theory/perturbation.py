"""What a model loses when its parameters are perturbed: measured for any model, exact for modes.

The perturbation error of a model with parameters θ is

    E(β) = sup { error(θ̃) : |θ̃ − θ| ≤ β },

and a target is stably approximated by models of growing width m if `E_m(0) → 0` and the limit of
`E_m(β)` is continuous at 0. There are two conventions of "within β", and they are not the same:

- the definition's ball, `|θ|_2 := max` over the tensors of their 2-norm (of a matrix its largest
  singular value): `ball_perturbation`;
- that of the published experiment, in which the largest entry of every tensor's noise is exactly
  β, and the recurrent tensor is moved by −β as a whole, towards instability:
  `tensor_perturbation`. Of a matrix of width m its 2-norm is up to m times as large.

`perturbation_errors` measures E by drawing; a supremum over draws is a lower bound. For a single
mode `c e^{λt}` everything has a closed form: `mode_errors`, `readout_errors`, `stability_radius`,
and for a map `λ = f(w)` the modulus of Wang & Li's definition of stable reparametrisation, which
`relative_modulus` takes by brute force (`AbstractEigenvalueMap.stability_modulus` in closed form).

Source: Wang, Li & Li, ICLR 2024 (inverse approximation), Definition 3.4; Wang & Li, StableSSM,
ICML 2024, Definition 3.4. Closed forms: derived.
"""

import dataclasses
import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from remanence.errors import NumericalError, RemanenceError
from remanence.theory._grids import real_array, whole_number
from remanence.theory._perturbation_arrays import (
    checked_parameters,
    function_of,
    generator_of,
    radius_of,
    spectral_norm,
)
from remanence.theory._perturbation_modes import (
    discrete_mode_errors,
    mode_errors,
    readout_errors,
    relative_modulus,
    stability_radius,
)

__all__ = [
    "Parameters",
    "Perturbation",
    "PerturbationErrors",
    "ball_perturbation",
    "discrete_mode_errors",
    "mode_errors",
    "parameter_norm",
    "perturbation_errors",
    "readout_errors",
    "relative_modulus",
    "stability_radius",
    "tensor_perturbation",
]

Parameters = Mapping[str, Any]
"""Named real arrays of at most two axes; numbers and lists are arrays too."""

Perturbation = Callable[
    [Mapping[str, np.ndarray], float, np.random.Generator], Mapping[str, np.ndarray]
]
"""`(parameters, radius, rng) -> perturbed parameters`."""


@dataclasses.dataclass(frozen=True)
class PerturbationErrors:
    """The errors at growing radii.

    - `radii` (radii,), ascending.
    - `errors` (radii,): the largest error of all draws at this radius or below, which never
      falls; infinite where the error of a draw is infinite or NaN.
    - `drawn` (radii, draws): the error of each draw.
    """

    radii: Float[np.ndarray, " radii"]
    errors: Float[np.ndarray, " radii"]
    drawn: Float[np.ndarray, "radii draws"]

    def tolerated(self, bound: float | int) -> float:
        """The largest radius of the grid at which the error is still `bound` or less, else 0."""
        try:
            most = float(bound) if isinstance(bound, numbers.Real) else math.nan
        except OverflowError:
            most = math.inf if bound > 0 else -math.inf
        if math.isnan(most):
            raise RemanenceError(
                f"PerturbationErrors.tolerated: bound must be a number, got {bound!r:.60}"
            )
        kept = self.radii[self.errors <= most]
        return float(kept[-1]) if kept.size else 0.0


def parameter_norm(parameters: Parameters) -> float:
    """`|θ|_2`: the largest 2-norm of a tensor; of a matrix that is its largest singular value.

    Raises:
        RemanenceError: for no parameters, more than two axes, or numbers that are not finite
            and real.

    >>> parameter_norm({"W": [[3.0, 0.0], [0.0, 1.0]], "c": [1.0, 1.0]})
    3.0
    """
    checked = checked_parameters("parameter_norm", parameters)
    return max(spectral_norm(array) for array in checked.values())


def ball_perturbation(
    parameters: Parameters, radius: float | int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """`θ + β` in a random direction of every tensor: noise of 2-norm exactly `radius` in each.

    Directions are Gaussian. What they reach lies on the boundary of the ball of the definition,
    in all of its tensors at once.
    """
    checked = checked_parameters("ball_perturbation", parameters)
    size = radius_of("ball_perturbation", radius)
    generator_of("ball_perturbation", rng)
    return {name: _moved(array, size, rng, spectral_norm) for name, array in checked.items()}


def tensor_perturbation(
    parameters: Parameters,
    radius: float | int,
    rng: np.random.Generator,
    *,
    one_sided: Mapping[str, Any] | None = None,
) -> dict[str, np.ndarray]:
    """Gaussian noise whose largest entry is exactly `radius`, in each tensor by itself.

    Args:
        parameters: named real arrays.
        radius: β.
        rng: where the noise comes from.
        one_sided: names of tensors that are moved by `radius · sign` instead, without noise:
            a sign, or an array of signs of the tensor's shape. Where `w > 0` is a rate of decay,
            −1 is the way to instability.

    Raises:
        RemanenceError: for bad parameters, and a name in `one_sided` that none has.

    Source: the public code of the experiment, github.com/radarFudan/Curse-of-memory.
    """
    owner = "tensor_perturbation"
    checked = checked_parameters(owner, parameters)
    size = radius_of(owner, radius)
    generator_of(owner, rng)
    if one_sided is not None and not isinstance(one_sided, Mapping):
        raise RemanenceError(
            f"{owner}: one_sided must map names of tensors to signs, such as {{'w': -1}}, got "
            f"{one_sided!r:.60}"
        )
    signs = dict(one_sided or {})
    for name in signs:
        if name not in checked:
            raise RemanenceError(
                f"{owner}: one_sided names {name!r}, which is none of {', '.join(checked)}"
            )
    moved = {}
    for name, array in checked.items():
        if name in signs:
            sign = real_array(owner, f"one_sided[{name!r}]", signs[name])
            if sign.ndim and sign.shape != array.shape:
                raise RemanenceError(
                    f"{owner}: one_sided[{name!r}] has shape {sign.shape}, expected one sign or "
                    f"{array.shape}"
                )
            moved[name] = np.asarray(array + size * sign)
        else:
            moved[name] = _moved(array, size, rng, lambda noise: np.abs(noise).max())
    return moved


def perturbation_errors(
    error: Callable[[Mapping[str, np.ndarray]], Any],
    parameters: Parameters,
    radii: Sequence[float | int] | np.ndarray,
    *,
    perturb: Perturbation = ball_perturbation,
    draws: int = 10,
    seed: int = 0,
    on_progress: Callable[[float], None] | None = None,
) -> PerturbationErrors:
    """`E(β)` by random perturbations: the largest error over draws and over all smaller radii.

    Args:
        error: any function of the parameters, a mapping of named arrays like `parameters`.
            Infinite, NaN, an overflow or a `NumericalError` count as infinite.
        parameters: named real arrays of at most two axes.
        radii: β, ascending and not negative. At 0 there is one draw, the parameters themselves.
        perturb: `ball_perturbation`, `tensor_perturbation` (`functools.partial` sets
            `one_sided`), or a function of your own.
        draws: fresh ones at every radius.
        seed: of the draws.
        on_progress: hears the share done after every radius.

    Raises:
        RemanenceError: for bad parameters, radii or draws.

    >>> def error(p):
    ...     return abs(float(p["a"]) - 1)
    >>> perturbation_errors(error, {"a": 1.0}, [0.0, 0.5, 1.0]).errors.tolist()
    [0.0, 0.5, 1.0]
    """
    owner = "perturbation_errors"
    checked = checked_parameters(owner, parameters)
    grid = real_array(owner, "radii", radii)
    if grid.ndim != 1 or not grid.size or grid[0] < 0 or (np.diff(grid) < 0).any():
        raise RemanenceError(f"{owner}: radii must be an ascending sequence of numbers from 0 on")
    count = whole_number(owner, "draws", draws, 1)
    rng = np.random.default_rng(whole_number(owner, "seed", seed, 0))
    function_of(owner, "error", error, "of the parameters")
    function_of(owner, "perturb", perturb, "(parameters, radius, rng)")
    if on_progress is not None:
        function_of(owner, "on_progress", on_progress, "of the share done, or None")
    drawn = np.empty((grid.size, count))
    for row, radius in enumerate(grid.tolist()):
        if radius == 0:
            drawn[row] = _number(error, checked)
        else:
            drawn[row] = [_number(error, perturb(checked, radius, rng)) for _ in range(count)]
        if on_progress is not None:
            on_progress((row + 1) / grid.size)
    return PerturbationErrors(grid, np.maximum.accumulate(drawn.max(axis=1)), drawn)


def _moved(
    array: np.ndarray,
    size: float,
    rng: np.random.Generator,
    norm: Callable[[np.ndarray], Any],
) -> np.ndarray:
    noise = np.asarray(rng.standard_normal(array.shape))
    return np.asarray(array + noise * (size / float(norm(noise))))


def _number(error: Callable[[Mapping[str, np.ndarray]], Any], parameters: Any) -> float:
    """The error as a number; infinite where there is none."""
    try:
        with np.errstate(all="ignore"):
            given = error(parameters)
    except (NumericalError, OverflowError):
        return math.inf
    try:
        found = np.asarray(given)
    except ValueError:
        raise RemanenceError(
            "perturbation_errors: error must return one real number, got a ragged list"
        ) from None
    if found.size != 1 or found.dtype.kind not in "fiub":
        raise RemanenceError(
            f"perturbation_errors: error must return one real number, got {found.dtype} of shape "
            f"{found.shape}"
        )
    value = float(found.reshape(()))
    return math.inf if math.isnan(value) else value
