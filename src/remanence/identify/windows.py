"""Second moments of all windows of a recording, at the cost of a few FFTs.

A window of length k ending at time t is `x̃_t = (x_t, x_{t-1}, …, x_{t-k+1})`. The mean squared
error of an impulse response g over all windows is the quadratic form
`v − 2 bᵀ g + gᵀ S g` with `S = mean x̃ x̃ᵀ`, `b = mean x̃ y`, `v = mean y²`, so that a step of
gradient descent costs the same whatever the length of the recording.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy.fft
from jaxtyping import Bool, Float

_CHUNK = 1 << 16


@dataclasses.dataclass(frozen=True)
class WindowMoments:
    """Exact second moments of the windows of length `length` that end in a set of targets.

    - `inputs` S, shape (length·inputs, length·inputs), index lag·inputs + input.
    - `cross` b, shape (length·inputs, outputs).
    - `power` v, shape (outputs,): mean square of each output over the targets.
    - `count`: how many windows there are.
    """

    length: int
    inputs: Float[np.ndarray, "features features"]
    cross: Float[np.ndarray, "features outputs"]
    power: Float[np.ndarray, " outputs"]
    count: int

    def mean_squared_error(
        self, response: Float[np.ndarray, "length outputs inputs"]
    ) -> Float[np.ndarray, " outputs"]:
        """Mean squared error over the windows, `v − 2 bᵀ g + gᵀ S g`, for each output."""
        rows = np.asarray(response).transpose(1, 0, 2).reshape(self.power.size, -1)
        quadratic = np.einsum("of,of->o", rows @ self.inputs, rows)
        return self.power - 2.0 * np.einsum("of,fo->o", rows, self.cross) + quadratic


def window_moments(
    inputs: Sequence[Float[np.ndarray, "_time inputs"]],
    outputs: Sequence[Float[np.ndarray, "_time outputs"]],
    targets: Sequence[Bool[np.ndarray, " _time"]],
    *,
    length: int,
) -> WindowMoments:
    """Moments of the windows of `length` steps that end at the times marked in `targets`.

    A target earlier than `length − 1` in its sequence has no whole window and is left out. S is
    not quite block-Toeplitz, because windows start and end: with `w_t` the target mask,
    `S[i+1, j+1] = S[i, j] + Σ_s (w_{s+1} − w_s) x_{s−i} x_{s−j}ᵀ`, a correction that is non-zero
    only where the mask changes. The first block row is a cross-correlation, by FFT. So the result
    is exact, for any mask, in O(T log k + changes·(k·inputs)²).
    """
    width = inputs[0].shape[1]
    outs = outputs[0].shape[1]
    first_row = np.zeros((length, width, width))
    cross = np.zeros((length, width, outs))
    power = np.zeros(outs)
    corrections = np.zeros(((length - 1) * width,) * 2)
    count = 0
    for x, y, marked in zip(inputs, outputs, targets, strict=True):
        mask = np.array(marked, dtype=bool)
        mask[: length - 1] = False
        if not mask.any():
            continue
        count += int(mask.sum())
        weight = mask[:, None].astype(float)
        # correlate gives [lag, earlier channel, later channel] of Σ_t later_t earlier_{t-lag}.
        both = _correlate(np.concatenate([weight * x, weight * y], axis=1), x, length)
        first_row += both[:, :, :width].transpose(0, 2, 1)
        cross += both[:, :, width:]
        power += np.sum((weight * y) ** 2, axis=0)
        if length > 1:
            corrections += _boundary_terms(x, mask, length)
    if count == 0:
        return WindowMoments(
            length,
            np.zeros((length * width,) * 2),
            np.zeros((length * width, outs)),
            power,
            0,
        )
    return WindowMoments(
        length,
        _assemble(first_row, corrections, length, width) / count,
        cross.reshape(length * width, outs) / count,
        power / count,
        count,
    )


def _correlate(later: np.ndarray, earlier: np.ndarray, lags: int) -> np.ndarray:
    """`c[j, e, l] = Σ_t later[t, l] earlier[t − j, e]` for j < lags, in chunks of bounded size."""
    total = later.shape[0]
    chunk = min(total, max(_CHUNK, 8 * lags))
    size = int(scipy.fft.next_fast_len(chunk + lags - 1, real=True))  # type: ignore[arg-type]
    spectrum = 0.0
    for start in range(0, total, chunk):
        stop = min(start + chunk, total)
        history = max(0, start - lags + 1)
        # Aligned so that earlier[start − lags + 1] sits at index 0 in every chunk.
        shifted = np.zeros((size, earlier.shape[1]))
        offset = history - (start - lags + 1)
        shifted[offset : offset + stop - history] = earlier[history:stop]
        padded = np.zeros((size, later.shape[1]))
        padded[: stop - start] = later[start:stop]
        left = np.fft.rfft(padded, axis=0)
        right = np.fft.rfft(shifted, axis=0)
        spectrum = spectrum + right[:, :, None] * left.conj()[:, None, :]
    circular = np.fft.irfft(spectrum, n=size, axis=0)
    # Index n holds Σ_t later[start + t] earlier[start − lags + 1 + t + n]: lag = lags − 1 − n.
    return circular[lags - 1 :: -1]


def _boundary_terms(x: np.ndarray, mask: np.ndarray, length: int) -> np.ndarray:
    """`Σ_s (w_{s+1} − w_s) v_s v_sᵀ` with `v_s = (x_s, …, x_{s−k+2})` flattened."""
    padded = np.concatenate([mask, [False]]).astype(int)
    change = np.diff(padded)
    places = np.flatnonzero(change)
    lags = np.arange(length - 1)
    vectors = x[places[:, None] - lags[None, :]].reshape(places.size, -1)
    return vectors.T @ (change[places][:, None] * vectors)


def _assemble(first_row, corrections, length, width) -> np.ndarray:
    """S from its first block row and the corrections along its diagonals."""
    moments = np.zeros((length, width, length, width))
    moments[0] = first_row.transpose(1, 0, 2)
    blocks = corrections.reshape(length - 1, width, length - 1, width)
    for lag in range(length - 1):
        moments[lag + 1, :, lag + 1 :] = moments[lag, :, lag:-1] + blocks[lag, :, lag:]
    square = moments.reshape(length * width, length * width)
    upper = np.triu(square)
    return upper + np.triu(square, 1).T
