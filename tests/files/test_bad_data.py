"""Every file that cannot be used is refused in one line: what, where, what to do."""

import pickle
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.io

from remanence.errors import DataError
from remanence.files import delimited, read_sequences

GOOD = "u,y\n1,2\n2,1\n3,5\n"


def refusal(paths, **options) -> str:
    with pytest.raises(DataError) as caught:
        read_sequences(paths, **{"inputs": ["u"], "outputs": ["y"], **options})
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    return message


# name: (text, options, parts of the message)
TEXTS: dict[str, tuple[str | bytes, dict, list[str]]] = {
    "empty": ("", {}, ["is empty"]),
    "blank": ("  \n\n", {}, ["is empty"]),
    "no names": (",,\n1,2,3\n,,\n", {"inputs": ["1"]}, ["no column 'y'", "first line holds numb"]),
    "header only": ("u,y\n", {}, ["header but no rows"]),
    "blank rows only": ("u,y\n,\n,\n", {}, ["header but no rows"]),
    "no header": ("1,2\n2,3\n3,4\n", {}, ["no column 'u'", "put a line of column names"]),
    "unknown column": (
        "speed,y\n1,2\n2,1\n",
        {"inputs": ["sped"]},
        ["no column 'sped'", "did you mean 'speed'?", "columns are 'speed', 'y'"],
    ),
    "unknown among many": (
        ",".join(f"c{i}" for i in range(40)) + "\n",
        {},
        ["no column 'u'", "the 40 columns begin 'c0', 'c1'"],
    ),
    "unknown sequence column": (GOOD, {"sequence_column": "run"}, ["no column 'run'"]),
    "unknown time column": (GOOD, {"time_column": "t"}, ["no column 't'"]),
    "twins": ("u,y,u\n1,2,3\n2,1,4\n", {}, ["2 columns are named 'u'", "rename"]),
    "text in numbers": (
        "u,y\n1,2\n2,1\noops,5\n",
        {},
        ["column 'u', data row 3 (line 4) holds 'oops'", "not a number"],
    ),
    "text after empty lines": ("\nu,y\n\n1,2\n\n2,x\n", {}, ["column 'y', data row 2 (line 6)"]),
    "long text": ("u,y\n1," + "z" * 1000 + "\n", {}, ["'" + "z" * 40 + "…'"]),
    "several lines of text": ('u,y\n"a\nb",1\n', {}, [r"holds 'a\nb'"]),
    "underscores": ("u,y\n1_000,2\n2,1\n", {}, ["holds '1_000'"]),
    "thousands": ("u;y\n1.234,5;2\n2;1\n", {}, ["holds '1.234,5'"]),
    "decimal commas and points": ("u;y\n1,5;2.5\n2;1\n", {}, ["'1,5'", "with a decimal point"]),
    "quoted decimal commas": ('u,y\n"1,5",2\n2,1\n', {}, ["'1,5'", "with a decimal point"]),
    "blank cells": (
        "u,y\n1,2\n,1\n3,\n",
        {},
        ["2 values are missing", "column 'u' at data row 2 (line 3)"],
    ),
    "blank alone": ("y\n1\n\n3\n", {"inputs": ()}, ["1 value is missing", "data row 2 (line 3)"]),
    "ends early": ("u,y\n1,2\n2,1\n3,\n4,\n", {}, ["column 'y' at data row 3 (line 4)"]),
    "not a number": (
        "u,y\n1,2\nNaN,1\n",
        {},
        ["(blank or NaN)", "--missing drop or --missing int"],
    ),
    "infinite": ("u,y\n1,2\n2,-inf\n", {}, ["1 value", "'y' at data row 2 (line 3) (-inf)"]),
    "constant": ("u,y\n3,2\n3,1\n3,5\n", {}, ["column 'u' is constant (3)"]),
    "constant but for rounding": (
        "u,y\n0.3,1\n0.30000000000000004,2\n",
        {},
        ["column 'u' is constant (0.3)"],
    ),
    "constant output": ("u,y\n3,0\n2,0\n", {}, ["column 'y' is constant (0)"]),
    "short row": ("u,y,z\n1,2,3\n2,1\n", {}, ["line 3 has 2 cells where the header has 3"]),
    "long row": ("u,y\n1,2\n2,1,7\n", {}, ["line 3 has 3 cells where the header has 2"]),
    "not UTF-8": (b"u,y\n1,2\n2,\xb5\n", {}, ["line 3 is not UTF-8", "0xb5", "save the file as"]),
    "UTF-16": ("u,y\n1,2\n".encode("utf-16-le"), {}, ["zero byte", "save the file as UTF-8"]),
    "open quote": ('u,y\n1,"2\n' + "2,1\n" * 40_000, {}, ["quote that is not closed"]),
    "one row": ("u,y\n1,2\n", {}, ["sequence 'data' has 1 row", "at least 2"]),
    "one row of an id": (
        "u,y,id\n1,2,a\n2,1,a\n3,3,b\n",
        {"sequence_column": "id"},
        ["sequence 'b' has 1 row"],
    ),
    "blank id": (
        "u,y,id\n1,2,a\n2,1,\n",
        {"sequence_column": "id"},
        ["'id' is blank at data row 2"],
    ),
    "time stands still": (
        "t,u,y\n0,1,2\n1,2,1\n1,3,3\n",
        {"time_column": "t"},
        ["'t' does not increase at data row 3 (line 4): 1 after 1"],
    ),
    "time goes back within an id": (
        "t,u,y,i\n0,1,2,a\n9,2,1,b\n1,2,1,a\n8,1,2,b\n",
        {"time_column": "t", "sequence_column": "i"},
        ["data row 4 (line 5): 8 after 9"],
    ),
    "dates go back": (
        "t,u,y\n2024-01-02,1,2\n2024-01-01,2,1\n",
        {"time_column": "t"},
        ["2024-01-01 after 2024-01-02"],
    ),
    "blank time": ("t,u,y\n0,1,2\n,2,1\n", {"time_column": "t"}, ["'t' is blank at data row 2"]),
    "no ISO date": (
        "t,u,y\n31.12.2024,1,2\n01.01.2025,2,1\n",
        {"time_column": "t"},
        ["data row 1 (line 2) holds '31.12.2024'", "ISO date"],
    ),
    "offsets in some rows": (
        "t,u,y\n2024-01-01T00:00Z,1,2\n2024-01-01T01:00,2,1\n",
        {"time_column": "t"},
        ["mixes dates with and without an offset", "data row 2"],
    ),
    "no sampling interval": (
        "t,u,y\n0,1,2\n1,2,1\n5,0,1\n7,2,2\n20,1,2\n",
        {"time_column": "t"},
        ["column 't' is irregular: 4 of 4", "resample"],
    ),
    "nothing left": (
        "u,y\n1,\n2,1\n,3\n",
        {"missing": "drop"},
        ["nothing is left after dropping"],
    ),
    "nothing to interpolate": (
        "u,y\n1,\n2,\n3,\n",
        {"missing": "interpolate"},
        ["column 'y' has no value at all"],
    ),
}


