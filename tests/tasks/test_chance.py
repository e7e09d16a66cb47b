"""Chance levels and distributions that the tasks promise; exact where words can be listed."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from remanence.systems import StateSpace
from remanence.tasks.adding import Adding
from remanence.tasks.arithmetic import ModularArithmetic
from remanence.tasks.copying import Copy, SelectiveCopy
from remanence.tasks.delay import Delay
from remanence.tasks.languages import (
    LENGTH_RANGES,
    CycleNavigation,
    EvenPairs,
    ModularSum,
    Parity,
)
from remanence.tasks.recall import MultiQueryRecall, NearestNeighbour
from remanence.tasks.teacher_student import TeacherStudent


def draw(task, length, count, seed=0):
    keys = jax.random.split(jax.random.key(seed), count)
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(lambda k: task.sample(k, length)))(keys))


def all_answers(language, length):
    """The value after the last symbol of every word there is."""
    words = jnp.array(list(itertools.product(range(language.inputs), repeat=length)))
    return np.asarray(jax.vmap(lambda word: language.values(word)[0][-1])(words))


def looks_uniform(counts):
    """Pearson's χ² does not find the counts uneven (at 1 in 10⁴)."""
    return scipy.stats.chisquare(np.asarray(counts)).pvalue > 1e-4


@pytest.mark.parametrize("language", [Parity(), EvenPairs(), ModularSum(3), ModularSum(4)])
@pytest.mark.parametrize("length", [2, 5])
def test_every_value_is_equally_frequent_among_all_words(language, length):
    counts = np.bincount(all_answers(language, length), minlength=language.outputs)
    np.testing.assert_array_equal(counts, language.inputs**length // language.outputs)


@pytest.mark.parametrize("size", [2, 5, 6])
@pytest.mark.parametrize("length", [1, 6])
def test_places_on_the_ring_have_the_stated_distribution(size, length):
    counts = np.bincount(all_answers(CycleNavigation(size), length), minlength=size)
    j, k = np.arange(size), np.arange(size)[:, None]
    step = (1 + 2 * np.cos(2 * np.pi * j / size)) / 3
    expected = np.sum(step**length * np.cos(2 * np.pi * j * k / size), axis=1) / size
    np.testing.assert_allclose(counts / 3**length, expected, atol=1e-14)


@pytest.mark.parametrize(
    "language", [Parity(), EvenPairs(), ModularSum(7), CycleNavigation(), ModularArithmetic()]
)
def test_symbols_are_uniform_where_they_may_stand(language):
    words = draw(language, 7, 2000).inputs.argmax(axis=2)
    if isinstance(language, ModularArithmetic):
        assert looks_uniform(np.bincount(words[:, 0::2].ravel(), minlength=5)[:5])
        assert looks_uniform(np.bincount(words[:, 1::2].ravel(), minlength=8)[5:])
    else:
        counts = [np.bincount(column, minlength=language.inputs) for column in words.T]
        assert all(looks_uniform(count) for count in counts)


def test_one_product_of_two_digits_favours_zero_as_it_should():
    # Three symbols: + and − are exactly uniform, × gives 0 for 9 of 25 pairs.
    words = draw(ModularArithmetic(), 3, 20_000)
    share = np.mean(words.targets[:, -1] == 0)
    expected = 2 / 3 * 1 / 5 + 1 / 3 * 9 / 25
    assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / 20_000)


def test_published_lengths():
    assert (LENGTH_RANGES["train"][0], LENGTH_RANGES["train"][-1]) == (3, 40)
    assert (LENGTH_RANGES["test"][0], LENGTH_RANGES["test"][-1]) == (40, 256)
    assert all(np.all(np.diff(lengths) == 1) for lengths in LENGTH_RANGES.values())


@pytest.mark.parametrize("task", [Copy(alphabet=5), Copy(2, alphabet=3), Delay(1, alphabet=6)])
def test_answers_are_uniform(task):
    batch = draw(task, 9, 2000)
    assert looks_uniform(np.bincount(batch.targets[batch.weights > 0], minlength=task.outputs))


def test_selective_copy_places_every_subset_equally_often():
    batch = draw(SelectiveCopy(2, alphabet=3), 7, 5000)
    held = batch.inputs[:, :5, 3] == 0
    subsets = held @ (2 ** np.arange(5))
    counts = np.unique(subsets, return_counts=True)[1]
    assert len(counts) == 10
    assert looks_uniform(counts)
    assert looks_uniform(np.bincount(batch.targets[batch.weights > 0]))


def test_adding_marks_and_numbers_are_uniform_and_a_constant_errs_by_a_sixth():
    batch = draw(Adding(), 9, 20_000)
    counts = batch.inputs[:, :, 1].sum(axis=0)
    assert looks_uniform(counts[:4])
    assert looks_uniform(counts[4:])
    assert scipy.stats.kstest(batch.inputs[:, :, 0].ravel()[::9], "uniform").pvalue > 1e-4
    error = (batch.targets[:, -1, 0] - 1) ** 2
    assert abs(error.mean() - Adding.CONSTANT_ERROR) < 4 * error.std() / np.sqrt(error.size)


def test_recall_asks_everywhere_equally_often_in_every_order():
    batch = draw(MultiQueryRecall(2, 10), 8, 5000)
    words = batch.inputs.argmax(axis=2)
    places = np.unique(batch.weights[:, 4:] @ (2.0 ** np.arange(4)), return_counts=True)[1]
    assert len(places) == 6
    assert looks_uniform(places)
    first_asked = words[np.arange(5000), batch.weights.argmax(axis=1)]
    assert looks_uniform(np.bincount((first_asked == words[:, 0]).astype(int)))
    assert looks_uniform(np.bincount(words[:, 0], minlength=5)[:5])
    assert looks_uniform(np.bincount(batch.targets[batch.weights > 0], minlength=5))


def test_the_nearest_neighbour_is_anywhere_and_a_constant_errs_by_a_twelfth():
    batch = draw(NearestNeighbour(), 6, 10_000)
    at = np.argmax(batch.inputs[:, 1:, 2] == batch.targets[:, -1], axis=1)
    assert looks_uniform(np.bincount(at))
    angles = np.arctan2(batch.inputs[:, :2, 1], batch.inputs[:, :2, 0]).T
    for angle in (*angles, (angles[1] - angles[0] + np.pi) % (2 * np.pi) - np.pi):
        assert scipy.stats.kstest(angle, scipy.stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-4
    error = (batch.targets[:, -1, 0] - 0.5) ** 2
    assert abs(error.mean() - 1 / 12) < 4 * error.std() / np.sqrt(error.size)


def test_noise_on_the_teacher_is_white_with_the_stated_deviation():
    system = StateSpace([[0.5]], [[1.0]], [[2.0], [1.0]])
    noisy = draw(TeacherStudent(system, noise=0.3), 5, 4000)
    clean = draw(TeacherStudent(system), 5, 4000)
    np.testing.assert_array_equal(noisy.inputs, clean.inputs)
    noise = (noisy.targets - clean.targets).reshape(4000, 10) / 0.3
    correlation = np.corrcoef(np.concatenate([noise, noisy.inputs[:, :, 0]], axis=1).T)
    assert np.max(np.abs(correlation - np.eye(15))) < 4.5 / np.sqrt(4000)
    assert abs(noise.var() - 1) < 4.5 * np.sqrt(2 / noise.size)
