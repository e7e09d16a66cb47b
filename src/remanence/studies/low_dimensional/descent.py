"""Where gradient descent extrapolates: training length, scale of the start, a delay to learn."""

from collections.abc import Sequence

import numpy as np

from remanence.report import AbstractProgress
from remanence.studies.contract import Finding, Part
from remanence.studies.low_dimensional.descent_claims import (
    balance_claim,
    delay_claim,
    delay_scale_claim,
    norm_claim,
    scale_claim,
    threshold_claim,
    width_claim,
)
from remanence.studies.low_dimensional.descent_figures import (
    delay_figure,
    length_figure,
    scale_figure,
)
from remanence.studies.low_dimensional.descent_settings import (
    DELAY_NEAR_ZERO,
    FULL,
    QUICK,
    DescentSettings,
)
from remanence.studies.low_dimensional.ensembles import NEAR_ZERO, STANDARD, Ensemble, Job, train
from remanence.systems.generators import delay_teacher, spread_teacher
from remanence.training import Adam, GradientDescent


def run(settings: DescentSettings, progress: AbstractProgress) -> Finding:
    """Train every ensemble and hold the measurements against T6, T7 and T8."""
    jobs = {
        "lengths": _length_jobs(settings),
        "widths": _width_jobs(settings),
        "scales": _scale_jobs(settings),
        "delay": _delay_jobs(settings),
        "norm": _norm_jobs(settings),
    }
    flat = [job for group in jobs.values() for job in group]
    trained = iter(train(flat, on_progress=lambda share: progress.update(share, "training")))
    done = {name: [next(trained) for _ in group] for name, group in jobs.items()}
    scales = {(e.job.scale, e.job.length): e for e in done["scales"]}
    delay = {(e.job.scale, e.job.length): e for e in done["delay"]}
    claims = (
        threshold_claim(settings, done["lengths"]),
        width_claim(settings, done["widths"]),
        scale_claim(settings, scales),
        balance_claim(settings, scales),
        delay_claim(settings, delay),
        delay_scale_claim(settings, delay),
        norm_claim(settings, done["norm"]),
    )
    figures = (
        length_figure(settings, done["lengths"]),
        scale_figure(settings, scales),
        delay_figure(settings, delay, done["norm"]),
    )
    return Finding(
        title="Where gradient descent extrapolates",
        text=(
            "Students with many more states than their teacher are trained on the impulse "
            "response up to lag k − 1 and tested on the lags k ≤ j < 5k + 20. The extrapolation "
            "error is the largest error there over the largest value of the teacher's response. "
            "Medians are over seeds. From a start near zero the students extrapolate as soon as "
            "k reaches twice the teacher's order, however wide they are; from a standard start "
            "they fit as well and extrapolate badly."
        ),
        claims=claims,
        figures=figures,
        tables={name: _table(group) for name, group in done.items()},
    )


def _length_jobs(s: DescentSettings) -> list[Job]:
    teacher = spread_teacher(s.order).system
    return [
        Job(
            teacher,
            k,
            NEAR_ZERO,
            s.dimension,
            # The stability bound of the step size falls with the training length.
            GradientDescent(0.05 if k <= 8 else 0.01),
            s.steps,
            s.seeds,
            seed=s.seed,
        )
        for k in s.lengths
    ]


def _width_jobs(s: DescentSettings) -> list[Job]:
    teacher = spread_teacher(s.order).system
    rule = GradientDescent(0.05)
    return [
        Job(teacher, s.width_length, NEAR_ZERO, d, rule, s.width_steps, s.seeds, seed=s.seed)
        for d in s.widths
    ]


def _scale_jobs(s: DescentSettings) -> list[Job]:
    teacher = spread_teacher(s.order).system
    rule = GradientDescent(0.01)
    return [
        Job(
            teacher,
            k,
            scale,
            s.dimension,
            rule,
            s.scale_steps,
            s.standard_seeds if scale == STANDARD else s.seeds,
            seed=s.seed,
        )
        for k in s.scale_lengths
        for scale in s.scales
    ]


def _delay_jobs(s: DescentSettings) -> list[Job]:
    teacher = delay_teacher(s.delay_order).system
    return [
        Job(teacher, k, scale, s.delay_dimension, Adam(1e-3), s.delay_steps, seeds, seed=s.seed)
        for scale, seeds in ((DELAY_NEAR_ZERO, s.seeds), (STANDARD, s.standard_seeds))
        for k in s.delay_lengths
    ]


def _norm_jobs(s: DescentSettings) -> list[Job]:
    teacher = delay_teacher(s.delay_order).system
    rule = GradientDescent(0.02)
    return [
        Job(teacher, s.norm_length, x, s.norm_dimension, rule, s.norm_steps, s.seeds, seed=s.seed)
        for x in s.norm_scales
    ]


def _table(ensembles: Sequence[Ensemble]) -> dict[str, np.ndarray]:
    def column(values: Sequence[float | int]) -> np.ndarray:
        return np.concatenate(
            [np.full(e.job.seeds, value) for e, value in zip(ensembles, values, strict=True)]
        )

    return {
        "length": column([e.job.length for e in ensembles]),
        "scale": column([e.job.scale for e in ensembles]),
        "dimension": column([e.job.dimension for e in ensembles]),
        "seed": np.concatenate([e.job.seed + np.arange(e.job.seeds) for e in ensembles]),
        "steps": np.concatenate([e.steps for e in ensembles]),
        "loss": np.concatenate([e.loss for e in ensembles]),
        "extrapolation_error": np.concatenate([e.extrapolation for e in ensembles]),
        "spectral_radius": np.concatenate([e.spectral_radius for e in ensembles]),
        "effective_rank": np.concatenate([e.rank for e in ensembles]),
        "imbalance": np.concatenate([e.imbalance for e in ensembles]),
        "norm": np.concatenate([e.norm for e in ensembles]),
    }


DESCENT = Part("descent", run, {"quick": QUICK, "full": FULL}, weight=2.0)
