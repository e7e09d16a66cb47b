"""What a fit found, in plain words: the headline and the warnings of its report."""

import math

from remanence.identify.horizon import ENERGY_SHARE
from remanence.identify.measure import FitResult
from remanence.report import Notice

_CURVED = 0.05
_SCATTERED = 0.1
_TRANSFER_GAP = 2.0


def duration(result: FitResult, steps: float | int) -> str:
    """`72 h` where a step is one hour, `72 steps (18 h)` where it is 15 min, else `72 steps`."""
    number = f"{steps:,.0f}" if steps >= 10 or steps == int(steps) else f"{steps:.1f}"
    shown = f"{number} step" if steps == 1 else f"{number} steps"
    step, unit = result.data.step, result.data.step_unit
    if step is None or unit is None:
        return shown
    return f"{number} {unit}" if step == 1 else f"{shown} ({steps * step:,.3g} {unit})"


def headline(result: FitResult) -> tuple[str, ...]:
    """The first lines of the report; an exploding model says so before anything else."""
    run = result.run
    lines = []
    if not result.stable:
        lines.append(
            f"WARNING: this model explodes. Its spectral radius is {result.spectral_radius:.4f}; "
            f"trained on windows of {duration(result, run.length)} only, it must not be run "
            "much longer than that."
        )
    else:
        slowest = result.memory.time_constants[0]
        lines.append(
            f"Remembers {duration(result, result.memory.horizon)}: there lies "
            f"{_percent(ENERGY_SHARE)} of the response; the slowest mode fades with a time "
            f"constant of {duration(result, slowest)}."
        )
    lines.append(
        f"Learned dimension {result.system.order}, of the {result.settings.state_dimension} "
        f"states it was given, from windows of {duration(result, run.length)}."
    )
    lines.append(_extrapolation_line(result))
    return tuple(lines)


def _extrapolation_line(result: FitResult) -> str:
    found = result.extrapolation
    length = result.run.length
    if not result.stable:
        return "Does not extrapolate: the response grows without bound."
    here = _at(found, length)
    if found.reach <= length:
        return "Extrapolation not measured: too few test outputs have a longer history."
    if not here < 1:
        return (
            f"Explains nothing of the test outputs at its training length ({here:.3g} of their "
            "variance is left): whether it extrapolates means nothing."
        )
    if found.extends_to is None:
        return (
            f"Does not extrapolate: beyond {duration(result, length)} the test error is more "
            f"than 10 % above that at the training length."
        )
    there = _at(found, found.extends_to)
    end = " (as far as measured)" if found.extends_to == found.ages[-1] else ""
    return (
        f"Extrapolates to {duration(result, found.extends_to)}, "
        f"{found.extends_to / length:.3g}× the training length{end}: the unexplained share of the "
        f"same {found.targets:,} test outputs goes from {here:.3f} to {there:.3f}."
    )


def _percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"


def _at(found, age: int) -> float:
    return float(found.shares[found.ages == age][0]) if age in found.ages else math.nan


def notices(result: FitResult) -> tuple[Notice, ...]:
    """What a user should know before trusting the model."""
    run, found = result.run, []
    exploded = int((run.spectral_radius >= 1).sum())
    seeds = len(run.spectral_radius)
    if result.stable and exploded:
        found.append(
            Notice(
                "warning",
                f"At the end of training {exploded} of {seeds} students of this length are "
                f"unstable (spectral radius up to {run.spectral_radius.max():.3f}); the model "
                f"handed over is the one validation preferred, from step "
                f"{run.trajectory.steps[run.best_record]:,}. Longer windows are safer.",
            )
        )
    others = [r for r in result.runs if r is not run and (r.spectral_radius >= 1).any()]
    if result.stable and not exploded and others:
        listed = ", ".join(f"{r.length} ({r.optimizer})" for r in others)
        found.append(
            Notice(
                "good",
                f"Students trained on {run.length} steps with {run.optimizer} are all stable. "
                f"Some of other training lengths and optimizers explode: {listed}.",
            )
        )
    asked = result.settings.order
    if asked is not None and result.system.order < asked:
        found.append(
            Notice(
                "warning",
                f"Order {asked} was asked for, but the student has only {result.system.order} "
                "directions above rounding; more steps or another length may find more.",
            )
        )
    train, test = result.carried["train"], result.carried["test"]
    if test > _TRANSFER_GAP * train:
        found.append(
            Notice(
                "warning",
                f"On the test part the model misses {_percent(test, 1)} of the variance, on the "
                f"training part {_percent(train, 1)}: what was learned does not carry over "
                "in full.",
            )
        )
    if result.curvature > _CURVED:
        found.append(
            Notice(
                "warning",
                f"A linear model is not enough: squares and products of its inputs and outputs "
                f"explain {_percent(result.curvature)} of what it misses (cross-validated).",
            )
        )
    if result.data.forecast and result.carried["test"] >= result.persistence:
        found.append(
            Notice(
                "warning",
                f"No better than repeating the last value, which misses "
                f"{_percent(result.persistence, 1)} of the variance of the test part.",
            )
        )
    if result.agreement > _SCATTERED:
        found.append(
            Notice(
                "warning",
                f"Seeds disagree: their impulse responses differ by {_percent(result.agreement)} "
                "(median of pairs) at the end of training.",
            )
        )
    if result.carried["test"] > 0.5:
        found.append(
            Notice(
                "bad",
                f"The model explains only {_percent(1 - test)} of the test output: "
                "other inputs, longer windows or a non-linear model are needed.",
            )
        )
    return tuple(found)
