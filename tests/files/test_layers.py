"""A saved layer comes back bit for bit, and what cannot come back cannot be saved."""

import inspect
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from remanence.errors import RemanenceError
from remanence.files import read_tensors
from remanence.files.layer_classes import known_classes
from remanence.files.layers import load_model, save_model
from remanence.layers.contract import AbstractRecurrentLayer

from ..layers.conftest import LAYERS
from .toy_layers import KNOWN, Damped, Pile, pile, refusal


def same(a: Any, b: Any) -> None:
    """Equal in structure, classes, static values, and every bit of every array."""
    leaves, structure = jax.tree.flatten(a)
    others, other_structure = jax.tree.flatten(b)
    assert structure == other_structure
    for one, other in zip(leaves, others, strict=True):
        assert isinstance(one, jax.Array) == isinstance(other, jax.Array)
        if eqx.is_array(one):
            assert (one.dtype, one.shape) == (other.dtype, other.shape)
            assert np.asarray(one).tobytes() == np.asarray(other).tobytes()
        else:
            assert type(one) is type(other)
            assert one == other


EXTRAS = {
    "numbers": (1, -2.5e-300, True, None, 10**30, 0.1 + 0.2),
    "odd floats": (float("inf"), float("-inf")),
    "complex": (1 + 2j, complex(0.0, float("inf"))),
    "kinds": ((), ("a", ("β\n", [1, (2,)])), {"k": {"x": (1,)}, "": []}),
    "dtype": np.dtype("float32"),
    "an old name": "layers.0",
}


@pytest.mark.parametrize("name", EXTRAS)
def test_static_values_keep_their_kind(tmp_path, name):
    path = tmp_path / "model.safetensors"
    save_model(path, Damped(extras=EXTRAS[name]))
    extras = load_model(path, known=KNOWN).extras
    # repr tells True from 1 and a tuple from a list.
    assert repr(extras) == repr(EXTRAS[name])


def test_a_stack_round_trips(tmp_path, rng):
    path, model = tmp_path / "model.safetensors", pile()
    save_model(path, model, step=0.5, unit="h")
    loaded = load_model(path, known=KNOWN)
    same(model, loaded)
    xs = jnp.asarray(rng.standard_normal((7, 3)))
    same(model(xs), loaded(xs))
    kind, tensors, spec = read_tensors(path)
    assert kind == "Layer"
    assert spec["options"] == {"step": 0.5, "unit": "h"}
    assert {"layers.0.W", "layers.1.norm.weight", "table.quantiles"} <= set(tensors)
    assert "layers.1.bias" not in tensors


@pytest.mark.parametrize("name", list(LAYERS))
def test_every_layer_of_the_library_round_trips(tmp_path, rng, name):
    path, layer = tmp_path / "model.safetensors", LAYERS[name]()
    save_model(path, layer)
    loaded = load_model(path)
    same(layer, loaded)
    xs = jnp.asarray(rng.standard_normal((5, layer.inputs)))
    run = eqx.filter_jit(lambda layer, xs: layer(xs))
    same(run(layer, xs), run(loaded, xs))


def test_odd_numbers_keep_every_bit(tmp_path):
    path, model = tmp_path / "model.safetensors", Damped()
    odd = jnp.asarray([np.nan, -0.0, 5e-324, np.inf])
    model = eqx.tree_at(lambda m: m.bias, model, odd)
    save_model(path, model)
    same(model, load_model(path, known=KNOWN))


def test_a_numpy_scalar_comes_back_as_a_number(tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, eqx.tree_at(lambda m: m.scale, Damped(), np.float64(0.3)))
    scale = load_model(path, known=KNOWN).scale
    assert type(scale) is float
    assert scale == 0.3


