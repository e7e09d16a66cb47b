"""From a continuous-time mode `dh/dt = a h + x` to `h_t = λ h_{t-1} + β x_t`, and back."""

from typing import Any, Literal, get_args

import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from remanence.errors import RemanenceError, nearest_name
from remanence.layers._eigenvalue_map import AnyArray, namespace

Rule = Literal["zoh", "bilinear", "euler", "backward euler", "exponential euler"]

RULES: tuple[str, ...] = get_args(Rule)
"""The names of the discretisation rules."""


def require_rule(rule: str) -> None:
    """Raise `RemanenceError` unless `rule` is one of `RULES`."""
    if rule not in RULES:
        raise RemanenceError(
            f"discretisation rule {rule!r} is none of {', '.join(RULES)}"
            f"{nearest_name(rule, RULES)}"
        )


def discretise(
    a: Inexact[Array, "*modes"], step: Float[Array, "*modes"], rule: str
) -> tuple[Inexact[Array, "*modes"], Inexact[Array, "*modes"]]:
    """The discrete eigenvalue `λ` and the factor `β` of the input, with `z = Δ a`:

        "zoh"                λ = e^z                    β = (e^z − 1) / a
        "bilinear"           λ = (1 + z/2) / (1 − z/2)  β = Δ / (1 − z/2)
        "euler"              λ = 1 + z                  β = Δ
        "backward euler"     λ = 1 / (1 − z)            β = Δ / (1 − z)
        "exponential euler"  λ = e^z                    β = Δ

    The first four keep the static gain: `β / (1 − λ) = −1/a`. "zoh" is exact for an input that is
    constant over each step, and is smooth at `a = 0`. Real `a` gives real `λ` and `β`.

    Raises:
        RemanenceError: for an unknown rule.

    Source: the textbook rules; "exponential euler" is Mamba's simplification of the first.
    """
    require_rule(rule)
    step = step.astype(a.dtype)
    z = step * a
    if rule == "zoh":
        return jnp.exp(z), step * expm1_quotient(z)
    if rule == "exponential euler":
        return jnp.exp(z), step
    if rule == "bilinear":
        return (1 + z / 2) / (1 - z / 2), step / (1 - z / 2)
    if rule == "euler":
        return 1 + z, step
    return 1 / (1 - z), step / (1 - z)


def discrete_log_magnitude(
    a: Inexact[Array, "*modes"], step: Float[Array, "*modes"], rule: str
) -> Float[Array, "*modes"]:
    """`log |λ|` of `discretise(a, step, rule)`, without cancellation near `|λ| = 1`.

    The difference `|λ|² − 1` is written in `Re z` and `|z|²`, never through `|λ|`; for the
    bilinear rule `|1 + z/2|² − |1 − z/2|² = 2 Re z`.
    """
    require_rule(rule)
    x, y = jnp.real(a) * step, jnp.imag(a) * step
    if rule in ("zoh", "exponential euler"):
        return x
    if rule == "bilinear":
        denominator = (1 - x / 2) ** 2 + (y / 2) ** 2
        numerator = (1 + x / 2) ** 2 + (y / 2) ** 2
        return half_log(numerator / denominator, 2 * x / denominator)
    if rule == "euler":
        return half_log((1 + x) ** 2 + y**2, x * (2 + x) + y**2)
    return -half_log((1 - x) ** 2 + y**2, x * (x - 2) + y**2)


def discrete_phase(
    a: Inexact[Array, "*modes"], step: Float[Array, "*modes"], rule: str
) -> Float[Array, "*modes"]:
    """`arg λ` of `discretise(a, step, rule)`; `Δ Im a`, not wrapped, for the exponential rules."""
    require_rule(rule)
    x, y = jnp.real(a) * step, jnp.imag(a) * step
    if rule in ("zoh", "exponential euler"):
        return y
    if rule == "bilinear":
        return angle(1 + x / 2, y / 2) - angle(1 - x / 2, -y / 2)
    if rule == "euler":
        return angle(1 + x, y)
    return -angle(1 - x, -y)


def continuous_from_discrete(
    eigenvalues: Inexact[AnyArray, "*modes"], step: Any, rule: str
) -> Inexact[AnyArray, "*modes"]:
    """The `a` that `discretise` takes to the eigenvalues given; NaN where there is none.

    The exponential rules take the principal logarithm, `|Im a| Δ ≤ π`; with real eigenvalues they
    reach positive ones only. NumPy arrays are inverted by NumPy, in float64.

    Raises:
        RemanenceError: for an unknown rule.
    """
    require_rule(rule)
    if rule in ("zoh", "exponential euler"):
        return namespace(eigenvalues).log(eigenvalues) / step
    if rule == "bilinear":
        return 2 * (eigenvalues - 1) / (eigenvalues + 1) / step
    if rule == "euler":
        return (eigenvalues - 1) / step
    return (eigenvalues - 1) / eigenvalues / step


def expm1_quotient(z: Inexact[Array, "*shape"]) -> Inexact[Array, "*shape"]:
    """`(e^z − 1) / z` for real or complex `z`, 1 at `z = 0`, as are its derivatives accurate.

    Near 0 it is its Taylor series, whose gradient does not cancel; elsewhere
    `e^{x+iy} − 1 = expm1(x) cos y − 2 sin²(y/2) + i e^x sin y`.
    """
    near = jnp.abs(jnp.real(z)) + jnp.abs(jnp.imag(z)) < 0.1
    small, large = jnp.where(near, z, 0), jnp.where(near, 1, z)
    series = jnp.ones_like(z)
    for order in range(11, 1, -1):
        series = 1 + small * series / order
    if jnp.issubdtype(z.dtype, jnp.complexfloating):
        x, y = jnp.real(large), jnp.imag(large)
        real = jnp.expm1(x) * jnp.cos(y) - 2 * jnp.sin(y / 2) ** 2
        numerator = real.astype(z.dtype) + 1j * (jnp.exp(x) * jnp.sin(y)).astype(z.dtype)
    else:
        numerator = jnp.expm1(large)
    return jnp.where(near, series, numerator / large)


def half_log(
    square: Float[Array, "*shape"], excess: Float[Array, "*shape"]
) -> Float[Array, "*shape"]:
    """`½ log s` from `s = |λ|²` and `s − 1`, each exact to rounding; -inf, of gradient 0, at 0."""
    small, zero = square < 0.5, square <= 0
    # `where` multiplies the gradient of the branch not taken by zero: keep that one finite.
    below = jnp.log(jnp.where(small & ~zero, square, 0.25))
    near_one = jnp.log1p(jnp.where(small, 0.0, excess))
    return jnp.where(zero, -jnp.inf, jnp.where(small, below, near_one) / 2)


def angle(x: Float[Array, "*shape"], y: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """`arg(x + iy)`; 0, of gradient 0, at the origin."""
    origin = (x == 0) & (y == 0)
    return jnp.arctan2(jnp.where(origin, 0.0, y), jnp.where(origin, 1.0, x))
