"""A saved layer comes back bit for bit; a file that lies is refused in one line."""

import copy
import inspect
import json
from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from jaxtyping import Array, Float
from safetensors import safe_open
from safetensors.numpy import save_file

from remanence.errors import ModelFileError, RemanenceError
from remanence.files import read_tensors, save_system, write_tensors
from remanence.files.layer_classes import known_classes
from remanence.files.layers import load_model, save_model
from remanence.layers.contract import AbstractRecurrentLayer, AbstractSteppedLayer
from remanence.systems import StateSpace

from ..layers.conftest import LAYERS

ACTIVATIONS = {"tanh": jnp.tanh, "relu": jax.nn.relu}


class Damped(AbstractSteppedLayer):
    """h = σ(W h + U x + b), y = norm(V h) c, with a bit of everything a layer may hold."""

    W: Float[Array, "hidden hidden"]
    U: Float[Array, "hidden inputs"]
    bias: Float[Array, " hidden"] | None
    readout_map: eqx.nn.Linear
    norm: eqx.nn.LayerNorm
    modes: Array
    scale: float
    inputs: int = eqx.field(static=True)
    outputs: int = eqx.field(static=True)
    activation: Literal["tanh", "relu"] = eqx.field(static=True)
    extras: Any = eqx.field(static=True)

    def __init__(self, *, seed: int = 0, bias: bool = True, extras: Any = (), dtype=jnp.float64):
        keys = jr.split(jr.key(seed), 4)
        self.W = jr.normal(keys[0], (4, 4), dtype) / 4
        self.U = jr.normal(keys[1], (4, 3), dtype)
        self.bias = jr.normal(keys[2], (4,), dtype) if bias else None
        self.readout_map = eqx.nn.Linear(4, 3, dtype=dtype, key=keys[3])
        self.norm = eqx.nn.LayerNorm(3, eps=1e-3, dtype=dtype)
        complex_type = np.result_type(dtype, np.complex64)
        self.modes = jr.normal(keys[2], (4,), complex_type)
        self.scale, self.extras, self.activation = 0.1, extras, "tanh"
        self.inputs = self.outputs = 3

    def initial_state(self) -> Array:
        return self.modes.real

    def drive(self, xs: Array) -> Array:
        return xs @ self.U.T

    def advance(self, state: Array, drive: Array) -> Array:
        total = state @ self.W + drive
        if self.bias is not None:
            total = total + self.bias
        return ACTIVATIONS[self.activation](total)

    def readout(self, states: Array, xs: Array) -> Array:
        return self.scale * jax.vmap(lambda h: self.norm(self.readout_map(h)))(states)


class Pile(AbstractRecurrentLayer):
    layers: tuple[AbstractRecurrentLayer, ...]
    dropout: eqx.nn.Dropout
    table: dict[str, Array | np.ndarray]

    @property
    def inputs(self) -> int:
        return self.layers[0].inputs

    @property
    def outputs(self) -> int:
        return self.layers[-1].outputs

    @property
    def methods(self) -> tuple[str, ...]:
        return ("sequential",)

    def initial_state(self):
        return tuple(layer.initial_state() for layer in self.layers)

    def step(self, state, x):
        states = []
        for layer, held in zip(self.layers, state, strict=True):
            new, x = layer.step(held, x)
            states.append(new)
        return tuple(states), x

    def __call__(self, xs, state=None, *, method="auto"):
        state = self.initial_state() if state is None else state
        state, ys = jax.lax.scan(lambda state, x: self.step(state, x), state, xs)
        return ys, state

    def states(self, xs, state=None, *, method="auto"):
        raise NotImplementedError


KNOWN = (Damped, Pile)


def pile() -> Pile:
    table = {"quantiles": np.array([0.1, 0.9], np.float32)}
    return Pile((Damped(), Damped(seed=1, bias=False)), eqx.nn.Dropout(0.2, True), table)


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


def refusal(path, **options) -> str:
    with pytest.raises(ModelFileError) as caught:
        load_model(path, **{"known": KNOWN, **options})
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) < len(str(path)) + 500
    return message


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


def edited(path, edit: Callable[[dict], Any]) -> None:
    """Save the stack at `path` with its header changed in place by `edit`."""
    save_model(path, pile())
    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["remanence"])
        held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    edit(header)
    save_file(held, path, metadata={"remanence": json.dumps(header)})


def first(header: dict) -> dict:
    return header["spec"]["model"]["fields"]["layers"]["tuple"][0]


def put(field: str, value: Any) -> Callable[[dict], Any]:
    return lambda header: first(header)["fields"].update({field: value})


def nested(depth: int) -> Any:
    node: Any = 1
    for _ in range(depth):
        node = {"tuple": [node]}
    return node


