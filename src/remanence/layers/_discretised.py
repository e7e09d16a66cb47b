"""Eigenvalues discretised from continuous time, with a trainable step."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from remanence.errors import RemanenceError, nearest_name
from remanence.layers._eigenvalue_map import AbstractRateMap, namespace, softplus_inverse
from remanence.layers._parametrisation import (
    AbstractEigenvalues,
    as_parameter,
    as_values,
    cast,
    invert,
    traced,
)
from remanence.layers.contract import RECURRENT
from remanence.layers.discretisations import (
    continuous_from_discrete,
    discrete_log_magnitude,
    discrete_phase,
    discretise,
    require_rule,
)
from remanence.layers.eigenvalues import rate_map as rate_map_called

_STEP_MAPS = ("exponential", "softplus")


class Discretised(AbstractEigenvalues):
    """`λ` of continuous-time modes `a = f(w) + i im`, discretised with a trainable step `Δ`.

        Δ = e^d  or  Δ = log(1 + e^d),     (λ, β) = discretise(a, Δ, rule).

    S4D and S5 are `rule="zoh"` or `"bilinear"` with the exponential rate. A direct rate with the
    softplus step and "exponential euler" is the S4-like cell of Zucchet & Orvieto (2024).

    Args:
        rate_parameter: `w`, of the shape of `λ`.
        imaginary: `Im a`, of the same shape; None for real modes.
        step_parameter: `d`, of any shape that broadcasts to that of `λ`: `()` for one step
            shared by all, `(channels, 1)` for one per channel of `(channels, modes)`.
        rate_map: the map of `Re a`, by name or itself.
        rule: one of `discretisations.RULES`.
        step_map: "exponential" or "softplus".

    Raises:
        RemanenceError: for unknown names, and if the step does not broadcast.
    """

    rate_map: AbstractRateMap = eqx.field(static=True)
    rule: str = eqx.field(static=True)
    step_map: str = eqx.field(static=True)
    rate_parameter: Float[Array, "*modes"] = eqx.field(metadata=RECURRENT)
    imaginary: Float[Array, "*modes"] | None = eqx.field(metadata=RECURRENT)
    step_parameter: Float[Array, "*steps"] = eqx.field(metadata=RECURRENT)

    def __init__(
        self,
        rate_parameter: Any,
        imaginary: Any,
        step_parameter: Any,
        rate_map: str | AbstractRateMap = "exponential",
        rule: str = "zoh",
        step_map: str = "exponential",
    ):
        self.rate_parameter = as_parameter(rate_parameter)
        self.imaginary = None if imaginary is None else as_parameter(imaginary)
        self.step_parameter = as_parameter(step_parameter)
        self.rate_map = rate_map_called(rate_map)
        require_rule(rule)
        self.rule = rule
        _require_step_map(step_map)
        self.step_map = step_map
        _require_broadcast(self.step_parameter.shape, self.rate_parameter.shape)

    @classmethod
    def from_rates(
        cls,
        rates: Any,
        log_step: Any,
        *,
        rate_map: str | AbstractRateMap = "exponential",
        rule: str = "zoh",
        step_map: str = "exponential",
        dtype: Any = None,
    ) -> "Discretised":
        """The parameters that give the continuous-time eigenvalues `rates` and `log Δ`.

        Real `rates` make real modes.

        Raises:
            RemanenceError: for a real part that the rate map does not reach.
        """
        rates, log_step = as_values(rates), as_values(log_step)
        _require_step_map(step_map)
        chosen = rate_map_called(rate_map)
        xp = namespace(rates)
        parameter = (
            log_step
            if step_map == "exponential"
            else softplus_inverse(namespace(log_step).exp(log_step))
        )
        return cls(
            cast(invert(chosen, xp.real(rates), "continuous-time real part"), dtype),
            cast(xp.imag(rates), dtype) if rates.dtype.kind == "c" else None,
            cast(parameter, dtype),
            chosen,
            rule,
            step_map,
        )

    @classmethod
    def from_eigenvalues(
        cls,
        eigenvalues: Any,
        *,
        step: Any = 1.0,
        rate_map: str | AbstractRateMap = "exponential",
        rule: str = "zoh",
        step_map: str = "exponential",
        dtype: Any = None,
    ) -> "Discretised":
        """The parameters that give these discrete-time eigenvalues at the steps `Δ > 0`.

        Real eigenvalues make real modes; the exponential rules reach only positive ones.

        Raises:
            RemanenceError: for eigenvalues that the rule or the rate map does not reach, and for
                steps that are not positive or do not broadcast.
        """
        require_rule(rule)
        values, steps = as_values(eigenvalues), as_values(step)
        _require_broadcast(steps.shape, values.shape)
        if not traced(steps) and not (np.isfinite(steps).all() and (steps > 0).all()):
            raise RemanenceError("Discretised: every step must be positive and finite")
        xp = namespace(values)
        spread = namespace(steps).broadcast_to(steps, values.shape)
        with np.errstate(all="ignore"):
            rates = continuous_from_discrete(values, xp.asarray(spread, values.dtype), rule)
        if not traced(rates) and not np.isfinite(rates).all():
            worst = np.asarray(values)[~np.isfinite(rates)].flat[0]
            raise RemanenceError(
                f"Discretised: rule {rule!r} does not reach the eigenvalue {worst:g}"
            )
        return cls.from_rates(
            rates,
            namespace(steps).log(steps),
            rate_map=rate_map,
            rule=rule,
            step_map=step_map,
            dtype=dtype,
        )

    @property
    def shape(self) -> tuple[int, ...]:
        return self.rate_parameter.shape

    @property
    def is_complex(self) -> bool:
        return self.imaginary is not None

    def step(self) -> Float[Array, "*modes"]:
        """`Δ`, broadcast to the shape of `λ`."""
        d = self.step_parameter
        step = jnp.exp(d) if self.step_map == "exponential" else jax.nn.softplus(d)
        return jnp.broadcast_to(step, self.shape)

    def continuous(self) -> Inexact[Array, "*modes"]:
        """`a = f(w) + i im`."""
        rate = self.rate_map.forward(self.rate_parameter)
        return rate if self.imaginary is None else jax.lax.complex(rate, self.imaginary)

    def __call__(self) -> Inexact[Array, "*modes"]:
        return discretise(self.continuous(), self.step(), self.rule)[0]

    def log_magnitude(self) -> Float[Array, "*modes"]:
        return discrete_log_magnitude(self.continuous(), self.step(), self.rule)

    def phase(self) -> Float[Array, "*modes"]:
        return discrete_phase(self.continuous(), self.step(), self.rule)

    def input_factor(self) -> Inexact[Array, "*modes"]:
        return discretise(self.continuous(), self.step(), self.rule)[1]


def _require_step_map(step_map: str) -> None:
    if step_map not in _STEP_MAPS:
        raise RemanenceError(
            f"Discretised: step_map {step_map!r} is none of {', '.join(_STEP_MAPS)}"
            f"{nearest_name(step_map, _STEP_MAPS)}"
        )


def _require_broadcast(steps: tuple[int, ...], modes: tuple[int, ...]) -> None:
    try:
        fits = np.broadcast_shapes(steps, modes) == modes
    except ValueError:
        fits = False
    if not fits:
        raise RemanenceError(
            f"Discretised: a step of shape {steps} does not broadcast to the eigenvalues' {modes}"
        )
