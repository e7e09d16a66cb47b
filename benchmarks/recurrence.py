"""CPU time of the diagonal recurrence and of the ways to convolve, single precision, one core.

First table, batch 8 × width 256 of complex64 with constant eigenvalues, time leading: both engines
of `linear_recurrence` against `jax.lax.associative_scan` called the usual way (factors copied over
time, derivatives by JAX), interleaved in one run. "F+B" is the states and, for a given cotangent,
the gradients of the eigenvalues and of every input. GB/s counts the least traffic, 16 B per
element forward and 32 B forward and backward, and stands beside the bandwidth of a copy of an
array of the same size. Expect the sequential engine 3.4 times ahead of `associative_scan` at 8192
steps with memory kept, and 2 to 3 times ahead elsewhere.

Second table: one layer with one input and one output, 64 complex modes, 300 steps, batch 32, loss
gradients for eigenvalues, B and C: by kernel and convolution, and through every state. Then the
lengths where the transform overtakes the Toeplitz matrix.

Each table is printed twice: after `keep_freed_memory()`, and with the C library as it is, where
every large result is fresh memory and pays a page fault per 4 KiB. The setting cannot be undone,
so the program starts itself once for each. About 2 minutes:

    python benchmarks/recurrence.py
"""

import os
import statistics
import subprocess
import sys
import time

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

import jax
import jax.numpy as jnp
import numpy as np

from remanence.recurrence import (
    METHODS,
    causal_convolution,
    depthwise_convolution,
    keep_freed_memory,
    linear_recurrence,
    modal_kernel,
)

BATCH, WIDTH = 8, 256
LENGTHS = [1024, 8192]
REPEATS = 7


