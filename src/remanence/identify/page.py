"""The report of a fit: the three answers, then the data and the training behind them."""

import math

import numpy as np

from remanence.identify.answers import (
    dimension_section,
    extrapolation_section,
    in_time,
    memory_section,
    shown_r2,
    time_unit,
)
from remanence.identify.measure import FitResult
from remanence.identify.preparation import PARTS
from remanence.identify.story import headline, notices
from remanence.report import (
    NamedFigure,
    Page,
    Section,
    Table,
    simulation_figure,
    trajectory_figure,
)


def fit_page(result: FitResult) -> Page:
    """The page of `remanence fit`."""
    data = result.data
    return Page(
        title="What " + ", ".join(data.output_names) + " remembers",
        headline=headline(result),
        notices=notices(result),
        sections=(
            memory_section(result),
            extrapolation_section(result),
            dimension_section(result),
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


def _simulation(result: FitResult) -> Section:
    data = result.data
    shown = next(i for i, mask in enumerate(data.parts["test"]) if mask.any())
    spans = data.spans(shown)
    start, stop = next((a, b) for a, b, part in spans if part == "test")
    stop = min(stop, start + max(4 * result.memory.horizon, 168))
    rows = tuple(
        (part, data.count(part), shown_r2(result.windows[part]), shown_r2(result.carried[part]))
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
                    in_time(result, np.arange(len(data.inputs[shown])).astype(float)),
                    result.measured(shown),
                    result.simulated(shown),
                    names=data.output_names,
                    time_label=f"time ({time_unit(result)})",
                    split_spans=[
                        (float(in_time(result, a)), float(in_time(result, b)), part)
                        for a, b, part in spans
                    ],
                    zoom=(float(in_time(result, start)), float(in_time(result, stop))),
                ),
                f"Measured and simulated; split {data.split}. Close up: the first test stretch."
                + (" The first four outputs are shown." if len(data.output_names) > 4 else ""),
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
            "stays a function of the impulse response alone, so gradient flow conserves M"
            + (
                "; Adam, chosen here, does not."
                if run.optimizer == "adam"
                else ", and a near-zero start stays balanced."
            )
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
            f"{others}; chosen: {run.optimizer}, the student of step "
            f"{run.trajectory.steps[run.best_record]:,}. "
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
