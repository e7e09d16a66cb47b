"""Stability moduli and gradient scales of eigenvalue maps: closed forms against brute force."""

import jax.numpy as jnp
import numpy as np

from remanence.layers import rate_map
from remanence.report import AbstractProgress
from remanence.studies.contract import Finding, Part
from remanence.studies.reparameterisation.moduli_claims import (
    SMALL_B_RADIUS,
    Moduli,
    moduli_claims,
)
from remanence.studies.reparameterisation.moduli_figures import (
    moduli_figure,
    readouts_figure,
    scales_figure,
)
from remanence.studies.reparameterisation.moduli_measures import (
    checked_moduli,
    direct_radius,
    gradient_scales,
    moduli,
    ratio_to_parameter,
    readouts,
    vanishing_b,
)
from remanence.studies.reparameterisation.moduli_settings import (
    AT,
    FULL,
    QUICK,
    ModuliSettings,
)


def run_moduli(settings: ModuliSettings, progress: AbstractProgress) -> Finding:
    """Measure F2a to F2e (stability) and F3a to F3d (gradients)."""
    s = settings
    progress.update(0.0, "moduli by brute force")
    forced = moduli(s)
    checked, small_b = checked_moduli(s), vanishing_b(s, SMALL_B_RADIUS)
    progress.update(0.4, "a normal matrix")
    radius = direct_radius(s)
    progress.update(0.5, "gradient scales")
    scales = gradient_scales(s)
    ratios = ratio_to_parameter(s, "best", 2.0)
    mean_square = ratio_to_parameter(s, "mean-square best", 1.5)
    progress.update(0.65, "readouts")
    read = readouts(s)
    found = Moduli(
        forced, checked, small_b, radius, read, scales, ratios, mean_square, scales_at(AT)
    )
    progress.update(0.9, "drawing")
    return Finding(
        title="Stability moduli and gradient scales",
        text=(
            "A map λ = f(w) is stable if a perturbation of w by β changes a mode's impulse "
            "response by at most g(β) in L¹, relative, with g continuous and g(0) = 0. "
            "∫ |e^{λ̃t} − e^{λt}| dt = |1/λ̃ − 1/λ| makes that "
            "g(β) = sup |f(w)/f(w + δ) − 1|. The gradient of a worst-case loss in w is bounded "
            "by |f′|/f² times a constant without f; the best map makes it proportional to |w|. "
            "The definition says nothing of the readouts, and they can undo what it promises."
        ),
        claims=moduli_claims(s, found),
        figures=(moduli_figure(s, found), scales_figure(s, found), readouts_figure(s, found)),
        tables={
            "stability_moduli": _modulus_table(s, found),
            "gradient_scales": _scale_table(found),
            "perturbed_readouts": {
                "width": np.array(read.widths),
                "modes": read.modes,
                "least_rate": read.slowest,
                "raw": read.raw,
                "normalised": read.normalised,
            },
        },
    )


def scales_at(rate: float) -> dict[str, tuple[float, float]]:
    """`|f'|/f²`, and the same over |w|, of each map at |λ| = `rate`."""
    found = {}
    for name in ("direct", "exponential", "softplus", "inverse", "best", "best (code)"):
        f = rate_map(name)
        w = f.inverse(np.array([-rate]))
        slope, value = (float(g(jnp.asarray(w))[0]) for g in (f.derivative, f.forward))
        scale = abs(slope) / value**2
        found[name] = (scale, scale / abs(float(w[0])))
    return found


def _modulus_table(s: ModuliSettings, found: Moduli) -> dict[str, np.ndarray]:
    names = list(found.moduli)
    return {
        "map": np.repeat(names, len(s.radii)),
        "radius": np.tile(np.array(s.radii), len(names)),
        "closed_form": np.concatenate([found.moduli[name].closed for name in names]),
        "brute_force": np.concatenate([found.moduli[name].force for name in names]),
    }


def _scale_table(found: Moduli) -> dict[str, np.ndarray]:
    pairs = np.array(list(found.scales_at.values()))
    return {
        "map": np.array(list(found.scales_at)),
        "scale": pairs[:, 0],
        "scale_over_weight": pairs[:, 1],
    }


MODULI = Part("moduli", run_moduli, {"quick": QUICK, "full": FULL}, weight=4.0)
"""The claims on stability moduli and gradient scales."""
