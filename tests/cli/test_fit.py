"""The command line as a user meets it: one line for every mistake, nothing left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from remanence.cli import main

ROWS = 240


def table(columns):
    names = list(columns)
    lines = [",".join(names)]
    lines += [",".join(str(columns[name][i]) for name in names) for i in range(ROWS)]
    return "\n".join(lines) + "\n"


@pytest.fixture
def columns(rng):
    u = rng.normal(size=ROWS)
    y = np.zeros(ROWS)
    for t in range(1, ROWS):
        y[t] = 0.7 * y[t - 1] + u[t]
    return {"u": u.round(6), "y": y.round(6), "flat": np.full(ROWS, 3.0)}


@pytest.fixture
def folder(tmp_path, monkeypatch, columns):
    """A working folder with data.csv in it."""
    monkeypatch.chdir(tmp_path)
    Path("data.csv").write_text(table(columns))
    return tmp_path


FIT = ["--inputs", "u", "--outputs", "y", "--length", "8", "--steps", "300", "--seeds", "1"]


def fit(*arguments, data="data.csv", base=FIT):
    return main(["fit", data, *base, "--out", "run", "--quiet", *arguments])


def one_line_of_error(capsys):
    text = capsys.readouterr().err
    assert text.startswith("error: ")
    assert text.count("\n") == 1
    return text


def assert_untouched(folder, *also):
    assert {path.name for path in folder.iterdir()} == {"data.csv", *also}


def test_fit_writes_a_run_and_says_what_it_found(folder, capsys):
    assert fit() == 0
    out = capsys.readouterr().out.splitlines()
    assert "emembers" in out[0]
    assert out[1].startswith("Learned dimension")
    assert out[-1] == f"report: {folder / 'run' / 'report.html'}"
    assert json.loads((folder / "run/result.json").read_text())["training_length"] == 8
    assert fit() == 2
    assert "already exists" in one_line_of_error(capsys)
    assert fit("--overwrite") == 0


def spoiled(columns, name, row, value):
    changed = {key: list(values) for key, values in columns.items()}
    changed[name][row] = value
    return table(changed)


BAD_FILES = {
    "text": (lambda c: spoiled(c, "u", 9, "broken"), ["'u'", "line 11", "broken"]),
    "nan": (lambda c: spoiled(c, "y", 4, "nan"), ["'y'", "--missing drop", "interpolate"]),
    "infinity": (lambda c: spoiled(c, "y", 4, "inf"), ["'y'", "--missing"]),
    "empty": (lambda c: "", ["empty"]),
    "header only": (lambda c: "u,y\n", ["bad.csv"]),
    "ragged": (lambda c: table(c).replace("\n", "\n1,2\n", 1), ["line 2"]),
    "duplicate": (lambda c: table(c).replace("u,y,flat", "u,u,y"), ["'u'"]),
    "short": (lambda c: "\n".join(table(c).splitlines()[:6]), ["--length 8", "5 steps"]),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files_are_one_line_each(folder, capsys, columns, case):
    make, parts = BAD_FILES[case]
    Path("bad.csv").write_text(make(columns))
    assert fit(data="bad.csv") == 2
    message = one_line_of_error(capsys)
    assert all(part in message for part in parts), message
    assert_untouched(folder, "bad.csv")


def test_bad_arrays_are_one_line_each(folder, capsys, columns):
    u, y = columns["u"], columns["y"]
    cases = {
        "complex": ({"u": u + 1j, "y": y}, "complex"),
        "object": ({"u": np.array([object()] * ROWS), "y": y}, "pickle"),
    }
    for arrays, word in cases.values():
        np.savez("bad.npz", **arrays)
        assert fit(data="bad.npz") == 2
        assert word in one_line_of_error(capsys)
    assert_untouched(folder, "bad.npz")


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--inputs", "uu"], ["'uu'", "did you mean 'u'"]),
        (["--inputs", "flat"], ["'flat'", "constant"]),
        (["--inputs", "y"], ["'y'"]),
        (["--length", "many"], ["--length", "'many'"]),
        (["--length", "500"], ["500", "240 steps"]),
        (["--order", "99"], ["order", "99"]),
        (["--optimizer", "sgd"], ["'sgd'"]),
        (["--split", "blok"], ["did you mean 'blocks'"]),
        (["--split", "blocks"], ["--block"]),
        (["--whitening", "-1"], ["whitening"]),
        (["--step-size", "big", "--optimizer", "gd"], ["'big'"]),
        (["--steps", "0"], ["steps"]),
        (["--missing", "ignore"], ["--missing", "ignore"]),
        (["--lenght", "8"], ["--lenght", "did you mean '--length'"]),
        (["--time", "clock"], ["'clock'"]),
        (["--out", "data.csv"], ["data.csv"]),
    ],
)
def test_bad_options_are_one_line_each(folder, capsys, arguments, parts):
    try:
        status = fit(*arguments)
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    message = one_line_of_error(capsys)
    assert all(part in message for part in parts), message
    assert_untouched(folder)


def test_a_missing_file_and_a_missing_command(folder, capsys):
    assert fit(data="dada.csv") == 2
    assert "dada.csv" in one_line_of_error(capsys)
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2
    one_line_of_error(capsys)
    with pytest.raises(SystemExit) as stop:
        main(["fitt", "data.csv"])
    assert stop.value.code == 2
    one_line_of_error(capsys)


def test_divergence_is_status_3_with_its_step(folder, capsys):
    assert fit("--optimizer", "gd", "--step-size", "100") == 3
    assert "diverged at step" in one_line_of_error(capsys)
    assert_untouched(folder)


def test_no_inputs_forecast(folder, capsys):
    base = ["--outputs", "y", "--length", "8", "--steps", "300", "--seeds", "1"]
    assert fit(base=base) == 0
    assert json.loads((folder / "run/result.json").read_text())["order"] >= 1


# A shell starts its background jobs, these tests perhaps, with Ctrl-C ignored.
HEARING = """
import runpy, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_module("remanence", run_name="__main__")
"""


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "kill"])
def test_interrupt_leaves_nothing(folder, kind):
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    endless = ["--length", "64", "--steps", "100000000", "--out", "run"]
    process = subprocess.Popen(
        [sys.executable, "-c", HEARING, "fit", "data.csv", *FIT[:4], *endless],
        cwd=folder,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    first = process.stderr.readline()
    assert "training" in first
    time.sleep(0.5)
    process.send_signal(kind)
    rest = process.communicate(timeout=120)[1]
    assert process.returncode == 130
    assert rest.splitlines()[-1] == "interrupted: nothing was written"
    assert "Traceback" not in rest
    assert_untouched(folder)


RECORDED = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded data are not here")
@pytest.mark.parametrize(
    ("name", "inputs", "outputs", "least"),
    [
        ("robot-arm.csv", "u", "y", 0.5),
        ("exchanger.csv", "q", "th", 0.7),
        ("cascaded-tanks.csv", "uEst", "yEst", 0.5),
    ],
)
def test_recorded_data_give_a_stable_model(folder, name, inputs, outputs, least):
    arguments = ["--inputs", inputs, "--outputs", outputs, "--out", "run", "--quiet"]
    arguments += ["--length", "96", "--steps", "20000", "--seeds", "1"]
    assert main(["fit", str(RECORDED / name), *arguments]) == 0
    result = json.loads((folder / "run/result.json").read_text())
    assert result["stable"]
    assert result["r2"]["whole_record"]["test"] > least
