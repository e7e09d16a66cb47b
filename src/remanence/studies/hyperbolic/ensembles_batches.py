"""The same students on minibatches, and the fully connected recurrence: full preset only."""

import dataclasses
import math
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from remanence.layers.contract import AbstractLinearLayer
from remanence.studies.hyperbolic.ensembles_optimisers import Pair, scheduled
from remanence.studies.hyperbolic.ensembles_settings import (
    FIXED,
    RING,
    BatchSettings,
    DenseSettings,
    EnsembleSettings,
)
from remanence.studies.hyperbolic.ensembles_students import (
    COMPETITORS,
    DENSE,
    HYPERBOLIC,
    LRU,
    dense_students,
    random_teachers,
    starts_of,
    students,
)
from remanence.studies.hyperbolic.ensembles_training import Cell, relative
from remanence.training.exact import train_exact


@dataclasses.dataclass(frozen=True)
class Grid:
    """Final losses `[pair]`, (teachers,), of one student in one cell, over the loss of none."""

    name: str
    cell: Cell
    losses: dict[Pair, Float[np.ndarray, " teachers"]]

    @property
    def best(self) -> Pair:
        """The pair of the least median."""
        return min(self.losses, key=lambda pair: float(np.median(self.losses[pair])))

    @property
    def at_best(self) -> Float[np.ndarray, " teachers"]:
        """Every teacher's loss there."""
        return self.losses[self.best]


def train_on_batches(
    s: EnsembleSettings, batches: BatchSettings, heard: Callable[[float], None]
) -> list[Grid]:
    """LRU and hyperbolic Adam on fresh minibatches, one readout rate, at every level and start."""
    grids, jobs = [], [(i, name) for i in range(len(batches.levels)) for name in (LRU, HYPERBOLIC)]
    for done, (i, name) in enumerate(jobs):
        rates = batches.plain_rates if name == LRU else batches.hyperbolic_rates
        pairs = [(rate, FIXED[1]) for rate in rates]
        found = _trained(
            s,
            name,
            level=batches.levels[i],
            starts=s.starts,
            teachers=batches.teachers[i],
            pairs=pairs,
            horizon=batches.horizons[i],
            steps=batches.steps[i],
            batch=batches.size,
            heard=lambda share, done=done: heard((done + share) / len(jobs)),
        )
        grids += found
    return grids


def train_dense(
    s: EnsembleSettings, dense: DenseSettings, heard: Callable[[float], None]
) -> list[Grid]:
    """The fully connected recurrence on its exact loss up to a horizon."""
    return _trained(
        s,
        DENSE,
        level=dense.level,
        starts=(RING,),
        teachers=dense.teachers,
        pairs=[(rate, read) for rate in dense.rates for read in dense.readouts],
        horizon=dense.horizon,
        steps=s.steps,
        batch=None,
        heard=heard,
    )


def _trained(
    s: EnsembleSettings,
    name: str,
    *,
    level: float,
    starts: tuple[str, ...],
    teachers: int,
    pairs: list[Pair],
    horizon: int,
    steps: int,
    batch: int | None,
    heard: Callable[[float], None],
) -> list[Grid]:
    members = [(b, k, p) for b in starts for p in range(len(pairs)) for k in range(teachers)]
    start = starts_of(s, [(level, b, k) for b, k, _ in members])
    systems = random_teachers(s)[s.levels.index(level)]
    targets = np.stack([np.asarray(one.impulse_response(horizon)) for one in systems[:teachers]])
    models: AbstractLinearLayer
    if name == DENSE:
        models = dense_students(s, start)
    else:
        models = students(next(one for one in COMPETITORS if one.name == name), start)
    found = train_exact(
        models,
        targets[[k for _, k, _ in members]],
        learning_rates=[p for _, _, p in members],
        steps=steps,
        batch=batch,
        key=jax.random.key(s.seed),
        optimiser=scheduled(pairs, steps),
        decay_steps=math.inf,
        factor=1.0,
        records_per_decade=1,
        members_by="map" if horizon > 500 else "vmap",
        on_progress=heard,
    )
    none = np.asarray(_power(jnp.asarray(targets)))
    losses = relative(found.final_losses / none[[k for _, k, _ in members]])
    shape = losses.reshape(len(starts), len(pairs), teachers)
    return [
        Grid(name, (level, b), dict(zip(pairs, rows, strict=True)))
        for b, rows in zip(starts, shape, strict=True)
    ]


@eqx.filter_jit
def _power(targets: Float[Array, "teachers horizon 1 1"]) -> Float[Array, " teachers"]:
    """`Σ_{n<T} (1 − n/T) g_n²`: the loss of a student that puts out nothing."""
    horizon = targets.shape[1]
    weights = 1 - jnp.arange(horizon, dtype=targets.dtype) / horizon
    return jnp.sum(weights[None, :] * targets[:, :, 0, 0] ** 2, axis=1)
