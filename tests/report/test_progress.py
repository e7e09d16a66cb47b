"""Progress: plain lines in a log, a bar on a terminal, silence where asked."""

import io
import threading

from remanence.report import ConsoleProgress, PartialProgress, SilentProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_the_first_the_last_and_a_line_now_and_then():
    now, log = [0.0], io.StringIO()
    with ConsoleProgress(stream=log, interval=5, clock=lambda: now[0]) as progress:
        for step in range(101):
            now[0] = step / 10
            progress.update(step / 100, f"step {step}")
        progress.update(1.0, "again")
    assert log.getvalue().splitlines() == [
        "  0%  step 0",
        " 50%  step 50",
        "100%  step 100",
    ]


def test_odd_fractions():
    log = io.StringIO()
    with ConsoleProgress(stream=log, interval=0) as progress:
        for fraction in (-1.0, 0.5, float("nan"), 7):
            progress.update(fraction)
    progress.update(0.3, "after the end")
    assert log.getvalue().split() == ["0%", "50%", "50%", "100%"]


def test_a_terminal_gets_a_bar_and_its_text_as_it_is():
    screen = Terminal()
    with ConsoleProgress(stream=screen) as progress:
        progress.update(0.5, "[red]length 96[/red]")
    assert "50%" in screen.getvalue()


def test_part_of_a_whole():
    log = io.StringIO()
    with ConsoleProgress(stream=log, interval=0) as whole:
        with PartialProgress(whole, start=0.2, stop=0.4, prefix="length 96: ") as part:
            part.update(0.5, "training")
        whole.update(0.6)
    assert log.getvalue().splitlines() == [" 30%  length 96: training", " 60%"]


def test_threads_write_whole_lines():
    log = io.StringIO()
    with ConsoleProgress(stream=log, interval=0) as progress:
        workers = [
            threading.Thread(target=lambda: [progress.update(0.5, "x" * 40) for _ in range(50)])
            for _ in range(4)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert set(log.getvalue().splitlines()) == {" 50%  " + "x" * 40}


def test_silence():
    with SilentProgress() as progress:
        progress.update(0.5, "nothing to see")
