"""Where the claims of this study come from."""

DERIVED = "derived"
MARTIN = "Martin, IEEE Trans. Signal Process. 48 (2000) 1164"
IRKA = "Mlinarić, Beattie, Drmač & Gugercin, arXiv 2311.02031 (2023)"
ADAM_ON_MANIFOLDS = "Bécigneul & Ganea, ICLR 2019 (arXiv 1810.00760)"
SENSITIVITY = "Zucchet & Orvieto, NeurIPS 2024 (arXiv 2405.21064)"
