"""Single-channel state-space banks: S4D, DSS and StableSSM, one formula with three starts."""

from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from remanence.errors import RemanenceError, nearest_name
from remanence.layers import hippo
from remanence.layers.arrays import SplitComplex, complex_normal, normal, real_dtype, require_sizes
from remanence.layers.bank import AbstractModalBank
from remanence.layers.contract import RECURRENT
from remanence.layers.normalisations import AbstractNormalisation, NoNormalisation
from remanence.layers.parametrisations import AbstractEigenvalues, Discretised
from remanence.layers.s5 import log_uniform_steps

SPECTRA = {
    "lin": hippo.s4d_lin,
    "inv": hippo.s4d_inv,
    "legs": hippo.s4d_legs,
    "real": hippo.s4d_real,
}
"""The initial rates of S4D by name."""


class S4D(AbstractModalBank):
    """Diagonal S4: one state-space system per channel, discretised by zero-order hold.

        h_t = e^{Δa} ⊙ h_{t-1} + ((e^{Δa} − 1)/a) x_t,   y_t = 2 Re(C · h_t) + D x_t

    for each channel, with its own step `Δ`. The real part of the rates is trained as `−e^w`.

    Args:
        inputs: the number of channels; inputs and outputs are of this size.
        state: the real state of each channel: twice its number of complex modes ("real": its
            number of real modes).
        start: "lin" `a_n = −½ + iπn`, "inv", "legs" (the normal part of HiPPO-LegS), or "real"
            `a_n = −(n + 1)`, which makes every mode real.
        step_min, step_max: the steps start log-uniform between them.
        rule: "zoh" or "bilinear".

    Source: Gu et al., NeurIPS 2022 (arXiv 2206.11893), and its public code.
    """

    eigenvalues: AbstractEigenvalues = eqx.field(metadata=RECURRENT)
    normalisation: AbstractNormalisation = eqx.field(metadata=RECURRENT)
    C: SplitComplex
    D: Float[Array, " channels"]
    output_weight: float = eqx.field(static=True)

    def __init__(
        self,
        inputs: int,
        state: int = 64,
        *,
        start: str = "lin",
        step_min: float | int = 1e-3,
        step_max: float | int = 1e-1,
        rule: str = "zoh",
        key: PRNGKeyArray,
        dtype: Any = None,
    ):
        require_sizes("S4D", inputs=inputs, state=state)
        real = real_dtype(dtype)
        rates = _rates("S4D", start, state)
        for_bank, self_D = jax.random.split(key)
        self.eigenvalues, self.C = _bank(
            for_bank, inputs, rates, "exponential", rule, (step_min, step_max), real
        )
        self.normalisation = NoNormalisation()
        self.D = normal(self_D, (inputs,), 1.0, real)
        self.output_weight = 1.0 if start == "real" else 2.0


class DSS(AbstractModalBank):
    """Diagonal state space: S4D's formula, started at the spectrum of the HiPPO-LegS normal part.

    The exponential variant ("DSS-exp", `Re a = −e^w`), whose kernel does not depend on the length
    of the sequence; the softmax variant normalises over the length and has no state contract.

    Args:
        inputs, state, step_min, step_max: as for `S4D`.

    Source: Gupta, Gu & Berant, NeurIPS 2022 (arXiv 2203.14343), section 3.
    """

    eigenvalues: AbstractEigenvalues = eqx.field(metadata=RECURRENT)
    normalisation: AbstractNormalisation = eqx.field(metadata=RECURRENT)
    C: SplitComplex
    D: Float[Array, " channels"]
    output_weight: float = eqx.field(static=True)

    def __init__(
        self,
        inputs: int,
        state: int = 64,
        *,
        step_min: float | int = 1e-3,
        step_max: float | int = 1e-1,
        key: PRNGKeyArray,
        dtype: Any = None,
    ):
        require_sizes("DSS", inputs=inputs, state=state)
        real = real_dtype(dtype)
        for_bank, for_D = jax.random.split(key)
        self.eigenvalues, self.C = _bank(
            for_bank,
            inputs,
            _rates("DSS", "legs", state),
            "exponential",
            "zoh",
            (step_min, step_max),
            real,
        )
        self.normalisation = NoNormalisation()
        self.D = normal(for_D, (inputs,), 1.0, real)
        self.output_weight = 2.0


class StableSSM(AbstractModalBank):
    """S4D's bank with the real part of the rates in a stable reparametrisation.

        Re a = f(w),  by default f(w) = −1/(w² + b)

    The imaginary part is a free parameter. Rates start at `−½ + iπn`.

    Args:
        inputs, state, step_min, step_max: as for `S4D`.
        rate_map: the map `f` by name: "best" (b = 0.5, as in the paper), "best (code)" (b = 0.1,
            as in its public code), "exponential", "softplus", "direct", …

    Source: Wang & Li, ICML 2024 (arXiv 2311.14495), sections 3.3–4. Its code starts the direct map
    at `Re a = +½`, which is unstable; here every map starts at `−½`.
    """

    eigenvalues: AbstractEigenvalues = eqx.field(metadata=RECURRENT)
    normalisation: AbstractNormalisation = eqx.field(metadata=RECURRENT)
    C: SplitComplex
    D: Float[Array, " channels"]
    output_weight: float = eqx.field(static=True)

    def __init__(
        self,
        inputs: int,
        state: int = 64,
        *,
        rate_map: str = "best",
        step_min: float | int = 1e-3,
        step_max: float | int = 1e-1,
        key: PRNGKeyArray,
        dtype: Any = None,
    ):
        require_sizes("StableSSM", inputs=inputs, state=state)
        real = real_dtype(dtype)
        for_bank, for_D = jax.random.split(key)
        self.eigenvalues, self.C = _bank(
            for_bank,
            inputs,
            _rates("StableSSM", "lin", state),
            rate_map,
            "zoh",
            (step_min, step_max),
            real,
        )
        self.normalisation = NoNormalisation()
        self.D = normal(for_D, (inputs,), 1.0, real)
        self.output_weight = 2.0


def _rates(layer: str, start: str, state: int) -> np.ndarray:
    if start not in SPECTRA:
        raise RemanenceError(
            f"{layer}: start {start!r} is none of {', '.join(SPECTRA)}"
            f"{nearest_name(start, SPECTRA)}"
        )
    if start == "real":
        return SPECTRA[start](state)
    if state % 2:
        raise RemanenceError(
            f"{layer}: a state of {state} does not hold conjugate pairs; give an even number"
        )
    return SPECTRA[start](state // 2)


def _bank(
    key: PRNGKeyArray,
    channels: int,
    rates: np.ndarray,
    rate_map: str,
    rule: str,
    steps: tuple[float | int, float | int],
    dtype: np.dtype,
) -> tuple[Discretised, SplitComplex]:
    for_step, for_C = jax.random.split(key)
    shape = (channels, rates.size)
    log_step = log_uniform_steps(for_step, (channels, 1), *steps, dtype)
    eigenvalues = Discretised.from_rates(
        np.broadcast_to(rates, shape), log_step, rate_map=rate_map, rule=rule, dtype=dtype
    )
    if np.iscomplexobj(rates):
        return eigenvalues, complex_normal(for_C, shape, 0.5, dtype)
    return eigenvalues, SplitComplex(normal(for_C, shape, 1.0, dtype))
