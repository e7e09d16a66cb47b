"""What a minibatch says of the way to a target: moments of the gradient, exactly.

Student `h_t = λ h_{t−1} + γ x_t` with `γ = √(1 − |λ|²)` from a zero state, `ŷ = 2 Re(c h)`; target
`y = 2 Re(z) + n`, `z` the normalised mode of `μ`, `n` white noise of variance `σ² E y²`; loss
`mean (ŷ − y)²` over N = B T outputs. With `b(z) = (z − λ̄)/(1 − λ z)` and `w = b h` the second
Takenaka–Malmquist function, which has the spectrum of `h` and is orthogonal to it, a step `(u, v)`
in the frame `(∂_R, ∂_θ / sinh R)` moves the state by

    δh = ½ e^{iθ} (u + iv) w + ½ i |λ| v h,      w_t = λ w_{t−1} + (1 − |λ|²) h_{t−1} − λ̄ γ x_t

the last term of δh being a turn of its phase, which the readout can undo. Then for white input

    signal     |E h̄ y| = |o| = sech(d/2),     |E w̄ y| = |o| tanh(d/2)
    sampling   N Var ≈ Σ_Δ R_h R_y = (1 − |λμ|²)(1/|1 − λμ̄|² + 1/|1 − λμ|²) + 2σ²

for either (the conjugate of the target adds its own overlap to the signal, which is smaller
unless the two are near the real axis). So with `m = 1/(1 − |λ|²)`, about half a memory, signal
over noise is

    1/S ≈ [(m_λ + m_μ − 1)(1 + |1 − λμ̄|²/|1 − λμ|²) + 2σ² cosh²(d/2)] / (B T)

Without output noise distance has no part in it: what is far in angle is weak as a signal and as
strongly averaged as a noise. S is then the number of memories in the batch (and of the order of B
for sequences shorter than a memory, which start from zero states). Output noise is what bounds
the distance: the direction is signal up to `d_max ≈ log(2 a B T / σ²)`, `a = (1 + β₁)/(1 − β₁)`
gradients being averaged by Adam.

Below that Adam still drifts, as a random walk with a mean: its step has the length η by the second
moment, and the mean `η √(S/(1 + S))`. It arrives if the path that is left, `Σ_t η_t √(S/(1 + S))`,
is longer than the way d; noise alone carries it outwards by about η²/4 a step, hyperbolic space
being larger there.

At the target with noise the Fisher information of `(u, v)` is `1/(4σ²)` a sample for each, so that
no estimate can have a smaller error than

    E d² ≥ 8 σ² / N      (hyperbolic Cramér–Rao bound, N samples in all, T ≫ memory)

at any memory. Adam with a rate η falling as half a cosine over n steps averages over the last of
them only; with `δ² = 8σ²/(BT)` the bound of one batch it ends at

    E d² ≈ ⅓ Γ(5/3) (3/2)^{5/3} (π² η / 4n²)^{1/3} δ^{5/3}.

Coloured inputs: all of this with the covariances of the filtered input (`gradient_moments` takes
AR(1)), but `h` and `w` are no longer orthogonal, and `(1 − |λ|²) K(λ, λ̄)`, the power of the state,
is that of the input at its angle: the gradient climbs towards the power of the input as well as
towards the target, and a clear signal may not point to it.

Source: derived; fourth moments of Gaussian variables by Isserlis' theorem, `w` by differentiating
`e_λ` along `λ(s) = (λ + s)/(1 + λ̄s)`.
"""

import dataclasses
import math

import numpy as np

from remanence.theory.disc import hyperbolic_distance

AVERAGED = (1 + 0.9) / (1 - 0.9)
"""How many independent gradients Adam's first moment is worth, at β₁ = 0.9."""


@dataclasses.dataclass(frozen=True)
class Situations:
    """Students before their targets, one a place: (situations,) each.

    - `radius`, `phase`, `target_radius`, `target_phase`: geodesic polar coordinates.
    - `noise`: variance of the output noise over that of the output without it.
    - `correlation`: ρ of the AR(1) input, 0 for white.
    """

    radius: np.ndarray
    phase: np.ndarray
    target_radius: np.ndarray
    target_phase: np.ndarray
    noise: np.ndarray
    correlation: np.ndarray

    @property
    def points(self) -> np.ndarray:
        """The students, (2, situations)."""
        return np.stack([self.radius, self.phase])

    @property
    def targets(self) -> np.ndarray:
        """The targets, (2, situations)."""
        return np.stack([self.target_radius, self.target_phase])

    @property
    def distance(self) -> np.ndarray:
        """Hyperbolic distance to the target."""
        return np.asarray(hyperbolic_distance(self.points, self.targets))


def stationary_signal_to_noise(one: Situations, samples: float | int) -> np.ndarray:
    """`S` of the gradient in closed form, for white input and sequences of many memories.

    Signal `|Σ o b|²` over the target and its conjugate, which is exact; the sampling noise is that
    of the overlap, times `1 + |λ|²/2` because turning the phase of `h` adds half of it. That is
    exact for output noise. For the sampling of real inputs it is the order of magnitude, within
    a factor 2: `gradient_moments` has all terms.
    """
    student = np.tanh(one.radius / 2) * np.exp(1j * one.phase)
    target = np.tanh(one.target_radius / 2) * np.exp(1j * one.target_phase)
    gap, target_gap = np.cosh(one.radius / 2) ** -2, np.cosh(one.target_radius / 2) ** -2
    signal, sampling = np.zeros(student.shape, complex), np.zeros(student.shape)
    for other in (target, target.conj()):
        kernel = 1 - student * other.conj()
        # The overlap times the Blaschke factor.
        signal += np.sqrt(gap * target_gap) * (other.conj() - student.conj()) / kernel**2
        sampling += (gap + target_gap - gap * target_gap) / np.abs(kernel) ** 2
    power = 2 + 2 * np.real(target_gap / (1 - target**2))
    noise = (1 + np.abs(student) ** 2 / 2) * (sampling + one.noise * power)
    return samples * np.abs(signal) ** 2 / noise


def drift(signal_to_noise: np.ndarray) -> np.ndarray:
    """`√(S/(1 + S))`: the mean of Adam's step over its length."""
    return np.sqrt(signal_to_noise / (1 + signal_to_noise))


def largest_distance(samples: float | int, noise: float | int) -> float:
    """`d_max ≈ log(2 a B T / σ²)`, where Adam's averaged direction has as much noise as signal."""
    return math.log(2 * AVERAGED * samples / noise)


def cosine_path(rate: float, steps: int) -> float:
    """`Σ_t η_t` with η falling as half a cosine: the longest way that can be gone."""
    return float(rate * np.sum((1 + np.cos(np.pi * np.arange(steps) / steps)) / 2))


def adam_error_law(noise: float, samples: float | int, rate: float, steps: int) -> float:
    """The closed form for `E d²` at the end of Adam, T ≫ memory."""
    single = math.sqrt(8 * noise / samples)
    slope = (math.pi**2 * rate / (4 * steps**2)) ** (1 / 3)
    return math.gamma(5 / 3) / 3 * 1.5 ** (5 / 3) * slope * single ** (5 / 3)
