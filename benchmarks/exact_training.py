"""One published teacher-student run by kernels, against the same run through the states.

A dense teacher of order 10, students of 64 states, 300 time steps, minibatches of 128, Adam,
float32. Ours is `train_exact` as users call it, on minibatches (through the moments of their
lags) and on the exact expected loss. The other side unrolls the recurrence over every sequence,
as the published code does: `jax.lax.associative_scan` for the LRU (and `jax.lax.scan`, for
fairness), `jax.lax.scan` for the dense RNN, gradients by automatic differentiation, fresh
sequences and the teacher's answers to them in every step, all inside one compiled loop. Both take
the same number of steps of the same loss; times are for 10,000 steps, from stretches measured
alternately in this one process on every core (1,000 steps of ours with the cost of a call, 20 of
theirs without). Required: on minibatches 10 times the speed of the faster of the other side.
"""

import statistics
import time

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

from remanence.layers import LRU, LinearRNN
from remanence.systems import StateSpace
from remanence.training import stack_models, train_exact

STATE, HORIZON, BATCH, WHOLE = 64, 300, 128, 10_000
OUR_STEPS, THEIR_STEPS, REPEATS, RATE = 1000, 20, 5, 1e-3


def teacher() -> StateSpace:
    """Order 10, eigenvalues of magnitude 0.99 to 1."""
    rng = np.random.default_rng(0)
    eigenvalues, vectors = np.linalg.eig(rng.normal(size=(10, 10)) / np.sqrt(10))
    moved = (0.99 + 0.01 * np.tanh(np.abs(eigenvalues))) * np.exp(1j * np.angle(eigenvalues))
    A = np.real((vectors * moved) @ np.linalg.inv(vectors))
    return StateSpace(
        *(jnp.asarray(m, jnp.float32) for m in (A, rng.normal(size=(10, 1)))),
        *(
            jnp.asarray(m, jnp.float32)
            for m in (rng.normal(size=(1, 10)), rng.normal(size=(1, 1)))
        ),
    )


def by_scan(layer, xs):
    """Outputs by `jax.lax.scan` through the states."""
    return layer(xs, method="sequential")[0]


def by_associative_scan(layer, xs):
    """Outputs of an LRU by `jax.lax.associative_scan` through the states."""
    terms = xs.astype(jnp.complex64) @ layer.input_matrix().T

    def combined(first, second):
        return second[0] * first[0], second[0] * first[1] + second[1]

    factors = jnp.broadcast_to(layer.eigenvalues(), terms.shape)
    states = jax.lax.associative_scan(combined, (factors, terms))[1]
    return jnp.real(states @ layer.output_matrix().T) + layer.direct(xs)


def unrolled(model, system: StateSpace, outputs_of):
    """Adam through the states of every sequence, `THEIR_STEPS` steps in one program."""
    adam = optax.adam(RATE)
    parameters, rest = eqx.partition(model, eqx.is_inexact_array)

    def loss(own, xs, targets):
        layer = eqx.combine(own, rest)
        ys = jax.vmap(lambda x: outputs_of(layer, x))(xs)
        return 0.5 * jnp.mean(jnp.sum((ys - targets) ** 2, axis=2))

    def step(carry, key):
        own, state = carry
        xs = jax.random.normal(key, (BATCH, HORIZON, 1), jnp.float32)
        targets = jax.vmap(lambda x: system.simulate(x)[0])(xs)
        value, gradient = jax.value_and_grad(loss)(own, xs, targets)
        updates, state = adam.update(gradient, state)
        return (optax.apply_updates(own, updates), state), value

    keys = jax.random.split(jax.random.key(1), THEIR_STEPS)
    run = jax.jit(lambda own, state, keys: jax.lax.scan(step, (own, state), keys))
    state = adam.init(parameters)
    return lambda: jax.block_until_ready(run(parameters, state, keys))


def ours(make, system: StateSpace, batch: int | None):
    """`train_exact` with one member, `OUR_STEPS` steps."""
    models = stack_models(make, jax.random.split(jax.random.key(0), 1))
    targets = system.impulse_response(HORIZON)
    adam = optax.adam(1.0)
    return lambda: train_exact(
        models,
        targets,
        learning_rates=[RATE],
        steps=OUR_STEPS,
        batch=batch,
        key=jax.random.key(1),
        optimiser=adam,
        records_per_decade=1,
    )


def main() -> None:
    """Print times for 10,000 steps, and the ratios of medians."""
    system = teacher()
    scans = {"associative_scan": by_associative_scan, "scan": by_scan}
    students = {
        "LRU": (lambda key: LRU(1, STATE, 1, r_min=0.99, key=key, dtype=jnp.float32), scans),
        "dense RNN": (
            lambda key: LinearRNN(1, STATE, 1, key=key, dtype=jnp.float32),
            {"scan": by_scan},
        ),
    }
    for name, (make, others) in students.items():
        runs = {
            f"through the states by {kind}": (
                unrolled(make(jax.random.key(0)), system, outputs_of),
                THEIR_STEPS,
            )
            for kind, outputs_of in others.items()
        }
        runs["minibatches by moments of lags"] = (ours(make, system, BATCH), OUR_STEPS)
        runs["exact expected loss"] = (ours(make, system, None), OUR_STEPS)
        seconds: dict[str, list[float]] = {what: [] for what in runs}
        for repeat in range(REPEATS + 1):
            for what, (run, steps) in runs.items():
                began = time.perf_counter()
                run()
                # The first round compiles.
                if repeat:
                    seconds[what].append((time.perf_counter() - began) * WHOLE / steps)
        medians = {what: statistics.median(times) for what, times in seconds.items()}
        fastest = min(list(medians.values())[: len(others)])
        ratio = fastest / medians["minibatches by moments of lags"]
        for what, median in medians.items():
            spread = max(seconds[what]) - min(seconds[what])
            print(
                f"{name}, {what}: {median:.1f} s for {WHOLE:,} steps (range {spread:.1f} s), "
                f"{fastest / median:.2g} times the speed of the best through the states",
                flush=True,
            )
        print(f"{name}: required 10 times, {'met' if ratio >= 10 else 'missed'}", flush=True)


if __name__ == "__main__":
    main()
