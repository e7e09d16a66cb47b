"""Running, reporting and saving a study, on a small one of our own."""

import dataclasses
import json
import threading
import time
import tomllib

import numpy as np
import pyarrow.parquet as pq
import pytest

from remanence.errors import RemanenceError
from remanence.report import AbstractProgress, NamedFigure, new_figure, render
from remanence.studies import (
    STUDIES,
    Claim,
    Finding,
    Part,
    Study,
    find_study,
    run_study,
    save_study,
    study_page,
)
from remanence.studies.contract import verdict


@dataclasses.dataclass(frozen=True)
class Settings:
    limit: float
    names: tuple[str, ...] = ("a", "b")
    nothing: int | None = None


def claim(name, met):
    return Claim(name, f"Statement {name}.", "derived", "x < 1", "x = .5", verdict(met), "A note.")


def run_first(settings, progress):
    progress.update(0.5, "half way")
    figure = new_figure(2.0)
    figure.subplots().plot([0, 1], [0, settings.limit])
    return Finding(
        "First part",
        "Text of the first part.",
        (claim("A1", settings.limit < 1), claim("A2", True)),
        (NamedFigure("first", figure, "A line."),),
        {"numbers": {"x": np.arange(3)}},
    )


def run_second(settings, progress):
    return Finding("Second part", "Text.", (claim("B1", True),))


STUDY = Study(
    "small",
    "A small study",
    "What it is about.",
    "Nobody, 2026",
    (
        Part("first", run_first, {"quick": Settings(0.5), "full": Settings(2.0)}, 3.0),
        Part("second", run_second, {"quick": Settings(1.0), "full": Settings(1.0)}, 1.0),
    ),
    {"quick": 0.1, "full": 0.2},
)


class Recorder(AbstractProgress):
    def __init__(self):
        self.seen = []

    def update(self, fraction, text=""):
        self.seen.append((fraction, text))

    def close(self):
        pass


def test_findings_stand_in_order_and_parts_share_the_progress_by_weight():
    progress = Recorder()
    # The light part starts last and stands first.
    study = dataclasses.replace(STUDY, parts=STUDY.parts[::-1])
    result = run_study(study, "quick", progress=progress)
    assert [c.id for c in result.claims] == ["B1", "A1", "A2"]
    fractions = [fraction for fraction, _ in progress.seen]
    assert fractions == sorted(fractions)
    # The first part's half of three quarters, with the second part not started or done.
    halves = [fraction for fraction, text in progress.seen if text == "first: half way"]
    assert halves in ([0.375], [0.625])
    assert fractions[-1] == 1.0


def test_two_parts_run_beside_each_other():
    met = threading.Barrier(2, timeout=20)

    def meet(settings, progress):
        met.wait()
        return Finding("Met", "Text.", (claim("M", True),))

    parts = [Part(name, meet, {"quick": Settings(1.0)}) for name in ("one", "other")]
    assert len(run_study(dataclasses.replace(STUDY, parts=tuple(parts))).claims) == 2


def test_a_part_that_fails_ends_the_others():
    failed = threading.Event()

    def fail(settings, progress):
        failed.set()
        raise RemanenceError("no such teacher")

    def go_on(settings, progress):
        failed.wait(20)
        for _ in range(2000):
            time.sleep(0.01)
            progress.update(0.5)
        raise AssertionError("was not ended")

    parts = [
        Part(name, run, {"quick": Settings(1.0)}) for name, run in [("a", go_on), ("b", fail)]
    ]
    with pytest.raises(RemanenceError, match="no such teacher"):
        run_study(dataclasses.replace(STUDY, parts=tuple(parts)))


def test_a_failing_claim_is_shown_as_failing():
    good, bad = run_study(STUDY, "quick"), run_study(STUDY, "full")
    assert study_page(good).headline[0] == "3 of 3 claims hold."
    page = study_page(bad)
    assert page.headline[0] == "2 of 3 claims hold."
    assert [notice.level for notice in page.notices] == ["bad"]
    assert "A1 fails" in render(page)


def test_a_run_folder_repeats_the_run(tmp_path):
    folder = save_study(run_study(STUDY, "full"), tmp_path / "run")
    saved = json.loads((folder / "result.json").read_text())
    assert [c["verdict"] for c in saved["claims"]] == ["fails", "holds", "holds"]
    config = tomllib.loads((folder / "config.toml").read_text())
    assert config["settings"]["first"] == {"limit": 2.0, "names": ["a", "b"]}
    assert pq.read_table(folder / "tables/numbers.parquet").num_rows == 3
    assert (folder / "figures/first.svg").is_file()
    assert "remanence study small --full" in (folder / "report.html").read_text()


def test_names_are_found_or_suggested():
    assert find_study("small", (STUDY,)) is STUDY
    with pytest.raises(RemanenceError, match="did you mean 'small'"):
        find_study("smal", (STUDY,))


@pytest.mark.parametrize("study", STUDIES, ids=lambda study: study.name)
def test_registered_studies_keep_the_contract(study):
    assert set(study.minutes) == {"quick", "full"}
    names = [part.name for part in study.parts]
    assert len(set(names)) == len(names)
    for part in study.parts:
        assert set(part.presets) == {"quick", "full"}
        for settings in part.presets.values():
            assert dataclasses.is_dataclass(settings)
            hash(settings)
