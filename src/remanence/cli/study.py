"""`remanence study`: re-run published claims with our own measurement and verdict."""

import argparse
from pathlib import Path

from remanence.cli import arguments


def add(commands) -> None:
    """Add the command to the subparsers of the program."""
    parser = commands.add_parser(
        "study",
        help="re-run published claims, with a measured verdict on each",
        description=(
            "Re-run a published body of work: what is claimed, what we measured, holds or fails. "
            "`remanence study list` lists the studies."
        ),
    )
    parser.set_defaults(run=run, parser=parser)
    parser.add_argument("name", help="a study, or list")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="every claim, few seeds (default)")
    size.add_argument("--full", action="store_true", help="all seeds and lengths")
    parser.add_argument("--parts", metavar="A,B", help="these parts of the study only")
    parser.add_argument("--out", metavar="FOLDER", help="run folder (default: <study>-<preset>)")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier run")
    parser.add_argument("--quiet", action="store_true", help="no progress")


def run(options: argparse.Namespace) -> int:
    """List the studies, or run one, print its verdicts and the place of the report."""
    import remanence.studies as studies
    from remanence.files import check_run_folder
    from remanence.report import ConsoleProgress, SilentProgress

    if options.name == "list":
        for study in studies.STUDIES:
            minutes = ", ".join(f"{name} {value:g} min" for name, value in study.minutes.items())
            print(f"{study.name}\n    {study.title} ({minutes})")
        return 0
    study = studies.find_study(options.name, studies.STUDIES)
    if options.parts is not None:
        names = [name.strip() for name in options.parts.split(",")]
        study = studies.select_parts(study, names)
    preset = "full" if options.full else "quick"
    target = Path(arguments.folder(options.out, f"{study.name}-{preset}"))
    check_run_folder(target, overwrite=options.overwrite)
    with SilentProgress() if options.quiet else ConsoleProgress() as progress:
        result = studies.run_study(study, preset, progress=progress)
        studies.save_study(result, target, overwrite=options.overwrite)
    for claim in result.claims:
        print(f"{claim.id:4} {claim.verdict:5}  {claim.statement}")
        print(f"            expected {claim.expected}")
        print(f"            measured {claim.measured}")
    held = sum(claim.verdict == "holds" for claim in result.claims)
    print(f"{held} of {len(result.claims)} claims hold ({result.wall_time:.0f} s)")
    print(f"report: {(target / 'report.html').resolve()}")
    return 0
