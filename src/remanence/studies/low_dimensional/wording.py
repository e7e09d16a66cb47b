"""Phrases that the claims of several parts share."""

from collections.abc import Iterable

PAPER = "Cohen-Karlik et al., ICLR 2023 (arXiv 2210.14064)"
KEMPF_NESS = "derived: conserved balancedness and Kempf-Ness"


def listed(values: Iterable[float | int], form: str = "") -> str:
    """The values in format `form`, with commas between them."""
    return ", ".join(format(value, form) for value in values)
