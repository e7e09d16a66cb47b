"""`remanence study` as a user meets it."""

import dataclasses

import pytest

import remanence.studies as studies
from remanence.cli import main
from remanence.studies import Claim, Finding, Part, Study


@pytest.fixture
def small(tmp_path, monkeypatch):
    """One study of one failing claim, in an empty working folder."""

    def run(settings, progress):
        claim = Claim("C1", "It holds.", "derived", "x < 1", "x = 2", "fails", "Too large.")
        return Finding("Part", "Text.", (claim,))

    part = Part("part", run, {"quick": _Nothing(), "full": _Nothing()})
    study = Study("small", "Small", "About.", "Us", (part,), {"quick": 1.0, "full": 2.0})
    monkeypatch.setattr(studies, "STUDIES", (study,))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@dataclasses.dataclass(frozen=True)
class _Nothing:
    pass


def test_list_and_run(small, capsys):
    assert main(["study", "list"]) == 0
    assert "small" in capsys.readouterr().out
    assert main(["study", "small", "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "C1" in out
    assert "fails" in out
    assert "0 of 1 claims hold" in out
    assert (small / "small-quick/report.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["study", "smal"], "did you mean 'small'"),
        (["study", "small", "--quick", "--full"], "not allowed with"),
        (["study", "small", "--fast"], "unknown argument"),
        (["study", "small", "--out", ""], "--out"),
        (["study", "small", "--parts", "prt"], "no part 'prt'; did you mean 'part'?"),
    ],
)
def test_mistakes_are_one_line(small, capsys, arguments, part):
    try:
        status = main(arguments)
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert message.count("\n") == 1
    assert part in message
    assert not list(small.iterdir())


def test_some_parts_of_a_study(small, capsys, monkeypatch):
    (study,) = studies.STUDIES
    again = dataclasses.replace(study.parts[0], name="a second")
    both = dataclasses.replace(study, parts=(again, study.parts[0]))
    monkeypatch.setattr(studies, "STUDIES", (both,))
    assert main(["study", "small", "--quiet", "--parts", "a second"]) == 0
    assert "0 of 1 claims hold" in capsys.readouterr().out
    report = (small / "small-quick/report.html").read_text(encoding="utf-8")
    assert "remanence study small --parts &#39;a second&#39;" in report
    assert main(["study", "small", "--quiet", "--overwrite", "--parts", "part, a second"]) == 0
    assert "0 of 2 claims hold" in capsys.readouterr().out
    assert "--parts" not in (small / "small-quick/report.html").read_text(encoding="utf-8")
