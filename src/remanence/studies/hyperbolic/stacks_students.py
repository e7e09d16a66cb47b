"""One stack in the coordinates of an LRU, of S5 and of the disc, the same function at first."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import PRNGKeyArray

from remanence.layers.arrays import SplitComplex
from remanence.layers.blocks import ResidualBlock
from remanence.layers.hyperbolic import HyperbolicLRU
from remanence.layers.lru import LRU, DiagonalRNN
from remanence.layers.modal import AbstractModalLayer
from remanence.layers.normalisations import NoNormalisation
from remanence.layers.parametrisations import Discretised
from remanence.layers.s5 import S5
from remanence.layers.stack import SequenceModel
from remanence.studies.hyperbolic import stacks_settings as settings_of
from remanence.studies.hyperbolic.stacks_settings import CaseSettings, StackSettings
from remanence.tasks import AbstractTask

DTYPE = jnp.float32


def make_layer(
    student: str, case: CaseSettings, width: int, modes: int, *, key: PRNGKeyArray
) -> AbstractModalLayer:
    """The layer of a student, eigenvalues uniform on the ring of the case.

    The same key gives the same impulse response to rounding for every student, but for S5 from a
    long start, which has its own.
    """
    if student == settings_of.S5 and case.long_start:
        return S5(width, 2 * modes, key=key, dtype=DTYPE)
    low, high = case.smallest, case.largest
    lru = LRU(width, modes, r_min=low, r_max=high, key=key, dtype=DTYPE)
    if student == settings_of.HYPERBOLIC:
        # Its own start has quieter readouts.
        made = HyperbolicLRU(width, modes, r_min=low, r_max=high, key=key, dtype=DTYPE)
        return eqx.tree_at(lambda one: (one.C, one.D), made, (lru.C, lru.D))
    return lru if student == settings_of.LRU else as_s5(lru)


def as_s5(lru: LRU) -> DiagonalRNN:
    """The same function in the coordinates of S5: `Re a = −½` at first, a step for each mode.

    What the LRU's `γ` does beyond the discretisation's factor `β` goes into `B`.
    """
    log_magnitude, phase = lru.eigenvalues.log_magnitude(), lru.eigenvalues.phase()
    step = -2 * log_magnitude
    # The rate's imaginary part turns by at most half a circle a step.
    phase = jnp.where(phase > math.pi, phase - 2 * math.pi, phase)
    eigenvalues = Discretised(
        jnp.full_like(step, -0.5), phase / step, jnp.log(step), "direct", "zoh", "exponential"
    )
    gamma = lru.normalisation(lru.eigenvalues)
    beta = eigenvalues.input_factor()
    B = lru.B() * (gamma.astype(beta.dtype) / beta)[:, None]
    layer = DiagonalRNN(
        eigenvalues,
        lru.inputs,
        lru.outputs,
        normalisation=NoNormalisation(),
        key=jax.random.key(0),
    )
    return eqx.tree_at(
        lambda made: (made.B, made.C, made.D),
        layer,
        (SplitComplex(B.real, B.imag), lru.C, lru.D),
    )


def make_stack(
    student: str,
    case: CaseSettings,
    task: AbstractTask,
    s: StackSettings,
    *,
    key: PRNGKeyArray,
) -> SequenceModel:
    """`s.depth` residual blocks as the library makes them, between encoder and decoder."""

    def block(key: PRNGKeyArray) -> ResidualBlock:
        for_layer, for_block = jax.random.split(key)
        layer = make_layer(student, case, s.width, s.modes, key=for_layer)
        return ResidualBlock(layer, key=for_block)

    return SequenceModel(
        task.inputs, task.outputs, width=s.width, layers=block, depth=s.depth, key=key
    )
