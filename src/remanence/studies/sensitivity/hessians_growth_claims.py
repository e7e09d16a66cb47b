"""The growth of the curvature with memory (S5e): criterion and measurement in words."""

import numpy as np

from remanence.studies.contract import Claim, verdict
from remanence.studies.sensitivity.hessians_growth import Growth
from remanence.studies.sensitivity.hessians_settings import HessianSettings

_SLOPE = 0.05


def growth_claim(s: HessianSettings, growth: Growth) -> Claim:
    """S5e: which directions of A carry the curse of memory."""
    slopes = growth.slopes(growth.curvature)
    groups = {"p = q": (growth.same, -3), "|λ_p − λ_q| ≈ ε": (growth.near, -3)}
    groups["|λ_p − λ_q| = O(1)"] = (growth.far, -1)
    entries = growth.slopes(growth.entries)
    off = [np.max(np.abs(slopes[:, where] - slope)) for where, slope in groups.values()]
    told = "; ".join(
        f"{name} {np.min(slopes[:, where]):.3f} to {np.max(slopes[:, where]):.3f}"
        for name, (where, _) in groups.items()
    )
    error = np.max(np.abs(growth.curvature / growth.expected[:, None] - 1))
    return Claim(
        id="S5e",
        statement=(
            "In the eigenbasis of a dense A only directions p = q, and neighbours, have "
            "curvature of order ε⁻³, ε = 1 − |λ|; others have ε⁻¹. Entries of A mix them: all "
            "have ε⁻³."
        ),
        source="derived",
        expected=(
            f"slopes of log curvature against log ε within {_SLOPE:g} of −3 (p = q and "
            f"|λ_p − λ_q| ≈ ε), −1 (O(1)) and −3 (every ∂²L/∂A_jk²)"
        ),
        measured=(
            f"least squares over ε = {s.shortfalls[0]:g} … {s.shortfalls[-1]:g}, least to "
            f"largest over all directions of {s.growth_draws} systems of order 6: {told}; "
            f"entries {np.min(entries):.3f} to {np.max(entries):.3f}. Curvature over "
            f"Σ_n |f_n(p, q)|² |ĉ_p b̂_q|²: off by at most {error:.0e}"
        ),
        verdict=verdict(max(*off, np.max(np.abs(entries + 3))) <= _SLOPE),
        note=(
            "A is normal here (random rotations): otherwise rounding, 1e-16 cond(V)⁴ of the "
            "largest curvature, hides ε⁻¹ beside ε⁻³ from ε = 1e-3 on."
        ),
    )
