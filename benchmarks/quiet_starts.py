"""How loud a HyperbolicLRU may start: students that find one memory, by the size of C and D.

Students of eight modes from radius .9 are trained on the exact loss of endless sequences towards
teachers of one mode with a memory of 100 or 10,000 steps; their readouts `C` and `D` start at a
multiple of those of an `LRU`. Found: a loss below 1 % of the teacher's power after 3,000 steps.
Three teachers (one as drawn, with its direct term, two of unit power without), two rates of
`adamw_by_role`, six seeds each: out of 36. `HyperbolicLRU` starts at .1. About six minutes.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from remanence.layers import LRU, HyperbolicLRU
from remanence.layers.hyperbolic import QUIET
from remanence.training import adamw_by_role, stack_models, train_exact

SEEDS, STEPS = 6, 3000
MEMORIES, RATES, SIZES = (100, 10_000), (3e-3, 1e-2), (1.0, 0.3, 0.1, 0.03)


def students(size):
    """The seeds, with readouts `size` times those of an LRU."""
    keys = jax.random.split(jax.random.key(3), SEEDS)
    made = stack_models(lambda key: HyperbolicLRU(1, 8, r_max=0.9, key=key), keys)
    readouts = jax.tree.map(lambda leaf: size / QUIET * leaf, (made.C, made.D))
    return eqx.tree_at(lambda model: (model.C, model.D), made, readouts)


def teacher(memory, seed, unit_power):
    """One mode, and the energy of its impulse response."""
    key = jax.random.key(seed)
    made = LRU(1, 1, r_min=1 - 1 / memory, r_max=1 - 0.9 / memory, max_phase=1.0, key=key)
    if unit_power:
        made = eqx.tree_at(lambda model: model.D, made, jnp.zeros_like(made.D))
    power = float(np.sum(np.asarray(made.impulse_response(8 * memory)) ** 2))
    if unit_power:
        C = jax.tree.map(lambda leaf: leaf / np.sqrt(power), made.C)
        return eqx.tree_at(lambda model: model.C, made, C), 1.0
    return made, power


def found(memory, size):
    """How many students find the memory, and how many there are."""
    counts = []
    for seed, unit_power in ((2, False), (11, True), (12, True)):
        target, power = teacher(memory, seed, unit_power)
        for rate in RATES:
            trained = train_exact(
                students(size),
                target,
                learning_rates=[rate] * SEEDS,
                steps=STEPS,
                optimiser=lambda rate: adamw_by_role(rate, weight_decay=0),
                members_by="vmap",
                records_per_decade=1,
            )
            counts.append(trained.final_losses / power < 0.01)
    return np.sum(counts), np.size(counts)


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    print("memory   " + "".join(f"C, D x {size:<8g}" for size in SIZES))
    for memory in MEMORIES:
        cells = ["{} of {}".format(*found(memory, size)) for size in SIZES]
        print(f"{memory:<9,}" + "".join(f"{cell:<15}" for cell in cells), flush=True)
