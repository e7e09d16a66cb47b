"""Overlaps and distances of modes in decimal arithmetic, from the very numbers given."""

from decimal import Decimal, localcontext

_DIGITS = 90


def exact_shares(
    first: tuple[float, float], second: tuple[float, float]
) -> tuple[Decimal, Decimal, Decimal]:
    """`|o|²`, `ρ²` and `tanh²(d/2)` of two points `(R, θ)`, each by its own definition.

        o = √((1 − |λ|²)(1 − |μ|²)) / (1 − λμ̄),    ρ = |λ − μ| / |1 − μ̄λ|,
        cosh d = cosh R₁ cosh R₂ − sinh R₁ sinh R₂ cos(θ₁ − θ₂)

    with `λ = tanh(R/2) e^{iθ}`; the third line is the hyperbolic law of cosines.
    """
    with localcontext() as context:
        context.prec = _DIGITS
        (R, a), (S, b) = (tuple(map(Decimal, point)) for point in (first, second))
        cosine = _cosine(a - b)
        r, s = _tanh_half(R), _tanh_half(S)
        crossed = 1 - 2 * r * s * cosine + (r * s) ** 2
        overlap = (1 - r * r) * (1 - s * s) / crossed
        rho = (r * r + s * s - 2 * r * s * cosine) / crossed
        up, down = (R.exp(), (-R).exp()), (S.exp(), (-S).exp())
        cosh = (up[0] + up[1]) * (down[0] + down[1]) / 4
        cosh -= (up[0] - up[1]) * (down[0] - down[1]) / 4 * cosine
        return +overlap, +rho, +((cosh - 1) / (cosh + 1))


def _tanh_half(radius: Decimal) -> Decimal:
    power = radius.exp()
    return (power - 1) / (power + 1)


def _cosine(x: Decimal) -> Decimal:
    """The power series; the arguments are below 2π."""
    total = term = Decimal(1)
    k = 0
    while abs(term) > Decimal(10) ** -_DIGITS:
        k += 2
        term *= -x * x / (k * (k - 1))
        total += term
    return total
