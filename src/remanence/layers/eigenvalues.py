"""Scalar maps of a real parameter to a rate `λ < 0` or to a magnitude `|λ| < 1`, by name."""

from dataclasses import fields, is_dataclass, replace
from typing import Any, Literal

from remanence.errors import RemanenceError, nearest_name
from remanence.layers._correlated_magnitude import CorrelatedMagnitude
from remanence.layers._eigenvalue_map import (
    AbstractEigenvalueMap,
    AbstractMagnitudeMap,
    AbstractRateMap,
)
from remanence.layers._magnitudes import (
    BestMagnitude,
    DirectMagnitude,
    DoubleExponentialMagnitude,
    InverseMagnitude,
    SigmoidMagnitude,
    SoftplusExponentialMagnitude,
    TanhMagnitude,
)
from remanence.layers._optimal_magnitudes import ConstantInputMagnitude, FrozenTanhMagnitude
from remanence.layers._rates import (
    BestRate,
    DirectRate,
    ExponentialRate,
    InverseRate,
    MeanSquareBestRate,
    SigmoidRate,
    SoftplusRate,
)

EIGENVALUE_MAPS: dict[str, dict[str, AbstractEigenvalueMap]] = {
    "rate": {
        "direct": DirectRate(),
        "exponential": ExponentialRate(),
        "softplus": SoftplusRate(),
        "inverse": InverseRate(),
        "best": BestRate(),
        "best (code)": BestRate(b=0.1),
        "mean-square best": MeanSquareBestRate(),
        "sigmoid": SigmoidRate(),
    },
    "magnitude": {
        "direct": DirectMagnitude(),
        "sigmoid": SigmoidMagnitude(),
        "tanh": TanhMagnitude(),
        "double exponential": DoubleExponentialMagnitude(),
        "softplus exponential": SoftplusExponentialMagnitude(),
        "inverse": InverseMagnitude(),
        "best": BestMagnitude(),
        "frozen tanh": FrozenTanhMagnitude(),
        "correlated": CorrelatedMagnitude(),
        "constant-input": ConstantInputMagnitude(),
        "normalised constant-input": BestMagnitude(a=0.5, b=0.5),
    },
}
"""Every map by name: continuous-time rates `f(w) < 0` and discrete-time magnitudes."""


def eigenvalue_map(
    domain: Literal["rate", "magnitude"], name: str, **options: Any
) -> AbstractEigenvalueMap:
    """The map called `name`, for a continuous-time "rate" or a discrete-time "magnitude".

    Args:
        domain: "rate" for `λ = f(w) < 0`, "magnitude" for `ν = f(w)`.
        name: a key of `EIGENVALUE_MAPS[domain]`.
        options: the map's own numbers, such as `a` and `b` of "best".

    Raises:
        RemanenceError: for an unknown domain, name or option.

        >>> eigenvalue_map("rate", "best", b=0.1)
        BestRate(a=1.0, b=0.1)
    """
    if domain not in EIGENVALUE_MAPS:
        raise RemanenceError(
            f"eigenvalue_map: domain {domain!r} is none of {', '.join(EIGENVALUE_MAPS)}"
            f"{nearest_name(str(domain), EIGENVALUE_MAPS)}"
        )
    maps = EIGENVALUE_MAPS[domain]
    if name not in maps:
        raise RemanenceError(
            f"{domain} map {name!r} is none of {', '.join(maps)}{nearest_name(name, maps)}"
        )
    found = maps[name]
    assert is_dataclass(found)
    known = [field.name for field in fields(found)]
    for option in options:
        if option not in known:
            listed = f"its options are {', '.join(known)}" if known else "it has no options"
            raise RemanenceError(
                f"{domain} map {name!r} has no option {option!r}; {listed}"
                f"{nearest_name(option, known)}"
            )
    return replace(found, **options)


def rate_map(name_or_map: str | AbstractRateMap, **options: Any) -> AbstractRateMap:
    """A rate map by name, or the map itself if it already is one."""
    if isinstance(name_or_map, AbstractRateMap):
        return name_or_map
    found = eigenvalue_map("rate", name_or_map, **options)
    assert isinstance(found, AbstractRateMap)
    return found


def magnitude_map(name_or_map: str | AbstractMagnitudeMap, **options: Any) -> AbstractMagnitudeMap:
    """A magnitude map by name, or the map itself if it already is one."""
    if isinstance(name_or_map, AbstractMagnitudeMap):
        return name_or_map
    found = eigenvalue_map("magnitude", name_or_map, **options)
    assert isinstance(found, AbstractMagnitudeMap)
    return found
