"""The whole way: known systems are found, explosions are confessed, files come back."""

import dataclasses
import json
import tomllib

import jax
import numpy as np
import pyarrow.parquet as pq
import pytest

from remanence.errors import DataError, ModelFileError, NumericalError, RemanenceError
from remanence.files import Recording, save_system
from remanence.identify import (
    FitSettings,
    automatic_lengths,
    fit,
    fit_page,
    fitted_model,
    headline,
    load_fitted_model,
    prepare,
    save_fit,
)
from remanence.identify.measure import measure
from remanence.report import render
from remanence.systems import StateSpace

QUICK = FitSettings(length=(16, 32), state_dimension=10, seeds=2, steps=4000, optimizers=("gd",))


@pytest.fixture
def result(recording):
    return fit(recording, QUICK)


def test_a_known_system_is_found(result, known_system):
    assert result.system.order == 2
    assert result.stable
    np.testing.assert_allclose(
        np.sort(result.memory.eigenvalues.real), np.sort(np.diag(known_system[0])), atol=0.02
    )
    # 5 % noise in amplitude leaves 0.25 % of the variance.
    assert result.carried["test"] == pytest.approx(0.0025, abs=0.001)
    assert result.extrapolation.extends_to == result.extrapolation.reach
    assert result.agreement < 0.05


def test_the_impulse_response_is_the_systems_own(result, known_system):
    A, B, C = known_system
    truth = np.stack([C @ np.linalg.matrix_power(A, j) @ B for j in range(60)])
    scaled = truth * 12 / result.data.output_scale[:, None, None] * result.data.input_scale / 3
    assert np.abs(result.response[:60] - scaled).max() < 0.03 * np.abs(scaled).max()


def test_simulation_is_in_the_units_of_the_data(result, recording):
    error = result.simulated(0) - recording.outputs[0]
    assert error.std() < 0.07 * recording.outputs[0].std()
    assert abs(error.mean()) < 0.02 * recording.outputs[0].std()
    np.testing.assert_allclose(result.measured(0), recording.outputs[0], rtol=1e-12)


def test_the_saved_model_simulates_the_same_and_carries_its_state(result, recording, tmp_path):
    model = fitted_model(result)
    model.save(tmp_path / "model.safetensors")
    loaded = load_fitted_model(tmp_path / "model.safetensors")
    whole, _ = loaded.simulate(recording.inputs[0])
    np.testing.assert_allclose(whole, result.simulated(0), rtol=1e-8, atol=1e-8)
    first, state = loaded.simulate(recording.inputs[0][:700])
    second, _ = loaded.simulate(recording.inputs[0][700:], state)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=1e-10, atol=1e-9)
    assert loaded.input_names == ("sun", "wind")
    assert loaded.training_length == result.run.length
    assert (loaded.step, loaded.step_unit) == (0.5, "h")


def test_a_model_of_another_kind_and_wrong_inputs_are_refused(result, tmp_path):
    save_system(tmp_path / "other.safetensors", StateSpace(*np.ones((3, 1, 1))))
    with pytest.raises(ModelFileError, match="holds a StateSpace, not a FittedModel"):
        load_fitted_model(tmp_path / "other.safetensors")
    with pytest.raises(RemanenceError, match="the model takes"):
        fitted_model(result).simulate(np.zeros((5, 3)))


def test_the_run_folder_holds_everything(result, tmp_path):
    folder = save_fit(result, tmp_path / "run", source={"files": ["a.csv"]}, wall_time=1.5)
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    assert {
        "config.toml",
        "result.json",
        "environment.json",
        "model.safetensors",
        "report.html",
        "tables/lengths.parquet",
        "tables/simulation.parquet",
        "figures/hankel.svg",
        "figures/extrapolation.png",
    } <= names
    saved = json.loads((folder / "result.json").read_text())
    assert saved["order"] == 2
    assert saved["r2"]["whole_record"]["test"] == pytest.approx(1 - result.carried["test"])
    config = tomllib.loads((folder / "config.toml").read_text())
    assert (
        FitSettings(
            **{k: tuple(v) if isinstance(v, list) else v for k, v in config["fit"].items()}
        )
        == QUICK
    )
    table = pq.read_table(folder / "tables/lengths.parquet")
    assert table.column("length").to_pylist() == [16, 16, 32, 32]
    page = (folder / "report.html").read_text()
    assert "Learned dimension 2" in page
    with pytest.raises(RemanenceError, match="already exists"):
        save_fit(result, folder, source={})


def test_the_same_seed_gives_the_same_numbers(result, recording):
    again = fit(recording, QUICK)
    np.testing.assert_array_equal(again.response, result.response)
    assert headline(again) == headline(result)


def test_order_and_length_can_be_fixed(recording):
    result = fit(recording, dataclasses.replace(QUICK, length=(16,), order=1))
    assert result.system.order == 1
    assert [run.length for run in result.runs] == [16]


def test_an_early_stop_before_an_explosion_is_confessed(recording):
    """Windows shorter than the memory: the history before them is forced into an unstable mode."""
    result = fit(recording, dataclasses.replace(QUICK, length=(8,)))
    assert (result.run.spectral_radius > 1.2).all()
    assert result.run.stopped_early
    page = render(fit_page(result))
    assert "2 of 2 students of this length are unstable" in page


