"""Targets of several modes, their zeros, and students placed among them."""

import dataclasses
import functools

import jax
import numpy as np
from jaxtyping import Array, Complex, Float

from remanence.studies.hyperbolic.identities_settings import IdentitySettings
from remanence.theory.disc import exponential_map, hyperbolic_gradient, points_from_memory
from remanence.theory.explained_share import ModalTarget, log_share_loss

Points = Float[np.ndarray, "2 modes"]


@dataclasses.dataclass(frozen=True)
class Teacher:
    """`g_j = Σ_p c_p e_p(j)`, complex, with the zeros of `G(λ̄)`, as points of the disc."""

    points: Points
    coefficients: Complex[np.ndarray, " modes"]

    @functools.cached_property
    def poles(self) -> Complex[np.ndarray, " modes"]:
        """`μ_p`."""
        return np.tanh(self.points[0] / 2) * np.exp(1j * self.points[1])

    @functools.cached_property
    def weights(self) -> Complex[np.ndarray, " modes"]:
        """The residues `c_p √(1 − |μ_p|²)` of `G`."""
        return self.coefficients / np.cosh(self.points[0] / 2)

    @functools.cached_property
    def zeros(self) -> Float[np.ndarray, "2 zeros"]:
        """Conjugates of the roots of the numerator of `G` inside the disc."""
        numerator = np.zeros(self.poles.size, complex)
        for p, weight in enumerate(self.weights):
            others = np.delete(self.poles, p)
            numerator += weight * np.poly(1 / others) * np.prod(-others)
        roots = np.conj(np.roots(numerator))
        inside = roots[np.abs(roots) < 1]
        return np.stack([2 * np.arctanh(np.abs(inside)), np.angle(inside)])

    def padded(self, order: int) -> tuple[Points, Complex[np.ndarray, " modes"]]:
        """Points and coefficients of `order` modes, those added without effect."""
        more = order - self.poles.size
        points = np.pad(self.points, ((0, 0), (0, more)), constant_values=1.0)
        return points, np.pad(self.coefficients, (0, more))


def _loss(point: Float[Array, "2"], points: Array, coefficients: Array) -> Float[Array, ""]:
    target = ModalTarget(points, coefficients)
    return log_share_loss(point[:, None], target, readout="complex")


def _slope(point: Array, points: Array, coefficients: Array) -> Array:
    return hyperbolic_gradient(point, jax.grad(_loss)(point, points, coefficients))


losses_at = jax.jit(jax.vmap(_loss, in_axes=(1, None, None)))
"""`−log E` of one complex mode at `(2, places)` points, by `theory.explained_share`."""

slopes_at = jax.jit(jax.vmap(_slope, in_axes=(1, None, None), out_axes=1))
"""Its hyperbolic gradients, in the frame."""


def plain_losses(teacher: Teacher, places: Float[np.ndarray, "2 ..."]) -> Float[np.ndarray, "..."]:
    """`−log[(1 − |λ|²) |G(λ̄)|²/‖g‖²]` written out, for memories that keep its digits."""
    gram = (1 - np.outer(teacher.poles, teacher.poles.conj())) ** -1
    energy = np.real(teacher.weights @ gram @ teacher.weights.conj())
    conjugate = np.tanh(places[0] / 2) * np.exp(-1j * places[1])
    transfer = np.zeros(conjugate.shape, complex)
    for pole, weight in zip(teacher.poles, teacher.weights, strict=True):
        transfer += weight / (1 - pole * conjugate)
    gap = np.cosh(places[0] / 2) ** -2
    return np.log(energy) - np.log(gap) - 2 * np.log(np.abs(transfer))


def random_teachers(s: IdentitySettings) -> list[Teacher]:
    """`teachers` of each order, with random angles, memories and complex coefficients."""
    rng = np.random.default_rng(s.seed)
    return [_teacher(rng, s.memories, n) for n in s.orders for _ in range(s.teachers)]


def _teacher(rng: np.random.Generator, memories: tuple[float, float], order: int) -> Teacher:
    least, most = np.log(memories)
    memory = np.exp(rng.uniform(least, most, order))
    points = np.asarray(points_from_memory(1 / memory, rng.uniform(-np.pi, np.pi, order)))
    coefficients = rng.normal(size=order) + 1j * rng.normal(size=order)
    return Teacher(points, coefficients)


def winding(teacher: Teacher, radius: float, count: int = 20_000) -> int:
    """How often `G(λ̄)` turns around 0 on the circle of hyperbolic radius R: its zeros inside."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    place = np.tanh(radius / 2) * np.exp(1j * angle)
    values = (teacher.weights / (1 - teacher.poles * place[:, None])).sum(axis=1)
    turns = np.angle(np.roll(values, -1) / values).sum() / (2 * np.pi)
    return round(float(turns))


def random_places(
    s: IdentitySettings, teacher: Teacher, rng: np.random.Generator, *, apart: float
) -> Points:
    """Students with memories of 1 to 100, farther than `apart` from every zero."""
    found: list[np.ndarray] = []
    while len(found) < s.places:
        place = np.array([rng.uniform(0.2, 5.0), rng.uniform(-np.pi, np.pi)])
        if np.all(distances_from(place, teacher.zeros) > apart):
            found.append(place)
    return np.stack(found, axis=1)


def distances_from(place: np.ndarray, others: Points) -> np.ndarray:
    """Hyperbolic distances, by the formula of `theory.disc.separation` in NumPy."""
    across = np.sinh(place[0]) * np.sinh(others[0]) * np.sin((place[1] - others[1]) / 2) ** 2
    return 2 * np.arcsinh(np.sqrt(np.sinh((place[0] - others[0]) / 2) ** 2 + across))


def circles(
    places: Points, radii: np.ndarray, angles: np.ndarray
) -> Float[np.ndarray, "2 places radii angles"]:
    """Points of the geodesic circles around every place."""
    r, a = np.meshgrid(radii, angles, indexing="ij")
    shape = (2, places.shape[1], *r.shape)
    tangent = np.broadcast_to(np.stack([r * np.cos(a), r * np.sin(a)])[:, None], shape)
    centre = np.broadcast_to(places[:, :, None, None], shape)
    return np.asarray(moved(centre, tangent))


moved = jax.jit(exponential_map)
"""`exponential_map`, compiled as a whole."""
