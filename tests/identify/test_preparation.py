"""Splitting in time, standardising, forecasting."""

import dataclasses
import itertools

import numpy as np
import pytest

from remanence.errors import DataError, RemanenceError
from remanence.files import Recording
from remanence.identify import FitSettings, prepare


def recording_of(outputs, inputs=None):
    return Recording(
        inputs=inputs or tuple(np.empty((len(y), 0)) for y in outputs),
        outputs=outputs,
        input_names=("u",) if inputs else (),
        output_names=("y",),
        sequence_names=tuple(f"s{i}" for i in range(len(outputs))),
    )


@pytest.mark.parametrize(
    "settings",
    [FitSettings(split="time"), FitSettings(split="blocks", block=7), FitSettings()],
)
def test_parts_cover_every_step_once(recording, settings):
    data = prepare(recording, settings)
    total = sum(data.parts[part][0].astype(int) for part in data.parts)
    assert (total == 1).all()
    spans = data.spans(0)
    assert spans[0][0] == 0
    assert spans[-1][1] == 1500
    assert all(a[1] == b[0] and a[2] != b[2] for a, b in itertools.pairwise(spans))


def test_time_split_keeps_the_order_of_time(recording):
    assert prepare(recording, FitSettings()).spans(0) == [
        (0, 900, "train"),
        (900, 1200, "validation"),
        (1200, 1500, "test"),
    ]


def test_five_sequences_are_split_whole(rng):
    sequences = tuple(rng.normal(size=(20, 1)) for _ in range(6))
    data = prepare(recording_of(sequences, sequences), FitSettings())
    assert [data.spans(i)[0][2] for i in range(6)] == ["train"] * 4 + ["validation", "test"]


def test_standardised_by_the_training_part_alone(recording):
    data = prepare(recording, FitSettings())
    train = data.parts["train"][0]
    np.testing.assert_allclose(data.inputs[0][train].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(data.inputs[0][train].std(axis=0), 1, atol=1e-12)
    back = data.output_mean + data.output_scale * data.outputs[0]
    np.testing.assert_allclose(back, recording.outputs[0], rtol=1e-12)


def test_the_mean_can_be_kept(recording):
    data = prepare(recording, FitSettings(remove_mean=False))
    assert (data.output_mean == 0).all()
    assert (data.input_mean == 0).all()


def test_a_forecast_takes_the_output_one_step_earlier(rng):
    y = rng.normal(size=(50, 1))
    data = prepare(recording_of((y,)), FitSettings())
    assert data.forecast
    past = data.input_mean + data.input_scale * data.inputs[0]
    np.testing.assert_allclose(past, y[:-1], atol=1e-12)
    now = data.output_mean + data.output_scale * data.outputs[0]
    np.testing.assert_allclose(now, y[1:], atol=1e-12)


def test_a_column_still_while_training_is_refused(recording):
    frozen = recording.inputs[0].copy()
    frozen[:900, 1] = 4.0
    with pytest.raises(DataError, match="'wind' does not vary over the training part"):
        prepare(dataclasses.replace(recording, inputs=(frozen,)), FitSettings())


def test_blocks_longer_than_the_record_leave_a_part_empty(recording):
    with pytest.raises(DataError, match="the validation part is empty"):
        prepare(recording, FitSettings(split="blocks", block=1000))


def test_two_sequences_cannot_be_split_whole(rng):
    sequences = tuple(rng.normal(size=(20, 1)) for _ in range(2))
    with pytest.raises(DataError, match="needs at least 3 sequences"):
        prepare(recording_of(sequences, sequences), FitSettings(split="sequences"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"optimizers": ("adma",)}, "did you mean 'adam'"),
        ({"split": "tim"}, "did you mean 'time'"),
        ({"split": "blocks"}, "give --block STEPS"),
        ({"block": 3}, "give --block STEPS"),
        ({"length": (1,)}, "length: must be at least 2"),
        ({"length": (8, 8)}, "names a length twice"),
        ({"order": 40}, "more than the student's state dimension 32"),
        ({"steps": 0}, "steps: must be at least 1"),
        ({"seeds": 0}, "seeds: must be at least 1"),
        ({"initial_scale": -1.0}, "initial_scale: must be a positive number"),
        ({"whitening": 0.0}, "whitening: must be a positive number"),
        ({"step_size": float("inf"), "optimizers": ("gd",)}, "step_size: must be a positive"),
        ({"step_size": 0.1}, "belongs to one optimizer"),
        ({"optimizers": ()}, "name at least one"),
        ({"optimizers": ("gd", "gd")}, "names one twice"),
        ({"seed": 10**20}, "seed: must lie within"),
        ({"steps": 10**20}, "steps: must be at most"),
        ({"state_dimension": 100_000}, "state_dimension: must be at most 2000"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(RemanenceError, match=message):
        FitSettings(**wrong)


@pytest.mark.parametrize("factor", [1e200, 1e-200])
def test_values_that_cannot_be_squared_are_refused(recording, factor):
    scaled = dataclasses.replace(recording, inputs=(recording.inputs[0] * factor,))
    with pytest.raises(DataError, match=r"'sun' has values of size .* another unit"):
        prepare(scaled, FitSettings())


def test_a_forecast_in_blocks_would_read_the_test_part(rng):
    with pytest.raises(RemanenceError, match="would read test outputs"):
        prepare(recording_of((rng.normal(size=(50, 1)),)), FitSettings(split="blocks", block=5))
