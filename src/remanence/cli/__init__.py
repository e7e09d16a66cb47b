"""The command line: parse, call, print. Every mistake is one line on standard error.

Exit status: 0 done; 2 a mistake in what was given; 3 a numerical failure; 130 interrupted.
"""

import os
import signal
import sys
from collections.abc import Sequence

from remanence._version import __version__
from remanence.cli import fit, study
from remanence.cli.arguments import Parser
from remanence.errors import NumericalError, RemanenceError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `remanence ARGUMENTS` and return its exit status."""
    parser = Parser(
        prog="remanence",
        description="A laboratory for memory and length extrapolation in recurrent models.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"remanence {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    fit.add(commands)
    study.add(commands)
    # A polite kill cleans up like Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # A subcommand's unknown options come back here; only it knows the names that are near.
        options, extra = parser.parse_known_args(argv)
        if extra:
            options.parser.refuse(extra)
        _configure()
        return options.run(options)
    except NumericalError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    except RemanenceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except MemoryError:
        print("error: out of memory; use a smaller --state-dimension or --length", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return 130


def _configure() -> None:
    """Float64, and one thread for each of the runs that `fit` spreads over the cores."""
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_cpu_multi_thread_eigen" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
    import jax

    jax.config.update("jax_enable_x64", True)
