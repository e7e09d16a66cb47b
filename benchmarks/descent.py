"""Steps per second of exact gradient descent on the impulse response, float64, one core.

Prints for each size: steps/s of the engine, the share of the flop roofline (measured dgemm peak
over the flops of a step, F = 6(k−1)d² + k²d + 6kd), and the ratio to eager PyTorch autograd of the
same loss in the same run. Run it with `make bench`.
"""

import os
import statistics
import time

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

from remanence.training import (
    Adam,
    AdaptiveGradientDescent,
    GradientDescent,
    WhiteLoss,
    descend,
    near_zero_ensemble,
)

SIZES = [(40, 20), (40, 60), (100, 20), (100, 60)]
REPEATS = 5


def target(length: int) -> np.ndarray:
    """The balanced teacher with eigenvalues .92, .07, −.78."""
    eigenvalues = np.array([0.92, 0.07, -0.78])
    weights = np.array([0.4, 1 / 3, 0.8 / 3])
    return (weights * eigenvalues ** np.arange(length)[:, None]).sum(axis=1)


def seconds(function) -> float:
    """Median wall seconds of a few calls, after one to compile and warm up."""
    function()
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def dgemm_peak() -> float:
    """Best flops/s of NumPy's matrix product at n = 600 on one thread."""
    a = np.random.default_rng(0).normal(size=(600, 600))
    best = np.inf
    for _ in range(30):
        start = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - start)
    return 2 * 600**3 / best


def engine_rate(state: int, length: int, rule, *, seeds: int = 1) -> float:
    """Model-steps per second of `descend`."""
    steps = 400_000 // (length * max(1, state // 40) ** 2)
    loss = WhiteLoss(jnp.asarray(target(length)[:, None, None]))
    initial = near_zero_ensemble(state, 1, 1, scale=1e-2, seed=0, seeds=seeds)
    return seeds * steps / seconds(lambda: descend(loss, initial, rule, steps=steps))


def torch_rate(state: int, length: int) -> float | None:
    """Steps per second of eager PyTorch autograd on the same loss; None without PyTorch."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    goal = torch.from_numpy(target(length))
    generator = torch.Generator().manual_seed(0)
    shapes = ((state, state), (state, 1), (1, state))
    parameters = [
        (
            1e-2 / state**0.5 * torch.randn(s, dtype=torch.float64, generator=generator)
        ).requires_grad_()
        for s in shapes
    ]
    A, B, C = parameters
    steps = 200

    def run():
        for _ in range(steps):
            loss, x = 0.0, B
            for lag in range(length):
                loss = loss + (C @ x - goal[lag]).pow(2).sum()
                x = A @ x
            gradient = torch.autograd.grad(loss, parameters)
            with torch.no_grad():
                for parameter, slope in zip(parameters, gradient, strict=True):
                    parameter -= 1e-3 * slope

    return steps / seconds(run)


def main() -> None:
    """Print one table for the sizes and one for the rules and seeds."""
    peak = dgemm_peak()
    print(f"dgemm peak, one core: {peak / 1e9:.1f} GFLOP/s")
    print(f"{'d':>4} {'k':>4} {'steps/s':>10} {'roofline':>9} {'torch/s':>9} {'ratio':>7}")
    for state, length in SIZES:
        flops = 6 * (length - 1) * state**2 + length**2 * state + 6 * length * state
        ours = engine_rate(state, length, GradientDescent(1e-3))
        theirs = torch_rate(state, length)
        rest = "   (no torch)" if theirs is None else f"{theirs:9,.0f} {ours / theirs:6.1f}x"
        print(f"{state:4} {length:4} {ours:10,.0f} {ours * flops / peak:9.1%} {rest}")
    print("\nensembles at d = 40, k = 20, models times steps per second (a PyTorch loop over the")
    print("models takes each model's steps one after another, so its rate is the one above):")
    loop = torch_rate(40, 20)
    for rule in (GradientDescent(1e-3), AdaptiveGradientDescent(), Adam()):
        rates = [engine_rate(40, 20, rule, seeds=seeds) for seeds in (1, 32)]
        ratio = "" if loop is None else f"   {rates[1] / loop:5.0f}x the PyTorch loop"
        print(
            f"  {type(rule).__name__:24} 1 model {rates[0]:9,.0f}   "
            f"32 models {rates[1]:9,.0f}{ratio}"
        )


if __name__ == "__main__":
    main()
