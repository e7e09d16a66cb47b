"""`1 − x ȳ` to full relative accuracy, however close `x ȳ` is to 1.

Memory lives at `|λ| → 1`, and there `1 − |λ|²` written as it reads loses every digit that it has
in common with 1: for `|λ| = 1 − 1e-9` an error of 1e-16 in `|λ|²` is 1e-7 of the answer. The
products are therefore split without error (Dekker 1971: `a b = p + e` exactly, from halves of the
digits), and the sum `1 − p₁ − p₂ − e₁ − e₂` keeps the rounding error of each step (Knuth's
two-sum). For real λ this equals `(1 − |λ|)(1 + |λ|)` to a rounding; for complex λ that form still
inherits the rounding of `|λ| = √(α² + β²)`, and this one does not.
"""

import numpy as np

# 2^27 + 1 splits a 53-bit significand into two halves of 26 bits.
_SPLITTER = 134217729.0

_Reals = np.ndarray | float


def _two_product(a: _Reals, b: _Reals) -> tuple[_Reals, _Reals]:
    """`(p, e)` with `a b = p + e` exactly."""
    product = a * b
    scaled = _SPLITTER * a
    a_high = scaled - (scaled - a)
    a_low = a - a_high
    scaled = _SPLITTER * b
    b_high = scaled - (scaled - b)
    b_low = b - b_high
    error = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return product, error


def _two_sum(a: _Reals, b: _Reals) -> tuple[_Reals, _Reals]:
    """`(s, e)` with `a + b = s + e` exactly."""
    total = a + b
    b_seen = total - a
    return total, (a - (total - b_seen)) + (b - b_seen)


def one_minus_product(x: np.ndarray | complex, y: np.ndarray | complex) -> np.ndarray:
    """`1 − x conj(y)` element by element; real and imaginary part are each accurate."""
    x_real, x_imag = np.real(x), np.imag(x)
    y_real, y_imag = np.real(y), np.imag(y)
    first, first_error = _two_product(x_real, y_real)
    second, second_error = _two_product(x_imag, y_imag)
    total, lost = _two_sum(np.ones_like(first), -first)
    total, lost_again = _two_sum(total, -second)
    real = total + ((lost + lost_again) - (first_error + second_error))
    cross, cross_error = _two_product(x_imag, y_real)
    other, other_error = _two_product(x_real, y_imag)
    imaginary = (other - cross) + (other_error - cross_error)
    return np.asarray(real + 1j * imaginary)


def one_minus_square(x: np.ndarray | complex) -> np.ndarray:
    """`1 − |x|²`, float64."""
    return np.real(one_minus_product(x, x))
