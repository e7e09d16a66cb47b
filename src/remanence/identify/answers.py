"""The three answers of a fit as sections of its report, each with its figures and tables."""

import math

import numpy as np

from remanence.identify.measure import FitResult
from remanence.identify.story import duration
from remanence.report import (
    NamedFigure,
    Section,
    Table,
    eigenvalue_figure,
    extrapolation_figure,
    hankel_figure,
    impulse_response_figure,
    length_figure,
)

SHARE_LABEL = "unexplained share of variance, 1 − R²"
_LAGS_SHOWN = 2.5


def memory_section(result: FitResult) -> Section:
    """What it remembers: impulse response, eigenvalues, modes."""
    run, data, found = result.run, result.data, result.memory
    shown = int(min(len(result.response), max(_LAGS_SHOWN * run.length, 1.2 * found.horizon)))
    pairs = len(data.input_names) * len(data.output_names)
    modes = tuple(
        (
            f"{value.real:.4f}" + (f" ± {value.imag:.4f}i" if value.imag else ""),
            float(abs(value)),
            float(in_time(result, constant)) if math.isfinite(constant) else None,
            float(in_time(result, 2 * np.pi / abs(np.angle(value)))) if value.imag else None,
        )
        for value, constant in zip(found.eigenvalues, found.time_constants, strict=True)
        if value.imag >= 0
    )
    return Section(
        title="What it remembers",
        text=(
            f"The impulse response g_j = C A^j B says how much an input still matters j steps "
            f"later. {_energy(result)} Inputs and outputs are in units of their standard "
            "deviation over the training part."
        ),
        figures=(
            NamedFigure(
                "impulse-response",
                impulse_response_figure(
                    in_time(result, np.arange(shown).astype(float)),
                    result.response[:shown],
                    estimate=run.regression.estimate,
                    training_length=float(in_time(result, run.length)),
                    input_names=data.input_names,
                    output_names=data.output_names,
                    lag_label=f"lag ({time_unit(result)})",
                    response_label="response (standard deviations)",
                    horizons=[float(in_time(result, h)) for h in found.input_horizons],
                ),
                "Impulse response of the model handed over, against the ridge least-squares "
                f"estimate on the training windows. Beyond the training length of "
                f"{duration(result, run.length)} nothing was fitted: there the line is the "
                "model's own extrapolation."
                + (" The six pairs with the most energy are shown." if pairs > 6 else ""),
            ),
            NamedFigure(
                "eigenvalues",
                eigenvalue_figure(
                    found.eigenvalues,
                    all_eigenvalues=np.linalg.eigvals(run.best.A),
                    unit_label="steps",
                ),
                "Eigenvalues of A in the unit disc: the model handed over, and the "
                f"{result.settings.state_dimension}-dimensional student it was cut from.",
            ),
        ),
        tables=(
            Table(
                caption="Modes, slowest first",
                columns=(
                    "eigenvalue",
                    "modulus",
                    f"time constant ({time_unit(result)})",
                    f"period ({time_unit(result)})",
                ),
                rows=modes,
                formats=("", ".5f", ",.4g", ",.4g"),
            ),
            Table(
                caption="Memory of each input: lags that hold 95 % of its response's energy",
                columns=("input", f"memory ({time_unit(result)})"),
                rows=tuple(
                    (name, float(in_time(result, horizon)))
                    for name, horizon in zip(data.input_names, found.input_horizons, strict=True)
                ),
                formats=("", ",.4g"),
            ),
        ),
    )


def _energy(result: FitResult) -> str:
    found = result.memory
    if not result.stable:
        return "It grows without bound: lags that hold a share of it count this record only."
    return (
        f"95 % of its energy lies within {duration(result, found.horizon)}, half of it within "
        f"{duration(result, found.half_lag)}."
    )


