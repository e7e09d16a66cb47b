"""Input processes: their autocorrelation, their exact covariance, and what is refused."""

import jax
import numpy as np
import pytest
import scipy.integrate
import scipy.linalg

from remanence.errors import RemanenceError
from remanence.tasks.inputs import (
    Arfima,
    Autoregressive,
    Superposition,
    White,
    word_embeddings,
)

PROCESSES = {
    "white": White(),
    "AR .9": Autoregressive(0.9),
    "AR −.7": Autoregressive(-0.7),
    "AR 0": Autoregressive(0.0),
    "AR almost 1": Autoregressive(1 - 1e-9),
    "AR 1": Autoregressive(1),
    "AR −1": Autoregressive(-1),
    "ARFIMA .3": Arfima(0.3),
    "ARFIMA .49": Arfima(0.49, unit_variance=False),
    "ARFIMA 0": Arfima(0.0),
    "ARFIMA −.3": Arfima(-0.3, unit_variance=False),
    "ARFIMA −.49": Arfima(-0.49),
    "sum": Superposition([Autoregressive(0.5), Arfima(0.2), White()], [2, 0.5, 0.25]),
    "words": word_embeddings(),
}


@pytest.fixture(params=list(PROCESSES))
def process(request):
    return PROCESSES[request.param]


@pytest.mark.parametrize("length", [1, 2, 40])
def test_the_covariance_is_exactly_the_stated_one_in_every_channel_alone(process, length):
    # Noise that is the identity comes out as the linear map itself; other channels beside it
    # are mapped alike and do not mix in.
    size = process.noise_length(length)
    noise = np.random.default_rng(0).standard_normal((size, 2))
    coloured = jax.jit(lambda noise: process.colour(noise, length))(
        np.hstack([np.eye(size), noise])
    )
    M, beside = np.asarray(coloured)[:, :size], np.asarray(coloured)[:, size:]
    assert M.shape == (length, size)
    expected = scipy.linalg.toeplitz(process.autocorrelation(length))
    np.testing.assert_allclose(M @ M.T, expected, atol=2e-14 * expected[0, 0] * length)
    np.testing.assert_allclose(beside, M @ noise, atol=1e-12)


@pytest.mark.parametrize("d", [-0.45, -0.2, 0.1, 0.4])
def test_long_memory_autocovariance_is_the_spectrum_s(d):
    # γ(k) = (1/π) ∫_0^π (2 sin(ω/2))^{−2d} cos(kω) dω, the singularity taken as a weight.
    def smooth(omega, k):
        return np.sinc(omega / (2 * np.pi)) ** (-2 * d) * np.cos(k * omega)

    expected = [
        scipy.integrate.quad(smooth, 0, np.pi, (k,), weight="alg", wvar=(-2 * d, 0), limit=200)[0]
        / np.pi
        for k in range(6)
    ]
    gamma = Arfima(d, unit_variance=False).autocorrelation(6)
    np.testing.assert_allclose(gamma, expected, rtol=1e-7)
    np.testing.assert_allclose(Arfima(d).autocorrelation(6), gamma / gamma[0], rtol=1e-13)


@pytest.mark.parametrize("d", [0.15, 0.4])
def test_long_memory_decays_as_a_power(d):
    R = Arfima(d).autocorrelation(100_001)
    assert np.log(R[100_000] / R[1000]) / np.log(100) == pytest.approx(2 * d - 1, abs=1e-4)


def test_negative_memory_sums_to_nearly_nothing():
    R = Arfima(-0.4).autocorrelation(100_000)
    assert abs(R[0] + 2 * R[1:].sum()) < 1e-3 * R[0]


@pytest.mark.parametrize("d", [-0.4999, -0.25, 1e-9, 0.25, 0.4999])
@pytest.mark.parametrize("length", [2, 3, 1000, 100_000])
def test_the_circulant_embedding_has_no_negative_eigenvalue(d, length):
    gamma = Arfima(d).autocorrelation(length)
    row = np.concatenate([gamma, gamma[-2:0:-1]])
    assert np.fft.rfft(row).real.min() >= -1e-13 * np.abs(row).sum()


@pytest.mark.parametrize("name", ["AR .9", "ARFIMA .3", "sum"])
def test_samples_have_the_stated_covariance(name):
    process, count = PROCESSES[name], 4000
    keys = jax.random.split(jax.random.key(0), count)
    xs = np.asarray(jax.jit(jax.vmap(lambda key: process.sample(key, 6, 2)))(keys))
    R = scipy.linalg.toeplitz(process.autocorrelation(6))
    expected = np.kron(np.eye(2), R)
    flat = xs.transpose(0, 2, 1).reshape(count, 12)
    # Gaussian: Var(x_i x_j) = R_ii R_jj + R_ij².
    deviation = np.sqrt((R[0, 0] ** 2 + expected**2) / count)
    assert np.max(np.abs(flat.T @ flat / count - expected) / deviation) < 4.5
    assert np.max(np.abs(flat.mean(axis=0))) < 4.5 * np.sqrt(R[0, 0] / count)


def test_word_embeddings_have_the_published_fit():
    R = word_embeddings().autocorrelation(101)
    assert R[0] == pytest.approx(0.3751)
    assert R[100] == pytest.approx(0.0431 * 0.99701**100)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Autoregressive(1.01), r"coefficient must lie in \[−1, 1\]"),
        (lambda: Autoregressive(float("nan")), "coefficient must lie"),
        (lambda: Arfima(0.5), "memory must lie strictly between"),
        (lambda: Arfima(-0.5), "memory must lie strictly between"),
        (lambda: Superposition([], []), "at least one process"),
        (lambda: Superposition([White()], [1.0, 2.0]), "one variance per process"),
        (lambda: Superposition([White()], [-1.0]), "not negative"),
        (lambda: White().sample(jax.random.key(0), 0), "length must be a whole number"),
        (lambda: White().sample(jax.random.key(0), 3, 0), "channels must be a whole number"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(RemanenceError, match=message) as error:
        make()
    assert "\n" not in str(error.value)
