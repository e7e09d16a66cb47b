"""Which parameters are recurrent: read from the model's own fields, used by the optimiser."""

import dataclasses
from collections.abc import Hashable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.tree_util import DictKey, GetAttrKey, SequenceKey, keystr
from jaxtyping import PyTree

from remanence.errors import RemanenceError, nearest_name
from remanence.layers.contract import HYPERBOLIC, RECURRENT

DEFAULT_ROLE = "other"


def parameter_roles(model: PyTree[Any]) -> PyTree[Any]:
    """The role of every parameter: a tree like `model` with a name for each floating array.

    The role is the metadata entry "role" of a dataclass field (`layers.RECURRENT`); what is
    nested below a marked field has the role of the outermost marked field, and what is below
    none is "other". Points of the disc (`layers.HYPERBOLIC`) below a field marked "recurrent"
    are "hyperbolic": no rule for recurrent parameters in general can move them. Leaves that are
    no floating arrays become None. It can be given to `optax.partition` as its labels.

        parameter_roles(layer).input_matrix  # "other"
    """
    leaves, structure = jax.tree_util.tree_flatten_with_path(model)
    roles = [_role(model, path) if _is_parameter(leaf) else None for path, leaf in leaves]
    return jax.tree_util.tree_unflatten(structure, roles)


def by_role(
    transforms: Mapping[str, optax.GradientTransformation], model: PyTree[Any]
) -> optax.GradientTransformation:
    """One Optax transform that treats the parameters of each role by a transform of its own.

    Use it on `eqx.filter(model, eqx.is_inexact_array)`.

    Raises:
        RemanenceError: for a role that no parameter has, a role without a transform, or complex
            parameters.

        by_role({"recurrent": optax.adam(1e-4), "other": optax.adamw(1e-3)}, model)
    """
    check_real(model)
    name = type(model).__name__
    present = sorted(set(jax.tree.leaves(parameter_roles(model))))
    for role in transforms:
        if role not in present:
            raise RemanenceError(
                f"by_role: no parameter of {name} has the role {role!r}, its roles are "
                f"{', '.join(present)}{nearest_name(role, present)}"
            )
    for role in present:
        if role not in transforms:
            raise RemanenceError(
                f"by_role: {name} has parameters of the role {role!r}; give a transform for them"
            )
    labelled: dict[Hashable, optax.GradientTransformation] = {**transforms}
    return optax.partition(labelled, parameter_roles)


def check_real(model: PyTree[Any]) -> None:
    """Raise `RemanenceError` if a parameter is complex.

    JAX's gradient of a real loss by a complex parameter is the conjugate of the direction of
    steepest ascent, and Optax would take it as it is.
    """
    for path, leaf in jax.tree_util.tree_flatten_with_path(model)[0]:
        if _is_parameter(leaf) and jnp.issubdtype(leaf.dtype, jnp.complexfloating):
            raise RemanenceError(
                f"{type(model).__name__}: parameter {keystr(path)} is complex; store its real "
                "and imaginary parts as two real arrays"
            )


def _is_parameter(leaf: Any) -> bool:
    # Not eqx.is_inexact_array: shapes without values (jax.eval_shape) have roles too.
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.inexact)


def _role(tree: Any, path: tuple[Any, ...]) -> str:
    marks = []
    for key in path:
        if isinstance(key, GetAttrKey):
            if dataclasses.is_dataclass(tree):
                fields = {field.name: field for field in dataclasses.fields(tree)}
                if key.name in fields and "role" in fields[key.name].metadata:
                    marks.append(fields[key.name].metadata["role"])
            tree = getattr(tree, key.name)
        elif isinstance(key, SequenceKey):
            tree = tree[key.idx]
        elif isinstance(key, DictKey):
            tree = tree[key.key]
        else:
            break
    if marks[:1] == [RECURRENT["role"]] and HYPERBOLIC["role"] in marks:
        return HYPERBOLIC["role"]
    return marks[0] if marks else DEFAULT_ROLE
