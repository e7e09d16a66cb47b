"""What the explained share of one mode is, to how many digits, and what its gradient does."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from remanence.studies.hyperbolic.identities_exact import exact_shares
from remanence.studies.hyperbolic.identities_settings import IdentitySettings
from remanence.studies.hyperbolic.identities_teachers import (
    random_places,
    random_teachers,
    slopes_at,
)
from remanence.theory.disc import (
    hyperbolic_distance,
    hyperbolic_gradient,
    normalised_overlap,
    points_from_memory,
    pseudo_distance,
    separation,
)
from remanence.theory.explained_share import geodesic_loss


@jax.jit
def _measured_shares(first: Array, second: Array) -> dict[str, Array]:
    return {
        "|o|²": jnp.abs(normalised_overlap(first, second)) ** 2,
        "ρ²": pseudo_distance(first, second) ** 2,
        "tanh²(d/2)": jnp.tanh(hyperbolic_distance(first, second) / 2) ** 2,
    }


def share_errors(s: IdentitySettings) -> dict[str, Float[np.ndarray, " pairs"]]:
    """HY1a: relative errors of the library's `|o|²`, `ρ²` and `tanh²(d/2)`.

    Each against decimal arithmetic, whose own three definitions must agree too ("decimal").
    """
    rng = np.random.default_rng(s.seed)
    shape = (2, s.pairs)
    gap = 10.0 ** -rng.uniform(0, s.decades, shape)
    angle = rng.uniform(-np.pi, np.pi, shape)
    # Every third pair is close: there 1 − |o|² has no digits left as a difference.
    close = np.arange(s.pairs) % 3 == 0
    gap[1] = np.where(close, gap[0] * (1 - 1e-3 * rng.uniform(size=s.pairs)), gap[1])
    angle[1] = np.where(close, angle[0] + 1e-3 * gap[0], angle[1])
    first, second = (points_from_memory(g, a) for g, a in zip(gap, angle, strict=True))
    measured = _measured_shares(first, second)
    exact = [
        exact_shares((float(R), float(a)), (float(S), float(b)))
        for (R, a), (S, b) in zip(np.asarray(first).T, np.asarray(second).T, strict=True)
    ]
    overlap, rho, tanh = (np.array([float(one[i]) for one in exact]) for i in range(3))
    expected = {"|o|²": overlap, "ρ²": rho, "tanh²(d/2)": tanh}
    errors = {name: np.abs(np.asarray(measured[name]) / x - 1) for name, x in expected.items()}
    agree = [max(abs((1 - o) / r - 1), abs(t / r - 1)) for o, r, t in exact]
    return errors | {"decimal": np.array([float(one) for one in agree])}


def pair_loss(point: Array, other: Array) -> Array:
    """`log(1 + sinh²(d/2)) = 2 log cosh(d/2)`, smooth where the points meet."""
    return jnp.log1p(separation(point, other))


@jax.jit
def _derivatives(first: Array, second: Array, optimum: Array) -> tuple[Array, Array, Array]:
    distance = hyperbolic_distance(first, second)
    law = geodesic_loss(distance) / (-2 * jnp.log(jnp.abs(normalised_overlap(first, second))))
    gradient = jax.vmap(jax.grad(pair_loss), in_axes=1, out_axes=1)(first, second)
    length = jnp.hypot(*hyperbolic_gradient(first, gradient)) / jnp.tanh(distance / 2)
    return law, length, jax.vmap(jax.hessian(pair_loss), in_axes=(1, 1))(optimum, optimum)


def curvature_errors(s: IdentitySettings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HY1b: relative errors of the law `−log E = 2 log cosh(d/2)`, of its gradient and Hessian.

    At random pairs the law against `−log|o|²` and the length of the gradient against
    `tanh(d/2)`; at the optimum of every memory the Hessian in the frame against `½ I`.
    """
    rng = np.random.default_rng(s.seed + 1)
    shape = (2, s.pairs)
    gap, angle = 10.0 ** -rng.uniform(0, s.decades, shape), rng.uniform(-np.pi, np.pi, shape)
    first, second = (points_from_memory(g, a) for g, a in zip(gap, angle, strict=True))
    memories = 10.0 ** np.linspace(0.3, s.decades, 20)
    optimum = points_from_memory(1 / memories, np.linspace(-3, 3, 20))
    law, length, hessian = map(np.asarray, _derivatives(first, second, optimum))
    frame = np.stack([np.ones(20), 1 / np.sinh(np.asarray(optimum[0]))])
    hessian = np.einsum("ik,kij,jk->kij", frame, hessian, frame)
    off = np.abs(2 * hessian - np.eye(2)).max(axis=(1, 2))
    return np.abs(law - 1), np.abs(length - 1), off


def known_steps(s: IdentitySettings) -> tuple[np.ndarray, np.ndarray]:
    """HY1c: two steps of model reduction by the hyperbolic gradient, and by projection.

    Relative errors of `λ' = (λ + s)/(1 + λ̄s)`, `s` the ascent vector of log E, against the
    one-pole IRKA step `q/(1 + λ̄q)`, `q = G'(λ̄)/G(λ̄)`; and of `2∇(−log E)`, moved into the plane
    as `(1 − |λ|²)` times half of it, against the H² gradient by least squares on sequences.
    """
    rng = np.random.default_rng(s.seed + 2)
    reduced, projected = [], []
    for teacher in random_teachers(s):
        places = random_places(s, teacher, rng, apart=0.5)
        slopes = np.asarray(slopes_at(places, *teacher.padded(max(s.orders))))
        ascent = -(slopes[0] + 1j * slopes[1]) * np.exp(1j * places[1])
        students = np.tanh(places[0] / 2) * np.exp(1j * places[1])
        poles, weights = teacher.poles, teacher.weights
        for student, vector in zip(students, ascent, strict=True):
            kernel = 1 / (1 - poles * np.conj(student))
            q = (weights * poles * kernel**2).sum() / (weights * kernel).sum()
            step = q / (1 + np.conj(student) * q)
            moved = (student + vector) / (1 + np.conj(student) * vector)
            # In the disc's own measure: IRKA may leave the disc, and then both do.
            reduced.append(abs(moved - step) / abs(step - student))
            plane = _projected_gradient(poles, weights, complex(student))
            ours = 2 * vector * (1 - abs(student) ** 2) / 2
            projected.append(abs(ours - plane) / abs(plane))
    return np.array(reduced), np.array(projected)


def _projected_gradient(poles: np.ndarray, weights: np.ndarray, student: complex) -> complex:
    """dλ of the projection of `g − c h_λ` on the tangents `h_λ`, `c ∂h_λ/∂λ`; c solved for."""
    slowest = max(float(np.abs(poles).max()), abs(student))
    j = np.arange(int(40 / (1 - slowest)) + 2)
    g = (weights * poles ** j[:, None]).sum(axis=1)
    h = student**j
    c = np.vdot(h, g) / np.vdot(h, h)
    derivative = np.concatenate([[0.0], j[1:] * student ** j[:-1]])
    derivative = derivative - h * np.vdot(h, derivative) / np.vdot(h, h)
    return complex(np.vdot(derivative, g - c * h) / np.vdot(derivative, derivative) / c)