@pytest.mark.parametrize("large", [0, 10**9], ids=["fast", "careful"])
@pytest.mark.parametrize("name", TEXTS)
def test_text(tmp_path, monkeypatch, name, large):
    monkeypatch.setattr(delimited, "LARGE", large)
    text, options, parts = TEXTS[name]
    path = tmp_path / "data.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    message = refusal(path, **options)
    assert message.startswith(f"{path}: ")
    for part in parts:
        assert part in message
    assert list(tmp_path.iterdir()) == [path]


CALLS = {
    "no outputs": ({"outputs": ()}, "no output column"),
    "input and output": ({"inputs": ["y"]}, "'y' is named as input and output"),
    "twice an input": ({"inputs": ["u", "u"]}, "'u' is named as input twice"),
    "input and sequence": ({"sequence_column": "u"}, "'u' is named as input and the sequence"),
    "time and sequence": (
        {"sequence_column": "a", "time_column": "a"},
        "'a' is named as the sequence column and the time column",
    ),
    "policy": ({"missing": "ignore"}, "choose one of error, drop, interpolate"),
}


@pytest.mark.parametrize("name", CALLS)
def test_calls(tmp_path, name):
    options, part = CALLS[name]
    (tmp_path / "data.csv").write_text(GOOD)
    assert part in refusal(tmp_path / "data.csv", **options)


def test_paths(tmp_path):
    good = tmp_path / "data.csv"
    good.write_text(GOOD)
    assert "no data file given" in refusal([])
    assert "given twice" in refusal([good, tmp_path / "." / "data.csv"])
    assert "no such file" in refusal(tmp_path / "other.csv")
    folder = tmp_path / "folder.csv"
    folder.mkdir()
    assert "is a folder" in refusal(folder)
    message = refusal(tmp_path / "data.xlsx")
    assert "unknown file type '.xlsx'" in message
    for suffix in (".csv", ".tsv", ".txt", ".parquet", ".npz", ".mat"):
        assert suffix in message
    assert "cannot be read" in refusal(good / "inside.csv") or "no such" in refusal(good / "a.csv")


