"""From a recording to what gradient descent trains on: split, centre, scale."""

import dataclasses
import itertools

import numpy as np
from jaxtyping import Bool, Float

from remanence.errors import DataError, RemanenceError
from remanence.files import Recording
from remanence.identify.settings import FitSettings

PARTS = ("train", "validation", "test")
_SHARES = (0.6, 0.8)
_BLOCK_PATTERN = (0, 0, 1, 0, 2)
_SMALLEST, _LARGEST = 1e-100, 1e100


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A recording, split in time and standardised by its training part.

    - `inputs`, `outputs`: one (T, features) array a sequence, standardised.
    - `parts`: for each of train, validation, test a mask of target times a sequence.
    - `input_mean`, `input_scale`, `output_mean`, `output_scale`: physical = mean + scale · value.
    - `forecast`: the inputs are the outputs one step earlier.
    """

    inputs: tuple[Float[np.ndarray, "_time inputs"], ...]
    outputs: tuple[Float[np.ndarray, "_time outputs"], ...]
    parts: dict[str, tuple[Bool[np.ndarray, " _time"], ...]]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    sequence_names: tuple[str, ...]
    input_mean: Float[np.ndarray, " inputs"]
    input_scale: Float[np.ndarray, " inputs"]
    output_mean: Float[np.ndarray, " outputs"]
    output_scale: Float[np.ndarray, " outputs"]
    forecast: bool
    step: float | None
    step_unit: str | None
    split: str
    notes: tuple[str, ...]

    @property
    def longest(self) -> int:
        """Steps of the longest sequence."""
        return max(len(x) for x in self.inputs)

    def count(self, part: str) -> int:
        """How many target times a part has, over all sequences."""
        return int(sum(mask.sum() for mask in self.parts[part]))

    def spans(self, sequence: int) -> list[tuple[int, int, str]]:
        """`(start, stop, part)` stretches of one sequence, in order."""
        label = np.zeros(len(self.inputs[sequence]), dtype=int)
        for index, part in enumerate(PARTS, start=1):
            label[self.parts[part][sequence]] = index
        edges = [0, *(np.flatnonzero(np.diff(label)) + 1), len(label)]
        return [
            (int(start), int(stop), PARTS[label[start] - 1])
            for start, stop in itertools.pairwise(edges)
            if label[start]
        ]


def prepare(recording: Recording, settings: FitSettings) -> Prepared:
    """Split `recording` as `settings` say and standardise it by its training part.

    A recording without inputs becomes a forecast: the outputs one step earlier are the inputs.
    Raises `DataError` where a part would be empty, a column does not vary while training, or its
    values are too large or small to square; `RemanenceError` for a forecast in blocks, whose
    training windows would hold test outputs.
    """
    forecast = not recording.input_names
    if forecast and settings.split == "blocks":
        raise RemanenceError(
            "a forecast with --split blocks would read test outputs as inputs of the training "
            "blocks after them; use --split time, or name --inputs"
        )
    notes = list(recording.notes)
    if forecast:
        inputs = tuple(y[:-1] for y in recording.outputs)
        outputs = tuple(y[1:] for y in recording.outputs)
        input_names = tuple(f"{name} (one step earlier)" for name in recording.output_names)
        notes.append(
            "No inputs were named: the model forecasts one step ahead from the past outputs."
        )
    else:
        inputs, outputs, input_names = recording.inputs, recording.outputs, recording.input_names
    _check_sizes(inputs, input_names)
    _check_sizes(outputs, recording.output_names)
    lengths = [len(y) for y in outputs]
    split, masks = _split(lengths, settings)
    train = masks[0]
    if settings.remove_mean:
        input_mean = _over(inputs, train).mean(axis=0)
        output_mean = _over(outputs, train).mean(axis=0)
    else:
        input_mean = np.zeros(inputs[0].shape[1])
        output_mean = np.zeros(outputs[0].shape[1])
    input_scale = _scale(inputs, train, input_names)
    output_scale = _scale(outputs, train, recording.output_names)
    return Prepared(
        inputs=tuple((x - input_mean) / input_scale for x in inputs),
        outputs=tuple((y - output_mean) / output_scale for y in outputs),
        parts=dict(zip(PARTS, masks, strict=True)),
        input_names=input_names,
        output_names=recording.output_names,
        sequence_names=recording.sequence_names,
        input_mean=input_mean,
        input_scale=input_scale,
        output_mean=output_mean,
        output_scale=output_scale,
        forecast=forecast,
        step=recording.step,
        step_unit=recording.step_unit,
        split=split,
        notes=tuple(notes),
    )


def _split(lengths, settings):
    split = settings.split
    if split == "auto":
        split = "sequences" if len(lengths) >= 5 else "time"
    labels = []
    if split == "sequences":
        if len(lengths) < 3:
            raise DataError(
                f"--split sequences needs at least 3 sequences, the data have {len(lengths)}; "
                "use --split time"
            )
        cuts = [max(1, round(share * len(lengths))) for share in _SHARES]
        cuts[1] = min(max(cuts[1], cuts[0] + 1), len(lengths) - 1)
        cuts[0] = min(cuts[0], cuts[1] - 1)
        for index, length in enumerate(lengths):
            labels.append(np.full(length, int(np.searchsorted(cuts, index, side="right"))))
        description = "whole sequences: first 60 % train, next 20 % validation, last 20 % test"
    elif split == "blocks":
        for length in lengths:
            block = np.arange(length) // settings.block
            labels.append(np.asarray(_BLOCK_PATTERN)[block % len(_BLOCK_PATTERN)])
        description = (
            f"blocks of {settings.block} steps in turn: train, train, validation, train, test"
        )
    else:
        for length in lengths:
            edges = [round(share * length) for share in _SHARES]
            labels.append(np.searchsorted(edges, np.arange(length), side="right"))
        description = "in time: first 60 % train, next 20 % validation, last 20 % test"
    masks = [tuple(label == part for label in labels) for part in range(3)]
    for name, mask in zip(PARTS, masks, strict=True):
        if not any(m.any() for m in mask):
            raise DataError(
                f"the {name} part is empty after splitting ({description}); "
                "give more data, shorter blocks or another --split"
            )
    return description, masks


def _check_sizes(series, names) -> None:
    """Squares must neither overflow nor vanish."""
    for index, name in enumerate(names):
        largest = max(float(np.abs(values[:, index]).max()) for values in series)
        if not _SMALLEST <= largest <= _LARGEST:
            raise DataError(
                f"column {name!r} has values of size {largest:.3g}, too "
                f"{'large' if largest > 1 else 'small'} to square; give it in another unit"
            )


def _over(series, masks) -> np.ndarray:
    return np.concatenate([values[mask] for values, mask in zip(series, masks, strict=True)])


def _scale(series, masks, names) -> np.ndarray:
    values = _over(series, masks)
    scale = values.std(axis=0)
    for name, deviation, level in zip(names, scale, values.mean(axis=0), strict=True):
        if not deviation > 1e-12 * max(abs(level), np.finfo(float).tiny):
            raise DataError(
                f"column {name!r} does not vary over the training part (value {level:.6g}); "
                "drop it or use another --split"
            )
    return scale
