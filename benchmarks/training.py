"""Model-steps per CPU-second of minibatch training: a small LRU, one core, float32.

One model-step is one Adam step on a batch of 32 sequences of 300 time steps, one input, one
output, 64 complex modes, squared error at every step. Both sides draw their batch inside the
timed loop from the same pool of 1024 teacher sequences, which is made before it. Ours is `train`
as users call it, gradient norm, divergence guard and two evaluations included; PyTorch's is an
eager loop with the kernel from powers of the eigenvalues and a convolution by FFT, and
torch.optim.Adam. Also printed: members trained by `train_members` one after another and side by
side. Required: 2,000 model-steps per CPU-second and 4 times PyTorch.
"""

import os
import statistics
import time

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array

from remanence.layers.lru import LRU
from remanence.tasks.contract import AbstractTask, Example, Kind
from remanence.training.fitting import train
from remanence.training.members import stack_models, train_members

MODES, LENGTH, BATCH, POOL = 64, 300, 32, 1024
STEPS, REPEATS, RATE = 2000, 5, 1e-3


class Pool(AbstractTask):
    """Sequences made beforehand, drawn with replacement."""

    xs: Array
    ys: Array
    inputs: int = eqx.field(static=True, default=1)
    outputs: int = eqx.field(static=True, default=1)
    kind: Kind = eqx.field(static=True, default="regression")

    def sample(self, key, length, *, split="train"):
        index = jax.random.randint(key, (), 0, self.xs.shape[0])
        return Example(self.xs[index], self.ys[index], jnp.ones(length, self.xs.dtype))


def pool() -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets of a teacher with four slow modes, (POOL, LENGTH, 1)."""
    rng = np.random.default_rng(0)
    eigenvalues = np.array([0.99, 0.95, 0.9, 0.8]) * np.exp(1j * np.array([0.1, 0.3, 1.0, 2.0]))
    kernel = (eigenvalues[None, :] ** np.arange(LENGTH)[:, None]).sum(axis=1).real / 4
    xs = rng.normal(size=(POOL, LENGTH))
    size = 2 * LENGTH
    ys = np.fft.irfft(np.fft.rfft(xs, size) * np.fft.rfft(kernel, size), size)[:, :LENGTH]
    return xs[..., None].astype(np.float32), ys[..., None].astype(np.float32)


def rate(function, model_steps: int) -> tuple[float, float]:
    """Median and spread of model-steps per CPU-second, after one call to compile and warm up."""
    function()
    rates = []
    for _ in range(REPEATS):
        began = time.process_time()
        function()
        rates.append(model_steps / (time.process_time() - began))
    return statistics.median(rates), max(rates) - min(rates)


def model(key) -> LRU:
    """The layer that is trained."""
    return LRU(inputs=1, state=MODES, outputs=1, key=key)


def ours(task: Pool, method: str) -> tuple[float, float]:
    """`train` on one model."""
    layer, optimiser = model(jax.random.key(0)), optax.adam(RATE)
    return rate(
        lambda: train(
            layer,
            task,
            steps=STEPS,
            batch=BATCH,
            lengths=LENGTH,
            optimiser=optimiser,
            key=jax.random.key(1),
            method=method,
            evaluate_every="end",
            test_sequences=BATCH,
        ).raise_if_diverged(),
        STEPS,
    )


def members(task: Pool, count: int, members_by: str) -> tuple[float, float]:
    """`train_members` on `count` models."""
    steps, optimiser = max(1, STEPS // count), optax.adam(1.0)
    models = stack_models(model, jax.random.split(jax.random.key(0), count))
    return rate(
        lambda: train_members(
            models,
            task,
            learning_rates=[RATE] * count,
            steps=steps,
            batch=BATCH,
            lengths=LENGTH,
            optimiser=optimiser,
            keys=jax.random.split(jax.random.key(1), count),
            method="fft",
            members_by=members_by,
            evaluate_every="end",
            test_sequences=BATCH,
        ).raise_if_diverged(),
        steps * count,
    )


def theirs(xs: np.ndarray, ys: np.ndarray) -> tuple[float, float] | None:
    """The same model, loss, batches and optimiser in eager PyTorch; None without PyTorch."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(1)
    torch.manual_seed(0)
    inputs, targets = torch.from_numpy(xs[..., 0]), torch.from_numpy(ys[..., 0])
    radius = torch.rand(MODES).sqrt() * 0.99 + 0.005
    log_rate = torch.log(-torch.log(radius)).requires_grad_()
    log_phase = torch.log(torch.rand(MODES) * 6.28).requires_grad_()
    log_gain = (0.5 * torch.log1p(-(radius**2))).requires_grad_()
    B = (torch.randn(MODES, 2) / 2**0.5).requires_grad_()
    C = (torch.randn(MODES, 2) / MODES**0.5).requires_grad_()
    D = torch.randn(1).requires_grad_()
    optimiser = torch.optim.Adam([log_rate, log_phase, log_gain, B, C, D], lr=RATE)
    lags, size, steps = torch.arange(LENGTH), 2 * LENGTH, STEPS // 4

    def run() -> None:
        for _ in range(steps):
            drawn = torch.randint(0, POOL, (BATCH,))
            x, target = inputs[drawn], targets[drawn]
            logarithm = torch.complex(-torch.exp(log_rate), torch.exp(log_phase))
            weight = torch.view_as_complex(C) * torch.view_as_complex(B) * torch.exp(log_gain)
            kernel = (torch.exp(lags[:, None] * logarithm) @ weight).real
            spectrum = torch.fft.rfft(x, size) * torch.fft.rfft(kernel, size)
            y = torch.fft.irfft(spectrum, size)[:, :LENGTH] + D * x
            loss = ((y - target) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    return rate(run, steps)


def main() -> None:
    """Print one table."""
    xs, ys = pool()
    task = Pool(jnp.asarray(xs), jnp.asarray(ys))
    torch_rate = theirs(xs, ys)
    print("model-steps per CPU-second (spread of five)")
    if torch_rate is not None:
        print(f"  PyTorch, convolution by FFT   {torch_rate[0]:8,.0f} ({torch_rate[1]:,.0f})")
    for method in ("fft", "auto"):
        found, spread = ours(task, method)
        ratio = "" if torch_rate is None else f"   {found / torch_rate[0]:4.1f}x PyTorch"
        print(f"  train, method {method!r:15} {found:8,.0f} ({spread:,.0f}){ratio}")
    for count in (8, 64):
        for members_by in ("map", "vmap"):
            found, spread = members(task, count, members_by)
            print(f"  {count:3} members by {members_by!r:13} {found:8,.0f} ({spread:,.0f})")


if __name__ == "__main__":
    main()