def extrapolation_section(result: FitResult) -> Section:
    """How far it extrapolates: error by position, and against the training length."""
    run, found = result.run, result.extrapolation
    same = [r for r in result.runs if r.optimizer == run.optimizer]
    curves = {r.length: found.shares_by_length[r.length] for r in same} | {
        run.length: found.shares
    }
    multiples = tuple(
        (f"{m}×", int(m * run.length), None if math.isnan(s) else 1 - float(s))
        for m, s in zip(found.multiples, found.multiple_shares, strict=True)
    )
    lengths = tuple(
        (
            r.length,
            r.optimizer,
            1 - float(np.median(r.validation_window)),
            shown_r2(float(np.median(r.validation_carried))),
            float(np.median(r.spectral_radius)),
            f"{int((r.spectral_radius >= 1).sum())} of {len(r.spectral_radius)}",
            shown_r2(r.best_share),
        )
        for r in result.runs
    )
    return Section(
        title="How far it extrapolates",
        text=(
            "A simulation starts with its state at zero and carries it; its error is read at "
            f"growing positions. The same {found.targets:,} test outputs are scored at every "
            f"position: those with at least {duration(result, found.reach)} of history. Shares "
            "are of the variance of the whole test part, averaged over outputs.\n\n"
            f"{result.certificate.summary()}"
        ),
        figures=(
            NamedFigure(
                "extrapolation",
                extrapolation_figure(
                    found.ages,
                    curves,
                    chosen=run.length,
                    age_label="position in the simulation (steps)",
                    error_label=SHARE_LABEL,
                ),
                f"Test error against position, out to {found.reach / run.length:.3g}× the chosen "
                f"training length. The chosen line ({run.length} steps) is the model handed over; "
                "the others are students at the end of training (median over seeds).",
            ),
            NamedFigure(
                "training-length",
                length_figure(
                    np.array([r.length for r in same]),
                    np.array([np.median(r.validation_window) for r in same]),
                    np.array([np.median(r.validation_carried) for r in same]),
                    chosen=run.length,
                    error_label=SHARE_LABEL,
                ),
                "Where extrapolation begins: validation error of students at the end of training, "
                "in windows of their training length and in one simulation of the whole record "
                f"(median over seeds, optimizer {run.optimizer}).",
            ),
        ),
        tables=(
            Table(
                caption="What the certificate rests on",
                columns=("assumption", "status", "detail"),
                rows=tuple(
                    (a.statement, a.status, a.detail) for a in result.certificate.assumptions
                ),
            ),
            Table(
                caption="Test R² of the model handed over, at multiples of its training length",
                columns=("multiple", "position (steps)", "R²"),
                rows=multiples,
                formats=("", ",d", ".4f"),
            ),
            Table(
                caption=(
                    "Every training length and optimizer, medians over seeds on the validation "
                    "part; radius: spectral radius; best: whole record, best student of the last "
                    "two decades of steps"
                ),
                columns=(
                    "length (steps)",
                    "optimizer",
                    "R² windows",
                    "R² whole record",
                    "radius",
                    "unstable",
                    "best R²",
                ),
                rows=lengths,
                formats=("d", "", ".4f", ".4f", ".4f", "", ".4f"),
            ),
        ),
    )


def dimension_section(result: FitResult) -> Section:
    """How small it is: the staircase of Hankel values and the order chosen."""
    run = result.run
    values = result.hankel
    orders = tuple(
        (int(n), float(values[n - 1]) if n <= len(values) else None, shown_r2(float(share)))
        for n, share in result.order_shares.items()
    )
    return Section(
        title="How small it is",
        text=(
            "From near zero, training adds one direction after another: the Hankel singular "
            f"values rise as a staircase. {_choice(result)} {_cut(result)}"
        ),
        figures=(
            NamedFigure(
                "hankel",
                hankel_figure(
                    run.trajectory.steps,
                    run.hankel,
                    values,
                    order=result.system.order,
                    chosen_step=int(run.trajectory.steps[run.best_record]),
                ),
                f"Singular values of the Hankel matrix of the first {run.length} Markov "
                "parameters during training (left) and the Hankel singular values of the student "
                "that was cut (right).",
            ),
        ),
        tables=(
            Table(
                caption="Order against validation error",
                columns=("order", "Hankel singular value", "R² whole record, validation"),
                rows=orders,
                formats=("d", ".3g", ".4f"),
            ),
        ),
    )


def time_unit(result: FitResult) -> str:
    """The unit of times in figures: the recording's, or steps."""
    return result.data.step_unit or "steps"


def in_time(result: FitResult, steps):
    """Steps in the unit of `time_unit`."""
    return steps * (result.data.step if result.data.step and result.data.step_unit else 1)


def shown_r2(share: float) -> float | str:
    """R² for a table, or the word for an infinite share."""
    return 1 - share if math.isfinite(share) else "explodes"


def _choice(result: FitResult) -> str:
    if result.settings.order is not None:
        return f"The order was fixed: {result.settings.order} was asked for."
    return (
        "The order is the smallest whose whole-record validation error is within 3 % of the best."
    )


def _cut(result: FitResult) -> str:
    if float(np.abs(np.linalg.eigvals(result.run.best.A)).max()) >= 1:
        return (
            "The student is unstable and has no Hankel singular values; the model was realised "
            f"from its response over {result.run.length} lags (Ho-Kalman), without an error bound."
        )
    bound = 2 * float(result.hankel[result.system.order :].sum())
    return (
        "Balanced truncation makes the cut, with error at most twice the sum of the values left "
        f"out: {bound:.3g} here, in units of standard deviations."
    )
