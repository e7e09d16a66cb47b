"""The model that a fit hands over: a state space in the units of the data, with its offsets."""

import dataclasses
import os

import numpy as np
from jaxtyping import Array, Float

from remanence.errors import ModelFileError, RemanenceError
from remanence.files import read_tensors, write_tensors
from remanence.identify.measure import FitResult
from remanence.systems import StateSpace

KIND = "FittedModel"
_TENSORS = {"A", "B", "C", "D", "input_offset", "output_offset"}


@dataclasses.dataclass(frozen=True)
class FittedModel:
    """`h_t = A h_{t-1} + B (x_t − x̄)`, `y_t = ȳ + C h_t`, in the units of the recording.

    - `system`: A, B, C; `input_offset` x̄ (inputs,), `output_offset` ȳ (outputs,).
    - `training_length`: steps of the windows it was learned from.
    - `step`, `step_unit`: the sampling interval, if known.
    - `forecast`: its inputs are the outputs one step earlier.
    """

    system: StateSpace
    input_offset: Float[np.ndarray, " inputs"]
    output_offset: Float[np.ndarray, " outputs"]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    training_length: int
    forecast: bool
    step: float | None
    step_unit: str | None

    def simulate(
        self,
        inputs: Float[np.ndarray, "time inputs"],
        state: Float[Array | np.ndarray, " order"] | None = None,
    ) -> tuple[Float[np.ndarray, "time outputs"], Float[Array, " order"]]:
        """Outputs for `inputs`, and the state to carry on from; both in the units of the data.

        Raises `RemanenceError` if the inputs do not have the model's number of columns.
        """
        if inputs.ndim != 2 or inputs.shape[1] != len(self.input_names):
            raise RemanenceError(
                f"inputs have shape {inputs.shape}; the model takes (time, "
                f"{len(self.input_names)}): {', '.join(self.input_names)}"
            )
        outputs, state = self.system.simulate(inputs - self.input_offset, state)
        return self.output_offset + np.asarray(outputs), state

    def save(self, path: str | os.PathLike) -> None:
        """Write `model.safetensors`: tensors and a JSON spec, no code."""
        names = ("A", "B", "C", "D")
        tensors = {name: np.asarray(getattr(self.system, name)) for name in names}
        spec = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in ("system", "input_offset", "output_offset")
        }
        write_tensors(
            path,
            KIND,
            tensors | {"input_offset": self.input_offset, "output_offset": self.output_offset},
            spec,
        )


def fitted_model(result: FitResult) -> FittedModel:
    """The model of `result`, its standardisation undone."""
    data = result.data
    A, B, C = (np.asarray(m) for m in (result.system.A, result.system.B, result.system.C))
    return FittedModel(
        system=StateSpace(A, B / data.input_scale, data.output_scale[:, None] * C),
        input_offset=data.input_mean,
        output_offset=data.output_mean + data.output_scale * result.offset,
        input_names=data.input_names,
        output_names=data.output_names,
        training_length=result.run.length,
        forecast=data.forecast,
        step=data.step,
        step_unit=data.step_unit,
    )


def load_fitted_model(path: str | os.PathLike) -> FittedModel:
    """Read a model written by `remanence fit`.

    Raises `ModelFileError` if the file is not one, or its tensors and its spec disagree.
    """
    kind, tensors, spec = read_tensors(path)
    if kind != KIND:
        raise ModelFileError(f"{path}: holds a {kind}, not a {KIND}; load it with load_system")
    known = {field.name for field in dataclasses.fields(FittedModel)} - {
        "system",
        "input_offset",
        "output_offset",
    }
    if set(tensors) != _TENSORS or set(spec) != known:
        raise ModelFileError(f"{path}: its tensors or settings are not those of a {KIND}")
    system = StateSpace(*(tensors[name] for name in ("A", "B", "C", "D")))
    sizes = (len(spec["input_names"]), len(spec["output_names"]))
    offsets = (tensors["input_offset"], tensors["output_offset"])
    shapes = tuple(offset.shape for offset in offsets)
    if (system.inputs, system.outputs) != sizes or shapes != tuple((n,) for n in sizes):
        raise ModelFileError(f"{path}: the named columns do not fit the sizes of its tensors")
    return FittedModel(
        system,
        *offsets,
        **{**spec, **{k: tuple(spec[k]) for k in ("input_names", "output_names")}},
    )
