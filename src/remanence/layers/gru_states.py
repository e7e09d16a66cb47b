"""The GRU's recurrence, with a derivative that takes weight gradients after the scan."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Drive = tuple[
    Float[Array, "*time state"], Float[Array, "*time state"], Float[Array, "*time state"]
]
"""What the inputs contribute to r, z and n."""

Weights = tuple[
    Float[Array, "state state"],
    Float[Array, "state state"],
    Float[Array, "state state"],
    Float[Array, " state"],
]
"""`U_r`, `U_z`, `U_n` and `c_n`."""


def gru_step(weights: Weights, drive: Drive, h: Float[Array, " state"]) -> Float[Array, " state"]:
    """The next state."""
    return _gates(weights, drive, h)[0]


@jax.custom_jvp
def gru_states(
    weights: Weights, drive: Drive, start: Float[Array, " state"]
) -> Float[Array, "time state"]:
    """Every state `h_1 … h_T` of

        r = σ(drive_r + U_r h),  z = σ(drive_z + U_z h),  n = tanh(drive_n + r ⊙ (U_n h + c_n)),
        h' = n + z ⊙ (h − n)

    Differentiable to any order, forward and reverse. The scan of tangents has the weights'
    tangents in its input, one matrix product over all steps; transposed, the weights' gradients
    are one product as well, where autodiff of the plain scan adds up one outer product per step.

    Source: derived: the linearisation of the equations above.
    """
    return _run(weights, drive, start)[0]


@gru_states.defjvp
def _(
    primals: tuple[Weights, Drive, Array], tangents: tuple[Weights, Drive, Array]
) -> tuple[Array, Array]:
    weights, _, start = primals
    (dU_r, dU_z, dU_n, dc_n), (d_r, d_z, d_n), d_start = tangents
    U_r, U_z, U_n, _ = weights
    states, r, z, m, n = _run(*primals)
    before = jnp.concatenate([start[None], states])[:-1]
    # Slopes of h' in the arguments of n, r, z and in U_n h.
    to_n = (1 - z) * (1 - n * n)
    to_r, to_z, to_m = to_n * m * r * (1 - r), (before - n) * z * (1 - z), to_n * r
    direct = (
        to_r * (d_r + before @ dU_r.T)
        + to_z * (d_z + before @ dU_z.T)
        + to_n * d_n
        + to_m * (before @ dU_n.T + dc_n[None])
    )

    def body(dh: Array, slopes: tuple[Array, ...]) -> tuple[Array, Array]:
        direct, z, to_r, to_z, to_m = slopes
        dh = direct + z * dh + to_r * (U_r @ dh) + to_z * (U_z @ dh) + to_m * (U_n @ dh)
        return dh, dh

    return states, jax.lax.scan(body, d_start, (direct, z, to_r, to_z, to_m))[1]


def _run(weights: Weights, drive: Drive, start: Array) -> tuple[Array, ...]:
    """The states, and `r`, `z`, `U_n h + c_n` and `n` at every step."""

    def body(h: Array, drive: Drive) -> tuple[Array, tuple[Array, ...]]:
        step = _gates(weights, drive, h)
        return step[0], step

    return jax.lax.scan(body, start, drive)[1]


def _gates(weights: Weights, drive: Drive, h: Array) -> tuple[Array, ...]:
    U_r, U_z, U_n, c_n = weights
    r = jax.nn.sigmoid(drive[0] + U_r @ h)
    z = jax.nn.sigmoid(drive[1] + U_z @ h)
    m = U_n @ h + c_n
    n = jnp.tanh(drive[2] + r * m)
    return n + z * (h - n), r, z, m, n
