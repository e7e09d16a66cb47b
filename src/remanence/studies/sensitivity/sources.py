"""Where the claims of this study come from."""

PAPER = "Zucchet & Orvieto, NeurIPS 2024 (arXiv 2405.21064)"


def figure(number: int | str) -> str:
    """The paper with the number of one of its figures."""
    return f"{PAPER}, figure {number}"
