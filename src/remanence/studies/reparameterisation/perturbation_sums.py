"""Exponential sums under perturbation: the deterministic version, Euler steps, and [0, ∞)."""

import dataclasses
import functools
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float

from remanence.layers import rate_map
from remanence.studies.reparameterisation.fits import ExponentialSum, free_fit, long_fit
from remanence.studies.reparameterisation.perturbation_settings import (
    HORIZON,
    KERNEL_EXPONENT,
    LONG_RADIUS,
    RADII,
    SUM_RADII,
    PerturbationSettings,
    network_kernel,
    squared_weights,
)
from remanence.theory.perturbation import (
    PerturbationErrors,
    ball_perturbation,
    mode_errors,
    perturbation_errors,
    stability_radius,
    tensor_perturbation,
)

Values = Mapping[str, np.ndarray]

TARGETS = {"(t + 1)^−1.1": lambda t: (t + 1.0) ** -1.1, "0.9^t": lambda t: 0.9**t}
POWER_LAW, EXPONENTIAL = TARGETS

TOWARDS_INSTABILITY = {"direct": 1.0, "exponential": -1.0, "softplus": -1.0, "best": 1.0}
"""The sign of a change of w that makes a mode slower."""

BALL, TENSOR = "ball", "tensor"
EVERYTHING, NORMALISED, EIGENVALUES = "raw readouts", "normalised readouts", "eigenvalues only"
PERTURBED = (EVERYTHING, NORMALISED, EIGENVALUES)
"""What is perturbed beside the eigenvalues' parameters w: c, or ĉ of c = |λ| ĉ, or nothing."""


@dataclasses.dataclass(frozen=True)
class Sums:
    """Perturbed fits of one target.

    - `radii`: the stability radius of the direct parametrisation of each width.
    - `norm`: the target's L¹ norm on the grid, in which every error is to be read.
    - `errors`: `(map, what is perturbed, convention)` to one `PerturbationErrors` per width.
    """

    target: str
    widths: tuple[int, ...]
    modes: tuple[int, ...]
    radii: tuple[float, ...]
    norm: float
    errors: Mapping[tuple[str, str, str], tuple[PerturbationErrors, ...]]


@dataclasses.dataclass(frozen=True)
class Long:
    """On [0, ∞): `errors[map]` (widths,), relative, under a one-sided change by `LONG_RADIUS`."""

    widths: tuple[int, ...]
    radii: Float[np.ndarray, " widths"]
    errors: Mapping[str, Float[np.ndarray, " widths"]]


def perturbed_sums(
    s: PerturbationSettings, target: str, on_progress: Callable[[float], None]
) -> Sums:
    """Every width, map, perturbed set and convention, by the sum of |ρ̂ − ρ| at t = 1 … 100."""
    times = np.arange(1.0, HORIZON + 1)
    wanted = TARGETS[target](times)
    fits = [free_fit(times, wanted, width) for width in s.sum_widths]
    errors = {}
    for i, name in enumerate(TOWARDS_INSTABILITY):
        for what in PERTURBED:
            for convention in (BALL, TENSOR):
                errors[name, what, convention] = tuple(
                    _one(s, fit, name, what, convention, times, wanted) for fit in fits
                )
        on_progress((i + 1) / len(TOWARDS_INSTABILITY))
    return Sums(
        target,
        s.sum_widths,
        tuple(fit.rates.size for fit in fits),
        tuple(stability_radius(fit.rates) for fit in fits),
        float(np.abs(wanted).sum()),
        errors,
    )


def _one(
    s: PerturbationSettings,
    fit: ExponentialSum,
    name: str,
    what: str,
    convention: str,
    times: np.ndarray,
    wanted: np.ndarray,
) -> PerturbationErrors:
    forward, inverse = numpy_map(name)
    normalised = what == NORMALISED
    parameters = {"w": inverse(fit.rates)}
    if what != EIGENVALUES:
        parameters["c"] = fit.readouts / -fit.rates if normalised else fit.readouts

    def error(values: Values) -> float:
        rates = forward(values["w"])
        readouts = values.get("c", fit.readouts) * (-rates if normalised else 1.0)
        return float(np.abs(np.exp(times[:, None] * rates[None]) @ readouts - wanted).sum())

    sign = {"w": TOWARDS_INSTABILITY[name]}
    perturb = (
        ball_perturbation
        if convention == BALL
        else functools.partial(tensor_perturbation, one_sided=sign)
    )
    return perturbation_errors(
        error, parameters, SUM_RADII, perturb=perturb, draws=s.sum_draws, seed=s.seed
    )


def euler_sums(s: PerturbationSettings) -> dict[str, tuple[PerturbationErrors, ...]]:
    """Fits of the networks' kernel by `Σ c (1 + λ)^j`, perturbed as the networks are.

    One-sided in w, all readouts with noise; errors are the networks' expected loss.
    """
    steps = np.arange(HORIZON)
    kernel, weights = network_kernel(), squared_weights()
    found = {}
    for name, sign in TOWARDS_INSTABILITY.items():
        forward, inverse = numpy_map(name)

        def error(values: Values, forward: Callable = forward) -> float:
            powers = (1 + forward(values["w"]))[None] ** steps[:, None]
            wrong = powers @ values["c"] - kernel
            return float(np.mean(weights * np.cumsum(wrong**2)))

        rows = []
        for width in s.euler_widths:
            fit = free_fit(steps.astype(np.float64), kernel, width)
            # A fit's e^λ as one Euler step: 1 + λ' with λ' = e^λ − 1.
            parameters = {"w": inverse(np.expm1(fit.rates)), "c": fit.readouts}
            rows.append(
                perturbation_errors(
                    error,
                    parameters,
                    RADII,
                    perturb=functools.partial(tensor_perturbation, one_sided={"w": sign}),
                    draws=s.sum_draws,
                    seed=s.seed,
                )
            )
        found[name] = tuple(rows)
    return found


def long_sums(s: PerturbationSettings) -> Long:
    """Fits of (1 + t)^−1.1 on a long interval; errors on [0, ∞) in closed form.

    Readouts are positive and the change one-sided, so that the modes' errors add up exactly.
    """
    fits = [long_fit(width, KERNEL_EXPONENT, s.long_horizon) for width in s.long_widths]
    errors = {}
    for name, sign in TOWARDS_INSTABILITY.items():
        forward, inverse = numpy_map(name)
        errors[name] = np.array(
            [
                mode_errors(
                    fit.rates, forward(inverse(fit.rates) + sign * LONG_RADIUS), fit.readouts
                ).sum()
                / (fit.readouts / -fit.rates).sum()
                for fit in fits
            ]
        )
    return Long(s.long_widths, np.array([stability_radius(fit.rates) for fit in fits]), errors)


def numpy_map(
    name: str,
) -> tuple[Callable[[np.ndarray], np.ndarray], Callable[[np.ndarray], np.ndarray]]:
    """`f` and its inverse without JAX: thousands of small calls are no work for a device."""
    forwards = {
        "direct": lambda w: w,
        "exponential": lambda w: -np.exp(w),
        "softplus": lambda w: -np.logaddexp(0.0, w),
        "best": lambda w: -1 / (w**2 + 0.5),
    }
    found = rate_map(name)
    return forwards[name], lambda rates: np.asarray(found.inverse(rates))
