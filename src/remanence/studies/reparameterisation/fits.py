"""Exponential sums with readouts that are not negative, fitted to the study's kernels.

The kernels, `(1 + s t)^(−p)` and `0.9^t`, are completely monotone: mixtures of decaying
exponentials with positive weights. So are these fits, and their readouts stay bounded.
"""

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy.optimize import least_squares, minimize_scalar, nnls

FASTEST = 1.9
"""The largest |λ| of a fit: the map best with b = ½ reaches no rate beyond 2."""

SLOWEST = 1e-4
_FIRST_RATES = (0.1, 1.0)
_EVALUATIONS = 60


@dataclasses.dataclass(frozen=True)
class ExponentialSum:
    """`Σ_i c_i e^{λ_i t}` with `rates` λ < 0 and `readouts` c > 0; `width` modes were offered.

    Modes that no readout falls to are left out.
    """

    width: int
    rates: Float[np.ndarray, " modes"]
    readouts: Float[np.ndarray, " modes"]

    def __call__(self, times: Float[np.ndarray, " times"]) -> Float[np.ndarray, " times"]:
        return np.exp(times[:, None] * self.rates[None]) @ self.readouts


def free_fit(
    times: Float[np.ndarray, " times"], target: Float[np.ndarray, " times"], width: int
) -> ExponentialSum:
    """Least squares over rates and readouts; the rates start geometric from 1 to 0.1."""

    def readouts(log_rates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        table = np.exp(-np.exp(log_rates)[None] * times[:, None])
        return table, nnls(table, target)[0]

    def residual(log_rates: np.ndarray) -> np.ndarray:
        table, found = readouts(log_rates)
        return table @ found - target

    start = np.log(np.geomspace(_FIRST_RATES[1], _FIRST_RATES[0], width))
    bounds = (np.log(SLOWEST), np.log(FASTEST))
    best = least_squares(residual, start, bounds=bounds, max_nfev=_EVALUATIONS, xtol=1e-10)
    return _in_use(width, -np.exp(best.x), readouts(best.x)[1])


def long_fit(width: int, exponent: float, horizon: float) -> ExponentialSum:
    """`(1 + t)^(−p)` on `[0, horizon]` by geometric rates from `FASTEST` down to the best slowest.

    Residuals at times even in log t are weighted by t, so that each decade counts as much as it
    does in the L¹ norm.
    """
    times = np.concatenate([[0.0], np.geomspace(1e-2, horizon, 240)])
    weights = np.maximum(times, 1e-2)
    target = weights * (1 + times) ** -exponent

    def fitted(log_slowest: float) -> tuple[np.ndarray, np.ndarray, float]:
        rates = -np.geomspace(FASTEST, np.exp(log_slowest), width)
        table = weights[:, None] * np.exp(times[:, None] * rates[None])
        found, rest = nnls(table, target, maxiter=100 * width)
        return rates, found, float(rest)

    bounds = (np.log(0.1 / horizon), np.log(0.5))
    # The best slowest rate falls with the width: a bracket on a grid, then a search inside it.
    grid = np.linspace(*bounds, 24)
    place = int(np.argmin([fitted(x)[2] for x in grid]))
    inside = (grid[max(place - 1, 0)], grid[min(place + 1, grid.size - 1)])
    best = minimize_scalar(
        lambda x: fitted(x)[2], bounds=inside, method="bounded", options={"xatol": 1e-2}
    )
    rates, found, _ = fitted(float(best.x))  # pyright: ignore[reportAttributeAccessIssue]
    return _in_use(width, rates, found)


def _in_use(width: int, rates: np.ndarray, readouts: np.ndarray) -> ExponentialSum:
    kept = readouts > 1e-12 * readouts.max()
    return ExponentialSum(width, rates[kept], readouts[kept])
