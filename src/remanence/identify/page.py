"""The report of a fit: sections that answer the three questions, each with its figure."""

import math

import numpy as np

from remanence.identify.measure import FitResult
from remanence.identify.preparation import PARTS
from remanence.identify.story import duration, headline, notices
from remanence.report import (
    NamedFigure,
    Page,
    Section,
    Table,
    eigenvalue_figure,
    extrapolation_figure,
    hankel_figure,
    impulse_response_figure,
    length_figure,
    simulation_figure,
    trajectory_figure,
)

_SHARE_LABEL = "unexplained share of variance, 1 − R²"
_LAGS_SHOWN = 2.5


def fit_page(result: FitResult) -> Page:
    """The page of `remanence fit`."""
    data = result.data
    return Page(
        title="What " + ", ".join(data.output_names) + " remembers",
        headline=headline(result),
        notices=notices(result),
        sections=(
            _memory(result),
            _extrapolation(result),
            _dimension(result),
            _simulation(result),
            _training(result),
        ),
        facts={
            "Inputs": ", ".join(data.input_names),
            "Outputs": ", ".join(data.output_names),
            "Data": f"{sum(len(x) for x in data.inputs):,} steps, sequences: {len(data.inputs)}",
            "Split": data.split,
            "Seeds": f"{result.settings.seeds} from {result.settings.seed}",
        },
    )


def _unit(result: FitResult) -> str:
    return result.data.step_unit or "steps"


def _time(result: FitResult, steps):
    return steps * (result.data.step if result.data.step and result.data.step_unit else 1)


def _memory(result: FitResult) -> Section:
    run, data, found = result.run, result.data, result.memory
    shown = int(min(len(result.response), max(_LAGS_SHOWN * run.length, 1.2 * found.horizon)))
    modes = tuple(
        (
            f"{value.real:.4f}" + (f" ± {value.imag:.4f}i" if value.imag else ""),
            float(abs(value)),
            float(_time(result, constant)) if math.isfinite(constant) else None,
            float(_time(result, 2 * np.pi / abs(np.angle(value)))) if value.imag else None,
        )
        for value, constant in zip(found.eigenvalues, found.time_constants, strict=True)
        if value.imag >= 0
    )
    return Section(
        title="What it remembers",
        text=(
            f"The impulse response g_j = C A^j B says how much an input still matters j steps "
            f"later. {duration(result, found.horizon)} hold 95 % of its energy, half of it lies "
            f"in {duration(result, found.half_lag)}. Inputs and outputs are in units of their "
            "standard deviation over the training part."
        ),
        figures=(
            NamedFigure(
                "impulse-response",
                impulse_response_figure(
                    _time(result, np.arange(shown).astype(float)),
                    result.response[:shown],
                    estimate=run.regression.estimate,
                    training_length=float(_time(result, run.length)),
                    input_names=data.input_names,
                    output_names=data.output_names,
                    lag_label=f"lag ({_unit(result)})",
                    response_label="response (standard deviations)",
                    horizon=float(_time(result, found.horizon)),
                ),
                "Impulse response of the model handed over, against the ridge least-squares "
                f"estimate on the training windows. Beyond the training length of "
                f"{duration(result, run.length)} nothing was fitted: there the line is the "
                "model's own extrapolation.",
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
                    f"time constant ({_unit(result)})",
                    f"period ({_unit(result)})",
                ),
                rows=modes,
                formats=("", ".5f", ",.4g", ",.4g"),
            ),
            Table(
                caption="Memory of each input: lags that hold 95 % of its response's energy",
                columns=("input", "steps"),
                rows=tuple(zip(data.input_names, found.input_horizons, strict=True)),
                formats=("", ",d"),
            ),
        ),
    )


