"""The Python of README and docs runs as it stands; the commands are in the Makefile."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_example_of_systems_runs(capsys):
    exec(compile(EXAMPLES[0], "README.md", "exec"), {})
    values, bound = capsys.readouterr().out.strip().rsplit("\n", 1)
    assert len(values.strip("[]").split()) == 4
    assert float(bound) > 0


def test_the_example_of_layers_says_what_it_says(capsys):
    exec(compile(EXAMPLES[1], "README.md", "exec"), {})
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    errors = {int(row[0]): float(row[2]) for row in rows if len(row) == 5 and row[0].isdigit()}
    assert errors[64] < 1e-3
    assert errors[4096] > 1e-2


def test_the_tour_of_layers_runs(tmp_path, monkeypatch):
    tour = (ROOT / "docs" / "layers.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    # The first block lists signatures; the others are one program.
    for block in re.findall(r"```python\n(.*?)```", tour, re.DOTALL)[1:]:
        exec(compile(block, "docs/layers.md", "exec"), names)
    assert {path.name for path in tmp_path.iterdir()} == {"run.safetensors", "model.safetensors"}
    assert type(names["again"]) is type(names["model"])


def test_the_two_commands_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert f"\n{command}:" in makefile
