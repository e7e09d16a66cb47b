"""The Python of README and docs runs as it stands; the commands are in the Makefile."""

import re
from pathlib import Path

import jax

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


def test_the_page_on_sensitivity_runs(capsys):
    page = (ROOT / "docs" / "sensitivity.md").read_text(encoding="utf-8")
    program = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    with jax.numpy_dtype_promotion("standard"):
        names: dict = {}
        exec(compile(program, "docs/sensitivity.md", "exec"), names)
    # White input: (1 + λ²)/(1 − λ²)³ at 0.9.
    first = float(capsys.readouterr().out.split()[0].strip("[]"))
    assert abs(first / (1.81 / 0.19**3) - 1) < 1e-6
    assert names["trained"].final_losses[1] < 0.05
    assert names["online"].losses[-100:].mean() < names["online"].losses[:100].mean()


def test_the_page_on_hyperbolic_training_runs(capsys):
    page = (ROOT / "docs" / "hyperbolic-training.md").read_text(encoding="utf-8")
    with jax.numpy_dtype_promotion("standard"):
        names: dict = {}
        program = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
        exec(compile(program, "docs/hyperbolic-training.md", "exec"), names)
    assert float(capsys.readouterr().out.split()[0]) < 1e-5
    # A teacher with a memory of 10,000 steps, from students within radius .9.
    assert abs(names["teacher"].eigenvalues()).min() > 0.9999
    trained = names["trained"]
    assert (trained.final_losses < 0.01 * trained.losses[:, 0]).all()
    for picture in re.findall(r"\]\((figures/[^)]*)\)", page):
        assert (ROOT / "docs" / picture).is_file()


def test_the_page_on_memory_functions_runs(capsys, tmp_path, monkeypatch):
    page = (ROOT / "docs" / "memory-functions.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with jax.numpy_dtype_promotion("standard"):
        names: dict = {}
        program = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
        exec(compile(program, "docs/memory-functions.md", "exec"), names)
    said = capsys.readouterr().out.splitlines()
    assert float(said[0]) < 1e-12
    assert names["fit"] is not None
    assert names["power"].verdict == "power law"
    assert names["short"].verdict == "undecided"
    assert abs(float(said[-1])) < 1e-9
    assert {path.name for path in tmp_path.iterdir()} == {"model.safetensors"}


def test_the_two_commands_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert f"\n{command}:" in makefile
