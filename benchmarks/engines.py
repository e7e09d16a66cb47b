"""States or kernel: milliseconds of a layer by every engine, and what "auto" takes.

Forward and backward (gradient of the mean square output in the parameters), float32, one thread,
batch of 32 sequences through `jax.vmap`. Layers: the LRU with as many outputs as inputs, a dense
linear RNN, and S4D. `layers.modal`, `layers.dense` and `layers.bank` take their choice of engine
from this table. Run it with `make bench` or `python benchmarks/engines.py`.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

import statistics
import time

import equinox as eqx
import jax
import jax.numpy as jnp

from remanence.layers import LRU, S4D, LinearRNN
from remanence.recurrence import keep_freed_memory

BATCH = 32
KEY = jax.random.key(0)
CASES = [
    *[("LRU 16", lambda n=n: LRU(n, 16, key=KEY), n, 300) for n in (1, 4, 8, 16)],
    *[("LRU 64", lambda n=n: LRU(n, 64, key=KEY), n, 300) for n in (1, 4, 16, 32, 64)],
    *[("LRU 256", lambda n=n: LRU(n, 256, key=KEY), n, 300) for n in (1, 16, 32, 64)],
    *[("LRU 64", lambda n=n: LRU(n, 64, key=KEY), n, 2000) for n in (1, 8)],
    *[("dense 16", lambda n=n: LinearRNN(n, 16, key=KEY), n, 300) for n in (1, 4)],
    *[("dense 64", lambda n=n: LinearRNN(n, 64, key=KEY), n, 300) for n in (1, 8, 16)],
    *[("S4D 32 modes", lambda n=n: S4D(n, 64, key=KEY), n, 300) for n in (1, 32)],
    ("S4D 32 modes", lambda: S4D(32, 64, key=KEY), 32, 2000),
]


def milliseconds(layer, xs, method: str) -> float:
    """Median CPU time of a compiled gradient."""

    @eqx.filter_jit
    def gradient(layer):
        def loss(layer):
            return jnp.mean(jax.vmap(lambda x: layer(x, method=method)[0])(xs) ** 2)

        return eqx.filter_grad(loss)(layer)

    jax.block_until_ready(gradient(layer))
    times = []
    for _ in range(7):
        began = time.process_time()
        jax.block_until_ready(gradient(layer))
        times.append(time.process_time() - began)
    return 1e3 * statistics.median(times)


def main() -> None:
    """Print the table."""
    keep_freed_memory()
    methods = ("sequential", "fft", "auto")
    print(f"{'layer':13} {'in = out':>8} {'length':>6} " + " ".join(f"{m:>10}" for m in methods))
    for name, make, inputs, length in CASES:
        xs = jax.random.normal(KEY, (BATCH, length, inputs))
        cells = [f"{milliseconds(make(), xs, method):10.2f}" for method in methods]
        print(f"{name:13} {inputs:8d} {length:6d} " + " ".join(cells), flush=True)


if __name__ == "__main__":
    main()
