"""Parsing helpers: every mistake becomes one line and exit status 2."""

import argparse
import sys
from typing import NoReturn

from remanence.errors import RemanenceError, nearest_name


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line that names the nearest known option."""

    def error(self, message: str) -> NoReturn:
        print(f"error: {message} (see {self.prog} --help)", file=sys.stderr)
        raise SystemExit(2)

    def refuse(self, extra: list[str]) -> NoReturn:
        """The error for arguments that no option takes."""
        known = [name for action in self._actions for name in action.option_strings]
        self.error(f"unknown argument {extra[0]!r}{nearest_name(extra[0], known)}")


def names(text: str) -> tuple[str, ...]:
    """`a,b` to ("a", "b")."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def lengths(text: str) -> tuple[int, ...]:
    """`auto`, `72` or `24,72,240` to a tuple; auto is the empty one."""
    if text == "auto":
        return ()
    return tuple(_integer("--length", part) for part in text.split(","))


def order(text: str) -> int | None:
    """`auto` or an integer."""
    return None if text == "auto" else _integer("--order", text)


def step_size(text: str) -> float | None:
    """`auto` or a number."""
    return None if text == "auto" else _number("--step-size", text)


def whitening(text: str) -> float:
    """`none` (plain mean squared error) or a number."""
    return float("inf") if text == "none" else _number("--whitening", text)


def folder(text: str | None, default: str) -> str:
    """The folder of `--out`, or the default where the option is not given."""
    if text == "":
        raise RemanenceError("--out: is empty; name a folder")
    return default if text is None else text


def _integer(option: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise RemanenceError(f"{option}: {text!r} is not a whole number") from None


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise RemanenceError(f"{option}: {text!r} is not a number") from None
