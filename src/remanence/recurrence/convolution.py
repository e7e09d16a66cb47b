"""The recurrence without its states: causal convolution, and the kernels of diagonal systems.

Where inputs and outputs are few and modes are many, convolving with the impulse response avoids
every array of states, which is most of the memory traffic of running the recurrence.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from remanence.errors import RemanenceError, nearest_name

CONVOLUTION_METHODS = ("toeplitz", "fft")
"""The ways to convolve, the plainest first."""

TOEPLITZ_SINGLE, TOEPLITZ_SEVERAL, TOEPLITZ_DEPTHWISE = 128, 32, 64
"""The longest sequence that "auto" convolves by a Toeplitz matrix: one input and one output,
several, or one kernel per channel.

Measured on a CPU, batch 32, forward and backward (`benchmarks/recurrence.py`): at these lengths
the matrix is equal or up to 1.5 times faster, at twice these the transform is 1.1 to 2.3 times
faster (several: 4 to 4; with 16 to 16 the transform already leads at 32).
"""

AnyArray = Array | np.ndarray


def causal_convolution(
    kernel: Float[AnyArray, "..."],
    xs: Float[AnyArray, "..."],
    *,
    method: str = "auto",
) -> Float[Array, "time outputs"]:
    """`y_t = Σ_{j ≤ t} K_j x_{t−j}`, the response of a system with Markov parameters `K_j`.

    Args:
        kernel: `(lags, outputs, inputs)`, real; shorter or longer than the sequence. Lags
            beyond the sequence are not used, lags beyond the kernel count as zero.
        xs: `(time, inputs)`, real.
        method: "fft" multiplies real Fourier transforms, O(T log T), padded so that nothing
            wraps round; its rounding error is relative to the largest output, so that causality
            holds to rounding only, and a NaN spreads over all time. "toeplitz" multiplies by
            the matrix `K_{t−s}`, O(T²) in time and memory: causal exactly for finite inputs,
            but zero times NaN is NaN. "auto" is
            "toeplitz" up to `TOEPLITZ_SINGLE` or `TOEPLITZ_SEVERAL` steps.

    Raises:
        RemanenceError: if the shapes do not fit or the method is not known.

    Source: the definition; the discrete convolution theorem.

        >>> causal_convolution(np.ones((2, 1, 1)), np.array([[1.0], [2.0], [4.0]]))[:, 0].tolist()
        [1.0, 3.0, 6.0]
    """
    if kernel.ndim != 3 or xs.ndim != 2 or kernel.shape[2] != xs.shape[1]:
        raise RemanenceError(
            f"causal_convolution: kernel has shape {kernel.shape} and xs {xs.shape}, expected "
            "(lags, outputs, inputs) and (time, inputs)"
        )
    single = kernel.shape[1:] == (1, 1)
    longest = TOEPLITZ_SINGLE if single else TOEPLITZ_SEVERAL
    method = _chosen("causal_convolution", method, xs.shape[0] <= longest)
    kernel, xs = _promoted(kernel[: xs.shape[0]], xs)
    if 0 in (*kernel.shape, *xs.shape):
        return jnp.zeros((xs.shape[0], kernel.shape[1]), xs.dtype)
    if method == "toeplitz":
        (time, inputs), outputs = xs.shape, kernel.shape[1]
        matrix = _toeplitz(kernel, time).swapaxes(1, 2).reshape(time * outputs, time * inputs)
        return (matrix @ xs.reshape(-1)).reshape(time, outputs)
    size, transformed, inputs = _transforms(kernel, xs)
    if single:
        product = transformed[:, :, 0] * inputs
    else:
        product = jnp.einsum("foi,fi->fo", transformed, inputs)
    return jnp.fft.irfft(product, size, axis=0)[: xs.shape[0]]


def depthwise_convolution(
    kernel: Float[AnyArray, "..."],
    xs: Float[AnyArray, "..."],
    *,
    method: str = "auto",
) -> Float[Array, "time channels"]:
    """`y_{t,c} = Σ_{j ≤ t} k_{j,c} x_{t−j,c}`: every channel with its own kernel.

    `kernel` is `(lags, channels)`, `xs` `(time, channels)`. Methods, lengths and errors
    are those of `causal_convolution`.
    """
    if kernel.ndim != 2 or xs.ndim != 2 or kernel.shape[1] != xs.shape[1]:
        raise RemanenceError(
            f"depthwise_convolution: kernel has shape {kernel.shape} and xs {xs.shape}, expected "
            "(lags, channels) and (time, channels)"
        )
    method = _chosen("depthwise_convolution", method, xs.shape[0] <= TOEPLITZ_DEPTHWISE)
    kernel, xs = _promoted(kernel[: xs.shape[0]], xs)
    if 0 in (*kernel.shape, *xs.shape):
        return jnp.zeros(xs.shape, xs.dtype)
    if method == "toeplitz":
        return jnp.einsum("tsc,sc->tc", _toeplitz(kernel, xs.shape[0]), xs)
    size, transformed, inputs = _transforms(kernel, xs)
    return jnp.fft.irfft(transformed * inputs, size, axis=0)[: xs.shape[0]]


def powers(
    eigenvalues: Inexact[AnyArray, "*modes"], length: int
) -> Inexact[Array, "length *modes"]:
    """`λ^j` for `j < length`, the Vandermonde matrix; `0^0 = 1`, derivatives exact at zero.

    Source: derived: `λ^{sq+r} = (λ^s)^q λ^r`, see `modal_kernel`.
    """
    (eigenvalues,) = _promoted(eigenvalues)
    coarse, fine = _blocks(eigenvalues, length)
    table = coarse[:, None] * fine[None]
    return table.reshape(-1, *eigenvalues.shape)[:length]


def modal_kernel(
    eigenvalues: Inexact[AnyArray, " modes"],
    B: Inexact[AnyArray, "..."],
    C: Inexact[AnyArray, "..."],
    length: int,
    *,
    real: bool = False,
) -> Inexact[Array, "length outputs inputs"]:
    """`K_j = C diag(λ)^j B` for `j < length`, the impulse response of a diagonal system.

        K_{sq+r} = Σ_n (C_on λ_n^{sq}) (λ_n^r B_ni):   one matrix product of two small tables.

    Args:
        eigenvalues: `(modes,)`, real or complex; zero is allowed.
        B: `(modes, inputs)`.
        C: `(outputs, modes)`. With `C diag(λ) h0` for `B` of one column, the outputs that an
            initial state `h0` adds: `C λ^{t+1} h0`.
        length: how many lags; static.
        real: return `Re K_j` alone, at half the cost. A system that keeps one eigenvalue of
            each conjugate pair wants twice this.

    No array of `(length, modes)` is made. In float64 and for |λ| ≤ 1 the powers are exact to
    1e-12 relative up to length 1e5, where `exp(j log λ)` loses 3e-11.

    Raises:
        RemanenceError: if the shapes do not fit.

    Source: derived: the block size s ≈ 2√length balances the two tables.
    """
    modes = eigenvalues.shape[0]
    if B.shape[:1] != (modes,) or C.shape[1:] != (modes,):
        raise RemanenceError(
            f"modal_kernel: B has shape {B.shape} and C {C.shape}, expected ({modes}, inputs) and "
            f"(outputs, {modes}) for {modes} eigenvalues"
        )
    eigenvalues, B, C = _promoted(eigenvalues, B, C)
    coarse, fine = _blocks(eigenvalues, length)
    (blocks, _), (size, _) = coarse.shape, fine.shape
    outputs, inputs = C.shape[0], B.shape[1]
    left = (coarse[:, None] * C[None]).reshape(blocks * outputs, modes)
    right = (fine[:, None] * B.T[None]).reshape(size * inputs, modes)
    kernel = _product(left, right, real).reshape(blocks, outputs, size, inputs)
    return kernel.swapaxes(1, 2).reshape(blocks * size, outputs, inputs)[:length]


def depthwise_modal_kernel(
    eigenvalues: Inexact[AnyArray, "..."],
    B: Inexact[AnyArray, "..."],
    C: Inexact[AnyArray, "..."],
    length: int,
    *,
    real: bool = False,
) -> Inexact[Array, "length channels"]:
    """`k_{j,c} = Σ_n C_cn λ_cn^j B_cn` for `j < length`: `modal_kernel` for every channel.

    All three arrays are `(channels, modes)`.

    Raises:
        RemanenceError: if the shapes differ.
    """
    if not eigenvalues.shape == B.shape == C.shape:
        raise RemanenceError(
            f"depthwise_modal_kernel: eigenvalues have shape {eigenvalues.shape}, B {B.shape} and "
            f"C {C.shape}; all must be (channels, modes)"
        )

    def one(eigenvalues: Array, weights: Array) -> Array:
        ones = jnp.ones_like(weights)[:, None]
        return modal_kernel(eigenvalues, ones, weights[None], length, real=real)[:, 0, 0]

    eigenvalues, B, C = _promoted(eigenvalues, B, C)
    return jax.vmap(one, out_axes=1)(eigenvalues, B * C)


def modal_final_state(
    eigenvalues: Inexact[AnyArray, " modes"],
    B: Inexact[AnyArray, "..."],
    xs: Float[AnyArray, "time inputs"],
    h0: Inexact[AnyArray, "..."] | None = None,
) -> Inexact[Array, " modes"]:
    """`h_T = λ^T h_0 + Σ_t λ^{T−t} B x_t` for `t = 1 … T`: the last state, without the others.

    Args:
        eigenvalues: `(modes,)`, real or complex.
        B: `(modes, inputs)`.
        xs: `(time, inputs)`, real.
        h0: the state before the first input; zero if not given.

    Raises:
        RemanenceError: if the shapes do not fit.

    Source: derived: blocks of s steps, as in `modal_kernel`; the largest array is
    `(time / s, modes, inputs)`.
    """
    modes, (time, inputs) = eigenvalues.shape[0], xs.shape
    if B.shape != (modes, inputs) or (h0 is not None and h0.shape != (modes,)):
        raise RemanenceError(
            f"modal_final_state: B has shape {B.shape}, expected ({modes}, {inputs}) for {modes} "
            f"eigenvalues and xs {xs.shape}; h0, if given, is ({modes},)"
        )
    (xs,) = _promoted(xs)
    eigenvalues, B, h0 = _promoted(eigenvalues, B, jnp.zeros_like(B[:, 0]) if h0 is None else h0)
    coarse, fine = _blocks(eigenvalues, time + 1)
    (blocks, _), (size, _) = coarse.shape, fine.shape
    # The newest input first, so that its power is zero; the padding is older than all inputs.
    padded = jnp.pad(jnp.flip(xs, 0), ((0, blocks * size - time), (0, 0)))
    parts = padded.reshape(blocks, size, inputs).astype(B.real.dtype)
    sums = jnp.einsum("rn,qri->qni", fine.real, parts).astype(B.dtype)
    if jnp.iscomplexobj(fine):
        sums = jax.lax.complex(sums.real, jnp.einsum("rn,qri->qni", fine.imag, parts))
    forced = jnp.einsum("qn,qni,ni->n", coarse, sums, B)
    return coarse[time // size] * fine[time % size] * h0 + forced


def _chosen(function: str, method: str, short: bool) -> str:
    if method not in ("auto", *CONVOLUTION_METHODS):
        raise RemanenceError(
            f"{function}: method {method!r} is none of auto, {', '.join(CONVOLUTION_METHODS)}"
            f"{nearest_name(method, ('auto', *CONVOLUTION_METHODS))}"
        )
    if method == "auto":
        return "toeplitz" if short else "fft"
    return method


def _promoted(*arrays: AnyArray) -> tuple[Array, ...]:
    """The arrays in the type that they promote to."""
    dtype = jax.dtypes.canonicalize_dtype(np.result_type(*(array.dtype for array in arrays)))
    return tuple(jnp.asarray(array, dtype) for array in arrays)


def _toeplitz(kernel: Array, time: int) -> Array:
    """`K_{t−s}` at `[t, s]`, zero for `s > t` and beyond the kernel."""
    lags = np.arange(time)[:, None] - np.arange(time)[None]
    zero = kernel.shape[0]
    padded = jnp.concatenate([kernel, jnp.zeros_like(kernel[:1])])
    return padded[np.where((lags >= 0) & (lags < zero), lags, zero)]


def _transforms(kernel: Array, xs: Array) -> tuple[int, Array, Array]:
    """The transforms' size, long enough that nothing wraps round, and both transforms."""
    size = _fast_length(xs.shape[0] + kernel.shape[0] - 1)
    return size, jnp.fft.rfft(kernel, size, axis=0), jnp.fft.rfft(xs, size, axis=0)


