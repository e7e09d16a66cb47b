"""Learn a low-dimensional state space from recorded sequences: the whole way."""

import concurrent.futures
import os
import threading
from collections.abc import Callable

import jax

from remanence.errors import DataError
from remanence.files import Recording
from remanence.identify.choose import choose_order, simplest
from remanence.identify.evaluate import FEWEST_TARGETS, gather
from remanence.identify.learn import LengthRun, learn
from remanence.identify.measure import FitResult, measure
from remanence.identify.preparation import PARTS, Prepared, prepare
from remanence.identify.settings import FitSettings

_SHORTEST_AUTO = 12
_LONGEST_AUTO = 192
_FEWEST_WINDOWS_PER_LAG = 1.5
# In standard deviations of the training part.
_STILL = 1e-9


def fit(
    recording: Recording,
    settings: FitSettings | None = None,
    *,
    on_progress: Callable[[float, str], None] | None = None,
) -> FitResult:
    """Learn a low-dimensional linear state space from `recording`.

    For every training length: window moments, a whitened quadratic loss, an ensemble of
    overparameterised linear RNNs trained from near zero. The student and the length are chosen by
    the error of long simulations on the validation part; the student is cut by balanced truncation
    to the smallest order that costs no more than 3 % of that error. The test part is read once,
    for the numbers reported. Everything is float64, whatever JAX's global setting.

    Raises `DataError` where the data cannot carry the fit, `NumericalError` where a step size
    given by the user diverges. Equations: `window_moments`, `regression`, `ImpulseResponseLoss`.
    """
    with jax.enable_x64(True):
        return _fit(recording, settings or FitSettings(), on_progress)


def _fit(recording, settings, on_progress) -> FitResult:
    data = prepare(recording, settings)
    lengths = settings.length or automatic_lengths(data)
    _check_lengths(data, lengths)
    _check_parts(data)
    runs = _learn_all(data, lengths, settings, on_progress)
    run = runs[simplest([r.best_share for r in runs])]
    system, hankel, order_shares = choose_order(data, run, settings.order)
    if on_progress is not None:
        on_progress(0.95, "measuring the test part")
    return measure(data, settings, runs, run, system, hankel, order_shares)


def automatic_lengths(data: Prepared) -> tuple[int, ...]:
    """12, 24, 48, … steps, as far as the training part has windows enough for the lags."""
    lengths = []
    length = _SHORTEST_AUTO
    while length <= _LONGEST_AUTO:
        if _windows(data, length) < max(_FEWEST_WINDOWS_PER_LAG * length, 30):
            break
        lengths.append(length)
        length *= 2
    if not lengths:
        raise DataError(
            f"too few training windows: the longest sequence has {data.longest} steps, of which "
            f"{data.count('train')} targets train; give more data or a shorter --length"
        )
    return tuple(lengths)


def _windows(data: Prepared, length: int) -> int:
    return sum(int(mask[length - 1 :].sum()) for mask in data.parts["train"])


def _check_lengths(data: Prepared, lengths) -> None:
    for length in lengths:
        if length > data.longest:
            raise DataError(
                f"--length {length}: the longest sequence has only {data.longest} steps; "
                "use a shorter training length"
            )
        if _windows(data, length) < 2:
            raise DataError(
                f"--length {length}: no training window fits before the training part ends "
                f"({data.count('train')} targets in it); use a shorter training length"
            )


def _check_parts(data: Prepared) -> None:
    """Errors of fewer than 30 outputs, or of outputs that stand still, choose nothing."""
    for part in PARTS:
        if data.count(part) < FEWEST_TARGETS:
            raise DataError(
                f"the {part} part has {data.count(part)} outputs, at least {FEWEST_TARGETS} are "
                "needed to tell models apart; give more data or another --split"
            )
        spread = gather(data.outputs, data.parts[part]).std(axis=0)
        for name, deviation in zip(data.output_names, spread, strict=True):
            if not deviation > _STILL:
                raise DataError(
                    f"column {name!r} does not vary over the {part} part, so no error can be "
                    "measured there; use another --split"
                )


def _learn_all(data, lengths, settings, on_progress) -> tuple[LengthRun, ...]:
    """Every length with every optimizer, one thread a core: XLA and NumPy release the lock.

    In the order of increasing length, and at one length in the order of the optimizers: what
    `simplest` prefers.
    """
    jobs = [(length, optimizer) for length in sorted(lengths) for optimizer in settings.optimizers]
    done = dict.fromkeys(jobs, 0.0)
    lock = threading.Lock()
    cancelled = threading.Event()

    def work(job: tuple[int, str]) -> LengthRun:
        length, optimizer = job

        def on_share(share: float) -> None:
            if cancelled.is_set():
                raise concurrent.futures.CancelledError
            if on_progress is None:
                return
            with lock:
                done[job] = share
                total = sum(k * done[k, o] for k, o in jobs) / sum(k for k, _ in jobs)
                on_progress(0.95 * total, f"training on windows of {length} steps ({optimizer})")

        # JAX's settings belong to a thread: a new one starts from the global ones.
        with jax.enable_x64(True):
            return learn(data, length, optimizer, settings, on_progress=on_share)

    with concurrent.futures.ThreadPoolExecutor(min(len(jobs), os.cpu_count() or 1)) as pool:
        # The longest windows take longest: they start first.
        futures = {job: pool.submit(work, job) for job in reversed(jobs)}
        try:
            for future in concurrent.futures.as_completed(futures.values()):
                future.result()
        except BaseException:
            cancelled.set()
            for future in futures.values():
                future.cancel()
            raise
    return tuple(futures[job].result() for job in jobs)
