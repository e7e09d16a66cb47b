"""Phrases that the claims of several studies share."""

from collections.abc import Iterable


def listed(values: Iterable[float | int], form: str = "") -> str:
    """The values in format `form`, with commas between them."""
    return ", ".join(format(value, form) for value in values)