LIES: dict[str, tuple[Callable[[dict], Any], str]] = {
    "kind": (lambda h: h.update(kind="Laier"), "holds a 'Laier', which is no recurrent layer"),
    "no model": (lambda h: h["spec"].pop("model"), "tensor 'layers.0.U' belongs to no part"),
    "an unknown class": (lambda h: first(h).update({"class": "Dampd"}), "mean 'Damped'?"),
    "a dangerous class": (
        lambda h: first(h).update({"class": "os.system"}),
        "holds a 'os.system', which is no known class",
    ),
    "an abstract class": (
        lambda h: first(h).update({"class": "AbstractSteppedLayer"}),
        "which is no known class",
    ),
    "a long name": (lambda h: first(h).update({"class": "x" * 10**6}), "no known class"),
    "a name with lines": (lambda h: first(h).update({"class": "a\nb"}), r"'a\nb'"),
    "a class that is no name": (lambda h: first(h).update({"class": ["Damped"]}), "damaged at"),
    "fields in a list": (lambda h: first(h).update({"fields": []}), "damaged at 'layers.0'"),
    "a field too many": (put("scal", 1), "has no field 'scal'; did you mean 'scale'?"),
    "a dunder field": (put("__class__", 1), "has no field '__class__'"),
    "a method": (put("advance", 1), "has no field 'advance'"),
    "a field too few": (lambda h: first(h)["fields"].pop("W"), "field 'W' of a Damped is missing"),
    "no such tensor": (put("W", {"jax": "w"}), "a tensor 'w', which the file does not have"),
    "a tensor twice": (put("W", {"jax": "layers.1.W"}), "tensor 'layers.1.W' is used twice"),
    "a tensor unused": (put("bias", None), "tensor 'layers.0.bias' belongs to no part"),
    "a number for a tensor": (put("W", 1.0), "is 1.0 where Float[Array, 'hidden hidden']"),
    "tensors swapped": (
        lambda h: first(h)["fields"].update(W={"jax": "layers.0.U"}, U={"jax": "layers.0.W"}),
        "where Float[Array, 'hidden hidden'] is expected",
    ),
    "complex for real": (
        lambda h: first(h)["fields"].update(
            bias={"jax": "layers.0.modes"}, modes={"jax": "layers.0.bias"}
        ),
        "'layers.0.bias' of a Damped is complex128[4]",
    ),
    "sizes that lie": (put("inputs", 5), "holds no working Pile: running it fails"),
    "a negative size": (put("inputs", -1), "inputs or outputs is -1"),
    "a huge size": (put("inputs", 10**40), "holds no working Pile"),
    "a size in words": (put("inputs", "3"), "is '3' where int is expected"),
    "outputs that lie": (
        lambda h: h["spec"]["model"]["fields"]["layers"]["tuple"][1]["fields"].update(outputs=4),
        "one step gives float64[3] where 4 outputs are expected",
    ),
    "an unknown choice": (put("activation", "system"), "Literal['tanh', 'relu'] is expected"),
    "a bare list": (put("extras", [1]), "damaged at 'layers.0.extras'"),
    "an unknown tag": (put("extras", {"pickle": "gASVIw=="}), "damaged at 'layers.0.extras'"),
    "an odd float": (put("extras", {"float": []}), "damaged at 'layers.0.extras'"),
    "an odd dtype": (put("extras", {"dtype": "O"}), "damaged at 'layers.0.extras'"),
    "an odd complex": (put("extras", {"complex": [1.0]}), "damaged at 'layers.0.extras'"),
    "deep": (put("extras", nested(70)), "more than 64 levels"),
    "very deep": (put("extras", nested(400)), "more than 64 levels"),
    "a list of layers": (
        lambda h: h["spec"]["model"]["fields"].update(layers={"list": []}),
        "is a list where tuple[",
    ),
    "no layer at all": (lambda h: h["spec"].update(model=3), "belongs to no part"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_file_that_lies(tmp_path, name):
    edit, reason = LIES[name]
    path = tmp_path / "model.safetensors"
    edited(path, edit)
    assert reason in refusal(path)


def test_a_model_that_is_no_layer(tmp_path):
    path = tmp_path / "model.safetensors"
    write_tensors(path, "Layer", {}, {"model": {"class": "equinox.nn.Identity", "fields": {}}})
    assert "what it holds is no recurrent layer" in refusal(path)
    save_system(path, StateSpace(*(np.eye(1),) * 3))
    assert "load_system loads systems" in refusal(path)


def test_classes_of_ones_own_have_to_be_named(tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, Damped())
    assert "pass classes of your own as known=" in refusal(path, known=())


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([2**31, -(2**63), 10**25, 0.5, 1e400, "", "Damped", "layers.0.W", "W"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["jax", "numpy", "tuple", "class", "fields", "dict", "W", "float"]),
            inner,
            max_size=2,
        )
    ),
    max_leaves=5,
)


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a JSON document."""
    keys = node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
    return [place for k in keys for place in [(node, k), *places(node[k])]]


class Saved:
    """The stack as a file's header and tensors, made once for the fuzzing below."""

    header: dict | None = None
    tensors: dict[str, np.ndarray]


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_random_damage_is_refused_in_one_line_or_harmless(tmp_path, data):
    path = tmp_path / "model.safetensors"
    if Saved.header is None:
        edited(path, lambda header: setattr(Saved, "header", header))
        with safe_open(path, framework="numpy") as file:
            Saved.tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    header = copy.deepcopy(Saved.header)
    for _ in range(data.draw(st.integers(1, 3))):
        spots = places(header["spec"])
        if not spots:
            break
        container, key = data.draw(st.sampled_from(spots))
        other, other_key = data.draw(st.sampled_from(spots))
        match data.draw(st.sampled_from(["replace", "remove", "copy"])):
            case "replace":
                container[key] = data.draw(JSON)
            case "remove":
                del container[key]
            case "copy":
                container[key] = copy.deepcopy(other[other_key])
    save_file(Saved.tensors, path, metadata={"remanence": json.dumps(header)})
    try:
        model = load_model(path, known=KNOWN)
    except ModelFileError as error:
        refused = str(error)
    else:
        # What is let through works.
        refused = ""
        _, y = model.step(model.initial_state(), jnp.zeros(model.inputs))
        assert y.shape == (model.outputs,)
    assert "\n" not in refused
