"""The Hessians part: every measure against brute force, and verdicts that follow from numbers."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from remanence.report import SilentProgress
from remanence.studies.sensitivity import (
    hessians,
    hessians_angles,
    hessians_angles_claims,
    hessians_claims,
    hessians_growth,
    hessians_growth_claims,
    hessians_measures,
    hessians_teachers,
)
from remanence.studies.sensitivity.hessians_settings import FULL, QUICK, HessianSettings

TINY = HessianSettings(
    teachers=6,
    checked=1,
    growth_draws=1,
    shortfalls=(1e-2, 1e-3),
    angles=(0.01, 0.1, 1.0),
    angle_draws=20,
    resamples=50,
)


@pytest.fixture(scope="module")
def found():
    return hessians_measures.measure_conditioning(TINY, SilentProgress())


@pytest.fixture(scope="module")
def finding():
    return hessians.run_hessians(TINY, SilentProgress())


def test_teachers_follow_the_recipe():
    for index in range(5):
        teacher = hessians_teachers.conditioning_teacher(3, index)
        values = np.asarray(teacher.modes.eigenvalues)
        assert np.all((np.abs(values) >= 0.99) & (np.abs(values) <= 0.993))
        np.testing.assert_allclose(values[2:], values[:2].conj())
        A, B, C, D = (
            np.asarray(m)
            for m in (teacher.dense.A, teacher.dense.B, teacher.dense.C, teacher.dense.D)
        )
        np.testing.assert_allclose(
            np.sort_complex(np.linalg.eigvals(A)), np.sort_complex(values), atol=1e-8
        )
        dense = [(C @ np.linalg.matrix_power(A, n) @ B + D * (n == 0)).item() for n in range(20)]
        np.testing.assert_allclose(
            teacher.modes.impulse_response(20)[:, 0, 0], dense, atol=1e-9 * np.abs(dense).max()
        )
    assert not np.allclose(
        hessians_teachers.conditioning_teacher(3, 0).dense.A,
        hessians_teachers.conditioning_teacher(3, 1).dense.A,
    )


LENGTH = 12
UNOPTIMISED = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


def _read_out(values, b, c, d):
    powers = [jnp.ones_like(values)]
    for _ in range(LENGTH - 1):
        powers.append(powers[-1] * values)
    response = jnp.stack([jnp.sum((c * p * b).real) for p in powers])
    return response.at[0].add(d)


def _dense(w):
    A, B, C, D = w[:16].reshape(4, 4), w[16:20], w[20:24], w[24]
    states = [B]
    for _ in range(LENGTH - 1):
        states.append(A @ states[-1])
    return jnp.stack([C @ h for h in states]).at[0].add(D)


def _complex(w):
    a, b, c = (jax.lax.complex(w[i : i + 4], w[i + 12 : i + 16]) for i in (0, 4, 8))
    return _read_out(a, b, c, w[24])


def _lru(w):
    nu, theta, gamma = w[:4], w[4:8], w[8:12]
    a = jnp.exp(jax.lax.complex(-jnp.exp(nu), jnp.exp(theta)))
    b = jax.lax.complex(jnp.exp(gamma) * w[12:16], jnp.exp(gamma) * w[16:20])
    return _read_out(a, b, jax.lax.complex(w[20:24], w[24:28]), w[28])


def _s4(w):
    step = jnp.log(1 + jnp.exp(w[:4]))
    a = jnp.exp(jax.lax.complex(step * w[4:8], step * w[8:12]))
    b = jax.lax.complex(step * w[12:16], step * w[16:20])
    return _read_out(a, b, jax.lax.complex(w[20:24], w[24:28]), w[28])


KERNELS = {"dense": _dense, "complex diagonal": _complex, "LRU": _lru, "S4-like": _s4}


def test_gram_matrices_are_second_derivatives_of_the_expected_loss():
    teacher = hessians_teachers.conditioning_teacher(0, 1)
    starts = {
        student.name: student.coordinates(teacher.dense, teacher.modes)
        for student in hessians_teachers.STUDENTS
    }
    weights = np.array([1 - n / LENGTH for n in range(LENGTH)])

    @partial(jax.jit, compiler_options=UNOPTIMISED)
    def differentiated(points):
        def hessian(kernel, point):
            target = kernel(point)
            return jax.hessian(lambda w: 0.5 * jnp.sum(weights * (kernel(w) - target) ** 2))(point)

        return {name: (KERNELS[name](w), hessian(KERNELS[name], w)) for name, w in points.items()}

    expected = differentiated(starts)
    jacobians = hessians_measures.scaled_jacobians(teacher.dense, teacher.modes, horizon=LENGTH)
    first = np.asarray(expected["dense"][0])
    for name, (response, H) in expected.items():
        np.testing.assert_allclose(response, first, atol=1e-9 * np.abs(first).max())
        J = np.asarray(jacobians[name])
        np.testing.assert_allclose(J.T @ J, H, rtol=1e-8, atol=1e-10 * np.abs(H).max())


def test_measures_are_those_of_the_formed_hessian(rng):
    J = rng.normal(size=(40, 9)) @ rng.normal(size=(9, 25)) * np.logspace(0, 1, 25)
    H = J.T @ J
    values, vectors = np.linalg.eigh(H)
    scale = np.diag(1 / np.sqrt(np.diag(H)))
    scaled = np.linalg.eigvalsh(scale @ H @ scale)[::-1]
    one = hessians_measures.measure(J)
    np.testing.assert_allclose(one["spectrum"], values[::-1][:9], rtol=1e-9)
    np.testing.assert_allclose(one["scaled_spectrum"], scaled[:9], rtol=1e-9)
    spread = [1 / np.sum(vectors[:, -k] ** 4) for k in (1, 2, 3, 4)]
    np.testing.assert_allclose(one["participation"], np.mean(spread), rtol=1e-8)
    off = np.linalg.norm(H - np.diag(np.diag(H))) / np.linalg.norm(H)
    np.testing.assert_allclose(one["off_diagonal"], off, rtol=1e-12)
    assert one["rank"] == 9
    assert hessians_measures.measure(J + 1e-3 * rng.normal(size=J.shape))["rank"] > 9


def test_pairs_and_bootstrap(rng):
    a, b = rng.normal(0.7, 1, 30), np.round(rng.normal(0, 1, 40), 1)
    expected = mannwhitneyu(a, b).statistic / (a.size * b.size)
    assert hessians_measures.exceeds(a, b) == pytest.approx(expected, rel=1e-12)
    assert hessians_measures.exceeds(b, b) == 0.5
    settings = dataclasses.replace(TINY, resamples=500)
    x = np.exp(rng.normal(size=400))
    assert hessians_measures.ratio_interval(3 * x, x, settings) == pytest.approx((3, 3))
    low, high = hessians_measures.ratio_interval(np.exp(rng.normal(size=400)), x, settings)
    # The median of 400 standard normals has a standard error of 1.25/20; two of them, and √2.
    assert 0.15 < np.log(high / low) < 0.6


def test_expected_curvatures_are_sums():
    values = hessians_growth.growth_eigenvalues(0.05)
    n = np.arange(1, 1500)
    found = hessians_growth.expected_curvature(values)
    for p in range(6):
        for q in range(6):
            a, b = values[p], values[q]
            f = n * a ** (n - 1) if p == q else (a**n - b**n) / (a - b)
            assert found[p, q] == pytest.approx(np.sum(np.abs(f) ** 2), rel=1e-10)


def test_growth_is_measured_in_the_eigenbasis():
    settings = dataclasses.replace(TINY, shortfalls=(0.1, 0.05), growth_draws=2)
    growth = hessians_growth.measure_growth(settings, SilentProgress())
    expected = np.broadcast_to(growth.expected[:, None], growth.curvature.shape)
    np.testing.assert_allclose(growth.curvature, expected, rtol=1e-7)
    assert (growth.same.sum(), growth.near.sum(), growth.far.sum()) == (6, 4, 26)
    gaps = np.abs(np.subtract.outer(*[hessians_growth.growth_eigenvalues(1e-3)] * 2))
    assert np.all(gaps[growth.near] < 1.01e-3)
    assert np.all(gaps[growth.far] > 0.5)
    # Slopes of exact powers, and their order of axes.
    powers = np.stack([[e**-3.0, e**-1.0] for e in growth.shortfalls])
    np.testing.assert_allclose(growth.slopes(powers), [-3, -1], rtol=1e-12)


def test_angle_hessians_are_double_sums():
    settings = HessianSettings(modes=2, inner=0.6, correlation=0.7, angle_draws=3, seed=5)
    a, b, c = hessians_angles.angle_modes(settings, 0.5, 1)
    assert np.all((np.abs(a) >= 0.6) & (np.abs(a) <= 0.8))
    assert np.all(np.abs(np.angle(a)) <= np.pi / 2)
    n = np.arange(150)
    slopes = n[:, None] * a ** np.maximum(n[:, None] - 1, 0) * b * c
    J = np.concatenate([slopes.real, -slopes.imag], axis=1)
    R = 0.7 ** np.abs(n[:, None] - n)
    block = J.T @ R @ J
    whole = hessians_angles.angle_hessians(settings, 0.5, range(1, 2))[0]
    where = [0, 1, 6, 7]
    np.testing.assert_allclose(whole[np.ix_(where, where)], block, rtol=1e-9)
    (one,) = hessians_angles.measure_angles(
        dataclasses.replace(settings, angles=(0.5,)), SilentProgress()
    )
    off = block - np.diag(np.diag(block))
    alone = [block[np.ix_(pair, pair)] for pair in ([0, 2], [1, 3])]
    assert one.largest[1] == pytest.approx(np.linalg.eigvalsh(block)[-1], rel=1e-9)
    assert one.share[1] == pytest.approx(np.linalg.norm(off) / np.linalg.norm(block), rel=1e-9)
    assert one.squared_share[1] == pytest.approx(one.share[1] ** 2, rel=1e-9)
    assert one.alone[1] == pytest.approx(max(np.linalg.eigvalsh(m)[-1] for m in alone), rel=1e-9)
    assert one.largest.shape == (3,)
    # The picture is the first draw's, in order of phase.
    first, _, _ = hessians_angles.angle_modes(settings, 0.5, 0)
    H = np.abs(hessians_angles.angle_hessians(settings, 0.5, range(1))[0])
    order = [0, 6, 1, 7] if np.angle(first[0]) < np.angle(first[1]) else [1, 7, 0, 6]
    np.testing.assert_allclose(one.picture, H[np.ix_(order, order)], rtol=1e-12)


def test_part_says_what_it_measured(finding):
    ids = [claim.id for claim in finding.claims]
    assert ids == ["S5a", "S5b", "S5c", "S5d", "S5f", "S5e", "S10a", "S10b"]
    verdicts = {claim.id: claim.verdict for claim in finding.claims}
    assert verdicts["S5a"] == verdicts["S5e"] == verdicts["S10a"] == "holds"
    assert len({figure.name for figure in finding.figures}) == 4
    for table in finding.tables.values():
        assert len({len(column) for column in table.values()}) == 1
    rows, summary = (finding.tables[f"hessian_conditioning{x}"] for x in ("", "_summary"))
    dense = rows["condition"][rows["student"] == "dense"]
    assert summary["condition_median"][0] == pytest.approx(np.median(dense))
    assert len(dense) == TINY.teachers
    assert {"quick", "full"} == set(hessians.HESSIANS.presets)
    assert FULL.teachers > QUICK.teachers


def test_sums_and_closed_forms_agree():
    infinite = hessians_measures.measure_infinite_horizon(TINY, SilentProgress())
    assert infinite.errors.shape == (1,)
    assert infinite.errors.max() < 1e-9


def test_bad_numbers_fail(found):
    dense, diagonal = found["dense"], found["complex diagonal"]
    infinite = hessians_measures.InfiniteHorizon(
        {n: np.ones(6) for n in found}, {n: np.ones(6) for n in found}, np.zeros(1)
    )

    def with_dense(**changes):
        return found | {"dense": dataclasses.replace(dense, **changes)}

    lost = with_dense(rank=np.array([9, 9, 9, 9, 9, 8]))
    assert hessians_claims.rank_claim(TINY, found, infinite).verdict == "holds"
    assert hessians_claims.rank_claim(TINY, lost, infinite).verdict == "fails"
    same = with_dense(
        scaled_spectrum=diagonal.scaled_spectrum, participation=1.49 * diagonal.participation
    )
    assert hessians_claims.condition_claim(TINY, same, infinite).verdict == "fails"
    assert hessians_claims.spread_claim(TINY, same).verdict == "fails"
    good = with_dense(
        spectrum=diagonal.spectrum,
        scaled_spectrum=diagonal.scaled_spectrum * np.array([1.0] * 8 + [0.01]),
        participation=1.51 * diagonal.participation,
    )
    assert hessians_claims.condition_claim(TINY, good, infinite).verdict == "holds"
    assert hessians_claims.spread_claim(TINY, good).verdict == "holds"
    far = with_dense(spectrum=1e3 * found["LRU"].spectrum)
    assert hessians_claims.spectra_claim(TINY, far).verdict == "fails"
    near = dict.fromkeys(found, dense)
    assert hessians_claims.spectra_claim(TINY, near).verdict == "holds"
    # One student off by more than a decade decides, and is named.
    low = dataclasses.replace(dense, spectrum=dense.spectrum / 11)
    missed = hessians_claims.spectra_claim(TINY, near | {"complex diagonal": low})
    assert missed.verdict == "fails"
    assert missed.note.startswith("Missed by complex diagonal. ")


def test_pairs_decide_against_lru_and_s4_like_alone(found):
    dense = found["dense"]
    even = dataclasses.replace(
        dense, scaled_spectrum=dense.scaled_spectrum / dense.scaled_spectrum
    )
    other = dataclasses.replace(even, spectrum=1e-9 * dense.spectrum)
    good = dict.fromkeys(found, even) | {"dense": dense}

    def judged(**changes):
        return hessians_claims.preconditioner_claim(TINY, good | changes).verdict

    assert judged() == "holds"
    assert judged(**{"complex diagonal": other}) == "holds"
    for name in ("LRU", "S4-like"):
        assert judged(**{name: other}) == "fails"
        assert judged(**{name: dense}) == "fails"


def test_bad_angles_and_growth_fail():
    def ranges(largest, share):
        return [
            hessians_angles.AngleRange(
                angle,
                np.full(50, value),
                np.full(50, value),
                np.full(50, part),
                np.full(50, part**2),
                np.full(50, part),
                np.ones((20, 20)),
            )
            for angle, value, part in zip((0.01, 0.1, 1.0), largest, share, strict=True)
        ]

    exact = ranges((2.5e8, 1.1e7, 8.4e4), (0.81, 0.25, 0.008))
    assert hessians_angles_claims.angle_claim(TINY, exact).verdict == "holds"
    assert hessians_angles_claims.angle_share_claim(TINY, exact).verdict == "holds"
    blunt = ranges((8e7, 1.1e7, 8.4e4), (0.81, 0.25, 0.008))
    assert hessians_angles_claims.angle_claim(TINY, blunt).verdict == "fails"
    assert hessians_angles_claims.angle_share_claim(TINY, blunt).verdict == "fails"
    tied = ranges((2.5e8, 1.1e7, 8.4e4), (0.81, 0.36, 0.008))
    assert hessians_angles_claims.angle_share_claim(TINY, tied).verdict == "fails"

    # Other angles: the range is judged, and the share where there are earlier numbers.
    other = [dataclasses.replace(exact[0], angle=0.02), *exact[1:]]
    assert hessians_angles_claims.angle_claim(TINY, other).verdict == "holds"
    claim = hessians_angles_claims.angle_share_claim(TINY, other)
    assert claim.verdict == "holds"
    assert claim.expected.endswith(" at θ₀/π = 0.1, 1")
    nowhere = [dataclasses.replace(one, angle=one.angle / 3) for one in exact]
    assert hessians_angles_claims.angle_share_claim(TINY, nowhere).verdict == "fails"

    growth = hessians_growth.measure_growth(TINY, SilentProgress())
    flat = dataclasses.replace(
        growth, curvature=growth.curvature * growth.shortfalls[:, None, None, None] ** 0.1
    )
    assert hessians_growth_claims.growth_claim(TINY, growth).verdict == "holds"
    assert hessians_growth_claims.growth_claim(TINY, flat).verdict == "fails"
