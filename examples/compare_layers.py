"""Which layer learns which task, and what becomes of it at 64 times the training length.

    python examples/compare_layers.py compare-layers        # about 20 minutes on one core
    python examples/compare_layers.py compare-layers --quick   # two tasks, one seed

Six layers in the same network (two residual blocks of width 32) are trained on four tasks with
the same optimiser and budget, three seeds each, and evaluated on fresh sequences of 1 to 64 times
the training length. Printed are the protocol, the errors by length and the time of a step; the
folder gets `errors.csv` and the figure of two tasks, `lengths.svg` and `lengths.png`.
"""

import argparse
import csv
import time
from pathlib import Path

import jax
import numpy as np

from remanence.layers import (
    GRU,
    LRU,
    LSTM,
    RGLRU,
    S4D,
    ResidualBlock,
    SelectiveSSM,
    SequenceModel,
)
from remanence.report import LengthCurves, length_evaluation_figure
from remanence.systems import DiagonalStateSpace
from remanence.tasks import Adding, Parity, SelectiveCopy, TeacherStudent
from remanence.training import adamw_by_role, evaluate_lengths, stack_models, train_members

WIDTH, DEPTH, STEPS, BATCH, RATE = 32, 2, 1500, 32, 3e-3
LAYERS = {
    "LRU": lambda key: LRU(WIDTH, WIDTH, r_min=0.5, key=key),
    "S4D": lambda key: S4D(WIDTH, 32, key=key),
    "RG-LRU": lambda key: RGLRU(WIDTH, key=key),
    "selective": lambda key: SelectiveSSM(WIDTH, 8, key=key),
    "GRU": lambda key: GRU(WIDTH, WIDTH, key=key),
    "LSTM": lambda key: LSTM(WIDTH, WIDTH, key=key),
}


def teacher() -> DiagonalStateSpace:
    """Order 6, time constants of 20 to 100 steps; the outputs have unit variance or so."""
    eigenvalues = np.array([0.99, 0.98, 0.95]) * np.exp(1j * np.array([0.05, 0.3, 1.0]))
    weights = np.sqrt(1 - np.abs(eigenvalues) ** 2) / 3
    return DiagonalStateSpace(eigenvalues, weights[:, None] + 0j, np.ones((1, 3)) + 0j)


TASKS = {
    "parity": (lambda: Parity(), (4, 8, 16, 32)),
    "teacher-student": (lambda: TeacherStudent(teacher()), (64,)),
    "adding": (lambda: Adding(), (64,)),
    "selective copy": (lambda: SelectiveCopy(4, alphabet=4), (64,)),
}
ERRORS = {"classification": "share of answers wrong", "regression": "unexplained share (1 - R²)"}


def network(make, task):
    """A function `(key) -> model`."""

    def block(key):
        inner, rest = jax.random.split(key)
        return ResidualBlock(make(inner), key=rest)

    return lambda key: SequenceModel(
        task.inputs, task.outputs, width=WIDTH, layers=block, depth=DEPTH, key=key
    )


def compare(task_name: str, layer_name: str, seeds: int) -> list[dict]:
    """Train and evaluate one layer on one task: one row for each seed and length."""
    make_task, lengths = TASKS[task_name]
    task = make_task()
    keys = jax.random.split(jax.random.key(1), seeds)
    models = stack_models(network(LAYERS[layer_name], task), keys)
    options = {
        "learning_rates": [1.0] * seeds,
        "batch": BATCH,
        "lengths": lengths,
        "optimiser": adamw_by_role(RATE, clip=1.0),
        "keys": keys,
        "evaluate_every": "end",
    }
    train_members(models, task, steps=20, **options)
    began = time.process_time()
    trained = train_members(models, task, steps=STEPS, **options)
    each = 1e3 * (time.process_time() - began) / (STEPS * seeds)
    rows = []
    for seed in range(seeds):
        member = trained.member(seed)
        found = evaluate_lengths(
            member.model, task, training_length=lengths[-1], sequences=128, key=jax.random.key(2)
        )
        if seed == 0 and layer_name == next(iter(LAYERS)):
            print(f"\n{task_name}\n{found.protocol}\n")
        rows += [
            {
                "task": task_name,
                "layer": layer_name,
                "seed": seed,
                "diverged at": member.diverged_at,
                "ms per step": round(each, 2),
                "length": int(length),
                "error": float(error),
                "standard error": float(spread),
            }
            for length, error, spread in zip(
                found.lengths, found.errors, found.standard_errors, strict=True
            )
        ]
    errors = by_length(rows)
    cells = " ".join(f"{np.median(errors[n]):9.3g}" for n in sorted(errors))
    # Every length is a program of its own, and the kernel limits what one process may hold.
    jax.clear_caches()
    print(f"{layer_name:10} {each:7.1f} ms/step   median error by length: {cells}", flush=True)
    return rows


def by_length(rows: list[dict]) -> dict[int, list[float]]:
    """The errors of the seeds at each length."""
    return {
        n: [row["error"] for row in rows if row["length"] == n]
        for n in sorted({row["length"] for row in rows})
    }


def curves(task_name: str, rows: list[dict]) -> LengthCurves:
    """The panel of one task: medians over seeds, and their range as a band."""
    make_task, lengths = TASKS[task_name]
    errors, spread = {}, {}
    for layer_name in LAYERS:
        found = by_length([r for r in rows if (r["task"], r["layer"]) == (task_name, layer_name)])
        if not found:
            continue
        table = np.array([found[n] for n in sorted(found)])
        errors[layer_name] = np.median(table, axis=1)
        spread[layer_name] = np.stack([table.min(axis=1), table.max(axis=1)])
    task = make_task()
    classes = task.kind == "classification"
    return LengthCurves(
        lengths=np.array(sorted({r["length"] for r in rows if r["task"] == task_name})),
        errors=errors,
        training_length=lengths[-1],
        error_label=ERRORS[task.kind],
        title=task_name,
        chance=1 - 1 / task.outputs if classes else 1.0,
        chance_label="guessing" if classes else "the mean",
        spread=spread,
        scored=128 if classes else None,
        ceiling=None if classes else 100.0,
    )


def save(out: Path, rows: list[dict], drawn: list[str], label: str) -> None:
    """The table of all rows and the figure of the tasks that have begun."""
    with (out / "errors.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    figure = length_evaluation_figure([curves(name, rows) for name in drawn], spread_label=label)
    for kind in ("svg", "png"):
        figure.savefig(out / f"lengths.{kind}")


def main() -> None:
    """Train, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="folder for the table and the figure")
    parser.add_argument("--quick", action="store_true", help="two tasks and one seed")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    drawn = ("parity", "teacher-student")
    tasks, seeds = (drawn, 1) if arguments.quick else (tuple(TASKS), 3)
    label = f"median and range of {seeds} seeds" if seeds > 1 else ""
    rows: list[dict] = []
    for task in tasks:
        for layer in LAYERS:
            rows += compare(task, layer, seeds)
            # After every layer, so that an interrupted run has something to show.
            begun = {row["task"] for row in rows}
            save(arguments.out, rows, [name for name in drawn if name in begun], label)
    print(f"\n{arguments.out / 'lengths.png'}")


if __name__ == "__main__":
    main()
