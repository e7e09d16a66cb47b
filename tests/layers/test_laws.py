"""Every layer against every law, and layers that are broken on purpose."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from remanence.errors import RemanenceError
from remanence.layers import AbstractLinearLayer, GRU, LRU, check_equivalence
from remanence.layers.contract import AbstractSteppedLayer

from .conftest import KEY, LAYERS  # noqa: TID252


@pytest.mark.parametrize("name", list(LAYERS))
def test_every_mode_agrees_and_differentiates_twice(name):
    report = check_equivalence(LAYERS[name](), length=12)
    assert report.holds
    assert any("Hessian" in law.name for law in report.laws)
