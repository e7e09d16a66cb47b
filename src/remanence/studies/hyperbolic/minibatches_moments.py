"""Exact moments of a minibatch's gradient for finite sequences, and what follows from them.

`minibatches_theory` has the model, the meaning of `w` and the closed forms.
"""

import dataclasses
import functools
import math
from operator import add

import jax
import jax.numpy as jnp
import numpy as np

from remanence.studies.hyperbolic.minibatches_theory import Situations

_SIZE = 7
"""States: x, and h, w, z as two real numbers each."""


@dataclasses.dataclass(frozen=True)
class GradientMoments:
    """Moments over minibatches of one sequence; a batch of B divides the covariances by B.

    - `overlap` (2, situations), `overlap_covariance` (2, 2, situations): of
      `(1/T) Σ_t h_t y_t`, real and imaginary part.
    - `gradient`, `gradient_covariance`: of the hyperbolic gradient of the loss, in the frame.
    - `response` (4, 4, situations): `E mean ∂ŷ ∂ŷᵀ` by u, v, Re c, Im c.
    - `output_power`: of the target without its noise.
    """

    overlap: np.ndarray
    overlap_covariance: np.ndarray
    gradient: np.ndarray
    gradient_covariance: np.ndarray
    response: np.ndarray
    output_power: np.ndarray

    def signal_to_noise(self, batch: int) -> np.ndarray:
        """`S = |E g|² / tr Cov g` of a minibatch."""
        noise = self.gradient_covariance[0, 0] + self.gradient_covariance[1, 1]
        return batch * np.sum(self.gradient**2, axis=0) / noise


def gradient_moments(
    one: Situations, horizon: int, readout: np.ndarray | None = None
) -> GradientMoments:
    """Moments of the overlap and of the hyperbolic gradient over sequences of `horizon` steps.

    Exact for finite sequences from zero states: covariances of the states are carried along, and
    with them the sums over pairs of times.

    Args:
        one: situations.
        horizon: T, at least 1.
        readout: complex `c`. If not given `c` is small and of the phase that is best on average,
            the gradient is that of the cross term alone and in units of `|c|`.
    """
    F, g = _system(one)
    h, w, y = _readouts()
    turn, size = np.exp(1j * one.phase), np.tanh(one.radius / 2)
    count = one.radius.size

    def real_part(factor: np.ndarray, pair: np.ndarray) -> np.ndarray:
        """`Re(factor · state)` as a row for every situation."""
        return pair[0][:, None] * np.real(factor)[None] - pair[1][:, None] * np.imag(factor)[None]

    rows = [np.repeat(h[part][:, None], count, axis=1) for part in (0, 1)]
    target = np.repeat(y[:, None], count, axis=1)
    overlap, spread, mean = _moments(F, g, np.stack(rows), target, horizon)
    power = np.einsum("i,ijc,j->c", y, mean, y)
    extra = one.noise * power
    state_power = np.einsum("ric,ijc,sjc->rsc", np.stack(rows), mean, np.stack(rows))
    spread = spread + extra * state_power / horizon
    if readout is None:
        mixed = overlap[0] + 1j * overlap[1]
        c, error = mixed.conj() / np.abs(mixed), -target
    else:
        c = readout
        error = 2 * real_part(c, h) - target
    along = real_part(c * turn, w)
    across = real_part(1j * c * turn, w) + real_part(1j * c * size, h)
    slopes = np.stack([along, across])
    gradient, covariance, _ = _moments(F, g, slopes, error, horizon)
    ones = np.ones(count, complex)
    everything = np.stack([along, across, 2 * real_part(ones, h), 2 * real_part(1j * ones, h)])
    response = np.einsum("ric,ijc,sjc->rsc", everything, mean, everything)
    noisy = 4 * (covariance + extra * response[:2, :2] / horizon)
    return GradientMoments(overlap, spread, 2 * gradient, noisy, response, power)


def cramer_rao(moments: GradientMoments, noise: np.ndarray, samples: float | int) -> np.ndarray:
    """Least `E d²` of an estimate of λ from so many noisy samples, `c` unknown as well.

    `moments` at the target with the target's readout. 8 σ²/N for T ≫ memory.
    """
    information = np.moveaxis(moments.response, -1, 0)
    inverse = np.linalg.inv(information)
    return noise * moments.output_power / samples * (inverse[:, 0, 0] + inverse[:, 1, 1])


def adam_error(
    moments: GradientMoments,
    noise: np.ndarray,
    *,
    batch: int,
    horizon: int,
    rate: float,
    readout_rate: float,
    steps: int,
    share: float = 0.25,
) -> np.ndarray:
    """`E d²` at the end of Adam near the target, rates falling as half a cosine.

    The covariance of `(u, v, Re c, Im c)` and of the four first moments under the linearised
    steps, with second moments that are those of the noise at the target, over the last `share`
    of the steps, from an error of η².
    """
    found = np.empty(noise.size)
    for place in range(noise.size):
        response = moments.response[:, :, place]
        variance = noise[place] * moments.output_power[place]
        spread = 4 * variance * response / (batch * horizon)
        size = np.sqrt(np.diag(spread))
        together = math.hypot(size[0], size[1])
        rates = np.array([rate, rate, readout_rate, readout_rate])
        scale = rates / np.array([together, together, size[2], size[3]])
        covariance = np.zeros((8, 8))
        covariance[0, 0] = covariance[1, 1] = rate**2 / 2
        for step in range(int((1 - share) * steps), steps):
            now = np.diag(scale * (1 + math.cos(math.pi * step / steps)) / 2)
            one = np.eye(4)
            kept = np.block(
                [[one - 0.2 * now @ response, -0.9 * now], [0.2 * response, 0.9 * one]]
            )
            noisy = np.concatenate([-0.1 * now, 0.1 * one])
            covariance = kept @ covariance @ kept.T + noisy @ spread @ noisy.T
        found[place] = covariance[0, 0] + covariance[1, 1]
    return found


