"""Every test runs in float64, with no silent broadcasting and no silent promotion."""

import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")
# A test's program runs once and for a moment: compiling it is the time. Without optimisation of
# the machine code the suite compiles three times as fast.
os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=0"
)

import jax
import numpy as np
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_compilation_cache_dir", str(Path(__file__).parent.parent / ".jax-cache"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


@pytest.fixture(autouse=True, scope="module")
def forget_programs() -> Iterator[None]:
    """Drop every compiled program after a file's tests.

    Each holds several mappings of memory, and the operating system allows a process 65,530.
    """
    yield
    jax.clear_caches()


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded NumPy generator: the same numbers in every run."""
    return np.random.default_rng(20230423)
