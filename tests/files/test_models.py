"""A model file gives back what was saved, and refuses what it cannot vouch for in one line."""

import json
import os
import pickle

import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from remanence._version import __version__
from remanence.errors import ModelFileError, RemanenceError
from remanence.files import load_system, models, read_tensors, save_system, write_tensors
from remanence.systems import DiagonalStateSpace, StateSpace


def refusal(path, read=read_tensors) -> str:
    with pytest.raises(ModelFileError) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def test_tensors_round_trip(tmp_path, rng):
    path = tmp_path / "model.safetensors"
    wide = rng.standard_normal((4, 6))
    tensors = {
        "transposed": wide.T,
        "strided": wide[::2, ::-3],
        "swapped": np.arange(3, dtype=">f8"),
        "scalar": np.array(1.5),
        "empty": np.zeros((0, 3)),
        "float32": rng.standard_normal(3).astype(np.float32),
        "int": np.arange(4),
        "bool": np.array([True, False]),
        "complex128": rng.standard_normal(3) + 1j * rng.standard_normal(3),
        "complex64": np.array([1 + 2j, complex(np.inf, 0), complex(0, np.inf)], np.complex64),
    }
    spec = {"order": np.int64(3), "names": ("a", "β"), "bound": np.inf}
    write_tensors(path, "Thing", tensors | {"jax": jnp.arange(2.0)}, spec)
    kind, loaded, loaded_spec = read_tensors(path)
    assert kind == "Thing"
    assert loaded_spec == {"order": 3, "names": ["a", "β"], "bound": "Infinity"}
    assert set(loaded) == {*tensors, "jax"}
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(loaded[name], tensor)
        assert loaded[name].dtype == tensor.dtype.newbyteorder("=")
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


def test_the_metadata_are_plain_json(tmp_path):
    path = tmp_path / "model.safetensors"
    write_tensors(path, "Thing", {"a": np.ones((2, 3))}, {"x": 1})
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    inner = json.loads(header["__metadata__"]["remanence"])
    assert inner == {
        "kind": "Thing",
        "format": 1,
        "version": __version__,
        "shapes": {"a": [2, 3]},
        "complex": [],
        "spec": {"x": 1},
    }