def _readouts() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows that read h, w (real and imaginary part) and `2 Re z` from x, h, w, z."""
    one = np.eye(_SIZE)
    return one[1:3], one[3:5], 2 * one[5]


def _system(one: Situations) -> tuple[np.ndarray, np.ndarray]:
    """`v_t = F v_{t−1} + g e_t` for x, h, w, z in real coordinates, situations last."""
    count = one.radius.size
    rho = one.correlation
    F, g = np.zeros((_SIZE, _SIZE, count)), np.zeros((_SIZE, count))
    fresh = np.sqrt((1 - rho) * (1 + rho))
    student = np.tanh(one.radius / 2) * np.exp(1j * one.phase)
    target = np.tanh(one.target_radius / 2) * np.exp(1j * one.target_phase)
    gamma, target_gamma = 1 / np.cosh(one.radius / 2), 1 / np.cosh(one.target_radius / 2)

    def turn(rows: slice, columns: slice, factor: np.ndarray) -> None:
        F[rows, columns] = np.array(
            [[np.real(factor), -np.imag(factor)], [np.imag(factor), np.real(factor)]]
        )

    h, w, z = slice(1, 3), slice(3, 5), slice(5, 7)
    turn(h, h, student)
    turn(w, w, student)
    turn(w, h, gamma**2 + 0j)
    turn(z, z, target)
    seen = -student.conj() * gamma
    entry = np.stack(
        [np.ones(count), gamma, 0 * gamma, seen.real, seen.imag, target_gamma, 0 * gamma]
    )
    F[:, 0] = entry * rho
    g[:] = entry * fresh
    return F, g


def _moments(
    F: np.ndarray, g: np.ndarray, p: np.ndarray, q: np.ndarray, horizon: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and covariance of `(1/T) Σ_t (p v_t)(q v_t)` for rows p, and the mean `E v vᵀ`."""
    given = (jnp.asarray(x, jnp.float64) for x in (F, g, p, q))
    found = _sums(*given, jnp.asarray(horizon))
    mean, covariance, states = (np.asarray(x) for x in found)
    return mean / horizon, covariance / horizon**2, states / horizon


@jax.jit
def _sums(F: jax.Array, g: jax.Array, p: jax.Array, q: jax.Array, horizon: jax.Array) -> tuple:
    rows, size, count = p.shape
    shocks = g[:, None] * g[None]

    def between(X: jax.Array) -> jax.Array:
        """`F X Fᵀ`, written out: matrices of seven rows are too small for a product."""
        left = functools.reduce(add, (F[:, j, None] * X[None, j] for j in range(size)))
        return functools.reduce(add, (left[:, None, j] * F[None, :, j] for j in range(size)))

    def seen(P: jax.Array, row: jax.Array) -> jax.Array:
        return jnp.sum(P * row[None], axis=1)

    def step(_: jax.Array, carry: tuple) -> tuple:
        P, pairs, mean, covariance, states = carry
        P = between(P) + shocks
        # pairs[k] = Σ_{s<t} (Φ P_s p_k)(Φ P_s q)ᵀ with Φ = F^{t−s}.
        pairs = [between(one) for one in pairs]
        at_q = seen(P, q)
        at_p = [seen(P, p[k]) for k in range(rows)]
        both = jnp.sum(q * at_q, axis=0)
        cross = [jnp.sum(p[k] * at_q, axis=0) for k in range(rows)]
        new = []
        for i in range(rows):
            for k in range(rows):
                now = jnp.sum(p[i] * at_p[k], axis=0) * both + cross[i] * cross[k]
                later = sum(
                    jnp.sum(p[a] * seen(pairs[b] + pairs[b].swapaxes(0, 1), q), axis=0)
                    for a, b in ((i, k), (k, i))
                )
                new.append(now + later)
        covariance = covariance + jnp.stack(new).reshape(rows, rows, count)
        pairs = [pairs[k] + at_p[k][:, None] * at_q[None] for k in range(rows)]
        return P, pairs, mean + jnp.stack(cross), covariance, states + P

    P = jnp.zeros((size, size, count)).at[0, 0].set(1.0)
    nothing = [jnp.zeros((size, size, count)) for _ in range(rows)]
    carry = (
        P,
        nothing,
        jnp.zeros((rows, count)),
        jnp.zeros((rows, rows, count)),
        jnp.zeros((size, size, count)),
    )
    return jax.lax.fori_loop(jnp.zeros_like(horizon), horizon, step, carry)[2:]
