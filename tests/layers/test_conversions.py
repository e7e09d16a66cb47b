"""Points of the disc to their last digit, and layers that stay the same in other coordinates."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jaxtyping
import mpmath as mp
import numpy as np
import pytest

from remanence.errors import RemanenceError
from remanence.files import load_model, save_model
from remanence.layers import (
    DSS,
    GRU,
    LRU,
    S4D,
    S5,
    DiagonalRNN,
    Polar,
    RealEigenvalues,
    ReIm,
    ResidualBlock,
    S4Like,
    SequenceModel,
    SquareRoot,
    StableSSM,
)
from remanence.layers.conversions import COORDINATES, in_coordinates, to_hyperbolic
from remanence.layers.hyperbolic import HyperbolicLRU
from remanence.layers.parametrisations import Discretised, HyperbolicEigenvalues

KEY = jax.random.key(11)


def real_modes(values):
    modes = RealEigenvalues.from_eigenvalues(jnp.array(values), magnitude_map="tanh")
    return DiagonalRNN(modes, 2, normalisation=SquareRoot(), key=KEY)


MODAL = {
    "LRU": lambda: LRU(2, 5, 3, key=KEY),
    "HyperbolicLRU": lambda: HyperbolicLRU(2, 5, 3, key=KEY),
    "real modes": lambda: real_modes([0.9, 0.5, 0.2]),
    "S5": lambda: S5(2, 8, key=KEY),
    "S4Like": lambda: S4Like(2, 3, key=KEY),
    "S4D": lambda: S4D(2, 6, key=KEY),
    "S4D, real": lambda: S4D(2, 3, start="real", key=KEY),
    "DSS": lambda: DSS(2, 6, key=KEY),
    "StableSSM": lambda: StableSSM(2, 6, key=KEY),
}
EXPECTED = {"hyperbolic": HyperbolicEigenvalues, "S5": Discretised, "S4D": Discretised}


@pytest.mark.parametrize("name", list(MODAL))
def test_the_impulse_response_stays_and_comes_back(name):
    layer = MODAL[name]()
    response = np.asarray(layer.impulse_response(200))
    scale = np.abs(response).max()
    for coordinates in COORDINATES:
        other = in_coordinates(layer, coordinates)
        assert type(other) is type(layer)
        wanted = RealEigenvalues if "real" in name else Polar
        assert type(other.eigenvalues) is EXPECTED.get(coordinates, wanted)
        back = to_hyperbolic(other)
        for found in (other, back):
            np.testing.assert_allclose(
                found.impulse_response(200), response, rtol=0, atol=1e-14 * scale
            )


def test_a_hyperbolic_lru_starts_as_a_tenth_of_an_lru():
    hyperbolic, plain = (
        make(2, 50, r_min=0.2, r_max=1.0, key=KEY) for make in (HyperbolicLRU, LRU)
    )
    np.testing.assert_allclose(
        hyperbolic.impulse_response(40), plain.impulse_response(40) / 10, rtol=1e-11, atol=1e-14
    )
    single = HyperbolicLRU(1, 5000, key=KEY, dtype="float32")
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(single))
    assert (single.eigenvalues.log_magnitude() < 0).all()


def test_a_model_is_converted_layer_by_layer_and_saved(tmp_path):
    first, second = jax.random.split(KEY)
    blocks = [
        ResidualBlock(S4D(4, 6, key=first), key=first),
        ResidualBlock(GRU(4, 4, key=second), key=second),
    ]
    model = SequenceModel(2, 3, width=4, layers=blocks, key=KEY)
    found = to_hyperbolic(model)
    assert type(found.layers[0].layer.eigenvalues) is HyperbolicEigenvalues
    xs = jax.random.normal(KEY, (30, 2))
    np.testing.assert_allclose(found(xs)[0], model(xs)[0], rtol=1e-11, atol=1e-12)
    save_model(tmp_path / "model.safetensors", found)
    loaded = load_model(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded(xs)[0], found(xs)[0])


def test_negative_and_zero_modes_stay_in_the_disc():
    layer = real_modes([0.9, -0.5, 0.0])
    found = to_hyperbolic(layer)
    np.testing.assert_allclose(
        found.impulse_response(50), layer.impulse_response(50), rtol=1e-13, atol=1e-15
    )
    for values, message in (
        ([0.9, -0.5], "that is negative"),
        ([0.9, 0.0], "eigenvalue 0, which"),
    ):
        with pytest.raises(RemanenceError, match=f"DiagonalRNN has an {message}|{message}"):
            in_coordinates(real_modes(values), "S5")


@pytest.fixture
def as_users_run_it(monkeypatch):
    """Without the run-time check of types, which users do not have."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: in_coordinates(LRU(1, 2, key=KEY), "hyperbola"), "did you mean 'hyperbolic'"),
        (lambda: in_coordinates(LRU(1, 2, key=KEY), "S5", step=0), "step must be a positive"),
        (
            lambda: in_coordinates(LRU(1, 2, key=KEY), "S5", step="a"),
            "step must be a positive and finite number, got 'a'",
        ),
        (lambda: in_coordinates(LRU(1, 2, key=KEY), "S5", step=np.nan), "finite number, got nan"),
        (lambda: in_coordinates(LRU(1, 2, key=KEY), 3), "3 is none of hyperbolic"),
        (lambda: to_hyperbolic(GRU(1, 2, key=KEY)), "GRU holds no diagonal linear layer"),
        (
            lambda: to_hyperbolic(DiagonalRNN(ReIm(jnp.array([1.2]), jnp.zeros(1)), 1, key=KEY)),
            r"DiagonalRNN has an eigenvalue of magnitude 1\.2, on or outside the unit circle",
        ),
        (lambda: HyperbolicEigenvalues.from_eigenvalues([1j]), "magnitude 1 is on or outside"),
        (
            lambda: HyperbolicEigenvalues(jnp.zeros((3, 2))),
            r"shape \(3, 2\), expected \(2, \*modes",
        ),
    ],
)
@pytest.mark.usefixtures("as_users_run_it")
def test_what_cannot_be_said_in_coordinates_is_named(change, message):
    with pytest.raises(RemanenceError, match=message):
        change()


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_points_hold_every_memory_with_gradients_to_rounding(dtype):
    radii = [1e-6, 0.3, 0.999, 1.001, 5.0, 14.5, 28.3, 40.0]
    points = jnp.asarray([radii, [0.3] * len(radii)], dtype)

    def summed(part):
        return jax.jit(jax.grad(lambda p: jnp.sum(part(HyperbolicEigenvalues(p)))))

    log, value = summed(lambda e: e.log_magnitude()), summed(lambda e: jnp.real(e()))
    gamma = summed(lambda e: SquareRoot()(e))
    made = HyperbolicEigenvalues(points)
    with mp.workdps(60):
        R = [mp.mpf(float(r)) for r in points[0]]
        turn = mp.cos(mp.mpf(float(points[1, 0])))
        expected = {
            "log": [mp.log(mp.tanh(r / 2)) for r in R],
            "log'": [1 / mp.sinh(r) for r in R],
            "value'": [turn / (2 * mp.cosh(r / 2) ** 2) for r in R],
            "gamma": [1 / mp.cosh(r / 2) for r in R],
            "gamma'": [-mp.tanh(r / 2) / (2 * mp.cosh(r / 2)) for r in R],
        }
    found = {
        "log": made.log_magnitude(),
        "log'": log(points)[0],
        "value'": value(points)[0],
        "gamma": SquareRoot()(made),
        "gamma'": gamma(points)[0],
    }
    eps = float(jnp.finfo(dtype).eps)
    for name, values in expected.items():
        # γ comes from expm1(2 log|λ|), whose derivative near 0 is rounded to eps, over sinh R.
        slack = 2 * eps / np.asarray(points[0]) if name == "gamma'" else np.full(8, 1e-30)
        error = np.abs(np.asarray(found[name]) - np.array([float(v) for v in values]))
        near = np.asarray(points[0]) < 1
        bound = 8 * eps * np.abs([float(v) for v in values]) + np.where(near, slack, 1e-30)
        assert (error <= bound).all(), name