def _extrapolation(result: FitResult) -> Section:
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
            _r2(float(np.median(r.validation_carried))),
            float(np.median(r.spectral_radius)),
            f"{int((r.spectral_radius >= 1).sum())} of {len(r.spectral_radius)}",
            _r2(r.best_share),
        )
        for r in result.runs
    )
    return Section(
        title="How far it extrapolates",
        text=(
            "A simulation starts with its state at zero and carries it; its error is read at "
            f"growing positions. The same {found.targets:,} test outputs are scored at every "
            f"position: those with at least {duration(result, found.reach)} of history. Shares "
            "are of the variance of the whole test part, averaged over outputs."
        ),
        figures=(
            NamedFigure(
                "extrapolation",
                extrapolation_figure(
                    found.ages,
                    curves,
                    chosen=run.length,
                    age_label="position in the simulation (steps)",
                    error_label=_SHARE_LABEL,
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
                    error_label=_SHARE_LABEL,
                ),
                "Where extrapolation begins: validation error of students at the end of training, "
                "in windows of their training length and in one simulation of the whole record "
                f"(median over seeds, optimizer {run.optimizer}).",
            ),
        ),
        tables=(
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


def _r2(share: float) -> float | str:
    return 1 - share if math.isfinite(share) else "explodes"


def _dimension(result: FitResult) -> Section:
    run = result.run
    values = result.hankel
    orders = tuple(
        (int(n), float(values[n - 1]) if n <= len(values) else None, _r2(float(share)))
        for n, share in result.order_shares.items()
    )
    return Section(
        title="How small it is",
        text=(
            "Gradient descent from near zero adds one direction after another: the Hankel "
            "singular values rise as a staircase. The order is the smallest whose whole-record "
            "validation error is within 3 % of the best; balanced truncation makes the cut, with "
            f"error at most twice the sum of the values left out: "
            f"{2 * float(values[result.system.order :].sum()):.3g} here, in units of standard "
            "deviations."
        ),
        figures=(
            NamedFigure(
                "hankel",
                hankel_figure(run.trajectory.steps, run.hankel, values, order=result.system.order),
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


def _simulation(result: FitResult) -> Section:
    data = result.data
    shown = next(i for i, mask in enumerate(data.parts["test"]) if mask.any())
    spans = data.spans(shown)
    start, stop = next((a, b) for a, b, part in spans if part == "test")
    stop = min(stop, start + max(4 * result.memory.horizon, 168))
    rows = tuple(
        (part, data.count(part), _r2(result.windows[part]), _r2(result.carried[part]))
        for part in PARTS
    )
    name = data.sequence_names[shown] if len(data.sequence_names) > 1 else ""
    return Section(
        title="Data and simulation",
        text=(
            "One simulation of the whole recording from its inputs alone, the state zero at the "
            "start and carried to the end"
            + (f" (sequence {name})." if name else ".")
            + (
                " This is a forecast: the inputs are the measured outputs one step earlier."
                if data.forecast
                else ""
            )
            + (("\n\n" + " ".join(data.notes)) if data.notes else "")
        ),
        figures=(
            NamedFigure(
                "simulation",
                simulation_figure(
                    _time(result, np.arange(len(data.inputs[shown])).astype(float)),
                    result.measured(shown),
                    result.simulated(shown),
                    names=data.output_names,
                    time_label=f"time ({_unit(result)})",
                    split_spans=[
                        (float(_time(result, a)), float(_time(result, b)), part)
                        for a, b, part in spans
                    ],
                    zoom=(float(_time(result, start)), float(_time(result, stop))),
                ),
                f"Measured and simulated; split {data.split}. Below, the first test stretch.",
            ),
        ),
        tables=(
            Table(
                caption="R² by part",
                columns=("part", "outputs", "windows of the training length", "whole record"),
                rows=rows,
                formats=("", ",d", ".4f", ".4f"),
            ),
        ),
    )


def _training(result: FitResult) -> Section:
    run, settings = result.run, result.settings
    problem = run.regression
    if math.isinf(settings.whitening):
        metric = "The loss is the plain mean squared error of the windows."
    else:
        metric = (
            "The windows' second moment S has condition number "
            f"{problem.condition:.1e} over the excited directions; training used the metric "
            f"S (S + λI)⁻¹ with λ = {settings.whitening:g} times the mean input power, condition "
            f"{problem.whitened_condition:.1e}, so that directions above λ weigh alike. The loss "
            "stays a function of the impulse response alone: the bias of the near-zero start and "
            "the conservation of balancedness are untouched."
        )
    others = ", ".join(sorted({r.optimizer for r in result.runs}))
    agreement = (
        ""
        if math.isnan(result.agreement)
        else f" Impulse responses of different seeds differ by {result.agreement:.2%} (median)."
    )
    return Section(
        title="What gradient descent did",
        text=(
            f"{settings.seeds} students of {settings.state_dimension} states started from "
            f"entries of standard deviation {settings.initial_scale:g}/"
            f"√{settings.state_dimension} and took {settings.steps:,} steps; optimizers tried: "
            f"{others}; chosen: {run.optimizer}. "
            f"{metric}\n\nNo impulse response of {run.length} lags leaves less than "
            f"{problem.least_squares_share:.4f} of the training windows' variance."
            f"{agreement}"
        ),
        figures=(
            NamedFigure(
                "training",
                trajectory_figure(
                    run.trajectory.steps,
                    run.window_error,
                    run.imbalance,
                    floor=problem.least_squares_share,
                    loss_label="window error / output power",
                    imbalance_label="imbalance ‖M‖ / ‖(A, B, C)‖²",
                ),
                "Mean squared error of the training windows, with the least-squares floor, and "
                "the imbalance M = AAᵀ − AᵀA + BBᵀ − CᵀC, which gradient flow conserves.",
            ),
        ),
    )