def test_what_cannot_be_written_leaves_the_earlier_file(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    write_tensors(path, "Thing", {"a": np.ones(2)}, {})
    before = path.read_bytes()
    with pytest.raises(TypeError, match="'a' holds"):
        write_tensors(path, "Thing", {"a": np.array(["x"])}, {})
    with pytest.raises(ValueError, match=r"'a\.real'"):
        write_tensors(path, "Thing", {"a": np.array([1j]), "a.real": np.ones(1)}, {})

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(RemanenceError, match="No space left"):
        write_tensors(path, "Thing", {"a": np.zeros(2)}, {})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(RemanenceError, match="cannot be written"):
        write_tensors(tmp_path / "no" / "model.safetensors", "Thing", {"a": np.ones(2)}, {})


def header(**changes) -> str:
    whole = {"kind": "T", "format": 1, "version": "9.9", "shapes": {"a": [2]}, "complex": []}
    return json.dumps({**whole, "spec": {}, **changes})


DAMAGE = {
    "no metadata": (None, ["without Remanence metadata"]),
    "no JSON": ("{", ["metadata are damaged"]),
    "deep JSON": ("[" * 100_000, ["metadata are damaged"]),
    "a list": ("[]", ["metadata are damaged"]),
    "newer format": (header(format=2), ["format 2, written by Remanence 9.9", "reads format 1"]),
    "no format": ("{}", ["format None", "unknown version"]),
    "no kind": (header(kind=None), ["metadata are damaged"]),
    "no spec": (header(spec=[]), ["metadata are damaged"]),
    "odd shapes": (header(shapes={"a": ["2"]}), ["metadata are damaged"]),
    "odd complex": (header(complex=["b"]), ["metadata are damaged"]),
    "missing tensor": (header(shapes={"a": [2], "b": [1]}), ["tensor 'b' is missing"]),
    "missing part": (header(complex=["a"]), ["tensor 'a.real' is missing"]),
    "shape": (header(shapes={"a": [3]}), ["'a' has shape (2,) where the metadata say (3,)"]),
    "extra tensor": (header(shapes={}), ["tensor 'a' is not listed"]),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_metadata(tmp_path, name):
    text, parts = DAMAGE[name]
    path = tmp_path / "model.safetensors"
    save_file({"a": np.ones(2)}, path, metadata=None if text is None else {"remanence": text})
    message = refusal(path)
    for part in parts:
        assert part in message


class Bomb:
    exploded = False

    def __reduce__(self):
        return (setattr, (Bomb, "exploded", True))


@pytest.mark.parametrize(
    "content", [b"", b"junk", pickle.dumps(Bomb()), b"\xff" * 64, b"\x02" + b"\0" * 7 + b"{}"]
)
def test_other_files(tmp_path, content):
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    refusal(path)
    assert not Bomb.exploded


def test_cut_file_and_paths(tmp_path):
    path = tmp_path / "model.safetensors"
    write_tensors(path, "Thing", {"a": np.ones(100)}, {})
    path.write_bytes(path.read_bytes()[:-1])
    assert "cannot be read as a safetensors file" in refusal(path)
    assert "no such file" in refusal(tmp_path / "other")
    assert "is a folder" in refusal(tmp_path)


SYSTEMS = {
    "dense": StateSpace(np.eye(2) / 3, np.ones((2, 1)), np.ones((3, 2)), np.ones((3, 1))),
    "float32": StateSpace(*(np.ones((1, 1), np.float32),) * 4),
    "no D": StateSpace(np.eye(2) / 2, np.ones((2, 1)), np.ones((1, 2))),
    "static": StateSpace(np.zeros((0, 0)), np.zeros((0, 1)), np.zeros((2, 0)), np.ones((2, 1))),
    "pairs": DiagonalStateSpace([0.5 + 0.1j], [[1j]], [[1 + 1j]], [[0.3]]),
    "real modes": DiagonalStateSpace([0.5, 0.1], np.ones((2, 1)), np.ones((1, 2))),
    "mixed": DiagonalStateSpace(
        np.array([0.5, 0.1 + 0.2j]), np.ones((2, 1)), np.ones((1, 2)), paired=(False, True)
    ),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_systems_round_trip(tmp_path, name):
    system, path = SYSTEMS[name], tmp_path / "model.safetensors"
    save_system(path, system, step=0.5, step_unit="h")
    loaded = load_system(path)
    assert type(loaded) is type(system)
    for array in models.KINDS[type(system).__name__].arrays:
        np.testing.assert_array_equal(getattr(loaded, array), getattr(system, array))
        assert getattr(loaded, array).dtype == getattr(system, array).dtype
    np.testing.assert_array_equal(loaded.impulse_response(5), system.impulse_response(5))
    assert read_tensors(path)[2]["options"] == {"step": 0.5, "step_unit": "h"}


M = np.ones((1, 1))
UNFIT = {
    "unknown kind": ("StatSpace", {}, {}, ["'StatSpace'", "did you mean 'StateSpace'?"]),
    "code": ("os.system", {}, {}, ["'os.system'", "known are StateSpace, DiagonalStateSpace"]),
    "missing": ("StateSpace", {"A": M, "B": M, "C": M}, {}, ["tensor 'D' is missing"]),
    "extra": ("StateSpace", dict.fromkeys("ABCDE", M), {}, ["'E' belongs to no StateSpace"]),
    "sizes": (
        "StateSpace",
        {"A": np.eye(2), "B": M, "C": M, "D": M},
        {},
        ["holds no valid StateSpace", "B has shape (1, 1)"],
    ),
    "complex": ("StateSpace", dict.fromkeys("ABCD", M * 1j), {}, ["no valid StateSpace"]),
    "no pairs": (
        "DiagonalStateSpace",
        {"eigenvalues": np.ones(1), "B": M, "C": M, "D": M},
        {"paired": "yes"},
        ["no list of booleans 'paired'"],
    ),
    "too many pairs": (
        "DiagonalStateSpace",
        {"eigenvalues": np.ones(1), "B": M, "C": M, "D": M},
        {"paired": [True, True]},
        ["no valid DiagonalStateSpace", "paired has 2 entries"],
    ),
}


@pytest.mark.parametrize("name", UNFIT)
def test_unfit_systems(tmp_path, name):
    kind, tensors, spec, parts = UNFIT[name]
    path = tmp_path / "model.safetensors"
    write_tensors(path, kind, tensors or {"A": M}, spec)
    message = refusal(path, load_system)
    for part in parts:
        assert part in message