def measured_again(result, eigenvalue, gain=0.1):
    """The measurements of another model, of one mode, in place of the one found."""
    system = StateSpace(np.array([[eigenvalue]]), gain * np.ones((1, 2)), np.ones((1, 1)))
    return measure(
        result.data,
        result.settings,
        result.runs,
        result.run,
        system,
        result.hankel,
        result.order_shares,
    )


def test_an_exploding_model_says_so_in_its_first_line(result):
    unstable = measured_again(result, 1.01)
    assert headline(unstable)[0].startswith("WARNING: this model explodes")
    assert "Does not extrapolate" in headline(unstable)[2]
    assert "WARNING: this model explodes" in render(fit_page(unstable))
    with pytest.raises(
        NumericalError, match=r"explodes \(spectral radius 2\): its response is not"
    ):
        measured_again(result, 2.0)


def test_what_explains_nothing_is_not_said_to_extrapolate(result):
    """A model of the wrong sign is as wrong at every position: no merit in that."""
    wrong = measured_again(result, 0.9, gain=-0.5)
    assert wrong.stable
    assert (wrong.extrapolation.shares > 1).all()
    assert wrong.extrapolation.extends_to is None
    assert headline(wrong)[2].startswith("Explains nothing")


def test_an_order_beyond_the_students_own_is_confessed(recording):
    result = fit(recording, dataclasses.replace(QUICK, length=(16,), order=9, steps=1000))
    assert result.system.order < 9
    page = render(fit_page(result))
    assert "Order 9 was asked for" in page
    assert "The order was fixed" in page


def test_too_few_or_still_outputs_choose_nothing(recording):
    short = dataclasses.replace(
        recording, inputs=(recording.inputs[0][:100],), outputs=(recording.outputs[0][:100],)
    )
    with pytest.raises(DataError, match="the validation part has 20 outputs, at least 30"):
        fit(short, QUICK)
    still = recording.outputs[0].copy()
    still[1200:] = still[1200]
    with pytest.raises(DataError, match="'heat' does not vary over the test part"):
        fit(dataclasses.replace(recording, outputs=(still,)), QUICK)


def test_the_test_outputs_change_nothing_that_was_learned(recording):
    """The test part is read once: other test outputs give the same model."""
    changed = recording.outputs[0].copy()
    changed[1200:] = changed[1200:][::-1]
    first = fit(recording, QUICK)
    second = fit(dataclasses.replace(recording, outputs=(changed,)), QUICK)
    np.testing.assert_array_equal(first.response, second.response)
    np.testing.assert_array_equal(first.offset, second.offset)
    assert first.carried["test"] != second.carried["test"]


def test_a_forecast_learns_the_autoregression(rng):
    """y_t = .8 y_{t-1} + noise: the best forecast explains 64 % and persistence less."""
    y = np.zeros((4000, 1))
    for t in range(1, 4000):
        y[t] = 0.8 * y[t - 1] + rng.normal()
    recording = Recording((np.empty((4000, 0)),), (y,), (), ("y",), ("s",))
    result = fit(recording, QUICK)
    assert result.data.forecast
    assert result.response[0, 0, 0] == pytest.approx(0.8, abs=0.06)
    assert 1 - result.carried["test"] == pytest.approx(0.64, abs=0.06)
    assert result.carried["test"] < result.persistence


def test_several_sequences_are_learned_together(recording):
    x, y = recording.inputs[0], recording.outputs[0]
    pieces = [slice(i * 250, (i + 1) * 250) for i in range(6)]
    split = dataclasses.replace(
        recording,
        inputs=tuple(x[p] for p in pieces),
        outputs=tuple(y[p] for p in pieces),
        sequence_names=tuple("abcdef"),
    )
    result = fit(split, QUICK)
    assert "whole sequences" in result.data.split
    assert result.system.order == 2
    assert result.carried["test"] < 0.02


def test_automatic_lengths_stop_where_windows_run_out(recording):
    assert automatic_lengths(prepare(recording, FitSettings())) == (12, 24, 48, 96, 192)
    short = dataclasses.replace(
        recording,
        inputs=(recording.inputs[0][:120],),
        outputs=(recording.outputs[0][:120],),
    )
    assert automatic_lengths(prepare(short, FitSettings())) == (12, 24)


@pytest.mark.parametrize(
    ("length", "message"),
    [(2000, "the longest sequence has only 1500 steps"), (900, "no training window fits")],
)
def test_lengths_that_do_not_fit_are_refused(recording, length, message):
    with pytest.raises(DataError, match=message):
        fit(recording, dataclasses.replace(QUICK, length=(length,)))


def test_a_step_size_that_diverges_is_reported(recording):
    with pytest.raises(NumericalError, match="diverged at step"):
        fit(recording, dataclasses.replace(QUICK, step_size=50.0))


def test_float32_outside_changes_nothing(result, recording):
    with jax.enable_x64(False):
        again = fit(recording, QUICK)
    np.testing.assert_array_equal(again.response, result.response)