def test_nothing_of_the_file_is_run(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_model(path, Damped())

    def forbidden(*_, **__):
        raise AssertionError("a loader must not call this")

    monkeypatch.setattr(Damped, "__init__", forbidden)
    monkeypatch.setattr(eqx.nn.Linear, "__init__", forbidden)
    monkeypatch.setattr("pickle.loads", forbidden)
    monkeypatch.setattr("pickle.load", forbidden)
    assert isinstance(load_model(path, known=KNOWN), Damped)


def test_float32_files_stay_float32_and_convert_on_request(tmp_path):
    path, model = tmp_path / "model.safetensors", Damped(dtype=jnp.float32)
    save_model(path, model)
    same(model, load_model(path, known=KNOWN))
    wide = load_model(path, known=KNOWN, dtype="float64")
    assert (wide.W.dtype, wide.modes.dtype) == (jnp.float64, jnp.complex128)
    np.testing.assert_array_equal(wide.W, np.asarray(model.W, np.float64))
    with pytest.raises(RemanenceError, match="'int32' is neither"):
        load_model(path, known=KNOWN, dtype="int32")
    with pytest.raises(RemanenceError, match="neither"):
        load_model(path, known=KNOWN, dtype="no such type")


def test_float64_without_x64_is_refused_or_converted(tmp_path):
    path, model = tmp_path / "model.safetensors", Damped()
    save_model(path, model)
    with jax.enable_x64(False):
        assert "float64, which JAX would cut to float32" in refusal(path)
        narrow = load_model(path, known=KNOWN, dtype="float32")
        assert (narrow.W.dtype, narrow.modes.dtype) == (jnp.float32, jnp.complex64)
        np.testing.assert_array_equal(narrow.W, np.asarray(model.W).astype(np.float32))
        with pytest.raises(RemanenceError, match="jax_enable_x64"):
            load_model(path, known=KNOWN, dtype="float64")


@pytest.mark.parametrize(("number", "fits"), [(2**31 - 1, True), (2**31, False)])
def test_integers_without_x64(tmp_path, number, fits):
    path = tmp_path / "model.safetensors"
    table = {"n": jnp.asarray([number])}
    model = Pile((Damped(dtype=jnp.float32),), eqx.nn.Dropout(0.2, True), table)
    save_model(path, model)
    with jax.enable_x64(False):
        if fits:
            assert load_model(path, known=KNOWN).table["n"].tolist() == [number]
        else:
            assert "integers beyond int32" in refusal(path)


def with_modes(modes: Any) -> Damped:
    return eqx.tree_at(lambda model: model.modes, Damped(), modes)


UNSAVABLE: dict[str, tuple[Callable[[], Any], str]] = {
    "a function": (lambda: Damped(extras=jnp.tanh), "extras is a "),
    "a function in a list": (lambda: Damped(extras=["a", {"f": abs}]), r"extras\.1\.f is a "),
    "a class": (lambda: Damped(extras=Damped), "extras is a "),
    "a set": (lambda: Damped(extras={1}), "extras is a set"),
    "number keys": (lambda: Damped(extras={1: 2}), "extras is a dict with keys"),
    "a random key": (lambda: with_modes(jr.key(0)), "modes holds key<"),
    "words": (lambda: with_modes(np.array(["x"])), "modes holds <U1"),
    "half precision of its own": (lambda: with_modes(jnp.ones(2, "bfloat16")), "holds bfloat16"),
    "shapes that do not fit": (
        lambda: eqx.tree_at(lambda m: m.U, Damped(), jnp.ones((5, 3))),
        r"U is float64\[5, 3\] where Float\[Array, 'hidden inputs'\] is expected",
    ),
    "an ensemble": (
        lambda: eqx.filter_vmap(lambda s: Damped(seed=s))(jnp.arange(2)),
        r"readout_map|W is float64\[2, 4, 4\]",
    ),
}


@pytest.mark.parametrize("name", UNSAVABLE)
def test_what_cannot_be_loaded_cannot_be_saved(tmp_path, name):
    build, reason = UNSAVABLE[name]
    with pytest.raises(RemanenceError, match=reason) as caught:
        save_model(tmp_path / "model.safetensors", build())
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_layer_cannot_be_saved(tmp_path):
    with pytest.raises(RemanenceError, match="a Identity, which is no recurrent layer"):
        inspect.unwrap(save_model)(tmp_path / "model.safetensors", eqx.nn.Identity())


def test_a_name_that_is_taken(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    save_model(path, Damped())
    mine, theirs = Damped, type("Damped", (Damped,), {})
    with pytest.raises(RemanenceError, match="the name Damped is taken"):
        load_model(path, known=(mine, theirs))
    with pytest.raises(RemanenceError, match="no dataclass or Equinox module to be made"):
        load_model(path, known=(AbstractRecurrentLayer,))
    monkeypatch.setitem(known_classes(), "Damped", theirs)
    with pytest.raises(RemanenceError, match="a class Damped of your own"):
        save_model(path, Damped())


def test_the_table_of_classes():
    classes = known_classes()
    assert not any(name.startswith("Abstract") for name in classes)
    assert classes["equinox.nn.Linear"] is eqx.nn.Linear
    for name, cls in classes.items():
        assert cls.__module__.split(".")[0] in ("remanence", "equinox"), name
