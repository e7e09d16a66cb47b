"""Figures of the Hessians part: spectra and conditions, growth with memory, range of phases."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from remanence.report import (
    LIMIT,
    MEASURED,
    MODEL,
    TEST,
    THEORY,
    TRAINING,
    VALIDATION,
    NamedFigure,
    freeze_layout,
    house_style,
    new_figure,
)
from remanence.report.drawing import legend_above, log_axis
from remanence.studies.drawing import seeds_and_median
from remanence.studies.sensitivity.hessians_growth import Growth
from remanence.studies.sensitivity.hessians_measures import RANK, Conditioning
from remanence.studies.sensitivity.hessians_settings import HessianSettings
from remanence.studies.sensitivity.hessians_teachers import DENSE, DIAGONAL, LRU, S4

_DOTS = 200
"""Teachers that are shown as dots; medians and quartiles are of all."""
_LOOKS = {
    DENSE.name: (LIMIT, "o"),
    DIAGONAL.name: (MODEL, "s"),
    LRU.name: (TRAINING, "^"),
    S4.name: (TEST, "D"),
}


def conditioning_figure(s: HessianSettings, found: Mapping[str, Conditioning]) -> NamedFigure:
    """Spectra and condition numbers before and after Jacobi preconditioning; participation."""
    with house_style():
        figure = new_figure(6.6)
        axes = figure.subplot_mosaic("aaabbb;ccddee", height_ratios=(1.15, 1))
        for name, one in found.items():
            _spectrum(axes["a"], one.spectrum, name)
            _spectrum(axes["b"], one.scaled_spectrum, name)
        for ax, title in ((axes["a"], "Spectrum of H"), (axes["b"], "After Jacobi")):
            ax.set_title(title)
            ax.set_xlabel(f"eigenvalue, of {RANK} that are not zero")
            ax.set_ylabel("eigenvalue")
            ax.set_xticks(range(1, RANK + 1))
        _strip(axes["c"], {n: one.condition for n, one in found.items()}, s)
        axes["c"].set_title("Condition λ₁/λ₉ of H")
        _strip(axes["d"], {n: one.scaled_condition for n, one in found.items()}, s)
        axes["d"].set_title("λ₁/λ₉ after Jacobi")
        _strip(axes["e"], {n: one.participation for n, one in found.items()}, s, log=False)
        axes["e"].set_title("Participation ratio")
        axes["e"].axhline(2, color=THEORY, linestyle="--", linewidth=1.2, label="least of a pair")
        axes["e"].set_ylabel("parameters, of 25 or 29")
        for key in "cd":
            axes[key].set_ylabel("condition number")
        legend_above(figure, [axes["a"], axes["e"]])
        freeze_layout(figure)
    return NamedFigure(
        "hessians-conditioning",
        figure,
        f"The same {s.teachers} teachers of order 4 in four parametrisations, Hessian of the "
        f"expected loss over {s.horizon} steps at a perfect fit. Before preconditioning the "
        "spectra overlap; after it the dense one keeps small eigenvalues and the diagonal ones "
        "hardly differ between teachers. Lines and bars: medians; bands: quartiles; dots: "
        f"{min(s.teachers, _DOTS)} teachers. Participation ratio: mean of the 4 "
        "leading eigenvectors; dashed: the least for one that holds an eigenvalue and its "
        "conjugate alike, as all of the complex diagonal do.",
    )


def _spectrum(ax: Axes, values: np.ndarray, name: str) -> None:
    colour, marker = _LOOKS[name]
    index = np.arange(1, values.shape[1] + 1)
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75], axis=0)
    ax.fill_between(index, low, high, color=colour, alpha=0.13, linewidth=0)
    ax.plot(index, middle, color=colour, marker=marker, markersize=4.5, label=name)
    old = ax.get_ylim() if ax.get_yscale() == "log" else (np.inf, 0.0)
    log_axis(ax.yaxis, (min(old[0], low.min() / 2), max(old[1], 2 * high.max())))


def _strip(
    ax: Axes, values: Mapping[str, np.ndarray], s: HessianSettings, *, log: bool = True
) -> None:
    rng = np.random.default_rng(s.seed)
    for place, (name, column) in enumerate(values.items()):
        colour, _ = _LOOKS[name]
        seen = column[:_DOTS]
        across = place + rng.uniform(-0.24, 0.24, seen.size)
        ax.plot(across, seen, ".", color=colour, alpha=0.3, markersize=4, markeredgewidth=0)
        ax.hlines(np.median(column), place - 0.36, place + 0.36, color=colour, linewidth=2.4)
    short = {DENSE.name: "dense", DIAGONAL.name: "complex", LRU.name: "LRU", S4.name: "S4-like"}
    ax.set_xticks(range(len(values)), [short[name] for name in values])
    ax.grid(visible=False, axis="x")
    every = np.concatenate(list(values.values()))
    if log:
        log_axis(ax.yaxis, (every.min() / 2, 2 * every.max()))
    else:
        ax.set_ylim(0, 1.05 * every.max())


def growth_figure(s: HessianSettings, growth: Growth) -> NamedFigure:
    """Curvature against 1 − |λ|: in the eigenbasis, and entry by entry."""
    x = growth.shortfalls
    groups = (
        ("p = q", growth.same, LIMIT, "o"),
        ("|λ_p − λ_q| ≈ ε", growth.near, VALIDATION, "^"),
        ("|λ_p − λ_q| = O(1)", growth.far, MODEL, "s"),
    )
    with house_style():
        figure = new_figure(4.0)
        left, right = figure.subplots(1, 2)
        fine = np.sort(x)
        order = np.argsort(x)
        for name, where, colour, marker in groups:
            for i, measured in enumerate(growth.curvature[:, 0][:, where].T):
                label = name if i == 0 else None
                left.plot(x, measured, marker, color=colour, markersize=4.5, label=label)
            logs = np.round(np.log(growth.expected[order][:, where]), 6)
            for line in np.unique(logs, axis=1).T:
                left.plot(
                    fine, np.exp(line), color=THEORY, linestyle="--", linewidth=0.9, zorder=1
                )
        left.plot([], [], color=THEORY, linestyle="--", linewidth=0.9, label="Σ_n |f_n(p, q)|²")
        log_axis(left.yaxis, (growth.curvature.min() / 3, 3 * growth.curvature.max()))
        left.set_title("Directions V E_pq V⁻¹ of dA")
        left.set_ylabel("curvature / |ĉ_p b̂_q|²")
        entries = growth.entries.reshape(x.size, -1)
        seeds_and_median(right, x, entries, MEASURED, "every ∂²L/∂A_jk²")
        anchor = np.median(entries[order[-1]]) / 3
        right.plot(
            fine,
            anchor * (fine[-1] / fine) ** 3,
            color=THEORY,
            linestyle=":",
            linewidth=1.4,
            label="∝ ε⁻³",
        )
        log_axis(right.yaxis, (entries.min() / 3, 3 * entries.max()))
        right.set_title("Entries of A")
        right.set_ylabel("∂²L/∂A_jk²")
        for ax in (left, right):
            log_axis(ax.xaxis, (x.min() / 1.5, 1.5 * x.max()))
            ax.set_xlabel("ε = 1 − |λ|")
        legend_above(figure, [left, right])
        freeze_layout(figure)
    return NamedFigure(
        "hessians-growth",
        figure,
        "Left: along directions of the eigenbasis only p = q and neighbouring eigenvalues have "
        "the curvature ε⁻³ of the curse of memory, the others ε⁻¹; dashed, the closed form of "
        "each direction. Right: every entry of A mixes them and has ε⁻³ (dotted, shifted down "
        "for sight). All directions of one system (left; the others coincide with it) and all "
        f"entries (right, faint, with their median) of {s.growth_draws} random systems of order "
        "6; white input, T = ∞.",
    )


def table_rows(found: Mapping[str, Conditioning]) -> dict[str, np.ndarray]:
    """Every teacher's measures, one row per teacher and student."""
    counts = [one.rank.size for one in found.values()]
    columns = ("rank", "largest", "condition", "scaled_condition", "participation")
    table = {
        "student": np.repeat(np.array(list(found)), counts),
        "teacher": np.concatenate([np.arange(count) for count in counts]),
    }
    for name in (*columns, "off_diagonal"):
        table[name] = np.concatenate([getattr(one, name) for one in found.values()])
    table["scaled_largest"] = np.concatenate([one.scaled_spectrum[:, 0] for one in found.values()])
    return table


def summary_rows(rows: Mapping[str, np.ndarray], names: Sequence[str]) -> dict[str, np.ndarray]:
    """Quartiles of every measure of `table_rows`, one row per student."""
    table: dict[str, np.ndarray] = {"student": np.array(names)}
    for measure, column in rows.items():
        if measure in ("student", "teacher"):
            continue
        quartiles = [
            np.quantile(column[rows["student"] == name], [0.25, 0.5, 0.75]) for name in names
        ]
        for place, suffix in enumerate(("lower_quartile", "median", "upper_quartile")):
            table[f"{measure}_{suffix}"] = np.array([values[place] for values in quartiles])
    return table
