"""What a study is: settings fixed before the run, claims with verdicts, figures and tables."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from remanence.report import AbstractProgress, NamedFigure

Preset = Literal["quick", "full"]
Verdict = Literal["holds", "fails"]


@dataclasses.dataclass(frozen=True)
class Claim:
    """One published or derived statement beside our own measurement of it.

    - `id`: short and stable, such as "T6".
    - `statement`: what is claimed, in one sentence.
    - `source`: paper and place, or "derived".
    - `expected`: the criterion, with its tolerance, written before the run.
    - `measured`: what was measured, with units and how it was averaged.
    - `verdict`: whether `measured` meets `expected`; a claim that fails is shown as failing.
    - `note`: why a claim fails, or what limits the measurement.
    """

    id: str
    statement: str
    source: str
    expected: str
    measured: str
    verdict: Verdict
    note: str = ""


def verdict(met: bool | np.bool_) -> Verdict:
    """ "holds" if the criterion is met."""
    return "holds" if met else "fails"


@dataclasses.dataclass(frozen=True)
class Finding:
    """One part of a study: its claims, the figures and tables behind them, and a short text.

    `tables` maps a name to columns of equal length.
    """

    title: str
    text: str
    claims: tuple[Claim, ...]
    figures: tuple[NamedFigure, ...] = ()
    tables: Mapping[str, Mapping[str, np.ndarray]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Part:
    """A part of a study as it is registered: how to run it, and how long it takes of the whole.

    `run(settings, progress)` takes one of `presets` (a frozen dataclass) and returns a `Finding`.
    `weight` is its share of the work, for the progress bar.
    """

    name: str
    run: Callable[[Any, AbstractProgress], Finding]
    presets: Mapping[Preset, Any]
    weight: float = 1.0


@dataclasses.dataclass(frozen=True)
class Study:
    """A published body of work as parts to run; `minutes` is what to expect of each preset.

    `selected` says that these are not all of its parts.
    """

    name: str
    title: str
    summary: str
    source: str
    parts: tuple[Part, ...]
    minutes: Mapping[Preset, float]
    selected: bool = False


@dataclasses.dataclass(frozen=True)
class StudyResult:
    """What a study found, part by part, in the study's order."""

    study: Study
    preset: Preset
    findings: tuple[Finding, ...]
    wall_time: float

    @property
    def claims(self) -> tuple[Claim, ...]:
        """Every claim, in the study's order."""
        return tuple(claim for finding in self.findings for claim in finding.claims)