def medians(calls: dict) -> dict:
    """Median CPU seconds of each call, one call of each in turn, after one to compile."""
    times = {name: [] for name in calls}
    for repeat in range(REPEATS + 1):
        for name, (function, *arguments) in calls.items():
            start = time.process_time()
            jax.block_until_ready(function(*arguments))
            if repeat:
                times[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def associative_scan(a, b):
    """The way other libraries call it."""

    def combine(left, right):
        return left[0] * right[0], right[0] * left[1] + right[1]

    return jax.lax.associative_scan(combine, (jnp.broadcast_to(a, b.shape), b))[1]


def with_gradients(function):
    """The value and the gradients of every argument but the last, which is the cotangent."""

    def both(*arguments):
        value, pull = jax.vjp(function, *arguments[:-1])
        return value, pull(arguments[-1])

    return jax.jit(both)


def complex_normal(rng, *shape):
    values = rng.normal(size=(2, *shape)).astype(np.float32)
    return jnp.asarray(values[0] + 1j * values[1])


def recurrence(length: int) -> None:
    """One length of the first table."""
    rng = np.random.default_rng(0)
    a = 0.99 * jnp.exp(1j * jnp.angle(complex_normal(rng, WIDTH)))
    b, cotangent = (
        complex_normal(rng, length, BATCH, WIDTH),
        complex_normal(rng, length, BATCH, WIDTH),
    )
    engines = {"associative_scan": associative_scan}
    for method in METHODS:
        engines[f"our {method}"] = lambda a, b, method=method: linear_recurrence(
            a, b, method=method
        )
    calls = {}
    source, target = np.ones(b.shape, np.complex64), np.ones(b.shape, np.complex64)
    calls["copy"] = (np.copyto, target, source)
    for name, engine in engines.items():

        def run(a, b, engine=engine):
            return engine(jnp.broadcast_to(a, (BATCH, WIDTH)), b)

        calls[name, "F"] = (jax.jit(run), a, b)
        calls[name, "F+B"] = (with_gradients(run), a, b, cotangent)
    seconds = medians(calls)
    copied = 16 * b.size / seconds["copy"] / 1e9
    print(f"\nT = {length}, batch {BATCH} x width {WIDTH}; copy {copied:.1f} GB/s")
    print(f"{'':20} {'F ms':>8} {'ratio':>6} {'GB/s':>6} {'F+B ms':>8} {'ratio':>6} {'GB/s':>6}")
    for name in engines:
        cells = []
        for part, traffic in (("F", 16), ("F+B", 32)):
            spent = seconds[name, part]
            ratio = seconds["associative_scan", part] / spent
            cells.append(f"{spent * 1e3:8.1f} {ratio:5.1f}x {traffic * b.size / spent / 1e9:6.1f}")
        print(f"{name:20} {' '.join(cells)}")


def layer() -> None:
    """The second table."""
    rng = np.random.default_rng(1)
    modes, length, batch = 64, 300, 32
    eigenvalues = 0.99 * jnp.exp(1j * jnp.angle(complex_normal(rng, modes)))
    B, C = complex_normal(rng, modes, 1), complex_normal(rng, 1, modes)
    xs = jnp.asarray(rng.normal(size=(batch, length, 1)), jnp.float32)
    cotangent = jnp.asarray(rng.normal(size=(batch, length, 1)), jnp.float32)

    def convolved(method):
        def run(eigenvalues, B, C):
            kernel = modal_kernel(eigenvalues, B, C, length, real=True)
            return jax.vmap(lambda x: causal_convolution(kernel, x, method=method))(xs)

        return run

    def every_state(method):
        def run(eigenvalues, B, C):
            def one(x):
                states = linear_recurrence(eigenvalues, x @ B.T, method=method)
                return jnp.real(states @ C.T)

            return jax.vmap(one)(xs)

        return run

    routes = {
        "kernel and fft": convolved("fft"),
        "kernel and toeplitz": convolved("toeplitz"),
        "states, sequential": every_state("sequential"),
        "states, associative": every_state("associative"),
    }
    seconds = medians(
        {n: (with_gradients(f), eigenvalues, B, C, cotangent) for n, f in routes.items()}
    )
    print(f"\none layer, {modes} modes, T = {length}, batch {batch}, forward and backward")
    for name in routes:
        ratio = seconds["states, sequential"] / seconds[name]
        print(f"{name:20} {seconds[name] * 1e3:8.2f} ms {ratio:6.1f}x the sequential states")


def crossover() -> None:
    """Toeplitz against transform, forward and backward."""
    rng = np.random.default_rng(2)
    print("\nconvolution, batch 32, forward and backward, us: toeplitz / fft")
    for label, convolve, kernel_shape, width, lengths in (
        ("1 -> 1", causal_convolution, (1, 1), 1, (16, 64, 128, 256, 1024)),
        ("4 -> 4", causal_convolution, (4, 4), 4, (16, 32, 64, 128)),
        ("64 channels", depthwise_convolution, (64,), 64, (16, 32, 64, 128)),
    ):
        cells = []
        for length in lengths:
            kernel = jnp.asarray(rng.normal(size=(length, *kernel_shape)), jnp.float32)
            xs = jnp.asarray(rng.normal(size=(32, length, width)), jnp.float32)
            calls = {}
            for method in ("toeplitz", "fft"):

                def run(kernel, xs, method=method, convolve=convolve):
                    return jax.vmap(lambda x: convolve(kernel, x, method=method))(xs)

                calls[method] = (with_gradients(run), kernel, xs, xs)
            seconds = medians(calls)
            cells.append(f"{length}: {seconds['toeplitz'] * 1e6:.0f}/{seconds['fft'] * 1e6:.0f}")
        print(f"{label:12} {'   '.join(cells)}", flush=True)


def main() -> None:
    """Both settings, each in its own process."""
    if "--measure" in sys.argv:
        if "--keep" in sys.argv:
            keep_freed_memory()
        for length in LENGTHS:
            recurrence(length)
        layer()
        crossover()
        return
    for name, options in (("kept", ["--keep"]), ("as the C library gives it", [])):
        print(f"\n== memory {name}", flush=True)
        subprocess.run([sys.executable, "-u", __file__, "--measure", *options], check=True)


if __name__ == "__main__":
    main()
