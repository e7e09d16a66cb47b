"""CPU milliseconds of a GRU, forward and forward with backward, beside `torch.nn.GRU`, one core.

300 steps, 32 sequences, 128 inputs, a state of 128, float32, one thread each, in one run: the
contestants take turns, and medians of CPU time (all threads of the process) are compared, which
other programs disturb less than wall time. The backward pass gives the gradients of
`½ Σ y²` in all weights and in the inputs. Ours is called as a user calls it, `jax.vmap` over the
sequences, once with the batch as the leading axis and once with time leading; PyTorch likewise
(`batch_first`).

`keep_freed_memory()` is called first: without it both libraries also measure the page faults of
large fresh results. `--plain-malloc` leaves the allocator alone. Run it with
`python benchmarks/gru.py`; about half a minute.
"""

import os
import statistics
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax
import jax.numpy as jnp
import numpy as np

from remanence.layers import GRU
from remanence.recurrence import keep_freed_memory

LENGTH, BATCH, INPUTS, STATE = 300, 32, 128, 128
REPEATS = 25
FORWARD, BOTH = "forward", "forward+backward"


def ours(layer: GRU, xs: np.ndarray, batch_axis: int) -> dict:
    """Calls without arguments that run the layer over a batch."""

    def outputs(layer, xs):
        run = jax.vmap(lambda x: layer(x)[0], in_axes=batch_axis, out_axes=batch_axis)
        return run(xs)

    forward = jax.jit(outputs)
    both = jax.jit(
        jax.grad(lambda layer, xs: 0.5 * jnp.sum(outputs(layer, xs) ** 2), argnums=(0, 1))
    )
    given = jnp.asarray(np.moveaxis(xs, 0, batch_axis))
    return {
        FORWARD: lambda: jax.block_until_ready(forward(layer, given)),
        BOTH: lambda: jax.block_until_ready(both(layer, given)),
    }


def theirs(layer: GRU, xs: np.ndarray, batch_axis: int) -> dict:
    """The same for PyTorch, with the same weights; empty without PyTorch."""
    try:
        import torch
    except ImportError:
        return {}
    torch.set_num_threads(1)
    module = torch.nn.GRU(INPUTS, STATE, batch_first=batch_axis == 0)
    with torch.no_grad():
        for parameter, array in zip(module.parameters(), layer.to_arrays(), strict=True):
            parameter.copy_(torch.from_numpy(array.copy()))
    given = torch.from_numpy(np.ascontiguousarray(np.moveaxis(xs, 0, batch_axis)))
    given.requires_grad_()
    wanted = [*module.parameters(), given]

    def forward():
        with torch.no_grad():
            return module(given)[0]

    def both():
        return torch.autograd.grad(0.5 * (module(given)[0] ** 2).sum(), wanted)

    return {FORWARD: forward, BOTH: both}


def main() -> None:
    """Check that both compute the same, then print the medians and their ratios."""
    if "--plain-malloc" not in sys.argv:
        keep_freed_memory()
    layer = GRU(INPUTS, STATE, key=jax.random.key(0))
    xs = np.random.default_rng(0).normal(size=(BATCH, LENGTH, INPUTS)).astype(np.float32)
    calls = {
        (who, place, what): call
        for place, axis in (("batch leading", 0), ("time leading", 1))
        for who, maker in (("remanence", ours), ("torch", theirs))
        for what, call in maker(layer, xs, axis).items()
    }
    for key in calls:
        calls[key]()
    if ("torch", "batch leading", BOTH) in calls:
        compare(calls)
    times = {key: [] for key in calls}
    for _ in range(REPEATS):
        for key, call in calls.items():
            start = time.process_time()
            call()
            times[key].append(1e3 * (time.process_time() - start))
    print(f"{'':34} {'remanence':>10} {'torch':>8} {'ratio':>7}")
    for place in ("batch leading", "time leading"):
        for what in (FORWARD, BOTH):
            own = statistics.median(times["remanence", place, what])
            row = f"{place + ', ' + what:34} {own:7.1f} ms"
            if ("torch", place, what) in times:
                other = statistics.median(times["torch", place, what])
                row += f" {other:5.1f} ms {other / own:6.2f}x"
            print(row)


def compare(calls: dict) -> None:
    """Print the largest differences of outputs and of input gradients."""
    for what in (FORWARD, BOTH):
        mine = calls["remanence", "batch leading", what]()
        other = calls["torch", "batch leading", what]()
        if what == BOTH:
            mine, other = mine[1], other[-1]
        mine, other = np.asarray(mine), other.numpy()
        error = np.abs(mine - other).max() / np.abs(other).max()
        print(f"largest relative difference to torch, {what}: {error:.0e}")


if __name__ == "__main__":
    main()
