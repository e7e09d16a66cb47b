"""Gated recurrences with frozen gates: why sigmoid gates control the sensitivity of the states.

A GRU whose gates and candidate do not depend on the state, or an LSTM whose input and forget
gates add up to 1 (as chrono initialisation makes them), reduces to

    h_t = λ h_{t−1} + (1 − λ) n_t,        λ = σ(b),

with `n` the candidate, a stationary input. The factor `1 − λ` is a normalisation and `λ(1 − λ)`
the derivative of the sigmoid: together they keep `E(∂h/∂b)²` bounded, in mean square and, unlike
`γ = √(1 − λ²)`, also in the worst case.

Source: derived; Zucchet & Orvieto (NeurIPS 2024), section 3.3 and figure 15, for the reduction.
The notebook of that figure predicts `E[(h + ∂h/∂λ)²] σ'²` where `E(∂h/∂b)²` is meant: for the
embeddings of a text 36 % too small at forget time 2, and 1 % at 256.
"""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike
from jaxtyping import Array, Float

from remanence.theory._arrays import promote
from remanence.theory.autocorrelations import AbstractInput
from remanence.theory.sensitivities import magnitude_sensitivity, normalised_power


def frozen_gate_power(retention: ArrayLike, input: AbstractInput) -> Float[Array, "..."]:
    """`E h² = (1 − λ)² K(λ, λ)`.

    Args:
        retention: `λ` in `[0, 1)`, the value of the keep (forget) gate, any shape.
        input: the autocorrelation of the candidate.

    For `R = R(0) ρ^|Δ|` it is `R(0) (1 − λ)(1 + ρλ) / ((1 + λ)(1 − ρλ))`: `R(0)` for a constant
    candidate, `R(0) (1 − λ)/2` for a white one and long memory.
    """
    return normalised_power(retention, input, normalisation="one minus")


def retention_sensitivity(retention: ArrayLike, input: AbstractInput) -> Float[Array, "..."]:
    """`E(∂h/∂λ)² = 2 [K(λ, λ) − F'(λ)] / (1 + λ)²`; arguments as above.

    For `R = R(0) ρ^|Δ|` it is `R(0) 2(1 − ρ)(1 + ρλ²) / ((1 − λ)(1 + λ)³(1 − ρλ)²)`: 0 for a
    constant candidate, which a leaky average passes unchanged.
    """
    return magnitude_sensitivity(retention, input, normalisation="one minus")


def bias_sensitivity(bias: ArrayLike, input: AbstractInput) -> Float[Array, "..."]:
    """`E(∂h/∂b)² = [λ(1 − λ)]² E(∂h/∂λ)²` at `λ = σ(b)`.

    For a white candidate `2 R(0) λ²(1 − λ)/(1 + λ)³`: it decays with the memory.

    Args:
        bias: `b` of the keep (forget) gate, any shape.
        input: the autocorrelation of the candidate.
    """
    (bias,) = promote(bias)
    retention = jax.nn.sigmoid(bias)
    slope = retention * jax.nn.sigmoid(-bias)
    return slope**2 * retention_sensitivity(retention, input)


def gate_worst_case_gain(retention: ArrayLike) -> Float[Array, "..."]:
    """`sup |∂h/∂b|` over all candidates with `|n_t| ≤ 1`: `2(1 − λ) max_N N λ^N → 2/e`.

    The kernel of `∂h/∂b` is `λ(1 − λ) d/dλ[(1 − λ)λ^n]`, negative for `n < N = ⌈λ/(1 − λ)⌉` and
    not after, of sum zero; the sum of its absolute values is twice that of its first `N` terms.

    Args:
        retention: `λ` in `(0, 1)`, any shape.

    Source: derived.
    """
    (retention,) = promote(retention)
    count = jnp.ceil(retention / (1 - retention))
    return 2 * (1 - retention) * count * jnp.exp(count * jnp.log(retention))


def lru_worst_case_gain(magnitude: ArrayLike) -> Float[Array, "..."]:
    """`sup |∂(γh)/∂w|` over inputs with `|x_t| ≤ 1`, for `γ = √(1 − ν²)`, `ν = exp(−e^w)`.

    It diverges, as `0.713 √(2/ε)`: a LRU's sensitivity is controlled in mean square, for inputs
    that are not constant over the memory, and not for every bounded input.

    With `A(N) = γ Σ_{n<N} ν^n`, the kernel `d/dν[γ ν^n]` is negative for `n < ν²/(1 − ν²)`, so
    the sum of its absolute values is `A'(∞) − 2A'(N)` there.

    Args:
        magnitude: `ν` in `(0, 1)`, any shape.

    Source: derived.
    """
    (nu,) = promote(magnitude)
    gap, square = 1 - nu, (1 - nu) * (1 + nu)
    count = jnp.ceil(nu**2 / square)
    log_nu = jnp.log(nu)
    kept = jnp.exp(count * log_nu)
    geometric = -jnp.expm1(count * log_nu) / gap
    gamma = jnp.sqrt(square)
    partial = -nu / gamma * geometric + gamma * (geometric - count * kept / nu) / gap
    total = 1 / (gap * gamma)
    return -nu * log_nu * (total - 2 * partial)


def forget_time(bias: ArrayLike) -> Float[Array, "..."]:
    """`T = 1/(1 − σ(b)) = 1 + e^b`, in time steps."""
    (bias,) = promote(bias)
    return 1 + jnp.exp(bias)


def bias_of_forget_time(time: ArrayLike) -> Float[Array, "..."]:
    """`b = log(T − 1)`, the inverse of `forget_time`, for `T > 1`."""
    (time,) = promote(time)
    return jnp.log(time - 1)
