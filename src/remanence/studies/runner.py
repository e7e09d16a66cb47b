"""Running a study part by part, and writing what it found."""

import dataclasses
import os
import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from remanence.errors import RemanenceError, nearest_name
from remanence.files import environment, run_folder, write_json, write_table, write_toml
from remanence.report import (
    AbstractProgress,
    Notice,
    Page,
    PartialProgress,
    Section,
    SilentProgress,
    Table,
    render,
    save_figures,
)
from remanence.studies.contract import Claim, Finding, Part, Preset, Study, StudyResult
from remanence.studies.threads import in_threads

_AT_A_TIME = 2


def run_study(
    study: Study, preset: Preset = "quick", *, progress: AbstractProgress | None = None
) -> StudyResult:
    """Run every part of `study` with its `preset` settings, two at a time.

    Parts spread their ensembles over the cores; while one of them compiles its programs, on one
    core, the other one works. Nothing is random but by the seeds in the settings, so that the
    findings do not depend on what runs beside what.
    """
    listener = progress if progress is not None else SilentProgress()
    started = time.perf_counter()
    heaviest_first = sorted(study.parts, key=lambda part: -part.weight)
    said = {part.name: f"{part.name}: starting" for part in study.parts}

    def run(part: Part, heard: Callable[[float], None]) -> Finding:
        progress = PartialProgress(
            _PartOfStudy(part.name, heard, said), start=0.0, stop=1.0, prefix=f"{part.name}: "
        )
        progress.update(0.0, "starting")
        finding = part.run(part.presets[preset], progress)
        progress.update(1.0, "done")
        return finding

    findings = in_threads(
        run,
        heaviest_first,
        weights=[part.weight for part in heaviest_first],
        workers=_AT_A_TIME,
        on_progress=lambda total, part: listener.update(total, said[part.name]),
    )
    found = dict(zip((part.name for part in heaviest_first), findings, strict=True))
    in_order = tuple(found[part.name] for part in study.parts)
    return StudyResult(study, preset, in_order, time.perf_counter() - started)


class _PartOfStudy(AbstractProgress):
    """Notes what a part says last, and passes on how far it is."""

    def __init__(self, name: str, heard: Callable[[float], None], said: dict[str, str]) -> None:
        self._name, self._heard, self._said = name, heard, said

    def update(self, fraction: float | int, text: str = "") -> None:
        self._said[self._name] = text
        self._heard(float(fraction))

    def close(self) -> None:
        """Leaves the study running."""


def find_study(name: str, studies: tuple[Study, ...]) -> Study:
    """The study of that name; `RemanenceError` with the nearest name if there is none."""
    for study in studies:
        if study.name == name:
            return study
    known = [study.name for study in studies]
    raise RemanenceError(
        f"no study is called {name!r}{nearest_name(name, known)}; see remanence study list"
    )


def select_parts(study: Study, names: Sequence[str]) -> Study:
    """The study with these parts only, in its own order.

    `RemanenceError` with the nearest name for a part that it does not have.
    """
    known = [part.name for part in study.parts]
    for name in names:
        if name not in known:
            raise RemanenceError(
                f"the study {study.name} has no part {name!r}{nearest_name(name, known)}; its "
                f"parts are {', '.join(known)}"
            )
    chosen = tuple(part for part in study.parts if part.name in names)
    return dataclasses.replace(study, parts=chosen, selected=len(chosen) < len(known))


def study_page(result: StudyResult) -> Page:
    """The report: the verdicts first, then each part with its figures and claims."""
    study, claims = result.study, result.claims
    failing = [claim for claim in claims if claim.verdict == "fails"]
    held = len(claims) - len(failing)
    sections = [
        Section(
            title="Verdicts",
            text=study.summary,
            tables=(
                Table(
                    caption="Every claim. The criteria stand in the code; which of them were "
                    "chosen after prototypes is said in the notes below",
                    columns=("", "claim", "verdict", "expected", "measured"),
                    rows=tuple(
                        (c.id, c.statement, c.verdict, c.expected, c.measured) for c in claims
                    ),
                ),
            ),
        )
    ]
    sections += [
        Section(
            title=finding.title,
            text="\n\n".join([finding.text, *map(_remark, finding.claims)]),
            figures=finding.figures,
        )
        for finding in result.findings
    ]
    return Page(
        title=study.title,
        headline=(
            f"{held} of {len(claims)} claims hold.",
            f"{study.source}. Preset {result.preset}, {result.wall_time:.0f} s.",
        ),
        notices=tuple(
            Notice("bad", f"{claim.id} fails: {claim.statement} {claim.note}".strip())
            for claim in failing
        ),
        sections=tuple(sections),
        facts={"Command": command(result)},
    )


def _remark(claim: Claim) -> str:
    note = f" {claim.note}" if claim.note else ""
    return f"{claim.id} {claim.verdict}. Source: {claim.source}.{note}"


def command(result: StudyResult) -> str:
    """The command that repeats the run."""
    study = result.study
    full = " --full" if result.preset == "full" else ""
    names = ",".join(part.name for part in study.parts)
    parts = f" --parts {shlex.quote(names)}" if study.selected else ""
    return f"remanence study {study.name}{full}{parts}"


def save_study(result: StudyResult, path: str | os.PathLike, *, overwrite: bool = False) -> Path:
    """Write the run folder of a study: report, claims, tables, figures, settings, environment.

    Raises `RemanenceError` if `path` exists (unless `overwrite`) or cannot be written.
    """
    with run_folder(path, overwrite=overwrite) as folder:
        (folder / "report.html").write_text(render(study_page(result)), encoding="utf-8")
        save_figures(
            [f for finding in result.findings for f in finding.figures], folder / "figures"
        )
        (folder / "tables").mkdir()
        for finding in result.findings:
            for name, columns in finding.tables.items():
                write_table(folder / "tables" / f"{name}.parquet", columns)
        settings = {
            part.name: _plain(dataclasses.asdict(part.presets[result.preset]))
            for part in result.study.parts
        }
        write_toml(
            folder / "config.toml",
            {"study": result.study.name, "preset": result.preset, "settings": settings},
        )
        write_json(folder / "environment.json", environment(wall_time=result.wall_time))
        write_json(
            folder / "result.json",
            {
                "study": result.study.name,
                "preset": result.preset,
                "wall_seconds": result.wall_time,
                "claims": [dataclasses.asdict(claim) for claim in result.claims],
            },
        )
    return Path(path)


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if value is not None}
