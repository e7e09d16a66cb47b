"""A model file that lies about a layer is refused in one line; nothing in it is believed."""

import copy
import json
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from safetensors import safe_open
from safetensors.numpy import save_file

from remanence.errors import ModelFileError
from remanence.files import save_system, write_tensors
from remanence.files.layers import load_model, save_model
from remanence.layers import DiagonalRNN, Polar
from remanence.systems import StateSpace

from .toy_layers import KNOWN, Damped, pile, refusal


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
    "sizes that lie": (put("sizes", {"tuple": [5, 3]}), "holds no working Pile: running it fails"),
    "a negative size": (put("sizes", {"tuple": [-1, 3]}), "inputs or outputs is -1"),
    "a huge size": (put("sizes", {"tuple": [10**40, 3]}), "holds no working Pile"),
    "a size in words": (
        put("sizes", {"tuple": ["3", 3]}),
        "is a tuple where tuple[int, int] is expected",
    ),
    "outputs that lie": (
        lambda h: h["spec"]["model"]["fields"]["layers"]["tuple"][1]["fields"].update(
            sizes={"tuple": [3, 4]}
        ),
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


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"phase_map": "exponential"', '"phase_map": "cubic"', "phase_map"),
        ('"b": 0.5', '"b": 0.0', "b"),
    ],
)
def test_options_of_real_layers_are_checked(tmp_path, old, new, message):
    modes = Polar(jnp.ones(2), jnp.ones(2), "best", "exponential")
    path = tmp_path / "model.safetensors"
    save_model(path, DiagonalRNN(modes, 1, key=jax.random.key(0)))
    with safe_open(path, framework="numpy") as file:
        text = file.metadata()["remanence"]
        held = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    assert old in text
    save_file(held, path, metadata={"remanence": text.replace(old, new)})
    with pytest.raises(ModelFileError, match=message):
        load_model(path)
