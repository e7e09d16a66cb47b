"""The numbers of a fit as tables: the same columns for the report and for Parquet."""

import numpy as np

from remanence.identify.measure import FitResult
from remanence.identify.preparation import PARTS

Columns = dict[str, np.ndarray]


def fit_tables(result: FitResult) -> dict[str, Columns]:
    """Every table of a fit by name, each a mapping from column to values.

    `lengths` (one row a training length, optimizer and seed), `trajectory` (one row a recorded
    step too), `hankel` (staircase of the chosen run), `orders`, `modes`, `impulse_response`,
    `extrapolation`, `simulation`. R² columns are `1 −` unexplained share.
    """
    return {
        "lengths": _lengths(result),
        "trajectory": _trajectory(result),
        "hankel": _hankel(result),
        "orders": {
            "order": np.array(list(result.order_shares)),
            "r2_validation": 1 - np.array(list(result.order_shares.values())),
        },
        "modes": {
            "eigenvalue": result.memory.eigenvalues,
            "time_constant": result.memory.time_constants,
        },
        "impulse_response": _impulse_response(result),
        "extrapolation": _extrapolation(result),
        "simulation": _simulation(result),
    }


def _lengths(result: FitResult) -> Columns:
    rows = [
        (
            run.length,
            run.optimizer,
            result.settings.seed + seed,
            run.windows,
            run.spectral_radius[seed],
            1 - run.train_window[seed],
            1 - run.validation_window[seed],
            1 - run.validation_carried[seed],
            1 - run.regression.least_squares_share,
            run.imbalance[seed, -1],
        )
        for run in result.runs
        for seed in range(len(run.spectral_radius))
    ]
    names = (
        "length",
        "optimizer",
        "seed",
        "windows",
        "spectral_radius",
        "r2_train_windows",
        "r2_validation_windows",
        "r2_validation_carried",
        "r2_least_squares",
        "imbalance",
    )
    return {
        name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }


def _trajectory(result: FitResult) -> Columns:
    parts = []
    for run in result.runs:
        seeds, records = run.window_error.shape
        parts.append(
            {
                "length": np.full(seeds * records, run.length),
                "optimizer": np.full(seeds * records, run.optimizer),
                "seed": np.repeat(result.settings.seed + np.arange(seeds), records),
                "step": np.tile(run.trajectory.steps, seeds),
                "loss": run.trajectory.losses.ravel(),
                "window_error": run.window_error.ravel(),
                "imbalance": run.imbalance.ravel(),
            }
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _hankel(result: FitResult) -> Columns:
    steps, values = result.run.trajectory.steps, result.run.hankel
    return {
        "step": np.repeat(steps, values.shape[1]),
        "index": np.tile(np.arange(1, values.shape[1] + 1), len(steps)),
        "value": values.ravel(),
    }


def _impulse_response(result: FitResult) -> Columns:
    columns: Columns = {"lag": np.arange(len(result.response))}
    for o, output in enumerate(result.data.output_names):
        for i, name in enumerate(result.data.input_names):
            columns[f"{name} -> {output}"] = result.response[:, o, i]
    return columns


def _extrapolation(result: FitResult) -> Columns:
    found = result.extrapolation
    columns = {"position": found.ages, "r2_model": 1 - found.shares}
    for length, shares in found.shares_by_length.items():
        columns[f"r2_students_of_{length}"] = 1 - shares
    return columns


def _simulation(result: FitResult) -> Columns:
    data = result.data
    labels = []
    for index, x in enumerate(data.inputs):
        label = np.full(len(x), "", dtype=object)
        for part in PARTS:
            label[data.parts[part][index]] = part
        labels.append(label)
    count = range(len(data.inputs))
    columns = {
        "sequence": np.concatenate(
            [np.full(len(data.inputs[i]), data.sequence_names[i], dtype=object) for i in count]
        ),
        "step": np.concatenate([np.arange(len(x)) for x in data.inputs]),
        "part": np.concatenate(labels),
    }
    measured = np.concatenate([result.measured(i) for i in count])
    simulated = np.concatenate([result.simulated(i) for i in count])
    for o, name in enumerate(data.output_names):
        columns[f"{name} measured"] = measured[:, o]
        columns[f"{name} simulated"] = simulated[:, o]
    return columns