def _fast_length(shortest: int) -> int:
    """The least `2^a 3^b 5^c` not below `shortest`: lengths that transform fast."""
    best = 1 << (shortest - 1).bit_length()
    five = 1
    while five < best:
        odd = five
        while odd < best:
            best = min(best, odd << (-(-shortest // odd) - 1).bit_length())
            odd *= 3
        five *= 5
    return best


def _blocks(eigenvalues: Array, length: int) -> tuple[Array, Array]:
    """`λ^{sq}` and `λ^r` for `r < s`, enough of them that every `j < length` is `sq + r`.

    Running products, not squarings: an error of `λ^s` is amplified q-fold, and grows with √s in
    a running product but with s when squaring. That favours s above √length.
    """
    size = max(1, math.ceil(2 * math.sqrt(length)))

    def multiply(power: Array, factor: Array, count: int) -> tuple[Array, Array]:
        return jax.lax.scan(lambda p, _: (p * factor, p), power, length=count)

    step, fine = multiply(jnp.ones_like(eigenvalues), eigenvalues, size)
    return multiply(jnp.ones_like(eigenvalues), step, max(1, -(-length // size)))[1], fine


def _product(left: Array, right: Array, real: bool) -> Array:
    """`left @ right.T`, complex numbers by real products, which are several times faster."""
    if not jnp.iscomplexobj(left):
        return left @ right.T
    parts = jnp.concatenate([right.real, right.imag], axis=1).T
    real_part = jnp.concatenate([left.real, -left.imag], axis=1) @ parts
    if real:
        return real_part
    return jax.lax.complex(real_part, jnp.concatenate([left.imag, left.real], axis=1) @ parts)