def test_eigenvalues_give_their_points_and_the_centre_a_finite_gradient():
    gap, phase = 1e-12, 2.0
    found = HyperbolicEigenvalues.from_polar(np.array([np.log1p(-gap)]), np.array([phase + 7e3]))
    np.testing.assert_allclose(found.points[0], np.log((2 - gap) / gap), rtol=1e-14)
    np.testing.assert_allclose(
        np.exp(1j * np.asarray(found.points[1])), np.exp(1j * (phase + 7e3)), atol=1e-12
    )
    assert abs(found.points[1].item()) <= np.pi
    for part in (lambda e: jnp.real(e()), lambda e: SquareRoot()(e), lambda e: e.phase()):
        for coordinates in (1, 2):
            slope = jax.grad(lambda p, f=part: jnp.sum(f(HyperbolicEigenvalues(p))))(
                jnp.zeros((coordinates, 2))
            )
            assert np.isfinite(slope).all()


def test_stacked_members_are_refused_by_name():
    keys = jax.random.split(jax.random.key(0), 2)
    stacked = eqx.filter_vmap(lambda key: LRU(1, 4, key=key))(keys)
    with pytest.raises(RemanenceError, match=r"shape \(2, 4\); for stacked members use eqx"):
        to_hyperbolic(stacked)
    assert eqx.filter_vmap(to_hyperbolic)(stacked).eigenvalues.points.shape == (2, 2, 4)
