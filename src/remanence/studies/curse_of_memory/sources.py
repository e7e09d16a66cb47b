"""Where the claims of this study come from."""

PAPER = "Li, Han, E & Li, ICLR 2021 (arXiv 2009.07799)"
"""The curse of memory in approximation and optimisation; cited as recalled, not quoted:
its text was not at hand."""

INVERSE = "Wang, Li & Li, ICLR 2024 (inverse approximation theory for nonlinear RNNs)"
STABLE_SSM = "Wang & Li, ICML 2024 (arXiv 2311.14495)"
LONG_SSM = "LongSSM (arXiv 2406.02080)"
HIPPO = "Gu et al., HiPPO, NeurIPS 2020"
DERIVED = "derived"

RECALLED = f"{PAPER}, recalled"
EARLIER = "derived, and measured by us on a prototype before this study"
"""Numbers that were fixed as criteria before this run, from an earlier program of ours."""
