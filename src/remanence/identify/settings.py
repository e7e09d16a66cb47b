"""What a user may choose about a fit, and what is refused."""

import dataclasses
import math

from remanence.errors import RemanenceError, nearest_name

OPTIMIZERS = ("gd", "adam")
"""Adaptive (or constant-step) gradient descent, and Adam."""
SPLITS = ("auto", "time", "blocks", "sequences")

_MOST = {"state_dimension": 2000, "seeds": 10_000, "steps": 10**12}
_MOST_SEED = 2**62


@dataclasses.dataclass(frozen=True)
class FitSettings:
    """Settings of `fit`.

    - `length`: training length(s) in steps; empty means a geometric grid chosen from the data.
    - `order`: state dimension of the model handed over; None means by validation.
    - `state_dimension`: state dimension of the overparameterised student.
    - `seeds`, `seed`: how many independent starts, and the first seed.
    - `steps`: gradient steps of every run.
    - `initial_scale`: standard deviation of the start times √state_dimension.
    - `optimizers`: any of "gd" (adaptive step unless `step_size` is given) and "adam"; validation
      picks between them, the first of two within the slack.
    - `step_size`: constant step size of the one optimizer; None means adaptive for "gd" and 1e-3
      for "adam".
    - `whitening`: λ in the metric S (S + λI)⁻¹, in units of the mean input power; `inf` trains on
      the plain mean squared error of the windows.
    - `split`: "time" (first 60 % train, then 20 % validation, 20 % test), "blocks" (repeating
      train, train, validation, train, test blocks of `block` steps), "sequences" (whole
      sequences, shares as in "time"), or "auto" (sequences if there are five or more, else time).
    - `remove_mean`: subtract the training mean of every column.
    """

    length: tuple[int, ...] = ()
    order: int | None = None
    state_dimension: int = 32
    seeds: int = 3
    seed: int = 0
    steps: int = 50_000
    initial_scale: float = 1e-2
    optimizers: tuple[str, ...] = OPTIMIZERS
    step_size: float | None = None
    whitening: float = 1.0
    split: str = "auto"
    block: int | None = None
    remove_mean: bool = True

    def __post_init__(self) -> None:
        if not self.optimizers:
            raise RemanenceError(f"optimizers: name at least one of {', '.join(OPTIMIZERS)}")
        if len(set(self.optimizers)) != len(self.optimizers):
            raise RemanenceError(f"optimizers: {', '.join(self.optimizers)} names one twice")
        for optimizer in self.optimizers:
            _choice("optimizers", optimizer, OPTIMIZERS)
        _choice("split", self.split, SPLITS)
        for name, most in _MOST.items():
            _at_least(name, getattr(self, name), 1)
            if getattr(self, name) > most:
                raise RemanenceError(f"{name}: must be at most {most}, got {getattr(self, name)}")
        if abs(self.seed) > _MOST_SEED:
            raise RemanenceError(f"seed: must lie within ±{_MOST_SEED}, got {self.seed}")
        for length in self.length:
            _at_least("length", length, 2)
        if len(set(self.length)) != len(self.length):
            raise RemanenceError(f"length: {self.length} names a length twice")
        if self.order is not None:
            _at_least("order", self.order, 1)
            if self.order > self.state_dimension:
                raise RemanenceError(
                    f"order: {self.order} is more than the student's state dimension "
                    f"{self.state_dimension}; raise --state-dimension or lower --order"
                )
        _positive("initial_scale", self.initial_scale)
        _positive("whitening", self.whitening, infinite=True)
        if self.step_size is not None:
            _positive("step_size", self.step_size)
            if len(self.optimizers) > 1:
                raise RemanenceError(
                    "step_size: belongs to one optimizer; name it, for example --optimizer gd"
                )
        if self.block is not None:
            _at_least("block", self.block, 1)
        if (self.block is None) == (self.split == "blocks"):
            raise RemanenceError("block: give --block STEPS together with --split blocks")


def _choice(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise RemanenceError(
            f"{name}: {value!r} is not one of {', '.join(known)}{nearest_name(value, known)}"
        )


def _at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise RemanenceError(f"{name}: must be at least {least}, got {value}")


def _positive(name: str, value: float, *, infinite: bool = False) -> None:
    if not value > 0 or (math.isinf(value) and not infinite):
        raise RemanenceError(f"{name}: must be a positive number, got {value}")
