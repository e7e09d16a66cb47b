"""Where the claims of this study come from."""

PAPER = "Cohen-Karlik et al., ICLR 2023 (arXiv 2210.14064)"
KEMPF_NESS = "derived: conserved balancedness and Kempf-Ness"
