"""What is written can be read back by the strictest reader of the format."""

import dataclasses
import enum
import json
import math
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remanence.files import write_json, write_table, write_toml
from remanence.files.writing import to_toml


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Pair:
    name: str
    value: float


JSON = [
    (None, None),
    (True, True),
    (np.bool_(False), False),
    (np.int32(3), 3),
    (np.float32(0.5), 0.5),
    (math.nan, None),
    (-math.inf, "-Infinity"),
    (np.array([[1.0, np.nan], [np.inf, 2.0]]), [[1.0, None], ["Infinity", 2.0]]),
    (np.array(2), 2),
    (jnp.arange(3), [0, 1, 2]),
    (jnp.float32(1.5), 1.5),
    (1 + 2j, {"real": 1.0, "imag": 2.0}),
    ((1, "α\n"), [1, "α\n"]),
    (Path("a/b"), "a/b"),
    (Colour.RED, "red"),
    (Pair("a", math.nan), {"name": "a", "value": None}),
    ({1: {"a": np.int64(2)}}, {"1": {"a": 2}}),
    (datetime(2024, 1, 2, tzinfo=UTC), "2024-01-02T00:00:00+00:00"),
    (np.array(["a", "b"]), ["a", "b"]),
]


@pytest.mark.parametrize(("value", "expected"), JSON)
def test_json(tmp_path, value, expected):
    path = tmp_path / "data.json"
    write_json(path, {"value": value})

    def strict(constant):
        raise AssertionError(constant)

    assert json.loads(path.read_text("utf-8"), parse_constant=strict) == {"value": expected}


@pytest.mark.parametrize("value", [object(), {1.5: 2}, {1, 2}, np.array([object()]), int])
def test_json_refuses(tmp_path, value):
    with pytest.raises(TypeError, match="cannot"):
        write_json(tmp_path / "data.json", value)
    assert not list(tmp_path.iterdir())


def test_table(tmp_path):
    path = tmp_path / "table.parquet"
    columns = {
        "step": np.arange(3),
        "loss": jnp.array([1.0, jnp.nan, 3.0]),
        "name": ["a", "b", None],
        "root": np.array([1j, 2, 3 + 1j]),
    }
    write_table(path, columns, {"seed": 3, "title": "a run"})
    table = pq.read_table(path)
    assert table.column_names == ["step", "loss", "name", "root.real", "root.imag"]
    assert table.column("name").to_pylist() == ["a", "b", None]
    assert table.column("root.imag").to_pylist() == [1, 0, 1]
    np.testing.assert_array_equal(table.column("loss").to_numpy(), [1, np.nan, 3])
    assert table.schema.metadata[b"seed"] == b"3"
    assert table.schema.metadata[b"title"] == b"a run"


@pytest.mark.parametrize(
    ("columns", "part"),
    [({"a": np.ones(2), "b": np.ones(3)}, "'a' 2, 'b' 3"), ({"a": np.ones((2, 2))}, "(2, 2)")],
)
def test_table_refuses(tmp_path, columns, part):
    with pytest.raises(ValueError, match="column") as caught:
        write_table(tmp_path / "table.parquet", columns)
    assert part in str(caught.value)
    assert not list(tmp_path.iterdir())


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
plain = st.one_of(texts, st.integers(-(2**63), 2**63 - 1), st.floats(), st.booleans())
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(texts, values, max_size=5))
def test_toml_round_trip(data):
    np.testing.assert_equal(tomllib.loads(to_toml(data)), data)


def test_toml_control_characters():
    data = {"".join(map(chr, range(0x20))): "".join(map(chr, range(0x7F, 0xA1))) + '"\\'}
    assert tomllib.loads(to_toml(data)) == data


def test_toml(tmp_path):
    data = {
        "seed": np.int64(1),
        "rate": np.float32(0.5),
        "none": None,
        "orders": (1, 2),
        "out": Path("runs/a"),
        "model": {"kind": Colour.RED, "none": None, "empty": {}, "steps": [{"a": 1, "b": None}]},
        "array": np.array([1.5, 2.5]),
    }
    write_toml(tmp_path / "config.toml", data)
    text = (tmp_path / "config.toml").read_text("utf-8")
    assert tomllib.loads(text) == {
        "seed": 1,
        "rate": 0.5,
        "orders": [1, 2],
        "out": "runs/a",
        "model": {"kind": "red", "empty": {}, "steps": [{"a": 1}]},
        "array": [1.5, 2.5],
    }
    assert text.startswith("seed = 1\n")


@pytest.mark.parametrize("value", [object(), [None], 1j])
def test_toml_refuses(tmp_path, value):
    with pytest.raises(TypeError, match="cannot write"):
        write_toml(tmp_path / "config.toml", {"a": value})
    assert not list(tmp_path.iterdir())
