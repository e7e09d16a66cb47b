"""The same recurrence in other coordinates: which eigenvalue map learns long memory.

    python examples/compare_maps.py        # about 5 minutes on one core

Students with 16 complex modes, one input and one output, learn teachers with 4 modes whose
magnitudes lie between ν0 and (1 + ν0)/2: sequences of 300 steps, every output scored, 1,500 Adam
steps, batch 32. All students of a row start from the same eigenvalues, on the ring between ν0 and
1, with the same B and C. Printed is the unexplained share on fresh sequences, the median over
three teachers, each with the best of four learning rates; "inf" where no rate stayed finite.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from remanence.layers import (
    DiagonalRNN,
    Discretised,
    LearnedSquareRoot,
    NoNormalisation,
    Polar,
    ReIm,
    SquareRoot,
)
from remanence.systems import DiagonalStateSpace
from remanence.tasks import TeacherStudent
from remanence.training import stack_models, train_members

MODES, LENGTH, BATCH, STEPS, TEACHERS = 16, 300, 32, 1500, 3
RATES = (1e-3, 3e-3, 1e-2, 3e-2)
LONGEST = (0.9, 0.99, 0.999)


def ring(key, inner):
    """Eigenvalues of the students, uniform on the ring between `inner` and 1."""
    radius, phase = jax.random.uniform(key, (2, MODES), minval=1e-3, maxval=0.999)
    return jnp.sqrt(inner**2 + (1 - inner**2) * radius) * jnp.exp(1j * jnp.pi * phase)


def discretised(eigenvalues, rate_map):
    """Rates in a map, at one step for each mode that is about its own decay."""
    step = jax.lax.stop_gradient(-jnp.log(jnp.abs(eigenvalues)))
    return Discretised.from_eigenvalues(eigenvalues, step=step, rate_map=rate_map)


STUDENTS = {
    "re/im": (ReIm.from_eigenvalues, "none"),
    "re/im, √(1-|λ|²) learned": (ReIm.from_eigenvalues, "learned"),
    "polar": (lambda e: Polar.from_eigenvalues(e, magnitude_map="direct"), "none"),
    "polar, √(1-|λ|²)": (lambda e: Polar.from_eigenvalues(e, magnitude_map="direct"), "root"),
    "exponential, √(1-|λ|²)": (lambda e: Polar.from_eigenvalues(e), "root"),
    "LRU: exponential, learned": (
        lambda e: Polar.from_eigenvalues(e, phase_map="exponential"),
        "learned",
    ),
    "tanh, √(1-|λ|²)": (lambda e: Polar.from_eigenvalues(e, magnitude_map="tanh"), "root"),
    "zero-order hold, exponential": (lambda e: discretised(e, "exponential"), "none"),
    "zero-order hold, best": (lambda e: discretised(e, "best"), "none"),
}


def teacher(inner: float, seed: int) -> TeacherStudent:
    """Four modes with unit white-noise response in all."""
    rng = np.random.default_rng(seed)
    magnitude = rng.uniform(inner, (1 + inner) / 2, 4)
    eigenvalues = magnitude * np.exp(1j * rng.uniform(0, np.pi, 4))
    weights = np.sqrt(1 - magnitude**2) / np.sqrt(8)
    return TeacherStudent(
        DiagonalStateSpace(
            eigenvalues, weights[:, None] + 0j, np.exp(1j * rng.uniform(0, 2 * np.pi, (1, 4)))
        )
    )


def best_error(student: str, inner: float, seed: int) -> float:
    """Unexplained share of the best learning rate."""
    parametrise, normalise = STUDENTS[student]

    def make(key):
        eigenvalues = parametrise(ring(key, inner))
        normalisation = {
            "none": NoNormalisation,
            "root": SquareRoot,
            "learned": lambda: LearnedSquareRoot.from_eigenvalues(eigenvalues),
        }[normalise]()
        return DiagonalRNN(eigenvalues, 1, normalisation=normalisation, key=key)

    key = jax.random.key(seed)
    trained = train_members(
        stack_models(make, jnp.stack([key] * len(RATES))),
        teacher(inner, seed),
        learning_rates=list(RATES),
        steps=STEPS,
        batch=BATCH,
        lengths=LENGTH,
        optimiser=optax.adam(1.0),
        keys=jnp.stack([key] * len(RATES)),
        evaluate_every="end",
        members_by="vmap",
    )
    errors = [
        trained.member(i).test_errors[-1] if trained.member(i).diverged_at < 0 else np.inf
        for i in range(len(RATES))
    ]
    return float(np.min(errors))


def main() -> None:
    """Print the table, a row as soon as it is measured."""
    print(f"{'unexplained share at':30}" + " ".join(f"ν0 = {inner:<6}" for inner in LONGEST))
    for student in STUDENTS:
        cells = [
            np.median([best_error(student, inner, seed) for seed in range(TEACHERS)])
            for inner in LONGEST
        ]
        print(f"{student:30}" + " ".join(f"{cell:<11.2g}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
