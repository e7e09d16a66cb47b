"""How a long computation says how far it is, without knowing who listens."""

import abc
import math
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Protocol, cast, runtime_checkable

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn


class AbstractProgress(abc.ABC):
    """A listener for progress; a context manager that puts the terminal back when it ends.

    `update` may be called from several threads.
    """

    @abc.abstractmethod
    def update(self, fraction: float | int, text: str = "") -> None:
        """Say that `fraction` (0 to 1) of the work is done, and what is being done now."""

    @abc.abstractmethod
    def close(self) -> None:
        """Stop showing progress; later updates do nothing."""

    def __enter__(self) -> "AbstractProgress":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class SilentProgress(AbstractProgress):
    """Says nothing."""

    def update(self, fraction: float | int, text: str = "") -> None:
        pass

    def close(self) -> None:
        pass


class PartialProgress(AbstractProgress):
    """Passes on one stretch of a longer piece of work: its 0 to 1 is `start` to `stop` outside."""

    def __init__(
        self, whole: AbstractProgress, *, start: float | int, stop: float | int, prefix: str = ""
    ) -> None:
        self._whole = whole
        self._start, self._stop, self._prefix = start, stop, prefix

    def update(self, fraction: float | int, text: str = "") -> None:
        inside = _share(fraction, otherwise=0.0)
        self._whole.update(self._start + inside * (self._stop - self._start), self._prefix + text)

    def close(self) -> None:
        """Leaves the whole running: only whoever opened it may close it."""


@runtime_checkable
class TextStream(Protocol):
    """Where progress is written: standard error, an open file, an `io.StringIO`."""

    def write(self, text: str, /) -> object: ...

    def flush(self) -> object: ...

    def isatty(self) -> bool: ...


class ConsoleProgress(AbstractProgress):
    """A bar where `stream` (standard error) is a terminal; else a line every few seconds.

    The first and the last update always get their line, so a log shows that work began and ended.
    """

    def __init__(
        self,
        *,
        stream: TextStream | None = None,
        interval: float | int = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream: TextStream = sys.stderr if stream is None else stream
        self._interval, self._clock = interval, clock
        self._lock = threading.Lock()
        self._fraction = 0.0
        self._last_line: float | None = None
        self._finished = self._closed = False
        self._bar: Progress | None = None
        if self._stream.isatty():
            self._bar = Progress(
                BarColumn(bar_width=30),
                TaskProgressColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.description}", markup=False),
                console=Console(file=cast(IO[str], self._stream)),
                transient=True,
            )
            self._task = self._bar.add_task("", total=1.0)

    def update(self, fraction: float | int, text: str = "") -> None:
        with self._lock:
            if self._closed:
                return
            self._fraction = _share(fraction, otherwise=self._fraction)
            if self._bar is not None:
                # Started late, so that a program which fails at once never draws an empty bar.
                self._bar.start()
                self._bar.update(self._task, completed=self._fraction, description=text)
            else:
                self._write_line(text)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._bar is not None:
                self._bar.stop()

    def _write_line(self, text: str) -> None:
        now = self._clock()
        ended = self._fraction >= 1.0 and not self._finished
        due = self._last_line is None or now - self._last_line >= self._interval
        if ended or (due and not self._finished):
            self._finished = self._fraction >= 1.0
            self._last_line = now
            self._stream.write(f"{self._fraction:4.0%}  {text}".rstrip() + "\n")
            self._stream.flush()


def _share(fraction: float | int, *, otherwise: float) -> float:
    return otherwise if math.isnan(fraction) else min(max(float(fraction), 0.0), 1.0)
