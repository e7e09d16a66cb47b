"""Where the claims of this study come from."""

PAPER = "Wang & Li, StableSSM, ICML 2024 (arXiv 2311.14495)"
INVERSE = "Wang, Li & Li, ICLR 2024 (arXiv 2305.19190)"
DERIVED = "derived"
PUBLISHED_CODE = "public code of StableSSM and of Curse-of-memory (radarFudan)"


def figure(place: str) -> str:
    """A place in the paper."""
    return f"{PAPER}, {place}"
