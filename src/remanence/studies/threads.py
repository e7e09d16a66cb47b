"""Independent work in threads (XLA releases Python's lock), with progress and a quick end."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from typing import TypeVar

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


def in_threads(
    work: Callable[[_Job, Callable[[float], None]], _Result],
    jobs: Sequence[_Job],
    *,
    weights: Sequence[float | int],
    workers: int,
    on_progress: Callable[[float, _Job], None],
) -> list[_Result]:
    """`work(job, heard)` for every job, `workers` at a time; the results in the jobs' order.

    A job says how far it is by `heard(share)`; `on_progress(total, job)` then hears the share of
    all, by `weights`. A failure or an interrupt ends the other jobs at their next `heard`.
    """
    shares = [0.0] * len(jobs)
    stop = threading.Event()
    lock = threading.Lock()

    def one(index: int) -> _Result:
        def heard(share: float) -> None:
            if stop.is_set():
                raise CancelledError
            with lock:
                shares[index] = share * weights[index]
                on_progress(sum(shares) / sum(weights), jobs[index])

        return work(jobs[index], heard)

    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(one, index) for index in range(len(jobs))]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [future.result() for future in futures]
