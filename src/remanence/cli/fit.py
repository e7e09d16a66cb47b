"""`remanence fit`: learn a low-dimensional state space from recorded sequences."""

import argparse
import time
from pathlib import Path

from remanence.cli import arguments

_EXAMPLE = """\
examples:
  remanence fit weather.csv --time time --inputs ghi,temp_dew --outputs temp_air
  remanence fit sunspots.csv --outputs count            (no inputs: one-step forecasts)
  remanence fit a.csv b.csv c.csv --inputs u --outputs y --length 64,128 --order 4
"""


def add(commands) -> None:
    """Add the command to the subparsers of the program."""
    parser = commands.add_parser(
        "fit",
        help="learn a low-dimensional state space from recorded sequences",
        description=(
            "Train overparameterised linear recurrent networks by gradient descent from near "
            "zero; say what the data's dynamics remember, how low-dimensional the learned state "
            "space is and how far it extrapolates; write the model and a report."
        ),
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, parser=parser)
    data = parser.add_argument_group("data")
    data.add_argument("data", nargs="+", help="CSV, TSV, Parquet, NPZ or MAT files")
    data.add_argument(
        "--outputs", type=arguments.names, required=True, metavar="Y[,Y…]", help="columns to model"
    )
    data.add_argument(
        "--inputs",
        type=arguments.names,
        default=(),
        metavar="U[,U…]",
        help="columns that drive them (default: none, forecast from past outputs)",
    )
    data.add_argument(
        "--sequence", metavar="COLUMN", help="column that names the sequence of a row"
    )
    data.add_argument("--time", metavar="COLUMN", help="column of times (ISO dates or numbers)")
    data.add_argument(
        "--missing",
        choices=("error", "drop", "interpolate"),
        default="error",
        help="what becomes of blanks, NaN and infinities (default: %(default)s)",
    )
    data.add_argument(
        "--split",
        default="auto",
        help="auto, time, blocks or sequences (default: %(default)s)",
    )
    data.add_argument("--block", type=int, metavar="STEPS", help="block length of --split blocks")
    data.add_argument(
        "--keep-mean", action="store_true", help="do not subtract the mean of the training part"
    )
    model = parser.add_argument_group("model")
    model.add_argument(
        "--length",
        type=arguments.lengths,
        default=(),
        metavar="auto|K[,K…]",
        help="training length in steps; several are compared (default: auto)",
    )
    model.add_argument(
        "--order",
        type=arguments.order,
        metavar="auto|N",
        help="state dimension handed over (default: auto, by validation)",
    )
    model.add_argument(
        "--state-dimension", type=int, default=32, metavar="D", help="of the student (default: 32)"
    )
    training = parser.add_argument_group("training")
    training.add_argument("--seed", type=int, default=0, help="first seed (default: 0)")
    training.add_argument("--seeds", type=int, default=3, help="how many (default: 3)")
    training.add_argument(
        "--steps", type=int, default=50_000, help="gradient steps a run (default: 50000)"
    )
    training.add_argument(
        "--optimizer",
        type=arguments.names,
        default=("gd", "adam"),
        metavar="gd,adam",
        help="gd, adam or both; validation picks (default: both)",
    )
    training.add_argument(
        "--step-size",
        type=arguments.step_size,
        metavar="auto|X",
        help="constant step size of the one optimizer (default: auto; gd adapts its step)",
    )
    training.add_argument(
        "--initial-scale", type=float, default=1e-2, help="of the near-zero start (default: 0.01)"
    )
    training.add_argument(
        "--whitening",
        type=arguments.whitening,
        default=1.0,
        metavar="none|X",
        help="λ of the metric S(S+λI)⁻¹ in units of the mean input power (default: 1)",
    )
    output = parser.add_argument_group("output")
    output.add_argument("--out", metavar="FOLDER", help="run folder (default: <data>-fit)")
    output.add_argument("--overwrite", action="store_true", help="replace an earlier run")
    output.add_argument("--quiet", action="store_true", help="no progress")


def run(options: argparse.Namespace) -> int:
    """Read, fit, save, and print the headline and the place of the report."""
    import remanence.identify as identify
    from remanence.files import check_run_folder, read_sequences
    from remanence.report import ConsoleProgress, SilentProgress

    started = time.perf_counter()
    target = Path(arguments.folder(options.out, f"{Path(options.data[0]).stem}-fit"))
    check_run_folder(target, overwrite=options.overwrite)
    settings = identify.FitSettings(
        length=options.length,
        order=options.order,
        state_dimension=options.state_dimension,
        seeds=options.seeds,
        seed=options.seed,
        steps=options.steps,
        initial_scale=options.initial_scale,
        optimizers=options.optimizer,
        step_size=options.step_size,
        whitening=options.whitening,
        split=options.split,
        block=options.block,
        remove_mean=not options.keep_mean,
    )
    recording = read_sequences(
        options.data,
        inputs=options.inputs,
        outputs=options.outputs,
        sequence_column=options.sequence,
        time_column=options.time,
        missing=options.missing,
    )
    with SilentProgress() if options.quiet else ConsoleProgress() as progress:
        result = identify.fit(recording, settings, on_progress=progress.update)
        progress.update(0.97, "writing the report")
        identify.save_fit(
            result,
            target,
            source={
                "files": [str(path) for path in options.data],
                "inputs": list(options.inputs),
                "outputs": list(options.outputs),
                "sequence": options.sequence,
                "time": options.time,
                "missing": options.missing,
            },
            wall_time=time.perf_counter() - started,
            overwrite=options.overwrite,
        )
    for line in identify.headline(result):
        print(line)
    print(result.certificate.summary())
    print(f"report: {(target / 'report.html').resolve()}")
    return 0
