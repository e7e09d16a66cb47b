"""Good files, in every format and with every blemish that is forgiven, give the same numbers."""

import os
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st

from remanence.files import Recording, delimited, read_sequences

U = [0.5, 1.0, -2.0, 3.25]
Y = [1.0, 2.0, 4.0, 8.0]
HERE = Path(__file__).resolve()
DATA = Path(os.environ.get("REMANENCE_DATA") or HERE.parents[3] / "shared" / "data")


def write(folder: Path, text: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(path, **options) -> Recording:
    return read_sequences(path, **{"inputs": ["u"], "outputs": ["y"], **options})


def columns_of(recording: Recording) -> tuple[list[float], list[float]]:
    """The only input and the only output of the only sequence."""
    (u,), (y,) = recording.inputs, recording.outputs
    assert u.dtype == y.dtype == np.float64
    assert u.shape == y.shape == (recording.lengths[0], 1)
    return u[:, 0].tolist(), y[:, 0].tolist()


TEXTS = {
    "plain": ("u,y\n0.5,1\n1.0,2\n-2,4\n3.25,8\n", ()),
    "no newline at the end": ("u,y\n0.5,1\n1.0,2\n-2,4\n3.25,8", ()),
    "CRLF": ("u,y\r\n0.5,1\r\n1.0,2\r\n-2,4\r\n3.25,8\r\n", ()),
    "CR": ("u,y\r0.5,1\r1.0,2\r-2,4\r3.25,8\r", ()),
    "byte order mark": ("\ufeffu,y\n0.5,1\n1.0,2\n-2,4\n3.25,8\n", ()),
    "quoted, with spaces": ('" u ", "y"\n0.5 , 1\n 1.0,2\n-2,"4"\n3.25,8\n', ()),
    "tabs": ("y\tu\n1\t0.5\n2\t1.0\n4\t-2\n8\t3.25\n", ()),
    "semicolons": ("u;y\n0.5;1\n1.0;2\n-2;4\n3.25;8\n", ()),
    "decimal commas": ("u;y\n0,5;1\n1,0;2\n-2;4\n3,25;8,0\n", ("decimal commas",)),
    "commas in a semicolon header": ('u;"y";"T, mean"\n0.5;1;0\n1.0;2;0\n-2;4;0\n3.25;8;0\n', ()),
    "trailing commas": ("u,y,\n0.5,1,\n1.0,2,\n-2,4,\n3.25,8,\n", ("1 column without a name",)),
    "trailing commas in rows only": ("u,y\n0.5,1,\n1.0,2,\n-2,4,\n3.25,8,,\n", ()),
    "trailing comma in the header": ("u,y,\n0.5,1\n1.0,2\n-2,4\n3.25,8\n", ("without a name",)),
    "blank columns": ("u,,y,,\n0.5,,1,,\n1.0,,2,,\n-2,,4,,\n3.25,,8,,\n", ("3 columns without",)),
    "unused column, first row only": ("u,y,Ts\n0.5,1,4\n1.0,2,\n-2,4,\n3.25,8,\n", ()),
    "unused text": ("u,why,y\n0.5,a,1\n1.0,NaN,2\n-2,inf,4\n3.25,,8\n", ()),
    "unused twins": ("u,z,y,z\n0.5,1,1,1\n1.0,1,2,1\n-2,1,4,1\n3.25,1,8,1\n", ()),
    "empty lines": ("\n\nu,y\n\n0.5,1\n1.0,2\n\n-2,4\n3.25,8\n\n\n", ("2 empty lines",)),
    "blank rows at the end": ("u,y\n0.5,1\n1.0,2\n-2,4\n3.25,8\n,\n,\n", ("2 blank rows",)),
    "exponents and signs": ("u,y\n5e-1,+1\n1.0E0,2\n-2,4\n.325e+1,8.\n", ()),
}


@pytest.mark.parametrize("large", [0, 10**9], ids=["fast", "careful"])
@pytest.mark.parametrize("name", TEXTS)
def test_text(tmp_path, monkeypatch, name, large):
    monkeypatch.setattr(delimited, "LARGE", large)
    text, notes = TEXTS[name]
    recording = read(write(tmp_path, text, "run 7.csv"))
    assert columns_of(recording) == (U, Y)
    assert recording.sequence_names == ("run 7",)
    assert recording.input_names == ("u",)
    assert recording.output_names == ("y",)
    assert (recording.step, recording.step_unit) == (None, None)
    assert len(recording.notes) == len(notes)
    assert all(part in note for part, note in zip(notes, recording.notes, strict=True))


@pytest.mark.parametrize("suffix", [".txt", ".tsv", ".CSV"])
def test_text_suffixes(tmp_path, suffix):
    text = TEXTS["semicolons"][0]
    assert columns_of(read(write(tmp_path, text, f"data{suffix}"))) == (U, Y)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.floats().map(repr),
                st.sampled_from(["", " ", "NA", "nan", "null", "1e999", "-0", "+1", "1_0", " 2"]),
                st.sampled_from(["0x10", "Infinity", "1e5", "1,5", "'", "1d3", "1.", "--"]),
            ),
            st.floats(-1e6, 1e6).map(repr),
            st.sampled_from(["a", " b", "007", "NA", "nan"]),
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([",", ";"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\n", "\n\n"]),
)
def test_fast_and_careful_reading_agree(tmp_path_factory, rows, delimiter, newline, end):
    path = tmp_path_factory.mktemp("cells") / "data.csv"
    lines = [delimiter.join(cells) for cells in [("u", "y", "id"), *rows]]
    path.write_bytes((newline.join(lines) + end).encode())
    results = []
    for large in (0, 10**9):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(delimited, "LARGE", large)
            try:
                r = read(path, sequence_column="id", missing="interpolate")
                results.append((r.inputs, r.outputs, r.sequence_names, r.notes))
            except Exception as error:
                results.append(repr(error))
    fast, careful = results
    np.testing.assert_equal(fast, careful)


def test_large_files_take_the_fast_path(tmp_path, rng):
    values = rng.standard_normal((20_000, 2))
    rows = "\n".join(f"{u!r},{y!r},,{i}" for i, (u, y) in enumerate(values.tolist()))
    path = write(tmp_path, f"u,y,,t\n{rows}\n")
    assert path.stat().st_size > delimited.LARGE
    recording = read(path, time_column="t")
    np.testing.assert_array_equal(recording.inputs[0][:, 0], values[:, 0])
    np.testing.assert_array_equal(recording.outputs[0][:, 0], values[:, 1])
    assert recording.step == 1


def save_parquet(path: Path, **columns) -> None:
    pq.write_table(pa.table(columns), path)


def save_npz(path: Path, **columns) -> None:
    np.savez(path, **columns)


def save_mat(path: Path, **columns) -> None:
    scipy.io.savemat(path, columns)


BINARY = {".parquet": save_parquet, ".npz": save_npz, ".mat": save_mat}


@pytest.mark.parametrize("suffix", BINARY)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
def test_binary_formats(tmp_path, suffix, dtype):
    path = tmp_path / f"data{suffix}"
    u, y = np.array(U).astype(dtype), np.array(Y).astype(dtype)
    BINARY[suffix](path, y=y, u=u, unused=np.array(["a", "b", "c", "d"]))
    assert columns_of(read(path)) == (u.astype(float).tolist(), Y)


@pytest.mark.parametrize("suffix", [".npz", ".mat"])
def test_matrices_become_columns(tmp_path, suffix, rng):
    path = tmp_path / f"data{suffix}"
    x, y = rng.standard_normal((5, 3)), rng.standard_normal((1, 5))
    BINARY[suffix](path, x=x, y=y, u=rng.standard_normal((5, 1)), Ts=0.1, other=np.ones((2, 2, 2)))
    recording = read(path, inputs=["x_2", "u", "x_0"])
    np.testing.assert_array_equal(recording.inputs[0][:, [0, 2]], x[:, [2, 0]])
    np.testing.assert_array_equal(recording.outputs[0], y.T)


def test_unused_pickles_are_never_loaded(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, u=np.array(U), y=np.array(Y), bomb=np.array([Bomb()], dtype=object))
    assert columns_of(read(path)) == (U, Y)
    assert not Bomb.exploded


class Bomb:
    exploded = False

    def __reduce__(self):
        return (setattr, (Bomb, "exploded", True))


def test_parquet_types(tmp_path):
    path = tmp_path / "data.parquet"
    pq.write_table(
        pa.table(
            {
                "u": pa.array([True, None, False, True]),
                "y": pa.array([1, 2, None, 8], pa.int64()),
                "id": pa.array(["a"] * 4).dictionary_encode(),
                "t": pa.array(
                    [datetime(2024, 1, 1) + timedelta(minutes=15 * i) for i in range(4)]
                ),
            }
        ),
        path,
    )
    recording = read(path, sequence_column="id", time_column="t", missing="interpolate")
    assert columns_of(recording) == ([1, 0.5, 0, 1], [1, 2, 5, 8])
    assert recording.sequence_names == ("a",)
    assert (recording.step, recording.step_unit) == (15, "min")


def test_forecasting_has_no_inputs(tmp_path):
    recording = read(write(tmp_path, TEXTS["plain"][0]), inputs=())
    assert recording.inputs[0].shape == (4, 0)
    assert recording.outputs[0][:, 0].tolist() == Y


@pytest.mark.parametrize("ids", [("a", "a", "b", "b"), ("a", "b", "a", "b")])
def test_sequence_column(tmp_path, ids):
    rows = "".join(f"{i},{u},{y}\n" for i, u, y in zip(ids, U, Y, strict=True))
    recording = read(write(tmp_path, f"id,u,y\n{rows}"), sequence_column="id")
    assert recording.sequence_names == ("a", "b")
    for name, u in zip("ab", recording.inputs, strict=True):
        assert u[:, 0].tolist() == [v for i, v in zip(ids, U, strict=True) if i == name]


def test_ids_of_numbers(tmp_path):
    save_npz(tmp_path / "d.npz", u=np.array(U), y=np.array(Y), id=np.array([1.0, 1.0, 2.0, 2.0]))
    assert read(tmp_path / "d.npz", sequence_column="id").sequence_names == ("1", "2")


def test_several_files(tmp_path):
    first = write(tmp_path, "id,u,y\na,1,2\na,3,4\nb,0,1\nb,1,1\n", "one.csv")
    second = write(tmp_path, "u;y;id\n5;6;a\n7;8;a\n", "two.csv")
    assert read([first, second]).sequence_names == ("one", "two")
    assert read([first, second]).lengths == (4, 2)
    both = read([first, second], sequence_column="id")
    assert both.sequence_names == ("one:a", "one:b", "two:a")
    assert both.inputs[2][:, 0].tolist() == [5, 7]
    other = tmp_path / "one.npz"
    save_npz(other, u=np.array(U), y=np.array(Y))
    assert read([first, other]).sequence_names == ("one.csv", "one.npz")


def dates(step: timedelta, form: str = "%Y-%m-%dT%H:%M:%S") -> list[str]:
    return [(datetime(2024, 2, 28, 23) + i * step).strftime(form) for i in range(4)]


@pytest.mark.parametrize(
    ("times", "step", "unit"),
    [
        (["0", "0.1", "0.2", "0.3"], 0.1, "steps of the time column"),
        (["-3", "-1", "1", "3"], 2, "steps of the time column"),
        (dates(timedelta(hours=1)), 1, "h"),
        (dates(timedelta(minutes=15)), 15, "min"),
        (dates(timedelta(minutes=90), "%Y-%m-%d %H:%M:%S"), 90, "min"),
        (dates(timedelta(days=1), "%Y-%m-%d"), 1, "d"),
        (dates(timedelta(days=7)), 7, "d"),
        (dates(timedelta(seconds=4), "%Y-%m-%dT%H:%M:%SZ"), 4, "s"),
        (dates(timedelta(milliseconds=20), "%Y-%m-%d %H:%M:%S.%f"), 0.02, "s"),
        (
            ["2024-03-31T01:00+01:00", "2024-03-31T03:00+02:00", "2024-03-31T04:00+02:00"],
            1,
            "h",
        ),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".npz"])
def test_time_column(tmp_path, times, step, unit, suffix):
    path = tmp_path / f"data{suffix}"
    u, y = U[: len(times)], Y[: len(times)]
    if suffix == ".csv":
        rows = "".join(f"{t},{a},{b}\n" for t, a, b in zip(times, u, y, strict=True))
        write(tmp_path, f"t,u,y\n{rows}")
    else:
        BINARY[suffix](path, t=np.array(times), u=np.array(u), y=np.array(y))
    recording = read(path, time_column="t")
    assert recording.step == pytest.approx(step, abs=1e-9)
    assert recording.step_unit == unit
    assert recording.notes == ()


def test_numpy_dates(tmp_path):
    t = np.datetime64("2024-01-01T00:00") + np.arange(4) * np.timedelta64(6, "h")
    save_npz(tmp_path / "d.npz", t=t, u=np.array(U), y=np.array(Y))
    recording = read(tmp_path / "d.npz", time_column="t")
    assert (recording.step, recording.step_unit) == (6, "h")


def test_irregular_sampling_is_noted(tmp_path):
    times = [0, 1, 2, 3, 4.5, 5.5, 6.5]
    rows = "".join(f"{t},{i},{i * i}\n" for i, t in enumerate(times))
    recording = read(write(tmp_path, f"t,u,y\n{rows}"), time_column="t")
    (note,) = recording.notes
    assert recording.step == 1
    for part in ("irregular at 1 of 6", "'data'", "rows 4 and 5", "(1.5 where the median is 1)"):
        assert part in note


GAPPY = "u,y\n,1\n1,2\n2,3\n3,\n4,5\n5,6\n6,inf\n7,8\n8,NA\n9,10\n10,11\n11,12\n"


def test_dropping_splits(tmp_path):
    recording = read(write(tmp_path, GAPPY), missing="drop")
    assert recording.sequence_names == ("data[1]", "data[2]", "data[3]")
    assert [u[:, 0].tolist() for u in recording.inputs] == [[1, 2], [4, 5], [9, 10, 11]]
    (note,) = recording.notes
    for part in ("4 of 12 rows dropped", "3 unbroken pieces", "1 of a single row"):
        assert part in note


def test_dropping_at_the_ends_keeps_the_name(tmp_path):
    recording = read(write(tmp_path, "u,y\n,1\n1,2\n2,3\n3,\n"), missing="drop")
    assert recording.sequence_names == ("data",)
    assert recording.lengths == (2,)


def test_interpolation(tmp_path):
    text = "u,y,id\n,1,a\n1,2,a\n,,a\n,4,a\n4,5,a\nnan,6,a\n1,1,b\n2,2,b\n"
    recording = read(write(tmp_path, text), missing="interpolate", sequence_column="id")
    assert recording.inputs[0][:, 0].tolist() == [1, 1, 2, 3, 4, 4]
    assert recording.outputs[0][:, 0].tolist() == [1, 2, 3, 4, 5, 6]
    (note,) = recording.notes
    for part in ("'a'", "5 of 12 values interpolated", "longest gap 2 rows"):
        assert part in note


@pytest.mark.skipif(not (DATA / "cascaded-tanks.csv").exists(), reason="recorded data not here")
def test_cascaded_tanks():
    path = DATA / "cascaded-tanks.csv"
    recording = read_sequences(path, inputs=["uEst"], outputs=["yEst"])
    assert recording.lengths == (1024,)
    assert recording.inputs[0][0, 0] == 3.2567
    assert recording.outputs[0][0, 0] == 5.205
    assert "without a name" in recording.notes[0]