def test_the_bad_one_of_several_files_is_named(tmp_path):
    for name, text in (("a.csv", GOOD), ("b.csv", "u,y\n1,2\n,1\n")):
        (tmp_path / name).write_text(text)
    message = refusal([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert message.startswith(f"{tmp_path / 'b.csv'}: 1 value")


def test_dates_in_one_file_and_numbers_in_the_other(tmp_path):
    (tmp_path / "a.csv").write_text("t,u,y\n0,1,2\n1,2,1\n")
    (tmp_path / "b.csv").write_text("t,u,y\n2024-01-01,1,2\n2024-01-02,2,1\n")
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    assert "dates in some files" in refusal(paths, time_column="t")


@pytest.mark.parametrize("suffix", [".parquet", ".npz", ".mat"])
@pytest.mark.parametrize("damage", ["empty", "junk", "cut"])
def test_damaged_binaries(tmp_path, suffix, damage):
    path = tmp_path / f"data{suffix}"
    arrays = {"u": np.arange(500.0), "y": np.arange(500.0) ** 2}
    if suffix == ".parquet":
        pq.write_table(pa.table(arrays), path)
    elif suffix == ".npz":
        np.savez(path, **arrays)
    else:
        scipy.io.savemat(path, arrays)
    whole = path.read_bytes()
    junk = np.random.default_rng(0).bytes(3000)
    path.write_bytes({"empty": b"", "junk": junk, "cut": whole[: len(whole) // 2]}[damage])
    message = refusal(path)
    assert message.startswith(str(path))
    assert damage != "empty" or "is empty" in message


ARRAYS = {
    "complex": (np.array([1j, 2, 3]), ["'u' holds complex numbers"]),
    "text": (np.array(["a", "b", "c"]), ["'u' holds text, not numbers"]),
    "bytes": (np.array([b"a", b"b", b"c"]), ["'u' holds bytes"]),
    "dates": (np.array(["2024", "2025", "2026"], "M8[Y]"), ["'u' holds dates, not numbers"]),
    "structure": (np.zeros(3, [("a", "f8")]), ["'u' holds a structure"]),
    "scalar": (np.array(1.0), ["'u' has shape ()"]),
    "cube": (np.zeros((3, 2, 2)), ["'u' has shape (3, 2, 2)"]),
    "lengths": (np.arange(4.0), ["'u' has 4 rows and 'y' has 3"]),
    "matrix": (np.zeros((3, 2)), ["no column 'u'", "'u' is a matrix: name its columns"]),
    "NaN": (np.array([1, np.nan, np.inf]), ["2 values are missing", "data row 2 (blank or NaN)"]),
    "objects": (np.array([1, "a", None], dtype=object), ["pickled objects", "never loaded"]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_npz(tmp_path, name):
    array, parts = ARRAYS[name]
    path = tmp_path / "data.npz"
    np.savez(path, u=array, y=np.array([1.0, 2, 4]))
    message = refusal(path)
    for part in parts:
        assert part in message


def test_npz_that_is_a_pickle(tmp_path):
    path = tmp_path / "data.npz"
    path.write_bytes(pickle.dumps({"u": 1}))
    assert "pickled objects are never loaded" in refusal(path)


@pytest.mark.parametrize(
    ("value", "part"),
    [
        (np.array([1j, 2, 3]), "'u' holds complex numbers"),
        ({"a": 1.0}, "'u' is a MATLAB struct"),
        (np.array([1, "a", [2]], dtype=object), "'u' is a MATLAB cell"),
        (np.array(["a", "b", "c"]), "text, not numbers"),
        (scipy.sparse.eye_array(3, format="csc"), "'u' is a MATLAB sparse"),
    ],
)
def test_mat(tmp_path, value, part):
    path = tmp_path / "data.mat"
    scipy.io.savemat(path, {"u": value, "y": np.array([1.0, 2, 4])})
    assert part in refusal(path)


def test_mat_of_version_7_3(tmp_path):
    path = tmp_path / "data.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["u"] = np.arange(3.0)
    header = b"MATLAB 7.3 MAT-file".ljust(124) + bytes([0x00, 0x02]) + b"IM"
    path.write_bytes(header + path.read_bytes()[len(header) :])
    assert "'-v7'" in refusal(path)


@pytest.mark.parametrize(
    ("column", "part"),
    [
        (pa.array(["a", "b", "c"]), "'u' holds text, not numbers"),
        (pa.array([[1], [2], [3]]), "'u' holds list"),
        (pa.array([1.0, None, 3.0]), "column 'u' at data row 2 (blank or NaN)"),
    ],
)
def test_parquet(tmp_path, column, part):
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table({"u": column, "y": [1.0, 2, 4]}), path)
    assert part in refusal(path)


def test_parquet_twins(tmp_path):
    path = tmp_path / "data.parquet"
    pq.write_table(pa.table([[1, 2], [2, 1], [0, 1]], names=["u", "y", "u"]), path)
    assert "2 columns are named 'u'" in refusal(path)


def test_nothing_beside_the_data(tmp_path):
    path = Path(tmp_path / "data.csv")
    path.write_text("u,y\n1,2\nx,1\n")
    refusal(path)
    assert list(tmp_path.iterdir()) == [path]
